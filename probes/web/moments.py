"""The moment that a page claims for a message, where the words name one without a guess (pure).

A date without a time, a time without a date, 03/04/2026 from nobody knows where, or a time in no known zone are not
moments: the text is kept, the moment stays null. What is told from now ("2 hours ago") is as exact as its words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import ClassVar
from zoneinfo import ZoneInfo

from dateutil import parser as dateutil_parser  # type: ignore[import-untyped]

# Names of zones that mean one offset wherever they are written; EST, CST, IST and BST do not.
_ZONES = {"UTC": 0, "GMT": 0, "Z": 0, "CET": 3600, "CEST": 7200, "WEST": 3600, "EEST": 10800}
_LONGEST_TEXT = 100
_NUMERIC_DATE = re.compile(r"(?<!\d)(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})(?!\d)")
_YEAR = re.compile(r"(?<!\d)\d{4}(?!\d)")
_HOUR = re.compile(r"\d{1,2}:\d{2}|\d{1,2}\s*[ap]\.?\s?m\b|\bnoon\b|\bmidnight\b|T\d{4}", re.IGNORECASE)
_EPOCH = re.compile(r"\d{10}|\d{13}")


class _Words(dateutil_parser.parserinfo):  # type: ignore[misc]
    """Month and day names of the languages that help desks around us write."""

    MONTHS = [  # noqa: RUF012  (the base class has a list)
        ("Jan", "January", "Januar", "Jänner", "janvier", "janv", "enero", "ene"),
        ("Feb", "February", "Februar", "février", "févr", "fév", "febrero"),
        ("Mar", "March", "März", "Mär", "Mrz", "mars", "marzo"),
        ("Apr", "April", "avril", "avr", "abril", "abr"),
        ("May", "Mai", "mayo"),
        ("Jun", "June", "Juni", "juin", "junio"),
        ("Jul", "July", "Juli", "juillet", "juil", "julio"),
        ("Aug", "August", "août", "agosto", "ago"),
        ("Sep", "Sept", "September", "septembre", "septiembre"),
        ("Oct", "October", "Oktober", "Okt", "octobre", "octubre"),
        ("Nov", "November", "novembre", "noviembre"),
        ("Dec", "December", "Dezember", "Dez", "décembre", "déc", "diciembre", "dic"),
    ]
    WEEKDAYS = [  # noqa: RUF012
        ("Mon", "Monday", "Montag", "Mo", "lundi", "lun", "lunes"),
        ("Tue", "Tuesday", "Tues", "Dienstag", "Di", "mardi", "martes"),
        ("Wed", "Wednesday", "Mittwoch", "Mi", "mercredi", "mer", "miércoles", "mié"),
        ("Thu", "Thursday", "Thurs", "Donnerstag", "Do", "jeudi", "jeu", "jueves", "jue"),
        ("Fri", "Friday", "Freitag", "Fr", "vendredi", "ven", "viernes", "vie"),
        ("Sat", "Saturday", "Samstag", "Sa", "samedi", "sam", "sábado", "sáb"),
        ("Sun", "Sunday", "Sonntag", "So", "dimanche", "dim", "domingo", "dom"),
    ]
    JUMP: ClassVar = [
        *dateutil_parser.parserinfo.JUMP,
        "um",
        "uhr",
        "à",
        "las",
        "de",
        "del",
        "le",
        "el",
        "den",
        "·",
        "|",
    ]


_PARSER = dateutil_parser.parser(_Words())


def claimed_moment(
    text: str, *, zone: tzinfo | None, day_first: bool | None = None, time_format: str | None = None
) -> datetime | None:
    """Return the moment in UTC that `text` names, or None where it names none, or not exactly one.

    Args:
        text: as the page shows it, or a `datetime` or `title` attribute.
        zone: the zone that the plan gives for times which name none; None: such times are not read.
        day_first: whether 03/04/2026 is the third of April; None: such dates are not read.
        time_format: a strptime format, if the plan gives one; nothing else is tried then.
    """
    text = " ".join(text.split())
    if not text or len(text) > _LONGEST_TEXT or _EPOCH.fullmatch(text):
        return None
    if time_format is not None:
        try:
            found: datetime | None = datetime.strptime(text, time_format)  # noqa: DTZ007  (zone below)
        except ValueError:
            return None
    else:
        found = _parsed(text, day_first)
    if found is None:
        return None
    return found.astimezone(UTC) if found.tzinfo is not None else _in_zone(found, zone)


def _parsed(text: str, day_first: bool | None) -> datetime | None:
    numeric = _NUMERIC_DATE.search(text)
    if numeric is not None:
        if len(numeric[4]) == 2:
            return None
        if day_first is None:
            if numeric[2] == ".":
                day_first = True  # no country writes month.day.year
            elif int(numeric[1]) <= 12 and int(numeric[3]) <= 12 and numeric[1] != numeric[3]:
                return None
    elif not _YEAR.search(text):
        return None
    if not _HOUR.search(text):
        return None
    text = text.replace(" a las ", " ")
    text = re.sub(
        r"\bnoon\b", "12:00", re.sub(r"\bmidnight\b", "00:00", text, flags=re.IGNORECASE), flags=re.IGNORECASE
    )
    text = re.sub(r"\b([ap])\.\s?m\.?", r"\1m", text, flags=re.IGNORECASE)
    # "UTC+2" is two hours ahead here, whatever POSIX says; "+0200 (CEST)" says the same thing twice.
    text = re.sub(r"\b(?:UTC|GMT)\s?([+-]\d)", r"\1", text)
    text = re.sub(r"([+-])(\d)(?=$|:\d\d)", r"\g<1>0\2", text)
    text = re.sub(r"([+-]\d{2}:?\d{2})\s\(?[A-Z]{3,5}\)?$", r"\1", text)
    readings = set()
    for filler in (datetime(2001, 1, 1, 3), datetime(2006, 10, 28, 17)):  # noqa: DTZ001
        # What the text leaves open is filled from elsewhere; two fillers that agree show that nothing was open.
        try:
            readings.add(_PARSER.parse(text, default=filler, dayfirst=bool(day_first), tzinfos=_zone_offset))
        except (ValueError, OverflowError, TypeError):
            return None
    return readings.pop() if len(readings) == 1 else None


def _zone_offset(name: str | None, offset_s: int | None) -> int | None:
    if name is None:
        return offset_s
    if name.upper() not in _ZONES:
        raise ValueError(f"{name} is no zone with one meaning")
    return _ZONES[name.upper()]


def _in_zone(naive: datetime, zone: tzinfo | None) -> datetime | None:
    """Attach the zone; a clock time that the zone's change of clocks skips or repeats names no one moment."""
    if zone is None:
        return None
    first, second = (naive.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return first if first == second else None


@dataclass(frozen=True, slots=True)
class Told:
    """A moment told from now: `error_s` is how coarse the words are; null where they name the minute."""

    at_utc: datetime
    error_s: float | None


def told_from_now(text: str, now_utc: datetime, zone: tzinfo | None) -> Told | None:
    """Return the moment that words like "3 hours ago" or "yesterday 14:05" name at `now_utc`, or None.

    A day by its name needs a clock time and the zone of the page; without them it names no moment.
    """
    text = " ".join(text.split())
    if not text or len(text) > _LONGEST_TEXT:
        return None
    if _NOW.search(text):
        return Told(now_utc, 60.0)
    ago = _AGO.search(text)
    if ago is not None:
        span_s, smallest_s = 0.0, float("inf")
        for count, unit in _PARTS.findall(ago[0]):
            number, unit_s = _number(count), _unit_s(unit)
            if number is None or unit_s is None:
                return None
            span_s, smallest_s = span_s + number * unit_s, min(smallest_s, unit_s)
        return Told(now_utc - timedelta(seconds=span_s), smallest_s) if span_s else None
    return _by_day(text, now_utc, zone)


def _by_day(text: str, now_utc: datetime, zone: tzinfo | None) -> Told | None:
    named = _DAY_AND_CLOCK.search(text)
    if named is None or zone is None:
        return None
    day, hour, minute, half = named["day"].casefold(), int(named["hour"]), int(named["minute"]), named["half"]
    if half:
        hour = hour % 12 + (12 if half.casefold().startswith("p") else 0)
    if hour > 23 or minute > 59:
        return None
    now = now_utc.astimezone(zone)
    back = next((days for days, words in enumerate(_DAYS) if day in words), None)
    if back is None:
        weekday = next(index for index, words in enumerate(_Words.WEEKDAYS) if day in map(str.casefold, words))
        back = (now.weekday() - weekday) % 7
        if back == 0 and (hour, minute) > (now.hour, now.minute):
            back = 7
    date = now.date() - timedelta(days=back)
    found = _in_zone(datetime(date.year, date.month, date.day, hour, minute), zone)  # noqa: DTZ001
    # A clock ahead of ours by a little is a clock; by more it is another day than we think.
    return Told(found, None) if found is not None and found <= now_utc + timedelta(minutes=10) else None


def is_relative(text: str) -> bool:
    """Return whether a time is told from now ("2 hours ago", "gestern", "just now")."""
    return _RELATIVE.search(text) is not None


def without_relative(text: str) -> str:
    """Return `text` with every relative time taken out, so that it reads the same at every look."""
    return _RELATIVE.sub("", text)


_SECONDS: tuple[tuple[float, str], ...] = (
    (1.0, r"s|secs?|seconds?|sek\.?|sekunden?|secondes?|segundos?"),
    (60.0, r"m|mins?\.?|minutes?|minuten?|minutos?"),
    (3600.0, r"h|hrs?\.?|hours?|std\.?|stunden?|heures?|horas?"),
    (86400.0, r"d|days?|tag(?:en?)?|jours?|j|días?"),
    (604800.0, r"w|wks?|weeks?|wochen?|semaines?|semanas?"),
    (2629800.0, r"mo|months?|monat(?:en?)?|mois|mes(?:es)?"),
    (31557600.0, r"y|yrs?|years?|jahr(?:en?)?|ans?|années?|años?"),
)
_NUMBERS = (
    ("a", "an", "one", "ein", "eine", "einem", "einer", "einen", "un", "une", "una", "uno"),
    ("two", "zwei", "deux", "dos"), ("three", "drei", "trois", "tres"), ("four", "vier", "quatre", "cuatro"),
    ("five", "fünf", "cinq", "cinco"), ("six", "sechs", "seis"), ("seven", "sieben", "sept", "siete"),
    ("eight", "acht", "huit", "ocho"), ("nine", "neun", "neuf", "nueve"), ("ten", "zehn", "dix", "diez"),
    ("eleven", "elf", "onze", "once"), ("twelve", "zwölf", "douze", "doce"),
)  # fmt: skip
_DAYS = (
    ("today", "heute", "aujourd'hui", "aujourd’hui", "hoy"),
    ("yesterday", "gestern", "hier", "ayer"),
    ("vorgestern", "avant-hier", "anteayer"),
)


def _number(text: str) -> int | None:
    if text.isdigit():
        return int(text)
    return next((index for index, words in enumerate(_NUMBERS, 1) if text.casefold() in words), None)


def _unit_s(text: str) -> float | None:
    return next((length for length, words in _SECONDS if re.fullmatch(words, text, re.IGNORECASE)), None)


def _either(words: Iterable[str]) -> str:
    return "|".join(sorted((re.escape(word) for word in words), key=len, reverse=True))


_UNIT = "(?:" + "|".join(words for _, words in _SECONDS) + ")"
_COUNT = rf"(?:\d{{1,4}}|a few|few|ein paar|einigen|quelques|unos|{_either(word for row in _NUMBERS for word in row)})"
_SPAN = rf"{_COUNT}\s*{_UNIT}(?![\w])(?:(?:,|\s+and|\s+und|\s+et|\s+y)?\s+{_COUNT}\s*{_UNIT}(?![\w]))*"
_PAST = rf"\b(?:{_SPAN}\s+ago\b|vor\s+{_SPAN}|il\s+y\s+a\s+{_SPAN}|hace\s+{_SPAN})"
_AT_ONCE = r"\b(?:just now|a moment ago|moments ago|right now|gerade eben|soeben|à l'instant|ahora mismo)\b"
_DAY = rf"\b(?P<day>{_either(word for row in (*_DAYS, *_Words.WEEKDAYS) for word in row if len(word) > 2)})"
_CLOCK = r"(?P<hour>\d{1,2})\s?[:.h]\s?(?P<minute>\d{2})(?::\d{2})?\s*(?P<half>[ap]\.?\s?m\b\.?)?"
_LEAD = r"\.?,?\s*(?:(?:at|um|à|a las|a la|@|-|–|·)\s*)?"
_AGO = re.compile(_PAST, re.IGNORECASE)
_NOW = re.compile(_AT_ONCE, re.IGNORECASE)
_PARTS = re.compile(rf"({_COUNT})\s*({_UNIT})(?![\w])", re.IGNORECASE)
_DAY_AND_CLOCK = re.compile(_DAY + _LEAD + _CLOCK, re.IGNORECASE)
_RELATIVE_DAY = re.sub(r"\?P<\w+>", "", rf"{_DAY}{_LEAD}{_CLOCK}(?:\s*uhr\b)?")
_RELATIVE = re.compile(rf"{_PAST}|{_AT_ONCE}|{_RELATIVE_DAY}", re.IGNORECASE)


def zone_named(name: str | None) -> tzinfo | None:
    """Return the zone of this IANA name; None for None."""
    return ZoneInfo(name) if name is not None else None
