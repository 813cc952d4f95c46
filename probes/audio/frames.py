"""From samples to what is kept of each 20 ms: levels, bands, peaks, and the numbers that the model reads.

Works block by block with the same result for any cut of the stream, so that recordings and live calls are heard alike.
Frames are grouped in chunks of four (80 ms), the step of the model.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from probes.audio.samples import RATE_HZ
from probes.audio.spectra import BANDS, FRAME, LEFT, LOUDNESS, MEAN_OF_BANDS, TELEPHONE, WINDOW, Block, Floats, Spectra

FRAME_S = FRAME / RATE_HZ
CHUNK = 4  # frames: 80 ms
FEATURES = BANDS + 8
QUIET_DBFS = -80.0  # what is below is digital silence for us
_PEAK_FALL_DB = 0.005  # per frame: 0.25 dB/s
_FLOOR_RISE_DB = 0.006  # per frame: 0.3 dB/s
_FIRST_PEAK_DBFS, _FIRST_FLOOR_DBFS = -50.0, -50.0
_DB = np.float32(10 / np.log(10))
_MEAN_OF_BANDS = np.full(BANDS, 1 / BANDS, np.float32)


@dataclass(frozen=True, slots=True)
class Frames:
    """What is kept of n frames of 20 ms.

    Attributes:
        features: (n, FEATURES), the model's input.
        mel_db: (n, BANDS), power per band.
        level_dbfs: (n,), RMS without the constant part.
        band_dbfs: (n,), RMS within 190..3600 Hz.
        k_power: (n,), mean square after BS.1770's filters.
        clipped: (n,), holds samples at full scale.
        peaks_hz: (n, 2), the two strongest spectral peaks.
        peak_shares: (n, 2), their shares of the frame's power, 0..1.
    """

    features: Floats
    mel_db: Floats
    level_dbfs: Floats
    band_dbfs: Floats
    k_power: Floats
    clipped: NDArray[np.bool_]
    peaks_hz: Floats
    peak_shares: Floats

    def __len__(self) -> int:
        return len(self.level_dbfs)


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of frames once the model has read them, small: 25 bytes of each 20 ms.

    Attributes:
        mel: (n / 2, BANDS), power per band of every 40 ms, in half decibels above -100 dB.
        level_dbfs: (n,)
        k_power: (n,)
        clipped: (n,)
        peaks: (n, 2), sixteenths of a hertz.
        shares: (n, 2), of 255.
    """

    mel: NDArray[np.uint8]
    level_dbfs: NDArray[np.float16]
    k_power: Floats
    clipped: NDArray[np.bool_]
    peaks: NDArray[np.uint16]
    shares: NDArray[np.uint8]

    @classmethod
    def of(cls, frames: Frames) -> "Kept":
        """Make it small."""
        pairs = frames.mel_db[::2] + frames.mel_db[1::2]
        pairs += np.float32(200.5)
        return cls(
            np.minimum(np.maximum(pairs, np.float32(0), out=pairs), np.float32(255), out=pairs).astype(np.uint8),
            frames.level_dbfs.astype(np.float16),
            frames.k_power,
            frames.clipped,
            (frames.peaks_hz * 16 + 0.5).astype(np.uint16),
            (frames.peak_shares * 255 + 0.5).astype(np.uint8),
        )

    def __len__(self) -> int:
        return len(self.level_dbfs)

    def since(self, first: int) -> "Kept":
        """Return what was kept from a frame on, an even one."""
        return Kept(*(getattr(self, f.name)[first // 2 if f.name == "mel" else first :] for f in fields(Kept)))


class Coarse:
    """Numbers kept in few bits, turned back where they are looked at."""

    def __init__(self, codes: NDArray[np.unsignedinteger], per_unit: float) -> None:
        self._codes, self._per_unit = codes, np.float32(per_unit)

    def __getitem__(self, where: slice) -> Floats:
        return np.asarray(self._codes[where].astype(np.float32) / self._per_unit, np.float32)


def from_half_db(mel: NDArray[np.uint8]) -> Floats:
    """Return kept band powers in decibels."""
    return np.asarray(mel.astype(np.float32) / 2 - 100, np.float32)


def join_kept(parts: list[Kept]) -> Kept:
    """Put what was kept one after the other."""
    return Kept(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Kept)))


def join(parts: list[Frames]) -> Frames:
    """Put blocks of frames one after the other."""
    return Frames(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Frames)))


