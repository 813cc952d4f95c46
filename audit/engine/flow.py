"""The durable engine (DBOS) behind a few functions; no other module knows it.

A case moves in short ticks. The next tick waits as a delayed row of the database, which has no owner, costs no memory
and survives any death. Ticks may run twice; what they do to a vendor may not, and that is guarded by the ledger's
effects, not here. The names and the version below are stored with waiting rows: changing them strands work.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy
from dbos import DBOS, DBOSConfig, SetEnqueueOptions, SetWorkflowID

from audit.ledger.database import reported

APPLICATION = "holdproof"
FLOW_VERSION = "flow-1"
QUEUE = "ticks"
WHAT = "the store of what waits"
_LIVE = ["PENDING", "ENQUEUED", "DELAYED"]
_RETRIED = re.compile(r":r\d+$")


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
    """This process's worker. Only one per executor id may live at a time."""

    def __init__(self, url: str, *, worker: str, handler: Handler, polling_s: float, at_once: int = 8) -> None:
        global _handler
        _handler = handler
        config: DBOSConfig = {
            "name": APPLICATION,
            "application_version": FLOW_VERSION,
            "executor_id": worker,
            "log_level": "CRITICAL",
            "notification_listener_polling_interval_sec": 1.0,
        }
        if url.startswith("sqlite"):
            config["system_database_url"] = url
            config["system_database_engine"] = _wal_engine(url)
        else:
            config["system_database_url"] = url
        logging.getLogger("dbos").setLevel(logging.CRITICAL)  # its troubles reach the user through `reported`
        self._url = url
        with reported(url, WHAT):
            DBOS(config=config)
            DBOS.launch()
            DBOS.register_queue(QUEUE, worker_concurrency=at_once, polling_interval_sec=polling_s)

    def ensure(self, audit: str, waiting: Mapping[str, int]) -> list[str]:
        """See that every case of `waiting` (case → tick) has a tick that waits or runs; start the lost ones.

        Returns:
            The cases whose chain was lost, or had never begun.
        """
        with reported(self._url, WHAT):
            return self._ensure(audit, waiting)

    def _ensure(self, audit: str, waiting: Mapping[str, int]) -> list[str]:
        prefix = f"{audit}:"
        live = {
            row.workflow_id.rsplit(":", 2 if _RETRIED.search(row.workflow_id) else 1)[0]
            for row in DBOS.list_workflows(workflow_id_prefix=prefix, status=_LIVE, load_input=False, load_output=False)
        }
        lost = [case for case in waiting if f"{prefix}{case}" not in live]
        for case in lost:
            name = _id(audit, case, waiting[case])
            spent = DBOS.list_workflows(workflow_id_prefix=name, load_input=False, load_output=False)
            tries = sum(row.workflow_id == name or row.workflow_id.startswith(f"{name}:r") for row in spent)
            with SetWorkflowID(f"{name}:r{tries}" if tries else name):
                DBOS.enqueue_workflow(QUEUE, _tick, audit, case, waiting[case])
        return lost

    def wake(self, audit: str, case: str, tick: int) -> None:
        """Let a waiting tick run now."""
        DBOS.set_workflow_delay(_id(audit, case, tick), delay_seconds=0.0)

    def close(self) -> None:
        """Stop taking work and wait a little for the ticks under way."""
        DBOS.destroy(workflow_completion_timeout_sec=5)


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
