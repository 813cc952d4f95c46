"""Calls: the customer's clock and the vendor's, menu and identification, holds, who ended it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from audit.analysis.calls import (
    agent_holds,
    benefits,
    ended_clause,
    hold_clause,
    holds_to_the_end,
    keyed_identification,
    needed_identification,
    queue_holds,
    read_call,
    talk_s,
)
from audit.analysis.case import Case, Contact
from audit.analysis.measures.cases import judged, times_said
from audit.analysis.measures.spec import Good, MeasureSpec, Per, observed
from audit.analysis.menus import visits
from audit.analysis.model.calls import CallRecord, LeadsTo
from audit.analysis.model.findings import Origin
from audit.analysis.model.measures import MeasureKind, Observed
from audit.model import Event
from probes.audio.timeline import Hold, Kind, Label
from probes.errors import Side
from probes.events import Action, ContactOutcome, DigitsSent, Judged

_NOT_TAKEN = {ContactOutcome.BUSY}
_LOST_PHASES = {"hold", "queue", "menu", "silence", "announcement", "ringing"}


def _calls(case: Case) -> Iterator[tuple[Contact, CallRecord]]:
    for number, call in enumerate(case.calls, start=1):
        yield call, read_call(case, call, number)


def _proof(call: Contact) -> list[Event]:
    return [e for e in (call.dialled or call.started, call.heard or call.call_ended or call.ended) if e is not None]


def _dialled(call: Contact) -> datetime | None:
    return (call.dialled or call.started).at_utc


def _line_answered(call: Contact) -> datetime | None:
    return call.answered.at_utc if call.answered is not None else None


def _until_human(start: Callable[[Contact], datetime | None]) -> Callable[[Case], Iterable[Observed]]:
    """Return the wait for a person on the clock that begins at `start`.

    Censored where the call ended before a person was heard. A busy line gives no wait (it is an outcome of its own); a
    call that nobody listened to gives none either, unless it was never answered.
    """

    def observe(case: Case) -> Iterable[Observed]:
        for call in case.calls:
            if call.outcome in _NOT_TAKEN or (call.heard is None and call.answered is not None):
                continue
            begin = start(call)
            human = call.human_at_utc()
            end = call.call_ended or call.ended
            last = human or (end.at_utc if end else None)
            if begin is None or last is None or last < begin:
                continue
            value = (last - begin).total_seconds()
            yield observed(
                case, value, last, *_proof(call), censored=human is None, contact=call.id, channel=call.channel
            )

    return observe


def _between(first: str, second: str) -> Callable[[Case], Iterable[Observed]]:
    def observe(case: Case) -> Iterable[Observed]:
        for call in case.calls:
            one: Event | None = getattr(call, first)
            other: Event | None = getattr(call, second)
            if one is not None and other is not None and other.at_utc >= one.at_utc:
                value = (other.at_utc - one.at_utc).total_seconds()
                yield observed(case, value, other.at_utc, one, other, contact=call.id, channel=call.channel)

    return observe


def _heard(value: Callable[[Contact], float | None]) -> Callable[[Case], Iterable[Observed]]:
    """Return a measure that gives one value per call that was listened to."""

    def observe(case: Case) -> Iterable[Observed]:
        for call in case.calls:
            if call.heard is None:
                continue
            found = value(call)
            if found is not None:
                yield observed(case, found, call.heard.at_utc, *_proof(call), contact=call.id, channel=call.channel)

    return observe


def _menu_keys(call: Contact) -> float:
    gates = keyed_identification(call)
    return float(sum(isinstance(e.what, DigitsSent) and e not in gates for e in call.digits))


def _prompt_s(call: Contact) -> float | None:
    timeline = call.timeline()
    if timeline is None:
        return None
    person_s = timeline.first_person_s if timeline.first_person_s is not None else timeline.duration_s
    spoken = [s for s in timeline.segments if s.kind is Kind.SPEECH and s.label is Label.IVR and s.start_s < person_s]
    return sum(s.end_s - s.start_s for s in spoken)


def _hold_ratio(call: Contact) -> float | None:
    timeline = call.timeline()
    if timeline is None or timeline.duration_s <= 0:
        return None
    return min(1.0, sum(h.end_s - h.start_s for h in timeline.holds) / timeline.duration_s)


def _identification(case: Case) -> Iterable[Observed]:
    for call in case.calls:
        timeline = call.timeline()
        if call.answered is None or timeline is None or timeline.first_person_s is None:
            continue  # where nobody was reached it cannot be told what stood before them
        keyed = needed_identification(call)
        yield observed(
            case, float(bool(keyed)), call.answered.at_utc, *(keyed or [call.answered]), contact=call.id,
            channel=call.channel,
        )  # fmt: skip


def identified_again(case: Case) -> Iterable[Observed]:
    """Of the answered calls after the first one with an identification: 1 if it was asked for again."""
    known: Event | None = None
    for call in case.calls:
        keyed = needed_identification(call)
        if known is not None and call.answered is not None:
            events = [known, *(keyed or [call.answered])]
            yield observed(case, float(bool(keyed)), call.answered.at_utc, *events, contact=call.id)
        known = known or (keyed[0] if keyed else None)


def _reached(case: Case) -> Iterable[Observed]:
    for call, record in _calls(case):
        if call.heard is not None or call.outcome in (ContactOutcome.BUSY, ContactOutcome.NO_ANSWER):
            end = call.call_ended or call.ended or call.started
            value = 1.0 if record.outcome == "human" else 0.0
            yield observed(case, value, end.at_utc, *_proof(call), contact=call.id, channel=call.channel)


def _per_hold(value: Callable[[Hold], float | None], *, of_queue: bool = False) -> Callable[[Case], Iterable[Observed]]:
    """Return a measure with one value per hold: those after a person was heard, with `of_queue` the others too."""

    def observe(case: Case) -> Iterable[Observed]:
        for call, record in _calls(case):
            timeline = record.timeline
            if timeline is None or call.heard is None or not timeline.holds:
                continue
            for hold in timeline.holds if of_queue else agent_holds(timeline):
                found = value(hold)
                if found is None:
                    continue
                to_end = value is _length and holds_to_the_end(timeline, hold)
                events = [e for e in (call.recorded, call.heard, call.call_ended if to_end else None) if e is not None]
                detail = hold_clause(hold).strip(" ()")
                if to_end:
                    detail += f"; {ended_clause(record)}"
                at = call.media_at(hold.start_s) or call.heard.at_utc
                yield observed(
                    case, found, at, *events, censored=to_end, contact=call.id, channel=call.channel, detail=detail
                )

    return observe


def _length(hold: Hold) -> float:
    return hold.end_s - hold.start_s


def _ended(case: Case) -> Iterator[tuple[Contact, CallRecord, Event]]:
    for call, record in _calls(case):
        if call.answered is not None and call.call_ended is not None:
            yield call, record, call.call_ended


def _natural(case: Case, call: Contact) -> tuple[str | None, list[Event]]:
    """Return whether persons say that the call had come to its natural end, if they agree, and where they say so."""
    said = [e for e in judged(case, "ended_naturally") if e.contact == call.id]
    values = {e.what.value for e in said if isinstance(e.what, Judged)}
    return (values.pop(), said) if len(values) == 1 else (None, [])


def _vendor_hung_up(case: Case) -> Iterable[Observed]:
    """Of the answered calls: 1 if the vendor ended the call in menu, queue, hold or silence.

    In the middle of a talk only if a person says that the talk was not over; a network fault or an unknown end is
    never charged to the vendor, nor an end about which there is doubt.
    """
    for call, record, end in _ended(case):
        natural, said = _natural(case, call)
        lost = (
            record.ended_by is Side.VENDOR
            and not benefits(record)
            and (natural == "no" or (record.phase_at_end in _LOST_PHASES and natural is None))
        )
        yield observed(
            case, float(lost), end.at_utc, end, *([call.heard] if call.heard else []), *(said if lost else []),
            contact=call.id, channel=call.channel, origin=Origin.PERSON if lost and said else Origin.MEASURED,
            detail=ended_clause(record).removeprefix("the vendor ended the call"),
        )  # fmt: skip


def _ended_talk(case: Case) -> Iterable[Observed]:
    """Of the answered calls: 1 if the vendor ended the call during the talk and nobody has judged if it was over."""
    for call, record, end in _ended(case):
        open_end = record.ended_by is Side.VENDOR and record.phase_at_end == "talk" and _natural(case, call)[0] is None
        yield observed(
            case, float(open_end), end.at_utc, end, *([call.heard] if call.heard else []), contact=call.id,
            channel=call.channel, detail=ended_clause(record).removeprefix("the vendor ended the call"),
        )  # fmt: skip


def _dead_line(case: Case) -> Iterable[Observed]:
    """Of the answered calls: 1 if the line went dead and it is not known who ended it."""
    for call, record, end in _ended(case):
        dead = record.ended_by in (Side.NOT_KNOWN, Side.NETWORK)
        yield observed(
            case, float(dead), end.at_utc, end, *([call.heard] if call.heard else []), contact=call.id,
            channel=call.channel, detail=ended_clause(record).removeprefix("the line went dead"),
        )  # fmt: skip


def _gave_up(case: Case) -> Iterable[Observed]:
    for call, record, end in _ended(case):
        if call.heard is None:
            continue
        up = record.ended_by is Side.OURS and record.phase_at_end in ("hold", "queue")
        yield observed(
            case, float(up), end.at_utc, end, call.heard, contact=call.id, channel=call.channel,
            detail=ended_clause(record).removeprefix("we gave up"),
        )  # fmt: skip


def _transfers(case: Case) -> Iterable[Observed]:
    """Of the calls that reached a person: how often it rang again afterwards, or what a person says who listened.

    Whoever is passed on without a ringing tone is not heard to be: at least so many.
    """
    for call in case.calls:
        timeline = call.timeline()
        if call.heard is None or timeline is None or timeline.first_person_s is None:
            continue
        said = [e for e in judged(case, "transferred") if e.contact == call.id]
        rang = [t for t in timeline.tones if t.label is Label.RINGBACK and t.start_s > timeline.first_person_s]
        yield observed(
            case, float(max(len(rang), times_said(said))), call.heard.at_utc, *_proof(call), *said, contact=call.id,
            channel=call.channel, origin=Origin.PERSON if said else Origin.MEASURED,
        )  # fmt: skip


def _back_from_hold(case: Case) -> Iterable[Observed]:
    """Of the calls that reached a person: how often one spoke again after a hold; the same person or another."""
    for call in case.calls:
        timeline = call.timeline()
        if call.heard is None or timeline is None or timeline.first_person_s is None:
            continue
        spoken = [s.start_s for s in timeline.segments if s.kind is Kind.SPEECH and s.label is Label.AGENT]
        holds = agent_holds(timeline)
        ends = [h.end_s for h in holds]
        until = [*(h.start_s for h in holds[1:]), timeline.duration_s]
        back = sum(any(end <= at < next_s for at in spoken) for end, next_s in zip(ends, until, strict=False))
        yield observed(
            case, float(back), call.heard.at_utc, *_proof(call), contact=call.id, channel=call.channel
        )  # fmt: skip


def _line_answered_share(case: Case) -> Iterable[Observed]:
    for call in case.calls:
        end = call.answered or call.call_ended or call.ended
        if call.dialled is not None and end is not None:
            yield observed(
                case, float(call.answered is not None), end.at_utc, call.dialled, end, contact=call.id,
                channel=call.channel,
            )  # fmt: skip


def _lasted(case: Case) -> Iterable[Observed]:
    for call in case.calls:
        length_s = call.length_s()
        if length_s is not None and call.call_ended is not None:
            yield observed(
                case, length_s, call.call_ended.at_utc, call.call_ended, contact=call.id, channel=call.channel
            )


def _talk(call: Contact) -> float | None:
    timeline = call.timeline()
    return talk_s(timeline) if timeline is not None and timeline.first_person_s is not None else None


def _menu_rounds(call: Contact) -> float | None:
    found = visits(call)
    return float(sum(visit.back_to is not None for visit in found)) if found else None


def _menu_dead_end(call: Contact) -> float | None:
    found = visits(call)
    return float(any(visit.leads is LeadsTo.DEAD_END for visit in found)) if found else None


def _repeats(case: Case) -> Iterable[Observed]:
    """Of the holds with messages: how often the most frequent one was played in it."""
    for call in case.calls:
        timeline = call.timeline()
        if timeline is None or call.heard is None:
            continue
        for hold in timeline.holds:
            played = [
                sum(hold.start_s <= one.start_s < hold.end_s for one in timeline.messages[m].occurrences)
                for m in hold.messages
            ]
            if played:
                at = call.media_at(hold.start_s) or call.heard.at_utc
                yield observed(
                    case, float(max(played)), at, *_proof(call), contact=call.id, channel=call.channel
                )  # fmt: skip


def _announced(case: Case) -> Iterable[Observed]:
    """The actual wait in units of the announced one: until a person, else of the hold; censored where it went on."""
    for event in case.judged:
        what = event.what
        assert isinstance(what, Judged)
        call = case.contacts.get(event.contact or "")
        if what.question != "announced_wait_min" or call is None or call.action is not Action.CALL:
            continue
        timeline = call.timeline()
        try:
            announced_s = float(what.value) * 60
        except ValueError:
            continue
        if timeline is None or announced_s <= 0:
            continue
        said_s = what.t_s if what.t_s is not None else next((h.start_s for h in queue_holds(timeline)), 0.0)
        reached = timeline.first_person_s is not None and timeline.first_person_s >= said_s
        end_s = timeline.first_person_s if reached else timeline.duration_s
        assert end_s is not None
        yield observed(
            case, max(0.0, end_s - said_s) / announced_s, event.at_utc, event, *_proof(call), censored=not reached,
            contact=call.id, origin=Origin.PERSON,
        )  # fmt: skip


_D, _S, _Q = MeasureKind.DURATION, MeasureKind.SHARE, MeasureKind.QUANTITY
_CALL, _HOLD = Per.CALL, Per.HOLD

MEASURES = (
    MeasureSpec("post_dial_delay_s", "post-dial delay", "s", _D, _CALL, None, Good.LOW, _between("dialled", "ringing")),
    MeasureSpec("ring_s", "ringing", "s", _D, _CALL, None, Good.LOW, _between("ringing", "answered")),
    MeasureSpec("time_to_human_s", "time to a person, on the customer's clock", "s", _D, _CALL, 11, Good.LOW,
                _until_human(_dialled)),
    MeasureSpec("queue_to_human_s", "time to a person, on the vendor's clock", "s", _D, _CALL, None, Good.LOW,
                _until_human(Contact.queue_at_utc)),
    MeasureSpec("answered_to_human_s", "time from the answer of the line to a person", "s", _D, _CALL, None, Good.LOW,
                _until_human(_line_answered)),
    MeasureSpec("reached_human", "calls that reached a person", "ratio", _S, _CALL, 11, Good.HIGH, _reached),
    MeasureSpec("identification_gate", "calls with an identification before anybody could be reached", "ratio", _S,
                _CALL, None, Good.LOW, _identification),
    MeasureSpec("identified_again", "identification asked for again", "ratio", _S, _CALL, 1, Good.LOW,
                identified_again),
    MeasureSpec("menu_keys", "menu choices before a person", "choices", _Q, _CALL, None, Good.LOW, _heard(_menu_keys)),
    MeasureSpec("menu_prompt_s", "menu prompts before a person", "s", _Q, _CALL, None, Good.LOW, _heard(_prompt_s)),
    MeasureSpec("hold_s", "hold after a person was reached", "s", _D, _HOLD, 11, Good.LOW, _per_hold(_length)),
    MeasureSpec("hold_ratio", "share of the call spent in queue and on hold", "ratio", _Q, _CALL, 11, Good.LOW,
                _heard(_hold_ratio)),
    MeasureSpec("hold_loudness_lufs", "loudness of hold and queue", "LUFS", _Q, _HOLD, None, Good.NEITHER,
                _per_hold(lambda h: h.loudness_lufs, of_queue=True)),
    MeasureSpec("hold_over_speech_lu", "hold audio louder than the vendor's speech by", "LU", _Q, _HOLD, 11, Good.LOW,
                _per_hold(lambda h: h.speech_relative_lu, of_queue=True)),
    MeasureSpec("hold_loop_s", "period after which the hold audio repeats", "s", _Q, _HOLD, None, Good.HIGH,
                _per_hold(lambda h: h.music_loop_s, of_queue=True)),
    MeasureSpec("hold_loop_times", "times the hold audio was heard over", "times", _Q, _HOLD, 11, Good.LOW,
                _per_hold(lambda h: h.loop_times_heard, of_queue=True)),
    MeasureSpec("vendor_hung_up", "calls that the vendor cut off", "ratio", _S, _CALL, 11, Good.LOW, _vendor_hung_up),
    MeasureSpec("vendor_ended_talk", "calls that the vendor ended during the talk, not judged yet", "ratio", _S, _CALL,
                None, Good.NEITHER, _ended_talk),
    MeasureSpec("dead_line", "calls that went dead, by whom is not known", "ratio", _S, _CALL, None, Good.LOW,
                _dead_line),
    MeasureSpec("gave_up_waiting", "calls that we gave up in queue or on hold", "ratio", _S, _CALL, 11, Good.LOW,
                _gave_up),
    MeasureSpec("transfers", "transfers in a call, at least", "times", _Q, _CALL, 7, Good.LOW, _transfers),
    MeasureSpec("back_from_hold", "times a person spoke again after a hold, the same one or another", "times", _Q,
                _CALL, None, Good.NEITHER, _back_from_hold),
    MeasureSpec("line_answered", "calls that were answered at all, by a machine included", "ratio", _S, _CALL, None,
                Good.HIGH, _line_answered_share),
    MeasureSpec("call_s", "length of a call", "s", _Q, _CALL, None, Good.NEITHER, _lasted),
    MeasureSpec("talk_s", "speech of the vendor's people in a call", "s", _Q, _CALL, None, Good.NEITHER,
                _heard(_talk)),
    MeasureSpec("menu_rounds", "times a menu went back to what it had said", "times", _Q, _CALL, None, Good.LOW,
                _heard(_menu_rounds)),
    MeasureSpec("menu_dead_end", "calls that the vendor ended in its menu", "ratio", _S, _CALL, None, Good.LOW,
                _heard(_menu_dead_end)),
    MeasureSpec("hold_message_repeats", "times the same message was played during one hold", "times", _Q, _HOLD, None,
                Good.LOW, _repeats),
    MeasureSpec("actual_to_announced_wait", "actual wait in units of the announced one", "times", _Q, _CALL, 4,
                Good.LOW, _announced),
)  # fmt: skip
