"""Audits run to their end, whatever happens to the process: nothing is lost and nothing is done twice."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from audit import journal
from audit.ledger.store import Ledger
from audit.model import EffectState
from probes.events import ActRefused, CaseClosed, CaseOutcome, ContactEnded, TicketSubmitted

pytestmark = pytest.mark.slow

PLAN = """\
holdproof: 1
name: Desk
authorisation: {{basis: own_system, by: the tests, until: {until}}}
clock: {{factor: {factor}, origin_utc: "{origin}"}}
limits: {{audit_at_most: {audit_at_most}, tickets: {tickets}}}
vendors:
  - id: desk
    name: The Desk
    place: GB
    time_zone: Europe/London
    channels:
      portal: {{kind: web_ticket, url: "{url}"}}
personas:
  - {{id: ann, name: Ann Example, email: ann@example.test}}
scenarios:
  - id: login
    problem: {{subject: "Cannot log in ({{reference}})", body: "{body}"}}
    steps:
      - open: portal
      - wait: {{until: answered, at_most: 2 d, look_every: 3 min}}
      - wait: {{until: resolved, at_most: 2 d, look_every: 3 min}}
samples:
  - {{scenario: login, n: {n}}}
"""


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The help desk's address and the file with its tickets."""
    file = tmp_path / "tickets.json"
    command = [sys.executable, "-m", "tests.engine.desk_server", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}", file
        process.kill()


def write_plan(folder: Path, url: str, **changes: object) -> Path:
    values = {"until": "2099-12-31", "tickets": 100, "body": "It says no.", "n": 3, "audit_at_most": "10 d"}
    # From now on: a clock that has run so fast for weeks soon passes the end of the authorisation.
    values |= {"factor": 600, "origin": datetime.now(UTC).isoformat()} | changes
    path = folder / "plan.yaml"
    path.write_text(PLAN.format(url=url, **values))
    return path


def start(plan: Path, home: Path, most_bytes: int | None = None) -> subprocess.Popen[str]:
    """Start a run; with `most_bytes` no file can grow beyond that, as on a full disk."""
    command = [sys.executable, "-m", "tests.engine.runner", str(plan), str(home)]
    if most_bytes is not None:
        command = ["prlimit", f"--fsize={most_bytes}", *command]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, errors = process.communicate(timeout=120)
    return process.returncode, errors


def outcomes(ledger: Ledger, audit: str = "desk-1") -> list[CaseOutcome]:
    return [event.what.outcome for event in ledger.events(audit) if isinstance(event.what, CaseClosed)]


def test_cases_are_opened_followed_and_closed(tmp_path: Path, desk: tuple[str, Path]) -> None:
    code, errors = finish(start(write_plan(tmp_path, desk[0]), tmp_path / "home"))
    assert (code, errors) == (0, "")
    ledger = Ledger.in_folder(tmp_path / "home")
    assert outcomes(ledger) == [CaseOutcome.RESOLVED] * 3
    assert len(json.loads(desk[1].read_text())["tickets"]) == 3
    assert journal.faults(ledger.journal("desk-1")) == []
    assert ledger.audit("desk-1").ended_at_utc is not None
    assert {effect.state for effect in ledger.effects("desk-1")} == {EffectState.DONE}
    ledger.close()


@pytest.mark.parametrize("seed", range(2))
def test_killed_at_any_moment_it_goes_on_and_does_nothing_twice(
    tmp_path: Path, desk: tuple[str, Path], seed: int
) -> None:
    moments = random.Random(seed)
    plan, home = write_plan(tmp_path, desk[0], n=6), tmp_path / "home"
    kills = 0
    for _ in range(6):
        process = start(plan, home)
        try:
            process.communicate(timeout=1.2 + moments.random() * 1.5)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            kills += 1
        else:
            break
    code, errors = finish(start(plan, home))
    ledger = Ledger.in_folder(home)
    if code == 2:
        assert "has ended" in errors  # an earlier run had come to the end between two kills
    else:
        assert (code, errors) == (0, "")
    references = [ticket["reference"] for ticket in json.loads(desk[1].read_text())["tickets"]]
    assert len(references) == len(set(references)) == 6
    assert outcomes(ledger) == [CaseOutcome.RESOLVED] * 6
    assert journal.faults(ledger.journal("desk-1")) == []
    submitted = [event.case for event in ledger.events("desk-1") if isinstance(event.what, TicketSubmitted)]
    assert sorted(submitted) == sorted(case.case for case in ledger.cases("desk-1"))
    assert kills > 0
    ledger.close()


