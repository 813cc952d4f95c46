"""How often the intervals cover the truth, and how often the tests cry wolf: simulated, and printed as a table.

    python -m bench.coverage [--runs 2000] [--seed 7]

Each row is one statistic as the product computes it, on made data whose truth is known. `wanted` is the band that the
theory gives: 93–97 % for a 95 % interval that aims at 95 %, at least 95 % (less simulation noise) for one that is safe
by construction, at most 5 % (plus noise) for false alarms. Below the smallest n of a row's statistic the product gives
no interval, so that there is nothing to simulate.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from scipy import special

from audit.analysis.agreement import alpha_interval
from audit.analysis.clusters import clustered_median, share_interval
from audit.analysis.model.measures import Observations, Observed
from audit.analysis.ranking import standings
from audit.analysis.statistics import (
    difference_interval,
    holm,
    limit_p_value,
    mean_interval,
    median_interval,
    rank_trend,
    share_at_least,
    shift_interval,
    sign_test,
    signed_rank_test,
    wilson,
)
from audit.analysis.summary import median_with_bounds
from audit.analysis.survival import kaplan_meier, log_rank, median_of, restricted_mean
from audit.analysis.vendor_measures import spread_interval

Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Row:
    """One simulation: `once` says whether the interval covered (or the alarm was false) in one made sample."""

    name: str
    setting: str
    wanted: tuple[float, float] | None
    once: Callable[[Rng], bool | None]


AIMS = (0.93, 0.97)
SAFE = (0.94, 1.0)  # 95 % and more; 2,000 runs tell a share of 95 % to within 1 %
ALARM = (0.0, 0.05)


def _wilson(n: int, low: float, high: float) -> Callable[[Rng], bool]:
    def once(rng: Rng) -> bool:
        share = rng.uniform(low, high)  # Wilson aims at 95 % on average over shares, not for each one
        interval = wilson(int(rng.binomial(n, share)), n)
        return bool(interval.low <= share <= interval.high)

    return once


def _median(n: int) -> Callable[[Rng], bool]:
    def once(rng: Rng) -> bool:
        interval = median_interval(rng.lognormal(0, 1.5, n))
        assert interval is not None
        return interval.low <= 1.0 <= interval.high

    return once


def _censored(rng: Rng, n: int, cut: float) -> tuple[np.ndarray, np.ndarray]:
    waits, ends = rng.weibull(0.8, n), rng.exponential(cut, n)
    return np.minimum(waits, ends), waits <= ends


def _km_median(n: int, cut: float) -> Callable[[Rng], bool]:
    truth = math.log(2) ** (1 / 0.8)

    def once(rng: Rng) -> bool:
        _, low, high = median_of(kaplan_meier(*_censored(rng, n, cut)))
        return (low is None or low <= truth) and (high is None or truth <= high)

    return once


def _km_at(n: int, cut: float) -> Callable[[Rng], bool | None]:
    def once(rng: Rng) -> bool | None:
        curve = kaplan_meier(*_censored(rng, n, cut))
        before = np.flatnonzero(curve.at <= 1.0)
        if before.size == 0 or curve.largest < 1.0:
            return None
        place = int(before[-1])
        return bool(curve.low[place] <= math.exp(-1) <= curve.high[place])

    return once


def _rmst(n: int, cut: float) -> Callable[[Rng], bool | None]:
    grid = np.linspace(0, 1.5, 20001)
    truth = float(np.trapezoid(np.exp(-(grid**0.8)), grid))

    def once(rng: Rng) -> bool | None:
        curve = kaplan_meier(*_censored(rng, n, cut))
        if curve.largest < 1.5:
            return None
        interval = restricted_mean(curve, 1.5)
        return interval.low <= truth <= interval.high

    return once


def _between_looks(n: int, every_h: float) -> Callable[[Rng], bool]:
    """Answers come at any time and are seen at the next look; 20 % are cut off. Truth: the median of the answers."""

    def once(rng: Rng) -> bool:
        came, stop = rng.exponential(20, n), rng.exponential(80, n)
        observed = []
        for wait, end in zip(came, stop, strict=True):
            seen = math.ceil(wait / every_h) * every_h
            last = math.floor(end / every_h) * every_h
            cut = seen > last
            observed.append(
                Observed(
                    value=last if cut else seen,
                    earliest=None if cut else seen - every_h,
                    censored=cut,
                    case="c",
                    contact=None,
                    at_utc=datetime(2026, 1, 1, tzinfo=UTC),
                    evidence=(),
                )
            )
        _, low, high = median_with_bounds(Observations(observed))
        truth = 20 * math.log(2)
        return (low is None or low <= truth) and (high is None or truth <= high)

    return once


def _of_cases(rng: Rng, cases: int, alike: float) -> tuple[np.ndarray, np.ndarray]:
    """Return normal values, one to five of a case, correlated by `alike`, and the number of each one's case."""
    clusters = np.repeat(np.arange(cases), rng.integers(1, 6, cases))
    own, common = rng.normal(0, 1, clusters.size), rng.normal(0, 1, cases)[clusters]
    return math.sqrt(1 - alike) * own + math.sqrt(alike) * common, clusters


