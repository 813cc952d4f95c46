"""The scorecard: measures turned into points by a profile, dimensions, total, and how firm the ranking is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from audit.analysis import phrases
from audit.analysis.dimensions import DIMENSIONS
from audit.analysis.model.measures import Measure
from audit.analysis.model.scores import DimensionScore, Scorecard, ScorePart
from audit.analysis.profiles import Profile, Scale
from audit.analysis.ranking import BOOTSTRAPS, WEIGHTINGS, resampled_score, standings, weight_sensitivity
from audit.analysis.statistics import SMALLEST_N
from audit.analysis.values import changed

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class VendorCases:
    """What a scorecard is made of: a vendor's measures and the ids of its cases."""

    vendor: str
    measures: Mapping[str, Measure]
    cases: tuple[str, ...]


def usable_weights(weights: Mapping[str, float]) -> tuple[dict[str, float], tuple[str, ...]]:
    """Return the weight of every dimension, and what could not be used.

    Without weights all are 1. A dimension that is not named weighs 0 if any other is; a negative weight, one that is
    not a number, and a name that is no dimension are left out and said.
    """
    known = {dimension.id for dimension in DIMENSIONS}
    faults = tuple(
        f"the weight {phrases.number(value) if value == value else 'NaN'} of {name} cannot be used"
        for name, value in weights.items()
        if name not in known or not 0 <= value < float("inf")
    )
    usable = {name: value for name, value in weights.items() if name in known and 0 <= value < float("inf")}
    return {d.id: usable.get(d.id, 0.0 if usable else 1.0) for d in DIMENSIONS}, faults


def scorecards(
    vendors: Sequence[VendorCases], profile: Profile, weights: Mapping[str, float], rng: np.random.Generator
) -> tuple[Scorecard, ...]:
    """Return a scorecard per vendor, and the ranking as far as it can be told.

    A vendor's total is the weighted mean of its rated dimensions. Vendors are compared on the dimensions that are
    rated for all of those with six cases or more, so that nobody wins by what was not measured.
    """
    dimensions = [[_dimension(vendor, d.id, profile, weights) for d in DIMENSIONS] for vendor in vendors]
    compared = [
        place
        for place, vendor in enumerate(vendors)
        if len(vendor.cases) >= SMALLEST_N and any(d.score is not None and d.weight > 0 for d in dimensions[place])
    ]
    common = [
        column
        for column in range(len(DIMENSIONS))
        if compared and all(dimensions[place][column].score is not None for place in compared)
    ]
    weighing = [column for column in common if weights[DIMENSIONS[column].id] > 0]
    cards = [_card(vendors[place], profile, dimensions[place], weights) for place in range(len(vendors))]
    if not weighing:
        return tuple(cards)
    scores = np.array(
        [[dimensions[place][column].score for column in weighing] for place in compared], dtype=np.float64
    )
    weight = np.array([weights[DIMENSIONS[column].id] for column in weighing])
    weight = weight / weight.sum()
    totals = scores @ weight
    samples = np.array(
        [_resampled(vendors[place], dimensions[place], weighing, profile, rng) @ weight for place in compared]
    )
    places = standings(totals.tolist(), samples)
    first, best, worst = weight_sensitivity(scores, rng)
    on = "" if len(common) == len(DIMENSIONS) else f"compared on the {len(weighing)} dimensions rated for all"
    for position, place in enumerate(compared):
        standing = places[position]
        several = len(compared) > 1
        why = cards[place].why_not
        if several and standing.rank is None:
            why = "the interval of the total covers a neighbour's, or the range of ranks holds more than one"
        cards[place] = replace(
            cards[place],
            total=float(totals[position]),
            low=standing.low,
            high=standing.high,
            rank=standing.rank if several else None,
            rank_range=standing.rank_range if several else None,
            weight_rank_range=(int(best[position]), int(worst[position])) if several else None,
            first_share=float(first[position]) if several else None,
            weightings=WEIGHTINGS if several else 0,
            why_not="; ".join(part for part in (why, on if several else "") if part) or None,
        )
    return tuple(cards)