def test_a_second_run_of_the_same_home_is_refused(tmp_path: Path, desk: tuple[str, Path]) -> None:
    plan = write_plan(tmp_path, desk[0], n=1, factor=1)
    home = tmp_path / "home"
    first = start(plan, home)
    while not (home / "worker.lock").exists() or not (home / "worker.lock").read_text():
        assert first.poll() is None
    code, errors = finish(start(plan, home))
    assert code == 3
    assert f"works on this home already (process {first.pid})" in errors
    assert first.poll() is None  # nothing of that touched it
    first.kill()
    first.communicate()


def test_a_refusal_is_recorded_and_nothing_is_sent(tmp_path: Path, desk: tuple[str, Path]) -> None:
    code, _ = finish(start(write_plan(tmp_path, desk[0], tickets=2), tmp_path / "home"))
    assert code == 0
    ledger = Ledger.in_folder(tmp_path / "home")
    refused = [event.what for event in ledger.events("desk-1") if isinstance(event.what, ActRefused)]
    assert [what.rule for what in refused] == ["tickets"]
    assert sorted(outcomes(ledger)) == [CaseOutcome.OURS, CaseOutcome.RESOLVED, CaseOutcome.RESOLVED]
    assert len(json.loads(desk[1].read_text())["tickets"]) == 2
    ledger.close()


def test_a_vendor_that_fails_is_tried_again_and_charged_with_it(tmp_path: Path, desk: tuple[str, Path]) -> None:
    plan = write_plan(tmp_path, desk[0], body="all is broken", n=1, audit_at_most="10 h", factor=1800)
    assert finish(start(plan, tmp_path / "home"))[0] == 0
    ledger = Ledger.in_folder(tmp_path / "home")
    ended = [event.what for event in ledger.events("desk-1") if isinstance(event.what, ContactEnded)]
    assert [what.failure.side.value for what in ended if what.failure] == ["vendor"] * 3
    assert outcomes(ledger) == [CaseOutcome.AUDIT_ENDED]
    ledger.close()


def test_what_only_the_user_can_mend_is_said_at_the_first_look(tmp_path: Path, desk: tuple[str, Path]) -> None:
    plan = write_plan(tmp_path, desk[0], body="we are locked out", n=1)
    assert finish(start(plan, tmp_path / "home"))[0] == 0
    ledger = Ledger.in_folder(tmp_path / "home")
    (closed,) = [event.what for event in ledger.events("desk-1") if isinstance(event.what, CaseClosed)]
    ledger.close()
    assert closed.outcome is CaseOutcome.OURS
    assert closed.reason.startswith("the ticket cannot be looked at: the desk does not let us in: HTTP Error 401")
    assert closed.reason.endswith("; correct its key")
    (ticket,) = json.loads(desk[1].read_text())["tickets"]
    assert ticket["looks_refused"] == 1


def test_a_full_disk_is_said_and_what_was_recorded_stays(tmp_path: Path, desk: tuple[str, Path]) -> None:
    plan, home = write_plan(tmp_path, desk[0], n=20), tmp_path / "home"
    code, errors = finish(start(plan, home, most_bytes=500_000))
    assert code == 3
    assert errors.startswith("error: ")
    assert "Traceback" not in errors
    before = Ledger.in_folder(home)
    kept = before.audit("desk-1").head_seq
    assert journal.faults(before.journal("desk-1")) == []
    before.close()
    assert finish(start(plan, home)) == (0, "")
    ledger = Ledger.in_folder(home)
    assert journal.faults(ledger.journal("desk-1")) == []
    assert ledger.audit("desk-1").head_seq > kept
    references = [ticket["reference"] for ticket in json.loads(desk[1].read_text())["tickets"]]
    assert len(references) == len(set(references)) == 20
    ledger.close()
