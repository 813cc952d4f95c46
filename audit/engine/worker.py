"""A worker: takes the ticks of the open audits of a database, alone or among others, until it is told to stop.

Besides the ticks, which the durable engine hands out, it does five small things in turn: it watches the kill switch
and who was woken, starts cases at their planned moment, repairs those that lost their tick, takes up the work of dead
workers, and ends audits whose cases are all closed. All of these may be done by several workers at once.
"""

from __future__ import annotations

import asyncio
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from types import TracebackType
from typing import Self

from audit.engine.contact import Setting
from audit.engine.cursor import Cursor
from audit.engine.flow import Flow, Next, flow_url
from audit.engine.live import end_live
from audit.engine.tick import Ticker
from audit.engine.tools import Workshop
from audit.ledger.codec import from_json
from audit.ledger.database import is_sqlite
from audit.ledger.presence import Presence
from audit.ledger.store import Ledger, audit_clock
from audit.model import AuditRow
from audit.plan.reader import parse_plan
from audit.settings import Settings
from probes.clock import Clock
from probes.errors import AuditError, Unavailable
from probes.events import AuditEnded
from probes.model import Sighting

WATCH_S = 0.5
SWEEP_S = 5.0
FORGET_S = 60.0
AT_ONCE = 8
_SWEPT = 500
_SICK_S = 60.0


