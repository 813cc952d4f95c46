"""What a message of a case is: our own words coming back, a machine's receipt, or a person's answer, and what it asks.

By words first, from the language files; headers and roles (`reading_facts`) are signs beside them. Neither a header
nor a sender's name decides. Every conclusion carries the words it rests on; what is not plain is `UNSURE` or of low
confidence, and waits for a person. Which words came from the author is `reading_text`'s work, when a promise is due
`reading_due`'s.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache

from audit.analysis.reading_due import has_due_words, read_due
from audit.analysis.reading_facts import MachineSign, Weight, machine_sign, undelivered
from audit.analysis.reading_languages import (
    CommonWords,
    Language,
    all_languages,
    common_words,
    folded,
    languages_by,
    languages_of,
)
from audit.analysis.reading_signs import LONG, ON_MACHINES, PROMISING, CueKind, MessageKind, Shown, weigh
from audit.analysis.reading_text import has_words, own_words, sentences, shown, without_ours
from audit.analysis.values import plentiful
from audit.calendar import BusinessCalendar
from audit.plan.model import PromisedWhat
from probes.errors import Side
from probes.events import MessageSeen

__all__ = [
    "Cue",
    "CueKind",
    "FoundPromise",
    "MessageKind",
    "Reading",
    "own_words",
    "plain",
    "promises_in",
    "read_message",
    "settles",
]


@plentiful(frozen=True, slots=True)
class Cue:
    """One cue with the words it rests on; `confidence` is 0..1, our own estimate."""

    kind: CueKind
    quote: str
    confidence: float


@plentiful(frozen=True, slots=True)
class Reading:
    """What a message is, the words that say so, and what it asks for."""

    kind: MessageKind
    quote: str
    confidence: float
    cues: tuple[Cue, ...] = ()

    @property
    def waits_for_a_person(self) -> bool:
        """Whether it is not sure enough what this is."""
        return self.kind is MessageKind.UNSURE or self.confidence < _PLAIN


@dataclass(frozen=True, slots=True)
class FoundPromise:
    """A promise that a machine found and nobody confirmed. `due_words` are those the moment rests on.

    `due_at_utc` is None where the words name no moment, or none that could be worked out without a calendar.
    """

    what: PromisedWhat
    quote: str
    due_words: str | None
    due_at_utc: datetime | None
    confidence: float


_PLAIN = 0.7
"""A kind of less confidence than this rests on no plain sign: it waits for a person's look."""


def plain(text: str) -> str:
    """Return a text for comparison: one kind of space, no case."""
    return " ".join(text.split()).casefold()


def read_message(message: MessageSeen, ours: Sequence[str] = ()) -> Reading:
    """Say what a message is.

    What a mail's headers and a page's words beside a name say of a machine is one sign among the others.

    Args:
        message: as a page or mailbox showed it.
        ours: what we had written in this case before, as `plain` returns it; our words coming back are no answer.

    Returns:
        Its kind and cues. `OURS` where nothing is left beside our own words; `UNSURE` where a machine's and a
        person's words meet, or the language is not known.
    """
    if message.side is Side.OURS:
        return Reading(MessageKind.OURS, "", 1.0)
    if not message.text.strip():
        return Reading(MessageKind.NOTICE, "", 0.9)
    words = own_words(message.text)
    left, had_ours = without_ours(words, ours)
    if not has_words(left):
        if had_ours or not ours or without_ours(message.text.replace(">", " "), ours)[1]:
            return Reading(MessageKind.OURS, "", 0.9)
        return Reading(MessageKind.UNSURE, shown(message.text[:200]), 0.3)
    found = _read(left, message.subject or "")
    reading = _with_ours(found, ours) if ours else found.reading
    if report := undelivered(message.mail):
        return Reading(MessageKind.MACHINE, report, 0.95, (Cue(CueKind.BOUNCE, report, 0.95),))
    sign = machine_sign(message)
    return reading if sign is None else _weighed(reading, sign)


def _weighed(reading: Reading, sign: MachineSign) -> Reading:
    """Add what stands beside the words: it settles what they leave open, and casts doubt where they are not plain."""
    if reading.kind in (MessageKind.RECEIPT, MessageKind.MACHINE):
        return replace(reading, confidence=max(reading.confidence, 0.95))
    weak = sign.weight is Weight.WEAK
    if sign.weight is not Weight.DECLARED:
        if reading.kind is MessageKind.ANSWER:
            plain_words, some_words = reading.confidence >= 0.9, reading.confidence >= _PLAIN
            if plain_words or (some_words and weak):
                return replace(reading, confidence=0.8 if plain_words and weak else 0.7)
            if some_words or weak:
                return Reading(MessageKind.UNSURE, sign.quote, 0.5, reading.cues)
        elif reading.kind is not MessageKind.UNSURE or weak or reading.confidence >= 0.5:
            return reading
    confidence = 0.85 if sign.weight is Weight.DECLARED else 0.7
    return Reading(MessageKind.MACHINE, sign.quote, confidence, tuple(c for c in reading.cues if c.kind in ON_MACHINES))


@plentiful(frozen=True, slots=True)
class _Found:
    """A reading before it is known what we had written: `questions` are the sentences that ask for something."""

    reading: Reading
    questions: tuple[tuple[str, str], ...]
    languages: tuple[Language, ...]


def _with_ours(found: _Found, ours: Sequence[str]) -> Reading:
    """Add whether the message asks for what we had said already."""
    reading = found.reading
    if not found.questions or any(cue.kind is CueKind.ASKED_AGAIN for cue in reading.cues):
        return reading
    if reading.kind in (MessageKind.RECEIPT, MessageKind.NOTICE):
        return reading
    said = folded(" ".join(ours)[:20_000])
    for sentence, text in found.questions:
        for language in found.languages:
            if any(item.asked.search(text) and _was_given(item.name, said) for item in language.items) or (
                language.asks_for.search(text) and _was_numbered(text, said)
            ):
                cue = Cue(CueKind.ASKED_AGAIN, shown(sentence), 0.65)
                return Reading(reading.kind, reading.quote, reading.confidence, (*reading.cues, cue))
    return reading


