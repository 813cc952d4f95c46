"""Intervals and tests against published worked examples and reference packages."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from audit.analysis.statistics import (
    difference_interval,
    holm,
    limit_p_value,
    median_interval,
    median_ranks,
    n_without_miss,
    rank_trend,
    share_at_least,
    shift_interval,
    sign_test,
    signed_rank_test,
    wilson,
)
from audit.analysis.survival import kaplan_meier, log_rank, median_of, restricted_mean

# Freireich et al. (1963): weeks in remission under 6-MP, and under placebo; the textbook example of survival analysis
SIX_MP = ([6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35],
          [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0])  # fmt: skip
PLACEBO = ([1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23], [1] * 21)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_against_newcombe_1998(successes: int, n: int, low: float, high: float) -> None:
    interval = wilson(successes, n)
    assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)
    assert wilson(n - successes, n).high == pytest.approx(1 - interval.low)


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_no_share_of_nothing(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match="a share needs"):
        wilson(successes, n)


@given(st.integers(1, 400), st.floats(0, 1))
def test_wilson_agrees_with_scipy(n: int, ratio: float) -> None:
    k = round(n * ratio)
    expected = stats.binomtest(k, n).proportion_ci(method="wilson")
    interval = wilson(k, n)
    assert interval.low == pytest.approx(expected.low, abs=1e-9)
    assert interval.high == pytest.approx(expected.high, abs=1e-9)


@pytest.mark.parametrize(
    ("n", "ranks", "coverage"),
    [(6, (1, 6), 0.969), (12, (3, 10), 0.961), (20, (6, 15), 0.959), (30, (10, 21), 0.957)],
)
def test_median_ranks_against_the_table(n: int, ranks: tuple[int, int], coverage: float) -> None:
    assert median_ranks(n) == ranks
    inside = stats.binom.cdf(ranks[1] - 1, n, 0.5) - stats.binom.cdf(ranks[0] - 1, n, 0.5)
    assert inside == pytest.approx(coverage, abs=5e-4)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5])
def test_fewer_than_six_values_have_no_interval(n: int) -> None:
    assert median_ranks(n) is None
    assert median_interval(list(range(n))) is None


def test_the_median_interval_is_made_of_values() -> None:
    interval = median_interval([7.0, 1, 5, 3, 9, 11, 13, 15, 17, 19, 21, 23])
    assert interval is not None
    assert (interval.estimate, interval.low, interval.high) == (12.0, 5.0, 19.0)


@pytest.mark.parametrize(("n", "misses", "p"), [(6, 2, 0.0328), (12, 3, 0.0196), (20, 4, 0.0159), (30, 5, 0.0156)])
def test_how_many_misses_convict(n: int, misses: int, p: float) -> None:
    """The table of field.md 2d: fewest misses of "95 % within T" that reject it at 5 %."""
    assert limit_p_value(n - misses, n, 0.95) == pytest.approx(p, abs=5e-5)
    assert limit_p_value(n - misses + 1, n, 0.95) > 0.05


def test_59_without_a_miss_are_needed_to_acquit() -> None:
    assert n_without_miss(0.95) == 59
    assert share_at_least(59, 59) >= 0.95 > share_at_least(58, 58)
    assert share_at_least(12, 12) == pytest.approx(0.779, abs=1e-3)  # a dozen calls can convict, not acquit
    assert limit_p_value(12, 12, 0.95) == 1.0


def test_a_certain_promise_is_broken_by_one_miss() -> None:
    assert limit_p_value(11, 12, 1.0) == 0.0
    assert limit_p_value(12, 12, 1.0) == 1.0


def test_signed_rank_against_hollander_and_wolfe() -> None:
    """Depression scale of nine patients before and after therapy (3.1): T+ = 40 of 45, exact, with the 0.46 shift."""
    before = np.array([1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30])
    after = np.array([0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29])
    test = signed_rank_test(before - after)
    assert test.p_value == pytest.approx(2 * 0.01953, abs=1e-4)
    assert test.estimate == pytest.approx(0.46, abs=0.005)
    assert test.low == pytest.approx(0.010, abs=5e-4)
    assert test.high == pytest.approx(0.786, abs=5e-4)


def test_pairs_need_six_that_differ() -> None:
    assert sign_test([1.0] * 5).p_value is None
    assert sign_test([1.0] * 5 + [0.0] * 20).p_value is None
    assert sign_test([1.0] * 6).p_value == pytest.approx(0.03125)
    assert signed_rank_test([1.0, 2, 3, 4, 5]).p_value is None
    assert sign_test([math.inf] * 7 + [-1.0]).p_value == pytest.approx(stats.binomtest(1, 8).pvalue)


@given(st.lists(st.integers(-5, 5).filter(bool), min_size=6, max_size=12))
def test_signed_rank_with_ties_agrees_with_permutation(values: list[int]) -> None:
    """With ties the exact distribution is that over all 2^n signs."""
    d = np.array(values, dtype=float)
    ranks = stats.rankdata(np.abs(d))
    signs = ((np.arange(2**d.size)[:, None] >> np.arange(d.size)) & 1).astype(bool)
    sums = (signs * ranks).sum(axis=1)
    w = ranks[d > 0].sum()
    expected = min(1.0, 2 * min((sums <= w + 1e-9).mean(), (sums >= w - 1e-9).mean()))
    assert signed_rank_test(d).p_value == pytest.approx(expected)


@pytest.mark.parametrize("n", [8, 25, 80])
def test_signed_rank_agrees_with_scipy(n: int) -> None:
    d = np.random.default_rng(n).normal(0.3, 1, n)
    method = "exact" if n <= 50 else "approx"
    expected = stats.wilcoxon(d, method=method, correction=n > 50).pvalue
    assert signed_rank_test(d).p_value == pytest.approx(expected, rel=1e-6)


def test_holm_against_a_worked_example() -> None:
    assert holm([0.01, 0.02, 0.03, 0.04]) == pytest.approx((0.04, 0.06, 0.06, 0.06))
    assert holm([0.04, 0.01, 0.5]) == pytest.approx((0.08, 0.03, 0.5))
    assert holm([]) == ()
    with pytest.raises(ValueError, match=r"within 0\.\.1"):
        holm([1.2])


def test_kaplan_meier_against_the_textbook() -> None:
    """6-MP, S and complementary log-log limits as printed by R's survfit (conf.type = "log-log")."""
    curve = kaplan_meier(*map(np.array, SIX_MP))
    assert curve.at.tolist() == [6, 7, 10, 13, 16, 22, 23]
    assert curve.at_risk.tolist() == [21, 17, 15, 12, 11, 7, 6]
    assert np.round(curve.waiting, 3).tolist() == [0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448]
    assert np.round(curve.low, 3).tolist() == [0.620, 0.563, 0.503, 0.432, 0.368, 0.268, 0.188]
    assert np.round(curve.high, 3).tolist() == [0.952, 0.923, 0.889, 0.849, 0.805, 0.747, 0.680]
    median, low, high = median_of(curve)
    assert (median, low, high) == (23, 13, None)


