"""Observations, and the measures that they are summed up to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from audit.analysis.model.findings import Origin
from audit.analysis.values import clusters_of, plentiful


class MeasureKind(StrEnum):
    """How a measure is summed up: waits (may be censored), yes-or-no shares, or other quantities."""

    DURATION = "duration"
    SHARE = "share"
    QUANTITY = "quantity"


@plentiful(frozen=True, slots=True)
class Observed:
    """One observation of a measure. `censored`: the value is a lower bound (the wait went on when we stopped).

    `earliest` is set where the moment is known only to lie between two of our looks: the true value lies between
    `earliest` and `value`. In a share, `value` is 1 (yes) or 0 (no). `detail` is a part of a sentence about this one
    observation (a quotation, what ended the call), where it has one.
    """

    value: float
    censored: bool
    case: str
    contact: str | None
    at_utc: datetime
    evidence: tuple[str, ...]
    channel: str | None = None
    persona: str | None = None
    scenario: str | None = None
    sample: int | None = None
    earliest: float | None = None
    origin: Origin = Origin.MEASURED
    detail: str = ""


class Observations(tuple[Observed, ...]):
    """The observations of a measure, in order, and their values as columns, which are worked out once."""

    @cached_property
    def most(self) -> NDArray[np.float64]:
        """The largest possible value of each; of a censored one its bound, as in `least` and `middle`."""
        return np.array([o.value for o in self], dtype=np.float64)

    @cached_property
    def least(self) -> NDArray[np.float64]:
        """The least possible value of each."""
        if all(o.earliest is None for o in self):
            return self.most
        return np.array([o.value if o.earliest is None else o.earliest for o in self], dtype=np.float64)

    @cached_property
    def middle(self) -> NDArray[np.float64]:
        """The middle between the two."""
        return self.most if self.least is self.most else (self.least + self.most) / 2

    @cached_property
    def ended(self) -> NDArray[np.bool_]:
        """Whether each wait ended while we watched: it is not censored."""
        return np.array([not o.censored for o in self], dtype=np.bool_)

    @cached_property
    def clusters(self) -> NDArray[np.int64] | None:
        """The number of the case of each; None where no two are of one case, and all are independent."""
        return clusters_of([o.case for o in self])

    @cached_property
    def n_cases(self) -> int:
        """From how many cases they come."""
        return len(self) if self.clusters is None else int(self.clusters.max()) + 1

    @cached_property
    def yes(self) -> int:
        """How many of the observations of a share are a yes."""
        return int(np.count_nonzero(self.most > 0.5))


@plentiful(frozen=True, slots=True)
class CurvePoint:
    """A step of a Kaplan–Meier curve: the share still waiting after `at`, its interval, and how many were at risk."""

    at: float
    waiting: float
    low: float
    high: float
    at_risk: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Survival:
    """What a set of waits says when some were censored.

    `rmst` is the mean wait up to `horizon` (restricted mean). `median_at_least` is set where the median was not
    reached: at least half of the waits were longer than this.
    """

    curve: tuple[CurvePoint, ...]
    horizon: float
    rmst: float
    rmst_low: float | None
    rmst_high: float | None
    median_at_least: float | None


@plentiful(frozen=True, slots=True, kw_only=True)
class Measure:
    """A number computed from events, with all that is needed to judge it.

    `estimate`, `low` and `high` are None where n is too small; `method` names estimator and interval, `why_not` says
    what is missing. `n` counts all observations, `n_censored` those that are lower bounds, `n_by_machine` those that
    rest on a machine's reading which nobody confirmed; `n_ours` failed on our side and `n_not_run` were not made: both
    are outside n. `per` says what one observation is (ticket, call, hold, case).
    """

    id: str
    name: str
    vendor: str
    unit: str
    kind: MeasureKind
    per: str
    dimension: int | None
    n: int
    n_censored: int
    n_ours: int
    n_not_run: int
    estimate: float | None
    low: float | None
    high: float | None
    method: str
    why_not: str | None
    sentence: str
    survival: Survival | None
    observed: Observations
    n_by_machine: int = 0
