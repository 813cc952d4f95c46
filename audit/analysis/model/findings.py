"""Findings, the evidence that proves them, stories of cases, and what messages were read to be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from audit.analysis.values import plentiful
from probes.model import Artifact


class Verdict(StrEnum):
    """How well a finding stands. `OURS` is a failure of ours and never charged to the vendor."""

    CONFIRMED = "confirmed"
    ANOMALY = "anomaly"
    NOT_ESTABLISHED = "not established"
    OURS = "ours"


class Origin(StrEnum):
    """Who says so: a measurement, a machine's reading that nobody confirmed yet, or a person."""

    MEASURED = "measured"
    MACHINE = "found by machine, unconfirmed"
    PERSON = "judged by a person"


@plentiful(frozen=True, slots=True)
class Evidence:
    """What proves a number: one event and its artifacts. `number` ("E0007") follows the event's place in the chain and
    never changes within an audit. `t_s` is the second of the recording, where it is one.
    """

    number: str
    vendor: str
    case: str | None
    contact: str | None
    seq: int
    kind: str
    at_utc: datetime
    what: str
    artifacts: tuple[Artifact, ...]
    t_s: float | None = None


@plentiful(frozen=True, slots=True)
class Finding:
    """One sentence, its verdict, the measure it rests on and its evidence numbers."""

    id: str
    vendor: str
    sentence: str
    verdict: Verdict
    measure: str | None
    dimension: int | None
    evidence: tuple[str, ...]
    case: str | None = None
    contact: str | None = None
    origin: Origin = Origin.MEASURED


@plentiful(frozen=True, slots=True)
class StoryLine:
    """One thing that happened in a case, in a plain sentence."""

    at_utc: datetime
    sentence: str
    evidence: tuple[str, ...]
    channel: str | None
    t_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A case, told in order. `outcome` is a plain sentence."""

    case: str
    vendor: str
    persona: str
    scenario: str
    problem: str
    outcome: str
    opened_at_utc: datetime
    closed_at_utc: datetime | None
    lines: tuple[StoryLine, ...]


@plentiful(frozen=True, slots=True)
class MessageRead:
    """What a message of the vendor's side was read to be, with the words that this rests on.

    `kind` is receipt, machine, notice, answer (a person's), ours (our own words) or unsure; `cues` are what it seems to
    ask or say: kind, words, confidence. `waits` for a person: it is not plain what this is.
    """

    case: str
    message_key: str
    at_utc: datetime
    text: str
    kind: str
    quote: str
    confidence: float
    waits: bool
    cues: tuple[tuple[str, str, float], ...]
    evidence: tuple[str, ...]
