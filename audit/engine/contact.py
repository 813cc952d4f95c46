"""One contact with a vendor: intent before act, at most once, and everything seen into the ledger.

The order is what matters. In one transaction the gate judges, the effect is reserved and `contact_started` is written;
then the probe acts; in a second transaction stands what it saw and what became of the effect. A crash in between leaves
a reserved effect, and the next run of the tick asks the probe to find out whether the act reached the vendor.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from audit.engine.cursor import Cursor, Ended, UnderWay
from audit.ledger.codec import from_json, to_json
from audit.ledger.store import Ledger, Writing
from audit.model import AuditRow, CaseRow, Effect, EffectState
from audit.plan.model import Plan, Vendor
from audit.safety import Rule, Verdict, first_refused, vendor_day
from probes.clock import Clock
from probes.errors import AuditError, Failure, FailureKind, Refused, Side, Unavailable, UserError
from probes.events import (
    Action,
    ActRefused,
    CallEnded,
    CarrierCharged,
    ContactEnded,
    ContactOutcome,
    ContactStarted,
    EffectReconciled,
)
from probes.model import Act, Probe, Reconciled, Seen, Sighting, Spec, Tools, Trace
from probes.registry import load

MOST_ERRORS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What all contacts of one audit share. `do` runs a probe's work where probes work, and waits for it."""

    ledger: Ledger
    audit: AuditRow
    plan: Plan
    clock: Clock
    tools_for: Callable[[Vendor, tuple[Act, ...]], Tools]
    do: Callable[[Coroutine[Any, Any, Any]], Any]


