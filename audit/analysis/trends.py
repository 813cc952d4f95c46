"""Before and after under the same protocol, trend within an audit, and alarms that know about several looks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from audit.analysis import phrases
from audit.analysis.clusters import share_interval
from audit.analysis.model.audits import Analysis
from audit.analysis.model.findings import Origin, Verdict
from audit.analysis.model.measures import Measure, MeasureKind, Observations, Observed
from audit.analysis.statistics import (
    SMALLEST_N,
    Interval,
    difference_interval,
    holm,
    rank_trend,
    shift_interval,
)
from audit.analysis.survival import kaplan_meier, log_rank, restricted_mean

_SMALLEST_TREND = 10
_MOST_PAIRED = 1000
"""Of larger samples every so-manieth observation stands for the others where all pairs are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One measure of one vendor, before and after. `p_holm` is adjusted for all measures compared.

    `difference` is after minus before with its 95 % interval: of the shares, of the restricted means where waits were
    censored, else the median of all differences.
    """

    vendor: str
    measure: str
    unit: str
    before: float | None
    after: float | None
    n_before: int
    n_after: int
    difference: float | None
    low: float | None
    high: float | None
    p_value: float | None
    p_holm: float | None
    method: str
    why_not: str | None
    verdict: Verdict
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """How a measure moved within an audit: change per day (Theil–Sen) with its interval, and Kendall's test.

    `per_day` is null for shares and where waits were censored: then the direction alone is told. `p_holm` is adjusted
    for all trends of the audit.
    """

    vendor: str
    measure: str
    unit: str
    per_day: float | None
    low: float | None
    high: float | None
    p_value: float | None
    p_holm: float | None
    n: int
    n_censored: int
    why_not: str | None
    verdict: Verdict
    sentence: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """One look at a measure against its baseline. `level` is what this look may spend of the whole 5 %."""

    look: int
    p_value: float
    level: float
    raised: bool


def compare(before: Analysis, after: Analysis, wanted: frozenset[str] | None = None) -> tuple[Comparison, ...]:
    """Compare two audits measure by measure, vendor by vendor.

    Waits with censored values by the log-rank test, other quantities by Mann–Whitney (exact for small samples without
    ties), shares by Fisher's exact test. From 6 observations on both sides; p-values are adjusted by Holm over all
    comparisons. A change in what only a machine read is an anomaly at most. Two audits may be compared only if made by
    the same method and profile.

    Args:
        before: the earlier audit, analysed by today's method.
        after: the later one.
        wanted: the measures to compare; None: all. Each one more makes all of them harder to establish.

    Raises:
        ValueError: the method or the profile differs.
    """
    if before.method_version != after.method_version or before.profile.id != after.profile.id:
        raise ValueError("only audits of one method and one profile can be compared; analyse the older one again")
    old = {(m.vendor, m.id): m for m in before.measures}
    pairs = [
        (old[measure.vendor, measure.id], measure)
        for measure in after.measures
        if (wanted is None or measure.id in wanted) and (measure.vendor, measure.id) in old
    ]
    pairs = [(one, other) for one, other in pairs if one.observed and other.observed]
    found = [_compare(one, other) for one, other in pairs]
    for place, p_holm in _holm([comparison.p_value for comparison in found]):
        comparison = found[place]
        verdict = _verdict(comparison.p_value, p_holm)
        said = _p_words(p_holm)
        if verdict is Verdict.CONFIRMED and any(_read_by_machine(measure.observed) for measure in pairs[place]):
            verdict, said = Verdict.ANOMALY, f"{said}; read by machine, unconfirmed"
        end = {
            Verdict.CONFIRMED: "the change is established",
            Verdict.ANOMALY: "a change that needs another look",
        }.get(verdict, "no change is established")
        found[place] = replace(
            comparison, p_holm=p_holm, verdict=verdict, sentence=f"{comparison.sentence[:-1]}; {said}: {end}."
        )
    return tuple(found)


def _holm(p_values: Sequence[float | None]) -> list[tuple[int, float]]:
    """Return the places that have a p-value, each with the adjusted one."""
    places = [place for place, p in enumerate(p_values) if p is not None]
    return list(zip(places, holm([p_values[place] or 0.0 for place in places]), strict=True))


def _verdict(p: float | None, p_holm: float) -> Verdict:
    if p_holm < 0.05:
        return Verdict.CONFIRMED
    return Verdict.ANOMALY if p is not None and p < 0.05 else Verdict.NOT_ESTABLISHED


def _p_words(p_holm: float) -> str:
    return f"{f'p = {p_holm:.3f}' if p_holm >= 0.001 else 'p < 0.001'}, adjusted"


def _read_by_machine(observed: Iterable[Observed]) -> bool:
    return any(o.origin is Origin.MACHINE for o in observed)


def _compare(before: Measure, after: Measure) -> Comparison:
    p: float | None = None
    why: str | None = None
    method, change = "", None
    if min(before.n, after.n) < SMALLEST_N:
        why = f"{SMALLEST_N} {after.per}s on both sides are needed, and there are {before.n} and {after.n}"
    elif len({(o.value, o.censored) for m in (before, after) for o in m.observed}) == 1:
        why = "every single one is the same"  # no test could ever tell a change, so it is none of those counted
    else:
        p, method = _p_value(before, after)
        change = _change(before, after)
    name = after.name[0].upper() + after.name[1:]

    def say(measure: Measure) -> str:
        value = phrases.with_unit(measure.estimate, measure.unit) if measure.estimate is not None else "no estimate"
        cut = f", {measure.n_censored} not ended" if measure.n_censored else ""
        return f"{value} (n = {measure.n}{cut})"

    tail = f"; {why}" if why else ""
    if change is not None:
        unit = "points" if after.unit == "ratio" else after.unit
        by, low, high = (
            phrases.signed(value * 100 if after.unit == "ratio" else value, unit)
            for value in (change.estimate, change.low, change.high)
        )
        tail = f"; by {by}, 95 % interval {low} to {high}{tail}"
    return Comparison(
        vendor=after.vendor,
        measure=after.id,
        unit=after.unit,
        before=before.estimate,
        after=after.estimate,
        n_before=before.n,
        n_after=after.n,
        difference=change.estimate if change else None,
        low=change.low if change else None,
        high=change.high if change else None,
        p_value=p,
        p_holm=None,
        method=method,
        why_not=why,
        verdict=Verdict.NOT_ESTABLISHED,
        sentence=f"{name}: from {say(before)} to {say(after)}{tail}.",
    )


def _change(before: Measure, after: Measure) -> Interval | None:
    """Return after minus before with its interval; None where there is none that holds what it says."""
    if after.kind is MeasureKind.SHARE:
        one, other = (share_interval(m.observed.most > 0.5, m.observed.clusters) for m in (before, after))
        return difference_interval(one, other)
    values = [m.observed.middle for m in (before, after)]
    if not before.n_censored and not after.n_censored:
        return shift_interval(_thinned(values[0]), _thinned(values[1]))
    ended = [m.observed.ended for m in (before, after)]
    if min(before.n, after.n) < 2 * SMALLEST_N or not all(of.any() for of in ended):
        return None  # the restricted mean's interval leans on more than a median's does
    curves = [kaplan_meier(v, of) for v, of in zip(values, ended, strict=True)]
    horizon = min(curve.largest for curve in curves)
    if horizon <= 0:
        return None
    return difference_interval(*(restricted_mean(curve, horizon) for curve in curves))


def _thinned(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values if values.size <= _MOST_PAIRED else np.sort(values)[:: -(-values.size // _MOST_PAIRED)]


def _p_value(before: Measure, after: Measure) -> tuple[float, str]:
    from scipy import stats  # takes a second to load

    if after.kind is MeasureKind.SHARE:
        yes = [m.observed.yes for m in (before, after)]
        table = np.array([[yes[0], before.n - yes[0]], [yes[1], after.n - yes[1]]])
        return float(stats.fisher_exact(table).pvalue), "Fisher's exact test"
    values = [m.observed.middle for m in (before, after)]
    if before.n_censored or after.n_censored:
        ended = [m.observed.ended for m in (before, after)]
        return log_rank(list(zip(values, ended, strict=True)))[1], "log-rank test"
    return float(stats.mannwhitneyu(values[0], values[1]).pvalue), "Mann–Whitney test"


def trends(analysis: Analysis, wanted: frozenset[str] | None = None) -> tuple[Trend, ...]:
    """Say of each wanted measure how it moved within the audit; p-values are adjusted by Holm over all of them."""
    begun = {story.case: story.opened_at_utc for story in analysis.stories}
    chosen = [m for m in analysis.measures if m.observed and (wanted is None or m.id in wanted)]
    found = [trend(measure, begun) for measure in chosen]
    for place, p_holm in _holm([one.p_value for one in found]):
        one = found[place]
        verdict = _verdict(one.p_value, p_holm)
        said = _p_words(p_holm)
        if verdict is Verdict.CONFIRMED and _read_by_machine(chosen[place].observed):
            verdict, said = Verdict.ANOMALY, f"{said}; read by machine, unconfirmed"
        end = {
            Verdict.CONFIRMED: "the trend is established",
            Verdict.ANOMALY: "a trend that needs another look",
        }.get(verdict, "no trend is established")
        found[place] = replace(one, p_holm=p_holm, verdict=verdict, sentence=f"{one.sentence[:-1]}; {said}: {end}.")
    return tuple(found)


def trend(measure: Measure, begun: Mapping[str, datetime]) -> Trend:
    """Say how a measure moved within an audit, day by day.

    Args:
        measure: with its observations. Of more than 1,000 an even sample in time is taken.
        begun: when each case was opened. An observation counts for that moment and not for when it was made: a long
            wait ends late, and that is no trend.

    Returns:
        Kendall's p from 10 observations, censored ones taken as lower bounds. The Theil–Sen slope per day with its
        95 % interval for quantities without censored values; a share and a wait that did not end have no slope that
        one could trust, and their direction alone is told.

    Source: Sen (1968), JASA 63:1379; Kendall (1938); for censored values `rank_trend`.
    """
    in_order = sorted(measure.observed, key=lambda o: (begun[o.case], o.case))
    observed = Observations(in_order[:: -(-len(in_order) // _MOST_PAIRED)] if in_order else ())
    name = measure.name[0].upper() + measure.name[1:]
    days = np.array([(begun[o.case] - begun[observed[0].case]).total_seconds() / 86400 for o in observed])
    why: str | None = None
    if len(observed) < _SMALLEST_TREND:
        why = f"a trend needs {_SMALLEST_TREND} observations, and there are {len(observed)}"
    elif np.ptp(days) == 0:
        why = "all cases were opened at one moment"
    if why is not None:
        return _trend(measure, len(observed), None, None, why, f"{name}: no trend, {why}.")
    values, ended = observed.middle, observed.ended
    tau, p = rank_trend(days, values, ended)
    way = "it tends to rise" if tau > 0 else "it tends to fall" if tau < 0 else "it neither rises nor falls"
    beside = f", {measure.n_censored} not ended" if measure.n_censored else ""
    if measure.kind is MeasureKind.SHARE or not ended.all():
        return _trend(measure, len(observed), None, p, None, f"{name}: {way}, n = {len(observed)}{beside}.")
    from scipy import stats  # takes a second to load

    slope = stats.theilslopes(values, days, alpha=0.95)
    per_day = Interval(float(slope.slope), float(slope.low_slope), float(slope.high_slope))
    said = [phrases.signed(value, measure.unit) for value in (per_day.estimate, per_day.low, per_day.high)]
    sentence = f"{name}: {said[0]} per day, 95 % interval {said[1]} to {said[2]}, n = {len(observed)}."
    return _trend(measure, len(observed), per_day, p, None, sentence)


def _trend(measure: Measure, n: int, per_day: Interval | None, p: float | None, why: str | None, said: str) -> Trend:
    return Trend(
        vendor=measure.vendor,
        measure=measure.id,
        unit=measure.unit,
        per_day=per_day.estimate if per_day else None,
        low=per_day.low if per_day else None,
        high=per_day.high if per_day else None,
        p_value=p,
        p_holm=None,
        n=n,
        n_censored=measure.n_censored,
        why_not=why,
        verdict=Verdict.NOT_ESTABLISHED,
        sentence=said,
    )


def look_level(look: int, level: float = 0.05) -> float:
    """Return what the look of this number (from 1) may spend: level / (k (k + 1)), which sums to the level for ever.

    However many looks are taken, the chance of any false alarm stays below the level.

    Raises:
        ValueError: looks count from 1.
    """
    if look < 1:
        raise ValueError("looks count from 1")
    return level / (look * (look + 1))


def alarms(baseline: Measure, looks: Sequence[Measure], level: float = 0.05) -> tuple[Alarm, ...]:
    """Compare later audits with a baseline, one after the other, without crying wolf the more often one looks.

    A look with fewer than 6 observations is no look: it spends nothing and raises nothing.
    """
    found: list[Alarm] = []
    for measure in looks:
        if min(len(baseline.observed), len(measure.observed)) < SMALLEST_N:
            continue
        p, _ = _p_value(baseline, measure)
        spend = look_level(len(found) + 1, level)
        found.append(Alarm(len(found) + 1, p, spend, p < spend))
    return tuple(found)
