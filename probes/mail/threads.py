"""To which case a mail belongs: by our Message-ID, our sub-address, our reference in words, the desk's own number.

In that order of trust. A mail that names one of our cases by a better sign belongs to that case alone, whatever its
subject says. What the desk's number means is learned from mails that better signs have placed, so a mail that came
with nothing but a number is placed as soon as such a mail has come. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum

from probes.mail.heads import Headers
from probes.mail.numbers import ticket_numbers

REFERENCE = re.compile(r"(?<![0-9a-z])hp-[2-9a-hj-np-z]{8}(?![0-9a-z])", re.IGNORECASE)
_OUR_ID = re.compile(r"<(hp-[2-9a-hj-np-z]{8})\.\d+\.[0-9a-f]{12}@[^<>\s]+>", re.IGNORECASE)
_TO = ("to", "cc", "delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-delivered-to", "resent-to")


class Trust(IntEnum):
    """By which sign a mail is placed; a higher one goes before a lower one."""

    NUMBER = 1
    REFERENCE = 2
    SUB_ADDRESS = 3
    MESSAGE_ID = 4

    @property
    def words(self) -> str:
        """The sign's stored name."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Placed:
    """Which cases, by their references, a mail names by its best sign, and which numbers of the desk it shows."""

    trust: Trust | None
    references: frozenset[str]
    numbers: tuple[str, ...]


def our_references(ids: tuple[str, ...]) -> tuple[str, ...]:
    """Return the references in those Message-IDs that are ours."""
    return tuple(found.group(1).upper() for each in ids if (found := _OUR_ID.fullmatch(each)))


def place(headers: Headers, words: str = "") -> Placed:
    """Say what a mail's headers, and its words where they are known, name."""
    subject = headers.get("subject") or ""
    numbers = ticket_numbers(subject)
    answered = our_references(headers.message_ids("in-reply-to"))
    known = (
        answered
        or our_references(headers.message_ids("references"))[-1:]
        or our_references(tuple(found.group() for found in _OUR_ID.finditer(words)))[-1:]
    )
    if known:
        return Placed(Trust.MESSAGE_ID, frozenset(known), numbers)
    tags = frozenset(
        found.group().upper()
        for address in headers.addresses(*_TO)
        if (found := REFERENCE.search(address.rpartition("@")[0]))
    )
    if tags:
        return Placed(Trust.SUB_ADDRESS, tags, numbers)
    for text in (subject, words):
        written = frozenset(found.group().upper() for found in REFERENCE.finditer(text))
        if written:
            return Placed(Trust.REFERENCE, written, numbers)
    return Placed(None, frozenset(), numbers)
