"""The ledger: typed methods over SQLite (WAL) or PostgreSQL. Callers never see SQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Row, Select, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from audit.journal import FIRST
from audit.ledger.codec import moment, moment_text, open_record
from audit.ledger.database import one_at_a_time, open_engine, reported, without_password
from audit.ledger.tables import AUDITS, CASES, EFFECTS, EVENTS, SWITCHES, migrate
from audit.ledger.writing import STOP, Overtaken, Writing, stopped_by, usage_of
from audit.model import AuditRow, CaseRow, Effect, EffectState, Event, Usage
from probes.clock import Clock
from probes.errors import Unavailable, UserError
from probes.events import CaseClosed, CaseOutcome, Payload
from probes.model import Sighting

__all__ = ["Due", "Ledger", "NewCase", "Overtaken", "Writing", "audit_clock", "real_now_utc"]

EVIDENCE = "evidence"


def real_now_utc() -> datetime:
    """Return the machine's clock; the default of `Ledger.recorded_now`."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCase:
    """A case as the plan wants it. It begins at `begins_at_utc`; None: with the audit."""

    case: str
    vendor: str
    persona: str
    scenario: str
    sample: int
    reference: str
    begins_at_utc: datetime | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """A case with the number of its next tick and when that is due, in audit time."""

    audit: str
    case: str
    tick: int
    at_utc: datetime


class Ledger:
    """One home's ledger. Safe to use from several threads and, by its database, from several processes."""

    def __init__(self, url: str, *, recorded_now: Callable[[], datetime] = real_now_utc) -> None:
        self.url, self.recorded_now = url, recorded_now
        self._engine = open_engine(url)
        self._readers = self._engine.execution_options(reading=True)
        try:
            with reported(url), self._engine.begin() as connection:
                one_at_a_time(connection)
                migrate(connection, without_password(url))
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
                            "next_at_utc": moment_text(case.begins_at_utc or row.started_at_utc),
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

    def audits(self, *, going_on: bool = False) -> list[AuditRow]:
        """Return all audits, or those that have not ended, the oldest first."""
        query = select(AUDITS).order_by(AUDITS.c.started_at_utc, AUDITS.c.audit)
        if going_on:
            query = query.where(AUDITS.c.ended_at_utc.is_(None))
        with reported(self.url), self._readers.connect() as connection:
            rows = connection.execute(query).all()
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

    def standing(self, audit: str) -> tuple[int, int]:
        """Return how many cases an audit has, and how many of them are closed."""
        query = select(CASES.c.state, func.count()).where(CASES.c.audit == audit).group_by(CASES.c.state)
        with reported(self.url), self._readers.connect() as connection:
            counted = {row[0]: row[1] for row in connection.execute(query)}
        return sum(counted.values()), counted.get("closed", 0)

    def case_outcomes(self, audit: str) -> Counter[CaseOutcome]:
        """Return how many cases of an audit ended in which way."""
        query = select(EVENTS.c.record, EVENTS.c.sha256).where(
            EVENTS.c.audit == audit, EVENTS.c.kind == CaseClosed.KIND
        )
        with reported(self.url), self._readers.connect() as connection:
            closed = [open_record(record, sha256).what for record, sha256 in connection.execute(query)]
        return Counter(what.outcome for what in closed if isinstance(what, CaseClosed))

    def due(self, audit: str, until_utc: datetime, *, most: int) -> list[Due]:
        """Return the open cases whose next tick is due until a moment of audit time, the longest overdue first."""
        query = (
            _DUE.where(CASES.c.audit == audit, CASES.c.state == "open", CASES.c.next_at_utc <= moment_text(until_utc))
            .order_by(CASES.c.next_at_utc)
            .limit(most)
        )
        with reported(self.url), self._readers.connect() as connection:
            return [_due(row) for row in connection.execute(query)]

    # --- waking ---

    def wake(self, audit: str, case: str) -> bool:
        """Ask for a case's next tick now; false if it has not begun, or is closed."""
        with reported(self.url), self._engine.begin() as connection:
            done = connection.execute(
                update(CASES)
                .where(CASES.c.audit == audit, CASES.c.case_id == case, CASES.c.state == "open", CASES.c.ticks_done > 0)
                .values(woken=1)
            )
            return done.rowcount == 1

    def open_cases_of(self, references: Collection[str]) -> list[tuple[str, str]]:
        """Return audit and case of the open cases that have these references."""
        query = select(CASES.c.audit, CASES.c.case_id).where(CASES.c.state == "open", CASES.c.reference.in_(references))
        with reported(self.url), self._readers.connect() as connection:
            return [(row.audit, row.case_id) for row in connection.execute(query)]

    def woken(self) -> list[Due]:
        """Return the cases, of all audits, that were woken and have not had their tick."""
        with reported(self.url), self._readers.connect() as connection:
            return [_due(row) for row in connection.execute(_DUE.where(CASES.c.woken == 1))]

    def take_wake(self, audit: str, case: str) -> None:
        """Say that a tick has begun which sees what the case was woken for; a later waking stays."""
        with reported(self.url), self._engine.begin() as connection:
            connection.execute(
                update(CASES).where(CASES.c.audit == audit, CASES.c.case_id == case, CASES.c.woken == 1).values(woken=0)
            )

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

    def has_event(self, audit: str, case: str, kinds: Sequence[str], *, after_seq: int) -> bool:
        """Whether a case has an event of one of these kinds beyond a place in the chain."""
        query = (
            select(EVENTS.c.seq)
            .where(
                EVENTS.c.audit == audit, EVENTS.c.case_id == case, EVENTS.c.seq > after_seq, EVENTS.c.kind.in_(kinds)
            )
            .limit(1)
        )
        with reported(self.url), self._readers.connect() as connection:
            return connection.execute(query).first() is not None

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

    def live_effects(self) -> list[Effect]:
        """Return the acts, of all audits, that still go on: calls under way, and acts whose answer is not stored."""
        with reported(self.url), self._readers.connect() as connection:
            return [_effect(row) for row in connection.execute(select(EFFECTS).where(EFFECTS.c.live == 1))]

    def usage(self, audit: str, vendor: str, day_start_utc: datetime) -> Usage:
        """Return what an audit has used so far, of its calls to `vendor` those since the vendor's day began."""
        with reported(self.url), self._readers.connect() as connection:
            return usage_of(connection, audit, vendor, day_start_utc)

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
            return stopped_by(connection)

    # --- the evidence folder ---

    def evidence_mark(self, new: str) -> str:
        """Return the mark of the folder that holds this ledger's artifacts; the first who asks sets it to `new`."""
        query = select(SWITCHES.c.value).where(SWITCHES.c.name == EVIDENCE)
        with reported(self.url), self._engine.begin() as connection:
            one_at_a_time(connection)
            known: str | None = connection.execute(query).scalar_one_or_none()
            if known is None:
                connection.execute(insert(SWITCHES).values(name=EVIDENCE, value=new))
            return known or new


def audit_clock(row: AuditRow) -> Clock:
    """Return the clock that an audit runs by."""
    return Clock(factor=row.clock_factor, origin_utc=row.clock_origin_utc)


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
        woken=row.woken == 1,
    )


_DUE: Select[Any] = select(CASES.c.audit, CASES.c.case_id, CASES.c.ticks_done, CASES.c.next_at_utc)


def _due(row: Row[Any]) -> Due:
    return Due(row.audit, row.case_id, row.ticks_done, moment(row.next_at_utc))


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
