"""One call over SIP while it lasts, in the stack's thread: what happens is written down, audio goes both ways."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future as ThreadFuture
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

from probes.errors import Side
from probes.telephony.carrier import CallOver
from probes.telephony.sip_journal import LOST, Held
from probes.telephony.sip_media import RATE_HZ, FramePipe, Placer, frame

if TYPE_CHECKING:
    from baresip import Call, StackEvent

_BYTES_A_SECOND = 2 * RATE_HZ
_AHEAD_BYTES = int(0.2 * _BYTES_A_SECOND)  # as much as is given to the stack before it is due
_TOGETHER_S = 0.04  # pieces of one line of ours that are this near follow each other
_SILENCE_S, _SILENCE_LATER_S = 0.1, 0.1
_LAST_MESSAGES_S = 0.1  # the stack tells of an end before the last message has come through its log
_READ_AT_MOST = 1 << 16
_KEY_S, _KEY_GAP_MS = 0.1, 120
_SHORT_WAIT_S, _LONG_WAIT_S = 0.5, 1.0  # w and W among keys


@dataclass(frozen=True, slots=True)
class _Piece:
    """Audio to send: `gone` is told when it is out, `kept` says whether it is part of what our side is heard to say."""

    pcm: bytes
    gone: asyncio.Future[None] | None = None
    kept: bool = True


@cache
def _tone(key: str) -> bytes:
    from probes.telephony.keys import tone_of
    from probes.telephony.sip_media import to_pcm

    return to_pcm(tone_of(key, _KEY_S, RATE_HZ)) + bytes(int(_KEY_GAP_MS * _BYTES_A_SECOND / 1000))


class SipLine:
    """A call under way."""

    def __init__(
        self,
        held: Held,
        caller_id: str,
        ring_at_most_s: float,
        longest_s: float,
        forget: Callable[[SipLine], None],
    ) -> None:
        self._held = held
        self.caller_id, self.longest_s = caller_id, longest_s
        self.placing_at_utc = held.begun_at_utc
        self.ended_s: float | None = None
        self._ring_at_most_s = ring_at_most_s
        self._forget = forget
        self._loop = asyncio.get_running_loop()
        self._call: Call | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._why: str | None = None
        self._over = False
        self._answered_s: float | None = None
        self._vendor, self._ours = Placer(), Placer()
        self._early_bytes = 0
        self._to_say: deque[_Piece] = deque()
        self._keys_beside = True
        self._broken = False
        self._saying: asyncio.Future[None] | None = None
        self._busy = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._after: list[Callable[[], Coroutine[None, None, None]]] = []
        self.pipe = FramePipe()
        self.up: ThreadFuture[bool] = ThreadFuture()  # whether it was answered, once that is known
        self.gone: ThreadFuture[None] = ThreadFuture()
        self.on_audio: Callable[[bytes], None] | None = None

    @property
    def call_id(self) -> str:
        """The id of the call."""
        return self._held.call_id

    @property
    def is_over(self) -> bool:
        """Whether the call has ended."""
        return self._over

    # --- what the stack tells ---

    def placed(self, call: Call) -> None:
        """The request is on its way; the far end may ring for so long."""
        self._call = call
        self._held.add("placed")
        self._timer = self._loop.call_later(self._ring_at_most_s, self._at_limit, "ring_limit")

    def on_message(self, at_utc: datetime, sent: bool, wire: str, text: str) -> None:
        """A SIP message of this call went over the wire."""
        if not sent and "\nm=audio " in text:
            self._keys_beside = "telephone-event/" in text
        self._held.add("message", at_utc, direction="sent" if sent else "received", wire=wire, text=text)

    def on_event(self, event: StackEvent) -> None:
        """The stack saw something happen."""
        from baresip import Event

        if self._over:
            return
        match event.event:
            case Event.CALL_RINGING | Event.CALL_PROGRESS:
                self._held.add("ringing", with_audio=event.event is Event.CALL_PROGRESS)
            case Event.CALL_ESTABLISHED if self._answered_s is None:
                self._answered_s = self._loop.time()
                self._held.add("answered", early_audio_s=self._early_bytes / _BYTES_A_SECOND)
                if self._timer is not None:
                    self._timer.cancel()
                self._timer = self._loop.call_later(self.longest_s, self._at_limit, "time_limit")
                self._settle_up(True)
            case Event.CALL_HOLD:
                self._held.add("held_by_far_end")
            case Event.CALL_RESUME:
                self._held.add("resumed_by_far_end")
            case Event.CALL_TRANSFER:
                self._held.add("transfer_refused", target=event.text)
            case Event.CALL_CLOSED:
                self._end(event.text or "", dict(event.stats))

    def lost(self, text: str) -> None:
        """The stack cannot say any more of the call: it may be up, or not have been placed. Its record stays open."""
        if not self._over:
            self._is_over()
            self._held.add(LOST, text=text)
            self._let_go()

    def _is_over(self) -> None:
        self._over = True
        self.ended_s = time.monotonic()
        if self._timer is not None:
            self._timer.cancel()

    def _end(self, text: str, stats: dict[str, object]) -> None:
        self._is_over()
        self._loop.call_later(_LAST_MESSAGES_S, self._close, text, stats, datetime.now(UTC))

    def _close(self, text: str, stats: dict[str, object], ended_at: datetime) -> None:
        silence_s = round(self._vendor.lost_s, 3)
        final = self._call.final_stats if self._call is not None and self._answered_s is not None else None
        mos = None if final is None else final.mos_estimate  # the stack's estimate after ITU-T G.107
        self._held.add("ended", ended_at, text=text, why=self._why, stats=stats, mos=mos, silence_s=silence_s)
        self._let_go()

    def _let_go(self) -> None:
        self._held.close()
        self._forget(self)
        self._settle_up(False)
        self.gone.set_result(None)
        for then in self._after:
            self._start(then())
        self.pipe.close()
        for piece in self._to_say:
            if piece.gone is not None and not piece.gone.done():
                piece.gone.set_exception(CallOver())
        self._to_say.clear()
        if self._saying is not None and not self._saying.done():
            self._saying.set_exception(CallOver())

    def fail(self, text: str) -> None:
        """Something of ours went wrong with this call: end it."""
        if not self._broken:
            self._broken = True
            self._held.add("fault", text=text)
            self._at_limit("fault")

    def _settle_up(self, answered: bool) -> None:
        if not self.up.done():
            self.up.set_result(answered)

    def _at_limit(self, why: str) -> None:
        self._start(self.hang_up(why))

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- what we do ---

    async def hang_up(self, why: str) -> None:
        """End the call; once is enough."""
        from baresip import BaresipError, StaleHandleError

        if self._over or self._call is None:
            return
        if self._why is None:
            self._why = why
            self._held.add("hang_up", why=why)
        try:
            await self._call.hangup()
        except StaleHandleError:
            return  # the far end was quicker
        except BaresipError as exc:
            self._held.add("hang_up_failed", text=str(exc))

    async def press(self, digits: str) -> None:
        """Press keys; w and W wait. They go beside the audio, or as tones where the far end does not take that."""
        from baresip import BaresipError, StaleHandleError

        async with self._busy:
            for key in digits:
                if self._over or self._call is None:
                    raise CallOver
                if key in "wW":
                    await asyncio.sleep(_SHORT_WAIT_S if key == "w" else _LONG_WAIT_S)
                    continue
                if not self._keys_beside:
                    await self._sent(_tone(key), kept=False)  # heard by the far end, and in no recording
                    continue
                try:
                    await self._call.send_dtmf(key)
                except StaleHandleError:
                    raise CallOver from None
                except BaresipError as exc:
                    raise CallOver(f"a key could not be sent: {type(exc).__name__}") from None
                await asyncio.sleep(_KEY_GAP_MS / 1000.0)

    async def say(self, pcm: bytes) -> None:
        """Send audio; return when all of it has gone out."""
        async with self._busy:
            await self._sent(pcm, kept=True)

    async def _sent(self, pcm: bytes, *, kept: bool) -> None:
        if self._over:
            raise CallOver
        gone: asyncio.Future[None] = self._loop.create_future()
        self._to_say.append(_Piece(pcm, gone, kept))
        try:
            await gone
        except asyncio.CancelledError:
            self._hush()
            raise

    def _hush(self) -> None:
        """Drop what was to be said and has not gone out."""
        from baresip import AudioNotActive, AudioRestarted

        self._to_say.clear()
        self._saying = None
        if self._call is not None and not self._over:
            with contextlib.suppress(AudioNotActive, AudioRestarted):
                self._call.audio.flush_tx()

    async def stand_by(self, other: SipLine) -> None:
        """End `other`, which rings for our auditor, when this call ends."""
        self._after.append(lambda: other.hang_up("asked"))
        if self._over:
            await other.hang_up("asked")

    async def bridge(self, other: SipLine) -> None:
        """Let both far ends hear each other until one of them, or we, hang up."""
        self._held.add("joined", call_id=other.call_id)
        self.on_audio, other.on_audio = other.feed, self.feed
        other._after.append(lambda: self.hang_up("auditor"))
        if other.is_over:
            await self.hang_up("auditor")

    def feed(self, pcm: bytes) -> None:
        """Send a little audio, as it comes from another call; what cannot be sent in time is dropped."""
        if sum(len(one.pcm) for one in self._to_say) < _AHEAD_BYTES:
            self._to_say.append(_Piece(pcm))

    def tick(self, now_s: float, *, look_at_files: bool) -> None:
        """Move the audio that is due."""
        from baresip import AudioNotActive, AudioRestarted

        if look_at_files and self._held.end_asked() and not self._over:
            self._at_limit("asked")
        if self._call is None or self._over or self._broken:
            return
        # The audio is away before it is up and between two agreements on it: that is no fault.
        with contextlib.suppress(AudioNotActive, AudioRestarted):
            self._receive(now_s)
        with contextlib.suppress(AudioNotActive, AudioRestarted):
            self._send(now_s)
        if self._answered_s is not None:
            self._be_silent(now_s - self._answered_s - _SILENCE_LATER_S)

    def _be_silent(self, until_s: float) -> None:
        """Say that our side was silent up to a moment: it tells the time where the far end sends nothing."""
        length_s = until_s - self._ours.next_s
        if length_s >= _SILENCE_S:
            self.pipe.put(frame(Side.OURS, self._ours.next_s, bytes(2 * round(length_s * RATE_HZ))))
            self._ours.next_s = until_s

    def _receive(self, now_s: float) -> None:
        assert self._call is not None
        pcm = self._call.audio.read(_READ_AT_MOST)
        if not pcm:
            return
        if self._answered_s is None:
            self._early_bytes += len(pcm)
            return
        t_s = self._vendor.place(len(pcm) // 2, now_s - self._answered_s)
        if t_s is not None:
            self.pipe.put(frame(Side.VENDOR, t_s, pcm))
            if self.on_audio is not None:
                self.on_audio(pcm)

    def _send(self, now_s: float) -> None:
        assert self._call is not None
        if self._answered_s is None or not (self._to_say or self._saying):
            return
        waiting = self._call.audio.info().tx_buffered
        while self._to_say and waiting < _AHEAD_BYTES:
            piece = self._to_say.popleft()
            part = piece.pcm[: _AHEAD_BYTES - waiting]
            taken = self._call.audio.write(part)
            if taken and piece.kept:
                self._said(part[:taken], now_s - self._answered_s + waiting / _BYTES_A_SECOND)
            waiting += taken
            if taken < len(piece.pcm):
                self._to_say.appendleft(replace(piece, pcm=piece.pcm[taken:]))
            elif piece.gone is not None:
                self._saying = piece.gone
            if taken < len(part):
                break
        if self._saying is not None and waiting == 0 and not self._saying.done():
            self._saying.set_result(None)
            self._saying = None

    def _said(self, pcm: bytes, begin_s: float) -> None:
        """Hand over what our side sounds like from a moment on, right after what it said before if that is near."""
        if begin_s - self._ours.next_s > _TOGETHER_S:
            self._be_silent(begin_s)
            self._ours.next_s = max(self._ours.next_s, begin_s)
        self.pipe.put(frame(Side.OURS, self._ours.next_s, pcm))
        self._ours.next_s += len(pcm) / _BYTES_A_SECOND
