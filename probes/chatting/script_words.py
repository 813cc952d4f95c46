"""A chat's script in words, as `check` shows it (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from probes.chatting.script import Outcomes, ScriptStep, Turn
from probes.placeholders import fill

_SEEN = {
    Turn.REPLY: "they write",
    Turn.HUMAN: "a person is there",
    Turn.QUEUED: "a queue is announced",
    Turn.QUEUE_LEFT: "the queue is over",
    Turn.CHOICES: "there are buttons to choose from",
    Turn.QUIET: "nobody has written for {quiet}",
    Turn.ENDED: "the chat is over",
}


def told(steps: tuple[ScriptStep, ...], values: Mapping[str, str]) -> tuple[str, ...]:
    """Return a line for each step, those within others set in."""
    return tuple(_lines(steps, values, ""))


def _lines(steps: tuple[ScriptStep, ...], values: Mapping[str, str], before: str) -> Iterator[str]:
    for step in steps:
        yield before + _one(step, values) + (f" (called {step.as_})" if step.as_ else "")
        inside = before + "  "
        if step.repeat is not None:
            yield from _lines(step.repeat.steps, values, inside)
        yield from _lines(step.then, values, inside)
        if step.else_:
            yield f"{before}otherwise"
            yield from _lines(step.else_, values, inside)


def _one(step: ScriptStep, values: Mapping[str, str]) -> str:
    if step.say is not None:
        return f'write "{fill(step.say, values)}"'
    if step.choose is not None:
        return f'press "{fill(step.choose, values)}"'
    if step.ask_human:
        return (
            f'ask for a person: "{fill(step.ask_human, values)}"'
            if isinstance(step.ask_human, str)
            else ("ask for a person")
        )
    if step.disclose:
        return "say that this is an automated test"
    if step.wait is not None:
        return f"wait {step.wait}"
    if step.wait_for is not None:
        wait = step.wait_for
        seen = " or ".join(_SEEN[turn].format(quiet=wait.quiet) for turn in wait.seen)
        return f"wait until {seen}, {wait.at_most} at most"
    if step.if_ is not None:
        return f"if {_asked(step.if_)}"
    if step.repeat is not None:
        until = f", until {_asked(step.repeat.until)}" if step.repeat.until else ""
        return f"up to {step.repeat.times} times{until}"
    return "end the chat"


def _asked(conditions: Mapping[str, Outcomes]) -> str:
    return " and ".join(
        f"{name} is {' or '.join(value.value.replace('_', ' ') for value in values)}"
        for name, values in conditions.items()
    )
