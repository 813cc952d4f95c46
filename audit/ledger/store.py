"""The ledger: typed methods over SQLite (WAL) or PostgreSQL. Callers never see SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Row, create_engine, event, func, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from audit.journal import FIRST
from audit.ledger.codec import moment, moment_text, open_record, seal
from audit.ledger.tables import AUDITS, CASES, EFFECTS, EVENTS, SWITCHES, migrate
from audit.model import AuditRow, CaseRow, Effect, EffectState, Event, Usage
from probes.clock import Clock
from probes.errors import Unavailable, UserError
from probes.events import Payload
from probes.model import Sighting

STOP = "stop"


def real_now_utc() -> datetime:
    """Return the machine's clock; the default of `Ledger.recorded_now`."""
    return datetime.now(UTC)


class Overtaken(Exception):
    """Another run of the same tick has been first; this one leaves without a trace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCase:
    """A case as the plan wants it."""

    case: str
    vendor: str
    persona: str
    scenario: str
    sample: int
    reference: str


class Ledger:
    """One home's ledger. Safe to use from several threads and, by its database, from several processes."""

    def __init__(self, url: str, *, recorded_now: Callable[[], datetime] = real_now_utc) -> None:
        self.url, self.recorded_now = url, recorded_now
        self._engine = _engine(url)
        self._readers = self._engine.execution_options(reading=True)
        try:
            with reported(url), self._engine.begin() as connection:
                migrate(connection, _without_password(url))
        except BaseException:
            self._engine.dispose()
            raise

    @classmethod
    def in_folder(cls, home: Path) -> Ledger:
        """Open (or make) the SQLite ledger of a home folder.

        Raises:
            Unavailable: the folder cannot be written.
        """
        try:
            home.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise Unavailable(
                f"the home folder cannot be made: {exc.strerror}", at=str(home), fix="use --home"
            ) from exc
        return cls(f"sqlite:///{home / 'ledger.sqlite'}")

    def close(self) -> None:
        """Free the connections."""
        self._engine.dispose()

    # --- audits and cases ---

    def begin_audit(
        self, row: AuditRow, cases: Sequence[NewCase], first: Sequence[tuple[str | None, Payload]] = ()
    ) -> bool:
        """Write a new audit with all its cases and first events; false (and nothing changed) if it is there already.

        `first` gives each event with the case it belongs to; its moment is the audit's start.
        """
        with reported(self.url), self._engine.begin() as connection:
            try:
                connection.execute(
                    insert(AUDITS).values(
                        audit=row.audit,
                        name=row.name,
                        plan_yaml=row.plan_yaml,
                        plan_path=row.plan_path,
                        plan_sha256=row.plan_sha256,
                        clock_factor=row.clock_factor,
                        clock_origin_utc=moment_text(row.clock_origin_utc),
                        started_at_utc=moment_text(row.started_at_utc),
                        ended_at_utc=None,
                        head_seq=0,
                        head_sha256=FIRST,
                    )
                )
            except IntegrityError:
                return False
            if cases:
                connection.execute(
                    insert(CASES),
                    [
                        {
                            "audit": row.audit,
                            "case_id": case.case,
                            "vendor": case.vendor,
                            "persona": case.persona,
                            "scenario": case.scenario,
                            "sample": case.sample,
                            "reference": case.reference,
                            "state": "open",
                            "step": 0,
                            "ticks_done": 0,
                            "next_at_utc": moment_text(row.started_at_utc),
                            "cursor": "{}",
                        }
                        for case in cases
                    ],
                )
            writing = Writing(connection, row.audit, 0, FIRST, row.clock_factor, self.recorded_now)
            for case, what in first:
                writing.append([Sighting(what=what, at_utc=row.started_at_utc)], case=case)
            writing.store_head()
        return True

    def audits(self) -> list[AuditRow]:
        """Return all audits, the oldest first."""
        with reported(self.url), self._readers.connect() as connection:
            rows = connection.execute(select(AUDITS).order_by(AUDITS.c.started_at_utc, AUDITS.c.audit)).all()
        return [_audit(row) for row in rows]

    def audit(self, audit: str) -> AuditRow:
        """Return one audit.

        Raises:
            UserError: there is none of this id; the message lists those there are.
        """
        with reported(self.url), self._readers.connect() as connection:
            row = connection.execute(select(AUDITS).where(AUDITS.c.audit == audit)).one_or_none()
        if row is None:
            known = ", ".join(row.audit for row in self.audits()) or "none yet: start one with `holdproof run PLAN`"
            raise UserError(f'unknown audit "{audit}"', at=self.url, fix=f"audits in this home: {known}")
        return _audit(row)

    def cases(self, audit: str, *, state: str | None = None) -> list[CaseRow]:
        """Return the cases of an audit by id, or those in one state (open, closed)."""
        query = select(CASES).where(CASES.c.audit == audit).order_by(CASES.c.case_id)
        if state is not None:
            query = query.where(CASES.c.state == state)
        with reported(self.url), self._readers.connect() as connection:
            return [_case(row) for row in connection.execute(query)]

    def case(self, audit: str, case: str) -> CaseRow:
        """Return one case.

        Raises:
            UserError: there is none of this id.
        """
        with reported(self.url), self._readers.connect() as connection:
            row = connection.execute(select(CASES).where(CASES.c.audit == audit, CASES.c.case_id == case)).one_or_none()
        if row is None:
            raise UserError(f'unknown case "{case}"', at=f"audit {audit}", fix=f"see `holdproof cases {audit}`")
        return _case(row)

    # --- reading events ---

    def events(self, audit: str, *, case: str | None = None, after_seq: int = 0) -> list[Event]:
        """Return events in their order."""
        return list(self.iter_events(audit, case=case, after_seq=after_seq))

    def iter_events(self, audit: str, *, case: str | None = None, after_seq: int = 0) -> Iterator[Event]:
        """Yield events in their order, without holding all of them."""
        query = select(EVENTS.c.record, EVENTS.c.sha256).where(EVENTS.c.audit == audit, EVENTS.c.seq > after_seq)
        if case is not None:
            query = query.where(EVENTS.c.case_id == case)
        with reported(self.url), self._readers.connect() as connection:
            for record, sha256 in connection.execution_options(yield_per=2000).execute(query.order_by(EVENTS.c.seq)):
                yield open_record(record, sha256)

    def journal(self, audit: str) -> Iterator[str]:
        """Yield the records as stored, one line each, for a pack (`audit.journal` says how they hang together)."""
        query = select(EVENTS.c.record).where(EVENTS.c.audit == audit).order_by(EVENTS.c.seq)
        with reported(self.url), self._readers.connect() as connection:
            for (record,) in connection.execution_options(yield_per=2000).execute(query):
                yield record

    # --- writing ---

    @contextmanager
    def writing(self, audit: str) -> Iterator[Writing]:
        """One transaction: all that is written in it is there, or nothing.

        Raises:
            Unavailable: the store cannot be written (disk full, locked for long, server gone).
        """
        with reported(self.url), self._engine.begin() as connection:
            head = connection.execute(
                select(AUDITS.c.head_seq, AUDITS.c.head_sha256, AUDITS.c.clock_factor)
                .where(AUDITS.c.audit == audit)
                .with_for_update()
            ).one()
            writing = Writing(connection, audit, head.head_seq, head.head_sha256, head.clock_factor, self.recorded_now)
            yield writing
            if writing.head_seq != head.head_seq:
                writing.store_head()

    def effects(self, audit: str, *, state: EffectState | None = None) -> list[Effect]:
        """Return the effects of an audit in the order in which they were reserved."""
        query = select(EFFECTS).where(EFFECTS.c.audit == audit).order_by(EFFECTS.c.reserved_at_utc, EFFECTS.c.key)
        if state is not None:
            query = query.where(EFFECTS.c.state == state.value)
        with reported(self.url), self._readers.connect() as connection:
            return [_effect(row) for row in connection.execute(query)]

    def usage(self, audit: str, vendor: str, day_start_utc: datetime) -> Usage:
        """Return what an audit has used so far, of its calls to `vendor` those since the vendor's day began."""
        with reported(self.url), self._readers.connect() as connection:
            return _usage(connection, audit, vendor, day_start_utc)

    # --- the kill switch ---

    def set_stopped(self, reason: str | None) -> None:
        """Throw the kill switch with a reason, or release it with None."""
        with reported(self.url), self._engine.begin() as connection:
            connection.execute(SWITCHES.delete().where(SWITCHES.c.name == STOP))
            if reason is not None:
                connection.execute(insert(SWITCHES).values(name=STOP, value=reason))

    def stopped(self) -> str | None:
        """Return why everything is stopped, or None."""
        with reported(self.url), self._readers.connect() as connection:
            return _stopped(connection)


