"""What changed since earlier audits: comparisons, drift alarms, menus; and the trends within the audit itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from audit.analysis import phrases
from audit.analysis.measures import promises
from audit.analysis.menus import changes
from audit.analysis.model.audits import Analysis
from audit.analysis.model.findings import Origin, Verdict
from audit.analysis.model.measures import Measure
from audit.analysis.statistics import SMALLEST_N
from audit.analysis.trends import Alarm, Comparison, Trend, alarms, compare, trends
from audit.plan.model import Plan, Sample, Vendor

_OF_PROMISES = frozenset(spec.id for spec in promises.MEASURES)
_LEVEL = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """One measure of one vendor over several audits: the first is the baseline, each later one a look at it."""

    vendor: str
    measure: str
    alarms: tuple[Alarm, ...]
    verdict: Verdict
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuChange:
    """How the menu of one telephone channel has changed."""

    vendor: str
    channel: str
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OverTime:
    """An audit beside earlier ones under the same protocol. `against` names them, the oldest, the baseline, first.

    Without earlier audits there are only the trends. `notes` say what could not be compared, and why.
    """

    against: tuple[str, ...]
    comparisons: tuple[Comparison, ...]
    drifts: tuple[Drift, ...]
    menus: tuple[MenuChange, ...]
    trends: tuple[Trend, ...]
    notes: tuple[str, ...]


NOTHING = OverTime(against=(), comparisons=(), drifts=(), menus=(), trends=(), notes=())


def over_time(
    plan: Plan, analysis: Analysis, earlier: Sequence[tuple[Plan, Analysis]], wanted: frozenset[str]
) -> OverTime:
    """Put an audit beside earlier ones.

    Args:
        plan: of the audit itself.
        analysis: of the audit itself.
        earlier: plan and analysis of earlier audits by the same protocol, method and profile; the oldest is compared
            with, the others are looks in between, which drift alarms know about.
        wanted: the measures to test; each one more makes all of them harder to establish.

    Raises:
        ValueError: method or profile differ.
    """
    earlier = sorted(earlier, key=lambda pair: pair[1].started_at_utc)
    moved = trends(analysis, wanted)
    if not earlier:
        return OverTime(against=(), comparisons=(), drifts=(), menus=(), trends=moved, notes=())
    first_plan, first = earlier[0]
    notes = [*_only_once(first_plan, plan)]
    reworded = [vendor.name for vendor, old in _in_both(plan, first_plan) if vendor.promises != old.promises]
    if reworded:
        wanted -= _OF_PROMISES
        notes.append(
            f"The promises of {phrases.listed(reworded)} are others than before; how they were kept is not compared."
        )
    return OverTime(
        against=tuple(before.audit for _, before in earlier),
        comparisons=compare(first, analysis, wanted),
        drifts=_drifts([*(before for _, before in earlier), analysis], wanted) if len(earlier) > 1 else (),
        menus=tuple(_menus(first, analysis)),
        trends=moved,
        notes=tuple(notes),
    )


def differences(before: Plan, after: Plan) -> tuple[str, ...]:
    """Return what two plans do differently, as far as it can change a number: then a change is not the vendor's.

    Addresses, names, limits, weights and how many cases there are may differ; vendors and personas that only one of
    them has are no obstacle for the others.
    """
    return tuple(dict.fromkeys(_differences(before, after)))


def _differences(before: Plan, after: Plan) -> Iterator[str]:
    if before.clock.factor != after.clock.factor:
        yield f"the clock ran {before.clock.factor:g} and {after.clock.factor:g} times as fast as ours"
    both = list(_in_both(after, before))
    if not both:
        yield "they have no vendor in common"
    for vendor, old in both:
        for name, one, other in (
            ("hours", old.hours, vendor.hours),
            ("call hours", old.call_hours or old.hours, vendor.call_hours or vendor.hours),
            ("time zone", old.time_zone, vendor.time_zone),
            ("place", old.place, vendor.place),
        ):
            if one != other:
                yield f"{name} of {vendor.id}: {one} and {other}"
        for channel in sorted(set(vendor.channels) & set(old.channels)):
            one, other = old.channels[channel], vendor.channels[channel]
            if _part(one, "kind") != _part(other, "kind"):
                yield f"the kind of channel {vendor.id}.{channel}"
            elif _part(one, "scripts") != _part(other, "scripts"):
                yield f"the scripts of channel {vendor.id}.{channel}"
    yield from _cases_differ(before, after)


def _cases_differ(before: Plan, after: Plan) -> Iterator[str]:
    theirs, ours = ({scenario.id: scenario for scenario in plan.scenarios} for plan in (before, after))
    one, other = ({sample.scenario for sample in plan.samples} for plan in (before, after))
    for scenario in sorted(one ^ other):
        yield f"scenario {scenario}: only in the {'earlier' if scenario in one else 'later'} one"
    for scenario in sorted(one & other):
        old, new = theirs[scenario], ours[scenario]
        parts = [part for part in ("problem", "steps", "solvable") if getattr(old, part) != getattr(new, part)]
        if parts:
            yield f"scenario {scenario}: {phrases.listed(parts)}"
        if _spread(before, scenario) != _spread(after, scenario):
            yield f"scenario {scenario}: when its cases begin (spread_over)"
        if _personas(before, scenario) != _personas(after, scenario):
            yield f"scenario {scenario}: as which personas"
    known = {persona.id: persona for persona in before.personas}
    for persona in after.personas:
        was = known.get(persona.id)
        if was is None:
            continue
        parts = [part for part in ("tier", "language", "pair") if getattr(was, part) != getattr(persona, part)]
        if parts:
            yield f"persona {persona.id}: {phrases.listed(parts)}"


def _samples(plan: Plan, scenario: str) -> list[Sample]:
    return [sample for sample in plan.samples if sample.scenario == scenario]


def _spread(plan: Plan, scenario: str) -> set[bool]:
    return {sample.spread_over is not None for sample in _samples(plan, scenario)}


def _personas(plan: Plan, scenario: str) -> set[str]:
    every = tuple(persona.id for persona in plan.personas)
    return {persona for sample in _samples(plan, scenario) for persona in (sample.personas or every)}


def _part(channel: object, name: str) -> object:
    return channel.get(name) if isinstance(channel, dict) else getattr(channel, name, None)


def _in_both(plan: Plan, before: Plan) -> Iterator[tuple[Vendor, Vendor]]:
    old = {vendor.id: vendor for vendor in before.vendors}
    return ((vendor, old[vendor.id]) for vendor in plan.vendors if vendor.id in old)


def _only_once(before: Plan, after: Plan) -> Iterator[str]:
    old, new = ({vendor.id: vendor.name for vendor in plan.vendors} for plan in (before, after))
    for vendor in [name for id, name in {**old, **new}.items() if (id in old) != (id in new)]:
        yield f"{vendor} is in one of the audits only and is not compared."


def _drifts(audits: Sequence[Analysis], wanted: frozenset[str]) -> tuple[Drift, ...]:
    """Watch every wanted measure; the level is shared out among measures and among looks, so that 5 % is for all."""
    baselines = [m for m in audits[0].measures if m.id in wanted and len(m.observed) >= SMALLEST_N]
    later = [{(m.vendor, m.id): m for m in analysis.measures} for analysis in audits[1:]]
    found = []
    for baseline in baselines:
        key = baseline.vendor, baseline.id
        looks = [of[key] for of in later if key in of and len(of[key].observed) >= SMALLEST_N]
        if looks:
            found.append(_drift(baseline, looks, _LEVEL / len(baselines)))
    return tuple(found)


def _drift(baseline: Measure, looks: Sequence[Measure], level: float) -> Drift:
    found = alarms(baseline, looks, level)
    raised = [alarm for alarm in found if alarm.raised]
    name = baseline.name[0].upper() + baseline.name[1:]
    said = f"no alarm in {phrases.count(len(found), 'look')}"
    verdict = Verdict.NOT_ESTABLISHED
    if raised:
        first = raised[0]
        verdict = Verdict.CONFIRMED
        said = f"alarm at look {first.look} of {len(found)} (p = {first.p_value:.2g}; it may spend {first.level:.2g})"
        if any(o.origin is Origin.MACHINE for measure in (baseline, *looks) for o in measure.observed):
            verdict, said = Verdict.ANOMALY, f"{said}; read by machine, unconfirmed"
    return Drift(
        vendor=baseline.vendor, measure=baseline.id, alarms=found, verdict=verdict, sentence=f"{name}: {said}."
    )


def _menus(before: Analysis, after: Analysis) -> Iterator[MenuChange]:
    old = {(menu.vendor, menu.channel): menu for menu in before.menus}
    for menu in after.menus:
        was = old.get((menu.vendor, menu.channel))
        if was is None:
            continue
        calls = f" ({phrases.count(was.calls, 'call')} before, {menu.calls} after)"
        told = tuple(f"{sentence[0].upper()}{sentence[1:]}{calls}." for sentence in changes(was, menu))
        same = f"As far as our calls came, the menu is the same{calls}."
        yield MenuChange(vendor=menu.vendor, channel=menu.channel, sentences=told or (same,))
