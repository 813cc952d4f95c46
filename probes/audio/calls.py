"""From stretches, tones and repeats to holds and to who speaks."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from probes.audio.frames import FRAME_S, Floats
from probes.audio.repeats import STEP_S, Match
from probes.audio.states import MUSIC, OVER, SILENCE, Stretch
from probes.audio.timeline import HoldMode, Label, Tone

_SHORTEST_MUSIC_S = 1.5  # music in all that a hold must hold
_SHORTEST_WORDS_S = 1.6  # said over music
_WEAK_MUSIC_S, _WEAK_ODDS = 15.0, 0.75
_LONGEST_GAP_S = 12.0  # silence inside a hold with music: loop gaps, tunes that die away
_STRAY_WORDS_S = 4.0  # of a message, not known again
_LONGEST_INSERT_S = 16.0  # speech that was said once, between music and music
_LONG_SILENCE_S = 11.0
_FAINT_DB, _FAINT_MUSIC_S = 19.0, 40.0
_LONGEST_SONG_S, _SURE_SPEECH = 12.0, 0.93
_MUSICAL = (HoldMode.MUSIC, HoldMode.MUSIC_AND_MESSAGES)


@dataclass(slots=True, eq=False)
class Piece:
    """One stretch on its way to a segment."""

    start_s: float
    end_s: float
    kind: str  # silence, tone, music, speech
    odds: float
    over_music: bool = False
    label: Label = Label.UNSURE
    confidence: float = 0.0
    why: list[str] = field(default_factory=list)
    repeat_of: "Piece | None" = None
    similarity: float = 1.0
    repeated: bool = False
    message: int | None = None
    occurrence: int | None = None

    @property
    def length_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class HoldSpan:
    """Pieces `first`..`last` make one hold."""

    start_s: float
    end_s: float
    mode: HoldMode
    first: int
    last: int
    confidence: float


def pieces(stretches: list[Stretch], tones: list[Tone], duration_s: float) -> list[Piece]:
    """Lay the tones over the stretches and return contiguous pieces from 0 to `duration_s`."""
    out: list[Piece] = []
    for s in stretches:
        kind = "silence" if s.state == SILENCE else "music" if s.state == MUSIC else "speech" if s.is_speech else "tone"
        out.append(Piece(s.start * FRAME_S, min(s.end * FRAME_S, duration_s), kind, s.odds, over_music=s.state == OVER))
    for tone in tones:
        out = _laid_over(out, tone)
    for p in out:
        if p.kind == "tone" and p.label is Label.UNSURE:  # the model hears a tone, but there is none with a name
            _name_by_neighbours(p, tones)
    return _joined([p for p in out if p.end_s - p.start_s > 1e-6])


def settle(parts: list[Piece]) -> list[Piece]:
    """Give sounds too short to be what they seem to what is around them."""
    for before, p, after in zip(parts, parts[1:], parts[2:], strict=False):
        beside = {before.kind, after.kind}
        if p.kind == "speech" and beside == {"music"} and p.length_s < _SHORTEST_WORDS_S:
            p.kind, p.over_music = "music", False  # a sung word, a solo
        elif (
            p.kind == "speech"
            and (before.kind, after.kind) == ("silence", "music")
            and p.length_s < 1.2 < after.length_s
        ):
            p.kind, p.over_music = "music", False  # the first note
        elif p.kind == "music" and beside == {"silence"} and p.length_s < _SHORTEST_MUSIC_S:
            p.kind = "silence"  # a rustle
        elif (
            p.kind == "music"
            and beside == {"speech"}
            and p.length_s < 1.2
            and not (before.over_music or after.over_music)
        ):
            p.kind = "speech"
    if len(parts) > 1 and parts[0].kind == "music" and parts[1].kind == "silence" and parts[0].length_s < 2.5:
        parts[0].kind = "silence"  # noise, before its level is known
    return _joined(parts)


def _laid_over(parts: list[Piece], tone: Tone) -> list[Piece]:
    out: list[Piece] = []
    new = Piece(tone.start_s, tone.end_s, "tone", tone.confidence, label=tone.label, confidence=tone.confidence)
    for p in parts:
        if p.end_s <= tone.start_s or p.start_s >= tone.end_s:
            out.append(p)
            continue
        if p.start_s < tone.start_s:
            out.append(_cut(p, p.start_s, tone.start_s))
        if new not in out:
            out.append(new)
        if p.end_s > tone.end_s:
            out.append(_cut(p, tone.end_s, p.end_s))
    return _without_stumps(out, new)


def _name_by_neighbours(p: Piece, tones: list[Tone]) -> None:
    """Give a tone that only the model hears the name of the tone beside it, or of none."""
    progress = (Label.RINGBACK, Label.BUSY, Label.REORDER, Label.FAX, Label.DIAL_TONE)
    near = [t for t in tones if t.label in progress and -0.3 < max(t.start_s - p.end_s, p.start_s - t.end_s) < 6.5]
    if near and p.length_s < 8:
        p.label, p.confidence = near[0].label, 0.5
    elif p.odds > 0.7 and p.length_s > 0.1:
        p.label, p.confidence = (Label.BEEP if p.length_s < 0.8 else Label.RINGBACK), 0.4
    else:
        p.kind = "music" if p.length_s > 1 else "silence"


def _cut(p: Piece, start_s: float, end_s: float) -> Piece:
    return Piece(start_s, end_s, p.kind, p.odds, p.over_music, p.label, p.confidence, list(p.why))


def _without_stumps(parts: list[Piece], tone: Piece) -> list[Piece]:
    """What is left of a stretch beside a tone and shorter than 0.15 s is the tone's edge."""
    for i, p in enumerate(parts):
        beside = (i > 0 and parts[i - 1] is tone) or (i + 1 < len(parts) and parts[i + 1] is tone)
        if beside and p is not tone and p.kind != "silence" and p.length_s < 0.15:
            p.kind, p.over_music, p.label = "silence", False, Label.UNSURE
    return parts


