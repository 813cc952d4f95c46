"""What the analysis says: evidence, measures, promises, findings, stories, scorecards. Reports print these as they are.

All sentences with a number are made here, from the same values as the measures; a report computes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from probes.model import Artifact


class Verdict(StrEnum):
    """How well a finding stands. `OURS` is a failure of ours and never charged to the vendor."""

    CONFIRMED = "confirmed"
    ANOMALY = "anomaly"
    NOT_ESTABLISHED = "not established"
    OURS = "ours"


class PromiseOutcome(StrEnum):
    """What became of a promise."""

    KEPT = "kept"
    LATE = "late"
    BROKEN = "broken"
    WITHDRAWN = "withdrawn"
    PENDING = "pending"
    NOT_OBSERVED = "not observed"


class Decision(StrEnum):
    """The verdict on a vendor."""

    SIGN = "sign"
    SIGN_WITH_CONDITIONS = "sign with conditions"
    DO_NOT_SIGN_YET = "do not sign yet"
    NOT_ENOUGH_EVIDENCE = "not enough evidence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What proves a number: one event and its artifacts. `number` ("E0007") follows the event's place in the chain and
    never changes within an audit. `t_s` is the second of the recording, where it is one.
    """

    number: str
    vendor: str
    case: str | None
    contact: str | None
    seq: int
    kind: str
    at_utc: datetime
    what: str
    artifacts: tuple[Artifact, ...]
    t_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One observation of a measure. `censored`: the value is a lower bound (the wait went on when we stopped)."""

    value: float
    censored: bool
    case: str
    contact: str | None
    at_utc: datetime
    evidence: tuple[str, ...]
    channel: str | None = None
    persona: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A number computed from events, with all that is needed to judge it.

    `estimate`, `low` and `high` are None where n is too small; `method` names estimator and interval, `why_not` says
    what is missing. `n` counts all observations, `n_censored` those that are lower bounds; `n_ours` failed on our side
    and `n_not_run` were not made: both are outside n.
    """

    id: str
    name: str
    vendor: str
    unit: str
    n: int
    n_censored: int
    n_ours: int
    n_not_run: int
    estimate: float | None
    low: float | None
    high: float | None
    method: str
    why_not: str | None
    observed: tuple[Observed, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PromiseRecord:
    """A promise and what happened. `due_at_utc` and `came_at_utc` are null where there is none."""

    id: str
    vendor: str
    case: str
    what: str
    text: str
    kind: str
    source: str
    made_at_utc: datetime | None
    due_at_utc: datetime | None
    came_at_utc: datetime | None
    outcome: PromiseOutcome
    late_by_s: float | None
    actual_to_promised_ratio: float | None
    sentence: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One sentence, its verdict, the measure it rests on and its evidence numbers."""

    id: str
    vendor: str
    sentence: str
    verdict: Verdict
    measure: str | None
    dimension: int | None
    evidence: tuple[str, ...]
    case: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryLine:
    """One thing that happened in a case, in a plain sentence."""

    at_utc: datetime
    sentence: str
    evidence: tuple[str, ...]
    channel: str | None
    t_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A case, told in order."""

    case: str
    vendor: str
    persona: str
    scenario: str
    problem: str
    outcome: str
    opened_at_utc: datetime
    closed_at_utc: datetime | None
    lines: tuple[StoryLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionScore:
    """One dimension of METHOD.md for one vendor: 0–100, or not rated, with what is missing."""

    number: int
    name: str
    score: float | None
    low: float | None
    high: float | None
    n: int
    why_not: str | None
    measures: tuple[str, ...]
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorecard:
    """A vendor's dimensions under a profile and weights. `rank_range` is null where no rank may be printed."""

    vendor: str
    profile: str
    dimensions: tuple[DimensionScore, ...]
    total: float | None
    rank_range: tuple[int, int] | None
    first_share: float | None
    why_not: str | None


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
class Accounting:
    """What was planned, done, failed on our side, left out, per vendor. Printed beside every n."""

    vendor: str
    cases: int
    cases_closed: int
    cases_censored: int
    contacts: int
    contacts_ours: int
    contacts_not_run: int
    refused: int
    retries: int
    calls: int
    call_minutes: float
    cost_minor: float | None
    currency: str | None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorName:
    """A vendor as printed."""

    id: str
    name: str
    place: str
    time_zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """Everything that a report may say about an audit."""

    audit: str
    plan_name: str
    purpose: str
    method_version: str
    holdproof_version: str
    clock_factor: float
    started_at_utc: datetime
    ended_at_utc: datetime | None
    authorisation: str
    vendors: tuple[VendorName, ...]
    headlines: tuple[Headline, ...]
    measures: tuple[Measure, ...]
    promises: tuple[PromiseRecord, ...]
    findings: tuple[Finding, ...]
    stories: tuple[Story, ...]
    scorecards: tuple[Scorecard, ...]
    judgements: tuple[Judgement, ...]
    accounting: tuple[Accounting, ...]
    evidence: tuple[Evidence, ...]
    method_notes: tuple[str, ...]
