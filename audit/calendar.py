"""A vendor's opening hours on its own clock: when it is open, and time counted only while it is open. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOLIDAY = 7
_LONG = {"monday": 0, "tuesday": 1, "wednesday": 2, "thursday": 3, "friday": 4, "saturday": 5, "sunday": 6}
_DAY = {name: number for number, name in enumerate(DAYS)} | _LONG
_DAY |= {"tues": 1, "weds": 2, "thur": 3, "thurs": 3, "holiday": HOLIDAY, "holidays": HOLIDAY}
_ALWAYS = frozenset({"always", "24/7", "24x7"})
_TIMES = re.compile(r"(\d{1,2})(?::(\d{2}))?\s*[-–]\s*(\d{1,2})(?::(\d{2}))?")
_EXAMPLE = 'write them as "Mon-Fri 09:00-17:30, Sat 10:00-14:00" or "always"'
_FARTHEST_DAYS = 800


@dataclass(frozen=True, slots=True)
class Opening:
    """One opening of a day: minutes after its midnight. `closes_min` beyond 1440 lies on the next day."""

    opens_min: int
    closes_min: int


@dataclass(frozen=True, slots=True)
class Hours:
    """Openings of each weekday (0 is Monday) and, as number 7, of public holidays. `always` needs no openings."""

    days: tuple[tuple[Opening, ...], ...]
    always: bool = False

    def __str__(self) -> str:
        if self.always:
            return "always"
        return ", ".join(
            f"{name} {_clock(opening.opens_min)}-{_clock(opening.closes_min)}"
            for name, openings in zip((*map(str.capitalize, DAYS), "holidays"), self.days, strict=True)
            for opening in openings
        )


@lru_cache(maxsize=1024)
def parse_hours(text: str) -> Hours:
    """Read opening hours.

    Parts are divided by commas: days with times ("Mon-Fri 09:00-17:30"), further days for the next times
    ("Mon, Wed 09:00-12:00"), or further times for the same days ("Mon 09:00-12:00, 13:00-17:00"). Times may run over
    midnight ("Fri 22:00-06:00"); such an opening belongs to the day on which it begins. "daily" is every day;
    "holidays 10:00-14:00" opens on public holidays too, which are closed otherwise.

    Raises:
        ValueError: it cannot be understood, or nothing is open.
    """
    lowered = text.strip().lower()
    if lowered in _ALWAYS:
        return Hours((), always=True)
    openings: dict[int, list[Opening]] = {number: [] for number in range(HOLIDAY + 1)}
    days: list[int] = []
    had_times = False
    for part in lowered.split(","):
        times = _TIMES.search(part)
        named = part[: times.start()] if times else part
        if times and part[times.end() :].strip():
            raise ValueError(f'"{part[times.end() :].strip()}" after the times is not understood; {_EXAMPLE}')
        if named.strip():
            days = (days if not had_times else []) + _days(named)
        if times:
            if not days:
                raise ValueError(f'"{part.strip()}" has times and no days; {_EXAMPLE}')
            for day in days:
                openings[day].append(_opening(times))
        elif not named.strip():
            raise ValueError(f'"{text}" has an empty part; {_EXAMPLE}')
        had_times = times is not None
    if not had_times:
        raise ValueError(f'"{text.strip()}" has days without times; {_EXAMPLE}')
    return Hours(tuple(tuple(sorted(openings[day], key=lambda o: o.opens_min)) for day in range(HOLIDAY + 1)))


def _days(text: str) -> list[int]:
    first, dash, last = (word.strip() for word in re.sub("–", "-", text).partition("-"))
    if not dash and first == "daily":
        return list(range(7))
    for name in (first, last) if dash else (first,):
        if name not in _DAY:
            raise ValueError(f'"{name}" is no day; use Mon, Tue, Wed, Thu, Fri, Sat, Sun, daily or holidays')
    start = _DAY[first]
    if not dash:
        return [start]
    end = _DAY[last]
    if HOLIDAY in (start, end):
        raise ValueError(
            f'"{text.strip()}" is no range of days; name the holidays on their own, "holidays 10:00-14:00"'
        )
    return [(start + step) % 7 for step in range((end - start) % 7 + 1)]


def _opening(times: re.Match[str]) -> Opening:
    opens_h, opens_m, closes_h, closes_m = (int(group or 0) for group in times.groups())
    opens_min, closes_min = opens_h * 60 + opens_m, closes_h * 60 + closes_m
    if opens_min >= 1440 or closes_min > 1440 or opens_m > 59 or closes_m > 59:
        raise ValueError(f'"{times.group()}" are no times of a day; use 00:00 to 24:00')
    if opens_min == closes_min:
        raise ValueError(f'"{times.group()}" is open for no time; a whole day is 00:00-24:00')
    return Opening(opens_min, closes_min if closes_min > opens_min else closes_min + 1440)


def _clock(minutes: int) -> str:
    if minutes > 1440:
        minutes -= 1440
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def split_place(place: str) -> tuple[str, str | None]:
    """Split an ISO 3166 place into country and subdivision: "DE-BY" into ("DE", "BY").

    Raises:
        ValueError: the public holidays of this place are not known.
    """
    import holidays

    country, _, part = place.partition("-")
    supported = holidays.list_supported_countries(include_aliases=False)
    if country not in supported:
        likely = '"GB", not UK' if country == "UK" else '"GB" or "DE"'
        raise ValueError(f'no public holidays are known for "{country}"; use an ISO 3166 country, as {likely}')
    if part and part not in supported[country]:
        known = ", ".join(f"{country}-{code}" for code in supported[country]) or f"only {country} itself"
        raise ValueError(f'"{place}" is no subdivision whose public holidays are known; {country} has {known}')
    return country, part or None


@dataclass(frozen=True, slots=True)
class BusinessCalendar:
    """Opening hours in a time zone, closed on the public holidays of a place (unless the hours say otherwise).

    Moments in and out are aware; results are in UTC. Where clocks are set back, an opening that ends in the repeated
    hour lasts until its second passing; where they are set forward, a time that does not exist is read as if the
    clock had not been changed yet.
    """

    hours: str
    time_zone: str
    place: str
    _parsed: Hours = field(init=False, repr=False, compare=False)
    _zone: ZoneInfo = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_parsed", parse_hours(self.hours))
        object.__setattr__(self, "_zone", ZoneInfo(self.time_zone))

    def local(self, at_utc: datetime) -> datetime:
        """Return the moment on the vendor's wall clock."""
        return _aware(at_utc).astimezone(self._zone)

    def is_open(self, at_utc: datetime) -> bool:
        """Whether the vendor is open at this moment; at the closing moment it is not."""
        start, end = self._next(at_utc)
        return start <= _aware(at_utc) < end

    def next_open(self, at_utc: datetime) -> datetime:
        """Return this moment if the vendor is open, else the moment when it opens next.

        Raises:
            ValueError: it does not open within two years.
        """
        return max(self._next(at_utc)[0], _aware(at_utc))

    def add_business(self, at_utc: datetime, seconds: float) -> datetime:
        """Return the earliest moment until which the vendor has been open for `seconds` since `at_utc`.

        Args:
            at_utc: from when to count, aware.
            seconds: 0 or more; 0 gives `at_utc` itself.

        Raises:
            ValueError: `seconds` is negative or NaN, or the vendor is not open for so long within any two years.
        """
        at = _aware(at_utc)
        if not seconds >= 0:
            raise ValueError(f"seconds must be 0 or more, not {seconds}")
        left = timedelta(seconds=seconds)
        if not left or self._parsed.always:
            return at + left
        while True:
            start, end = self._next(at)
            begin = max(start, at)
            if end - begin >= left:
                return begin + left
            left -= end - begin
            at = end

    def business_seconds(self, from_utc: datetime, to_utc: datetime) -> float:
        """Return for how many seconds the vendor was open between two moments.

        Raises:
            ValueError: `to_utc` lies before `from_utc`.
        """
        begin, end = _aware(from_utc), _aware(to_utc)
        if end < begin:
            raise ValueError("to_utc lies before from_utc")
        if self._parsed.always:
            return (end - begin).total_seconds()
        open_s = 0.0
        first = begin.astimezone(self._zone).date() - timedelta(days=2)
        last = end.astimezone(self._zone).date()
        for start, stop in self._spans(first, last):
            open_s += max(0.0, (min(stop, end) - max(start, begin)).total_seconds())
        return open_s

    def _next(self, at_utc: datetime) -> tuple[datetime, datetime]:
        """Return the first opening that ends after this moment."""
        at = _aware(at_utc)
        if self._parsed.always:
            return at, at + timedelta(days=_FARTHEST_DAYS)
        first = at.astimezone(self._zone).date() - timedelta(days=2)
        for start, end in self._spans(first, first + timedelta(days=_FARTHEST_DAYS)):
            if end > at:
                return start, end
        raise ValueError(f'"{self.hours}" in {self.place} does not open within two years')

    def _spans(self, first: date, last: date) -> Iterator[tuple[datetime, datetime]]:
        """Yield the openings that begin on these days, in order, joined where they touch or overlap."""
        pending: tuple[datetime, datetime] | None = None
        for number in range(first.toordinal(), last.toordinal() + 1):
            for start, end in _openings(self.hours, self.time_zone, self.place, number):
                if pending is not None and start <= pending[1]:
                    pending = pending[0], max(pending[1], end)
                    continue
                if pending is not None:
                    yield pending
                pending = start, end
        if pending is not None:
            yield pending


