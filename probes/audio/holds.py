"""From the pieces of a call to its holds: music with what interrupts it, and waits in silence with messages."""

from dataclasses import dataclass

import numpy as np

from probes.audio.calls import (
    LONGEST_STRAY_S,
    NOTE_PAUSE_S,
    SHORTEST_MUSIC_S,
    TOUCHES_S,
    Piece,
    loud_part_dbfs,
    noise_dbfs,
    smooth_dbfs,
)
from probes.audio.frames import FRAME_S
from probes.audio.spectra import Floats
from probes.audio.timeline import HoldMode, Label

_WEAK_MUSIC_S, _WEAK_ODDS, _EFFECT_S, _JINGLE_S = 15.0, 0.75, 16.0, 10.0
_LONGEST_GAP_S = 12.0  # silence inside a hold with music: loop gaps, tunes that die away
_LONGEST_LULL_S = 45.0  # where nobody says anything before the music is heard again
_STRAY_WORDS_S = 4.0  # of a message, not known again
_LONGEST_INSERT_S = 16.0  # speech that was said once, between music and music
_LONGEST_MONOLOGUE_S, _BREATH_S = 60.0, 1.2  # one voice from music to music, without a pause for an answer
_TURN_OF_PRESENTER_S = 0.6  # from words that began with the end of the music to its beginning
_LONGEST_WORD_S, _TRANSFER_S = 2.5, 0.6
_SOFTER_IN_A_ROOM_DB, _SURELY_LISTENED_S = 4.0, 20.0  # than what played on hold, for so long
_SHORTEST_RETURN_S, _FAR_SOFTER_DB, _AS_SOFT_DB = 4.0, 15.0, 3.0  # of music that comes back after words
_LONG_SILENCE_S = 11.0
_LONGEST_HANDOVER_S, _BEFORE_RINGING_S = 6.0, 3.0
_INAUDIBLE_DBFS, _FADED_DB, _ABOVE_NOISE_DB, _FADED_S = (
    -55.0,
    20.0,
    4.8,
    0.3,
)  # the sum of noise and music 3 dB above it
_FAINT_DB, _FAINT_MUSIC_S = 19.0, 40.0
_SOFTER_DB, _LONGEST_LISTENING_S, _TALK_SHARE, _AROUND_S = 9.0, 15.0, 0.3, 12.0
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
        g = _without_talk_in_a_room(parts, group, level_dbfs)
        if not g:
            continue
        g = _without_strays(parts, g, level_dbfs)
        g = _from_music_to_music(parts, g)
        first, last = g[0], g[-1]
        music_s = sum(parts[i].length_s for i in g if parts[i].kind == "music")
        if music_s < SHORTEST_MUSIC_S or (music_s < 4 and len(g) == 1 and parts[first].odds < 0.8):
            continue
        if len(group) == 1 and _is_jingle(parts, group[0]):
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


def _without_strays(parts: list[Piece], group: list[int], level_dbfs: Floats) -> list[int]:
    """Leave out at either end what is near the music only through a stray sound: short, and softer or after words."""
    longest = max((parts[i] for i in group if parts[i].kind == "music"), key=lambda p: p.length_s, default=None)
    if longest is None or longest.length_s < 2 * _SHORTEST_RETURN_S:
        return group
    usual_db = loud_part_dbfs(longest, level_dbfs)
    for end in (-1, 0):
        while len(group) > 1:
            run = _run_at_end(parts, group, end)
            music = [parts[i] for i in run if parts[i].kind == "music"]
            if len(run) == len(group) or any(parts[i].repeated for i in run):
                break
            long_s = sum(p.length_s for p in music)
            loudest_db = max((loud_part_dbfs(p, level_dbfs) for p in music), default=-99.0)
            between = parts[run[-1] + 1 : group[len(run)]] if end == 0 else parts[group[-len(run) - 1] + 1 : run[0]]
            if any(p.repeated for p in between):
                break
            once = any(p.kind == "speech" for p in between) and not (end == 0 and _touching(between))
            others_db = [level_db - _AS_SOFT_DB for level_db in _lasting_dbfs(parts, group, run, level_dbfs)]
            softer = loudest_db < min([usual_db - _FAR_SOFTER_DB, *others_db]) and (
                long_s < LONGEST_STRAY_S or _in_the_background(parts, run, level_dbfs)
            )
            if not softer and (long_s >= _SHORTEST_RETURN_S or not once):
                break
            group = group[len(run) :] if end == 0 else group[: -len(run)]
        group = _without_noise_under_words(parts, group, end, usual_db - _FAR_SOFTER_DB, level_dbfs)
    while len(group) > 1 and _is_first_word(parts, group[-1]):
        parts[group[-1]].kind = "speech"
        group = group[:-1]
    return group


