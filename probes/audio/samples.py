"""Samples as they come in: checked, mono, brought to 8 kHz."""

import numpy as np
import soxr
from numpy.typing import NDArray

RATE_HZ = 8000
LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 4000, 192_000


class UnusableAudio(ValueError):
    """There is nothing in these samples that could be listened to; the message says what and how to mend it."""


def check(samples: NDArray[np.float32], rate_hz: int, *, what: str = "the vendor's channel") -> NDArray[np.float32]:
    """Return `samples` as float32, or say what is wrong with them.

    Raises:
        UnusableAudio: not one-dimensional, not numbers, NaN or infinity, far outside -1..1, or an impossible rate.
    """
    if not LOWEST_RATE_HZ <= rate_hz <= HIGHEST_RATE_HZ:
        raise UnusableAudio(
            f"{what}: a sampling rate of {rate_hz} Hz is outside {LOWEST_RATE_HZ}..{HIGHEST_RATE_HZ} Hz; "
            "give the rate at which it was recorded"
        )
    array = np.asarray(samples)
    if array.ndim != 1:
        raise UnusableAudio(f"{what}: expected one row of samples, got shape {array.shape}; choose one channel first")
    if array.dtype.kind not in "fiu":
        raise UnusableAudio(f"{what}: samples are {array.dtype}, expected real numbers in -1..1")
    if array.dtype.kind in "iu":
        raise UnusableAudio(
            f"{what}: samples are {array.dtype}; divide by the full scale first, so that they lie in -1..1"
        )
    array = np.asarray(array, dtype=np.float32)
    if array.size:
        low, high = float(array.min()), float(array.max())
        if not (np.isfinite(low) and np.isfinite(high)):
            bad = int(np.flatnonzero(~np.isfinite(array))[0])
            raise UnusableAudio(
                f"{what}: sample {bad} (at {bad / rate_hz:.3f} s) is not a number; the file or its decoder is broken"
            )
        if max(-low, high) > 64.0:
            raise UnusableAudio(
                f"{what}: samples reach {max(-low, high):.0f}, expected -1..1; divide by the full scale first"
            )
    return array


class Resampler:
    """Brings a stream of blocks to 8 kHz; blocks at 8 kHz pass through untouched."""

    def __init__(self, rate_hz: int) -> None:
        self._stream = (
            None if rate_hz == RATE_HZ else soxr.ResampleStream(rate_hz, RATE_HZ, 1, dtype="float32", quality="HQ")
        )

    def push(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what is ready of the resampled stream."""
        if self._stream is None:
            return block
        return np.asarray(self._stream.resample_chunk(block), dtype=np.float32)

    def finish(self) -> NDArray[np.float32]:
        """Return the rest."""
        if self._stream is None:
            return np.zeros(0, np.float32)
        return np.asarray(self._stream.resample_chunk(np.zeros(0, np.float32), last=True), dtype=np.float32)
