"""The connection to SQLite (WAL) or PostgreSQL, and what its failures mean to a reader."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from probes.errors import Unavailable, UserError

_ADDRESS = "write HOLDPROOF_DATABASE_URL as postgresql://user:password@host/database"


def is_sqlite(url: str) -> bool:
    """Whether a database is a file of this machine, which one worker at a time may use."""
    return url.startswith("sqlite")


def with_driver(url: str) -> str:
    """Return a database's address with the driver that we use.

    Raises:
        UserError: it is none that we can use.
    """
    if is_sqlite(url):
        return url
    try:
        parsed = make_url(url)
    except ArgumentError as exc:
        raise UserError("the database's address cannot be understood", fix=_ADDRESS) from exc
    if parsed.get_backend_name() not in ("postgresql", "postgres"):
        raise UserError(f'there is no "{parsed.get_backend_name()}" ledger', fix=_ADDRESS)
    try:
        import psycopg  # noqa: F401
    except ImportError as exc:
        raise UserError(
            "PostgreSQL needs its driver, which is not installed", fix="pip install 'holdproof[postgresql]'"
        ) from exc
    return parsed.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def open_engine(url: str) -> Engine:
    """Open a database; SQLite in WAL, synced at every commit, with writers that queue up."""
    if not is_sqlite(url):
        # A server takes a hundred connections unless told otherwise; no transaction of ours needs a second one.
        return create_engine(with_driver(url), pool_pre_ping=True, pool_size=4, max_overflow=4)
    engine = create_engine(url, connect_args={"timeout": 30.0, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # we begin transactions ourselves, see below
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A reader that becomes a writer half-way can fail with "locked" at once; writers queue up from the start.
        connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get("reading") else "BEGIN IMMEDIATE")

    return engine


def one_at_a_time(connection: Connection) -> None:
    """Let no other process past this point until the transaction is over; SQLite's writers queue up anyway."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7000)")


@contextmanager
def reported(url: str, what: str = "the ledger") -> Iterator[None]:
    """Turn a store that fails into an error that says what to do; bugs (bad SQL, integrity) stay what they are."""
    try:
        yield
    except OperationalError as exc:
        reason = str(exc.orig or exc).strip().splitlines()[0]
        fix = "free space on this disk" if "full" in reason or "I/O" in reason else "see that it is there and writable"
        raise Unavailable(
            f"{what} cannot be used: {reason}",
            at=without_password(url),
            fix=f"{fix}, then run again: the audit resumes where it was",
        ) from exc
    except DBAPIError as exc:
        if "malformed" in str(exc) or "not a database" in str(exc):
            raise Unavailable(
                f"{what} is damaged", at=without_password(url), fix="restore it from a backup (`holdproof backup`)"
            ) from exc
        raise


def without_password(url: str) -> str:
    """Return a database's address as it may be shown."""
    head, at, tail = url.rpartition("@")
    return f"{head.split('://')[0]}://…{at}{tail}" if at else url
