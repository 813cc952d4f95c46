"""What a case does next: one tick reads where it stands, does at most one contact, and says when to go on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from audit.analysis.state import CaseState, case_state
from audit.calendar import BusinessCalendar
from audit.engine.contact import MOST_ERRORS, Contacts, Outcome, Setting, Standing
from audit.engine.flow import Next
from audit.ledger.codec import from_json
from audit.ledger.store import Overtaken
from audit.plan.cases import PlannedCase, disputes, spec_for, verb_of
from audit.plan.looks import look_interval_s
from audit.plan.model import Step, Wait
from probes.errors import FailureKind, Side
from probes.events import (
    Action,
    CallAnswered,
    CallDialled,
    CallEnded,
    CaseClosed,
    CaseOutcome,
    ContactOutcome,
    MessageSeen,
    MessageSent,
    Payload,
    StatusSeen,
    TicketSubmitted,
    WaitEnded,
)
from probes.model import Sighting, Spec
from probes.registry import load

# A pause shorter than this (real seconds) is slept through within a tick: practice time makes most pauses short.
INLINE_REAL_S = 1.5
TICK_AT_MOST_REAL_S = 30.0
MOST_ATTEMPTS = 3
RETRY_S = 900.0
_IN_VAIN = frozenset({ContactOutcome.FAILED, ContactOutcome.NOT_RUN, ContactOutcome.UNKNOWN})

# The kinds of events that can change where a case stands, besides our own acts: `CaseTick._after_act` reads anew.
TURNING = tuple(
    cls.KIND for cls in (TicketSubmitted, MessageSent, MessageSeen, StatusSeen, CallDialled, CallAnswered, CallEnded)
)


class Ticker:
    """Moves the cases of one audit. Its methods wait for stores and vendors, so they are called in threads."""

    def __init__(self, setting: Setting, closing: threading.Event | None = None) -> None:
        self.setting = setting
        self._closing = closing or threading.Event()

    def take(self, case: str, tick: int) -> Next:
        """Run a tick: what is due now, and what follows within a moment."""
        until_s = time.monotonic() + TICK_AT_MOST_REAL_S

        def goes_on(delay_s: float) -> bool:
            return delay_s <= INLINE_REAL_S and time.monotonic() < until_s and not self._closing.is_set()

        while True:
            following = self._one(case, tick, goes_on)
            if following.delay_s is None or following.tick != tick:
                return following
            if self._closing.wait(following.delay_s):
                return Next(tick, None)  # it is not over: whoever sweeps next starts it again

    def _one(self, case: str, tick: int, goes_on: Callable[[float], bool]) -> Next:
        ledger = self.setting.ledger
        row = ledger.case(self.setting.audit.audit, case)
        if row.state == "closed":
            return Next(row.ticks_done, None)
        if row.ticks_done != tick:
            return Next(row.ticks_done, self._until(row.next_at_utc))
        standing = Standing.of(row)
        if standing.cursor.under_way is None and ledger.stopped() is not None:
            return Next(tick, None)  # whoever resumes finds this case without a waiting tick and starts it again
        if row.woken:
            ledger.take_wake(row.audit, case)
        try:
            return CaseTick(self.setting, standing, goes_on).run()
        except Overtaken:
            row = ledger.case(row.audit, case)
            carried_on = row.state == "closed" or row.ticks_done == tick  # by the other run
            return Next(row.ticks_done, None if carried_on else self._until(row.next_at_utc))

    def _until(self, at_utc: datetime | None) -> float:
        clock = self.setting.clock
        if at_utc is None:
            return 0.0
        return max(0.0, clock.real_delay_s((at_utc - clock.now_utc()).total_seconds()))


class CaseTick:
    """What a tick does of one case until the case rests; `goes_on`: after such a pause it is the same tick still."""

    def __init__(self, setting: Setting, standing: Standing, goes_on: Callable[[float], bool]) -> None:
        self.setting, self.standing, self.goes_on = setting, standing, goes_on
        self.scenario = setting.plan.scenario(standing.row.scenario)
        self.contacts = Contacts(setting)

    def run(self) -> Next:
        """Do what is due."""
        if self.standing.cursor.under_way is not None:
            spec = self._spec(self.scenario.steps[self.standing.row.step])
            return self._after_act(self.contacts.go_on(self.standing, spec))
        if self.standing.cursor.ended is not None:
            return self._conclude()
        if self.setting.clock.now_utc() >= self._audit_ends_utc():
            return self._close(CaseOutcome.AUDIT_ENDED, "the plan's longest time for the audit is over")
        state = self._state()
        while self.standing.row.step < len(self.scenario.steps):
            step = self.scenario.steps[self.standing.row.step]
            if step.condition is None or state.meets(step.condition):
                return self._do(step, state)
            self._step_on()
        if state.resolved:
            return self._close(CaseOutcome.RESOLVED, "the vendor says it is solved")
        return self._close(CaseOutcome.GIVEN_UP, "the scenario's steps are used up and the problem is not solved")

    def _do(self, step: Step, state: CaseState) -> Next:
        if step.wait is not None:
            return self._wait(step.wait, state)
        if step.look is not None:
            if step.look in self.standing.cursor.handles:
                self._keep(self.contacts.look(self.standing, step.look))
            self._step_on()
            return self._rest(0.0)
        return self._after_act(self.contacts.act(self.standing, self._spec(step), self._channel(step)))

    # --- waiting and looking ---

    def _wait(self, wait: Wait, state: CaseState) -> Next:
        clock, cursor = self.setting.clock, self.standing.cursor
        since = cursor.waiting_since_utc
        if since is None:
            since = clock.now_utc()
            self.standing = self.standing.with_cursor(waiting_since_utc=since, looks=0)
        elif (clock.now_utc() - since).total_seconds() < wait.at_most.s or cursor.looks == 0:
            for channel in sorted(cursor.handles):
                if not _looks(self.setting, self.standing, channel):
                    continue
                outcome = self.contacts.look(self.standing, channel)
                self._keep(outcome)
                if outcome.to_mend:
                    return self._close(CaseOutcome.OURS, f"the ticket cannot be looked at: {outcome.to_mend}")
                if outcome.standing.cursor.errors >= MOST_ERRORS:
                    return self._close(CaseOutcome.OURS, "looking at the ticket failed on our side again and again")
            state = self._state()
        elapsed_s = (clock.now_utc() - since).total_seconds()
        met = wait.until is not None and state.meets(wait.until)
        if met or elapsed_s >= wait.at_most.s:
            until = wait.until.value if wait.until is not None else "time"
            self._step_on()
            return self._rest(0.0, WaitEnded(until, met or wait.until is None, elapsed_s))
        dues_s = [(due - clock.now_utc()).total_seconds() for due in state.dues_utc]
        looks = self.standing.cursor.looks // max(1, len(cursor.handles))
        next_s = look_interval_s(wait, elapsed_s, looks=looks, dues_s=dues_s)
        return self._rest(min(next_s, wait.at_most.s - elapsed_s))

    # --- acting ---

    def _after_act(self, outcome: Outcome) -> Next:
        self._keep(outcome)
        return self._conclude() if outcome.over else self._rest(outcome.again_s)

    def _conclude(self) -> Next:
        """Say what follows from the end of a contact: the next step, another try, or the end of the case."""
        ended, attempt = self.standing.cursor.ended, self.standing.cursor.attempt
        self.standing = self.standing.with_cursor(ended=None, state=None)
        step = self.scenario.steps[self.standing.row.step]
        if ended is not None and ended.outcome in _IN_VAIN:
            failure = ended.failure
            ours = failure is not None and failure.side is Side.OURS
            again = ended.outcome is ContactOutcome.FAILED and (
                not ours or (failure is not None and failure.kind is FailureKind.INTERRUPTED)
            )
            if again and attempt < MOST_ATTEMPTS:
                self.standing = self.standing.with_cursor(attempt=attempt + 1)
                return self._rest(RETRY_S * attempt)
            followed = ended.outcome is ContactOutcome.UNKNOWN and step.open in self.standing.cursor.handles
            if step.open is not None and ours and not followed:
                text = failure.text if failure is not None else "it is not known why"
                return self._close(CaseOutcome.OURS, f"the ticket could not be opened from our side: {text}")
        self._step_on()
        return self._rest(0.0)

    # --- bookkeeping ---

    def _spec(self, step: Step) -> Spec:
        row, channel = self.standing.row, self._channel(step)
        handle: Any = None
        stored = self.standing.cursor.handles.get(channel)
        if stored is not None:
            kind = self.setting.plan.vendor(row.vendor).channels[channel].kind
            handle = from_json(load(kind).Handle, stored)
        planned = PlannedCase(
            vendor=row.vendor, persona=row.persona, scenario=row.scenario, sample=row.sample, case_id=row.case
        )
        return spec_for(self.setting.plan, planned, step, row.reference, handle)

    def _channel(self, step: Step) -> str:
        verb = verb_of(step)
        if verb is None:
            raise ValueError(f"step {self.standing.row.step} of {self.scenario.id} has no channel")
        return verb.channel

    def _state(self) -> CaseState:
        """Return what the case's events say; they are read only if there are new ones that can change it."""
        ledger, row, cursor = self.setting.ledger, self.standing.row, self.standing.cursor
        if cursor.state is not None and not ledger.has_event(row.audit, row.case, TURNING, after_seq=cursor.state_seq):
            return cursor.state
        events = ledger.events(row.audit, case=row.case)
        vendor = self.setting.plan.vendor(row.vendor)
        state = case_state(
            events,
            promises=vendor.promises,
            calendar=BusinessCalendar(vendor.hours, vendor.time_zone, vendor.place),
            disputes=disputes(self.scenario),
        )
        self.standing = self.standing.with_cursor(state=state, state_seq=events[-1].seq if events else 0)
        return state

    def _audit_ends_utc(self) -> datetime:
        return self.setting.audit.started_at_utc + timedelta(seconds=self.setting.plan.limits.audit_at_most.s)

    def _keep(self, outcome: Outcome) -> None:
        self.standing = outcome.standing

    def _step_on(self) -> None:
        row = replace(self.standing.row, step=self.standing.row.step + 1)
        self.standing = replace(self.standing, row=row).with_cursor(attempt=1, errors=0, waiting_since_utc=None)

    def _rest(self, audit_s: float, *whats: Payload) -> Next:
        """Let the case rest for `audit_s` seconds of audit time, until the audit's end at the latest."""
        clock, closed = self.setting.clock, self.standing.row.state == "closed"
        now = clock.now_utc()
        next_at = min(now + timedelta(seconds=audit_s), max(now, self._audit_ends_utc()))
        with self.setting.ledger.writing(self.standing.row.audit) as writing:
            if writing.woken(self.standing.row.case):  # while this tick ran
                next_at = now
            delay_s = clock.real_delay_s((next_at - now).total_seconds())
            over = closed or not self.goes_on(delay_s)
            writing.append([Sighting(what=what, at_utc=now) for what in whats], case=self.standing.row.case)
            row = replace(self.standing.row, next_at_utc=next_at, ticks_done=self.standing.row.ticks_done + over)
            self.standing = replace(self.standing, row=row).save(writing)
        return Next(row.ticks_done, None if closed else delay_s)

    def _close(self, outcome: CaseOutcome, reason: str) -> Next:
        since = self.standing.cursor.waiting_since_utc
        whats: list[Payload] = []
        if since is not None:
            wait = self.scenario.steps[self.standing.row.step].wait
            until = wait.until.value if wait is not None and wait.until is not None else "time"
            whats.append(WaitEnded(until, False, (self.setting.clock.now_utc() - since).total_seconds()))
        self.standing = replace(self.standing, row=replace(self.standing.row, state="closed"))
        return self._rest(0.0, *whats, CaseClosed(outcome, reason))


def _looks(setting: Setting, standing: Standing, channel: str) -> bool:
    kind = setting.plan.vendor(standing.row.vendor).channels[channel].kind
    return Action.LOOK in load(kind).ACTIONS