class FrameReader:
    """Turns a stream of 8 kHz samples into frames, whole chunks at a time."""

    BLOCK = 1000  # frames that are told at once, at most

    def __init__(self) -> None:
        self._pending = np.zeros(LEFT, np.float32)
        self._spectra = Spectra()
        self._peak_dbfs = _FIRST_PEAK_DBFS
        self._floor_dbfs = _FIRST_FLOOR_DBFS

    def push(self, samples: Floats) -> list[Frames]:
        """Return the frames of the chunks that are complete now."""
        self._pending = np.concatenate([self._pending, samples])
        ready = (len(self._pending) - WINDOW) // FRAME + 1
        ready -= ready % CHUNK
        out = []
        for start in range(0, ready, self.BLOCK):
            count = min(self.BLOCK, ready - start)
            samples = self._pending[start * FRAME : (start + count - 1) * FRAME + WINDOW]
            out.append(self._told(self._spectra.read(samples, count)))
        if ready > 0:
            self._pending = self._pending[ready * FRAME :].copy()
        return out

    def finish(self) -> list[Frames]:
        """Return the frames that the last samples are in; silence is put after them."""
        left = len(self._pending) - LEFT
        chunks = -(-left // (FRAME * CHUNK))
        if left <= 0:
            return []
        return self.push(np.zeros(chunks * FRAME * CHUNK - left + LEFT, np.float32))

    def _told(self, block: Block) -> Frames:
        in_db = np.log(block.bands[:, : BANDS + 1] + np.float32(1e-10))
        in_db *= _DB
        mel_db = in_db[:, :BANDS]
        band_dbfs = _DB * np.log(block.bands[:, TELEPHONE] + np.float32(1e-8))
        peak, floor = self._track(band_dbfs)
        features = np.empty((len(mel_db), FEATURES), np.float32)
        relative = mel_db - peak[:, None]
        relative *= np.float32(1 / 20)
        np.minimum(np.maximum(relative, np.float32(-4), out=relative), np.float32(1), out=features[:, :BANDS])
        rest = features[:, BANDS:]
        rest[:, 0] = (band_dbfs - peak) / 20
        rest[:, 1] = np.minimum(np.maximum((band_dbfs - floor) / 20, -1), 4)
        rest[:, 2] = (mel_db @ _MEAN_OF_BANDS - in_db[:, MEAN_OF_BANDS]) / 10
        rest[:, 3:6] = block.persistence
        rest[:, 6] = block.peak_shares[:, 0]
        rest[:, 7] = block.peak_shares[:, 0] + block.peak_shares[:, 1]
        return Frames(
            features,
            mel_db,
            _DB * np.log(block.mean_square + np.float32(1e-8)),
            band_dbfs,
            block.bands[:, LOUDNESS].copy(),
            block.clipped,
            block.peaks_hz,
            block.peak_shares,
        )

    def _track(self, band_dbfs: Floats) -> tuple[Floats, Floats]:
        """Return the slowly forgotten loudest and quietest level up to each frame; digital silence moves neither."""
        steps = np.arange(1, len(band_dbfs) + 1, dtype=np.float32)
        rising = band_dbfs + steps * np.float32(_PEAK_FALL_DB)
        peak = np.maximum(np.maximum.accumulate(rising), np.float32(self._peak_dbfs)) - steps * np.float32(
            _PEAK_FALL_DB
        )
        peak = np.maximum(peak, np.float32(_FIRST_PEAK_DBFS - 10))
        audible = np.where(band_dbfs <= QUIET_DBFS + 2, np.float32(0), band_dbfs)
        falling = audible - steps * np.float32(_FLOOR_RISE_DB)
        floor = np.minimum(np.minimum.accumulate(falling), np.float32(self._floor_dbfs)) + steps * np.float32(
            _FLOOR_RISE_DB
        )
        self._peak_dbfs, self._floor_dbfs = float(peak[-1]), float(floor[-1])
        return peak, floor