def test_log_rank_against_the_textbook() -> None:
    chi2, p = log_rank([tuple(map(np.array, SIX_MP)), tuple(map(np.array, PLACEBO))])  # type: ignore[misc,list-item]
    assert chi2 == pytest.approx(16.79, abs=0.005)
    assert p == pytest.approx(4.17e-5, rel=0.01)


def test_without_censoring_it_is_the_ordinary_median() -> None:
    for n in (6, 7, 30, 31):
        values = np.random.default_rng(n).exponential(3, n)
        median, _, _ = median_of(kaplan_meier(values, np.ones(n, bool)))
        assert median == pytest.approx(float(np.median(values)))


def test_all_censored_has_no_median_and_all_waiting() -> None:
    curve = kaplan_meier([5.0, 9.0, 2.0], [False] * 3)
    assert curve.at.size == 0
    assert median_of(curve) == (None, None, None)
    assert restricted_mean(curve, 9.0).estimate == 9.0
    assert log_rank([([1.0], [False]), ([2.0], [False])]) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("waits", "ended"), [([], []), ([1.0], []), ([-1.0], [True]), ([math.nan], [True]), ([math.inf], [False])]
)
def test_waits_that_cannot_be(waits: list[float], ended: list[bool]) -> None:
    with pytest.raises(ValueError, match="waits"):
        kaplan_meier(waits, ended)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_survival_agrees_with_lifelines(seed: int) -> None:
    """The reference package on random censored waits with ties: curve, limits, restricted mean, log-rank."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import lifelines
        from lifelines.statistics import multivariate_logrank_test
        from lifelines.utils import restricted_mean_survival_time

        rng = np.random.default_rng(seed)
        waits = np.ceil(rng.exponential(20, 90))
        ended = rng.random(90) < 0.7
        group = rng.integers(0, 3, 90)
        fitter = lifelines.KaplanMeierFitter().fit(waits, ended)
        mean, variance = restricted_mean_survival_time(fitter, t=30, return_variance=True)
        logrank = multivariate_logrank_test(waits, group, ended)
    curve = kaplan_meier(waits, ended)
    expected = fitter.survival_function_at_times(curve.at).to_numpy()
    limits = fitter.confidence_interval_survival_function_.loc[curve.at].to_numpy()
    assert curve.waiting == pytest.approx(expected)
    inner = curve.waiting > 0
    assert curve.low[inner] == pytest.approx(limits[inner, 0])
    assert curve.high[inner] == pytest.approx(limits[inner, 1])
    assert restricted_mean(curve, 30).estimate == pytest.approx(mean)
    assert variance > 0
    chi2, p = log_rank([(waits[group == g], ended[group == g]) for g in range(3)])
    assert chi2 == pytest.approx(logrank.test_statistic)
    assert p == pytest.approx(logrank.p_value)


def test_restricted_mean_by_hand() -> None:
    """Waits 2, 4+, 6: S is 1 to 2, 2/3 to 6, then 0; the mean to 6 is 2 + 4·2/3. Greenwood: (8/3)²·1/(3·2)."""
    interval = restricted_mean(kaplan_meier([2.0, 4.0, 6.0], [True, False, True]), 6.0)
    assert interval.estimate == pytest.approx(2 + 8 / 3)
    half = 1.959964 * math.sqrt((8 / 3) ** 2 / 6)
    assert interval.low == pytest.approx(2 + 8 / 3 - half)
    assert interval.high == 6.0


def test_the_difference_of_two_shares_is_newcombes() -> None:
    found = difference_interval(wilson(48, 80), wilson(56, 70))  # Newcombe (1998), example a, the other way round
    assert (found.estimate, found.low, found.high) == (
        pytest.approx(0.2), pytest.approx(0.0524, abs=1e-4), pytest.approx(0.3339, abs=1e-4),
    )  # fmt: skip


def test_the_shift_of_two_samples_is_hodges_and_lehmanns() -> None:
    at_term = np.array([0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46])  # Hollander, Wolfe, table 4.1
    early = np.array([1.15, 0.88, 0.90, 0.74, 1.21])
    found = shift_interval(early, at_term)
    assert [round(v, 3) for v in (found.estimate, found.low, found.high)] == [0.305, -0.15, 0.76]
    with pytest.raises(ValueError, match="too few"):
        shift_interval(early[:3], early[:3])


def test_a_rank_trend_without_censoring_is_kendalls_and_a_bound_is_above_what_ended_before() -> None:
    rng = np.random.default_rng(6)
    at = np.arange(15.0)
    values = rng.normal(size=15) + at / 10
    tau, p = rank_trend(at, values, np.ones(15, dtype=bool))
    theirs = stats.kendalltau(at, values)
    assert tau == pytest.approx(theirs.statistic)
    assert p == pytest.approx(theirs.pvalue, abs=0.02)
    late_ones_unanswered = rank_trend(at, np.where(at > 9, 4.0, 3.0 + at / 100), at <= 9)
    assert late_ones_unanswered[0] > 0.8
    assert rank_trend(at, np.full(15, 4.0), at > 20) == (0.0, 1.0)  # bounds alone say nothing


def test_a_rank_trend_cries_wolf_no_more_than_it_may() -> None:
    rng = np.random.default_rng(1)
    false = 0
    for _ in range(600):
        waits, bound = rng.exponential(size=12), rng.exponential(size=12) * 2
        false += rank_trend(rng.uniform(size=12), np.minimum(waits, bound), waits <= bound)[1] < 0.05
    assert false / 600 < 0.07
