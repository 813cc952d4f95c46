"""After how many seconds the sound of a hold repeats."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import maximum_filter1d

from probes.audio.frames import Floats
from probes.audio.repeats import STEP_S

_SHORTEST_S = 4.0
_WINDOW, _HOP = round(5.0 / STEP_S), round(1.0 / STEP_S)
_NEAR = 12  # steps on both sides in which another lag might fit better
_FEW = 35  # windows
_LEAST_LIKE, _LEAST_LIKE_OF_FEW, _LEAST_SHARP = 0.35, 0.82, 0.85
_LEAST_EVEN, _LEAST_EVEN_IF_CLEAN = 0.6, 0.88
_LEAST_TIMES = 1.59  # how often it must be heard to be called a loop


@dataclass(frozen=True, slots=True)
class _Fit:
    """How well the music is like itself one lag later, in stretches of 5 s."""

    lag: float  # steps
    low: float  # likeness at the worst tenth of the stretches
    middle: float
    mean: float
    compared: float  # share of the time after the first period in which there is music at both places

    @property
    def even(self) -> float:
        """How near its worst stretches come to the usual ones."""
        return self.low / max(self.middle, 1e-6)


def loop_s(prints: Floats, music: NDArray[np.bool_]) -> tuple[float, float] | None:
    """Return the wall-clock period of a hold's music and how well it fits (0..1); None when it does not repeat.

    A bar or a riff repeats too, sometimes sample for sample. The loop is the shortest lag at which nearly ALL of the
    music is like itself; a riff's lag fails wherever the tune moves on. Codecs and losses lower all likeness, so what
    counts is that it is even and, in each stretch, highest at this very lag.

    Args:
        prints: (n, bands) fingerprint of the hold, every 40 ms.
        music: (n,) where music is heard without speech over it.
    """
    heard = _levelled(prints, music)
    fits = [
        fit
        for lag, compared in candidates(heard, music)
        if lag * _LEAST_TIMES <= len(prints) and compared > 0.12
        if (fit := _fit(heard, music, lag, compared)) is not None
    ]
    most, lowest = (max((getattr(f, name) for f in fits), default=0.0) for name in ("mean", "low"))
    fits = [f for f in fits if f.mean >= 0.8 * most and f.low >= 0.6 * lowest]
    if not fits:
        return None
    evenest = max(f.even for f in fits)
    fits = [f for f in fits if f.even >= 0.88 * evenest]
    # where messages interrupt the music and start it anew, the true period brings message onto message as well, and is
    # no multiple of the riff that fits within each part
    filled, riff = float(music.mean()), fits[0]
    for fit in fits:
        strays = abs(fit.lag / riff.lag - round(fit.lag / riff.lag)) * riff.lag * STEP_S
        if filled < 0.93 and strays > 0.1 and fit.compared > 0.6 * filled + 0.4 * filled**2:
            return fit.lag * STEP_S, min(1.0, fit.mean)
    return riff.lag * STEP_S, min(1.0, riff.mean)


def _levelled(prints: Floats, music: NDArray[np.bool_]) -> Floats:
    heard = prints * music[:, None]
    norm = np.sqrt((heard**2).sum(axis=1, keepdims=True))
    return np.asarray(heard / np.maximum(norm, 1e-3), np.float32)


def _fit(heard: Floats, music: NDArray[np.bool_], lag: float, compared: float) -> _Fit | None:
    """Return how a lag fits; None when it is not the music's own."""
    whole = round(lag)
    n = len(heard) - whole - _NEAR - 1
    if n < _WINDOW or whole <= _NEAR:
        return None
    both = music[:n] & music[whole : whole + n]
    starts = np.arange(0, n - _WINDOW + 1, _HOP)
    starts = starts[_sums(both, starts) > 0.6 * _WINDOW]
    if len(starts) < 3:
        return None
    size = np.sqrt(
        _sums(both * _energy(heard[:n]), starts) * _sums(both * _energy(heard[whole : whole + n]), starts) + 1e-6
    )

    def likeness(at: int) -> NDArray[np.float64]:
        alike = np.einsum("ij,ij->i", heard[:n], heard[at : at + n])
        return np.asarray(_sums(both * alike, starts) / size)

    here = likeness(whole)
    low, middle = (float(v) for v in np.percentile(here, [10, 50]))
    clean = min(1.0, max(0.0, (middle - 0.7) / 0.2))  # on a clean line a loop is exact everywhere
    if low < (_LEAST_LIKE if len(starts) >= _FEW else _LEAST_LIKE_OF_FEW):
        return None
    if low < (_LEAST_EVEN + (_LEAST_EVEN_IF_CLEAN - _LEAST_EVEN) * clean) * middle:
        return None
    beside = np.max([likeness(whole + d) for d in range(-_NEAR, _NEAR + 1) if abs(d) > 1], axis=0)
    if float(np.mean(np.maximum(here, np.maximum(likeness(whole - 1), likeness(whole + 1))) >= beside)) < _LEAST_SHARP:
        return None
    return _Fit(lag, low, middle, float(here.mean()), compared)


def _energy(rows: Floats) -> Floats:
    return np.asarray(np.einsum("ij,ij->i", rows, rows), np.float32)


def _sums(values: NDArray[Any], starts: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the sums over a window from each start on."""
    total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    return np.asarray(total[starts + _WINDOW] - total[starts])


def candidates(heard: Floats, music: NDArray[np.bool_]) -> list[tuple[float, float]]:
    """Return lags in steps, shortest first, and the share of the time that is compared."""
    n = len(heard)
    if n * STEP_S < 2 * _SHORTEST_S or music.sum() * STEP_S < 2 * _SHORTEST_S:
        return []
    size = int(fft.next_fast_len(2 * n, real=True))
    power = np.zeros(size // 2 + 1, np.float32)
    for band in heard.T:  # one after the other: all at once would take eight times the memory
        spectrum = fft.rfft(band, size)
        power += spectrum.real**2 + spectrum.imag**2
    like = fft.irfft(power, size)[:n]
    seen = fft.rfft(music.astype(np.float32), size)
    pairs = np.maximum(fft.irfft(seen.real**2 + seen.imag**2, size)[:n], 1)
    score = np.where(pairs > 4 / STEP_S, like / pairs, 0)
    first, last = round(_SHORTEST_S / STEP_S), n - round(4 / STEP_S)
    if last <= first:
        return []
    top = np.flatnonzero((score == maximum_filter1d(score, 13)) & (score > 0.25))
    top = top[(top >= first) & (top < last)]
    best = sorted(top[np.argsort(score[top])[::-1][:40]])
    return [(_exact(score, int(lag)), float(pairs[lag] / max(1, n - lag))) for lag in best]


def _exact(score: NDArray[np.floating], lag: int) -> float:
    left, mid, right = float(score[lag - 1]), float(score[lag]), float(score[lag + 1])
    bend = left - 2 * mid + right
    return lag + (0.5 * (left - right) / bend if bend < 0 else 0.0)
