"""From the events of an audit to everything that a report may say about it. Pure: the same events, the same answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import numpy as np

from audit.analysis import phrases
from audit.analysis.accounting import account, left_out, our_evidence, planned_cases
from audit.analysis.between_vendors import compare_vendors
from audit.analysis.calls import read_call
from audit.analysis.case import Case
from audit.analysis.consistency import agreements
from audit.analysis.cost import WORKING_HOURS, CaseCost, case_cost, cost_finding, cost_record
from audit.analysis.evidence import cited_evidence
from audit.analysis.facts import Facts, read_facts
from audit.analysis.findings import (
    case_findings,
    limit_findings,
    ordered,
    our_findings,
    pair_findings,
    promise_findings,
)
from audit.analysis.follow_through import follow_through
from audit.analysis.limits import hold_limits
from audit.analysis.measures.cases import LOOK_MINUTES, WRITE_MINUTES
from audit.analysis.measures.registry import BY_ID, MEASURES
from audit.analysis.measures.spec import MeasureSpec, Per
from audit.analysis.menus import menu_maps
from audit.analysis.messages import messages_read
from audit.analysis.model.audits import Accounting, Analysis, VendorName
from audit.analysis.model.calls import CallRecord
from audit.analysis.model.findings import Finding, Story
from audit.analysis.model.measures import Measure, Observations
from audit.analysis.model.promises import PromiseRecord
from audit.analysis.model.scores import CostRecord, ProfileNote, Scorecard
from audit.analysis.personas import compare_personas
from audit.analysis.profiles import Profile, load_profile
from audit.analysis.promises import promise_records
from audit.analysis.scorecard import VendorCases, scorecards, usable_weights
from audit.analysis.staff import meet_staff, without_names
from audit.analysis.stories import tell
from audit.analysis.summary import confirmed, summarise
from audit.analysis.values import Deferred, no_cycle_search
from audit.analysis.vendor_measures import vendor_measures
from audit.analysis.verdict import headline, judge
from audit.calendar import BusinessCalendar
from audit.model import Event
from audit.plan.model import CostInputs, Plan, PromiseClock, Vendor

METHOD_VERSION = "1.2"
"""Rises with every change of what a number means; a report names the version that it was made with."""

_WEEKDAYS = "Mon-Fri 00:00-24:00"


class _Cites(Protocol):
    """Anything that carries evidence numbers."""

    @property
    def evidence(self) -> tuple[str, ...]: ...


@dataclass(slots=True)
class _Audited:
    """One vendor on its way through the analysis."""

    id: str
    name: str
    zone: str
    vendor: Vendor | None
    cases: list[Case]
    accounting: Accounting
    records: list[PromiseRecord]
    measures: list[Measure]
    calls: list[CallRecord]

    def by_id(self) -> dict[str, Measure]:
        return {measure.id: measure for measure in self.measures}

    def confirmed(self) -> dict[str, Measure]:
        """Return the measures as points are given for them: without what only a machine read."""
        return {measure.id: confirmed(BY_ID.get(measure.id), measure) for measure in self.measures}


def analyse(
    plan: Plan, events: Sequence[Event], *, holdproof_version: str, seed: int = 0, profile: Profile | None = None
) -> Analysis:
    """Work out everything that may be said about an audit.

    Args:
        plan: the plan by which the audit was made.
        events: all events of one audit, in the order of the chain; an audit that is still going on is welcome.
        holdproof_version: printed in the report.
        seed: of the random numbers in bootstrap intervals and random weightings; the same seed, the same analysis.
        profile: scales and limits; None takes the one that the plan names from the package.

    Raises:
        ProfileFault: the plan names a profile that there is none of.
    """
    profile = profile or load_profile(plan.thresholds.profile)
    with no_cycle_search():
        return _analyse(plan, events, holdproof_version, seed, profile)


def _analyse(plan: Plan, events: Sequence[Event], holdproof_version: str, seed: int, profile: Profile) -> Analysis:
    facts = read_facts(events, plan)
    rosters = meet_staff(facts.cases.values(), plan)
    rng = np.random.default_rng(seed)
    audited = _audited(plan, facts, _wanted(plan, profile))
    agreed = agreements(facts.cases.values(), rng)
    every = [measure for one in audited for measure in one.measures]
    wanted = frozenset(measure for scales in profile.scales.values() for measure in scales)
    pairs = compare_personas(every, plan.personas, wanted)
    for one in audited:
        one.measures += vendor_measures(one.vendor, one.id, one.cases, one.measures, pairs, agreed, rng)
    records = [record for one in audited for record in one.records]
    limits = hold_limits(plan, profile, every, records)
    weights, weight_faults = usable_weights(plan.thresholds.weights)
    cards = scorecards(
        [VendorCases(one.id, one.confirmed(), tuple(case.id for case in one.cases)) for one in audited],
        profile,
        weights,
        rng,
    )
    costs, cost_findings = _all_costs(audited, plan.cost, rng)
    findings = [
        *(f for one in audited for f in case_findings(one.measures, one.calls)),
        *promise_findings(records),
        *limit_findings(limits),
        *pair_findings(pairs),
        *cost_findings,
        *(f for one in audited for f in our_findings(one.accounting, our_evidence(one.cases))),
    ]
    through = follow_through(case for one in audited for case in one.cases)
    calls = [call for one in audited for call in one.calls]
    heads = [headline(one.id, one.name, one.records) for one in audited]
    judgements = [
        judge(
            head,
            profile.rule,
            card,
            [limit for limit in limits if limit.vendor == one.id],
            one.by_id(),
            one.records,
            _days_per_case(one.cases),
            len(one.cases),
            promises=one.vendor is not None and bool(one.vendor.promises),
        )
        for one, head, card in zip(audited, heads, cards, strict=True)
    ]
    measures = tuple(measure for one in audited for measure in one.measures)
    stories = Deferred(lambda: [tell(case, plan, one.zone) for one in audited for case in one.cases])
    citing: tuple[Iterable[_Cites], ...] = (findings, records, calls, limits, pairs, agreed, through)
    started = facts.started or next(iter(facts.events), None)
    analysis = Analysis(
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
        headlines=tuple(heads),
        measures=measures,
        promises=tuple(records),
        findings=ordered(findings),
        stories=stories,
        calls=tuple(calls),
        limits=limits,
        vendor_tests=compare_vendors(every, wanted),
        menus=tuple(menu for one in audited for menu in menu_maps(one.cases)),
        pairs=pairs,
        agreements=agreed,
        follow_through=through,
        costs=costs,
        profile=_profile_note(profile, measures),
        scorecards=cards,
        judgements=tuple(judgements),
        accounting=tuple(one.accounting for one in audited),
        evidence=Deferred(lambda: cited_evidence(facts, _cited(stories, measures, citing))),
        method_notes=_notes(plan, facts, seed, weight_faults, cards),
        messages=Deferred(lambda: messages_read(case for one in audited for case in one.cases)),
    )
    return without_names(analysis, rosters, {case.id: case.vendor for case in facts.cases.values()})


def _wanted(plan: Plan, profile: Profile) -> tuple[MeasureSpec, ...]:
    """Return the measures to work out: all but those on request that nobody asks for."""
    asked = {limit.measure for limit in profile.limits} | {m for scales in profile.scales.values() for m in scales}
    on_business = (p for vendor in plan.vendors for p in vendor.promises if p.clock is PromiseClock.BUSINESS)
    asked |= {f"{promise.what}_business_s" for promise in on_business}
    return tuple(spec for spec in MEASURES if not spec.on_request or spec.id in asked)


def _audited(plan: Plan, facts: Facts, specs: Sequence[MeasureSpec]) -> list[_Audited]:
    """Return each vendor of the plan (and any other that turns up in the events) with its records and measures."""
    by_vendor: dict[str, list[Case]] = {vendor.id: [] for vendor in plan.vendors}
    for case in facts.cases.values():
        by_vendor.setdefault(case.vendor, []).append(case)
    planned = planned_cases(plan)
    vendors = {vendor.id: vendor for vendor in plan.vendors}
    found = []
    for vendor_id, cases in by_vendor.items():
        vendor = vendors.get(vendor_id)
        business = BusinessCalendar(vendor.hours, vendor.time_zone, vendor.place) if vendor else None
        weekdays = BusinessCalendar(_WEEKDAYS, vendor.time_zone, vendor.place) if vendor else None
        for case in cases:
            case.business, case.weekdays = business, weekdays
            case.records = promise_records(case, vendor, business)
        accounting = account(vendor_id, cases, planned.get(vendor_id, 0))
        found.append(
            _Audited(
                id=vendor_id,
                name=vendor.name if vendor else vendor_id,
                zone=vendor.time_zone if vendor else "UTC",
                vendor=vendor,
                cases=cases,
                accounting=accounting,
                records=[record for case in cases for record in case.records],
                measures=_measures(vendor_id, cases, accounting, specs),
                calls=[read_call(case, c, number) for case in cases for number, c in enumerate(case.calls, start=1)],
            )
        )
    return found


def _measures(
    vendor: str, cases: Sequence[Case], accounting: Accounting, specs: Sequence[MeasureSpec]
) -> list[Measure]:
    called, chatted = [case for case in cases if case.calls], [case for case in cases if case.chats]
    judged = [case for case in cases if case.judged]
    applying = {Per.CALL: called, Per.HOLD: called, Per.CHAT: chatted}
    outside = {per: left_out(per, cases, accounting) for per in {spec.per for spec in specs}}
    found = []
    for spec in specs:
        among = judged if spec.by_person else applying.get(spec.per, cases)
        observed = Observations([o for case in among for o in spec.observe(case)])
        n_ours, n_not_run = outside[spec.per]
        found.append(summarise(spec, vendor, observed, n_ours=n_ours, n_not_run=n_not_run))
    return found


def _all_costs(
    audited: Sequence[_Audited], inputs: CostInputs | None, rng: np.random.Generator
) -> tuple[tuple[CostRecord, ...], list[Finding]]:
    if inputs is None:
        return (), []
    costs: list[CostRecord] = []
    findings: list[Finding] = []
    for one in audited:
        if one.vendor is None:
            continue
        working = BusinessCalendar(WORKING_HOURS, one.vendor.time_zone, one.vendor.place)
        again = {o.contact for o in one.by_id()["explained_again"].observed if o.value > 0.5}
        found = [case_cost(case, inputs, working, again) for case in one.cases]
        own: list[CaseCost] = [cost for cost in found if cost is not None]
        findings += [cost_finding(cost, one.id, inputs) for cost in own]
        costs.append(cost_record(one.id, one.name, own, inputs, rng))
    return tuple(costs), findings


def _authorisation(plan: Plan) -> str:
    given = plan.authorisation
    return f"{given.basis.replace('_', ' ')}, by {given.by}, until {given.until.isoformat()}"


def _profile_note(profile: Profile, measures: Sequence[Measure]) -> ProfileNote:
    # The registry's measures, and those of a vendor as a whole.
    units = {id: spec.unit for id, spec in BY_ID.items()} | {measure.id: measure.unit for measure in measures}
    names = {id: spec.name for id, spec in BY_ID.items()} | {measure.id: measure.name for measure in measures}
    return ProfileNote(
        id=profile.id,
        name=profile.name,
        source=profile.source,
        checked_on=profile.checked_on,
        lines=profile.lines(units, names),
    )


def _days_per_case(cases: Sequence[Case]) -> float | None:
    lengths = [
        (case.closed.at_utc - case.opened.at_utc).total_seconds() / 86400
        for case in cases
        if case.closed is not None and case.closed.at_utc > case.opened.at_utc
    ]
    return float(np.median(lengths)) if lengths else None


def _cited(stories: Iterable[Story], measures: Iterable[Measure], groups: Iterable[Iterable[_Cites]]) -> set[str]:
    cited: set[str] = set()
    for story in stories:
        for line in story.lines:
            cited.update(line.evidence)
    for measure in measures:
        for o in measure.observed:
            cited.update(o.evidence)
    for group in groups:
        for item in group:
            cited.update(item.evidence)
    return cited


def _notes(
    plan: Plan, facts: Facts, seed: int, weight_faults: Sequence[str], cards: Sequence[Scorecard]
) -> tuple[str, ...]:
    notes = [
        f"Random numbers (bootstrap, random weightings) with seed {seed}.",
        "Waits that had not ended when we stopped watching count as longer than what we saw (right-censored); they are "
        "never counted as answered then, and never left out.",
        "A moment that lies between two of our looks is known to that interval; a promise counts as late only if it "
        "was surely late, unless the vendor's own statement of the time says so.",
        "Where several observations come from one case, they are not independent: a share's interval is Wilson's on "
        "the effective number of observations, a median's and a curve's is the one that the differences between cases "
        "give, from six cases.",
        f"The customer's effort counts {WRITE_MINUTES:.0f} minutes for writing a ticket or a reply, {LOOK_MINUTES:.0f} "
        "minutes for reading what came, and calls as long as they lasted.",
        "No member of the vendor's staff is identified or scored: who is named in the evidence is A-01, A-02, … here, "
        "in the order of appearance.",
    ]
    notes += [
        f"The cases of scenario {sample.scenario} were spread over {sample.spread_over} at random, with seed "
        f"{sample.seed if sample.seed is not None else 'drawn by the program'}."
        for sample in plan.samples
        if sample.spread_over is not None
    ]
    if any(card.weightings for card in cards):
        notes.append(
            f"Ranks: 95 % range over bootstrap samples of the cases; and over {max(c.weightings for c in cards):,} "
            "random weightings of the dimensions, how often each vendor comes first and its best and worst rank."
        )
    if facts.duplicates:
        notes.append(f"{phrases.count(facts.duplicates, 'event')} came twice and counted once.")
    if facts.backwards:
        carry = phrases.count(facts.backwards, "event carries", "events carry")
        notes.append(
            f"{carry} a moment before that of the event before: a clock ran backwards. Times that would be negative "
            "are left out."
        )
    if facts.homeless:
        notes.append(f"{phrases.count(facts.homeless, 'event')} belong to no opened case and were left out.")
    notes += [f"Weights: {fault}." for fault in weight_faults]
    return tuple(notes)
