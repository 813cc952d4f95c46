"""Chats: first reply, first person and what it took to reach one, announced and actual wait, dead ends, disclosure."""

from __future__ import annotations

from collections.abc import Iterable

from audit.analysis import phrases
from audit.analysis.case import Case
from audit.analysis.chats import ChatRead, absent_at, read_chat
from audit.analysis.measures.cases import judged, times_said
from audit.analysis.measures.spec import Good, MeasureSpec, Per, observed
from audit.analysis.model.findings import Origin
from audit.analysis.model.measures import MeasureKind, Observed
from audit.model import Event
from probes.errors import Side
from probes.events import ChatEnded, NoticeKind, NoticeSeen


def _chats(case: Case) -> Iterable[ChatRead]:
    return (read_chat(contact, case.messages_of(contact)) for contact in case.chats)


def _wait(case: Case, chat: ChatRead, begun: Event, found: Event | None) -> Iterable[Observed]:
    """Return one wait from an event on, cut off where the chat was watched no longer."""
    last = found.at_utc if found is not None else chat.watched_until
    if last is None or last < begun.at_utc:
        return
    absent_s = (absent_at(found) - begun.at_utc).total_seconds() if found is not None else None
    end = found or chat.ended or chat.contact.ended
    yield observed(
        case, (last - begun.at_utc).total_seconds(), last, *(e for e in (begun, end) if e is not None),
        censored=found is None, contact=chat.contact.id, channel=chat.contact.channel,
        earliest=None if absent_s is None else max(0.0, absent_s),
    )  # fmt: skip


def _first_reply(case: Case) -> Iterable[Observed]:
    """From our first words to anything of theirs, a machine's included."""
    for chat in _chats(case):
        first = next((m.event for m in chat.messages if m.sent), None)
        if first is not None:
            replies = (m.event for m in chat.messages if m.from_vendor and not m.sent and m.at_utc >= first.at_utc)
            yield from _wait(case, chat, first, next(replies, None))


def _first_human(case: Case) -> Iterable[Observed]:
    """From the chat's beginning to the first words of a person."""
    for chat in _chats(case):
        yield from _wait(case, chat, chat.begun, chat.person.event if chat.person else None)


def _turns_to_person(case: Case) -> Iterable[Observed]:
    for chat in _chats(case):
        until = chat.person_at_utc
        turns = sum(m.sent and (until is None or m.at_utc <= until) for m in chat.messages)
        if turns or until is not None:
            end = chat.person_event or chat.ended or chat.contact.ended or chat.contact.started
            yield observed(
                case, float(turns), end.at_utc, chat.contact.started, end, censored=until is None,
                contact=chat.contact.id,
            )  # fmt: skip


def _queue(case: Case) -> Iterable[Observed]:
    for chat in _chats(case):
        if chat.queue:
            after = chat.person_event if chat.person_event and chat.person_at_utc else None
            yield from _wait(case, chat, chat.queue[0], after)


def _announced(case: Case) -> Iterable[Observed]:
    """The actual wait in units of the first announced one, until a person was there; censored where none came."""
    for chat in _chats(case):
        for event in chat.queue:
            what = event.what
            assert isinstance(what, NoticeSeen)
            end = chat.person_at_utc or chat.watched_until
            if not what.announced_wait_s or end is None or end < event.at_utc:
                continue
            # Where our looks were far apart, the doubt is the vendor's: the person may have come right after the first.
            came_at = absent_at(chat.person_event) if chat.person_event is not None else end
            waited_s = max(0.0, (came_at - event.at_utc).total_seconds())
            last = chat.person_event or chat.ended or event
            announced = phrases.length(what.announced_wait_s)
            yield observed(
                case, waited_s / what.announced_wait_s, event.at_utc, event, last,
                censored=chat.person_at_utc is None, contact=chat.contact.id,
                detail=f"{phrases.length(waited_s)} instead of {announced}",
            )  # fmt: skip
            break


