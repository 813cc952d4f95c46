"""The promise ledger: every kind of promise, kept, late, broken, withdrawn, open."""

from __future__ import annotations

from datetime import timedelta

import pytest

from audit.analysis.analyse import analyse
from audit.analysis.model.findings import Origin
from audit.analysis.model.promises import PromiseOutcome, PromiseRecord
from audit.plan.model import Promise, PromisedWhat
from probes.audio.timeline import EndReason, Hold, HoldMode, Kind, Label, LineQuality, Segment, Timeline
from probes.errors import Side
from probes.events import (
    Action,
    CallAnswered,
    CallDialled,
    CallEnded,
    CallHeard,
    CallRecorded,
    CaseOutcome,
    ContactOutcome,
    Judged,
    PromiseSaid,
    TicketState,
)
from tests.analysis.book import START, Book, said, status
from tests.analysis.plans import plan, promise, vendor

ANSWER = "Ada, the header row of your file is missing. Add it and import again, then it works."


def records(book: Book, *promises: Promise) -> list[PromiseRecord]:
    return list(analyse(plan(vendor(*promises)), book.events, holdproof_version="0.1.0").promises)


def opened() -> Book:
    book = Book()
    book.begin()
    book.open_case(0)
    book.submit(0)
    return book


def call(book: Book, at_h: float, person_s: float | None, duration_s: float = 300.0, contact: str = "call") -> None:
    book.start(at_h, Action.CALL, "phone")
    book.add(CallDialled("+442079460123", "+442079460777", "practice", "CA1"), at_h)
    book.add(CallAnswered(1.0), at_h, s=5)
    book.add(CallEnded(Side.OURS, (), "200", duration_s, 1.0), at_h, s=5 + duration_s)
    begin = START + timedelta(hours=at_h, seconds=5)
    book.add(CallRecorded(duration_s, 8000, 2, 1, begin, 1.0), at_h, s=310)
    queue_end = person_s if person_s is not None else duration_s
    hold = Hold(10.0, queue_end, HoldMode.MUSIC, -20.0, None, 0.0, None, None, (), 0, 0.9)
    timeline = Timeline(
        duration_s=duration_s,
        answered_s=None,
        first_person_s=person_s,
        segments=(
            Segment(0.0, 10.0, Kind.SPEECH, Label.IVR, 0.9),
            Segment(10.0, queue_end, Kind.MUSIC, Label.HOLD_MUSIC, 0.9),
            Segment(queue_end, duration_s, Kind.SPEECH, Label.AGENT, 0.9),
        ),
        holds=(hold,),
        music_loop_s=None,
        tones=(),
        messages=(),
        dead_air=(),
        talk_over=None,
        quality=LineQuality(None, None, False, 0.0, 0.0, False),
        end=EndReason.IN_SPEECH if person_s is not None else EndReason.ON_HOLD,
        listener_version="1",
    )
    book.add(CallHeard("1", timeline), at_h, s=320)
    book.stop(at_h, s=330)


@pytest.mark.parametrize(
    ("person_s", "outcome"), [(100.0, PromiseOutcome.KEPT), (250.0, PromiseOutcome.LATE), (None, PromiseOutcome.BROKEN)]
)
def test_a_person_on_the_line_runs_on_the_vendors_own_clock(person_s: float | None, outcome: PromiseOutcome) -> None:
    """The queue begins at second 10 of the recording: the vendor's promise is held on the clock that favours it."""
    book = opened()
    call(book, 1, person_s)
    (record,) = records(book, promise(PromisedWhat.HUMAN_ON_CALL, "95 s" if person_s == 100.0 else "2 min"))
    assert record.outcome is outcome
    if person_s == 250.0:
        assert record.late_by_s == pytest.approx(120.0)


def test_a_call_that_nobody_listened_to_decides_nothing() -> None:
    book = opened()
    book.start(1, Action.CALL, "phone")
    book.add(CallDialled("+442079460123", "+442079460777", "practice", "CA1"), 1)
    book.add(CallAnswered(1.0), 1, s=5)
    book.add(CallEnded(Side.OURS, (), "200", 60.0, 1.0), 1, s=65)
    book.stop(1, s=66)
    made = records(book, promise(PromisedWhat.HUMAN_ON_CALL, "2 min"), promise(PromisedWhat.CALL_ANSWERED, "20 s"))
    assert {r.what: r.outcome for r in made} == {
        "human_on_call": PromiseOutcome.NOT_OBSERVED,
        "call_answered": PromiseOutcome.KEPT,
    }


def test_updates_are_judged_by_the_worst_gap() -> None:
    book = opened()
    book.look(10, said(ANSWER, "m1", absent_at_h=9.9))
    book.look(60, said("Still at it; we will write again.", "m2", absent_at_h=59.9))
    book.look(62, status(TicketState.RESOLVED, "Solved", 61.9, "New"))
    book.look(200)
    (record,) = records(book, promise(PromisedWhat.UPDATE, "24 h"))
    assert record.outcome is PromiseOutcome.LATE
    assert record.late_by_s == pytest.approx(26 * 3600, abs=400)


