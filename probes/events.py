"""The closed vocabulary of events: everything that can be seen or done in an audit, one payload class each.

An event is one thing at one moment; it is appended, never edited. FORMATS.md gives each field's type and unit.
A stored name is for ever. `None` means not observed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, get_args

from probes.audio.timeline import Timeline
from probes.errors import Failure, Side


class ClockName(StrEnum):
    """Whose clock an event's moment comes from."""

    OURS = "ours"
    MEDIA = "media"
    PROVIDER = "provider"


class Action(StrEnum):
    """What a contact is for."""

    OPEN = "open"
    LOOK = "look"
    REPLY = "reply"
    CALL = "call"
    CLOSE = "close"
    CHAT = "chat"


class ContactOutcome(StrEnum):
    """How a contact ended, as far as the probe can say."""

    DONE = "done"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    CAP_REACHED = "cap_reached"
    FAILED = "failed"
    NOT_RUN = "not_run"
    UNKNOWN = "unknown"


class CaseOutcome(StrEnum):
    """How a case ended. `AUDIT_ENDED` and `STOPPED` leave its waits censored."""

    RESOLVED = "resolved"
    GIVEN_UP = "given_up"
    AUDIT_ENDED = "audit_ended"
    STOPPED = "stopped"
    OURS = "ours"


class TicketState(StrEnum):
    """What a status text of the vendor means."""

    OPEN = "open"
    WAITING_FOR_US = "waiting_for_us"
    RESOLVED = "resolved"
    CLOSED = "closed"
    UNKNOWN = "unknown"


class NoticeKind(StrEnum):
    """What a notice in a chat says: who comes and goes, who takes over, how long we wait, that it is over."""

    JOINED = "joined"
    LEFT = "left"
    TRANSFERRED = "transferred"
    QUEUE = "queue"
    ENDED = "ended"
    OTHER = "other"


class StepOutcome(StrEnum):
    """What became of a step of a call's script. `UNSURE`: a voice that may be a person's or a recording's."""

    DONE = "done"
    SPEECH = "speech"
    PROMPT = "prompt"
    ANSWER = "answer"
    REPEAT = "repeat"
    SILENCE = "silence"
    TONE = "tone"
    HOLD = "hold"
    HOLD_END = "hold_end"
    HUMAN = "human"
    UNSURE = "unsure"
    JOINED = "joined"
    NOT_ANSWERED = "not_answered"
    TIMED_OUT = "timed_out"
    CALL_OVER = "call_over"
    FAILED = "failed"


class Doubt(StrEnum):
    """How sure it is who ended a call.

    `SOME`: one signal alone, or an accident of the line would look the same. `ALL`: nothing says who it was.
    """

    NONE = "none"
    SOME = "some"
    ALL = "all"


# --- the life of an audit, a case and a contact (written by the engine) ---


@dataclass(frozen=True, slots=True)
class AuditStarted:
    """An audit began under this plan. `clock_factor` 1 is real time."""

    KIND: ClassVar[str] = "audit_started"
    plan_sha256: str
    plan_name: str
    holdproof_version: str
    clock_factor: float
    cases: int


@dataclass(frozen=True, slots=True)
class AuditEnded:
    """Nothing more is done in this audit. `reason`: all_cases_ended, time_up or stopped."""

    KIND: ClassVar[str] = "audit_ended"
    reason: str


@dataclass(frozen=True, slots=True)
class CaseOpened:
    """One problem of one persona with one vendor. `reference` is ours and is carried in what we send.

    `begins_at_utc` is when the sampling plan, drawn by `seed`, lets it begin; both null: it begins with the audit.
    """

    KIND: ClassVar[str] = "case_opened"
    vendor: str
    persona: str
    scenario: str
    sample: int
    reference: str
    begins_at_utc: datetime | None = None
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class CaseClosed:
    """The case is followed no longer."""

    KIND: ClassVar[str] = "case_closed"
    outcome: CaseOutcome
    reason: str


