"""What lies near the music of a hold and is not of it: stray sounds, jingles, music in the room of a talk."""

import numpy as np

from probes.audio.calls import LONGEST_STRAY_S, NOTE_PAUSE_S, TOUCHES_S, Piece, loud_part_dbfs
from probes.audio.spectra import Floats

_WEAK_ODDS, _EFFECT_S, _JINGLE_S = 0.75, 16.0, 10.0
_TURN_OF_PRESENTER_S = 0.6  # from words that began with the end of the music to its beginning
_LONGEST_WORD_S, _TRANSFER_S = 2.5, 0.6
_SOFTER_IN_A_ROOM_DB, _SURELY_LISTENED_S = 4.0, 20.0  # than what played on hold, for so long
_SHORTEST_RETURN_S, _FAR_SOFTER_DB, _AS_SOFT_DB = 4.0, 15.0, 3.0  # of music that comes back after words
_FAINT_DB, _BEFORE_HOLD_S = 19.0, 0.3
_SOFTER_DB, _LONGEST_LISTENING_S, _TALK_SHARE, _AROUND_S = 9.0, 15.0, 0.3, 12.0


def without_strays(parts: list[Piece], group: list[int], level_dbfs: Floats) -> list[int]:
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
            once = any(p.kind == "speech" for p in between) and not (end == 0 and touching(between))
            others_db = [level_db - _AS_SOFT_DB for level_db in _lasting_dbfs(parts, group, run, level_dbfs)]
            softer = loudest_db < min([usual_db - _FAR_SOFTER_DB, *others_db]) and (
                long_s < LONGEST_STRAY_S or in_the_background(parts, run, level_dbfs)
            )
            sound = end == 0 and long_s < LONGEST_STRAY_S and _is_sound_in_a_talk(parts, run, between)
            if not softer and not sound and (long_s >= _SHORTEST_RETURN_S or not once):
                break
            group = group[len(run) :] if end == 0 else group[: -len(run)]
        group = _without_noise_under_words(parts, group, end, usual_db - _FAR_SOFTER_DB, level_dbfs)
    while len(group) > 1 and _is_first_word(parts, group[-1]):
        parts[group[-1]].kind = "speech"
        group = group[:-1]
    return group


def _is_sound_in_a_talk(parts: list[Piece], run: list[int], between: list[Piece]) -> bool:
    """Say whether words come before a sound, go on right after it, and pause before the music begins."""
    before = [p for p in parts[max(0, run[0] - 2) : run[0]] if p.kind == "speech"]
    said = [p for p in [*before, *between] if p.kind == "speech"]
    goes_on = between[0].kind == "speech" and between[-1].kind == "silence" and between[-1].length_s > _BEFORE_HOLD_S
    return bool(before) and goes_on and not any(p.repeated for p in said)


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


def without_talk_in_a_room(parts: list[Piece], group: list[int], level_dbfs: Floats) -> list[int]:
    """Leave out at the end a talk with faint music in its room, which the hold's own music runs into.

    Returns:
        What is left; nothing when what plays before the first words is already that room's.
    """
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


def from_music_to_music(parts: list[Piece], group: list[int]) -> list[int]:
    """Leave out speech at either end that does not touch the music: there, noise was taken for music under it."""
    while len(group) > 1 and parts[group[0]].kind == "speech" and parts[group[0] + 1].kind != "music":
        group = group[1:]
    while len(group) > 1 and parts[group[-1]].kind == "speech" and parts[group[-1] - 1].kind != "music":
        group = group[:-1]
    return group


def is_jingle(parts: list[Piece], i: int) -> bool:
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


def is_weak(parts: list[Piece], group: list[int]) -> bool:
    """Say whether supposed music is rather the speech beside it, heard through a bad line."""
    total_s = sum(parts[i].length_s for i in group)
    odds = sum(parts[i].odds * parts[i].length_s for i in group) / total_s
    beside = [parts[k] for k in (group[0] - 1, group[-1] + 1) if 0 <= k < len(parts)]
    return odds < _WEAK_ODDS and any(p.kind == "speech" and not p.over_music for p in beside)


def in_the_background(parts: list[Piece], group: list[int], level_dbfs: Floats) -> bool:
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


def touching(between: list[Piece]) -> bool:
    """Say whether words begin as the music ends and end as it begins, which no person who takes a call can do."""
    first = next(i for i, p in enumerate(between) if p.kind == "speech")
    last = next(i for i, p in enumerate(reversed(between)) if p.kind == "speech")
    before_s = sum(p.length_s for p in between[:first])
    after_s = sum(p.length_s for p in between[len(between) - last :])
    return max(before_s, after_s) < TOUCHES_S or (before_s < 0.06 and after_s < _TURN_OF_PRESENTER_S)
