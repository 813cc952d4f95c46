"""The whole product, from its built wheel alone, on the practice vendor: what it claims is what the vendor really did.

Pages, fonts, scales, weights and characters travel inside the wheel; one demo that runs from it serves all tests here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from audit.ledger.store import Ledger
from audit.model import Event
from probes.errors import Side
from probes.events import CallEnded, CallHeard, CallRecorded, CaseClosed, CaseOutcome, MessageSeen, TicketSubmitted

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


def holdproof(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HOLDPROOF_")}
    return subprocess.run(
        [sys.executable, "-m", "audit.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=500,
        cwd=cwd,
        env=environment | {"PYTHONPATH": str(ROOT)},
    )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's contents alone, as an installer would lay them down."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=250)
    (wheel,) = folder.glob("holdproof-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


@pytest.fixture(scope="module")
def demo(installed: Path) -> Path:
    """Return the folder of a demo that ran where there is no checkout."""
    folder = installed.parent
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HOLDPROOF_")}
    command = [sys.executable, "-c", "from audit.cli import main; main()", "demo", "--dir", "demo", "--json"]
    result = subprocess.run(
        [*command, "--factor", "1800"],
        capture_output=True,
        text=True,
        timeout=500,
        cwd=folder,
        env=environment | {"PYTHONPATH": str(installed)},
    )
    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout)
    assert answer["sound"] is True
    assert all(Path(answer[name]).stat().st_size > 10_000 for name in ("pdf", "html", "pack"))
    return folder / "demo"


@pytest.fixture(scope="module")
def events(demo: Path) -> Iterator[list[Event]]:
    ledger = Ledger.in_folder(demo / "home")
    yield ledger.events(ledger.audits()[0].audit)
    ledger.close()


@pytest.fixture(scope="module")
def truth(demo: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (demo / "vendor" / "truth.jsonl").read_text().splitlines()]


def only(events: list[Event], kind: type) -> list[Event]:
    return [event for event in events if isinstance(event.what, kind)]


def test_every_data_file_travels(installed: Path) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "audit", "probes", "reports", "templates"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\n")
    missing = [name for name in tracked if name and not (installed / name).exists()]
    assert missing == []


def test_the_entry_point_is_named(installed: Path) -> None:
    (points,) = installed.glob("holdproof-*.dist-info/entry_points.txt")
    assert "holdproof = audit.cli:main" in points.read_text()


def test_the_demo_ran_from_the_wheel_alone(installed: Path, demo: Path) -> None:
    code = "import audit.cli, probes.registry, reports.report as r; print(audit.__path__, probes.__path__, r.__file__)"
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=demo.parent, env=environment, capture_output=True, text=True
    )
    assert told.stdout.count(str(installed)) == 3, told.stderr
    assert (demo / "report" / "report.pdf").read_bytes().startswith(b"%PDF-")


def test_one_ticket_and_one_call_where_the_plan_said_one(events: list[Event], truth: list[dict[str, Any]]) -> None:
    assert [row["kind"] for row in truth].count("portal_ticket_opened") == 1
    assert [row["kind"] for row in truth].count("call_placed") == 1
    (closed,) = only(events, CaseClosed)
    assert isinstance(closed.what, CaseClosed)
    assert closed.what.outcome is CaseOutcome.RESOLVED


def test_answers_are_bracketed_by_the_looks_around_them(events: list[Event], truth: list[dict[str, Any]]) -> None:
    (sent,) = only(events, TicketSubmitted)
    true = {row["text"]: datetime.fromisoformat(row["at_utc"]) for row in truth if row["kind"] == "portal_message"}
    seen = [event for event in only(events, MessageSeen) if getattr(event.what, "side", None) is not Side.OURS]
    assert len(seen) == 3
    for event in seen:
        assert isinstance(event.what, MessageSeen)
        came = next(at for text, at in true.items() if text.split()[-1] == event.what.text.split()[-1])
        assert (event.what.absent_at_utc or sent.at_utc) <= came <= event.at_utc


def test_holds_and_the_end_of_the_call_are_what_happened(events: list[Event], truth: list[dict[str, Any]]) -> None:
    (heard,), (ended,), (recorded,) = only(events, CallHeard), only(events, CallEnded), only(events, CallRecorded)
    assert isinstance(heard.what, CallHeard)
    assert isinstance(ended.what, CallEnded)
    assert recorded.artifacts
    starts = [row["t_s"] for row in truth if row["kind"] == "hold_started"]
    ends = [row["t_s"] for row in truth if row["kind"] == "hold_ended"]
    holds = heard.what.timeline.holds
    assert [hold.start_s for hold in holds] == pytest.approx(starts, abs=2.0)
    assert [hold.end_s for hold in holds] == pytest.approx(ends, abs=2.0)
    joined = next(row["t_s"] for row in truth if row["kind"] == "agent_joined")
    assert heard.what.timeline.first_person_s == pytest.approx(joined, abs=2.0)
    assert next(row["by"] for row in truth if row["kind"] == "hung_up") == "vendor"
    assert ended.what.by is Side.VENDOR


def test_the_sealed_report_is_the_one_beside_it(demo: Path) -> None:
    with zipfile.ZipFile(demo / "evidence-pack.zip") as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("data/report.pdf")]
        assert archive.read(name) == (demo / "report" / "report.pdf").read_bytes()


def test_the_data_alone_comes_without_a_browser(demo: Path, tmp_path: Path) -> None:
    result = holdproof("report", "--data", "--home", demo / "home", "--out", tmp_path / "data", "--json", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    files = [Path(name) for name in json.loads(result.stdout)["files"]]
    assert {"measures.csv", "promises.csv", "data.json"} <= {path.name for path in files}
    beside = (demo / "report" / "data.json").read_text(encoding="utf-8")
    assert (tmp_path / "data" / "data.json").read_text(encoding="utf-8") == beside


def test_what_was_found_stands_in_the_report(demo: Path) -> None:
    text = subprocess.run(["pdftotext", "-layout", demo / "report" / "report.pdf", "-"], capture_output=True, text=True)
    words = " ".join(text.stdout.split())
    assert "Practice vendor" in words
    assert "We answer every ticket within 4 hours, around the clock." in words
    assert "Late by" in words
    assert "had to be keyed in" in words
    assert "the vendor ended the call" in words


def test_identification_digits_and_credentials_are_nowhere(demo: Path) -> None:
    known = dict(
        line.split("=", 1) for line in (demo / "home" / "holdproof.env").read_text().splitlines() if "=" in line
    )
    secrets = [value.encode() for name, value in known.items() if "TOKEN" in name or "CUSTOMER" in name]
    assert len(secrets) >= 2
    kept = [path for path in (demo / "home").rglob("*") if path.is_file() and path.name != "holdproof.env"]
    for path in [*kept, *(demo / "report").rglob("*.*")]:
        data = path.read_bytes()
        assert not any(secret in data for secret in secrets), path
    with zipfile.ZipFile(demo / "evidence-pack.zip") as archive:
        for name in archive.namelist():
            assert not any(secret in archive.read(name) for secret in secrets), name


def test_a_changed_pack_is_refused_with_the_file_named(demo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pack"
    with zipfile.ZipFile(demo / "evidence-pack.zip") as archive:
        archive.extractall(folder)
    (journal,) = folder.rglob("journal.jsonl")
    journal.write_text(journal.read_text().replace("Kestrel", "Falcon", 1))
    (journal.parent / "more.txt").write_text("slipped in")
    assert holdproof("verify", demo / "evidence-pack.zip", cwd=tmp_path).returncode == 0
    result = holdproof("verify", journal.parents[1], cwd=tmp_path)
    assert result.returncode == 1
    assert "changed: data/journal.jsonl" in result.stdout
    assert "extra: data/more.txt" in result.stdout
