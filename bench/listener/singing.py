"""Sung voices, made from spoken clips: a vocoder stretches them and lays their pitch on a melody."""

import numpy as np
import pyworld
from numpy.typing import NDArray

from bench.listener.sources import RATE_HZ, Ints

_SCALES = ([0, 2, 4, 5, 7, 9, 11], [0, 2, 3, 5, 7, 8, 10], [0, 3, 5, 7, 10], [0, 2, 4, 7, 9])


def sing(clips: list[Ints], rng: np.random.Generator, length_s: float) -> NDArray[np.float32]:
    """Return about `length_s` of one voice singing the clips' words, peak 1."""
    parts, total = [], 0.0
    scale, root = _SCALES[int(rng.integers(len(_SCALES)))], float(rng.uniform(110, 330))
    beat_s = float(rng.uniform(0.25, 0.7))
    choir = rng.random() < 0.25
    while total < length_s:
        clip = clips[int(rng.integers(len(clips)))][: 6 * RATE_HZ].astype(np.float64) / 32768
        if len(clip) < RATE_HZ // 2:
            continue
        part = _sing_clip(clip, rng, scale, root, beat_s)
        if choir:
            second = _sing_clip(clip, rng, scale, root * float(rng.choice([0.5, 1.0, 1.5, 2.0])), beat_s)
            part = part + 0.7 * np.resize(second, len(part))
        parts += [part, np.zeros(int(rng.uniform(0, beat_s * 2) * RATE_HZ))]
        total += sum(map(len, parts[-2:])) / RATE_HZ
    y = np.concatenate(parts)
    if rng.random() < 0.5:  # a room or an echo
        delay = int(rng.uniform(0.03, 0.3) * RATE_HZ)
        for k in range(1, 4):
            y[delay * k :] += 0.5**k * y[: -delay * k]
    return np.asarray(y / (np.abs(y).max() + 1e-9), np.float32)


def _sing_clip(
    clip: NDArray[np.float64], rng: np.random.Generator, scale: list[int], root_hz: float, beat_s: float
) -> NDArray[np.float64]:
    f0, times = pyworld.dio(clip, RATE_HZ, f0_floor=80, f0_ceil=500)
    f0 = pyworld.stonemask(clip, f0, times, RATE_HZ)
    envelope = pyworld.cheaptrick(clip, f0, times, RATE_HZ, f0_floor=80)
    rough = pyworld.d4c(clip, f0, times, RATE_HZ)
    stretch = float(rng.uniform(1.2, 2.6))
    index = np.minimum((np.arange(int(len(f0) * stretch)) / stretch).astype(int), len(f0) - 1)
    step_s = 0.005
    notes, at, degree = np.zeros(len(index)), 0, int(rng.integers(len(scale)))
    while at < len(index):
        n = max(8, int(beat_s * float(rng.choice([0.5, 1, 1, 2])) / step_s))
        notes[at : at + n] = scale[degree % len(scale)] + 12 * (degree // len(scale))
        degree = int(np.clip(degree + rng.integers(-3, 4), -3, 9))
        at += n
    glide = int(rng.integers(3, 14))
    notes = np.convolve(np.pad(notes, glide, mode="edge"), np.ones(glide) / glide, mode="same")[
        glide : glide + len(index)
    ]
    vibrato = float(rng.uniform(0, 0.4)) * np.sin(
        2 * np.pi * float(rng.uniform(4.5, 6.5)) * np.arange(len(index)) * step_s
    )
    pitch = root_hz * 2 ** ((notes + vibrato) / 12)
    voiced = np.where(f0[index] > 0, pitch, 0.0)
    return np.asarray(pyworld.synthesize(voiced, envelope[index].copy(), rough[index].copy(), RATE_HZ))