@lru_cache(maxsize=16384)
def _openings(hours: str, time_zone: str, place: str, ordinal: int) -> tuple[tuple[datetime, datetime], ...]:
    """Return the openings that begin on a day; those that a change of the clocks swallows are left out."""
    day, zone = date.fromordinal(ordinal), ZoneInfo(time_zone)
    kind = HOLIDAY if day in _holidays(place, day.year) else day.weekday()
    ends = [
        (_at(day, opening.opens_min, 0, zone), _at(day, opening.closes_min, 1, zone))
        for opening in parse_hours(hours).days[kind]
    ]
    return tuple((start, end) for start, end in ends if end > start)


def _at(day: date, minutes: int, fold: int, zone: ZoneInfo) -> datetime:
    day += timedelta(days=minutes // 1440)
    hour, minute = divmod(minutes % 1440, 60)
    local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone, fold=fold)
    if fold and local.replace(fold=0).utcoffset() < local.utcoffset():  # type: ignore[operator]
        local = local.replace(fold=0)  # in a gap, read both ends by the offset before it
    return local.astimezone(UTC)


@lru_cache(maxsize=1024)
def _holidays(place: str, year: int) -> frozenset[date]:
    import holidays

    country, _, part = place.partition("-")  # whoever reads a plan has checked it: `split_place` loads every country
    return frozenset(holidays.country_holidays(country, subdiv=part or None, years=year))


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a moment must be aware of its time zone")
    return moment if moment.tzinfo is UTC else moment.astimezone(UTC)
