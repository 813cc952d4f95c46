"""The contract of a telephone carrier, wide enough for a cloud provider's API and for a SIP trunk.

No provider's word appears above this line: calls have events, frames, digits, played lines and records.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from probes.errors import AuditError, Failure, Side, Unavailable
from probes.events import ClockName


class DialUncertain(Unavailable):
    """Nobody here knows whether the call was placed: the answer to our request was lost on its way.

    Never dial again after it: look with `find` first, as after any `Unavailable` from an act.
    """


class NotPlaced(AuditError):
    """The carrier took the request but cannot reach this number; `failure` is what the contact saw."""

    exit_code = 3

    def __init__(self, failure: Failure, *, fix: str = "") -> None:
        super().__init__(failure.text, fix=fix)
        self.failure = failure


class Capability(StrEnum):
    """What a carrier can do; a script that needs more is refused before dialling."""

    RECORDED = "recorded"
    LIVE_AUDIO = "live_audio"
    WHO_ENDED = "who_ended"
    SIP_CODE = "sip_code"
    JOIN = "join"


class CallState(StrEnum):
    """Where a call is."""

    DIALLING = "dialling"
    RINGING = "ringing"
    UP = "up"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Press:
    """Keys to press. `secret` digits never reach a log, a record or the ledger."""

    digits: str
    secret: bool = False
    purpose: str = "menu"


@dataclass(frozen=True, slots=True)
class Say:
    """A line to speak."""

    text: str
    language: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Silence of ours."""

    length_s: float


Line = Press | Say | Pause


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRequest:
    """One call to place. `script` is carried out blindly from the moment of answer, then the line is held until
    `hold_line_s` after the script's end, or the far end hangs up, or `longest_s` after the answer; then we hang up.

    A `live` call has no script: its audio reaches us while it lasts, and whoever holds its `LiveCall` acts on it, until
    `longest_s` after the answer at most. `pace` is how many seconds of its audio come in a real second: the factor of
    the audit's clock, so that a practice call's audio is not taken for a flood or a lie.
    """

    to: str
    caller_id: str
    ring_at_most_s: float
    longest_s: float
    record: bool
    script: tuple[Line, ...]
    hold_line_s: float
    live: bool = False
    pace: float = 1.0


@dataclass(frozen=True, slots=True)
class Dialled:
    """A call that the carrier took: its id, and when by the carrier's clock (null: not said), within `error_s`."""

    call_id: str
    at_utc: datetime | None
    error_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingInfo:
    """A recording that the carrier holds, or has lost (`failure`). `starts_at_utc` is as coarse as `starts_error_s`."""

    recording_id: str
    failure: Failure | None
    duration_s: float | None
    channels: int
    starts_at_utc: datetime | None
    starts_error_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RawRecord:
    """A record as the carrier sent it, to be kept as evidence."""

    resource: str
    body: bytes
    media_type: str


