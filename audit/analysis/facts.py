"""The events of an audit, sorted once by case and contact: what every measure, promise and story is read from.

Here, and nowhere else, duplicates are dropped and revised statements replace older ones. Nothing is judged yet.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from audit.analysis.case import Case, Contact, Message
from audit.analysis.reading import MessageKind, Reading, plain, read_message
from audit.model import Event
from audit.plan.cases import disputes
from audit.plan.model import Plan, Scenario
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
    TicketSubmitted,
    ValueRead,
    WaitEnded,
)

# What a vendor says of a time counts where its words are at least so exact.
_MINUTE_S = 60.0


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
    by_case: dict[str, list[Event]] = {}
    latest: datetime | None = None
    for event in ordered:
        if latest is not None and event.at_utc < latest:
            facts.backwards += type(event.what) not in _LATE_WRITTEN
        else:
            latest = event.at_utc
        if event.case is None:
            _of_the_audit(facts, event)
        elif (of_case := by_case.get(event.case)) is not None:
            of_case.append(event)
        else:
            by_case[event.case] = [event]
    facts.last_at_utc = latest
    # Case by case from here on: what belongs together lies together in the processor's memory, too.
    found = [_read_case(facts, of_case, scenarios) for of_case in by_case.values()]
    cases = sorted((case for case in found if case is not None), key=lambda case: case.opened.seq)
    facts.cases = {case.id: case for case in cases}
    return facts


def _of_the_audit(facts: Facts, event: Event) -> None:
    if isinstance(event.what, AuditStarted):
        facts.started = event
    elif isinstance(event.what, AuditEnded):
        facts.ended = event


def _read_case(facts: Facts, events: Sequence[Event], scenarios: Mapping[str, Scenario]) -> Case | None:
    """Return the case of these events; None, and all of them counted as homeless, if it was never opened."""
    case: Case | None = None
    for event in events:
        what = event.what
        take = _TAKERS.get(type(what))
        if take is None:
            if case is None and isinstance(what, CaseOpened):
                case = _open_case(event, what, scenarios)
        elif case is None:
            facts.homeless += 1
        else:
            take(case, case.contacts.get(event.contact or ""), event)
    if case is not None:
        _read_messages(case)
        case.settle()
    return case


def _read_messages(case: Case) -> None:
    """Read what the vendor wrote, case by case: what we had written ourselves is then taken apart once."""
    ours: list[str] = []
    for message in case.messages:
        if message.sent:
            ours.append(plain(message.text))
        else:
            assert isinstance(message.event.what, MessageSeen)
            message.reading = read_message(message.event.what, ours)


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
        case.contacts[event.contact] = Contact(event.contact, event, what)


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
            _UNREAD,
            False,
        )
    )


def _send(case: Case, contact: Contact | None, event: Event) -> None:
    what = event.what
    assert isinstance(what, TicketSubmitted | MessageSent)
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
_UNREAD = Reading(MessageKind.UNSURE, "", 0.0)

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
