"""What persons judged (the P rows), and the repetitions that a machine can count: one observation per contact."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from audit.analysis import phrases
from audit.analysis.case import Case, Contact
from audit.analysis.follow_through import follow_through
from audit.analysis.measures.calls import identified_again
from audit.analysis.measures.spec import Good, MeasureSpec, Per, observed
from audit.analysis.model.findings import Origin
from audit.analysis.model.measures import MeasureKind, Observed
from audit.analysis.promises import said_at
from audit.analysis.reading import CueKind
from audit.model import Event
from probes.events import Action, Judged, LineSaid, MessageSent, TicketSubmitted

_WORD = re.compile(r"\w{4,}")
_SAME_WORDS = 0.6


def answered(case: Case, question: str) -> Iterator[tuple[str | None, str | None, str, list[Event]]]:
    """Yield contact, message, value and events of each place where a question was answered.

    Where two reviewers say different things, nothing is established there and nothing is yielded; how often that
    happens is the agreement between reviewers.
    """
    places: dict[tuple[str | None, str | None], list[Event]] = {}
    for event in case.judged:
        assert isinstance(event.what, Judged)
        if event.what.question == question:
            places.setdefault((event.contact, event.what.message_key), []).append(event)
    for (contact, key), events in places.items():
        values: dict[str, list[str]] = {}
        for event in events:
            assert isinstance(event.what, Judged)
            values.setdefault(event.what.reviewer, []).append(event.what.value)
        said = {"yes" if "yes" in v else v[-1] for v in values.values()}
        if len(said) == 1:
            yield contact, key, said.pop(), events


def _yes_share(question: str) -> Callable[[Case], Iterable[Observed]]:
    def observe(case: Case) -> Iterable[Observed]:
        if not case.judged:
            return
        for contact, _, value, events in answered(case, question):
            quotes = [e.what.quote for e in events if isinstance(e.what, Judged) and e.what.quote]
            yield observed(
                case, 1.0 if value == "yes" else 0.0, said_at(events[0], case), *events, contact=contact,
                origin=Origin.PERSON, detail=phrases.quote(quotes[0]) if quotes else "",
            )  # fmt: skip

    return observe


def asked_again(case: Case) -> Iterable[Observed]:
    """Each contact judged, and each message of a person that nobody judged: 1 if it asks for what was given before.

    Without a person's word it is a machine's reading.
    """
    judged_keys = set()
    for o in _yes_share("asked_again")(case):
        judged_keys.add(o.contact)
        yield o
    for message in case.answers:
        if message.contact in judged_keys:
            continue
        cue = next((cue for cue in message.reading.cues if cue.kind is CueKind.ASKED_AGAIN), None)
        yield observed(
            case, float(cue is not None), message.at_utc, message.event, contact=message.contact,
            channel=message.channel, origin=Origin.MACHINE, detail=phrases.quote(cue.quote) if cue else "",
        )  # fmt: skip


def _repetitions(case: Case) -> Iterable[Observed]:
    """How often the customer had to say again what was said: asked for again, explained again, identified again."""
    found = [o for observe in (asked_again, explained_again, identified_again) for o in observe(case)]
    if not found:
        return
    again = [o for o in found if o.value > 0.5]
    shown = again or found[:1]
    by_machine = any(o.origin is Origin.MACHINE for o in shown)
    yield observed(
        case, float(len(again)), case.opened.at_utc, origin=Origin.MACHINE if by_machine else Origin.MEASURED,
        evidence=tuple(dict.fromkeys([e for o in shown for e in o.evidence])),
    )  # fmt: skip


def _honest_refusal(case: Case) -> Iterable[Observed]:
    """Of the cases that cannot be solved: 1 if the vendor said so, said why, and offered an alternative."""
    if case.solvable or not case.judged:
        return
    found = {}
    for part in ("refusal_said", "refusal_reason", "refusal_alternative"):
        given = list(answered(case, part))
        if given:
            found[part] = (any(value == "yes" for _, _, value, _ in given), [e for g in given for e in g[3]])
    if "refusal_said" in found:
        events = [e for _, events in found.values() for e in events]
        whole = all(
            found.get(part, (False, []))[0] for part in ("refusal_said", "refusal_reason", "refusal_alternative")
        )
        yield observed(case, float(whole), said_at(events[0], case), *events, origin=Origin.PERSON)


def _time_to_refusal(case: Case) -> Iterable[Observed]:
    """Of the cases that cannot be solved: the time until the vendor said so, by a person's judgement of which words."""
    asked = case.first_submission or next((c.started for c in case.turns), None)
    if case.solvable or asked is None:
        return
    said = [e for _, _, value, events in answered(case, "refusal_said") if value == "yes" for e in events]
    if said:
        at = min(said_at(e, case) for e in said)
        if at >= asked.at_utc:
            yield observed(case, (at - asked.at_utc).total_seconds(), at, asked, *said, origin=Origin.PERSON)
    elif case.watched_until is not None and case.watched_until > asked.at_utc and list(answered(case, "refusal_said")):
        waited = (case.watched_until - asked.at_utc).total_seconds()
        yield observed(case, waited, case.watched_until, asked, censored=True, origin=Origin.PERSON)


