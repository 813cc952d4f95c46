"""The telephone's part of a plan, and the stored handle of a call."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

from probes.duration import Duration
from probes.errors import PlacedFaults
from probes.model import STRICT
from probes.telephony.prices import minor
from probes.telephony.script import Planned, ReadStep, ScriptStep, all_steps, is_live, known_length_s
from probes.telephony.script_rules import Rules, script_faults

_FURTHER_PRICES = ("price_per_recorded_minute", "price_per_streamed_minute", "price_per_joined_minute")
_E164 = re.compile(r"\+[1-9]\d{6,14}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A vendor's telephone number and the scripts that can be carried out on it.

    `record`: always, announce (our `announcement` is spoken first), or never (the carrier's records alone say when
    the call was answered and ended; no sound is kept). `price_per_minute` is the dearest that a started minute can
    cost, in major units of `currency`; what the carrier asks on top of it for recording a minute and for sending us a
    minute's audio while the call lasts may be given apart, and so may the price of a minute to our `auditor`, else
    taken for the same. `disclosure` is the line with which a script says that the caller is a machine.
    """

    __pydantic_config__: ClassVar = STRICT
    kind: Literal["phone_call"]
    number: str
    caller_id: str
    scripts: Mapping[str, tuple[ReadStep, ...]]
    record: Literal["always", "announce", "never"]
    price_per_minute: float
    currency: str
    price_per_recorded_minute: float = 0.0
    price_per_streamed_minute: float = 0.0
    price_per_joined_minute: float | None = None
    announcement: str | None = None
    disclosure: str | None = None
    auditor: str | None = None
    carrier: str = "twilio"
    ring_at_most: Duration = Duration(60.0)
    call_at_most: Duration = Duration(1800.0)

    def __post_init__(self) -> None:
        for name in ("number", "caller_id", "auditor"):
            value: str | None = getattr(self, name)
            if value is not None and not _E164.fullmatch(value):
                raise ValueError(f'{name} "{value}" is no international number; write it as "+442079460123"')
        if (self.record == "announce") != (self.announcement is not None):
            raise ValueError("record: announce and announcement belong together; write both or neither")
        for name in ("price_per_minute", *_FURTHER_PRICES):
            price: float | None = getattr(self, name)
            if price is not None and not (math.isfinite(price) and price >= 0):
                raise ValueError(f"{name} is {price}; write the carrier's dearest price")
        if not re.fullmatch(r"[A-Z]{3}", self.currency):
            raise ValueError(f'"{self.currency}" is no currency; use three letters of ISO 4217, as "EUR"')
        if not 5 <= self.ring_at_most.s <= 600:
            raise ValueError(f'ring_at_most is {self.ring_at_most}; write 5 s to 10 min, as "60 s"')
        if not 1 <= self.call_at_most.s <= 14400:
            raise ValueError(f'call_at_most is {self.call_at_most}; write 1 s to 4 h, as "30 min"')
        if not self.scripts:
            raise ValueError("there is no script; write at least one under scripts")
        faults = [fault for name in self.scripts for fault in self._script_faults(name)]
        if faults:
            raise PlacedFaults(faults)

    def is_live(self, script: str) -> bool:
        """Return whether a script needs to be heard while the call lasts."""
        return is_live(self.scripts[script])

    def joins(self, script: str) -> bool:
        """Return whether a script may call the auditor in."""
        return any(step.join is not None for step in all_steps(self.scripts[script]))

    def _script_faults(self, name: str) -> Iterator[tuple[tuple[str | int, ...], str]]:
        steps: tuple[ScriptStep, ...] = self.scripts[name]
        for keys, text in script_faults(steps, Rules(self.disclosure is not None, self.auditor is not None)):
            yield ("scripts", name, *keys), text
        least_s = known_length_s(steps)
        if least_s > self.call_at_most.s:
            yield (
                ("scripts", name),
                f'script "{name}" takes {Duration(least_s)} of waiting and listening, and call_at_most is '
                f"{self.call_at_most}; shorten the one or raise the other",
            )

    def dearest_minor(self, longest_s: float, *, live: bool) -> float:
        """Return the most that a call can cost, in minor units: every started minute is paid."""
        price = self.price_per_minute
        if self.record != "never":
            price += self.price_per_recorded_minute
        if live:
            price += self.price_per_streamed_minute
        return math.ceil(longest_s / 60.0) * minor(price, self.currency)

    def dearest_joined_minor(self, longest_s: float) -> float:
        """Return the most that our auditor's own leg can cost, in minor units."""
        price = self.price_per_minute if self.price_per_joined_minute is None else self.price_per_joined_minute
        return math.ceil(longest_s / 60.0) * minor(price, self.currency)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveState:
    """How far a live call has come. `told` sightings were given; `done` is what we pressed and said, `done_at_s` when.

    `media_starts_at_utc` is the moment of its first audio. `audio_ended_at_utc` is when the audio ended by itself, null
    where we ended the call first. `quiet_before_end_s` is how long nothing had come from the vendor's side by then.
    `over`: nothing acts on the call any more. `keeps_audio`: the recording is ours, made from the call's audio.
    `failure`: what went wrong on our side.
    """

    told: int = 0
    done: tuple[Planned, ...] = ()
    done_at_s: tuple[float, ...] = ()
    media_starts_at_utc: datetime | None = None
    audio_ended_at_utc: datetime | None = None
    quiet_before_end_s: float | None = None
    over: bool = False
    keeps_audio: bool = False
    at_limit: bool = False
    recording_failure: str | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Handle:
    """All that a later look at a call needs; no secret is in it, only references to them.

    `not_answered_at_utc` is our last look that did not show an answer. `script_end_s` is when our script's hang-up
    was due, by the recording. `reported` are the kinds of events already given, `kept` the hashes of records.
    """

    carrier: str
    call_id: str
    reference: str
    to: str
    dialled_at_utc: datetime
    ring_at_most_s: float
    longest_s: float
    recorded: bool
    planned: tuple[Planned, ...]
    shortest_script_s: float
    longest_script_s: float
    ends_by_listening: bool
    live: LiveState | None = None
    secrets: tuple[str, ...] = ()
    not_answered_at_utc: datetime | None = None
    ended_seen_at_utc: datetime | None = None
    hang_up_asked_at_utc: datetime | None = None
    script_end_s: float | None = None
    recording_done: bool = False
    recording_failure: str | None = None
    notes: tuple[str, ...] = ()
    reported: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    troubles: int = 0
