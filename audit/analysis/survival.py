"""Waits of which some had not ended when we stopped watching: Kaplan–Meier, restricted mean, log-rank."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from audit.analysis.model.measures import CurvePoint
from audit.analysis.statistics import Interval

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class KaplanMeier:
    """The share still waiting after each moment at which a wait ended, with its pointwise interval.

    `jumps`, of waits that are not independent: shape (groups of cases, steps), how much the waits of each group ended
    more often at a step than all together, in units of those at risk.
    """

    at: Floats
    waiting: Floats
    low: Floats
    high: Floats
    at_risk: Counts
    ended: Counts
    largest: float
    jumps: Floats | None = None

    def points(self) -> tuple[CurvePoint, ...]:
        """Return the steps as plain values, for a figure."""
        columns = (
            self.at.tolist(),
            self.waiting.tolist(),
            self.low.tolist(),
            self.high.tolist(),
            self.at_risk.tolist(),
        )
        return tuple(CurvePoint(*row) for row in zip(*columns, strict=True))


def kaplan_meier(
    waits: Sequence[float] | Floats,
    ended: Sequence[bool] | Flags,
    confidence: float = 0.95,
    clusters: Counts | None = None,
) -> KaplanMeier:
    """Estimate how long a wait lasts when some were cut off by our side (right-censored).

    Args:
        waits: shape (n,), >= 0, finite, n >= 1: until the wait ended, or until we stopped watching.
        ended: shape (n,): True where the wait ended. A wait cut off at the moment another ended counts as at risk.
        confidence: of the pointwise interval.
        clusters: shape (n,), the number of the case of each wait, of two cases or more, where several come from one.
            The variance is then the one between cases, where it is larger, with Student's t for the number of cases.

    Returns:
        One step per distinct moment at which a wait ended (none where all are censored). The interval is the
        complementary log-log one, log(-log S) ± z·se, by Greenwood's variance; where nobody is left waiting its lower
        end is 0 and its upper end that of the step before.

    Raises:
        ValueError: no waits, unequal lengths, negative or non-finite waits.

    Source: Kaplan, Meier (1958), JASA 53:457; Kalbfleisch, Prentice, The Statistical Analysis of Failure Time Data,
    2nd ed., 1.4; of dependent waits: Ying, Wei (1994), Journal of Multivariate Analysis 50:17; Williams (1995),
    Biometrics 51:1456. Assumes that our stopping has nothing to do with how long the wait would have gone on.
    """
    t, d = _checked(waits, ended)
    at, at_risk, deaths = _table(t, d)
    with np.errstate(divide="ignore", invalid="ignore"):
        waiting = np.cumprod(1 - deaths / at_risk).astype(np.float64, copy=False)
        variance = np.cumsum(deaths / (at_risk * (at_risk - deaths)))
        z = float(special.ndtri(0.5 + confidence / 2))
        jumps = None
        if clusters is not None:
            jumps = _jumps(t, d, clusters, at, at_risk, deaths)
            variance = np.maximum(variance, _between(np.cumsum(jumps, axis=1)))
            z = float(special.stdtrit(jumps.shape[0] - 1, 0.5 + confidence / 2))
        half = z * np.sqrt(variance) / np.abs(np.log(waiting))
        low: Floats = waiting ** np.exp(half)
        high: Floats = waiting ** np.exp(-half)
    for place in np.flatnonzero(waiting <= 0):
        low[place], high[place] = 0.0, high[place - 1] if place else 1.0
    return KaplanMeier(at, waiting, low, high, at_risk, deaths, float(t.max()), jumps)


_MOST_GROUPS = 400


def _jumps(t: Floats, d: Flags, clusters: Counts, at: Floats, at_risk: Counts, deaths: Counts) -> Floats:
    """Return `KaplanMeier.jumps`. Many cases are put together into 400 groups, which are as independent.

    Source: Wolter, Introduction to Variance Estimation, 2nd ed., 2 (random groups).
    """
    groups, steps = np.minimum(int(clusters.max()) + 1, _MOST_GROUPS), at.size
    cell = (clusters % _MOST_GROUPS) * (steps + 1)
    size = groups * (steps + 1)
    ended = np.bincount(cell[d] + np.searchsorted(at, t[d]), minlength=size).reshape(groups, -1)[:, :steps]
    left = np.bincount(cell + np.searchsorted(at, t, side="right"), minlength=size).reshape(groups, -1)
    exposed = np.cumsum(left[:, :0:-1], axis=1)[:, ::-1]
    found: Floats = ended / at_risk - exposed * (deaths / at_risk**2)
    return found


def _between(sums: Floats) -> Floats:
    """Return the variance of a total of independent parts, shape (parts, …), of mean 0."""
    parts = sums.shape[0]
    variance: Floats = parts / (parts - 1) * (sums**2).sum(axis=0)
    return variance


def median_of(curve: KaplanMeier) -> tuple[float | None, float | None, float | None]:
    """Return the median wait with its interval; a part that the curve does not reach is None.

    The limits are the moments at which the pointwise interval's ends come down to one half (Brookmeyer, Crowley 1982,
    Biometrics 38:29). Where the curve is exactly one half over a stretch, the median is the middle of the stretch, as
    for complete data.
    """
    return _reaches_half(curve, curve.waiting), _first(curve.at, curve.low <= 0.5), _first(curve.at, curve.high <= 0.5)


def _reaches_half(curve: KaplanMeier, waiting: Floats) -> float | None:
    below = np.flatnonzero(waiting <= 0.5 + 1e-12)
    if below.size == 0:
        return None
    place = int(below[0])
    if abs(waiting[place] - 0.5) < 1e-12 and place + 1 < waiting.size:
        return float((curve.at[place] + curve.at[place + 1]) / 2)
    return float(curve.at[place])


def _first(at: Floats, flags: Flags) -> float | None:
    places = np.flatnonzero(flags)
    return float(at[places[0]]) if places.size else None


def restricted_mean(curve: KaplanMeier, horizon: float, confidence: float = 0.95) -> Interval:
    """Return the mean wait up to a horizon: the area under the curve, with its normal interval.

    Args:
        curve: as estimated.
        horizon: > 0; should not lie beyond the longest wait observed, where the curve says nothing more.

    Returns:
        Estimate and interval in the unit of the waits; the interval lies within 0..horizon.

    Source: Klein, Moeschberger, Survival Analysis, 2nd ed., 4.5. The interval leans on many ended waits (tens).
    """
    if not horizon > 0:
        raise ValueError("the horizon must be above 0")
    inside = curve.at < horizon
    at, waiting = curve.at[inside], curve.waiting[inside]
    edges = np.concatenate(([0.0], at, [horizon]))
    heights = np.concatenate(([1.0], waiting))
    areas = heights * np.diff(edges)
    mean = float(areas.sum())
    beyond = np.cumsum(areas[::-1])[::-1][1:]
    ended, at_risk = curve.ended[inside], curve.at_risk[inside]
    left = at_risk > ended
    variance = float((beyond[left] ** 2 * ended[left] / (at_risk[left] * (at_risk[left] - ended[left]))).sum())
    z = float(special.ndtri(0.5 + confidence / 2))
    if curve.jumps is not None:
        variance = max(variance, float(_between(curve.jumps[:, inside] @ beyond)))
        z = float(special.stdtrit(curve.jumps.shape[0] - 1, 0.5 + confidence / 2))
    half = z * math.sqrt(variance)
    return Interval(mean, max(0.0, mean - half), min(horizon, mean + half))


def log_rank(groups: Sequence[tuple[Sequence[float] | Floats, Sequence[bool] | Flags]]) -> tuple[float, float]:
    """Compare the waits of two or more groups.

    Args:
        groups: waits and whether they ended, per group, as for `kaplan_meier`.

    Returns:
        Chi-square with (groups - 1) degrees of freedom, and its p-value. p is 1 where no wait ended at all.

    Raises:
        ValueError: fewer than two groups.

    Source: Mantel (1966), Peto, Peto (1972); Klein, Moeschberger 7.3. The chi-square is an approximation for large
    samples; most powerful where the hazards keep their ratio.
    """
    if len(groups) < 2:
        raise ValueError("a comparison needs two groups")
    checked = [_checked(*group) for group in groups]
    t, d = np.concatenate([g[0] for g in checked]), np.concatenate([g[1] for g in checked])
    at, at_risk, deaths = _table(t, d)
    if at.size == 0:
        return 0.0, 1.0
    risk = np.array([g[0].size - np.searchsorted(np.sort(g[0]), at, side="left") for g in checked], dtype=np.float64)
    seen = np.array([np.bincount(np.searchsorted(at, g[0][g[1]]), minlength=at.size) for g in checked])
    excess = (seen - deaths * risk / at_risk).sum(axis=1)
    spread = np.where(at_risk > 1, deaths * (at_risk - deaths) / np.maximum(at_risk - 1, 1), 0.0)
    share = risk / at_risk
    covariance = np.diag((spread * share).sum(axis=1)) - (spread * share) @ share.T
    reduced = excess[:-1]
    chi2 = float(reduced @ np.linalg.pinv(covariance[:-1, :-1], hermitian=True) @ reduced)
    return chi2, float(special.chdtrc(len(groups) - 1, chi2))


def _checked(waits: Sequence[float] | Floats, ended: Sequence[bool] | Flags) -> tuple[Floats, Flags]:
    t, d = np.asarray(waits, dtype=np.float64), np.asarray(ended, dtype=np.bool_)
    if t.ndim != 1 or t.size == 0 or t.shape != d.shape:
        raise ValueError("waits and their ends must be two rows of the same length, at least 1")
    if not np.isfinite(t).all() or (t < 0).any():
        raise ValueError("waits must be finite and not negative")
    return t, d


def _table(t: Floats, d: Flags) -> tuple[Floats, Counts, Counts]:
    """Return the moments at which waits ended, how many were at risk just before, and how many ended."""
    at, ended = np.unique(t[d], return_counts=True)
    at_risk = t.size - np.searchsorted(np.sort(t), at, side="left")
    return at, at_risk.astype(np.int64), ended.astype(np.int64)
