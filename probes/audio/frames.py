"""From samples to what is kept of each 20 ms: levels, bands, peaks, and the numbers that the model reads.

Works block by block with the same result for any cut of the stream, so that recordings and live calls are heard alike.
Frames are grouped in chunks of four (80 ms), the step of the model.
"""

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from probes.audio.samples import RATE_HZ

Floats = NDArray[np.float32]

FRAME = 160  # samples: 20 ms
FRAME_S = FRAME / RATE_HZ
CHUNK = 4  # frames: 80 ms
WINDOW = 512  # samples, centred on its frame
LEFT = (WINDOW - FRAME) // 2
BANDS = 24
FEATURES = BANDS + 8
QUIET_DBFS = -80.0  # what is below is digital silence for us
_LAGS = (1, 3, 8)  # of every second frame: 40, 120, 320 ms
_PEAK_FALL_DB = 0.005  # per frame: 0.25 dB/s
_FLOOR_RISE_DB = 0.006  # per frame: 0.3 dB/s
_FIRST_PEAK_DBFS, _FIRST_FLOOR_DBFS = -50.0, -50.0


def _mel_bank() -> Floats:
    """Triangles from 100 to 3900 Hz, equally wide in mel, over the bins of one spectrum; shape (257, BANDS)."""
    low_mel, high_mel = (2595 * math.log10(1 + hz / 700) for hz in (100, 3900))
    edges_mel = np.linspace(low_mel, high_mel, BANDS + 2)
    edges_hz = 700 * (10 ** (edges_mel / 2595) - 1)
    bins_hz = np.arange(WINDOW // 2 + 1) * RATE_HZ / WINDOW
    low, mid, high = edges_hz[:-2], edges_hz[1:-1], edges_hz[2:]
    up = (bins_hz[:, None] - low) / (mid - low)
    down = (high - bins_hz[:, None]) / (high - mid)
    bank = np.maximum(0, np.minimum(up, down))
    return np.asarray(bank / np.maximum(bank.sum(axis=0), 1e-9), dtype=np.float32)


def _k_weights() -> Floats:
    """Power response of BS.1770's two filters at each bin.

    It is that of the filters at 48 kHz, so that the shelf is not warped as it would be at 8 kHz.

    Source: ITU-R BS.1770-5, tables 1 and 2.
    """
    z = np.exp(-2j * np.pi * np.arange(WINDOW // 2 + 1) * (RATE_HZ / WINDOW) / 48_000)
    shelf = (1.53512485958697 - 2.69169618940638 * z + 1.19839281085285 * z**2) / (
        1 - 1.69065929318241 * z + 0.73248077421585 * z**2
    )
    high_pass = (1 - 2 * z + z**2) / (1 - 1.99004745483398 * z + 0.99007225036621 * z**2)
    return np.asarray(np.abs(shelf * high_pass) ** 2, dtype=np.float32)


_HANN = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)).astype(np.float32)
_HANN *= np.float32(math.sqrt(2.0 / (WINDOW * float(np.sum(_HANN**2)))))  # the power's sum is then the mean square
_MEL = _mel_bank()
_K = _k_weights()
_BIN_HZ = RATE_HZ / WINDOW
_LOW_BIN, _HIGH_BIN = 12, 231  # 190..3600 Hz: where a telephone line carries sound
_FIRST_BIN = 4  # what is below is hum
_FINE = _HIGH_BIN - _FIRST_BIN - 9  # bins of the fine spectrum
_BAND_SUM = np.zeros(WINDOW // 2 + 1, np.float32)
_BAND_SUM[_LOW_BIN:_HIGH_BIN] = 1
_PROJECT = np.concatenate([_MEL, _BAND_SUM[:, None], _K[:, None]], axis=1)


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
        pairs = frames.mel_db.reshape(-1, 2, BANDS).mean(axis=1)
        return cls(
            np.clip((pairs + 100) * 2 + 0.5, 0, 255).astype(np.uint8),
            frames.level_dbfs.astype(np.float16),
            frames.k_power.copy(),  # a view would keep the whole spectrum
            frames.clipped,
            (frames.peaks_hz * 16 + 0.5).astype(np.uint16),
            (frames.peak_shares * 255 + 0.5).astype(np.uint8),
        )

    def __len__(self) -> int:
        return len(self.level_dbfs)

    @property
    def mel_db(self) -> Floats:
        """Power per band of every 40 ms."""
        return from_half_db(self.mel)


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


class _Room:
    """Where spectra are worked out, kept from block to block: new memory each time would cost more than the sums."""

    def __init__(self, frames: int) -> None:
        self.windowed = np.empty((min(frames, FrameReader.PART), WINDOW), np.float32)
        self.size = np.empty((frames, WINDOW // 2 + 1), np.float32)
        self.power = np.empty((frames, WINDOW // 2 + 1), np.float32)


class FrameReader:
    """Turns a stream of 8 kHz samples into frames, whole chunks at a time."""

    BLOCK, PART = 1000, 50  # frames worked on at once: what fits the processor's caches

    def __init__(self) -> None:
        self._pending = np.zeros(LEFT, np.float32)
        self._whitened = np.zeros((max(_LAGS), _FINE), np.float32)
        self._peak_dbfs = _FIRST_PEAK_DBFS
        self._floor_dbfs = _FIRST_FLOOR_DBFS
        self._room = _Room(0)

    def push(self, samples: Floats) -> list[Frames]:
        """Return the frames that are complete now."""
        self._pending = np.concatenate([self._pending, samples])
        ready = (len(self._pending) - WINDOW) // FRAME + 1
        ready -= ready % CHUNK
        out = []
        for start in range(0, ready, self.BLOCK):
            count = min(self.BLOCK, ready - start)
            out.append(self._read(self._pending[start * FRAME : (start + count - 1) * FRAME + WINDOW], count))
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

    def _read(self, samples: Floats, count: int) -> Frames:
        size = self._sizes(samples, count)
        power = np.multiply(size, size, out=self._room.power[:count])
        projected = power @ _PROJECT
        mel_db = 10 * np.log10(projected[:, :BANDS] + np.float32(1e-10))
        band_dbfs = 10 * np.log10(projected[:, BANDS] + np.float32(1e-8))
        body = samples[LEFT : LEFT + count * FRAME].reshape(count, FRAME)
        rest_of = body - body.mean(axis=1, keepdims=True)
        level_dbfs = 10 * np.log10(np.einsum("ij,ij->i", rest_of, rest_of) / np.float32(FRAME) + np.float32(1e-8))
        clipped = np.abs(body).max(axis=1) >= np.float32(0.97)
        persistence = self._persistence(size)
        peaks_hz, peak_shares = _two_peaks(power, projected[:, BANDS])
        peak, floor = self._track(band_dbfs)
        features = np.empty((count, FEATURES), np.float32)
        relative = (mel_db - peak[:, None]) / 20
        features[:, :BANDS] = np.clip(relative, -4, 1)
        rest = features[:, BANDS:]
        rest[:, 0] = (band_dbfs - peak) / 20
        rest[:, 1] = np.clip((band_dbfs - floor) / 20, -1, 4)
        rest[:, 2] = (mel_db.mean(axis=1) - 10 * np.log10(projected[:, :BANDS].mean(axis=1) + np.float32(1e-10))) / 10
        rest[:, 3:6] = persistence
        rest[:, 6] = peak_shares[:, 0]
        rest[:, 7] = peak_shares.sum(axis=1)
        return Frames(features, mel_db, level_dbfs, band_dbfs, projected[:, BANDS + 1], clipped, peaks_hz, peak_shares)

    def _sizes(self, samples: Floats, count: int) -> Floats:
        """Return the size of each frame's spectrum, shape (count, 257); it is overwritten by the next call."""
        if len(self._room.size) < count:
            self._room = _Room(count)
        windows = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::FRAME]
        for start in range(0, count, self.PART):
            part = windows[start : min(start + self.PART, count)]
            windowed = np.multiply(part, _HANN, out=self._room.windowed[: len(part)])
            np.abs(fft.rfft(windowed, axis=1), out=self._room.size[start : start + len(part)])
        return self._room.size[:count]

    def _persistence(self, size: Floats) -> Floats:
        """How alike the fine spectrum is to itself 40, 120 and 320 ms ago: notes stay, a voice's pitch moves."""
        bins = np.sqrt(size[::2, _FIRST_BIN:_HIGH_BIN])
        two = bins[:, :-1] + bins[:, 1:]
        four = two[:, :-2] + two[:, 2:]
        nine = four[:, 1:-5] + four[:, 5:-1]
        nine += bins[:, 9:]
        nine *= np.float32(-1 / 9)
        fine = np.add(nine, bins[:, 4:-5], out=nine)
        fine /= np.sqrt(np.einsum("ij,ij->i", fine, fine))[:, None] + np.float32(1e-6)
        history = np.concatenate([self._whitened, fine])
        keep = max(_LAGS)
        out = np.empty((len(fine), len(_LAGS)), np.float32)
        for column, lag in enumerate(_LAGS):
            out[:, column] = np.einsum("ij,ij->i", fine, history[keep - lag : len(history) - lag])
        self._whitened = history[-keep:].copy()
        return np.repeat(out, 2, axis=0)

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


def _two_peaks(power: Floats, total: Floats) -> tuple[Floats, Floats]:
    """Return frequency and share of the two strongest peaks of each spectrum; `power` is left as it was."""
    count, width = power.shape
    flat, sought = power.reshape(-1), power[:, _FIRST_BIN:_HIGH_BIN]
    rows = np.arange(0, count * width, width)[:, None] + np.arange(-2, 3)
    hz = np.empty((count, 2), np.float32)
    share = np.empty((count, 2), np.float32)
    low = np.full(count, _FIRST_BIN)

    first = np.minimum(sought.argmax(axis=1) + _FIRST_BIN, _HIGH_BIN - 4)
    taken = rows + first[:, None]
    near = flat[taken]
    hz[:, 0] = _between(near, first)
    share[:, 0] = np.where(np.arange(-2, 3) + first[:, None] >= low[:, None], near, 0).sum(axis=1)
    flat[taken] = 0
    second = np.minimum(sought.argmax(axis=1) + _FIRST_BIN, _HIGH_BIN - 4)
    index = rows + second[:, None]
    apart = np.where(np.arange(-2, 3) + second[:, None] >= low[:, None], flat[index], 0)
    flat[taken] = near
    share[:, 1] = apart.sum(axis=1)
    hz[:, 1] = _between(flat[index], second)
    return hz, np.minimum(share / (total + np.float32(1e-12))[:, None], 1)


def _between(near: Floats, top: NDArray[np.intp]) -> Floats:
    """Return the frequency of a peak, from the five bins around its highest."""
    left, mid, right = np.log(near[:, 1:4] + np.float32(1e-20)).T
    bend = left - 2 * mid + right
    shift = np.where(bend < -1e-6, 0.5 * (left - right) / np.minimum(bend, np.float32(-1e-6)), 0)
    return np.asarray((top + np.clip(shift, -0.5, 0.5)) * _BIN_HZ, np.float32)
