"""Where a case stands, from its events alone: the engine asks this to end a wait or to decide a step's `when`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from audit.analysis.reading import MessageKind, plain, promises_in, read_message, settles
from audit.calendar import BusinessCalendar
from audit.model import Event
from audit.plan.model import Condition, Promise, PromiseClock, PromisedWhat
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
    giving up at a cap; None before any call. What we disputed is resolved only by a new status, or by a person's
    answer under the old one that leaves nothing under way. `dues_utc`: when promises that nothing has kept yet are due.
    """

    answered: bool
    ever_answered: bool
    resolved: bool
    closed: bool
    call_lost: bool | None
    last_turned_at_utc: datetime | None
    first_answer_at_utc: datetime | None
    last_answer_at_utc: datetime | None
    dues_utc: tuple[datetime, ...] = ()

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


def case_state(
    events: Iterable[Event],
    *,
    promises: Sequence[Promise] = (),
    calendar: BusinessCalendar | None = None,
    disputes: frozenset[int] = frozenset(),
) -> CaseState:
    """Read where a case stands.

    Args:
        events: of one case, in the order of the chain. None at all is a case in which nothing has happened.
        promises: the vendor's published and contractual ones.
        calendar: the vendor's; without one, promises on business time have no due moment.
        disputes: the steps of the scenario in which we say that what was called resolved is not.
    """
    reader = _Reader(promises, calendar, disputes)
    for event in events:
        reader.take(event)
    return reader.state()


@dataclass(slots=True)
class _Reader:
    """What is known of a case so far, event by event."""

    promises: Sequence[Promise]
    calendar: BusinessCalendar | None
    disputes: frozenset[int]
    ours: list[str] = field(default_factory=list)
    submitted_at: datetime | None = None
    turned_at: datetime | None = None
    first_answer: datetime | None = None
    last_answer: datetime | None = None
    status: TicketState = TicketState.UNKNOWN
    disputed: bool = False
    disputing: set[str | None] = field(default_factory=set)
    calls: dict[str | None, _Call] = field(default_factory=dict)
    last_call: str | None = None
    written: list[tuple[datetime, datetime]] = field(default_factory=list)

    def take(self, event: Event) -> None:
        what = event.what
        if isinstance(what, TicketSubmitted | MessageSent):
            self.ours.append(plain(what.text))
            self.turned_at = _later(self.turned_at, event.at_utc)
            self.disputed = self.disputed or event.contact in self.disputing
            if isinstance(what, TicketSubmitted):
                self.submitted_at = self.submitted_at or event.at_utc
        elif isinstance(what, ContactStarted):
            self._begin(event, what)
        elif isinstance(what, MessageSeen):
            self._read(event.at_utc, what)
        elif isinstance(what, StatusSeen):
            self.status, self.disputed = what.state, False
        elif event.contact in self.calls:
            self.calls[event.contact].see(what)

    def _begin(self, event: Event, what: ContactStarted) -> None:
        if what.step in self.disputes:
            self.disputing.add(event.contact)
        if what.action is Action.CALL:
            self.last_call = event.contact
            self.calls[self.last_call] = _Call()
            self.turned_at = _later(self.turned_at, event.at_utc)

    def _read(self, at_utc: datetime, message: MessageSeen) -> None:
        reading = read_message(message, self.ours)
        if reading.kind is MessageKind.ANSWER:
            self.first_answer = self.first_answer or at_utc
            self.last_answer = _later(self.last_answer, at_utc)
            self.disputed = self.disputed and not settles(reading)
        for found in promises_in(reading, at_utc, self.calendar):
            if found.due_at_utc is not None:
                self.written.append((at_utc, found.due_at_utc))

    def state(self) -> CaseState:
        solved = self.status is TicketState.RESOLVED or (
            self.status is TicketState.CLOSED and self.last_answer is not None
        )
        resolved = solved and not self.disputed
        return CaseState(
            answered=self.last_answer is not None and (self.turned_at is None or self.last_answer >= self.turned_at),
            ever_answered=self.last_answer is not None,
            resolved=resolved,
            closed=self.status is TicketState.CLOSED,
            call_lost=self.calls[self.last_call].lost if self.calls else None,
            last_turned_at_utc=self.turned_at,
            first_answer_at_utc=self.first_answer,
            last_answer_at_utc=self.last_answer,
            dues_utc=tuple(sorted(self._dues(resolved))),
        )

    def _dues(self, resolved: bool) -> Iterator[datetime]:
        if resolved:
            return
        yield from (due for at, due in self.written if self.last_answer is None or self.last_answer <= at)
        kept = {PromisedWhat.FIRST_HUMAN_RESPONSE} if self.last_answer is not None else set()
        for promise in self.promises:
            if self.submitted_at is None or promise.what in kept or promise.what not in _IN_TEXT:
                continue
            if promise.clock is not PromiseClock.BUSINESS:
                yield self.submitted_at + timedelta(seconds=promise.within.s)
            elif self.calendar is not None:
                yield self.calendar.add_business(self.submitted_at, promise.within.s)


_IN_TEXT = (PromisedWhat.FIRST_HUMAN_RESPONSE, PromisedWhat.RESOLUTION)


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
