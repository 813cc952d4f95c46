"""Intervals and exact tests for the small samples of an audit: shares, medians, limits, matched pairs.

Values in, values out; nothing here knows what a vendor is. Where n is too small for the claim, the answer is None.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

SMALLEST_N = 6
"""Fewest values for a 95 % distribution-free interval on the median, and fewest pairs for p < .05 in a sign test."""

SMALLEST_N_OF_MEAN = 30
"""Fewest skewed values for which an interval on their mean covers about what it says."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate between two limits."""

    estimate: float
    low: float
    high: float


def wilson(successes: float, n: float, confidence: float = 0.95) -> Interval:
    """Return a share with its Wilson score interval.

    Args:
        successes: 0..n.
        n: trials, >= 1, assumed independent with one common chance; of dependent ones the effective number.
        confidence: two-sided, within (0, 1).

    Returns:
        The share and limits, all within 0..1. Never empty, even for 0 or n successes.

    Raises:
        ValueError: n < 1 or successes outside 0..n.

    Source: Wilson (1927), JASA 22:209; Brown, Cai, DasGupta (2001), Statistical Science 16:101.
    """
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"a share needs 0 <= successes <= n and n >= 1, not {successes} of {n}")
    z = float(special.ndtri(0.5 + confidence / 2))
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return Interval(share, low, high)


