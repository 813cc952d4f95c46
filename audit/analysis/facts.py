"""The events of an audit, sorted once by case and contact: what every measure, promise and story is read from.

Here, and nowhere else, duplicates are dropped and revised statements replace older ones. Nothing is judged yet.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from audit.analysis.chats import settle_chat
from audit.analysis.model import CallRecord, PromiseRecord
from audit.analysis.reading import CueKind, MessageKind, Reading, plain, read_message, settles
from audit.analysis.settling import settled
from audit.calendar import BusinessCalendar
from audit.model import Event
from audit.plan.cases import disputes
from audit.plan.model import Plan, Scenario
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
    ChatEnded,
    ChatOpened,
    ContactEnded,
    ContactOutcome,
    ContactStarted,
    DigitsSent,
    HandOffSeen,
    Judged,
    LineSaid,
    MessageSeen,
    MessageSent,
    NoticeSeen,
    PromiseSaid,
    ScriptStepEnded,
    StatusSeen,
    StepOutcome,
    TicketState,
    TicketSubmitted,
    ValueRead,
    WaitEnded,
)

CHAT = "chat"
_TURNS = frozenset({Action.OPEN, Action.REPLY, Action.CALL, Action.CHAT})
# What a vendor says of a time counts where its words are at least so exact.
_MINUTE_S = 60.0


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
    def promises(self) -> bool:
        """Whether its words seem to make a promise."""
        return any(cue.kind is CueKind.PROMISE for cue in self.reading.cues)

    @property
    def written_at_utc(self) -> datetime:
        """When the vendor wrote it: by its own word where that fits our looks, else when we saw it."""
        claimed = self.claimed_at_utc
        if claimed is not None and self.absent_at_utc is not None and self.absent_at_utc <= claimed <= self.at_utc:
            return claimed
        return self.at_utc

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
    chat_opened: Event | None = None
    chat_ended: Event | None = None
    notices: Sequence[Event] = ()
    digits: Sequence[Event] = ()
    lines: Sequence[Event] = ()
    steps: Sequence[Event] = ()
    _timeline: tuple[Event, int, Timeline] | None = None

    @property
    def is_ours(self) -> bool:
        """Whether it failed on our side; it is counted, and charged to nobody."""
        return self.side is Side.OURS

    @property
    def is_plain(self) -> bool:
        """Whether it went through at once and cost nothing."""
        return self.outcome is ContactOutcome.DONE and self.side is None and self.attempt <= 1 and self.charged is None

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
        """Return what was heard, settled by the keys that our script pressed; None if nobody listened yet."""
        if self.heard is None:
            return None
        assert isinstance(self.heard.what, CallHeard)
        if self._timeline is None or self._timeline[:2] != (self.heard, len(self.digits)):
            keys_s = [e.what.t_s for e in self.digits if isinstance(e.what, DigitsSent) and e.what.t_s is not None]
            self._timeline = self.heard, len(self.digits), settled(self.heard.what.timeline, keys_s, self._humans_s())
        return self._timeline[2]

    def _humans_s(self) -> list[float]:
        """Return when voices began of which our script found out, by asking, that they were humans."""
        steps = [e.what for e in self.steps if isinstance(e.what, ScriptStepEnded)]
        return [s.t_s for s in steps if s.outcome is StepOutcome.HUMAN and s.t_s is not None]

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
        if t_s is None:
            return None
        if self.recorded is None:  # nothing may be kept, but it was listened to while it lasted
            return None if self.heard is None else self.heard.at_utc + timedelta(seconds=t_s)
        assert isinstance(self.recorded.what, CallRecorded)
        return self.recorded.what.starts_at_utc + timedelta(seconds=t_s)


@dataclass(slots=True)
class Case:
    """One case with everything that happened in it, in the order of the chain.

    `eventful` are all contacts but the looks that simply went through, of which there are many and nothing is to be
    said one by one; `turns` those in which we turned to the vendor (looks are not), `calls` those of them that were
    calls, `submissions` those that opened a ticket (a chat is none), `answers` the messages of persons of the vendor.
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
    ours: list[str] = field(default_factory=list)
    eventful: list[Contact] = field(default_factory=list)
    turns: list[Contact] = field(default_factory=list)
    calls: list[Contact] = field(default_factory=list)
    chats: list[Contact] = field(default_factory=list)
    submissions: list[Contact] = field(default_factory=list)
    answers: list[Message] = field(default_factory=list)
    first_submission: Event | None = None
    resolved_by: Event | None = None
    dispute_steps: frozenset[int] = frozenset()
    disputes: list[Event] = field(default_factory=list)
    seen_keys: set[str] = field(default_factory=set)
    records: list[PromiseRecord] = field(default_factory=list)
    call_records: dict[str, CallRecord] = field(default_factory=dict)
    business: BusinessCalendar | None = None
    weekdays: BusinessCalendar | None = None

    def settle(self) -> None:
        """Work out once, when all events are in, what many measures ask for."""
        for contact in self.contacts.values():
            if contact.action is not Action.LOOK:
                self.eventful.append(contact)
            else:
                if not contact.is_plain:
                    self.eventful.append(contact)
                continue
            if contact.outcome is ContactOutcome.NOT_RUN:
                continue
            if contact.submitted is not None and contact.probe != CHAT and self._arrived(contact):
                self.submissions.append(contact)
            if contact.side is Side.OURS:
                continue
            if contact.action in _TURNS:
                self.turns.append(contact)
            if contact.action is Action.CALL:
                self.calls.append(contact)
            if contact.probe == CHAT:
                self.chats.append(contact)
                settle_chat(contact, self.messages_of(contact))
        self.first_submission = self.submissions[0].submitted if self.submissions else None
        self.answers = [m for m in self.messages if m.is_answer]
        self.resolved_by = self._resolved()

    def messages_of(self, contact: Contact) -> list[Message]:
        """Return the messages of one contact, ours and theirs."""
        return [message for message in self.messages if message.contact == contact.id]

    def _arrived(self, contact: Contact) -> bool:
        """Return whether a ticket may be waited for: where nobody knows that it arrived, no silence is the vendor's."""
        if contact.outcome is not ContactOutcome.UNKNOWN or contact.ticket is not None:
            return True
        since = contact.started.at_utc
        theirs = [message.at_utc for message in self.messages if message.from_vendor]
        return any(at_utc >= since for at_utc in [*theirs, *(status.at_utc for status in self.statuses)])

    def resolved(self) -> Event | None:
        """Return the status at which the vendor took the case for solved, the last time it did; None: it did not.

        Where a dispute left the status as it was, it is the message that brought the solution.
        """
        return self.resolved_by

    def _resolved(self) -> Event | None:
        """A status "closed" counts as solved only after a person's answer; what we disputed, no longer.

        After a dispute it takes a new status, or a person's answer that leaves nothing under way.
        """
        found: Event | None = None
        disputed: Event | None = None
        first_answer = self.answers[0].at_utc if self.answers else None
        turns: list[Event] = self.statuses
        if self.disputes:
            solutions = [m.event for m in self.answers if settles(m.reading)]
            turns = sorted([*self.statuses, *self.disputes, *solutions], key=lambda event: event.seq)
        for event in turns:
            if isinstance(event.what, MessageSent):
                found, disputed = None, found
                continue
            if isinstance(event.what, MessageSeen):
                found, disputed = (event, None) if disputed is not None else (found, None)
                continue
            assert isinstance(event.what, StatusSeen)
            disputed = None
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
    events: Sequence[Event]
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
    facts = Facts(None, None, None, {}, ordered, duplicates, 0, 0)
    scenarios = {scenario.id: scenario for scenario in plan.scenarios}
    latest = ordered[0].at_utc if ordered else None
    cases, takers = facts.cases, _TAKERS
    for event in ordered:
        at, kind = event.at_utc, type(event.what)
        if latest is not None and at < latest:
            facts.backwards += kind not in _LATE_WRITTEN
        else:
            latest = at
        take = takers.get(kind)
        if take is not None:
            if event.case is None:
                continue
            case = cases.get(event.case)
            if case is not None:
                take(case, case.contacts.get(event.contact) if event.contact is not None else None, event)
            else:
                facts.homeless += 1
        elif kind in _OF_THE_AUDIT:
            _of_the_audit(facts, event, scenarios)
    facts.last_at_utc = latest
    for case in facts.cases.values():
        case.settle()
    return facts


