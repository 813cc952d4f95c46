"""Singing made of speech: a linear-prediction vocoder puts the syllables of a spoken line on the notes of a melody.

The spectral envelope comes from the voice, the pulse from the melody with vibrato and glides, the length of a syllable
from its note. It sounds like a plain singer on the telephone, which is what a music/speech decision has to cope with.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy import linalg, signal

from bench.calls import compose
from bench.calls.sounds import RATE_HZ, Sound, levelled, runs, samples, trimmed

HOP = 40  # 5 ms
WINDOW = 240
ORDER = 12


def _frames(speech: Sound) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return prediction coefficients, gain and voicing (0..1) of each 5 ms."""
    speech = signal.lfilter([1, -0.6], [1], np.pad(speech, WINDOW // 2)).astype(np.float64)
    count = (len(speech) - WINDOW) // HOP
    shape = np.hamming(WINDOW)
    coefficients, gains, voicing = np.zeros((count, ORDER + 1)), np.zeros(count), np.zeros(count)
    for index in range(count):
        frame = speech[index * HOP : index * HOP + WINDOW] * shape
        correlation = np.correlate(frame, frame, "full")[WINDOW - 1 :]
        correlation[0] = correlation[0] * 1.0001 + 1e-9
        predictor = linalg.solve_toeplitz(correlation[:ORDER], correlation[1 : ORDER + 1])
        coefficients[index] = np.r_[1, -predictor]
        gains[index] = np.sqrt(max(correlation[0] - predictor @ correlation[1 : ORDER + 1], 1e-12))
        lags = correlation[20:140] / correlation[0]
        voicing[index] = np.clip((lags.max() - 0.25) / 0.25, 0, 1)
    return coefficients, gains, voicing


def _syllables(gains: np.ndarray, voicing: np.ndarray) -> list[tuple[int, int]]:
    """Return frame spans that each hold one voiced kernel, together covering the line."""
    smooth = signal.lfilter(np.ones(6) / 6, 1, gains * voicing)
    kernels = [r for r in runs(smooth > 0.25 * np.percentile(smooth, 90)) if r[1] - r[0] >= 8]
    cut: list[tuple[int, int]] = []
    for start, end in kernels:
        pieces = max(1, round((end - start) / 40))
        edges = np.linspace(start, end, pieces + 1).astype(int)
        cut += list(pairwise(edges.tolist()))
    borders = [0] + [(a[1] + b[0]) // 2 for a, b in pairwise(cut)] + [len(gains)]
    return list(pairwise(borders)) if cut else []


def line(speech: Sound, notes: list[tuple[float, float]], rng: np.random.Generator) -> Sound:
    """Return a spoken line sung on (hz, seconds) notes, taken round as often as there are syllables."""
    coefficients, gains, voicing = _frames(trimmed(speech))
    path: list[np.ndarray] = []
    pitch: list[np.ndarray] = []
    for place, (start, end) in enumerate(_syllables(gains, voicing)):
        hz, seconds = notes[place % len(notes)]
        count = max(12, int(seconds * RATE_HZ / HOP))
        edge = min((end - start) // 3, count // 3, 16)  # consonants keep their length, the vowel is held
        middle = np.linspace(start + edge, max(end - edge - 1, start + edge), count - 2 * edge)
        path.append(np.r_[np.arange(start, start + edge), middle, np.arange(end - edge, end)])
        pitch.append(np.full(len(path[-1]), hz))
    if not path:
        return np.zeros(0, np.float32)
    index = np.clip(np.concatenate(path).round().astype(int), 0, len(gains) - 1)
    glide = signal.lfilter([0.12], [1, -0.88], np.concatenate(pitch) - pitch[0][0]) + pitch[0][0]
    time = np.arange(len(index)) * HOP / RATE_HZ
    vibrato = 1 + 0.012 * np.sin(2 * np.pi * rng.uniform(4.8, 6.2) * time) * rng.uniform(0.3, 1.3)
    phase = np.cumsum(np.repeat(glide * vibrato, HOP)) / RATE_HZ
    pulses = (np.floor(phase) > np.floor(np.r_[0, phase[:-1]])).astype(float)
    noise = rng.standard_normal(len(pulses))
    out, state = np.zeros(len(pulses)), np.zeros(ORDER)
    period = RATE_HZ / np.repeat(glide, HOP)
    for frame, source in enumerate(index):
        cut = slice(frame * HOP, frame * HOP + HOP)
        share = voicing[source]
        drive = share * pulses[cut] * np.sqrt(period[cut]) + (1 - share * 0.97) * 0.6 * noise[cut]
        out[cut], state = signal.lfilter([gains[source]], coefficients[source], drive, zi=state)
    return levelled(np.asarray(signal.lfilter([1], [1, -0.6], out), np.float32))


def song(spoken: list[Sound], style: compose.Style, seconds: float, rng: np.random.Generator, voices: int = 1) -> Sound:
    """Return a song: lines sung over an accompaniment, with instrumental bars between them, one to three voices."""
    band = compose.piece(style, seconds, rng)
    out = band * np.float32(10 ** (rng.uniform(-9, -3) / 20))
    position = samples(rng.uniform(3, 9))
    tonic = 110 * 2 ** (rng.integers(0, 15) / 12)
    scale = np.array(compose.MAJOR if rng.random() < 0.6 else compose.MINOR)
    steps = np.cumsum(rng.choice([-2, -1, -1, 0, 1, 1, 2], 24))
    steps -= int(steps.mean())
    length_s = rng.uniform(0.28, 0.55)
    notes = [
        (float(tonic * 2 ** (s // 7 + scale[s % 7] / 12)), float(length_s * rng.choice([1, 1, 1, 2, 3]))) for s in steps
    ]
    while position < len(out) - samples(4):
        text = spoken[int(rng.integers(len(spoken)))]
        for voice in range(voices):
            shift = (1, 2 ** (4 / 12), 2 ** (-5 / 12))[voice]
            sung = line(text, [(hz * shift, s) for hz, s in notes], rng) * np.float32(1 / (1 + 0.6 * voice))
            room = min(len(sung), len(out) - position)
            out[position : position + room] += sung[:room]
        position += len(sung) + samples(rng.choice([0.4, 1.0, 6.0]))
    return levelled(out)
