"""The provider's media stream, message by message: what it says, placed by its own time, and what was wrong with it.

Pure: messages and their moments of arrival in, events out. The socket belongs to whoever feeds it, who closes it after
`StreamRefused`. The form of the messages is the provider's documentation of its media streams (2026-04): all numbers
are strings, audio is base64 of 8 kHz mu-law.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from probes.errors import Side
from probes.telephony.carrier import Frame

RATE_HZ = 8000
TOKEN_PARAMETER = "token"  # noqa: S105  (the name of the stream's parameter, not a token)

_LONGEST_MESSAGE = 64 * 1024
_LONGEST_FRAME_BYTES = RATE_HZ  # a second; the provider sends 20 ms
_AHEAD_S = 2.0  # media cannot be from later than its arrival, but for the clocks' and the network's play
# Two tracks make 100 messages a second. After a stall of a minute all that was held up may come at once.
_USUAL_MESSAGES_A_SECOND, _MOST_AT_ONCE = 200.0, 8000.0
_SIDES = {"inbound": Side.VENDOR, "inbound_track": Side.VENDOR, "outbound": Side.OURS, "outbound_track": Side.OURS}


class StreamRefused(Exception):
    """This is not the stream that was asked for, or it breaks the protocol beyond use. Close it."""


@dataclass(frozen=True, slots=True)
class StreamStarted:
    """The stream of a call began."""

    stream_id: str
    call_id: str
    sides: tuple[Side, ...]


@dataclass(frozen=True, slots=True)
class DigitHeard:
    """A key that the provider recognised."""

    side: Side
    digit: str


@dataclass(frozen=True, slots=True)
class MarkReached:
    """The far end has heard everything up to our mark of this name (or it was cleared)."""

    name: str


@dataclass(frozen=True, slots=True)
class StreamStopped:
    """The provider ended the stream: the call is over, or it was told to stop."""


@dataclass(frozen=True, slots=True)
class StreamFault:
    """A message that was left out, and why."""

    text: str


StreamEvent = StreamStarted | Frame | DigitHeard | MarkReached | StreamStopped | StreamFault


@dataclass(frozen=True, slots=True)
class StreamQuality:
    """How well one side's audio came. `lost_s` is the sum of its gaps, `late_s` the most that arrival lagged behind."""

    frames: int = 0
    heard_s: float = 0.0
    lost_s: float = 0.0
    doubled: int = 0
    late_s: float = 0.0