@dataclass(frozen=True, slots=True)
class ContactStarted:
    """An attempt begins. `step` counts the scenario's steps from 0; `attempt` counts tries of that step from 1."""

    KIND: ClassVar[str] = "contact_started"
    channel: str
    probe: str
    probe_version: int
    action: Action
    step: int
    attempt: int
    reference: str


@dataclass(frozen=True, slots=True)
class ContactEnded:
    """The attempt is over."""

    KIND: ClassVar[str] = "contact_ended"
    outcome: ContactOutcome
    failure: Failure | None


@dataclass(frozen=True, slots=True)
class ActRefused:
    """The safety gate said no before the act: which rule, why, and how the plan could be changed."""

    KIND: ClassVar[str] = "act_refused"
    act: str
    rule: str
    reason: str
    fix: str


@dataclass(frozen=True, slots=True)
class WaitEnded:
    """A scenario's wait is over: the condition came true, or the longest wait was reached (`met` false: censored)."""

    KIND: ClassVar[str] = "wait_ended"
    until: str
    met: bool
    waited_s: float


@dataclass(frozen=True, slots=True)
class EffectReconciled:
    """After a crash between act and answer the attempt was looked for. `state`: found, absent or unknown."""

    KIND: ClassVar[str] = "effect_reconciled"
    effect_key: str
    state: str
    how: str


# --- tickets, mail and chat ---


@dataclass(frozen=True, slots=True)
class PageCaptured:
    """A page as it stood after a step; artifacts: screenshot and page source."""

    KIND: ClassVar[str] = "page_captured"
    step: str
    url: str
    title: str
    status_code: int | None


@dataclass(frozen=True, slots=True)
class TicketSubmitted:
    """We sent the form or mail that opens a ticket."""

    KIND: ClassVar[str] = "ticket_submitted"
    subject: str
    text: str
    reference: str


@dataclass(frozen=True, slots=True)
class ValueRead:
    """A value that was read off a page or, with an address as mid:…, out of a mail. `name` "ticket" is the vendor's
    ticket number.
    """

    KIND: ClassVar[str] = "value_read"
    name: str
    value: str
    url: str


@dataclass(frozen=True, slots=True)
class MessageSent:
    """We wrote to the vendor within a case. `purpose`: in a chat line, choice (a button of theirs) or human (we asked
    for a person); else empty.
    """

    KIND: ClassVar[str] = "message_sent"
    message_key: str
    subject: str
    text: str
    purpose: str = ""


