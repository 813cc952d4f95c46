"""Which speech is said again in the same call, word for word in the same voice, and therefore is a recording."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from probes.audio.frames import FRAME_S, from_half_db
from probes.audio.search import Search
from probes.audio.spectra import Floats

STEP = 2  # frames: 40 ms
STEP_S = STEP * FRAME_S
_BANDS = slice(2, 22)
_WINDOW, _SHORTEST_S = round(2.4 / STEP_S), 1.2
_CLEAN, _OVER_MUSIC = 0.66, 0.54
_SLOW = 31  # steps: what does not change within them is not compared
_FLOOR_DB, _DEPTH_DB = -62.0, 34.0
_SAMPLED = 10  # steps
_BLOCK = 512  # steps
_TOGETHER = 8  # stretches sought at once
_SEARCHED, _LONGEST, _PART = (
    1024,
    round(6.0 / STEP_S),
    8192,
)  # steps: blocks of a search, a pattern, what is searched at once
_AGAIN, _AGAIN_IF_SHORT, _LONG_S, _IN_MUSIC = 0.5, 0.56, 4.0, 0.75
_AROUND, _WIDE, _SAME_SONG = (round(-16 / STEP_S), round(16 / STEP_S)), round(4 / STEP_S), 0.4
_NO_MESSAGE_SO_SOON_S, _SOON_SHARE = 10.0, 0.3
_IN_TIME_S, _WITH_TUNE_SHARE = 0.3, 0.34
_SHARE = 0.42  # of a stretch that must be said again: a number or a name in it may differ
_LIKE_WORDS, _SHARE_OF_LIKE_WORDS = 0.8, 0.6  # below: like phrases in one voice, unless most is the same
_IF_SHORT = 0.1  # more alike
_SMOOTH, _SAME, _LEAST_RUN = 25, 0.45, 12  # steps; how alike the same is; steps


@dataclass(frozen=True, slots=True)
class Match:
    """Stretch `first` has the same words as `second`, `shift` steps later, the last of them at step `until`."""

    first: int
    second: int
    shift: int
    similarity: float
    start: int
    end: int
    until: int


def fingerprint(mel_db: Floats, floor_db: float = _FLOOR_DB) -> Floats:
    """Return what is compared: band levels every 40 ms, without what stays the same over a second or so.

    Args:
        mel_db: (n, BANDS) for every 40 ms.
        floor_db: what is below counts as this.
    """
    half = mel_db[:, _BANDS]
    half = np.maximum(half, half.max(axis=1, keepdims=True) - 45) if len(half) else half
    half = np.maximum(half, floor_db)
    half = half - uniform_filter1d(half, _SLOW, axis=0, mode="nearest")
    half = half - 0.5 * half.mean(axis=1, keepdims=True)
    return np.asarray(np.clip(half, -18, 18), dtype=np.float32)


class Prints:
    """The fingerprint of a whole call, worked out only where it is looked at, since it is large."""

    def __init__(self, mel: NDArray[np.uint8]) -> None:
        """`mel`: (n, BANDS), half decibels above -100 dB, for every 40 ms."""
        self._mel = mel
        peaks = mel[::_SAMPLED].max(axis=1) / 2 - 100.0 if len(mel) else np.zeros(1)
        self.floor_db = min(_FLOOR_DB, float(np.percentile(peaks, 90)) - _DEPTH_DB)  # lower on a faint line

    def __len__(self) -> int:
        return len(self._mel)

    def __getitem__(self, where: slice) -> Floats:
        first, last, _ = where.indices(len(self._mel))
        before = min(first, _SLOW // 2)
        near = self._mel[first - before : max(first, last) + _SLOW // 2]
        return fingerprint(from_half_db(near), self.floor_db)[before : before + max(0, last - first)]


def find_repeats(
    prints: Floats | Prints,
    speech: list[tuple[int, int, bool]],
    *,
    newest_only: bool = False,
    only: Collection[int] | None = None,
) -> list[Match]:
    """Compare every speech stretch with all that was said before it.

    Args:
        prints: (n, bands) of the whole call, every 40 ms.
        speech: start, end (in 40 ms steps) and whether music is under it, in order.
        newest_only: look only whether the last stretch was said before.
        only: look only whether these stretches were.

    Returns:
        For each stretch that was said before, its best match.
    """
    usable = [(i, a, b, over) for i, (a, b, over) in enumerate(speech) if (b - a) * STEP_S >= _SHORTEST_S]
    if len(usable) < 2:
        return []
    said = _Said(prints, usable)
    asked = [len(usable) - 1] if newest_only else range(1, len(usable))
    wanted = [which for which in asked if only is None or usable[which][0] in only]
    out = []
    for begin in range(0, len(wanted), _TOGETHER):
        some = wanted[begin : begin + _TOGETHER]
        again = said.before([(w, usable[w][2] - usable[w][1], usable[w][3]) for w in some])
        for which, found in zip(some, again, strict=True):
            if found is not None:
                similarity, earlier, shift, offset, length = found
                i, a, b = usable[which][:3]
                until = _same_until(prints, a, b, shift)
                out.append(Match(usable[earlier][0], i, shift, similarity, a + offset, a + offset + length, until))
    return out


def _alike(now: Floats, then: Floats) -> NDArray[np.bool_]:
    """Say for each step whether two stretches of one length are the same about there."""
    alike = uniform_filter1d(np.einsum("ij,ij->i", now, then), _SMOOTH)
    size = uniform_filter1d((now**2).sum(axis=1), _SMOOTH) * uniform_filter1d((then**2).sum(axis=1), _SMOOTH)
    return np.asarray(alike > _SAME * np.sqrt(size) + 1e-6)


def likeness(now: Floats, then: Floats) -> float:
    """Return how alike two stretches of one length are: 1 is the same, 0 nothing in common."""
    return float((now * then).sum() / (np.sqrt((now**2).sum() * (then**2).sum()) + 1e-6))


def _same_until(prints: Floats | Prints, start: int, end: int, shift: int) -> int:
    """Return the step at which a stretch stops being the same as what was heard `shift` steps before."""
    before = max(0, shift - start)  # of the stretch: what was not recorded yet that long ago
    then = prints[start + before - shift : end - shift]
    alike = _alike(prints[start + before : end], then).astype(np.int8)
    runs = np.flatnonzero(np.diff(np.concatenate([[0], alike, [0]]))).reshape(-1, 2)
    ends = runs[runs[:, 1] - runs[:, 0] >= _LEAST_RUN, 1]  # by chance some steps are always alike
    return start + before + int(ends[-1]) if len(ends) else end


@dataclass(frozen=True, slots=True)
class Place:
    """Where the words of pattern `which` are heard once more, in steps."""

    start: int
    end: int
    which: int
    similarity: float


def find_again(prints: Floats | Prints, patterns: list[tuple[int, int]], where: list[tuple[int, int]]) -> list[Place]:
    """Seek known messages where only music was heard: a loud tune hides that somebody speaks, not what is said.

    Args:
        prints: (n, bands) of the whole call, every 40 ms.
        patterns: start and end of what is known to be said.
        where: start and end of the music, in order.

    Returns:
        Places that do not overlap, in order; all but a few steps of each lie in music.
    """
    music = np.zeros(len(prints) + 1, np.bool_)
    for a, b in where:
        music[a:b] = True
    inside = np.concatenate([[0], np.cumsum(music)])
    wanted = [prints[a : min(b, a + _LONGEST)] for a, b in patterns]
    found: list[Place] = []
    for start in range(0, len(prints), _PART):
        until = [min(_PART, len(prints) - start - len(words) + 1) for words in wanted]
        if inside[min(start + _PART + _LONGEST, len(prints))] - inside[start] < _IN_MUSIC * min(map(len, wanted)):
            continue
        search = Search(prints[start : start + _PART + _LONGEST], _LONGEST, _SEARCHED)
        for which, likeness in enumerate(search.likeness(wanted, until)):
            length = len(wanted[which])
            at = start + np.arange(len(likeness))
            likeness[inside[at + length] - inside[at] < _IN_MUSIC * length] = 0
            limit = _AGAIN if length * STEP_S >= _LONG_S else _AGAIN_IF_SHORT
            while len(likeness) and (best := int(likeness.argmax())) >= 0 and likeness[best] >= limit:
                found.append(Place(start + best, start + best + length, which, float(likeness[best])))
                likeness[max(0, best - length) : best + length] = 0
    kept: list[Place] = []
    for place in sorted(found, key=lambda p: -p.similarity * (p.end - p.start) ** 0.5):
        if all(place.end <= k.start or place.start >= k.end for k in kept):
            kept.append(place)
    return sorted(kept, key=lambda p: p.start)


def same_song(prints: Floats | Prints, one: int, other: int) -> bool:
    """Say whether the music long before and long after two places is alike as well: then what is alike is sung."""
    told = []
    for away in _AROUND:
        first, second = one + away, other + away
        a, b = prints[max(0, first) : max(0, first + _WIDE)], prints[max(0, second) : max(0, second + _WIDE)]
        if min(first, second) >= 0 and len(a) == len(b) == _WIDE:
            told.append(likeness(a, b) > _SAME_SONG)
    return bool(told) and all(told)


def comes_as_a_message(starts_s: list[float], periods_s: list[float]) -> bool:
    """Say whether something is played again as messages are, and not as a bar or a chorus comes again in a tune.

    Args:
        starts_s: when it was heard, in order.
        periods_s: after how long the music of each hold comes again.
    """
    gaps_s = np.diff(starts_s)
    if len(gaps_s) == 0 or float((gaps_s < _NO_MESSAGE_SO_SOON_S).mean()) > _SOON_SHARE:
        return False
    apart_s = np.abs(np.subtract.outer(starts_s, starts_s))
    with_the_tune = np.zeros(len(starts_s), np.bool_)
    for period_s in periods_s:
        rounds = np.round(apart_s / period_s)
        with_the_tune |= ((rounds > 0) & (np.abs(apart_s - rounds * period_s) < _IN_TIME_S)).any(axis=1)
    return float(with_the_tune.mean()) <= _WITH_TUNE_SHARE


class _Said:
    """All speech of a call laid end to end, ready to be searched."""

    def __init__(self, prints: Floats | Prints, usable: list[tuple[int, int, int, bool]]) -> None:
        gap = np.zeros((30, prints[:0].shape[1]), np.float32)
        self._starts = [a for _, a, _, _ in usable]
        lengths = [b - a + len(gap) for _, a, b, _ in usable]
        self._places = [0, *np.cumsum(lengths).tolist()]
        self._owner = np.repeat(np.arange(len(usable), dtype=np.int32), lengths)
        self._all = np.concatenate([part for _, a, b, _ in usable for part in (prints[a:b], gap)])
        self._search = Search(self._all, _WINDOW, _BLOCK)

    def before(self, stretches: list[tuple[int, int, bool]]) -> Iterator[tuple[float, int, int, int, int] | None]:
        """Return similarity, earlier stretch, shift, offset and length of what each stretch says again.

        Args:
            stretches: which one, its length, and whether music is under it.
        """
        wanted = [(which, offset, n) for which, n, _ in stretches for offset in _offsets(n)]
        windows, until = [], []
        for which, offset, length in wanted:
            n, first = min(_WINDOW, length), self._places[which] + offset
            windows.append(self._all[first : first + n])
            until.append(self._places[which] - n + 1)
        best = dict(zip(wanted, self._search.best(windows, until), strict=True))
        for which, length, over in stretches:
            yield self._said_again(which, length, over, best)

    def _said_again(
        self, which: int, length: int, over: bool, best: dict[tuple[int, int, int], tuple[float, int]]
    ) -> tuple[float, int, int, int, int] | None:
        place, n = self._places[which], min(_WINDOW, length)
        limit = (_OVER_MUSIC if over else _CLEAN) + (_IF_SHORT if length * STEP_S < 2 else 0)
        for offset in _offsets(length):
            score, at = best[which, offset, length]
            if score < limit:
                continue
            same = self._same(place, length, at - offset)
            least = _SHARE if over or score >= _LIKE_WORDS or same[:_SMOOTH].all() else _SHARE_OF_LIKE_WORDS
            if float(same.sum()) / length < least:
                continue
            earlier = int(self._owner[at + n // 2])  # its middle: its first step may lie in the gap before it
            shift = (self._starts[which] + offset) - (self._starts[earlier] + at - self._places[earlier])
            return score, earlier, shift, offset, n
        return None

    def _same(self, place: int, length: int, at: int) -> NDArray[np.bool_]:
        """Say for each step of a stretch whether it is the same as what begins at `at`."""
        first = max(0, -at)
        now = self._all[place + first : place + length]
        then = self._all[at + first : at + length][: len(now)]
        return _alike(now, then)


def _offsets(length: int) -> list[int]:
    """Return where the windows of a stretch begin that are sought in what was said before."""
    return [0] if length <= _WINDOW else sorted({0, (length - _WINDOW) // 2, length - _WINDOW})
