"""What a message of a case is: our own words coming back, a machine's receipt, or a person's answer, and what it asks.

By words first, from the language files; headers and roles (`reading_facts`) are signs beside them. Neither a header
nor a sender's name decides. Every conclusion carries the words it rests on; what is not plain is `UNSURE` or of low
confidence, and waits for a person. Which words came from the author is `reading_text`'s work, when a promise is due
`reading_due`'s.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
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


class MessageKind(StrEnum):
    """What a message is. Only `ANSWER` counts as a person's response.

    `RECEIPT`: a machine says that our words arrived. `MACHINE`: any other machine's words (a bot's, an absence, a
    survey, an undeliverable mail, suggested articles). `NOTICE`: an entry without words of anybody (a status change).
    """

    OURS = "ours"
    RECEIPT = "receipt"
    MACHINE = "machine"
    NOTICE = "notice"
    ANSWER = "answer"
    UNSURE = "unsure"


class CueKind(StrEnum):
    """What the vendor's words seem to say, ask for or admit; a suggestion until a person confirms it.

    `ELSEWHERE`: we are sent to another way of contact ("call us", "log in to read it").
    """

    NEW_TICKET = "new_ticket"
    RESTART = "restart"
    APOLOGY = "apology"
    QUESTION = "question"
    ASKED_AGAIN = "asked_again"
    UPDATE = "update"
    SOLUTION = "solution"
    REFUSAL = "refusal"
    REASON = "reason"
    ALTERNATIVE = "alternative"
    CLOSED = "closed"
    CLOSED_WITHOUT_ANSWER = "closed_without_answer"
    UPSELL = "upsell"
    PROMISE = "promise"
    HAND_OFF = "hand_off"
    SURVEY = "survey"
    AWAY = "away"
    BOUNCE = "bounce"
    HOLD_PERMISSION = "hold_permission"
    RECORDING_NOTICE = "recording_notice"
    ELSEWHERE = "elsewhere"


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


_SURE_MACHINE = ("away", "survey", "bounce", "robot")
_SUBSTANCE = frozenset(
    {
        CueKind.SOLUTION, CueKind.REFUSAL, CueKind.QUESTION, CueKind.ASKED_AGAIN, CueKind.UPDATE, CueKind.NEW_TICKET,
        CueKind.RESTART, CueKind.UPSELL, CueKind.CLOSED, CueKind.CLOSED_WITHOUT_ANSWER, CueKind.HAND_OFF,
        CueKind.ELSEWHERE, CueKind.HOLD_PERMISSION,
    }
)  # fmt: skip
_ON_RECEIPTS = frozenset({CueKind.PROMISE, CueKind.SURVEY, CueKind.AWAY, CueKind.BOUNCE})
_ON_MACHINES = _ON_RECEIPTS | {
    CueKind.NEW_TICKET, CueKind.RESTART, CueKind.CLOSED, CueKind.CLOSED_WITHOUT_ANSWER, CueKind.UPSELL,
    CueKind.RECORDING_NOTICE, CueKind.ELSEWHERE,
}  # fmt: skip
_SIMPLE = (
    CueKind.NEW_TICKET, CueKind.RESTART, CueKind.APOLOGY, CueKind.UPDATE, CueKind.HAND_OFF, CueKind.SOLUTION,
    CueKind.REFUSAL, CueKind.CLOSED, CueKind.UPSELL, CueKind.SURVEY, CueKind.AWAY, CueKind.BOUNCE,
    CueKind.HOLD_PERMISSION, CueKind.RECORDING_NOTICE,
)  # fmt: skip
# What a sentence cannot be at the same time: whoever asks for a new ticket has not solved anything by it.
_NOT_WITH = {
    "solution": ("restart", "new_ticket", "hand_off", "question"),
    "question": ("survey", "hold_permission", "new_ticket", "upsell", "robot"),
    "closed": ("survey",),
}
_PLAIN = 0.7
"""A kind of less confidence than this rests on no plain sign: it waits for a person's look."""
_ANSWERING = frozenset({CueKind.SOLUTION, CueKind.REFUSAL, CueKind.QUESTION, CueKind.REASON})


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
    return Reading(
        MessageKind.MACHINE, sign.quote, confidence, tuple(c for c in reading.cues if c.kind in _ON_MACHINES)
    )


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

    `signs` are those that it shows, by language: worked out when a text first takes it for that language's.
    """

    text: str
    folded: str
    common: CommonWords
    signs: dict[str, list[str]] = field(default_factory=dict)

    def signs_of(self, language: Language) -> list[str]:
        found = self.signs.get(language.code)
        if found is None:
            found = self.signs[language.code] = language.signs_of(self.folded)
        return found


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
    parts = [(sentence.text, sentence.folded) for sentence in known]
    signs: dict[str, list[int]] = {}
    confidences: dict[str, float] = {}
    for number, sentence in enumerate(known):
        for language in languages:
            for name in sentence.signs_of(language):
                places = signs.setdefault(name, [])
                if not places or places[-1] != number:
                    places.append(number)
                    confidences[name] = language.signs[name].confidence
    cues = _cues(parts, signs, confidences, languages)
    kind, place, confidence = _kind(parts, signs, cues, folded(subject), common.is_known, languages)
    if kind is MessageKind.MACHINE:
        cues = tuple(cue for cue in cues if cue.kind in _ON_MACHINES)
    if kind in (MessageKind.RECEIPT, MessageKind.NOTICE):
        cues = tuple(cue for cue in cues if cue.kind in _ON_RECEIPTS)
    questions = tuple(_questions(parts, signs.get("question", ())))
    quote = shown(parts[place][0]) if parts else shown(words[:200])
    return _Found(Reading(kind, quote, confidence, cues), questions, languages)


def _alone(name: str, places: Sequence[int], signs: Mapping[str, Sequence[int]]) -> Sequence[int]:
    """Return the places of a sign where nothing stands that it cannot be said with."""
    if name not in _NOT_WITH:
        return places
    others = {place for other in _NOT_WITH[name] for place in signs.get(other, ())}
    return [place for place in places if place not in others] if others else places


def _questions(parts: Sequence[tuple[str, str]], places: Sequence[int]) -> Iterator[tuple[str, str]]:
    """Yield the sentences that ask; a list after one ("I'd need:") is asked for too."""
    for number in places:
        yield parts[number]
        if parts[number][1].endswith(":"):
            yield from (part for part in parts[number + 1 : number + 9] if len(part[1]) <= 60)


def _cues(
    parts: Sequence[tuple[str, str]],
    signs: Mapping[str, Sequence[int]],
    confidences: Mapping[str, float],
    languages: Sequence[Language],
) -> tuple[Cue, ...]:
    """Return the cues, each once with its first words; a promise for each sentence that makes one."""
    signs = {name: _alone(name, places, signs) for name, places in signs.items()}
    cues = [Cue(kind, shown(parts[signs[kind][0]][0]), confidences[kind]) for kind in _SIMPLE if signs.get(kind)]
    if elsewhere := sorted({*signs.get("elsewhere", ()), *signs.get("login", ())}):
        cues.append(Cue(CueKind.ELSEWHERE, shown(parts[elsewhere[0]][0]), confidences.get("elsewhere", 0.8)))
    if asks := signs.get("question"):
        cues.append(Cue(CueKind.QUESTION, shown(parts[asks[0]][0]), confidences["question"]))
    if again := signs.get("again_words"):
        cues.append(Cue(CueKind.ASKED_AGAIN, shown(parts[again[0]][0]), confidences["again_words"]))
    if refused := signs.get("refusal"):
        near = [number for number in signs.get("reason", ()) if refused[0] - 1 <= number <= refused[-1] + 2]
        if near:
            cues.append(Cue(CueKind.REASON, shown(parts[near[0]][0]), confidences["reason"]))
        if others := signs.get("alternative"):
            cues.append(Cue(CueKind.ALTERNATIVE, shown(parts[others[0]][0]), confidences["alternative"]))
    kinds = {cue.kind for cue in cues}
    if CueKind.CLOSED in kinds and not kinds & _ANSWERING:
        cues = [
            Cue(CueKind.CLOSED_WITHOUT_ANSWER, cue.quote, cue.confidence) if cue.kind is CueKind.CLOSED else cue
            for cue in cues
        ]
    promised = sorted({*signs.get("promise", ()), *signs.get("promised_contact", ())})
    for number in promised:
        sentence, text = parts[number]
        if number in signs.get("away", ()):
            continue
        if any(has_due_words(text, language) for language in languages):
            cues.append(Cue(CueKind.PROMISE, shown(sentence), confidences.get("promise", 0.75)))
        elif number in signs.get("vague_soon", ()):
            cues.append(Cue(CueKind.PROMISE, shown(sentence), confidences["vague_soon"]))
    return tuple(cues)


def _kind(
    parts: Sequence[tuple[str, str]],
    signs: Mapping[str, Sequence[int]],
    cues: Sequence[Cue],
    subject: str,
    known: bool,
    languages: Sequence[Language],
) -> tuple[MessageKind, int, float]:
    """Weigh a machine's signs against a person's; return the kind, the sentence it rests on and the confidence."""
    receipts, automatic = signs.get("receipt", ()), signs.get("automatic", ())
    machine = sorted({number for name in _SURE_MACHINE for number in signs.get(name, ())})
    from_machine = {*receipts, *automatic, *machine, *signs.get("promised_contact", ()), *signs.get("articles", ())}
    person = [number for number in signs.get("person", ()) if number not in from_machine]
    engaged = [number for number in signs.get("engaged", ()) if number not in from_machine]
    substance = [cue for cue in cues if cue.kind in _SUBSTANCE]
    warm = len(person) + 0.6 * len(engaged) + (0.5 if substance else 0.0)
    announced = bool(subject) and any(
        language.signs[name].search(subject) for language in languages for name in ("automatic", "away", "bounce")
    )
    if signs.get("system") and len(parts) <= 3 and not person and not engaged and not machine:
        return MessageKind.NOTICE, signs["system"][0], 0.85
    if machine:
        # "I am Sky, ask me anything", "Ms Osei stands in for me": words of a person's kind that say nothing of our case
        alone = (signs.get("away") or signs.get("robot")) and len(person) <= 1 and not engaged and not substance
        if signs.get("bounce") or alone or len(machine) > len(person) or ("robot" in signs and not person):
            return MessageKind.MACHINE, machine[0], 0.9 if not person else 0.7
        if warm >= 2 and machine[0] > 0:
            return MessageKind.ANSWER, person[0], 0.7  # a person's words with a survey or the like at the end
        return (MessageKind.UNSURE, machine[0], 0.5) if person else (MessageKind.MACHINE, machine[0], 0.9)
    if signs.get("auto_closed") and not person and not engaged:
        return MessageKind.MACHINE, signs["auto_closed"][0], 0.85
    if len(signs.get("form", ())) >= 2 and not person and not engaged:
        return MessageKind.RECEIPT, signs["form"][0], 0.8
    if receipts:
        if warm >= 2.1:
            return MessageKind.ANSWER, (person or engaged)[0], 0.7
        if warm >= 1 and (person or engaged):
            return MessageKind.UNSURE, receipts[0], 0.5
        return MessageKind.RECEIPT, receipts[0], 0.93 if automatic or announced else 0.9
    if automatic or announced:
        if person:
            return MessageKind.UNSURE, (automatic or person)[0], 0.5
        if signs.get("courtesy") or signs.get("promised_contact"):
            return MessageKind.RECEIPT, (automatic or signs.get("courtesy") or signs["promised_contact"])[0], 0.85
        return MessageKind.MACHINE, automatic[0] if automatic else 0, 0.8
    if person:
        return MessageKind.ANSWER, person[0], 0.9
    if signs.get("login") and not engaged:
        return MessageKind.MACHINE, signs["login"][0], 0.8
    polite = signs.get("courtesy", ()) or signs.get("promised_contact", ())
    if engaged:
        return MessageKind.ANSWER, engaged[0], 0.8
    if signs.get("articles"):
        return MessageKind.MACHINE, signs["articles"][0], 0.75
    if polite and not substance:
        beside = [number for number in range(len(parts)) if number not in (*signs.get("courtesy", ()), *from_machine)]
        long_beside = [number for number in beside if len(parts[number][1]) > 40]
        if len(long_beside) >= 2:
            return MessageKind.UNSURE, polite[0], 0.5
        return MessageKind.RECEIPT, polite[0], 0.75
    if substance:
        return MessageKind.ANSWER, 0, 0.8
    if known:
        return MessageKind.ANSWER, 0, 0.65
    return MessageKind.UNSURE, 0, 0.3


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
