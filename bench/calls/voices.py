"""Synthetic voices that say the sentences of texts.toml: espeak-ng and flite, both called as programs."""

from __future__ import annotations

import subprocess
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from bench.calls.packages import Split
from bench.calls.sounds import Sound, levelled, read, trimmed

FLITE = {"train": ("awb", "rms", "kal"), "course": ("slt", "kal16"), "test": ()}
TEXTS = Path(__file__).with_name("texts.toml")


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence for one voice."""

    name: str  # kind and number: "menu-2"; a position message is "position-N", N said in it
    text: str

    @property
    def kind(self) -> str:
        return self.name.partition("-")[0]


@dataclass(frozen=True, slots=True)
class Voice:
    """A speaker of a synthesiser and what it says."""

    name: str
    engine: str
    speaker: str
    language: str
    lines: tuple[Line, ...]


def voices(split: Split) -> list[Voice]:
    """Return every synthetic voice of one side of the split with its lines."""
    out = []
    for block in tomllib.loads(TEXTS.read_text("utf-8"))["block"]:
        if block["split"] != split:
            continue
        lines = [
            Line(f"{kind}-{number}", text)
            for kind in ("menu", "hold", "advert", "person", "host", "song")
            for number, text in enumerate(block[kind])
        ]
        lines += [Line(f"position-{n}", block["position"].format(n=n)) for n in range(1, 8)]
        speakers = [("espeak", v) for v in block["voices"]]
        if block["language"] == "en":
            speakers += [("flite", v) for v in FLITE[split]]
        for engine, speaker in speakers:
            out.append(Voice(f"{engine}-{speaker}", engine, speaker, block["language"], tuple(lines)))
    return out


def say(voice: Voice, line: Line) -> Sound:
    """Return one sentence at 8 kHz, trimmed and levelled; empty when the voice has no sound for it.

    Raises:
        OSError: the synthesiser is not installed.
        subprocess.CalledProcessError: it does not know the voice.
    """
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "said.wav"
        if voice.engine == "espeak":
            pace = 130 + (hash_of(voice.name) % 5) * 14
            command = ["espeak-ng", "-v", voice.speaker, "-s", str(pace), "-w", str(target), line.text]
        else:
            command = ["flite", "-voice", voice.speaker, "-t", line.text, "-o", str(target)]
        subprocess.run(command, check=True, capture_output=True)
        sound = trimmed(read(target))
    return levelled(sound) if len(sound) else sound


def hash_of(name: str) -> int:
    """Return a small number that follows from a name alone, the same on every machine and run."""
    return sum((place + 1) * byte for place, byte in enumerate(name.encode()))
