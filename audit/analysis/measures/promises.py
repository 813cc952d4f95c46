"""Expectations: how many of the vendor's own promises came true, and how long they took in units of the promise."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from audit.analysis.case import Case
from audit.analysis.measures.spec import Good, MeasureSpec, Per, observed
from audit.analysis.model.findings import Origin
from audit.analysis.model.measures import MeasureKind, Observed
from audit.analysis.model.promises import PromiseOutcome, PromiseRecord
from audit.plan.model import PromisedWhat

DECIDED = {
    PromiseOutcome.KEPT: 1.0,
    PromiseOutcome.LATE: 0.0,
    PromiseOutcome.BROKEN: 0.0,
    PromiseOutcome.WITHDRAWN: 0.0,
}
"""Outcomes that count in the share of expectations met. Open and not observed promises do not."""


def _observed(case: Case, record: PromiseRecord, value: float) -> Observed:
    at = record.came_at_utc or record.due_at_utc or record.made_at_utc or case.opened.at_utc
    return observed(case, value, at, origin=record.origin, evidence=record.evidence)


def _met(*about: PromisedWhat) -> Callable[[Case], Iterable[Observed]]:
    """Return the measure over promises about these things (none given: all). A machine's finding does not count."""

    def observe(case: Case) -> Iterable[Observed]:
        for record in case.records:
            if (
                record.outcome in DECIDED
                and record.origin is not Origin.MACHINE
                and (not about or record.what in about)
            ):
                yield _observed(case, record, DECIDED[record.outcome])

    return observe


def _ratio(case: Case) -> Iterable[Observed]:
    for record in case.records:
        if record.actual_to_promised_ratio is not None and record.origin is not Origin.MACHINE:
            yield _observed(case, record, record.actual_to_promised_ratio)


def _made(case: Case) -> Iterable[Observed]:
    """How many promises applied in the case; those that only a machine read are not counted."""
    records = [record for record in case.records if record.origin is not Origin.MACHINE]
    evidence = tuple(dict.fromkeys([e for record in records for e in record.evidence])) or None
    yield observed(case, float(len(records)), case.opened.at_utc, case.opened, evidence=evidence)


def _share(id: str, name: str, dimension: int, *about: PromisedWhat) -> MeasureSpec:
    return MeasureSpec(id, name, "ratio", MeasureKind.SHARE, Per.PROMISE, dimension, Good.HIGH, _met(*about))


_P = PromisedWhat

MEASURES = (
    _share("expectations_met", "expectations met", 4),
    _share("response_promises_met", "promises of an answer that were kept", 3, _P.RECEIPT, _P.FIRST_HUMAN_RESPONSE),
    _share("update_promises_met", "promises of updates that were kept", 5, _P.UPDATE),
    _share("resolution_promises_met", "promises of a solution that were kept", 7, _P.RESOLUTION),
    _share("call_promises_met", "promises about calls that were kept", 11, _P.CALL_ANSWERED, _P.HUMAN_ON_CALL,
           _P.CALLBACK),
    MeasureSpec("promises_per_case", "promises that applied in a case", "promises", MeasureKind.QUANTITY, Per.CASE,
                None, Good.NEITHER, _made),
    MeasureSpec("actual_to_promised", "actual time in units of the promised one", "times", MeasureKind.QUANTITY,
                Per.PROMISE, 4, Good.LOW, _ratio),
)  # fmt: skip
