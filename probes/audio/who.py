"""Who speaks in each stretch of speech: a recorded menu, an announcement on hold, a person, or unsure, and why."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from probes.audio.calls import Piece
from probes.audio.holds import MUSICAL, HoldSpan
from probes.audio.timeline import Label, Span

_TURNS_OF_A_TALK, _SURELY_A_TALK, _LONG_TURN_S = 4, 6, 9.5
_SHORTEST_LINE_S, _TALKED_THROUGH_S, _ANSWERED_WITHIN_S = 0.4, 1.2, 2.5
_ANOTHER_VOICE_DB = 2.5
_LONGEST_GREETING, _LEFT_ALONE_S = 6, 5.0  # pieces before a beep after which nobody speaks for so long: voicemail
_GREETING_TURNS = 4  # what is said before it rings again, at most, to be a recording


def say_who(
    parts: list[Piece], holds: list[HoldSpan], voices: "Voices | None" = None, ours: tuple[Span, ...] = ()
) -> None:
    """Label every piece of speech: recorded menu, announcement on hold, person, or unsure, with the reasons.

    Args:
        parts: all pieces of the call, labelled here.
        holds: found before.
        voices: how they compare; None: not known.
        ours: when our own side spoke, where that is known.
    """
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
    _before_the_hold(parts, inside, holds, voices, ours)


@dataclass(frozen=True, slots=True)
class Voices:
    """How voices, and the rooms that they speak in, compare.

    Attributes:
        spectra: mean band levels of each piece of speech (None when too short).
        rests_dbfs: level of each silence (None when too short, or not silence).
    """

    spectra: tuple[NDArray[np.float32] | None, ...]
    rests_dbfs: tuple[float | None, ...]

    def noise_after_dbfs(self, some: list[int]) -> float | None:
        """Return the usual level of the silences that follow these pieces."""
        after = [self.rests_dbfs[i + 1] for i in some if i + 1 < len(self.rests_dbfs)]
        known = [level for level in after if level is not None]
        return float(np.median(known)) if known else None

    def distance_db(self, some: list[int], others: list[int]) -> float | None:
        """RMS difference of the two mean spectra in dB, level aside."""
        a = [s for i in some if (s := self.spectra[i]) is not None]
        b = [s for i in others if (s := self.spectra[i]) is not None]
        if not a or not b:
            return None
        difference = np.mean(a, axis=0) - np.mean(b, axis=0)
        return float(np.sqrt(np.mean((difference - difference.mean()) ** 2)))


def _before_the_hold(
    parts: list[Piece],
    inside: list[HoldSpan | None],
    holds: list[HoldSpan],
    voices: Voices | None,
    ours: tuple[Span, ...],
) -> None:
    """Decide on speech said once before any hold: a recorded greeting, or the person who answered."""
    open_ = [i for i, p in enumerate(parts) if p.kind == "speech" and p.label is Label.UNSURE]
    if not open_:
        return
    greeting, rest = _put_through(parts, open_)
    for i in greeting:
        parts[i].label, parts[i].confidence, parts[i].why = Label.IVR, 0.8, ["ringing_follows"]
    machine, rest, talk_s = _before_the_last_machine_sign(parts, rest, holds, voices)
    for i in machine:
        parts[i].label, parts[i].confidence, parts[i].why = Label.IVR, 0.9, ["machine_follows"]
    if not rest:
        return
    begin_s = parts[rest[0]].start_s if greeting else talk_s
    prior = 1.2 if greeting else 0.0 if not machine or len(rest) < _TURNS_OF_A_TALK else -0.6
    why = ["after_ringing"] if greeting else ["after_a_machine"] if talk_s else []
    answers = _answers(parts, rest, ours)
    if answers:
        why.append("answers_us" if answers > 0 else "talks_through_us")
    label, confidence, why = _judged(parts, rest, inside, holds, voices, begin_s, (prior + answers, why))
    for i in rest:
        parts[i].label, parts[i].confidence, parts[i].why = label, confidence, list(why)
    if label is Label.AGENT and not greeting:
        _greeting_in_another_voice(parts, rest, voices)


def _answers(parts: list[Piece], open_: list[int], ours: tuple[Span, ...]) -> float:
    """Weigh whether our own lines were answered soon, after they had been listened to, or talked through."""
    said = [parts[i] for i in open_]
    answered = through = 0
    for line in ours:
        if line.end_s - line.start_s < _SHORTEST_LINE_S:
            continue
        over_s = max((min(p.end_s, line.end_s) - max(p.start_s, line.start_s) for p in said), default=0.0)
        if over_s > _TALKED_THROUGH_S:
            through += 1
        elif any(-0.3 <= p.start_s - line.end_s <= _ANSWERED_WITHIN_S for p in said):
            answered += 1
    return 0.6 * min(2, answered) - 0.5 * min(2, through)


def _before_the_last_machine_sign(
    parts: list[Piece], open_: list[int], holds: list[HoldSpan], voices: Voices | None
) -> tuple[list[int], list[int], float]:
    """Part what was said before a key was pressed or a message came again from a talk after it, if there was one.

    A few turns are a talk where the voice is another one: a menu goes on in its own.

    Returns:
        What was said before, what after, and when the talk after it began; 0: there was none.
    """
    end = holds[0].first if holds else len(parts)
    signs = [
        i
        for i, p in enumerate(parts[:end])
        if (p.kind == "tone" and p.label in (Label.DTMF, Label.SIT)) or (p.kind == "speech" and p.repeated)
    ]
    if not signs:
        return [], open_, 0.0
    before, after = [i for i in open_ if i < signs[-1]], [i for i in open_ if i > signs[-1]]
    talks = len(after) >= _TURNS_OF_A_TALK
    if not talks and voices is not None and len(after) > 1:
        recorded = before + [i for i, p in enumerate(parts[:end]) if p.kind == "speech" and p.repeated]
        distance_db = voices.distance_db(recorded, after)
        talks = distance_db is not None and distance_db > _ANOTHER_VOICE_DB
    return (before, after, parts[after[0]].start_s) if talks else ([], open_, 0.0)


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
    score = 0.8 * (distance_db - 3.3) + 0.45 * (2.2 - min(gap_s, 4.0)) + _of_the_room(voices, open_, count)
    if score < 0:
        return
    label, confidence = (Label.IVR, 0.65) if score > 1.5 else (Label.UNSURE, 0.5)
    for i in open_[:count]:
        parts[i].label, parts[i].confidence, parts[i].why = label, confidence, ["another_voice_follows"]


def _of_the_room(voices: "Voices", open_: list[int], count: int) -> float:
    """Weigh whether the line is noisier in the pauses of what follows: a person's room is heard in them."""
    before, after = voices.noise_after_dbfs(open_[:count]), voices.noise_after_dbfs(open_[count:])
    if before is None or after is None:
        return 0.0
    rise_db = after - before
    return 2.2 if rise_db > 3.0 else 0.8 if rise_db > 1.2 else -1.0 if rise_db < -1.0 else -0.2


