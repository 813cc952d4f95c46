"""Carries a script out on a live call, step by step, and tells what became of each step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from probes.errors import AuditError
from probes.events import ScriptStepEnded, StepOutcome
from probes.telephony.carrier import Press, Say
from probes.telephony.ear import Ear
from probes.telephony.humans import Found, HumanWait
from probes.telephony.live_line import LiveLine
from probes.telephony.script import LiveScript, Outcomes, Planned, ScriptStep, Sound, WaitFor, count_keys


class Report(Protocol):
    """Takes note of what was done and what became of it."""

    def acted(self, what: Planned, t_s: float) -> None:
        """Note that we pressed or said something."""
        ...

    def step_ended(self, what: ScriptStepEnded) -> None:
        """Note that a step is over."""
        ...


class Finished(Exception):
    """The script says to hang up now."""


class Broken(Exception):
    """A step could not be carried out, for a reason on our side."""


@dataclass(slots=True)
class ScriptRun:
    """One script on one line. `may_join` asks the gate whether the auditor may be called now.

    `mark_s`: only what is heard after it counts for the next wait.
    """

    script: LiveScript
    line: LiveLine
    report: Report
    auditor: str | None
    may_join: Callable[[], None]
    mark_s: float = 0.0
    outcomes: dict[str, StepOutcome] = field(default_factory=dict)
    _announced: bool = False

    async def run(self) -> None:
        """Carry the script out to its end.

        Raises:
            CallOver: the call ended first.
            Broken: something of ours failed.
        """
        if self.script.announcement is not None:
            await self._guarded(self._say(self.script.announcement, None, "announcement"))
        try:
            await self._steps(self.script.steps, "")
        except Finished:
            return

    async def _steps(self, steps: tuple[ScriptStep, ...], prefix: str) -> None:
        for number, step in enumerate(steps, start=1):
            path = f"{prefix}{number}"
            if step.hang_up:
                raise Finished
            if step.if_ is not None:
                is_so = self._holds(step.if_)
                await self._steps((step.then if is_so else step.else_) or (), f"{path}.{'then' if is_so else 'else'}.")
            elif step.repeat is not None:
                for time in range(1, step.repeat.times + 1):
                    await self._steps(step.repeat.steps, f"{path}.{time}.")
                    if step.repeat.until is not None and self._holds(step.repeat.until):
                        break
            else:
                await self._one(step, path)

    def _holds(self, conditions: Mapping[str, Outcomes]) -> bool:
        return all(self.outcomes.get(name) in values for name, values in conditions.items())

    async def _one(self, step: ScriptStep, path: str) -> None:
        began_s = self.line.now_s
        found = Found(StepOutcome.CALL_OVER, None)
        try:
            found = await self._guarded(self._do(step))
        except Broken as exc:
            found = Found(StepOutcome.FAILED, None, str(exc))
            raise
        finally:
            known_s = self.line.now_s
            if step.as_ is not None:
                self.outcomes[step.as_] = found.outcome
            self.report.step_ended(
                ScriptStepEnded(
                    path=path,
                    verb=step.verb,
                    name=step.as_,
                    outcome=found.outcome,
                    known_s=round(known_s, 3),
                    t_s=None if found.t_s is None else round(found.t_s, 3),
                    waited_s=round(known_s - began_s, 3),
                    why=found.why,
                )
            )

    async def _guarded(self, doing: Awaitable[Found]) -> Found:
        try:
            return await doing
        except (AuditError, TimeoutError) as exc:
            text = exc.message if isinstance(exc, AuditError) else str(exc)
            raise Broken(text) from exc

    async def _do(self, step: ScriptStep) -> Found:
        if step.wait_for is not None:
            return await self._wait_for(step.wait_for)
        if step.press is not None:
            return await self._press(
                Press(step.press), Planned(keys=step.press, key_count=count_keys(step.press), purpose="menu")
            )
        if step.enter is not None:
            keys = self.script.digits[step.enter]
            planned = Planned(key_count=count_keys(keys), purpose="identification")
            return await self._press(Press(keys, secret=True, purpose="identification"), planned)
        if step.say is not None:
            return await self._say(step.say, step.language)
        if step.disclose:
            return await self._say(self.script.disclosure or "", None, "disclosure")
        if step.join is not None:
            self.may_join()
            answered = await self.line.join(self.auditor or "", step.join.ring_at_most.s)
            return Found(StepOutcome.JOINED if answered else StepOutcome.NOT_ANSWERED, self.line.now_s)
        length = step.wait or step.listen
        await self.line.until(lambda _: None, length.s if length else 0.0)
        return Found(StepOutcome.DONE, None)

    async def _press(self, press: Press, planned: Planned) -> Found:
        at_s = await self.line.press(press)
        self.report.acted(planned, at_s)
        self.mark_s = self.line.now_s
        return Found(StepOutcome.DONE, at_s)

    async def _say(self, text: str, language: str | None, purpose: str = "line") -> Found:
        at_s, self.mark_s = await self.line.say(Say(text, language or self.script.language))
        self.report.acted(Planned(text=text, purpose=purpose), at_s)
        return Found(StepOutcome.DONE, at_s)

    async def _wait_for(self, wait: WaitFor) -> Found:
        if Sound.HUMAN in wait.sound:
            human = HumanWait(
                line=self.line,
                from_s=self.mark_s,
                ask=None if wait.ask is None else lambda: self._ask(wait.ask or "", wait.language),
                answer_within_s=wait.answer_within.s,
                others=lambda ear: _first(ear, wait, self.mark_s),
            )
            found = await human.run(wait.longest.s)
        else:
            found = await self.line.until(lambda ear: _first(ear, wait, self.mark_s), wait.longest.s)
        known_s = self.line.ear.now.end_s
        if found is not None and found.t_s is not None and found.outcome in _STILL_GOING_ON:
            known_s = found.t_s
        self.mark_s = max(self.mark_s, known_s)
        if found is not None and found.outcome in _PERSONS and self.script.announcement and not self._announced:
            self._announced = True  # the first time it was the machine that heard it
            await self._say(self.script.announcement, None, "announcement")
        return found or Found(StepOutcome.TIMED_OUT, None)

    async def _ask(self, text: str, language: str | None) -> tuple[float, float]:
        asked = await self._say(text, language, "question")
        return asked.t_s or 0.0, self.mark_s


_PERSONS = frozenset({StepOutcome.HUMAN, StepOutcome.UNSURE})

# What began then goes on: a later wait may be for its end.
_STILL_GOING_ON = frozenset({StepOutcome.SPEECH, StepOutcome.HOLD})


def _first(ear: Ear, wait: WaitFor, from_s: float) -> Found | None:
    """Return the first of the wanted sounds that is heard."""
    for sound in wait.sound:
        at_s = _began(ear, sound, wait, from_s)
        if at_s is not None:
            return Found(StepOutcome(sound.value), at_s)
    return None


def _began(ear: Ear, sound: Sound, wait: WaitFor, from_s: float) -> float | None:
    match sound:
        case Sound.SPEECH:
            return ear.speech_began(from_s)
        case Sound.PROMPT | Sound.ANSWER:
            return ear.spoke_and_paused(from_s, wait.quiet_s(sound))
        case Sound.REPEAT:
            return ear.said_again(from_s)
        case Sound.SILENCE:
            return ear.silent(from_s, wait.quiet_s(sound))
        case Sound.TONE:
            return ear.tone(from_s)
        case Sound.HOLD:
            return ear.music(from_s)
        case Sound.HOLD_END:
            return ear.music_ended(from_s)
        case Sound.HUMAN:
            return None
