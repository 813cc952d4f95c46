"""A chat read: who of its authors is a machine, when a person came, what wait was announced; and told in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from audit.analysis import phrases
from audit.analysis.reading import MessageKind
from audit.model import Event
from probes.chatting.people import is_machine
from probes.errors import Side
from probes.events import ChatEnded, MessageSeen, MessageSent, NoticeKind, NoticeSeen

if TYPE_CHECKING:
    from audit.analysis.case import Contact, Message

MARKUP = "markup:"  # a role that only the page's source names, and no visitor sees
_OPEN_TO_BOTH = (MessageKind.ANSWER, MessageKind.UNSURE, MessageKind.RECEIPT)


@dataclass(frozen=True, slots=True)
class ChatRead:
    """What is known of one chat. Moments are the events'; None: it was not seen.

    `begun`: it was opened, or our first words where no opening is recorded. `asked`: we asked for a person.
    """

    contact: Contact
    begun: Event
    messages: Sequence[Message]
    machine: Message | None
    disclosed: Message | None
    joined: Event | None
    person: Message | None
    asked: Event | None
    queue: Sequence[Event]
    ended: Event | None
    watched_until: datetime | None

    @property
    def person_at_utc(self) -> datetime | None:
        """When a person was there: by a notice, or by the first words."""
        moments = [event.at_utc for event in (self.joined, self.person.event if self.person else None) if event]
        return min(moments, default=None)

    @property
    def person_event(self) -> Event | None:
        """The event by which a person was there."""
        events = [event for event in (self.joined, self.person.event if self.person else None) if event]
        return min(events, key=lambda event: event.at_utc, default=None)


def read_chat(contact: Contact, messages: Sequence[Message]) -> ChatRead:
    """Read one chat; what its messages are has been settled (`settle_chat`)."""
    theirs = [message for message in messages if not message.sent]
    machine = next((m for m in theirs if m.reading.kind in (MessageKind.MACHINE, MessageKind.RECEIPT)), None)
    sent = [message for message in messages if message.sent]
    ends = contact.chat_ended or contact.ended
    return ChatRead(
        contact=contact,
        begun=contact.chat_opened or next((m.event for m in sent), contact.started),
        messages=messages,
        machine=machine,
        disclosed=next((m for m in theirs if _says_machine(m)), None),
        joined=next((event for event in _notices(contact, NoticeKind.JOINED) if not _names_machine(event)), None),
        person=next((m for m in theirs if m.is_answer), None),
        asked=next((m.event for m in sent if _purpose(m) == "human"), None),
        queue=_notices(contact, NoticeKind.QUEUE),
        ended=contact.chat_ended,
        watched_until=ends.at_utc if ends is not None else None,
    )


def settle_chat(contact: Contact, messages: Sequence[Message]) -> None:
    """Say of each message in a chat whether a person wrote it, by what the whole chat says of its author.

    A machine by name, role or its own words is one in all that it writes; who joined by notice is a person. Words
    decide where nothing is known of an author.
    """
    persons = {
        event.what.name.casefold()
        for event in _notices(contact, NoticeKind.JOINED)
        if isinstance(event.what, NoticeSeen) and event.what.name and not _names_machine(event)
    }
    machines = {
        (message.author or "").casefold()
        for message in messages
        if not message.sent and message.reading.kind is MessageKind.MACHINE and message.author
    } - persons
    for message in messages:
        what = message.event.what
        if message.sent or not isinstance(what, MessageSeen) or message.reading.kind not in _OPEN_TO_BOTH:
            continue
        author = (message.author or "").casefold()
        called = is_machine(message.author, what.author_role)
        if author in persons and called is not True:
            message.reading = replace(message.reading, kind=MessageKind.ANSWER)
        elif called is True or author in machines:
            message.reading = replace(message.reading, kind=MessageKind.MACHINE)


def tell_chat(chat: ChatRead) -> Iterable[tuple[datetime, str, tuple[Event, ...]]]:
    """Yield moment, sentence and events of what befell a chat besides its messages."""
    contact = chat.contact
    if contact.chat_opened is not None:
        yield contact.chat_opened.at_utc, f"We opened a chat ({contact.channel}).", (contact.chat_opened,)
    for event in chat.queue:
        if (told := _told_of_queue(event)) is not None:
            yield event.at_utc, told, (event,)
    for event in _notices(contact, NoticeKind.TRANSFERRED):
        yield event.at_utc, f"The chat was passed on: {_quoted(event)}.", (event,)
    if chat.joined is not None:
        since_s = (chat.joined.at_utc - chat.begun.at_utc).total_seconds()
        yield (
            chat.joined.at_utc,
            f"A person came into the chat {phrases.length(since_s)} after its beginning.",
            (chat.joined,),
        )
    if chat.ended is not None:
        yield chat.ended.at_utc, _told_of_end(chat), (chat.ended,)


def absent_at(event: Event) -> datetime:
    """Return our last look that did not show what an event says; the event's own moment where none is known."""
    what = event.what
    looked = what.absent_at_utc if isinstance(what, MessageSeen | NoticeSeen) else None
    return looked if looked is not None else event.at_utc


def _told_of_queue(event: Event) -> str | None:
    what = event.what
    assert isinstance(what, NoticeSeen)
    said = []
    if what.position is not None:
        said.append(f"place {what.position} in the queue")
    if what.announced_wait_s is not None:
        said.append(f"a wait of {phrases.length(what.announced_wait_s)}")
    return f"The chat announced {phrases.listed(said)}." if said else None


def _told_of_end(chat: ChatRead) -> str:
    assert chat.ended is not None
    what = chat.ended.what
    assert isinstance(what, ChatEnded)
    lasted = phrases.length((chat.ended.at_utc - chat.begun.at_utc).total_seconds())
    nobody = ", without a person having come" if chat.person_at_utc is None else ""
    reasons = "; ".join(what.reasons)
    if what.by is Side.OURS:
        return f"We ended the chat after {lasted}{nobody} ({reasons})."
    if what.by is Side.VENDOR:
        return f"The vendor ended the chat after {lasted}{nobody} ({reasons})."
    return f"The chat ended after {lasted}{nobody}; by whom is not known ({reasons})."


def _says_machine(message: Message) -> bool:
    """Whether a visitor could see that a machine writes: by its words, its name, or the role beside it."""
    what = message.event.what
    if not isinstance(what, MessageSeen):
        return False
    role = what.author_role
    visible = None if role is None or role.startswith(MARKUP) else role
    quote = message.reading.quote
    by_words = message.reading.kind in (MessageKind.MACHINE, MessageKind.UNSURE)
    its_own = by_words and quote in " ".join(message.text.split())
    return (its_own and is_machine(quote, None) is True) or is_machine(message.author, visible) is True


def _names_machine(event: Event) -> bool:
    return isinstance(event.what, NoticeSeen) and is_machine(event.what.name, None) is True


def _notices(contact: Contact, kind: NoticeKind) -> list[Event]:
    return [event for event in contact.notices if isinstance(event.what, NoticeSeen) and event.what.means is kind]


def _purpose(message: Message) -> str:
    what = message.event.what
    return what.purpose if isinstance(what, MessageSent) else ""


def _quoted(event: Event) -> str:
    assert isinstance(event.what, NoticeSeen)
    return phrases.quote(event.what.text)
