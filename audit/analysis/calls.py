"""A call read into its clocks and phases, and told in sentences."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache

from audit.analysis import phrases
from audit.analysis.case import Case, Contact
from audit.analysis.measures.spec import evidence_numbers
from audit.analysis.menus import path_words, visits
from audit.analysis.model.calls import CallRecord, LeadsTo
from audit.analysis.model.findings import StoryLine
from audit.model import Event
from probes.audio.timeline import EndReason, Hold, HoldMode, Kind, Label, Timeline
from probes.errors import Side
from probes.events import (
    CallDialled,
    CallEnded,
    ContactOutcome,
    DigitsSent,
    Doubt,
    LineSaid,
    ScriptStepEnded,
    StepOutcome,
)

_PERSONS = {Label.AGENT}
_RECORDED = {Label.IVR, Label.ANNOUNCEMENT}
_END_SLACK_S = 3.0  # a hold that reaches this near to the end of the recording went on until the end


def queue_holds(timeline: Timeline) -> list[Hold]:
    """Return the holds before a person was heard: the queue."""
    person_s = timeline.first_person_s
    return [h for h in timeline.holds if person_s is None or h.start_s < person_s]


def agent_holds(timeline: Timeline) -> list[Hold]:
    """Return the holds after a person was heard: put on hold by an agent."""
    person_s = timeline.first_person_s
    return [] if person_s is None else [h for h in timeline.holds if h.start_s >= person_s]


def holds_to_the_end(timeline: Timeline, hold: Hold) -> bool:
    """Return whether the hold was still going on when the call ended."""
    after = [s for s in timeline.segments if s.start_s >= hold.end_s - 0.5 and s.kind in (Kind.SPEECH, Kind.MUSIC)]
    return hold is timeline.holds[-1] and (
        timeline.end is EndReason.ON_HOLD or hold.end_s >= timeline.duration_s - _END_SLACK_S or not after
    )


def phase_at_end(contact: Contact) -> str:
    """Return what went on when the call ended: ringing, menu, queue, talk, hold, silence; else why it is not known."""
    timeline = contact.timeline()
    if timeline is None:
        return "not answered" if contact.answered is None else "not listened to"
    if timeline.holds and holds_to_the_end(timeline, timeline.holds[-1]):
        return "queue" if timeline.holds[-1] in queue_holds(timeline) else "hold"
    spoken = [s for s in timeline.segments if s.kind is Kind.SPEECH]
    if timeline.end is EndReason.RINGING:
        return "ringing"
    if not spoken:
        return "silence"
    last = spoken[-1]
    if timeline.duration_s - last.end_s > 15.0 and timeline.end is EndReason.SILENCE:
        ours = [e.what.t_s for e in contact.lines if isinstance(e.what, LineSaid) and e.what.t_s is not None]
        if timeline.first_person_s is None or not any(t_s >= timeline.first_person_s for t_s in ours):
            return "silence"  # else we spoke, and the recording's other channel rightly has nothing
    if last.label in _RECORDED:
        return "menu" if timeline.first_person_s is None else "announcement"
    return "talk" if timeline.first_person_s is not None else "menu"


def keyed_identification(contact: Contact) -> list[Event]:
    """Return the identifiers that we keyed in."""
    found = []
    for event in contact.digits:
        assert isinstance(event.what, DigitsSent)
        if event.what.digits is None or "ident" in event.what.purpose.casefold():
            found.append(event)
    return found


def needed_identification(contact: Contact) -> list[Event]:
    """Return the identifiers that were keyed in before a person was heard; none where nobody was heard afterwards.

    Our script presses keys whether or not they are asked for: only a person reached behind them shows that there was
    something to get past.
    """
    timeline = contact.timeline()
    if timeline is None or timeline.first_person_s is None:
        return []
    person_s = timeline.first_person_s
    return [
        event
        for event in keyed_identification(contact)
        if isinstance(event.what, DigitsSent) and (event.what.t_s is None or event.what.t_s < person_s)
    ]


def talk_s(timeline: Timeline) -> float:
    """Return the seconds during which the vendor's person spoke."""
    return sum(s.end_s - s.start_s for s in timeline.segments if s.kind is Kind.SPEECH and s.label in _PERSONS)


def read_call(case: Case, contact: Contact, number: int) -> CallRecord:
    """Read a call's clocks and phases off its events; worked out once, when all events are in."""
    if contact.id not in case.call_records:
        case.call_records[contact.id] = _read_call(case, contact, number)
    return case.call_records[contact.id]


