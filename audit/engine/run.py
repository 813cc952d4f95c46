"""`holdproof run`: one audit from its plan to its end in this process, resumed by itself if it was interrupted."""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from audit.engine.contact import Setting
from audit.engine.flow import Flow, Next, flow_url
from audit.engine.tick import Ticker
from audit.engine.tools import Workshop
from audit.ledger.store import Ledger, NewCase, audit_clock
from audit.model import AuditRow
from audit.plan.cases import planned_cases, reference
from audit.plan.reader import PlanFile
from audit.settings import Settings
from probes.clock import Clock
from probes.errors import Unavailable, UserError
from probes.events import AuditEnded, AuditStarted, CaseOpened
from probes.model import Sighting

SWEEP_S = 5.0


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a running audit stands: cases closed of all, and the number of its last event."""

    audit: str
    cases: int
    closed: int
    last_seq: int
    stopped: str | None


def begin(plan_file: PlanFile, ledger: Ledger, *, version: str, again: bool = False) -> tuple[AuditRow, bool]:
    """Return the audit of this plan: the one that is not finished, else a new one (then the second value is true).

    Raises:
        UserError: an audit of this name goes on under another plan, or this plan's audit has ended.
    """
    plan, name = plan_file.plan, _slug(plan_file.plan.name)
    runs = [row for row in ledger.audits() if re.fullmatch(rf"{re.escape(name)}-\d+", row.audit)]
    for row in runs:
        if row.ended_at_utc is None and row.plan_sha256 == plan_file.sha256:
            return row, False
        if row.ended_at_utc is None and not again:
            raise UserError(
                f"audit {row.audit} goes on under an earlier text of this plan",
                at=plan_file.path,
                fix="put the plan back as it was to resume it, or begin a new audit beside it with --again",
            )
    ended = [row for row in runs if row.plan_sha256 == plan_file.sha256]
    if ended and not again:
        raise UserError(
            f"this plan's audit {ended[-1].audit} has ended",
            at=plan_file.path,
            fix=f"see `holdproof report {ended[-1].audit} --out DIR`, or do it once more: run {plan_file.path} --again",
        )
    now = datetime.now(UTC)
    clock = Clock(factor=plan.clock.factor, origin_utc=plan.clock.origin_utc or now)
    row = AuditRow(
        audit=f"{name}-{max((int(row.audit.rpartition('-')[2]) for row in runs), default=0) + 1}",
        name=plan.name,
        plan_yaml=plan_file.text,
        plan_path=plan_file.path,
        plan_sha256=plan_file.sha256,
        clock_factor=clock.factor,
        clock_origin_utc=clock.origin_utc,
        started_at_utc=clock.now_utc(),
        ended_at_utc=None,
        head_seq=0,
        head_sha256="",
    )
    cases = [
        NewCase(
            case=case.case_id,
            vendor=case.vendor,
            persona=case.persona,
            scenario=case.scenario,
            sample=case.sample,
            reference=reference(row.audit, case.case_id),
        )
        for case in planned_cases(plan)
    ]
    started = AuditStarted(plan_file.sha256, plan.name, version, clock.factor, len(cases))
    ledger.begin_audit(
        row,
        cases,
        [(None, started)]
        + [
            (case.case, CaseOpened(case.vendor, case.persona, case.scenario, case.sample, case.reference))
            for case in cases
        ],
    )
    return ledger.audit(row.audit), True


def carry_on(
    row: AuditRow,
    plan_file: PlanFile,
    ledger: Ledger,
    settings: Settings,
    *,
    on_progress: Callable[[Progress], None],
    polling_s: float = 0.25,
) -> Progress:
    """Work on an audit until all its cases are closed or the kill switch is thrown.

    Raises:
        Unavailable: another process works on this home, or the store failed.
    """
    clock = audit_clock(row)
    with worker_lock(settings.home), Workshop(settings, plan_file.plan, ledger, row.audit, clock) as workshop:
        setting = Setting(ledger=ledger, audit=row, plan=plan_file.plan, clock=clock, tools_for=workshop.tools_for)
        ticker = Ticker(setting)
        trouble: list[Unavailable] = []

        async def handle(audit: str, case: str, tick: int) -> Next:
            if audit != row.audit:
                return Next(tick, None)  # another audit of this home; its own run starts it again
            try:
                return await workshop.do(ticker.take(case, tick))
            except Unavailable as exc:  # the store failed: nothing can be recorded, so nothing more is done
                trouble.append(exc)
                return Next(tick, None)

        flow = Flow(flow_url(settings.home), worker="embedded", handler=handle, polling_s=polling_s)
        try:
            progress = _follow(row, ledger, flow, trouble, on_progress)
        finally:
            flow.close()
    if trouble:
        raise trouble[0]
    if progress.closed == progress.cases and progress.stopped is None:
        with ledger.writing(row.audit) as writing:
            if writing.end_audit(clock.now_utc()):
                writing.append([Sighting(what=AuditEnded("all_cases_ended"), at_utc=clock.now_utc())])
    return progress


def _follow(
    row: AuditRow,
    ledger: Ledger,
    flow: Flow,
    trouble: list[Unavailable],
    on_progress: Callable[[Progress], None],
) -> Progress:
    swept_s = float("-inf")
    while True:
        cases = ledger.cases(row.audit)
        waiting = [case for case in cases if case.state != "closed"]
        stopped = ledger.stopped()
        progress = Progress(row.audit, len(cases), len(cases) - len(waiting), ledger.audit(row.audit).head_seq, stopped)
        on_progress(progress)
        if not waiting or stopped is not None or trouble:
            return progress
        if time.monotonic() - swept_s >= SWEEP_S:
            swept_s = time.monotonic()
            flow.ensure(row.audit, {case.case: case.ticks_done for case in waiting})
        time.sleep(0.25)


@contextmanager
def worker_lock(home: Path) -> Iterator[None]:
    """Hold this home for one worker.

    Raises:
        Unavailable: another process holds it; the message says which.
    """
    path = home / "worker.lock"
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            file.seek(0)
            raise Unavailable(
                f"another holdproof works on this home already (process {file.read().strip() or 'unknown'})",
                at=str(home),
                fix="wait for it, watch it with `holdproof status`, or use another --home",
            ) from exc
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60] or "audit"