def _joined(parts: list[Piece]) -> list[Piece]:
    out: list[Piece] = []
    for p in parts:
        if out and p.kind != "tone" and out[-1].kind == p.kind:
            last = out[-1]
            over = p.length_s * p.over_music + last.length_s * last.over_music
            last.odds = (p.length_s * p.odds + last.length_s * last.odds) / (p.length_s + last.length_s)
            last.over_music = over > 0.5 * (p.length_s + last.length_s)
            last.end_s = p.end_s
        else:
            out.append(p)
    return out


def mark_repeats(parts: list[Piece], speech: list[Piece], matches: list[Match], level_dbfs: Floats) -> list[Piece]:
    """Note on each piece of speech whether it was said again; return the pieces, cut where a message ends.

    Args:
        parts: all pieces.
        speech: those that were compared.
        matches: what was found; its numbers are places in `speech`.
        level_dbfs: of each 20 ms frame.
    """
    for m in matches:
        first, second = speech[m.first], speech[m.second]
        first.repeated = second.repeated = True
        second.repeat_of, second.similarity = first, m.similarity
        told_again_from_s = second.start_s - m.shift * STEP_S - first.start_s
        if abs(told_again_from_s) < 0.4 and second.length_s > first.length_s + 1.5:
            parts = _cut_after(parts, second, second.start_s + first.length_s, level_dbfs)
    return parts


def _cut_after(parts: list[Piece], piece: Piece, at_s: float, level_dbfs: Floats) -> list[Piece]:
    """Somebody speaks right after a message: cut at the quietest moment near its end."""
    a, b = round((at_s - 0.3) / FRAME_S), round((at_s + 0.7) / FRAME_S)
    smooth = np.convolve(level_dbfs[a:b], np.ones(5) / 5, "same")
    if len(smooth) < 10:
        return parts
    cut_s = (a + 2 + int(smooth[2:-2].argmin())) * FRAME_S
    rest = Piece(cut_s, piece.end_s, "speech", piece.odds, piece.over_music)
    piece.end_s = cut_s
    where = next(i for i, p in enumerate(parts) if p is piece) + 1
    return [*parts[:where], rest, *parts[where:]]


def find_holds(parts: list[Piece], level_dbfs: Floats) -> list[HoldSpan]:
    """Return the holds: music with what interrupts it, and silent waits with messages in them."""
    spans = _with_music(parts, level_dbfs)
    return sorted(spans + _without_music(parts, spans), key=lambda h: h.start_s)