class Writing:
    """What can be written within one transaction of an audit."""

    def __init__(
        self,
        connection: Connection,
        audit: str,
        head_seq: int,
        head_sha256: str,
        clock_factor: float,
        recorded_now: Callable[[], datetime],
    ) -> None:
        self._connection, self._audit, self._factor, self._now = connection, audit, clock_factor, recorded_now
        self.head_seq, self.head_sha256 = head_seq, head_sha256

    def append(self, sightings: Iterable[Sighting], *, case: str | None = None, contact: str | None = None) -> None:
        """Append events to the chain, in the order given."""
        rows = []
        for sighting in sightings:
            text, sha256 = seal(
                sighting,
                audit=self._audit,
                seq=self.head_seq + 1,
                case=case,
                contact=contact,
                clock_factor=self._factor,
                recorded_at_utc=self._now(),
                previous_sha256=self.head_sha256,
            )
            self.head_seq, self.head_sha256 = self.head_seq + 1, sha256
            rows.append(
                {
                    "audit": self._audit,
                    "seq": self.head_seq,
                    "case_id": case,
                    "contact": contact,
                    "kind": sighting.what.KIND,
                    "at_utc": moment_text(sighting.at_utc),
                    "record": text,
                    "sha256": sha256,
                }
            )
        if rows:
            self._connection.execute(insert(EVENTS), rows)

    def reserve(self, effect: Effect) -> EffectState | None:
        """Write an intent down. None: it is new and may be done now; else its state from an earlier attempt."""
        known = self._connection.execute(
            select(EFFECTS.c.state).where(EFFECTS.c.key == effect.key)
        ).scalar_one_or_none()
        if known is not None:
            return EffectState(known)
        self._connection.execute(
            insert(EFFECTS).values(
                key=effect.key,
                audit=effect.audit,
                case_id=effect.case,
                contact=effect.contact,
                vendor=effect.vendor,
                kind=effect.kind,
                target=effect.target,
                reserved_at_utc=moment_text(effect.reserved_at_utc),
                dearest_minor=effect.dearest_minor,
                cost_minor=None,
                currency=effect.currency,
                longest_s=effect.longest_s,
                live=1,
                state=effect.state.value,
            )
        )
        return None

    def settle(
        self,
        key: str,
        state: EffectState,
        *,
        live: bool,
        cost_minor: float | None = None,
        lasted_s: float | None = None,
    ) -> None:
        """Say what became of a reserved effect; `live`: it still goes on (a call under way).

        Where the true cost and length are known they take the place of the dearest and the longest.
        """
        values: dict[str, Any] = {"state": state.value, "live": int(live)}
        if cost_minor is not None:
            values["cost_minor"] = cost_minor
        if lasted_s is not None:
            values["longest_s"] = lasted_s
        self._connection.execute(update(EFFECTS).where(EFFECTS.c.key == key).values(**values))

    def withdraw(self, key: str) -> None:
        """Take back a reservation of an act that provably never happened, so that it may be tried again."""
        self._connection.execute(
            EFFECTS.delete().where(EFFECTS.c.key == key, EFFECTS.c.state == EffectState.RESERVED.value)
        )

    def usage(self, vendor: str, day_start_utc: datetime) -> Usage:
        """Return what has been used so far, within this transaction: the caps are judged on it."""
        return _usage(self._connection, self._audit, vendor, day_start_utc)

    def save_case(self, row: CaseRow, *, tick: int) -> None:
        """Store where a case stands. `row.ticks_done` is `tick` while that tick goes on and one more when it is over.

        Raises:
            Overtaken: another run of this tick was first; the transaction must be left, so that nothing is kept twice.
        """
        done = self._connection.execute(
            update(CASES)
            .where(
                CASES.c.audit == row.audit,
                CASES.c.case_id == row.case,
                CASES.c.ticks_done == tick,
            )
            .values(
                state=row.state,
                step=row.step,
                ticks_done=row.ticks_done,
                next_at_utc=moment_text(row.next_at_utc) if row.next_at_utc else None,
                cursor=row.cursor,
            )
        )
        if done.rowcount != 1:
            raise Overtaken(f"{row.case}: tick {tick} is done already")

    def store_head(self) -> None:
        """Store where the chain ends."""
        self._connection.execute(
            update(AUDITS)
            .where(AUDITS.c.audit == self._audit)
            .values(head_seq=self.head_seq, head_sha256=self.head_sha256)
        )

    def end_audit(self, at_utc: datetime) -> bool:
        """Mark the audit as ended; false if it was already."""
        done = self._connection.execute(
            update(AUDITS)
            .where(AUDITS.c.audit == self._audit, AUDITS.c.ended_at_utc.is_(None))
            .values(ended_at_utc=moment_text(at_utc))
        )
        return done.rowcount == 1


