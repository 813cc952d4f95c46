"""A chat's script as the plan writes it: what we say and choose, for what we wait, and what depends on what came."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import Field

from probes.duration import Duration
from probes.loose_values import OneOrMore, PlainVerb
from probes.model import STRICT

SECRET = re.compile(r"\$\{[^}]+\}")
VERBS = ("say", "choose", "ask_human", "disclose", "wait", "wait_for", "if", "repeat", "end")
PLAIN_VERBS = dict.fromkeys(("ask_human", "disclose", "end"), True)
MOST_STEPS, MOST_DEEP, MOST_TIMES, MOST_DONE = 200, 6, 50, 1000
_NAME = re.compile(r"[a-z][a-z0-9_]*")


class Turn(StrEnum):
    """What a script can wait for. All of it counts from our last words on."""

    REPLY = "reply"  # anybody or anything of theirs has written
    HUMAN = "human"  # a person is there: by name, role or notice
    QUEUED = "queued"  # a place in a queue or a wait is announced
    QUEUE_LEFT = "queue_left"  # nothing of a queue is shown any more, or a person is there
    CHOICES = "choices"  # buttons to choose from are shown
    QUIET = "quiet"  # nobody has written for a while
    ENDED = "ended"  # the chat is over


class Outcome(StrEnum):
    """What became of a step: what was waited for, or that it did not come."""

    REPLY = "reply"
    HUMAN = "human"
    QUEUED = "queued"
    QUEUE_LEFT = "queue_left"
    CHOICES = "choices"
    QUIET = "quiet"
    ENDED = "ended"
    TIMED_OUT = "timed_out"
    DONE = "done"
    NOT_THERE = "not_there"


Outcomes = Annotated[tuple[Outcome, ...], OneOrMore()]


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitFor:
    """Wait until something is seen, `at_most` so long; what came first is the step's outcome.

    `quiet` is for how long nobody may have written. The end of the chat ends every wait.
    """

    __pydantic_config__: ClassVar = STRICT
    seen: Annotated[tuple[Turn, ...], OneOrMore()]
    at_most: Duration
    quiet: Duration = Duration(20.0)

    def __post_init__(self) -> None:
        if not self.seen:
            raise ValueError("seen is empty; write what to wait for, as seen: reply")
        for name in ("at_most", "quiet"):
            if getattr(self, name).s <= 0:
                raise ValueError(f'{name} is no time at all; write how long, as "2 min"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """Do steps again and again: `times` at most, and no more once `until` has come true."""

    __pydantic_config__: ClassVar = STRICT
    times: int
    steps: tuple[ReadStep, ...]
    until: Mapping[str, Outcomes] | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.times <= MOST_TIMES:
            raise ValueError(f'times is "{self.times}"; write 1 to {MOST_TIMES}')
        if not self.steps:
            raise ValueError("there is nothing to repeat; write at least one step under steps")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptStep:
    """One step of a chat: exactly one verb.

    `say` writes a line; `choose` presses a button that they offer; `ask_human` asks for a person, in the words given or
    in ours; `disclose` says that we are a machine; `wait` lets time pass; `wait_for` reacts to what is seen, `if` looks
    at outcomes of earlier steps (all that it names must be so), `repeat` does steps again; `end` ends the chat. `as`
    names a step's outcome.
    """

    __pydantic_config__: ClassVar = STRICT | {"populate_by_name": True}
    say: str | None = None
    choose: str | None = None
    ask_human: bool | str | None = None
    disclose: bool | str | None = None
    wait: Duration | None = None
    wait_for: WaitFor | None = None
    if_: Annotated[Mapping[str, Outcomes] | None, Field(alias="if")] = None
    then: tuple[ReadStep, ...] = ()
    else_: Annotated[tuple[ReadStep, ...], Field(alias="else")] = ()
    repeat: Repeat | None = None
    end: bool | None = None
    as_: Annotated[str | None, Field(alias="as")] = None

    def __post_init__(self) -> None:
        given = [verb for verb in VERBS if getattr(self, "if_" if verb == "if" else verb) not in (None, False)]
        if len(given) != 1:
            raise ValueError(f"a step has one verb; here: {', '.join(given) or 'none'}; use one of {', '.join(VERBS)}")
        for name in ("say", "choose", "ask_human", "disclose"):
            text = getattr(self, name)
            if isinstance(text, str):
                if not text.strip():
                    raise ValueError(f"{name} has no words; write what to {name.partition('_')[0]}")
                if SECRET.search(text):
                    raise ValueError(f"{name} holds a secret, which would be kept in the records; leave it out")
        if self.wait is not None and self.wait.s <= 0:
            raise ValueError('the length is 0; write how long, as "5 s"')
        if self.if_ is not None and not (self.if_ and self.then):
            raise ValueError("if needs a condition and then, as if: {agent: human} and the steps under then")
        if self.if_ is None and (self.then or self.else_):
            raise ValueError("then and else belong to if; write what is asked, as if: {agent: human}")
        if self.as_ is not None and not _NAME.fullmatch(self.as_):
            raise ValueError(f'"{self.as_}" is no name; use small letters, digits and _')
        if self.as_ is not None and (self.if_ is not None or self.repeat is not None or self.end):
            raise ValueError(f"{given[0]} has no outcome to be named; remove as")

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts of this step alone in which names are filled."""
        return tuple(text for text in (self.say, self.choose, self.ask_human, self.disclose) if isinstance(text, str))

    @property
    def inner(self) -> tuple[tuple[ScriptStep, ...], ...]:
        """The lists of steps within this one."""
        return tuple(steps for steps in (self.then, self.else_, self.repeat.steps if self.repeat else ()) if steps)


