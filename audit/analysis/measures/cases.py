"""Whole cases: contacts, repetitions, new tickets, restarts, hand-offs, and what the customer put into it."""

from __future__ import annotations

from collections.abc import Iterable

from audit.analysis.case import Case, Contact
from audit.analysis.measures.spec import Good, MeasureSpec, Per, observed
from audit.analysis.model.findings import Origin
from audit.analysis.model.measures import MeasureKind, Observed
from audit.analysis.phrases import quote
from audit.analysis.reading import CueKind
from audit.model import Event
from probes.events import Action, Judged

LOOK_MINUTES = 2.0
WRITE_MINUTES = 10.0
"""What a look at a ticket and the writing of a ticket or reply take a customer; printed on the method page."""


def judged(case: Case, question: str) -> list[Event]:
    """Return the answers that persons gave to a question about this case."""
    return [e for e in case.judged if isinstance(e.what, Judged) and e.what.question == question]


def times_said(answers: Iterable[Event]) -> int:
    """Return how often persons answered yes, each place (contact, message) once per second that they name.

    Two reviewers who hear the same thing a second apart heard one thing: where they differ, the fewest count.
    """
    places: dict[tuple[str | None, str | None], dict[str, set[float | None]]] = {}
    for event in answers:
        what = event.what
        assert isinstance(what, Judged)
        seconds = places.setdefault((event.contact, what.message_key), {}).setdefault(what.reviewer, set())
        if what.value == "yes":
            seconds.add(what.t_s)
    return sum(min(map(len, by_reviewer.values())) for by_reviewer in places.values())


def _contacts(case: Case) -> Iterable[Observed]:
    taken = case.turns
    if taken:
        yield observed(case, float(len(taken)), case.opened.at_utc, *(c.started for c in taken))


def _asked_for(cue: CueKind, question: str) -> tuple[MeasureSpec, ...]:
    """Return the measure that counts, per case, how often the vendor asked for something that starts the case anew."""

    def observe(case: Case) -> Iterable[Observed]:
        answers = judged(case, question)
        said = [e for e in answers if isinstance(e.what, Judged) and e.what.value == "yes"]
        if answers:
            quotes = [e.what.quote for e in said if isinstance(e.what, Judged) and e.what.quote]
            detail = quote(quotes[0]) if quotes else ""
            at = said[0].at_utc if said else answers[0].at_utc
            events = said or answers
            yield observed(case, float(times_said(answers)), at, *events, origin=Origin.PERSON, detail=detail)
            return
        found = [(m, c) for m in case.messages if not m.sent for c in m.reading.cues if c.kind is cue]
        if found:
            first = found[0][0]
            yield observed(
                case, float(len(found)), first.at_utc, *(m.event for m, _ in found),
                origin=Origin.MACHINE, detail=quote(found[0][1].quote),
            )  # fmt: skip
        elif case.answers:
            yield observed(case, 0.0, case.answers[0].at_utc, *(m.event for m in case.answers), origin=Origin.MACHINE)

    name = {CueKind.NEW_TICKET: "new tickets asked for", CueKind.RESTART: "restarts asked for"}[cue]
    measure = f"{question}_per_case"
    return (MeasureSpec(measure, name, "times", MeasureKind.QUANTITY, Per.CASE, 7, Good.LOW, observe),)


def _hand_offs(case: Case) -> Iterable[Observed]:
    """How often the case went on to somebody else: by the desk's own word, or by who wrote. At least so many.

    Where nobody is named and the desk shows no hand-off, it cannot be told.
    """
    wrote: dict[str, Event] = {}
    for message in case.answers:
        if message.person is not None:
            wrote.setdefault(message.person, message.event)
    if wrote or case.hand_offs:
        events = case.hand_offs if len(case.hand_offs) >= len(wrote) - 1 and case.hand_offs else [*wrote.values()]
        yield observed(case, float(max(len(case.hand_offs), len(wrote) - 1)), case.opened.at_utc, *events)


def _channels(case: Case) -> Iterable[Observed]:
    first: dict[str, Event] = {}
    for contact in case.turns:
        first.setdefault(contact.channel, contact.started)
    if first:
        yield observed(case, float(len(first)), case.opened.at_utc, *first.values())


def _solved_at_first_contact(case: Case) -> Iterable[Observed]:
    """Of the cases that could be solved and were watched to an end: 1 if solved after a single turn to the vendor."""
    if not case.solvable or case.closed is None:
        return
    done, taken = case.resolved(), case.turns
    if not taken or (done is None and case.watched_until is None):
        return
    solved = done is not None and not any(c.started.at_utc > taken[0].started.at_utc for c in taken)
    events = [*(c.started for c in taken), *([done] if done else [])]
    yield observed(case, 1.0 if solved else 0.0, case.opened.at_utc, *events)


def minutes_of(contact: Contact) -> float | None:
    """Return what a contact took of the customer's time: calls and chats their length, writing a fixed rate.

    None: it took nothing of the customer's (a look), was not run, failed on our side, or its length is not known.
    """
    if not contact.was_run or contact.is_ours:
        return None
    if contact.action is Action.CALL:
        length_s = contact.length_s()
        return None if length_s is None else length_s / 60
    if contact.action is Action.CHAT:
        begun, ended = contact.chat_opened, contact.chat_ended
        return (ended.at_utc - begun.at_utc).total_seconds() / 60 if begun and ended else None
    return WRITE_MINUTES if contact.action in (Action.OPEN, Action.REPLY) else None


def _effort(case: Case) -> Iterable[Observed]:
    """Minutes that the customer spends: calls, writing, and reading each page on which something new stood."""
    spent = [(contact, minutes_of(contact)) for contact in case.turns]
    minutes = sum(m for _, m in spent if m is not None)
    events = [contact.call_ended or contact.chat_ended or contact.started for contact, m in spent if m is not None]
    news = {m.contact for m in case.messages if not m.sent and m.from_vendor}
    if events:
        yield observed(case, minutes + LOOK_MINUTES * len(news), case.opened.at_utc, *events)


_QUANTITY, _SHARE = MeasureKind.QUANTITY, MeasureKind.SHARE

MEASURES = (
    MeasureSpec(
        "contacts_per_case", "contacts that the case took", "contacts", _QUANTITY, Per.CASE, 7, Good.LOW, _contacts,
    ),
    *_asked_for(CueKind.NEW_TICKET, "new_ticket"),
    *_asked_for(CueKind.RESTART, "restart"),
    MeasureSpec("hand_offs_per_case", "hand-offs, at least", "times", _QUANTITY, Per.CASE, 7, Good.LOW, _hand_offs),
    MeasureSpec(
        "channels_per_case", "ways of contact that the case took", "ways", _QUANTITY, Per.CASE, None, Good.LOW,
        _channels,
    ),
    MeasureSpec(
        "solved_at_first_contact", "solved at first contact", "ratio", _SHARE, Per.CASE, 7, Good.HIGH,
        _solved_at_first_contact,
    ),
    MeasureSpec("customer_effort_min", "customer's effort", "min", _QUANTITY, Per.CASE, None, Good.LOW, _effort),
)  # fmt: skip
