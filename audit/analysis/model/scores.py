"""Scores, costs and the decision on a vendor."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from audit.analysis.values import plentiful


class Decision(StrEnum):
    """The verdict on a vendor."""

    SIGN = "sign"
    SIGN_WITH_CONDITIONS = "sign with conditions"
    DO_NOT_SIGN_YET = "do not sign yet"
    NOT_ENOUGH_EVIDENCE = "not enough evidence"


@dataclass(frozen=True, slots=True)
class CostPart:
    """One part of the cost of a case."""

    name: str
    amount: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CostRecord:
    """What a vendor's service costs the reader, in major units. Intervals are those that the measures give."""

    vendor: str
    currency: str
    per_case: float | None
    low: float | None
    high: float | None
    per_year: float | None
    per_year_low: float | None
    per_year_high: float | None
    avoidable_per_case: float | None
    n: int
    parts: tuple[CostPart, ...]
    inputs: tuple[str, ...]
    why_not: str | None
    sentence: str
    evidence: tuple[str, ...]


@plentiful(frozen=True, slots=True, kw_only=True)
class ScorePart:
    """One measure's part in a dimension: the estimate, the scale as printed, and the points that it gives."""

    measure: str
    estimate: float | None
    scale: str
    score: float | None
    low: float | None
    high: float | None
    why_not: str | None


@plentiful(frozen=True, slots=True, kw_only=True)
class DimensionScore:
    """One dimension of METHOD.md for one vendor: 0–100, or not rated, with what is missing."""

    number: int
    id: str
    name: str
    score: float | None
    low: float | None
    high: float | None
    n: int
    weight: float
    why_not: str | None
    parts: tuple[ScorePart, ...]
    measures: tuple[str, ...]
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorecard:
    """A vendor's dimensions under a profile and weights.

    `rank` is null where none may be printed (too few cases, or an interval that covers the neighbour's); `rank_range`
    is the 95 % range over bootstrap samples of the cases, `weight_rank_range` the range over random weightings and
    `first_share` the share of those in which the vendor comes first.
    """

    vendor: str
    profile: str
    dimensions: tuple[DimensionScore, ...]
    total: float | None
    low: float | None
    high: float | None
    n_cases: int
    rank: int | None
    rank_range: tuple[int, int] | None
    weight_rank_range: tuple[int, int] | None
    first_share: float | None
    weightings: int
    why_not: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileNote:
    """The profile by which measures were judged, as printed on the method page."""

    id: str
    name: str
    source: str
    checked_on: date | None
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The decision on a vendor: the rule that gave it, the conditions (clauses with numbers) or what is missing."""

    vendor: str
    decision: Decision
    rule: str
    reasons: tuple[str, ...]
    conditions: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """The first number of every report: the share of expectations that were met, with its Wilson interval."""

    vendor: str
    met: int
    due: int
    share: float | None
    low: float | None
    high: float | None
    sentence: str
