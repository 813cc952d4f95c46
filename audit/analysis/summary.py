"""From observations to a measure: estimator, interval and the sentence that goes with them."""

from __future__ import annotations

import numpy as np

from audit.analysis import phrases
from audit.analysis.clusters import clustered_median, share_interval
from audit.analysis.measures.spec import MeasureSpec
from audit.analysis.model.findings import Origin
from audit.analysis.model.measures import Measure, MeasureKind, Observations, Survival
from audit.analysis.statistics import SMALLEST_N
from audit.analysis.survival import kaplan_meier, median_of, restricted_mean
from audit.analysis.values import changed

_WILSON = "share, Wilson 95 % interval"
_MEDIAN = "median, order-statistic 95 % interval"
_KAPLAN_MEIER = "Kaplan–Meier median, complementary log-log 95 % interval"
_CLUSTERED = "; those of one case count as alike as they are"


def summarise(
    spec: MeasureSpec, vendor: str, observed: Observations, *, n_ours: int = 0, n_not_run: int = 0
) -> Measure:
    """Sum a vendor's observations up to one number with its interval, or say why there is none.

    Shares: Wilson. Complete values: median with the order-statistic interval, from n = 6. With censored values:
    Kaplan–Meier, from n = 6. Observations of one case are not independent: where there are several, the interval is the
    one that the differences between cases give, from 6 cases. Where a moment is known only to lie between two looks,
    the estimate takes the middle, and the interval runs from the low end at the earliest to the high end at the latest
    possible values.
    """
    n = len(observed)
    n_censored = n - int(np.count_nonzero(observed.ended))
    estimate = low = high = None
    why: str | None = None
    survival: Survival | None = None
    if spec.kind is MeasureKind.SHARE:
        method = _WILSON
        if n:
            interval = share_interval(observed.most > 0.5, observed.clusters)
            estimate, low, high = interval.estimate, interval.low, interval.high
        else:
            why = "nobody has judged this yet" if spec.by_person else f"no {spec.per} where this could be seen"
    else:
        method = _KAPLAN_MEIER if n_censored else _MEDIAN
        if n_censored:
            survival = _survival(observed)
        if n < SMALLEST_N:
            are = "is" if n == 1 else "are"
            why = f"a 95 % interval on a median needs {SMALLEST_N} {_plural(spec.per)}, and there {are} {n}"
        elif observed.n_cases < SMALLEST_N:
            come = f"the {n} {_plural(spec.per)} come from {phrases.count(observed.n_cases, 'case')}"
            why = f"a 95 % interval on a median needs {SMALLEST_N} cases, and {come}"
        else:
            estimate, low, high = median_with_bounds(observed)
            if estimate is None:
                why = "fewer than half of the waits ended while we watched"
    if observed.clusters is not None:
        method += _CLUSTERED
    measure = Measure(
        id=spec.id,
        name=spec.name,
        vendor=vendor,
        unit=spec.unit,
        kind=spec.kind,
        per=spec.per,
        dimension=spec.dimension,
        n=n,
        n_censored=n_censored,
        n_ours=n_ours,
        n_not_run=n_not_run,
        estimate=estimate,
        low=low,
        high=high,
        method=method,
        why_not=why,
        sentence="",
        survival=survival,
        observed=observed,
        n_by_machine=[o.origin for o in observed].count(Origin.MACHINE),
    )
    return changed(measure, sentence=sentence(measure))


def confirmed(spec: MeasureSpec | None, measure: Measure) -> Measure:
    """Return a measure without what only a machine read and nobody confirmed: no points are given for that."""
    if spec is None or not measure.n_by_machine:
        return measure
    sure = Observations(o for o in measure.observed if o.origin is not Origin.MACHINE)
    left = summarise(spec, measure.vendor, sure, n_ours=measure.n_ours, n_not_run=measure.n_not_run)
    if sure:
        return left
    return changed(left, why_not=f"read by machine alone ({measure.n}), and nobody has confirmed it yet")


