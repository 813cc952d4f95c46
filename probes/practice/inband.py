"""Hears key tones in audio, as the far end of a real line does: 20 ms at a time."""

from __future__ import annotations

import numpy as np

from probes.practice.line import Key
from probes.practice.sounds import Samples
from probes.practice.tones import KEYS, RATE_HZ

_LOWS_HZ = tuple(sorted({low for low, _ in KEYS.values()}))
_HIGHS_HZ = tuple(sorted({high for _, high in KEYS.values()}))
_BY_PAIR = {pair: key for key, pair in KEYS.items()}
_WINDOW = 160
_TIMES_S = np.arange(_WINDOW) / RATE_HZ
_WAVES = np.exp(-2j * np.pi * np.outer([*_LOWS_HZ, *_HIGHS_HZ], _TIMES_S))


class InBand:
    """Finds keys in a stream of samples. A key counts once it has been there for 40 ms; a gap makes a new one."""

    def __init__(self) -> None:
        self._rest = np.zeros(0, np.float32)
        self._held, self._windows = "", 0

    @property
    def in_key(self) -> bool:
        """Whether a key sounds at the end of what was heard."""
        return bool(self._held)

    def hear(self, samples: Samples) -> Key | None:
        """Take the next samples, 20 ms at most; return the key that has just become certain, if there is one."""
        self._rest = np.concatenate([self._rest, samples])
        if len(self._rest) < _WINDOW:
            return None
        key = _key_in(self._rest[:_WINDOW])
        self._rest = self._rest[_WINDOW:]
        self._windows = self._windows + 1 if key and key == self._held else 1
        self._held = key
        return Key(key) if key and self._windows == 2 else None


def _key_in(window: Samples) -> str:
    energy = float(np.sum(np.square(window, dtype=np.float64)))
    if energy < _WINDOW * 1e-5:
        return ""
    power = np.abs(_WAVES @ window) ** 2 * 2 / _WINDOW
    low, high = int(np.argmax(power[:4])), int(np.argmax(power[4:]))
    pair_power = power[low] + power[4 + high]
    if pair_power < 0.8 * energy or min(power[low], power[4 + high]) < 0.1 * energy:
        return ""
    return _BY_PAIR[_LOWS_HZ[low], _HIGHS_HZ[high]]