def _of_the_audit(facts: Facts, event: Event, scenarios: Mapping[str, Scenario]) -> None:
    what = event.what
    if isinstance(what, CaseOpened):
        if event.case is not None and event.case not in facts.cases:
            facts.cases[event.case] = _open_case(event, what, scenarios)
    elif isinstance(what, AuditStarted):
        facts.started = event
    elif isinstance(what, AuditEnded):
        facts.ended = event


def _in_order(events: Sequence[Event]) -> tuple[Sequence[Event], int]:
    seqs = [event.seq for event in events]
    if all(map(operator.lt, seqs, itertools.islice(seqs, 1, None))):
        return events, 0
    unique = {event.seq: event for event in sorted(events, key=lambda e: e.seq, reverse=True)}
    return [unique[seq] for seq in sorted(unique)], len(seqs) - len(unique)


def _open_case(event: Event, what: CaseOpened, scenarios: Mapping[str, Scenario]) -> Case:
    assert event.case is not None
    scenario = scenarios.get(what.scenario)
    return Case(
        event.case,
        what.vendor,
        what.persona,
        what.scenario,
        what.sample,
        event,
        solvable=scenario is None or scenario.solvable,
        problem=scenario.problem.subject if scenario else "",
        dispute_steps=disputes(scenario) if scenario else frozenset(),
    )


