"""Events as stored text and back: the one place that knows both."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from audit import journal
from audit.model import Event
from probes.errors import AuditError
from probes.events import PAYLOADS, ClockName, Payload
from probes.model import Artifact, Sighting

T = TypeVar("T")


_ADAPTERS: dict[type, TypeAdapter[Any]] = {}


def _adapter(cls: type) -> TypeAdapter[Any]:
    if cls not in _ADAPTERS:
        _ADAPTERS[cls] = TypeAdapter(cls)
    return _ADAPTERS[cls]


def to_json(value: Any) -> str:
    """Return any of our dataclasses as JSON."""
    return _adapter(type(value)).dump_json(value).decode()


def from_json(cls: type[T], text: str) -> T:
    """Read a dataclass of ours from JSON."""
    value: T = _adapter(cls).validate_json(text)
    return value


def moment_text(at: datetime) -> str:
    """Return an aware moment as fixed-width UTC text, which sorts in time."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment(text: str) -> datetime:
    """Read `moment_text`."""
    return datetime.fromisoformat(text)


def seal(
    sighting: Sighting,
    *,
    audit: str,
    seq: int,
    case: str | None,
    contact: str | None,
    clock_factor: float,
    recorded_at_utc: datetime,
    previous_sha256: str,
) -> tuple[str, str]:
    """Give a sighting its place in the chain; return the record's text and its hash."""
    payload = sighting.what
    text = journal.record_text(
        {
            "audit": audit,
            "seq": seq,
            "case": case,
            "contact": contact,
            "kind": payload.KIND,
            "at_utc": moment_text(sighting.at_utc),
            "clock": sighting.clock.value,
            "clock_factor": clock_factor,
            "recorded_at_utc": moment_text(recorded_at_utc),
            "what": _adapter(type(payload)).dump_python(payload, mode="json"),
            "artifacts": [_adapter(Artifact).dump_python(artifact, mode="json") for artifact in sighting.artifacts],
            "previous_sha256": previous_sha256,
        }
    )
    return text, journal.record_sha256(text)


def open_record(text: str, sha256: str) -> Event:
    """Read a stored record.

    Raises:
        AuditError: the record's kind or shape is not one that this version knows.
    """
    record = json.loads(text)
    try:
        cls = PAYLOADS[record["kind"]]
        payload: Payload = _adapter(cls).validate_json(json.dumps(record["what"]))
        return Event(
            audit=record["audit"],
            seq=record["seq"],
            case=record["case"],
            contact=record["contact"],
            kind=record["kind"],
            at_utc=moment(record["at_utc"]),
            clock=ClockName(record["clock"]),
            clock_factor=record["clock_factor"],
            recorded_at_utc=moment(record["recorded_at_utc"]),
            what=payload,
            artifacts=tuple(Artifact(**artifact) for artifact in record["artifacts"]),
            previous_sha256=record["previous_sha256"],
            sha256=sha256,
        )
    except (KeyError, ValidationError) as exc:
        raise AuditError(
            f"event {record.get('seq')} of kind {record.get('kind')!r} cannot be read by this version",
            at=f"audit {record.get('audit')}",
            fix="use the version of holdproof that wrote it, or a newer one",
        ) from exc
