"""A recording of our own, made from the audio of a live call where the carrier makes none.

Each side goes into a file of its own at the place of its media time, so that what was lost is silence; the files have
no name and vanish with the process. What is heard while an identification number is entered is not written at all.
"""

from __future__ import annotations

import io
import math
import tempfile
import threading
from collections.abc import Iterable
from typing import IO

import numpy as np

from probes.errors import Side
from probes.telephony.carrier import Frame

_BEFORE_S, _AFTER_S = 0.25, 0.75  # keys are heard a little later than they were sent
VENDOR_CHANNEL = 0


class OwnRecording:
    """Both sides of one call, `longest_s` at most."""

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._files: dict[Side, IO[bytes]] = {}
        self._rate_hz = 0
        self._end = 0
        self._hidden: list[tuple[float, float]] = []
        self._lock = threading.Lock()
        self.left_out = 0

    def hide_from(self, from_s: float) -> None:
        """Silence both sides from a moment on, what has come already too, until `hide_until` says when to stop."""
        with self._lock:
            begin = max(0, int((from_s - _BEFORE_S) * self._rate_hz))
            self._hidden.append((from_s - _BEFORE_S, math.inf))
            for file in self._files.values():
                file.seek(2 * begin)
                file.write(bytes(2 * max(0, self._end - begin)))

    def hide_until(self, to_s: float) -> None:
        """Write again what comes after a moment."""
        with self._lock:
            self._hidden[-1] = (self._hidden[-1][0], to_s + _AFTER_S)

    def take(self, frames: Iterable[Frame]) -> None:
        """Write frames at their places."""
        with self._lock:
            for frame in frames:
                self._write(frame)

    def _write(self, frame: Frame) -> None:
        self._rate_hz = self._rate_hz or frame.rate_hz
        samples = np.frombuffer(frame.samples[: len(frame.samples) // 4 * 4], "<f4")
        begin, end_s = round(frame.t_s * self._rate_hz), frame.t_s + len(samples) / self._rate_hz
        if frame.rate_hz != self._rate_hz or begin < 0 or end_s > self._longest_s or frame.side not in _CHANNELS:
            self.left_out += 1
            return
        if any(from_s < end_s and frame.t_s < to_s for from_s, to_s in self._hidden):
            samples = np.zeros(len(samples), np.float32)
        whole = np.clip(np.round(np.nan_to_num(samples) * 32768.0), -32768, 32767).astype("<i2")
        file = self._files.get(frame.side)
        if file is None:
            file = self._files[frame.side] = tempfile.TemporaryFile()  # noqa: SIM115  (closed by `close`)
        file.seek(2 * begin)
        file.write(whole.tobytes())
        self._end = max(self._end, begin + len(samples))

    def wav(self) -> bytes | None:
        """Return the recording, the vendor's side first; None where nothing came."""
        import soundfile as sf

        if not self._end:
            return None
        samples = np.zeros((self._end, 2), np.int16)
        for side, channel in _CHANNELS.items():
            if (file := self._files.get(side)) is not None:
                file.seek(0)
                one = np.frombuffer(file.read(2 * self._end), "<i2")
                samples[: len(one), channel] = one
        out = io.BytesIO()
        sf.write(out, samples, self._rate_hz, format="WAV", subtype="PCM_16")
        return out.getvalue()

    def close(self) -> None:
        """Forget everything."""
        for file in self._files.values():
            file.close()
        self._files.clear()


_CHANNELS = {Side.VENDOR: VENDOR_CHANNEL, Side.OURS: 1 - VENDOR_CHANNEL}
