"""The events of an audit, sorted once by case and contact: what every measure, promise and story is read from.

Here, and nowhere else, duplicates are dropped and revised statements replace older ones. Nothing is judged yet.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from audit.analysis.model import PromiseRecord
from audit.analysis.reading import MessageKind, Reading, plain, read_message
from audit.calendar import BusinessCalendar
from audit.model import Event
from audit.plan.model import Plan
from probes.audio.timeline import Timeline
from probes.errors import Side
from probes.events import (
    Action,
    ActRefused,
    AuditEnded,
    AuditStarted,
    CallAnswered,
    CallDialled,
    CallEnded,
    CallHeard,
    CallRecorded,
    CallRinging,
    CarrierCharged,
    CaseClosed,
    CaseOpened,
    CaseOutcome,
    ContactEnded,
    ContactOutcome,
    ContactStarted,
    DigitsSent,
    HandOffSeen,
    Judged,
    LineSaid,
    MessageSeen,
    MessageSent,
    PromiseSaid,
    StatusSeen,
    TicketState,
    TicketSubmitted,
    ValueRead,
    WaitEnded,
)

CHAT = "chat"


@dataclass(slots=True)
class Message:
    """A message of the case, ours or the vendor's, with what it was read to be. `at_utc` is when we saw or sent it."""

    event: Event
    at_utc: datetime
    absent_at_utc: datetime | None
    claimed_at_utc: datetime | None
    key: str
    text: str
    author: str | None
    channel: str | None
    contact: str | None
    reading: Reading
    sent: bool

    @property
    def is_answer(self) -> bool:
        """Whether a person of the vendor wrote it."""
        return self.reading.kind is MessageKind.ANSWER

    @property
    def from_vendor(self) -> bool:
        """Whether it came from the vendor's side, a machine's words included."""
        return self.reading.kind not in (MessageKind.OURS, MessageKind.NOTICE)


@dataclass(slots=True)
class Contact:
    """One attempt, with its events that matter. Of repeated provider records the last stands."""

    id: str
    channel: str
    probe: str
    action: Action
    started: Event
    step: int
    attempt: int
    ended: Event | None = None
    outcome: ContactOutcome | None = None
    side: Side | None = None
    text: str = ""
    submitted: Event | None = None
    ticket: Event | None = None
    dialled: Event | None = None
    ringing: Event | None = None
    answered: Event | None = None
    call_ended: Event | None = None
    recorded: Event | None = None
    heard: Event | None = None
    charged: Event | None = None
    digits: list[Event] = field(default_factory=list)
    lines: list[Event] = field(default_factory=list)

    @property
    def is_ours(self) -> bool:
        """Whether it failed on our side; it is counted, and charged to nobody."""
        return self.side is Side.OURS

    @property
    def was_run(self) -> bool:
        """Whether the attempt was made at all."""
        return self.outcome is not ContactOutcome.NOT_RUN

    def length_s(self) -> float | None:
        """Return how long the call lasted: by the carrier's word, else between its moments; None: not known."""
        if self.call_ended is None:
            return None
        assert isinstance(self.call_ended.what, CallEnded)
        if self.call_ended.what.duration_s is not None:
            return self.call_ended.what.duration_s
        begin = self.answered or self.dialled
        return max(0.0, (self.call_ended.at_utc - begin.at_utc).total_seconds()) if begin else None

    def timeline(self) -> Timeline | None:
        """Return what was heard, if anybody listened yet."""
        if self.heard is None:
            return None
        assert isinstance(self.heard.what, CallHeard)
        return self.heard.what.timeline

    def human_at_utc(self) -> datetime | None:
        """Return when the first person was heard; None: nobody, or nobody listened."""
        timeline = self.timeline()
        return self.media_at(timeline.first_person_s) if timeline else None

    def queue_at_utc(self) -> datetime | None:
        """Return when the vendor's clock starts: at the first hold before a person, else at the last key pressed."""
        timeline = self.timeline()
        if timeline is None:
            return None
        person_s = timeline.first_person_s if timeline.first_person_s is not None else timeline.duration_s
        holds = [hold.start_s for hold in timeline.holds if hold.start_s < person_s]
        if holds:
            return self.media_at(holds[0])
        keys = [e.what.t_s for e in self.digits if isinstance(e.what, DigitsSent) and e.what.t_s is not None]
        before = [t_s for t_s in keys if t_s < person_s]
        if before:
            return self.media_at(before[-1])
        return self.answered.at_utc if self.answered is not None else None

    def media_at(self, t_s: float | None) -> datetime | None:
        """Return the moment of a second of the recording, where both are known."""
        if t_s is None or self.recorded is None:
            return None
        assert isinstance(self.recorded.what, CallRecorded)
        return self.recorded.what.starts_at_utc + timedelta(seconds=t_s)


