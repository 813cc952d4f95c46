"""The promise ledger: what was promised, in public, by contract or in a contact, and what became of it.

A promise is kept only if what was promised was seen in time, late or broken only if it surely was not. Between two
looks the vendor's own statement of the time decides in its favour or against it; without one, the outcome is open.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from audit.analysis import phrases
from audit.analysis.case import Case, Contact, Message
from audit.analysis.measures.cases import judged
from audit.analysis.measures.spec import evidence_number, evidence_numbers
from audit.analysis.model.findings import Origin
from audit.analysis.model.promises import PromiseOutcome, PromiseRecord
from audit.analysis.reading import plain, promises_in
from audit.analysis.values import plentiful
from audit.calendar import BusinessCalendar
from audit.model import Event
from audit.plan.model import Promise, PromiseClock, PromisedWhat, Vendor
from probes.events import Judged, MessageSeen, PromiseSaid, StatusSeen

_DONE = {
    PromisedWhat.RECEIPT: "a receipt",
    PromisedWhat.FIRST_HUMAN_RESPONSE: "a person's answer",
    PromisedWhat.UPDATE: "the next update",
    PromisedWhat.RESOLUTION: "the solution",
    PromisedWhat.CALL_ANSWERED: "the answer of the line",
    PromisedWhat.HUMAN_ON_CALL: "a person on the line",
    PromisedWhat.CALLBACK: "the call back",
}
_UNCONFIRMED = " (found by machine, unconfirmed)"
_FROM_CALLS = {PromisedWhat.CALL_ANSWERED, PromisedWhat.HUMAN_ON_CALL}


@plentiful(frozen=True, slots=True)
class Came:
    """The moment at which what was promised came, its proof, and the last moment at which it surely had not."""

    at_utc: datetime
    absent_at_utc: datetime
    claimed_at_utc: datetime | None
    event: Event


@plentiful(frozen=True, slots=True)
class Due:
    """One occasion on which a promise was to be kept. `sure_until` is how far we watched."""

    id: str
    what: str
    text: str
    kind: str
    source: str
    made_at_utc: datetime
    due_at_utc: datetime | None
    counted: str
    came: Came | None
    sure_until: datetime | None
    proof: tuple[Event, ...]
    origin: Origin = Origin.MEASURED
    withdrawn: Event | None = None
    missing: str = ""


def promise_records(case: Case, vendor: Vendor | None, calendar: BusinessCalendar | None) -> list[PromiseRecord]:
    """Return every promise that applied in a case with its outcome, in order of their due moments.

    Args:
        case: as read from the events.
        vendor: with its published and contractual promises; None for one that the plan does not know.
        calendar: the vendor's business time; None where it is not known, then promises on it stay open.
    """
    dues: list[Due] = []
    if vendor is not None:
        for promise in vendor.promises:
            dues.extend(_Published(promise, case, calendar).occasions())
    for event in case.promises:
        assert isinstance(event.what, PromiseSaid)
        dues.append(_said(event, event.what, case))
    dues.extend(_written(case, calendar))
    zone = vendor.time_zone if vendor else "UTC"
    records = [_record(due, case, zone) for due in dues]
    return sorted(records, key=lambda r: (r.due_at_utc is None, r.due_at_utc or case.opened.at_utc, r.id))


# --- occasions ---


@plentiful(frozen=True, slots=True)
class _Published:
    """The occasions that one published or contractual promise has in one case."""

    promise: Promise
    case: Case
    calendar: BusinessCalendar | None

    def occasions(self) -> Iterable[Due]:
        if self.promise.what in _FROM_CALLS:
            for number, call in enumerate(self._applying(self.case.calls), start=1):
                yield self._call(call, number)
            return
        for number, contact in enumerate(self._applying(self.case.submissions), start=1):
            assert contact.submitted is not None
            if self.promise.what is PromisedWhat.UPDATE:
                yield self._worst_gap(contact.submitted, number)
            else:
                came = _first(self.case, self.promise.what, contact.submitted.at_utc)
                yield self._due(number, contact.submitted.at_utc, contact.submitted, came, self.case.watched_until)

    def _applying(self, contacts: list[Contact]) -> list[Contact]:
        return [c for c in contacts if not self.promise.channels or c.channel in self.promise.channels]

    def _due(
        self,
        number: int,
        start: datetime,
        proof: Event,
        came: Came | None,
        sure_until: datetime | None,
        missing: str = "",
    ) -> Due:
        business = self.promise.clock is PromiseClock.BUSINESS
        within_s = self.promise.within.s
        due_at: datetime | None = start + timedelta(seconds=within_s)
        if business:
            due_at = self.calendar.add_business(start, within_s) if self.calendar is not None else None
        suffix = "" if number == 1 else f"/{number}"
        return Due(
            f"{self.promise.id}@{self.case.id}{suffix}",
            self.promise.what,
            self.promise.text,
            self.promise.kind,
            self.promise.source,
            start,
            due_at,
            f"{self.promise.within} of the vendor's business time" if business else str(self.promise.within),
            came,
            sure_until,
            (proof,),
            missing=missing,
        )

    def _call(self, call: Contact, number: int) -> Due:
        begin = call.dialled or call.started
        end = call.call_ended or call.ended
        sure_until = end.at_utc if end else None
        if self.promise.what is PromisedWhat.CALL_ANSWERED:
            came = Came(call.answered.at_utc, call.answered.at_utc, None, call.answered) if call.answered else None
            return self._due(number, begin.at_utc, begin, came, sure_until)
        start = call.queue_at_utc() or begin.at_utc  # the vendor's own clock, which favours it
        if call.heard is None:
            missing = "nobody listened to the call, so that no person could be heard"
            return self._due(number, start, begin, None, sure_until, missing)
        human = call.human_at_utc()
        return self._due(number, start, begin, Came(human, human, None, call.heard) if human else None, sure_until)

    def _worst_gap(self, asked: Event, number: int) -> Due:
        """Return the occasion with the longest overrun among all gaps between two signs of work."""
        signs = [_came(m, asked.at_utc) for m in self.case.messages if m.from_vendor and m.at_utc > asked.at_utc]
        for event in self.case.statuses:
            assert isinstance(event.what, StatusSeen)
            if event.what.previous_text is not None and event.at_utc > asked.at_utc:
                signs.append(Came(event.at_utc, event.what.absent_at_utc or asked.at_utc, None, event))
        signs.sort(key=lambda sign: sign.at_utc)
        watched = self.case.watched_until
        gaps: list[tuple[float, Due]] = []
        start, proof = asked.at_utc, asked
        for sign in signs:
            gap = self._due(number, start, proof, sign, watched)
            gaps.append(((sign.at_utc - gap.due_at_utc).total_seconds() if gap.due_at_utc else 0.0, gap))
            start, proof = sign.at_utc, sign.event
        if not gaps or self.case.resolved() is None:
            gap = self._due(number, start, proof, None, watched)
            gaps.append((((watched or start) - gap.due_at_utc).total_seconds() if gap.due_at_utc else 0.0, gap))
        return max(gaps, key=lambda pair: pair[0])[1]


def _came(message: Message, since: datetime) -> Came:
    """Return a message's coming; one already there at our first look may have come at any time since."""
    return Came(message.at_utc, message.absent_at_utc or since, message.claimed_at_utc, message.event)


