"""Writes a report: PDF, HTML with the evidence it links to, tables and data."""

from __future__ import annotations

import re
import shutil
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from audit.analysis.model.audits import Analysis
from audit.analysis.over_time import NOTHING, OverTime
from probes.errors import Unavailable, UserError
from probes.model import Artifact
from reports import tables, words
from reports.documents import executive
from reports.documents.render import Printing, render
from reports.envelope import envelope
from reports.pdf import make_pdf

AUDIENCES = ("executive",)
# Opened from a folder, these would run a vendor's script in the reader's browser; as text they only show it.
_ACTIVE = ("text/html", "application/xhtml+xml", "image/svg+xml", "application/xml", "text/xml", "multipart/related")
_ACTIVE_ENDINGS = (".html", ".htm", ".xhtml", ".xht", ".svg", ".xml", ".mhtml", ".mht", ".shtml", ".js", ".hta")
_SAFE = re.compile(r"[^A-Za-z0-9._-]+")


class ArtifactReader(Protocol):
    """Gives the bytes of an artifact, checked against their hash."""

    def get(self, artifact: Artifact) -> bytes:
        """Return the stored bytes."""
        ...


@dataclass(frozen=True, slots=True)
class ReportFiles:
    """What was written. `evidence` gives each artifact's path within `folder` by its hash."""

    folder: Path
    pdf: Path
    html: Path
    data: Path
    tables: tuple[Path, ...]
    evidence: Mapping[str, str]
    audit: str
    title: str
    over_time: OverTime = NOTHING


def write_report(
    analysis: Analysis,
    artifacts: ArtifactReader,
    out: Path,
    *,
    now_utc: datetime,
    browser: str | None = None,
    for_whom: str = "executive",
    classification: str = "Confidential",
    key_fingerprint: str | None = None,
    over_time: OverTime | None = None,
) -> ReportFiles:
    """Write the report on an analysis into the folder `out`, which is made where it is missing.

    `over_time` is what changed since earlier audits, and within this one.

    Raises:
        UserError: there is no report for this reader, or `out` is not a folder.
        Unavailable: no browser, or the disk is full.
    """
    if for_whom not in AUDIENCES:
        raise UserError(f'there is no report for "{for_whom}"', fix=f"use one of: {', '.join(AUDIENCES)}")
    if out.exists() and not out.is_dir():
        raise UserError("the report cannot be written", at=str(out), fix="name a folder; this is a file")
    try:
        return _write(analysis, artifacts, out, now_utc, browser, classification, key_fingerprint, over_time or NOTHING)
    except OSError as exc:
        raise Unavailable(
            f"the report could not be written: {exc.strerror or exc}",
            at=str(exc.filename or out),
            fix="free space on this disk or name another folder with --out",
        ) from exc


def _write(
    analysis: Analysis,
    artifacts: ArtifactReader,
    out: Path,
    now_utc: datetime,
    browser: str | None,
    classification: str,
    key_fingerprint: str | None,
    over_time: OverTime,
) -> ReportFiles:
    out.mkdir(parents=True, exist_ok=True)
    for left_over in (out / "evidence", out / "tables"):
        if left_over.is_dir():
            shutil.rmtree(left_over)  # files of an earlier report would look like evidence of this one
    evidence = _write_evidence(analysis, artifacts, out)
    report = executive.build(
        analysis,
        evidence,
        now_utc=now_utc,
        classification=classification,
        key_fingerprint=key_fingerprint,
        envelopes=_envelopes(analysis, artifacts),
        over_time=over_time,
    )
    html, pdf, data = out / "report.html", out / "report.pdf", out / "data.json"
    html.write_text(render(report, "screen"), encoding="utf-8")
    pdf.write_bytes(
        make_pdf(
            Printing(report),
            title=f"{words.plain(report.title, 120)}: report on customer support",
            made_utc=now_utc,
            browser=browser,
        )
    )
    data.write_text(tables.json_text(analysis, over_time), encoding="utf-8")
    (out / "tables").mkdir(exist_ok=True)
    written = []
    for name, text in tables.tables(analysis, evidence, over_time).items():
        written.append(out / "tables" / name)
        # The mark at the start tells spreadsheets that this is UTF-8.
        written[-1].write_text(text, encoding="utf-8-sig", newline="")
    return ReportFiles(out, pdf, html, data, tuple(written), evidence, analysis.audit, report.title, over_time)


def _envelopes(analysis: Analysis, artifacts: ArtifactReader) -> dict[str, tuple[float, ...]]:
    heard = [call.recording for call in executive.drawn_calls(analysis) if call.recording and call.timeline]
    found = {recording.sha256: envelope(artifacts.get(recording)) for recording in heard}
    return {sha256: levels for sha256, levels in found.items() if levels is not None}


def _write_evidence(analysis: Analysis, artifacts: ArtifactReader, out: Path) -> dict[str, str]:
    paths: dict[str, str] = {}
    taken: set[str] = set()
    for item in analysis.evidence:
        for artifact in item.artifacts:
            if artifact.sha256 in paths:
                continue
            folder = f"evidence/{executive.slug(item.vendor)}"
            path = f"{folder}/{evidence_name(item.number, artifact)}"
            if path.lower() in taken:
                path = f"{folder}/{evidence_name(f'{item.number}-{artifact.sha256[:12]}', artifact)}"
            taken.add(path.lower())
            paths[artifact.sha256] = path
            target = out / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(artifacts.get(artifact))
    return paths


def evidence_name(number: str, artifact: Artifact) -> str:
    """Return the file name of an artifact: its evidence number and what it is; safe on every system, runs nowhere."""
    text = unicodedata.normalize("NFKD", artifact.name).encode("ascii", "ignore").decode()
    text = _SAFE.sub("-", text.replace("\\", "/").rsplit("/", 1)[-1]).strip("-.")[-60:].lstrip("-.") or "file"
    active = artifact.media_type.split(";")[0].strip().lower() in _ACTIVE or text.lower().endswith(_ACTIVE_ENDINGS)
    return f"{executive.slug(number)}-{text}{'.txt' if active else ''}"
