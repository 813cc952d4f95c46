"""The analysis as a whole, on small ledgers."""

from __future__ import annotations

from datetime import timedelta

import pytest

from audit.analysis.analyse import analyse
from audit.analysis.model import Analysis, Decision, PromiseOutcome, Verdict
from audit.plan.model import Plan, PromiseClock, PromisedWhat
from probes.errors import Failure, FailureKind, Side
from probes.events import Action, CaseOutcome, ContactOutcome, TicketState, TicketSubmitted, ValueRead
from tests.analysis.book import START, Book, said, status
from tests.analysis.plans import plan, promise, vendor

ANSWER = "Ada, the header row of your file is missing. Add it and import again."
RESPONSE = promise(PromisedWhat.FIRST_HUMAN_RESPONSE, "24 h")


def run(the_plan: Plan, book: Book) -> Analysis:
    return analyse(the_plan, book.events, holdproof_version="0.1.0")


def answered_case(at_h: float = 10.0, absent_h: float = 9.5, **more: float) -> Book:
    book = Book()
    book.begin()
    book.open_case(0)
    book.submit(0)
    book.look(absent_h)
    book.look(at_h, said(ANSWER, absent_at_h=absent_h, **more))
    book.close_case(at_h + 1, CaseOutcome.GIVEN_UP)
    return book


def test_no_events_at_all_is_an_analysis_that_says_so() -> None:
    result = run(plan(vendor(RESPONSE), n=3), Book())
    assert result.audit == ""
    assert result.accounting[0].cases_planned == 3
    assert result.accounting[0].cases == 0
    assert result.judgements[0].decision is Decision.NOT_ENOUGH_EVIDENCE
    response = next(m for m in result.measures if m.id == "first_human_response_s")
    assert (response.n, response.n_not_run, response.estimate) == (0, 3, None)
    assert "not observed" in response.sentence


def test_one_event_is_an_audit_that_has_just_begun() -> None:
    book = Book()
    book.begin()
    result = run(plan(), book)
    assert result.audit == "audit-1"
    assert result.ended_at_utc is None
    assert result.stories == ()


def test_an_answer_between_two_looks_is_known_to_that_interval() -> None:
    result = run(plan(vendor(RESPONSE)), answered_case())
    (seen,) = next(m for m in result.measures if m.id == "first_human_response_s").observed
    assert (seen.earliest, seen.value, seen.censored) == (9.5 * 3600 - 20, 10 * 3600 + 3 - 20, False)
    assert [r.outcome for r in result.promises] == [PromiseOutcome.KEPT]
    assert result.headlines[0].sentence == (
        "Acme met 1 of 1 (100 %) of the expectations it had set; 95 % interval 21 % to 100 %."
    )


@pytest.mark.parametrize(
    ("claimed_at_h", "outcome"),
    [(None, PromiseOutcome.NOT_OBSERVED), (23.5, PromiseOutcome.KEPT), (25.0, PromiseOutcome.LATE),
     (12.0, PromiseOutcome.NOT_OBSERVED)],
)  # fmt: skip
def test_a_due_moment_between_two_looks_is_decided_by_the_vendors_own_word(
    claimed_at_h: float | None, outcome: PromiseOutcome
) -> None:
    book = answered_case(at_h=26, absent_h=23, claimed_at_h=claimed_at_h)  # type: ignore[arg-type]
    (record,) = run(plan(vendor(RESPONSE)), book).promises
    assert record.outcome is outcome


def test_a_promise_is_late_only_if_it_was_surely_late() -> None:
    (record,) = run(plan(vendor(RESPONSE)), answered_case(at_h=48, absent_h=47)).promises
    assert record.outcome is PromiseOutcome.LATE
    assert record.late_by_s == pytest.approx(23 * 3600 - 20)  # the look that had not shown it: in doubt for the vendor
    assert "Late by at least 23 h" in record.sentence
    assert "a person's answer came after at most 2 days (not there yet after 47 h)" in record.sentence


