"""Speed of the engine: waiting cases, restart, looks per second, waking, taking over. `python -m bench.engine_bench`.

Prints one line per figure, with the target of the project and the load of the machine. Workers are real processes with
a probe that returns at once, so that a look costs what engine and ledger cost. Cases are written into the ledger as
they stand while they wait for an answer; everything after that is the product's own doing.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from sqlalchemy import create_engine, text

from bench.engine.still_probe import Handle
from probes.registry import PROBES

PROBES["web_ticket"] = "bench.engine.still_probe"

from audit.engine.cursor import Cursor  # noqa: E402
from audit.engine.flow import Flow, Next, flow_url  # noqa: E402
from audit.engine.run import begin  # noqa: E402
from audit.ledger.codec import to_json  # noqa: E402
from audit.ledger.database import with_driver  # noqa: E402
from audit.ledger.store import Ledger  # noqa: E402
from audit.plan.reader import read_plan  # noqa: E402
from tests.engine.kill_run import postgresql  # noqa: E402

PROBES["web_ticket"] = "bench.engine.still_probe"
PLAN = """\
holdproof: 1
name: Bench {name}
authorisation: {{basis: own_system, by: the bench, until: 2099-12-31}}
limits: {{audit_at_most: 60 d, tickets: 100000}}
vendors:
  - {{id: desk, name: Desk, place: GB, time_zone: Europe/London, channels: {{portal: {{kind: web_ticket, url: "http://d"}}}}}}
personas: [{{id: ann, name: Ann}}]
scenarios:
  - id: login
    problem: {{subject: s, body: b}}
    steps: [{{open: portal}}, {{wait: {{until: answered, at_most: 30 d, look_every: 6 h}}}}]
