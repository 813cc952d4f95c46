"""Staff of a vendor by number: whoever is named in events is A-01, A-02, … in all that is said. Pure.

No list of who is who is kept or written anywhere: names stand in the evidence alone. A team's name is no person's.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib import resources
from typing import Any, TypeVar

from audit.analysis.case import Case, Contact, Message
from audit.analysis.model.audits import Analysis
from audit.analysis.model.findings import Evidence, Finding, MessageRead, Story, StoryLine
from audit.analysis.model.measures import Observations, Observed
from audit.analysis.model.promises import PromiseRecord
from audit.analysis.reading import MessageKind
from audit.analysis.reading_text import signed_by
from audit.analysis.values import Deferred, changed
from audit.plan.model import Plan
from probes.chatting.people import is_machine
from probes.events import HandOffSeen, NoticeKind, NoticeSeen

_TOKEN = re.compile(r"[^\W\d_][\w'’-]*")
_MOST_WORDS, _LONGEST = 4, 60
_BEFORE_A_NAME = ("by ", "from ", "to ", "is ", "am ", "I'm ", "I’m ", "regards, ", "regards ", "“")


@dataclass(frozen=True, slots=True)
class Names:
    """Words around names: titles, words of teams and roles, and names that are ordinary words, too."""

    titles: frozenset[str]
    teams: frozenset[str]
    words_too: frozenset[str]


@lru_cache(maxsize=1)
def names() -> Names:
    """Return the words around names that the package knows."""
    text = resources.files("audit.analysis").joinpath("names.toml").read_text(encoding="utf-8")
    return Names(**{name: frozenset(words) for name, words in tomllib.loads(text).items()})


@dataclass(slots=True)
class Staff:
    """The persons of one vendor, numbered as they were first met. `ours` are words of our own and the vendor's name."""

    ours: frozenset[str] = frozenset()
    _numbers: dict[str, int] = field(default_factory=dict)
    _by_word: dict[str, set[int]] = field(default_factory=dict)
    _forms: dict[str, int] = field(default_factory=dict)
    _count: int = 0
    _pattern: re.Pattern[str] | None = None
    _met: dict[tuple[str | None, str | None], str | None] = field(default_factory=dict)

    def meet(self, name: str | None, signed: str | None = None) -> str | None:
        """Take note of a person, named and perhaps signed otherwise; return the number, None: that is no person."""
        if (name, signed) not in self._met:
            self._met[name, signed] = self._meet(name, signed)
        return self._met[name, signed]

    def _meet(self, name: str | None, signed: str | None) -> str | None:
        found = [known for known in (name, signed) if known and self._is_person(known)]
        if not found:
            return None
        number = next((n for known in found if (n := self._known(known)) is not None), None)
        if number is None:
            self._count += 1
            number = self._count
        for known in found:
            self._remember(known, number)
        return _label(number)

    @property
    def knows_anybody(self) -> bool:
        """Whether there is any name to be masked."""
        return bool(self._forms)

    def masked(self, text: str) -> str:
        """Return a text with every name of these persons replaced by the number."""
        if not self._forms:
            return text
        if self._pattern is None:
            self._pattern = re.compile("|".join(map(re.escape, sorted(self._forms, key=len, reverse=True))))
        return self._pattern.sub(self._replaced, text)

    def _replaced(self, found: re.Match[str]) -> str:
        text, form = found.string, found.group()
        before, after = text[found.start() - 1 : found.start()], text[found.end() : found.end() + 1]
        if before.isalnum() or after.isalnum() or before == "_" or after == "_":
            return form
        if form.casefold() in names().words_too and not text[: found.start()].endswith(_BEFORE_A_NAME):
            return form
        return _label(self._forms[form])

    def _is_person(self, name: str) -> bool:
        words = _words(name)
        if not 1 <= len(words) <= _MOST_WORDS or len(name) > _LONGEST or is_machine(name, None):
            return False
        folded = [word.casefold() for word in words]
        return not any(word in names().teams for word in folded) and not self.ours.issuperset(folded)

    def _known(self, name: str) -> int | None:
        key = " ".join(_words(name)).casefold()
        if key in self._numbers:
            return self._numbers[key]
        words = key.split()
        alike = set.intersection(*(self._by_word.get(word, set()) for word in words))
        if not alike and len(words) > 1:  # "dana" before, "Dana Miller" now
            alike = {self._numbers[word] for word in words if word in self._numbers}
        return alike.pop() if len(alike) == 1 else None

    def _remember(self, name: str, number: int) -> None:
        words = _words(name)
        key = " ".join(words).casefold()
        if key in self._numbers:
            return
        self._numbers[key] = number
        self._pattern = None
        for form in {name.strip(), " ".join(words)}:
            self._forms.setdefault(form, number)
        for word in words:
            self._by_word.setdefault(word.casefold(), set()).add(number)
            if len(word) >= 3 and word.casefold() not in self.ours:
                for form in (word, word.capitalize(), word.upper()):
                    self._forms.setdefault(form, number)


