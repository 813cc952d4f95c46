"""Kinds of text in a plan that are checked as they are read: ids, places, time zones, hours, currencies."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Ge, Le

from probes.duration import Duration

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import CoreSchema

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_LONGEST_SLUG = 48
_LONGEST_S = 10 * 366 * 86400.0


@dataclass(frozen=True, slots=True)
class Checked:
    """Annotates a field: `check` returns the value or raises ValueError; the rest is for the JSON Schema."""

    check: Callable[[Any], Any]
    pattern: str | None = None
    example: str | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        json_schema: dict[str, Any] = dict(handler(schema))
        if self.pattern:
            json_schema["pattern"] = self.pattern
        if self.example:
            json_schema["examples"] = [self.example]
        return json_schema


def check_slug(text: str) -> str:
    """Return an id: lower-case ASCII letters and digits with single dashes between them, 48 at most."""
    if not _SLUG.fullmatch(text) or len(text) > _LONGEST_SLUG:
        near = slug_of(text)
        hint = f', as "{near}"' if near else ""
        raise ValueError(f'"{text}" is no id; use small letters a-z, digits and single dashes{hint}')
    return text


def slug_of(text: str) -> str:
    """Return the id that comes nearest to a text; empty if it has no letter or digit that an id can hold."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_LONGEST_SLUG].strip("-")


def check_text(text: str) -> str:
    """Return a text that is not blank."""
    if not text.strip():
        raise ValueError("the text is empty; write something")
    return text


def check_name(text: str) -> str:
    """Return a name that can stand in braces or in a record: letters, digits, dashes and underscores."""
    if not _NAME.fullmatch(text) or len(text) > _LONGEST_SLUG:
        near = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")[:_LONGEST_SLUG]
        hint = f', as "{near}"' if near else ""
        raise ValueError(f'"{text}" cannot be a name here; use letters, digits, - and _{hint}')
    return text


def check_email(text: str) -> str:
    """Return what looks like a mail address, or a reference to one."""
    if "${" not in text and not re.fullmatch(r"[^@\s]+@[^@\s]+", text):
        raise ValueError(f'"{text}" is no mail address; write it as name@company.example')
    return text


def check_length(length: Duration) -> Duration:
    """Return a length of time that a calendar can hold."""
    if not length.s <= _LONGEST_S:
        raise ValueError("the length of time is beyond ten years; write a shorter one")
    return length


def check_time_zone(name: str) -> str:
    """Return a time zone of the IANA list."""
    from zoneinfo import ZoneInfo, available_timezones

    if name and not name.startswith(("posix", "right", "localtime")):
        try:
            return ZoneInfo(name).key
        except (KeyError, ValueError, OSError):  # not there, no name of a file, a folder
            pass
    from difflib import get_close_matches

    zones = available_timezones()
    places = {zone.rsplit("/", 1)[-1].lower(): zone for zone in sorted(zones) if "/" in zone}
    wanted = name.rsplit("/", 1)[-1].strip().lower().replace(" ", "_")
    near = [places[word] for word in get_close_matches(wanted, places, n=1, cutoff=0.75)]
    raise ValueError(
        f'"{name}" is no time zone; use a name of the IANA list, as "{near[0] if near else "Europe/London"}"'
    )


def check_place(place: str) -> str:
    """Return an ISO 3166 country or subdivision whose public holidays are known."""
    from audit.calendar import split_place

    split_place(place)
    return place


def check_hours(text: str) -> str:
    """Return opening hours that can be read."""
    from audit.calendar import parse_hours

    parse_hours(text)
    return text


def check_country(code: str) -> str:
    """Return an ISO 3166 country that has telephone numbers."""
    from phonenumbers import SUPPORTED_REGIONS

    if code not in SUPPORTED_REGIONS:
        raise ValueError(f'"{code}" is no country; use two letters of ISO 3166, as "GB"')
    return code


def check_currency(code: str) -> str:
    """Return a currency's three letters."""
    if not re.fullmatch(r"[A-Z]{3}", code):
        raise ValueError(f'"{code}" is no currency; use three letters of ISO 4217, as "EUR"')
    return code


def check_aware(moment: datetime) -> datetime:
    """Return a moment that says its time zone."""
    if moment.tzinfo is None:
        raise ValueError(f'"{moment.isoformat()}" does not say its time zone; end it with Z or +02:00')
    return moment


Slug = Annotated[str, Checked(check_slug, rf"^(?=.{{1,{_LONGEST_SLUG}}}$){_SLUG.pattern}$", "acme-desk")]
Text = Annotated[str, Checked(check_text)]
Name = Annotated[str, Checked(check_name, f"^{_NAME.pattern}$")]
Email = Annotated[str, Checked(check_email, None, "robin@customer.example")]
Length = Annotated[Duration, Checked(check_length)]
TimeZone = Annotated[str, Checked(check_time_zone, None, "Europe/London")]
Place = Annotated[str, Checked(check_place, "^[A-Z]{2}(-[A-Z0-9]{1,3})?$", "DE-BY")]
HoursText = Annotated[str, Checked(check_hours, None, "Mon-Fri 09:00-17:30, Sat 10:00-14:00")]
Country = Annotated[str, Checked(check_country, "^[A-Z]{2}$", "GB")]
Currency = Annotated[str, Checked(check_currency, "^[A-Z]{3}$", "EUR")]
AwareMoment = Annotated[datetime, Checked(check_aware, None, "2026-11-23T09:00:00Z")]

Count = Annotated[int, Ge(0), Le(1_000_000)]
Samples = Annotated[int, Ge(1), Le(10_000)]
Amount = Annotated[float, Ge(0), Le(1e9)]
Share = Annotated[float, Ge(0), Le(100)]
Factor = Annotated[float, Ge(1), Le(100_000)]
