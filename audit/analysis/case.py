"""One case with its contacts and messages: what every measure, promise and story is read from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import attrgetter

from audit.analysis.chats import settle_chat
from audit.analysis.model.calls import CallRecord
from audit.analysis.model.promises import PromiseRecord
from audit.analysis.reading import CueKind, MessageKind, Reading, settles
from audit.analysis.settling import settled
from audit.calendar import BusinessCalendar
from audit.model import Event
from probes.audio.timeline import Timeline
from probes.errors import Side
from probes.events import (
    Action,
    CallEnded,
    CallHeard,
    CallRecorded,
    CaseOutcome,
    ContactOutcome,
    ContactStarted,
    DigitsSent,
    MessageSeen,
    MessageSent,
    ScriptStepEnded,
    StatusSeen,
    StepOutcome,
    TicketState,
)

CHAT = "chat"
_LOOK, _DONE = Action.LOOK, ContactOutcome.DONE  # looked up once: most contacts are looks that went through
_MACHINES = (MessageKind.RECEIPT, MessageKind.MACHINE)
_AT = attrgetter("at_utc")
_TURNS = frozenset({Action.OPEN, Action.REPLY, Action.CALL, Action.CHAT})


@dataclass(slots=True)
class Message:
    """A message of the case, ours or the vendor's, with what it was read to be. `at_utc` is when we saw or sent it.

    `person` is the number of the vendor's person who wrote it ("A-01"), where that is known.
    """

    event: Event
    at_utc: datetime
    absent_at_utc: datetime | None
    claimed_at_utc: datetime | None
    key: str
    text: str
    author: str | None
    channel: str | None
    contact: str | None
    reading: Reading
    sent: bool
    person: str | None = None

    @property
    def is_answer(self) -> bool:
        """Whether a person of the vendor wrote it."""
        return self.reading.kind is MessageKind.ANSWER

    @property
    def promises(self) -> bool:
        """Whether its words seem to make a promise."""
        return any(cue.kind is CueKind.PROMISE for cue in self.reading.cues)

    @property
    def written_at_utc(self) -> datetime:
        """When the vendor wrote it: by its own word where that fits our looks, else when we saw it."""
        claimed = self.claimed_at_utc
        if claimed is not None and self.absent_at_utc is not None and self.absent_at_utc <= claimed <= self.at_utc:
            return claimed
        return self.at_utc

    @property
    def from_vendor(self) -> bool:
        """Whether it came from the vendor's side, a machine's words included."""
        return self.reading.kind not in (MessageKind.OURS, MessageKind.NOTICE)


@dataclass(init=False)
class Contact:
    """One attempt, with its events that matter. Of repeated provider records the last stands.

    Most attempts are looks in which hardly any of it happens: what did not is the class's, and an instance sets only
    what did. So making one takes half as long as filling all these fields.
    """

    id: str
    channel: str
    probe: str
    action: Action
    started: Event
    step: int
    attempt: int
    ended: Event | None = None
    outcome: ContactOutcome | None = None
    side: Side | None = None
    text: str = ""
    submitted: Event | None = None
    ticket: Event | None = None
    dialled: Event | None = None
    ringing: Event | None = None
    answered: Event | None = None
    call_ended: Event | None = None
    recorded: Event | None = None
    heard: Event | None = None
    charged: Event | None = None
    chat_opened: Event | None = None
    chat_ended: Event | None = None
    notices: Sequence[Event] = ()
    digits: Sequence[Event] = ()
    lines: Sequence[Event] = ()
    steps: Sequence[Event] = ()
    _timeline: tuple[Event, int, Timeline] | None = None

    def __init__(self, id: str, started: Event, what: ContactStarted) -> None:
        self.id, self.started = id, started
        self.channel, self.probe, self.action = what.channel, what.probe, what.action
        self.step, self.attempt = what.step, what.attempt

    @property
    def is_ours(self) -> bool:
        """Whether it failed on our side; it is counted, and charged to nobody."""
        return self.side is Side.OURS

    @property
    def was_run(self) -> bool:
        """Whether the attempt was made at all."""
        return self.outcome is not ContactOutcome.NOT_RUN

    def length_s(self) -> float | None:
        """Return how long the call lasted: by the carrier's word, else between its moments; None: not known."""
        if self.call_ended is None:
            return None
        assert isinstance(self.call_ended.what, CallEnded)
        if self.call_ended.what.duration_s is not None:
            return self.call_ended.what.duration_s
        begin = self.answered or self.dialled
        return max(0.0, (self.call_ended.at_utc - begin.at_utc).total_seconds()) if begin else None

    def timeline(self) -> Timeline | None:
        """Return what was heard, settled by the keys that our script pressed; None if nobody listened yet."""
        if self.heard is None:
            return None
        assert isinstance(self.heard.what, CallHeard)
        if self._timeline is None or self._timeline[:2] != (self.heard, len(self.digits)):
            keys_s = [e.what.t_s for e in self.digits if isinstance(e.what, DigitsSent) and e.what.t_s is not None]
            self._timeline = self.heard, len(self.digits), settled(self.heard.what.timeline, keys_s, self._humans_s())
        return self._timeline[2]

    def _humans_s(self) -> list[float]:
        """Return when voices began of which our script found out, by asking, that they were humans."""
        steps = [e.what for e in self.steps if isinstance(e.what, ScriptStepEnded)]
        return [s.t_s for s in steps if s.outcome is StepOutcome.HUMAN and s.t_s is not None]

    def human_at_utc(self) -> datetime | None:
        """Return when the first person was heard; None: nobody, or nobody listened."""
        timeline = self.timeline()
        return self.media_at(timeline.first_person_s) if timeline else None

    def queue_at_utc(self) -> datetime | None:
        """Return when the vendor's clock starts: at the first hold before a person, else at the last key pressed."""
        timeline = self.timeline()
        if timeline is None:
            return None
        person_s = timeline.first_person_s if timeline.first_person_s is not None else timeline.duration_s
        holds = [hold.start_s for hold in timeline.holds if hold.start_s < person_s]
        if holds:
            return self.media_at(holds[0])
        keys = [e.what.t_s for e in self.digits if isinstance(e.what, DigitsSent) and e.what.t_s is not None]
        before = [t_s for t_s in keys if t_s < person_s]
        if before:
            return self.media_at(before[-1])
        return self.answered.at_utc if self.answered is not None else None

    def media_at(self, t_s: float | None) -> datetime | None:
        """Return the moment of a second of the recording, where both are known."""
        if t_s is None:
            return None
        if self.recorded is None:  # nothing may be kept, but it was listened to while it lasted
            return None if self.heard is None else self.heard.at_utc + timedelta(seconds=t_s)
        assert isinstance(self.recorded.what, CallRecorded)
        return self.recorded.what.starts_at_utc + timedelta(seconds=t_s)


