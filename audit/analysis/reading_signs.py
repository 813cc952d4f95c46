"""What the signs that a message's sentences show say together: a machine's words or a person's, and which cues. Pure.

Nothing here looks at words any more. So messages that show the same are weighed once, and a desk writes thousands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple


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


class Shown(NamedTuple):
    """What one sentence shows: its signs with our confidence in each. `has_due`: it promises, and names a moment."""

    signs: tuple[tuple[str, float], ...]
    has_due: bool
    is_long: bool


FoundCue = tuple[CueKind, int, float]
"""A cue, the place of the sentence that it rests on, and our confidence."""


class Weighed(NamedTuple):
    """What a message is, by the sentence at `place`; its cues; and the places of the sentences that ask."""

    kind: MessageKind
    place: int
    confidence: float
    cues: tuple[FoundCue, ...]
    questions: tuple[int, ...]


PROMISING = ("promise", "promised_contact")
LONG = 40  # signs of a sentence that says something
_SURE_MACHINE = ("away", "survey", "bounce", "robot")
_SUBSTANCE = frozenset(
    {
        CueKind.SOLUTION, CueKind.REFUSAL, CueKind.QUESTION, CueKind.ASKED_AGAIN, CueKind.UPDATE, CueKind.NEW_TICKET,
        CueKind.RESTART, CueKind.UPSELL, CueKind.CLOSED, CueKind.CLOSED_WITHOUT_ANSWER, CueKind.HAND_OFF,
        CueKind.ELSEWHERE, CueKind.HOLD_PERMISSION,
    }
)  # fmt: skip
_ON_RECEIPTS = frozenset({CueKind.PROMISE, CueKind.SURVEY, CueKind.AWAY, CueKind.BOUNCE})
ON_MACHINES = _ON_RECEIPTS | {
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
_ANSWERING = frozenset({CueKind.SOLUTION, CueKind.REFUSAL, CueKind.QUESTION, CueKind.REASON})


@lru_cache(maxsize=8192)
def weigh(sentences: tuple[Shown, ...], *, announced: bool, known: bool) -> Weighed:
    """Say what a message is, and what it asks for or admits.

    Args:
        sentences: what each shows, in their order.
        announced: the subject says that a machine wrote it.
        known: it is in a language that we read.
    """
    signs: dict[str, list[int]] = {}
    confidences: dict[str, float] = {}
    for number, sentence in enumerate(sentences):
        for name, confidence in sentence.signs:
            signs.setdefault(name, []).append(number)
            confidences[name] = confidence
    cues = _cues(sentences, signs, confidences)
    kind, place, sure = _kind(sentences, signs, cues, announced, known)
    if kind is MessageKind.MACHINE:
        cues = [cue for cue in cues if cue[0] in ON_MACHINES]
    if kind in (MessageKind.RECEIPT, MessageKind.NOTICE):
        cues = [cue for cue in cues if cue[0] in _ON_RECEIPTS]
    return Weighed(kind, place, sure, tuple(cues), tuple(signs.get("question", ())))


def _alone(name: str, places: Sequence[int], signs: Mapping[str, Sequence[int]]) -> Sequence[int]:
    """Return the places of a sign where nothing stands that it cannot be said with."""
    if name not in _NOT_WITH:
        return places
    others = {place for other in _NOT_WITH[name] for place in signs.get(other, ())}
    return [place for place in places if place not in others] if others else places


def _cues(
    sentences: Sequence[Shown], signs: Mapping[str, Sequence[int]], confidences: Mapping[str, float]
) -> list[FoundCue]:
    """Return the cues, each once at its first place; a promise for each sentence that makes one."""
    signs = {name: _alone(name, places, signs) for name, places in signs.items()}
    cues = [(kind, signs[kind][0], confidences[kind]) for kind in _SIMPLE if signs.get(kind)]
    if elsewhere := sorted({*signs.get("elsewhere", ()), *signs.get("login", ())}):
        cues.append((CueKind.ELSEWHERE, elsewhere[0], confidences.get("elsewhere", 0.8)))
    if asks := signs.get("question"):
        cues.append((CueKind.QUESTION, asks[0], confidences["question"]))
    if again := signs.get("again_words"):
        cues.append((CueKind.ASKED_AGAIN, again[0], confidences["again_words"]))
    if refused := signs.get("refusal"):
        near = [number for number in signs.get("reason", ()) if refused[0] - 1 <= number <= refused[-1] + 2]
        if near:
            cues.append((CueKind.REASON, near[0], confidences["reason"]))
        if others := signs.get("alternative"):
            cues.append((CueKind.ALTERNATIVE, others[0], confidences["alternative"]))
    kinds = {kind for kind, _, _ in cues}
    if CueKind.CLOSED in kinds and not kinds & _ANSWERING:
        cues = [
            (CueKind.CLOSED_WITHOUT_ANSWER if kind is CueKind.CLOSED else kind, place, confidence)
            for kind, place, confidence in cues
        ]
    for number in sorted({place for name in PROMISING for place in signs.get(name, ())}):
        if number in signs.get("away", ()):
            continue
        if sentences[number].has_due:
            cues.append((CueKind.PROMISE, number, confidences.get("promise", 0.75)))
        elif number in signs.get("vague_soon", ()):
            cues.append((CueKind.PROMISE, number, confidences["vague_soon"]))
    return cues


def _kind(
    sentences: Sequence[Shown],
    signs: Mapping[str, Sequence[int]],
    cues: Sequence[FoundCue],
    announced: bool,
    known: bool,
) -> tuple[MessageKind, int, float]:
    """Weigh a machine's signs against a person's; return the kind, the sentence it rests on and the confidence."""
    receipts, automatic = signs.get("receipt", ()), signs.get("automatic", ())
    machine = sorted({number for name in _SURE_MACHINE for number in signs.get(name, ())})
    from_machine = {*receipts, *automatic, *machine, *signs.get("promised_contact", ()), *signs.get("articles", ())}
    person = [number for number in signs.get("person", ()) if number not in from_machine]
    engaged = [number for number in signs.get("engaged", ()) if number not in from_machine]
    substance = [kind for kind, _, _ in cues if kind in _SUBSTANCE]
    warm = len(person) + 0.6 * len(engaged) + (0.5 if substance else 0.0)
    if signs.get("system") and len(sentences) <= 3 and not person and not engaged and not machine:
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
        said = {*signs.get("courtesy", ()), *from_machine}
        if sum(one.is_long for number, one in enumerate(sentences) if number not in said) >= 2:
            return MessageKind.UNSURE, polite[0], 0.5
        return MessageKind.RECEIPT, polite[0], 0.75
    if substance:
        return MessageKind.ANSWER, 0, 0.8
    if known:
        return MessageKind.ANSWER, 0, 0.65
    return MessageKind.UNSURE, 0, 0.3
