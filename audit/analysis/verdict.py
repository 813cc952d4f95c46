"""The headline and the decision on a vendor, by a rule that is printed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from audit.analysis import phrases
from audit.analysis.clusters import share_interval
from audit.analysis.model.comparisons import LimitTest
from audit.analysis.model.findings import Origin
from audit.analysis.model.measures import Measure
from audit.analysis.model.promises import PromiseOutcome, PromiseRecord
from audit.analysis.model.scores import Decision, Headline, Judgement, Scorecard, ScorePart
from audit.analysis.statistics import SMALLEST_N
from audit.analysis.values import clusters_of
from audit.plan.model import PromisedWhat

_NOT_MET = {PromiseOutcome.LATE, PromiseOutcome.BROKEN, PromiseOutcome.WITHDRAWN}


@dataclass(frozen=True, slots=True)
class VerdictRule:
    """The numbers in the rule; a profile may carry others. Shares of 0..1, points of 0..100."""

    sign_from: float = 0.9
    conditions_from: float = 0.7
    fewest_due: int = SMALLEST_N
    lowest_dimension: float = 40.0

    def __str__(self) -> str:
        return (
            f"Not enough evidence with fewer than {self.fewest_due} expectations due. Do not sign yet if even the "
            "upper end of the 95 % interval of the share of expectations met is under "
            f"{phrases.percent(self.conditions_from)}. Sign if the share is {phrases.percent(self.sign_from)} or more, "
            f"no rated dimension is under {self.lowest_dimension:.0f} points and no limit is shown to be broken. In "
            "all other cases sign with conditions."
        )


def headline(vendor: str, name: str, records: Sequence[PromiseRecord]) -> Headline:
    """Return the share of expectations met; those of one case are not independent, and the interval says so.

    A promise that is still open, of unknown outcome, or found by a machine and not confirmed is not counted.
    """
    counted = [r for r in records if r.origin is not Origin.MACHINE]
    came_due = [r for r in counted if r.outcome is PromiseOutcome.KEPT or r.outcome in _NOT_MET]
    kept = np.array([r.outcome is PromiseOutcome.KEPT for r in came_due])
    met, due = int(np.count_nonzero(kept)), len(came_due)
    left = len(records) - due
    beside = ""
    if left:
        why = "open or not established"
        if len(counted) < len(records):
            why = "open, not established, or found by a machine and not confirmed"
        beside = f" {phrases.count(left, 'promise')} more {'is' if left == 1 else 'are'} {why}."
    if due == 0:
        said = f"No promise of {name} came due." if records else f"{name} has made no promise that applied."
        return Headline(vendor=vendor, met=0, due=0, share=None, low=None, high=None, sentence=f"{said}{beside}")
    interval = share_interval(kept, clusters_of([r.case for r in came_due]))
    return Headline(
        vendor=vendor,
        met=met,
        due=due,
        share=interval.estimate,
        low=interval.low,
        high=interval.high,
        sentence=(
            f"{name} met {phrases.share(met, due)} of the expectations it had set; 95 % interval "
            f"{phrases.percent(interval.low)} to {phrases.percent(interval.high)}.{beside}"
        ),
    )


def judge(
    head: Headline,
    rule: VerdictRule,
    card: Scorecard | None,
    limits: Sequence[LimitTest],
    measures: Mapping[str, Measure],
    records: Sequence[PromiseRecord],
    days_per_case: float | None,
    n_cases: int,
    *,
    promises: bool = True,
) -> Judgement:
    """Decide on a vendor.

    Args:
        head: the share of expectations met.
        rule: with its numbers; printed as it stands.
        card: the vendor's scorecard; its dimensions under the lowest become conditions.
        limits: of this vendor; those shown to be broken become conditions.
        measures: of this vendor, by id, for the numbers in the clauses.
        records: of this vendor.
        days_per_case: how long a case has taken so far, to say how long the missing evidence takes.
        n_cases: how many there are.
        promises: whether the plan names any promise of this vendor.
    """
    reasons = [head.sentence]
    low = [d for d in card.dimensions if d.score is not None and d.score < rule.lowest_dimension] if card else []
    reasons += [f"{d.name}: {d.score:.0f} of 100 points." for d in low]
    broken = [limit for limit in limits if limit.kept is False]
    reasons += [limit.sentence for limit in broken]
    conditions = [*_clauses(records, rule, measures), *(_limit_clause(limit) for limit in broken)]
    missing = _missing(head, rule, card, days_per_case, n_cases, promises or bool(records))
    if head.due < rule.fewest_due or head.share is None or head.high is None:
        return _judgement(head, Decision.NOT_ENOUGH_EVIDENCE, rule, reasons, (), missing)
    if head.high < rule.conditions_from:
        return _judgement(head, Decision.DO_NOT_SIGN_YET, rule, reasons, conditions, missing)
    if head.share >= rule.sign_from and not low and not broken:
        return _judgement(head, Decision.SIGN, rule, reasons, (), missing)
    conditions += [
        f"{d.name}: raise it from {d.score:.0f} to {rule.lowest_dimension:.0f} points or more by the scale of this "
        f"report ({_worst_part(d.parts, measures)}); to be measured again before signing."
        for d in low
    ]
    return _judgement(head, Decision.SIGN_WITH_CONDITIONS, rule, reasons, conditions, missing)


def _judgement(
    head: Headline,
    decision: Decision,
    rule: VerdictRule,
    reasons: Sequence[str],
    conditions: Sequence[str],
    missing: Sequence[str],
) -> Judgement:
    return Judgement(
        vendor=head.vendor,
        decision=decision,
        rule=str(rule),
        reasons=tuple(reasons),
        conditions=tuple(dict.fromkeys(conditions)),
        missing=tuple(missing),
    )


_CLAUSES: dict[PromisedWhat, tuple[str, str]] = {
    PromisedWhat.RECEIPT: ("A receipt for every request", "receipt_s"),
    PromisedWhat.FIRST_HUMAN_RESPONSE: ("A first answer by a person", "first_human_response_s"),
    PromisedWhat.UPDATE: ("An update on every open case", "longest_silence_s"),
    PromisedWhat.RESOLUTION: ("A solution, or an honest refusal with reason and alternative,", "resolution_s"),
    PromisedWhat.CALL_ANSWERED: ("An answered line", "ring_s"),
    PromisedWhat.HUMAN_ON_CALL: ("A person on the line", "time_to_human_s"),
    PromisedWhat.CALLBACK: ("Every promised call back", ""),
}


def _clauses(records: Sequence[PromiseRecord], rule: VerdictRule, measures: Mapping[str, Measure]) -> list[str]:
    """Return one clause per kind of promise that was kept too seldom, with the promised and the measured number."""
    groups: dict[str, list[PromiseRecord]] = {}
    for record in records:
        if record.origin is not Origin.MACHINE and record.what in set(PromisedWhat):
            groups.setdefault(record.what, []).append(record)
    found = []
    for what, group in groups.items():
        kept = sum(r.outcome is PromiseOutcome.KEPT for r in group)
        due = kept + sum(r.outcome in _NOT_MET for r in group)
        if not due or kept / due >= rule.sign_from:
            continue
        head, measure_id = _CLAUSES[PromisedWhat(what)]
        texts = list(dict.fromkeys(r.text for r in group if r.kind in ("published", "contract")))
        term = f" as promised ({phrases.listed([phrases.quote(t) for t in texts[:2]])})" if texts else " when promised"
        measured = measures.get(measure_id)
        now = f" (now {phrases.share(kept, due)} kept"
        if measured is not None and measured.estimate is not None:
            now += f"; median {phrases.with_unit(measured.estimate, measured.unit)}, n = {measured.n}"
        found.append(
            f"{head}{term}, in at least {phrases.percent(rule.sign_from)} of cases{now}); reported monthly, with a "
            "credit for each miss and the right to leave after two months below."
        )
    return found


def _limit_clause(limit: LimitTest) -> str:
    return f"{limit.text[0].upper()}{limit.text[1:]} (now {phrases.share(limit.within, limit.n)}); reported monthly."


def _worst_part(parts: Sequence[ScorePart], measures: Mapping[str, Measure]) -> str:
    worst = min(parts, key=lambda part: 100.0 if part.score is None else part.score)
    return measures[worst.measure].sentence.rstrip(".")


def _missing(
    head: Headline,
    rule: VerdictRule,
    card: Scorecard | None,
    days_per_case: float | None,
    n_cases: int,
    promises: bool,
) -> tuple[str, ...]:
    """Say which evidence is missing, how much, and how long it takes at the pace so far."""
    found = []
    lacking = rule.fewest_due - head.due
    if not promises:
        found.append(
            "The plan names no promise of this vendor and none was made, so that more cases change nothing: put its "
            "published terms, or the contract's, into the plan. A vendor that publishes none says so by that."
        )
    elif lacking > 0:
        per_case = head.due / n_cases if n_cases and head.due else 1.0
        cases = math.ceil(lacking / per_case)
        takes = f", about {phrases.count(math.ceil(days_per_case), 'day')} if run side by side" if days_per_case else ""
        found.append(
            f"{phrases.count(lacking, 'more expectation')} due ({head.due} so far): "
            f"{phrases.count(cases, 'more case')}{takes}."
        )
    if card is not None:
        found += [f"{d.name}: not rated; {d.why_not}." for d in card.dimensions if d.score is None and d.weight > 0]
    return tuple(found)