samples: [{{scenario: login, n: {cases}}}]
"""
PATIENCE_S = 300.0


def report(what: str, value: str, target: str) -> None:
    load = os.getloadavg()[0]
    print(f"{what:<58} {value:>14}   target {target:<12} load {load:.1f}", flush=True)


def waiting_cases(ledger: Ledger, home: Path, name: str, cases: int, due: timedelta, takes_s: float = 0.0) -> str:
    """Write an audit of cases that wait for an answer; they are due after `due`, the last one hour later."""
    plan = home / f"{name}.yaml"
    plan.write_text(PLAN.format(name=name, cases=cases))
    ledger.set_stopped("cases are being written")  # so that no worker begins them from their beginning
    row, _ = begin(read_plan(plan), ledger, version="bench")
    now = datetime.now(UTC)
    cursor = Cursor(contacts=1, waiting_since_utc=now, handles={"portal": to_json(Handle(takes_s))})
    spread = timedelta(0) if due <= timedelta(0) else timedelta(hours=1) / cases
    for number, case in enumerate(ledger.cases(row.audit)):
        moved = replace(case, step=1, ticks_done=1, cursor=to_json(cursor), next_at_utc=now + due + spread * number)
        with ledger.writing(row.audit) as writing:
            writing.save_case(moved, was=case)
    ledger.set_stopped(None)
    return row.audit


def looked(ledger: Ledger, audit: str) -> int:
    """Return how many looks were recorded, by the end of the chain: each look is two events."""
    row = ledger.audit(audit)
    cases, _ = ledger.standing(audit)
    return (row.head_seq - 1 - cases) // 2


@contextmanager
def worker(url: str, home: Path, name: str = "w", at_once: int = 8) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "bench.engine.worker", url, str(home), name, str(at_once)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"


def until(true: Callable[[], bool], every_s: float = 0.02) -> float:
    started_s = time.monotonic()
    while not true():
        if time.monotonic() - started_s > PATIENCE_S:
            raise SystemExit("it does not come to its end")
        time.sleep(every_s)
    return time.monotonic() - started_s


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def many_waiting(folder: Path, cases: int, idle_s: float) -> None:
    """Memory and idle CPU with many cases waiting, restart to first tick, and waking, all on SQLite."""
    home = folder / "waiting"
    home.mkdir()
    url = f"sqlite:///{home / 'ledger.sqlite'}"
    ledger = Ledger(url)
    started_s = time.monotonic()
    audit = waiting_cases(ledger, home, "many", cases, timedelta(hours=12))
    print(f"wrote {cases} cases in {time.monotonic() - started_s:.0f} s", flush=True)

    async def never(_audit: str, _case: str, tick: int) -> Next:
        return Next(tick, None)

    flow = Flow(flow_url(home), worker="embedded", handler=never, polling_s=1.0, at_once=1)
    started_s = time.monotonic()
    for case in ledger.cases(audit):
        flow.start(audit, case.case, case.ticks_done, 12 * 3600.0)
    took_s = time.monotonic() - started_s
    flow.close()
    report("waiting rows written per second (SQLite)", f"{cases / took_s:.0f}", "-")
    names = [case.case for case in ledger.cases(audit)]

    def grown(seen: int) -> bool:
        return ledger.audit(audit).head_seq > seen

    with worker(url, home) as process:
        ready(process)
        time.sleep(8.0)
        before = cpu_s(process.pid)
        time.sleep(idle_s)
        used = (cpu_s(process.pid) - before) / idle_s
        report(f"idle with {cases} open cases: share of a core", f"{100 * used:.1f} %", "< 3 %")
        report(f"idle with {cases} open cases: memory", f"{rss_mb(process.pid):.0f} MB", "-")
        waits = []
        for name in names[:10]:
            seen = ledger.audit(audit).head_seq
            assert ledger.wake(audit, name)
            waits.append(until(partial(grown, seen)))
        waits.sort()
        report("woken to looked: median of 10", f"{waits[5]:.2f} s", "< 1.5 s")
        report("woken to looked: slowest of 10", f"{waits[-1]:.2f} s", "< 1.5 s")
        ledger.wake(audit, names[20])
    # Killed with a case just woken: it is the first tick of the next life.
    seen = ledger.audit(audit).head_seq
    ledger.wake(audit, names[21])
    started_s = time.monotonic()
    with worker(url, home):
        until(partial(grown, seen))
        report("restart to first look", f"{time.monotonic() - started_s:.2f} s", "< 3 s")
    ledger.close()


def looks(url: str, folder: Path, database: str, workers: int, cases: int) -> None:
    """Looks per second with some workers, all cases due at once."""
    home = folder / f"looks-{database}-{workers}"
    home.mkdir()
    if not url:
        url = f"sqlite:///{home / 'ledger.sqlite'}"
    ledger = Ledger(url)
    with ExitStack() as stack:
        shared = home if url.startswith("sqlite") else folder / "shared"
        shared.mkdir(exist_ok=True)
        processes = [stack.enter_context(worker(url, shared, f"w{number}", 16)) for number in range(workers)]
        for process in processes:
            ready(process)
        audit = waiting_cases(ledger, home, f"looks {database} {workers}", cases, timedelta(0))
        until(lambda: looked(ledger, audit) > 0, 0.05)
        first = looked(ledger, audit)
        before = sum(cpu_s(process.pid) for process in processes)
        took_s = until(lambda: looked(ledger, audit) >= cases, 0.05)
        used = sum(cpu_s(process.pid) for process in processes) - before
        done = cases - first
        report(f"looks per second, {database}, {workers} worker(s)", f"{done / took_s:.0f}", "40 a core")
        report("  CPU of the workers per look", f"{1000 * used / done:.0f} ms", "25 ms")
    ledger.close()


def take_over(url: str, folder: Path) -> None:
    """From the death of a worker, in the midst of four looks, until another one has taken them up."""
    home = folder / "shared"
    home.mkdir(exist_ok=True)
    ledger = Ledger(url)
    engine = create_engine(with_driver(url))
    held = text("SELECT count(*) FROM dbos.workflow_status WHERE status = 'PENDING' AND executor_id = :name")

    def holds(name: str) -> bool:
        with engine.connect() as connection:
            return int(connection.execute(held, {"name": name}).scalar_one()) >= 4

    waits = []
    for number in range(3):
        dies, lives = f"dies-{number}", f"lives-{number}"
        with worker(url, home, dies) as dying, ExitStack() as stack:
            ready(dying)
            waiting_cases(ledger, folder, f"over {number}", 4, timedelta(0), takes_s=25.0)
            until(partial(holds, dies), 0.2)
            ready(stack.enter_context(worker(url, home, lives)))
            time.sleep(1.7 * number)  # the other one sweeps every five seconds; not always just then
            dying.kill()
            waits.append(until(partial(holds, lives), 0.05))
    report("taken over from a dead worker: slowest of 3", f"{max(waits):.1f} s", "< 15 s")
    engine.dispose()
    ledger.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--looks", type=int, default=400)
    parser.add_argument("--idle-s", type=float, default=30.0)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="engine-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        looks("", folder, "SQLite", 1, wanted.looks)
        with postgresql(folder) as url:
            for workers in (1, 2, 4):
                looks(url, folder, "PostgreSQL", workers, wanted.looks)
            take_over(url, folder)
        many_waiting(folder, wanted.cases, wanted.idle_s)


if __name__ == "__main__":
    main()
