"""From the events of an audit to everything that a report may say about it. Pure: the same events, the same answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import numpy as np

from audit.analysis import phrases
from audit.analysis.accounting import account, left_out, our_evidence, planned_cases
from audit.analysis.calls import read_call
from audit.analysis.cost import CaseCost, case_cost, cost_finding, cost_record
from audit.analysis.evidence import cited_evidence
from audit.analysis.facts import Case, Facts, read_facts
from audit.analysis.findings import case_findings, ordered, our_findings, promise_findings
from audit.analysis.measures.registry import MEASURES
from audit.analysis.measures.spec import evidence_number
from audit.analysis.model import (
    Accounting,
    Analysis,
    CallRecord,
    CostRecord,
    Finding,
    Headline,
    Judgement,
    Measure,
    ProfileNote,
    PromiseRecord,
    Story,
    VendorName,
)
from audit.analysis.promises import promise_records
from audit.analysis.stories import tell
from audit.analysis.summary import summarise
from audit.analysis.verdict import VerdictRule, headline, judge
from audit.calendar import BusinessCalendar
from audit.model import Event
from audit.plan.model import CostInputs, Plan, Vendor
from probes.events import AuditStarted

METHOD_VERSION = "1.0"
"""Rises with every change of what a number means; a report names the version that it was made with."""


def analyse(plan: Plan, events: Sequence[Event], *, holdproof_version: str, seed: int = 0) -> Analysis:
    """Work out everything that may be said about an audit.

    Args:
        plan: the plan by which the audit was made.
        events: all events of one audit, in the order of the chain; an audit that is still going on is welcome.
        holdproof_version: printed in the report.
        seed: of the random numbers in bootstrap intervals and random weightings; the same seed, the same analysis.
    """
    facts = read_facts(events, plan)
    by_vendor: dict[str, list[Case]] = {vendor.id: [] for vendor in plan.vendors}
    for case in facts.cases.values():
        by_vendor.setdefault(case.vendor, []).append(case)
    planned = planned_cases(plan)
    vendors = {vendor.id: vendor for vendor in plan.vendors}
    records: list[PromiseRecord] = []
    measures: list[Measure] = []
    findings: list[Finding] = []
    stories: list[Story] = []
    calls: list[CallRecord] = []
    accounts: list[Accounting] = []
    headlines: list[Headline] = []
    judgements: list[Judgement] = []
    costs: list[CostRecord] = []
    rule = VerdictRule()
    rng = np.random.default_rng(seed)
    for vendor_id, cases in by_vendor.items():
        vendor = vendors.get(vendor_id)
        name, zone = (vendor.name, vendor.time_zone) if vendor else (vendor_id, "UTC")
        calendar = _calendar(vendor)
        own_records = [record for case in cases for record in promise_records(case, plan, calendar)]
        accounting = account(vendor_id, cases, planned.get(vendor_id, 0))
        own_measures = _measures(vendor_id, cases, accounting)
        head = headline(vendor_id, name, own_records)
        records += own_records
        accounts.append(accounting)
        measures += own_measures
        headlines.append(head)
        judgements.append(judge(head, rule))
        own_calls = [read_call(case, c, number) for case in cases for number, c in enumerate(case.calls, start=1)]
        calls += own_calls
        findings += case_findings(own_measures, own_calls)
        findings += promise_findings(own_records)
        findings += our_findings(accounting, our_evidence(cases))
        stories += [tell(case, plan, zone) for case in cases]
        if plan.cost is not None and vendor is not None:
            own_costs = _costs(cases, own_records, plan.cost, vendor)
            findings += [cost_finding(cost, vendor_id, plan.cost) for cost in own_costs]
            summed = cost_record(vendor_id, name, own_costs, plan.cost, rng)
            costs += [summed] if summed is not None else []
    order = {evidence_number(event): place for place, event in enumerate(facts.by_seq.values())}
    cited = _cited(stories, findings, records, measures, calls)
    started = facts.started or next(iter(facts.by_seq.values()), None)
    return Analysis(
        audit=started.audit if started else "",
        plan_name=plan.name,
        purpose=plan.purpose,
        method_version=METHOD_VERSION,
        holdproof_version=holdproof_version,
        clock_factor=started.clock_factor if started else plan.clock.factor,
        started_at_utc=started.at_utc if started else datetime(1970, 1, 1, tzinfo=UTC),
        ended_at_utc=facts.ended.at_utc if facts.ended else None,
        authorisation=_authorisation(plan),
        vendors=tuple(VendorName(id=v.id, name=v.name, place=v.place, time_zone=v.time_zone) for v in plan.vendors),
        headlines=tuple(headlines),
        measures=tuple(measures),
        promises=tuple(records),
        findings=ordered(findings, order),
        stories=tuple(stories),
        calls=tuple(calls),
        limits=(),
        pairs=(),
        agreements=(),
        follow_through=(),
        costs=tuple(costs),
        profile=ProfileNote(
            id=plan.thresholds.profile, name=plan.thresholds.profile, source="", checked_on=None, lines=()
        ),
        scorecards=(),
        judgements=tuple(judgements),
        accounting=tuple(accounts),
        evidence=cited_evidence(facts, cited),
        method_notes=_notes(facts, seed),
    )


def _calendar(vendor: Vendor | None) -> BusinessCalendar | None:
    return BusinessCalendar(vendor.hours, vendor.time_zone, vendor.place) if vendor else None


def _measures(vendor: str, cases: Sequence[Case], accounting: Accounting) -> list[Measure]:
    found = []
    for spec in MEASURES:
        observed = [o for case in cases for o in spec.observe(case)]
        n_ours, n_not_run = left_out(spec.per, cases, accounting)
        found.append(summarise(spec, vendor, observed, n_ours=n_ours, n_not_run=n_not_run))
    return found


def _costs(
    cases: Sequence[Case], records: Sequence[PromiseRecord], inputs: CostInputs, vendor: Vendor
) -> list[CaseCost]:
    by_case: dict[str, list[PromiseRecord]] = {}
    for record in records:
        by_case.setdefault(record.case, []).append(record)
    found = (case_cost(case, by_case.get(case.id, ()), inputs, vendor) for case in cases)
    return [cost for cost in found if cost is not None]


def _authorisation(plan: Plan) -> str:
    given = plan.authorisation
    return f"{given.basis.replace('_', ' ')}, by {given.by}, until {given.until.isoformat()}"


def _cited(
    stories: Iterable[Story],
    findings: Iterable[Finding],
    records: Iterable[PromiseRecord],
    measures: Iterable[Measure],
    calls: Iterable[CallRecord],
) -> set[str]:
    cited: set[str] = set()
    for story in stories:
        for line in story.lines:
            cited.update(line.evidence)
    for finding in findings:
        cited.update(finding.evidence)
    for record in records:
        cited.update(record.evidence)
    for measure in measures:
        for o in measure.observed:
            cited.update(o.evidence)
    for call in calls:
        cited.update(call.evidence)
    return cited


def _notes(facts: Facts, seed: int) -> tuple[str, ...]:
    notes = [
        f"Method {METHOD_VERSION}. Random numbers with seed {seed}.",
        "Waits that had not ended when we stopped watching count as longer than what we saw (right-censored); they are "
        "never counted as answered then, and never left out.",
        "A moment that lies between two of our looks is known to that interval; a promise counts as late only if it "
        "was surely late, unless the vendor's own statement of the time says so.",
    ]
    started = facts.started
    if started is not None and isinstance(started.what, AuditStarted) and started.what.clock_factor != 1:
        notes.append(
            f"Practice: the clock ran {phrases.number(started.what.clock_factor)} times faster than real time."
        )
    if facts.duplicates:
        notes.append(f"{phrases.count(facts.duplicates, 'event')} came twice and counted once.")
    if facts.backwards:
        notes.append(f"{phrases.count(facts.backwards, 'event')} carry a moment before that of the event before.")
    if facts.homeless:
        notes.append(f"{phrases.count(facts.homeless, 'event')} belong to no opened case and were left out.")
    return tuple(notes)
