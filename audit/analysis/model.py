"""What the analysis says: evidence, measures, promises, findings, stories, scorecards. Reports print these as they are.

All sentences with a number are made here, from the same values as the measures; a report computes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from audit.analysis.clusters import clusters_of
from audit.analysis.values import plentiful
from probes.audio.timeline import Timeline
from probes.errors import Side
from probes.events import Doubt
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


class Origin(StrEnum):
    """Who says so: a measurement, a machine's reading that nobody confirmed yet, or a person."""

    MEASURED = "measured"
    MACHINE = "found by machine, unconfirmed"
    PERSON = "judged by a person"


@plentiful(frozen=True, slots=True)
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


@plentiful(frozen=True, slots=True)
class PromiseRecord:
    """A promise and what happened. `due_at_utc` and `came_at_utc` are null where there is none.

    `came_at_utc` is the moment that `late_by_s` counts to: our sight; the vendor's own word where it lies between our
    looks and they were far apart; or, without such a word, the look that had not shown it yet.
    """

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
    origin: Origin = Origin.MEASURED


@plentiful(frozen=True, slots=True)
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
    contact: str | None = None
    origin: Origin = Origin.MEASURED


@plentiful(frozen=True, slots=True)
class StoryLine:
    """One thing that happened in a case, in a plain sentence."""

    at_utc: datetime
    sentence: str
    evidence: tuple[str, ...]
    channel: str | None
    t_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A case, told in order. `outcome` is a plain sentence."""

    case: str
    vendor: str
    persona: str
    scenario: str
    problem: str
    outcome: str
    opened_at_utc: datetime
    closed_at_utc: datetime | None
    lines: tuple[StoryLine, ...]


@plentiful(frozen=True, slots=True)
class MessageRead:
    """What a message of the vendor's side was read to be, with the words that this rests on.

    `kind` is receipt, machine, notice, answer (a person's), ours (our own words) or unsure; `cues` are what it seems to
    ask or say: kind, words, confidence. `waits` for a person: it is not plain what this is.
    """

    case: str
    message_key: str
    at_utc: datetime
    text: str
    kind: str
    quote: str
    confidence: float
    waits: bool
    cues: tuple[tuple[str, str, float], ...]
    evidence: tuple[str, ...]


@plentiful(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """One call with its clocks and what was heard. Seconds ending in `_s` are media time where they name a moment.

    `to_human_s` runs on the customer's clock (end of dialling to a person), `queue_to_human_s` on the vendor's;
    None: no person was reached, `waited_s` says how long we waited then. `phase_at_end` is what went on when the call
    ended. `timeline` is what the listener heard; None where nothing was recorded or heard yet.
    """

    vendor: str
    case: str
    contact: str
    channel: str
    persona: str
    number_in_case: int
    dialled_at_utc: datetime | None
    ring_s: float | None
    answered_s: float | None
    to_human_s: float | None
    queue_to_human_s: float | None
    waited_s: float | None
    hold_s: float
    talk_s: float | None
    duration_s: float | None
    outcome: str
    phase_at_end: str
    ended_by: Side
    ended_doubt: Doubt | None = None
    ended_reasons: tuple[str, ...]
    recording: Artifact | None
    timeline: Timeline | None
    evidence: tuple[str, ...]


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
class Accounting:
    """What was planned, done, failed on our side, left out, per vendor. Printed beside every n."""

    vendor: str
    cases_planned: int
    cases: int
    cases_closed: int
    cases_censored: int
    cases_ours: int
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


class LeadsTo(StrEnum):
    """What a place of a menu led to. `DEAD_END`: the vendor ended the call there."""

    MENU = "menu"
    QUEUE = "queue"
    PERSON = "person"
    DEAD_END = "dead_end"
    NOT_KNOWN = "not_known"


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuPlace:
    """A place of a menu, by the keys that lead there ("identification" for a number keyed in).

    `prompt_s` is the median time of speech there, `times_said` how often the same was said in one call at most;
    `back_to` is the place at which the same had been said before (null: none), so that one goes round.
    """

    path: tuple[str, ...]
    calls: int
    prompt_s: float
    times_said: int
    leads: tuple[LeadsTo, ...]
    back_to: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuMap:
    """A vendor's telephone menu as far as our calls came through it; `depth` counts choices one after the other."""

    vendor: str
    channel: str
    calls: int
    depth: int
    places: tuple[MenuPlace, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorName:
    """A vendor as printed."""

    id: str
    name: str
    place: str
    time_zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """Everything that a report may say about an audit.

    Stories, readings of messages and the evidence that is cited anywhere are put together when they are first asked
    for: the measures and the scorecard rest on events and do not need them.
    """

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
    stories: Sequence[Story]
    calls: tuple[CallRecord, ...]
    limits: tuple[LimitTest, ...]
    vendor_tests: tuple[VendorTest, ...] = ()
    menus: tuple[MenuMap, ...] = ()
    pairs: tuple[PairTest, ...]
    agreements: tuple[AgreementResult, ...]
    follow_through: tuple[FollowThrough, ...]
    costs: tuple[CostRecord, ...]
    profile: ProfileNote
    scorecards: tuple[Scorecard, ...]
    judgements: tuple[Judgement, ...]
    accounting: tuple[Accounting, ...]
    evidence: Sequence[Evidence]
    method_notes: tuple[str, ...]
    messages: Sequence[MessageRead] = ()
