"""Evidence: the events that sentences and numbers rest on, each with a stable number and a line saying what it is."""

from __future__ import annotations

from collections.abc import Collection

from audit.analysis.facts import Facts
from audit.analysis.measures.spec import evidence_number
from audit.analysis.model import Evidence
from audit.model import Event
from probes import events as e
from probes.errors import Side

_PLAIN: dict[type, str] = {
    e.AuditStarted: "The audit began",
    e.AuditEnded: "The audit ended",
    e.CaseOpened: "The case was opened",
    e.CallRinging: "The far end rang",
    e.CallAnswered: "The line was answered",
    e.CallRecorded: "The recording of the call",
    e.CallHeard: "What was heard in the recording",
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
    for event in facts.events:
        if event.seq not in places:
            continue
        number = evidence_number(event)
        case = facts.cases.get(event.case) if event.case else None
        found.append(
            Evidence(
                number=number,
                vendor=case.vendor if case else "",
                case=event.case,
                contact=event.contact,
                seq=event.seq,
                kind=event.kind,
                at_utc=event.at_utc,
                what=describe(event),
                artifacts=event.artifacts,
                t_s=getattr(event.what, "t_s", None),
            )
        )
    return tuple(found)


def describe(event: Event) -> str:
    """Return in one line what an event is."""
    what = event.what
    match what:
        case e.ContactStarted():
            return f"Contact begun: {what.action} by {what.channel}"
        case e.ContactEnded():
            failed = f" ({what.failure.kind}, {what.failure.side} side)" if what.failure else ""
            return f"Contact ended: {what.outcome}{failed}"
        case e.TicketSubmitted():
            return f"Ticket sent: {what.subject}"
        case e.ValueRead():
            return f"Read off the page: {what.name} {what.value}"
        case e.MessageSent():
            return f"Message sent: {what.subject}"
        case e.MessageSeen():
            return f"Message seen{f' by {what.author}' if what.author else ''}"
        case e.StatusSeen():
            return f"Status seen: {what.text}"
        case e.CallDialled():
            return f"Call placed to {what.to}"
        case e.CallEnded():
            return f"Call ended by {_SIDES[what.by]}"
        case e.DigitsSent():
            return f"{what.count} digits sent: {what.purpose}"
        case e.LineSaid():
            return "We spoke a line of the script"
        case e.WaitEnded():
            return f"Wait until {what.until} ended: {'came true' if what.met else 'did not come true'}"
        case e.CaseClosed():
            return f"The case was closed: {what.outcome.replace('_', ' ')}"
        case e.PromiseSaid():
            return f"A promise, by {what.by}"
        case e.Judged():
            return f"Judged by {what.reviewer}: {what.question.replace('_', ' ')} {what.value}"
        case e.PageCaptured():
            return f"Page: {what.title or what.url}"
        case _:
            return _PLAIN.get(type(what), event.kind.replace("_", " ").capitalize())
