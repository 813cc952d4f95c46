"""From what the chat shows, moment by moment, to its messages: each once, with when it came and was whole (pure).

A list of messages is no stable thing. Widgets rebuild it at every turn, drop old messages that are out of sight, let a
text grow word by word, change one, take one away, or lose all at a reload. What is shown is laid beside what is known,
in order, by the element where that is still the same one, else by the words.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from difflib import SequenceMatcher

from probes.web.moments import without_relative

_COMPARED = 400  # so many of the last messages are laid beside what is shown
_ALIKE = 0.6
# What stands beside our own words: whose they are, when they were sent, whether they were read.
_BESIDE = re.compile(
    r"(?:\d|am|pm|you|me|said|sie|ich|vous|moi|tú|yo|just|now|ago|seconds?|minutes?|sending|sent|delivered|read|seen"
    r"|gesendet|zugestellt|gelesen|envoyé|distribué|lu|enviado|entregado|leído)*"
)
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One entry of the list as it stands on the page. `node` names its element as long as that lives.

    `ours`: marked as our own (null: nothing says so). `notice`: marked as the system's.
    """

    node: str
    text: str
    author: str | None = None
    role: str | None = None
    time: str | None = None
    ours: bool | None = None
    notice: bool = False


@dataclass(slots=True)
class Line:
    """One message as we know it. `first_at` and `absent_at` say between which looks it came; `changed_at` when last."""

    key: str
    item: Item
    first_at: datetime
    absent_at: datetime | None
    changed_at: datetime
    last_seen_at: datetime
    is_ours: bool = False
    settled_at: datetime | None = None
    told_text: str | None = None
    gone_since: datetime | None = None
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """Something that became known of a line: `settled`, `changed` after that, or `gone`."""

    line: Line
    what: str


