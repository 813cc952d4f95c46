"""Where a case stands, from its events alone: the engine asks this to end a wait or to decide a step's `when`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from audit.analysis.reading import MessageKind, plain, read_message
from audit.model import Event
from audit.plan.model import Condition
from probes.errors import Side
from probes.events import (
    Action,
    CallAnswered,
    CallEnded,
    ContactEnded,
    ContactOutcome,
    ContactStarted,
    MessageSeen,
    MessageSent,
    StatusSeen,
    TicketState,
    TicketSubmitted,
)

LOST = frozenset({ContactOutcome.BUSY, ContactOutcome.NO_ANSWER, ContactOutcome.CAP_REACHED})


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseState:
    """Where a case stands.

    `answered`: a person has written since we last turned to the vendor (ticket, message or call); `ever_answered`:
    at any time. `resolved`: the last status says so, or says closed after a person's answer. `closed`: the last
    status says closed. `call_lost`: the last call did not reach anybody, or ended otherwise than by us, or by our
    giving up at a cap; None before any call.
    """

    answered: bool
    ever_answered: bool
    resolved: bool
    closed: bool
    call_lost: bool | None
    last_turned_at_utc: datetime | None
    first_answer_at_utc: datetime | None
    last_answer_at_utc: datetime | None

    def meets(self, condition: Condition) -> bool:
        """Return whether a plan's condition holds now."""
        match condition:
            case Condition.ANSWERED:
                return self.answered
            case Condition.UNANSWERED:
                return not self.answered
            case Condition.RESOLVED:
                return self.resolved
            case Condition.UNRESOLVED:
                return not self.resolved
            case Condition.CLOSED:
                return self.closed
            case Condition.CALL_LOST:
                return self.call_lost is True


def case_state(events: Iterable[Event]) -> CaseState:
    """Read where a case stands.

    Args:
        events: of one case, in the order of the chain. None at all is a case in which nothing has happened.
    """
    ours: list[str] = []
    turned_at: datetime | None = None
    first_answer: datetime | None = None
    last_answer: datetime | None = None
    status = TicketState.UNKNOWN
    calls: dict[str | None, _Call] = {}
    last_call: str | None = None
    for event in events:
        what = event.what
        if isinstance(what, TicketSubmitted | MessageSent):
            ours.append(plain(what.text))
            turned_at = _later(turned_at, event.at_utc)
        elif isinstance(what, ContactStarted):
            if what.action is Action.CALL:
                last_call = event.contact
                calls[last_call] = _Call()
                turned_at = _later(turned_at, event.at_utc)
        elif isinstance(what, MessageSeen):
            if read_message(what, ours).kind is MessageKind.ANSWER:
                first_answer = first_answer or event.at_utc
                last_answer = _later(last_answer, event.at_utc)
        elif isinstance(what, StatusSeen):
            status = what.state
        elif event.contact in calls:
            calls[event.contact].see(what)
    return CaseState(
        answered=last_answer is not None and (turned_at is None or last_answer >= turned_at),
        ever_answered=last_answer is not None,
        resolved=status is TicketState.RESOLVED or (status is TicketState.CLOSED and last_answer is not None),
        closed=status is TicketState.CLOSED,
        call_lost=calls[last_call].lost if calls else None,
        last_turned_at_utc=turned_at,
        first_answer_at_utc=first_answer,
        last_answer_at_utc=last_answer,
    )


@dataclass(slots=True)
class _Call:
    """What is known so far of how one call went."""

    answered: bool = False
    ended_by: Side | None = None
    outcome: ContactOutcome | None = None

    def see(self, what: object) -> None:
        if isinstance(what, CallAnswered):
            self.answered = True
        elif isinstance(what, CallEnded):
            self.ended_by = what.by
        elif isinstance(what, ContactEnded):
            self.outcome = what.outcome

    @property
    def lost(self) -> bool:
        if self.outcome in LOST or (self.outcome is not None and not self.answered):
            return True
        return self.ended_by is not None and self.ended_by is not Side.OURS


def _later(one: datetime | None, other: datetime) -> datetime:
    return other if one is None or other > one else one
