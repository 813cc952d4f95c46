"""What must hold within a whole script: names before they are asked for, loops and nesting bounded, ends last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from probes.events import StepOutcome
from probes.telephony.script import Outcomes, ScriptStep, Sound

MOST_STEPS, MOST_DEEP, MOST_DONE = 200, 6, 2000

Keys = tuple[str | int, ...]
Found = tuple[Keys, str]


@dataclass(frozen=True, slots=True)
class Rules:
    """What the channel offers to its scripts."""

    has_disclosure: bool
    has_auditor: bool


def script_faults(steps: tuple[ScriptStep, ...], rules: Rules) -> Iterator[Found]:
    """Yield place and "message; fix" of each fault of a script."""
    if not steps:
        yield (), "the script has no steps; write at least listen"
        return
    walk = _Walk(rules)
    yield from walk.steps(steps, (), 1, 1)
    if walk.count > MOST_STEPS:
        yield (), f"the script has {walk.count} steps; write {MOST_STEPS} at most"
    elif walk.done > MOST_DONE:
        text = f"the script would do up to {walk.done} steps in one call, repeats included"
        yield (), f"{text}; lower times, or repeat fewer steps: {MOST_DONE} is the most"


def possible(step: ScriptStep) -> tuple[StepOutcome, ...]:
    """Return the outcomes that a step can have for later steps to ask for: after the call's end nothing asks."""
    if step.wait_for is not None:
        heard = [StepOutcome(sound.value) for sound in step.wait_for.sound]
        if Sound.HUMAN in step.wait_for.sound:
            heard.append(StepOutcome.UNSURE)
        return (*heard, StepOutcome.TIMED_OUT)
    if step.join is not None:
        return StepOutcome.JOINED, StepOutcome.NOT_ANSWERED
    return (StepOutcome.DONE,)


def _ends_after(following: tuple[ScriptStep, ...], *, last: bool) -> bool:
    """Whether the call is ended after these steps with nothing that waits; `last`: the script ends with them."""
    for step in following:
        if step.verb in ("wait_for", "listen", "if", "repeat"):
            return False
        if step.hang_up:
            return True
    return last


@dataclass(slots=True)
class _Walk:
    rules: Rules
    count: int = 0
    done: int = 0
    names: dict[str, tuple[StepOutcome, ...]] = field(default_factory=dict)

    def steps(self, steps: tuple[ScriptStep, ...], place: Keys, deep: int, times: int) -> Iterator[Found]:
        for index, step in enumerate(steps):
            here = *place, index
            self.count += 1
            self.done += times
            if step.hang_up and index < len(steps) - 1:
                yield here, "the script goes on after hang_up; make hang_up the last step here"
            if step.join is not None and _ends_after(steps[index + 1 :], last=not place):
                text = "the call would be ended as soon as the auditor has joined it"
                yield here, f"{text}; write listen: 30 min after join: it lasts no longer than the call"
            yield from self._step(step, here)
            for key, inside in step.inner:
                where = (*here, "repeat", key) if step.repeat is not None else (*here, key)
                if deep >= MOST_DEEP:
                    yield where, f"steps stand {deep + 1} deep; take some of them out of their if or repeat"
                else:
                    yield from self.steps(inside, where, deep + 1, times * (step.repeat.times if step.repeat else 1))
            if step.repeat is not None and step.repeat.until is not None:
                yield from self._asked(step.repeat.until, (*here, "repeat", "until"))

    def _step(self, step: ScriptStep, here: Keys) -> Iterator[Found]:
        if step.disclose and not self.rules.has_disclosure:
            yield here, "disclose has nothing to say; write disclosure: … beside scripts"
        if step.join is not None and not self.rules.has_auditor:
            yield here, 'join does not know whom to call; write auditor: "+44…" beside scripts'
        if step.if_ is not None:
            yield from self._asked(step.if_, (*here, "if"))
        if step.as_ is not None:
            earlier = self.names.get(step.as_, ())
            self.names[step.as_] = tuple(dict.fromkeys((*earlier, *possible(step))))

    def _asked(self, conditions: Mapping[str, Outcomes], here: Keys) -> Iterator[Found]:
        for name, values in conditions.items():
            if name not in self.names:
                known = ", ".join(sorted(self.names))
                fix = f"use one of: {known}" if known else "name an earlier step's outcome with as"
                yield (*here, name), f'no step before this one is named "{name}"; {fix}'
                continue
            for value in values:
                if value not in self.names[name]:
                    can = ", ".join(one.value for one in self.names[name])
                    near = get_close_matches(value.value, [one.value for one in self.names[name]], n=1)
                    hint = f'did you mean "{near[0]}"? ' if near else ""
                    yield (*here, name), f'"{name}" can never be {value.value}; {hint}it is one of: {can}'
