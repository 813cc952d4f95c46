"""The clock of an audit: real time, or practice time that runs faster by a declared factor."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True)
class Clock:
    """Tells audit time. With `factor` 1 it is the machine's clock; with 60 a minute of audit time takes a second.

    Audit time equals real time at `origin_utc`. Whoever knows origin and factor (the practice vendor does) tells the
    same time. Only the engine turns audit time into real delays; everybody else thinks in audit time.
    """

    factor: float = 1.0
    origin_utc: datetime = datetime(2000, 1, 1, tzinfo=UTC)
    _started_s: float = field(default_factory=time.monotonic, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.origin_utc.tzinfo is None:
            raise ValueError("origin_utc must be an aware datetime")
        if not self.factor >= 1.0:
            raise ValueError(f"a clock's factor is 1 or more, not {self.factor}")

    @property
    def is_practice(self) -> bool:
        """Whether this clock differs from the machine's."""
        return self.factor != 1.0

    def now_utc(self) -> datetime:
        """Return the present moment in audit time."""
        return self.audit_utc(datetime.now(UTC))

    def audit_utc(self, real_utc: datetime) -> datetime:
        """Turn a moment of the machine's clock into audit time."""
        return self.origin_utc + (real_utc - self.origin_utc) * self.factor if self.is_practice else real_utc

    def real_utc(self, audit_utc: datetime) -> datetime:
        """Turn a moment of audit time into the machine's clock."""
        return self.origin_utc + (audit_utc - self.origin_utc) / self.factor if self.is_practice else audit_utc

    def monotonic_s(self) -> float:
        """Return audit seconds on a clock that is never set back; only differences mean anything."""
        return (time.monotonic() - self._started_s) * self.factor

    def real_delay_s(self, audit_s: float) -> float:
        """Return how many real seconds `audit_s` seconds of audit time take."""
        return audit_s / self.factor

    async def sleep(self, audit_s: float) -> None:
        """Wait for `audit_s` seconds of audit time."""
        await asyncio.sleep(max(0.0, self.real_delay_s(audit_s)))

    def after(self, audit_s: float) -> datetime:
        """Return the moment of audit time `audit_s` seconds from now."""
        return self.now_utc() + timedelta(seconds=audit_s)
