"""Promises and what became of them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from audit.analysis.model.findings import Origin
from audit.analysis.values import plentiful


class PromiseOutcome(StrEnum):
    """What became of a promise."""

    KEPT = "kept"
    LATE = "late"
    BROKEN = "broken"
    WITHDRAWN = "withdrawn"
    PENDING = "pending"
    NOT_OBSERVED = "not observed"


@plentiful(frozen=True, slots=True)
class PromiseRecord:
    """A promise and what happened. `due_at_utc` and `came_at_utc` are null where there is none.

    `came_at_utc` is the moment that `late_by_s` counts to: our sight; the vendor's own word where it lies between our
    looks and they were far apart; or, without such a word, the look that had not shown it yet.
    """

    id: str
    vendor: str
    case: str
    what: str
    text: str
    kind: str
    source: str
    made_at_utc: datetime | None
    due_at_utc: datetime | None
    came_at_utc: datetime | None
    outcome: PromiseOutcome
    late_by_s: float | None
    actual_to_promised_ratio: float | None
    sentence: str
    evidence: tuple[str, ...]
    origin: Origin = Origin.MEASURED
