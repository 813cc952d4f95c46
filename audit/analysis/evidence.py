"""Evidence: the events that sentences and numbers rest on, each with a stable number and a line saying what it is."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from audit.analysis.facts import Facts
from audit.analysis.measures.spec import evidence_number
from audit.analysis.model.findings import Evidence
from audit.model import Event
from probes import events as e
from probes.errors import Side

_PLAIN: dict[type, str] = {
    e.AuditStarted: "The audit began",
    e.AuditEnded: "The audit ended",
    e.CaseOpened: "The case was opened",
    e.CallRinging: "The far end rang",
    e.LineSaid: "We spoke a line of the script",
    e.CallAnswered: "The line was answered",
    e.CallRecorded: "The recording of the call",
    e.CallHeard: "What was heard in the recording",
}

_ON_SIDES = {
    Side.OURS: "on our side",
    Side.VENDOR: "on the vendor's side",
    Side.NETWORK: "in the network",
    Side.NOT_KNOWN: "on which side is not known",
}
_SIDES = {
    Side.OURS: "our side",
    Side.VENDOR: "the vendor",
    Side.NETWORK: "the network",
    Side.NOT_KNOWN: "nobody knows whom",
}


def cited_evidence(facts: Facts, cited: Collection[str]) -> tuple[Evidence, ...]:
    """Return the evidence that is cited somewhere, in the order of the chain."""
    found = []
    places = {int(number[1:]) for number in cited}
    for event in [event for event in facts.events if event.seq in places]:
        number = evidence_number(event)
        case = facts.cases.get(event.case) if event.case else None
        found.append(
            Evidence(
                number,
                case.vendor if case else "",
                event.case,
                event.contact,
                event.seq,
                event.kind,
                event.at_utc,
                describe(event),
                event.artifacts,
                getattr(event.what, "t_s", None),
            )
        )
    return tuple(found)


def describe(event: Event) -> str:
    """Return in one line what an event is."""
    say = _SAID.get(type(event.what))
    if say is not None:
        return say(event.what)
    return _PLAIN.get(type(event.what), event.kind.replace("_", " ").capitalize())


def _contact_ended(what: e.ContactEnded) -> str:
    failed = f" ({what.failure.kind.replace('_', ' ')}, {_ON_SIDES[what.failure.side]})" if what.failure else ""
    return f"Contact ended: {what.outcome.replace('_', ' ')}{failed}"


_SAID: dict[type, Callable[[Any], str]] = {
    e.ContactStarted: lambda what: f"Contact begun: {what.action} by {what.channel}",
    e.ContactEnded: _contact_ended,
    e.TicketSubmitted: lambda what: f"Ticket sent: {what.subject}",
    e.ValueRead: lambda what: (
        f"Read off the {'mail' if what.url.startswith('mid:') else 'page'}: {what.name} {what.value}"
    ),
    e.MessageSent: lambda what: f"Message sent: {what.subject}" if what.subject else "Message sent",
    e.MessageSeen: lambda what: f"Message seen{f' by {what.author}' if what.author else ''}",
    e.StatusSeen: lambda what: f"Status seen: {what.text}",
    e.ChatOpened: lambda what: f"Chat opened at {what.url}",
    e.NoticeSeen: lambda what: f"Notice in the chat: {what.text}",
    e.TypingSeen: lambda what: f"Typing seen{f' by {what.author}' if what.author else ''}",
    e.MessageChanged: lambda what: "Message taken away" if what.text is None else "Message changed",
    e.ChatEnded: lambda what: f"Chat ended by {_SIDES[what.by]}",
    e.CallDialled: lambda what: f"Call placed to {what.to}",
    e.CallEnded: lambda what: f"Call ended by {_SIDES[what.by]}",
    e.DigitsSent: lambda what: f"{what.count} digits sent: {what.purpose}",
    e.HandOffSeen: lambda what: f"Handed on to {what.to_name or 'somebody else'}",
    e.ActRefused: lambda what: f"Refused by our own rule {what.rule}",
    e.EffectReconciled: lambda what: f"Looked for after an interruption: {what.state}",
    e.CarrierRecord: lambda what: f"The carrier's own record: {what.resource}",
    e.CarrierCharged: lambda what: f"Charged by the carrier: {what.cost_minor / 100:.2f} {what.currency}",
    e.WaitEnded: lambda what: f"Wait until {what.until} ended: {'came true' if what.met else 'did not come true'}",
    e.CaseClosed: lambda what: f"The case was closed: {what.outcome.replace('_', ' ')}",
    e.PromiseSaid: lambda what: f"A promise, by {what.by}",
    e.Judged: lambda what: f"Judged by {what.reviewer}: {what.question.replace('_', ' ')} {what.value}",
    e.PageCaptured: lambda what: f"Page: {what.title or what.url}",
}