def _share_of_cases(cases: int, alike: float) -> Callable[[Rng], bool]:
    def once(rng: Rng) -> bool:
        share = rng.uniform(0.2, 0.9)
        values, clusters = _of_cases(rng, cases, alike)
        interval = share_interval(values < special.ndtri(share), clusters)
        return bool(interval.low <= share <= interval.high)

    return once


def _median_of_cases(cases: int, alike: float) -> Callable[[Rng], bool]:
    def once(rng: Rng) -> bool:
        values, clusters = _of_cases(rng, cases, alike)
        interval = clustered_median(np.exp(1.5 * values), clusters)
        assert interval is not None
        return interval.low <= 1.0 <= interval.high

    return once


def _km_of_cases(cases: int, alike: float) -> Callable[[Rng], bool]:
    """A case's waits are alike; about a third is cut off, each wait on its own."""

    def once(rng: Rng) -> bool:
        values, clusters = _of_cases(rng, cases, alike)
        waits, ends = np.exp(values), rng.exponential(4.0, values.size)
        curve = kaplan_meier(np.minimum(waits, ends), waits <= ends, clusters=clusters)
        _, low, high = median_of(curve)
        return (low is None or low <= 1.0) and (high is None or high >= 1.0)

    return once


def _rmst_of_cases(cases: int, alike: float) -> Callable[[Rng], bool | None]:
    grid = np.linspace(1e-9, 2.0, 20001)
    truth = float(np.trapezoid(special.ndtr(-np.log(grid)), grid))

    def once(rng: Rng) -> bool | None:
        values, clusters = _of_cases(rng, cases, alike)
        waits, ends = np.exp(values), rng.exponential(4.0, values.size)
        curve = kaplan_meier(np.minimum(waits, ends), waits <= ends, clusters=clusters)
        if curve.largest < 2.0:
            return None
        found = restricted_mean(curve, 2.0)
        return found.low <= truth <= found.high

    return once


def _shift(n: int) -> Callable[[Rng], bool]:
    def once(rng: Rng) -> bool:
        test = signed_rank_test(rng.normal(0.4, 1, n))
        assert test.low is not None
        assert test.high is not None
        return test.low <= 0.4 <= test.high

    return once


def _false_alarm(test: Callable[[np.ndarray], float | None], n: int) -> Callable[[Rng], bool]:
    def once(rng: Rng) -> bool:
        p = test(rng.normal(0, 1, n))
        return p is not None and p < 0.05

    return once


def _log_rank(n: int) -> Callable[[Rng], bool]:
    return lambda rng: log_rank([_censored(rng, n, 2.0), _censored(rng, n, 2.0)])[1] < 0.05


def _limit(n: int, share: float) -> Callable[[Rng], bool]:
    return lambda rng: limit_p_value(int(rng.binomial(n, share)), n, share) < 0.05


def _acquitted(n: int) -> Callable[[Rng], bool]:
    """Declared kept although just 94.9 % keep it."""
    return lambda rng: share_at_least(int(rng.binomial(n, 0.949)), n) >= 0.95


