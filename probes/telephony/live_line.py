"""Our end of a live call: its audio goes to the ear and the recording, and acts go out; all in media time.

Frames are taken one by one and listened to in batches in a thread, so that neither this call's signal work nor another
one's holds up the event loop. What waits in between is bounded: a sender that is too fast is made to wait.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cache
from typing import Any, TypeVar

from probes.clock import Clock
from probes.telephony.carrier import CallOver, Frame, LiveCall, Press, Say
from probes.telephony.ear import Ear
from probes.telephony.own_recording import OwnRecording

T = TypeVar("T")

_MOST_WAITING = 100  # frames: a second of both sides
_AT_ONCE = 20  # more only when we are behind: who waits is answered between two batches
_BATCH_REAL_S = 0.08
_BACK_S, _AHEAD_S = 30.0, 60.0  # how far a frame's time can be from the present one
_IDLE_REAL_S, _STEP_S = 1.0, 0.2
_LOST_REAL_S = 60.0  # a line that is up and sends nothing at all for so long has been lost on our side
_ACT_REAL_S = 60.0


@cache
def _threads() -> ThreadPoolExecutor:
    """Threads for live calls alone: hearing a long recording afterwards must not hold them up."""
    return ThreadPoolExecutor(2, thread_name_prefix="live-audio")


class LineLost(Exception):
    """No audio comes any more, though the call has not ended."""


class LiveLine:
    """One live call. `over` once its audio has ended and all of it was heard."""

    def __init__(
        self, call: LiveCall, clock: Clock, recording: OwnRecording | None, *, lost_real_s: float = _LOST_REAL_S
    ) -> None:
        self.ear = Ear()
        self.recording = recording
        self.over = False
        self.lost = False
        self.starts_at_utc: datetime | None = None
        self.ended_at_utc: datetime | None = None
        self._call, self._clock, self._lost_real_s = call, clock, lost_real_s
        self._arrived_s = 0.0
        self._last_real_s = time.monotonic()
        self._waiting: deque[Frame] = deque()
        self._came, self._room = asyncio.Event(), asyncio.Event()
        self._questions: list[tuple[Callable[[Ear], Any], asyncio.Future[Any]]] = []

    @property
    def now_s(self) -> float:
        """The present moment of the call, as far as audio has come."""
        return max(self._arrived_s, self.ear.heard_s)

    async def run(self) -> None:
        """Take the call's audio until it ends."""
        listening = asyncio.ensure_future(self._listen())
        taking = asyncio.ensure_future(self._take())
        try:
            await asyncio.wait({listening, taking}, return_when=asyncio.FIRST_COMPLETED)
            if listening.done():  # lost, or a bug
                listening.result()
            else:
                self.ended_at_utc = self._clock.now_utc()
                taking.result()
                self._came.set()
                await listening
        finally:
            for task in (taking, listening):
                task.cancel()
            await asyncio.gather(taking, listening, return_exceptions=True)
            self.over = True
            for _, future in self._questions:
                if not future.done():
                    future.set_exception(CallOver())

    async def until(self, asked: Callable[[Ear], T | None], at_most_s: float) -> T | None:
        """Return what `asked` finds once it finds something; None after so much media time.

        Raises:
            CallOver: the call ended first.
        """
        end_s = self.now_s + at_most_s

        def answer(ear: Ear) -> tuple[T | None] | None:
            found = asked(ear)
            return (found,) if found is not None or ear.heard_s >= end_s else None

        if self.over:
            raise CallOver
        future: asyncio.Future[tuple[T | None]] = asyncio.get_running_loop().create_future()
        self._questions.append((answer, future))
        return (await future)[0]

    async def press(self, press: Press) -> float:
        """Press keys; return when."""
        at_s = self.now_s
        if press.secret and self.recording is not None:
            self.recording.hide_from(at_s)
        try:
            await self._done(self._call.send_digits(press))
        finally:
            if press.secret and self.recording is not None:
                self.recording.hide_until(self.now_s)
        return at_s

    async def say(self, line: Say) -> tuple[float, float]:
        """Speak a line; return from when to when."""
        at_s = self.now_s
        await self._done(self._call.play(line), 0.3 * len(line.text))
        return at_s, self.now_s

    async def join(self, number: str, ring_at_most_s: float) -> bool:
        """Join a telephone of ours; return whether it was answered."""
        return await self._done(self._call.join(number, ring_at_most_s), ring_at_most_s)

    async def _done(self, act: Coroutine[Any, Any, T], audit_s: float = 0.0) -> T:
        """Wait for an act, but not for ever and not beyond the call's end."""
        doing = asyncio.ensure_future(act)
        ended = asyncio.ensure_future(self._until_over())
        try:
            at_most_real_s = _ACT_REAL_S + self._clock.real_delay_s(audit_s)
            await asyncio.wait({doing, ended}, timeout=at_most_real_s, return_when=asyncio.FIRST_COMPLETED)
            if doing.done():
                return doing.result()
            if ended.done():
                raise CallOver
            raise TimeoutError(f"it was not done within {at_most_real_s:.0f} s")
        finally:
            for task in (doing, ended):
                task.cancel()
            await asyncio.gather(doing, ended, return_exceptions=True)

    async def _until_over(self) -> None:
        with suppress(CallOver):
            await self.until(lambda _: None, float("inf"))

    # --- taking and listening ---

    async def _take(self) -> None:
        async for frame in self._call.frames():
            if not (
                frame.rate_hz > 0 and -_BACK_S < frame.t_s - self.now_s < _AHEAD_S
            ):  # not to be believed, or no time
                continue
            length_s = len(frame.samples) / 4 / frame.rate_hz
            starts_at = self._clock.now_utc() - timedelta(seconds=frame.t_s + length_s)
            if self.starts_at_utc is None or starts_at < self.starts_at_utc:  # the frame that was least late tells best
                self.starts_at_utc = starts_at
            self._arrived_s = min(max(self._arrived_s, frame.t_s + length_s), self.ear.heard_s + 2.0)
            self._last_real_s = time.monotonic()
            self._waiting.append(frame)
            self._came.set()
            while len(self._waiting) >= _MOST_WAITING:
                self._room.clear()
                await self._room.wait()

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._came.wait(), _STEP_S)
            self._came.clear()
            at_once = _AT_ONCE if len(self._waiting) < _MOST_WAITING - _AT_ONCE else _MOST_WAITING // 2
            batch = [self._waiting.popleft() for _ in range(min(at_once, len(self._waiting)))]
            self._room.set()
            idle_real_s = time.monotonic() - self._last_real_s
            if batch:
                await loop.run_in_executor(_threads(), self._digest, batch)
            elif self.ended_at_utc is not None:
                return
            elif idle_real_s > self._lost_real_s:
                self.lost = True
                raise LineLost(f"no audio came for {idle_real_s:.0f} s, though the call had not ended")
            elif idle_real_s > _IDLE_REAL_S:
                await loop.run_in_executor(_threads(), self.ear.pass_silence, _STEP_S)
            self._ask()
            for _ in range(3):  # whoever got an answer acts on it before more is heard
                await asyncio.sleep(0)
            if self._waiting:
                self._came.set()
            if len(self._waiting) < _AT_ONCE:
                await asyncio.sleep(_BATCH_REAL_S if self.ended_at_utc is None else 0)

    def _digest(self, batch: list[Frame]) -> None:
        if self.recording is not None:
            self.recording.take(batch)
        self.ear.take(batch)

    def _ask(self) -> None:
        open_ones, self._questions = self._questions, []
        for asked, future in open_ones:
            if future.done():
                continue
            answer = asked(self.ear)
            if answer is None:
                self._questions.append((asked, future))
            else:
                future.set_result(answer)
