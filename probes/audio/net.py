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
)  # chunks (back, ahead) of each layer; back twice where nothing is ahead
LOOK_AHEAD = sum(ahead for _, ahead in TAPS)


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
    """One residual layer; keeps what it still needs of its input."""

    def __init__(self, matrix: Floats, offset: Floats, taps: tuple[int, int]) -> None:
        self._matrix, self._offset = matrix, offset
        back, self._ahead = taps
        self._offsets = (0, back, back + self._ahead) if self._ahead else (0, back // 2, back)
        self._back = back
        self._kept = np.zeros((back, len(offset)), np.float32)

    def push(self, rows: Floats) -> Floats:
        """Return the rows that are ready."""
        have = np.concatenate([self._kept, rows]) if len(self._kept) else rows
        count = len(have) - self._back - self._ahead
        if count <= 0:
            self._kept = have
            return have[:0]
        first, second, third = self._offsets
        wide = np.concatenate(
            [have[first : first + count], have[second : second + count], have[third : third + count]], axis=1
        )
        out = wide @ self._matrix
        out += self._offset
        np.maximum(out, 0, out=out)
        out += have[self._back : self._back + count]
        self._kept = have[count:].copy()
        return out

    def finish(self) -> Floats:
        """Return the rows that wait for what is ahead; zeros are put there."""
        return self.push(np.zeros((self._ahead, len(self._offset)), np.float32))


class Net:
    """Runs the model over a stream of features."""

    def __init__(self) -> None:
        w = weights()
        self._mean, self._scale = w.mean, w.scale
        self._first, self._first_offset = w.matrices[0], w.offsets[0]
        self._last, self._last_offset = w.matrices[-1], w.offsets[-1]
        self._layers = [_Layer(m, b, t) for m, b, t in zip(w.matrices[1:-1], w.offsets[1:-1], TAPS, strict=True)]

    def push(self, features: Floats) -> Floats:
        """Return log-probabilities (m, CLASSES) of the next m frames; features come in whole chunks."""
        scaled = np.asarray((features - self._mean) * self._scale, dtype=np.float32)
        rows: Floats = scaled.reshape(-1, CHUNK * FEATURES) @ self._first
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
        logits = (rows @ self._last + self._last_offset).reshape(-1, CLASSES)
        logits -= logits.max(axis=1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return np.asarray(logits, np.float32)