def _start_contact(case: Case, contact: Contact | None, event: Event) -> None:
    what = event.what
    assert isinstance(what, ContactStarted)
    if contact is None and event.contact is not None:
        case.contacts[event.contact] = Contact(
            event.contact, what.channel, what.probe, what.action, event, what.step, what.attempt
        )


def _end_contact(case: Case, contact: Contact | None, event: Event) -> None:
    what = event.what
    assert isinstance(what, ContactEnded)
    if contact is None:
        return
    contact.ended, contact.outcome = event, what.outcome
    if what.failure is not None:
        contact.side, contact.text = what.failure.side, f"{what.failure.kind}: {what.failure.text}"
    if contact.action is not Action.CALL and what.outcome is ContactOutcome.DONE:
        _watch(case, event.at_utc)


def _exact(what: MessageSeen) -> datetime | None:
    """Return when the vendor says that a message was written, if its words name the minute ("3 hours ago" do not)."""
    return what.claimed_at_utc if what.claimed_error_s is None or what.claimed_error_s <= _MINUTE_S else None


def _see_message(case: Case, contact: Contact | None, event: Event) -> None:
    what = event.what
    assert isinstance(what, MessageSeen)
    _watch(case, event.at_utc)
    if what.message_key in case.seen_keys:
        return
    case.seen_keys.add(what.message_key)
    case.messages.append(
        Message(
            event,
            event.at_utc,
            what.absent_at_utc,
            _exact(what),
            what.message_key,
            what.text,
            what.author,
            contact.channel if contact else None,
            contact.id if contact else None,
            read_message(what, case.ours),
            False,
        )
    )


def _send(case: Case, contact: Contact | None, event: Event) -> None:
    what = event.what
    assert isinstance(what, TicketSubmitted | MessageSent)
    case.ours.append(plain(what.text))
    key = f"ticket:{event.seq}"
    if isinstance(what, MessageSent):
        key = what.message_key
        if contact is not None and contact.step in case.dispute_steps:
            case.disputes.append(event)
    elif contact is not None:
        contact.submitted = contact.submitted or event
    channel, where = (contact.channel, contact.id) if contact else (None, None)
    case.messages.append(Message(event, event.at_utc, None, None, key, what.text, None, channel, where, _OURS, True))
    _watch(case, event.at_utc)


def _see_status(case: Case, _contact: Contact | None, event: Event) -> None:
    case.statuses.append(event)
    _watch(case, event.at_utc)


def _close(case: Case, _contact: Contact | None, event: Event) -> None:
    assert isinstance(event.what, CaseClosed)
    case.closed, case.outcome = event, event.what.outcome


