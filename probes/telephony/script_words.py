"""A script in words, for whoever is asked to allow it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from probes.telephony.script import Outcomes, ScriptStep, Sound, WaitFor

_SOUNDS = {
    Sound.SPEECH: "a voice begins",
    Sound.PROMPT: "a voice has spoken and pauses",
    Sound.ANSWER: "a voice has spoken and stays quiet",
    Sound.REPEAT: "something is said that was said before",
    Sound.SILENCE: "there is silence",
    Sound.TONE: "a tone sounds",
    Sound.HOLD: "music plays",
    Sound.HOLD_END: "the music ends",
    Sound.HUMAN: "a human is there",
}


def in_words(steps: tuple[ScriptStep, ...], indent: str = "") -> Iterator[str]:
    """Yield one line for each step, those within others further in."""
    for number, step in enumerate(steps, start=1):
        name = f" (call this {step.as_})" if step.as_ else ""
        yield f"{indent}{number}. {_step(step)}{name}"
        for key, inside in step.inner:
            if key == "else":
                yield f"{indent}   otherwise"
            yield from in_words(inside, indent + "   ")


def _step(step: ScriptStep) -> str:
    if step.wait_for is not None:
        return _wait_for(step.wait_for)
    if step.press is not None:
        return f"press {step.press}"
    if step.enter is not None:
        return "enter an identification number, which is kept nowhere"
    if step.say is not None:
        return f'say "{step.say}"'
    if step.disclose:
        return "say that this is an automated call"
    if step.join is not None:
        return f"let the auditor's telephone ring for {step.join.ring_at_most} at most, and join it"
    if step.if_ is not None:
        return f"if {_conditions(step.if_)}"
    if step.repeat is not None:
        until = f", until {_conditions(step.repeat.until)}" if step.repeat.until else ""
        return f"{step.repeat.times} times at most{until}"
    if step.hang_up:
        return "hang up"
    if step.listen is not None:
        return f"listen for {step.listen}"
    return f"wait {step.wait}"


def _wait_for(wait: WaitFor) -> str:
    sounds = " or ".join(_SOUNDS[sound] for sound in wait.sound)
    quiet = f" ({wait.quiet} of quiet)" if wait.quiet is not None else ""
    asks = ""
    if wait.ask is not None:
        asks = f'; whether it is one is asked with "{wait.ask}", and an answer must come within {wait.answer_within}'
    return f"wait until {sounds}{quiet}, {wait.longest} at most{asks}"


def _conditions(conditions: Mapping[str, Outcomes]) -> str:
    return " and ".join(f"{name} is {' or '.join(values)}" for name, values in conditions.items())
