"""Media streams: the call's audio over a WebSocket, 20 ms of mu-law a message, and audio back where it goes both ways.

Frames are placed by media time. With a clock that runs fast they come as fast as the other side takes them; their
timestamps stay true. Whoever wants to react within a call does well with a factor below some 20.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import math
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.signal import butter, sosfilt, sosfilt_zi
from twilio.request_validator import RequestValidator

from probes.clock import Clock
from probes.practice import mixing
from probes.practice.call import PracticeCall
from probes.practice.caller import StreamOrder
from probes.practice.character import Channel
from probes.practice.inband import InBand
from probes.practice.line import End, Played, Words
from probes.practice.problems import Notice
from probes.practice.sounds import Samples, Sounds
from probes.practice.tones import RATE_HZ

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

_FRAME = 160
_FRAME_S = _FRAME / RATE_HZ
_TICK_REAL_S = 0.01  # how often a fast stream looks for new audio
_ENDS = {"inbound": End.VENDOR, "outbound": End.CALLER}


class Network:
    """What the network does to the far end's audio, piece by piece."""

    def __init__(self, channel: Channel, seed: int) -> None:
        self._channel, self._random = channel, np.random.default_rng(seed)
        self._sos = butter(2, [300, 3400], btype="band", fs=RATE_HZ, output="sos")
        self._state = sosfilt_zi(self._sos) * 0.0
        self._burst = 0  # packets still to be lost in a row

    def carry(self, samples: Samples) -> Samples:
        """Return the next samples as they arrive; lost packets are silence."""
        out = np.asarray(samples, np.float64)
        if self._channel.band_pass:
            out, self._state = sosfilt(self._sos, out, zi=self._state)
        out = out * 10 ** (self._channel.gain_db / 20)
        out = out + self._random.standard_normal(len(out)) * 10 ** (self._channel.noise_dbfs / 20)
        return np.asarray(out, np.float32)

    def loses(self) -> bool:
        """Return whether the next packet is lost."""
        if self._burst == 0:
            mean = mixing.burst_frames(self._channel)
            if self._random.random() >= self._channel.loss_ratio / mean:
                return False
            self._burst = int(self._random.geometric(1 / mean))
        self._burst -= 1
        return True

    @property
    def delay_s(self) -> float:
        """How much later than it should the next message is sent, in audit seconds."""
        return float(self._random.uniform(0.0, self._channel.jitter_s)) if self._channel.jitter_s else 0.0


