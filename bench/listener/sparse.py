"""Music of few notes, made from nothing: held chords that swell, plucked strings and bells that die away slowly.

Most of its time is quiet, and a held high note is as steady as a telephone's tone; what was recorded has little of it.
"""

import numpy as np
from numpy.typing import NDArray

from bench.listener.sources import RATE_HZ

Floats = NDArray[np.float32]

_SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 3, 5, 7, 10), (0, 2, 4, 7, 9))
_CHORDS = ((0,), (0,), (0, 4), (0, 2, 4), (0, 7), (0, 2, 4, 6))  # steps of a scale


def sparse(rng: np.random.Generator, length_s: float) -> Floats:
    """Return held or plucked notes of one scale, peak 1."""
    scale, root_hz = _SCALES[int(rng.integers(len(_SCALES)))], float(np.exp(rng.uniform(np.log(90), np.log(700))))
    held, bells = bool(rng.random() < 0.45), bool(rng.random() < 0.3)
    every_s = float(np.exp(rng.uniform(np.log(0.4), np.log(6))))
    lasts_s = every_s * float(rng.uniform(0.8, 1.6)) if held else float(np.exp(rng.uniform(np.log(0.5), np.log(6))))
    partials = _partials(rng, bells)
    out = np.zeros(int((length_s + 1) * RATE_HZ), np.float32)
    at_s, degree = 0.0, int(rng.integers(8))
    while at_s < length_s:
        degree = int(np.clip(degree + rng.integers(-3, 4), 0, 14))
        for step in _CHORDS[int(rng.integers(len(_CHORDS)))]:
            octave, place = divmod(degree + step, len(scale))
            note = _note(rng, root_hz * 2 ** (octave + scale[place] / 12), lasts_s, partials, held)
            start = int(at_s * RATE_HZ)
            out[start : start + len(note)] += note[: len(out) - start] * np.float32(10 ** (rng.uniform(-9, 0) / 20))
        at_s += every_s * float(rng.choice([0.5, 1, 1, 1, 2])) * float(rng.uniform(0.97, 1.03))
    out = out[: int(length_s * RATE_HZ)]
    return out / np.float32(np.abs(out).max() + 1e-6)


def _partials(rng: np.random.Generator, bells: bool) -> list[tuple[float, float]]:
    """How many times the note's pitch each part of it has, and how strong it is."""
    fall_db = float(rng.uniform(3, 14))
    if bells:
        return [(float(rng.uniform(0.98, 1.02) * k), 10 ** (-fall_db * i / 20)) for i, k in enumerate((1, 2.76, 5.4))]
    return [(k, 10 ** (-fall_db * np.log2(k) / 20) * float(rng.uniform(0.2, 1))) for k in range(1, 9)]


def _note(
    rng: np.random.Generator, hz: float, lasts_s: float, partials: list[tuple[float, float]], held: bool
) -> Floats:
    t = np.arange(int(lasts_s * RATE_HZ)) / RATE_HZ
    vibrato = float(rng.choice([0, 0.001, 0.004])) * np.sin(2 * np.pi * float(rng.uniform(3, 7)) * t) / 5
    beat_hz = float(rng.uniform(0.1, 2.5))  # of two strings that are not quite in tune
    y = np.zeros(len(t))
    for ratio, share in partials:
        if hz * ratio > 0.46 * RATE_HZ:
            continue
        turns = hz * ratio * (t + vibrato) + float(rng.random())
        y += share * (np.sin(2 * np.pi * turns) + 0.4 * np.sin(2 * np.pi * (turns + beat_hz * ratio * t)))
    if held:
        swell = np.minimum(1, t / (float(rng.uniform(0.02, 0.5)) * lasts_s))
        fade = np.minimum(1, (lasts_s - t) / (float(rng.uniform(0.1, 0.6)) * lasts_s))
        return np.asarray(y * swell * fade, np.float32)
    fall = np.exp(-t * float(rng.uniform(3, 7)) / lasts_s) * np.minimum(1, t / 0.004)
    return np.asarray(y * fall * np.minimum(1, (lasts_s - t) / 0.05), np.float32)