@dataclass(frozen=True, slots=True)
class MailHeader:
    """A header line of a mail, unfolded and decoded; `name` in small letters."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class MailFacts:
    """What a mail says besides its words. Facts, no verdicts: no header alone says that a machine wrote it.

    `placed_by` is the best sign by which it belongs to the case: message_id, sub_address, reference or number.
    `received_at_utc` is when our own mail server took it in, by its clock and to the second. `dkim` is what our own
    server says of the vendor's signature (pass, fail, none, …; null: it says nothing). `report` is the action of a
    delivery report (failed, delayed, …), with `report_code` as 5.1.1. `headers` are the lines that can matter for
    reading: Auto-Submitted, Precedence, Return-Path, List-… and their like. `attachments` are names; nothing is opened.
    `cut`: the mail was too large to be kept or read whole.
    """

    message_id: str | None
    from_address: str | None
    placed_by: str
    received_at_utc: datetime | None
    dkim: str | None
    report: str | None
    report_code: str | None
    headers: tuple[MailHeader, ...]
    attachments: tuple[str, ...]
    cut: bool


@dataclass(frozen=True, slots=True)
class MessageSeen:
    """A message of the case, seen for the first time; the event's moment is when we saw it. Of a mail it is when our
    mail server took it in (clock `provider`), if that fits our own looks.

    `absent_at_utc` is our last look that did not show it, so it arrived in between (null: first look).
    `claimed_at_text` / `claimed_at_utc` are what the vendor says of its time (null: not said / not understood), give or
    take `claimed_error_s` where it is told coarsely ("3 hours ago"); null: as exact as its words.
    `side` is the author's side as far as the page or mail says it, `author_role` what it calls the author besides the
    name ("Virtual assistant"; after "markup:" what only the page's source says). `settled_at_utc`: in a chat, when the
    text had stopped changing (null: not watched).
    """

    KIND: ClassVar[str] = "message_seen"
    message_key: str
    side: Side
    author: str | None
    subject: str | None
    text: str
    claimed_at_text: str | None
    claimed_at_utc: datetime | None
    absent_at_utc: datetime | None
    author_role: str | None = None
    settled_at_utc: datetime | None = None
    mail: MailFacts | None = None
    claimed_error_s: float | None = None


@dataclass(frozen=True, slots=True)
class MailIgnored:
    """Mails that came into our mailbox since it was last looked at and belong to no case, as far as is known by now."""

    KIND: ClassVar[str] = "mail_ignored"
    count: int


@dataclass(frozen=True, slots=True)
class StatusSeen:
    """The ticket's status text, at first sight and whenever it changed; `absent_at_utc` as in MessageSeen."""

    KIND: ClassVar[str] = "status_seen"
    text: str
    state: TicketState
    previous_text: str | None
    absent_at_utc: datetime | None


@dataclass(frozen=True, slots=True)
class HandOffSeen:
    """The case went from one person or team to another."""

    KIND: ClassVar[str] = "hand_off_seen"
    from_name: str | None
    to_name: str | None
    absent_at_utc: datetime | None


@dataclass(frozen=True, slots=True)
class ChatOpened:
    """We opened a chat, so that the vendor may have noticed us. `url` is the page that it stands on."""

    KIND: ClassVar[str] = "chat_opened"
    url: str


@dataclass(frozen=True, slots=True)
class TypingSeen:
    """The chat showed that somebody writes to us: no answer yet. `author` as far as it says who."""

    KIND: ClassVar[str] = "typing_seen"
    author: str | None


@dataclass(frozen=True, slots=True)
class NoticeSeen:
    """A notice of the chat itself, seen for the first time or saying something new; `text` as it stands there.

    `name` is of whom it speaks, `position` our place in the queue (1: next), `announced_wait_s` the wait that it
    announces; null where it does not say. `absent_at_utc` as in MessageSeen.
    """

    KIND: ClassVar[str] = "notice_seen"
    text: str
    means: NoticeKind
    name: str | None
    position: int | None
    announced_wait_s: float | None
    absent_at_utc: datetime | None = None


@dataclass(frozen=True, slots=True)
class MessageChanged:
    """A message seen before reads otherwise now, or was taken away (`text` null)."""

    KIND: ClassVar[str] = "message_changed"
    message_key: str
    text: str | None


@dataclass(frozen=True, slots=True)
class ChatEnded:
    """The chat is over. `reasons` are the signs that say by whom."""

    KIND: ClassVar[str] = "chat_ended"
    by: Side
    reasons: tuple[str, ...]


# --- calls; `t_s` is media time: seconds from the recording's first sample ---


@dataclass(frozen=True, slots=True)
class CallDialled:
    """The carrier took our request to call."""

    KIND: ClassVar[str] = "call_dialled"
    to: str
    caller_id: str
    carrier: str
    carrier_call_id: str


@dataclass(frozen=True, slots=True)
class CallRinging:
    """The far end rings."""

    KIND: ClassVar[str] = "call_ringing"


@dataclass(frozen=True, slots=True)
class CallAnswered:
    """The far end answered: a machine, most often. Not yet a human. `error_s`: how coarse the moment is."""

    KIND: ClassVar[str] = "call_answered"
    error_s: float


@dataclass(frozen=True, slots=True)
class CallEnded:
    """The call is over. `reasons` are the signals that say by whom; `code` is the SIP or carrier code.

    `doubt` says how sure it is by whom; null in events of before it was asked.
    """

    KIND: ClassVar[str] = "call_ended"
    by: Side
    reasons: tuple[str, ...]
    code: str | None
    duration_s: float | None
    error_s: float
    doubt: Doubt | None = None


@dataclass(frozen=True, slots=True)
class ScriptStepEnded:
    """A step of a live call's script is over. `path` is its place in the script, as "4.then.1"; `name` its `as`.

    `known_s` is when that was known, `t_s` when what was heard began, `waited_s` how long the step took: media time of
    the call's live audio, whose first sample can be up to a second away from that of a recording by the carrier.
    `why` is null where the outcome says it all.
    """

    KIND: ClassVar[str] = "script_step_ended"
    path: str
    verb: str
    name: str | None
    outcome: StepOutcome
    known_s: float
    t_s: float | None
    waited_s: float
    why: str | None


@dataclass(frozen=True, slots=True)
class DigitsSent:
    """We pressed keys. `digits` is null where they are an identifier or secret; `count` is always given."""

    KIND: ClassVar[str] = "digits_sent"
    digits: str | None
    count: int
    purpose: str
    t_s: float | None


@dataclass(frozen=True, slots=True)
class LineSaid:
    """We spoke a line of the script."""

    KIND: ClassVar[str] = "line_said"
    text: str
    t_s: float | None


@dataclass(frozen=True, slots=True)
class CallRecorded:
    """The recording, untrimmed; artifact: the audio as the carrier gave it.

    `vendor_channel` counts from 0, null in a mono recording. `starts_at_utc` is the moment of its first sample,
    `starts_error_s` how well that is known.
    """

    KIND: ClassVar[str] = "call_recorded"
    duration_s: float
    rate_hz: int
    channels: int
    vendor_channel: int | None
    starts_at_utc: datetime
    starts_error_s: float


@dataclass(frozen=True, slots=True)
class CallHeard:
    """What a listener of this version heard in the recording; another version's reading is a further event."""

    KIND: ClassVar[str] = "call_heard"
    listener_version: str
    timeline: Timeline


@dataclass(frozen=True, slots=True)
class CarrierRecord:
    """A record of the carrier about the call, frozen before it expires; artifact: the JSON as received.

    What may repeat our documents, and so identification digits, is taken out. `resource` "media_stream" is our own
    record of how the call's audio reached us; the carrier's callbacks are kept with the fields of their form.
    """

    KIND: ClassVar[str] = "carrier_record"
    resource: str
    carrier_call_id: str


@dataclass(frozen=True, slots=True)
class CarrierCharged:
    """What the carrier charged. In minor units (cents) of `currency`."""

    KIND: ClassVar[str] = "carrier_charged"
    cost_minor: float
    currency: str


# --- what people and later readings add ---


@dataclass(frozen=True, slots=True)
class PromiseSaid:
    """The vendor committed itself in a contact. `by`: person (a reviewer) or machine (unconfirmed).

    `t_s` is set in a call, `message_key` in text; `due_at_utc` is null where the words give no moment.
    """

    KIND: ClassVar[str] = "promise_said"
    text: str
    what: str
    due_at_utc: datetime | None
    message_key: str | None
    t_s: float | None
    by: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Judged:
    """A person's answer to a question about a contact, with the words or the second it rests on."""

    KIND: ClassVar[str] = "judged"
    question: str
    value: str
    reviewer: str
    quote: str | None
    t_s: float | None
    message_key: str | None


Payload = (
    AuditStarted
    | AuditEnded
    | CaseOpened
    | CaseClosed
    | ContactStarted
    | ContactEnded
    | ActRefused
    | WaitEnded
    | EffectReconciled
    | PageCaptured
    | TicketSubmitted
    | ValueRead
    | MessageSent
    | MessageSeen
    | MailIgnored
    | StatusSeen
    | HandOffSeen
    | ChatOpened
    | TypingSeen
    | NoticeSeen
    | MessageChanged
    | ChatEnded
    | CallDialled
    | CallRinging
    | CallAnswered
    | CallEnded
    | ScriptStepEnded
    | DigitsSent
    | LineSaid
    | CallRecorded
    | CallHeard
    | CarrierRecord
    | CarrierCharged
    | PromiseSaid
    | Judged
)

PAYLOADS: dict[str, type[Payload]] = {cls.KIND: cls for cls in get_args(Payload)}
