"""The moment that a page claims for a message, where the words name one without a guess (pure).

A date without a time, a time without a date, "2 hours ago", 03/04/2026 from nobody knows where, or a time in no
known zone are not moments: the text is kept, the moment stays null.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
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


def is_relative(text: str) -> bool:
    """Return whether a time is told from now ("2 hours ago", "gestern", "just now")."""
    return _RELATIVE.search(text) is not None


def without_relative(text: str) -> str:
    """Return `text` with every relative time taken out, so that it reads the same at every look."""
    return _RELATIVE.sub("", text)


_UNIT = (
    r"(?:seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|weeks?|months?|years?|sekunden?|minuten?|stunden?|tag(?:en?)?|"
    r"wochen?|monat(?:en?)?|jahr(?:en?)?|secondes?|heures?|jours?|semaines?|mois|ans?|segundos?|minutos?|horas?|días?|"
    r"semanas?|meses|mes|años?)"
)
_COUNT = r"(?:\d+|an?|one|a few|few|eine[mrn]?|une?|un[ao]?)"
_SPAN = rf"{_COUNT}\s+{_UNIT}(?:(?:,|\s+and|\s+und|\s+et|\s+y)?\s+{_COUNT}\s+{_UNIT})*"
_RELATIVE = re.compile(
    rf"\b(?:{_SPAN}\s+ago|vor\s+{_SPAN}|il\s+y\s+a\s+{_SPAN}|hace\s+{_SPAN}|just now|gerade eben|à l'instant)\b",
    re.IGNORECASE,
)


def zone_named(name: str | None) -> tzinfo | None:
    """Return the zone of this IANA name; None for None."""
    return ZoneInfo(name) if name is not None else None