ReadStep = Annotated[ScriptStep, PlainVerb(PLAIN_VERBS)]


def all_steps(steps: tuple[ScriptStep, ...]) -> Iterator[ScriptStep]:
    """Yield every step, those within others too."""
    for step in steps:
        yield step
        for inside in step.inner:
            yield from all_steps(inside)


def check_script(name: str, steps: tuple[ScriptStep, ...]) -> None:
    """Check what must hold within a whole script.

    Raises:
        ValueError: a name is asked for before it is given or can never be so, or the script is too long or deep.
    """
    if not steps:
        raise ValueError(f'the script "{name}" has no steps; write at least say')
    if len(list(all_steps(steps))) > MOST_STEPS:
        raise ValueError(f'the script "{name}" has more than {MOST_STEPS} steps')
    names: dict[str, set[Outcome]] = {}
    if _walk(name, steps, names, 1) > MOST_DONE:
        raise ValueError(f'the script "{name}" would do more than {MOST_DONE} steps, repeats included')


def _walk(script: str, steps: tuple[ScriptStep, ...], names: dict[str, set[Outcome]], deep: int) -> int:
    """Check steps in their order; return how many are done at most."""
    if deep > MOST_DEEP:
        raise ValueError(f'steps of the script "{script}" stand more than {MOST_DEEP} deep')
    done = 0
    for step in steps:
        if step.if_ is not None:
            _asked(script, step.if_, names)
        inside = [_walk(script, within, names, deep + 1) for within in step.inner]
        done += 1 + (step.repeat.times * sum(inside) if step.repeat else sum(inside))
        if step.repeat is not None and step.repeat.until is not None:
            _asked(script, step.repeat.until, names)
        if step.as_ is not None:
            names.setdefault(step.as_, set()).update(possible(step))
    return done


def possible(step: ScriptStep) -> tuple[Outcome, ...]:
    """Return the outcomes that a step can have."""
    if step.wait_for is not None:
        return (*(Outcome(turn.value) for turn in step.wait_for.seen), Outcome.TIMED_OUT, Outcome.ENDED)
    return (Outcome.DONE, Outcome.NOT_THERE, Outcome.ENDED) if step.choose else (Outcome.DONE, Outcome.ENDED)


def _asked(script: str, conditions: Mapping[str, Any], names: Mapping[str, set[Outcome]]) -> None:
    for name, values in conditions.items():
        if name not in names:
            known = f"use one of: {', '.join(sorted(names))}" if names else "name an earlier step's outcome with as"
            raise ValueError(f'no step of the script "{script}" before this one is named "{name}"; {known}')
        for value in values:
            if value not in names[name]:
                can = ", ".join(sorted(names[name]))
                raise ValueError(f'"{name}" of the script "{script}" can never be {value}; it is one of: {can}')