def _said(case: Case, _contact: Contact | None, event: Event) -> None:
    _replace(case.promises, event, lambda w: (w.text, w.what, w.message_key, w.t_s, w.by))


def _judge(case: Case, _contact: Contact | None, event: Event) -> None:
    _replace(case.judged, event, lambda w: (w.question, w.reviewer, w.message_key, w.t_s, w.quote))


def _watch(case: Case, at: datetime) -> None:
    if case.watched_until is None or at > case.watched_until:
        case.watched_until = at


def _listed(name: str) -> Callable[[Case, Contact | None, Event], None]:
    def take(case: Case, _contact: Contact | None, event: Event) -> None:
        getattr(case, name).append(event)

    return take


def _first_of(name: str) -> Callable[[Case, Contact | None, Event], None]:
    def take(_case: Case, contact: Contact | None, event: Event) -> None:
        if contact is not None and getattr(contact, name) is None:
            setattr(contact, name, event)

    return take


def _last_of(name: str) -> Callable[[Case, Contact | None, Event], None]:
    def take(_case: Case, contact: Contact | None, event: Event) -> None:
        if contact is not None:
            setattr(contact, name, event)

    return take


def _in_contact(name: str) -> Callable[[Case, Contact | None, Event], None]:
    def take(_case: Case, contact: Contact | None, event: Event) -> None:
        if contact is not None:
            setattr(contact, name, (*getattr(contact, name), event))

    return take


def _read_value(case: Case, contact: Contact | None, event: Event) -> None:
    assert isinstance(event.what, ValueRead)
    if contact is None or event.what.name != "ticket":
        return
    # By mail the number comes with an answer, in a later contact than the one that opened the ticket.
    opened = (each for each in reversed(case.contacts.values()) if each.channel == contact.channel and each.submitted)
    opener = next(opened, contact)
    opener.ticket = opener.ticket or event


_OURS = Reading(MessageKind.OURS, "", 1.0)

_OF_THE_AUDIT = frozenset({AuditStarted, AuditEnded, CaseOpened})

# Moments of the carrier or of the recording: written down when they become known, and rightly out of order.
_LATE_WRITTEN = frozenset(
    {
        CallRinging,
        CallAnswered,
        CallEnded,
        CallRecorded,
        CallHeard,
        DigitsSent,
        LineSaid,
        ScriptStepEnded,
        CarrierCharged,
    }
)

# What is done with each kind of event; a kind that is not here matters to the evidence alone. Of a provider's repeated
# records the first stands for moments, the last for what is settled later (the end, the recording, the price).
_TAKERS: dict[type, Callable[[Case, Contact | None, Event], None]] = {
    ContactStarted: _start_contact,
    ContactEnded: _end_contact,
    MessageSeen: _see_message,
    TicketSubmitted: _send,
    MessageSent: _send,
    StatusSeen: _see_status,
    CaseClosed: _close,
    HandOffSeen: _listed("hand_offs"),
    WaitEnded: _listed("waits"),
    ActRefused: _listed("refused"),
    PromiseSaid: _said,
    Judged: _judge,
    ValueRead: _read_value,
    CallDialled: _first_of("dialled"),
    CallRinging: _first_of("ringing"),
    CallAnswered: _first_of("answered"),
    CallEnded: _last_of("call_ended"),
    CallRecorded: _last_of("recorded"),
    CallHeard: _last_of("heard"),
    CarrierCharged: _last_of("charged"),
    ChatOpened: _first_of("chat_opened"),
    ChatEnded: _last_of("chat_ended"),
    NoticeSeen: _in_contact("notices"),
    DigitsSent: _in_contact("digits"),
    LineSaid: _in_contact("lines"),
    ScriptStepEnded: _in_contact("steps"),
}


def _replace(events: list[Event], event: Event, identity: Callable[[Any], tuple[object, ...]]) -> None:
    """Append a statement; an earlier one about the same thing by the same person is replaced."""
    mark = (event.contact, identity(event.what))
    for place, earlier in enumerate(events):
        if (earlier.contact, identity(earlier.what)) == mark:
            events[place] = event
            return
    events.append(event)
