"""The telephone's part of a plan, and the stored handle of a call."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

from probes.duration import Duration
from probes.model import STRICT
from probes.telephony.prices import minor
from probes.telephony.script import Planned, ReadStep, known_length_s

_E164 = re.compile(r"\+[1-9]\d{6,14}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A vendor's telephone number and the scripts that can be carried out on it.

    `record`: always, announce (our `announcement` is spoken first), or never (the carrier's records alone say when
    the call was answered and ended; nothing of what was heard is kept). `price_per_minute` is the dearest that a
    started minute can cost, all in, in major units of `currency`.
    """

    __pydantic_config__: ClassVar = STRICT
    kind: Literal["phone_call"]
    number: str
    caller_id: str
    scripts: Mapping[str, tuple[ReadStep, ...]]
    record: Literal["always", "announce", "never"]
    price_per_minute: float
    currency: str
    announcement: str | None = None
    carrier: str = "twilio"
    ring_at_most: Duration = Duration(60.0)
    call_at_most: Duration = Duration(1800.0)

    def __post_init__(self) -> None:
        for name in ("number", "caller_id"):
            value: str = getattr(self, name)
            if not _E164.fullmatch(value):
                raise ValueError(f'{name} "{value}" is no international number; write it as "+442079460123"')
        if (self.record == "announce") != (self.announcement is not None):
            raise ValueError("record: announce and announcement belong together; write both or neither")
        if not (math.isfinite(self.price_per_minute) and self.price_per_minute >= 0):
            raise ValueError(f"price_per_minute is {self.price_per_minute}; write the carrier's dearest price")
        if not re.fullmatch(r"[A-Z]{3}", self.currency):
            raise ValueError(f'"{self.currency}" is no currency; use three letters of ISO 4217, as "EUR"')
        if not 5 <= self.ring_at_most.s <= 600:
            raise ValueError(f'ring_at_most is {self.ring_at_most}; write 5 s to 10 min, as "60 s"')
        if not 1 <= self.call_at_most.s <= 14400:
            raise ValueError(f'call_at_most is {self.call_at_most}; write 1 s to 4 h, as "30 min"')
        if not self.scripts:
            raise ValueError("there is no script; write at least one under scripts")
        for name, steps in self.scripts.items():
            self._check_script(name, steps)

    def _check_script(self, name: str, steps: tuple[ReadStep, ...]) -> None:
        if not steps:
            raise ValueError(f'script "{name}" has no steps; write at least listen')
        if any(step.hang_up for step in steps[:-1]):
            raise ValueError(f'script "{name}" goes on after hang_up; make hang_up its last step')
        least_s = known_length_s(steps)
        if least_s > self.call_at_most.s:
            raise ValueError(
                f'script "{name}" takes {Duration(least_s)} of waiting and listening, and call_at_most is '
                f"{self.call_at_most}; shorten the one or raise the other"
            )

    def dearest_minor(self, longest_s: float) -> float:
        """Return the most that a call can cost, in minor units: every started minute is paid."""
        return math.ceil(longest_s / 60.0) * minor(self.price_per_minute, self.currency)


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