class MediaStream:
    """One stream of one call. `advance` brings the call up to the present; `tell` reports the stream's own events."""

    def __init__(
        self,
        call: PracticeCall,
        order: StreamOrder,
        *,
        account_sid: str,
        auth_token: str,
        clock: Clock,
        sounds: Sounds,
        advance: Callable[[], None],
        tell: Callable[[StreamOrder, str, str], None],
        breaks_after_s: float | None = None,
    ) -> None:
        self._call, self._order, self._clock, self._sounds = call, order, clock, sounds
        self._account_sid, self._token = account_sid, auth_token
        self._advance, self._tell = advance, tell
        self._breaks_at_s = None if breaks_after_s is None else order.at_s + breaks_after_s
        phone = call.phone
        self._network = Network(phone.channel if phone else Channel(), (phone.seed if phone else 0) + call.call_number)
        self._first = self._next = round(order.at_s / _FRAME_S) * _FRAME
        self._sequence, self._chunks = 0, dict.fromkeys(order.verb.tracks, 0)
        self._buffer_end_s = 0.0
        self._buffered: list[Played] = []
        self._marks: deque[tuple[float, str]] = deque()
        self._keys = InBand()
        self._speaking = False

    async def run(self) -> None:
        """Connect, stream until it is over, say goodbye."""
        from websockets.asyncio.client import connect
        from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

        url = self._order.verb.url
        signature = RequestValidator(self._token).compute_signature(url, {})
        headers = {"X-Twilio-Signature": signature}
        try:
            socket = await connect(url, additional_headers=headers, open_timeout=10, proxy=None, max_queue=1024)
        except (OSError, TimeoutError, InvalidHandshake, InvalidURI) as exc:
            self._call.notices.append(Notice(31920, f"Stream: WebSocket handshake error: {exc}", url=url))
            self._finish("stream-error", str(exc))
            return
        reader = asyncio.create_task(self._read(socket))
        try:
            await self._greet(socket)
            self._tell(self._order, "stream-started", "")
            while await self._step(socket):
                if reader.done():
                    break
                if self._breaks_at_s is not None and self._call.line.now_s >= self._breaks_at_s:
                    socket.transport.abort()  # no goodbye at all
                    return
            await self._send(socket, "stop", {"stop": {"accountSid": self._account_sid, "callSid": self._call.sid}})
        except ConnectionClosed:
            pass
        finally:
            reader.cancel()
            with suppress(ConnectionClosed, OSError):
                await socket.close()
            self._finish("stream-stopped", "")

    def _finish(self, event: str, error: str) -> None:
        self._order.stop(self._call.line)
        self._advance()
        self._tell(self._order, event, error)

    # --- to the customer ---

    async def _greet(self, socket: ClientConnection) -> None:
        verb = self._order.verb
        await socket.send(json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"}))
        start = {
            "accountSid": self._account_sid,
            "streamSid": self._order.sid,
            "callSid": self._call.sid,
            "tracks": list(verb.tracks),
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": RATE_HZ, "channels": 1},
            "customParameters": dict(verb.parameters),
        }
        await self._send(socket, "start", {"start": start})

    async def _send(self, socket: ClientConnection, event: str, body: dict[str, Any]) -> None:
        self._sequence += 1
        message = {"event": event, "sequenceNumber": str(self._sequence), **body, "streamSid": self._order.sid}
        await socket.send(json.dumps(message))

    async def _step(self, socket: ClientConnection) -> bool:
        """Send what has become audible since; false when there will be no more."""
        if (late_s := self._network.delay_s) > 0:
            await self._clock.sleep(late_s)
        self._advance()
        line, over = self._call.line, self._order.over or self._call.over
        stop = math.floor(line.now_s * RATE_HZ / _FRAME + 1e-6) * _FRAME
        while self._next < stop:
            part = min(stop, self._next + 50 * _FRAME)  # a second at a time
            await self._send_frames(socket, part)
        self._hear_silence(line.now_s)
        while self._marks and self._marks[0][0] <= line.now_s:
            _, name = self._marks.popleft()
            await self._send(socket, "mark", {"mark": {"name": name}})
        if over:
            return False
        await asyncio.sleep(max(self._clock.real_delay_s(_FRAME_S), _TICK_REAL_S if self._clock.is_practice else 0.0))
        return True

    async def _send_frames(self, socket: ClientConnection, stop: int) -> None:
        tracks: dict[str, bytes] = {}
        for track in self._order.verb.tracks:
            samples = mixing.render_part(self._call.line.played, _ENDS[track], self._next, stop, self._sounds)
            tracks[track] = mixing.mu_law(self._network.carry(samples) if track == "inbound" else samples)
        for at in range(0, stop - self._next, _FRAME):
            for track, data in tracks.items():
                self._chunks[track] += 1
                if track == "inbound" and self._network.loses():
                    continue
                media = {
                    "track": track,
                    "chunk": str(self._chunks[track]),
                    "timestamp": str(round((self._next + at - self._first) * 1000 / RATE_HZ)),
                    "payload": base64.b64encode(data[at : at + _FRAME]).decode(),
                }
                await self._send(socket, "media", {"media": media})
        self._next = stop

    # --- from the customer ---

    async def _read(self, socket: ClientConnection) -> None:
        from websockets.exceptions import ConnectionClosed

        with suppress(ConnectionClosed):
            async for raw in socket:
                fault = self._take(raw)
                if fault:
                    self._call.notices.append(Notice(31951, f"Stream: invalid message: {fault}", log=1))

    def _take(self, raw: str | bytes) -> str:
        """Carry out a message; return what is wrong with it, or nothing."""
        try:
            message = json.loads(raw)
            event = message["event"]
            if not self._order.verb.both_ways:
                return f"{event} on a stream that goes one way"
            if message["streamSid"] != self._order.sid:
                return "another streamSid"
            if event == "media":
                self._play(base64.b64decode(message["media"]["payload"], validate=True))
            elif event == "mark":
                self._marks.append((max(self._buffer_end_s, self._call.line.now_s), str(message["mark"]["name"])))
            elif event == "clear":
                self._clear()
            else:
                return f"unknown event {event!r}"
        except (ValueError, KeyError, TypeError, binascii.Error) as exc:
            return f"{type(exc).__name__}: {exc}"
        return ""

    def _play(self, data: bytes) -> None:
        """Put audio on the line behind what is waiting to be played."""
        self._advance()
        line, samples = self._call.line, mixing.from_mu_law(data)
        self._buffered = [one for one in self._buffered if one.end_s > line.now_s]
        self._buffer_end_s = max(self._buffer_end_s, line.now_s)
        begun = 0
        for at in range(0, len(samples), _FRAME):
            frame = samples[at : at + _FRAME]
            key = self._keys.hear(frame)
            self._speaking = self._speaking or (not self._keys.in_key and float(np.max(np.abs(frame))) > 0.02)
            if key is None and at + _FRAME < len(samples):
                continue
            # What was played so far goes onto the line as one piece; a key is heard at the end of its piece.
            piece = self._sounds.keep(samples[begun : at + _FRAME])
            played = line.play(End.CALLER, piece, "stream", heard=key, at_s=self._buffer_end_s)
            self._buffered.append(played)
            self._buffer_end_s, begun = played.end_s, at + _FRAME

    def _hear_silence(self, now_s: float) -> None:
        """Let the far end hear that somebody spoke, once it has become quiet."""
        if self._speaking and now_s > self._buffer_end_s + 0.3:
            self._speaking = False
            silence = self._sounds.keep(np.zeros(8, np.float32))
            self._call.line.play(End.CALLER, silence, "stream", heard=Words(""))

    def _clear(self) -> None:
        for one in self._buffered:
            self._call.line.cut(one)
        self._buffered.clear()
        self._buffer_end_s = self._call.line.now_s
        self._marks = deque((self._buffer_end_s, name) for _, name in self._marks)


def event_parameters(
    call_sid: str, account_sid: str, order: StreamOrder, event: str, error: str, at_utc: datetime
) -> dict[str, str]:
    """Return what a stream's status callback tells."""
    told = {
        "AccountSid": account_sid,
        "CallSid": call_sid,
        "StreamSid": order.sid,
        "StreamName": order.verb.name,
        "StreamEvent": event,
        "Timestamp": at_utc.isoformat(),
    }
    return told | ({"StreamError": error} if error else {})
