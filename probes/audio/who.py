"""Who speaks in each stretch of speech: a recorded menu, an announcement on hold, a person, or unsure, and why."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from probes.audio.calls import Piece
from probes.audio.holds import MUSICAL, HoldSpan
from probes.audio.timeline import Label

_GREETING_TURNS = 4  # what is said before it rings again, at most, to be a recording


def say_who(parts: list[Piece], holds: list[HoldSpan], voices: "Voices | None" = None) -> None:
    """Label every piece of speech: recorded menu, announcement on hold, person, or unsure, with the reasons."""
    for p in parts:
        if p.kind == "silence":
            p.label, p.confidence = Label.SILENCE, p.odds
        elif p.kind == "music":
            p.label, p.confidence = Label.HOLD_MUSIC, p.odds
    first_hold = holds[0].start_s if holds else None
    inside = [next((h for h in holds if h.first <= i <= h.last), None) for i in range(len(parts))]
    for i, p in enumerate(parts):
        if p.kind != "speech":
            continue
        if inside[i] is not None:
            p.label, p.confidence = Label.ANNOUNCEMENT, 0.97 if p.repeated else 0.85
            p.why = ["said_again"] if p.repeated else []
            p.why.append("over_music" if p.over_music else "inside_hold")
        elif p.repeated:
            p.label, p.confidence, p.why = Label.IVR, 0.95, ["said_again"]
        elif first_hold is not None and p.start_s >= first_hold:
            p.label, p.confidence, p.why = Label.AGENT, 0.9, ["after_hold", "said_once"]
    _before_the_hold(parts, inside, holds, voices)


@dataclass(frozen=True, slots=True)
class Voices:
    """How voices compare: mean band levels of each piece of speech (None when too short)."""

    spectra: tuple[NDArray[np.float32] | None, ...]

    def distance_db(self, some: list[int], others: list[int]) -> float | None:
        """RMS difference of the two mean spectra in dB, level aside."""
        a = [s for i in some if (s := self.spectra[i]) is not None]
        b = [s for i in others if (s := self.spectra[i]) is not None]
        if not a or not b:
            return None
        difference = np.mean(a, axis=0) - np.mean(b, axis=0)
        return float(np.sqrt(np.mean((difference - difference.mean()) ** 2)))


def _before_the_hold(
    parts: list[Piece], inside: list[HoldSpan | None], holds: list[HoldSpan], voices: Voices | None
) -> None:
    """Decide on speech said once before any hold: a recorded greeting, or the person who answered."""
    open_ = [i for i, p in enumerate(parts) if p.kind == "speech" and p.label is Label.UNSURE]
    if not open_:
        return
    greeting, rest = _put_through(parts, open_)
    if greeting:
        for i in greeting:
            parts[i].label, parts[i].confidence, parts[i].why = Label.IVR, 0.8, ["ringing_follows"]
        open_ = rest
    label, confidence, why = _judged(parts, open_, inside, holds, voices, bool(greeting))
    for i in open_:
        parts[i].label, parts[i].confidence, parts[i].why = label, confidence, list(why)
    if label is Label.AGENT and not greeting:
        _greeting_in_another_voice(parts, open_, voices)


def _put_through(parts: list[Piece], open_: list[int]) -> tuple[list[int], list[int]]:
    """Part what was said before it rang again from what was said after it; nothing before when it did not ring."""
    rings = [i for i, p in enumerate(parts) if p.kind == "tone" and p.label is Label.RINGBACK and p.confidence >= 0.6]
    for ring in reversed(rings):
        before, after = [i for i in open_ if i < ring], [i for i in open_ if i > ring]
        if before and after and len(before) <= _GREETING_TURNS:
            return before, after
    return [], open_


def _greeting_in_another_voice(parts: list[Piece], open_: list[int], voices: "Voices | None") -> None:
    """Doubt the first words of a call when another voice goes on soon after them: a greeting, and then the person.

    A person's first words are followed by the caller's; a recording's by whoever takes the call.
    """
    if voices is None or len(open_) < 3:
        return
    count = 1
    while count < 3 and (step_db := voices.distance_db(open_[:count], [open_[count]])) is not None and step_db < 1.6:
        count += 1
    if count >= len(open_):
        return
    distance_db = voices.distance_db(open_[:count], open_[count : count + 5])
    if distance_db is None:
        return
    gap_s = parts[open_[count]].start_s - parts[open_[count - 1]].end_s
    score = 0.8 * (distance_db - 3.0) + 0.6 * (2.2 - gap_s)
    if score < 0:
        return
    label, confidence = (Label.IVR, 0.65) if score > 1.5 else (Label.UNSURE, 0.5)
    for i in open_[:count]:
        parts[i].label, parts[i].confidence, parts[i].why = label, confidence, ["another_voice_follows"]


def _judged(
    parts: list[Piece],
    open_: list[int],
    inside: list[HoldSpan | None],
    holds: list[HoldSpan],
    voices: "Voices | None",
    put_through: bool,
) -> tuple[Label, float, list[str]]:
    """Weigh what speaks for a person and for a recording."""
    first_hold = holds[0].start_s if holds else None
    begin_s = parts[open_[0]].start_s if put_through else 0.0
    before = [
        p
        for i, p in enumerate(parts)
        if inside[i] is None and p.start_s >= begin_s and (first_hold is None or p.end_s <= first_hold)
    ]
    score, why = (1.2, ["after_ringing"]) if put_through else (0.0, [])
    if any(p.kind == "tone" and p.label is Label.DTMF for p in before):
        score -= 3
        why.append("keys_pressed")
    if any(p.repeated for p in before if p.kind == "speech"):
        score -= 1.5
        why.append("said_again_nearby")
    if any(p.kind == "tone" and p.label is Label.SIT for p in before):
        score -= 4
        why.append("network_message")
    last = parts[open_[-1]]
    beep = [p for p in before if p.kind == "tone" and p.label is Label.BEEP and 0 <= p.start_s - last.end_s < 4]
    if beep and first_hold is None and len(open_) <= 3:
        score -= 3
        why.append("beep_follows")
    later = [i for i, p in enumerate(parts) if p.label is Label.AGENT]
    recordings = (Label.ANNOUNCEMENT, Label.IVR)
    recorded = [i for i, p in enumerate(parts) if p.label in recordings and not p.over_music]
    if voices is not None:
        to_person, to_recording = voices.distance_db(open_, later), voices.distance_db(open_, recorded)
        if to_person is not None:
            score += float(np.clip((2.0 - to_person) * 0.8, -1.5, 1.5))
            why.append("voice_as_later_person" if to_person < 2 else "voice_unlike_later_person")
        if to_recording is not None and to_recording < 1.2:
            score -= 0.6
            why.append("voice_as_recording")
    turns = len(open_)
    score += 0.35 * (min(turns, 7) - 2) if turns > 1 else -1.2
    why.append("takes_turns" if turns > 3 else "few_turns")
    music = next((h for h in holds if h.start_s >= last.end_s and h.mode in MUSICAL), None)
    if music is not None and (wait_s := music.start_s - last.end_s) < 8:
        # a person says "hold on" and presses the key; a menu waits for an answer first
        score += 1.2 if wait_s < 1.75 else -1.2 if wait_s > 2.5 else -0.3
        why.append("hold_follows_at_once" if wait_s < 1.75 else "hold_follows_later")
    elif first_hold is None and turns >= 5:
        score += 0.5
    if score > 0.5:
        return Label.AGENT, min(0.9, 0.55 + 0.1 * score), why
    if score < -0.5:
        return Label.IVR, min(0.95, 0.55 - 0.1 * score), why
    return Label.UNSURE, 0.5, why
