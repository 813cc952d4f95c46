"""What was planned, done, failed on our side and left out: counted explicitly, and printed beside every n."""

from __future__ import annotations

from collections.abc import Sequence

from audit.analysis.case import Case
from audit.analysis.measures.spec import Per, evidence_number
from audit.analysis.model.audits import Accounting
from audit.plan.model import Plan
from probes.errors import Side
from probes.events import Action, CarrierCharged, CaseOutcome, ContactOutcome


def planned_cases(plan: Plan) -> dict[str, int]:
    """Return how many cases the plan asks for, per vendor."""
    wanted = {vendor.id: 0 for vendor in plan.vendors}
    for sample in plan.samples:
        personas = len(sample.personas) or len(plan.personas)
        for vendor in sample.vendors or tuple(wanted):
            if vendor in wanted:
                wanted[vendor] += sample.n * personas
    return wanted


def account(vendor: str, cases: Sequence[Case], planned: int) -> Accounting:
    """Count a vendor's cases and contacts."""
    contacts = ours = not_run = retries = 0
    charges = []
    for case in cases:
        contacts += len(case.contacts)
        for c in case.eventful:
            ours += c.side is Side.OURS
            not_run += c.outcome is ContactOutcome.NOT_RUN
            retries += c.attempt > 1
            if c.charged is not None:
                charges.append(c.charged.what)
    calls = [c for case in cases for c in case.calls]
    lengths = [c.length_s() for c in calls]
    costs = [charge for charge in charges if isinstance(charge, CarrierCharged)]
    currencies = {cost.currency for cost in costs}
    return Accounting(
        vendor=vendor,
        cases_planned=max(planned, len(cases)),
        cases=len(cases),
        cases_closed=sum(case.closed is not None for case in cases),
        cases_censored=sum(
            case.outcome not in (CaseOutcome.RESOLVED, CaseOutcome.OURS) and case.resolved() is None for case in cases
        ),
        cases_ours=sum(case.outcome is CaseOutcome.OURS for case in cases),
        contacts=contacts,
        contacts_ours=ours,
        contacts_not_run=not_run,
        refused=sum(len(case.refused) for case in cases),
        retries=retries,
        calls=len(calls),
        call_minutes=sum(s for s in lengths if s is not None) / 60,
        cost_minor=sum(cost.cost_minor for cost in costs) if len(currencies) == 1 else None,
        currency=next(iter(currencies)) if len(currencies) == 1 else None,
    )


def left_out(per: Per, cases: Sequence[Case], accounting: Accounting) -> tuple[int, int]:
    """Return what stands outside n for a measure: how many failed on our side, and how many were not run."""
    if per in (Per.CALL, Per.HOLD):
        wanted = [c for case in cases for c in case.eventful if c.action is Action.CALL]
        return sum(c.is_ours for c in wanted), sum(not c.was_run for c in wanted)
    if per is Per.CHAT:
        wanted = [c for case in cases for c in case.eventful if c.action is Action.CHAT]
        return sum(c.is_ours for c in wanted), sum(not c.was_run for c in wanted)
    if per is Per.TICKET:
        wanted = [c for case in cases for c in case.eventful if c.action is Action.OPEN]
        not_opened = accounting.cases_planned - accounting.cases
        return sum(c.is_ours for c in wanted), sum(not c.was_run for c in wanted) + not_opened
    return accounting.cases_ours, accounting.cases_planned - accounting.cases


def our_evidence(cases: Sequence[Case]) -> tuple[str, ...]:
    """Return the evidence numbers of the contacts that failed on our side."""
    return tuple(evidence_number(c.ended or c.started) for case in cases for c in case.eventful if c.is_ours)
