"""Loudness by BS.1770 from what is kept of each frame."""

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from probes.audio.frames import FRAME_S, FrameReader
from probes.audio.samples import Resampler
from probes.audio.spectra import Floats

_BLOCK, _STEP = round(0.4 / FRAME_S), round(0.1 / FRAME_S)
_OFFSET = -0.691
_SHORT_TERM, _GATE_LUFS = round(3.0 / FRAME_S), -70.0


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


def short_term_lufs(blocks: Iterable[NDArray[np.float32]], rate_hz: int) -> tuple[float | None, ...]:
    """Return the short-term loudness, over 3 s, of every second; None where it is below -70 LUFS or not 3 s long.

    Args:
        blocks: one channel, in its order.
        rate_hz: its sampling rate.

    Source: ITU-R BS.1770-5; EBU Tech 3341 for the 3 s.
    """
    resampler, reader = Resampler(rate_hz), FrameReader()
    frames = [f.k_power for block in blocks for f in reader.push(resampler.push(block))]
    frames += [f.k_power for f in (*reader.push(resampler.finish()), *reader.finish())]
    if not frames:
        return ()
    total = np.concatenate([[0.0], np.cumsum(np.concatenate(frames), dtype=np.float64)])
    ends = np.arange(round(1.0 / FRAME_S), len(total), round(1.0 / FRAME_S))
    starts = np.maximum(ends - _SHORT_TERM, 0)
    power = (total[ends] - total[starts]) / _SHORT_TERM
    lufs = _OFFSET + 10 * np.log10(np.maximum(power, 1e-12))
    full = ends >= _SHORT_TERM
    return tuple(float(v) if ok and v > _GATE_LUFS else None for v, ok in zip(lufs, full, strict=True))
