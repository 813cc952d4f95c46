"""From the pieces of a call to its holds: music with what interrupts it, and waits in silence with messages."""

from dataclasses import dataclass

import numpy as np

from probes.audio.calls import (
    SHORTEST_MUSIC_S,
    Piece,
    loud_part_dbfs,
    noise_dbfs,
    smooth_dbfs,
)
from probes.audio.frames import FRAME_S
from probes.audio.spectra import Floats
from probes.audio.strays import (
    from_music_to_music,
    in_the_background,
    is_jingle,
    is_weak,
    touching,
    without_strays,
    without_talk_in_a_room,
)
from probes.audio.timeline import HoldMode, Label

_WEAK_MUSIC_S, _FAINT_MUSIC_S = 15.0, 40.0
_LONGEST_GAP_S = 12.0  # silence inside a hold with music: loop gaps, tunes that die away
_LONGEST_LULL_S = 45.0  # where nobody says anything before the music is heard again
_SHORTEST_BEFORE_KEYS_S = 4.0
_OFTEN = 4  # times that a message is said, by which a wait is known wherever it comes
_STRAY_WORDS_S = 4.0  # of a message, not known again
_LONGEST_INSERT_S = 16.0  # speech that was said once, between music and music
_LONGEST_MONOLOGUE_S, _BREATH_S = 60.0, 1.2  # one voice from music to music, without a pause for an answer
_LONG_SILENCE_S = 11.0
_LONGEST_HANDOVER_S, _BEFORE_RINGING_S = 6.0, 3.0
_INAUDIBLE_DBFS, _FADED_DB, _FADED_S = -55.0, 20.0, 0.3
_ABOVE_NOISE_DB = 4.8  # the sum of noise and music 3 dB above it
MUSICAL = (HoldMode.MUSIC, HoldMode.MUSIC_AND_MESSAGES)


@dataclass(frozen=True, slots=True)
class HoldSpan:
    """Pieces `first`..`last` make one hold."""

    start_s: float
    end_s: float
    mode: HoldMode
    first: int
    last: int
    confidence: float


def find_holds(parts: list[Piece], level_dbfs: Floats) -> list[HoldSpan]:
    """Return the holds: music with what interrupts it, and silent waits with messages in them."""
    spans = _with_music(parts, level_dbfs)
    return _one_wait(parts, sorted(spans + silent_waits(parts, spans), key=lambda h: h.start_s))


def _one_wait(parts: list[Piece], spans: list[HoldSpan]) -> list[HoldSpan]:
    """Put a wait with messages together with the music that it begins or ends with, when nothing else lies between."""
    out: list[HoldSpan] = []
    for before, span in zip([None, *spans], spans, strict=False):
        last = out[-1] if out else None
        if (
            last is not None
            and before is not None
            and HoldMode.MESSAGES in (before.mode, span.mode)
            and all(p.kind == "silence" for p in parts[last.last + 1 : span.first])
            and span.start_s - last.end_s < _LONGEST_LULL_S
        ):
            mode = HoldMode.MESSAGES if last.mode is span.mode else HoldMode.MUSIC_AND_MESSAGES
            confidence = min(last.confidence, span.confidence)
            out[-1] = HoldSpan(last.start_s, span.end_s, mode, last.first, span.last, confidence)
        else:
            out.append(span)
    return out


def _with_music(parts: list[Piece], level_dbfs: Floats) -> list[HoldSpan]:
    musical = [i for i, p in enumerate(parts) if p.kind == "music" or (p.kind == "speech" and p.over_music)]
    groups: list[list[int]] = []
    for i in musical:
        if groups and _same_hold(parts, groups[-1][-1], i):
            groups[-1].append(i)
        else:
            groups.append([i])
    out = []
    floor_dbfs = noise_dbfs(parts, level_dbfs)
    noise_limit_dbfs = -99.0 if floor_dbfs is None else floor_dbfs + _ABOVE_NOISE_DB
    for group in groups:
        g = without_talk_in_a_room(parts, group, level_dbfs)
        if not g:
            continue
        g = without_strays(parts, g, level_dbfs)
        g = from_music_to_music(parts, g)
        first, last = g[0], g[-1]
        music_s = sum(parts[i].length_s for i in g if parts[i].kind == "music")
        if music_s < SHORTEST_MUSIC_S or (music_s < 4 and len(g) == 1 and parts[first].odds < 0.8):
            continue
        if len(group) == 1 and is_jingle(parts, group[0]):
            continue
        if music_s < _WEAK_MUSIC_S and is_weak(parts, g):
            for i in g:
                parts[i].kind, parts[i].over_music = "speech", False
            continue
        if music_s < _FAINT_MUSIC_S and in_the_background(parts, g, level_dbfs):
            continue
        last = _with_closing_message(parts, last)
        speech = any(p.kind == "speech" for p in parts[first : last + 1])
        mode = HoldMode.MUSIC_AND_MESSAGES if speech else HoldMode.MUSIC
        confidence = float(np.clip(np.mean([parts[i].odds for i in g]), 0, 1)) * min(1.0, 0.6 + music_s / 25)
        loudest_dbfs = max((loud_part_dbfs(parts[i], level_dbfs) for i in g if parts[i].kind == "music"), default=-99.0)
        limit_dbfs = max(noise_limit_dbfs, min(_INAUDIBLE_DBFS, loudest_dbfs - _FADED_DB))
        start_s, end_s = _audible(parts[first], parts[last], limit_dbfs, level_dbfs)
        out.append(HoldSpan(start_s, end_s, mode, first, last, confidence))
    return out


