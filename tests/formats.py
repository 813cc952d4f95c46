"""The event tables of probes/FORMATS.md, made from the payload classes: `python -m tests.formats --write`."""

from __future__ import annotations

import dataclasses
import re
import sys
from datetime import datetime
from enum import EnumType
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from probes.events import PAYLOADS

FILE = Path(__file__).parents[1] / "probes" / "FORMATS.md"
START, END = "<!-- events: made by `python -m tests.formats --write` -->", "<!-- end of events -->"


def type_words(hint: Any) -> tuple[str, bool]:
    """Return a field's type in words, and whether it may be null."""
    if get_origin(hint) in (UnionType, Union):
        inner = [part for part in get_args(hint) if part is not NoneType]
        return " or ".join(type_words(part)[0] for part in inner), NoneType in get_args(hint)
    if get_origin(hint) is tuple:
        return f"list of {type_words(get_args(hint)[0])[0]}", False
    if isinstance(hint, EnumType):
        return "one of " + ", ".join(f"`{member.value}`" for member in hint), False
    if dataclasses.is_dataclass(hint):
        return f"object ({hint.__name__})", False
    names = {str: "text", int: "integer", float: "number", bool: "true or false", datetime: "moment"}
    return names.get(hint, hint.__name__), False


def fields_table(cls: type) -> list[str]:
    """Return a class's fields as rows of a table."""
    hints = get_type_hints(cls)
    rows = ["| field | type | null |", "| --- | --- | --- |"]
    for field in dataclasses.fields(cls):
        words, null = type_words(hints[field.name])
        rows.append(f"| `{field.name}` | {words} | {'yes' if null else 'no'} |")
    return rows


def nested(cls: type, found: dict[str, type]) -> None:
    """Collect the dataclasses that a class's fields hold."""
    for hint in get_type_hints(cls).values():
        parts = [hint, *get_args(hint)]
        for part in parts:
            if dataclasses.is_dataclass(part) and isinstance(part, type) and part.__name__ not in found:
                found[part.__name__] = part
                nested(part, found)


def tables() -> str:
    """Return all event kinds with their fields."""
    lines, inner = [START], dict[str, type]()
    for kind, cls in PAYLOADS.items():
        text = re.sub(r"\s+", " ", (cls.__doc__ or "").strip())
        lines += [
            "",
            f"### `{kind}`",
            "",
            text,
            "",
            *(fields_table(cls) if dataclasses.fields(cls) else ["No fields."]),
        ]
        nested(cls, inner)
    lines += ["", "## Objects within events"]
    for name, cls in sorted(inner.items()):
        lines += ["", f"### {name}", "", re.sub(r"\s+", " ", (cls.__doc__ or "").strip()), "", *fields_table(cls)]
    return "\n".join([*lines, "", END])


def written(text: str) -> str:
    """Return the file's text with fresh tables."""
    return text[: text.index(START)] + tables() + text[text.index(END) + len(END) :]


if __name__ == "__main__":
    if "--write" in sys.argv:
        FILE.write_text(written(FILE.read_text(encoding="utf-8")), encoding="utf-8")