@dataclass(slots=True)
class Transcript:
    """All messages of one chat. `settle_s`: so long must a text have stood still; `gone_s`: so long one be away."""

    settle_s: float
    gone_s: float
    lines: list[Line] = field(default_factory=list)
    looked_at: datetime | None = None
    _sent: list[tuple[str, datetime]] = field(default_factory=list)
    _shown: tuple[Item, ...] | None = None
    _count: int = 0

    def we_said(self, text: str, at: datetime) -> None:
        """Note what we wrote, so that it is known when it shows."""
        self._sent.append((plain(text), at))

    def not_said(self, text: str) -> None:
        """Take back what did not leave."""
        self._sent = [(sent, at) for sent, at in self._sent if sent != plain(text)]

    def shows(self, text: str) -> bool:
        """Return whether the newest of our messages shown is this one."""
        mine = [line for line in self.lines[-20:] if line.is_ours]
        return bool(mine) and says(plain(mine[-1].item.text), plain(text)) and plain(text) not in self.unseen

    @property
    def unseen(self) -> tuple[str, ...]:
        """What we wrote and has not been shown yet."""
        return tuple(text for text, _ in self._sent)

    def look(self, items: Sequence[Item], at: datetime) -> list[Change]:
        """Take in what is shown now; return what became known by it, in order."""
        shown = tuple(item for item in items if plain(item.text))
        if shown != self._shown:
            self._take(shown, at)
        else:
            for line in self.lines:
                if line.gone_since is None:
                    line.last_seen_at = at
        self._shown, self.looked_at = shown, at
        return self._changes(at)

    @property
    def unsettled_since(self) -> datetime | None:
        """Since when the oldest message has been here whose text may still grow; None if all are whole."""
        return min((line.first_at for line in self.lines if line.settled_at is None and not line.is_gone), default=None)

    def _take(self, shown: tuple[Item, ...], at: datetime) -> None:
        beside = self._beside(shown)
        matched = {line.key for line in beside if line is not None}
        place = 0 if any(beside) else len(self.lines)
        for item, line in zip(shown, beside, strict=True):
            if line is None:
                line = self._new(item, at)
                self.lines.insert(place, line)
            else:
                if plain(line.item.text) != plain(item.text):
                    line.changed_at = at
                    line.settled_at = None if line.told_text is None else line.settled_at
                line.item = _richer(item, line.item)
                line.gone_since, line.last_seen_at = None, at
            place = self.lines.index(line) + 1
        self._note_missing(matched | {line.key for line in self.lines if line.first_at == at}, bool(shown), at)

    def _new(self, item: Item, at: datetime) -> Line:
        self._count += 1
        digest = hashlib.sha256(plain(item.text).encode("utf-8", "surrogatepass")).hexdigest()[:12]
        line = Line(
            key=f"chat-{self._count:04d}-{digest}",
            item=item,
            first_at=at,
            absent_at=self.looked_at,
            changed_at=at,
            last_seen_at=at,
        )
        line.is_ours = self._is_ours(item)
        return line

    def _is_ours(self, item: Item) -> bool:
        if item.notice:
            return False
        text = plain(item.text)
        for index, (sent, _) in enumerate(self._sent):
            if says(text, sent):
                del self._sent[index]
                return True
        return item.ours is True

    def _note_missing(self, present: set[str], anything: bool, at: datetime) -> None:
        """Begin to miss what stood between messages that are still shown, or last behind one that is."""
        known = [line for line in self.lines if not line.is_gone]
        there = [index for index, line in enumerate(known) if line.key in present]
        for index, line in enumerate(known):
            if line.key in present:
                continue
            taken_away = anything and bool(there) and there[0] < index and line.gone_since is None
            if taken_away:
                line.gone_since = at

    def _changes(self, at: datetime) -> list[Change]:
        changes: list[Change] = []
        for line in self.lines:
            still_s = (at - line.changed_at).total_seconds()
            if line.is_gone:
                continue
            if line.gone_since is not None:
                if at - line.gone_since >= timedelta(seconds=self.gone_s):
                    line.is_gone = True
                    if line.told_text is not None:
                        changes.append(Change(line, "gone"))
                continue
            if still_s < self.settle_s:
                continue
            if line.told_text is None:
                line.settled_at, line.told_text = line.changed_at, line.item.text
                changes.append(Change(line, "settled"))
            elif plain(line.told_text) != plain(line.item.text):
                line.told_text = line.item.text
                changes.append(Change(line, "changed"))
        return changes

    # --- laying what is shown beside what is known ---

    def _beside(self, shown: tuple[Item, ...]) -> list[Line | None]:
        """Return for each entry shown the line that it is, None where it is new."""
        known = [line for line in self.lines[-_COMPARED:] if not line.is_gone]
        by_node = {line.item.node: line for line in known}
        same_nodes = [by_node.get(item.node) for item in shown]
        if all(line is None or _may_be(item, line) for item, line in zip(shown, same_nodes, strict=True)):
            found: list[Line | None] = list(same_nodes)
        else:
            found = [None] * len(shown)  # elements are used again for other messages
        taken = {line.key for line in found if line is not None}
        rest = [line for line in known if line.key not in taken]
        open_places = [index for index, line in enumerate(found) if line is None]
        if rest and open_places:
            self._by_words(shown, open_places, rest, found)
        return found

    def _by_words(
        self, shown: tuple[Item, ...], places: list[int], known: list[Line], found: list[Line | None]
    ) -> None:
        ours, theirs = [_words(shown[index]) for index in places], [_words(line.item) for line in known]
        matcher = SequenceMatcher(None, theirs, ours, autojunk=False)
        for kind, from_known, to_known, from_shown, to_shown in matcher.get_opcodes():
            if kind == "equal":
                for offset in range(to_known - from_known):
                    found[places[from_shown + offset]] = known[from_known + offset]
            elif kind == "replace":
                left = list(range(from_known, to_known))
                for place in range(from_shown, to_shown):
                    like = next((index for index in left if _grown(theirs[index], ours[place])), None)
                    if like is not None:
                        found[places[place]] = known[like]
                        left = [index for index in left if index > like]


def plain(text: str) -> str:
    """Return a text on one line."""
    return _SPACES.sub(" ", text).strip()


def says(shown: str, sent: str) -> bool:
    """Return whether a text shown is what we sent: signs may be drawn otherwise, a time or a tick stand beside it."""
    if shown == sent:
        return True
    bare, wanted = _bare(shown), _bare(sent)
    if not wanted:
        return False
    before, found, after = bare.partition(wanted)
    return bool(found) and all(_BESIDE.fullmatch(rest) for rest in (before, after))


def _bare(text: str) -> str:
    return "".join(sign for sign in text.casefold() if sign.isalnum())


def _words(item: Item) -> str:
    return plain(without_relative(item.text))


def _grown(before: str, after: str) -> bool:
    """Return whether one text is the other one, grown or mended."""
    if not before or not after:
        return False
    if after.startswith(before) or before.startswith(after):
        return True
    return SequenceMatcher(None, before[:600], after[:600], autojunk=False).ratio() >= _ALIKE


def _may_be(item: Item, line: Line) -> bool:
    """Return whether an element still shows the message that it showed; a text that is all different is another one."""
    before, after = _words(line.item), _words(item)
    return before == after or _grown(before, after) or line.settled_at is None


def _richer(now: Item, before: Item) -> Item:
    """Return the entry as it stands now, with what it once said of its author where it says less now."""
    return Item(
        node=now.node,
        text=now.text,
        author=now.author or before.author,
        role=now.role or before.role,
        time=before.time or now.time,
        ours=now.ours if now.ours is not None else before.ours,
        notice=now.notice,
    )
