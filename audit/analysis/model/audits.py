"""All that the analysis says of one audit. Reports print it as it is.

All sentences with a number are made in the analysis, from the same values as the measures; a report computes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from audit.analysis.model.calls import CallRecord, MenuMap
from audit.analysis.model.comparisons import AgreementResult, FollowThrough, LimitTest, PairTest, VendorTest
from audit.analysis.model.findings import Evidence, Finding, MessageRead, Story
from audit.analysis.model.measures import Measure
from audit.analysis.model.promises import PromiseRecord
from audit.analysis.model.scores import CostRecord, Headline, Judgement, ProfileNote, Scorecard


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
