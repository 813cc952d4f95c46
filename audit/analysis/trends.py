"""Before and after under the same protocol, trend within an audit, and alarms that know about several looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from audit.analysis import phrases
from audit.analysis.model import Analysis, Measure, MeasureKind, Verdict
from audit.analysis.statistics import SMALLEST_N, holm
from audit.analysis.summary import bounds
from audit.analysis.survival import log_rank


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One measure of one vendor, before and after. `p_holm` is adjusted for all measures compared."""

    vendor: str
    measure: str
    unit: str
    before: float | None
    after: float | None
    n_before: int
    n_after: int
    p_value: float | None
    p_holm: float | None
    method: str
    why_not: str | None
    verdict: Verdict
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """How a measure moved within an audit: change per day (Theil–Sen) with its interval, and Kendall's test."""

    vendor: str
    measure: str
    unit: str
    per_day: float | None
    low: float | None
    high: float | None
    p_value: float | None
    n: int
    why_not: str | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """One look at a measure against its baseline. `level` is what this look may spend of the whole 5 %."""

    look: int
    p_value: float
    level: float
    raised: bool


def compare(before: Analysis, after: Analysis) -> tuple[Comparison, ...]:
    """Compare two audits measure by measure, vendor by vendor.

    Waits with censored values by the log-rank test, other quantities by Mann–Whitney (exact for small samples without
    ties), shares by Fisher's exact test. From 6 observations on both sides; p-values are adjusted by Holm over all
    comparisons. Two audits may be compared only if made by the same method and profile.

    Raises:
        ValueError: the method or the profile differs.
    """
    if before.method_version != after.method_version or before.profile.id != after.profile.id:
        raise ValueError("only audits of one method and one profile can be compared; analyse the older one again")
    old = {(m.vendor, m.id): m for m in before.measures}
    found = [
        _compare(old[measure.vendor, measure.id], measure)
        for measure in after.measures
        if (measure.vendor, measure.id) in old and measure.observed and old[measure.vendor, measure.id].observed
    ]
    places = [place for place, comparison in enumerate(found) if comparison.p_value is not None]
    adjusted = holm([found[place].p_value or 0.0 for place in places])
    for place, p_holm in zip(places, adjusted, strict=True):
        verdict = Verdict.CONFIRMED if p_holm < 0.05 else Verdict.NOT_ESTABLISHED
        if verdict is not Verdict.CONFIRMED and (found[place].p_value or 1.0) < 0.05:
            verdict = Verdict.ANOMALY
        end = {Verdict.CONFIRMED: "the change is established", Verdict.ANOMALY: "a change that needs another look"}.get(
            verdict, "no change is established"
        )
        said = f"{found[place].sentence[:-1]}; p = {p_holm:.3f}, adjusted: {end}."
        found[place] = replace(found[place], p_holm=p_holm, verdict=verdict, sentence=said)
    return tuple(found)


def _compare(before: Measure, after: Measure) -> Comparison:
    p: float | None = None
    why: str | None = None
    method = ""
    if min(before.n, after.n) < SMALLEST_N:
        why = f"{SMALLEST_N} {after.per}s on both sides are needed, and there are {before.n} and {after.n}"
    else:
        p, method = _p_value(before, after)
    name = after.name[0].upper() + after.name[1:]

    def say(measure: Measure) -> str:
        value = phrases.with_unit(measure.estimate, measure.unit) if measure.estimate is not None else "no estimate"
        return f"{value} (n = {measure.n})"

    tail = f"; {why}" if why else ""
    return Comparison(
        vendor=after.vendor,
        measure=after.id,
        unit=after.unit,
        before=before.estimate,
        after=after.estimate,
        n_before=before.n,
        n_after=after.n,
        p_value=p,
        p_holm=None,
        method=method,
        why_not=why,
        verdict=Verdict.NOT_ESTABLISHED,
        sentence=f"{name}: from {say(before)} to {say(after)}{tail}.",
    )


def _p_value(before: Measure, after: Measure) -> tuple[float, str]:
    if after.kind is MeasureKind.SHARE:
        yes = [sum(o.value > 0.5 for o in m.observed) for m in (before, after)]
        table = np.array([[yes[0], before.n - yes[0]], [yes[1], after.n - yes[1]]])
        return float(stats.fisher_exact(table).pvalue), "Fisher's exact test"
    values = [bounds(m.observed)[1] for m in (before, after)]
    if before.n_censored or after.n_censored:
        ended = [np.array([not o.censored for o in m.observed]) for m in (before, after)]
        return log_rank(list(zip(values, ended, strict=True)))[1], "log-rank test"
    return float(stats.mannwhitneyu(values[0], values[1]).pvalue), "Mann–Whitney test"


def trend(measure: Measure) -> Trend:
    """Say how a measure moved within an audit, day by day.

    Args:
        measure: with its observations' moments; censored ones are left out, and with more than a quarter of them there
            is no trend.

    Returns:
        Theil–Sen slope per day with its 95 % interval and Kendall's p, from 10 observations.

    Source: Sen (1968), JASA 63:1379; Kendall (1938).
    """
    ended = [o for o in measure.observed if not o.censored]
    why: str | None = None
    if len(ended) < 10:
        why = f"a trend needs 10 observations, and there are {len(ended)}"
    elif measure.n_censored * 4 > measure.n:
        why = "more than a quarter are only bounds"
    name = measure.name[0].upper() + measure.name[1:]
    if why is not None:
        return _trend(measure, len(ended), None, None, None, None, why, f"{name}: no trend, {why}.")
    first = min(o.at_utc for o in ended)
    days: NDArray[np.float64] = np.array([(o.at_utc - first).total_seconds() / 86400 for o in ended])
    values = np.array([o.value for o in ended])
    if np.ptp(days) == 0:
        why = "all were seen at one moment"
        return _trend(measure, len(ended), None, None, None, None, why, f"{name}: no trend, {why}.")
    slope = stats.theilslopes(values, days, alpha=0.95)
    p = float(stats.kendalltau(days, values).pvalue) if np.ptp(values) else 1.0
    per_day, low, high = float(slope.slope), float(slope.low_slope), float(slope.high_slope)
    said = "no trend is established" if p >= 0.05 else "it rises" if per_day > 0 else "it falls"
    sentence = (
        f"{name}: {phrases.with_unit(per_day, measure.unit)} per day, 95 % interval "
        f"{phrases.with_unit(low, measure.unit)} to {phrases.with_unit(high, measure.unit)}, n = {len(ended)}; {said}."
    )
    return _trend(measure, len(ended), per_day, low, high, p, None, sentence)


def _trend(
    measure: Measure,
    n: int,
    per_day: float | None,
    low: float | None,
    high: float | None,
    p: float | None,
    why: str | None,
    sentence: str,
) -> Trend:
    return Trend(
        vendor=measure.vendor,
        measure=measure.id,
        unit=measure.unit,
        per_day=per_day,
        low=low,
        high=high,
        p_value=p,
        n=n,
        why_not=why,
        sentence=sentence,
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
        if min(baseline.n, measure.n) < SMALLEST_N:
            continue
        p, _ = _p_value(baseline, measure)
        spend = look_level(len(found) + 1, level)
        found.append(Alarm(len(found) + 1, p, spend, p < spend))
    return tuple(found)
