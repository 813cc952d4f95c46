"""The words of an audit as stored data: events in their chain, cases, effects."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from probes.events import ClockName, Payload
from probes.model import Artifact


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing seen or done at one moment, in its place in the chain of its audit.

    `at_utc` is audit time by `clock`; `recorded_at_utc` is the machine's clock when it was written; both differ
    only where `clock_factor` is not 1 (practice). `sha256` covers all other fields and `previous_sha256`.
    """

    audit: str
    seq: int
    case: str | None
    contact: str | None
    kind: str
    at_utc: datetime
    clock: ClockName
    clock_factor: float
    recorded_at_utc: datetime
    what: Payload
    artifacts: tuple[Artifact, ...]
    previous_sha256: str
    sha256: str


class EffectState(StrEnum):
    """How far an act towards a vendor has come. `UNKNOWN` waits for a person and is never repeated by itself."""

    RESERVED = "reserved"
    DONE = "done"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """An act towards a vendor, written down before it is done. `key` is unique and deterministic."""

    key: str
    audit: str
    case: str
    contact: str
    vendor: str
    kind: str
    target: str
    reserved_at_utc: datetime
    dearest_minor: float
    currency: str
    longest_s: float
    state: EffectState


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """An audit as the ledger holds it. `plan_yaml` is the plan's text as it was when the audit began."""

    audit: str
    name: str
    plan_yaml: str
    plan_path: str
    plan_sha256: str
    clock_factor: float
    clock_origin_utc: datetime
    started_at_utc: datetime
    ended_at_utc: datetime | None
    head_seq: int
    head_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRow:
    """Where a case stands. `cursor` is the engine's own stored state, JSON.

    `next_at_utc` is when its next tick is, or was, due; `woken`: somebody has asked for that tick at once.
    """

    audit: str
    case: str
    vendor: str
    persona: str
    scenario: str
    sample: int
    reference: str
    state: str
    step: int
    ticks_done: int
    next_at_utc: datetime | None
    cursor: str
    woken: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What an audit has used so far: reserved effects at their dearest and longest, settled ones at their true cost.

    `calls_today` counts this vendor's calls of its own day, `calls_live_for_vendor` those not over yet; `tickets`
    counts everything written to vendors other than by telephone or in a chat, `chats` the latter; `spent_minor` is in
    the currency of `limits.money`; `stopped` is the kill switch's reason.
    """

    calls: int = 0
    calls_today: int = 0
    calls_live_for_vendor: int = 0
    call_minutes: float = 0.0
    spent_minor: float = 0.0
    tickets: int = 0
    chats: int = 0
    stopped: str | None = None
