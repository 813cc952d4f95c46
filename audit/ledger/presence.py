"""Which workers are alive, by locks that die with their holder: no clock, no heartbeat, nothing to clean up.

On PostgreSQL a worker holds an advisory lock for its name in a session of its own; the server frees it when the
process or its machine is gone. On SQLite one worker at a time holds the home's lock file.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from audit.ledger.database import open_engine, reported
from probes.errors import Unavailable

_WORKERS, _SERVING = 7001, 7002  # classes of advisory locks
_MOST_HERE = 64
_LINGERS_S = 15.0  # the session of a worker that died just now may live on at the server for a moment


class Presence(Protocol):
    """This worker's place among the others. `name` is stable: who takes its place later finds its work."""

    name: str

    def hold(self) -> None:
        """See that the place is still held; take it again if the connection was lost."""
        ...

    def if_dead(self, name: str, then: Callable[[], None]) -> bool:
        """Do something while no worker of this name can start, if none is alive; whether that was so."""
        ...


class Alone:
    """The only worker of a home."""

    name = "embedded"

    def hold(self) -> None:
        """Nothing can take the lock file's place away."""

    def if_dead(self, name: str, then: Callable[[], None]) -> bool:  # noqa: ARG002  (whoever it was)
        """Whoever else worked on this home is dead."""
        then()
        return True


class Taken(Unavailable):
    """Another process works on this home. `serving`: it takes every audit's work, so that one can wait for it."""

    def __init__(self, message: str, *, serving: bool, at: str = "", fix: str = "") -> None:
        super().__init__(message, at=at, fix=fix)
        self.serving = serving


class Among:
    """One of many workers on PostgreSQL."""

    def __init__(self, engine: Engine, wanted: str | None, *, serving: bool) -> None:
        self._engine, self._serving = engine, serving
        self._session = self._connect()
        names = [wanted] if wanted else [f"{socket.gethostname()}-{number}" for number in range(1, _MOST_HERE)]
        patience_s = time.monotonic() + (_LINGERS_S if wanted else 0.0)
        while (free := next((name for name in names if _try(self._session, _WORKERS, name)), None)) is None:
            if time.monotonic() > patience_s:
                self.close()
                message = f"a worker named {names[0]} is alive already"
                raise Taken(message, serving=serving, fix="give each its own --name")
            time.sleep(0.5)
        self.name = free
        self._share()

    def hold(self) -> None:
        """See that the place is still held; take it again if the connection was lost."""
        try:
            self._session.execute(text("SELECT 1"))
        except DBAPIError:
            with suppress(DBAPIError):
                self._session.close()
            self._session = self._connect()
            if not _try(self._session, _WORKERS, self.name):
                raise Taken(
                    f"another worker took the name {self.name} while the database was away",
                    serving=self._serving,
                    fix="start this one again",
                ) from None
            self._share()

    def if_dead(self, name: str, then: Callable[[], None]) -> bool:
        """Do something while no worker of this name can start, if none is alive; whether that was so."""
        if not _try(self._session, _WORKERS, name):
            return False
        try:
            then()
        finally:
            self._session.execute(text("SELECT pg_advisory_unlock(:c, :k)"), {"c": _WORKERS, "k": _key(name)})
        return True

    def close(self) -> None:
        """Leave the place; work that was not finished is taken up by others."""
        with suppress(DBAPIError):
            self._session.close()

    def _share(self) -> None:
        if self._serving:
            self._session.execute(text("SELECT pg_advisory_lock_shared(:c, 0)"), {"c": _SERVING})

    def _connect(self) -> Connection:
        session = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        # A machine that vanished is noticed by the server in some ten seconds.
        for setting, value in (("idle", 5), ("interval", 2), ("count", 3)):
            session.exec_driver_sql(f"SET tcp_keepalives_{setting} = {value}")
        return session


@contextmanager
def among_workers(url: str, wanted: str | None = None, *, serving: bool) -> Iterator[Among]:
    """Take a place among the workers of a PostgreSQL database: the wanted name, else the first free of this machine.

    Raises:
        Taken: a worker of this name is alive.
        Unavailable: the database cannot be reached.
    """
    engine = open_engine(url)
    try:
        with reported(url):
            presence = Among(engine, wanted, serving=serving)
        try:
            yield presence
        finally:
            presence.close()
    finally:
        engine.dispose()


def is_served(url: str) -> bool:
    """Whether a worker that takes every audit's work is alive on this PostgreSQL database."""
    engine = open_engine(url)
    try:
        with reported(url), engine.connect() as connection:
            taken = connection.execute(text("SELECT pg_try_advisory_xact_lock(:c, 0)"), {"c": _SERVING}).scalar_one()
            return not taken
    finally:
        engine.dispose()


@contextmanager
def alone_in(home: Path, *, serving: bool) -> Iterator[Alone]:
    """Hold a home for one worker.

    Raises:
        Taken: another process holds it; the message says which.
    """
    path = home / "worker.lock"
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            file.seek(0)
            holder = _holder(file.read())
            raise Taken(
                f"another holdproof works on this home already (process {holder.get('process', 'unknown')})",
                serving=holder.get("serving") is True,
                at=str(home),
                fix="wait for it, watch it with `holdproof status`, or use another --home",
            ) from exc
        file.truncate(0)
        json.dump({"process": os.getpid(), "serving": serving}, file)
        file.flush()
        yield Alone()


def _holder(note: str) -> dict[str, object]:
    try:
        holder = json.loads(note)
    except ValueError:  # written just now
        return {}
    return holder if isinstance(holder, dict) else {}


def _try(session: Connection, group: int, name: str) -> bool:
    asked = session.execute(text("SELECT pg_try_advisory_lock(:c, :k)"), {"c": group, "k": _key(name)})
    return bool(asked.scalar_one())


def _key(name: str) -> int:
    return zlib.crc32(name.encode()) - 2**31
