"""Ledgers that are damaged, doubled, cut short or told by clocks that run backwards: an answer, never a traceback."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.analysis.analyse import analyse
from audit.analysis.frames import frames
from audit.analysis.model.scores import Decision
from audit.analysis.state import case_state
from audit.model import Event
from probes.events import CallEnded, CarrierCharged, ContactEnded, ContactOutcome
from tests.analysis.book import Book, said
from tests.analysis.golden import golden_events, golden_plan
from tests.analysis.plans import plan, vendor
from tests.analysis.test_scorecard import ledger

EVENTS = golden_events()


def whole(events: list[Event]) -> None:
    """Analyse, and check what must hold of any analysis."""
    result = analyse(golden_plan(), events, holdproof_version="0.1.0")
    numbers = {f"E{event.seq:04d}" for event in events}
    held = {evidence.number for evidence in result.evidence}
    cited = {n for f in result.findings for n in f.evidence} | {n for p in result.promises for n in p.evidence}
    cited |= {n for story in result.stories for line in story.lines for n in line.evidence}
    assert cited <= held <= numbers
    for measure in result.measures:
        assert measure.n_censored <= measure.n
        assert all(o.value >= 0 or measure.unit in ("LUFS", "LU") for o in measure.observed)
        if measure.estimate is not None and measure.low is not None and measure.high is not None:
            assert measure.low <= measure.estimate <= measure.high
    for head in result.headlines:
        assert 0 <= head.met <= head.due
    frames(result)
    for case in {event.case for event in events}:
        case_state([event for event in events if event.case == case])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_part_of_a_ledger_can_be_analysed(data: st.DataObject) -> None:
    kept = data.draw(st.lists(st.booleans(), min_size=len(EVENTS), max_size=len(EVENTS)))
    whole([event for event, keep in zip(EVENTS, kept, strict=True) if keep])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10**6))
def test_clocks_that_run_backwards(seed: int) -> None:
    rng = random.Random(seed)
    shaken = [replace(e, at_utc=e.at_utc + timedelta(hours=rng.uniform(-100, 100))) for e in EVENTS]
    whole(shaken)
    result = analyse(golden_plan(), shaken, holdproof_version="0.1.0")
    assert any("carry a moment before" in note for note in result.method_notes)


@pytest.mark.parametrize("n", [0, 1, 2, 5, 40])
def test_a_ledger_cut_short(n: int) -> None:
    whole(EVENTS[:n])


def test_events_out_of_order_are_put_right() -> None:
    shuffled = list(EVENTS)
    random.Random(1).shuffle(shuffled)
    assert analyse(golden_plan(), shuffled, holdproof_version="0.1.0", seed=1) == analyse(
        golden_plan(), EVENTS, holdproof_version="0.1.0", seed=1
    )


def test_a_providers_record_that_comes_twice_counts_once() -> None:
    """The same call ended and charged again, later in the chain: one call, one charge, the last word stands."""
    again = [e for e in EVENTS if isinstance(e.what, CallEnded | CarrierCharged)]
    doubled = [*EVENTS, *(replace(e, seq=1000 + n) for n, e in enumerate(again))]
    once, twice = (analyse(golden_plan(), e, holdproof_version="0.1.0") for e in (EVENTS, doubled))
    assert once.accounting == twice.accounting
    assert [c.duration_s for c in once.calls] == [c.duration_s for c in twice.calls]
    assert once.accounting[0].cost_minor == pytest.approx(118 + 41 + 41)


def test_a_vendor_that_the_plan_does_not_know_is_still_told() -> None:
    plan = replace(golden_plan(), vendors=())
    result = analyse(plan, EVENTS, holdproof_version="0.1.0")
    assert [story.vendor for story in result.stories] == ["borea"]
    assert result.promises[0].kind != "published"


def test_not_run_contacts_are_counted_and_no_waits() -> None:
    not_run = [
        replace(e, what=replace(e.what, outcome=ContactOutcome.NOT_RUN)) if isinstance(e.what, ContactEnded) else e
        for e in EVENTS
    ]
    result = analyse(golden_plan(), not_run, holdproof_version="0.1.0")
    assert result.calls == ()
    assert result.accounting[0].contacts_not_run == result.accounting[0].contacts


def test_a_vendor_without_promises_is_not_told_to_be_watched_for_longer() -> None:
    result = analyse(plan(vendor()), ledger({"acme": [2.0] * 6}).events, holdproof_version="0.1.0")
    (judgement,) = result.judgements
    assert judgement.decision is Decision.NOT_ENOUGH_EVIDENCE
    assert "more cases change nothing" in judgement.missing[0]
    assert not any("more expectations due" in missing for missing in judgement.missing)


def test_a_clock_that_ran_backwards_is_said_and_gives_no_negative_time() -> None:
    book = Book()
    book.begin()
    book.open_case(5)
    book.submit(3)
    book.look(2, said("We are at it, Ada.", "m1"))
    book.close_case(0)
    result = analyse(plan(vendor()), book.events, holdproof_version="0.1.0")
    assert any("a clock ran backwards" in note for note in result.method_notes)
    assert not any("−" in line.sentence for line in result.stories[0].lines)
    assert all(o.value >= 0 for measure in result.measures for o in measure.observed)
