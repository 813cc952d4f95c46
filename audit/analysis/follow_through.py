"""Courtesy and outcome side by side, so that "charming and useless" is a visible place."""

from __future__ import annotations

from collections.abc import Iterable

from audit.analysis.facts import Case
from audit.analysis.measures.cases import judged
from audit.analysis.measures.spec import evidence_number
from audit.analysis.model import FollowThrough
from audit.model import Event
from probes.events import CaseOutcome, Judged

_SOLVED = {"yes": 1.0, "partly": 0.5, "no": 0.0}


def follow_through(cases: Iterable[Case]) -> tuple[FollowThrough, ...]:
    """Return one point per case in which a person judged the courtesy of at least one contact.

    Courtesy is the mean of the judgements, 1..5 as 0..1. The outcome is the last judgement whether the problem was
    solved; without one, whether the vendor's own status says so. For a problem that cannot be solved, an honest
    refusal (said, with reason and alternative) is the good outcome.
    """
    found = []
    for case in cases:
        marks = [(e, _mark(e)) for e in judged(case, "courtesy")]
        given = [(e, mark) for e, mark in marks if mark is not None]
        outcome, proof = _outcome(case)
        if not given or outcome is None:
            continue
        courtesy = sum(mark for _, mark in given) / len(given)
        found.append(
            FollowThrough(
                vendor=case.vendor,
                case=case.id,
                courtesy=courtesy,
                outcome=outcome,
                label=label(courtesy, outcome),
                evidence=tuple(dict.fromkeys(evidence_number(e) for e in [*(e for e, _ in given), *proof])),
            )
        )
    return tuple(found)


def label(courtesy: float, outcome: float) -> str:
    """Return the place on the plot in words."""
    charming, useful = courtesy >= 0.5, outcome >= 0.5
    if charming:
        return "charming and useful" if useful else "charming and useless"
    return "curt and useful" if useful else "curt and useless"


def _mark(event: Event) -> float | None:
    assert isinstance(event.what, Judged)
    return (int(event.what.value) - 1) / 4 if event.what.value in ("1", "2", "3", "4", "5") else None


def _outcome(case: Case) -> tuple[float | None, list[Event]]:
    if not case.solvable:
        parts = [judged(case, part) for part in ("refusal_said", "refusal_reason", "refusal_alternative")]
        if not parts[0]:
            return None, []
        events = [e for part in parts for e in part]
        said = [any(isinstance(e.what, Judged) and e.what.value == "yes" for e in part) for part in parts]
        return sum(said) / 3, events
    answers = [e for e in judged(case, "solved") if isinstance(e.what, Judged) and e.what.value in _SOLVED]
    if answers:
        assert isinstance(answers[-1].what, Judged)
        return _SOLVED[answers[-1].what.value], answers[-1:]
    done = case.resolved()
    if done is not None:
        return 1.0, [done]
    if case.closed is not None and case.outcome is CaseOutcome.GIVEN_UP:
        return 0.0, [case.closed]
    return None, []