def audit_clock(row: AuditRow) -> Clock:
    """Return the clock that an audit runs by."""
    return Clock(factor=row.clock_factor, origin_utc=row.clock_origin_utc)


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(url, pool_pre_ping=True)
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
            at=_without_password(url),
            fix=f"{fix}, then run again: the audit resumes where it was",
        ) from exc
    except DBAPIError as exc:
        if "malformed" in str(exc) or "not a database" in str(exc):
            raise Unavailable(
                f"{what} is damaged", at=_without_password(url), fix="restore it from a backup (`holdproof backup`)"
            ) from exc
        raise


def _without_password(url: str) -> str:
    head, at, tail = url.rpartition("@")
    return f"{head.split('://')[0]}://…{at}{tail}" if at else url


def _usage(connection: Connection, audit: str, vendor: str, day_start_utc: datetime) -> Usage:
    calls = (EFFECTS.c.audit == audit) & (EFFECTS.c.kind == "call")
    spent = func.coalesce(func.sum(func.coalesce(EFFECTS.c.cost_minor, EFFECTS.c.dearest_minor)), 0.0)
    count, seconds, minor = connection.execute(
        select(func.count(), func.coalesce(func.sum(EFFECTS.c.longest_s), 0.0), spent).where(calls)
    ).one()
    day = moment_text(day_start_utc), moment_text(day_start_utc + timedelta(days=1))
    today = connection.execute(
        select(func.count()).where(
            calls,
            EFFECTS.c.vendor == vendor,
            EFFECTS.c.reserved_at_utc >= day[0],
            EFFECTS.c.reserved_at_utc < day[1],
        )
    ).scalar_one()
    live = connection.execute(
        select(func.count()).where(EFFECTS.c.kind == "call", EFFECTS.c.vendor == vendor, EFFECTS.c.live == 1)
    ).scalar_one()
    tickets = connection.execute(
        select(func.count()).where(EFFECTS.c.audit == audit, EFFECTS.c.kind != "call")
    ).scalar_one()
    return Usage(
        calls=count,
        calls_today=today,
        call_minutes=seconds / 60.0,
        spent_minor=minor,
        tickets=tickets,
        calls_live_for_vendor=live,
        stopped=_stopped(connection),
    )


