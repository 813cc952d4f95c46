"""Fits the listener's net from a random start with numpy: a fixed number of steps, all chance from one seed.

The same sets and seed give the same weights to the last bit on one machine. Arrays are laid out (chunk, crop, channel):
what a layer looks at before and ahead is then a stretch of the same memory, and nothing has to be copied together.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.listener.made import Pair
from bench.listener.scenes import EITHER
from probes.audio.frames import CHUNK, FEATURES
from probes.audio.net import CLASSES, SILENCE, SPEECH, TAPS

Floats = NDArray[np.float32]
Values = dict[str, Floats]
VERSION = "4"  # of the weights that are made; raise it with every training that is shipped (last: 3)
WIDTH = 96
CROP = 448  # chunks: 36 s
_UNSURE = (8, 20)  # chunks at a crop's ends in which the net lacks what is before or behind
_DROPPED, _SMOOTHED = 0.1, 0.03
_AVERAGED = 0.998  # how much of the weights' mean is kept by each step
_LAST = len(TAPS) + 1
_TURNED = [f"w{i}" for i in range(_LAST)]  # matrices that are moved by turns (see `Mover`)


@dataclass(frozen=True, slots=True)
class Schedule:
    """How fast the weights move: up within the first `warm` steps, steady, to nothing over the last `falling`."""

    steps: int
    crops: int = 24  # that are looked at together
    rate: float = 2e-3
    warm: int = 200
    falling: int = 2400

    def at(self, step: int) -> float:
        """Return the rate of a step, counted from 1."""
        return self.rate * min(1.0, step / self.warm, (self.steps - step) / self.falling)


@dataclass(frozen=True, slots=True)
class Fitted:
    """What is stored: the net's matrices and offsets, and what its features are brought to one scale with."""

    values: Values
    mean: Floats
    scale: Floats

    def store(self, out: Path) -> None:
        """Write the weights as the listener reads them."""
        halves = {k: v.astype(np.float16) for k, v in self.values.items()}
        np.savez_compressed(out, version=np.array(VERSION), mean=self.mean, scale=self.scale, **halves)


def start_values(rng: np.random.Generator) -> Values:
    """Return random weights."""
    shapes = [(CHUNK * FEATURES, WIDTH), *[(3 * WIDTH, WIDTH)] * len(TAPS), (WIDTH, CHUNK * CLASSES)]
    values = {}
    for i, (rows, columns) in enumerate(shapes):
        gain = 1 if i == 0 else 0.5 if i < _LAST else 0.1
        values[f"w{i}"] = (rng.standard_normal((rows, columns)) * np.sqrt(2 / rows) * gain).astype(np.float32)
        values[f"b{i}"] = np.zeros(columns, np.float32)
    return values


