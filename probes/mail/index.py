"""What lies in a mailbox, by case: every mail's headers once, for all cases that share the mailbox. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice

from probes.mail.heads import Headers
from probes.mail.imap import Head, Place
from probes.mail.threads import Placed, Trust, place

_RETURNED = "returned"


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
    ignored: int = 0
    _by_number: dict[str, dict[Place, None]] = field(default_factory=dict)  # of mails that no better sign has placed
    _suspects: dict[str, dict[Place, None]] = field(default_factory=dict)  # and whose words were not looked through
    _by_reference: dict[str, dict[Place, None]] = field(default_factory=dict)
    _numbers: dict[str, dict[str, Trust]] = field(default_factory=dict)

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
        where, earlier = entry.head.place, self.entries.get(entry.head.place)
        if earlier is not None:
            self._drop(earlier)
        self.entries[where] = entry
        for place_in, keys in self._shelves(entry):
            for key in keys:
                place_in.setdefault(key, {})[where] = None
        if len(entry.placed.references) == 1:
            (reference,) = entry.placed.references
            for number in entry.placed.numbers:
                known = self._numbers.setdefault(number.lower(), {})
                known[reference] = max(known.get(reference, Trust.NUMBER), entry.placed.trust or Trust.NUMBER)

    def _drop(self, entry: Entry) -> None:
        for place_in, keys in self._shelves(entry):
            for key in keys:
                place_in.get(key, {}).pop(entry.head.place, None)
        del self.entries[entry.head.place]

    def _shelves(self, entry: Entry) -> Iterator[tuple[dict[str, dict[Place, None]], Iterable[str]]]:
        """Yield under which names of which register an entry is found."""
        yield self._by_reference, entry.placed.references
        if not entry.placed.references:
            yield self._by_number, {number.lower() for number in entry.placed.numbers}
            if not entry.examined:
                yield self._suspects, _suspicions(entry.head.headers)

    def of(self, who: Identity) -> Iterator[tuple[Entry, Trust]]:
        """Yield a case's mails, each with the sign by which it is known, the best known first."""
        for where in tuple(self._by_reference.get(who.reference, ())):
            entry = self.entries[where]
            if entry.placed.trust is not None and _in_time(entry, who):
                yield entry, entry.placed.trust
        numbers = {number.lower() for number in who.numbers}
        alone = {number for number in numbers if self._means(number, who.reference)}
        for where in {where: None for number in sorted(alone) for where in self._by_number.get(number, ())}:
            entry = self.entries[where]
            if _in_time(entry, who):
                yield entry, Trust.NUMBER

    def _means(self, number: str, reference: str) -> bool:
        """Whether a number of the desk means this case: no other mail says otherwise by as good a sign."""
        known = self._numbers.get(number, {})
        own = known.get(reference, Trust.REFERENCE)
        return all(trust < own for other, trust in known.items() if other != reference)

    def concerned(self, entry: Entry) -> frozenset[str]:
        """Return the references of the cases that a mail concerns, as far as its headers say."""
        by_number = (self._numbers.get(number.lower(), {}) for number in entry.placed.numbers)
        return entry.placed.references or frozenset[str]().union(*by_number)

    def unread(self, who: Identity, most: int) -> list[Entry]:
        """Return mails of nobody's case that may be this one's by their words: from its desk, or returned mail."""
        names = [_RETURNED]
        for domain in sorted(who.domains):
            names += [f"*.{domain}", *(f"={parent}" for parent in _with_parents(domain))]
        places = {where: None for name in names for where in reversed(self._suspects.get(name, {}))}
        entries = (self.entries[where] for where in places)
        return list(islice((entry for entry in entries if _in_time(entry, who)), most))

    def forget(self, folder: str) -> None:
        """Forget a folder that its server has numbered anew."""
        for where in [each for each in self.entries if each.folder == folder]:
            self._drop(self.entries[where])


def _in_time(entry: Entry, who: Identity) -> bool:
    received = entry.head.received_at_utc
    return received is None or received >= who.since_utc


def _suspicions(headers: Headers) -> Iterator[str]:
    """Yield for whose mail it may be taken: that of a domain or of what is above it, or returned mail."""
    domain = (headers.from_address or "").rpartition("@")[2]
    yield f"={domain}"
    yield from (f"*.{parent}" for parent in _with_parents(domain))
    if is_returned(headers):
        yield _RETURNED


def _with_parents(domain: str) -> Iterator[str]:
    labels = domain.split(".")[-8:]
    return (".".join(labels[start:]) for start in range(max(1, len(labels) - 1)))


def is_returned(headers: Headers) -> bool:
    """Whether a mail looks like one that a mail server wrote about another mail."""
    local = (headers.from_address or "").partition("@")[0]
    return (
        "multipart/report" in (headers.get("content-type") or "").lower()
        or headers.get("x-failed-recipients") is not None
        or local in ("mailer-daemon", "postmaster")
        or (headers.get("return-path") or "").strip() == "<>"
    )