class AudioEnd(StrEnum):
    """How the audio of a live call ended, as the carrier's side of it showed: no more than a hint at who hung up."""

    IN_ORDER = "in_order"  # closed with a goodbye, as at the end of a call
    BROKEN = "broken"  # gone without a word, while the call was up as far as anybody knew


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStatus:
    """What the carrier says of a call now. Moments are by `clock` (ours where we are the exchange), `error_s` coarse.

    `answered` is null while it is not decided, and in a call that ended without anybody having seen whether it was.
    `bye_from` is the side whose goodbye the carrier saw on the wire, with `bye_source` the record that says so; null
    where the carrier does not tell. Who ended the call is concluded from this and our own acts (`ending.who_ended`).
    `audio_end` is null where the call's audio did not reach this process, or has not ended. `loss_ratio` is the share
    of the vendor's audio that was lost on its way to the carrier, and `line_faults` what else the carrier found wrong
    with the line, in its own words: signs that a network ended the call, where nobody said goodbye.
    `recordings_complete`: no recording is being made or worked on (there may be none yet).
    `records_complete`: the carrier will not say more about the end of the call. Cost is null until settled, and for
    ever where `unpriced`: what the call costs is settled by the plan's price alone.
    """

    call_id: str
    state: CallState
    placed_at_utc: datetime | None
    answered: bool | None
    answered_at_utc: datetime | None
    ended_at_utc: datetime | None
    error_s: float
    duration_s: float | None
    bye_from: Side | None
    bye_source: str | None
    code: str | None
    failure: Failure | None
    recordings: tuple[RecordingInfo, ...]
    recordings_complete: bool
    records_complete: bool
    cost_minor: float | None
    currency: str | None
    raw: tuple[RawRecord, ...]
    audio_end: AudioEnd | None = None
    loss_ratio: float | None = None
    line_faults: tuple[str, ...] = ()
    unpriced: bool = False
    ringing_at_utc: datetime | None = None
    clock: ClockName = ClockName.PROVIDER


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Audio of one side from media time `t_s` on; float samples in −1..1 as little-endian float32 bytes."""

    t_s: float
    side: Side
    rate_hz: int
    samples: bytes


class CallOver(Exception):
    """The call ended before or while we acted on it: what was asked for was not done, or not to its end."""


class LiveCall(Protocol):
    """A call whose audio reaches us while it lasts, in the process that placed it.

    Media time counts from the answer, or from the first frame where the carrier tells no closer; it is the only clock
    of what happens within the call. Audio from before the answer is no part of it.
    """

    call_id: str

    def frames(self) -> AsyncIterator[Frame]:
        """Yield both sides' audio by media time until the call ends; lost frames leave gaps. For one reader."""
        ...

    async def send_digits(self, press: Press) -> None:
        """Press keys; return when they are sent.

        Raises:
            CallOver: the call has ended.
        """
        ...

    async def play(self, line: Say) -> None:
        """Speak a line; return when the far end has heard it, as far as the carrier tells.

        Raises:
            CallOver: the call ended before the line did.
        """
        ...

    async def join(self, number: str, ring_at_most_s: float) -> bool:
        """Let our auditor's own telephone ring and join it to the call; return whether it was answered.

        The call stays up either way. Only where the carrier can do `Capability.JOIN`.

        Raises:
            CallOver: the call has ended.
        """
        ...


class Carrier(Protocol):
    """Places and observes calls. Every method may raise `Unavailable` (try later) or `UserError` (credentials)."""

    name: str
    capabilities: frozenset[Capability]

    async def dial(self, request: CallRequest) -> Dialled:
        """Place one call and return the carrier's id of it. Never repeated by the carrier itself.

        Raises:
            Refused: the carrier or the gate does not let this number be called.
            UserError: the request cannot be carried out as it is (number, caller id, script too long).
            NotPlaced: this number cannot be reached.
            Unavailable: the request did not reach the carrier, or it turned the request away for now: no call.
            DialUncertain: the call may or may not have been placed.
        """
        ...

    async def live(self, call_id: str) -> LiveCall | None:
        """Return the live side of a call once its audio is here; None if this process cannot have it.

        Waits while the call is being set up. None: it was not placed live, another process placed it, or it ended
        without being answered.
        """
        ...

    async def status(self, call_id: str) -> CallStatus:
        """Return the call's state with the raw records behind it."""
        ...

    async def hang_up(self, call_id: str) -> None:
        """End the call, whichever process placed it. A call that is over already stays over: not an error."""
        ...

    async def recording(self, recording_id: str) -> tuple[bytes, str]:
        """Return the recording's bytes and media type, all channels, untrimmed."""
        ...

    async def find(self, to: str, caller_id: str, since_utc: datetime) -> tuple[str, ...]:
        """Return the ids of calls between these numbers placed at or after a moment (to reconcile after a crash).

        None found means that none was placed. A carrier without a list of calls writes its own before it dials; then a
        call found may not have been placed after all, which `status` says (ended, `answered` null).
        """
        ...

    async def close(self) -> None:
        """Free connections."""
        ...
