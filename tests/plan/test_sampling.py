"""When cases begin: spread over days and hours, only while the vendor is open, personas together, by a seed."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.calendar import BusinessCalendar
from audit.plan.model import Plan, Sample
from audit.plan.reader import read_plan
from audit.plan.sampling import by_moment, default_seed, sampling_plan
from probes.duration import Duration
from tests.plan.desk import load

START = datetime(2026, 11, 2, 6, 0, tzinfo=UTC)  # a Monday
BERLIN = ZoneInfo("Europe/Berlin")


def plan_with(hours: str = "Mon-Fri 09:00-17:00", *, n: int = 10, days: float = 14, seed: int | None = 7) -> Plan:
    plan = read_plan(Path(__file__).parent / "good.yaml", load).plan
    vendor = replace(plan.vendors[0], hours=hours, call_hours=None, place="DE", time_zone="Europe/Berlin")
    sample = Sample(
        scenario=plan.samples[0].scenario,
        vendors=(vendor.id,),
        personas=("small", "large"),
        n=n,
        spread_over=Duration(days * 86400),
        seed=seed,
    )
    return replace(plan, vendors=(vendor, *plan.vendors[1:]), samples=(sample,))


def test_each_repeat_takes_another_day_and_another_hour() -> None:
    drawn = by_moment(sampling_plan(plan_with(n=8, days=14), START, 0))
    first_of_repeat = {moment.case_id.rsplit(".", 1)[1]: moment.begins_at_utc.astimezone(BERLIN) for moment in drawn}
    assert len(first_of_repeat) == 8
    assert len({at.date() for at in first_of_repeat.values()}) >= 7  # ten open days, and a border may fall within one
    assert sorted(at.hour for at in first_of_repeat.values()) == list(range(9, 17))


def test_personas_share_day_and_hour_in_random_order() -> None:
    moments = sampling_plan(plan_with(n=40), START, 0)
    first = Counter[str]()
    for repeat in range(1, 41):
        pair = {
            moment.case_id.split(".")[1]: moment.begins_at_utc
            for moment in moments.values()
            if moment.case_id.endswith(f".{repeat}")
        }
        assert abs(pair["small"] - pair["large"]) <= timedelta(seconds=8 * 3600 / 40 + 1)
        first[min(pair, key=lambda one: pair[one])] += 1
    assert 10 < first["small"] < 30


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 30),
    st.floats(1.0, 40.0),
    st.integers(0, 2**32),
    st.sampled_from(["always", "Mon-Fri 09:00-12:00, 13:00-17:30", "daily 22:00-06:00", "Sun-Tue 08:00-09:00"]),
    st.integers(0, 10_000),
)
def test_every_case_begins_while_the_vendor_is_open(n: int, days: float, seed: int, hours: str, late_min: int) -> None:
    start = START + timedelta(minutes=late_min)
    plan = plan_with(hours, n=n, days=days, seed=seed)
    calendar = BusinessCalendar(hours, "Europe/Berlin", "DE")
    try:
        moments = sampling_plan(plan, start, 0)
    except ValueError:
        assert calendar.business_seconds(start, start + timedelta(days=days)) < 60
        return
    assert len(moments) == 2 * n
    for moment in moments.values():
        assert start - timedelta(seconds=1) <= moment.begins_at_utc < start + timedelta(days=days)
        assert calendar.is_open(moment.begins_at_utc) or moment.begins_at_utc < start
    assert sampling_plan(plan, start, 0) == moments


def test_another_seed_is_another_plan_and_none_is_drawn_from_the_text() -> None:
    assert sampling_plan(plan_with(seed=1), START, 0) != sampling_plan(plan_with(seed=2), START, 0)
    unseeded = sampling_plan(plan_with(seed=None), START, default_seed("00ff00ff" + "0" * 56))
    assert {moment.seed for moment in unseeded.values()} == {0x00FF00FF}


def test_without_spread_over_all_begin_at_once() -> None:
    plan = plan_with()
    plan = replace(plan, samples=(replace(plan.samples[0], spread_over=None, seed=None),))
    moments = sampling_plan(plan, START, 5)
    assert {moment.begins_at_utc for moment in moments.values()} == {START}
    assert by_moment(moments) == []


def test_numbers_go_on_where_samples_name_the_same_again() -> None:
    plan = plan_with(n=3)
    plan = replace(plan, samples=(replace(plan.samples[0], spread_over=None, seed=None), plan.samples[0]))
    drawn = by_moment(sampling_plan(plan, START, 0))
    assert sorted(int(moment.case_id.rsplit(".", 1)[1]) for moment in drawn) == [4, 4, 5, 5, 6, 6]


def test_a_vendor_that_does_not_open_in_time_is_said() -> None:
    with pytest.raises(ValueError, match="is not open"):
        sampling_plan(plan_with("Sat 10:00-12:00", days=2), START, 0)


def test_days_are_drawn_evenly() -> None:
    drawn = by_moment(sampling_plan(plan_with(n=100), START, 0))
    days = [len(list(group)) for _, group in groupby(drawn, key=lambda moment: moment.begins_at_utc.date())]
    assert days == [20] * 10
