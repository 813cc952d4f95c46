"""Tickets and mail: receipt, first person's answer, silences, resolution, what came after it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from audit.analysis import phrases
from audit.analysis.case import Case, Message
from audit.analysis.measures.spec import Good, MeasureSpec, Per, observed
from audit.analysis.model.measures import MeasureKind, Observed
from audit.analysis.values import changed
from audit.model import Event
from audit.plan.model import Condition
from probes.events import MessageSeen, StatusSeen, TicketState, WaitEnded


def _until_message(wanted: Callable[[Message], bool]) -> Callable[[Case], Iterable[Observed]]:
    """Return the wait from each ticket to the first message of a sort; censored where none came while we watched."""

    def observe(case: Case) -> Iterable[Observed]:
        for contact in case.submissions:
            assert contact.submitted is not None
            asked = contact.submitted
            found = next((m for m in case.messages if not m.sent and m.at_utc >= asked.at_utc and wanted(m)), None)
            if found is not None:
                value = (found.at_utc - asked.at_utc).total_seconds()
                earliest = max(0.0, ((found.absent_at_utc or asked.at_utc) - asked.at_utc).total_seconds())
                yield observed(
                    case,
                    value,
                    found.at_utc,
                    asked,
                    found.event,
                    contact=contact.id,
                    channel=contact.channel,
                    earliest=earliest,
                )
            elif case.watched_until is not None and case.watched_until > asked.at_utc:
                waited = (case.watched_until - asked.at_utc).total_seconds()
                yield observed(
                    case,
                    waited,
                    case.watched_until,
                    asked,
                    *last_looks(case, asked.at_utc),
                    censored=True,
                    contact=contact.id,
                    channel=contact.channel,
                )

    return observe


def last_looks(case: Case, after_utc: datetime) -> list[Event]:
    """Return the end of the last look (or our last wait's end) after a moment: the proof that nothing had come."""
    for contact in reversed(case.contacts.values()):
        if contact.ended is not None and contact.ended.at_utc == case.watched_until:
            return [contact.ended]
    return [wait for wait in case.waits if wait.at_utc > after_utc][-1:]


def _unanswered(case: Case) -> Iterable[Observed]:
    """Each wait for an answer that ended without one: how long we had waited."""
    for event in case.waits:
        assert isinstance(event.what, WaitEnded)
        if event.what.until == Condition.ANSWERED and not event.what.met:
            yield observed(case, event.what.waited_s, event.at_utc, event)


def _number_given(case: Case) -> Iterable[Observed]:
    for contact in case.submissions:
        assert contact.submitted is not None
        events = [contact.submitted, *([contact.ticket] if contact.ticket else [])]
        yield observed(
            case, float(contact.ticket is not None), contact.submitted.at_utc, *events, contact=contact.id,
            channel=contact.channel,
        )  # fmt: skip


def _longest_silence(case: Case) -> Iterable[Observed]:
    asked, until = case.first_submission, case.watched_until
    if asked is None or until is None or until <= asked.at_utc:
        return
    done = case.resolved()
    end = done.at_utc if done is not None else until
    before, longest, pair, censored = asked, -1.0, (asked, asked), False
    for event in case.touches:
        if not asked.at_utc <= event.at_utc <= end:
            continue
        gap = (event.at_utc - before.at_utc).total_seconds()
        if gap > longest:
            longest, pair, censored = gap, (before, event), False
        before = event
    if done is None and (gap := (end - before.at_utc).total_seconds()) > longest:
        longest, pair, censored = gap, (before, *last_looks(case, before.at_utc)), True  # type: ignore[assignment]
    if longest >= 0:
        yield observed(case, longest, end, *pair, censored=censored)


def _gaps(case: Case) -> Iterable[Observed]:
    """Each silence from one sign of work to the next while the case was open; the last may still go on."""
    asked, until = case.first_submission, case.watched_until
    if asked is None or until is None or until <= asked.at_utc:
        return
    done = case.resolved()
    end = done.at_utc if done is not None else until
    before = asked
    for event in case.touches:
        if asked.at_utc <= event.at_utc <= end and event.at_utc > before.at_utc:
            yield observed(case, (event.at_utc - before.at_utc).total_seconds(), event.at_utc, before, event)
            before = event
    if done is None and end > before.at_utc:
        yield observed(case, (end - before.at_utc).total_seconds(), end, before, censored=True)


def _updates_per_day(case: Case) -> Iterable[Observed]:
    asked, until = case.first_submission, case.watched_until
    if asked is None or until is None:
        return
    done = case.resolved()
    end = done.at_utc if done is not None else until
    open_s = (end - asked.at_utc).total_seconds()
    if open_s < 86400:
        return  # a share of a day says nothing about updates per day
    # What one look showed, a message and the status that goes with it, is one update.
    updates = [e for e in case.touches if asked.at_utc <= e.at_utc <= end]
    yield observed(case, len({e.at_utc for e in updates}) / (open_s / 86400), end, asked, *updates)


def _unprompted(case: Case) -> Iterable[Observed]:
    """Each message of a person: 1 if we had not turned to the vendor since its last one."""
    asked_since = False
    answered = False
    for message in case.messages:
        if message.sent:
            asked_since = True
        elif message.is_answer:
            if answered:
                yield observed(case, 0.0 if asked_since else 1.0, message.at_utc, message.event)
            answered, asked_since = True, False


def _resolution(case: Case) -> Iterable[Observed]:
    asked = case.first_submission
    if asked is None:
        return
    done = case.resolved()
    if done is not None and done.at_utc >= asked.at_utc:
        assert isinstance(done.what, StatusSeen | MessageSeen)
        earliest = max(0.0, ((done.what.absent_at_utc or asked.at_utc) - asked.at_utc).total_seconds())
        yield observed(case, (done.at_utc - asked.at_utc).total_seconds(), done.at_utc, asked, done, earliest=earliest)
    elif case.watched_until is not None and case.watched_until > asked.at_utc:
        waited = (case.watched_until - asked.at_utc).total_seconds()
        yield observed(case, waited, case.watched_until, asked, *last_looks(case, asked.at_utc), censored=True)


def _in_business_time(observe: Callable[[Case], Iterable[Observed]]) -> Callable[[Case], Iterable[Observed]]:
    """Return a wait on the vendor's business clock, for vendors that are not always open."""

    def in_business_time(case: Case) -> Iterable[Observed]:
        if case.business is None or case.business.hours == "always":
            return
        for o in observe(case):
            start = o.at_utc - timedelta(seconds=o.value)
            value = case.business.business_seconds(start, o.at_utc)
            earliest = None
            if o.earliest is not None:
                earliest = case.business.business_seconds(start, start + timedelta(seconds=o.earliest))
            yield changed(o, value=value, earliest=earliest)

    return in_business_time


def _working_days(case: Case) -> Iterable[Observed]:
    if case.weekdays is None:
        return
    for o in _resolution(case):
        start = o.at_utc - timedelta(seconds=o.value)
        earliest = None
        if o.earliest is not None:
            earliest = case.weekdays.business_seconds(start, start + timedelta(seconds=o.earliest)) / 86400
        yield changed(o, value=case.weekdays.business_seconds(start, o.at_utc) / 86400, earliest=earliest)


def _closed_without_answer(case: Case) -> Iterable[Observed]:
    if case.first_submission is None:
        return
    for event in case.statuses:
        assert isinstance(event.what, StatusSeen)
        if event.what.state in (TicketState.CLOSED, TicketState.RESOLVED):
            answered = any(m.at_utc <= event.at_utc for m in case.answers)
            yield observed(case, 0.0 if answered else 1.0, event.at_utc, event)
            return


def _false_resolved(case: Case) -> Iterable[Observed]:
    """Of the cases called resolved: 1 if the case was opened again afterwards."""
    over: Event | None = None
    for event in case.statuses:
        assert isinstance(event.what, StatusSeen)
        if event.what.state in (TicketState.RESOLVED, TicketState.CLOSED):
            over = over or event
        elif over is not None and event.what.state is not TicketState.UNKNOWN:
            yield observed(case, 1.0, event.at_utc, over, event)
            return
    if over is not None:
        yield observed(case, 0.0, over.at_utc, over)


def _follow_up(case: Case) -> Iterable[Observed]:
    """Of the resolved cases watched for two days longer: 1 if a person wrote again without being asked."""
    done = case.resolved()
    if done is None or case.watched_until is None:
        return
    after = [m for m in case.messages if m.at_utc > done.at_utc]
    unasked = next((m for m in after if m.is_answer and not any(s.sent and s.at_utc < m.at_utc for s in after)), None)
    if unasked is not None:
        yield observed(case, 1.0, unasked.at_utc, done, unasked.event)
    elif (case.watched_until - done.at_utc).total_seconds() >= 2 * 86400:
        yield observed(case, 0.0, done.at_utc, done, *last_looks(case, done.at_utc))


def _after_disputes(case: Case) -> Iterable[tuple[Event, Message | None, Event | None]]:
    """Yield each dispute with the first person's answer and the first sign of a ticket opened again after it."""
    for number, dispute in enumerate(case.disputes):
        until = case.disputes[number + 1].at_utc if number + 1 < len(case.disputes) else None

        def follows(at_utc: datetime, dispute: Event = dispute, until: datetime | None = until) -> bool:
            return at_utc > dispute.at_utc and (until is None or at_utc <= until)

        answer = next((m for m in case.answers if follows(m.at_utc)), None)
        opened = (TicketState.OPEN, TicketState.WAITING_FOR_US)
        again = (e for e in case.statuses if isinstance(e.what, StatusSeen) and e.what.state in opened)
        yield dispute, answer, next((e for e in again if follows(e.at_utc)), None)


def _dispute_answered(case: Case) -> Iterable[Observed]:
    for dispute, answer, _ in _after_disputes(case):
        if answer is not None:
            waited = (answer.at_utc - dispute.at_utc).total_seconds()
            since = max(dispute.at_utc, answer.absent_at_utc or dispute.at_utc)
            earliest = (since - dispute.at_utc).total_seconds()
            yield observed(case, waited, answer.at_utc, dispute, answer.event, earliest=earliest)
        elif case.watched_until is not None and case.watched_until > dispute.at_utc:
            waited, looks = (case.watched_until - dispute.at_utc).total_seconds(), last_looks(case, dispute.at_utc)
            yield observed(case, waited, case.watched_until, dispute, *looks, censored=True)


def _dispute_reopened(case: Case) -> Iterable[Observed]:
    for dispute, _, again in _after_disputes(case):
        if again is not None:
            yield observed(case, 1.0, again.at_utc, dispute, again)
        elif case.watched_until is not None and case.watched_until > dispute.at_utc:
            yield observed(case, 0.0, case.watched_until, dispute, *last_looks(case, dispute.at_utc))


def _dispute_ignored(case: Case) -> Iterable[Observed]:
    """Of the disputes watched for a day, or until something happened: 1 if nothing did."""
    for dispute, answer, again in _after_disputes(case):
        found = answer.event if answer is not None else again
        watched_s = ((case.watched_until or dispute.at_utc) - dispute.at_utc).total_seconds()
        if found is not None:
            yield observed(case, 0.0, found.at_utc, dispute, found)
        elif watched_s >= 86400 and case.watched_until is not None:
            detail = phrases.length(watched_s)
            looks = last_looks(case, dispute.at_utc)
            yield observed(case, 1.0, case.watched_until, dispute, *looks, detail=f" for {detail}")


_DURATION, _SHARE, _QUANTITY = MeasureKind.DURATION, MeasureKind.SHARE, MeasureKind.QUANTITY

MEASURES = (
    MeasureSpec(
        "receipt_s", "time to a receipt", "s", _DURATION, Per.TICKET, None, Good.LOW,
        _until_message(lambda m: m.from_vendor),
    ),
    MeasureSpec(
        "first_human_response_s", "time to the first answer by a person", "s", _DURATION, Per.TICKET, 3, Good.LOW,
        _until_message(lambda m: m.is_answer),
    ),
    MeasureSpec(
        "unanswered_wait_s", "waits for an answer that ended without one", "s", _QUANTITY, Per.TICKET, 3, Good.LOW,
        _unanswered,
    ),
    MeasureSpec(
        "ticket_number_given", "tickets that were given a number", "ratio", _SHARE, Per.TICKET, None, Good.HIGH,
        _number_given,
    ),
    MeasureSpec(
        "longest_silence_s", "longest silence of a case, in writing", "s", _DURATION, Per.CASE, 5, Good.LOW,
        _longest_silence,
    ),
    MeasureSpec(
        "gap_s", "silence between two signs of work, in writing", "s", _DURATION, Per.GAP, None, Good.LOW, _gaps,
    ),
    MeasureSpec(
        "updates_per_day", "updates per open day", "per day", _QUANTITY, Per.CASE, 5, Good.HIGH, _updates_per_day,
    ),
    MeasureSpec(
        "unprompted_updates", "updates that came without asking", "ratio", _SHARE, Per.CASE, 5, Good.HIGH, _unprompted,
    ),
    MeasureSpec(
        "resolution_s", "time to resolution", "s", _DURATION, Per.CASE, 7, Good.LOW, _resolution,
    ),
    *(
        MeasureSpec(
            f"{id}_business_s", f"{name}, in the vendor's business time", "s", _DURATION, per, None, Good.LOW,
            _in_business_time(observe), on_request=True,
        )
        for id, name, per, observe in (
            ("receipt", "time to a receipt", Per.TICKET, _until_message(lambda m: m.from_vendor)),
            ("first_human_response", "time to the first answer by a person", Per.TICKET,
             _until_message(lambda m: m.is_answer)),
            ("update", "silence between two signs of work, in writing", Per.GAP, _gaps),
            ("resolution", "time to resolution", Per.CASE, _resolution),
        )
    ),
    MeasureSpec(
        "resolution_working_days", "working days to resolution", "working days", _DURATION, Per.CASE, None, Good.LOW,
        _working_days, on_request=True,
    ),
    MeasureSpec(
        "closed_without_answer", "tickets closed without an answer", "ratio", _SHARE, Per.TICKET, 7, Good.LOW,
        _closed_without_answer,
    ),
    MeasureSpec(
        "false_resolved", "“resolved” that was not", "ratio", _SHARE, Per.CASE, 7, Good.LOW, _false_resolved,
    ),
    MeasureSpec(
        "dispute_answer_s", "time to an answer when we said that it was not solved", "s", _DURATION, Per.CASE, 7,
        Good.LOW, _dispute_answered,
    ),
    MeasureSpec(
        "dispute_reopened", "tickets opened again when we said that it was not solved", "ratio", _SHARE, Per.CASE, 7,
        Good.HIGH, _dispute_reopened,
    ),
    MeasureSpec(
        "dispute_ignored", "times nothing happened when we said that it was not solved", "ratio", _SHARE, Per.CASE, 7,
        Good.LOW, _dispute_ignored,
    ),
    MeasureSpec(
        "follow_up", "cases followed up after the solution", "ratio", _SHARE, Per.CASE, 8, Good.HIGH, _follow_up,
    ),
)  # fmt: skip
