"""What is said over music so loud that it drowns the words: the music's loop says what should be heard at each moment.

Where a tune comes again and again, its other rounds are known by heart. What differs from them for seconds is somebody
speaking: the music is turned down for it, and there is more in some bands than the music has. What is left in those
bands without the music is compared like any other speech.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter, uniform_filter1d

from probes.audio.calls import Piece
from probes.audio.heard import Heard, step_at
from probes.audio.holds import HoldSpan
from probes.audio.repeats import STEP_S, Prints, find_repeats
from probes.audio.spectra import Floats

Codes = NDArray[np.uint8]  # (n, bands): half decibels above -100 dB, of every 40 ms

_ROUNDS, _FEWEST_ROUNDS = 5, 3  # of the music that are compared; with the one itself
_AT_ONCE = round(3600 / STEP_S)  # steps
_BANDS = slice(2, 22)
_MOST_DB = 12.0
_USUAL = 9  # steps of which the usual one counts: what is lost for a moment does not
_DIFFERS_DB, _TIMES_USUAL, _MOST_OF_A_HOLD = 1.8, 2.5, 0.5
_MOMENT, _GAP = round(0.3 / STEP_S), round(0.8 / STEP_S)
_SHORTEST_S, _LONGEST_S, _LOUDER_DB = 1.5, 60.0, 0.5
_SOFT, _SOFT_FOR = 0.2, round(0.4 / STEP_S)  # share of the bands in which music alone is left; steps
_MORE_DB, _IN_BANDS, _SPOKEN_SHARE = 5, 3, 0.09
_BY_CHANCE, _BELOW_MUSIC_DB = 1.6, 3.0  # how much more power the music has now and then
_BY_THEMSELVES = 0.25
_ONE_TIME, _DROWNED = round(0.3 / STEP_S), round(4.0 / STEP_S)
_IN_STEP_S, _IN_STEP, _IN_STEP_SHARE = 1.0, 0.04, 0.5
_TOO_SOON_S, _TOO_SOON_SHARE = 10.0, 0.3
_SHORTEST_REST_S, _SURE = 1.0, 0.9


@dataclass(frozen=True, slots=True)
class Words:
    """Steps `start`..`end`-1 in which a hold does not sound as its music does, and what is left without the music."""

    start: int
    end: int
    left: Codes

    @property
    def length_s(self) -> float:
        """Length in seconds."""
        return (self.end - self.start) * STEP_S


def unlike_the_music(mel: Codes, music: NDArray[np.bool_], lag: float, floor_db: float) -> list[Words]:
    """Return where a hold differs from its own music for longer than a moment.

    Args:
        mel: (n, bands) of a hold.
        music: (n,) where nothing but music was heard so far.
        lag: after how many steps its music comes again.
        floor_db: what is below is not heard.

    Returns:
        What differs, in order; nothing when the music does not come again often enough to be known.
    """
    floor = np.uint8(min(255, max(0, round((floor_db + 100) * 2))))
    heard = np.maximum(mel, floor)
    expected, rounds = _by_heart(np.where(music[:, None], heard, np.uint8(0)), music, lag)
    differs_db = (heard[:, _BANDS].astype(np.float32) - expected[:, _BANDS]) / 2
    np.clip(differs_db, -_MOST_DB, _MOST_DB, out=differs_db)
    by_db = np.abs(differs_db).mean(axis=1)
    known = rounds >= np.where(music, _FEWEST_ROUNDS, _FEWEST_ROUNDS - 1)  # of words, that of others
    if known.sum() < _USUAL:
        return []
    smooth_db = median_filter(by_db, _USUAL, mode="nearest")  # what is lost for a moment does not count
    limit_db = max(_DIFFERS_DB, _TIMES_USUAL * float(np.median(smooth_db[known])))
    differs = known & (smooth_db > limit_db)
    if differs.sum() > _MOST_OF_A_HOLD * known.sum():
        return []
    out = []
    for a, b in _runs(differs):
        if not _SHORTEST_S <= (b - a) * STEP_S <= _LONGEST_S or _as_in_near_rounds(heard, a, b, lag, limit_db):
            continue
        soft_db = np.quantile(differs_db[a:b], _SOFT, axis=1)
        ducked_db = np.minimum(uniform_filter1d(soft_db, _SOFT_FOR), 0).astype(np.float32)
        ducked = expected[a:b] + 2 * ducked_db[:, None]
        if float(np.median(soft_db)) < _LOUDER_DB and _says_more(heard[a:b], np.maximum(ducked, floor)):
            out.append(Words(a, b, _without_music(mel[a:b], ducked)))
    return out


def _as_in_near_rounds(heard: Codes, a: int, b: int, lag: float, limit_db: float) -> bool:
    """Say whether a stretch is as it was in two of the nearest rounds: then it is the others that differ."""
    here, same = heard[a:b, _BANDS].astype(np.float32), 0
    for later in (round(times * lag) for times in (-2, -1, 1, 2)):
        if a + later >= 0 and b + later <= len(heard):
            there = heard[a + later : b + later, _BANDS]
            same += float(np.median(np.abs(here - there).mean(axis=1))) < 2 * limit_db
    return same >= 2


def _says_more(heard: Codes, music: Floats) -> bool:
    """Say whether there is more than the music, in several bands at once; music that is only softer has nothing."""
    more = heard[:, _BANDS] > music[:, _BANDS] + 2 * _MORE_DB
    return float((more.sum(axis=1) >= _IN_BANDS).mean()) >= _SPOKEN_SHARE


def _by_heart(mel: Codes, music: NDArray[np.bool_], lag: float) -> tuple[Codes, NDArray[np.uint8]]:
    """Return what the music has at each place, and in how many rounds it was heard there.

    The second highest of some rounds: where a message is, the music is mostly softer.
    """
    n = len(mel)
    highest, second, rounds = mel.copy(), np.zeros_like(mel), music.astype(np.uint8)
    for times in (k * sign for k in range(1, 2 * _ROUNDS) for sign in (1, -1)):
        later = round(times * lag)
        a, b = max(0, -later), min(n, n - later)
        if a >= b:
            continue
        wanted = music[a + later : b + later] & (rounds[a:b] <= _ROUNDS)
        there = np.where(wanted[:, None], mel[a + later : b + later], np.uint8(0))
        np.maximum(second[a:b], np.minimum(highest[a:b], there), out=second[a:b])
        np.maximum(highest[a:b], there, out=highest[a:b])
        rounds[a:b] += wanted
    return second, rounds


def _without_music(mel: Codes, music: Floats) -> Codes:
    """Return what a stretch has besides the music."""
    left = 10 ** (mel / np.float32(20)) - _BY_CHANCE * 10 ** (music / 20)
    least = np.median(music, axis=0) - 2 * _BELOW_MUSIC_DB
    codes = np.maximum(20 * np.log10(np.maximum(left, np.float32(1))), least)
    return np.asarray(np.clip(codes + 0.5, 0, 255), np.uint8)


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return where flags are set for more than a moment; short gaps are bridged."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]]))).reshape(-1, 2)
    out: list[tuple[int, int]] = []
    for a, b in edges[edges[:, 1] - edges[:, 0] >= _MOMENT].tolist():
        if out and a - out[-1][1] < _GAP:
            out[-1] = (out[-1][0], b)
        else:
            out.append((a, b))
    return out


def told_over_music(
    parts: list[Piece], spans: list[HoldSpan], loops: list[tuple[float, float] | None], frames: Heard
) -> list[Piece]:
    """Cut out what is said, more than once, over music that comes again.

    What was kept of it is replaced by what is left of it without the music.

    Returns:
        The pieces, of which none is marked as said again any more; the same list when nothing was found.
    """
    found: list[Words] = []
    for span, loop in zip(spans, loops, strict=True):
        if loop is not None:
            found += _hidden_in(parts[span.first : span.last + 1], loop[0], frames)
    said = _said_again(found, [loop[0] for loop in loops if loop is not None], frames)
    if all(_heard_s(parts, w, _is_not_known) < _SHORTEST_S for w in said):
        return parts
    for w in said:
        frames.mel[w.start : w.end] = w.left
        parts = _laid(parts, w)
    for p in parts:
        p.repeat_of, p.repeated, p.similarity, p.again_after_s = None, False, 1.0, 0.0
    return parts


def _hidden_in(inside: list[Piece], period_s: float, frames: Heard) -> list[Words]:
    """Return what may be hidden in a hold's music: nothing, when the music stops for its messages."""
    begin, end = step_at(inside[0].start_s), min(step_at(inside[-1].end_s), len(frames.mel))
    music = np.ones(end - begin, np.bool_)
    for p in inside:
        if p.kind == "speech":
            music[step_at(p.start_s) - begin : step_at(p.end_s) - begin] = False
    unlike: list[Words] = []
    for first in range(begin, end, _AT_ONCE):
        last = min(first + _AT_ONCE, end)
        mel, alone = frames.mel[first:last], music[first - begin : last - begin]
        words = unlike_the_music(mel, alone, period_s / STEP_S, frames.prints.floor_db)
        unlike += [replace(w, start=w.start + first, end=w.end + first) for w in words]
    hidden = [w for w in unlike if _heard_s(inside, w, _is_musical) > 0.5 * w.length_s]
    by_themselves_s = sum(p.length_s for p in inside if p.kind == "speech" and p.repeated and not p.over_music)
    return hidden if by_themselves_s < _BY_THEMSELVES * sum(w.length_s for w in hidden) else []


