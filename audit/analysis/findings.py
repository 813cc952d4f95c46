"""Findings as data: a condition on an observation of a measure, a sentence, and the evidence that comes with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from audit.analysis import phrases
from audit.analysis.measures.registry import BY_ID
from audit.analysis.model.audits import Accounting
from audit.analysis.model.calls import CallRecord
from audit.analysis.model.comparisons import LimitTest, PairTest
from audit.analysis.model.findings import Finding, Origin, Verdict
from audit.analysis.model.measures import Measure, Observed
from audit.analysis.model.promises import PromiseOutcome, PromiseRecord


@dataclass(frozen=True, slots=True)
class FindingRule:
    """One kind of finding. `sentence` is filled with {value} (in words), {detail}, and {where} ("in the first call").

    A machine's unconfirmed reading gives an `anomaly` at most, whatever `verdict` says.
    """

    measure: str
    when: Callable[[Observed], bool]
    sentence: str
    verdict: Verdict = Verdict.CONFIRMED


def _yes(o: Observed) -> bool:
    return o.value > 0.5


def _no(o: Observed) -> bool:
    return o.value < 0.5


_R = FindingRule

RULES: tuple[FindingRule, ...] = (
    _R("unanswered_wait_s", lambda o: o.value > 0, "{value} passed without an answer by a person"),
    # Having stopped watching within the hour says nothing of anybody.
    _R("first_human_response_s", lambda o: o.censored and o.value >= 3600,
       "The ticket had no answer by a person for {value}, until we stopped watching"),
    _R("closed_without_answer", _yes, "The ticket was closed without an answer by a person"),
    _R("false_resolved", _yes, "The case was called resolved and had to be opened again"),
    _R("dispute_ignored", _yes,
       "Told that the problem was not solved, the vendor neither answered nor opened the ticket again{detail}"),
    _R("identification_gate", _yes,
       "An identification number had to be keyed in before anybody could be reached{where}"),
    _R("reached_human", _no, "No person was reached{where}"),
    _R("hold_permission_asked", _no, "The call was put on hold without asking{where}{detail}"),
    _R("hold_s", lambda o: o.value >= 120 or (o.censored and o.value >= 60), "{value} on hold{where}{detail}"),
    _R("hold_over_speech_lu", lambda o: o.value >= 3,
       "The hold audio was {value} louder than the agent's speech{where}"),
    _R("hold_loop_times", lambda o: o.value >= 5,
       "The same audio was played {value} times over during one hold{where}{detail}"),
    _R("hold_advertising", _yes, "There was advertising while on hold{where}{detail}"),
    _R("vendor_hung_up", _yes, "The vendor cut the call off{where}{detail}"),
    _R("vendor_ended_talk", _yes,
       "The vendor ended the call{where}{detail}; whether the talk was over is for a person to judge",
       Verdict.NOT_ESTABLISHED),
    _R("dead_line", _yes, "The line went dead{where}{detail}", Verdict.NOT_ESTABLISHED),
    _R("gave_up_waiting", _yes, "The customer gave up{where}{detail}"),
    _R("dead_end", _yes, "The menu or chat led nowhere{where}{detail}"),
    _R("chat_no_person", _yes, "A person was asked for in the chat and none came{detail}"),
    _R("chat_bot_disclosed", _no, "A machine answered in the chat and did not say that it is one{detail}"),
    _R("chat_actual_to_announced_wait", lambda o: o.value >= 1.5,
       "The wait for a person in the chat was {value} times as long as announced{detail}"),
    _R("asked_again", _yes, "Something already given was asked for again{where}{detail}"),
    _R("identified_again", _yes, "The identification had to be given again{where}"),
    _R("explained_again", _yes, "Everything had to be explained again{where}{detail}"),
    _R("new_ticket_per_case", _yes, "Instead of an answer there was another ticket{detail}"),
    _R("restart_per_case", _yes, "The process had to be started again{detail}"),
    _R("upsell", _yes, "A purchase was offered as the solution{where}{detail}"),
)  # fmt: skip


def case_findings(measures: Iterable[Measure], calls: Iterable[CallRecord]) -> list[Finding]:
    """Return what single observations say, by the rules above."""
    where = {call.contact: f" in the {phrases.ordinal(call.number_in_case)} call" for call in calls}
    rules: dict[str, list[FindingRule]] = {}
    for rule in RULES:
        rules.setdefault(rule.measure, []).append(rule)
    found = []
    for measure in measures:
        for number, rule in enumerate(rules.get(measure.id, ())):
            for place, o in enumerate(measure.observed):
                if rule.when(o):
                    found.append(_finding(measure, rule, o, f"{measure.id}/{number}.{place}", where))
    return found


def _finding(measure: Measure, rule: FindingRule, o: Observed, id: str, where: Mapping[str, str]) -> Finding:
    detail = o.detail if o.detail[:1] in ("", ",", " ") else f": {o.detail}"
    sentence = rule.sentence.format(
        value=phrases.number(round(o.value, 1))
        if measure.unit == "times"
        else phrases.with_unit(o.value, measure.unit),
        detail=detail,
        where=where.get(o.contact or "", ""),
    )
    return Finding(
        f"{id}@{o.contact or o.case}",
        measure.vendor,
        phrases.stopped(f"{sentence}."),
        Verdict.ANOMALY if o.origin is Origin.MACHINE else rule.verdict,
        measure.id,
        BY_ID[measure.id].dimension,
        o.evidence,
        o.case,
        o.contact,
        o.origin,
    )


def promise_findings(records: Iterable[PromiseRecord]) -> list[Finding]:
    """Return one finding for each promise that was late or broken, or of which the outcome is not established."""
    found = []
    for record in records:
        if record.outcome not in (PromiseOutcome.LATE, PromiseOutcome.BROKEN):
            continue
        by_machine = record.origin is Origin.MACHINE
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
                origin=record.origin,
            )
        )
    return found


def limit_findings(limits: Iterable[LimitTest]) -> list[Finding]:
    """Return one finding per limit that is shown to be broken, or seems so until all tests are counted."""
    return [
        Finding(
            id=f"limit/{limit.id}@{limit.vendor}",
            vendor=limit.vendor,
            sentence=limit.sentence,
            verdict=limit.verdict,
            measure=limit.measure,
            dimension=BY_ID[limit.measure].dimension if limit.measure in BY_ID else None,
            evidence=limit.evidence,
        )
        for limit in limits
        if limit.verdict is not Verdict.NOT_ESTABLISHED
    ]


def pair_findings(pairs: Iterable[PairTest]) -> list[Finding]:
    """Return one finding per difference between matched personas that is established, or seems so."""
    return [
        Finding(
            id=f"pair/{pair.measure}/{pair.persona}@{pair.vendor}",
            vendor=pair.vendor,
            sentence=pair.sentence,
            verdict=pair.verdict,
            measure=pair.measure,
            dimension=12,
            evidence=pair.evidence,
        )
        for pair in pairs
        if pair.verdict is not Verdict.NOT_ESTABLISHED
    ]


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


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings vendor by vendor, in the order in which their first evidence happened."""
    return tuple(sorted(findings, key=lambda f: (f.vendor, int(f.evidence[0][1:]) if f.evidence else 0, f.id)))
