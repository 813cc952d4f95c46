"""What a vendor's service costs the reader, from the reader's own figures and nothing else.

Per case: the customer's effort at the cost of an hour; and, where the reader gives a cost of blocked work, the working
time for which an answer or a solution stayed away beyond the moment that the vendor had promised, times the people who
wait. Working time is Mon–Fri 09:00–17:00 at the vendor's place, public holidays left out.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import numpy as np

from audit.analysis import phrases
from audit.analysis.case import Case, Contact
from audit.analysis.measures.cases import LOOK_MINUTES, minutes_of
from audit.analysis.measures.spec import evidence_number
from audit.analysis.model.findings import Finding, Verdict
from audit.analysis.model.promises import PromiseOutcome
from audit.analysis.model.scores import CostPart, CostRecord
from audit.analysis.state import LOST
from audit.analysis.statistics import SMALLEST_N_OF_MEAN, mean_interval
from audit.analysis.values import plentiful
from audit.calendar import BusinessCalendar
from audit.plan.model import CostInputs, PromisedWhat
from probes.errors import Side
from probes.events import Action, CallEnded

WORKING_HOURS = "Mon-Fri 09:00-17:00"
_MISSED = {PromiseOutcome.LATE, PromiseOutcome.BROKEN}
_BLOCKING = {PromisedWhat.FIRST_HUMAN_RESPONSE, PromisedWhat.UPDATE, PromisedWhat.RESOLUTION}


@plentiful(frozen=True, slots=True)
class CaseCost:
    """One case: minutes of the customer, of which repeated; hours of blocked work; and both in money."""

    case: str
    contacts: int
    effort_min: float
    repeated_min: float
    blocked_h: float
    effort: float
    repeated: float
    blocked: float
    evidence: tuple[str, ...]

    @property
    def total(self) -> float:
        """Effort and blocked work."""
        return self.effort + self.blocked


def case_cost(
    case: Case, inputs: CostInputs, working: BusinessCalendar, again: Collection[str | None]
) -> CaseCost | None:
    """Return what a case cost; None where we never turned to the vendor.

    Args:
        case: as read from the events.
        inputs: the reader's.
        working: counts working hours.
        again: the contacts in which the problem had to be explained again.
    """
    taken = [(c, minutes_of(c)) for c in case.turns]
    if not taken:
        return None
    effort_min = sum(m for _, m in taken if m is not None)
    news = {m.contact for m in case.messages if not m.sent and m.from_vendor}
    effort_min += LOOK_MINUTES * len(news)
    repeated_min = sum(m for c, m in taken if m is not None and (c.id in again or _came_to_nothing(c)))
    blocked_h = _blocked_h(case, working) if inputs.blocked_hour else 0.0
    late = [
        r for r in case.records if r.what in _BLOCKING and r.outcome in (PromiseOutcome.LATE, PromiseOutcome.BROKEN)
    ]
    evidence = [evidence_number(c.call_ended or c.started) for c, _ in taken] + [e for r in late for e in r.evidence]
    return CaseCost(
        case=case.id,
        contacts=len(taken),
        effort_min=effort_min,
        repeated_min=repeated_min,
        blocked_h=blocked_h,
        effort=effort_min / 60 * inputs.hour.amount,
        repeated=repeated_min / 60 * inputs.hour.amount,
        blocked=blocked_h * inputs.people_waiting * inputs.blocked_hour.amount if inputs.blocked_hour else 0.0,
        evidence=tuple(dict.fromkeys(evidence)),
    )


def _came_to_nothing(contact: Contact) -> bool:
    """Return whether a call was lost: not reached, given up at a cap, or ended by the vendor or nobody knows whom."""
    if contact.action is not Action.CALL:
        return False
    if contact.outcome in LOST:
        return True
    ended = contact.call_ended.what if contact.call_ended else None
    return isinstance(ended, CallEnded) and ended.by in (Side.VENDOR, Side.NOT_KNOWN)


def _blocked_h(case: Case, working: BusinessCalendar) -> float:
    """Return the working hours between what was promised and what came, overlapping ones counted once."""
    spans: list[tuple[datetime, datetime]] = []
    for record in case.records:
        if record.what not in _BLOCKING or record.outcome not in _MISSED or record.due_at_utc is None:
            continue
        until = record.came_at_utc or case.watched_until
        if until is not None and until > record.due_at_utc:
            spans.append((record.due_at_utc, until))
    total_s, reached = 0.0, None
    for start, end in sorted(spans):
        begin = start if reached is None else max(start, reached)
        if end > begin:
            total_s += working.business_seconds(begin, end)
            reached = end
    return total_s / 3600


def cost_record(
    vendor: str, name: str, costs: Sequence[CaseCost], inputs: CostInputs, rng: np.random.Generator
) -> CostRecord:
    """Sum the cases of a vendor up: the mean per case with its interval, per year, and what better service would save.

    The interval is the bootstrap-t one of the mean over cases, from 30 cases.
    """
    currency = inputs.hour.currency
    said = [f"an hour costs {phrases.money(inputs.hour.amount, currency)}"]
    if inputs.blocked_hour is not None:
        said.append(
            f"an hour of blocked work costs {phrases.money(inputs.blocked_hour.amount, inputs.blocked_hour.currency)} "
            f"for each of {phrases.number(inputs.people_waiting)} waiting ({WORKING_HOURS})"
        )
    if inputs.contacts_per_year is not None:
        said.append(f"{phrases.number(inputs.contacts_per_year)} cases a year")
    why: str | None = None
    mean = low = high = None
    if inputs.blocked_hour is not None and inputs.blocked_hour.currency != currency:
        why, costs = "the inputs are in two currencies", ()
    elif not costs:
        why = "no case in which the customer turned to the vendor"
    n = len(costs)
    if n:
        totals = np.array([c.total for c in costs])
        mean = float(totals.mean())
        interval = mean_interval(totals, rng)
        if interval is not None:
            low, high = max(0.0, interval.low), interval.high
        else:
            why = f"an interval on a mean needs {SMALLEST_N_OF_MEAN} cases, and there {'is' if n == 1 else 'are'} {n}"
    per_year = inputs.contacts_per_year
    avoidable = sum(c.repeated + c.blocked for c in costs) / n if n else None
    return CostRecord(
        vendor=vendor,
        currency=currency,
        per_case=mean,
        low=low,
        high=high,
        per_year=_times(mean, per_year),
        per_year_low=_times(low, per_year),
        per_year_high=_times(high, per_year),
        avoidable_per_case=avoidable,
        n=n,
        parts=(
            CostPart("first effort", sum(c.effort - c.repeated for c in costs) / n if n else 0.0),
            CostPart("repeated effort", sum(c.repeated for c in costs) / n if n else 0.0),
            CostPart("blocked work beyond what was promised", sum(c.blocked for c in costs) / n if n else 0.0),
        ),
        inputs=tuple(said),
        why_not=why,
        sentence=_sentence(name, currency, mean, low, high, _times(mean, per_year), avoidable, n, why),
        evidence=tuple(dict.fromkeys(e for c in costs[:20] for e in c.evidence)),
    )


def cost_finding(cost: CaseCost, vendor: str, inputs: CostInputs) -> Finding:
    """Return the finding that says what one case cost the customer."""
    currency = inputs.hour.currency
    parts = [
        f"{phrases.length(cost.effort_min * 60)} of the customer's time in {phrases.count(cost.contacts, 'contact')}"
        f" ({phrases.money(cost.effort, currency)}, of which {phrases.money(cost.repeated, currency)} for what had "
        "to be done again)"
    ]
    if cost.blocked_h:
        parts.append(
            f"{phrases.number(cost.blocked_h)} working hours of waiting beyond what was promised "
            f"({phrases.money(cost.blocked, currency)})"
        )
    return Finding(
        id=f"cost@{cost.case}",
        vendor=vendor,
        sentence=f"The case cost {phrases.money(cost.total, currency)}: {phrases.listed(parts)}.",
        verdict=Verdict.CONFIRMED,
        measure="customer_effort_min",
        dimension=None,
        evidence=cost.evidence,
        case=cost.case,
    )


def _times(value: float | None, factor: float | None) -> float | None:
    return None if value is None or factor is None else value * factor


def _sentence(
    name: str,
    currency: str,
    mean: float | None,
    low: float | None,
    high: float | None,
    per_year: float | None,
    avoidable: float | None,
    n: int,
    why: str | None,
) -> str:
    if mean is None:
        return f"Cost of {name}: not worked out, {why}."
    cases = phrases.count(n, "case")
    if low is None or high is None:
        interval = f"mean of {cases}; {why}"
    else:
        interval = f"95 % interval {phrases.money(low, currency)} to {phrases.money(high, currency)}, mean of {cases}"
    yearly = f" That is {phrases.money(per_year, currency)} a year." if per_year is not None else ""
    saved = ""
    if avoidable is not None:
        saved = f" Service as promised, without repetition, would save {phrases.money(avoidable, currency)} per case."
    return f"A case with {name} cost {phrases.money(mean, currency)} ({interval}).{yearly}{saved}"
