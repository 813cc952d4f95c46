"""Workers that serve: killed, stopped, woken, several at once on PostgreSQL; the same audits as anywhere else."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from audit.engine import live
from audit.engine.run import begin, share_evidence
from audit.engine.settle import settle_unknown
from audit.ledger.store import Ledger
from audit.model import EffectState
from audit.plan.reader import read_plan
from audit.settings import load_settings
from probes.errors import Side, UserError
from probes.events import ActRefused, CallEnded, EffectReconciled
from probes.registry import PROBES, load
from tests.engine.kill_run import PLAN

pytestmark = pytest.mark.slow
PATIENCE_S = 120.0


@pytest.fixture(autouse=True)
def _own_probes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(PROBES, "web_ticket", "tests.engine.desk_probe")
    monkeypatch.setitem(PROBES, "phone_call", "tests.engine.line_probe")
    load.cache_clear()
    yield
    load.cache_clear()


class Desk:
    """A help desk with a telephone, in a process of its own."""

    def __init__(self, file: Path, *how: str) -> None:
        self.file = file
        command = [sys.executable, "-m", "tests.engine.desk_server", str(file), *how]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = f"http://127.0.0.1:{self.process.stdout.readline().strip()}"

    def got(self, kind: str) -> list[dict[str, Any]]:
        return list(json.loads(self.file.read_text())[kind]) if self.file.exists() else []


@contextmanager
def desk(folder: Path, *how: str) -> Iterator[Desk]:
    one = Desk(folder / "desk.json", *how)
    try:
        yield one
    finally:
        one.process.kill()
        one.process.communicate()


@contextmanager
def worker(url: str, home: Path, *name: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.engine.worker_process", url, str(home), *name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline()
            yield process
        finally:
            process.kill()


def until(true: Callable[[], object], what: str) -> None:
    """Wait for something to become true; how long it takes is not asserted."""
    patience_s = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < patience_s, f"still not: {what}"
        time.sleep(0.1)


def start_audit(ledger: Ledger, folder: Path, url: str, **changes: object) -> str:
    values = {"number": 1, "url": url, "cases": 2, "factor": 6000, "look": "90 min"} | changes
    plan = folder / "plan.yaml"
    plan.write_text(PLAN.format(**values).replace("calls: 1000,", f"calls: {changes.get('calls', 1000)},"))
    return begin(read_plan(plan), ledger, version="test")[0].audit


@pytest.mark.parametrize(("database_url", "workers"), [("sqlite", 1), ("postgresql", 3)], indirect=["database_url"])
def test_killed_at_every_boundary_nothing_is_lost_or_done_twice(database_url: str, workers: int) -> None:
    command = [sys.executable, "-m", "tests.engine.kill_run", "--url", database_url, "--workers", str(workers)]
    done = subprocess.run(
        [*command, "--kills", "6", "--cases", "3", "--seed", str(workers)], capture_output=True, text=True, check=False
    )
    totals = json.loads(done.stdout)
    assert totals["faults"] == []
    assert sum(totals["kills"].values()) >= 6


def test_stop_ends_a_live_call_and_accounts_for_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    ledger = Ledger(url)
    with desk(tmp_path, "endless=true") as vendor, worker(url, tmp_path):
        audit = start_audit(ledger, tmp_path, vendor.url)
        until(lambda: vendor.got("calls") and ledger.live_effects(), "a call is live")
        until(lambda: '"handle":"' in ledger.case(audit, ledger.live_effects()[0].case).cursor, "its answer is stored")
        assert live.stop(ledger, load_settings(tmp_path, {}), "wrong number", lambda _: None) == 1
        assert vendor.got("calls")[0]["ended_by_us"]
        until(lambda: not ledger.live_effects(), "the call is accounted for")
        ended = [event.what for event in ledger.events(audit) if isinstance(event.what, CallEnded)]
        assert [what.by for what in ended] == [Side.OURS]
        calls = len(vendor.got("calls"))
        ledger.set_stopped(None)
        until(lambda: len(vendor.got("calls")) > calls, "work goes on after the release")
    ledger.close()


def test_a_woken_case_is_looked_at_now(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    ledger = Ledger(url)
    with desk(tmp_path, "answers_after=0") as vendor, worker(url, tmp_path):
        audit = start_audit(ledger, tmp_path, vendor.url, cases=1, factor=1, look="1 d")
        until(lambda: ledger.cases(audit)[0].ticks_done > 0, "the ticket is opened and waited for")
        (case,) = ledger.cases(audit)
        until(lambda: ledger.wake(audit, case.case) and ledger.cases(audit)[0].step > case.step, "its answer is seen")
    ledger.close()


def test_run_beside_serve_follows_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    url = f"sqlite:///{home / 'ledger.sqlite'}"
    ledger = Ledger(url)
    with desk(tmp_path) as vendor, worker(url, home):
        audit = start_audit(ledger, tmp_path, vendor.url)
        command = [sys.executable, "-m", "tests.engine.runner", str(tmp_path / "plan.yaml"), str(home)]
        assert subprocess.run(command, check=False, timeout=PATIENCE_S).returncode == 0
        assert ledger.audit(audit).ended_at_utc is not None
    ledger.close()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_three_workers_keep_one_cap_and_one_dies(database_url: str, tmp_path: Path) -> None:
    ledger = Ledger(database_url)
    with desk(tmp_path) as vendor, ExitStack() as stack:
        workers = [stack.enter_context(worker(database_url, tmp_path, f"w{number}")) for number in range(3)]
        audit = start_audit(ledger, tmp_path, vendor.url, cases=9, calls=4)
        until(lambda: len(vendor.got("tickets")) >= 3, "three tickets are open")
        workers[0].send_signal(signal.SIGKILL)
        until(lambda: ledger.audit(audit).ended_at_utc is not None, "the other two bring it to its end")
        assert len(vendor.got("calls")) == 4
        assert len(vendor.got("tickets")) == 9
        refused = [event.what for event in ledger.events(audit) if isinstance(event.what, ActRefused)]
        assert {what.rule for what in refused} == {"calls"}
        assert len(refused) == 5
        assert "4 calls are placed, and limits.calls is 4" in refused[0].reason
    ledger.close()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_two_workers_of_one_name_or_with_other_folders_are_refused(database_url: str, tmp_path: Path) -> None:
    ledger = Ledger(database_url)
    (tmp_path / "other").mkdir()
    with worker(database_url, tmp_path, "one"):
        command = [sys.executable, "-m", "tests.engine.worker_process", database_url]
        same_name = [*command, str(tmp_path), "one"]
        done = subprocess.run(same_name, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
        assert (done.returncode, "a worker named one is alive already" in done.stderr) == (3, True)
        with pytest.raises(UserError, match="are not those of the database's other workers"):
            share_evidence(ledger, load_settings(tmp_path / "other", {}))
    ledger.close()


def test_an_unknown_act_is_settled_by_a_persons_word(database_url: str, tmp_path: Path) -> None:
    ledger = Ledger(database_url)
    audit = start_audit(ledger, tmp_path, "http://127.0.0.1:1", cases=2)
    from tests.ledger.test_store import effect

    for number, case in enumerate(ledger.cases(audit)):
        with ledger.writing(audit) as writing:
            own = effect(f"k{number}", audit=audit, case=case.case, contact=f"{case.case}/001")
            writing.reserve(own)
            writing.settle(own.key, EffectState.UNKNOWN, live=False)
    first, second = (case.case for case in ledger.cases(audit))
    settle_unknown(ledger, audit, first, happened=True, by="Ann", note="the bill says so")
    settle_unknown(ledger, audit, second, happened=False, by="Ann")
    assert [act.state for act in ledger.effects(audit)] == [EffectState.DONE]
    words = [event.what.how for event in ledger.events(audit) if isinstance(event.what, EffectReconciled)]
    assert words == ["Ann says that it was done: the bill says so", "Ann says that it was not done"]
    with pytest.raises(UserError, match="no such act of unknown outcome"):
        settle_unknown(ledger, audit, first, happened=True, by="Ann")
    ledger.close()
