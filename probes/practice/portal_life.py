"""How a practice help desk lives: `characters/<name>/portal.yaml`, and the tickets that live by it.

A character lists what happens `opened`, `replied` and `reopened` after: each thing with its delay, counted from the
opening, the customer's message, the re-opening. Delays may be a range, drawn per ticket from the character's seed.
Everything happens by the clock, at its moment, whether or not anybody looks.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Protocol
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from probes.clock import Clock
from probes.errors import UserError
from probes.events import TicketState
from probes.model import STRICT
from probes.practice.character import Span

_AN_HOUR = Span(3600.0, 3600.0)


class By(StrEnum):
    """Who writes in a ticket."""

    MACHINE = "machine"
    AGENT = "agent"
    CUSTOMER = "customer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One thing that the desk does after a while: write, change the status, hand the ticket over.

    `means` says for the truth file what a message is (receipt, asks_again, update, answer, solution, …). With
    `until_reply` it does not happen any more once the customer wrote. Nothing happens to a closed ticket.
    """

    __pydantic_config__: ClassVar = STRICT
    after: Span
    by: By = By.AGENT
    author: str | None = None
    text: str | None = None
    status: str | None = None
    assign: str | None = None
    means: tuple[str, ...] = ()
    until_reply: bool = False

    def __post_init__(self) -> None:
        if self.text is None and self.status is None and self.assign is None:
            raise ValueError("nothing happens here; give it text, status or assign")
        if (self.text is None) != (self.author is None):
            raise ValueError("a text has an author, and an author a text")
        if self.by is By.CUSTOMER:
            raise ValueError("the customer writes for himself")


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """The one account that may see the portal, and for how long a login lasts."""

    __pydantic_config__: ClassVar = STRICT
    user: str
    password: str
    lasts: Span = _AN_HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalCharacter:
    """A help desk as data. `statuses` says of each status what it means; the first one is a new ticket's."""

    __pydantic_config__: ClassVar = STRICT
    company: str
    desk: str
    time_zone: str
    statuses: Mapping[str, TicketState]
    seed: int
    promise: str = ""
    time_format: str = "%d %b %Y, %H:%M"
    prefix: str = "T"
    first_number: int = 1001
    topics: tuple[str, ...] = ("General question",)
    team: str = "Service desk"
    reopened_status: str | None = None
    closed_status: str | None = None
    opened: tuple[Happening, ...] = ()
    replied: tuple[Happening, ...] = ()
    reopened: tuple[Happening, ...] = ()
    login: Login | None = None

    def __post_init__(self) -> None:
        named = [each.status for each in (*self.opened, *self.replied, *self.reopened)]
        for status in (*named, self.reopened_status, self.closed_status):
            if status is not None and status not in self.statuses:
                raise ValueError(f'"{status}" is none of the statuses: {", ".join(self.statuses)}')
        if not self.statuses:
            raise ValueError("a desk has at least one status")


def read_portal(path: Path) -> PortalCharacter:
    """Read a portal.yaml.

    Raises:
        UserError: the file cannot be read, or says what a portal cannot do; all faults at once.
    """
    try:
        document = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeError, YAMLError) as exc:
        raise UserError(f"cannot read the portal of a character: {exc}", at=str(path)) from exc
    try:
        return TypeAdapter(PortalCharacter).validate_python(document)
    except ValidationError as exc:
        faults = [f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in exc.errors()]
        raise UserError("this portal cannot be played: " + "; ".join(faults), at=str(path)) from exc


class TruthWriter(Protocol):
    """Where the desk says what it really did."""

    def write(self, kind: str, at_utc: datetime, **facts: Any) -> None:
        """Append one fact with its moment in audit time."""
        ...


@dataclass(frozen=True, slots=True)
class Message:
    """One message in a ticket."""

    at_utc: datetime
    by: By
    author: str
    text: str


@dataclass(slots=True)
class Ticket:
    """A ticket as the desk holds it."""

    number: str
    key: str
    opened_at_utc: datetime
    subject: str
    topic: str
    name: str
    email: str
    status: str
    team: str
    draws: random.Random
    messages: list[Message] = field(default_factory=list)
    pending: list[tuple[datetime, Happening]] = field(default_factory=list)