def explained_again(case: Case) -> Iterable[Observed]:
    """Each contact with a person after the first telling: 1 if the problem had to be told again.

    By a reviewer's word where there is one; else a call counts if we spoke most of the words of the ticket (or of the
    first telling) again after a person was heard.
    """
    said = {contact: (value, events) for contact, _, value, events in answered(case, "explained_again")}
    if not said and len(case.turns) < 2:
        return
    told: set[str] = set()
    times = 0
    for contact in case.turns:
        words = _told(contact)
        if contact.id in said:
            value, events = said[contact.id]
            again, origin = value == "yes", Origin.PERSON
        elif contact.action is Action.CALL and told and contact.human_at_utc() is not None:
            again = len(words & told) >= _SAME_WORDS * len(told)
            events = [e for e in (contact.lines or [contact.started]) if e is not None]
            origin = Origin.MEASURED
        else:
            if words and (not told or len(words & told) >= _SAME_WORDS * len(told)):
                told, times = told or words, times + 1
            continue
        times += again
        told = told or words
        detail = f", for the {phrases.ordinal(max(times, 2))} time" if again else ""
        yield observed(
            case, float(again), said_at(events[0], case) if origin is Origin.PERSON else contact.started.at_utc,
            *events, contact=contact.id, channel=contact.channel, origin=origin, detail=detail,
        )  # fmt: skip


def _told(contact: Contact) -> set[str]:
    texts = [e.what.text for e in contact.lines if isinstance(e.what, LineSaid)]
    if contact.submitted is not None and isinstance(contact.submitted.what, TicketSubmitted):
        texts.append(contact.submitted.what.text)
    return {word.casefold() for text in texts for word in _WORD.findall(text)}


def _began(case: Case) -> Iterable[Observed]:
    """Each contact that the case took: 1 if the vendor began it (wrote or called unasked), 0 if we had to."""
    for contact in case.turns:
        yield observed(case, 0.0, contact.started.at_utc, contact.started, contact=contact.id)
    asked = True
    for message in case.messages:
        if message.sent or isinstance(message.event.what, MessageSent):
            asked = True
        elif message.is_answer:
            if not asked:
                yield observed(case, 1.0, message.at_utc, message.event)
            asked = False
    for _, _, value, events in answered(case, "callback_received"):
        if value == "yes":
            yield observed(case, 1.0, said_at(events[0], case), *events, origin=Origin.PERSON)


def _charming_and_useless(case: Case) -> Iterable[Observed]:
    """Of the contacts (or cases) judged for courtesy and outcome: 1 if they were courteous and solved nothing."""
    for point in follow_through([case]):
        useless = float(point.label == "charming and useless")
        yield observed(
            case, useless, case.opened.at_utc, contact=point.contact, origin=Origin.PERSON, evidence=point.evidence
        )


_SHARE, _DURATION, _CONTACT = MeasureKind.SHARE, MeasureKind.DURATION, Per.CONTACT


def _share(id: str, name: str, dimension: int | None, good: Good, question: str) -> MeasureSpec:
    return MeasureSpec(id, name, "ratio", _SHARE, _CONTACT, dimension, good, _yes_share(question), by_person=True)


MEASURES = (
    MeasureSpec("asked_again", "contacts in which known things were asked for again", "ratio", _SHARE, _CONTACT, 1,
                Good.LOW, asked_again),
    MeasureSpec("repetitions_per_case", "times something had to be said again", "times", MeasureKind.QUANTITY, Per.CASE,
                None, Good.LOW, _repetitions),
    _share("restated", "contacts in which the problem was restated or narrowed first", 2, Good.HIGH, "restated"),
    _share("trouble_acknowledged", "contacts that acknowledged the trouble", 3, Good.HIGH, "trouble_acknowledged"),
    MeasureSpec("honest_refusal", "honest refusals: said so, why, and an alternative", "ratio", _SHARE, Per.CASE, 6,
                Good.HIGH, _honest_refusal, by_person=True),
    MeasureSpec("refusal_s", "time until the vendor said that it cannot be done", "s", _DURATION, Per.CASE, 6, Good.LOW,
                _time_to_refusal, by_person=True),
    _share("solved", "contacts that solved the problem", 7, Good.HIGH, "solved"),
    MeasureSpec("charming_and_useless", "contacts that were charming and useless", "ratio", _SHARE, _CONTACT, None,
                Good.LOW, _charming_and_useless, by_person=True),
    _share("history_used", "contacts in which the history was known and used", 9, Good.HIGH, "history_used"),
    MeasureSpec("explained_again", "contacts in which the problem had to be explained again", "ratio", _SHARE, _CONTACT,
                9, Good.LOW, explained_again),
    MeasureSpec("vendor_began", "contacts that the vendor began", "ratio", _SHARE, _CONTACT, 10, Good.HIGH, _began),
    _share("hold_permission_asked", "holds before which permission was asked", 11, Good.HIGH, "hold_permission_asked"),
    _share("hold_advertising", "holds with advertising", 11, Good.LOW, "hold_advertising"),
    _share("callback_offered", "calls in which a call back was offered", 11, Good.HIGH, "callback_offered"),
    _share("dead_end", "menus and chats that led nowhere", 11, Good.LOW, "dead_end"),
    _share("upsell", "contacts in which a purchase was offered as the solution", 15, Good.LOW, "upsell"),
)  # fmt: skip
