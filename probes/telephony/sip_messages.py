"""Reading a SIP message as it was on the wire: its first line and its headers. Pure; takes whatever comes."""

from __future__ import annotations

import re
from dataclasses import dataclass

# RFC 3261, section 7.3.3.
_SHORT = {"c": "content-type", "f": "from", "i": "call-id", "m": "contact", "t": "to", "v": "via"}

_CREDENTIALS = re.compile(
    r"^((?:Proxy-)?Authorization[ \t]*:)[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*", re.IGNORECASE | re.MULTILINE
)
_MEDIA_KEY = re.compile(r"^(a=crypto:.*?inline:)[^\r\n]*", re.MULTILINE)  # RFC 4568: whoever has it can listen


def without_secrets(text: str) -> str:
    """Return a message as it may be kept: proofs of our password and keys of the audio are taken out."""
    return _MEDIA_KEY.sub(r"\1(taken out)", _CREDENTIALS.sub(r"\1 (taken out)", text))


@dataclass(frozen=True, slots=True)
class Head:
    """The first line and the headers of a message, names in lower case."""

    first: str
    headers: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, text: str) -> Head:
        """Read a message."""
        first, *rest = text.replace("\r\n", "\n").split("\n\n")[0].split("\n")
        headers = []
        for line in rest:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            headers.append((_SHORT.get(name, name), value.strip()))
        return cls(first, tuple(headers))

    def all(self, name: str) -> list[str]:
        """Return every value of a header."""
        return [value for one, value in self.headers if one == name]

    def get(self, name: str) -> str:
        """Return the first value of a header; empty: there is none."""
        return next(iter(self.all(name)), "")

    @property
    def code(self) -> int | None:
        """The code of an answer, None for a request."""
        found = re.match(r"SIP/2\.0 ([1-6]\d\d)", self.first)
        return int(found.group(1)) if found else None

    @property
    def request(self) -> str:
        """The method of a request; empty: this is an answer."""
        return "" if self.first.startswith("SIP/2.0") else self.first.partition(" ")[0]

    @property
    def about(self) -> str:
        """The method of the request that this is, or answers."""
        return self.get("cseq").rpartition(" ")[2]

    @property
    def number(self) -> int:
        """The number of the request that this is, or answers; 0: it has none."""
        found = re.match(r"\d{1,9}", self.get("cseq"))
        return int(found.group()) if found else 0
