"""A small pack for the tests of sealing and checking."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from audit import journal
from audit.analysis.over_time import NOTHING
from probes.model import Artifact
from reports.pack import Packed, write_pack
from reports.report import ReportFiles
from reports.signing import load_or_create
from tests.reports.samples import NOW, Store

PAGE = b"<p>Ticket 55120 was received.</p>"
RECORDING = bytes(range(256)) * 40


def journal_lines(*artifacts: Artifact, count: int = 5) -> list[str]:
    lines, previous = [], journal.FIRST
    for seq in range(1, count + 1):
        named = [
            {"sha256": a.sha256, "media_type": a.media_type, "size_bytes": a.size_bytes, "name": a.name}
            for a in (artifacts if seq == 2 else ())
        ]
        record = {
            "seq": seq,
            "kind": "page_captured",
            "at_utc": datetime(2026, 11, 2, 9, seq, tzinfo=UTC).isoformat(),
            "what": {"title": "Łódź ticket"},
            "artifacts": named,
            "previous_sha256": previous,
        }
        lines.append(journal.record_text(record))
        previous = journal.record_sha256(lines[-1])
    return lines


def report_files(folder: Path, store: Store) -> tuple[ReportFiles, list[Artifact]]:
    page = store.put(PAGE, "text/html", "page.html")
    recording = store.put(RECORDING, "audio/wav", "call 1.wav")
    (folder / "evidence" / "v01").mkdir(parents=True)
    (folder / "tables").mkdir()
    (folder / "report.pdf").write_bytes(b"%PDF-1.5 made for a test")
    (folder / "report.html").write_text("<!doctype html><title>Report</title>", encoding="utf-8")
    (folder / "data.json").write_text("{}\n", encoding="utf-8")
    (folder / "tables" / "measures.csv").write_text("id,name\n", encoding="utf-8")
    (folder / "evidence" / "v01" / "E0002-page.html.txt").write_bytes(PAGE)
    files = ReportFiles(
        folder=folder,
        pdf=folder / "report.pdf",
        html=folder / "report.html",
        data=folder / "data.json",
        tables=(folder / "tables" / "measures.csv",),
        evidence={page.sha256: "evidence/v01/E0002-page.html.txt"},
        audit="2026-11-02-harbour-3f9a",
        title="Report",
        over_time=NOTHING,
    )
    return files, [page, recording]


def sealed(tmp_path: Path, secrets: dict[str, str] | None = None, name: str = "pack.zip") -> Packed:
    """A pack of a report, a page that the report shows, a recording that only the journal names, and five events."""
    store = Store()
    folder = tmp_path / f"report-{name}"
    files, artifacts = report_files(folder, store)
    key = load_or_create(tmp_path / "home")
    return write_pack(
        files,
        journal_lines(*artifacts),
        store,
        key,
        tmp_path / name,
        now_utc=NOW,
        secrets=secrets or {},
        agent="holdproof 0",
    )
