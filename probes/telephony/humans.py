"""Whether a human is on the line, as well as sound can tell: a new voice that pauses, is asked, and answers.

A recording goes on regardless of what we say, comes again word by word, or gives way to the music. What is none of this
and does not answer stays unsure.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from probes.audio.timeline import Kind
from probes.events import StepOutcome
from probes.telephony.ear import Ear
from probes.telephony.live_line import LiveLine

_PAUSED_S, _SHORT_PAUSE_S = 1.2, 0.6
_LONGEST_GREETING_S = 12.0
_WAITS_S, _LONGEST_SPEECH_S = 3.5, 20.0
_DIRECT_PAUSED_S = 1.2  # without a hold before it, a voice is most often a menu
_SETTLES_S = 4.0  # after an answer: by then a recording has been found out
_LISTENER_LATE_S = 1.6
_REGARDLESS_RATIO = 0.6
_SHORTEST_ANSWER_S = 0.25
_TURN_S = 0.7  # between two sentences of a recording there is less
_MOST_TRIES, _MOST_ASKED = 2, 6


@dataclass(frozen=True, slots=True)
class Found:
    """What a wait came to: the outcome, when it began, and why, where that is not plain."""

    outcome: StepOutcome
    t_s: float | None
    why: str | None = None


@dataclass(slots=True)
class HumanWait:
    """Waits for a human. `ask` speaks the question and returns from when to when; None: nothing is asked.

    `others` tells of another sound that ends the wait too.
    """

    line: LiveLine
    from_s: float
    ask: Callable[[], Awaitable[tuple[float, float]]] | None
    answer_within_s: float
    others: Callable[[Ear], Found | None]
    asked: int = 0

    async def run(self, at_most_s: float) -> Found | None:
        """Return what was found; None after so much media time."""
        end_s = self.line.now_s + at_most_s
        while (left_s := end_s - self.line.now_s) > 0:
            voice: tuple[float, bool] | Found | None = await self.line.until(self._voice, left_s)
            if voice is None or isinstance(voice, Found):
                return voice
            at_s, after_hold = voice
            judged = await self._judge(at_s, after_hold=after_hold)
            if judged.outcome is StepOutcome.HUMAN or (judged.outcome is StepOutcome.UNSURE and after_hold):
                return judged
            self.from_s = self.line.ear.now.end_s
        return None

    def _voice(self, ear: Ear) -> tuple[float, bool] | Found | None:
        """Return when a new voice began and whether a hold was before it, or what else ends the wait."""
        if (other := self.others(ear)) is not None:
            return other
        if (person_s := ear.new_person(self.from_s)) is not None:
            return person_s, True
        if self.ask is None or self.asked >= _MOST_ASKED or ear.plays or ear.holds:
            return None
        if ear.spoke_and_paused(self.from_s, _DIRECT_PAUSED_S) is None:
            return None
        began_s = ear.run_began(self.from_s)
        return None if ear.said_again(began_s) is not None else (began_s, False)

    async def _judge(self, at_s: float, *, after_hold: bool) -> Found:
        tape = Found(StepOutcome.REPEAT, at_s, "a recording")
        if self.ask is None:  # after a message the music comes back; a person waits for us
            await self.line.until(lambda ear: ear.plays or ear.quiet_s() >= _WAITS_S or None, _LONGEST_SPEECH_S)
            if await self._taken_back(at_s, or_music=True):
                return tape
            return Found(StepOutcome.HUMAN, at_s, "a new voice after the music, which waits; it was not asked")
        within_s = self.answer_within_s
        for _ in range(_MOST_TRIES):
            await self.line.until(lambda ear: ear.quiet_s() >= _PAUSED_S or ear.plays or None, _LONGEST_GREETING_S)
            if self.asked >= _MOST_ASKED or await self._taken_back(at_s, or_music=True):
                return tape
            self.asked += 1
            begin_s, end_s = await self.ask()
            reaction = await self.line.until(
                partial(_reaction, begin_s=begin_s, end_s=end_s, within_s=within_s),
                within_s + _LISTENER_LATE_S + 0.5,
            )
            if reaction is None:
                if await self._taken_back(at_s, or_music=True):
                    return tape
                return Found(StepOutcome.UNSURE, at_s, "a new voice, which did not answer")
            if reaction.kind is _Kind.SPOKE_ON:
                continue  # a human may have begun just when we did; a recording does it again
            # It may still turn out to have been a message: then it is said again, or the music comes back.
            await self.line.until(lambda ear: ear.plays or ear.quiet_s() >= _SHORT_PAUSE_S or None, _SETTLES_S)
            if await self._taken_back(reaction.at_s) or (after_hold and await self._taken_back(at_s)):
                return tape
            if reaction.kind is _Kind.ANSWERED:
                late_s = max(0.0, reaction.at_s - end_s)
                return Found(StepOutcome.HUMAN, at_s, f"it answered {late_s:.1f} s after our question")
            if after_hold:
                return Found(StepOutcome.UNSURE, at_s, "it spoke on over our question, and again after a pause")
        return tape

    async def _taken_back(self, at_s: float, *, or_music: bool = False) -> bool:
        """Return whether a voice is a recording after all; with `or_music` also where music plays now."""

        def recorded(ear: Ear) -> bool:
            return ear.said_again(at_s) is not None or ear.resumed(at_s) or (or_music and ear.plays)

        return bool(await self.line.until(recorded, 1.0))


class _Kind(StrEnum):
    ANSWERED = "answered"
    SPOKE_ON_AND_AGAIN = "spoke_on_and_again"
    SPOKE_ON = "spoke_on"


@dataclass(frozen=True, slots=True)
class _Reaction:
    kind: _Kind
    at_s: float


def _reaction(ear: Ear, begin_s: float, end_s: float, within_s: float) -> _Reaction | None:
    """Return how the voice took a line of ours from `begin_s` to `end_s`; None while there is nothing to tell."""
    if ear.now.end_s < end_s:
        return None
    speech = [one for one in ear.stretches(begin_s) if one.kind is Kind.SPEECH]
    over_s = ear.spoken_s(begin_s, end_s)
    spoke_on = over_s >= _REGARDLESS_RATIO * max(0.5, end_s - begin_s)
    before_s = begin_s
    for one in speech:
        soon = end_s - 0.5 <= one.start_s <= end_s + within_s and one.end_s - one.start_s > _SHORTEST_ANSWER_S
        if soon and not spoke_on:
            return _Reaction(_Kind.ANSWERED, one.start_s)
        if soon and one.start_s - before_s >= _TURN_S:
            return _Reaction(_Kind.SPOKE_ON_AND_AGAIN, one.start_s)
        before_s = one.end_s
    return _Reaction(_Kind.SPOKE_ON, end_s) if spoke_on and ear.now.end_s >= end_s + within_s else None
