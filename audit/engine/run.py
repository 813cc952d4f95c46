"""`run` and `serve`: one audit from its plan to its end, or all audits of a home or database until told to stop."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from audit.engine.worker import AT_ONCE, WATCH_S, Worker
from audit.ledger.database import is_sqlite
from audit.ledger.presence import Presence, Taken, alone_in, among_workers, is_served
from audit.ledger.store import Ledger, NewCase
from audit.model import AuditRow
from audit.plan.cases import planned_cases, reference
from audit.plan.reader import PlanFile
from audit.plan.sampling import default_seed, sampling_plan
from audit.settings import Settings
from probes.clock import Clock
from probes.errors import AuditError, Unavailable, UserError
from probes.events import AuditStarted, CaseOpened, Payload

PROGRESS_S, FOLLOW_S = 0.25, 2.0


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a running audit stands: cases closed of all, and the number of its last event."""

    audit: str
    cases: int
    closed: int
    last_seq: int
    stopped: str | None

    def is_over(self, ledger: Ledger) -> bool:
        """Whether nothing is left to do: all is closed; or all is stopped, and what was live is accounted for."""
        if self.stopped is None:
            return self.closed == self.cases
        return not any(act.audit == self.audit for act in ledger.live_effects())


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
        plan_path=str(Path(plan_file.path).absolute()),  # files beside it are found from anywhere
        plan_sha256=plan_file.sha256,
        clock_factor=clock.factor,
        clock_origin_utc=clock.origin_utc,
        started_at_utc=clock.now_utc(),
        ended_at_utc=None,
        head_seq=0,
        head_sha256="",
    )
    # The same plan may be carried out from another home: what comes back to that audit is none of ours.
    seed = f"{row.audit} {uuid4()}"
    moments = sampling_plan(plan, row.started_at_utc, default_seed(plan_file.sha256))
    cases: list[NewCase] = []
    started = AuditStarted(plan_file.sha256, plan.name, version, clock.factor, len(moments))
    first: list[tuple[str | None, Payload]] = [(None, started)]
    for case in planned_cases(plan):
        moment, our_reference = moments[case.case_id], reference(seed, case.case_id)
        cases.append(
            NewCase(
                case=case.case_id,
                vendor=case.vendor,
                persona=case.persona,
                scenario=case.scenario,
                sample=case.sample,
                reference=our_reference,
                begins_at_utc=moment.begins_at_utc,
            )
        )
        begins_at_utc = moment.begins_at_utc if moment.seed is not None else None
        opened = CaseOpened(
            case.vendor, case.persona, case.scenario, case.sample, our_reference, begins_at_utc, moment.seed
        )
        first.append((case.case_id, opened))
    if not ledger.begin_audit(row, cases, first):  # somebody else began one at this very moment
        return begin(plan_file, ledger, version=version, again=again)
    return ledger.audit(row.audit), True


def carry_on(
    row: AuditRow,
    ledger: Ledger,
    settings: Settings,
    *,
    on_progress: Callable[[Progress], None],
    on_trouble: Callable[[AuditError | str], None],
    polling_s: float = 0.25,
) -> Progress:
    """Work on an audit until all its cases are closed or the kill switch is thrown.

    Where `serve` works on this home or database, the audit is its work, and is only followed here.

    Raises:
        Taken: another `run` works on this home.
        Unavailable: the store failed.
    """
    while True:
        try:
            with worker_place(ledger, settings, serving=False) as presence:
                if is_sqlite(ledger.url) or not is_served(ledger.url):
                    return _work(row, ledger, settings, presence, on_progress, on_trouble, polling_s)
        except Taken as exc:
            if not exc.serving:
                raise
        progress = _follow_served(row, ledger, settings, on_progress)
        if progress is not None:
            return progress


def serve(
    ledger: Ledger,
    settings: Settings,
    until: threading.Event,
    *,
    name: str | None = None,
    at_once: int = AT_ONCE,
    on_ready: Callable[[Worker], None],
    on_trouble: Callable[[AuditError | str], None],
) -> None:
    """Work on all audits of this home or database until an event is set.

    `on_ready` is given the worker: what takes in webhooks and mail calls its `wake`.

    Raises:
        Taken: another process works on this home, or under this name.
        UserError: the home's artifacts are not those of this database.
    """
    with worker_place(ledger, settings, serving=True, name=name) as presence:
        share_evidence(ledger, settings)
        with Worker(ledger, settings, presence, at_once=at_once, on_trouble=on_trouble) as worker:
            worker.listen()
            on_ready(worker)
            while not until.wait(WATCH_S):
                worker.watch()


def worker_place(
    ledger: Ledger, settings: Settings, *, serving: bool, name: str | None = None
) -> AbstractContextManager[Presence]:
    """Take a worker's place: the only one of a home, or one of many on PostgreSQL."""
    settings.home.mkdir(parents=True, exist_ok=True)
    if is_sqlite(ledger.url):
        return alone_in(settings.home, serving=serving)
    return among_workers(ledger.url, name, serving=serving)


def share_evidence(ledger: Ledger, settings: Settings) -> None:
    """See that this home's artifacts folder is the one that all workers of the database use.

    Raises:
        UserError: it is another one, so that evidence would be scattered.
    """
    file = settings.home / "artifacts" / ".store"
    file.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError), file.open("x", encoding="utf-8") as new:
        new.write(uuid4().hex)
    if ledger.evidence_mark(own := file.read_text(encoding="utf-8")) != own:
        raise UserError(
            "this home's artifacts are not those of the database's other workers",
            at=str(file.parent),
            fix="let all workers of one database use one shared folder as --home: evidence must be in one place",
        )


def _work(
    row: AuditRow,
    ledger: Ledger,
    settings: Settings,
    presence: Presence,
    on_progress: Callable[[Progress], None],
    on_trouble: Callable[[AuditError | str], None],
    polling_s: float,
) -> Progress:
    failed: list[Unavailable] = []

    def trouble(what: AuditError | str) -> None:
        if isinstance(what, Unavailable):
            failed.append(what)
        else:
            on_trouble(what)

    if not is_sqlite(ledger.url):
        share_evidence(ledger, settings)
    watched_s = float("-inf")
    with Worker(ledger, settings, presence, only=row.audit, polling_s=polling_s, on_trouble=trouble) as worker:
        while not failed:
            if time.monotonic() - watched_s >= WATCH_S:
                watched_s = time.monotonic()
                worker.watch()
            progress = _progress(row, ledger)
            on_progress(progress)
            if progress.is_over(ledger):
                worker.end_if_over(row)
                return progress
            time.sleep(PROGRESS_S)
    raise failed[0]


def _follow_served(
    row: AuditRow, ledger: Ledger, settings: Settings, on_progress: Callable[[Progress], None]
) -> Progress | None:
    """Follow an audit while others work on it; None if they are gone before it is over."""
    while True:
        progress = _progress(row, ledger)
        on_progress(progress)
        if progress.is_over(ledger) and (progress.stopped or ledger.audit(row.audit).ended_at_utc is not None):
            return progress
        time.sleep(FOLLOW_S)
        if is_sqlite(ledger.url):
            try:
                with alone_in(settings.home, serving=False):
                    return None
            except Taken:
                continue
        if not is_served(ledger.url):
            return None


def _progress(row: AuditRow, ledger: Ledger) -> Progress:
    cases, closed = ledger.standing(row.audit)
    return Progress(row.audit, cases, closed, ledger.audit(row.audit).head_seq, ledger.stopped())


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60] or "audit"