def _no_person(case: Case) -> Iterable[Observed]:
    """Of the chats in which we asked for a person: 1 if none came until its end. A machine's reading of who is one."""
    for chat in _chats(case):
        if chat.asked is None or chat.watched_until is None:
            continue
        came = chat.person_at_utc is not None
        where = "" if came or not chat.queue else ", in a queue to the end"
        end = chat.person_event or chat.ended or chat.asked
        yield observed(
            case, 0.0 if came else 1.0, chat.asked.at_utc, chat.asked, end, contact=chat.contact.id,
            origin=Origin.MACHINE, detail=where,
        )  # fmt: skip


def _disclosed(case: Case) -> Iterable[Observed]:
    """Of the chats in which a machine wrote: 1 if its words, its name or the role beside it said that it is one."""
    for chat in _chats(case):
        if chat.machine is None:
            continue
        shown = chat.disclosed or chat.machine
        yield observed(
            case, 1.0 if chat.disclosed else 0.0, shown.at_utc, shown.event, contact=chat.contact.id,
            origin=Origin.MACHINE,
        )  # fmt: skip


def _ended_by_vendor(case: Case) -> Iterable[Observed]:
    for chat in _chats(case):
        if chat.ended is not None and isinstance(chat.ended.what, ChatEnded):
            by_vendor = chat.ended.what.by is Side.VENDOR
            yield observed(case, float(by_vendor), chat.ended.at_utc, chat.ended, contact=chat.contact.id)


def _transfers(case: Case) -> Iterable[Observed]:
    """Of the chats with a person: how often they were passed on from there, by notices or by who wrote. At least."""
    for chat in _chats(case):
        if chat.person_event is None:
            continue
        since = chat.person_event.at_utc  # before that it was a machine that passed the chat on
        moved = [e for e in chat.contact.notices if isinstance(e.what, NoticeSeen) and e.at_utc > since]
        passed = [e for e in moved if isinstance(e.what, NoticeSeen) and e.what.means is NoticeKind.TRANSFERRED]
        wrote = {m.person for m in chat.messages if m.person is not None}
        said = [e for e in judged(case, "transferred") if e.contact == chat.contact.id]
        times = max(len(passed), len(wrote) - 1, times_said(said))
        yield observed(
            case, float(times), chat.person_event.at_utc, *(passed or [chat.person_event]), *said,
            contact=chat.contact.id,
        )  # fmt: skip


_D, _Q, _S, _CHAT = MeasureKind.DURATION, MeasureKind.QUANTITY, MeasureKind.SHARE, Per.CHAT

MEASURES = (
    MeasureSpec("chat_first_reply_s", "time to the first reply in a chat", "s", _D, _CHAT, None, Good.LOW,
                _first_reply),
    MeasureSpec("chat_first_human_s", "time to a person in a chat", "s", _D, _CHAT, 11, Good.LOW, _first_human),
    MeasureSpec("chat_turns_to_human", "our turns in a chat until a person", "turns", _Q, _CHAT, 11, Good.LOW,
                _turns_to_person),
    MeasureSpec("chat_queue_s", "wait in the queue of a chat", "s", _D, _CHAT, None, Good.LOW, _queue),
    MeasureSpec("chat_actual_to_announced_wait", "actual wait in a chat to the announced one", "times", _Q, _CHAT, 4,
                Good.LOW, _announced),
    MeasureSpec("chat_no_person", "chats in which a person was asked for and none came", "ratio", _S, _CHAT, 11,
                Good.LOW, _no_person),
    MeasureSpec("chat_transfers", "transfers in a chat, at least", "times", _Q, _CHAT, 7, Good.LOW, _transfers),
    MeasureSpec("chat_bot_disclosed", "chats in which a machine said that it is one", "ratio", _S, _CHAT, None,
                Good.HIGH, _disclosed),
    MeasureSpec("chat_ended_by_vendor", "chats that the vendor ended", "ratio", _S, _CHAT, None, Good.NEITHER,
                _ended_by_vendor),
)  # fmt: skip