def median_with_bounds(observed: Observations) -> tuple[float | None, float | None, float | None]:
    """Return the median with its 95 % interval, censored and between-looks values taken as what they are.

    Args:
        observed: any number, with or without censored values.

    Returns:
        Estimate, low and high; all None below n = 6 or 6 cases. An end that the curve does not reach is None.
    """
    if observed.n_cases < SMALLEST_N:
        return None, None, None
    clusters = observed.clusters
    early, middle, late, ended = observed.least, observed.middle, observed.most, observed.ended
    exact = np.array_equal(early, late)
    if ended.all():
        at_middle = lowest = highest = clustered_median(middle, clusters)
        if not exact:
            lowest, highest = clustered_median(early, clusters), clustered_median(late, clusters)
        assert at_middle is not None
        assert lowest is not None
        assert highest is not None
        return at_middle.estimate, lowest.low, highest.high
    estimate, low, high = median_of(kaplan_meier(middle, ended, clusters=clusters))
    if not exact:
        low = median_of(kaplan_meier(early, ended, clusters=clusters))[1]
        high = median_of(kaplan_meier(late, ended, clusters=clusters))[2]
    if low is None and estimate is None:  # too few ended; the bounds alone still say that the median is not shorter
        sure = clustered_median(early, clusters)
        low = sure.low if sure else None
    return estimate, low, high


def _survival(observed: Observations) -> Survival:
    ended = observed.ended
    curve = kaplan_meier(observed.middle, ended, clusters=observed.clusters if observed.n_cases > 1 else None)
    horizon = curve.largest
    reached = median_of(curve)[0] is not None
    at_least = None if reached else float(np.median(observed.least))
    if horizon <= 0:
        return Survival(curve=(), horizon=0.0, rmst=0.0, rmst_low=None, rmst_high=None, median_at_least=at_least)
    mean = restricted_mean(curve, horizon)
    # The normal interval leans on more than a median's does.
    enough = observed.n_cases >= 2 * SMALLEST_N and ended.any()
    return Survival(
        curve=curve.points(),
        horizon=horizon,
        rmst=mean.estimate,
        rmst_low=mean.low if enough else None,
        rmst_high=mean.high if enough else None,
        median_at_least=at_least,
    )


def sentence(measure: Measure) -> str:
    """Return the measure in words, with n, what was censored, and its interval or the reason why there is none."""

    def say(value: float | None) -> str:
        return "—" if value is None else phrases.with_unit(value, measure.unit)

    name = measure.name[0].upper() + measure.name[1:]
    asides = []
    if measure.n_censored:
        asides.append(f"{measure.n_censored} not ended when we stopped watching")
    if measure.n_by_machine:
        asides.append(f"{measure.n_by_machine} read by machine, unconfirmed")
    if measure.n_ours:
        asides.append(f"{measure.n_ours} failed on our side")
    if measure.n_not_run:
        asides.append(f"{measure.n_not_run} not run")
    beside = f" ({'; '.join(asides)})" if asides else ""
    counted = phrases.count(measure.n, measure.per) + beside
    if measure.kind is MeasureKind.SHARE and measure.n:
        shared = phrases.share(measure.observed.yes, measure.n)
        return f"{name}: {shared}; 95 % interval {say(measure.low)} to {say(measure.high)}{beside}."
    if measure.estimate is not None:
        high = say(measure.high) if measure.high is not None else "not reached"
        return f"{name}: median {say(measure.estimate)}, 95 % interval {say(measure.low)} to {high}; {counted}."
    if measure.survival is not None and measure.survival.median_at_least is not None and measure.n >= SMALLEST_N:
        return f"{name}: at least half took longer than {say(measure.survival.median_at_least)}; {counted}."
    if measure.n == 0:
        return f"{name}: not observed{beside}."
    values = ", ".join(
        ("more than " if o.censored else "") + say(o.value) for o in sorted(measure.observed, key=lambda o: o.value)[:5]
    )
    more = "" if measure.n <= 5 else ", …"
    return f"{name}: {values}{more}; {counted}; no interval: {measure.why_not}."


def _plural(per: str) -> str:
    return f"{per}s"
