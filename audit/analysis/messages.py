"""What messages were read to be, for whoever checks a machine's reading; and which of them wait for a person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from audit.analysis.case import Case
from audit.analysis.measures.spec import evidence_numbers
from audit.analysis.model.findings import MessageRead
from audit.analysis.reading import plain, read_message
from audit.model import Event
from probes.events import MessageSeen, MessageSent, TicketSubmitted


def messages_read(cases: Iterable[Case]) -> Iterator[MessageRead]:
    """Yield every message of the vendor's side with its reading, in the order of cases and of coming."""
    for case in cases:
        for message in case.messages:
            if message.sent:
                continue
            reading = message.reading
            yield MessageRead(
                case.id,
                message.key,
                message.at_utc,
                message.text,
                reading.kind.value,
                reading.quote,
                round(reading.confidence, 2),
                reading.waits_for_a_person,
                tuple([(cue.kind.value, cue.quote, cue.confidence) for cue in reading.cues]),
                evidence_numbers(message.event),
            )


def waiting_messages(events: Iterable[Event]) -> int:
    """Return how many messages of an audit wait for a person's look."""
    ours: dict[str | None, list[str]] = {}
    seen: set[tuple[str | None, str]] = set()
    waiting = 0
    for event in events:
        what = event.what
        if isinstance(what, TicketSubmitted | MessageSent):
            ours.setdefault(event.case, []).append(plain(what.text))
        elif isinstance(what, MessageSeen) and (event.case, what.message_key) not in seen:
            seen.add((event.case, what.message_key))
            waiting += read_message(what, ours.get(event.case, ())).waits_for_a_person
    return waiting
