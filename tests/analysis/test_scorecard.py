"""Points, ranks, limits, personas, cost and verdict on ledgers with many cases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from audit.analysis.analyse import analyse
from audit.analysis.limits import hold_limits
from audit.analysis.model.audits import Analysis
from audit.analysis.model.findings import Verdict
from audit.analysis.model.promises import PromiseOutcome
from audit.analysis.model.scores import Decision
from audit.analysis.profiles import Limit, ProfileFault, Scale, load_profile, parse_profile, profile_names
from audit.analysis.ranking import standings, weight_sensitivity
from audit.analysis.scorecard import usable_weights
from audit.plan.model import CostInputs, Money, Pair, Persona, Plan, PromisedWhat, Thresholds
from probes.events import CaseOutcome, TicketState
from tests.analysis.book import Book, said, status
from tests.analysis.plans import plan, promise, vendor

ANSWER = "Ada, the header row of your file is missing. Add it and import again, then it works."
RESPONSE = promise(PromisedWhat.FIRST_HUMAN_RESPONSE, "24 h")


def ledger(hours: dict[str, list[float]], persona: Callable[[int], str] = lambda _: "ada", watch_h: float = 96) -> Book:
    """Write one case per answer time and vendor; looks every hour around it, solved with the answer."""
    book = Book()
    book.begin()
    for name, answers in hours.items():
        for number, answer_h in enumerate(answers):
            book.open_case(number, f"{name}-{number}", name, persona(number), sample=number // 2)
            book.submit(number)
            if answer_h < 90:
                book.look(number + answer_h - 0.01)
                book.look(
                    number + answer_h,
                    said(ANSWER, f"m-{number}", absent_at_h=number + answer_h - 0.01),
                    status(TicketState.RESOLVED, "Solved", number + answer_h - 0.01, "New"),
                )
            book.look(number + watch_h)
            book.close_case(number + watch_h, CaseOutcome.RESOLVED if answer_h < 90 else CaseOutcome.GIVEN_UP)
    return book


def run(the_plan: Plan, book: Book, **more: object) -> Analysis:
    return analyse(the_plan, book.events, holdproof_version="0.1.0", seed=3, **more)  # type: ignore[arg-type]


def dimension(result: Analysis, number: int, of: str = "acme") -> float | None:
    card = next(card for card in result.scorecards if card.vendor == of)
    return next(d.score for d in card.dimensions if d.number == number)


def test_a_scale_is_piecewise_and_flat_beyond_its_ends() -> None:
    scale = Scale((4.0, 24.0, 72.0), (100.0, 50.0, 0.0))
    assert [scale.score(v) for v in (0, 4, 14, 24, 48, 72, 1000)] == [100, 100, 75, 50, 25, 0, 0]


def test_every_profile_of_the_package_can_be_read_and_names_known_measures() -> None:
    from audit.analysis.measures.registry import BY_ID

    vendors_own = {"pair_difference", "answer_agreement", "response_spread", "published_terms", "clicks_to_find"}
    assert set(profile_names()) == {"80-20", "contract", "default", "es-ley-10-2025", "phone-checklist", "two-minute"}
    for name in profile_names():
        profile = load_profile(name)
        named = {m for scales in profile.scales.values() for m in scales} | {limit.measure for limit in profile.limits}
        assert named <= set(BY_ID) | vendors_own
        assert profile.checked_on is not None
        assert len(profile.scales) == 15
        assert all(limit.source for limit in profile.limits)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dimensions": {"kindness": {}}}, 'unknown dimension "kindness"'),
        ({"dimensions": {"listens": {"asked_again": {"points": [[0, 100]]}}}}, "two points or more"),
        ({"dimensions": {"listens": {"asked_again": {"points": [[1, 100], [0, 0]]}}}}, "rising values"),
        ({"dimensions": {"listens": {"asked_again": {"points": [[0, 0], [1, 90], [2, 10]]}}}}, "rise or fall"),
        ({"dimensions": {"listens": {"asked_again": {"points": [[0, 0], [1, 101]]}}}}, "0..100"),
        ({"limits": [{"id": "x", "measure": "ring_s", "text": "t", "share_pct": 0, "at_most": 1}]}, "share_pct"),
        ({"limits": [{"id": "x", "measure": "ring_s", "text": "t", "share_pct": 95}]}, "either at_most or at_least"),
        ({"verdict": {"sign_at": 0.9}}, "missing or unknown"),
        ({"colour": "red"}, "unknown keys: colour"),
        ({"version": 2}, "not a profile"),
    ],
)
def test_a_scale_file_that_cannot_be(change: dict[str, object], message: str) -> None:
    document: dict[str, object] = {"format": "holdproof.profile", "version": 1, "id": "x", "name": "x"}
    with pytest.raises(ProfileFault) as fault:
        parse_profile(document | change)
    assert message in str(fault.value)


def test_an_unknown_profile_names_those_that_there_are() -> None:
    with pytest.raises(ProfileFault, match="use one of 80-20, contract, default"):
        run(plan(thresholds=Thresholds(profile="mine")), Book())


def test_five_cases_are_not_rated_and_six_are() -> None:
    five = run(plan(vendor(RESPONSE)), ledger({"acme": [4.0] * 5}))
    six = run(plan(vendor(RESPONSE)), ledger({"acme": [4.0] * 6}))
    assert dimension(five, 3) is None
    assert dimension(six, 3) == pytest.approx(100, abs=0.5)
    card = five.scorecards[0]
    assert "6 needed, 5 tickets seen" in str(next(d.why_not for d in card.dimensions if d.number == 3))
    assert card.dimensions[7].why_not is not None  # nothing is left out in silence


def test_a_dimension_can_be_worked_out_by_hand() -> None:
    """Acknowledges rests on the median alone here: 14 h lies half-way between 4 h (100) and 24 h (60): 80."""
    result = run(plan(vendor()), ledger({"acme": [10, 12, 13, 15, 16, 18]}))
    response = next(m for m in result.measures if m.id == "first_human_response_s")
    assert response.estimate == pytest.approx(14 * 3600, abs=60)
    assert dimension(result, 3) == pytest.approx(80, abs=0.2)
    part = next(d for d in result.scorecards[0].dimensions if d.number == 3).parts[0]
    assert part.scale == "4 h → 100, 24 h → 60, 2 days → 30, 4 days → 0"
    assert (part.low, part.high) == (pytest.approx(72, abs=0.2), pytest.approx(88, abs=0.2))


def test_when_nobody_ever_answers_the_dimension_is_zero_only_where_that_is_sure() -> None:
    never = [99.0] * 8
    result = run(plan(vendor(RESPONSE)), ledger({"acme": never}))
    response = next(m for m in result.measures if m.id == "first_human_response_s")
    assert (response.n, response.n_censored, response.estimate) == (8, 8, None)
    assert response.survival is not None
    assert response.survival.median_at_least == pytest.approx(96 * 3600, abs=60)
    assert "at least half took longer than 4 days" in response.sentence
    assert dimension(result, 3) is None  # watched for just under the 4 days at which the scale ends
    assert dimension(run(plan(vendor(RESPONSE)), ledger({"acme": never}, watch_h=120)), 3) == 0.0
    assert result.judgements[0].decision is Decision.DO_NOT_SIGN_YET


def test_ranks_are_printed_only_where_vendors_can_be_told_apart() -> None:
    both = (vendor(RESPONSE), vendor(RESPONSE, id="bolt", name="Bolt"))
    rng = np.random.default_rng(5)
    apart = run(plan(*both), ledger({"acme": list(rng.uniform(2, 6, 12)), "bolt": list(rng.uniform(60, 80, 12))}))
    assert [card.rank for card in apart.scorecards] == [1, 2]
    assert [card.rank_range for card in apart.scorecards] == [(1, 1), (2, 2)]
    assert apart.scorecards[0].first_share is not None
    assert apart.scorecards[0].first_share > 0.9
    difference = next(t for t in apart.vendor_tests if t.measure == "first_human_response_s")
    assert (difference.n, difference.verdict) == ((12, 12), Verdict.CONFIRMED)
    assert difference.p_holm >= difference.p_value
    alike = run(plan(*both), ledger({"acme": list(rng.uniform(2, 60, 12)), "bolt": list(rng.uniform(2, 60, 12))}))
    assert [card.rank for card in alike.scorecards] == [None, None]
    assert all("covers a neighbour's" in str(card.why_not) for card in alike.scorecards)
    assert all(t.verdict is not Verdict.CONFIRMED for t in alike.vendor_tests)
    few = run(plan(*both), ledger({"acme": [4.0] * 12, "bolt": [70.0] * 5}))
    assert few.vendor_tests == ()
    assert [card.rank for card in few.scorecards] == [None, None]


def test_weights_that_cannot_be_used_are_said_and_left_out() -> None:
    weights, faults = usable_weights({"listens": 2.0, "charm": 1.0, "truthful": -1.0, "resolves": float("nan")})
    assert (weights["listens"], weights["truthful"], weights["resolves"], weights["informs"]) == (2.0, 0.0, 0.0, 0.0)
    assert len(faults) == 3
    assert set(usable_weights({})[0].values()) == {1.0}
    zero = run(plan(vendor(RESPONSE), thresholds=Thresholds(weights={"listens": 0.0})), ledger({"acme": [4.0] * 6}))
    assert zero.scorecards[0].total is None
    assert zero.scorecards[0].why_not == "all weights are zero"
    negative = run(plan(vendor(), thresholds=Thresholds(weights={"informs": -1.0})), ledger({"acme": [4.0] * 6}))
    assert any("cannot be used" in note for note in negative.method_notes)


def test_weight_sensitivity_by_hand() -> None:
    """Two vendors, two dimensions, each best in one by the same margin: each comes first half of the time."""
    first, best, worst = weight_sensitivity(np.array([[100.0, 0.0], [0.0, 100.0]]), np.random.default_rng(1))
    assert first == pytest.approx([0.5, 0.5], abs=0.02)
    assert (best.tolist(), worst.tolist()) == ([1, 1], [2, 2])
    ahead, best, worst = weight_sensitivity(np.array([[90.0, 80.0], [70.0, 60.0]]), np.random.default_rng(1))
    assert (ahead.tolist(), best.tolist(), worst.tolist()) == ([1.0, 0.0], [1, 2], [1, 2])


def test_a_single_vendor_has_no_rank() -> None:
    (standing,) = standings([70.0], np.full((1, 50), 70.0))
    assert standing.rank is None


@pytest.mark.parametrize(
    ("late", "n", "kept", "verdict"),
    [
        (0, 12, None, Verdict.NOT_ESTABLISHED),
        (2, 12, None, Verdict.NOT_ESTABLISHED),
        (3, 12, False, Verdict.CONFIRMED),
        (0, 58, None, Verdict.NOT_ESTABLISHED),
        (0, 59, True, Verdict.NOT_ESTABLISHED),
    ],
)
def test_a_dozen_can_convict_and_not_acquit(late: int, n: int, kept: bool | None, verdict: Verdict) -> None:
    share = promise(PromisedWhat.FIRST_HUMAN_RESPONSE, "24 h", share_pct=95)
    result = run(plan(vendor(share)), ledger({"acme": [48.0] * late + [4.0] * (n - late)}))
    (limit,) = result.limits
    assert (limit.n, limit.within, limit.kept, limit.verdict) == (n, n - late, kept, verdict)
    if n == 12 and late == 0:
        assert "59 without a miss are needed before it counts as kept" in limit.sentence


def test_waits_cut_off_before_the_limit_speak_for_the_vendor_in_a_breach_and_against_it_in_keeping() -> None:
    profile = replace(
        load_profile("default"),
        limits=(Limit(id="l", measure="first_human_response_s", text="within 200 h", share=0.5, at_most=720_000.0),),
    )
    the_plan, book = plan(vendor()), ledger({"acme": [99.0] * 6})
    result = run(the_plan, book, profile=profile)
    (limit,) = result.limits
    assert (limit.within, limit.unknown, limit.kept, limit.p_value) == (0, 6, None, 1.0)
    assert hold_limits(the_plan, profile, [], []) == ()


SMALL = Persona(id="small", name="Ada Small", pair=Pair(of="large", differs_in="size"))
LARGE = Persona(id="large", name="Ada Large")


def test_matched_personas_are_compared_pair_by_pair() -> None:
    hours = [float(h) for n in range(8) for h in (20 + n, 4 + n)]  # small waits 16 h longer, in each of eight pairs
    book = ledger({"acme": hours}, lambda number: ("small", "large")[number % 2])
    result = run(plan(vendor(), personas=(SMALL, LARGE)), book)
    test = next(t for t in result.pairs if t.measure == "first_human_response_s")
    assert (test.n_pairs, test.verdict) == (8, Verdict.CONFIRMED)
    assert test.difference == pytest.approx(16 * 3600, abs=5)
    assert test.p_value == pytest.approx(2 / 2**8)
    assert test.p_holm is not None
    assert test.p_holm >= test.p_value
    score = dimension(result, 12)
    assert score is not None
    assert score < 10  # the difference is larger than the median itself


def test_five_pairs_and_a_missing_partner_establish_nothing() -> None:
    hours = [float(h) for n in range(5) for h in (60 + n, 4 + n)]
    book = ledger({"acme": hours}, lambda number: ("small", "large")[number % 2])
    few = run(plan(vendor(), personas=(SMALL, LARGE)), book)
    test = next(t for t in few.pairs if t.measure == "first_human_response_s")
    assert (test.p_value, test.verdict) == (None, Verdict.NOT_ESTABLISHED)
    assert test.why_not == "6 pairs are needed, and there are 5"
    alone = run(plan(vendor(), personas=(SMALL,)), ledger({"acme": [4.0] * 6}, lambda _: "small"))
    assert all("is not in the plan" in str(t.why_not) for t in alone.pairs)
    assert dimension(alone, 12) is None


def test_pairs_of_which_one_was_never_answered_count_by_direction() -> None:
    hours = [float(h) for n in range(8) for h in (99, 4 + n)]
    book = ledger({"acme": hours}, lambda number: ("small", "large")[number % 2])
    result = run(plan(vendor(), personas=(SMALL, LARGE)), book)
    test = next(t for t in result.pairs if t.measure == "first_human_response_s")
    assert (test.method, test.n_pairs, test.difference) == ("sign test", 8, None)
    assert test.p_value == pytest.approx(2 / 2**8)


@pytest.mark.parametrize(
    ("answers", "decision"),
    [
        ([4.0] * 12, Decision.SIGN_WITH_CONDITIONS),
        ([4.0] * 8 + [30.0] * 4, Decision.SIGN_WITH_CONDITIONS),
        ([4.0] * 2 + [30.0] * 10, Decision.DO_NOT_SIGN_YET),
        ([4.0] * 5, Decision.NOT_ENOUGH_EVIDENCE),
    ],
)
def test_the_verdict_follows_the_printed_rule(answers: list[float], decision: Decision) -> None:
    result = run(plan(vendor(RESPONSE)), ledger({"acme": answers}))
    judgement = result.judgements[0]
    assert judgement.decision is decision
    assert "90 % or more" in judgement.rule
    if decision is Decision.NOT_ENOUGH_EVIDENCE:
        assert (
            judgement.missing[0] == "1 more expectation due (5 so far): 1 more case, about 4 days if run side by side."
        )


def test_conditions_are_clauses_with_numbers() -> None:
    result = run(plan(vendor(RESPONSE)), ledger({"acme": [4.0] * 8 + [30.0] * 4}))
    clause = result.judgements[0].conditions[0]
    assert clause.startswith(
        "A first answer by a person as promised (“first human response within 24 h”), in at least 90 %"
    )
    assert "now 8 of 12 (67 %) kept; median 3 h 59 min, n = 12" in clause


def test_cost_by_hand() -> None:
    """Each case: a ticket (10 min) and an answer to read (2 min) at 60 an hour: 12.00. Late ones: due Tuesday 09:00,
    came Wednesday 09:00 or so: 8 working hours at 100.
    """
    inputs = CostInputs(
        hour=Money(amount=60, currency="EUR"), blocked_hour=Money(amount=100, currency="EUR"), contacts_per_year=10
    )
    book = Book()
    book.begin()
    for number, answer_h in enumerate([4.0, 48.0]):
        book.open_case(0, f"c{number}")
        book.submit(0)
        book.look(answer_h - 0.5)
        book.look(answer_h, said(ANSWER, f"m{number}", absent_at_h=answer_h - 0.5))
        book.close_case(answer_h + 1, CaseOutcome.GIVEN_UP)
    result = run(plan(vendor(RESPONSE), cost=inputs), book)
    assert [p.outcome for p in result.promises] == [PromiseOutcome.KEPT, PromiseOutcome.LATE]
    (cost,) = result.costs
    assert cost.per_case == pytest.approx((12 + 12 + 800) / 2, abs=1)
    assert cost.per_year == pytest.approx(10 * (12 + 12 + 800) / 2, abs=10)
    assert cost.avoidable_per_case == pytest.approx(400, abs=1)
    assert cost.low is None
    assert cost.why_not == "an interval on a mean needs 30 cases, and there are 2"
    assert run(plan(vendor(RESPONSE)), book).costs == ()  # nothing without inputs
