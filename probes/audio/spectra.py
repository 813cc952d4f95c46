"""The spectrum of each 20 ms, and the few numbers that are needed of it.

Frames are worked out together, as many as are at hand: most of what one costs by itself is that it is asked for.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from probes.audio.samples import RATE_HZ

Floats = NDArray[np.float32]

FRAME = 160  # samples: 20 ms
WINDOW = 512  # samples, centred on its frame
LEFT = (WINDOW - FRAME) // 2
BANDS = 24
PART = 100  # frames worked on at once: what fits the processor's caches
MEAN_OF_BANDS, TELEPHONE, LOUDNESS = BANDS, BANDS + 1, BANDS + 2  # columns after those of the bands
_LAGS = (1, 3, 8)  # of every second frame: 40, 120, 320 ms
_BEFORE = max(_LAGS)
_BINS = WINDOW // 2 + 1
_BIN_HZ = RATE_HZ / WINDOW
_LOW_BIN, _HIGH_BIN = 12, 231  # 190..3600 Hz: where a telephone line carries sound
_FIRST_BIN = 4  # what is below is hum
_WIDE = _HIGH_BIN - _FIRST_BIN
_FINE = _WIDE - 9  # bins of the fine spectrum
_FULL = np.float32(0.97)


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
_MEAN = np.full(FRAME, 1 / FRAME, np.float32)
_FIRST_OF = np.arange(PART) * _BINS  # where each spectrum of a part begins
_NEAR = np.arange(-2, 3)[:, None]  # bins around a peak


def _projection() -> Floats:
    """From a spectrum's power to that of each band, their mean, that of the telephone band and that of BS.1770."""
    mel, telephone = _mel_bank(), np.zeros(_BINS, np.float32)
    telephone[_LOW_BIN:_HIGH_BIN] = 1
    return np.column_stack([mel, mel.mean(axis=1), telephone, _k_weights()])


_PROJECT = _projection()


def _mean_squares(body: Floats, room: Floats) -> Floats:
    """Return the mean square of each frame without its constant part."""
    rest = np.subtract(body, (body @ _MEAN)[:, None], out=room)
    return np.asarray(np.vecdot(rest, rest) * np.float32(1 / FRAME), np.float32)