class _Message(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Connected(_Message):
    event: Literal["connected"]
    protocol: str
    version: str


class _Format(_Message):
    encoding: str
    sampleRate: int  # noqa: N815
    channels: int


class _StartBody(_Message):
    accountSid: str  # noqa: N815
    streamSid: str  # noqa: N815
    callSid: str  # noqa: N815
    tracks: tuple[str, ...]
    mediaFormat: _Format  # noqa: N815
    customParameters: dict[str, str] = {}  # noqa: N815


class _Start(_Message):
    event: Literal["start"]
    start: _StartBody


class _MediaBody(_Message):
    track: str
    timestamp: Annotated[int, Field(ge=0)]
    payload: str


class _Media(_Message):
    event: Literal["media"]
    streamSid: str  # noqa: N815
    media: _MediaBody


class _DtmfBody(_Message):
    track: str
    digit: Annotated[str, Field(pattern=r"^[0-9A-D*#]$")]


class _Dtmf(_Message):
    event: Literal["dtmf"]
    streamSid: str  # noqa: N815
    dtmf: _DtmfBody


class _MarkBody(_Message):
    name: str


class _Mark(_Message):
    event: Literal["mark"]
    streamSid: str  # noqa: N815
    mark: _MarkBody


class _Stop(_Message):
    event: Literal["stop"]
    streamSid: str  # noqa: N815


_MESSAGES: TypeAdapter[_Connected | _Start | _Media | _Dtmf | _Mark | _Stop] = TypeAdapter(
    Annotated[_Connected | _Start | _Media | _Dtmf | _Mark | _Stop, Field(discriminator="event")]
)


@dataclass
class StreamReader:
    """Reads the stream of one call, in the order connected, start, anything, stop.

    `token` is what we gave the provider with the request for the stream: whoever does not bring it is somebody else.
    `begins_at_s` is added to the stream's own time: where a call's second stream goes on after its first one.
    `pace` is how many seconds of media come in a real second (1, but for practice).
    """

    account_id: str
    call_id: str
    token: str = field(repr=False)
    begins_at_s: float = 0.0
    pace: float = 1.0
    stopped: bool = False
    _stream_id: str | None = None
    _connected: bool = False
    _begun_s: float | None = None  # when its time 0 was, by arrival, as early as any frame has shown it to be
    _next_s: dict[Side, float] = field(default_factory=dict)
    _quality: dict[Side, StreamQuality] = field(default_factory=dict)
    _room: float = _MOST_AT_ONCE
    _counted_at_s: float | None = None

    @property
    def sides(self) -> tuple[Side, ...]:
        """Return whose audio it carries."""
        return tuple(self._next_s)

    @property
    def started(self) -> bool:
        """Whether the stream has said what it is."""
        return self._stream_id is not None

    def quality(self, side: Side) -> StreamQuality:
        """Return how well a side's audio came so far."""
        return self._quality.get(side, StreamQuality())

    def feed(self, message: str | bytes, arrived_s: float) -> tuple[StreamEvent, ...]:
        """Take one message that arrived at `arrived_s` on a monotonic clock of the call's time (real time, times pace).

        Raises:
            StreamRefused: wrong order, call, account or token, another kind of audio, or a flood.
        """
        self._hold_back_floods(arrived_s)
        if self.stopped:
            return (StreamFault("a message after stop"),)
        if len(message) > _LONGEST_MESSAGE:
            return (StreamFault(f"a message of {len(message)} bytes"),)
        try:
            read = _MESSAGES.validate_json(message)
        except ValidationError as exc:
            return self._unread(exc)
        if isinstance(read, _Connected):
            return self._connect(read)
        if isinstance(read, _Start):
            return self._start(read.start)
        if self._stream_id is None:
            raise StreamRefused(f"{read.event} before start")
        if read.streamSid != self._stream_id:
            return (StreamFault("a message of another stream"),)
        if isinstance(read, _Media):
            return self._media(read.media, arrived_s)
        if isinstance(read, _Dtmf):
            side = _SIDES.get(read.dtmf.track)
            return (DigitHeard(side, read.dtmf.digit) if side else StreamFault("a key of an unknown track"),)
        if isinstance(read, _Mark):
            return (MarkReached(read.mark.name),)
        self.stopped = True
        return (StreamStopped(),)

    def _unread(self, exc: ValidationError) -> tuple[StreamEvent, ...]:
        first = exc.errors(include_url=False, include_input=False)[0]
        text = f"a message that cannot be read: {'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
        if self._stream_id is None:
            raise StreamRefused(text)
        return (StreamFault(text),)

    def _connect(self, read: _Connected) -> tuple[StreamEvent, ...]:
        if self._connected or read.protocol != "Call" or not read.version.startswith("1."):
            raise StreamRefused(f"connected twice, or protocol {read.protocol} {read.version}")
        self._connected = True
        return ()

    def _start(self, start: _StartBody) -> tuple[StreamEvent, ...]:
        if not self._connected or self._stream_id is not None:
            raise StreamRefused("start in the wrong place")
        given = start.customParameters.get(TOKEN_PARAMETER, "")
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            raise StreamRefused("the stream does not bring our token")
        if (start.accountSid, start.callSid) != (self.account_id, self.call_id):
            raise StreamRefused("the stream is of another call")
        kind = start.mediaFormat
        if (kind.encoding, kind.sampleRate, kind.channels) != ("audio/x-mulaw", RATE_HZ, 1):
            raise StreamRefused(f"audio of another kind: {kind.encoding} {kind.sampleRate} Hz")
        sides = tuple(dict.fromkeys(_SIDES[track] for track in start.tracks if track in _SIDES))
        if not sides:
            raise StreamRefused(f"no track that is known: {', '.join(start.tracks)}")
        self._stream_id = start.streamSid
        self._next_s = dict.fromkeys(sides, 0.0)
        return (StreamStarted(start.streamSid, start.callSid, sides),)

    def _media(self, media: _MediaBody, arrived_s: float) -> tuple[StreamEvent, ...]:
        side = _SIDES.get(media.track)
        if side is None or side not in self._next_s:
            return (StreamFault(f"media of the track {media.track}, which was not announced"),)
        try:
            coded = base64.b64decode(media.payload, validate=True)
        except binascii.Error:
            return (StreamFault("media that is no base64"),)
        if not 0 < len(coded) <= _LONGEST_FRAME_BYTES:
            return (StreamFault(f"a frame of {len(coded)} bytes"),)
        t_s, length_s = media.timestamp / 1000.0, len(coded) / RATE_HZ
        quality, due_s = self.quality(side), self._next_s[side]
        begun_s = arrived_s - t_s if self._begun_s is None else self._begun_s
        lag_s = arrived_s - begun_s - t_s
        if lag_s < 0 and t_s <= due_s + 1e-6:
            begun_s += lag_s  # it follows on what came before, which was late
            lag_s = 0.0
        self._begun_s = begun_s
        if lag_s < -_AHEAD_S * self.pace:
            return (StreamFault(f"a timestamp {-lag_s:.1f} s ahead of its arrival"),)
        if t_s < due_s - 1e-6:
            self._quality[side] = replace(quality, doubled=quality.doubled + 1)
            return (StreamFault(f"a frame of {due_s - t_s:.2f} s ago, doubled or out of order"),)
        self._quality[side] = replace(
            quality,
            frames=quality.frames + 1,
            heard_s=quality.heard_s + length_s,
            lost_s=quality.lost_s + t_s - due_s,
            late_s=max(quality.late_s, lag_s),
        )
        self._next_s[side] = t_s + length_s
        return (Frame(t_s=self.begins_at_s + t_s, side=side, rate_hz=RATE_HZ, samples=from_mulaw(coded)),)

    def _hold_back_floods(self, arrived_s: float) -> None:
        since_s = arrived_s - (arrived_s if self._counted_at_s is None else self._counted_at_s)
        self._counted_at_s = arrived_s
        self._room = min(_MOST_AT_ONCE, self._room + since_s * _USUAL_MESSAGES_A_SECOND) - 1.0
        if self._room < 0:
            raise StreamRefused(f"more than {_USUAL_MESSAGES_A_SECOND:g} messages a second")


def _table() -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    # ITU-T G.711: inverted bits, sign, 3 bits of exponent, 4 of mantissa, bias 33 (here times 4 for 16 bits).
    code = ~np.arange(256) & 0xFF
    magnitude = ((((code & 0x0F) << 3) + 0x84) << ((code >> 4) & 0x07)) - 0x84
    return (np.where(code & 0x80, -magnitude, magnitude) / 32768.0).astype("<f4")


_TABLE = _table()


def from_mulaw(coded: bytes) -> bytes:
    """Return mu-law samples as little-endian float32 in -1..1."""
    return _TABLE[np.frombuffer(coded, np.uint8)].tobytes()


def without_gaps(frames: tuple[Frame, ...], until_s: float | None = None) -> bytes:
    """Return one side's audio from media time 0 on, silence where nothing came, as little-endian float32."""
    ends = [round(frame.t_s * RATE_HZ) + len(frame.samples) // 4 for frame in frames]
    whole = np.zeros(round(until_s * RATE_HZ) if until_s is not None else max(ends, default=0), "<f4")
    for frame in frames:
        samples = np.frombuffer(frame.samples, "<f4")
        at = round(frame.t_s * RATE_HZ)
        room = max(0, len(whole) - at)
        whole[at : at + len(samples)] = samples[:room]
    return whole.tobytes()


def mark(stream_id: str, name: str) -> str:
    """Return the message that asks to be told when everything sent before has been heard."""
    return json.dumps({"event": "mark", "streamSid": stream_id, "mark": {"name": name}})


def clear(stream_id: str) -> str:
    """Return the message that throws away what has not been played yet."""
    return json.dumps({"event": "clear", "streamSid": stream_id})
