"""Loud sounds that are neither music nor words: recorded ones in a row, and cries and knocks made from nothing.

In a call they are dogs, children, laughter, coughing, tools, engines, rain: somebody's room, and never a hold.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from bench.listener.sources import RATE_HZ, Ints

Floats = NDArray[np.float32]

_EVEN_DB = 8.0  # a sound whose loudness varies by less is as even as a line's own noise may be


def recorded(sounds: dict[str, list[Ints]], rng: np.random.Generator, length_s: float) -> Floats:
    """Return about `length_s` of one sound or of several of a kind in a row, peak 1."""
    clips = sounds[sorted(sounds)[int(rng.integers(len(sounds)))]]
    start = int(rng.integers(len(clips)))
    alike = clips[start : start + int(rng.choice([1, 3, 8]))]  # clips that follow each other are of one kind
    pitch, pause_s = float(rng.uniform(0.75, 1.35)), float(rng.choice([0.0, 0.15, 0.7]))
    parts: list[Floats] = []
    total = 0
    while total < length_s * RATE_HZ:
        clip = alike[int(rng.integers(len(alike)))].astype(np.float32) / 32768
        clip = signal.resample_poly(clip, 100, round(100 * pitch * rng.uniform(0.94, 1.06))).astype(np.float32)
        clip = clip / np.float32(np.abs(clip).max() + 1e-6) * np.float32(10 ** (rng.uniform(-6, 0) / 20))
        parts.append(np.concatenate([clip, np.zeros(int(rng.uniform(0, pause_s) * RATE_HZ), np.float32)]))
        total += len(parts[-1])
        if rng.random() < 0.1:
            break
    return _joined(parts, rng)[: int(length_s * RATE_HZ)]


def _joined(parts: list[Floats], rng: np.random.Generator) -> Floats:
    """Lay them end to end; each begins up to 0.3 s before the end of the last where that is long enough."""
    out = parts[0]
    for part in parts[1:]:
        over = min(int(rng.choice([80, 800, 2400])), len(out) // 3, len(part) // 3)
        down = np.linspace(1, 0, over, dtype=np.float32)
        out = np.concatenate(
            [out[: len(out) - over], out[len(out) - over :] * down + part[:over] * down[::-1], part[over:]]
        )
    return out


def cries(rng: np.random.Generator, length_s: float, longest_s: float = 1.4) -> Floats:
    """Return barks, growls, screams or laughter of one throat: gliding pitch, rough or breathy, no steps of a scale."""
    low_hz = float(np.exp(rng.uniform(np.log(60), np.log(1100))))
    burst_s, pause_s = float(np.exp(rng.uniform(np.log(0.07), np.log(longest_s)))), float(rng.choice([0.04, 0.2, 0.8]))
    throat = [(float(rng.uniform(250, 1200)), 0.3), (float(rng.uniform(900, 2600)), 0.2)]
    breath, rough = float(rng.uniform(0, 1) ** 2), float(rng.uniform(0, 1))
    parts, total = [], 0.0
    while total < length_s:
        seconds = burst_s * float(rng.uniform(0.5, 1.8))
        parts += [_cry(rng, seconds, low_hz * float(rng.uniform(0.7, 1.5)), throat, breath, rough)]
        parts += [np.zeros(int(rng.uniform(0.2, 1.8) * pause_s * RATE_HZ))]
        total += sum(map(len, parts[-2:])) / RATE_HZ
    y = np.concatenate(parts)
    return np.asarray(y / (np.abs(y).max() + 1e-9), np.float32)


def _cry(
    rng: np.random.Generator,
    seconds: float,
    low_hz: float,
    throat: list[tuple[float, float]],
    breath: float,
    rough: float,
) -> NDArray[np.float64]:
    n = max(400, int(seconds * RATE_HZ))
    knots = int(max(2, seconds / rng.uniform(0.06, 0.4))) + 1
    octaves = np.interp(
        np.linspace(0, 1, n), np.linspace(0, 1, knots), np.cumsum(rng.normal(0, 0.35, knots)).clip(-1, 2)
    )
    jitter = signal.lfilter([0.02], [1, -0.98], rng.standard_normal(n)) * rough * 0.6
    phase = np.cumsum(low_hz * 2 ** (octaves + jitter) / RATE_HZ)
    voice = signal.sawtooth(2 * np.pi * phase, 0.15) + rough * signal.sawtooth(np.pi * phase, 0.2)
    y = (1 - breath) * voice + breath * 2 * rng.standard_normal(n)
    for hz, width in throat:
        pole = signal.iirpeak(hz * float(rng.uniform(0.85, 1.2)), 1 / width, fs=RATE_HZ)
        y = y * 0.4 + signal.lfilter(*pole, y) * 2
    shake_hz = float(rng.uniform(12, 60))
    y = y * (1 + rough * np.sin(2 * np.pi * shake_hz * np.arange(n) / RATE_HZ + 6 * rng.random()))
    rise, fall = int(rng.uniform(0.02, 0.4) * n), int(rng.uniform(0.1, 0.5) * n)
    y[:rise] *= np.linspace(0, 1, rise)
    y[-fall:] *= np.linspace(1, 0, fall) ** float(rng.uniform(0.7, 2))
    return np.asarray(y * 10 ** (rng.uniform(-8, 0) / 20))


def knocks(rng: np.random.Generator, length_s: float) -> Floats:
    """Return blows on wood, doors or metal in groups: no two pauses between them are alike, as a drum's would be."""
    out = np.zeros(int((length_s + 1) * RATE_HZ), np.float32)
    body = [(float(np.exp(rng.uniform(np.log(90), np.log(2500)))), float(rng.uniform(15, 120))) for _ in range(4)]
    rattle, pause_s = float(rng.uniform(0.1, 1.0)), float(np.exp(rng.uniform(np.log(0.08), np.log(0.6))))
    at_s = 0.0
    while at_s < length_s:
        t = np.arange(int(0.3 * RATE_HZ)) / RATE_HZ
        blow = rattle * rng.standard_normal(len(t)) * np.exp(-t * float(rng.uniform(40, 200)))
        for hz, fall in body:
            blow += np.sin(2 * np.pi * hz * float(rng.uniform(0.97, 1.03)) * t) * np.exp(-t * fall) * rng.uniform(0, 1)
        start = int(at_s * RATE_HZ)
        out[start : start + len(t)] += (blow * 10 ** (rng.uniform(-10, 0) / 20)).astype(np.float32)[: len(out) - start]
        at_s += pause_s * float(np.exp(rng.normal(0, 0.5))) + (float(rng.uniform(0.3, 2)) if rng.random() < 0.15 else 0)
    out = out[: int(length_s * RATE_HZ)]
    return out / np.float32(np.abs(out).max() + 1e-6)


def is_even(x: Floats) -> bool:
    """Say whether it is as steady as noise: then nobody could tell it from a loud line."""
    frames = x[: len(x) // 160 * 160].reshape(-1, 160)
    loudness_db = 10 * np.log10((frames.astype(np.float64) ** 2).mean(axis=1) + 1e-8)
    return bool(np.percentile(loudness_db, 90) - np.percentile(loudness_db, 10) < _EVEN_DB)
