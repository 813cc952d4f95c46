"""The analysis as a whole, on small ledgers."""

from __future__ import annotations

from datetime import timedelta

import pytest

from audit.analysis.analyse import analyse
from audit.analysis.model.audits import Analysis
from audit.analysis.model.findings import Origin, Verdict
from audit.analysis.model.promises import PromiseOutcome
from audit.analysis.model.scores import Decision
from audit.plan.model import Condition, Plan, PromiseClock, PromisedWhat, Reply, Step, Wait
from probes.duration import Duration
from probes.errors import Failure, FailureKind, Side
from probes.events import (
    Action,
    CaseOutcome,
    ContactOutcome,
    MessageSent,
    Payload,
    PromiseSaid,
    TicketState,
    TicketSubmitted,
    ValueRead,
)
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


WAIT = Wait(at_most=Duration(3 * 86400), until=Condition.RESOLVED)
DISPUTE = (
    Step(open="portal"),
    Step(wait=WAIT),
    Step(dispute=Reply(channel="portal", text="It still does not work.")),
    Step(wait=WAIT),
)


def disputed(*after: tuple[float, Payload]) -> Analysis:
    book = Book()
    book.begin()
    book.open_case(0)
    book.submit(0)
    book.look(5, said("I have reset your import queue.", "m1"), status(TicketState.RESOLVED))
    book.start(6, Action.REPLY, step=2)
    book.add(MessageSent("r1", "Re", "It still does not work, the very same error as before."), 6)
    book.stop(6)
    for at_h, what in after:
        book.look(at_h, what)
    book.look(54)
    book.close_case(55, CaseOutcome.GIVEN_UP)
    return run(plan(steps=DISPUTE), book)


def values(result: Analysis, id: str) -> list[tuple[float, bool]]:
    return [(o.value, o.censored) for m in result.measures if m.id == id for o in m.observed]


def test_a_dispute_that_nothing_comes_of_is_a_finding() -> None:
    result = disputed()
    assert values(result, "dispute_ignored") == [(1.0, False)]
    ((waited_s, censored),) = values(result, "dispute_answer_s")
    assert censored
    assert waited_s == pytest.approx(48 * 3600, abs=60)
    assert values(result, "dispute_reopened") == [(0.0, False)]
    (found,) = [f for f in result.findings if f.measure == "dispute_ignored"]
    assert found.sentence.startswith("Told that the problem was not solved, the vendor neither answered nor opened")
    assert len(found.evidence) == 2
    assert any(
        "We said that it was not solved: “It still does not work" in line.sentence for line in result.stories[0].lines
    )
    assert all(censored for _, censored in values(result, "resolution_s"))


def test_a_dispute_that_is_answered_and_opened_again() -> None:
    result = disputed(
        (8, status(TicketState.OPEN, previous="Resolved")), (10, said("I see, let me check the log.", "m2"))
    )
    assert values(result, "dispute_ignored") == [(0.0, False)]
    assert values(result, "dispute_reopened") == [(1.0, False)]
    assert values(result, "dispute_answer_s") == [(4 * 3600 + 3, False)]
    assert values(result, "false_resolved") == [(1.0, False)]


def test_a_dispute_that_a_message_settles_under_the_same_status() -> None:
    result = disputed((10, said("You are right, one part was missing. It is in place now.", "m2", absent_at_h=8)))
    ((resolved_s, censored),) = values(result, "resolution_s")
    assert not censored
    assert resolved_s == pytest.approx(10 * 3600, abs=60)
    assert values(result, "dispute_ignored") == [(0.0, False)]
    assert values(result, "dispute_reopened") == [(0.0, False)]


def test_promises_that_a_message_makes_are_in_the_ledger_unconfirmed() -> None:
    book = Book()
    book.begin()
    book.open_case(0)
    book.submit(0)
    book.look(1, said("I looked at your file. You will have an answer within five hours.", "m1"))
    book.look(16, said("The process has to be started again.", "m2", absent_at_h=15))
    book.close_case(17, CaseOutcome.GIVEN_UP)
    result = run(plan(), book)
    (record,) = result.promises
    assert (record.outcome, record.origin) == (PromiseOutcome.LATE, Origin.MACHINE)
    assert record.text == "You will have an answer within five hours"
    assert record.late_by_s == pytest.approx(9 * 3600, abs=60)
    assert result.headlines[0].due == 0  # it counts when a person confirmed it
    (found,) = [f for f in result.findings if f.measure == "expectations_met"]
    assert found.verdict is Verdict.ANOMALY


def test_a_promise_that_a_person_confirmed_is_not_read_a_second_time() -> None:
    book = Book()
    book.begin()
    book.open_case(0)
    book.submit(0)
    book.look(1, said("I looked at your file. You will have an answer within five hours.", "m1"))
    due = START + timedelta(hours=6)
    book.add(PromiseSaid("answer within five hours", "update", due, "m1", None, "person", 1.0), 2)
    book.close_case(17, CaseOutcome.GIVEN_UP)
    assert [record.origin for record in run(plan(), book).promises] == [Origin.PERSON]


@pytest.mark.parametrize("sign", ["none", "number", "answer"])
def test_no_wait_is_charged_for_a_ticket_that_may_not_have_arrived(sign: str) -> None:
    book = Book()
    book.begin()
    book.open_case(0)
    book.start(0, Action.OPEN)
    book.add(TicketSubmitted("Import stops", "It stops with error 42.", "HP-c1"), 0, s=20)
    if sign == "number":
        book.add(ValueRead("ticket", "A-1", "https://acme.example/done"), 0, s=22)
    book.stop(0, ContactOutcome.UNKNOWN, Failure(FailureKind.CONNECTION_LOST, Side.NETWORK, "open", "line cut"), s=25)
    book.look(30, *([said(ANSWER)] if sign == "answer" else []))
    book.close_case(48, CaseOutcome.GIVEN_UP)
    result = run(plan(vendor(RESPONSE)), book)
    response = next(m for m in result.measures if m.id == "first_human_response_s")
    text = " ".join(line.sentence for line in result.stories[0].lines)
    if sign == "none":
        assert (response.n, result.promises) == (0, ())
        assert "We sent a ticket by portal" in text
        assert "Whether it arrived is not known" in text
        assert "no wait for an answer is charged" in text
    else:
        assert (response.n, len(result.promises)) == (1, 1)
        assert "We opened a ticket by portal" in text
