"""Equal respect: the same scenario and sample with two personas that differ in one attribute, compared pair by pair."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.analysis import phrases
from audit.analysis.model.comparisons import PairPoint, PairTest
from audit.analysis.model.findings import Verdict
from audit.analysis.model.measures import Measure, MeasureKind
from audit.analysis.statistics import SMALLEST_N, PairedTest, holm, sign_test, signed_rank_test
from audit.analysis.values import changed
from audit.plan.model import Persona


@dataclass(slots=True)
class _Value:
    """One persona's value in one case: its first observation, or the share over the case."""

    value: float
    n: int
    censored: bool
    evidence: tuple[str, ...]


def compare_personas(
    measures: Iterable[Measure], personas: Sequence[Persona], wanted: frozenset[str]
) -> tuple[PairTest, ...]:
    """Compare matched personas in every wanted measure; p-values are adjusted for all comparisons made (Holm).

    Args:
        measures: of all vendors, with their observations.
        personas: of the plan; those with `pair` are compared with the persona that it names.
        wanted: ids of the measures to compare; decided beforehand, not by what was found.
    """
    known = {persona.id: persona for persona in personas}
    tests: list[PairTest] = []
    for measure in measures:
        if measure.id not in wanted or not measure.n:
            continue
        paired = [persona for persona in personas if persona.pair is not None]
        by_persona = _by_persona(measure) if paired else {}
        for persona in paired:
            assert persona.pair is not None
            if persona.pair.of not in known:
                tests.append(_none(measure, persona, f'the partner "{persona.pair.of}" is not in the plan'))
                continue
            tests.append(_compare(measure, persona, by_persona))
    with_p = [place for place, test in enumerate(tests) if test.p_value is not None]
    adjusted = holm([tests[place].p_value or 0.0 for place in with_p])
    for place, p_holm in zip(with_p, adjusted, strict=True):
        tests[place] = _judged(tests[place], p_holm)
    return tuple(tests)


def _compare(
    measure: Measure, persona: Persona, by_persona: Mapping[str, Mapping[tuple[str, int], _Value]]
) -> PairTest:
    assert persona.pair is not None
    mine, theirs = by_persona.get(persona.id, {}), by_persona.get(persona.pair.of, {})
    points: list[PairPoint] = []
    differences: list[float] = []
    evidence: list[str] = []
    left_out = len(mine.keys() ^ theirs.keys())
    for key in sorted(mine.keys() & theirs.keys()):
        one, other = mine[key], theirs[key]
        points.append(PairPoint(key[0], key[1], one.value, other.value))
        evidence += one.evidence[:1]
        evidence += other.evidence[:1]
        if not (one.censored or other.censored):
            differences.append(one.value - other.value)
        elif (difference := _least_difference(one, other)) is not None:
            differences.append(difference)
        else:
            left_out += 1
    found = _test(np.array(differences), measure.kind)
    n = len(differences)
    why: str | None = None
    if n < SMALLEST_N:
        why = f"{SMALLEST_N} pairs are needed, and there are {n}"
    elif found.p_value is None:
        why = f"only {found.n_used} of {n} pairs differ at all; {SMALLEST_N} are needed"
    test = changed(
        _none(measure, persona, why),
        n_pairs=n,
        n_left_out=left_out,
        difference=found.estimate if n >= SMALLEST_N else None,
        low=found.low if n >= SMALLEST_N else None,
        high=found.high if n >= SMALLEST_N else None,
        p_value=found.p_value,
        method=found.method,
        pairs=tuple(points),
        evidence=tuple(dict.fromkeys(evidence)),
    )
    return changed(test, sentence=_sentence(test, measure))


def _test(differences: NDArray[np.float64], kind: MeasureKind) -> PairedTest:
    if differences.size and np.isfinite(differences).all() and kind is not MeasureKind.SHARE:
        found = signed_rank_test(differences)
        if found.p_value is not None:
            return found
    return sign_test(differences)