def _lasting_dbfs(parts: list[Piece], group: list[int], run: list[int], level_dbfs: Floats) -> list[float]:
    """Return how loud the longer pieces of music of a hold are, a run of it aside: some of its tracks may be soft."""
    music = [parts[i] for i in group if i not in run and parts[i].kind == "music"]
    return [loud_part_dbfs(p, level_dbfs) for p in music if p.length_s >= 2 * _SHORTEST_RETURN_S]


def _is_first_word(parts: list[Piece], i: int) -> bool:
    """Say whether a short doubtful sound after a pause, with words right after it, is rather the first of them."""
    p = parts[i]
    if p.kind != "music" or p.length_s > _LONGEST_WORD_S or p.odds > _WEAK_ODDS or i == 0:
        return False
    after = [q for q in parts[i + 1 : i + 3] if q.start_s - p.end_s < 1.0]
    words = next((q for q in after if q.kind == "speech"), None)
    paused = parts[i - 1].kind == "silence" and parts[i - 1].length_s >= _TRANSFER_S
    return paused and words is not None and not words.repeated


def _without_talk_in_a_room(parts: list[Piece], group: list[int], level_dbfs: Floats) -> list[int]:
    """Leave out at the end a talk with faint music in its room, which the hold's own music runs into."""
    music = [(i, loud_part_dbfs(parts[i], level_dbfs)) for i in group if parts[i].kind == "music"]
    lasts_s = {i: parts[i].length_s for i, _ in music}
    for i in range(group[0] + 1, group[-1]):
        if parts[i].kind != "speech" or parts[i].repeated:
            continue
        before, after = [level for j, level in music if j < i], [level for j, level in music if j > i]
        listened = max((s for j, s in lasts_s.items() if j < i), default=0.0) >= _SURELY_LISTENED_S
        softer = before and after and max(after) < float(np.median(before)) - _SOFTER_IN_A_ROOM_DB
        if (softer or not listened) and _talked_over(parts, [i, group[-1]], level_dbfs, 0.0):
            of_the_room = not listened and (not before or not after or max(before) < max(after) + _SOFTER_IN_A_ROOM_DB)
            return [] if of_the_room else [j for j in group if j < i]
    return group


def _without_noise_under_words(
    parts: list[Piece], group: list[int], end: int, limit_db: float, level_dbfs: Floats
) -> list[int]:
    """Leave out at one end words said once with noise in their pauses that was taken for music: far softer than it."""
    count, soft_s, words = 0, 0.0, False
    for i in group if end == 0 else reversed(group):
        p = parts[i]
        if p.kind == "music" and (loud_part_dbfs(p, level_dbfs) >= limit_db or soft_s + p.length_s > LONGEST_STRAY_S):
            break
        if p.kind == "speech" and p.repeated:
            break
        soft_s += p.length_s if p.kind == "music" else 0.0
        words = words or p.kind == "speech"
        count += 1
    if not words or soft_s == 0.0 or count == len(group):
        return group
    return group[count:] if end == 0 else group[:-count]


def _run_at_end(parts: list[Piece], group: list[int], end: int) -> list[int]:
    """Return the members at one end of a group that follow each other with at most a short silence between them."""
    run = [group[end]]
    for i in group[1:] if end == 0 else group[-2::-1]:
        between = parts[min(i, run[-1]) + 1 : max(i, run[-1])]
        if any(p.kind != "silence" or p.length_s > NOTE_PAUSE_S for p in between):
            break
        run.append(i)
    return sorted(run)


def _from_music_to_music(parts: list[Piece], group: list[int]) -> list[int]:
    """Leave out speech at either end that does not touch the music: there, noise was taken for music under it."""
    while len(group) > 1 and parts[group[0]].kind == "speech" and parts[group[0] + 1].kind != "music":
        group = group[1:]
    while len(group) > 1 and parts[group[-1]].kind == "speech" and parts[group[-1] - 1].kind != "music":
        group = group[:-1]
    return group


def _is_jingle(parts: list[Piece], i: int) -> bool:
    """Say whether a short sound is part of what is said.

    It comes right after words, or goes over into the call's first words, or into those of a talk after a hold: whoever
    put us on hold again would need a moment before they speak.
    """
    p = parts[i]
    before, after = parts[i - 1] if i else None, parts[i + 1] if i + 1 < len(parts) else None
    if p.kind != "music" or p.length_s >= _EFFECT_S:
        return False
    if before is not None and before.kind == "speech":
        return True
    if after is None or after.kind != "speech":
        return False
    if all(q.kind != "speech" for q in parts[:i]):
        return p.length_s < _JINGLE_S
    hold = next((k for k in range(i - 1, -1, -1) if parts[k].kind == "music" and parts[k].length_s >= _EFFECT_S), None)
    return hold is not None and any(q.kind == "speech" and not q.repeated for q in parts[hold:i])


