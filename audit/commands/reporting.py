"""From a ledger to an analysis, a report and a pack: joins ledger, plan, analysis and reports."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from audit.analysis.analyse import analyse
from audit.analysis.model import Analysis
from audit.ledger.artifacts import ArtifactFolder
from audit.ledger.store import Ledger
from audit.plan.reader import parse_plan
from audit.settings import Settings
from probes.errors import Unavailable, UserError
from reports import signing
from reports.pack import Packed, write_pack
from reports.report import ReportFiles, write_report
from reports.tables import json_text, tables

AUDIENCES = ("executive",)
LATER = ("vendor", "selection")


def analyse_audit(ledger: Ledger, audit: str, version: str) -> Analysis:
    """Work out all that may be said about an audit, from its stored plan and events alone."""
    row = ledger.audit(audit)
    plan_file = parse_plan(row.plan_yaml, row.plan_path)
    return analyse(plan_file.plan, ledger.events(audit), holdproof_version=version)


def write_audit_report(
    settings: Settings,
    ledger: Ledger,
    audit: str,
    out: Path,
    for_whom: str,
    version: str,
    now_utc: datetime | None = None,
) -> ReportFiles:
    """Write the report of an audit into a folder; `now_utc` is the date on its cover.

    Raises:
        UserError: the audience is unknown, or not written for yet.
    """
    if for_whom not in AUDIENCES:
        word = "is not written yet" if for_whom in LATER else "is unknown"
        raise UserError(f'the report for "{for_whom}" {word}', at="--for", fix=f"use one of: {', '.join(AUDIENCES)}")
    return write_report(
        analyse_audit(ledger, audit, version),
        ArtifactFolder(settings.home / "artifacts"),
        out,
        browser=str(settings.browser) if settings.browser else None,
        now_utc=now_utc or datetime.now(UTC),
        key_fingerprint=signing.load_or_create(settings.home).fingerprint,
    )


def write_audit_data(ledger: Ledger, audit: str, out: Path, version: str) -> list[Path]:
    """Write what the analysis says as tables and one JSON document, without a report; return the files.

    Raises:
        Unavailable: the folder cannot be written.
    """
    analysis = analyse_audit(ledger, audit, version)
    texts = tables(analysis, {}) | {"data.json": json_text(analysis)}
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (out / name).write_text(text, encoding="utf-8")
    except OSError as exc:
        message = f"the data cannot be written: {exc.strerror}"
        raise Unavailable(message, at=str(out), fix="name another folder with --out") from exc
    return [out / name for name in texts]


def write_audit_pack(
    settings: Settings, ledger: Ledger, audit: str, out: Path, version: str, now_utc: datetime | None = None
) -> Packed:
    """Write the report and seal it with journal and evidence; the same `now_utc` gives the same report again.

    Raises:
        Refused: a secret stands in what would leave the house.
    """
    now_utc = now_utc or datetime.now(UTC)
    settings.carrier("twilio")  # makes its credentials known to the last search
    settings.secrets.know(ledger.audit(audit).plan_yaml)
    with tempfile.TemporaryDirectory(prefix="holdproof-") as folder:
        return write_pack(
            write_audit_report(settings, ledger, audit, Path(folder) / "report", "executive", version, now_utc),
            ledger.journal(audit),
            ArtifactFolder(settings.home / "artifacts"),
            signing.load_or_create(settings.home),
            out,
            now_utc=now_utc,
            secrets=settings.secrets.revealed(),
            agent=f"holdproof {version}",
        )