@dataclass(frozen=True, slots=True)
class Standing:
    """A case's row with its cursor, as one tick changes them; `stored` is the row as the ledger holds it."""

    row: CaseRow
    cursor: Cursor
    stored: CaseRow

    @classmethod
    def of(cls, row: CaseRow) -> Standing:
        """Read a stored row."""
        return cls(row, from_json(Cursor, row.cursor), row)

    def with_cursor(self, **changes: object) -> Standing:
        """Return this standing with fields of its cursor changed."""
        return replace(self, cursor=replace(self.cursor, **changes))  # type: ignore[arg-type]

    def save(self, writing: Writing) -> Standing:
        """Store the standing within a transaction and return it as it is stored then.

        Raises:
            Overtaken: another run of the tick stored something meanwhile.
        """
        row = replace(self.row, cursor=to_json(self.cursor))
        writing.save_case(row, was=self.stored)
        return Standing(row, self.cursor, row)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a contact left: the new standing, whether it is over and how, and when to go on with it if not.

    `to_mend`: what the user has to mend before it can work; trying again is of no use.
    """

    standing: Standing
    over: bool
    seen: Seen
    again_s: float = 0.0
    to_mend: str = ""


class Contacts:
    """Carries out contacts of one case within one tick."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting

    # --- acts that the vendor notices ---

    def act(self, standing: Standing, spec: Spec, channel: str) -> Outcome:
        """Do one act, at most once: reserve it, do it, store what it gave."""
        probe = load(spec.channel.kind)
        vendor = self.setting.plan.vendor(standing.row.vendor)
        begun = self._reserve(standing, spec, channel, probe, vendor)
        if isinstance(begun, Outcome):
            return begun
        tools = self.setting.tools_for(vendor, probe.acts(spec))
        try:
            seen: Seen = self.setting.do(probe.submit(spec, tools))
        except Unavailable:
            return self.reconcile(begun, spec)  # the answer was lost on its way; was it done?
        except AuditError as exc:
            seen = _not_tried(exc, channel)
        except Exception:
            return self._bug(begun, channel)
        return self._store(begun, seen)

    def go_on(self, standing: Standing, spec: Spec) -> Outcome:
        """Continue the contact under way: ask again, or after a crash find out what became of it."""
        under_way = _under_way(standing)
        if under_way.handle is None:
            return self.reconcile(standing, spec)
        probe = load(spec.channel.kind)
        tools = self.setting.tools_for(self.setting.plan.vendor(standing.row.vendor), probe.acts(spec))
        try:
            handle: Any = from_json(probe.Handle, under_way.handle)
            if self.setting.ledger.stopped() is not None and not under_way.abandoned:
                handle = self.setting.do(abandon(probe, handle, tools))
                standing = self._abandoned(standing, to_json(handle))
            seen: Seen = self.setting.do(probe.collect(handle, tools))
        except AuditError as exc:
            if standing.cursor.errors < MOST_ERRORS:
                return Outcome(standing.with_cursor(errors=standing.cursor.errors + 1), False, Seen(), 60.0)
            seen = replace(_not_tried(exc, under_way.channel), outcome=ContactOutcome.UNKNOWN)
        except Exception:
            return self._bug(standing, under_way.channel)
        return self._store(standing, seen)

    def reconcile(self, standing: Standing, spec: Spec) -> Outcome:
        """Find out whether the act under way reached the vendor; what stays unknown is never repeated."""
        under_way = _under_way(standing)
        probe = load(spec.channel.kind)
        tools = self.setting.tools_for(self.setting.plan.vendor(standing.row.vendor), probe.acts(spec))
        try:
            answer: Reconciled = self.setting.do(probe.reconcile(spec, under_way.started_at_utc, tools))
        except AuditError as exc:
            if standing.cursor.errors < MOST_ERRORS and not isinstance(exc, UserError):
                return Outcome(standing.with_cursor(errors=standing.cursor.errors + 1), False, Seen(), 60.0)
            trace, how, seen = Trace.UNKNOWN, f"it could not be looked for: {exc.message}", Seen()
        except Exception:
            return self._bug(standing, under_way.channel)
        else:
            trace, how, seen = answer.trace, answer.how, answer.seen
        note = self._now(EffectReconciled(under_way.effect_key, trace.value, how))
        if trace is Trace.FOUND:
            return self._store(standing, replace(seen, sightings=(note, *seen.sightings)))
        outcome = ContactOutcome.FAILED if trace is Trace.ABSENT else ContactOutcome.UNKNOWN
        failure = seen.failure or Failure(FailureKind.INTERRUPTED, Side.OURS, under_way.action.value, how)
        # A handle means that looking goes on: a later sign of the act may still say that it was done.
        unclear = Seen(sightings=(note,), handle=seen.handle, outcome=outcome, failure=failure)
        return self._store(standing, unclear)

    def _abandoned(self, standing: Standing, handle: str) -> Standing:
        """Store that the kill switch has ended what is live, before it is looked at."""
        after = standing.with_cursor(under_way=replace(_under_way(standing), handle=handle, abandoned=True))
        with self.setting.ledger.writing(standing.row.audit) as writing:
            return after.save(writing)

    # --- looks, which leave no trace at the vendor ---

    def look(self, standing: Standing, channel: str) -> Outcome:
        """Look at a channel's ticket once."""
        vendor = self.setting.plan.vendor(standing.row.vendor)
        config = vendor.channels[channel]
        probe = load(config.kind)
        started_at, to_mend = self.setting.clock.now_utc(), ""
        try:
            handle: Any = from_json(probe.Handle, standing.cursor.handles[channel])
            seen: Seen = self.setting.do(probe.collect(handle, self.setting.tools_for(vendor, ())))
        except AuditError as exc:
            seen = _not_tried(exc, channel)
            if isinstance(exc, UserError):
                to_mend = exc.message + (f"; {exc.fix}" if exc.fix else "")
        except Exception:
            seen = _not_tried(AuditError(traceback.format_exc(limit=-3)), channel)
        number = standing.cursor.contacts + 1
        ours = seen.failure is not None and seen.failure.side is Side.OURS
        after = standing.with_cursor(
            contacts=number,
            looks=standing.cursor.looks + 1,
            errors=standing.cursor.errors + 1 if ours else 0,
            handles=_with_handle(standing.cursor, channel, seen),
        )
        contact = f"{standing.row.case}/{number:03d}"
        started = Sighting(what=self._started(standing, channel, probe, Action.LOOK), at_utc=started_at)
        ended = self._now(ContactEnded(seen.outcome, seen.failure))
        with self.setting.ledger.writing(standing.row.audit) as writing:
            writing.append((started, *seen.sightings, ended), case=standing.row.case, contact=contact)
            after = after.save(writing)
        return Outcome(after, True, seen, to_mend=to_mend)

    # --- storing ---

    def _reserve(
        self, standing: Standing, spec: Spec, channel: str, probe: Probe, vendor: Vendor
    ) -> Standing | Outcome:
        now = self.setting.clock.now_utc()
        number = standing.cursor.contacts + 1
        contact = f"{standing.row.case}/{number:03d}"
        key = effect_key(standing.row, standing.cursor.attempt)
        acts = probe.acts(spec)
        started = Sighting(what=self._started(standing, channel, probe, spec.action), at_utc=now)
        with self.setting.ledger.writing(standing.row.audit) as writing:
            usage = writing.usage(vendor.id, vendor_day(vendor, now)[0])
            refused = first_refused(acts, self.setting.plan, vendor, now, usage, action=spec.action)
            if refused is not None:
                return self._refused(standing, writing, contact, started, *refused)
            after = standing.with_cursor(
                contacts=number,
                errors=0,
                under_way=UnderWay(
                    contact=contact, channel=channel, action=spec.action, effect_key=key, started_at_utc=now
                ),
            )
            effect = Effect(
                key=key,
                audit=standing.row.audit,
                case=standing.row.case,
                contact=contact,
                vendor=vendor.id,
                kind=spec.action.value,
                target=", ".join(dict.fromkeys(act.target for act in acts)),
                reserved_at_utc=now,
                dearest_minor=sum(act.dearest_minor for act in acts),
                currency=next((act.currency for act in acts if act.currency), ""),
                longest_s=sum(act.longest.s for act in acts),
                state=EffectState.RESERVED,
            )
            earlier = writing.reserve(effect)
            if earlier is not None:
                raise AuditError(f"effect {key} of {contact} is {earlier.value} already")
            writing.append((started,), case=standing.row.case, contact=contact)
            return after.save(writing)

    def _refused(
        self, standing: Standing, writing: Writing, contact: str, started: Sighting, act: Act, answer: Verdict
    ) -> Outcome:
        now = self.setting.clock.now_utc()
        if answer.rule is Rule.ONE_CALL_AT_A_TIME or answer.rule is Rule.STOPPED:
            return Outcome(standing, False, Seen(), 60.0)
        if answer.again_at_utc is not None:  # outside the vendor's hours, or its day is full
            return Outcome(standing, False, Seen(), max(1.0, (answer.again_at_utc - now).total_seconds()))
        rule = answer.rule.value if answer.rule is not None else ""
        refusal = ActRefused(f"{act.kind.value} {act.target}", rule, answer.reason, answer.fix)
        failure = Failure(FailureKind.REFUSED_BY_GATE, Side.OURS, act.kind.value, answer.reason)
        seen = Seen(outcome=ContactOutcome.NOT_RUN, failure=failure)
        after = standing.with_cursor(
            contacts=standing.cursor.contacts + 1, ended=Ended(outcome=seen.outcome, failure=failure)
        )
        ended = ContactEnded(seen.outcome, failure)
        writing.append((started, self._now(refusal), self._now(ended)), case=standing.row.case, contact=contact)
        after = after.save(writing)
        return Outcome(after, True, seen)

    def _store(self, standing: Standing, seen: Seen) -> Outcome:
        under_way = _under_way(standing)
        sightings = seen.sightings
        if seen.finished:
            sightings = (*sightings, self._now(ContactEnded(seen.outcome, seen.failure)))
            after = standing.with_cursor(
                errors=0,
                under_way=None,
                ended=Ended(outcome=seen.outcome, failure=seen.failure),
                handles=_with_handle(standing.cursor, under_way.channel, seen),
            )
        else:
            stored = to_json(seen.handle) if seen.handle is not None else under_way.handle
            after = standing.with_cursor(errors=0, under_way=replace(under_way, handle=stored))
        whats = [sighting.what for sighting in sightings]
        cost = [what.cost_minor for what in whats if isinstance(what, CarrierCharged)]
        lasted = [what.duration_s for what in whats if isinstance(what, CallEnded)]
        with self.setting.ledger.writing(standing.row.audit) as writing:
            writing.append(sightings, case=standing.row.case, contact=under_way.contact)
            if seen.outcome in (ContactOutcome.FAILED, ContactOutcome.NOT_RUN):
                writing.withdraw(under_way.effect_key)
            else:
                unknown = seen.outcome is ContactOutcome.UNKNOWN
                state = EffectState.UNKNOWN if unknown else EffectState.DONE
                writing.settle(
                    under_way.effect_key,
                    state,
                    live=not seen.finished,
                    cost_minor=abs(sum(cost)) if cost else None,
                    lasted_s=lasted[-1] if lasted else None,
                )
            after = after.save(writing)
        return Outcome(after, seen.finished, seen, seen.again_s or 0.0)

    def _bug(self, standing: Standing, step: str) -> Outcome:
        """Record a traceback of ours with the attempt and go on: it is reconciled, or given up after some tries."""
        text = traceback.format_exc()
        failure = Failure(FailureKind.UNKNOWN, Side.OURS, step, text)
        if standing.cursor.errors + 1 >= MOST_ERRORS:
            return self._store(standing, Seen(outcome=ContactOutcome.UNKNOWN, failure=failure))
        return Outcome(standing.with_cursor(errors=standing.cursor.errors + 1), False, Seen(failure=failure), 60.0)

    def _started(self, standing: Standing, channel: str, probe: Probe, action: Action) -> ContactStarted:
        return ContactStarted(
            channel=channel,
            probe=probe.NAME,
            probe_version=probe.VERSION,
            action=action,
            step=standing.row.step,
            attempt=standing.cursor.attempt,
            reference=standing.row.reference,
        )

    def _now(self, what: EffectReconciled | ContactEnded | ActRefused) -> Sighting:
        return Sighting(what=what, at_utc=self.setting.clock.now_utc())