class Pass:
    """One pass of a batch through the net and back; the memory for it is used again by the next."""

    def __init__(self, chunks: int, crops: int) -> None:
        self._n, self._size = chunks, chunks * crops
        self._crops = crops
        self._inputs = [np.zeros(((back + chunks + ahead) * crops, WIDTH), np.float32) for back, ahead in TAPS]
        self._added = [np.empty((self._size, WIDTH), np.float32) for _ in TAPS]
        self._out, self._scratch, self._slope = (np.empty((self._size, WIDTH), np.float32) for _ in range(3))
        self._drops: list[Floats] = []

    def forward(self, values: Values, rows: Floats, drops: list[Floats]) -> Floats:
        """Return logits (chunks, crops, CHUNK * CLASSES).

        Args:
            values: the weights.
            rows: (chunks * crops, CHUNK * FEATURES), standardised.
            drops: what each layer's output is multiplied with, (crops, WIDTH) each; none: nothing is dropped.
        """
        self._rows, self._drops = rows, drops
        here = self._own(0)
        np.matmul(rows, values["w0"], out=here)
        here += values["b0"]
        np.maximum(here, 0, out=here)
        for i in range(len(TAPS)):
            matrix, added = values[f"w{i + 1}"], self._added[i]
            taps = self._taps(i, self._inputs[i])
            np.matmul(taps[0], matrix[:WIDTH], out=added)
            for k in (1, 2):
                np.matmul(taps[k], matrix[k * WIDTH : (k + 1) * WIDTH], out=self._scratch)
                added += self._scratch
            added += values[f"b{i + 1}"]
            np.maximum(added, 0, out=added)
            into = self._own(i + 1)
            np.add(self._own(i), added, out=into)
            if drops:
                into.reshape(self._n, self._crops, WIDTH)[:] *= drops[i]
        return (self._out @ values[f"w{_LAST}"] + values[f"b{_LAST}"]).reshape(self._n, self._crops, -1)

    def backward(self, values: Values, slope: Floats) -> Values:
        """Return the loss's slope in each weight, from that in the logits of the last `forward`."""
        flat = slope.reshape(self._size, -1)
        out = {f"w{_LAST}": self._out.T @ flat, f"b{_LAST}": flat.sum(axis=0)}
        down = self._slope
        np.matmul(flat, values[f"w{_LAST}"].T, out=down)
        for i in reversed(range(len(TAPS))):
            if self._drops:
                down.reshape(self._n, self._crops, WIDTH)[:] *= self._drops[i]
            matrix, added = values[f"w{i + 1}"], self._added[i]
            np.multiply(down, added > 0, out=added)
            out[f"b{i + 1}"] = added.sum(axis=0)
            out[f"w{i + 1}"] = np.concatenate([tap.T @ added for tap in self._taps(i, self._inputs[i])])
            wide = np.zeros_like(self._inputs[i])
            back = TAPS[i][0] * self._crops
            wide[back : back + self._size] = down
            for k, tap in enumerate(self._taps(i, wide)):
                np.matmul(added, matrix[k * WIDTH : (k + 1) * WIDTH].T, out=self._scratch)
                tap += self._scratch
            down[:] = wide[back : back + self._size]
        down *= self._own(0) > 0
        return out | {"w0": self._rows.T @ down, "b0": down.sum(axis=0)}

    def _own(self, layer: int) -> Floats:
        """Return the part of a layer's input that is no padding; after the last layer, the net's output."""
        if layer == len(TAPS):
            return self._out
        start = TAPS[layer][0] * self._crops
        return self._inputs[layer][start : start + self._size]

    def _taps(self, layer: int, padded: Floats) -> list[Floats]:
        back, ahead = TAPS[layer]
        offsets = (0, back, back + ahead) if ahead else (0, back // 2, back)
        return [padded[o * self._crops : o * self._crops + self._size] for o in offsets]


def loss(logits: Floats, target: NDArray[np.int8]) -> tuple[float, Floats]:
    """Return how far logits (chunks, crops, CHUNK * CLASSES) are from targets (chunks, crops, CHUNK), and the slope."""
    z = logits.reshape(*target.shape, CLASSES)
    logp = z - z.max(axis=-1, keepdims=True)
    logp -= np.log(np.exp(logp).sum(axis=-1, keepdims=True))
    p = np.exp(logp)
    keep = target >= 0
    keep[: _UNSURE[0]] = keep[-_UNSURE[1] :] = False
    either = (target == EITHER)[..., None]
    told = np.eye(CLASSES, dtype=np.float32)[np.clip(target, 0, CLASSES - 1)]
    told = (1 - _SMOOTHED) * told + np.float32(_SMOOTHED / CLASSES)
    share = np.logaddexp(logp[..., SILENCE], logp[..., SPEECH])  # of silence and speech together
    split = np.zeros_like(p)
    split[..., [SILENCE, SPEECH]] = np.exp(logp[..., [SILENCE, SPEECH]] - share[..., None])
    told = np.where(either, split, told)
    far = np.where(either[..., 0], -share, -(told * logp).sum(axis=-1))
    count = max(1, int(keep.sum()))
    slope = (p - told) * (keep[..., None] / np.float32(count))
    return float(far[keep].sum(dtype=np.float64)) / count, slope.reshape(logits.shape).astype(np.float32)


class Mover:
    """Moves weights against their slopes and keeps the mean of the last few hundred.

    Matrices by Muon (K. Jordan, 2024: momentum, then the nearest matrix whose singular values are alike), the last one
    and offsets by Adam with decoupled decay.
    """

    def __init__(self, values: Values, averaged: float) -> None:
        self.values = values
        self._first = {k: np.zeros_like(v) for k, v in values.items()}
        self._second = {k: np.zeros_like(v) for k, v in values.items()}
        self.average = {k: v.copy() for k, v in values.items()}
        self._averaged = averaged
        self._at = 0

    def step(self, slopes: Values, rate: float) -> None:
        """Move once."""
        self._at += 1
        norm = np.sqrt(sum(float((g**2).sum()) for g in slopes.values()))
        cut = np.float32(min(1.0, 1 / (norm + 1e-9)))
        a, b = 1 - 0.9**self._at, 1 - 0.999**self._at
        keep = np.float32(min(self._averaged, self._at / (self._at + 4)))  # the first soon count little
        for k, v in self.values.items():
            g = slopes[k] * cut
            if k in _TURNED:
                self._first[k] = 0.95 * self._first[k] + g
                turned = nearest_turn(g + 0.95 * self._first[k])
                v -= np.float32(rate) * (0.2 * np.sqrt(max(v.shape)) * turned + 1e-2 * v).astype(np.float32)
            else:
                self._first[k] = 0.9 * self._first[k] + 0.1 * g
                self._second[k] = 0.999 * self._second[k] + 0.001 * g**2
                towards = self._first[k] / a / (np.sqrt(self._second[k] / b) + 1e-8)
                v -= np.float32(rate) * (towards + 1e-4 * v).astype(np.float32)
            self.average[k] += (1 - keep) * (v - self.average[k])


def nearest_turn(m: Floats) -> Floats:
    """Return about the nearest matrix whose singular values are all 1 (five Newton-Schulz rounds)."""
    x = m if m.shape[0] <= m.shape[1] else m.T
    x = x / (np.linalg.norm(x) + np.float32(1e-7))
    for _ in range(5):
        a = x @ x.T
        x = np.float32(3.4445) * x + (np.float32(-4.775) * a + np.float32(2.0315) * (a @ a)) @ x
    return x if m.shape[0] <= m.shape[1] else x.T


def fit(sets: list[Pair], judged: Pair, schedule: Schedule, seed: int, say: Callable[[str], None] = print) -> Fitted:
    """Return weights that were trained on `sets`; now and then how well they do on `judged` is said."""
    features, targets = np.concatenate([f for f, _ in sets]), np.concatenate([t for _, t in sets])
    some = features[::50].astype(np.float32)
    mean, scale = some.mean(axis=0), 1 / (some.std(axis=0) + np.float32(0.05))
    rows = _standardised(features, mean, scale)
    judged_rows = _standardised(judged[0], mean, scale)
    del features, some
    mover = Mover(start_values(np.random.default_rng(seed)), _AVERAGED)
    crops = schedule.crops
    net = Pass(CROP, crops)
    began, losses = time.time(), []
    at = 0
    while at < schedule.steps:
        at += 1
        rng = np.random.default_rng([seed, at])
        r, t = _crops(rows, targets, rng.integers(0, len(rows) - CROP, crops))
        drops = [(rng.random((crops, WIDTH)) >= _DROPPED).astype(np.float32) / np.float32(1 - _DROPPED) for _ in TAPS]
        value, slope = loss(net.forward(mover.values, r, drops), t)
        mover.step(net.backward(mover.values, slope), schedule.at(at))
        losses.append(value)
        if at % 250 == 0 or at == schedule.steps:
            told = json.dumps(measure(mover.average, judged_rows, judged[1]))
            say(f"{at} steps, {time.time() - began:.0f} s, loss {np.mean(losses[-250:]):.4f} {told}")
    return Fitted(mover.average, mean, scale)


def _standardised(features: NDArray[np.float16], mean: Floats, scale: Floats) -> NDArray[np.float16]:
    return ((features - mean.astype(np.float16)) * scale.astype(np.float16)).reshape(-1, CHUNK * FEATURES)


def _crops(
    rows: NDArray[np.float16], targets: NDArray[np.int8], starts: NDArray[np.int64]
) -> tuple[Floats, NDArray[np.int8]]:
    """Return crops side by side: rows (CROP * crops, ·) and targets (CROP, crops, CHUNK)."""
    r = np.stack([rows[s : s + CROP] for s in starts], axis=1).astype(np.float32)
    t = np.stack([targets[s * CHUNK : (s + CROP) * CHUNK].reshape(CROP, CHUNK) for s in starts], axis=1)
    return r.reshape(CROP * len(starts), -1), t


def measure(values: Values, rows: NDArray[np.float16], target: NDArray[np.int8]) -> dict[str, float]:
    """Return the share of right classes, of right kinds (speech is one kind), and F1 of each kind."""
    confusion = np.zeros((CLASSES, CLASSES))
    crops = 16
    net = Pass(CROP, crops)
    before, behind = _UNSURE
    starts = np.arange(0, len(rows) - CROP, CROP - before - behind)
    for some in np.array_split(starts, -(-len(starts) // crops)):
        r, t = _crops(rows, target, np.resize(some, crops))
        p = net.forward(values, r, []).reshape(CROP, crops, CHUNK, CLASSES).argmax(axis=3)
        t, p = t[before:-behind, : len(some)], p[before:-behind, : len(some)]
        keep = (t >= 0) & (t < CLASSES)
        np.add.at(confusion, (t[keep], p[keep]), 1)
    kinds = np.minimum(np.arange(CLASSES), SPEECH)
    folded = np.zeros((SPEECH + 1, SPEECH + 1))
    np.add.at(folded, (kinds[:, None], kinds[None, :]), confusion)
    f1 = 2 * np.diag(folded) / np.maximum(folded.sum(0) + folded.sum(1), 1)
    shares = {"right": np.trace(confusion) / confusion.sum(), "kinds": np.trace(folded) / folded.sum()}
    shares |= dict(zip(("silence", "tone", "music", "speech"), f1, strict=True))
    return {k: round(float(v), 4) for k, v in shares.items()}
