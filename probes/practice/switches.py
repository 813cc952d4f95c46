"""What can be made to go wrong on the practice exchange."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Switches:
    """Faults that a test, or a hard character, switches on. All are off at first.

    `callback_delay_s` and `recording_delay_s` are audit seconds. `callbacks_lost` and `callbacks_doubled` name events
    (ringing, answered, …); `callbacks_swapped` sends each callback after the one that follows it.
    `stream_breaks_after_s` lets the next media stream break off without a word after so long, once.
    `answer_with` lets the next requests fail with these HTTP statuses (429, 500, …), one each.
    """

    calls_per_second: float = 1.0
    callback_delay_s: float = 0.0
    callbacks_lost: frozenset[str] = frozenset()
    callbacks_doubled: frozenset[str] = frozenset()
    callbacks_swapped: bool = False
    recording_delay_s: float = 6.0
    recording_absent: bool = False
    insights_on: bool = True
    insights_partial_s: float = 90.0
    insights_complete_s: float = 1800.0
    answer_with: tuple[int, ...] = ()
    ended_call_code: int = 21220
    stream_breaks_after_s: float | None = None