class _Room:
    """Where spectra are worked out, kept from part to part: new memory each time would cost more than the sums."""

    def __init__(self, frames: int) -> None:
        self.body = np.empty((frames, FRAME), np.float32)
        self.windowed = np.empty((frames, WINDOW), np.float32)
        self.size = np.empty((frames, _BINS), np.float32)
        self.power = np.empty((frames, _BINS), np.float32)
        self.hann = np.tile(_HANN, (frames, 1))
        self.bins, self.two, self.four, self.nine = np.zeros((4, -(-frames // 2) * _WIDE), np.float32)


class Spectra:
    """What is needed of the spectra of a block of frames; the memory is that of the block before."""

    def __init__(self) -> None:
        # of every second frame, and of those before the first
        self._fine, self._size_of_fine = np.zeros((_BEFORE, _FINE), np.float32), np.ones(_BEFORE, np.float32)
        self._make_room(0)

    def _make_room(self, frames: int) -> None:
        self._room = _Room(min(frames, PART))
        self._bands = np.empty((frames, BANDS + 3), np.float32)
        self._square = np.empty(frames, np.float32)
        self._top = np.empty((2, frames), np.intp)
        self._near = np.empty((2, 5, frames), np.float32)
        half = frames // 2
        self._fine = np.concatenate([self._fine[:_BEFORE], np.empty((half, _FINE), np.float32)])
        self._size_of_fine = np.concatenate([self._size_of_fine[:_BEFORE], np.empty(half, np.float32)])

    def read(self, samples: Floats, count: int) -> "Block":
        """Work out the next frames, an even number, from samples that begin with the window of the first."""
        if count > len(self._square):
            self._make_room(count)
        for start in range(0, count, PART):
            part = min(PART, count - start)
            self._work_out(samples[start * FRAME : (start + part - 1) * FRAME + WINDOW], slice(start, start + part))
        body = samples[LEFT : LEFT + count * FRAME].reshape(count, FRAME)
        full = samples.max() >= _FULL or samples.min() <= -_FULL
        block = Block(
            self._bands[:count],
            self._square[:count].copy(),
            np.abs(body).max(axis=1) >= _FULL if full else np.zeros(count, np.bool_),
            self._persistence(count),
            *self._peaks(count),
        )
        self._fine[:_BEFORE] = self._fine[count // 2 : count // 2 + _BEFORE]
        self._size_of_fine[:_BEFORE] = self._size_of_fine[count // 2 : count // 2 + _BEFORE]
        return block

    def _work_out(self, samples: Floats, rows: slice) -> None:
        """Work out as many frames as there is room for at once."""
        room, count = self._room, rows.stop - rows.start
        body = samples[LEFT : LEFT + count * FRAME].reshape(count, FRAME)
        self._square[rows] = _mean_squares(body, room.body[:count])
        windows: Floats = np.ndarray((count, WINDOW), np.float32, samples, strides=(4 * FRAME, 4))
        windowed = room.windowed[:count]
        windowed[:] = windows  # first side by side: twice as fast
        windowed *= room.hann[:count]
        size = np.abs(fft.rfft(windowed, axis=1, overwrite_x=True), out=room.size[:count])
        power = np.multiply(size, size, out=room.power[:count])
        np.matmul(power, _PROJECT, out=self._bands[rows])
        self._find_peaks(size, power, rows)
        self._whiten(size[::2], _BEFORE + rows.start // 2)

    def _find_peaks(self, size: Floats, power: Floats, rows: slice) -> None:
        """Note the two strongest peaks of each spectrum and the bins around them; `power` is spent on it."""
        flat, sought, begin = power.reshape(-1), power[:, _FIRST_BIN:_HIGH_BIN], _FIRST_OF[: len(power)]
        top, near = self._top[:, rows], self._near[:, :, rows]
        np.minimum(sought.argmax(axis=1) + _FIRST_BIN, _HIGH_BIN - 4, out=top[0])
        at = _NEAR + (begin + top[0])
        near[0] = flat.take(at)
        flat[at] = 0
        np.minimum(sought.argmax(axis=1) + _FIRST_BIN, _HIGH_BIN - 4, out=top[1])
        near[1] = size.reshape(-1).take(_NEAR + (begin + top[1]))
        near[1] *= near[1]

    def _whiten(self, size: Floats, first: int) -> None:
        """Keep of every second spectrum what its notes are: how far its bins are above those around them."""
        n, room = len(size), self._room
        bins = room.bins[: n * _WIDE].reshape(n, _WIDE)
        np.sqrt(size[:, _FIRST_BIN:_HIGH_BIN], out=bins)
        # all rows as one, for speed; sums that run over the end of a row are left out below
        whole, two, four, nine = (a[: n * _WIDE] for a in (room.bins, room.two, room.four, room.nine))
        np.add(whole[:-1], whole[1:], out=two[:-1])
        np.add(two[:-2], two[2:], out=four[:-2])
        np.add(four[1:-4], four[5:], out=nine[:-5])
        nine[:-9] += whole[9:]
        nine *= np.float32(-1 / 9)
        fine = np.add(nine.reshape(n, _WIDE)[:, :_FINE], bins[:, 4:-5], out=self._fine[first : first + n])
        self._size_of_fine[first : first + n] = np.sqrt(np.einsum("ij,ij->i", fine, fine)) + np.float32(1e-6)

    def _persistence(self, count: int) -> Floats:
        first, last, fine, size = _BEFORE, _BEFORE + count // 2, self._fine, self._size_of_fine
        out = np.empty((count, len(_LAGS)), np.float32)
        for column, lag in enumerate(_LAGS):
            before = slice(first - lag, last - lag)
            out[::2, column] = np.einsum("ij,ij->i", fine[first:last], fine[before]) / (size[first:last] * size[before])
        out[1::2] = out[::2]
        return out

    def _peaks(self, count: int) -> tuple[Floats, Floats]:
        top, near = self._top[:, :count], self._near[:, :, :count]
        at = top[:, None] + _NEAR
        counts = at >= _FIRST_BIN
        counts[1] &= np.abs(at[1] - top[0]) > 2  # what the first peak has taken
        share = np.where(counts, near, np.float32(0)).sum(axis=1) / (self._bands[:count, TELEPHONE] + np.float32(1e-12))
        left, mid, right = np.log(near[:, 1:4] + np.float32(1e-20)).transpose(1, 0, 2)
        bend = left - 2 * mid + right
        shift = np.where(bend < -1e-6, 0.5 * (left - right) / np.minimum(bend, np.float32(-1e-6)), np.float32(0))
        hz = (top + np.minimum(np.maximum(shift, np.float32(-0.5)), np.float32(0.5))) * _BIN_HZ
        return np.ascontiguousarray(hz.T, np.float32), np.ascontiguousarray(np.minimum(share, 1).T, np.float32)


@dataclass(frozen=True, slots=True)
class Block:
    """What is needed of the spectra of n frames.

    Attributes:
        bands: (n, BANDS + 3), power of each band, their mean, of 190..3600 Hz, and after BS.1770's filters; what they
            hold is overwritten when the next frames are read.
        mean_square: (n,), without the constant part.
        clipped: (n,), holds samples at full scale.
        persistence: (n, 3), how alike the fine spectrum is to itself 40, 120 and 320 ms ago: notes stay, a voice's
            pitch moves.
        peaks_hz: (n, 2), the two strongest spectral peaks.
        peak_shares: (n, 2), their shares of the frame's power, 0..1.
    """

    bands: Floats
    mean_square: Floats
    clipped: NDArray[np.bool_]
    persistence: Floats
    peaks_hz: Floats
    peak_shares: Floats
