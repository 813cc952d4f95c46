"""What a call is made of: tracks and voices of one side of the split, read from the cache when they are needed."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.calls.packages import Split
from bench.calls.sounds import Sound

NOT_SPEECH = Path(__file__).with_name("not_speech.txt")
PREPARED = "prepared-3"  # raise when what is prepared changes: the samples of every call follow from it


@dataclass(frozen=True, slots=True)
class Track:
    """A piece of music."""

    name: str
    kind: str  # recorded | midi | module | composed | sung
    source: str  # package or generator: everything of one source is on one side of the split
    file: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Clip:
    """One spoken line within its voice's file, in samples."""

    name: str
    kind: str  # any | digit | menu | hold | advert | person | host | song | position
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Speaker:
    """A voice. `roles`: system (a machine's recordings) and person (somebody who answers)."""

    name: str
    source: str
    language: str
    roles: tuple[str, ...]
    file: str
    clips: tuple[Clip, ...]

    def named(self, *kinds: str) -> list[Clip]:
        """Return the lines of some kinds; a recorded prompt of no particular kind serves as any of them."""
        return [c for c in self.clips if c.kind in kinds or c.kind == "any"]


@dataclass(frozen=True)
class Pool:
    """Tracks and voices of one side, and where their sound is."""

    split: Split
    tracks: tuple[Track, ...]
    speakers: tuple[Speaker, ...]
    folder: Path = field(default=Path())
    sounds: dict[str, NDArray[np.int16]] = field(default_factory=dict)  # in memory, instead of files

    def music(self, track: Track) -> Sound:
        """Return a whole track."""
        return _floats(self._data(track.file))

    def clip(self, speaker: Speaker, clip: Clip) -> Sound:
        """Return one spoken line."""
        return _floats(self._data(speaker.file)[clip.start : clip.end])

    def with_role(self, role: str) -> list[Speaker]:
        """Return the voices that may take a part."""
        return [s for s in self.speakers if role in s.roles]

    def _data(self, file: str) -> NDArray[np.int16]:
        return self.sounds[file] if file in self.sounds else _mapped(str(self.folder / file))


@lru_cache(maxsize=64)
def _mapped(path: str) -> NDArray[np.int16]:
    return np.asarray(np.load(path, mmap_mode="r"))


def _floats(data: NDArray[np.int16]) -> Sound:
    return data.astype(np.float32) / np.float32(8192)  # prepared sound keeps 12 dB of room for its peaks


def integers(sound: Sound) -> NDArray[np.int16]:
    """Return sound as it is kept in the cache: the reverse of what `Pool` reads."""
    return np.asarray(np.clip(np.round(sound * 8192), -32768, 32767), np.int16)


def save(pool: Pool) -> None:
    """Write the index of a prepared side."""
    document = {"split": pool.split, "tracks": [asdict(t) for t in pool.tracks]}
    document["speakers"] = [asdict(s) for s in pool.speakers]
    (pool.folder / f"{pool.split}.json").write_text(json.dumps(document))


def _clips(speaker: dict[str, Any], without: set[str]) -> tuple[Clip, ...]:
    return tuple(Clip(**c) for c in speaker["clips"] if f"{speaker['name']}/{c['name']}" not in without)


def load(cache: Path, split: Split) -> Pool:
    """Return one side of the split as `fetch` prepared it.

    Raises:
        FileNotFoundError: nothing is prepared there.
    """
    folder = cache / PREPARED
    without = set(NOT_SPEECH.read_text("utf-8").splitlines())
    document = json.loads((folder / f"{split}.json").read_text())
    tracks = tuple(Track(**t) for t in document["tracks"])
    speakers = tuple(
        Speaker(**{**s, "roles": tuple(s["roles"]), "clips": _clips(s, without)}) for s in document["speakers"]
    )
    return Pool(split, tracks, speakers, folder)
