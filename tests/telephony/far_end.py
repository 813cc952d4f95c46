"""A telephone line with a call centre at its far end, driven by whoever listens: a live carrier without a network.

The practice call centre plays against the clock of the line alone, and the line's clock is what is asked for next: an
hour is as long as it takes to listen to it. What really happened stays in `Line.happenings` and `Line.played`.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from probes.clock import Clock
from probes.errors import Side
from probes.practice import mixing
from probes.practice.call_centre import CallCentre
from probes.practice.character import Phone, read_phone
from probes.practice.line import End, Key, Line, Words
from probes.practice.sounds import KeyTone, Sounds, Spoken
from probes.practice.streams import Network
from probes.practice.tones import RATE_HZ
from probes.telephony.carrier import (
    AudioEnd,
    CallOver,
    CallRequest,
    CallState,
    CallStatus,
    Capability,
    Dialled,
    Frame,
    LiveCall,
    Press,
    Say,
)

FRAME = 160
HEAD = 'number: "+442079460100"\nfirst_part: [start]\nseed: {seed}\nchannel: {{gain_db: -3, noise_dbfs: -58}}\nparts:\n'


def phone(folder: Path, parts: str, seed: int = 3) -> Phone:
    """Return a far end by the parts of its call centre."""
    path = folder / "phone.yaml"
    path.write_text(HEAD.format(seed=seed) + parts, encoding="utf-8")
    return read_phone(path)


@dataclass
class FarCall:
    """One call. `stalls_at_s`: from then on nothing comes any more; `breaks_at_s`: the audio ends, the call goes on."""

    call_id: str
    request: CallRequest
    phone: Phone
    sounds: Sounds
    clock: Clock
    stalls_at_s: float = float("inf")
    breaks_at_s: float = float("inf")
    skips_silence: bool = False
    broken: bool = False
    answered_at_utc: datetime | None = None
    ended_at_utc: datetime | None = None
    joined: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.line = Line(self.sounds.length_s)
        self.network = Network(self.phone.channel, self.phone.seed)
        self.answered_at_utc = self.clock.now_utc()
        self.line.take(End.VENDOR, CallCentre(self.phone, 1, self.line).answer())
        self._next, self._moved = 0, asyncio.Event()

    @property
    def over(self) -> bool:
        return self.line.hung_up_by is not None

    def hang_up(self, end: End, why: str) -> None:
        self.line.hang_up(end, why)
        self._end()

    async def frames(self) -> AsyncIterator[Frame]:
        while not self.over:
            now_s = self._next / RATE_HZ
            if now_s >= self.stalls_at_s:
                await asyncio.sleep(3600)
            if now_s >= self.breaks_at_s:
                self.broken = True
                return
            self.line.run((self._next + FRAME) / RATE_HZ)
            if self.line.now_s >= self.request.longest_s:
                self.hang_up(End.CALLER, "time limit")
            for end, side in ((End.VENDOR, Side.VENDOR), (End.CALLER, Side.OURS)):
                track = mixing.render_part(self.line.played, end, self._next, self._next + FRAME, self.sounds)
                if end is End.VENDOR:
                    if self.skips_silence and not track.any():
                        continue
                    track = self.network.carry(track)
                yield Frame(t_s=now_s, side=side, rate_hz=RATE_HZ, samples=np.asarray(track, "<f4").tobytes())
            self._next += FRAME
            self._moved.set()
        self._end()

    async def send_digits(self, press: Press) -> None:
        for key in press.digits:
            if key in "wW":
                await self._until(self.line.now_s + (0.5 if key == "w" else 1.0))
                continue
            self._alive()
            played = self.line.play(End.CALLER, KeyTone(key), "key", heard=Key(key))
            await self._until(played.end_s + 0.1)

    async def play(self, line: Say) -> None:
        self._alive()
        played = self.line.play(End.CALLER, Spoken(line.text, "nora"), "line", heard=Words(line.text))
        await self._until(played.end_s)

    async def join(self, number: str, ring_at_most_s: float) -> bool:
        self._alive()
        self.joined.append(number)
        return ring_at_most_s > 10

    def _alive(self) -> None:
        if self.over:
            raise CallOver

    def _end(self) -> None:
        if self.ended_at_utc is None:
            assert self.answered_at_utc is not None
            self.ended_at_utc = max(self.clock.now_utc(), self.answered_at_utc + timedelta(seconds=self.line.now_s))
        self._moved.set()

    async def _until(self, at_s: float) -> None:
        while self.line.now_s < at_s:
            self._alive()
            self._moved.clear()
            await self._moved.wait()


@dataclass
class FarEnd:
    """A carrier whose every call reaches one call centre. `forgets` is what a new process would find: no live call."""

    phone: Phone
    sounds: Sounds
    clock: Clock
    capabilities: frozenset[Capability] = frozenset({Capability.LIVE_AUDIO, Capability.JOIN})
    name: str = "twilio"
    changes: dict[str, object] = field(default_factory=dict)
    calls: dict[str, FarCall] = field(default_factory=dict)
    hang_ups: list[str] = field(default_factory=list)
    forgets: bool = False
    bye_is_told: bool = True

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)

    @property
    def call(self) -> FarCall:
        (one,) = self.calls.values()
        return one

    async def dial(self, request: CallRequest) -> Dialled:
        call_id = f"FAR{next(self._numbers)}"
        self.calls[call_id] = replace(
            FarCall(call_id, request, self.phone, self.sounds, self.clock),
            **self.changes,  # type: ignore[arg-type]
        )
        return Dialled(call_id, self.clock.now_utc(), 1.0)

    async def live(self, call_id: str) -> LiveCall | None:
        return None if self.forgets else self.calls[call_id]

    async def status(self, call_id: str) -> CallStatus:
        call = self.calls[call_id]
        end = AudioEnd.BROKEN if call.broken else AudioEnd.IN_ORDER if call.over else None
        by = {End.VENDOR: Side.VENDOR, End.CALLER: Side.OURS}.get(call.line.hung_up_by or End.CALLER)
        return CallStatus(
            call_id=call_id,
            state=CallState.ENDED if call.over else CallState.UP,
            placed_at_utc=call.answered_at_utc,
            answered=True,
            answered_at_utc=call.answered_at_utc,
            ended_at_utc=call.ended_at_utc,
            error_s=1.0,
            duration_s=call.line.now_s if call.over else None,
            bye_from=by if call.over and self.bye_is_told else None,
            bye_source="the far end" if call.over and self.bye_is_told else None,
            code=None,
            failure=None,
            recordings=(),
            recordings_complete=True,
            records_complete=True,
            cost_minor=1.0 if call.over else None,
            currency="EUR",
            raw=(),
            audio_end=end,
        )

    async def hang_up(self, call_id: str) -> None:
        self.hang_ups.append(call_id)
        with suppress(KeyError):
            self.calls[call_id].hang_up(End.CALLER, "ended by request")

    async def recording(self, recording_id: str) -> tuple[bytes, str]:
        raise AssertionError(recording_id)

    async def find(self, to: str, caller_id: str, since_utc: datetime) -> tuple[str, ...]:
        assert to
        assert caller_id
        assert since_utc
        return tuple(self.calls)

    async def close(self) -> None: ...