class Desk:
    """All tickets of one practice help desk."""

    def __init__(self, character: PortalCharacter, clock: Clock, truth: TruthWriter) -> None:
        self.character, self.clock, self._truth = character, clock, truth
        self._zone = ZoneInfo(character.time_zone)
        self.tickets: dict[str, Ticket] = {}

    def open(self, *, subject: str, text: str, topic: str, name: str, email: str) -> Ticket:
        """Take a new ticket; what the character does about it begins now."""
        now = self.clock.now_utc()
        count = len(self.tickets)
        number = f"{self.character.prefix}-{self.character.first_number + count}"
        ticket = Ticket(
            number=number,
            key=secrets.token_hex(8),
            opened_at_utc=now,
            subject=subject,
            topic=topic,
            name=name,
            email=email,
            status=next(iter(self.character.statuses)),
            team=self.character.team,
            draws=random.Random(f"{self.character.seed} {count}"),  # noqa: S311
        )
        self.tickets[number] = ticket
        facts = {"ticket": number, "subject": subject, "email": email, "text": text, "topic": topic}
        self._truth.write("portal_ticket_opened", now, **facts)
        self._write(ticket, now, By.CUSTOMER, name, text, ())
        self._truth.write("portal_status", now, ticket=number, status=ticket.status, was=None)
        self._plan(ticket, now, self.character.opened)
        return ticket

    def reply(self, ticket: Ticket, text: str) -> None:
        """Take a message of the customer; one on a ticket that was resolved or closed opens it again."""
        self.play()
        now = self.clock.now_utc()
        ticket.pending = [(due, each) for due, each in ticket.pending if not each.until_reply]
        self._write(ticket, now, By.CUSTOMER, ticket.name, text, ())
        if self._state(ticket) in (TicketState.RESOLVED, TicketState.CLOSED):
            self._truth.write("portal_reopened", now, ticket=ticket.number)
            self._set_status(ticket, now, self.character.reopened_status or next(iter(self.character.statuses)))
            ticket.pending = []
            self._plan(ticket, now, self.character.reopened)
        else:
            self._plan(ticket, now, self.character.replied)

    def close(self, ticket: Ticket) -> None:
        """Close a ticket because the customer says so."""
        self.play()
        now = self.clock.now_utc()
        closed = next((name for name, state in self.character.statuses.items() if state is TicketState.CLOSED), None)
        self._truth.write("portal_closed_by_customer", now, ticket=ticket.number)
        self._set_status(ticket, now, self.character.closed_status or closed or ticket.status)

    def find(self, email: str, words: str) -> list[Ticket]:
        """Return the tickets of a customer that contain some words, newest first; nothing for no words."""
        wanted = words.casefold().strip()
        return [
            ticket
            for ticket in reversed(self.tickets.values())
            if wanted
            and ticket.email.casefold() == email.casefold().strip()
            and any(wanted in text.casefold() for text in (ticket.number, ticket.subject, self._first_text(ticket)))
        ]

    def _first_text(self, ticket: Ticket) -> str:
        return ticket.messages[0].text

    def play(self) -> None:
        """Let everything happen that is due by now, each at its own moment."""
        now = self.clock.now_utc()
        for ticket in self.tickets.values():
            while ticket.pending and ticket.pending[0][0] <= now:
                due, happening = ticket.pending.pop(0)
                if self._state(ticket) is not TicketState.CLOSED:
                    self._happen(ticket, due, happening)

    def shown_time(self, at_utc: datetime) -> str:
        """Return a moment as the desk's pages show it: in the vendor's time zone, which is not named."""
        return at_utc.astimezone(self._zone).strftime(self.character.time_format)

    def state_word(self, ticket: Ticket) -> str:
        """Return a word for the style of a ticket's status."""
        return self._state(ticket).value

    def _state(self, ticket: Ticket) -> TicketState:
        return self.character.statuses[ticket.status]

    def _plan(self, ticket: Ticket, from_utc: datetime, happenings: tuple[Happening, ...]) -> None:
        for happening in happenings:
            after_s = ticket.draws.uniform(happening.after.least_s, happening.after.most_s)
            due = from_utc + timedelta(seconds=after_s)
            ticket.pending.append((due, happening))
            # The truth file tells of things when they happen, so the desk wakes for them by itself.
            delay_s = self.clock.real_delay_s(after_s) + 0.001
            asyncio.get_running_loop().call_later(delay_s, self.play)
        ticket.pending.sort(key=lambda each: each[0])
        self.play()

    def _happen(self, ticket: Ticket, at_utc: datetime, happening: Happening) -> None:
        if happening.assign is not None and happening.assign != ticket.team:
            facts = {"ticket": ticket.number, "to": happening.assign, "was": ticket.team}
            self._truth.write("portal_handed_over", at_utc, **facts)
            ticket.team = happening.assign
        if happening.text is not None and happening.author is not None:
            text = happening.text.format(ticket=ticket.number, subject=ticket.subject, name=ticket.name).strip()
            self._write(ticket, at_utc, happening.by, happening.author, text, happening.means)
        if happening.status is not None:
            self._set_status(ticket, at_utc, happening.status)

    def _write(self, ticket: Ticket, at_utc: datetime, by: By, author: str, text: str, means: tuple[str, ...]) -> None:
        ticket.messages.append(Message(at_utc, by, author, text))
        facts: dict[str, Any] = {"ticket": ticket.number, "by": by.value, "author": author, "text": text}
        self._truth.write("portal_message", at_utc, **facts, means=list(means))

    def _set_status(self, ticket: Ticket, at_utc: datetime, status: str) -> None:
        if status != ticket.status:
            facts = {"ticket": ticket.number, "status": status, "was": ticket.status}
            self._truth.write("portal_status", at_utc, **facts, state=self.character.statuses[status].value)
            ticket.status = status
