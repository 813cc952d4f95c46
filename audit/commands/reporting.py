"""From a ledger to an analysis, a report and a pack: joins ledger, plan, analysis and reports."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from audit.analysis.analyse import analyse
from audit.analysis.model.audits import Analysis
from audit.analysis.over_time import OverTime, differences, over_time
from audit.analysis.profiles import Profile, load_profile
from audit.ledger.artifacts import ArtifactFolder
from audit.ledger.store import Ledger
from audit.model import AuditRow
from audit.plan.model import Plan
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


def audit_over_time(ledger: Ledger, analysis: Analysis, version: str, against: Sequence[str] = ()) -> OverTime:
    """Put an audit beside earlier ones, all judged by its own profile; without any, say how its measures moved.

    Args:
        ledger: of the home.
        analysis: of the later one.
        version: of this program.
        against: ids of earlier audits in this home, or folders of other homes, of which the latest audit is taken.

    Raises:
        UserError: an earlier audit is unknown, not earlier, or was made by another protocol.
    """
    row = ledger.audit(analysis.audit)
    plan = parse_plan(row.plan_yaml, row.plan_path).plan
    profile = load_profile(plan.thresholds.profile)
    wanted = frozenset(m for scales in profile.scales.values() for m in scales) | {x.measure for x in profile.limits}
    earlier: dict[str, tuple[Plan, Analysis]] = {}
    for name in against:
        where, before = _earlier(ledger, name)
        try:
            earlier[f"{where.url} {before.audit}"] = _analysed_before(where, before, row, plan, profile, version)
        finally:
            if where is not ledger:
                where.close()
    return over_time(plan, analysis, list(earlier.values()), wanted)


def _earlier(ledger: Ledger, name: str) -> tuple[Ledger, AuditRow]:
    """Return where an earlier audit is kept, and its row."""
    own = {row.audit: row for row in ledger.audits()}
    if name in own:
        return ledger, own[name]
    home = Path(name)
    if not (home / "ledger.sqlite").is_file():
        known = ", ".join(own) or "none"
        message = f'"{name}" is neither an audit of this home nor the folder of another'
        raise UserError(message, at="--against", fix=f"audits in this home: {known}")
    other = Ledger.in_folder(home)
    rows = other.audits()
    if not rows:
        other.close()
        raise UserError(f'there is no audit in "{name}"', at="--against", fix="name a home with an audit in it")
    return other, rows[-1]


def _analysed_before(
    ledger: Ledger, before: AuditRow, row: AuditRow, plan: Plan, profile: Profile, version: str
) -> tuple[Plan, Analysis]:
    if before.started_at_utc >= row.started_at_utc:
        same = before.audit == row.audit and before.started_at_utc == row.started_at_utc
        message = f'audit "{before.audit}" ' + ("is the audit itself" if same else "is not the earlier one")
        raise UserError(message, at="--against", fix="name an audit that began before the one reported on")
    old = parse_plan(before.plan_yaml, before.plan_path).plan
    other = differences(old, plan)
    if other:
        raise UserError(
            f'audit "{before.audit}" was made by another protocol, so that a change could be ours: {"; ".join(other)}',
            at="--against",
            fix="run the same plan again, and compare with that",
        )
    analysis = analyse(old, ledger.events(before.audit), holdproof_version=version, profile=profile)
    # Only numbers are compared: without what is told on request, the events of the earlier audit need not be kept.
    return old, replace(analysis, stories=(), evidence=(), messages=())


def write_audit_report(
    settings: Settings,
    ledger: Ledger,
    audit: str,
    out: Path,
    for_whom: str,
    version: str,
    now_utc: datetime | None = None,
    against: Sequence[str] = (),
) -> ReportFiles:
    """Write the report of an audit into a folder; `now_utc` is the date on its cover, `against` as above.

    Raises:
        UserError: the audience is unknown, or not written for yet; or the audits cannot be compared.
    """
    if for_whom not in AUDIENCES:
        word = "is not written yet" if for_whom in LATER else "is unknown"
        raise UserError(f'the report for "{for_whom}" {word}', at="--for", fix=f"use one of: {', '.join(AUDIENCES)}")
    analysis = analyse_audit(ledger, audit, version)
    over = audit_over_time(ledger, analysis, version, against)
    return write_report(
        analysis,
        ArtifactFolder(settings.home / "artifacts"),
        out,
        browser=str(settings.browser) if settings.browser else None,
        now_utc=now_utc or datetime.now(UTC),
        key_fingerprint=signing.load_or_create(settings.home).fingerprint,
        over_time=over,
    )


def write_audit_data(
    ledger: Ledger, audit: str, out: Path, version: str, against: Sequence[str] = ()
) -> tuple[list[Path], OverTime]:
    """Write what the analysis says as tables and one JSON document, without a report; return files and changes.

    Raises:
        UserError: the audits cannot be compared.
        Unavailable: the folder cannot be written.
    """
    analysis = analyse_audit(ledger, audit, version)
    over = audit_over_time(ledger, analysis, version, against)
    texts = tables(analysis, {}, over) | {"data.json": json_text(analysis, over)}
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (out / name).write_text(text, encoding="utf-8")
    except OSError as exc:
        message = f"the data cannot be written: {exc.strerror}"
        raise Unavailable(message, at=str(out), fix="name another folder with --out") from exc
    return [out / name for name in texts], over


def write_audit_pack(
    settings: Settings,
    ledger: Ledger,
    audit: str,
    out: Path,
    version: str,
    now_utc: datetime | None = None,
    against: Sequence[str] = (),
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
            write_audit_report(
                settings, ledger, audit, Path(folder) / "report", "executive", version, now_utc, against
            ),
            ledger.journal(audit),
            ArtifactFolder(settings.home / "artifacts"),
            signing.load_or_create(settings.home),
            out,
            now_utc=now_utc,
            secrets=settings.secrets.revealed(),
            agent=f"holdproof {version}",
        )