@dataclass(slots=True)
class Case:
    """One case with everything that happened in it, in the order of the chain.

    `records` is its part of the promise ledger; `business` counts the vendor's opening hours, `weekdays` its working
    days; both are None for a vendor that the plan does not know.
    """

    id: str
    vendor: str
    persona: str
    scenario: str
    sample: int
    opened: Event
    solvable: bool = True
    problem: str = ""
    closed: Event | None = None
    outcome: CaseOutcome | None = None
    contacts: dict[str, Contact] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    statuses: list[Event] = field(default_factory=list)
    hand_offs: list[Event] = field(default_factory=list)
    waits: list[Event] = field(default_factory=list)
    promises: list[Event] = field(default_factory=list)
    judged: list[Event] = field(default_factory=list)
    refused: list[Event] = field(default_factory=list)
    watched_until: datetime | None = None
    last_at_utc: datetime | None = None
    ours: list[str] = field(default_factory=list)
    records: list[PromiseRecord] = field(default_factory=list)
    business: BusinessCalendar | None = None
    weekdays: BusinessCalendar | None = None

    @property
    def calls(self) -> list[Contact]:
        """The calls that were made, in order."""
        return [c for c in self.contacts.values() if c.action is Action.CALL and c.was_run and not c.is_ours]

    @property
    def submissions(self) -> list[Contact]:
        """The contacts in which we opened a ticket (a chat is none)."""
        return [c for c in self.contacts.values() if c.submitted is not None and c.probe != CHAT]

    @property
    def first_submission(self) -> Event | None:
        """The event with which the case's first ticket was opened."""
        return next((c.submitted for c in self.submissions), None)

    @property
    def answers(self) -> list[Message]:
        """The messages that persons of the vendor wrote."""
        return [m for m in self.messages if m.is_answer]

    def resolved(self) -> Event | None:
        """Return the status at which the vendor took the case for solved, the last time it did; None: it did not.

        A status "closed" counts as solved only after a person's answer.
        """
        found: Event | None = None
        first_answer = self.answers[0].at_utc if self.answers else None
        for event in self.statuses:
            assert isinstance(event.what, StatusSeen)
            state = event.what.state
            if state is TicketState.RESOLVED or (
                state is TicketState.CLOSED and first_answer is not None and first_answer <= event.at_utc
            ):
                found = found or event
            elif state in (TicketState.OPEN, TicketState.WAITING_FOR_US):
                found = None
        return found


@dataclass(slots=True)
class Facts:
    """All cases of an audit, and what befell the record itself."""

    started: Event | None
    ended: Event | None
    last_at_utc: datetime | None
    cases: dict[str, Case]
    by_seq: dict[int, Event]
    duplicates: int
    backwards: int
    homeless: int


def read_facts(events: Sequence[Event], plan: Plan) -> Facts:
    """Sort the events of one audit by case and contact.

    Args:
        plan: by which the audit was made; gives each case its problem and whether that can be solved.
        events: in the order of the chain; out of order or repeated ones are put right and counted.

    Returns:
        The cases. Events of cases that were never opened are counted in `homeless` and left out.
    """
    ordered, duplicates = _in_order(events)
    facts = Facts(None, None, None, {}, {}, duplicates, 0, 0)
    scenarios = {scenario.id: scenario for scenario in plan.scenarios}
    latest: datetime | None = None
    for event in ordered:
        facts.by_seq[event.seq] = event
        at, what = event.at_utc, event.what
        if latest is None or at >= latest:
            latest = at
        elif not isinstance(
            what, CallAnswered | CallEnded | CallRinging | CallRecorded | CallHeard | DigitsSent | LineSaid
        ):
            facts.backwards += 1  # call events carry the carrier's moments and may be written down late
        if event.case is None:
            if isinstance(what, AuditStarted):
                facts.started = event
            elif isinstance(what, AuditEnded):
                facts.ended = event
            continue
        case = facts.cases.get(event.case)
        if case is None:
            if isinstance(what, CaseOpened):
                scenario = scenarios.get(what.scenario)
                facts.cases[event.case] = Case(
                    event.case,
                    what.vendor,
                    what.persona,
                    what.scenario,
                    what.sample,
                    event,
                    solvable=scenario is None or scenario.solvable,
                    problem=scenario.problem.subject if scenario else "",
                    last_at_utc=at,
                )
            else:
                facts.homeless += 1
            continue
        if case.last_at_utc is None or at > case.last_at_utc:
            case.last_at_utc = at
        _take(case, event)
    facts.last_at_utc = latest
    return facts


