"""How far coded answers agree beyond chance: Krippendorff's alpha with a bootstrap interval."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from audit.analysis.statistics import Interval

Floats = NDArray[np.float64]


class Metric(StrEnum):
    """How far two values lie apart: not at all or wholly, by ranks, or by their difference."""

    NOMINAL = "nominal"
    ORDINAL = "ordinal"
    INTERVAL = "interval"


def krippendorff_alpha(units: Sequence[Sequence[Hashable]], metric: Metric = Metric.NOMINAL) -> float | None:
    """Return Krippendorff's alpha.

    Args:
        units: for each thing judged, the values that it got; any number of judges, missing ones left out. Units with
            fewer than two values say nothing about agreement and are ignored. Numbers for ordinal and interval.
        metric: of the values.

    Returns:
        1 for full agreement, 0 for what chance gives, down to −1. None where it is not defined: fewer than two units
        with two values, or one value throughout.

    Source: Krippendorff (2011), Computing Krippendorff's Alpha-Reliability; (2004) Content Analysis, ch. 11.
    """
    usable = [unit for unit in units if len(unit) >= 2]
    values = sorted({v for unit in usable for v in unit}, key=lambda v: (str(type(v)), v))
    if len(usable) < 2 or len(values) < 2:
        return None
    counts = _counts(usable, {value: place for place, value in enumerate(values)})
    return _alpha(counts, np.ones(len(usable)), _distances(values, metric))


def alpha_interval(
    units: Sequence[Sequence[Hashable]],
    rng: np.random.Generator,
    metric: Metric = Metric.NOMINAL,
    samples: int = 2000,
    confidence: float = 0.95,
) -> Interval | None:
    """Return alpha with its percentile bootstrap interval over units.

    Args:
        units: as for `krippendorff_alpha`; below some 20 units the interval is rough, below 6 there is none.
        rng: of the resampling.
        metric: of the values.
        samples: bootstrap samples; those in which alpha is not defined (one value throughout) count as full agreement.
        confidence: two-sided.
    """
    alpha = krippendorff_alpha(units, metric)
    usable = [unit for unit in units if len(unit) >= 2]
    if alpha is None or len(usable) < 6:
        return None
    values = sorted({v for unit in usable for v in unit}, key=lambda v: (str(type(v)), v))
    counts = _counts(usable, {value: place for place, value in enumerate(values)})
    distances = _distances(values, metric)
    drawn = rng.multinomial(len(usable), np.full(len(usable), 1 / len(usable)), size=samples).astype(np.float64)
    found = np.empty(samples)
    for place in range(samples):
        again = _alpha(counts, drawn[place], distances)
        found[place] = 1.0 if again is None else again
    low, high = np.quantile(found, ((1 - confidence) / 2, (1 + confidence) / 2))
    return Interval(alpha, float(low), float(high))


def _counts(units: Sequence[Sequence[Hashable]], places: Mapping[Hashable, int]) -> Floats:
    counts = np.zeros((len(units), len(places)))
    for row, unit in enumerate(units):
        for value in unit:
            counts[row, places[value]] += 1
    return counts


def _alpha(counts: Floats, weights: Floats, distances: Floats | Callable[[Floats], Floats]) -> float | None:
    """Return alpha for units (rows: how often each value was given) that count `weights` times."""
    per_unit = counts.sum(axis=1)
    scaled = weights / (per_unit - 1)
    total = (counts * weights[:, None]).sum(axis=0)
    d = distances(total) if callable(distances) else distances
    coincidence = (counts * scaled[:, None]).T @ counts - np.diag((counts * scaled[:, None]).sum(axis=0))
    n = total.sum()
    expected = (np.outer(total, total) - np.diag(total)) / (n - 1)
    observed_d, expected_d = float((coincidence * d).sum()), float((expected * d).sum())
    return None if expected_d <= 0 else 1 - observed_d / expected_d


def _distances(values: Sequence[Hashable], metric: Metric) -> Floats | Callable[[Floats], Floats]:
    if metric is Metric.NOMINAL:
        return 1.0 - np.eye(len(values))
    if metric is Metric.INTERVAL:
        numbers = np.array([float(v) for v in values])  # type: ignore[arg-type]
        squared: Floats = (numbers[:, None] - numbers[None, :]) ** 2
        return squared
    return _ordinal


def _ordinal(total: Floats) -> Floats:
    """Return squared distances by how many values lie between two ranks."""
    cumulative = np.cumsum(total)
    middle = cumulative - total / 2
    return (middle[:, None] - middle[None, :]) ** 2
