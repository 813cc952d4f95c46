"""The tables, and the numbered steps that lead to them from any version that we still read."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    inspect,
    select,
)

from probes.errors import Unavailable

METADATA = MetaData()

SCHEMA = Table("holdproof_schema", METADATA, Column("version", Integer, nullable=False))

AUDITS = Table(
    "audits",
    METADATA,
    Column("audit", String(120), primary_key=True),
    Column("name", Text, nullable=False),
    Column("plan_yaml", Text, nullable=False),
    Column("plan_path", Text, nullable=False),
    Column("plan_sha256", String(64), nullable=False),
    Column("clock_factor", Float, nullable=False),
    Column("clock_origin_utc", String(32), nullable=False),
    Column("started_at_utc", String(32), nullable=False),
    Column("ended_at_utc", String(32)),
    Column("head_seq", BigInteger, nullable=False),
    Column("head_sha256", String(64), nullable=False),
)

CASES = Table(
    "cases",
    METADATA,
    Column("audit", String(120), ForeignKey("audits.audit"), primary_key=True),
    Column("case_id", String(200), primary_key=True),
    Column("vendor", String(60), nullable=False),
    Column("persona", String(60), nullable=False),
    Column("scenario", String(60), nullable=False),
    Column("sample", Integer, nullable=False),
    Column("reference", String(40), nullable=False),
    Column("state", String(20), nullable=False),
    Column("step", Integer, nullable=False),
    Column("ticks_done", BigInteger, nullable=False),
    Column("next_at_utc", String(32)),
    Column("cursor", Text, nullable=False),
    Column("woken", Integer, nullable=False, server_default="0"),
    Index("cases_by_state", "audit", "state", "next_at_utc"),
    Index("cases_woken", "woken"),
)

EVENTS = Table(
    "events",
    METADATA,
    Column("audit", String(120), ForeignKey("audits.audit"), primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("case_id", String(200)),
    Column("contact", String(220)),
    Column("kind", String(40), nullable=False),
    Column("at_utc", String(32), nullable=False),
    Column("record", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Index("events_by_case", "audit", "case_id", "seq"),
)

EFFECTS = Table(
    "effects",
    METADATA,
    Column("key", String(64), primary_key=True),
    Column("audit", String(120), ForeignKey("audits.audit"), nullable=False),
    Column("case_id", String(200), nullable=False),
    Column("contact", String(220), nullable=False),
    Column("vendor", String(60), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("target", Text, nullable=False),
    Column("reserved_at_utc", String(32), nullable=False),
    Column("dearest_minor", Float, nullable=False),
    Column("cost_minor", Float),
    Column("currency", String(8), nullable=False),
    Column("longest_s", Float, nullable=False),
    Column("live", Integer, nullable=False),
    Column("state", String(20), nullable=False),
    Index("effects_by_vendor", "audit", "vendor", "kind"),
    Index("effects_live", "live"),
)

SWITCHES = Table(
    "switches", METADATA, Column("name", String(40), primary_key=True), Column("value", Text, nullable=False)
)


def _second(connection: Connection) -> None:
    """From 1: cases that can be woken, and quick answers to what is due and what is live."""
    for statement in (
        "ALTER TABLE cases ADD COLUMN woken INTEGER NOT NULL DEFAULT 0",
        "DROP INDEX cases_by_state",
        "CREATE INDEX cases_by_state ON cases (audit, state, next_at_utc)",
        "CREATE INDEX cases_woken ON cases (woken)",
        "CREATE INDEX effects_live ON effects (live)",
        # A case in the midst of a tick had no moment; now it keeps the one at which that tick was due.
        "UPDATE cases SET next_at_utc = '2000-01-01T00:00:00.000000Z' WHERE next_at_utc IS NULL AND state = 'open'",
    ):
        connection.exec_driver_sql(statement)


VERSION = 2
MIGRATIONS = {1: _second}


def migrate(connection: Connection, where: str) -> None:
    """Bring the tables to this version.

    Raises:
        Unavailable: the tables are newer than this program.
    """
    version = 0
    if inspect(connection).has_table(SCHEMA.name):
        version = connection.execute(select(SCHEMA.c.version)).scalar_one_or_none() or 0
    if version > VERSION:
        raise Unavailable(
            f"this ledger was written by a newer holdproof (schema {version}, this one knows {VERSION})",
            at=where,
            fix="install the newer version",
        )
    if version == VERSION:
        return
    if version == 0:
        METADATA.create_all(connection)
    else:
        for number in range(version, VERSION):
            MIGRATIONS[number](connection)
    connection.execute(SCHEMA.delete())
    connection.execute(SCHEMA.insert().values(version=VERSION))
