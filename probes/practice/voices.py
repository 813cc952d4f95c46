"""The persons of the practice vendor, told apart by their sound and not by their quality. Each line is made once."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from probes import speech
from probes.errors import Unavailable
from probes.speech import Voice

VOICES = {
    "ivy": Voice("slt", "en+f3", 1.0),
    "nora": Voice("slt", "en-us+f2", 1.12, 150, 60),
    "arthur": Voice("awb", "en+m3", 1.0),
    "rufus": Voice("rms", "en-us+m1", 1.0),
    "kit": Voice("kal16", "en-gb-x-rp+m4", 1.05),
    "otto": Voice("rms", "en-us+m7", 1.15, 80, 30),
}


class Voices:
    """Turns text into speech at 8 kHz and keeps every line in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.engine = speech.engine()

    def speak(self, text: str, voice: str) -> NDArray[np.float32]:
        """Return a line at 8 kHz, full scale 1.0, without silence around it.

        Raises:
            Unavailable: there is no synthesiser, or it failed.
            KeyError: there is no such voice.
        """
        who = VOICES[voice]
        if not self.engine:
            message = "the practice vendor has no voice: neither flite nor espeak-ng was found"
            raise Unavailable(message, fix=speech.CURE)
        name = hashlib.sha256(f"{self.engine}\n{who}\n{text}".encode()).hexdigest()[:32]
        path = self._folder / f"{name}.npy"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part.npy")
            np.save(part, speech.speech(text, who))
            part.replace(path)
        line: NDArray[np.float32] = np.load(path)
        return line