def _is_musical(p: Piece) -> bool:
    return p.kind == "music" or (p.kind == "speech" and p.over_music)


def _is_not_known(p: Piece) -> bool:
    return _is_musical(p) and not p.repeated


def _heard_s(parts: list[Piece], words: Words, counts: Callable[[Piece], bool]) -> float:
    """Return how much of a stretch lies in the pieces that count."""
    start_s, end_s = words.start * STEP_S, words.end * STEP_S
    return sum(max(0.0, min(p.end_s, end_s) - max(p.start_s, start_s)) for p in parts if counts(p))


def _said_again(found: list[Words], periods_s: list[float], frames: Heard) -> list[Words]:
    """Return what is said again as messages are: not in step with the music, nor all the time."""
    if not found:
        return []
    left = frames.mel.copy()
    for w in found:
        left[w.start : w.end] = w.left
    first, later = list(range(len(found))), [0] * len(found)
    for m in find_repeats(Prints(left), [(w.start, w.end, True) for w in found]):
        first[m.second], later[m.second] = first[m.first], later[m.first] + m.shift
    said: list[Words] = []
    for message in set(first):
        times = _parts_joined([(w, steps) for w, f, steps in zip(found, first, later, strict=True) if f == message])
        if len(times) > 1 and _come_as_messages(np.diff([w.start * STEP_S for w in times]), periods_s):
            said += times
    return sorted(said, key=lambda w: w.start)