def _recorded(parts: list[Piece]) -> list[int]:
    """Return what is known to be a recording, and is heard without music."""
    return [i for i, p in enumerate(parts) if p.label in (Label.ANNOUNCEMENT, Label.IVR) and not p.over_music]


def _judged(
    parts: list[Piece],
    open_: list[int],
    inside: list[HoldSpan | None],
    holds: list[HoldSpan],
    voices: "Voices | None",
    begin_s: float,
    known: tuple[float, list[str]],
) -> tuple[Label, float, list[str]]:
    """Weigh what speaks for a person and for a recording."""
    first_hold = holds[0].start_s if holds else None
    before = [
        p
        for i, p in enumerate(parts)
        if inside[i] is None and p.start_s >= begin_s and (first_hold is None or p.end_s <= first_hold)
    ]
    score, why = known[0], list(known[1])
    if any(p.kind == "tone" and p.label is Label.DTMF for p in before):
        score -= 3
        why.append("keys_pressed")
    to_recording = None if voices is None else voices.distance_db(open_, _recorded(parts))
    another = to_recording is not None and to_recording > _ANOTHER_VOICE_DB and len(open_) >= _TURNS_OF_A_TALK
    if any(p.repeated for p in before if p.kind == "speech") and not another:
        score -= 1.5
        why.append("said_again_nearby")
    if any(p.kind == "tone" and p.label is Label.SIT for p in before):
        score -= 4
        why.append("network_message")
    last = parts[open_[-1]]
    beep = [p for p in before if p.kind == "tone" and p.label is Label.BEEP and 0 <= p.start_s - last.end_s < 4]
    ends = parts[-1].end_s - beep[0].end_s > _LEFT_ALONE_S if beep else False
    if beep and first_hold is None and (len(open_) <= 3 or (ends and len(open_) <= _LONGEST_GREETING)):
        score -= 3
        why.append("beep_follows")
    later = [i for i, p in enumerate(parts) if p.label is Label.AGENT]
    if voices is not None:
        to_person = voices.distance_db(open_, later)
        if to_person is not None:
            # after a hold another person may speak, so an unlike voice says little
            score += float(np.clip((2.0 - to_person) * 0.8, -0.1, 1.5))
            why.append("voice_as_later_person" if to_person < 2 else "voice_unlike_later_person")
        if to_recording is not None and to_recording < 2.2:
            score -= min(1.5, (2.2 - to_recording) * 0.8)
            why.append("voice_as_recording")
    turns = len(open_)
    score += 0.35 * (min(turns, 7) - 2) if turns > 1 else -1.2
    why.append("takes_turns" if turns > 3 else "few_turns")
    if turns > 1 and float(np.median([parts[i].length_s for i in open_])) > _LONG_TURN_S:
        score -= 0.4  # menus are read at length
        why.append("long_turns")
    begins_s = next((s for h in holds if (s := parts[h.first].start_s) >= last.end_s and h.mode in MUSICAL), None)
    if begins_s is not None and (wait_s := begins_s - last.end_s) < 8:
        # a person says "hold on" and presses the key; a menu waits for an answer first
        score += 1.2 if wait_s < 1.75 else -0.3 if wait_s <= 2.5 else -1.2 if turns < _SURELY_A_TALK else -0.6
        why.append("hold_follows_at_once" if wait_s < 1.75 else "hold_follows_later")
    elif first_hold is None and turns >= 5:
        score += 0.5
    if holds and sum(p.repeated for p in parts[holds[0].first : holds[0].last + 1] if p.kind == "speech") >= 2:
        score -= 1.5  # a queue's messages: what was said before it was its greeting
        why.append("a_queue_follows")
    if score > 0.5:
        return Label.AGENT, min(0.9, 0.55 + 0.1 * score), why
    if score < -0.5:
        return Label.IVR, min(0.95, 0.55 - 0.1 * score), why
    return Label.UNSURE, 0.5, why
