"""Sets of scenes and whole calls to train on, as features and targets; kept in the cache, each made by its own seed."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bench.calls import pool
from bench.calls.make import make as make_call
from bench.listener.scenes import Composer, scene
from bench.listener.sources import KEPT, Material, load
from probes.audio.frames import CHUNK, FEATURES, FrameReader, join

Pair = tuple[NDArray[np.float16], NDArray[np.int8]]
_CLASS = {"silence": 0, "tone": 1, "music": 2, "speech": 3}
_OVER_MUSIC = 4
_LONGEST_CALL_S = 420.0


@dataclass(frozen=True, slots=True)
class Set:
    """Sound of one kind: `train` and `dev` are scenes of that side of the sources, `calls` whole calls to train on."""

    kind: Literal["train", "dev", "calls"]
    seed: int
    hours: float

    @property
    def name(self) -> str:
        """What it is called, in the cache too."""
        return f"{self.kind}-{self.seed}"


def get(wanted: Set, cache: Path) -> Pair:
    """Return features (n, FEATURES) and targets (n,) of a set; it is made if it is not in the cache."""
    keep = cache / KEPT / f"scenes-{wanted.name}-{wanted.hours:g}h.npz"
    if not keep.exists():
        began = time.process_time()
        features, targets = make(wanted, cache)
        part = keep.with_suffix(".part.npz")
        np.savez(part, features=features, targets=targets)
        part.rename(keep)
        shares = np.bincount(targets + 1) / len(targets)
        print(f"{wanted.name}: {len(targets) / 180_000:.1f} h in {time.process_time() - began:.0f} s, {shares}")
    with np.load(keep) as stored:
        return stored["features"], stored["targets"]


def make(wanted: Set, cache: Path) -> Pair:
    """Make a set: what is in it follows from its seed and the prepared packages alone."""
    parts: list[Pair] = []
    source = _calls(wanted, cache) if wanted.kind == "calls" else _scenes(wanted, cache)
    while sum(len(t) for _, t in parts) < wanted.hours * 180_000:
        parts.append(next(source))
    return np.concatenate([f for f, _ in parts]), np.concatenate([t for _, t in parts])


def _scenes(wanted: Set, cache: Path, length_s: float = 240.0) -> Iterator[Pair]:
    split = wanted.kind
    material = load(cache, split)
    rng = np.random.default_rng([wanted.seed, len(split)])
    composer = Composer(material, _sung(cache, split, material, 300 if split == "train" else 40), rng, cache)
    while True:
        x, target = scene(composer, length_s * float(rng.uniform(0.3, 1.5)))
        yield taught(x, target)


def _calls(wanted: Set, cache: Path) -> Iterator[Pair]:
    side = pool.load(cache, "train")
    index = 0
    while True:
        call = make_call(side, 1000 + wanted.seed, index, cache, _LONGEST_CALL_S)
        yield taught(call.vendor, painted(call.label, len(call.vendor) // 160))
        index += 1


def taught(x: NDArray[np.float32], target: NDArray[np.int8]) -> Pair:
    """Return what a stretch of sound teaches: its features and the class of each 20 ms, in whole chunks."""
    reader = FrameReader()
    frames = join(reader.push(x) + reader.finish())
    n = len(target) // CHUNK * CHUNK
    assert frames.features.shape[1] == FEATURES
    return frames.features[:n].astype(np.float16), target[:n].astype(np.int8)


def painted(label: dict, count: int) -> NDArray[np.int8]:
    """Return the class of each 20 ms from a call's labels; -1 where it does not count."""
    out = np.zeros(count, np.int8)
    for s in label["segments"]:
        state = _OVER_MUSIC if s.get("over_music") else _CLASS[s["kind"]]
        out[round(s["start_s"] * 50) : round(s["end_s"] * 50)] = state
    for start_s, end_s in label["ignore"]:
        out[int(start_s * 50) : int(end_s * 50) + 1] = -1
    return out


def _sung(cache: Path, split: str, material: Material, count: int) -> list[NDArray[np.float32]]:
    """Return sung voices, made once."""
    keep = cache / KEPT / f"sung-{split}-{count}.npz"
    if not keep.exists():
        from bench.listener.singing import sing  # the vocoder that it needs is an extra

        rng = np.random.default_rng(7)
        groups = sorted(material.voices)
        part = keep.with_suffix(".part.npz")
        np.savez(part, *[sing(material.voices[groups[i % len(groups)]], rng, 14.0) for i in range(count)])
        part.rename(keep)
    with np.load(keep) as stored:
        return [stored[k] for k in stored.files]