def _stopped(connection: Connection) -> str | None:
    value: str | None = connection.execute(select(SWITCHES.c.value).where(SWITCHES.c.name == STOP)).scalar_one_or_none()
    return value


def _audit(row: Row[Any]) -> AuditRow:
    return AuditRow(
        audit=row.audit,
        name=row.name,
        plan_yaml=row.plan_yaml,
        plan_path=row.plan_path,
        plan_sha256=row.plan_sha256,
        clock_factor=row.clock_factor,
        clock_origin_utc=moment(row.clock_origin_utc),
        started_at_utc=moment(row.started_at_utc),
        ended_at_utc=moment(row.ended_at_utc) if row.ended_at_utc else None,
        head_seq=row.head_seq,
        head_sha256=row.head_sha256,
    )


def _case(row: Row[Any]) -> CaseRow:
    return CaseRow(
        audit=row.audit,
        case=row.case_id,
        vendor=row.vendor,
        persona=row.persona,
        scenario=row.scenario,
        sample=row.sample,
        reference=row.reference,
        state=row.state,
        step=row.step,
        ticks_done=row.ticks_done,
        next_at_utc=moment(row.next_at_utc) if row.next_at_utc else None,
        cursor=row.cursor,
    )


def _effect(row: Row[Any]) -> Effect:
    return Effect(
        key=row.key,
        audit=row.audit,
        case=row.case_id,
        contact=row.contact,
        vendor=row.vendor,
        kind=row.kind,
        target=row.target,
        reserved_at_utc=moment(row.reserved_at_utc),
        dearest_minor=row.dearest_minor,
        currency=row.currency,
        longest_s=row.longest_s,
        state=EffectState(row.state),
    )