def _any_alarm(n: int, tests: int) -> Callable[[Rng], bool]:
    def once(rng: Rng) -> bool:
        found = [signed_rank_test(rng.normal(0, 1, n)).p_value for _ in range(tests)]
        return min(holm([p for p in found if p is not None])) < 0.05

    return once


def _alpha(units: int) -> Callable[[Rng], bool | None]:
    """Two reviewers who give the true of three values with chance .85, else any: truth by a very large sample."""

    def draw(rng: Rng, n: int) -> list[list[int]]:
        true = rng.integers(0, 3, n)
        rows = [np.where(rng.random(n) < 0.85, true, rng.integers(0, 3, n)) for _ in range(2)]
        return [list(pair) for pair in zip(*rows, strict=True)]

    truth = 1 - (1 - (0.85 + 0.05) ** 2 - 2 * 0.05**2) / (2 / 3)

    def once(rng: Rng) -> bool | None:
        interval = alpha_interval(draw(rng, units), rng, samples=400)
        if interval is None:  # nobody differed: the product gives no interval
            return None
        return interval.low <= truth <= interval.high

    return once


def _mean_cost(n: int) -> Callable[[Rng], bool]:
    def once(rng: Rng) -> bool:
        interval = mean_interval(rng.lognormal(0, 0.8, n), rng, samples=1000)
        assert interval is not None
        return interval.low <= math.exp(0.32) <= interval.high

    return once


def _spread(n: int) -> Callable[[Rng], bool]:
    quartiles = (math.exp(-0.6744897502), math.exp(0.6744897502))
    truth = (quartiles[1] - quartiles[0]) / (quartiles[1] + quartiles[0])

    def once(rng: Rng) -> bool:
        interval = spread_interval(rng.lognormal(0, 1, n), rng)
        return interval.low <= truth <= interval.high

    return once


def _wrong_rank(n: int) -> Callable[[Rng], bool | None]:
    """Five vendors hard to tell apart (60 to 75 points, cases spread by 15): a rank that is printed and wrong."""

    def once(rng: Rng) -> bool | None:
        data = [rng.normal(mean, 15, n) for mean in np.linspace(60, 75, 5)]
        samples = np.array([np.median(d[rng.integers(0, n, (200, n))], axis=1) for d in data])
        places = standings([float(np.median(d)) for d in data], samples)
        return any(place.rank is not None and place.rank != 5 - vendor for vendor, place in enumerate(places))

    return once


def _difference_of_shares(n: int) -> Callable[[Rng], bool]:
    def once(rng: Rng) -> bool:
        one, other = rng.uniform(0.1, 0.9, 2)
        found = difference_interval(wilson(int(rng.binomial(n, one)), n), wilson(int(rng.binomial(n, other)), n))
        return bool(found.low <= other - one <= found.high)

    return once


def _shift_of_audits(n: int) -> Callable[[Rng], bool]:
    def once(rng: Rng) -> bool:
        found = shift_interval(rng.lognormal(0, 1, n), rng.lognormal(0, 1, n) + 0.5)
        return found.low <= 0.5 <= found.high

    return once


def _difference_of_means(n: int) -> Callable[[Rng], bool | None]:
    """Waits of mean 1 and 2 up to a horizon of 1.5, censored at random."""

    def once(rng: Rng) -> bool | None:
        curves = []
        for mean in (1.0, 2.0):
            waits, bound = rng.exponential(mean, n), rng.exponential(4.0, n)
            curves.append(kaplan_meier(np.minimum(waits, bound), waits <= bound))
        if min(curve.largest for curve in curves) < 1.5:
            return None
        found = difference_interval(*(restricted_mean(curve, 1.5) for curve in curves))
        truth = 2 * (1 - math.exp(-0.75)) - (1 - math.exp(-1.5))
        return found.low <= truth <= found.high

    return once


def _false_trend(n: int) -> Callable[[Rng], bool]:
    def once(rng: Rng) -> bool:
        waits, bound = rng.exponential(1, n), rng.exponential(2, n)
        return rank_trend(rng.uniform(0, 9, n), np.minimum(waits, bound), waits <= bound)[1] < 0.05

    return once


