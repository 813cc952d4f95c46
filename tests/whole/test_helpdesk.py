"""One ticket on a real help desk by the command line alone: opened, answered, resolved, told in the report."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from audit.ledger.store import Ledger
from probes.events import MessageSeen, StatusSeen, ValueRead
from tests.helpdesk.test_desk import PLAN, Desk
from tests.whole.test_demo import ROOT, holdproof

pytestmark = pytest.mark.slow
CASE = "desk.jo.wrong-invoice.1"


def test_a_real_help_desk_from_plan_to_report(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "desk")
    home, plan = tmp_path / "home", tmp_path / "plan.yaml"
    text = PLAN.read_text().replace("http://127.0.0.1:8765/", desk.url)
    assert "look_every: 10 s" in text
    plan.write_text(text.replace("look_every: 10 s", "look_every: 3 s"))
    try:
        with subprocess.Popen(
            [sys.executable, "-m", "audit.cli", "run", str(plan), "--home", str(home)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
        ) as run:
            ticket = number_of_ticket(home, run)
            before_answer = datetime.now(UTC)
            desk.staff("answer", ticket, "We are looking into it.")
            wait_for(home, run, MessageSeen, 2)
            after_answer = datetime.now(UTC)
            desk.staff("resolve", ticket, "The invoice is corrected.")
            printed, _ = run.communicate(timeout=400)
        assert run.returncode == 0, printed
        (true,) = desk.tickets()
    finally:
        desk.stop()
    assert true["status"] == "Resolved"
    ledger = Ledger.in_folder(home)
    (audit,) = ledger.audits()
    seen = [event for event in ledger.events(audit.audit) if isinstance(event.what, MessageSeen | StatusSeen)]
    ledger.close()
    answer = next(event for event in seen if getattr(event.what, "text", "") == "We are looking into it.")
    assert before_answer <= answer.at_utc <= after_answer
    assert [event.what.text for event in seen if isinstance(event.what, StatusSeen)] == ["Open", "Resolved"]

    story = holdproof("show", CASE, "--home", home, cwd=tmp_path).stdout
    assert f"the vendor numbered it {ticket}" in story
    assert "“We are looking into it.”" in story
    assert "The status went from “Open” to “Resolved”." in story
    written = holdproof("report", "--home", home, "--out", tmp_path / "report", "--json", cwd=tmp_path)
    report = json.loads(written.stdout)
    page = html.unescape(re.sub(r"<[^>]+>", " ", Path(report["html"]).read_text(encoding="utf-8")))
    pages = subprocess.run(["pdftotext", report["pdf"], "-"], capture_output=True, text=True).stdout
    for words in (" ".join(page.split()), " ".join(pages.split())):
        assert "We are looking into it." in words
        assert "The invoice is corrected." in words
        assert "We answer every ticket within four hours." in words


def number_of_ticket(home: Path, run: subprocess.Popen[str]) -> str:
    what = wait_for(home, run, ValueRead, 1)[0]
    assert isinstance(what, ValueRead)
    return what.value


def wait_for(home: Path, run: subprocess.Popen[str], kind: type, count: int) -> list[object]:
    """Wait until the running audit has recorded so many events of a kind."""
    while run.poll() is None:
        if (home / "ledger.sqlite").exists():
            ledger = Ledger.in_folder(home)
            events = [event for row in ledger.audits() for event in ledger.events(row.audit)]
            found = [event.what for event in events if isinstance(event.what, kind)]
            ledger.close()
            if len(found) >= count:
                return found
        time.sleep(0.5)
    raise AssertionError(f"the run ended: {run.stdout.read() if run.stdout else ''}")