def _with_music(parts: list[Piece], level_dbfs: Floats) -> list[HoldSpan]:
    musical = [i for i, p in enumerate(parts) if p.kind == "music" or (p.kind == "speech" and p.over_music)]
    groups: list[list[int]] = []
    for i in musical:
        if groups and _same_hold(parts, groups[-1][-1], i):
            groups[-1].append(i)
        else:
            groups.append([i])
    out = []
    for g in (_from_music_to_music(parts, group) for group in groups):
        first, last = g[0], g[-1]
        music_s = sum(parts[i].length_s for i in g if parts[i].kind == "music")
        if music_s < _SHORTEST_MUSIC_S or (music_s < 4 and len(g) == 1 and parts[first].odds < 0.8):
            continue
        if music_s < _WEAK_MUSIC_S and _weak(parts, g):
            for i in g:
                parts[i].kind, parts[i].over_music = "speech", False
            continue
        if music_s < _FAINT_MUSIC_S and _in_the_background(parts, g, level_dbfs):
            continue
        last = _with_closing_message(parts, last)
        speech = any(p.kind == "speech" for p in parts[first : last + 1])
        mode = HoldMode.MUSIC_AND_MESSAGES if speech else HoldMode.MUSIC
        confidence = float(np.clip(np.mean([parts[i].odds for i in g]), 0, 1)) * min(1.0, 0.6 + music_s / 25)
        out.append(HoldSpan(parts[first].start_s, parts[last].end_s, mode, first, last, confidence))
    return out


def _from_music_to_music(parts: list[Piece], group: list[int]) -> list[int]:
    """Leave out speech at either end that does not touch the music: there, noise was taken for music under it."""
    while len(group) > 1 and parts[group[0]].kind == "speech" and parts[group[0] + 1].kind != "music":
        group = group[1:]
    while len(group) > 1 and parts[group[-1]].kind == "speech" and parts[group[-1] - 1].kind != "music":
        group = group[:-1]
    return group


def _weak(parts: list[Piece], group: list[int]) -> bool:
    """Say whether supposed music is rather the speech beside it, heard through a bad line."""
    total_s = sum(parts[i].length_s for i in group)
    odds = sum(parts[i].odds * parts[i].length_s for i in group) / total_s
    beside = [parts[k] for k in (group[0] - 1, group[-1] + 1) if 0 <= k < len(parts)]
    return odds < _WEAK_ODDS and any(p.kind == "speech" and not p.over_music for p in beside)


def _in_the_background(parts: list[Piece], group: list[int], level_dbfs: Floats) -> bool:
    """Say whether music is so far below the voices of the call that it plays in the room where they speak."""
    music = [_loud_part(p, level_dbfs) for p in (parts[i] for i in group) if p.kind == "music"]
    speech = [_loud_part(p, level_dbfs) for p in parts if p.kind == "speech" and not p.over_music and p.length_s > 1]
    if not music or not speech:
        return False
    below_db = float(np.median(speech)) - max(music)
    return below_db > _FAINT_DB or (below_db > _FAINT_DB - 7 and max(parts[i].odds for i in group) < _WEAK_ODDS)


def _loud_part(p: Piece, level_dbfs: Floats) -> float:
    return float(np.percentile(level_dbfs[int(p.start_s / FRAME_S) : int(p.end_s / FRAME_S) + 1], 80))


def take_back_songs(parts: list[Piece], span: HoldSpan, loop_steps: float, prints: Floats) -> bool:
    """Call speech in a hold music when it comes again with the music's loop: a singer, not a message.

    Returns:
        Whether anything changed.
    """
    changed = False
    for p in parts[span.first : span.last + 1]:
        if not p.over_music or p.length_s > _LONGEST_SONG_S or p.odds > _SURE_SPEECH:
            continue
        a, b = round(p.start_s / STEP_S), round(p.end_s / STEP_S)
        here = prints[a:b]
        for times in (1, -1, 2, -2):
            there = prints[max(0, a + round(times * loop_steps)) :][: len(here)]
            inside = span.start_s <= p.start_s + times * loop_steps * STEP_S <= span.end_s - p.length_s
            if inside and len(there) == len(here) and _likeness(here, there) > 0.8:
                p.kind, p.over_music, p.repeat_of, p.repeated = "music", False, None, False
                changed = True
                break
    return changed


def _likeness(a: Floats, b: Floats) -> float:
    return float((a * b).sum() / (np.sqrt((a**2).sum() * (b**2).sum()) + 1e-6))


def _same_hold(parts: list[Piece], a: int, b: int) -> bool:
    """Say whether what lies between two musical pieces is part of one hold."""
    between = parts[a + 1 : b]
    if not between:
        return True
    if any(p.kind == "tone" and p.label is not Label.BEEP for p in between):
        return False
    speech = [p for p in between if p.kind == "speech"]
    pauses = [p.length_s for p in between if p.kind == "silence"]
    if not speech:
        return sum(pauses) <= _LONGEST_GAP_S
    new_s = sum(p.length_s for p in speech if not p.repeated)
    if any(p.repeated for p in speech) and new_s <= _STRAY_WORDS_S:
        return sum(pauses) <= _LONGEST_GAP_S
    total = sum(p.length_s for p in speech)
    return total <= _LONGEST_INSERT_S and max(pauses, default=0.0) <= 1.5 and len(speech) <= 3


