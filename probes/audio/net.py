"""The small trained model: dilated convolutions over 80 ms steps, read from packaged weights, run with numpy.

For every 20 ms it gives log-probabilities of silence, tone, music, speech and speech over music. It looks 1.2 s ahead
and 10 s back.
Made by `bench/listener/train.py`.
"""

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from probes.audio.frames import CHUNK, FEATURES

Floats = NDArray[np.float32]

CLASSES = 5
SILENCE, TONE, MUSIC, SPEECH, OVER = range(CLASSES)
TAPS = (
    (1, 1),
    (2, 2),
    (4, 4),
    (8, 8),
    (16, 0),
    (32, 0),
    (64, 0),
)  # chunks (back, ahead) of each layer, as many ahead as back or none; back twice where nothing is ahead
LOOK_AHEAD = sum(ahead for _, ahead in TAPS)
_SPARE = 32  # chunks for which a layer has room before what it keeps is moved


@dataclass(frozen=True, slots=True)
class Weights:
    """What training made: input and output matrix and one per layer, each with its offsets."""

    version: str
    mean: Floats
    scale: Floats
    matrices: tuple[Floats, ...]
    offsets: tuple[Floats, ...]


@lru_cache(maxsize=1)
def weights() -> Weights:
    """Return the packaged weights."""
    with (
        resources.files("probes.audio").joinpath("listener.npz").open("rb") as f,
        np.load(f, allow_pickle=False) as stored,
    ):
        count = len(TAPS) + 2
        return Weights(
            str(stored["version"]),
            stored["mean"].astype(np.float32),
            stored["scale"].astype(np.float32),
            tuple(np.ascontiguousarray(stored[f"w{i}"], dtype=np.float32) for i in range(count)),
            tuple(stored[f"b{i}"].astype(np.float32) for i in range(count)),
        )


class _Layer:
    """One residual layer over a stream; keeps what it still needs of its input, in memory that is used again."""

    def __init__(self, matrix: Floats, offset: Floats, taps: tuple[int, int]) -> None:
        self._matrix, self._offset = matrix, offset
        self._back, self._ahead = taps
        self._reach = self._back + self._ahead
        self._rows = np.zeros((self._reach + _SPARE, len(offset)), np.float32)
        self._start, self._end = 0, self._back  # of the rows that are kept

    def push(self, rows: Floats) -> Floats:
        """Return the rows that are ready."""
        if self._end + len(rows) > len(self._rows):
            self._move_to_front(len(rows))
        self._rows[self._end : self._end + len(rows)] = rows
        self._end += len(rows)
        count = self._end - self._start - self._reach
        if count <= 0:
            return rows[:0]
        first, width = self._start, self._rows.shape[1]
        row_bytes = self._rows.strides[0]
        taps: Floats = np.ndarray(
            (count, 3, width),
            np.float32,
            self._rows,
            offset=first * row_bytes,
            strides=(row_bytes, self._reach // 2 * row_bytes, self._rows.itemsize),
        )
        out: Floats = taps.reshape(count, 3 * width) @ self._matrix
        out += self._offset
        np.maximum(out, 0, out=out)
        out += self._rows[first + self._back : first + self._back + count]
        self._start += count
        return out

    def _move_to_front(self, more: int) -> None:
        kept = self._rows[self._start : self._end].copy()
        if len(kept) + more > len(self._rows):
            self._rows = np.empty((len(kept) + more, self._rows.shape[1]), np.float32)
        self._rows[: len(kept)] = kept
        self._start, self._end = 0, len(kept)

    def finish(self) -> Floats:
        """Return the rows that wait for what is ahead; zeros are put there."""
        return self.push(np.zeros((self._ahead, len(self._offset)), np.float32))


class Net:
    """Runs the model over a stream of features."""

    def __init__(self) -> None:
        w = weights()
        # features are brought to one scale by the first matrix
        self._first = np.tile(w.scale, CHUNK)[:, None] * w.matrices[0]
        self._first_offset = w.offsets[0] - np.tile(w.mean, CHUNK) @ self._first
        self._last, self._last_offset = w.matrices[-1], w.offsets[-1]
        self._layers = [_Layer(m, b, t) for m, b, t in zip(w.matrices[1:-1], w.offsets[1:-1], TAPS, strict=True)]

    def push(self, features: Floats) -> Floats:
        """Return log-probabilities (m, CLASSES) of the next m frames; features come in whole chunks."""
        rows: Floats = features.reshape(-1, CHUNK * FEATURES) @ self._first
        rows += self._first_offset
        np.maximum(rows, 0, out=rows)
        for layer in self._layers:
            rows = layer.push(rows)
        return self._told(rows)

    def finish(self) -> Floats:
        """Return the log-probabilities of the last frames."""
        waiting: list[Floats] = []
        for layer in self._layers:
            ready = [layer.push(np.concatenate(waiting))] if waiting else []
            waiting = [*ready, layer.finish()]
        return self._told(np.concatenate(waiting))

    def _told(self, rows: Floats) -> Floats:
        logits = (rows @ self._last + self._last_offset).reshape(-1, CLASSES).T.copy()  # classes first: far faster
        logits -= logits.max(axis=0)
        logits -= np.log(np.exp(logits).sum(axis=0))
        return np.ascontiguousarray(logits.T)
