"""Telephone tones: keys, ringback, busy, reorder, special information, beep. All at 8 kHz."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 8000

# ITU-T Q.23: each key is one low and one high frequency.
_LOW_HZ, _HIGH_HZ = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
KEYS = {key: (_LOW_HZ[i // 4], _HIGH_HZ[i % 4]) for i, key in enumerate("123A456B789C*0#D")}
KEY_ON_S, KEY_OFF_S = 0.12, 0.1


@dataclass(frozen=True, slots=True)
class Cadence:
    """Bursts of (frequencies in Hz, length in seconds); no frequency is a pause. `level_dbfs` is the burst's RMS."""

    bursts: tuple[tuple[tuple[int, ...], float], ...]
    level_dbfs: float = -18.0


# United Kingdom (BT SIN 350), with the ITU's special information tone.
CADENCES = {
    "ringback": Cadence((((400, 450), 0.4), ((), 0.2), ((400, 450), 0.4), ((), 2.0)), -22.0),
    "busy": Cadence((((400,), 0.375), ((), 0.375))),
    "reorder": Cadence((((400,), 0.4), ((), 0.35), ((400,), 0.225), ((), 0.525))),
    "special_information": Cadence((((950,), 0.33), ((1400,), 0.33), ((1800,), 0.33), ((), 1.0))),
    "beep": Cadence((((1000,), 0.4), ((), 0.1))),
}


def tone(frequencies_hz: tuple[int, ...], length_s: float, level_dbfs: float) -> NDArray[np.float32]:
    """Return a steady sum of sines with 3 ms edges; its RMS level is `level_dbfs` (full-scale square wave is 0)."""
    t_s = np.arange(round(length_s * RATE_HZ)) / RATE_HZ
    if not frequencies_hz:
        return np.zeros(len(t_s), np.float32)
    wave = np.sum([np.sin(2 * np.pi * f * t_s) for f in frequencies_hz], axis=0)
    wave *= 10 ** (level_dbfs / 20) / np.sqrt(len(frequencies_hz) / 2)
    edge = min(len(wave) // 2, round(0.003 * RATE_HZ))
    ramp = np.linspace(0.0, 1.0, edge)
    wave[:edge] *= ramp
    wave[len(wave) - edge :] *= ramp[::-1]
    return np.asarray(wave, np.float32)


def key_tone(key: str) -> NDArray[np.float32]:
    """Return the tone of one key (0-9, A-D, * or #)."""
    return tone(KEYS[key], KEY_ON_S, -13.0)


def cadence(name: str) -> NDArray[np.float32]:
    """Return one period of a named call-progress tone."""
    signal = CADENCES[name]
    return np.concatenate([tone(hz, length_s, signal.level_dbfs) for hz, length_s in signal.bursts])