ROWS: tuple[Row, ...] = (
    Row("share, Wilson", "n = 12, share .3–.95", AIMS, _wilson(12, 0.3, 0.95)),
    Row("share, Wilson", "n = 30, share .3–.95", AIMS, _wilson(30, 0.3, 0.95)),
    Row("share, Wilson", "n = 100, share .05–.95", AIMS, _wilson(100, 0.05, 0.95)),
    Row("median, order statistics", "n = 6, lognormal (96.9 % in theory)", SAFE, _median(6)),
    Row("median, order statistics", "n = 12, lognormal (96.1 %)", SAFE, _median(12)),
    Row("median, order statistics", "n = 30, lognormal (95.7 %)", SAFE, _median(30)),
    Row("median, Kaplan–Meier", "n = 6, a third censored", SAFE, _km_median(6, 2.0)),
    Row("median, Kaplan–Meier", "n = 12, a third censored", AIMS, _km_median(12, 2.0)),
    Row("median, Kaplan–Meier", "n = 30, a third censored", AIMS, _km_median(30, 2.0)),
    Row("median, Kaplan–Meier", "n = 100, a third censored", AIMS, _km_median(100, 2.0)),
    Row("median, Kaplan–Meier", "n = 100, half censored", AIMS, _km_median(100, 1.0)),
    Row("curve at one moment, log-log", "n = 30, a third censored", AIMS, _km_at(30, 2.0)),
    Row("curve at one moment, log-log", "n = 100, a third censored", AIMS, _km_at(100, 2.0)),
    Row("restricted mean", "n = 30, a third censored", AIMS, _rmst(30, 2.0)),
    Row("restricted mean", "n = 100, a third censored", AIMS, _rmst(100, 2.0)),
    Row("median seen between looks", "n = 30, looks every 4 h, a fifth censored", SAFE, _between_looks(30, 4.0)),
    Row("median seen between looks", "n = 30, looks every 12 h, a fifth censored", SAFE, _between_looks(30, 12.0)),
    Row("share, several of a case", "20 cases of 1–5, correlated by .5", AIMS, _share_of_cases(20, 0.5)),
    Row("share, several of a case", "60 cases of 1–5, correlated by .5", AIMS, _share_of_cases(60, 0.5)),
    Row("share, several of a case", "60 cases of 1–5, correlated by .9", AIMS, _share_of_cases(60, 0.9)),
    Row("median, several of a case", "6 cases of 1–5, correlated by .5", SAFE, _median_of_cases(6, 0.5)),
    Row("median, several of a case", "20 cases of 1–5, correlated by .5", SAFE, _median_of_cases(20, 0.5)),
    Row("median, several of a case", "60 cases of 1–5, correlated by .9", SAFE, _median_of_cases(60, 0.9)),
    Row("Kaplan–Meier, several of a case", "20 cases of 1–5, correlated by .5", AIMS, _km_of_cases(20, 0.5)),
    Row("Kaplan–Meier, several of a case", "60 cases of 1–5, correlated by .9", AIMS, _km_of_cases(60, 0.9)),
    Row("restricted mean, several of a case", "30 cases of 1–5, correlated by .5", AIMS, _rmst_of_cases(30, 0.5)),
    Row("shift of pairs, Hodges–Lehmann", "n = 6 (96.9 % in theory)", SAFE, _shift(6)),
    Row("shift of pairs, Hodges–Lehmann", "n = 12", SAFE, _shift(12)),
    Row("shift of pairs, Hodges–Lehmann", "n = 80 (normal approximation)", AIMS, _shift(80)),
    Row("difference of shares, Newcombe", "n = 12 and 12", AIMS, _difference_of_shares(12)),
    Row("difference of shares, Newcombe", "n = 40 and 40", AIMS, _difference_of_shares(40)),
    Row("shift of two audits, Hodges–Lehmann", "n = 6 and 6, lognormal", SAFE, _shift_of_audits(6)),
    Row("shift of two audits, Hodges–Lehmann", "n = 20 and 20, lognormal", SAFE, _shift_of_audits(20)),
    Row("shift of two audits, Hodges–Lehmann", "n = 80 and 80 (normal approximation)", AIMS, _shift_of_audits(80)),
    Row("difference of restricted means", "n = 30 and 30, censored", AIMS, _difference_of_means(30)),
    Row("difference of restricted means", "n = 100 and 100, censored", AIMS, _difference_of_means(100)),
    Row("false alarms: trend", "n = 12, a third censored", ALARM, _false_trend(12)),
    Row("alpha, bootstrap", "20 contacts, two reviewers", AIMS, _alpha(20)),
    Row("alpha, bootstrap", "50 contacts, two reviewers", AIMS, _alpha(50)),
    Row("mean cost, bootstrap-t", "n = 30, skewed (lognormal, 0.8)", AIMS, _mean_cost(30)),
    Row("mean cost, bootstrap-t", "n = 100, skewed", AIMS, _mean_cost(100)),
    Row("spread of waits, bootstrap", "n = 12, lognormal", AIMS, _spread(12)),
    Row("spread of waits, bootstrap", "n = 30, lognormal", AIMS, _spread(30)),
    Row("any wrong rank printed", "5 close vendors, 6 cases each", ALARM, _wrong_rank(6)),
    Row("any wrong rank printed", "5 close vendors, 30 cases each", ALARM, _wrong_rank(30)),
    Row("false alarms: sign test", "n = 12 pairs", ALARM, _false_alarm(lambda d: sign_test(d).p_value, 12)),
    Row("false alarms: signed rank", "n = 12 pairs", ALARM, _false_alarm(lambda d: signed_rank_test(d).p_value, 12)),
    Row("false alarms: log-rank", "30 against 30, a third censored", ALARM, _log_rank(30)),
    Row("false alarms: limit broken", "n = 12 at 95 %", ALARM, _limit(12, 0.95)),
    Row("false alarms: limit broken", "n = 100 at 80 %", ALARM, _limit(100, 0.8)),
    Row("false acquittals: limit kept", "n = 59 at 94.9 %", ALARM, _acquitted(59)),
    Row("false acquittals: limit kept", "n = 300 at 94.9 %", ALARM, _acquitted(300)),
    Row("any false alarm, Holm", "10 comparisons of 12 pairs", ALARM, _any_alarm(12, 10)),
)