def _in_order(events: Sequence[Event]) -> tuple[Iterable[Event], int]:
    seqs = [event.seq for event in events]
    if all(a < b for a, b in itertools.pairwise(seqs)):
        return events, 0
    unique = {event.seq: event for event in sorted(events, key=lambda e: e.seq, reverse=True)}
    return [unique[seq] for seq in sorted(unique)], len(seqs) - len(unique)


def _take(case: Case, event: Event) -> None:
    what = event.what
    contact = case.contacts.get(event.contact) if event.contact is not None else None
    if isinstance(what, ContactStarted):
        if contact is None and event.contact is not None:
            case.contacts[event.contact] = Contact(
                event.contact, what.channel, what.probe, what.action, event, what.step, what.attempt
            )
    elif isinstance(what, ContactEnded):
        if contact is not None:
            _end_contact(case, contact, event, what)
    elif isinstance(what, MessageSeen):
        _see_message(case, contact, event, what)
    elif isinstance(what, TicketSubmitted | MessageSent):
        case.ours.append(plain(what.text))
        if contact is not None and isinstance(what, TicketSubmitted):
            contact.submitted = contact.submitted or event
        key = what.message_key if isinstance(what, MessageSent) else f"ticket:{event.seq}"
        channel, where = (contact.channel, contact.id) if contact else (None, None)
        ours = Reading(MessageKind.OURS, "", 1.0)
        case.messages.append(Message(event, event.at_utc, None, None, key, what.text, None, channel, where, ours, True))
        case.watched_until = _later(case.watched_until, event.at_utc)
    elif isinstance(what, StatusSeen):
        case.statuses.append(event)
        case.watched_until = _later(case.watched_until, event.at_utc)
    elif isinstance(what, CaseClosed):
        case.closed, case.outcome = event, what.outcome
    elif isinstance(what, HandOffSeen):
        case.hand_offs.append(event)
    elif isinstance(what, WaitEnded):
        case.waits.append(event)
    elif isinstance(what, PromiseSaid):
        _replace(case.promises, event, lambda w: (w.text, w.what, w.message_key, w.t_s, w.by))
    elif isinstance(what, Judged):
        _replace(case.judged, event, lambda w: (w.question, w.reviewer, w.message_key, w.t_s, w.quote))
    elif isinstance(what, ActRefused):
        case.refused.append(event)
    elif contact is not None:
        _take_call(contact, event)


_CALL_PLACES: dict[type, str] = {
    CallDialled: "dialled",
    CallRinging: "ringing",
    CallAnswered: "answered",
    CallEnded: "call_ended",
    CallRecorded: "recorded",
    CallHeard: "heard",
    CarrierCharged: "charged",
}
_FIRST_STANDS = {"dialled", "ringing", "answered"}


def _take_call(contact: Contact, event: Event) -> None:
    what = event.what
    place = _CALL_PLACES.get(type(what))
    if place is not None:
        if place not in _FIRST_STANDS or getattr(contact, place) is None:
            setattr(contact, place, event)
    elif isinstance(what, DigitsSent):
        contact.digits.append(event)
    elif isinstance(what, LineSaid):
        contact.lines.append(event)
    elif isinstance(what, ValueRead) and what.name == "ticket":
        contact.ticket = contact.ticket or event


def _end_contact(case: Case, contact: Contact, event: Event, what: ContactEnded) -> None:
    contact.ended, contact.outcome = event, what.outcome
    if what.failure is not None:
        contact.side, contact.text = what.failure.side, f"{what.failure.kind}: {what.failure.text}"
    if contact.action is not Action.CALL and what.outcome is ContactOutcome.DONE:
        case.watched_until = _later(case.watched_until, event.at_utc)


def _see_message(case: Case, contact: Contact | None, event: Event, what: MessageSeen) -> None:
    case.watched_until = _later(case.watched_until, event.at_utc)
    if any(m.key == what.message_key and not m.sent for m in case.messages):
        return
    case.messages.append(
        Message(
            event,
            event.at_utc,
            what.absent_at_utc,
            what.claimed_at_utc,
            what.message_key,
            what.text,
            what.author,
            contact.channel if contact else None,
            contact.id if contact else None,
            read_message(what, case.ours),
            False,
        )
    )


def _replace(events: list[Event], event: Event, identity: object) -> None:
    """Append a statement; an earlier one about the same thing by the same person is replaced."""
    assert callable(identity)
    mark = (event.contact, identity(event.what))
    for place, earlier in enumerate(events):
        if (earlier.contact, identity(earlier.what)) == mark:
            events[place] = event
            return
    events.append(event)


def _later(one: datetime | None, other: datetime) -> datetime:
    return other if one is None or other > one else one