def _card(
    vendor: VendorCases, profile: Profile, dimensions: Sequence[DimensionScore], weights: Mapping[str, float]
) -> Scorecard:
    rated = [d for d in dimensions if d.score is not None and d.weight > 0]
    total = None
    why: str | None = None
    if not any(weights.values()):
        why = "all weights are zero"
    elif not rated:
        why = "no dimension is rated"
    else:
        total = sum((d.score or 0.0) * d.weight for d in rated) / sum(d.weight for d in rated)
        if len(vendor.cases) < SMALLEST_N:
            n = len(vendor.cases)
            why = f"a rank needs {SMALLEST_N} cases, and there {'is' if n == 1 else 'are'} {n}"
    return Scorecard(
        vendor=vendor.vendor,
        profile=profile.id,
        dimensions=tuple(dimensions),
        total=total,
        low=None,
        high=None,
        n_cases=len(vendor.cases),
        rank=None,
        rank_range=None,
        weight_rank_range=None,
        first_share=None,
        weightings=0,
        why_not=why,
    )


def _dimension(vendor: VendorCases, id: str, profile: Profile, weights: Mapping[str, float]) -> DimensionScore:
    """Score a dimension: the mean of its rated measures' points; its interval the mean of their ends."""
    dimension = next(d for d in DIMENSIONS if d.id == id)
    scales = profile.scales.get(id, {})
    parts = [_part(vendor.measures.get(measure), measure, scale) for measure, scale in scales.items()]
    rated = [part for part in parts if part.score is not None]
    used = [vendor.measures[part.measure] for part in rated]
    why: str | None = None
    if not rated:
        missing = [part.why_not for part in parts if part.why_not]
        why = missing[0] if missing else "the profile has no scale for it"
    return DimensionScore(
        number=dimension.number,
        id=id,
        name=dimension.name,
        score=_mean([part.score for part in rated]),
        low=_mean([part.low if part.low is not None else 0.0 for part in rated]),
        high=_mean([part.high if part.high is not None else 100.0 for part in rated]),
        n=max((measure.n for measure in used), default=0),
        weight=weights[id],
        why_not=why,
        parts=tuple(parts),
        measures=tuple(scales),
        evidence=tuple(dict.fromkeys(e for m in used for o in m.observed[:50] for e in o.evidence[:2]))[:50],
    )


def _mean(values: Sequence[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    return sum(numbers) / len(numbers) if numbers else None


def _part(measure: Measure | None, id: str, scale: Scale) -> ScorePart:
    """Turn one measure into points, or say why not.

    A median that was not reached is rated only where even its lower end gives no points.
    """
    unit = measure.unit if measure else ""
    nothing = ScorePart(
        measure=id, estimate=None, scale=scale.text(unit), score=None, low=None, high=None, why_not="not measured"
    )
    if measure is None:
        return nothing
    if measure.n < scale.least_n:
        seen = phrases.count(measure.n, measure.per) if measure.n else "none"
        why = measure.why_not if not measure.observed and measure.why_not else None
        needed = f"{measure.name}: {scale.least_n} needed, {seen} seen"
        return changed(nothing, why_not=f"{measure.name}: {why}" if why and not measure.n else needed)
    falls = scale.points[0] > scale.points[-1]
    if measure.estimate is None:
        best = scale.score(measure.low) if falls and measure.low is not None else None
        if best == 0:
            return changed(nothing, score=0.0, low=0.0, high=0.0, why_not=None)
        return changed(nothing, why_not=f"{measure.name}: {measure.why_not}")
    at_low = scale.score(measure.low) if measure.low is not None else scale.points[0]
    at_high = scale.score(measure.high) if measure.high is not None else scale.points[-1]
    return ScorePart(
        measure=id,
        estimate=measure.estimate,
        scale=scale.text(unit),
        score=scale.score(measure.estimate),
        low=min(at_low, at_high),
        high=max(at_low, at_high),
        why_not=None,
    )


def _resampled(
    vendor: VendorCases,
    dimensions: Sequence[DimensionScore],
    columns: Sequence[int],
    profile: Profile,
    rng: np.random.Generator,
) -> Floats:
    """Return the dimensions' points in bootstrap samples of the vendor's cases, shape (samples, columns)."""
    n = len(vendor.cases)
    drawn = np.ascontiguousarray(rng.multinomial(n, np.full(n, 1 / n), size=BOOTSTRAPS).T, dtype=np.float64)
    place_of = {case: place for place, case in enumerate(vendor.cases)}
    found = np.empty((BOOTSTRAPS, len(columns)))
    for position, column in enumerate(columns):
        dimension = dimensions[column]
        scales = profile.scales[dimension.id]
        parts = [
            resampled_score(vendor.measures[part.measure], scales[part.measure], drawn, place_of, part.score)
            for part in dimension.parts
            if part.score is not None
        ]
        found[:, position] = np.mean(parts, axis=0)
    return found
