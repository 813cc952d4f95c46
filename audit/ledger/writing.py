"""What can be written to the ledger within one transaction, and what the caps are judged on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from audit.ledger.codec import moment_text, seal
from audit.ledger.tables import AUDITS, CASES, EFFECTS, EVENTS, SWITCHES
from audit.model import CaseRow, Effect, EffectState, Usage
from probes.model import Sighting

STOP = "stop"


class Overtaken(Exception):
    """Another run of the same tick has been first; this one leaves without a trace."""


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

    def withdraw(self, key: str, *, state: EffectState = EffectState.RESERVED) -> None:
        """Take back a reservation of an act that provably never happened; it counts no longer.

        `state` is the one it must be in: what was done cannot be taken back.
        """
        self._connection.execute(EFFECTS.delete().where(EFFECTS.c.key == key, EFFECTS.c.state == state.value))

    def woken(self, case: str) -> bool:
        """Whether a case was woken since its tick began."""
        query = select(CASES.c.woken).where(CASES.c.audit == self._audit, CASES.c.case_id == case)
        return bool(self._connection.execute(query).scalar_one())

    def usage(self, vendor: str, day_start_utc: datetime) -> Usage:
        """Return what has been used so far, within this transaction: the caps are judged on it."""
        return usage_of(self._connection, self._audit, vendor, day_start_utc)

    def save_case(self, row: CaseRow, *, was: CaseRow) -> None:
        """Store where a case stands, if it still stands where it `was`.

        Raises:
            Overtaken: another run of its tick was first; the transaction must be left, so that nothing is kept twice.
        """
        done = self._connection.execute(
            update(CASES)
            .where(
                CASES.c.audit == row.audit,
                CASES.c.case_id == row.case,
                CASES.c.ticks_done == was.ticks_done,
                CASES.c.step == was.step,
                CASES.c.cursor == was.cursor,
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
            raise Overtaken(f"{row.case}: another run of tick {was.ticks_done} was first")

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


def usage_of(connection: Connection, audit: str, vendor: str, day_start_utc: datetime) -> Usage:
    """Return what an audit has used, of its calls to `vendor` those since the vendor's day began."""
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
        select(func.count()).where(EFFECTS.c.audit == audit, EFFECTS.c.kind.not_in(("call", "chat")))
    ).scalar_one()
    chats = connection.execute(
        select(func.count()).where(EFFECTS.c.audit == audit, EFFECTS.c.kind == "chat")
    ).scalar_one()
    return Usage(
        calls=count,
        calls_today=today,
        call_minutes=seconds / 60.0,
        spent_minor=minor,
        tickets=tickets,
        chats=chats,
        calls_live_for_vendor=live,
        stopped=stopped_by(connection),
    )


def stopped_by(connection: Connection) -> str | None:
    """Return the kill switch's reason, or None."""
    value: str | None = connection.execute(select(SWITCHES.c.value).where(SWITCHES.c.name == STOP)).scalar_one_or_none()
    return value
