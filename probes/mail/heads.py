"""A mail's header lines, read so that no line, however broken, keeps the rest from being read. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.header import decode_header
from email.utils import parsedate_to_datetime

LONGEST_HEADER = 10_000
MOST_HEADERS = 1000
_FOLD = re.compile(r"\r?\n[ \t]+")
_MESSAGE_ID = re.compile(r"<([^<>\s]{1,900})>")
_ENCODED = re.compile(r"=\?[^?\s]{1,60}\?[bBqQ]\?")
_ANY_ADDRESS = re.compile(
    r"[^\s<>\",;:()\[\]@]{1,128}@[A-Za-z0-9.\-]{1,253}|[^\s<>\",;:()\[\]@]{1,128}@[^\s<>\",;:()\[\]@]{1,253}"
)


@dataclass(frozen=True, slots=True)
class Headers:
    """Header lines in their order, names in small letters, values unfolded and decoded."""

    lines: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str | None:
        """Return the first value under a name, or None."""
        return next(self.all(name), None)

    def all(self, name: str) -> Iterator[str]:
        """Yield all values under a name."""
        return (value for key, value in self.lines if key == name)

    def message_ids(self, name: str) -> tuple[str, ...]:
        """Return the ids, as <…>, under a name; an id without its brackets counts as well."""
        value = " ".join(self.all(name))
        found = tuple(f"<{each}>" for each in _MESSAGE_ID.findall(value))
        if not found and "@" in value and len(value.split()) == 1:
            return (f"<{value.strip('<> ')}>",)
        return found

    def addresses(self, *names: str) -> tuple[str, ...]:
        """Return all that looks like an address under these names, in small letters."""
        found = (each.lower() for name in names for value in self.all(name) for each in addresses_in(value))
        return tuple(dict.fromkeys(found))

    @property
    def key(self) -> str:
        """What tells a mail from others, the same for every copy of it."""
        parts = [self.get(name) or "" for name in ("message-id", "from", "date", "subject")]
        if not parts[0]:  # then two different ones are likelier than two copies
            parts = [f"{name}: {value}" for name, value in self.lines]
        return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:20]

    @property
    def author(self) -> str | None:
        """The name in From, else its address."""
        value = self.get("from")
        if value is None:
            return None
        name = re.sub(r"<[^<>]*>", "", value).strip().strip("\"'").replace('\\"', '"').strip()
        return name or next(iter(addresses_in(value)), None) or value.strip() or None

    @property
    def from_address(self) -> str | None:
        """The address in From: the one in angle brackets, if there is one."""
        value = self.get("from") or ""
        bracketed = re.findall(r"<([^<>\s]*@[^<>\s]*)>", value)
        found = bracketed[-1:] or list(addresses_in(value))[:1]
        return found[0].lower() if found else None

    @property
    def claimed_at_utc(self) -> datetime | None:
        """The moment that Date names; None where it names none, or none with a zone."""
        return moment_of(self.get("date"))


def parse_headers(raw: bytes) -> Headers:
    """Read the header block of a mail, up to the first empty line."""
    head = raw.replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    lines: list[tuple[str, str]] = []
    current: list[str] = []
    for line in (*_text_of(head).split("\n"), ""):
        if line[:1] in (" ", "\t") and current:
            if sum(map(len, current)) < LONGEST_HEADER:
                current.append(line)
            continue
        if current:
            name, colon, value = "".join(current).partition(":")
            if colon and 0 < len(name.strip()) <= 100 and " " not in name.strip():
                lines.append((name.strip().lower(), decoded(value[:LONGEST_HEADER])))
            if len(lines) >= MOST_HEADERS:
                break
        current = [line[:LONGEST_HEADER]] if line.strip() else []
    return Headers(tuple(lines))


def _text_of(raw: bytes) -> str:
    """Raw letters in headers are UTF-8, or else what Western desks send."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def decoded(value: str) -> str:
    """Return a header's value as it is meant to be read."""
    value = _FOLD.sub(" ", value)
    if _ENCODED.search(value):
        try:
            parts = decode_header(value)
        except Exception:  # whatever the standard library trips over, the raw line is shown
            parts = []
        if parts:
            value = "".join(_decoded_part(part, charset) for part, charset in parts)
    value = "".join(sign if sign.isprintable() else " " for sign in value)
    return " ".join(value.split())


def _decoded_part(part: bytes | str, charset: str | None) -> str:
    return part if isinstance(part, str) else text_in(part, charset)


def text_in(raw: bytes, charset: str | None) -> str:
    """Return bytes as text: by the charset named if it fits, else UTF-8, else Windows-1252. Never fails."""
    name = (charset or "utf-8").strip("\"' ").lower()
    name = {"iso-8859-1": "cp1252", "latin-1": "cp1252", "us-ascii": "utf-8", "ascii": "utf-8"}.get(name, name)
    for each in (name, "utf-8", "cp1252"):
        try:
            return raw.decode(each)
        except (LookupError, UnicodeError, ValueError):
            continue
    return raw.decode("cp1252", "replace")


def addresses_in(value: str) -> Iterator[str]:
    """Yield everything in a text that looks like an address."""
    return (match.group().strip(".'") for match in _ANY_ADDRESS.finditer(value[:LONGEST_HEADER]))


def moment_of(text: str | None) -> datetime | None:
    """Return the moment that a mail date names, in UTC; None for nonsense and for dates without a zone."""
    if text is None:
        return None
    try:
        moment = parsedate_to_datetime(text)
        return moment.astimezone(UTC) if moment.tzinfo is not None else None
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
