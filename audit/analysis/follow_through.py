"""Courtesy and outcome side by side, so that "charming and useless" is a visible place."""

from __future__ import annotations

from collections.abc import Iterable

from audit.analysis.case import Case
from audit.analysis.measures.cases import judged
from audit.analysis.measures.spec import evidence_numbers
from audit.analysis.model.comparisons import FollowThrough
from audit.model import Event
from probes.events import CaseOutcome, Judged

_SOLVED = {"yes": 1.0, "partly": 0.5, "no": 0.0}


def follow_through(cases: Iterable[Case]) -> tuple[FollowThrough, ...]:
    """Return one point per contact of which both courtesy and outcome were judged; else one for the case, if it can be.

    Courtesy is the mean of the judgements, 1..5 as 0..1. The outcome is the last judgement whether the problem was
    solved; for a case without one, whether the vendor's own status says so. For a problem that cannot be solved, an
    honest refusal (said, with reason and alternative) is the good outcome.
    """
    return tuple(point for case in cases if case.judged for point in _points(case))


def _points(case: Case) -> list[FollowThrough]:
    marks: dict[str | None, list[tuple[Event, float]]] = {}
    for event in judged(case, "courtesy"):
        mark = _mark(event)
        if mark is not None:
            marks.setdefault(event.contact, []).append((event, mark))
    found = []
    if case.solvable:
        for contact, given in marks.items():
            solved = _solved(case, contact) if contact is not None else None
            if solved is not None:
                found.append(_point(case, contact, given, _SOLVED[solved[0]], [solved[1]]))
    outcome, proof = _outcome(case)
    if not found and marks and outcome is not None:
        found.append(_point(case, None, [one for given in marks.values() for one in given], outcome, proof))
    return found


def _point(
    case: Case, contact: str | None, given: list[tuple[Event, float]], outcome: float, proof: list[Event]
) -> FollowThrough:
    courtesy = sum(mark for _, mark in given) / len(given)
    return FollowThrough(
        vendor=case.vendor,
        case=case.id,
        courtesy=courtesy,
        outcome=outcome,
        label=label(courtesy, outcome),
        evidence=evidence_numbers(*(event for event, _ in given), *proof),
        contact=contact,
    )


def _solved(case: Case, contact: str | None) -> tuple[str, Event] | None:
    answers = [
        (e.what.value, e)
        for e in judged(case, "solved")
        if isinstance(e.what, Judged) and e.what.value in _SOLVED and (contact is None or e.contact == contact)
    ]
    return answers[-1] if answers else None


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
    solved = _solved(case, None)
    if solved is not None:
        return _SOLVED[solved[0]], [solved[1]]
    done = case.resolved()
    if done is not None:
        return 1.0, [done]
    if case.closed is not None and case.outcome is CaseOutcome.GIVEN_UP:
        return 0.0, [case.closed]
    return None, []
