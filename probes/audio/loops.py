"""After how many seconds the sound of a hold repeats."""

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from probes.audio.frames import Floats
from probes.audio.repeats import STEP_S

_SHORTEST_S = 4.0
_WINDOW = round(2.0 / STEP_S)
_LEAST_TIMES = 1.59  # how often it must be heard to be called a loop


def loop_s(prints: Floats, music: NDArray[np.bool_]) -> tuple[float, float] | None:
    """Return the wall-clock period of a hold's music and how well it fits (0..1); None when it does not repeat.

    A bar or a riff repeats too, sometimes sample for sample. The loop is the shortest lag at which nearly ALL of the
    music is like itself; a riff's lag fails wherever the tune moves on.

    Args:
        prints: (n, bands) fingerprint of the hold, every 40 ms.
        music: (n,) where music is heard without speech over it.
    """
    fits = [
        (lag, low, mean, compared)
        for lag, low, mean, compared in candidates(prints, music)
        if low >= 0.66 and low >= 0.845 * mean and lag * _LEAST_TIMES <= len(prints) and compared > 0.12
    ]
    good = max((low for _, low, _, _ in fits), default=0.0)
    fits = [f for f in fits if f[1] >= 0.85 * good]
    if not fits:
        return None
    # where messages interrupt the music and start it anew, the true period brings message onto message as well, and is
    # no multiple of the riff that fits within each part
    filled, riff = float(music.mean()), fits[0][0]
    for lag, _, mean, compared in fits:
        strays = abs(lag / riff - round(lag / riff)) * riff * STEP_S
        if filled < 0.93 and strays > 0.1 and compared > 0.6 * filled + 0.4 * filled**2:
            return lag * STEP_S, min(1.0, mean)
    return riff * STEP_S, min(1.0, fits[0][2])


def candidates(prints: Floats, music: NDArray[np.bool_]) -> list[tuple[float, float, float, float]]:
    """Return lags in steps, shortest first, with likeness at the worst places and on average, and share compared."""
    n = len(prints)
    if n * STEP_S < 2 * _SHORTEST_S or music.sum() * STEP_S < 2 * _SHORTEST_S:
        return []
    heard = prints * music[:, None]
    norm = np.sqrt((heard**2).sum(axis=1, keepdims=True))
    heard = heard / np.maximum(norm, 1e-3)
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
    out = []
    for top_lag in best:
        lag = _exact(score, int(top_lag))
        out.append((lag, *_everywhere(heard, music, lag), float(pairs[top_lag] / max(1, n - top_lag))))
    return out


def _everywhere(heard: Floats, music: NDArray[np.bool_], lag: float) -> tuple[float, float]:
    """Return how alike the music is to itself `lag` later at its worst places (a low quantile) and on average."""
    whole = int(lag)
    part = np.float32(lag - whole)
    n = len(heard) - whole - 1
    both = music[whole : whole + n] & music[whole + 1 : whole + 1 + n] & music[:n]
    if both.sum() * STEP_S < 4:
        return 0.0, 0.0
    # the true lag lies between two steps: compare with what would have been seen there
    later = (1 - part) * heard[whole : whole + n] + part * heard[whole + 1 : whole + 1 + n]
    size = np.sqrt(np.einsum("ij,ij->i", later, later))
    alike = np.einsum("ij,ij->i", later, heard[:n]) / np.maximum(size, 1e-3)
    width = min(_WINDOW, n)
    smooth = uniform_filter1d(alike * both, width) / np.maximum(uniform_filter1d(both.astype(np.float32), width), 0.3)
    values = smooth[both]
    return float(np.percentile(values, 8)), float(values.mean())


def _exact(score: NDArray[np.floating], lag: int) -> float:
    left, mid, right = float(score[lag - 1]), float(score[lag]), float(score[lag + 1])
    bend = left - 2 * mid + right
    return lag + (0.5 * (left - right) / bend if bend < 0 else 0.0)
