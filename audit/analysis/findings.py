"""Findings as data: a condition on an observation of a measure, a sentence, and the evidence that comes with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from audit.analysis import phrases
from audit.analysis.measures.registry import BY_ID
from audit.analysis.model import Accounting, Finding, Measure, Observed, Origin, PromiseOutcome, PromiseRecord, Verdict


@dataclass(frozen=True, slots=True)
class FindingRule:
    """One kind of finding. `sentence` is filled with {value} (in words), {detail} and {channel}.

    A machine's unconfirmed reading gives an `anomaly` at most, whatever `verdict` says.
    """

    measure: str
    when: Callable[[Observed], bool]
    sentence: str
    verdict: Verdict = Verdict.CONFIRMED


def _yes(o: Observed) -> bool:
    return o.value > 0.5


RULES: tuple[FindingRule, ...] = (
    FindingRule(
        "first_human_response_s", lambda o: o.censored, "The ticket had no answer by a person for {value}.",
    ),
    FindingRule("closed_without_answer", _yes, "The ticket was closed without an answer by a person."),
    FindingRule("false_resolved", _yes, "The case was called resolved and had to be opened again."),
    FindingRule("new_ticket_per_case", _yes, "Instead of an answer there was another ticket{detail}."),
    FindingRule("restart_per_case", _yes, "The process had to be started again{detail}."),
)  # fmt: skip


def case_findings(measures: Iterable[Measure]) -> list[Finding]:
    """Return what single observations say, by the rules above."""
    rules: dict[str, list[FindingRule]] = {}
    for rule in RULES:
        rules.setdefault(rule.measure, []).append(rule)
    found = []
    for measure in measures:
        for number, rule in enumerate(rules.get(measure.id, ())):
            for o in measure.observed:
                if not rule.when(o):
                    continue
                found.append(
                    Finding(
                        id=f"{measure.id}/{number}@{o.contact or o.case}",
                        vendor=measure.vendor,
                        sentence=phrases.stopped(
                            rule.sentence.format(
                                value=phrases.with_unit(o.value, measure.unit),
                                detail=f": {o.detail}" if o.detail else "",
                                channel=o.channel or "",
                            )
                        ),
                        verdict=Verdict.ANOMALY if o.origin is Origin.MACHINE else rule.verdict,
                        measure=measure.id,
                        dimension=BY_ID[measure.id].dimension,
                        evidence=o.evidence,
                        case=o.case,
                        contact=o.contact,
                        origin=o.origin,
                    )
                )
    return found


def promise_findings(records: Iterable[PromiseRecord]) -> list[Finding]:
    """Return one finding for each promise that was late or broken, or of which the outcome is not established."""
    found = []
    for record in records:
        if record.outcome not in (PromiseOutcome.LATE, PromiseOutcome.BROKEN):
            continue
        by_machine = "unconfirmed" in record.source
        found.append(
            Finding(
                id=f"promise/{record.id}",
                vendor=record.vendor,
                sentence=record.sentence,
                verdict=Verdict.ANOMALY if by_machine else Verdict.CONFIRMED,
                measure="expectations_met",
                dimension=4,
                evidence=record.evidence,
                case=record.case,
                origin=Origin.MACHINE if by_machine else Origin.MEASURED,
            )
        )
    return found


def our_findings(accounting: Accounting, evidence: tuple[str, ...]) -> list[Finding]:
    """Return the finding that says what failed on our side, where anything did."""
    if not accounting.contacts_ours:
        return []
    failed = phrases.count(accounting.contacts_ours, "contact")
    return [
        Finding(
            id=f"ours@{accounting.vendor}",
            vendor=accounting.vendor,
            sentence=f"{failed} of {accounting.contacts} failed on our side; none is charged to the vendor.",
            verdict=Verdict.OURS,
            measure=None,
            dimension=None,
            evidence=evidence,
        )
    ]


def ordered(findings: Iterable[Finding], at: Mapping[str, int]) -> tuple[Finding, ...]:
    """Return findings vendor by vendor, in the order in which their first evidence happened."""
    return tuple(sorted(findings, key=lambda f: (f.vendor, at.get(f.evidence[0], 0) if f.evidence else 0, f.id)))