@lru_cache(maxsize=4096)
def median_ranks(n: int, confidence: float = 0.95) -> tuple[int, int] | None:
    """Return the ranks (from 1) of the order statistics that enclose the median.

    Args:
        n: number of values.
        confidence: at least this is covered, whatever the distribution.

    Returns:
        The narrowest symmetric pair, or None where n is too small (below 6 for 95 %).

    Source: Conover, Practical Nonparametric Statistics, 3rd ed., 3.2; field.md 2d has the table for 6, 12, 20, 30.
    """
    below = special.bdtr(np.arange(n // 2), n, 0.5) if n > 1 else np.zeros(0)
    usable = np.flatnonzero(below <= (1 - confidence) / 2)
    if usable.size == 0:
        return None
    rank = int(usable[-1]) + 1
    return rank, n + 1 - rank


def median_interval(values: Sequence[float] | NDArray[np.float64], confidence: float = 0.95) -> Interval | None:
    """Return the median with its distribution-free order-statistic interval.

    Args:
        values: complete (uncensored) values, shape (n,), assumed independent and of one distribution.
        confidence: the least coverage.

    Returns:
        None where n is too small (below 6 for 95 %).

    Raises:
        ValueError: a value is NaN.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    n = ordered.size
    if n and np.isnan(ordered[-1]):  # NaN is sorted to the end
        raise ValueError("a median of values with NaN is not defined")
    ranks = median_ranks(n, confidence)
    if ranks is None:
        return None
    return Interval(_middle(ordered), float(ordered[ranks[0] - 1]), float(ordered[ranks[1] - 1]))


def _middle(ordered: NDArray[np.float64]) -> float:
    """Return the median of sorted values; `np.median` would sort them again."""
    n = ordered.size
    return float((ordered[(n - 1) // 2] + ordered[n // 2]) / 2)


def limit_p_value(within: int, n: int, share: float) -> float:
    """Return the chance of so few within the limit if the true share were just the promised one (exact binomial).

    Args:
        within: how many of n kept the limit, 0..n.
        n: trials, >= 1.
        share: the promised share, 0..1.

    Returns:
        P(X <= within), one-sided; small means that the promise is broken.
    """
    if n < 1 or not 0 <= within <= n or not 0 <= share <= 1:
        raise ValueError(f"need 0 <= within <= n, n >= 1 and a share of 0..1, not {within} of {n} at {share}")
    return 1.0 if within == n else float(special.bdtr(within, n, share))


def n_without_miss(share: float, confidence: float = 0.95) -> int:
    """Return how many trials without a miss show that at least `share` keep the limit (59 for 95 % at 95 %).

    Raises:
        ValueError: share or confidence is not within (0, 1).
    """
    if not (0 < share < 1 and 0 < confidence < 1):
        raise ValueError("share and confidence lie between 0 and 1")
    return math.ceil(math.log1p(-confidence) / math.log(share) - 1e-12)


def share_at_least(within: int, n: int, confidence: float = 0.95) -> float:
    """Return the one-sided exact (Clopper–Pearson) lower limit of a share: "at least so much" at this confidence."""
    if n < 1 or not 0 <= within <= n:
        raise ValueError(f"need 0 <= within <= n and n >= 1, not {within} of {n}")
    return 0.0 if within == 0 else float(special.betaincinv(within, n - within + 1, 1 - confidence))


@dataclass(frozen=True, slots=True)
class PairedTest:
    """Outcome of a paired test: exact two-sided p, and the shift with its interval (None: no such interval)."""

    method: str
    n_used: int
    p_value: float | None
    estimate: float | None
    low: float | None
    high: float | None


def sign_test(differences: Sequence[float] | NDArray[np.float64]) -> PairedTest:
    """Test whether matched pairs differ, by direction alone; right also where a difference is only a lower bound.

    Args:
        differences: one per pair, shape (n,); zeros carry no direction and are left out. ±inf stands for a difference
            of which only the direction is known.

    Returns:
        The exact two-sided p (None with fewer than 6 differences other than 0), and the median of all differences
        with its order-statistic interval.

    Source: Conover 3.4. Assumes independent pairs.
    """
    d = np.asarray(differences, dtype=np.float64)
    moved = d[d != 0]
    n = int(moved.size)
    positive = int((moved > 0).sum())
    p = min(1.0, 2 * float(special.bdtr(min(positive, n - positive), n, 0.5))) if n >= SMALLEST_N else None
    interval = median_interval(d)
    if interval is None:
        return PairedTest("sign test", n, p, None, None, None)
    ends = (interval.estimate, interval.low, interval.high)
    return PairedTest("sign test", n, p, *(end if math.isfinite(end) else None for end in ends))


def signed_rank_test(differences: Sequence[float] | NDArray[np.float64], confidence: float = 0.95) -> PairedTest:
    """Wilcoxon's signed-rank test with the Hodges–Lehmann shift.

    Args:
        differences: one per pair, shape (n,), finite. Zeros are left out (Wilcoxon's own rule); ties share ranks.

    Returns:
        The exact two-sided p, ties included, for up to 50 pairs (normal approximation with tie and continuity
        correction beyond); None with fewer than 6 differences other than 0. The shift is the median of the Walsh
        averages of all differences; its interval counts from both ends by the exact distribution without ties.

    Source: Hollander, Wolfe, Chicken, Nonparametric Statistical Methods, 3rd ed., 3.1–3.3. Assumes independent pairs
    whose differences are symmetric about the shift.
    """
    d = np.asarray(differences, dtype=np.float64)
    if not np.isfinite(d).all():
        raise ValueError("the signed-rank test needs finite differences; use the sign test for censored ones")
    moved = d[d != 0]
    n = int(moved.size)
    if n < SMALLEST_N:
        return PairedTest("Wilcoxon signed-rank test", n, None, None, None, None)
    ranks = _midranks(np.abs(moved))
    w_plus = float(ranks[moved > 0].sum())
    p = _signed_rank_p(ranks, w_plus)
    walsh = np.sort(((d[:, None] + d[None, :]) / 2)[_upper_half(int(d.size))])
    cut = _signed_rank_cut(int(d.size), confidence)
    low, high = (float(walsh[cut]), float(walsh[-1 - cut])) if cut is not None else (None, None)
    return PairedTest("Wilcoxon signed-rank test", n, p, _middle(walsh), low, high)


@lru_cache(maxsize=8)
def _upper_half(n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return np.triu_indices(n)


def _midranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    ordered = np.sort(values)
    first = np.searchsorted(ordered, values, side="left")
    last = np.searchsorted(ordered, values, side="right")
    return (first + last + 1) / 2


def _signed_rank_p(ranks: NDArray[np.float64], w_plus: float) -> float:
    n, total = ranks.size, float(ranks.sum())
    smaller = min(w_plus, total - w_plus)
    if n > 50:
        spread = math.sqrt(float((ranks**2).sum()) / 4)
        return min(1.0, 2 * float(special.ndtr((smaller - total / 2 + 0.5) / spread)))
    chances = _sum_chances(tuple(sorted(round(2 * rank) for rank in ranks)))
    return min(1.0, 2 * float(chances[: round(2 * smaller) + 1].sum()))


@lru_cache(maxsize=64)
def _sum_chances(doubled_ranks: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the chances of each doubled rank sum when every sign is as likely as the other."""
    chances = np.zeros(sum(doubled_ranks) + 1)
    chances[0] = 1.0
    for rank in doubled_ranks:
        moved = chances.copy() * 0.5
        moved[rank:] += chances[: chances.size - rank] * 0.5
        chances = moved
    return chances


def _signed_rank_cut(n: int, confidence: float) -> int | None:
    """Return how many Walsh averages lie outside the interval at each end, or None where n is too small."""
    if n > 50:
        mean, spread = n * (n + 1) / 4, math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
        return max(0, math.floor(mean + float(special.ndtri((1 - confidence) / 2)) * spread))
    below = np.cumsum(_sum_chances(tuple(2 * rank for rank in range(1, n + 1)))[::2])
    usable = np.flatnonzero(below <= (1 - confidence) / 2)
    return int(usable[-1]) if usable.size else None


def mean_interval(
    values: Sequence[float] | NDArray[np.float64],
    rng: np.random.Generator,
    confidence: float = 0.95,
    samples: int = 2000,
) -> Interval | None:
    """Return the mean with its bootstrap-t interval, which follows the skew of the values.

    Args:
        values: shape (n,), finite, assumed independent and of one distribution.
        rng: of the resampling.
        confidence: two-sided; reached to within two points from n = 30 for values as skewed as costs are.
        samples: bootstrap samples.

    Returns:
        None below n = 30. Where all values are the same, the interval is that value.

    Source: Efron, Tibshirani (1993), An Introduction to the Bootstrap, 12.5.
    """
    x = np.asarray(values, dtype=np.float64)
    n = x.size
    if n < SMALLEST_N_OF_MEAN:
        return None
    if not np.isfinite(x).all():
        raise ValueError("a mean needs finite values")
    mean, error = float(x.mean()), float(x.std(ddof=1)) / math.sqrt(n)
    if error == 0:
        return Interval(mean, mean, mean)
    drawn = x[rng.integers(0, n, size=(samples, n))]
    means = drawn.mean(axis=1)
    errors = drawn.std(axis=1, ddof=1, mean=means[:, None]) / math.sqrt(n)
    least = error / (4 * n)  # a sample of almost one value only: its own error says nothing
    t = (means - mean) / np.maximum(errors, least)
    low_t, high_t = np.quantile(t, ((1 - confidence) / 2, (1 + confidence) / 2))
    return Interval(mean, mean - float(high_t) * error, mean - float(low_t) * error)


def difference_interval(before: Interval, after: Interval) -> Interval:
    """Return after minus before, with the interval that the two intervals give when they are squared and added.

    For two Wilson intervals this is Newcombe's hybrid score interval of the difference of two shares.

    Source: Newcombe (1998), Statistics in Medicine 17:873, method 10; Zou, Donner (2008) for other quantities.
    """
    difference = after.estimate - before.estimate
    low = math.hypot(after.estimate - after.low, before.high - before.estimate)
    high = math.hypot(after.high - after.estimate, before.estimate - before.low)
    return Interval(difference, difference - low, difference + high)


def shift_interval(before: NDArray[np.float64], after: NDArray[np.float64], confidence: float = 0.95) -> Interval:
    """Return by how much one sample lies above the other: the median of all differences (Hodges–Lehmann).

    Args:
        before: shape (n,), finite, n >= 4 with 4 on the other side, else no interval of 95 % exists.
        after: shape (m,), likewise.
        confidence: two-sided; exact for continuous values up to 50 a side, a normal approximation beyond.

    Raises:
        ValueError: too few values for an interval.

    Source: Hollander, Wolfe, Nonparametric Statistical Methods, 2nd ed., 4.2 and 4.3.
    """
    n, m = before.size, after.size
    if max(n, m) <= 50:
        below = np.cumsum(_rank_sum_chances(min(n, m), max(n, m)))
        usable = np.flatnonzero(below <= (1 - confidence) / 2)
        cut = int(usable[-1]) + 1 if usable.size else 0
    else:
        spread = math.sqrt(n * m * (n + m + 1) / 12)
        cut = math.floor(n * m / 2 + float(special.ndtri((1 - confidence) / 2)) * spread)
    if cut < 1:
        raise ValueError("too few values for an interval")
    differences = np.sort(np.subtract.outer(after, before), axis=None)
    return Interval(float(np.median(differences)), float(differences[cut - 1]), float(differences[-cut]))


@lru_cache(maxsize=256)
def _rank_sum_chances(n: int, m: int) -> NDArray[np.float64]:
    """Return the chances of each Mann–Whitney statistic 0..n·m when neither sample tends to be larger."""
    ways = [1] + [0] * (n * m)
    for i in range(1, n + 1):
        for place in range(n * m, m + i - 1, -1):
            ways[place] -= ways[place - m - i]
        for place in range(i, n * m + 1):
            ways[place] += ways[place - i]
    total = math.comb(n + m, n)
    return np.array([way / total for way in ways])


def rank_trend(at: NDArray[np.float64], values: NDArray[np.float64], ended: NDArray[np.bool_]) -> tuple[float, float]:
    """Return whether later values tend to be larger, censored ones taken as what they are.

    Each pair of observations speaks for a rise or a fall if its order is known (a lower bound is above whatever ended
    at or below it); all other pairs say nothing.

    Args:
        at: shape (n,), n >= 3, the moments.
        values: shape (n,), finite; lower bounds where not `ended`.
        ended: shape (n,).

    Returns:
        Kendall's S per pair (-1..1), and its two-sided p-value by the normal approximation of the permutation
        distribution (good from n = 10).

    Source: Brown, Hollander, Korwar (1974), in Reliability and Biometry; variance: Kendall, Rank Correlation Methods.
    """
    n = at.size
    later = np.sign(np.subtract.outer(at, at))
    above = np.sign(np.subtract.outer(values, values))
    sure_up, sure_down = ended[None, :], ended[:, None]  # i is above j for sure only if j ended
    above = np.where((above > 0) & ~sure_up, 0.0, np.where((above < 0) & ~sure_down, 0.0, above))
    tied = (np.subtract.outer(values, values) == 0) & (ended[:, None] != ended[None, :])
    above = np.where(tied, np.where(ended[None, :], 1.0, -1.0), above)
    s = float((later * above).sum())
    a, b = later.sum(axis=1), above.sum(axis=1)
    a2, b2 = float((later**2).sum()), float((above**2).sum())
    free = (float((a**2).sum()) - a2) * (float((b**2).sum()) - b2)
    variance = 4 * free / (n * (n - 1) * (n - 2)) + 2 * a2 * b2 / (n * (n - 1))
    if variance <= 0:
        return 0.0, 1.0
    z = max(0.0, abs(s) - 2) / math.sqrt(variance)  # S moves in steps of 4 here: half a step is taken off
    return s / (n * (n - 1)), min(1.0, 2 * float(special.ndtr(-z)))


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Return Holm's adjusted p-values, in the order given; the chance of any false alarm stays below the level.

    Raises:
        ValueError: a p-value is not within 0..1.

    Source: Holm (1979), Scandinavian Journal of Statistics 6:65.
    """
    if any(not 0 <= p <= 1 for p in p_values):
        raise ValueError("p-values lie within 0..1")
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for step, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - step) * p_values[place]))
        adjusted[place] = highest
    return tuple(adjusted)
