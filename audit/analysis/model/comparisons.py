"""What was held against something else: limits, vendors, matched personas, repeated answers, courtesy and outcome."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from audit.analysis.model.findings import Verdict
from audit.analysis.values import plentiful


@plentiful(frozen=True, slots=True, kw_only=True)
class LimitTest:
    """A limit of the profile ("95 % of calls within 180 s") held against the measure, by the exact binomial test.

    `p_value` is the chance of so few within the limit if it were just met (`p_holm`: adjusted for all limits tested).
    `kept` is None unless either is shown: a small sample can convict and not acquit. `unknown` observations ended, or
    were cut off, too early to tell; they speak for the vendor in a breach and against it in keeping.
    """

    id: str
    vendor: str
    measure: str
    text: str
    source: str
    checked_on: date | None
    limit: float
    share_needed: float
    n: int
    within: int
    unknown: int
    p_value: float | None
    p_holm: float | None
    kept: bool | None
    verdict: Verdict
    sentence: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorTest:
    """The waits of all vendors in one measure, compared by the log-rank test; `p_holm` counts all such comparisons."""

    measure: str
    vendors: tuple[str, ...]
    n: tuple[int, ...]
    chi_square: float
    p_value: float
    p_holm: float
    verdict: Verdict
    sentence: str


@plentiful(frozen=True, slots=True)
class PairPoint:
    """One matched pair: the same scenario and sample with two personas. A censored value is a lower bound."""

    scenario: str
    sample: int
    persona_value: float
    partner_value: float


@plentiful(frozen=True, slots=True, kw_only=True)
class PairTest:
    """Two matched personas compared in one measure. `difference` is persona minus partner, its median and interval.

    `p_value` is exact; `p_holm` is adjusted for all comparisons of this audit. None where there are too few pairs.
    """

    vendor: str
    measure: str
    unit: str
    persona: str
    partner: str
    differs_in: str
    n_pairs: int
    n_left_out: int
    difference: float | None
    low: float | None
    high: float | None
    p_value: float | None
    p_holm: float | None
    method: str
    why_not: str | None
    verdict: Verdict
    sentence: str
    pairs: tuple[PairPoint, ...]
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementResult:
    """How far coded answers agree: over repeats of a question (`between` "repeats") or between two reviewers.

    `alpha` is Krippendorff's: 1 full agreement, 0 what chance gives. None where there is too little to compare.
    """

    vendor: str | None
    question: str
    between: str
    alpha: float | None
    low: float | None
    high: float | None
    n_units: int
    n_values: int
    why_not: str | None
    sentence: str
    evidence: tuple[str, ...]


@plentiful(frozen=True, slots=True, kw_only=True)
class FollowThrough:
    """Courtesy and outcome side by side, each 0..1; "charming and useless" is high and low.

    Of one contact where both were judged there; of the whole case (`contact` null) where they were not.
    """

    vendor: str
    case: str
    courtesy: float
    outcome: float
    label: str
    evidence: tuple[str, ...]
    contact: str | None = None