def test_a_silence_that_goes_on_breaks_the_promise_of_updates() -> None:
    book = opened()
    book.look(10, said(ANSWER, "m1", absent_at_h=9.9))
    book.look(100)
    (record,) = records(book, promise(PromisedWhat.UPDATE, "24 h"))
    assert record.outcome is PromiseOutcome.BROKEN


def test_resolution_counts_from_the_ticket_and_falls_with_a_reopening() -> None:
    book = opened()
    book.look(10, status(TicketState.RESOLVED, "Solved", 9, "New"))
    book.look(12, status(TicketState.OPEN, "Open again", 11, "Solved"))
    book.look(100)
    result = analyse(plan(vendor(promise(PromisedWhat.RESOLUTION, "48 h"))), book.events, holdproof_version="0.1.0")
    assert [r.outcome for r in result.promises] == [PromiseOutcome.BROKEN]
    (again,) = next(m for m in result.measures if m.id == "false_resolved").observed
    assert again.value == 1.0


def said_promise(book: Book, what: str, due_h: float | None, by: str = "person", at_h: float = 200) -> None:
    book.contact = None
    book.add(
        PromiseSaid(
            text="You will hear from us.",
            what=what,
            due_at_utc=None if due_h is None else START + timedelta(hours=due_h),
            message_key="m1",
            t_s=None,
            by=by,
            confidence=1.0,
        ),
        at_h,
    )


def answered_twice() -> Book:
    book = opened()
    book.look(10, said("I look into it. You will hear from us.", "m1", absent_at_h=9.9))
    book.look(40, said("It is solved on our side now, please check.", "m2", absent_at_h=39.9))
    book.look(100)
    return book


@pytest.mark.parametrize(
    ("due_h", "outcome"),
    [(41, PromiseOutcome.KEPT), (30, PromiseOutcome.LATE), (None, PromiseOutcome.NOT_OBSERVED)],
)
def test_what_was_said_counts_from_its_message_though_noted_days_later(
    due_h: float | None, outcome: PromiseOutcome
) -> None:
    book = answered_twice()
    said_promise(book, "update", due_h)
    (record,) = records(book)
    assert (record.outcome, record.origin) == (outcome, Origin.PERSON)
    assert record.made_at_utc == START + timedelta(hours=10, seconds=3)


def test_a_promise_found_by_a_machine_is_listed_and_not_counted() -> None:
    book = answered_twice()
    said_promise(book, "update", 30, by="machine")
    result = analyse(plan(vendor()), book.events, holdproof_version="0.1.0")
    assert [r.outcome for r in result.promises] == [PromiseOutcome.LATE]
    assert result.headlines[0].due == 0
    assert [f.verdict for f in result.findings if f.id.startswith("promise/")] == ["anomaly"]


def test_a_promise_taken_back_is_withdrawn_and_counts_as_not_met() -> None:
    book = answered_twice()
    said_promise(book, "resolution", 30)
    book.add(Judged("promise_withdrawn", "yes", "R-1", "You will hear from us.", None, "m2"), 201)
    result = analyse(plan(vendor()), book.events, holdproof_version="0.1.0")
    assert [r.outcome for r in result.promises] == [PromiseOutcome.WITHDRAWN]
    assert (result.headlines[0].met, result.headlines[0].due) == (0, 1)


def test_a_call_back_is_what_a_person_says_of_it() -> None:
    book = answered_twice()
    said_promise(book, "callback", 30)
    assert [r.outcome for r in records(book)] == [PromiseOutcome.NOT_OBSERVED]
    book.add(Judged("callback_received", "no", "R-1", "no call came", None, "m1"), 201)
    assert [r.outcome for r in records(book)] == [PromiseOutcome.BROKEN]


def test_a_vendor_without_promises_has_a_headline_that_says_so() -> None:
    result = analyse(plan(vendor()), answered_twice().events, holdproof_version="0.1.0")
    assert result.promises == ()
    assert result.headlines[0].share is None
    assert result.headlines[0].sentence == "Acme has made no promise that applied."


def test_a_contact_that_failed_on_our_side_is_no_call_of_the_vendors() -> None:
    from probes.errors import Failure, FailureKind

    book = opened()
    book.start(1, Action.CALL, "phone")
    book.stop(1, ContactOutcome.FAILED, Failure(FailureKind.CARRIER_ERROR, Side.OURS, "dial", "no credit"))
    book.close_case(2, CaseOutcome.STOPPED)
    result = analyse(plan(vendor(promise(PromisedWhat.CALL_ANSWERED, "20 s"))), book.events, holdproof_version="0.1.0")
    assert result.promises == ()
    ring = next(m for m in result.measures if m.id == "time_to_human_s")
    assert (ring.n, ring.n_ours) == (0, 1)
    assert result.accounting[0].contacts_ours == 1
