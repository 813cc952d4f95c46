"""Lengths of time as people write them in a plan: "90 s", "4 h", "3 days"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import CoreSchema

_UNITS_S = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_NAMES = {
    "sec": "s", "secs": "s", "second": "s", "seconds": "s", "m": "min", "mins": "min", "minute": "min",
    "minutes": "min", "hour": "h", "hours": "h", "day": "d", "days": "d", "week": "w", "weeks": "w",
}  # fmt: skip
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)")


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A length of time; `s` is seconds, never negative."""

    s: float

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Read "90 s", "1 h 30 min" or "3 days".

        Raises:
            ValueError: there is no unit, an unknown unit, or anything besides numbers with units.
        """
        rest = text.strip().lower()
        parts = _PART.findall(rest)
        if not parts or _PART.sub("", rest).strip(" ,"):
            raise ValueError(f'"{text}" is no length of time; write a number with a unit (s, min, h, d, w), as "90 s"')
        total_s = 0.0
        for number, name in parts:
            unit = _NAMES.get(name, name)
            if unit not in _UNITS_S:
                raise ValueError(f'"{name}" is no unit of time; use s, min, h, d or w')
            total_s += float(number) * _UNITS_S[unit]
        return cls(total_s)

    def __str__(self) -> str:
        rest_s, words = self.s, []
        for unit in ("d", "h", "min"):
            count, rest_s = divmod(rest_s, _UNITS_S[unit])
            if count:
                words.append(f"{count:g} {unit}")
        if rest_s or not words:
            words.append(f"{rest_s:g} s")
        return " ".join(words)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        def read(value: object) -> Duration:
            if isinstance(value, Duration):
                return value
            if isinstance(value, str):
                return cls.parse(value)
            raise ValueError(f'{value!r} has no unit; write a number with s, min, h, d or w, as "90 s"')

        return core_schema.no_info_plain_validator_function(
            read, serialization=core_schema.to_string_ser_schema(), metadata={"holdproof": "duration"}
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {
            "type": "string",
            "pattern": r"^\s*(\d+(\.\d+)?\s*[A-Za-z]+[ ,]*)+$",
            "examples": ["90 s", "4 h", "3 days"],
        }
