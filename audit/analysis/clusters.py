"""Intervals where several observations come from one case, and so are alike: how much they say together.

Values in, values out. `clusters` gives each observation the number of its case, from 0 and without gaps; None says that
each comes from a case of its own, and everything is then as for independent observations.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from audit.analysis.statistics import SMALLEST_N, Interval, median_interval, median_ranks, wilson

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Clusters = NDArray[np.int64]


def effective_n(flags: Flags, clusters: Clusters) -> float:
    """Return how many independent observations would tell a share as well as these do.

    Args:
        flags: shape (n,), n >= 1: of each observation whether it counts in the share.
        clusters: shape (n,).

    Returns:
        n over the design effect, and a little less for few cases, whose differences are not well known; at most n.
        With fewer than 6 cases, or where all flags are the same, so that nothing shows how alike a case's are, they are
        taken to be all alike: n² over the sum of the squared numbers per case.

    Source: Kish, Survey Sampling, 8.2; Rao, Scott (1992), Biometrics 48:577; Korn, Graubard (1998), Survey Methodology
    24:193 (the degrees of freedom).
    """
    n, sizes = flags.size, np.bincount(clusters)
    m, share = sizes.size, float(flags.mean())
    if m < SMALLEST_N or share in (0.0, 1.0):
        return n * n / float((sizes**2).sum())
    excess = np.bincount(clusters, weights=flags - share)
    variance = m / (m - 1) * float((excess**2).sum()) / n**2
    effect = max(1.0, variance * n / (share * (1 - share)))
    few = float(special.stdtrit(n - 1, 0.975) / special.stdtrit(m - 1, 0.975))
    return max(1.0, n / effect * few**2)


def share_interval(flags: Flags, clusters: Clusters | None) -> Interval:
    """Return a share with its 95 % Wilson interval, on the effective number of observations where some are alike.

    Source: Dean, Pagano (2015), Journal of Survey Statistics and Methodology 3:484, who compare such intervals.

    Raises:
        ValueError: there are no observations.
    """
    yes = int(np.count_nonzero(flags))
    if clusters is None:
        return wilson(yes, flags.size)
    n, share = effective_n(flags, clusters), yes / flags.size
    found = wilson(share * n, n)
    return Interval(share, found.low, found.high)


def clustered_median(values: Floats, clusters: Clusters | None) -> Interval | None:
    """Return the median with its 95 % order-statistic interval, its ranks those of the effective number.

    Args:
        values: shape (n,), complete.
        clusters: shape (n,).

    Returns:
        None with fewer than 6 cases. From 6 on the smallest and largest value always enclose the median often enough,
        as those of one value per case would, which are independent.

    Source: Woodruff (1952), JASA 47:635, with order statistics in place of the normal approximation.
    """
    if clusters is None:
        return median_interval(values)
    n, m = values.size, int(clusters.max()) + 1
    if m < SMALLEST_N:
        return None
    middle = float(np.median(values))
    n_effective = max(SMALLEST_N, int(effective_n(values <= middle, clusters)))
    ranks = median_ranks(n_effective)
    assert ranks is not None
    rank = int(ranks[0] * (n + 1) / (n_effective + 1))
    ordered = np.sort(values)
    return Interval(middle, float(ordered[rank - 1]), float(ordered[n - rank]))
