"""Placing a call's audio in time, and handing it over from the line's thread to whoever listens.

The stack gives decoded audio one piece after the other and says nothing of what lay between: a far end that sends
nothing while it is silent would shorten the call. So pieces are placed by the clock, as long as they are late.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

import numpy as np

from probes.errors import Side
from probes.telephony.carrier import Frame

RATE_HZ = 8000
_LATE_S = 0.2  # what packets and our own looks may be late without having been silence
_AHEAD_S = 2.0  # audio that would be from later than this is no audio of now


@dataclass
class Placer:
    """Gives every piece of one side its media time; pieces that follow each other stay together."""

    next_s: float = 0.0
    lost_s: float = 0.0

    def place(self, count: int, now_s: float) -> float | None:
        """Return the media time of the first of `count` samples that are here at `now_s`; None: it cannot be theirs."""
        length_s = count / RATE_HZ
        if self.next_s + length_s > now_s + _AHEAD_S:
            return None
        at_s = self.next_s
        if now_s - (at_s + length_s) > _LATE_S:
            at_s = max(self.next_s, now_s - length_s)
            self.lost_s += at_s - self.next_s
        self.next_s = at_s + length_s
        return at_s


def frame(side: Side, t_s: float, pcm: bytes) -> Frame:
    """Return 16-bit samples as the contract has them."""
    samples = np.frombuffer(pcm, "<i2").astype("<f4") / np.float32(32768.0)
    return Frame(t_s=t_s, side=side, rate_hz=RATE_HZ, samples=samples.tobytes())


def to_pcm(samples: np.ndarray[tuple[int], np.dtype[np.float32]]) -> bytes:
    """Return samples of -1..1 as 16 bits."""
    return np.clip(np.round(samples * 32767.0), -32768, 32767).astype("<i2").tobytes()


class FramePipe:
    """Frames from the line's thread to one reader in another loop. The oldest are lost where nobody reads for long."""

    def __init__(self, at_most: int = 6000) -> None:
        self._frames: deque[Frame] = deque(maxlen=at_most)
        self._lock = threading.Lock()
        self._closed = False
        self._wake: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None

    def put(self, one: Frame) -> None:
        """Hand a frame over; from any thread."""
        with self._lock:
            self._frames.append(one)
        self._rouse()

    def close(self) -> None:
        """Say that no more will come; from any thread."""
        self._closed = True
        self._rouse()

    def _rouse(self) -> None:
        wake = self._wake
        if wake is not None and not wake[0].is_closed():
            wake[0].call_soon_threadsafe(wake[1].set)

    async def frames(self) -> AsyncIterator[Frame]:
        """Yield what comes until it is closed and empty."""
        event = asyncio.Event()
        self._wake = asyncio.get_running_loop(), event
        try:
            while True:
                event.clear()
                with self._lock:
                    closed = self._closed
                    ready = tuple(self._frames)
                    self._frames.clear()
                for one in ready:
                    yield one
                if closed and not ready:
                    return
                if not ready:
                    await event.wait()
        finally:
            self._wake = None
