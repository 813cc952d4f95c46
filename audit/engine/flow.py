"""The durable engine (DBOS) behind a few functions; no other module knows it.

A case moves in short ticks. The next tick waits as a delayed row of the database, which has no owner, costs no memory
and survives any death. Ticks may run twice; what they do to a vendor may not, and that is guarded by the ledger's
effects, not here. The names and the version below are stored with waiting rows: changing them strands work.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy
from dbos import DBOS, DBOSConfig, SetEnqueueOptions, SetWorkflowID, WorkflowStatus

from audit.ledger.database import is_sqlite, reported, with_driver

APPLICATION = "holdproof"
FLOW_VERSION = "flow-1"
QUEUE = "ticks"
WHAT = "the store of what waits"
_LIVE = frozenset({"PENDING", "ENQUEUED", "DELAYED"})
_KEPT = timedelta(minutes=10)  # finished ticks say nothing that the ledger does not
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Next:
    """What follows a tick: the number of the next one, and in how many real seconds (None: the case rests)."""

    tick: int
    delay_s: float | None


Handler = Callable[[str, str, int], Awaitable[Next]]
_handler: Handler | None = None


@DBOS.step(name="take")
async def _take(audit: str, case: str, tick: int) -> list[Any]:
    if _handler is None:
        raise RuntimeError("a tick ran before the worker was ready")
    following = await _handler(audit, case, tick)
    return [following.tick, following.delay_s]


@DBOS.workflow(name="tick", max_recovery_attempts=1000)
async def _tick(audit: str, case: str, tick: int) -> None:
    following, delay_s = await _take(audit, case, tick)
    if delay_s is not None:
        with SetWorkflowID(_id(audit, case, following)), SetEnqueueOptions(delay_seconds=max(0.0, delay_s)):
            await DBOS.enqueue_workflow_async(QUEUE, _tick, audit, case, following)


class Flow:
    """This process's worker. Only one of its name may live at a time (`audit.ledger.presence`)."""

    def __init__(self, url: str, *, worker: str, handler: Handler, polling_s: float, at_once: int) -> None:
        global _handler
        _handler = handler
        config: DBOSConfig = {
            "name": APPLICATION,
            "application_version": FLOW_VERSION,
            "executor_id": worker,
            "log_level": "CRITICAL",
            "notification_listener_polling_interval_sec": 1.0,
            "system_database_url": with_driver(url),
            "sys_db_pool_size": 5,
        }
        if is_sqlite(url):
            config["system_database_engine"] = _wal_engine(url)
        logging.getLogger("dbos").setLevel(logging.CRITICAL)  # its troubles reach the user through `reported`
        self._url, self._worker = url, worker
        with reported(url, WHAT):
            DBOS(config=config)
            DBOS.launch()
            DBOS.register_queue(
                QUEUE, worker_concurrency=at_once, polling_interval_sec=polling_s, on_conflict="always_update"
            )

    def start(self, audit: str, case: str, tick: int, delay_s: float) -> None:
        """Let a tick run in so many seconds; nothing happens if it waits already."""
        with (
            reported(self._url, WHAT),
            SetWorkflowID(_id(audit, case, tick)),
            SetEnqueueOptions(delay_seconds=max(0.0, delay_s)),
        ):
            DBOS.enqueue_workflow(QUEUE, _tick, audit, case, tick)

    def start_lost(self, ticks: Sequence[tuple[str, str, int]]) -> int:
        """Start those ticks (audit, case, number) which are due and neither wait nor run; return how many.

        A running tick keeps its number while it goes on from one contact to the next, so its own row tells. A tick
        whose row is spent (it failed, or ended while everything was stopped) gets a further row.
        """
        with reported(self._url, WHAT):
            named = {_id(*tick): tick for tick in ticks}
            known = {row.workflow_id: row.status for row in _rows(workflow_ids=list(named))} if named else {}
            started = 0
            for name, tick in named.items():
                if name not in known:
                    self.start(*tick, 0.0)
                elif known[name] in _LIVE or not self._start_again(name, tick):
                    continue
                started += 1
            return started

    def _start_again(self, name: str, tick: tuple[str, str, int]) -> bool:
        again = _rows(workflow_id_prefix=f"{name}:r")
        if any(row.status in _LIVE for row in again):
            return False
        with SetWorkflowID(f"{name}:r{len(again) + 1}"):
            DBOS.enqueue_workflow(QUEUE, _tick, *tick)
        return True

    def wake(self, audit: str, case: str, tick: int) -> None:
        """Let a waiting tick run now."""
        with reported(self._url, WHAT):
            DBOS.set_workflow_delay(_id(audit, case, tick), delay_seconds=0.0)

    def others_at_work(self) -> set[str]:
        """Return the names of other workers, alive or dead, that hold ticks."""
        with reported(self._url, WHAT):
            return {row.executor_id for row in _rows(status="PENDING") if row.executor_id} - {self._worker}

    def take_over(self, worker: str) -> None:
        """Take up the ticks of a worker that is dead."""
        with reported(self._url, WHAT):
            DBOS._recover_pending_workflows([worker])  # private, and the only way: tested, and the version is pinned

    def forget(self, now_utc: datetime) -> None:
        """Remove the rows of ticks that ended a while ago."""
        with reported(self._url, WHAT):
            while True:
                ended = _rows(completed_before=(now_utc - _KEPT).isoformat(), limit=_AT_ONCE)
                if ended:
                    DBOS.delete_workflows([row.workflow_id for row in ended])
                if len(ended) < _AT_ONCE:
                    return

    def close(self) -> None:
        """Stop taking work and wait a little for the ticks under way."""
        DBOS.destroy(workflow_completion_timeout_sec=5)


def _rows(**wanted: Any) -> list[WorkflowStatus]:
    return DBOS.list_workflows(load_input=False, load_output=False, **wanted)


def flow_url(home: Path) -> str:
    """Return where the embedded engine keeps its rows: beside the ledger, in a file of its own."""
    return f"sqlite:///{home / 'flow.sqlite'}"


def _id(audit: str, case: str, tick: int) -> str:
    return f"{audit}:{case}:{tick}"


def _wal_engine(url: str) -> sqlalchemy.Engine:
    engine = sqlalchemy.create_engine(url)

    @sqlalchemy.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        # The engine's own settings for SQLite, plus write-ahead logging, which is three times as fast here.
        connection.isolation_level = "IMMEDIATE"
        connection.execute("PRAGMA busy_timeout=30000")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    return engine