def _least_difference(one: _Value, other: _Value) -> float | None:
    """Return persona minus partner where a value is a bound: ±inf if the direction is known, None if not even that."""
    if one.censored and other.censored:
        return None
    if one.censored:
        return math.inf if one.value >= other.value else None
    return -math.inf if other.value >= one.value else None


def _by_persona(measure: Measure) -> dict[str, dict[tuple[str, int], _Value]]:
    """Return each persona's value per scenario and sample: the first observation, or the share over the case."""
    found: dict[str, dict[tuple[str, int], _Value]] = {}
    is_share = measure.kind is MeasureKind.SHARE
    for o in measure.observed:
        if o.persona is None or o.scenario is None or o.sample is None:
            continue
        of_persona, key = found.setdefault(o.persona, {}), (o.scenario, o.sample)
        known = of_persona.get(key)
        if known is None:
            of_persona[key] = _Value(o.value, 1, o.censored and not is_share, o.evidence)
        elif is_share:
            known.value, known.n = known.value + o.value, known.n + 1
    if is_share:
        for of_persona in found.values():
            for one in of_persona.values():
                one.value /= one.n
    return found


def _none(measure: Measure, persona: Persona, why: str | None) -> PairTest:
    assert persona.pair is not None
    return PairTest(
        vendor=measure.vendor,
        measure=measure.id,
        unit=measure.unit,
        persona=persona.id,
        partner=persona.pair.of,
        differs_in=persona.pair.differs_in,
        n_pairs=0,
        n_left_out=0,
        difference=None,
        low=None,
        high=None,
        p_value=None,
        p_holm=None,
        method="",
        why_not=why,
        verdict=Verdict.NOT_ESTABLISHED,
        sentence=f"{measure.name.capitalize()}: {persona.id} against {persona.pair.of}: not compared, {why}.",
        pairs=(),
        evidence=(),
    )


def _judged(test: PairTest, p_holm: float) -> PairTest:
    assert test.p_value is not None
    verdict = Verdict.NOT_ESTABLISHED
    if p_holm < 0.05:
        verdict = Verdict.CONFIRMED
    elif test.p_value < 0.05:
        verdict = Verdict.ANOMALY
    said = f" p = {test.p_value:.3f}, adjusted for all comparisons {p_holm:.3f}"
    end = {
        Verdict.CONFIRMED: "the difference is established",
        Verdict.ANOMALY: "a difference that does not stand when all comparisons are counted",
    }.get(verdict, "no difference is established")
    return changed(test, p_holm=p_holm, verdict=verdict, sentence=f"{test.sentence[:-1]};{said}: {end}.")


def _sentence(test: PairTest, measure: Measure) -> str:
    name = measure.name[0].upper() + measure.name[1:]
    who = f"{test.persona} against {test.partner} (differing in {test.differs_in})"
    pairs = phrases.count(test.n_pairs, "pair")
    if test.difference is None:
        return f"{name}: {who}: no interval on {pairs}; {test.why_not or 'too many of them are bounds only'}."
    low = phrases.with_unit(test.low, test.unit) if test.low is not None else "unbounded"
    high = phrases.with_unit(test.high, test.unit) if test.high is not None else "unbounded"
    return (
        f"{name}: {who}: median difference {phrases.with_unit(test.difference, test.unit)}, 95 % interval {low} to "
        f"{high}, {pairs}, {test.method}."
    )


def established_difference(tests: Iterable[PairTest], medians: Mapping[str, float]) -> dict[str, float]:
    """Return, per measure, the part of the difference that its interval establishes, in units of the median.

    0 where the interval covers 0; only tests with an interval and a median above 0 count.
    """
    found: dict[str, float] = {}
    for test in tests:
        median = medians.get(test.measure)
        if test.low is None or test.high is None or not median or median <= 0:
            continue
        least = max(0.0, test.low, -test.high) / median
        found[test.measure] = max(found.get(test.measure, 0.0), least)
    return found
