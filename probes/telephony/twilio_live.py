"""The live side of one call at the provider: its audio comes in over a WebSocket, we act by sending documents.

The audio is a fork of both sides that goes on whatever document is played. Every document that acts ends by asking an
address of ours for the next one: that request is the sign that everything before it has been played to its end. While
nothing is done the line is held in the same way, a few minutes at a time, so that the provider ends a call whose
process has died instead of holding the line to its time limit.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import deque
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Protocol

from probes.errors import AuditError, Side
from probes.telephony import twiml
from probes.telephony.carrier import AudioEnd, CallOver, Frame, Press, RawRecord, Say
from probes.telephony.lasting import planned_span
from probes.telephony.media_stream import (
    StreamFault,
    StreamQuality,
    StreamReader,
    StreamRefused,
    StreamStarted,
)
from probes.telephony.public_address import PublicAddress
from probes.telephony.script import Planned

HELD_S = 180  # how long a call may go on without us: each time it is over the provider asks for more
_GRACE_S = 15.0  # real seconds that the provider and the network may take about an act
_MENDING = 2  # how often a stream that broke is asked for anew
_WAITING_AT_MOST_S = 300.0  # audio that nobody takes is kept for so long


class Provider(Protocol):
    """What a live call needs of the carrier that it belongs to."""

    async def send_document(self, call_id: str, document: str, hidden: str = "") -> None:
        """Let a call play a document from now on; CallOver where it has ended. `hidden` is kept out of any message."""
        ...

    async def start_stream(self, call_id: str, live: TwilioLive) -> None:
        """Ask for a further stream of a call; CallOver where it has ended."""
        ...

    async def join_call(self, live: TwilioLive, number: str, ring_at_most_s: float) -> bool:
        """Let a telephone ring and join it to the call."""
        ...


class Socket(Protocol):
    """A WebSocket as the stream needs it."""

    async def receive_text(self) -> str:
        """Return the next message; raises what its library raises where there is none."""
        ...


@dataclass(eq=False)
class TwilioLive:
    """One live call, from before it is dialled to its end. `key` names it in our addresses, `token` in its stream."""

    provider: Provider
    address: PublicAddress
    account_id: str
    caller_id: str
    longest_s: float
    pace: float
    start_s: float
    stall_s: float
    key: str = field(default_factory=lambda: secrets.token_urlsafe(18))
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    call_id: str = ""
    audio_end: AudioEnd | None = None
    leg_id: str | None = None
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.over = asyncio.Event()  # the call has ended
        self.audible = asyncio.Event()  # its audio is here, or was
        self.deaf = asyncio.Event()  # no audio will come any more, whatever becomes of the call
        self.placed = asyncio.Event()  # the carrier's id of it is known
        self._reader: StreamReader | None = None
        self._streams: list[StreamReader] = []
        self._taken = False
        self._frames: deque[Frame] = deque()
        self._news = asyncio.Event()
        self._acting = asyncio.Lock()
        self._act = self._played = 0
        self._acted = asyncio.Event()
        self._heard_s = self._heard_at_s = 0.0
        self._mended, self._back = 0, asyncio.Event()
        self._mender: asyncio.Task[None] | None = None

    # --- what the provider is given ---

    def path(self, what: str) -> str:
        """Return the address of something of this call."""
        return self.address.url(f"twilio/{what}/{self.key}")

    @property
    def stream_url(self) -> str:
        """Return where the audio is to be sent."""
        return self.address.socket_url(f"twilio/stream/{self.key}")

    def first_document(self) -> str:
        """Return what the call plays when it is answered: the fork, then nothing."""
        fork = twiml.fork(self.stream_url, f"live-{self.key}", self.token, self.path("stream-status"))
        return twiml.response(fork, *self._held())

    def hold_document(self) -> str:
        """Return what the call plays while nothing is done; once it is over for us, its end."""
        return twiml.response("<Hangup/>") if self.over.is_set() else twiml.response(*self._held())

    def _held(self) -> tuple[str, ...]:
        return (twiml.hold(HELD_S, self.path("hold")),)

    # --- what becomes of it ---

    def is_placed(self, call_id: str) -> None:
        """Take note of the carrier's id of it."""
        if not self.call_id:
            self.call_id = call_id
            self.placed.set()

    def end(self) -> None:
        """Take note that the call has ended; whoever waits on it is told."""
        self.over.set()
        self.deaf.set()
        self._news.set()
        self._acted.set()
        self._back.set()
        self.placed.set()

    def has_acted(self, number: int) -> None:
        """Take note that the provider has played our act of this number to its end."""
        if number == self._act:
            self._played = number
            self._acted.set()

    @property
    def quality(self) -> StreamQuality | None:
        """Return how well the vendor's audio came over the present stream."""
        return self._reader.quality(Side.VENDOR) if self._reader is not None and self._reader.started else None

    def records(self) -> tuple[RawRecord, ...]:
        """Return what is known of its audio's way to us, as a record of our own."""
        if not self._streams:
            return ()
        streams = [{side.value: asdict(one.quality(side)) for side in one.sides} for one in self._streams]
        body = json.dumps({"streams": streams, "notes": self.notes}, sort_keys=True).encode()
        return (RawRecord(resource="media_stream", body=body, media_type="application/json"),)

    # --- its audio ---

    def take_stream(self) -> bool:
        """Take the one place for a stream; false where there is one already, or none is wanted any more."""
        if self._taken or self.deaf.is_set():
            return False
        self._taken = True
        self._back.set()
        return True

    def give_stream_back(self) -> None:
        """Free the place for a stream."""
        self._taken = False

    def stream_failed(self, why: str) -> None:
        """Take note that the provider could not reach us with the audio; it is asked to try again."""
        self.notes.append(f"the provider could not send the audio: {why}")
        if not self._taken and not self.over.is_set() and self._mender is None:
            self._mender = asyncio.get_running_loop().create_task(self._mend())

    async def changed(self) -> None:
        """Wait until the audio is here, or will not come."""
        self._news.clear()
        while not (self.audible.is_set() or self.deaf.is_set()):
            await self._news.wait()
            self._news.clear()

    async def listen(self, socket: Socket) -> None:
        """Read a stream to its end, in the place taken for it.

        Raises:
            StreamRefused: it is not the stream that was asked for, or breaks the protocol.
        """
        loop = asyncio.get_running_loop()
        reader: StreamReader | None = None
        try:
            async with asyncio.timeout(self.start_s) as limit:
                await self.placed.wait()
                begins_at_s, again_s = self._now_s(loop.time()), 0.0
                reader = StreamReader(self.account_id, self.call_id, self.token, begins_at_s, self.pace)
                while not reader.stopped:
                    message = await socket.receive_text()
                    now_s = loop.time()
                    self._take(reader, message, now_s)
                    if reader.started and now_s >= again_s:  # not for every message
                        limit.reschedule(now_s + self.stall_s)
                        again_s = now_s + self.stall_s / 10
        except TimeoutError:
            kind = "nothing more came" if reader is not None and reader.started else "it never said what it is"
            raise StreamRefused(kind) from None
        finally:
            if reader is not None and reader.started:
                self._stream_ended(reader)

    def _take(self, reader: StreamReader, message: str, now_s: float) -> None:
        for event in reader.feed(message, now_s * self.pace):
            if isinstance(event, Frame):
                if len(self._frames) > _WAITING_AT_MOST_S * 100:
                    self._frames.popleft()
                self._frames.append(event)
                self._heard_s, self._heard_at_s = event.t_s, now_s
                self._news.set()
            elif isinstance(event, StreamStarted):
                self._reader, self._heard_at_s = reader, now_s
                self._streams.append(reader)
                self.audio_end = None
                self.audible.set()
                self._news.set()
            elif isinstance(event, StreamFault) and len(self.notes) < 20:
                self.notes.append(event.text)

    def _now_s(self, now_s: float) -> float:
        """Return the media time of now, as far as it can be told without audio."""
        return self._heard_s + (now_s - self._heard_at_s) * self.pace if self.audible.is_set() else 0.0

    def _stream_ended(self, reader: StreamReader) -> None:
        if reader.stopped:
            self.audio_end = AudioEnd.IN_ORDER
            self.end()
        elif not self.over.is_set():
            self.audio_end = AudioEnd.BROKEN
            self.notes.append(f"the audio broke off {self._heard_s:.1f} s after its beginning")
            self._mender = asyncio.get_running_loop().create_task(self._mend())

    async def _mend(self) -> None:
        """Ask for the audio again after it broke; where that is no use, let the listener know."""
        while self._mended < _MENDING and not self.over.is_set() and not self._taken:
            self._mended += 1
            self._back.clear()
            try:
                await self.provider.start_stream(self.call_id, self)
            except CallOver:
                self.end()
                return
            except AuditError as exc:
                self.notes.append(f"the audio could not be asked for again: {exc.message}")
            await _in_time(self._back.wait(), self.start_s)
        self._mender = None
        if not self._taken:
            self.deaf.set()
            self._news.set()

    async def frames(self) -> AsyncIterator[Frame]:
        """Yield both sides' audio by media time until the call ends, or no more of it can be had."""
        while True:
            while self._frames:
                yield self._frames.popleft()
            if self.over.is_set() or self.deaf.is_set():
                return
            self._news.clear()
            await self._news.wait()

    # --- acting ---

    async def send_digits(self, press: Press) -> None:
        """Press keys; return when the provider has sent them."""
        planned = Planned(keys=press.digits, key_count=sum(key not in "wW" for key in press.digits))
        await self._do(twiml.press(press), planned, press.digits if press.secret else "")

    async def play(self, line: Say) -> None:
        """Speak a line; return when the provider has played it to its end."""
        await self._do(twiml.say(line), Planned(text=line.text))

    async def _do(self, verb: str, planned: Planned, hidden: str = "") -> None:
        async with self._acting:
            self._alive()
            self._act += 1
            self._acted.clear()
            then = f"{self.path('act')}/{self._act}"
            await self.send(twiml.response(verb, twiml.go_on(then)), hidden)
            # Where the sign that it was played gets lost, the longest that it can have taken has to do.
            longest_s = planned_span(planned)[1] / self.pace + _GRACE_S
            await _in_time(self._acted.wait(), longest_s)
            if self._played != self._act:
                if self.over.is_set():
                    raise CallOver("the call ended while we acted on it")
                self.notes.append("the provider did not say that our line or keys were played to their end")

    async def send(self, document: str, hidden: str = "") -> None:
        """Let the call play a document from now on.

        Raises:
            CallOver: it has ended.
        """
        self._alive()
        try:
            await self.provider.send_document(self.call_id, document, hidden)
        except CallOver:
            self.end()
            raise

    async def join(self, number: str, ring_at_most_s: float) -> bool:
        """Let our auditor's telephone ring, and once it is answered join it to the call."""
        async with self._acting:
            self._alive()
            return await self.provider.join_call(self, number, ring_at_most_s)

    def _alive(self) -> None:
        if self.over.is_set():
            raise CallOver("the call has ended")


async def _in_time(what: Awaitable[object], real_s: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(real_s):
            await what