def _label(number: int) -> str:
    return f"A-{number:02d}"


def _words(name: str) -> list[str]:
    local = name.split("@")[0] if "@" in name and " " not in name.strip() else name
    found = _TOKEN.findall(re.sub(r"[._]", " ", local.split("(")[0].split("<")[0]))
    return [word for word in found if word.casefold() not in names().titles and len(word) > 1]


def meet_staff(cases: Iterable[Case], plan: Plan) -> dict[str, Staff]:
    """Number the persons of each vendor as they were met, and set on every message and chat who it was.

    Args:
        cases: as read, settled.
        plan: for our own names and the vendors', which are nobody's of the staff.
    """
    ours = [persona.name for persona in plan.personas]
    called = {vendor.id: vendor.name for vendor in plan.vendors}
    met: list[tuple[int, str, str | None, str | None, Message | None]] = []
    for case in cases:
        for message in case.messages:
            if not message.sent and message.reading.kind in (MessageKind.ANSWER, MessageKind.UNSURE):
                signed = signed_by(message.text)
                if message.author or signed:
                    met.append((message.event.seq, case.vendor, message.author, signed, message))
        met += [(seq, case.vendor, name, None, None) for seq, name in _noticed(case)]
    rosters: dict[str, Staff] = {}
    for _, vendor, name, signed, writer in sorted(met, key=lambda one: one[0]):
        if vendor not in rosters:
            words = {word.casefold() for text in (*ours, called.get(vendor, vendor)) for word in _words(text)}
            rosters[vendor] = Staff(frozenset(words))
        number = rosters[vendor].meet(name, signed)
        if writer is not None and writer.is_answer:
            writer.person = number
    return rosters


def _noticed(case: Case) -> Iterator[tuple[int, str]]:
    """Yield who else is named: handed on to, come into a chat, or gone from it."""
    for event in case.hand_offs:
        assert isinstance(event.what, HandOffSeen)
        yield from ((event.seq, name) for name in (event.what.from_name, event.what.to_name) if name)
    for contact in case.chats:
        yield from persons_noticed(contact)


def persons_noticed(chat: Contact) -> Iterator[tuple[int, str]]:
    """Yield place in the chain and name of whom a chat's own notices name."""
    for event in chat.notices:
        what = event.what
        if isinstance(what, NoticeSeen) and what.name and what.means is not NoticeKind.QUEUE:
            yield event.seq, what.name


def without_names(analysis: Analysis, rosters: Mapping[str, Staff], vendor_of: Mapping[str, str]) -> Analysis:
    """Return an analysis in which no member of a vendor's staff is named; `vendor_of` gives each case's vendor."""
    rosters = {vendor: staff for vendor, staff in rosters.items() if staff.knows_anybody}
    if not rosters:
        return analysis
    measures = []
    for measure in analysis.measures:
        staff = rosters.get(measure.vendor)
        if staff is not None and any(o.detail for o in measure.observed):
            told = Observations(_masked(o, staff, "detail") if o.detail else o for o in measure.observed)
            measure = changed(measure, observed=told)
        measures.append(measure)
    return replace(
        analysis,
        findings=tuple(_masked(f, rosters.get(f.vendor), "sentence") for f in analysis.findings),
        evidence=Deferred(lambda: (_masked(e, rosters.get(e.vendor), "what") for e in analysis.evidence)),
        measures=tuple(measures),
        promises=tuple(_masked(p, rosters.get(p.vendor), "text", "sentence") for p in analysis.promises),
        stories=Deferred(lambda: (_story(story, rosters.get(story.vendor)) for story in analysis.stories)),
        messages=Deferred(lambda: (_message(m, rosters.get(vendor_of[m.case])) for m in analysis.messages)),
    )


T = TypeVar("T", Finding, Evidence, PromiseRecord, StoryLine, Observed, MessageRead)


def _masked(item: T, staff: Staff | None, *names: str) -> T:
    """Return an item with names masked in these of its texts; the item itself where there are none."""
    if staff is None:
        return item
    before = {name: getattr(item, name) for name in names}
    after: dict[str, Any] = {name: staff.masked(text) for name, text in before.items()}
    return item if before == after else changed(item, **after)


def _story(story: Story, staff: Staff | None) -> Story:
    return replace(story, lines=tuple(_masked(line, staff, "sentence") for line in story.lines))


def _message(read: MessageRead, staff: Staff | None) -> MessageRead:
    read = _masked(read, staff, "text", "quote")
    if staff is None or not read.cues:
        return read
    return replace(read, cues=tuple((kind, staff.masked(quote), sure) for kind, quote, sure in read.cues))
