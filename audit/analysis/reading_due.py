"""When a promise is due: words such as "within five hours" or "by Friday noon" as a moment, by the vendor's clock.

Where words leave room, the latest moment that they allow is taken: of "24–48 hours" the 48, "by Friday" lasts until
Friday's midnight, "next week" until the end of its last working day. A promise is to be called late only if it surely
was. "End of business" is the closing time, business days and hours are the calendar's. Words without a moment ("soon",
"as soon as possible", "a few days") give none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from audit.analysis.reading_languages import UNITS, Language, folded, languages_of
from audit.calendar import BusinessCalendar

_LONGEST = 600
_FARTHEST_DAYS = 400
_ISO = re.compile(r"(?<!\d)(20\d\d)-(\d\d)-(\d\d)(?!\d)")
_DOTTED = re.compile(r"(?<![\d.])(\d{1,2})\.(\d{1,2})\.(20\d\d|\d\d)?(?!\d)")
_SLASHED = re.compile(r"(?<![\d/])(\d{1,2})/(\d{1,2})(?:/(20\d\d|\d\d))?(?![\d/])")
_ZONES = {
    "utc": "UTC", "gmt": "UTC", "cet": "Europe/Berlin", "cest": "Europe/Berlin", "mez": "Europe/Berlin",
    "mesz": "Europe/Berlin", "est": "America/New_York", "edt": "America/New_York", "et": "America/New_York",
    "cst": "America/Chicago", "cdt": "America/Chicago", "pst": "America/Los_Angeles", "pdt": "America/Los_Angeles",
    "pt": "America/Los_Angeles", "bst": "Europe/London",
}  # fmt: skip
_ZONE = re.compile(r"(?:\d|[ap]\.?m\.?|noon|uhr|h)\s?\(?(" + "|".join(_ZONES) + r")(?!\w)")


@dataclass(frozen=True, slots=True)
class Due:
    """A due moment and the words it rests on."""

    at_utc: datetime
    words: str


@dataclass(frozen=True, slots=True)
class _Span:
    """Where in the text something was found."""

    start: int
    end: int


def due_moment(words: str, at_utc: datetime, calendar: BusinessCalendar | None) -> datetime | None:
    """Return the moment until which words said at `at_utc` have time; None where they name none.

    Args:
        words: a sentence or its part, in any language of the package.
        at_utc: when it was said, aware.
        calendar: the vendor's; None where it is not known: then only plain lengths of time ("within five hours") have
            a moment.
    """
    due = read_due(words, at_utc, calendar)
    return due.at_utc if due is not None else None


def read_due(
    words: str, at_utc: datetime, calendar: BusinessCalendar | None, languages: Sequence[Language] | None = None
) -> Due | None:
    """Return the due moment of words with the part of them that it rests on; see `due_moment`.

    Args:
        languages: in which to read, likeliest first; found out from the words if not given.
    """
    text = folded(words[:_LONGEST])
    for language in languages or languages_of(text):
        reader = _Reader(text, at_utc, calendar, language)
        try:
            found = reader.length() or reader.day()
        except (OverflowError, ValueError):  # farther than calendars go
            found = None
        if found is not None:
            moment, span = found
            if moment > at_utc:
                return Due(moment.astimezone(UTC), text[span.start : span.end].strip())
    return None


def has_due_words(folded_sentence: str, language: Language) -> bool:
    """Whether a sentence names a moment or a length of time, without working it out."""
    at = datetime(2026, 3, 4, 8, 0, tzinfo=UTC)  # any moment would do
    reader = _Reader(folded_sentence[:_LONGEST], at, _ANY, language)
    try:
        return (reader.length() or reader.day()) is not None
    except (OverflowError, ValueError):
        return False


_ANY = BusinessCalendar("Mon-Fri 09:00-17:00", "UTC", "GB")


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads one sentence in one language; `text` is folded."""

    text: str
    at_utc: datetime
    calendar: BusinessCalendar | None
    language: Language

    def length(self) -> tuple[datetime, _Span] | None:
        """Read "within five hours", "in 24-48 hours", "two business days"."""
        time_words = self.language.time
        for found in time_words.amount.finditer(self.text):
            lead = _ends_with(time_words.patterns["lead"], self.text[max(0, found.start() - 40) : found.start()])
            if _ends_with(time_words.patterns["past"], self.text[max(0, found.start() - 24) : found.start()]) or (
                time_words.patterns["ago"].match(self.text[found.end() :].lstrip())
            ):
                continue
            if lead is None and not found.group("m") and not self._is_stated(found):
                continue
            start = found.start() - (lead or 0)
            moment = self._after(found)
            if moment is not None:
                return moment, _Span(start, found.end())
        return None

    def _is_stated(self, found: re.Match[str]) -> bool:
        """Whether the length stands for itself ("5 hours", "Response time: 2 business days")."""
        before = self.text[: found.start()].rstrip()
        return not before or before.endswith(":")

    def _after(self, found: re.Match[str]) -> datetime | None:
        number = self._number(found.group("m") or found.group("n"))
        unit = next(unit for unit in UNITS if unit in found.groupdict() and found.group(unit))
        if number is None or number <= 0:
            return None
        if unit == "workhour":
            return self.calendar.add_business(self.at_utc, number * 3600) if self.calendar else None
        if unit == "workday":
            return self._work_days(number)
        if unit == "month":
            return self.at_utc + timedelta(days=31 * number)
        return self.at_utc + number * {
            "minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1),
            "week": timedelta(days=7),
        }[unit]  # fmt: skip

    def _number(self, word: str) -> int | None:
        return int(word) if word.isdigit() else self.language.time.numbers.get(word)

    def _work_days(self, number: int) -> datetime | None:
        if self.calendar is None or number > 100:
            return None
        day = self.calendar.local(self.at_utc).date()
        for _ in range(_FARTHEST_DAYS):
            day += timedelta(days=1)
            if self._opens(day):
                number -= 1
                if number == 0:
                    return self._closing(day)
        return None

    def day(self) -> tuple[datetime, _Span] | None:
        """Read "by Friday noon", "tomorrow", "end of day", "next week", "14 March", "before 5 pm"."""
        if self.calendar is None:
            return None
        found = self._named_day()
        clock = self._clock()
        if found is not None:
            day, span = found
            if clock is None:
                return self._part_of(day, span)
            moment, at = clock
            return self._at(day, moment), _Span(min(span.start, at.start), max(span.end, at.end))
        today = self.calendar.local(self.at_utc).date()
        end = self.language.time.patterns["end_of_day"].search(self.text)
        if end is not None:
            return self._midnight(today), _Span(*end.span())
        end = self.language.time.patterns["end_of_business"].search(self.text)
        if end is not None:
            closing = self._closing(today)
            if closing <= self.at_utc:
                closing = self._work_days(1) or closing
            return closing, _Span(*end.span())
        if clock is not None and _ends_with(self.language.time.patterns["until"], self.text[: clock[1].start]):
            due = self._at(today, clock[0])
            if due <= self.at_utc:
                due = self._at(today + timedelta(days=1), clock[0])
            return due, clock[1]
        return None

    def _part_of(self, day: date, span: _Span) -> tuple[datetime, _Span]:
        """Narrow a day by "noon", "morning", "end of business"; else it lasts until its midnight."""
        patterns = self.language.time.patterns
        for name, hour in (("noon", 12), ("afternoon", 18), ("morning", 12)):
            if found := patterns[name].search(self.text):
                moment = self._at(day, time(hour))
                return moment, _Span(min(span.start, found.start()), max(span.end, found.end()))
        if found := patterns["end_of_business"].search(self.text):
            return self._closing(day), _Span(min(span.start, found.start()), max(span.end, found.end()))
        return self._midnight(day), span

    def _named_day(self) -> tuple[date, _Span] | None:
        assert self.calendar is not None
        patterns = self.language.time.patterns
        today = self.calendar.local(self.at_utc).date()
        dated = self._date(today)
        if dated is not None:
            return dated
        for number, pattern in enumerate(self.language.time.days):
            if found := pattern.search(self.text):
                ahead = (number - today.weekday() - 1) % 7 + 1
                span = _Span(*found.span())
                before = self.text[max(0, found.start() - 12) : found.start()]
                following = patterns["next_week"].search(self.text)
                next_one = patterns["next"].search(before)
                if following is not None or (next_one is not None and number > today.weekday()):
                    monday = today + timedelta(days=7 - today.weekday())
                    return monday + timedelta(days=number), span
                return today + timedelta(days=ahead), span
        if found := patterns["next_work_day"].search(self.text):
            work_day = self._work_days(1)
            if work_day is not None:
                return self.calendar.local(work_day - timedelta(seconds=1)).date(), _Span(*found.span())
        for name, days in (("day_after_tomorrow", 2), ("tomorrow", 1), ("today", 0)):
            if found := patterns[name].search(self.text):
                return today + timedelta(days=days), _Span(*found.span())
        sunday = today + timedelta(days=6 - today.weekday())
        for name, last in (("next_week", sunday + timedelta(days=7)), ("this_week", sunday)):
            if found := patterns[name].search(self.text):
                return self._last_open(last), _Span(*found.span())
        first = date(today.year + today.month // 12, today.month % 12 + 1, 1)
        after = date(first.year + first.month // 12, first.month % 12 + 1, 1)
        for name, end in (("next_month", after), ("this_month", first)):
            if found := patterns[name].search(self.text):
                return end - timedelta(days=1), _Span(*found.span())
        return None

    def _date(self, today: date) -> tuple[date, _Span] | None:
        if found := _ISO.search(self.text):
            return date(*map(int, found.groups())), _Span(*found.span())
        if found := _DOTTED.search(self.text):
            return self._calendar_day(found, int(found.group(1)), int(found.group(2)), found.group(3), today)
        if found := _SLASHED.search(self.text):
            one, other = int(found.group(1)), int(found.group(2))
            if max(one, other) <= 12 and one != other and not self.language.time.day_first:
                return None  # 3/4 is March to some and April to others
            day, month = (other, one) if other > 12 else (one, other)
            return self._calendar_day(found, day, month, found.group(3), today)
        for month, pattern in enumerate(_dates_of(self.language), start=1):
            if found := pattern.search(self.text):
                day = int(found.group("d") or found.group("e"))
                return self._calendar_day(found, day, month, found.group("y") or found.group("z"), today)
        return None

    def _calendar_day(
        self, found: re.Match[str], day: int, month: int, year: str | None, today: date
    ) -> tuple[date, _Span] | None:
        try:
            if year is not None:
                return date(int(year) + (2000 if len(year) == 2 else 0), month, day), _Span(*found.span())
            this = date(today.year, month, day)
            return (this if this >= today else date(today.year + 1, month, day)), _Span(*found.span())
        except ValueError:
            return None

    def _clock(self) -> tuple[time, _Span] | None:
        for found in self.language.time.patterns["clock"].finditer(self.text):
            groups = found.groupdict()
            hours, minutes = (next((g for n, g in groups.items() if n.rstrip("234") == w and g), None) for w in "hm")
            if hours is None:
                continue
            hour, minute = int(hours), int(minutes or 0)
            if (groups.get("pm") or groups.get("pm2")) and hour < 12:
                hour += 12
            elif groups.get("am") and hour == 12:
                hour = 0
            if hour < 24 and minute < 60:
                return time(hour, minute), _Span(*found.span())
        return None

    def _at(self, day: date, at: time) -> datetime:
        zone = _ZONE.search(self.text)
        where = ZoneInfo(_ZONES[zone.group(1)]) if zone else self._zone()
        return datetime.combine(day, at, tzinfo=where).astimezone(UTC)

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day + timedelta(days=1), time(0), tzinfo=self._zone()).astimezone(UTC)

    def _zone(self) -> ZoneInfo:
        assert self.calendar is not None
        return ZoneInfo(self.calendar.time_zone)

    def _opens(self, day: date) -> bool:
        """Whether the vendor opens on this day; one that never closes has the working days of its place."""
        assert self.calendar is not None
        start = datetime.combine(day, time(0), tzinfo=self._zone()).astimezone(UTC)
        return _work_calendar(self.calendar).business_seconds(start, self._midnight(day)) > 0

    def _closing(self, day: date) -> datetime:
        """Return when the vendor closes on this day; its midnight where it does not open or never closes."""
        assert self.calendar is not None
        start = datetime.combine(day, time(0), tzinfo=self._zone()).astimezone(UTC)
        open_s = self.calendar.business_seconds(start, self._midnight(day))
        return self.calendar.add_business(start, open_s) if open_s else self._midnight(day)

    def _last_open(self, last: date) -> date:
        """Return the last day of the week ending with `last` on which the vendor opens."""
        for back in range(7):
            if self._opens(last - timedelta(days=back)):
                return last - timedelta(days=back)
        return last


@lru_cache(maxsize=64)
def _work_calendar(calendar: BusinessCalendar) -> BusinessCalendar:
    if str(calendar.hours).strip().lower() in ("always", "24/7", "24x7"):
        return BusinessCalendar("Mon-Fri 00:00-24:00", calendar.time_zone, calendar.place)
    return calendar


@lru_cache(maxsize=32)
def _dates(code: str, months: tuple[re.Pattern[str], ...]) -> tuple[re.Pattern[str], ...]:
    del code
    return tuple(
        re.compile(
            rf"(?<!\d)(?P<d>\d{{1,2}})(?:st|nd|rd|th|\.|er|o)? ?(?:of |de )?{month.pattern}"
            r"(?: ?(?:de )?(?P<y>20\d\d))?(?!\d)"
            rf"|{month.pattern} (?P<e>\d{{1,2}})(?:st|nd|rd|th)?(?!\d|:)(?:,? (?P<z>20\d\d))?"
        )
        for month in months
    )


def _dates_of(language: Language) -> tuple[re.Pattern[str], ...]:
    return _dates(language.code, language.time.months)


def _ends_with(pattern: re.Pattern[str], before: str) -> int | None:
    """Return how long before the end the last match begins, if only spaces or small words follow it."""
    last = None
    for found in pattern.finditer(before):
        last = found
    if last is None or before[last.end() :].strip():
        return None
    return len(before) - last.start()
