"""Finding pressed keys (DTMF) in a clean channel, each with its own start and end.

The listener names key tones too, as groups on any channel. This one hears our own side only, where nothing else
sounds, and gives each key's edges, so that our acts can be put in time and identification digits can be silenced.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Source: ITU-T Q.23 (frequencies), Q.24 (at least 40 ms a key).
_ROWS_HZ = (697.0, 770.0, 852.0, 941.0)
_COLUMNS_HZ = (1209.0, 1336.0, 1477.0, 1633.0)
_KEYS = ("123A", "456B", "789C", "*0#D")

_WINDOW_S, _HOP_S = 0.030, 0.005
_QUIETEST = 10 ** (-60 / 20)
_PURE_RATIO = 0.75  # of the window's power, in the two tones
_TWIST = 10 ** (12 / 20)
_SHORTEST_S = 0.030
_BLOCK_FRAMES = 12_000  # a minute at a time


@dataclass(frozen=True, slots=True)
class Key:
    """One key, in seconds from the first sample."""

    key: str
    start_s: float
    end_s: float


def find_keys(samples: NDArray[np.float32] | NDArray[np.int16], rate_hz: int) -> tuple[Key, ...]:
    """Return the keys pressed in a channel, in order.

    Args:
        samples: shape (n,), -1..1 or 16 bits, a view will do; `rate_hz` 4000 or more. Any other sound may be in it.

    Returns:
        Keys of at least 30 ms whose two tones make up three quarters of the power; edges within about 10 ms.
    """
    width, hop = int(_WINDOW_S * rate_hz), max(1, int(_HOP_S * rate_hz))
    if len(samples) < width:
        return ()
    window = np.hanning(width)
    bank = np.exp(-2j * np.pi * np.outer(np.arange(width) / rate_hz, (*_ROWS_HZ, *_COLUMNS_HZ))) * window[:, None]
    bank *= 2.0 / window.sum()
    frames = np.lib.stride_tricks.sliding_window_view(samples, width)[::hop]
    heard = np.full(len(frames), -1, np.int16)
    scale = 32768.0 if samples.dtype == np.int16 else 1.0
    for begin in range(0, len(frames), _BLOCK_FRAMES):
        block = frames[begin : begin + _BLOCK_FRAMES]
        loud = np.flatnonzero(block.max(axis=1) > _QUIETEST * scale)
        if len(loud):
            heard[begin + loud] = _named(block[loud].astype(np.float64) / scale, bank, window)
    return tuple(_runs(heard, hop / rate_hz, width / rate_hz))


def tone_of(key: str, length_s: float, rate_hz: int) -> NDArray[np.float32]:
    """Return the tone of one key, -1..1, each of its two parts at -12 dBFS."""
    row, column = divmod("".join(_KEYS).index(key.upper()), 4)
    t = np.arange(round(length_s * rate_hz)) / rate_hz
    both = np.sin(2 * np.pi * _ROWS_HZ[row] * t) + np.sin(2 * np.pi * _COLUMNS_HZ[column] * t)
    return (0.25 * both).astype(np.float32)


def _named(frames: NDArray[np.float64], bank: NDArray[np.complex128], window: NDArray[np.float64]) -> NDArray[np.int16]:
    """Return the key's index (row * 4 + column) of each frame, -1 where there is none."""
    amplitude = np.abs(frames @ bank)
    rows, columns = amplitude[:, :4], amplitude[:, 4:]
    row, column = rows.argmax(axis=1), columns.argmax(axis=1)
    low, high = rows.max(axis=1), columns.max(axis=1)
    power = ((frames * window) ** 2).sum(axis=1) / (window**2).sum()
    share = (low**2 + high**2) / 2 / np.maximum(power, 1e-12)
    fits = (share > _PURE_RATIO) & (low < high * _TWIST) & (high < low * _TWIST) & (np.sqrt(power) > _QUIETEST / 2)
    return np.where(fits, row * 4 + column, -1).astype(np.int16)


def _runs(heard: NDArray[np.int16], hop_s: float, width_s: float) -> list[Key]:
    edges = np.flatnonzero(np.diff(heard)) + 1
    starts, ends = np.concatenate([[0], edges]), np.concatenate([edges, [len(heard)]])
    keys = []
    for start, end in zip(starts, ends, strict=True):
        index = int(heard[start])
        # A window counts as the key from about half full on, so the run's own length is the key's length.
        start_s, end_s = start * hop_s + width_s / 2 - hop_s, (end - 1) * hop_s + width_s / 2 + hop_s
        if index >= 0 and end_s - start_s >= _SHORTEST_S:
            keys.append(Key(_KEYS[index // 4][index % 4], float(start_s), float(end_s)))
    return keys