def _first(case: Case, what: str, after: datetime) -> Came | None:
    """Return the first time after a moment that something promised in text came."""
    if what == PromisedWhat.RESOLUTION:
        done = case.resolved()
        if done is None or done.at_utc < after:
            return None
        assert isinstance(done.what, StatusSeen | MessageSeen)
        return Came(done.at_utc, done.what.absent_at_utc or after, None, done)
    for m in case.messages:
        if m.sent or m.at_utc < after:
            continue
        if m.is_answer or (what == PromisedWhat.RECEIPT and m.from_vendor):
            return _came(m, after)
    if what == PromisedWhat.RECEIPT:
        number = next((c.ticket for c in case.submissions if c.ticket and c.ticket.at_utc >= after), None)
        return Came(number.at_utc, number.at_utc, None, number) if number else None
    return None


def _said(event: Event, what: PromiseSaid, case: Case) -> Due:
    made = said_at(event, case)
    source = "said in a call" if what.t_s is not None else "written in a message"
    if what.by != "person":
        source += _UNCONFIRMED
    withdrawn = next(
        (
            e
            for e in judged(case, "promise_withdrawn")
            if isinstance(e.what, Judged) and e.what.value == "yes" and e.what.quote in (None, "", what.text)
        ),
        None,
    )
    came, sure, missing = _kept_by(what.what, made, case)
    return Due(
        id=f"said-{evidence_number(event)}",
        what=what.what,
        text=what.text,
        kind="said" if what.message_key is None else "written",
        source=source,
        made_at_utc=made,
        due_at_utc=what.due_at_utc,
        counted="",
        came=came,
        sure_until=sure,
        proof=(event,),
        origin=Origin.PERSON if what.by == "person" else Origin.MACHINE,
        withdrawn=withdrawn,
        missing=missing or ("" if what.due_at_utc is not None else "the words name no moment"),
    )


