"""Beats of a drum kit, made from nothing: it is their even step that tells them from knocks that are no music."""

import numpy as np
from numpy.typing import NDArray

from bench.listener.sources import RATE_HZ


def beats(rng: np.random.Generator, length_s: float) -> NDArray[np.float32]:
    """Return one bar's pattern again and again, peak 1."""
    step_s = 60 / float(rng.uniform(70, 170)) / 4
    kit = [_blow(rng, *kind) for kind in ((50, 160, 0.0), (150, 400, 0.7), (300, 900, 1.0), (80, 500, 0.3))]
    shares = rng.uniform(0.1, 0.6, len(kit))
    pattern = rng.random((len(kit), 16)) < shares[:, None]
    pattern[0, ::8] = pattern[1, 4::8] = True
    out = np.zeros(int((length_s + 1) * RATE_HZ), np.float32)
    for step in range(int(length_s / step_s)):
        start = int(step * step_s * RATE_HZ)
        for blow, hits in zip(kit, pattern, strict=True):
            if hits[step % 16]:
                out[start : start + len(blow)] += blow * np.float32(rng.uniform(0.7, 1.0))
    out = out[: int(length_s * RATE_HZ)]
    return out / np.float32(np.abs(out).max() + 1e-6)


def _blow(rng: np.random.Generator, low_hz: float, high_hz: float, noisy: float) -> NDArray[np.float32]:
    t = np.arange(int(float(rng.uniform(0.06, 0.35)) * RATE_HZ)) / RATE_HZ
    hz = float(rng.uniform(low_hz, high_hz)) * (1 + float(rng.uniform(0, 2)) * np.exp(-t * 30))
    skin = np.sin(2 * np.pi * np.cumsum(hz) / RATE_HZ)
    rattle = rng.standard_normal(len(t)) * noisy
    fall = np.exp(-t * float(rng.uniform(8, 40)))
    return np.asarray((skin * (1 - noisy) + rattle) * fall * float(rng.uniform(0.3, 1)), np.float32)
