"""Chats: first reply, first person, turns until then."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from audit.analysis.facts import Case, Contact, Message
from audit.analysis.measures.spec import Good, MeasureSpec, Per, observed
from audit.analysis.model import MeasureKind, Observed
from audit.model import Event

_MACHINE = re.compile(r"\b(bot|chatbot|virtual|assistant|automat\w*|system|ai)\b", re.IGNORECASE)


def _is_person(message: Message) -> bool:
    return message.is_answer and not _MACHINE.search(message.author or "")


def _chats(case: Case) -> Iterator[tuple[Contact, Event, list[Message], datetime | None]]:
    """Yield each chat with the event of our first words, its messages, and the moment until which we watched it."""
    for contact in case.chats:
        messages = [m for m in case.messages if m.contact == contact.id]
        first = next((m.event for m in messages if m.sent), contact.started)
        yield contact, first, messages, contact.ended.at_utc if contact.ended else None


def _until(wanted: Callable[[Message], bool]) -> Callable[[Case], Iterable[Observed]]:
    def observe(case: Case) -> Iterable[Observed]:
        for contact, asked, messages, until in _chats(case):
            found = next((m for m in messages if not m.sent and m.at_utc >= asked.at_utc and wanted(m)), None)
            last = found.at_utc if found else until
            if last is None or last < asked.at_utc:
                continue
            end = found.event if found else contact.ended
            yield observed(
                case, (last - asked.at_utc).total_seconds(), last, *(e for e in (asked, end) if e is not None),
                censored=found is None, contact=contact.id, channel=contact.channel,
            )  # fmt: skip

    return observe


def _turns_to_person(case: Case) -> Iterable[Observed]:
    for contact, _, messages, _ in _chats(case):
        turns, found = 0, None
        for message in messages:
            turns += message.sent
            if not message.sent and _is_person(message):
                found = message
                break
        if turns:
            end = found.event if found else (contact.ended or contact.started)
            yield observed(
                case, float(turns), end.at_utc, contact.started, end, censored=found is None, contact=contact.id
            )


_D, _Q = MeasureKind.DURATION, MeasureKind.QUANTITY

MEASURES = (
    MeasureSpec("chat_first_reply_s", "time to the first reply in a chat", "s", _D, Per.CHAT, None, Good.LOW,
                _until(lambda m: m.from_vendor)),
    MeasureSpec("chat_first_human_s", "time to a person in a chat", "s", _D, Per.CHAT, 11, Good.LOW,
                _until(_is_person)),
    MeasureSpec("chat_turns_to_human", "our turns in a chat until a person", "turns", _Q, Per.CHAT, 11, Good.LOW,
                _turns_to_person),
)  # fmt: skip
