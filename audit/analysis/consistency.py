"""Consistency of coded answers over repeats, and agreement between two reviewers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from audit.analysis import phrases
from audit.analysis.agreement import SMALLEST_UNITS, Metric, alpha_interval, krippendorff_alpha
from audit.analysis.case import Case
from audit.analysis.measures.spec import evidence_number
from audit.analysis.model.comparisons import AgreementResult
from audit.analysis.questions import BY_ID, QUESTIONS
from audit.analysis.values import plentiful
from audit.model import Event
from probes.events import Judged

_NUMBERED = {"courtesy"}


@plentiful(frozen=True, slots=True)
class _Given:
    """One answer: who gave it about which contact or message."""

    vendor: str
    scenario: str
    case: str
    place: tuple[str | None, str | None]
    reviewer: str
    value: str
    event: Event


def agreements(cases: Iterable[Case], rng: np.random.Generator) -> tuple[AgreementResult, ...]:
    """Return the agreement of repeated answers per vendor, and of reviewers per question over all vendors."""
    given: dict[str, list[_Given]] = {}
    vendors: dict[str, None] = {}
    for case in cases:
        vendors.setdefault(case.vendor)
        for event in case.judged:
            what = event.what
            assert isinstance(what, Judged)
            given.setdefault(what.question, []).append(
                _Given(
                    case.vendor,
                    case.scenario,
                    case.id,
                    (event.contact, what.message_key),
                    what.reviewer,
                    what.value,
                    event,
                )
            )
    found = [_repeats(vendor, given.get("answer_code", []), rng) for vendor in vendors]
    for question in QUESTIONS:
        answers = given.get(question.id, [])
        if len({answer.reviewer for answer in answers}) > 1:
            found.append(_reviewers(question.id, answers, rng))
    return tuple(result for result in found if result.n_values)


def _repeats(vendor: str, answers: Sequence[_Given], rng: np.random.Generator) -> AgreementResult:
    """Units are the scenarios (the same question), values the code that each case's answer got (one per case)."""
    by_scenario: dict[str, dict[str, str]] = {}
    used = []
    for answer in answers:
        if answer.vendor == vendor:
            by_scenario.setdefault(answer.scenario, {})[answer.case] = answer.value
            used.append(answer.event)
    units = [list(values.values()) for values in by_scenario.values() if len(values) >= 2]
    pairs = [(a, b) for unit in units for place, a in enumerate(unit) for b in unit[place + 1 :]]
    same = f"; of {len(pairs)} pairs of repeats {sum(a == b for a, b in pairs)} got the same answer" if pairs else ""
    why = "agreement beyond chance needs two questions or more, with two answers each" if len(units) < 2 else None
    return _result(vendor, "answer_code", "repeats", units, Metric.NOMINAL, why, same, used, rng)


def _reviewers(question: str, answers: Sequence[_Given], rng: np.random.Generator) -> AgreementResult:
    """Units are the places judged, values what each reviewer said there."""
    by_place: dict[tuple[str, str | None, str | None], dict[str, str]] = {}
    for answer in answers:
        by_place.setdefault((answer.case, *answer.place), {})[answer.reviewer] = answer.value
    units: list[list[str | float]] = [list(values.values()) for values in by_place.values() if len(values) >= 2]
    metric = Metric.NOMINAL
    if question in _NUMBERED or not (BY_ID[question].values or BY_ID[question].free):
        numbers = [[_number(v) for v in unit] for unit in units]
        if all(v is not None for unit in numbers for v in unit):
            metric = Metric.ORDINAL if question in _NUMBERED else Metric.INTERVAL
            units = [[v for v in unit if v is not None] for unit in numbers]
    differing = sum(len(set(unit)) > 1 for unit in units)
    same = f"; they differ in {differing} of {len(units)}" if units else ""
    why = "two reviewers judged fewer than two of the same contacts" if len(units) < 2 else None
    return _result(None, question, "reviewers", units, metric, why, same, [a.event for a in answers], rng)


def _number(value: object) -> float | None:
    try:
        return float(str(value))
    except ValueError:
        return None


def _result(
    vendor: str | None,
    question: str,
    between: str,
    units: Sequence[Sequence[str | float]],
    metric: Metric,
    why: str | None,
    aside: str,
    events: Sequence[Event],
    rng: np.random.Generator,
) -> AgreementResult:
    alpha = krippendorff_alpha(units, metric)
    interval = alpha_interval(units, rng, metric)
    n_values = sum(len(unit) for unit in units)
    if alpha is None and why is None:
        why = "everybody gave one and the same value, so that chance cannot be told apart"
    about = "Answers to repeated questions" if between == "repeats" else f"Reviewers on {question.replace('_', ' ')}"
    if alpha is None:
        sentence = f"{about}: no alpha, {why}{aside}."
    else:
        ends = f", no interval below {SMALLEST_UNITS}" if alpha < 1 else ", nobody differs"
        if interval is not None:
            ends = f", 95 % interval {interval.low:.2f} to {interval.high:.2f}"
        judged = phrases.count(len(units), "question" if between == "repeats" else "contact")
        sentence = f"{about}: Krippendorff's alpha {alpha:.2f}{ends}; {judged}{aside}."
    return AgreementResult(
        vendor=vendor,
        question=question,
        between=between,
        alpha=alpha,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        n_units=len(units),
        n_values=n_values if units else len(events),
        why_not=why,
        sentence=sentence,
        evidence=tuple(dict.fromkeys(evidence_number(event) for event in events)),
    )
