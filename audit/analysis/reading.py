"""What a message of a case is: our own words coming back, a machine's receipt, or a person's answer.

A first form, by words alone: `read_message` and its result are what other code relies on, the rules may grow behind
it. Every conclusion carries the words it rests on; what the words do not decide is `UNSURE` and waits for a person.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from probes.errors import Side
from probes.events import MessageSeen


class MessageKind(StrEnum):
    """What a message is. Only `ANSWER` counts as a person's response."""

    OURS = "ours"
    RECEIPT = "receipt"
    NOTICE = "notice"
    ANSWER = "answer"
    UNSURE = "unsure"


class CueKind(StrEnum):
    """What the vendor's words seem to ask for or admit; a suggestion until a person confirms it."""

    NEW_TICKET = "new_ticket"
    RESTART = "restart"
    APOLOGY = "apology"


@dataclass(frozen=True, slots=True)
class Cue:
    """One cue with the words it rests on; `confidence` is 0..1, our own estimate."""

    kind: CueKind
    quote: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Reading:
    """What a message is, the words that say so, and what it asks for."""

    kind: MessageKind
    quote: str
    confidence: float
    cues: tuple[Cue, ...] = ()


_LONGEST = 8000  # longer texts are quoted history; the vendor's own words come first
_QUOTED_FROM = re.compile(
    r"^\s*(-{2,}\s*(original message|ursprüngliche nachricht|mensaje original|message d'origine).*"
    r"|(on|am|le|el)\b.{5,120}\b(wrote|schrieb|a écrit|escribió)\s*.{0,20}:\s*)$",
    re.IGNORECASE | re.MULTILINE,
)
_QUOTED_LINE = re.compile(r"^\s*>.*$", re.MULTILINE)

_OUR_THING = r"(?:request|ticket|message|e-?mail|enquiry|inquiry|case)"
_RECEIPT = re.compile(
    rf"\b(?:we (?:have |'ve )?(?:successfully )?received your|your {_OUR_THING}[^.!?\n]{{0,60}} (?:has been|was) "
    r"(?:received|created|opened|logged|registered|submitted)"
    r"|(?:ticket|case|request) (?:number|no\.?|id|#)?[^.!?\n]{0,30} (?:has been|was) "
    r"(?:created|opened|logged|registered)"
    rf"|thank(?:s| you) for (?:contacting|getting in touch|reaching out|your {_OUR_THING})"
    r"|this is an auto(?:mated|matic)|automatic(?:ally)? (?:generated|reply|response)|do not reply to this"
    r"|(?:an agent|someone|a member of our team|our team) will (?:get back|be in touch|contact you|review|respond)"
    r"|wir haben ihre [^.!?\n]{0,40}(?:erhalten|empfangen)"
    r"|ihre? (?:anfrage|ticket|nachricht)[^.!?\n]{0,60}(?:eingegangen|erstellt|angelegt)"
    r"|vielen dank für ihre (?:anfrage|nachricht|e-?mail)|automatisch (?:erstellt|generiert)"
    r"|nous avons bien reçu|votre (?:demande|ticket|message)[^.!?\n]{0,60}(?:enregistrée?|créée?|reçue?)"
    r"|hemos recibido su|su (?:solicitud|consulta|ticket|mensaje)[^.!?\n]{0,60}(?:registrad|cread|recibid)[oa])",
    re.IGNORECASE,
)
_PERSON = re.compile(
    r"\b(?:I(?:'m|'ve|'ll|'d)?|my (?:name|colleague|apologies)|ich|je|j'ai|he (?:revisado|comprobado|hablado))\s",
)
# Each rule: stems of which one must occur (cheap, and most messages have none), then the pattern itself.
_RECEIPT_STEMS = (
    "received", "created", "opened", "logged", "registered", "submitted", "thank", "auto", "do not reply", " will ",
    "erhalten", "empfangen", "eingegangen", "erstellt", "angelegt", "vielen dank", "reçu", "enregistr", "créé",
    "recibid", "registrad", "cread",
)  # fmt: skip
_CUES: tuple[tuple[CueKind, float, tuple[str, ...], re.Pattern[str]], ...] = (
    (
        CueKind.RESTART,
        0.7,
        ("again", "over", "anew", "scratch", "beginning", "vorne", "erneut", "nuevo", "volver", "recommenc"),
        re.compile(
            r"\b(?:(?:start|begin|initiate|go through|repeat)\w*\b[^.!?\n]{0,60}"
            r"\b(?:again|over|anew|from scratch|from the beginning)"
            r"|von vorne|erneut (?:starten|beginnen)|volver a empezar|iniciar de nuevo|recommencer)\b",
            re.IGNORECASE,
        ),
    ),
    (
        CueKind.NEW_TICKET,
        0.7,
        ("ticket", "case", "request", "quiry", "solicitud"),
        re.compile(
            r"\b(?:(?:open|create|submit|enter|raise|log|file)\w*\b[^.!?\n]{0,30}\b(?:new|another|separate|second)\b"
            r"[^.!?\n]{0,20}\b(?:ticket|case|request|enquiry|inquiry)"
            r"|neues ticket|nouveau ticket|nuev[oa] (?:ticket|solicitud))\b",
            re.IGNORECASE,
        ),
    ),
    (
        CueKind.APOLOGY,
        0.8,
        ("sorry", "apolog", "entschuldig", "leid", "désolé", "disculp"),
        re.compile(
            r"\b(?:sorry|apolog(?:y|ies|ise|ize)|entschuldig\w+|tut uns leid|désolés?|disculp\w+)\b", re.IGNORECASE
        ),
    ),
)
_ENDS = re.compile(r"[.!?\n]")