def _was_given(name: str, said: str) -> bool:
    """Whether we had said something of this name, in whatever language."""
    return any(item.given.search(said) for one in all_languages() for item in one.items if item.name == name)


_NAMES_SOMETHING = re.compile(r"[^\W\d_]{5,30}")


def _was_numbered(question: str, said: str) -> bool:
    """Whether we had given a number with a word of the question: "booking code", after "Booking code Q7LM2P"."""
    number = r"(?: \w+){0,2}[ :#.]{1,3}(?=[\w-]{4})[\w-]{0,8}\d"
    return any(re.search(rf"(?<!\w){word}s?{number}", said) for word in _NAMES_SOMETHING.findall(question))


@dataclass(slots=True)
class _Sentence:
    """A sentence as it is matched. Desks write the same ones again and again around what is new, hence the store.

    `shows` is what it shows, by the languages that a text is taken for: worked out when a text first is.
    """

    text: str
    folded: str
    common: CommonWords
    shows: dict[tuple[Language, ...], Shown] = field(default_factory=dict)

    def shown_in(self, languages: tuple[Language, ...]) -> Shown:
        found = self.shows.get(languages)
        if found is None:
            found = self.shows[languages] = self._shown_in(languages)
        return found

    def _shown_in(self, languages: tuple[Language, ...]) -> Shown:
        signs: dict[str, float] = {}
        for language in languages:
            for name in language.signs_of(self.folded):
                signs.setdefault(name, language.signs[name].confidence)
        promises = not signs.keys().isdisjoint(PROMISING) and "away" not in signs
        has_due = promises and any(has_due_words(self.folded, language) for language in languages)
        return Shown(tuple(signs.items()), has_due, len(self.folded) > LONG)


@lru_cache(maxsize=16384)
def _sentence(text: str) -> _Sentence:
    matched = folded(text)
    return _Sentence(text, matched, common_words(matched))


@lru_cache(maxsize=8192)
def _read(words: str, subject: str) -> _Found:
    """Read the author's own words."""
    known = [_sentence(sentence) for sentence in sentences(words)]
    common = CommonWords(
        tuple(map(sum, zip(*[sentence.common.counts for sentence in known], strict=True))) or (0,),
        sum([sentence.common.words for sentence in known]),
    )
    languages = languages_by(common.counts)
    announced = _announces(folded(subject), languages)
    shown_by = tuple([sentence.shown_in(languages) for sentence in known])
    weighed = weigh(shown_by, announced=announced, known=common.is_known)
    quote = shown(known[weighed.place].text) if known else shown(words[:200])
    cues = tuple([Cue(kind, shown(known[place].text), confidence) for kind, place, confidence in weighed.cues])
    questions = tuple(_questions([(each.text, each.folded) for each in known], weighed.questions))
    return _Found(Reading(weighed.kind, quote, weighed.confidence, cues), questions, languages)


def _announces(subject: str, languages: Sequence[Language]) -> bool:
    """Whether a mail's subject says that a machine wrote it."""
    return bool(subject) and any(
        language.signs[name].search(subject) for language in languages for name in ("automatic", "away", "bounce")
    )


def _questions(parts: Sequence[tuple[str, str]], places: Sequence[int]) -> Iterator[tuple[str, str]]:
    """Yield the sentences at these places; a list after one ("I'd need:") is asked for too."""
    for number in places:
        yield parts[number]
        if parts[number][1].endswith(":"):
            yield from (part for part in parts[number + 1 : number + 9] if len(part[1]) <= 60)


_UNDER_WAY = frozenset(
    {
        CueKind.UPDATE, CueKind.QUESTION, CueKind.ASKED_AGAIN, CueKind.HAND_OFF, CueKind.PROMISE, CueKind.REFUSAL,
        CueKind.NEW_TICKET, CueKind.RESTART, CueKind.ELSEWHERE,
    }
)  # fmt: skip


def settles(reading: Reading) -> bool:
    """Whether a person's answer can be the end of the matter: it brings a solution, or leaves nothing under way."""
    kinds = {cue.kind for cue in reading.cues}
    return reading.kind is MessageKind.ANSWER and (CueKind.SOLUTION in kinds or not kinds & _UNDER_WAY)


_WHAT = (
    (PromisedWhat.CALLBACK, "call_you"),
    (PromisedWhat.RESOLUTION, "will_solve"),
)


def promises_in(
    reading: Reading, at_utc: datetime, calendar: BusinessCalendar | None = None
) -> tuple[FoundPromise, ...]:
    """Return the promises of a message with their due moments; a person has confirmed none of them.

    Args:
        reading: of the message.
        at_utc: when the vendor wrote it, aware.
        calendar: the vendor's; see `due_moment`.
    """
    found = []
    for cue in reading.cues:
        if cue.kind is not CueKind.PROMISE:
            continue
        text = folded(cue.quote)
        languages = languages_of(text)
        what = next(
            (
                kind
                for kind, name in _WHAT
                if any(name in language.signs and language.signs[name].search(text) for language in languages)
            ),
            PromisedWhat.FIRST_HUMAN_RESPONSE if reading.kind is MessageKind.RECEIPT else PromisedWhat.UPDATE,
        )
        due = read_due(cue.quote, at_utc, calendar, languages)
        found.append(
            FoundPromise(what, cue.quote, due.words if due else None, due.at_utc if due else None, cue.confidence)
        )
    return tuple(found)
