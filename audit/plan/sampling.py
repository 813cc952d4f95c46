"""When each case begins: at random over the vendor's days and hours, by a seed, with matched personas together. Pure.

A sample with `spread_over` is drawn as a Latin hypercube: its n repeats fall each into another n-th of the vendor's
open days and each into another n-th of a day's open hours, so that few repeats still cover both. Within a repeat the
personas share day and hour, one after the other in a random order: the time of day cannot tell them apart.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from audit.calendar import BusinessCalendar
from audit.plan.cases import planned_cases
from audit.plan.model import Plan, Sample, Scenario, Vendor


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A case's beginning, and the seed by which it was drawn (None: it begins with the audit)."""

    case_id: str
    begins_at_utc: datetime
    seed: int | None


@dataclass(frozen=True, slots=True)
class _Day:
    """The part of a vendor's day that can be drawn from."""

    opens_at_utc: datetime
    open_s: float


def sampling_plan(plan: Plan, started_at_utc: datetime, default_seed: int) -> dict[str, Moment]:
    """Return when each case of a plan begins, by its id: the same for the same plan, start and seed.

    `default_seed` is for samples that name none.

    Raises:
        ValueError: a vendor is not open within the time that its cases are to be spread over.
    """
    moments = {
        case.case_id: Moment(case_id=case.case_id, begins_at_utc=started_at_utc, seed=None)
        for case in planned_cases(plan)
    }
    counted: dict[tuple[str, str, str], int] = {}
    for number, sample in enumerate(plan.samples):
        vendors = sample.vendors or tuple(vendor.id for vendor in plan.vendors)
        personas = sample.personas or tuple(persona.id for persona in plan.personas)
        for vendor in vendors:
            before = {one: counted.get((vendor, one, sample.scenario), 0) for one in personas}
            for one in personas:
                counted[vendor, one, sample.scenario] = before[one] + sample.n
            if sample.spread_over is None:
                continue
            seed = default_seed if sample.seed is None else sample.seed
            chance = random.Random(f"{seed}/{number}/{vendor}/{sample.scenario}")  # noqa: S311  (a plan, not a secret)
            drawn = _draw(plan, sample, plan.vendor(vendor), personas, started_at_utc, chance)
            for repeat, persona, at_utc in drawn:
                case_id = f"{vendor}.{persona}.{sample.scenario}.{before[persona] + repeat + 1}"
                moments[case_id] = Moment(case_id=case_id, begins_at_utc=at_utc, seed=seed)
    return moments


def default_seed(plan_sha256: str) -> int:
    """Return the seed of a plan that names none: drawn from its text, so that `check` and `run` draw alike."""
    return int(plan_sha256[:8], 16)


def by_moment(moments: Mapping[str, Moment]) -> list[Moment]:
    """Return those that were drawn, in the order in which they begin."""
    drawn = (moment for moment in moments.values() if moment.seed is not None)
    return sorted(drawn, key=lambda moment: (moment.begins_at_utc, moment.case_id))


def _draw(
    plan: Plan,
    sample: Sample,
    vendor: Vendor,
    personas: tuple[str, ...],
    started_at_utc: datetime,
    chance: random.Random,
) -> Iterator[tuple[int, str, datetime]]:
    assert sample.spread_over is not None
    calendar = _calendar(vendor, plan.scenario(sample.scenario))
    until_utc = started_at_utc + timedelta(seconds=sample.spread_over.s)
    days = list(_open_days(calendar, vendor, started_at_utc, until_utc))
    if not days:
        raise ValueError(f"{vendor.id} is not open ({calendar.hours}) in the {sample.spread_over} after the start")
    hours = list(range(sample.n))
    chance.shuffle(hours)
    for repeat in range(sample.n):
        day = days[int((repeat + chance.random()) / sample.n * len(days))]
        for place, persona in enumerate(chance.sample(personas, len(personas))):
            share = (hours[repeat] + (place + chance.random()) / len(personas)) / sample.n
            # A whole second less than the day is open: at the closing moment nobody is there.
            at_utc = calendar.add_business(day.opens_at_utc, share * max(0.0, day.open_s - 1.0))
            yield repeat, persona, at_utc.replace(microsecond=0)


def _calendar(vendor: Vendor, scenario: Scenario) -> BusinessCalendar:
    """Return when the vendor may be contacted in this scenario: in its hours for calls, if any is placed."""
    calls = any(step.call is not None for step in scenario.steps)
    hours = (vendor.call_hours or vendor.hours) if calls else vendor.hours
    return BusinessCalendar(hours, vendor.time_zone, vendor.place)


def _open_days(calendar: BusinessCalendar, vendor: Vendor, from_utc: datetime, until_utc: datetime) -> Iterator[_Day]:
    """Yield the days on the vendor's clock on which it is open at all between two moments, cut to these."""
    zone = ZoneInfo(vendor.time_zone)
    at_utc = from_utc
    while at_utc < until_utc:
        local = at_utc.astimezone(zone)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0) + timedelta(days=1)
        end_utc = min(until_utc, midnight.astimezone(from_utc.tzinfo))
        open_s = calendar.business_seconds(at_utc, end_utc)
        if open_s >= 1.0:
            yield _Day(calendar.next_open(at_utc), open_s)
        at_utc = end_utc