def test_no_answer_while_we_watched_is_censored_and_breaks_the_promise() -> None:
    book = Book()
    book.begin()
    book.open_case(0)
    book.submit(0)
    for hour in (12, 36, 72):
        book.look(hour)
    book.close_case(72, CaseOutcome.GIVEN_UP)
    result = run(plan(vendor(RESPONSE)), book)
    (seen,) = next(m for m in result.measures if m.id == "first_human_response_s").observed
    assert seen.censored
    assert seen.value == pytest.approx(72 * 3600 - 15)
    assert [r.outcome for r in result.promises] == [PromiseOutcome.BROKEN]
    sentences = [f.sentence for f in result.findings if f.verdict is Verdict.CONFIRMED]
    assert "The ticket had no answer by a person for 3 days, until we stopped watching." in sentences


def test_watching_that_stopped_before_the_due_moment_leaves_the_promise_open() -> None:
    book = Book()
    book.begin()
    book.open_case(0)
    book.submit(0)
    book.look(12)
    book.start(36, Action.LOOK)  # our browser failed: we did not see the ticket again
    book.stop(36, ContactOutcome.FAILED, Failure(FailureKind.STOPPED, Side.OURS, "goto", "killed"))
    book.close_case(72, CaseOutcome.OURS)
    result = run(plan(vendor(RESPONSE)), book)
    assert [r.outcome for r in result.promises] == [PromiseOutcome.PENDING]
    assert result.headlines[0].due == 0
    assert [f.verdict for f in result.findings if f.id.startswith("ours")] == [Verdict.OURS]


def test_business_time_skips_the_night() -> None:
    business = promise(PromisedWhat.FIRST_HUMAN_RESPONSE, "4 h", clock=PromiseClock.BUSINESS)
    book = answered_case(at_h=22.5, absent_h=22)  # 07:30 on Tuesday; asked at 09:00 on Monday
    office = vendor(business, hours="Mon-Fri 11:00-14:00")
    (record,) = run(plan(office), book).promises
    assert record.outcome is PromiseOutcome.KEPT
    assert record.due_at_utc == START + timedelta(days=1, hours=3)


def test_the_story_is_told_in_order_with_evidence() -> None:
    book = Book()
    book.begin()
    book.open_case(0)
    book.start(0, Action.OPEN)
    book.add(TicketSubmitted("Import stops", "It stops.", "HP-1"), 0, s=5)
    book.add(ValueRead("ticket", "4711", "https://acme.example/t/4711"), 0, s=8)
    book.stop(0, s=9)
    book.look(1, said("We have received your request.", absent_at_h=0))
    book.look(20, said(ANSWER, "m2", absent_at_h=18), status(TicketState.RESOLVED, "Solved", 18, "New"))
    book.close_case(21)
    book.end(21)
    result = run(plan(), book)
    (story,) = result.stories
    assert [line.sentence for line in story.lines] == [
        "We turned up as Ada Example with the problem “Import stops”.",
        "We opened a ticket by portal: “Import stops”; the vendor numbered it 4711.",
        "A machine's receipt came at most 59 min 58 s after the ticket (it stood there at our first look): "
        "“We have received your request.”",
        f"The first answer by a person came at most 20 h after the ticket (not there yet after 18 h): “{ANSWER}”",
        "The status went from “New” to “Solved”.",
        "The vendor solved the case.",
    ]
    numbers = {evidence.number for evidence in result.evidence}
    assert all(line.evidence and set(line.evidence) <= numbers for line in story.lines)


def test_the_same_events_give_the_same_answer_and_duplicates_count_once() -> None:
    book = answered_case()
    twice = [*book.events, *book.events[3:6]]
    once = analyse(plan(vendor(RESPONSE)), book.events, holdproof_version="0.1.0")
    again = analyse(plan(vendor(RESPONSE)), twice, holdproof_version="0.1.0")
    assert once.measures == again.measures
    assert once.stories == again.stories
    assert any("3 events came twice" in note for note in again.method_notes)