def _weak(parts: list[Piece], group: list[int]) -> bool:
    """Say whether supposed music is rather the speech beside it, heard through a bad line."""
    total_s = sum(parts[i].length_s for i in group)
    odds = sum(parts[i].odds * parts[i].length_s for i in group) / total_s
    beside = [parts[k] for k in (group[0] - 1, group[-1] + 1) if 0 <= k < len(parts)]
    return odds < _WEAK_ODDS and any(p.kind == "speech" and not p.over_music for p in beside)


def _in_the_background(parts: list[Piece], group: list[int], level_dbfs: Floats) -> bool:
    """Say whether music is so far below the voices of the call that it plays in the room where they speak.

    Far softer is enough. Somewhat softer needs the manner of talk besides: words said once, close together, and music
    in no more than the pauses between them.
    """
    within = parts[group[0] : group[-1] + 1]
    music = [loud_part_dbfs(p, level_dbfs) for p in within if p.kind == "music"]
    clean = [loud_part_dbfs(p, level_dbfs) for p in parts if p.kind == "speech" and not p.over_music and p.length_s > 1]
    around_s = _AROUND_S if max((p.length_s for p in within if p.kind == "music"), default=0) < _AROUND_S / 2 else 0.0
    if not music:
        return False
    if clean:
        below_db = float(np.median(clean)) - max(music)
        if below_db > _FAINT_DB or (below_db > _FAINT_DB - 7 and max(parts[i].odds for i in group) < _WEAK_ODDS):
            return True
    return _talked_over(parts, group, level_dbfs, around_s)


def _talked_over(parts: list[Piece], group: list[int], level_dbfs: Floats, around_s: float) -> bool:
    """Say whether music is softer than words that were said once, close together, and fills only the pauses between."""
    within = parts[group[0] : group[-1] + 1]
    music = [p for p in within if p.kind == "music"]
    from_s, to_s = within[0].start_s - around_s, within[-1].end_s + around_s
    near = [p for p in parts if p.kind == "speech" and p.length_s > 0.6 and p.end_s > from_s and p.start_s < to_s]
    if not music or len(near) < 3 or any(p.repeated for p in near):
        return False
    words_db = float(np.median([loud_part_dbfs(p, level_dbfs) for p in near]))
    below_db = words_db - float(np.median([loud_part_dbfs(p, level_dbfs) for p in music]))
    talk = sum(p.length_s for p in near) / (max(to_s, near[-1].end_s) - min(from_s, near[0].start_s))
    longest_s = max(p.length_s for p in music)
    return below_db > _SOFTER_DB and longest_s < _LONGEST_LISTENING_S and talk > _TALK_SHARE


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
        return sum(pauses) <= _LONGEST_LULL_S
    new_s = sum(p.length_s for p in speech if not p.repeated)
    if any(p.repeated for p in speech) and new_s <= _STRAY_WORDS_S:
        return (max(pauses, default=0.0) if _heard_over_music(parts, speech) else sum(pauses)) <= _LONGEST_GAP_S
    total = sum(p.length_s for p in speech)
    if _touching(between) and max(pauses, default=0.0) <= _BREATH_S and total <= _LONGEST_MONOLOGUE_S:
        return True
    return total <= _LONGEST_INSERT_S and max(pauses, default=0.0) <= 1.5 and len(speech) <= 3


def _heard_over_music(parts: list[Piece], speech: list[Piece]) -> bool:
    """Say whether all of these words that are said again are elsewhere said over music: the same wait goes on."""
    in_music = {id(_first_said(p)) for p in parts if p.kind == "speech" and p.repeated and p.over_music}
    return all(id(_first_said(p)) in in_music for p in speech if p.repeated)


def _first_said(p: Piece) -> Piece:
    while p.repeat_of is not None:
        p = p.repeat_of
    return p


def _touching(between: list[Piece]) -> bool:
    """Say whether words begin as the music ends and end as it begins, which no person who takes a call can do."""
    first = next(i for i, p in enumerate(between) if p.kind == "speech")
    last = next(i for i, p in enumerate(reversed(between)) if p.kind == "speech")
    before_s = sum(p.length_s for p in between[:first])
    after_s = sum(p.length_s for p in between[len(between) - last :])
    return max(before_s, after_s) < TOUCHES_S or (before_s < 0.06 and after_s < _TURN_OF_PRESENTER_S)


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
    words, *after = [*parts[last + 1 : last + 4], None]
    if words is None or words.kind != "speech" or words.length_s > _LONGEST_HANDOVER_S:
        return last
    tone = next((p for p in after if p is not None and p.kind != "silence"), None)
    rings = tone is not None and tone.kind == "tone" and tone.label in (Label.RINGBACK, Label.BEEP)
    return last + 1 if rings and tone is not None and tone.start_s - words.end_s < _BEFORE_RINGING_S else last


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