def _parts_joined(times: list[tuple[Words, int]]) -> list[Words]:
    """Join what is said at one time, of which the music drowned the middle; each with how much later it is said."""
    out: list[tuple[Words, int]] = []
    for words, later in times:
        if out and abs(later - out[-1][1]) < _ONE_TIME and words.start - out[-1][0].end < _DROWNED:
            last = out[-1][0]
            nothing = np.repeat(words.left.min(axis=0, keepdims=True), max(0, words.start - last.end), axis=0)
            out[-1] = Words(last.start, words.end, np.concatenate([last.left, nothing, words.left])), later
        else:
            out.append((words, later))
    return [words for words, _ in out]


def _come_as_messages(gaps_s: NDArray[np.float64], periods_s: list[float]) -> bool:
    in_step = [np.abs(gaps_s - np.round(gaps_s / s) * s) < min(_IN_STEP_S, _IN_STEP * s) for s in periods_s]
    return (
        float(np.any(in_step, axis=0).mean()) <= _IN_STEP_SHARE
        and float((gaps_s < _TOO_SOON_S).mean()) <= _TOO_SOON_SHARE
    )


def _laid(parts: list[Piece], words: Words) -> list[Piece]:
    """Make music, and words that were heard over it, one piece of words from the start of a stretch to its end."""
    start_s, end_s = words.start * STEP_S, words.end * STEP_S
    cut: list[Piece] = []
    for p in parts:
        a_s, b_s = max(p.start_s, start_s), min(p.end_s, end_s)
        if b_s <= a_s or not _is_musical(p):
            cut.append(p)
            continue
        sides = [replace(p, end_s=a_s, why=[]), replace(p, start_s=b_s, why=[])]
        for side in sides:
            if side.length_s < _SHORTEST_REST_S:
                side.kind, side.over_music = "music", False  # it was as the music is
        cut += [sides[0], Piece(a_s, b_s, "speech", _SURE, over_music=True), sides[1]]
    out: list[Piece] = []
    for p in cut:
        last = out[-1] if out else None
        within = last is not None and last.start_s >= start_s - 1e-6 and p.end_s <= end_s + 1e-6
        if last is not None and last.kind == p.kind and (p.kind == "music" or (p.kind == "speech" and within)):
            last.end_s = p.end_s
        elif p.length_s > 1e-6:
            out.append(p)
    return out
