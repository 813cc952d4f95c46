"""The headline and the decision on a vendor, by a rule that is printed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from audit.analysis import phrases
from audit.analysis.model import Decision, Headline, Judgement, PromiseOutcome, PromiseRecord
from audit.analysis.statistics import SMALLEST_N, wilson

_MET = {PromiseOutcome.KEPT}
_NOT_MET = {PromiseOutcome.LATE, PromiseOutcome.BROKEN, PromiseOutcome.WITHDRAWN}


@dataclass(frozen=True, slots=True)
class VerdictRule:
    """The numbers in the rule; a profile may carry others."""

    sign_from: float = 0.9
    conditions_from: float = 0.7
    fewest_due: int = SMALLEST_N
    lowest_dimension: float = 40.0

    def __str__(self) -> str:
        return (
            f"Not enough evidence with fewer than {self.fewest_due} expectations due. Do not sign yet if even the "
            "upper end of the 95 % interval of the share of expectations met is under "
            f"{phrases.percent(self.conditions_from)}. Sign if the share is {phrases.percent(self.sign_from)} or more "
            f"and no rated dimension is under {self.lowest_dimension:.0f} points. In all other cases sign with "
            "conditions."
        )


def headline(vendor: str, name: str, records: Sequence[PromiseRecord]) -> Headline:
    """Return the share of expectations met. A promise that is still open, or of unknown outcome, is not counted."""
    met = sum(r.outcome in _MET for r in records)
    due = met + sum(r.outcome in _NOT_MET for r in records)
    left = len(records) - due
    beside = (
        f" {phrases.count(left, 'promise')} more {'is' if left == 1 else 'are'} open or not established."
        if left
        else ""
    )
    if due == 0:
        said = f"{name} has made no promise that came due." if not records else f"No promise of {name} came due."
        return Headline(vendor=vendor, met=0, due=0, share=None, low=None, high=None, sentence=f"{said}{beside}")
    interval = wilson(met, due)
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


def judge(head: Headline, rule: VerdictRule) -> Judgement:
    """Decide on a vendor from its headline."""
    missing: tuple[str, ...] = ()
    if head.due < rule.fewest_due or head.share is None or head.high is None:
        decision = Decision.NOT_ENOUGH_EVIDENCE
        lacking = rule.fewest_due - head.due
        missing = (f"{phrases.count(lacking, 'more expectation')} that came due ({head.due} so far)",)
    elif head.high < rule.conditions_from:
        decision = Decision.DO_NOT_SIGN_YET
    elif head.share >= rule.sign_from:
        decision = Decision.SIGN
    else:
        decision = Decision.SIGN_WITH_CONDITIONS
    return Judgement(
        vendor=head.vendor,
        decision=decision,
        rule=str(rule),
        reasons=(head.sentence,),
        conditions=(),
        missing=missing,
    )
