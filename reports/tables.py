"""The report's numbers as data: CSV files that no spreadsheet takes for formulas, and one JSON document."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from audit.analysis.model.audits import Analysis

if TYPE_CHECKING:
    from audit.analysis.over_time import OverTime

FORMAT, VERSION = "holdproof-report-data", 1
# A cell that begins so may be run as a formula by a spreadsheet; a number of ours never does.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a CSV table; text that a spreadsheet would run begins with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([cell(value) for value in row])
    return out.getvalue()


def cell(value: Any) -> str:
    """Return a value as a CSV cell."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return repr(value)
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case Enum():
            return str(value.value)
        case tuple() | list() | frozenset():
            return cell(" ".join(str(item) for item in value))
        case _:
            text = str(value).replace("\x00", "\ufffd").replace("\r\n", "\n").replace("\r", "\n")
            return "'" + text if text.startswith(_FORMULA) else text


def tables(analysis: Analysis, files: dict[str, str], over: OverTime | None = None) -> dict[str, str]:
    """Return every table by its file name."""
    observed = (
        (
            m.id,
            m.vendor,
            m.unit,
            o.value,
            o.censored,
            o.earliest,
            o.case,
            o.contact,
            o.channel,
            o.persona,
            o.scenario,
            o.at_utc,
            o.origin,
            o.evidence,
        )
        for m in analysis.measures
        for o in m.observed
    )
    stories = (
        (
            s.case,
            s.vendor,
            s.persona,
            s.scenario,
            number,
            line.at_utc,
            line.channel,
            line.t_s,
            line.sentence,
            line.evidence,
        )
        for s in analysis.stories
        for number, line in enumerate(s.lines, start=1)
    )
    evidence = (
        (
            e.number,
            e.vendor,
            e.case,
            e.contact,
            e.seq,
            e.kind,
            e.at_utc,
            e.t_s,
            e.what,
            a.name,
            a.media_type,
            a.size_bytes,
            a.sha256,
            files.get(a.sha256),
        )
        for e in analysis.evidence
        for a in (e.artifacts or (_NO_FILE,))
    )
    made = {
        "measures.csv": csv_text(_MEASURE, (tuple(getattr(m, name) for name in _MEASURE) for m in analysis.measures)),
        "observations.csv": csv_text(
            (
                "measure",
                "vendor",
                "unit",
                "value",
                "censored",
                "earliest",
                "case",
                "contact",
                "channel",
                "persona",
                "scenario",
                "at_utc",
                "origin",
                "evidence",
            ),
            observed,
        ),
        "promises.csv": csv_text(_PROMISE, (tuple(getattr(p, name) for name in _PROMISE) for p in analysis.promises)),
        "findings.csv": csv_text(_FINDING, (tuple(getattr(f, name) for name in _FINDING) for f in analysis.findings)),
        "stories.csv": csv_text(
            ("case", "vendor", "persona", "scenario", "line", "at_utc", "channel", "t_s", "sentence", "evidence"),
            stories,
        ),
        "accounting.csv": csv_text(
            _ACCOUNT, (tuple(getattr(a, name) for name in _ACCOUNT) for a in analysis.accounting)
        ),
        "evidence.csv": csv_text(
            (
                "number",
                "vendor",
                "case",
                "contact",
                "seq",
                "kind",
                "at_utc",
                "t_s",
                "what",
                "file_name",
                "media_type",
                "size_bytes",
                "sha256",
                "path",
            ),
            evidence,
        ),
    }
    if over is not None:
        made["trends.csv"] = csv_text(_TREND, (tuple(getattr(t, name) for name in _TREND) for t in over.trends))
    if over is not None and over.against:
        made["changes.csv"] = csv_text(_CHANGE, (tuple(getattr(c, n) for n in _CHANGE) for c in over.comparisons))
    return made


@dataclasses.dataclass(frozen=True, slots=True)
class _NoFile:
    name: None = None
    media_type: None = None
    size_bytes: None = None
    sha256: str = ""


_NO_FILE = _NoFile()
_MEASURE = (
    "id",
    "name",
    "vendor",
    "unit",
    "kind",
    "per",
    "n",
    "n_censored",
    "n_by_machine",
    "n_ours",
    "n_not_run",
    "estimate",
    "low",
    "high",
    "method",
    "why_not",
    "sentence",
)
_PROMISE = (
    "id", "vendor", "case", "what", "text", "kind", "source", "made_at_utc", "due_at_utc", "came_at_utc", "outcome",
    "late_by_s", "actual_to_promised_ratio", "sentence", "evidence",
)  # fmt: skip
_FINDING = ("id", "vendor", "case", "verdict", "origin", "sentence", "measure", "dimension", "evidence")
_ACCOUNT = (
    "vendor", "cases_planned", "cases", "cases_closed", "cases_censored", "cases_ours", "contacts", "contacts_ours",
    "contacts_not_run", "refused", "retries", "calls", "call_minutes", "cost_minor", "currency",
)  # fmt: skip
_TREND = (
    "vendor", "measure", "unit", "per_day", "low", "high", "p_value", "p_holm", "n", "n_censored", "why_not", "verdict",
    "sentence",
)  # fmt: skip
_CHANGE = (
    "vendor", "measure", "unit", "before", "after", "n_before", "n_after", "difference", "low", "high", "p_value",
    "p_holm", "method", "why_not", "verdict", "sentence",
)  # fmt: skip


def json_text(analysis: Analysis, over: OverTime | None = None) -> str:
    """Return the whole analysis as one JSON document, the same bytes for the same analysis."""
    document = {"format": FORMAT, "version": VERSION, "analysis": plain(analysis)}
    if over is not None:
        document["over_time"] = plain(over)
    return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False) + "\n"


def plain(value: Any) -> Any:
    """Return a value of the analysis as JSON knows it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return cell(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None  # JSON has no infinity; the level of digital silence is one
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Sequence):
        return [plain(item) for item in value]
    return value
