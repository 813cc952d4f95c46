"""Measures of a vendor as a whole and not of one case: terms published, spread, agreement, equal respect."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from audit.analysis import phrases
from audit.analysis.case import Case
from audit.analysis.measures.cases import judged
from audit.analysis.measures.spec import Per
from audit.analysis.model.comparisons import AgreementResult, PairTest
from audit.analysis.model.measures import Measure, MeasureKind, Observations
from audit.analysis.personas import established_difference
from audit.analysis.statistics import Interval
from audit.plan.model import PromisedWhat, PromiseKind, Vendor
from probes.events import Judged

_TERMS: dict[str, frozenset[PromisedWhat]] = {
    "time to an answer": frozenset({PromisedWhat.FIRST_HUMAN_RESPONSE, PromisedWhat.RECEIPT}),
    "time to a solution": frozenset({PromisedWhat.RESOLUTION}),
    "time between updates": frozenset({PromisedWhat.UPDATE}),
    "time to a person on the telephone": frozenset({PromisedWhat.CALL_ANSWERED, PromisedWhat.HUMAN_ON_CALL}),
}
_BOOTSTRAPS = 1000
_SMALLEST_SPREAD = 12  # below it the interval covers less than 90 %

Floats = NDArray[np.float64]


def vendor_measures(
    vendor: Vendor | None,
    vendor_id: str,
    cases: Sequence[Case],
    measures: Sequence[Measure],
    pairs: Sequence[PairTest],
    agreements: Sequence[AgreementResult],
    rng: np.random.Generator,
) -> list[Measure]:
    """Return the measures of dimensions 12 to 14."""
    found = []
    if vendor is not None:
        found.append(_published(vendor))
    found.append(_clicks(vendor_id, cases))
    found.append(_spread(vendor_id, measures, rng))
    found.append(_pair_difference(vendor_id, measures, pairs))
    found.append(_answer_agreement(vendor_id, agreements))
    return found


def _measure(
    id: str,
    name: str,
    vendor: str,
    dimension: int,
    n: int,
    values: tuple[float | None, float | None, float | None],
    method: str,
    why: str | None,
    unit: str = "ratio",
    aside: str = "",
) -> Measure:
    estimate, low, high = values
    head = name[0].upper() + name[1:]
    if estimate is None:
        sentence = f"{head}: {why}."
    else:
        ends = ""
        if low is not None and high is not None and (low, high) != (estimate, estimate):
            ends = f", 95 % interval {phrases.with_unit(low, unit)} to {phrases.with_unit(high, unit)}"
        sentence = f"{head}: {phrases.with_unit(estimate, unit)}{ends}{aside}."
    return Measure(
        id=id,
        name=name,
        vendor=vendor,
        unit=unit,
        kind=MeasureKind.QUANTITY,
        per=Per.VENDOR,
        dimension=dimension,
        n=n,
        n_censored=0,
        n_ours=0,
        n_not_run=0,
        estimate=estimate,
        low=low,
        high=high,
        method=method,
        why_not=why,
        sentence=sentence,
        survival=None,
        observed=Observations(),
    )


def _published(vendor: Vendor) -> Measure:
    """Return the share of the terms that matter which the vendor publishes in numbers: a count, no estimate."""
    public = {p.what for p in vendor.promises if p.kind is PromiseKind.PUBLISHED}
    given = [term for term, wanted in _TERMS.items() if wanted & public]
    missing = [term for term in _TERMS if term not in given]
    share = len(given) / len(_TERMS)
    aside = f", {len(given)} of {len(_TERMS)}" + (f"; not published: {phrases.listed(missing)}" if missing else "")
    return _measure(
        "published_terms", "terms published in numbers", vendor.id, 14, len(_TERMS), (share, share, share), "count",
        None, aside=aside,
    )  # fmt: skip


def _clicks(vendor: str, cases: Sequence[Case]) -> Measure:
    counts = []
    for case in cases:
        for event in judged(case, "clicks_to_find"):
            assert isinstance(event.what, Judged)
            if event.what.value.isdigit():
                counts.append(float(event.what.value))
    median = float(np.median(counts)) if counts else None
    values = (median, min(counts), max(counts)) if counts else (None, None, None)
    return _measure(
        "clicks_to_find", "clicks to the way of contact", vendor, 14, len(counts), values,
        "median of the reviewers' counts, from the least to the most", None if counts else "nobody has counted them",
        unit="clicks",
    )  # fmt: skip


def _spread(vendor: str, measures: Sequence[Measure], rng: np.random.Generator) -> Measure:
    """Return the quartile coefficient of dispersion, (Q3 − Q1) / (Q3 + Q1), of the time to a person's answer."""
    source = next((m for m in measures if m.id == "first_human_response_s"), None)
    observed = Observations(o for o in source.observed if not o.censored) if source else Observations()
    n, cut_off = len(observed), (source.n_censored if source else 0)
    values: tuple[float | None, float | None, float | None] = (None, None, None)
    why: str | None = None
    if n < _SMALLEST_SPREAD:
        why = f"{_SMALLEST_SPREAD} answered tickets are needed, and there are {n}"
    elif cut_off * 4 > n + cut_off:
        why = "more than a quarter of the tickets had no answer, so that the upper quartile is not known"
    else:
        spread = spread_interval(observed.middle, rng)
        values = (spread.estimate, spread.low, spread.high)
    return _measure(
        "response_spread", "spread of the time to a person's answer", vendor, 13, n, values,
        "quartile coefficient of dispersion, percentile bootstrap", why,
    )  # fmt: skip


