"""Opening hours: what can be read, and time counted while a vendor is open."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.calendar import BusinessCalendar, parse_hours

LONDON = BusinessCalendar("Mon-Fri 09:00-17:30", "Europe/London", "GB-ENG")
BERLIN = BusinessCalendar("Mon-Fri 08:00-12:00, 13:00-18:00, Sat 09:00-12:00", "Europe/Berlin", "DE-BY")
NIGHTS = BusinessCalendar("daily 22:00-06:00", "America/New_York", "US")
ALWAYS = BusinessCalendar("always", "Europe/Madrid", "ES-MD")
CALENDARS = st.sampled_from([LONDON, BERLIN, NIGHTS, ALWAYS])
MOMENTS = st.integers(0, 3 * 365 * 86400).map(lambda s: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=s))
SPANS = st.integers(0, 60 * 86400).map(lambda seconds: timedelta(seconds=seconds))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Mon-Fri 09:00-17:30, Sat 10:00-14:00", None),
        ("24/7", "always"),
        ("mon, WED 9-12:30", "Mon 09:00-12:30, Wed 09:00-12:30"),
        ("Fri-Mon 22:00-06:00", "Mon 22:00-06:00, Fri 22:00-06:00, Sat 22:00-06:00, Sun 22:00-06:00"),
        ("Monday 9:00 – 12:00, 13:00 – 17:00", "Mon 09:00-12:00, Mon 13:00-17:00"),
        ("daily 00:00-24:00", "Mon 00:00-24:00, Tue 00:00-24:00, Wed 00:00-24:00, Thu 00:00-24:00, Fri 00:00-24:00, "
         "Sat 00:00-24:00, Sun 00:00-24:00"),
        ("Mon 09:00-17:00, holidays 10:00-14:00", "Mon 09:00-17:00, holidays 10:00-14:00"),
    ],
)  # fmt: skip
def test_hours_as_people_write_them(text: str, shown: str | None) -> None:
    hours = parse_hours(text)
    expanded = "Mon 09:00-17:30, Tue 09:00-17:30, Wed 09:00-17:30, Thu 09:00-17:30, Fri 09:00-17:30, Sat 10:00-14:00"
    assert str(hours) == (shown or expanded)
    assert parse_hours(str(hours)) == hours


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty part"),
        ("Mon-Fri", "days without times"),
        ("09:00-17:00", "no days"),
        ("Mo-Fr 09:00-17:00", '"mo" is no day'),
        ("Mon-Fri 09:00-25:00", "no times of a day"),
        ("Mon-Fri 09:61-17:00", "no times of a day"),
        ("Mon 09:00-09:00", "open for no time"),
        ("Mon 24:00-09:00", "no times of a day"),
        ("Mon 09:00-17:00 and more", '"and more" after the times'),
        ("Mon-Fri 09:00-17:00,", "empty part"),
        ("Mon-holidays 09:00-17:00", "no range of days"),
        ("sometimes", '"sometimes"'),
    ],
)
def test_hours_that_cannot_be_understood_are_explained(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_hours(text)


@given(st.text(alphabet="MonTueFriSat -:,0123456789daily", max_size=40))
def test_reading_hours_never_fails_otherwise(text: str) -> None:
    try:
        hours = parse_hours(text)
    except ValueError:
        return
    assert hours.always or any(hours.days)


@pytest.mark.parametrize(
    ("calendar", "moment", "is_open"),
    [
        (LONDON, "2026-11-23 09:00", True),
        (LONDON, "2026-11-23 08:59", False),
        (LONDON, "2026-11-23 17:30", False),
        (LONDON, "2026-07-01 08:00", True),  # summer time: 09:00 there
        (LONDON, "2026-12-25 10:00", False),
        (LONDON, "2026-11-22 10:00", False),
        (BERLIN, "2026-01-06 10:00", False),  # Epiphany, in Bavaria
        (BERLIN, "2026-11-23 11:30", False),  # 12:30 there
        (NIGHTS, "2026-11-23 04:00", True),
        (NIGHTS, "2026-11-27 02:30", False),  # Thanksgiving evening
        (NIGHTS, "2026-11-26 08:00", True),  # its early morning belongs to the day before
        (ALWAYS, "2026-12-25 03:00", True),
    ],
)
def test_open_or_not(calendar: BusinessCalendar, moment: str, is_open: bool) -> None:
    assert calendar.is_open(utc(moment)) is is_open


def test_four_working_hours_go_on_after_the_week_end() -> None:
    friday_at_four = utc("2026-11-20 16:00")
    assert LONDON.add_business(friday_at_four, 4 * 3600) == utc("2026-11-23 11:30")
    assert LONDON.add_business(friday_at_four, 1.5 * 3600) == utc("2026-11-20 17:30")
    assert LONDON.business_seconds(friday_at_four, utc("2026-11-23 11:30")) == 4 * 3600
    assert LONDON.next_open(utc("2026-12-24 20:00")) == utc("2026-12-29 09:00")


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29", 23), ("2026-03-30", 24), ("2026-10-25", 25)], ids=["forward", "plain", "back"]
)
def test_a_day_has_as_many_hours_as_its_clock_gives_it(day: str, hours: int) -> None:
    calendar = BusinessCalendar("daily 00:00-24:00, holidays 00:00-24:00", "Europe/Berlin", "DE")
    start = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo("Europe/Berlin"))
    assert calendar.business_seconds(start, start + timedelta(days=1)) == hours * 3600


def test_openings_in_the_changed_hour() -> None:
    calendar = BusinessCalendar("Sun 02:15-02:45", "Europe/Berlin", "DE")
    assert calendar.business_seconds(utc("2026-10-24 00:00"), utc("2026-10-26 00:00")) == 1.5 * 3600
    assert calendar.business_seconds(utc("2026-03-28 00:00"), utc("2026-03-30 00:00")) == 1800


@given(CALENDARS, MOMENTS, st.integers(0, 400_000))
def test_adding_and_counting_business_time_agree(calendar: BusinessCalendar, at: datetime, seconds: int) -> None:
    end = calendar.add_business(at, seconds)
    assert calendar.business_seconds(at, end) == pytest.approx(seconds)
    if seconds:
        assert calendar.business_seconds(at, end - timedelta(seconds=1)) == pytest.approx(seconds - 1)


@given(CALENDARS, MOMENTS, SPANS, SPANS)
def test_counts_add_up(calendar: BusinessCalendar, a: datetime, first: timedelta, second: timedelta) -> None:
    b, c = a + first, a + first + second
    whole = calendar.business_seconds(a, c)
    assert whole == pytest.approx(calendar.business_seconds(a, b) + calendar.business_seconds(b, c))
    assert 0 <= whole <= (c - a).total_seconds() + 1e-6


@given(CALENDARS, MOMENTS)
def test_the_next_opening_is_open_and_nothing_before_it_is(calendar: BusinessCalendar, at: datetime) -> None:
    opens = calendar.next_open(at)
    assert calendar.is_open(opens)
    assert calendar.is_open(at) == (opens == at)
    assert calendar.business_seconds(at, opens) == 0


def test_naive_and_impossible_questions_are_refused() -> None:
    naive = utc("2026-11-23 09:00").replace(tzinfo=None)
    with pytest.raises(ValueError, match="aware"):
        LONDON.is_open(naive)
    with pytest.raises(ValueError, match="before"):
        LONDON.business_seconds(utc("2026-11-24 00:00"), utc("2026-11-23 00:00"))
    for seconds in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="0 or more"):
            LONDON.add_business(utc("2026-11-23 09:00"), seconds)
