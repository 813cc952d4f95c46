"""After how many seconds the sound of a hold repeats."""

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from probes.audio.frames import Floats
from probes.audio.repeats import STEP_S

_SHORTEST_S = 4.0
_WINDOW = round(2.0 / STEP_S)


def loop_s(prints: Floats, music: NDArray[np.bool_]) -> tuple[float, float] | None:
    """Return the wall-clock period of a hold's music and how well it fits (0..1); None when it does not repeat.

    A bar or a riff repeats too, sometimes sample for sample. The loop is the shortest lag at which nearly ALL of the
    music is like itself; a riff's lag fails wherever the tune moves on.

    Args:
        prints: (n, bands) fingerprint of the hold, every 40 ms.
        music: (n,) where music is heard without speech over it.
    """
    n = len(prints)
    if n * STEP_S < 2 * _SHORTEST_S or music.sum() * STEP_S < 2 * _SHORTEST_S:
        return None
    heard = prints * music[:, None]
    norm = np.sqrt((heard**2).sum(axis=1, keepdims=True))
    heard = heard / np.maximum(norm, 1e-3)
    size = int(fft.next_fast_len(2 * n, real=True))
    spectrum = fft.rfft(heard, size, axis=0)
    like = fft.irfft((spectrum.real**2 + spectrum.imag**2).sum(axis=1), size)[:n]
    seen = fft.rfft(music.astype(np.float32), size)
    pairs = np.maximum(fft.irfft(seen.real**2 + seen.imag**2, size)[:n], 1)
    score = np.where(pairs > 4 / STEP_S, like / pairs, 0)
    first, last = round(_SHORTEST_S / STEP_S), n - round(4 / STEP_S)
    if last <= first:
        return None
    top = np.flatnonzero((score == maximum_filter1d(score, 13)) & (score > 0.25))
    top = top[(top >= first) & (top < last)]
    if len(top) == 0:
        return None
    best = sorted(top[np.argsort(score[top])[::-1][:40]])
    judged = [(lag, *_everywhere(heard, music, int(lag))) for lag in best]
    good = max(low for _, low, _ in judged)
    if good < 0.35:
        return None
    for lag, low, mean in judged:
        if low >= 0.85 * good:
            return _exact(score, int(lag)) * STEP_S, min(1.0, mean)
    return None


def _everywhere(heard: Floats, music: NDArray[np.bool_], lag: int) -> tuple[float, float]:
    """Return how alike the music is to itself `lag` later at its worst places (a low quantile) and on average."""
    both = music[lag:] & music[:-lag]
    if both.sum() * STEP_S < 4:
        return 0.0, 0.0
    alike = np.einsum("ij,ij->i", heard[lag:], heard[:-lag])
    width = min(_WINDOW, len(alike))
    smooth = uniform_filter1d(alike * both, width) / np.maximum(uniform_filter1d(both.astype(np.float32), width), 0.3)
    values = smooth[both]
    return float(np.percentile(values, 8)), float(values.mean())


def _exact(score: NDArray[np.floating], lag: int) -> float:
    left, mid, right = float(score[lag - 1]), float(score[lag]), float(score[lag + 1])
    bend = left - 2 * mid + right
    return lag + (0.5 * (left - right) / bend if bend < 0 else 0.0)
