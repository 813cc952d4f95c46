"""Where a case stands between two ticks: the engine's own stored state, JSON in the case's row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from audit.analysis.state import CaseState
from probes.errors import Failure
from probes.events import Action, ContactOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderWay:
    """A contact that has begun and is not over. `handle` null: begun, and its answer has not been stored yet.

    `abandoned`: the kill switch has ended it; it is only looked at until all is known of it.
    """

    contact: str
    channel: str
    action: Action
    effect_key: str
    started_at_utc: datetime
    handle: str | None = None
    abandoned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How the present step's contact ended, stored with its end: a crash after that does not do it once more."""

    outcome: ContactOutcome
    failure: Failure | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """`handles` maps a channel to its ticket's stored handle (JSON); `attempt` counts tries of the present step.

    `state` is what the case's events up to number `state_seq` say, so that a look which saw nothing new reads none.
    """

    contacts: int = 0
    attempt: int = 1
    errors: int = 0
    looks: int = 0
    waiting_since_utc: datetime | None = None
    handles: Mapping[str, str] = field(default_factory=dict)
    under_way: UnderWay | None = None
    ended: Ended | None = None
    state: CaseState | None = None
    state_seq: int = 0
