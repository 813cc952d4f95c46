"""How firmly vendors can be told apart: bootstrap over cases, and random weightings of the dimensions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.analysis.model.measures import Measure, MeasureKind
from audit.analysis.profiles import Scale

Floats = NDArray[np.float64]

BOOTSTRAPS = 400
WEIGHTINGS = 10_000


def resampled_score(
    measure: Measure, scale: Scale, drawn: Floats, place_of: Mapping[str, int], otherwise: float
) -> Floats:
    """Return a measure's points in each bootstrap sample of the cases.

    Args:
        measure: with its observations.
        scale: from values to points.
        drawn: shape (cases, samples): how often each case was drawn. Samples lie beside one another in memory, so that
            what is summed up along the cases is summed up for many samples at once.
        place_of: the case's row in `drawn`.
        otherwise: the points where a sample holds no observation at all.

    Returns:
        Shape (samples,). A median that a sample does not reach counts with its longest wait, which favours the vendor.
    """
    samples = drawn.shape[1]
    if not measure.observed:
        return np.full(samples, otherwise)
    row = np.array([place_of[o.case] for o in measure.observed])
    middle = measure.observed.middle
    order = np.argsort(middle, kind="stable")
    values, w = middle[order], drawn[row[order]]
    total = w.sum(axis=0)
    some = total > 0
    if measure.kind is MeasureKind.SHARE:
        estimate = np.divide((values > 0.5) @ w, total, out=np.zeros(samples), where=some)
    else:
        ended = measure.observed.ended[order]
        if ended.all():
            below = _accumulated(np.add, w) >= total / 2
        else:
            at_risk = _accumulated(np.add, w[::-1])[::-1]
            waiting = 1 - w[ended] / np.maximum(at_risk[ended], 1)
            below = _accumulated(np.multiply, waiting) <= 0.5 + 1e-12
        reaching = np.append(values[ended], values[-1])
        estimate = reaching[below.shape[0] - below.sum(axis=0)]  # once below, always below
    points = np.interp(estimate, scale.at, scale.points)
    return np.where(some, points, otherwise)


def _accumulated(add: np.ufunc, rows: Floats) -> Floats:
    """Return each row with all before it added (or multiplied): as `add.accumulate`, which is three times as slow."""
    found = np.empty_like(rows)
    found[:1] = rows[:1]
    for before, row, here in zip(found, rows[1:], found[1:], strict=False):
        add(before, row, out=here)
    return found


@dataclass(frozen=True, slots=True)
class Standing:
    """One vendor's place among the others."""

    rank: int | None
    rank_range: tuple[int, int]
    low: float
    high: float


def standings(totals: Sequence[float], samples: Floats) -> list[Standing]:
    """Rank vendors by their totals, with what the bootstrap leaves open.

    Args:
        totals: one per vendor.
        samples: shape (vendors, bootstrap samples): the totals in each sample.

    Returns:
        The rank (None where the vendor's 95 % interval covers a neighbour's total, or its 95 % range holds another
        rank), and that range of ranks.
    """
    n = len(totals)
    ranks = 1 + (samples[None, :, :] > samples[:, None, :]).sum(axis=1) if n <= 12 else _ranks(samples)
    lows, highs = np.quantile(samples, (0.025, 0.975), axis=1)
    order = sorted(range(n), key=lambda vendor: -totals[vendor])
    found: list[Standing | None] = [None] * n
    for position, vendor in enumerate(order):
        beside = [order[p] for p in (position - 1, position + 1) if 0 <= p < n]
        covered = any(lows[vendor] <= totals[other] <= highs[vendor] for other in beside)
        low, high = np.quantile(ranks[vendor], (0.025, 0.975), method="inverted_cdf")
        found[vendor] = Standing(
            None if covered or n < 2 or low < high else position + 1,
            (int(low), int(high)),
            float(lows[vendor]),
            float(highs[vendor]),
        )
    return [standing for standing in found if standing is not None]


def _ranks(samples: Floats) -> NDArray[np.int64]:
    """Return ranks from the top in each column; ties share the better rank's neighbourhood by order."""
    order = np.argsort(-samples, axis=0, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(1, samples.shape[0] + 1)[:, None], axis=0)
    return ranks


def weight_sensitivity(
    scores: Floats, rng: np.random.Generator, weightings: int = WEIGHTINGS
) -> tuple[Floats, NDArray[np.int64], NDArray[np.int64]]:
    """Return how the ranking moves when the weights do.

    Args:
        scores: shape (vendors, dimensions), 0..100.
        rng: of the weightings, each uniform over all weights that sum to 1 (Dirichlet with all ones).
        weightings: how many.

    Returns:
        Share of weightings in which each vendor comes first (ties are shared), and each vendor's best and worst rank.
    """
    weights = rng.dirichlet(np.ones(scores.shape[1]), size=weightings)
    totals = scores @ weights.T
    best = totals.max(axis=0)
    top = np.isclose(totals, best[None, :], rtol=0, atol=1e-9)
    first = (top / top.sum(axis=0)[None, :]).mean(axis=1)
    ranks = _ranks(np.round(totals, 9))
    return first, ranks.min(axis=1), ranks.max(axis=1)