def own_words(text: str) -> str:
    """Return what the author wrote anew: without quoted lines and quoted history."""
    text = text[:_LONGEST]
    if "\n" not in text and ">" not in text:
        return text.strip()
    if quoted := _QUOTED_FROM.search(text):
        text = text[: quoted.start()]
    return _QUOTED_LINE.sub("", text).strip() if ">" in text else text.strip()


def plain(text: str) -> str:
    """Return a text for comparison: one kind of space, no case."""
    return " ".join(text.split()).casefold()


def read_message(message: MessageSeen, ours: Sequence[str] = ()) -> Reading:
    """Say what a message is.

    Args:
        message: as a page or mailbox showed it.
        ours: what we had written in this case before, as `plain` returns it; our words coming back are no answer.

    Returns:
        `OURS` where nothing is left beside our own words; `RECEIPT` for a machine's acknowledgement; `NOTICE` for an
        entry without words (a status change); `ANSWER` for a person's words; `UNSURE` where a receipt's and a
        person's words meet.
    """
    if message.side is Side.OURS:
        return Reading(MessageKind.OURS, "", 1.0)
    words = own_words(message.text)
    compared = plain(words)
    for text in ours:
        if len(text) >= 12 and text in compared:
            compared = compared.replace(text, " ").strip()
            words = compared
    if not compared or (len(compared) < 12 and any(compared in text for text in ours)):
        kind = MessageKind.OURS if message.text.strip() else MessageKind.NOTICE
        return Reading(kind, "", 0.9)
    lowered = words.lower()
    receipt = _RECEIPT.search(words) if any(stem in lowered for stem in _RECEIPT_STEMS) else None
    person = _PERSON.search(words)
    cues = tuple(
        Cue(kind, _sentence(words, found), confidence)
        for kind, confidence, stems, pattern in _CUES
        if any(stem in lowered for stem in stems) and (found := pattern.search(words))
    )
    if receipt and person and len(words) < 1200:
        return Reading(MessageKind.UNSURE, receipt.group(0), 0.5, cues)
    if receipt:
        return Reading(MessageKind.RECEIPT, receipt.group(0), 0.9)
    return Reading(MessageKind.ANSWER, words[:80], 0.9 if person else 0.7, cues)


def _sentence(text: str, found: re.Match[str]) -> str:
    """Return the sentence in which something was found."""
    begin = max((end.end() for end in _ENDS.finditer(text, 0, found.start())), default=0)
    after = _ENDS.search(text, found.end())
    return text[begin : after.start() if after else len(text)].strip()