def _read_call(case: Case, contact: Contact, number: int) -> CallRecord:
    timeline = contact.timeline()
    begin = contact.dialled or contact.started
    end = contact.call_ended or contact.ended
    human = contact.human_at_utc()
    queue = contact.queue_at_utc()
    ended = contact.call_ended.what if contact.call_ended else None
    assert ended is None or isinstance(ended, CallEnded)
    recording = contact.recorded.artifacts[0] if contact.recorded and contact.recorded.artifacts else None
    events = [contact.started, contact.dialled, contact.answered, contact.recorded, contact.heard, contact.call_ended]
    return CallRecord(
        vendor=case.vendor,
        case=case.id,
        contact=contact.id,
        channel=contact.channel,
        persona=case.persona,
        number_in_case=number,
        dialled_at_utc=contact.dialled.at_utc if contact.dialled else None,
        ring_s=_between(contact.ringing, contact.answered),
        answered_s=_between(contact.dialled, contact.answered),
        to_human_s=_positive(begin.at_utc, human),
        queue_to_human_s=_positive(queue, human),
        waited_s=_positive(begin.at_utc, end.at_utc) if end and human is None else None,
        hold_s=sum(h.end_s - h.start_s for h in timeline.holds) if timeline else 0.0,
        talk_s=talk_s(timeline) if timeline else None,
        duration_s=contact.length_s(),
        outcome=_outcome(contact),
        phase_at_end=phase_at_end(contact),
        ended_by=ended.by if ended else Side.NOT_KNOWN,
        ended_doubt=ended.doubt if ended else None,
        ended_reasons=ended.reasons if ended else (),
        recording=recording,
        timeline=timeline,
        evidence=evidence_numbers(*events),
    )


def _outcome(contact: Contact) -> str:
    if contact.is_ours:
        return "ours"
    if contact.outcome in (ContactOutcome.BUSY, ContactOutcome.NO_ANSWER):
        return contact.outcome
    timeline = contact.timeline()
    if timeline is not None and timeline.first_person_s is not None:
        return "human"
    if contact.outcome is ContactOutcome.CAP_REACHED:
        return "cap reached"
    if timeline is not None:
        return "no person reached"
    return "answered" if contact.answered is not None else "not answered"


def benefits(record: CallRecord) -> bool:
    """Return whether the vendor has the benefit of the doubt about the end: the signals leave room for an accident."""
    return record.ended_doubt in (Doubt.SOME, Doubt.ALL)


def _between(one: Event | None, other: Event | None) -> float | None:
    return _positive(one.at_utc if one else None, other.at_utc if other else None)


def _positive(one: datetime | None, other: datetime | None) -> float | None:
    """Return the seconds between two moments; None where one is missing or the clocks run backwards."""
    if one is None or other is None or other < one:
        return None
    return (other - one).total_seconds()


# --- in sentences ---


def tell_call(case: Case, contact: Contact, number: int) -> Iterable[StoryLine]:
    """Tell a call, in the order of its phases."""
    record = read_call(case, contact, number)
    begin = contact.dialled or contact.started
    name = f"{phrases.ordinal(number).capitalize()} call"

    def line(at: datetime | None, sentence: str, *events: Event | None, t_s: float | None = None) -> StoryLine:
        evidence = evidence_numbers(*events)
        return StoryLine(
            at_utc=at or begin.at_utc,
            sentence=phrases.stopped(sentence),
            evidence=evidence,
            channel=contact.channel,
            t_s=t_s,
        )

    to = f" to {contact.dialled.what.to}" if contact.dialled and isinstance(contact.dialled.what, CallDialled) else ""
    answered = {
        ContactOutcome.BUSY: "the line was busy",
        ContactOutcome.NO_ANSWER: "nobody answered",
    }.get(contact.outcome or ContactOutcome.UNKNOWN)
    if answered is None:
        after = f" after {phrases.length(record.answered_s)}" if record.answered_s is not None else ""
        answered = f"the line was answered{after}" if contact.answered else "the line was not answered"
    yield line(begin.at_utc, f"{name}{to}: {answered}.", contact.dialled or contact.started, contact.answered)
    needed = needed_identification(contact)
    for event in keyed_identification(contact):
        assert isinstance(event.what, DigitsSent)
        keyed = f"an identification number ({phrases.count(event.what.count, 'key')})"
        yield line(
            contact.media_at(event.what.t_s) or event.at_utc,
            f"{name}: {keyed} had to be keyed in before anybody could be reached."
            if event in needed
            else f"{name}: we keyed in {keyed}.",
            event,
            t_s=event.what.t_s,
        )
    timeline = record.timeline
    for visit in visits(contact):
        where = path_words(visit.path)
        if visit.back_to is not None:
            yield line(None, f"{name}: {where} the menu went back to what it had said {path_words(visit.back_to)}.",
                       contact.heard, *contact.digits)  # fmt: skip
        if visit.leads is LeadsTo.DEAD_END:
            yield line(None, f"{name}: {where} the menu led nowhere: the vendor ended the call.", contact.heard,
                       contact.call_ended, *contact.digits)  # fmt: skip
    if timeline is not None:
        yield from _heard(contact, record, timeline, name, line)
    for event in contact.steps:
        assert isinstance(event.what, ScriptStepEnded)
        if event.what.outcome is StepOutcome.JOINED:
            yield line(event.at_utc, f"{name}: our own telephone was joined to the call.", event, t_s=event.what.t_s)
    for event in contact.lines:
        assert isinstance(event.what, LineSaid)
        at = contact.media_at(event.what.t_s) or event.at_utc
        yield line(at, f"{name}: we said: {phrases.quote(event.what.text)}.", event, t_s=event.what.t_s)
    if contact.call_ended is not None:
        yield line(contact.call_ended.at_utc, f"{name}: {ended_clause(record)}.", contact.call_ended, contact.heard)


