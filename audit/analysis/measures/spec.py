"""What a measure is: its identity, its unit, and the function that reads its observations off one case."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from audit.analysis.facts import Case
from audit.analysis.model import MeasureKind, Observed, Origin
from audit.model import Event


class Per(StrEnum):
    """What one observation of a measure is."""

    TICKET = "ticket"
    CALL = "call"
    HOLD = "hold"
    CHAT = "chat"
    CASE = "case"
    CONTACT = "contact"
    PROMISE = "promise"
    VENDOR = "vendor"


class Good(StrEnum):
    """Which way is better for the customer."""

    LOW = "low"
    HIGH = "high"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True)
class MeasureSpec:
    """A measure. `observe` gives its observations in one case; none means that it does not apply there.

    One `on_request` is worked out only if the profile, or a promise on the vendor's business clock, asks for it; one
    `by_person` needs a person's judgement.
    """

    id: str
    name: str
    unit: str
    kind: MeasureKind
    per: Per
    dimension: int | None
    good: Good
    observe: Callable[[Case], Iterable[Observed]]
    on_request: bool = False
    by_person: bool = False


def evidence_number(event: Event) -> str:
    """Return the evidence number of an event; it follows the event's place in the chain and never changes."""
    return f"E{event.seq:04d}"


def evidence_numbers(*events: Event | None) -> tuple[str, ...]:
    """Return the evidence numbers of those events that there are, each once."""
    if len(events) == 1 and events[0] is not None:
        return (f"E{events[0].seq:04d}",)
    return tuple(dict.fromkeys([f"E{event.seq:04d}" for event in events if event is not None]))


def observed(
    case: Case,
    value: float,
    at_utc: datetime,
    *events: Event,
    censored: bool = False,
    contact: str | None = None,
    channel: str | None = None,
    earliest: float | None = None,
    origin: Origin = Origin.MEASURED,
    detail: str = "",
) -> Observed:
    """Return an observation in a case, with the evidence numbers of the events that it rests on."""
    return Observed(  # made by the hundred thousand: no detour
        value=value,
        censored=censored,
        case=case.id,
        contact=contact,
        at_utc=at_utc,
        evidence=evidence_numbers(*events),
        channel=channel,
        persona=case.persona,
        scenario=case.scenario,
        sample=case.sample,
        earliest=earliest,
        origin=origin,
        detail=detail,
    )