@dataclass(frozen=True, slots=True)
class Result:
    """A row's outcome; `ok` is None where nothing is promised."""

    row: Row
    runs: int
    share: float
    ok: bool | None


def simulate(row: Row, runs: int, seed: int) -> Result:
    """Run one row. The band is widened by two and a half standard errors of the simulation itself."""
    rng = np.random.default_rng([seed, *row.name.encode(), *row.setting.encode()])
    outcomes = [found for found in (row.once(rng) for _ in range(runs)) if found is not None]
    share = sum(outcomes) / len(outcomes)
    ok: bool | None = None
    if row.wanted is not None:
        low, high = row.wanted
        noise = 2.5 * math.sqrt(0.05 * 0.95 / len(outcomes))
        ends = (low - noise if low > 0 else 0.0, high + noise if high < 1 else 1.0)
        if row.wanted == AIMS and runs >= 2000:
            ends = AIMS
        ok = ends[0] <= share <= ends[1]
    return Result(row, len(outcomes), share, ok)


def main(arguments: list[str] | None = None) -> int:
    """Print the table; 1 if a promised band is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args(arguments)
    started = time.perf_counter()
    print("| statistic | setting | runs | found | wanted |\n| --- | --- | ---: | ---: | --- |")
    missed = 0
    for row in ROWS:
        result = simulate(row, given.runs, given.seed)
        wanted = "no promise" if row.wanted is None else f"{row.wanted[0]:.0%} to {row.wanted[1]:.0%}"
        flag = "" if result.ok is not False else " **missed**"
        missed += result.ok is False
        print(f"| {row.name} | {row.setting} | {result.runs} | {result.share:.1%} | {wanted}{flag} |", flush=True)
    print(f"\n{len(ROWS)} rows, seed {given.seed}, {time.perf_counter() - started:.0f} s", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
