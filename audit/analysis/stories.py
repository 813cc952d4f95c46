"""The story of a case: what happened, in order, in plain sentences, each with its evidence numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from audit.analysis import phrases
from audit.analysis.calls import tell_call
from audit.analysis.case import Case, Contact, Message
from audit.analysis.chats import read_chat, tell_chat
from audit.analysis.measures.spec import evidence_numbers
from audit.analysis.model.findings import Story, StoryLine
from audit.analysis.promises import said_at
from audit.analysis.questions import judged_sentence
from audit.analysis.reading import MessageKind, plain
from audit.analysis.reading_text import frame_lines, spoken
from audit.model import Event
from audit.plan.model import Plan
from probes.events import (
    Action,
    ActRefused,
    CaseOutcome,
    ContactOutcome,
    HandOffSeen,
    Judged,
    MessageSeen,
    PromiseSaid,
    StatusSeen,
    TicketSubmitted,
    ValueRead,
    WaitEnded,
)

_OUTCOMES = {
    CaseOutcome.RESOLVED: "The vendor solved the case.",
    CaseOutcome.GIVEN_UP: "We gave up: the scenario was at its end and the case was not solved.",
    CaseOutcome.AUDIT_ENDED: "The audit ended before the case did.",
    CaseOutcome.STOPPED: "The audit was stopped before the case ended.",
    CaseOutcome.OURS: "The case failed on our side; nothing of that is charged to the vendor.",
}


def tell(case: Case, plan: Plan, zone: str) -> Story:
    """Tell a case.

    Args:
        case: as read from the events.
        plan: for the persona's name and the problem.
        zone: the vendor's time zone, in which moments are printed.
    """
    lines: list[StoryLine] = [_opening(case, plan)]
    number = 0
    for contact in case.eventful:
        if contact.action is Action.CALL and contact.was_run and not contact.is_ours:
            number += 1
            lines.extend(tell_call(case, contact, number))
        elif contact.action is Action.CHAT and contact.was_run and not contact.is_ours:
            for at_utc, sentence, events in tell_chat(read_chat(contact, case.messages_of(contact))):
                lines.append(_line(at_utc, sentence, *events, channel=contact.channel))
        elif contact.action is not Action.LOOK or contact.outcome is not ContactOutcome.DONE:
            lines.extend(_contact(contact, arrived=contact in case.submissions))
    lines.extend(_messages(case))
    lines.extend(_statuses(case))
    for event in case.waits:
        assert isinstance(event.what, WaitEnded)
        if not event.what.met:
            lines.append(_line(event.at_utc, _waited(event.what), event))
    for event in case.hand_offs:
        assert isinstance(event.what, HandOffSeen)
        names = f" from {event.what.from_name}" if event.what.from_name else ""
        names += f" to {event.what.to_name}" if event.what.to_name else ""
        lines.append(_line(event.at_utc, f"The vendor handed the case on{names}.", event))
    for event in case.promises:
        assert isinstance(event.what, PromiseSaid)
        lines.append(_promised(event, event.what, case, zone))
    for event in case.judged:
        assert isinstance(event.what, Judged)
        if said := judged_sentence(event.what):
            lines.append(_line(said_at(event, case), said, event, t_s=event.what.t_s))
    for event in case.refused:
        assert isinstance(event.what, ActRefused)
        lines.append(
            _line(
                event.at_utc, f"Our own rules did not allow a contact ({event.what.rule}: {event.what.reason}).", event
            )
        )
    if case.closed is not None and case.outcome is not None:
        lines.append(_line(case.closed.at_utc, _OUTCOMES[case.outcome], case.closed))
    lines.sort(key=lambda line: line.at_utc)
    return Story(
        case=case.id,
        vendor=case.vendor,
        persona=case.persona,
        scenario=case.scenario,
        problem=case.problem,
        outcome=_OUTCOMES[case.outcome] if case.outcome else "The case is still open.",
        opened_at_utc=case.opened.at_utc,
        closed_at_utc=case.closed.at_utc if case.closed else None,
        lines=tuple(lines),
    )


def _line(
    at: datetime, sentence: str, *events: Event, channel: str | None = None, t_s: float | None = None
) -> StoryLine:
    return StoryLine(at, phrases.stopped(sentence), evidence_numbers(*events), channel, t_s)


def _opening(case: Case, plan: Plan) -> StoryLine:
    name = next((p.name for p in plan.personas if p.id == case.persona), case.persona)
    problem = f" with the problem {phrases.quote(case.problem)}" if case.problem else ""
    return _line(case.opened.at_utc, f"We turned up as {name}{problem}.", case.opened)


def _contact(contact: Contact, *, arrived: bool) -> Iterable[StoryLine]:
    end = contact.ended or contact.started
    if not contact.was_run:
        yield _line(end.at_utc, f"A planned contact ({contact.action}) was not run.", end, channel=contact.channel)
        return
    if contact.submitted is not None:
        assert isinstance(contact.submitted.what, TicketSubmitted)
        events = [contact.submitted]
        did = "opened a ticket" if arrived else "sent a ticket"
        text = f"We {did} by {contact.channel}: {phrases.quote(contact.submitted.what.subject)}."
        if contact.ticket is not None:
            assert isinstance(contact.ticket.what, ValueRead)
            text = f"{text[:-1]}; the vendor numbered it {contact.ticket.what.value}."
            events.append(contact.ticket)
        yield _line(contact.submitted.at_utc, text, *events, channel=contact.channel)
    if contact.is_ours:
        yield _line(
            end.at_utc,
            f"A contact ({contact.action}) failed on our side ({contact.text}); it is not charged to the vendor.",
            end,
            channel=contact.channel,
        )
    elif contact.submitted is not None and not arrived:
        why = f" ({contact.text})" if contact.text else ""
        text = f"Whether it arrived is not known{why}, so that no wait for an answer is charged to the vendor."
        yield _line(end.at_utc, text, end, channel=contact.channel)
    elif contact.outcome is ContactOutcome.FAILED:
        yield _line(
            end.at_utc,
            f"A contact ({contact.action}) did not go through: {contact.text or 'no reason was seen'}.",
            end,
            channel=contact.channel,
        )


def _messages(case: Case) -> Iterable[StoryLine]:
    asked = case.first_submission
    answered = False
    frames = frame_lines(message.text for message in case.messages if not message.sent)
    ours = [plain(message.text) for message in case.messages if message.sent]
    for message in case.messages:
        words = phrases.quote(message.text if message.sent else _words(message, ours, frames))
        since = f" {_arrival(message, asked.at_utc)}" if asked and message.at_utc >= asked.at_utc else ""
        if message.sent:
            if not isinstance(message.event.what, TicketSubmitted):
                said = "We said that it was not solved" if message.event in case.disputes else "We wrote"
                yield _said(message, f"{said}: {words}.")
        elif message.reading.kind is MessageKind.RECEIPT:
            yield _said(message, f"A machine's receipt came{since}: {words}.")
        elif message.reading.kind is MessageKind.MACHINE:
            yield _said(message, f"A machine wrote{since}: {words}.")
        elif message.is_answer:
            who = f" ({message.person})" if message.person else ""
            first = f"The first answer by a person{who} came" if not answered else f"The vendor wrote again{who}"
            yield _said(message, f"{first}{since}: {words}.")
            answered = True
        elif message.reading.kind is MessageKind.UNSURE:
            yield _said(message, f"A message came{since}, from a person or a machine: {words}.")


def _words(message: Message, ours: Sequence[str], frames: frozenset[str]) -> str:
    what = message.event.what
    subject = what.subject if isinstance(what, MessageSeen) else None
    return spoken(message.text, author=message.author, subject=subject, ours=ours, frames=frames)


def _arrival(message: Message, asked_at_utc: datetime) -> str:
    def after_s(at_utc: datetime | None) -> float | None:
        return (at_utc - asked_at_utc).total_seconds() if at_utc is not None else None

    seen_s = (message.at_utc - asked_at_utc).total_seconds()
    absent_s = max(0.0, after_s(message.absent_at_utc) or 0.0)
    return phrases.arrival(seen_s, absent_s, after_s(message.claimed_at_utc), " after the ticket")


def _said(message: Message, sentence: str) -> StoryLine:
    return _line(message.at_utc, sentence, message.event, channel=message.channel)


def _statuses(case: Case) -> Iterable[StoryLine]:
    for event in case.statuses:
        assert isinstance(event.what, StatusSeen)
        if event.what.previous_text is not None:
            yield _line(
                event.at_utc,
                f"The status went from {phrases.quote(event.what.previous_text)} to {phrases.quote(event.what.text)}.",
                event,
            )


def _waited(what: WaitEnded) -> str:
    length = phrases.length(what.waited_s)
    return {
        "answered": f"{length} passed without an answer by a person.",
        "resolved": f"{length} passed without a solution.",
        "closed": f"{length} passed, and the ticket was not closed.",
    }.get(what.until, f"We waited {length}.")


def _promised(event: Event, what: PromiseSaid, case: Case, zone: str) -> StoryLine:
    due = f"; due {phrases.moment(what.due_at_utc, zone)}" if what.due_at_utc else ""
    doubt = "" if what.by == "person" else " (found by machine, unconfirmed)"
    return _line(
        said_at(event, case), f"The vendor promised: {phrases.quote(what.text)}{due}{doubt}.", event, t_s=what.t_s
    )
