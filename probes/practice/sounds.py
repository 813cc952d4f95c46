"""The sounds of a call by what they are; `Sounds` turns them into samples, once."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from probes.practice import music, tones
from probes.practice.voices import Voices

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Spoken:
    """A line in a voice of `voices.VOICES`."""

    text: str
    voice: str


@dataclass(frozen=True, slots=True)
class Music:
    """A piece of `music.PIECES`, played round and round."""

    piece: str


@dataclass(frozen=True, slots=True)
class Signal:
    """A call-progress tone of `tones.CADENCES`, played round and round."""

    name: str


@dataclass(frozen=True, slots=True)
class KeyTone:
    """The tone of one key."""

    key: str


@dataclass(frozen=True, slots=True)
class Clip:
    """Samples that were given to us, named by their hash."""

    sha256: str


Sound = Spoken | Music | Signal | KeyTone | Clip


class Sounds:
    """All sounds of a practice vendor, kept in memory and, where they are dear to make, in its folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._voices = Voices(folder / "voices")
        self._made: dict[Sound, Samples] = {}
        self._lock = threading.Lock()

    @property
    def voice_engine(self) -> str:
        """The name of the synthesiser in use."""
        return self._voices.engine

    def samples(self, sound: Sound) -> Samples:
        """Return the sound at 8 kHz, full scale 1.0; one period of what is played round and round."""
        with self._lock:
            if (made := self._made.get(sound)) is None:
                made = self._made[sound] = self._make(sound)
            return made

    def length_s(self, sound: Sound) -> float:
        """Return the length of the sound, or of its period."""
        return len(self.samples(sound)) / tones.RATE_HZ

    def keep(self, samples: Samples) -> Clip:
        """Keep samples of 8 kHz that came from outside."""
        clip = Clip(hashlib.sha256(samples.tobytes()).hexdigest())
        with self._lock:
            self._made[clip] = samples
        return clip

    def _make(self, sound: Sound) -> Samples:
        match sound:
            case Spoken(text, voice):
                return self._voices.speak(text, voice)
            case Music(piece):
                return self._composed(piece)
            case Signal(name):
                return tones.cadence(name)
            case KeyTone(key):
                return tones.key_tone(key)
            case Clip(sha256):
                raise KeyError(f"clip {sha256} was never kept")

    def _composed(self, piece: str) -> Samples:
        path = self._folder / "music" / f"{piece}-{music.EDITION}.npy"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part.npy")
            np.save(part, music.compose(piece))
            part.replace(path)
        loop: Samples = np.load(path)
        return loop
