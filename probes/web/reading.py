"""What a ticket's page says: whose a message is, whether it is new, what a status word means (pure)."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher
from itertools import pairwise

from probes.errors import Side
from probes.status_words import contains_word
from probes.web.channel import Messages
from probes.web.moments import claimed_moment, told_from_now, without_relative, zone_named

LONGEST_TEXT = 100_000
# A message is ours if it says little besides what we wrote; a receipt that quotes us says more.
_OURS_FROM_RATIO = 0.9
_COMPARED_CHARS = 4000
_WE = ("you", "me", "sie", "ich", "vous", "moi", "tú", "yo", "usted")


@dataclass(frozen=True, slots=True, kw_only=True)
class RawMessage:
    """A message as it stands on the page. `times` are the texts that may tell its time, the most exact first.

    `marked` is the side that the plan's selectors say, null where they say nothing.
    """

    author: str | None
    subject: str | None
    text: str
    times: tuple[str, ...]
    shown_time: str | None
    marked: Side | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mine:
    """By what our own messages are known: our names and addresses, and what we wrote."""

    names: tuple[str, ...]
    texts: tuple[str, ...]


def side_of(message: RawMessage, mine: Mine) -> Side:
    """Return whose message it is. Without an author, a mark or our own words it is not known."""
    if message.marked is not None:
        return message.marked
    author = " ".join((message.author or "").casefold().split())
    names = [" ".join(name.casefold().split()) for name in mine.names if name.strip()]
    if author and (author in _WE or any(contains_word(author, name) for name in names)):
        return Side.OURS
    if any(_says_little_besides(message.text, text) for text in mine.texts):
        return Side.OURS
    return Side.VENDOR if author else Side.NOT_KNOWN


def _says_little_besides(text: str, ours: str) -> bool:
    text, ours = _plain(text)[:_COMPARED_CHARS], _plain(ours)[:_COMPARED_CHARS]
    if not text or not ours:
        return False
    if text == ours:
        return True
    shorter, longer = sorted((len(text), len(ours)))
    if shorter / longer < _OURS_FROM_RATIO / (2 - _OURS_FROM_RATIO):
        return False
    return SequenceMatcher(None, text, ours, autojunk=False).ratio() >= _OURS_FROM_RATIO


def _plain(text: str) -> str:
    return " ".join(text.split())


def keys_of(messages: Sequence[RawMessage]) -> tuple[str, ...]:
    """Return a key for each message that stays the same when the page is sorted otherwise or its times move on.

    Equal messages of one author are told apart by counting them.
    """
    counts: Counter[str] = Counter()
    keys = []
    for message in messages:
        content = "\0".join(
            _plain(without_relative(part or "")) for part in (message.author, message.subject, message.text)
        )
        digest = hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:20]
        counts[digest] += 1
        keys.append(f"{digest}-{counts[digest]}")
    return tuple(keys)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a page says of a message's time: the words, the moment if they name one, and how coarse they are."""

    text: str | None
    at_utc: datetime | None = None
    error_s: float | None = None


def claimed_time(message: RawMessage, how: Messages, now_utc: datetime) -> Claim:
    """Return what the page, looked at at `now_utc`, says of a message's time."""
    zone = zone_named(how.time_zone)
    for text in message.times:
        moment = claimed_moment(text, zone=zone, day_first=how.day_first, time_format=how.time_format)
        if moment is not None:
            return Claim(text, moment)
    for text in message.times:
        told = told_from_now(text, now_utc, zone)
        if told is not None:
            return Claim(text, told.at_utc, told.error_s)
    return Claim(message.shown_time or next(iter(message.times), None))


def newest_first(moments: Sequence[datetime | None], known: Sequence[bool], ours: Sequence[bool]) -> bool:
    """Return whether a history stands with its newest message first, as far as it shows.

    Args:
        moments: when each message was written, as the page says; from top to bottom.
        known: whether it was there at an earlier look.
        ours: whether we wrote it.
    """
    told = [moment for moment in moments if moment is not None]
    rising = sum(one < other for one, other in pairwise(told))
    falling = sum(one > other for one, other in pairwise(told))
    if rising != falling:
        return falling > rising
    if any(known) and not all(known):
        # What is new stands at one end.
        return not known[0] if known[0] != known[-1] else False
    # The history begins with what we wrote.
    return len(ours) > 1 and ours[-1] and not ours[0]


def cut(text: str | None, pattern: str | None) -> str | None:
    """Return the part of `text` that a regular expression marks (its group, else all of it), or None."""
    if text is None:
        return None
    if pattern is None:
        return text.strip() or None
    found = re.search(pattern, text, re.MULTILINE)
    if found is None:
        return None
    part = found.group(1) if found.re.groups else found.group(0)
    return part.strip() or None if part is not None else None


def bounded(text: str, longest: int = LONGEST_TEXT) -> str:
    """Return `text`, cut where it is longer than anybody would write, with a word that says so."""
    return text if len(text) <= longest else f"{text[:longest]} […cut after {longest} characters]"


def nearest(wanted: str, names: Iterable[str], count: int = 8) -> tuple[str, ...]:
    """Return the names most like `wanted`, best first."""
    clean = {" ".join(name.split())[:80]: None for name in names if name.strip()}
    folded = wanted.casefold()
    return tuple(sorted(clean, key=lambda name: -SequenceMatcher(None, folded, name.casefold()).ratio())[:count])
