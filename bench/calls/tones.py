"""Telephone signals by the table of ITU-T E.180 (supplement 2), E.182, Q.23 and T.30: what exchanges send."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.calls.sounds import RATE_HZ, Sound, samples


@dataclass(frozen=True, slots=True)
class Cadence:
    """Frequencies sounded together, and seconds on, off, on, off … of one cycle."""

    frequencies_hz: tuple[float, ...]
    pattern_s: tuple[float, ...]


COUNTRIES: dict[str, dict[str, Cadence]] = {
    "us": {
        "ringback": Cadence((440, 480), (2, 4)),
        "busy": Cadence((480, 620), (0.5, 0.5)),
        "reorder": Cadence((480, 620), (0.25, 0.25)),
    },
    "uk": {
        "ringback": Cadence((400, 450), (0.4, 0.2, 0.4, 2)),
        "busy": Cadence((400,), (0.375, 0.375)),
        "reorder": Cadence((400,), (0.4, 0.35, 0.225, 0.525)),
    },
    "de": {
        "ringback": Cadence((425,), (1, 4)),
        "busy": Cadence((425,), (0.48, 0.48)),
        "reorder": Cadence((425,), (0.24, 0.24)),
    },
    "fr": {
        "ringback": Cadence((440,), (1.5, 3.5)),
        "busy": Cadence((440,), (0.5, 0.5)),
        "reorder": Cadence((440,), (0.25, 0.25)),
    },
    "es": {
        "ringback": Cadence((425,), (1.5, 3)),
        "busy": Cadence((425,), (0.2, 0.2)),
        "reorder": Cadence((425,), (0.2, 0.2, 0.2, 0.2, 0.2, 0.6)),
    },
    "it": {
        "ringback": Cadence((425,), (1, 4)),
        "busy": Cadence((425,), (0.5, 0.5)),
        "reorder": Cadence((425,), (0.2, 0.2)),
    },
    "jp": {
        "ringback": Cadence((384, 416), (1, 2)),
        "busy": Cadence((400,), (0.5, 0.5)),
        "reorder": Cadence((400,), (0.25, 0.25)),
    },
    "au": {
        "ringback": Cadence((400, 425), (0.4, 0.2, 0.4, 2)),
        "busy": Cadence((425,), (0.375, 0.375)),
        "reorder": Cadence((425,), (0.25, 0.25)),
    },
    "nl": {
        "ringback": Cadence((425,), (1, 4)),
        "busy": Cadence((425,), (0.5, 0.5)),
        "reorder": Cadence((425,), (0.25, 0.25)),
    },
}

KEYS = {
    key: (row, column)
    for row, keys in zip((697, 770, 852, 941), ("123A", "456B", "789C", "*0#D"), strict=True)
    for key, column in zip(keys, (1209, 1336, 1477, 1633), strict=True)
}

SPECIAL_INFORMATION_HZ = ((985.2, 1428.5, 1776.7), (913.8, 1370.6, 1776.7), (913.8, 1428.5, 1776.7))


def burst(frequencies_hz: tuple[float, ...], seconds: float, peak: float) -> Sound:
    """Return sines of equal strength sounded together, `peak` high in all, with 4 ms ramps."""
    time = np.arange(samples(seconds)) / RATE_HZ
    wave = sum(np.sin(2 * np.pi * f * time) for f in frequencies_hz) * (peak / len(frequencies_hz))
    ramp = np.minimum(1.0, np.minimum(np.arange(len(time)) + 1, np.arange(len(time))[::-1] + 1) / 32)
    return np.asarray(wave * ramp, np.float32)


def cadence(country: str, label: str, cycles: int, peak: float) -> tuple[Sound, list[tuple[int, int]]]:
    """Return whole cycles of a tone without the last pause, and where its inner pauses are."""
    tone = COUNTRIES[country][label]
    parts: list[Sound] = []
    pauses: list[tuple[int, int]] = []
    position = 0
    steps = list(enumerate(tone.pattern_s)) * cycles
    for index, seconds in steps[:-1]:
        count = samples(seconds)
        if index % 2 == 0:
            parts.append(burst(tone.frequencies_hz, seconds, peak))
        else:
            parts.append(np.zeros(count, np.float32))
            pauses.append((position, position + count))
        position += count
    return np.concatenate(parts), pauses


def fax_answer(seconds: float, peak: float) -> Sound:
    """Return the called terminal's 2100 Hz answer tone."""
    return burst((2100.0,), seconds, peak)


def fax_calling(peak: float) -> Sound:
    """Return one 1100 Hz burst of a calling fax."""
    return burst((1100.0,), 0.5, peak)


def fax_preamble(seconds: float, peak: float, rng: np.random.Generator) -> Sound:
    """Return V.21 channel 2 data (1650 / 1850 Hz at 300 baud), as a terminal identifies itself."""
    bits = np.r_[np.tile([0, 1, 1, 1, 1, 1, 1, 0], 9), rng.integers(0, 2, max(1, int(seconds * 300)))]
    frequency = np.where(np.repeat(bits, RATE_HZ // 300 + 1)[: samples(seconds)] > 0, 1650.0, 1850.0)
    return np.asarray(peak * np.sin(2 * np.pi * np.cumsum(frequency) / RATE_HZ), np.float32)