async def abandon(probe: Probe, handle: Any, tools: Tools) -> Any:
    """End what is live in a contact at once, if its probe has anything live; return the handle that knows of it."""
    end = getattr(probe, "abandon", None)
    return handle if end is None else await end(handle, tools)


def effect_key(row: CaseRow, attempt: int) -> str:
    """Return the key of a step's act: the same for every run of the same attempt, another for the next attempt."""
    return sha256(f"{row.audit}|{row.case}|{row.step}|{attempt}".encode()).hexdigest()


def _under_way(standing: Standing) -> UnderWay:
    if standing.cursor.under_way is None:
        raise AuditError(f"case {standing.row.case} has no contact under way")
    return standing.cursor.under_way


def _with_handle(cursor: Cursor, channel: str, seen: Seen) -> dict[str, str]:
    handles = dict(cursor.handles)
    if seen.handle is not None:
        handles[channel] = to_json(seen.handle)
    return handles


def _not_tried(exc: AuditError, step: str) -> Seen:
    kind = FailureKind.REFUSED_BY_GATE if isinstance(exc, Refused) else FailureKind.UNKNOWN
    outcome = ContactOutcome.NOT_RUN if isinstance(exc, Refused) else ContactOutcome.FAILED
    return Seen(outcome=outcome, failure=Failure(kind, Side.OURS, step, str(exc)))