def _with_closing_message(parts: list[Piece], last: int) -> int:
    """Include a message that ends the hold when it was heard before in the call."""
    i = last + 1
    if i < len(parts) and parts[i].kind == "silence" and parts[i].length_s < 2.5:
        i += 1
    if i < len(parts) and parts[i].kind == "speech" and parts[i].repeat_of is not None:
        return i
    return last


def _without_music(parts: list[Piece], taken: list[HoldSpan]) -> list[HoldSpan]:
    """Find waits in silence: messages far apart with nothing between them."""
    free = [not any(h.first <= i <= h.last for h in taken) for i in range(len(parts))]
    out: list[HoldSpan] = []
    i = 0
    while i < len(parts):
        long = free[i] and parts[i].kind == "silence" and parts[i].length_s >= _LONG_SILENCE_S
        if long and (span := _wait_around(parts, free, i)):
            out.append(span)
            i = span.last + 1
        else:
            i += 1
    return out


def _wait_around(parts: list[Piece], free: list[bool], i: int) -> HoldSpan | None:
    """Grow a silent wait from its first long silence on."""
    first, last, messages, at = i, i, 0, i + 1
    while at < len(parts) and free[at]:
        block_end, talk_s = at, 0.0
        while (
            block_end < len(parts)
            and free[block_end]
            and not (parts[block_end].kind == "silence" and parts[block_end].length_s >= _LONG_SILENCE_S)
        ):
            if parts[block_end].kind == "tone":
                break
            talk_s += parts[block_end].length_s if parts[block_end].kind == "speech" else 0
            block_end += 1
        ends = block_end >= len(parts) or not free[block_end] or parts[block_end].kind != "silence"
        block = [p for p in parts[at:block_end] if p.kind == "speech"]
        known = any(p.repeated for p in block)
        if not block or (not known and (talk_s > 12 or ends)):
            break
        if ends and not all(p.repeated for p in block):
            repeated = [k for k in range(at, block_end) if parts[k].repeated]
            last = repeated[-1]
            messages += 1
            break
        messages += 1
        last = block_end if not ends else block_end - 1
        at = block_end + 1
    if messages == 0:  # nobody says that this is a hold: it is dead air
        return None
    if first == 0 or all(p.kind == "silence" for p in parts[:first]):
        return None
    start = _wait_start(parts, free, first)
    return HoldSpan(
        parts[start].start_s, parts[last].end_s, HoldMode.MESSAGES, start, last, 0.8 if messages > 1 else 0.6
    )


def _wait_start(parts: list[Piece], free: list[bool], first: int) -> int:
    """A message of this wait just before its first long silence belongs to it, with the silence before it."""
    k = first
    while k >= 2 and free[k - 1] and parts[k - 1].kind == "speech" and parts[k - 1].repeated:
        later = [p for p in parts[first:] if p.repeat_of is parts[k - 1]]
        if not later or not free[k - 2] or parts[k - 2].kind != "silence" or parts[k - 2].length_s < 3:
            break
        k -= 2
    return k


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
    first_hold = holds[0].start_s if holds else None
    open_ = [i for i, p in enumerate(parts) if p.kind == "speech" and p.label is Label.UNSURE]
    if not open_:
        return
    before = [p for i, p in enumerate(parts) if inside[i] is None and (first_hold is None or p.end_s <= first_hold)]
    score, why = 0.0, []
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
    music = next((h for h in holds if h.start_s >= last.end_s and h.mode in _MUSICAL), None)
    if music is not None and (wait_s := music.start_s - last.end_s) < 8:
        # a person says "hold on" and presses the key; a menu waits for an answer first
        score += 1.2 if wait_s < 1.75 else -1.2 if wait_s > 2.5 else -0.3
        why.append("hold_follows_at_once" if wait_s < 1.75 else "hold_follows_later")
    elif first_hold is None and turns >= 5:
        score += 0.5
    if score > 0.5:
        label, confidence = Label.AGENT, min(0.9, 0.55 + 0.1 * score)
    elif score < -0.5:
        label, confidence = Label.IVR, min(0.95, 0.55 - 0.1 * score)
    else:
        label, confidence = Label.UNSURE, 0.5
    for i in open_:
        parts[i].label, parts[i].confidence, parts[i].why = label, confidence, list(why)
