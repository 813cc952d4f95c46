"""What lies in a mailbox, by case: every mail's headers once, for all cases that share the mailbox. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from probes.mail.heads import Headers
from probes.mail.imap import Head, Place
from probes.mail.threads import Placed, Trust, place


@dataclass(frozen=True, slots=True)
class Entry:
    """A mail of the mailbox and where it belongs. `examined`: its words were looked through, too.

    It came between `absent_at_utc`, our last look at the mailbox without it, and `seen_at_utc`; both real time.
    """

    head: Head
    placed: Placed
    seen_at_utc: datetime
    absent_at_utc: datetime | None
    examined: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """By what a case's mails are known: its reference, the desk's numbers for it, and from when on."""

    reference: str
    numbers: tuple[str, ...]
    since_utc: datetime
    domains: frozenset[str]


@dataclass
class Index:
    """The mails of one mailbox by the cases that they name."""

    entries: dict[Place, Entry] = field(default_factory=dict)
    unplaced: dict[Place, None] = field(default_factory=dict)
    ignored: int = 0
    _by_reference: dict[str, dict[Place, None]] = field(default_factory=dict)
    _numbers: dict[str, set[str]] = field(default_factory=dict)

    def add(self, head: Head, seen_at_utc: datetime, absent_at_utc: datetime | None) -> Entry | None:
        """Take in a mail; return its entry if it is new."""
        if head.place in self.entries:
            return None
        entry = Entry(head, place(head.headers), seen_at_utc, absent_at_utc)
        self.ignored += entry.placed.trust is None
        self._put(entry)
        return entry

    def examine(self, entry: Entry, headers: Headers, words: str) -> Entry:
        """Place a mail anew, now that its words are known; a mail placed well by its headers stays."""
        found = place(headers, words)
        better = (found.trust or 0) > (entry.placed.trust or 0)
        after = replace(entry, placed=found if better else entry.placed, examined=True)
        self.ignored -= better and entry.placed.trust is None
        self._put(after)
        return after

    def _put(self, entry: Entry) -> None:
        where = entry.head.place
        earlier = self.entries.get(where)
        if earlier is not None:
            for reference in earlier.placed.references:
                self._by_reference[reference].pop(where, None)
        self.entries[where] = entry
        self.unplaced.pop(where, None)
        if not entry.placed.references:
            self.unplaced[where] = None
        for reference in entry.placed.references:
            self._by_reference.setdefault(reference, {})[where] = None
        if len(entry.placed.references) == 1:
            (reference,) = entry.placed.references
            for number in entry.placed.numbers:
                self._numbers.setdefault(number.lower(), set()).add(reference)

    def of(self, who: Identity) -> Iterator[tuple[Entry, Trust]]:
        """Yield a case's mails, each with the sign by which it is known, the best known first."""
        for where in tuple(self._by_reference.get(who.reference, ())):
            entry = self.entries[where]
            if entry.placed.trust is not None and _in_time(entry, who):
                yield entry, entry.placed.trust
        numbers = {number.lower() for number in who.numbers}
        alone = {number for number in numbers if self._numbers.get(number, set()) <= {who.reference}}
        for where in tuple(self.unplaced) if alone else ():
            entry = self.entries[where]
            if alone & {number.lower() for number in entry.placed.numbers} and _in_time(entry, who):
                yield entry, Trust.NUMBER

    def unread(self, who: Identity, most: int) -> list[Entry]:
        """Return mails of nobody's case that may be this one's by their words: from its desk, or returned mail."""
        found = []
        for where in reversed(self.unplaced):
            entry = self.entries[where]
            if not entry.examined and _in_time(entry, who) and _may_be(entry.head.headers, who):
                found.append(entry)
                if len(found) >= most:
                    break
        return found

    def forget(self, folder: str) -> None:
        """Forget a folder that its server has numbered anew."""
        for where in [each for each in self.entries if each.folder == folder]:
            entry = self.entries.pop(where)
            self.unplaced.pop(where, None)
            for reference in entry.placed.references:
                self._by_reference[reference].pop(where, None)


def _in_time(entry: Entry, who: Identity) -> bool:
    received = entry.head.received_at_utc
    return received is None or received >= who.since_utc


def _may_be(headers: Headers, who: Identity) -> bool:
    address = headers.from_address or ""
    domain = address.rpartition("@")[2]
    if any(domain == each or domain.endswith(f".{each}") or each.endswith(f".{domain}") for each in who.domains):
        return True
    return is_returned(headers)


def is_returned(headers: Headers) -> bool:
    """Whether a mail looks like one that a mail server wrote about another mail."""
    local = (headers.from_address or "").partition("@")[0]
    return (
        "multipart/report" in (headers.get("content-type") or "").lower()
        or headers.get("x-failed-recipients") is not None
        or local in ("mailer-daemon", "postmaster")
        or (headers.get("return-path") or "").strip() == "<>"
    )