def spread_interval(values: Floats, rng: np.random.Generator) -> Interval:
    """Return the quartile coefficient of dispersion with its percentile bootstrap interval.

    Args:
        values: shape (n,), >= 0; below 12 the interval covers less than 90 %.
        rng: of the resampling.
    """
    drawn = rng.choice(values, size=(_BOOTSTRAPS, values.size))
    low, high = np.quantile(_dispersion(drawn), (0.025, 0.975))
    return Interval(float(_dispersion(values[None, :])[0]), float(low), float(high))


def _dispersion(
    rows: np.ndarray[tuple[int, int], np.dtype[np.float64]],
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    ordered = np.sort(rows, axis=1)
    first, third = _quantile(ordered, 0.25), _quantile(ordered, 0.75)
    total = first + third
    spread: Floats = np.divide(third - first, total, out=np.zeros_like(total), where=total > 0)
    return spread


def _quantile(ordered: np.ndarray[tuple[int, int], np.dtype[np.float64]], share: float) -> Floats:
    """Return a quantile of each sorted row, as `np.quantile` does, whose search takes twenty times as long as sorting.

    Source: Hyndman, Fan (1996), The American Statistician 50:361, type 7.
    """
    place = share * (ordered.shape[1] - 1)
    below = int(place)
    rest, low, high = place - below, ordered[:, below], ordered[:, min(below + 1, ordered.shape[1] - 1)]
    found: Floats = high - (high - low) * (1 - rest) if rest >= 0.5 else low + (high - low) * rest
    return found


def _pair_difference(vendor: str, measures: Sequence[Measure], pairs: Sequence[PairTest]) -> Measure:
    own = [test for test in pairs if test.vendor == vendor]
    medians = {m.id: m.estimate for m in measures if m.estimate is not None}
    found = established_difference(own, medians)
    if not found:
        why = "no matched personas with six pairs or more" if own else "the plan has no matched personas"
        return _measure("pair_difference", "difference between matched personas", vendor, 12, 0, (None, None, None), "",
                        why)  # fmt: skip
    worst = max(found, key=lambda measure: found[measure])
    value = found[worst]
    names = {m.id: m.name for m in measures}
    aside = (
        f" of the median, in {names[worst]}" if value > 0 else f"; no difference established in {len(found)} measures"
    )
    return _measure(
        "pair_difference", "difference between matched personas", vendor, 12, len(found), (value, value, value),
        "largest part of a difference that its 95 % interval establishes, in units of the median", None, aside=aside,
    )  # fmt: skip


def _answer_agreement(vendor: str, agreements: Sequence[AgreementResult]) -> Measure:
    own = next((a for a in agreements if a.vendor == vendor and a.question == "answer_code"), None)
    why = "no answer was coded" if own is None else own.why_not
    values = (None, None, None) if own is None or own.alpha is None else (own.alpha, own.low, own.high)
    return _measure(
        "answer_agreement", "agreement of answers to the same question", vendor, 13, own.n_units if own else 0, values,
        "Krippendorff's alpha, percentile bootstrap over questions", why, unit="",
    )  # fmt: skip
