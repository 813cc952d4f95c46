"""A recording as a row of levels, for drawing it: the largest sample of each stretch, whichever channel it is on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from probes.recording_file import UnreadableRecording, decode


def envelope(data: bytes | Path, bins: int = 320) -> tuple[float, ...] | None:
    """Return `bins` levels 0..1 at even distances over the recording; None where it cannot be read or holds nothing."""
    try:
        recording = decode(data)
    except UnreadableRecording:
        return None
    total = max(1, round(recording.declared_s * recording.rate_hz))
    levels = np.zeros(bins)
    at = 0
    for block in recording.all_blocks():
        peaks = np.abs(block).max(axis=1)
        places = np.minimum((np.arange(at, at + len(peaks)) * bins) // total, bins - 1)
        np.maximum.at(levels, places, peaks)
        at += len(peaks)
    if not at:
        return None
    return tuple(float(level) for level in np.clip(levels, 0.0, 1.0))
