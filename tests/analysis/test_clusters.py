"""Several observations of one case are alike: by hand, against what is known, and as a measure says it."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.analysis.clusters import clustered_median, effective_n, share_interval
from audit.analysis.measures.registry import BY_ID
from audit.analysis.model.measures import Measure, Observations, Observed
from audit.analysis.statistics import median_interval, wilson
from audit.analysis.summary import summarise
from audit.analysis.survival import kaplan_meier, median_of, restricted_mean
from audit.analysis.values import clusters_of


def test_what_is_alike_within_a_case_counts_hardly_more_than_once() -> None:
    """6 cases of 2: between cases 6/5·6/144 = .05, binomial .25/12, effect 2.4; Student's t 2.2010 and 2.5706."""
    alike, unlike = [True, True, True, False, False, False], [True, False] * 6
    clusters = np.repeat(np.arange(6), 2)
    few = (2.200985 / 2.570582) ** 2
    assert effective_n(np.repeat(alike, 2), clusters) == pytest.approx(12 / 2.4 * few, rel=1e-5)
    assert effective_n(np.array(unlike), clusters) == pytest.approx(12 * few, rel=1e-5)


def test_nothing_shows_how_alike_they_are_so_that_they_count_as_the_same() -> None:
    three = np.repeat(np.arange(3), [1, 2, 3])
    assert effective_n(np.array([True] * 6), three) == pytest.approx(36 / 14)
    assert share_interval(np.array([True] * 6), np.zeros(6, dtype=np.int64)) == wilson(1, 1)


def test_one_of_each_case_is_as_independent_as_ever() -> None:
    assert clusters_of(["a", "b", "c"]) is None
    flags, values = np.array([True, False, True]), np.arange(9.0)
    assert share_interval(flags, None) == wilson(2, 3)
    assert clustered_median(values, None) == median_interval(values)


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=60))
def test_an_interval_is_never_narrower_than_that_of_independent_ones(given_: list[tuple[int, bool]]) -> None:
    clusters = clusters_of([str(case) for case, _ in given_])
    flags = np.array([flag for _, flag in given_])
    found, independent = share_interval(flags, clusters), wilson(int(flags.sum()), flags.size)
    assert found.estimate == independent.estimate
    assert 0 <= found.low <= independent.low + 1e-12
    assert independent.high - 1e-12 <= found.high <= 1


@given(st.lists(st.tuples(st.integers(0, 8), st.floats(0, 1e6)), min_size=2, max_size=60))
def test_a_median_needs_six_cases_and_lies_within_its_interval(given_: list[tuple[int, float]]) -> None:
    clusters = clusters_of([str(case) for case, _ in given_])
    values = np.array([value for _, value in given_])
    found = clustered_median(values, clusters)
    if len({case for case, _ in given_}) < 6:
        assert found is None
    else:
        assert found is not None
        assert values.min() <= found.low <= found.estimate <= found.high <= values.max()


def test_waits_told_twice_say_no_more_than_once() -> None:
    rng = np.random.default_rng(5)
    waits, ends = rng.exponential(10, 40), rng.exponential(30, 40)
    t, d = np.minimum(waits, ends), waits <= ends
    once = kaplan_meier(t, d)
    twice = kaplan_meier(np.repeat(t, 2), np.repeat(d, 2), clusters=np.repeat(np.arange(40), 2))
    believed = kaplan_meier(np.repeat(t, 2), np.repeat(d, 2))
    assert np.allclose(once.waiting, twice.waiting)
    (_, low, high), (_, low_2, high_2) = median_of(once), median_of(twice)
    assert low_2 is not None
    assert high_2 is not None
    assert low is not None
    assert high is not None
    assert low_2 == pytest.approx(low, rel=0.25)
    assert high_2 == pytest.approx(high, rel=0.25)
    width = [restricted_mean(curve, 20.0).high - restricted_mean(curve, 20.0).low for curve in (once, twice, believed)]
    assert width[1] == pytest.approx(width[0], rel=0.1)
    assert width[2] < 0.75 * width[1]


def test_very_many_cases_are_put_into_groups() -> None:
    rng = np.random.default_rng(6)
    t, d = rng.exponential(10, 3000), rng.random(3000) < 0.8
    plain, grouped = kaplan_meier(t, d), kaplan_meier(t, d, clusters=np.arange(3000))
    assert grouped.jumps is not None
    assert grouped.jumps.shape[0] == 400
    inside = plain.waiting > 0.05
    assert np.allclose((grouped.high - grouped.low)[inside], (plain.high - plain.low)[inside], rtol=0.2)


def _holds(cases: int, each: int) -> Measure:
    at = datetime(2026, 3, 2, tzinfo=UTC)
    observed = [
        Observed(10.0 * case + hold, False, f"c{case}", f"call-{case}", at, ("E0001",))
        for case in range(cases)
        for hold in range(each)
    ]
    return summarise(BY_ID["hold_s"], "acme", Observations(observed))


def test_a_measure_says_that_its_observations_come_from_few_cases() -> None:
    few = _holds(3, 4)
    assert few.estimate is None
    assert few.why_not == "a 95 % interval on a median needs 6 cases, and the 12 holds come from 3 cases"
    assert few.sentence.endswith(f"12 holds; no interval: {few.why_not}.")


def test_the_interval_of_holds_of_the_same_cases_is_that_of_the_cases() -> None:
    alone, several = _holds(12, 1), _holds(12, 3)
    assert "alike" not in alone.method
    assert several.method == "median, order-statistic 95 % interval; those of one case count as alike as they are"
    assert several.low is not None
    assert several.high is not None
    assert alone.low is not None
    assert alone.high is not None
    assert several.high - several.low >= 0.9 * (alone.high - alone.low)
