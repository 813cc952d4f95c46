"""Writes events by hand for tests: one line an event, moments as hours (or seconds) after a start."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from audit.model import Event
from probes.errors import Failure, Side
from probes.events import (
    Action,
    AuditEnded,
    AuditStarted,
    CaseClosed,
    CaseOpened,
    CaseOutcome,
    ClockName,
    ContactEnded,
    ContactOutcome,
    ContactStarted,
    MessageSeen,
    Payload,
    StatusSeen,
    TicketState,
    TicketSubmitted,
)
from probes.model import Artifact

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)  # a Monday


@dataclass
class Book:
    """Collects events; `at` is hours after START unless `s` (seconds) is added."""

    audit: str = "audit-1"
    case: str | None = None
    contact: str | None = None
    clock_factor: float = 1.0
    events: list[Event] = field(default_factory=list)

    def add(
        self,
        what: Payload,
        at_h: float,
        *,
        s: float = 0.0,
        artifacts: tuple[Artifact, ...] = (),
        clock: ClockName = ClockName.OURS,
    ) -> Event:
        at_utc = START + timedelta(hours=at_h, seconds=s)
        seq = len(self.events) + 1
        event = Event(
            audit=self.audit,
            seq=seq,
            case=self.case,
            contact=self.contact,
            kind=what.KIND,
            at_utc=at_utc,
            clock=clock,
            clock_factor=self.clock_factor,
            recorded_at_utc=at_utc,
            what=what,
            artifacts=artifacts,
            previous_sha256=f"{seq - 1:064x}",
            sha256=f"{seq:064x}",
        )
        self.events.append(event)
        return event

    def begin(self, cases: int = 1) -> None:
        self.case = self.contact = None
        self.add(AuditStarted("0" * 64, "test plan", "0.1.0", self.clock_factor, cases), 0)

    def end(self, at_h: float) -> None:
        self.case = self.contact = None
        self.add(AuditEnded("all_cases_ended"), at_h)

    def open_case(
        self,
        at_h: float,
        case: str = "c1",
        vendor: str = "acme",
        persona: str = "ada",
        scenario: str = "broken",
        sample: int = 0,
    ) -> None:
        self.case, self.contact = case, None
        self.add(CaseOpened(vendor, persona, scenario, sample, f"HP-{case}"), at_h)

    def close_case(self, at_h: float, outcome: CaseOutcome = CaseOutcome.RESOLVED, case: str | None = None) -> None:
        self.case, self.contact = case or self.case, None
        self.add(CaseClosed(outcome, ""), at_h)

    def start(
        self, at_h: float, action: Action, channel: str = "portal", step: int = 0, attempt: int = 1, s: float = 0.0
    ) -> None:
        self.contact = f"{self.case}-{len(self.events) + 1}"
        probe = {Action.CALL: "phone_call", Action.CHAT: "chat"}.get(action, "web_ticket")
        self.add(ContactStarted(channel, probe, 1, action, step, attempt, f"HP-{self.case}"), at_h, s=s)

    def stop(
        self,
        at_h: float,
        outcome: ContactOutcome = ContactOutcome.DONE,
        failure: Failure | None = None,
        s: float = 0.0,
    ) -> None:
        self.add(ContactEnded(outcome, failure), at_h, s=s)
        self.contact = None

    def submit(self, at_h: float, text: str = "The import stops with error 42 on every file since Friday.") -> None:
        self.start(at_h, Action.OPEN)
        self.add(TicketSubmitted("Import stops", text, f"HP-{self.case}"), at_h, s=20)
        self.stop(at_h, s=25)

    def look(self, at_h: float, *seen: Payload) -> None:
        self.start(at_h, Action.LOOK)
        for what in seen:
            self.add(what, at_h, s=3)
        self.stop(at_h, s=5)


def said(
    text: str,
    key: str = "m1",
    *,
    side: Side = Side.VENDOR,
    absent_at_h: float | None = None,
    claimed_at_h: float | None = None,
    author: str | None = "Agent",
) -> MessageSeen:
    return MessageSeen(
        message_key=key,
        side=side,
        author=author,
        subject=None,
        text=text,
        claimed_at_text=None if claimed_at_h is None else "as claimed",
        claimed_at_utc=None if claimed_at_h is None else START + timedelta(hours=claimed_at_h),
        absent_at_utc=None if absent_at_h is None else START + timedelta(hours=absent_at_h),
    )


def status(
    state: TicketState, text: str | None = None, absent_at_h: float | None = None, previous: str | None = None
) -> StatusSeen:
    return StatusSeen(
        text or state.value.capitalize(),
        state,
        previous,
        None if absent_at_h is None else START + timedelta(hours=absent_at_h),
    )