def _audible(first: Piece, last: Piece, limit_dbfs: float, level_dbfs: Floats) -> tuple[float, float]:
    """Return when music that fades in is first heard above the line's noise, and when music that fades out is last."""
    start_s, end_s = first.start_s, last.end_s
    for p, at_end in ((first, False), (last, True)):
        if p.kind != "music":
            continue
        begin = round(p.start_s / FRAME_S)
        heard = np.flatnonzero(smooth_dbfs(level_dbfs[begin : round(p.end_s / FRAME_S)], 5) > limit_dbfs)
        if len(heard) and at_end and p.end_s - (begin + int(heard[-1]) + 1) * FRAME_S > _FADED_S:
            end_s = (begin + int(heard[-1]) + 1) * FRAME_S
        elif len(heard) and not at_end and int(heard[0]) * FRAME_S > _FADED_S:
            start_s = (begin + int(heard[0])) * FRAME_S
    return start_s, end_s


def _same_hold(parts: list[Piece], a: int, b: int) -> bool:
    """Say whether what lies between two musical pieces is part of one hold."""
    between = parts[a + 1 : b]
    if not between:
        return True
    keyed = (Label.DTMF,) if parts[a].length_s >= _SHORTEST_BEFORE_KEYS_S else ()  # a caller may key while on hold
    if any(p.kind == "tone" and p.label not in (Label.BEEP, *keyed) for p in between):
        return False
    speech = [p for p in between if p.kind == "speech"]
    pauses = [p.length_s for p in between if p.kind == "silence"]
    if not speech:
        return sum(pauses) <= _LONGEST_LULL_S
    new_s = sum(p.length_s for p in speech if not p.repeated)
    if any(p.repeated for p in speech) and new_s <= _STRAY_WORDS_S:
        if _comes_again_and_again(parts, speech):
            return max(pauses, default=0.0) <= _LONGEST_LULL_S
        return (max(pauses, default=0.0) if _heard_over_music(parts, speech) else sum(pauses)) <= _LONGEST_GAP_S
    total = sum(p.length_s for p in speech)
    if touching(between) and max(pauses, default=0.0) <= _BREATH_S and total <= _LONGEST_MONOLOGUE_S:
        return True
    return total <= _LONGEST_INSERT_S and max(pauses, default=0.0) <= 1.5 and len(speech) <= 3


def _comes_again_and_again(parts: list[Piece], speech: list[Piece]) -> bool:
    """Say whether words that are said again are so in the whole wait: earlier, and later, and often."""
    said = [p for p in speech if p.repeated]
    roots = {id(_first_said(p)) for p in said}
    times = [p for p in parts if p.kind == "speech" and p.repeated and id(_first_said(p)) in roots]
    return len(times) >= _OFTEN and times[0].start_s < said[0].start_s and times[-1].start_s > said[-1].start_s


def _heard_over_music(parts: list[Piece], speech: list[Piece]) -> bool:
    """Say whether all of these words that are said again are elsewhere said over music: the same wait goes on."""
    in_music = {id(_first_said(p)) for p in parts if p.kind == "speech" and p.repeated and p.over_music}
    return all(id(_first_said(p)) in in_music for p in speech if p.repeated)


def _first_said(p: Piece) -> Piece:
    while p.repeat_of is not None:
        p = p.repeat_of
    return p


def _with_closing_message(parts: list[Piece], last: int) -> int:
    """Include messages that end the hold when they were heard before in the call, or when it rings after them."""
    last = _before_it_rings(parts, last)
    while True:
        i = last + 1
        if i < len(parts) and parts[i].kind == "silence" and parts[i].length_s < 2.5:
            i += 1
        if i >= len(parts) or parts[i].kind != "speech" or parts[i].repeat_of is None:
            return last
        last = i


def _before_it_rings(parts: list[Piece], last: int) -> int:
    """Include brief words right after the music when ringing or a beep follows: nobody has taken the call by then."""
    if last + 1 >= len(parts):
        return last
    words = parts[last + 1]
    if words.kind != "speech" or words.length_s > _LONGEST_HANDOVER_S:
        return last
    after = next((p for p in parts[last + 2 : last + 4] if p.kind != "silence"), words)
    rings = after.kind == "tone" and after.label in (Label.RINGBACK, Label.BEEP)
    return last + 1 if rings and after.start_s - words.end_s < _BEFORE_RINGING_S else last


def silent_waits(parts: list[Piece], taken: list[HoldSpan]) -> list[HoldSpan]:
    """Find waits in silence, outside of the holds that were found: messages far apart with nothing between them."""
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
    if last + 1 < len(parts) and parts[last].kind == "speech" and parts[last + 1].kind == "silence":
        last += 1  # after its last message the wait goes on until somebody comes
    return HoldSpan(
        parts[start].start_s, parts[last].end_s, HoldMode.MESSAGES, start, last, 0.8 if messages > 1 else 0.6
    )


def _wait_start(parts: list[Piece], free: list[bool], first: int) -> int:
    """A message of this wait just before its first long silence belongs to it, with the silence before it."""
    k = first
    while k >= 2 and free[k - 1] and parts[k - 1].kind == "speech" and parts[k - 1].repeated:
        later = [p for p in parts[first:] if p.repeat_of is parts[k - 1]]
        if not later or not free[k - 2] or parts[k - 2].kind not in ("silence", "music") or parts[k - 2].length_s < 3:
            break
        k -= 2
    return k
