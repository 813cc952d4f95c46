"""Which speech is said again in the same call, word for word in the same voice, and therefore is a recording."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import uniform_filter1d

from probes.audio.frames import FRAME_S, Floats, from_half_db

STEP = 2  # frames: 40 ms
STEP_S = STEP * FRAME_S
_BANDS = slice(2, 22)
_WINDOW, _SHORTEST_S = round(2.4 / STEP_S), 1.2
_CLEAN, _OVER_MUSIC = 0.66, 0.54
_SLOW = 31  # steps: what does not change within them is not compared
_FLOOR_DB, _DEPTH_DB = -62.0, 34.0
_SAMPLED = 10  # steps
_BLOCK = 512  # steps
_HOP = _BLOCK - _WINDOW
_SHARE = 0.42  # of a stretch that must be said again: a number or a name in it may differ


@dataclass(frozen=True, slots=True)
class Match:
    """Speech stretch `first` holds the same words as `second`, `shift` steps later."""

    first: int
    second: int
    shift: int
    similarity: float
    start: int
    end: int


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
        self._floor_db = min(_FLOOR_DB, float(np.percentile(peaks, 90)) - _DEPTH_DB)  # lower on a faint line

    def __len__(self) -> int:
        return len(self._mel)

    def __getitem__(self, where: slice) -> Floats:
        first, last, _ = where.indices(len(self._mel))
        before = min(first, _SLOW // 2)
        near = self._mel[first - before : max(first, last) + _SLOW // 2]
        return fingerprint(from_half_db(near), self._floor_db)[before : before + max(0, last - first)]


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
    out = []
    for which in [len(usable) - 1] if newest_only else range(1, len(usable)):
        i, a, b, over = usable[which]
        if only is not None and i not in only:
            continue
        found = said.before(which, b - a, over)
        if found is not None:
            similarity, earlier, shift, offset, length = found
            out.append(Match(usable[earlier][0], i, shift, similarity, a + offset, a + offset + length))
    return out


class _Said:
    """All speech of a call laid end to end, ready to be searched."""

    def __init__(self, prints: Floats | Prints, usable: list[tuple[int, int, int, bool]]) -> None:
        width = prints[:0].shape[1]
        gap = np.zeros((30, width), np.float32)
        self._starts = [a for _, a, _, _ in usable]
        lengths = [b - a + len(gap) for _, a, b, _ in usable]
        self._places = [0, *np.cumsum(lengths).tolist()]
        self._owner = np.repeat(np.arange(len(usable), dtype=np.int32), lengths)
        self._all = np.concatenate([part for _, a, b, _ in usable for part in (prints[a:b], gap)])
        # correlation by overlapping blocks: a query is far shorter than all that was said
        count = len(self._all) // _HOP + 1
        padded = np.concatenate([self._all, np.zeros((count * _HOP + _BLOCK - len(self._all), width), np.float32)])
        blocks = np.lib.stride_tricks.sliding_window_view(padded, _BLOCK, axis=0)[::_HOP][:count]
        self._spectra = fft.rfft(blocks, axis=2)  # (block, band, bin)
        self._energy = np.concatenate([[0.0], np.cumsum((self._all**2).sum(axis=1), dtype=np.float64)])

    def before(self, which: int, length: int, over: bool) -> tuple[float, int, int, int, int] | None:
        """Return similarity, earlier stretch, shift, offset and length of what stretch `which` says again."""
        place = self._places[which]
        limit = (_OVER_MUSIC if over else _CLEAN) + (0.06 if length * STEP_S < 2 else 0)
        for offset in [0] if length <= _WINDOW else sorted({0, (length - _WINDOW) // 2, length - _WINDOW}):
            n = min(_WINDOW, length)
            score, at = self._search(place, offset, n)
            if score < limit or self._share(place, length, at - offset) < _SHARE:
                continue
            earlier = int(self._owner[at + n // 2])  # its middle: its first step may lie in the gap before it
            shift = (self._starts[which] + offset) - (self._starts[earlier] + at - self._places[earlier])
            return score, earlier, shift, offset, n
        return None

    def _search(self, place: int, offset: int, n: int) -> tuple[float, int]:
        """Return the best likeness of one window with what was said before `place`, and where."""
        query = self._all[place + offset : place + offset + n]
        last = place - n + 1
        if last <= 0:
            return 0.0, 0
        wanted = np.conj(fft.rfft(query.T, _BLOCK, axis=1))
        product = np.einsum("bck,ck->bk", self._spectra[: last // _HOP + 1], wanted)
        raw = fft.irfft(product, _BLOCK, axis=1)[:, :_HOP].ravel()[:last]
        own = float((query**2).sum())
        there = self._energy[n : place + 1] - self._energy[:last]
        score = raw / (np.sqrt(np.maximum(there, 0.25 * own) * own) + 1e-6)
        at = int(score.argmax())
        return float(score[at]), at

    def _share(self, place: int, length: int, at: int) -> float:
        """Return how much of a stretch is the same as what begins at `at`."""
        first = max(0, -at)
        now = self._all[place + first : place + length]
        then = self._all[at + first : at + length][: len(now)]
        alike = uniform_filter1d(np.einsum("ij,ij->i", now, then), 25)
        size = uniform_filter1d((now**2).sum(axis=1), 25) * uniform_filter1d((then**2).sum(axis=1), 25)
        return float(np.sum(alike > 0.45 * np.sqrt(size) + 1e-6)) / length
