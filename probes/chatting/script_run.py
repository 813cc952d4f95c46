"""Carries a chat's script out, step by step."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from probes.chatting.hand import Hand
from probes.chatting.script import Outcome, Outcomes, ScriptStep, Turn, WaitFor
from probes.chatting.watching import Standing, Watch
from probes.clock import Clock

_LOOK_S = 0.5  # real: how often a condition is asked that only time makes true

_ASK_HUMAN = {
    "en": "I would like to speak to a person, please.",
    "de": "Ich möchte bitte mit einem Menschen sprechen.",
    "fr": "Je voudrais parler à une personne, s'il vous plaît.",
    "es": "Quisiera hablar con una persona, por favor.",
}
_DISCLOSE = {
    "en": "For your information: this is an automated test of your customer service.",
    "de": "Zu Ihrer Information: dies ist ein automatischer Test Ihres Kundendienstes.",
    "fr": "Pour votre information : ceci est un test automatique de votre service client.",
    "es": "Para su información: esto es una prueba automática de su servicio al cliente.",
}

# Takes what we said: its words, why, and when it left.
Said = Callable[[str, str, datetime], Awaitable[None]]


class Finished(Exception):
    """The script says to end now, or the chat is over."""


@dataclass(slots=True)
class ScriptRun:
    """One script in one chat. `mark`: only what comes after it counts for the next wait."""

    hand: Hand
    watch: Watch
    clock: Clock
    typed: Callable[[str], str]
    language: str
    said: Said
    mark: datetime
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    async def run(self, steps: tuple[ScriptStep, ...]) -> None:
        """Carry the script out to its end, or to the chat's.

        Raises:
            StepFailed: a step did not come off.
        """
        try:
            await self._steps(steps)
        except Finished:
            return

    async def _steps(self, steps: tuple[ScriptStep, ...]) -> None:
        for step in steps:
            if step.end:
                raise Finished
            if step.if_ is not None:
                await self._steps(step.then if self._holds(step.if_) else step.else_)
            elif step.repeat is not None:
                for _ in range(step.repeat.times):
                    await self._steps(step.repeat.steps)
                    if step.repeat.until is not None and self._holds(step.repeat.until):
                        break
            else:
                outcome = await self._one(step)
                if step.as_ is not None:
                    self.outcomes[step.as_] = outcome
                if outcome is Outcome.ENDED and step.as_ is None:
                    raise Finished

    def _holds(self, conditions: Mapping[str, Outcomes]) -> bool:
        return all(self.outcomes.get(name) in values for name, values in conditions.items())

    async def _one(self, step: ScriptStep) -> Outcome:
        if self.watch.standing.ended is not None:
            return Outcome.ENDED
        if step.say is not None:
            return await self._say(step.say, "line")
        if step.ask_human:
            return await self._say(self._words(step.ask_human, _ASK_HUMAN), "human")
        if step.disclose:
            return await self._say(self._words(step.disclose, _DISCLOSE), "disclosure")
        if step.choose is not None:
            return await self._choose(step.choose)
        if step.wait_for is not None:
            return await self._wait_for(step.wait_for)
        return await self._until(lambda _: None, step.wait.s if step.wait else 0.0, Outcome.DONE)

    def _words(self, given: bool | str, ours: Mapping[str, str]) -> str:
        return given if isinstance(given, str) else ours.get(self.language[:2], ours["en"])

    async def _say(self, template: str, purpose: str) -> Outcome:
        text = self.typed(template)
        at = await self.hand.write(text)
        if at is None:
            return Outcome.ENDED
        self.mark = at
        await self.said(text, purpose, at)
        return Outcome.DONE

    async def _choose(self, template: str) -> Outcome:
        name = self.typed(template)
        at = await self.hand.choose(name)
        if at is None:
            return Outcome.NOT_THERE
        self.mark = at
        await self.said(name, "choice", at)
        return Outcome.DONE

    async def _wait_for(self, wait: WaitFor) -> Outcome:
        return await self._until(lambda standing: self._first(wait, standing), wait.at_most.s, Outcome.TIMED_OUT)

    def _first(self, wait: WaitFor, standing: Standing) -> Outcome | None:
        for turn in wait.seen:
            if self._is_so(turn, wait, standing):
                return Outcome(turn.value)
        return Outcome.ENDED if standing.ended is not None else None

    def _is_so(self, turn: Turn, wait: WaitFor, standing: Standing) -> bool:
        match turn:
            case Turn.REPLY:
                return any(at > self.mark for at in standing.replies) and self.watch.transcript.unsettled_since is None
            case Turn.HUMAN:
                return standing.human_at is not None
            case Turn.QUEUED:
                return standing.queue is not None
            case Turn.QUEUE_LEFT:
                left = standing.queue is None and standing.queue_left_at is not None
                return left or standing.human_at is not None
            case Turn.CHOICES:
                return bool(standing.choices)
            case Turn.QUIET:
                last = max(self.mark, standing.theirs_at or self.mark)
                return self.clock.now_utc() - last >= timedelta(seconds=wait.quiet.s)
            case Turn.ENDED:
                return standing.ended is not None

    async def _until(
        self, found: Callable[[Standing], Outcome | None], at_most_s: float, otherwise: Outcome
    ) -> Outcome:
        ends_at = self.clock.after(at_most_s)
        while True:
            outcome = found(self.watch.standing)
            if outcome is not None:
                return outcome
            left_s = self.clock.real_delay_s((ends_at - self.clock.now_utc()).total_seconds())
            if left_s <= 0:
                return otherwise
            if self.watch.standing.ended is not None:
                return Outcome.ENDED
            await self._changed(min(left_s, _LOOK_S))

    async def _changed(self, at_most_s: float) -> None:
        async def wait() -> None:
            async with self.watch.changed:
                await self.watch.changed.wait()

        try:
            await asyncio.wait_for(wait(), at_most_s)
        except TimeoutError:
            return