class Worker:
    """Works from `with` to its end; `only` limits it to one audit. Trouble is told to `on_trouble` and survived.

    `watch` is to be called about every `WATCH_S`; nothing is swept, woken or taken over without it.
    """

    def __init__(
        self,
        ledger: Ledger,
        settings: Settings,
        presence: Presence,
        *,
        only: str | None = None,
        polling_s: float = 0.25,
        at_once: int = AT_ONCE,
        on_trouble: Callable[[AuditError | str], None],
    ) -> None:
        self.ledger, self.settings, self.presence, self.only = ledger, settings, presence, only
        self._on_trouble = on_trouble
        self._closing = threading.Event()
        self._workshop = Workshop(
            settings, alone=is_sqlite(ledger.url), on_call=self._wake_call, on_mail=self._wake_mail
        )
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="tick")
        self._waking = ThreadPoolExecutor(1, thread_name_prefix="wake")
        self._tickers: dict[str, Ticker] = {}
        self._lock = threading.Lock()
        self._sick: dict[tuple[str, str], float] = {}
        self._stopped: str | None = None
        self._swept_s = self._forgot_s = float("-inf")
        self._polling_s, self._at_once = polling_s, at_once

    def __enter__(self) -> Self:
        self._workshop.__enter__()
        url = flow_url(self.settings.home) if is_sqlite(self.ledger.url) else self.ledger.url
        try:
            self._flow = Flow(
                url, worker=self.presence.name, handler=self._handle, polling_s=self._polling_s, at_once=self._at_once
            )
        except BaseException:
            self._workshop.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._flow.close()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._waking.shutdown(wait=False, cancel_futures=True)
        self._workshop.__exit__(kind, error, trace)

    # --- ticks ---

    async def _handle(self, audit: str, case: str, tick: int) -> Next:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._take, audit, case, tick)

    def _take(self, audit: str, case: str, tick: int) -> Next:
        if (self.only is not None and audit != self.only) or self._closing.is_set():
            return Next(tick, None)  # a sweep of whoever works on that audit starts it again
        try:
            return self._ticker(audit).take(case, tick)
        except AuditError as exc:  # the store failed: nothing can be recorded, so nothing more is done
            self._trouble(audit, case, exc)
        except Exception:
            self._trouble(audit, case, f"case {case} of audit {audit}:\n{traceback.format_exc()}")
        return Next(tick, None)

    def _trouble(self, audit: str, case: str, what: AuditError | str) -> None:
        self._sick[audit, case] = time.monotonic()
        self._on_trouble(what)

    def _ticker(self, audit: str) -> Ticker:
        with self._lock:
            if audit not in self._tickers:
                row = self.ledger.audit(audit)
                plan, clock = parse_plan(row.plan_yaml, row.plan_path).plan, audit_clock(row)
                setting = Setting(
                    ledger=self.ledger,
                    audit=row,
                    plan=plan,
                    clock=clock,
                    tools_for=self._workshop.tools_for(audit, plan, self.ledger, clock),
                    do=self._workshop.do,
                )
                self._tickers[audit] = Ticker(setting, self._closing)
            return self._tickers[audit]

    # --- what it does in turn ---

    def wake(self, audit: str, case: str) -> bool:
        """Let a case's waiting tick run now (a webhook or a mail has come); false if it has not begun, or is closed.

        A tick that runs just now is followed by another one at once.
        """
        if not self.ledger.wake(audit, case):
            return False
        self._flow.wake(audit, case, self.ledger.case(audit, case).ticks_done)
        return True

    def listen(self) -> str | None:
        """Open our public address, if there is one, and let the carriers answer there; return it.

        Raises:
            UserError: its port is taken.
        """
        return self._workshop.listen()

    def _wake_call(self, call_id: str) -> None:
        """Wake the case of a call of which the carrier has told something; called where probes work: it only asks."""
        if not self._closing.is_set():
            with suppress(RuntimeError):  # the worker closes at this very moment
                self._waking.submit(self._wake_of, call_id)

    def _wake_of(self, call_id: str) -> None:
        try:
            for effect in self.ledger.live_effects():
                under_way = from_json(Cursor, self.ledger.case(effect.audit, effect.case).cursor).under_way
                if under_way is not None and under_way.handle is not None and f'"{call_id}"' in under_way.handle:
                    self.wake(effect.audit, effect.case)
        except AuditError as exc:
            self._on_trouble(exc)

    def _wake_mail(self, references: frozenset[str]) -> None:
        """Wake the cases for which mail has come; called where probes work: it only asks."""
        if not self._closing.is_set():
            with suppress(RuntimeError):  # the worker closes at this very moment
                self._waking.submit(self._wake_all, references)

    def _wake_all(self, references: frozenset[str]) -> None:
        try:
            for audit, case in self.ledger.open_cases_of(references):
                if self.only in (None, audit):
                    self.wake(audit, case)
        except AuditError as exc:
            self._on_trouble(exc)

    def watch(self) -> None:
        """Look at the kill switch, at who was woken, and every few seconds at all that may need a hand."""
        try:
            self._watch()
        except Unavailable as exc:
            self._on_trouble(exc)

    def _watch(self) -> None:
        stopped = self.ledger.stopped()
        if stopped is not None and self._stopped is None:
            for case in end_live(self.ledger, self._workshop, on_trouble=self._on_trouble):
                self._flow.wake(case.audit, case.case, case.ticks_done)
        self._stopped = stopped
        for due in self.ledger.woken():
            self._flow.wake(due.audit, due.case, due.tick)
        now_s = time.monotonic()
        if now_s - self._swept_s >= SWEEP_S:
            self._swept_s = now_s
            self._sweep()
        if now_s - self._forgot_s >= FORGET_S:
            self._forgot_s = now_s
            self._flow.forget(datetime.now(UTC))

    def _sweep(self) -> None:
        self.presence.hold()
        for name in self._flow.others_at_work():
            self.presence.if_dead(name, partial(self._flow.take_over, name))
        for row in self.ledger.audits(going_on=True):
            if self.only in (None, row.audit):
                self._start_due(row)
                self.end_if_over(row)

    def _start_due(self, row: AuditRow) -> None:
        """Start the cases whose first tick is due until the next sweep, and those that lost a tick."""
        clock = audit_clock(row)
        now = clock.now_utc()
        soon = now + timedelta(seconds=2 * SWEEP_S * row.clock_factor)
        live = None if self._stopped is None else {(act.audit, act.case) for act in self.ledger.live_effects()}
        overdue: list[tuple[str, str, int]] = []
        for due in self.ledger.due(row.audit, soon, most=_SWEPT):
            key = due.audit, due.case
            if time.monotonic() - self._sick.get(key, float("-inf")) < _SICK_S or (
                live is not None and key not in live
            ):
                continue
            if due.at_utc <= now:
                overdue.append((due.audit, due.case, due.tick))
            elif due.tick == 0:  # later ones were started by the tick before
                self._flow.start(due.audit, due.case, due.tick, _real_s(clock, due.at_utc, now))
        self._flow.start_lost(overdue)

    def end_if_over(self, row: AuditRow) -> None:
        """End an audit if all its cases are closed."""
        cases, closed = self.ledger.standing(row.audit)
        if closed == cases:
            now = audit_clock(row).now_utc()
            with self.ledger.writing(row.audit) as writing:
                if writing.end_audit(now):
                    writing.append([Sighting(what=AuditEnded("all_cases_ended"), at_utc=now)])
            with self._lock:
                self._tickers.pop(row.audit, None)


def _real_s(clock: Clock, at_utc: datetime, now_utc: datetime) -> float:
    return clock.real_delay_s((at_utc - now_utc).total_seconds())