def _written(case: Case, calendar: BusinessCalendar | None) -> Iterable[Due]:
    """Yield the promises with a moment that a machine reads in messages, and of which no person has spoken yet."""
    for message in case.messages:
        if message.sent or not message.from_vendor or not message.promises:
            continue
        spoken = [
            plain(e.what.text)
            for e in case.promises
            if isinstance(e.what, PromiseSaid) and e.what.message_key == message.key
        ]
        at = message.written_at_utc
        for number, found in enumerate(promises_in(message.reading, at, calendar)):
            quote = plain(found.quote)
            if found.due_at_utc is None or any(text in quote or quote in text for text in spoken):
                continue
            came, sure, missing = _kept_by(found.what, at, case)
            yield Due(
                id=f"read-{evidence_number(message.event)}{f'/{number + 1}' if number else ''}",
                what=found.what,
                text=found.quote,
                kind="written",
                source=f"written in a message{_UNCONFIRMED}",
                made_at_utc=at,
                due_at_utc=found.due_at_utc,
                counted=found.due_words or "",
                came=came,
                sure_until=sure,
                proof=(message.event,),
                origin=Origin.MACHINE,
                missing=missing,
            )


def _kept_by(wanted: str, made: datetime, case: Case) -> tuple[Came | None, datetime | None, str]:
    """Return what kept a promise of a contact, how far we watched for it, and why it cannot be told if it cannot."""
    if wanted == PromisedWhat.CALLBACK:
        calls = [e for e in judged(case, "callback_received") if isinstance(e.what, Judged)]
        if not calls:
            return None, None, "nobody has said yet whether the call back came"
        yes = next((e for e in calls if isinstance(e.what, Judged) and e.what.value == "yes"), None)
        return (Came(yes.at_utc, yes.at_utc, None, yes) if yes else None), calls[-1].at_utc, ""
    if wanted in set(PromisedWhat) - _FROM_CALLS:
        # An update, an answer and a solution are all kept by a person's words after the promise; a solution also by
        # the ticket's status.
        wanted_in_text = PromisedWhat.RESOLUTION if wanted == PromisedWhat.RESOLUTION else "answer"
        return _first(case, wanted_in_text, made + timedelta(microseconds=1)), case.watched_until, ""
    return None, None, f'what would keep it ("{wanted}") is nothing that we watch'


def said_at(event: Event, case: Case) -> datetime:
    """Return when something was said: at its second of the recording, with its message, or as the event says."""
    what = event.what
    assert isinstance(what, PromiseSaid | Judged)
    contact = case.contacts.get(event.contact or "")
    if what.message_key is not None:
        for message in case.messages:
            if message.key == what.message_key:
                return message.at_utc
    if contact is not None:
        at = contact.media_at(what.t_s)
        if at is not None:
            return at
        last = contact.call_ended or contact.ended
        if last is not None and last.at_utc < event.at_utc:
            return last.at_utc
    return event.at_utc


# --- outcomes ---


def _record(due: Due, case: Case, zone: str) -> PromiseRecord:
    outcome, by_claim = _outcome(due)
    came = due.came
    late_by = ratio = came_at = None
    if came is not None:
        came_at = came.claimed_at_utc if by_claim and came.claimed_at_utc else _in_doubt_for_the_vendor(due, came)
    if came_at is not None and due.due_at_utc is not None:
        promised_s = (due.due_at_utc - due.made_at_utc).total_seconds()
        if outcome is PromiseOutcome.LATE:
            late_by = (came_at - due.due_at_utc).total_seconds()
        if promised_s > 0 and outcome in (PromiseOutcome.KEPT, PromiseOutcome.LATE):
            ratio = (came_at - due.made_at_utc).total_seconds() / promised_s
    events = (*due.proof, *((came.event,) if came else ()), *((due.withdrawn,) if due.withdrawn else ()))
    return PromiseRecord(
        due.id,
        case.vendor,
        case.id,
        due.what,
        due.text,
        due.kind,
        due.source,
        due.made_at_utc,
        due.due_at_utc,
        came_at,
        outcome,
        late_by,
        ratio,
        phrases.stopped(_sentence(due, outcome, late_by, by_claim, zone)),
        evidence_numbers(*events),
        due.origin,
    )