@dataclass(slots=True)
class Case:
    """One case with everything that happened in it, in the order of the chain.

    `eventful` are all contacts but the looks that simply went through, of which there are many and nothing is to be
    said one by one; `turns` those in which we turned to the vendor (looks are not), `calls` those of them that were
    calls, `submissions` those that opened a ticket (a chat is none), `answers` the messages of persons of the vendor.
    `touches` are the moments at which the vendor showed signs of work: messages and status changes, no machine's words.
    `records` is its part of the promise ledger; `business` counts the vendor's opening hours, `weekdays` its working
    days; both are None for a vendor that the plan does not know.
    """

    id: str
    vendor: str
    persona: str
    scenario: str
    sample: int
    opened: Event
    solvable: bool = True
    problem: str = ""
    closed: Event | None = None
    outcome: CaseOutcome | None = None
    contacts: dict[str, Contact] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    statuses: list[Event] = field(default_factory=list)
    hand_offs: list[Event] = field(default_factory=list)
    waits: list[Event] = field(default_factory=list)
    promises: list[Event] = field(default_factory=list)
    judged: list[Event] = field(default_factory=list)
    refused: list[Event] = field(default_factory=list)
    watched_until: datetime | None = None
    eventful: list[Contact] = field(default_factory=list)
    turns: list[Contact] = field(default_factory=list)
    calls: list[Contact] = field(default_factory=list)
    chats: list[Contact] = field(default_factory=list)
    submissions: list[Contact] = field(default_factory=list)
    answers: list[Message] = field(default_factory=list)
    first_submission: Event | None = None
    resolved_by: Event | None = None
    touches: list[Event] = field(default_factory=list)
    dispute_steps: frozenset[int] = frozenset()
    disputes: list[Event] = field(default_factory=list)
    seen_keys: set[str] = field(default_factory=set)
    records: list[PromiseRecord] = field(default_factory=list)
    call_records: dict[str, CallRecord] = field(default_factory=dict)
    business: BusinessCalendar | None = None
    weekdays: BusinessCalendar | None = None

    def settle(self) -> None:
        """Work out once, when all events are in, what many measures ask for."""
        for contact in self.contacts.values():
            if contact.action is _LOOK:
                if contact.outcome is not _DONE or contact.side or contact.attempt > 1 or contact.charged:
                    self.eventful.append(contact)
                continue
            self.eventful.append(contact)
            if contact.outcome is ContactOutcome.NOT_RUN:
                continue
            if contact.submitted is not None and contact.probe != CHAT and self._arrived(contact):
                self.submissions.append(contact)
            if contact.side is Side.OURS:
                continue
            if contact.action in _TURNS:
                self.turns.append(contact)
            if contact.action is Action.CALL:
                self.calls.append(contact)
            if contact.probe == CHAT:
                self.chats.append(contact)
                settle_chat(contact, self.messages_of(contact))
        self.first_submission = self.submissions[0].submitted if self.submissions else None
        self.answers = [m for m in self.messages if m.is_answer]
        self.resolved_by = self._resolved()
        self.touches = self._touched()

    def _touched(self) -> list[Event]:
        events = [m.event for m in self.messages if m.from_vendor and m.reading.kind not in _MACHINES]
        for event in self.statuses:
            assert isinstance(event.what, StatusSeen)
            if event.what.previous_text is not None:
                events.append(event)
        events.sort(key=_AT)
        return events

    def messages_of(self, contact: Contact) -> list[Message]:
        """Return the messages of one contact, ours and theirs."""
        return [message for message in self.messages if message.contact == contact.id]

    def _arrived(self, contact: Contact) -> bool:
        """Return whether a ticket may be waited for: where nobody knows that it arrived, no silence is the vendor's."""
        if contact.outcome is not ContactOutcome.UNKNOWN or contact.ticket is not None:
            return True
        since = contact.started.at_utc
        theirs = [message.at_utc for message in self.messages if message.from_vendor]
        return any(at_utc >= since for at_utc in [*theirs, *(status.at_utc for status in self.statuses)])

    def resolved(self) -> Event | None:
        """Return the status at which the vendor took the case for solved, the last time it did; None: it did not.

        Where a dispute left the status as it was, it is the message that brought the solution.
        """
        return self.resolved_by

    def _resolved(self) -> Event | None:
        """A status "closed" counts as solved only after a person's answer; what we disputed, no longer.

        After a dispute it takes a new status, or a person's answer that leaves nothing under way.
        """
        found: Event | None = None
        disputed: Event | None = None
        first_answer = self.answers[0].at_utc if self.answers else None
        turns: list[Event] = self.statuses
        if self.disputes:
            solutions = [m.event for m in self.answers if settles(m.reading)]
            turns = sorted([*self.statuses, *self.disputes, *solutions], key=lambda event: event.seq)
        for event in turns:
            if isinstance(event.what, MessageSent):
                found, disputed = None, found
                continue
            if isinstance(event.what, MessageSeen):
                found, disputed = (event, None) if disputed is not None else (found, None)
                continue
            assert isinstance(event.what, StatusSeen)
            disputed = None
            state = event.what.state
            if state is TicketState.RESOLVED or (
                state is TicketState.CLOSED and first_answer is not None and first_answer <= event.at_utc
            ):
                found = found or event
            elif state in (TicketState.OPEN, TicketState.WAITING_FOR_US):
                found = None
        return found