def _heard(contact: Contact, record: CallRecord, timeline: Timeline, name: str, line: object) -> Iterable[StoryLine]:
    assert callable(line)
    if timeline.first_person_s is not None:
        clocks = []
        if record.to_human_s is not None:
            clocks.append(f"{phrases.length(record.to_human_s)} after the end of dialling")
        if record.queue_to_human_s:
            clocks.append(f"{phrases.length(record.queue_to_human_s)} on the vendor's own clock")
        yield line(
            contact.media_at(timeline.first_person_s),
            f"{name}: a person was heard{' ' + ', '.join(clocks) if clocks else ''}.",
            contact.heard,
            contact.recorded,
            t_s=timeline.first_person_s,
        )
    queue = queue_holds(timeline)
    for hold in timeline.holds:
        where = "in the queue" if hold in queue else "on hold"
        yield line(
            contact.media_at(hold.start_s),
            f"{name}: {phrases.length(hold.end_s - hold.start_s)} {where}{hold_clause(hold)}.",
            contact.heard,
            contact.recorded,
            t_s=hold.start_s,
        )


@lru_cache(maxsize=4096)
def hold_clause(hold: Hold) -> str:
    """Return what a hold was filled with: sound, loudness, loop."""
    parts = [
        {
            HoldMode.MUSIC: "music",
            HoldMode.MUSIC_AND_MESSAGES: "music with messages",
            HoldMode.MESSAGES: "messages",
            HoldMode.SILENT: "silence",
        }[hold.mode]
    ]
    if hold.loudness_lufs is not None:
        loud = f"{hold.loudness_lufs:.1f} LUFS".replace("-", "−")
        if hold.speech_relative_lu is not None:
            difference = hold.speech_relative_lu
            loud += f", {abs(difference):.1f} LU {'louder' if difference > 0 else 'softer'} than the agent's speech"
        parts.append(loud)
    if hold.music_loop_s is not None and hold.loop_times_heard is not None:
        times = phrases.number(round(hold.loop_times_heard, 1))
        parts.append(f"the same {phrases.length(hold.music_loop_s)} over and over, {times} times")
    return f" ({'; '.join(parts)})"


_PHASES = {
    "hold": "while on hold",
    "queue": "while in the queue",
    "talk": "in the middle of the talk",
    "menu": "in the menu",
    "announcement": "during an announcement",
    "silence": "in silence",
    "ringing": "while it rang",
}


def ended_clause(record: CallRecord) -> str:
    """Return who ended the call, when and during what; the benefit of the doubt is said aloud."""
    after = f" after {phrases.length(record.duration_s)}" if record.duration_s is not None else ""
    phase = _PHASES.get(record.phase_at_end, "")
    phase = f" {phase}" if phase else ""
    match record.ended_by:
        case Side.OURS:
            if record.phase_at_end in ("hold", "queue"):
                return f"we gave up{after}{phase}"
            return f"we hung up{after}{phase if record.phase_at_end != 'talk' else ''}"
        case Side.VENDOR:
            doubt = "; an accident of the line would look the same" if benefits(record) else ""
            return f"the vendor ended the call{after}{phase}{doubt}"
        case Side.NETWORK:
            return f"the network dropped the call{after}{phase}; it is not charged to the vendor"
        case _:
            return f"the line went dead{after}{phase}; who ended it is not established"