def _outcome(due: Due) -> tuple[PromiseOutcome, bool]:
    """Return the outcome, and whether the vendor's own statement of the time decided it."""
    if due.withdrawn is not None:
        return PromiseOutcome.WITHDRAWN, False
    if due.due_at_utc is None or due.missing:
        return PromiseOutcome.NOT_OBSERVED, False
    came = due.came
    if came is None:
        if due.sure_until is None:
            return PromiseOutcome.NOT_OBSERVED, False
        return (PromiseOutcome.BROKEN if due.sure_until >= due.due_at_utc else PromiseOutcome.PENDING), False
    if came.at_utc <= due.due_at_utc:
        return PromiseOutcome.KEPT, False
    claimed = came.claimed_at_utc
    if _is_coarse(due, came) and claimed is not None and came.absent_at_utc <= claimed <= came.at_utc:
        return (PromiseOutcome.KEPT if claimed <= due.due_at_utc else PromiseOutcome.LATE), True
    if came.absent_at_utc >= due.due_at_utc or not _is_coarse(due, came):
        return PromiseOutcome.LATE, False
    return PromiseOutcome.NOT_OBSERVED, False


def _is_coarse(due: Due, came: Came) -> bool:
    seen_s, absent_s = ((at - due.made_at_utc).total_seconds() for at in (came.at_utc, came.absent_at_utc))
    return phrases.is_coarse(seen_s, absent_s)


def _in_doubt_for_the_vendor(due: Due, came: Came) -> datetime:
    """Return the moment that a delay is counted to: where our looks were far apart, the one that had not shown it."""
    late = due.due_at_utc is not None and came.absent_at_utc >= due.due_at_utc
    return came.absent_at_utc if late and _is_coarse(due, came) else came.at_utc


def _sentence(due: Due, outcome: PromiseOutcome, late_by_s: float | None, by_claim: bool, zone: str) -> str:
    thing = _DONE.get(PromisedWhat(due.what), "it") if due.what in _DONE else "it"
    where = {"published": "published", "contract": "in the contract"}.get(due.kind, due.source)
    head = f"Promised ({where}): {phrases.quote(due.text)}."
    moment = phrases.moment(due.due_at_utc, zone) if due.due_at_utc else ""
    allowed = f" ({due.counted})" if due.counted else ""
    clock = ", by the vendor's own statement of the time" if by_claim else ""
    match outcome:
        case PromiseOutcome.KEPT:
            return f"{head} Kept: {thing} came{_taken(due, by_claim)}{clock}; due {moment}{allowed}."
        case PromiseOutcome.LATE:
            assert late_by_s is not None
            least = "at least " if due.came and not by_claim and _is_coarse(due, due.came) else ""
            late = f"{least}{phrases.length(late_by_s)}"
            return f"{head} Late by {late}: {thing} came{_taken(due, by_claim)}{clock}; due {moment}{allowed}."
        case PromiseOutcome.BROKEN:
            assert due.sure_until is not None
            watched = phrases.length((due.sure_until - due.made_at_utc).total_seconds())
            return f"{head} Broken: {thing} had not come {watched} later; due {moment}{allowed}."
        case PromiseOutcome.WITHDRAWN:
            return f"{head} Withdrawn by the vendor."
        case PromiseOutcome.PENDING:
            return f"{head} Open: due {moment}{allowed}, and we stopped watching before."
        case _:
            why = due.missing or "it came between two of our looks, and the due moment lies between them"
            if due.due_at_utc is None and not due.missing:
                why = "the vendor's business time is not known"
            return f"{head} Not established: {why}."


def _taken(due: Due, by_claim: bool) -> str:
    if due.came is None:
        return ""
    seen_s, absent_s = ((at - due.made_at_utc).total_seconds() for at in (due.came.at_utc, due.came.absent_at_utc))
    if by_claim and due.came.claimed_at_utc is not None:
        return f" after {phrases.length((due.came.claimed_at_utc - due.made_at_utc).total_seconds())}"
    return f" after {phrases.arrival(seen_s, max(0.0, absent_s), None)}"
