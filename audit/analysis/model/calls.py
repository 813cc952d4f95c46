"""Calls with their clocks, and the menus that they came through."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from audit.analysis.values import plentiful
from probes.audio.timeline import Timeline
from probes.errors import Side
from probes.events import Doubt
from probes.model import Artifact


@plentiful(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """One call with its clocks and what was heard. Seconds ending in `_s` are media time where they name a moment.

    `to_human_s` runs on the customer's clock (end of dialling to a person), `queue_to_human_s` on the vendor's;
    None: no person was reached, `waited_s` says how long we waited then. `phase_at_end` is what went on when the call
    ended. `timeline` is what the listener heard; None where nothing was recorded or heard yet.
    """

    vendor: str
    case: str
    contact: str
    channel: str
    persona: str
    number_in_case: int
    dialled_at_utc: datetime | None
    ring_s: float | None
    answered_s: float | None
    to_human_s: float | None
    queue_to_human_s: float | None
    waited_s: float | None
    hold_s: float
    talk_s: float | None
    duration_s: float | None
    outcome: str
    phase_at_end: str
    ended_by: Side
    ended_doubt: Doubt | None = None
    ended_reasons: tuple[str, ...]
    recording: Artifact | None
    timeline: Timeline | None
    evidence: tuple[str, ...]


class LeadsTo(StrEnum):
    """What a place of a menu led to. `DEAD_END`: the vendor ended the call there."""

    MENU = "menu"
    QUEUE = "queue"
    PERSON = "person"
    DEAD_END = "dead_end"
    NOT_KNOWN = "not_known"


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuPlace:
    """A place of a menu, by the keys that lead there ("identification" for a number keyed in).

    `prompt_s` is the median time of speech there, `times_said` how often the same was said in one call at most;
    `back_to` is the place at which the same had been said before (null: none), so that one goes round.
    """

    path: tuple[str, ...]
    calls: int
    prompt_s: float
    times_said: int
    leads: tuple[LeadsTo, ...]
    back_to: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuMap:
    """A vendor's telephone menu as far as our calls came through it; `depth` counts choices one after the other."""

    vendor: str
    channel: str
    calls: int
    depth: int
    places: tuple[MenuPlace, ...]
