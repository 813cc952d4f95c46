"""How a practice chat lives: `characters/<name>/chat.yaml`, and the conversations that live by it.

A conversation is played part by part, by the clock, from the moment that the visitor comes in; `begin` is the first
part. Lengths may be a range, drawn per conversation from the character's seed.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from pydantic import TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from probes.clock import Clock
from probes.errors import UserError
from probes.model import STRICT
from probes.practice.character import Span
from probes.practice.portal_life import TruthWriter

_AT_ONCE = Span(0.0, 0.0)
_MOST_PARTS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """A line, after the author has been seen typing for a while. `bot`: a machine says it."""

    __pydantic_config__: ClassVar = STRICT
    text: str
    author: str
    role: str | None = None
    bot: bool = False
    after: Span = _AT_ONCE
    typing: Span = _AT_ONCE
    means: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A wait for a person: the place falls from `position` to 1 as the time goes by, and each place is announced.

    `{position}` and `{minutes}` in `says` are the place and the announced wait, which is `announced` and need not be
    true.
    """

    __pydantic_config__: ClassVar = STRICT
    wait: Span
    position: int = 1
    announced: Span | None = None
    says: str = "You are number {position} in the queue."


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """Wait for the visitor's words: the first pattern that fits says with which part it goes on.

    Nothing said for `wait`: `otherwise`. Words that fit nothing: `unknown`, else listen on. Without patterns any words
    lead to the next step.
    """

    __pydantic_config__: ClassVar = STRICT
    answers: Mapping[str, str] = field(default_factory=dict)
    unknown: str | None = None
    wait: Span | None = None
    otherwise: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: exactly one of these. `close` gives who ends the conversation, as the notice says it."""

    __pydantic_config__: ClassVar = STRICT
    say: Say | None = None
    notice: str | None = None
    offer: tuple[str, ...] | None = None
    queue: Queue | None = None
    join: str | None = None
    listen: Listen | None = None
    pause: Span | None = None
    go: str | None = None
    close: str | None = None

    def __post_init__(self) -> None:
        named = [each.name for each in fields(self) if getattr(self, each.name) is not None]
        if len(named) != 1:
            raise ValueError(f"a step does exactly one thing, not {len(named)}: {', '.join(named) or 'nothing'}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatCharacter:
    """A chat as data. `asks` are the fields of the form before it: name, email, topic."""

    __pydantic_config__: ClassVar = STRICT
    company: str
    title: str
    seed: int
    parts: Mapping[str, tuple[Step, ...]]
    asks: tuple[str, ...] = ()
    topics: tuple[str, ...] = ("General question",)

    def __post_init__(self) -> None:
        goals = ["begin"]
        for step in (step for steps in self.parts.values() for step in steps):
            goals += [step.go] if step.go else []
            if step.listen is not None:
                goals += [*step.listen.answers.values()]
                goals += [goal for goal in (step.listen.unknown, step.listen.otherwise) if goal]
        if unknown := sorted(set(goals) - set(self.parts)):
            raise ValueError(f"no part is called {', '.join(unknown)}; there are: {', '.join(sorted(self.parts))}")


def read_chat(path: Path) -> ChatCharacter:
    """Read a chat.yaml.

    Raises:
        UserError: the file cannot be read, or says what a chat cannot do; all faults at once.
    """
    try:
        document = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeError, YAMLError) as exc:
        raise UserError(f"cannot read the chat of a character: {exc}", at=str(path)) from exc
    try:
        return TypeAdapter(ChatCharacter).validate_python(document)
    except ValidationError as exc:
        faults = [f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in exc.errors()]
        raise UserError("this chat cannot be played: " + "; ".join(faults), at=str(path)) from exc


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the list, as the page gets it."""

    kind: str  # message or notice
    text: str
    author: str = ""
    role: str = ""
    side: str = ""


@dataclass(slots=True)
class Conversation:
    """A conversation as the desk holds it; `version` rises with every change, and `changed` is told of it."""

    key: str
    number: str
    given: dict[str, str]
    draws: random.Random
    entries: list[Entry] = field(default_factory=list)
    typing: str = ""
    offers: tuple[str, ...] = ()
    queue: str = ""
    closed: bool = False
    version: int = 0
    heard: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    def touch(self) -> None:
        """Say that something changed."""
        self.version += 1
        self.changed.set()
        self.changed = asyncio.Event()

    def to_json(self) -> dict[str, Any]:
        """Return what the page shows."""
        return {
            "version": self.version,
            "entries": [[each.kind, each.side, each.author, each.role, each.text] for each in self.entries],
            "typing": self.typing,
            "offers": self.offers,
            "queue": self.queue,
            "closed": self.closed,
        }


class _Over(Exception):
    """The conversation has come to its end."""


class ChatDesk:
    """All conversations of one practice chat."""

    def __init__(self, character: ChatCharacter, clock: Clock, truth: TruthWriter) -> None:
        self.character, self.clock, self._truth = character, clock, truth
        self.conversations: dict[str, Conversation] = {}

    def open(self, given: dict[str, str]) -> Conversation:
        """Take in a visitor; the character begins now."""
        count = len(self.conversations) + 1
        conversation = Conversation(
            key=secrets.token_hex(12),
            number=f"C-{count}",
            given=given,
            draws=random.Random(f"{self.character.seed} {count}"),  # noqa: S311
        )
        self.conversations[conversation.key] = conversation
        self._write(conversation, "chat_opened", name=given.get("name", ""), email=given.get("email", ""))
        conversation.task = asyncio.get_running_loop().create_task(self._play(conversation))
        return conversation

    def hear(self, conversation: Conversation, text: str) -> None:
        """Take the visitor's words."""
        if conversation.closed or not text:
            return
        self._write(conversation, "chat_heard", text=text)
        conversation.entries.append(Entry("message", text, "You", "", "visitor"))
        conversation.offers = ()
        conversation.touch()
        conversation.heard.put_nowait(text)

    def leave(self, conversation: Conversation) -> None:
        """End a conversation because the visitor says so."""
        if not conversation.closed:
            self._close(conversation, "You", "visitor")
            if conversation.task is not None:
                conversation.task.cancel()

    async def close(self) -> None:
        """End everything, because the vendor ends."""
        for conversation in self.conversations.values():
            conversation.closed = True
            conversation.touch()  # pages that wait for news get an answer
        tasks = [each.task for each in self.conversations.values() if each.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _play(self, conversation: Conversation) -> None:
        part: str | None = "begin"
        with contextlib.suppress(_Over):
            for _ in range(_MOST_PARTS):
                if part is None:
                    return
                part = await self._part(conversation, self.character.parts[part])

    async def _part(self, conversation: Conversation, steps: tuple[Step, ...]) -> str | None:
        """Play a part; return the next one's name."""
        for step in steps:
            if step.go is not None:
                return step.go
            if step.listen is not None:
                heard = await self._listen(conversation, step.listen)
                if heard is not None:
                    return heard
                continue
            await self._step(conversation, step)
        return None

    async def _step(self, conversation: Conversation, step: Step) -> None:
        if step.say is not None:
            await self._say(conversation, step.say)
        elif step.notice is not None:
            self._notice(conversation, step.notice)
        elif step.offer is not None:
            conversation.offers = step.offer
            conversation.touch()
        elif step.queue is not None:
            await self._queue(conversation, step.queue)
        elif step.join is not None:
            self._write(conversation, "chat_joined", author=step.join)
            self._notice(conversation, f"{step.join} has joined the chat")
        elif step.pause is not None:
            await self._wait(conversation, step.pause)
        elif step.close is not None:
            self._close(conversation, step.close, "vendor")
            raise _Over

    async def _say(self, conversation: Conversation, say: Say) -> None:
        await self._wait(conversation, say.after)
        if say.typing.most_s > 0:
            conversation.typing = say.author
            conversation.touch()
            await self._wait(conversation, say.typing)
        conversation.typing = ""
        given = conversation.given
        text = say.text.format(name=given.get("name") or "there", topic=given.get("topic", "")).strip()
        facts = {"by": "bot" if say.bot else "agent", "author": say.author, "text": text, "means": list(say.means)}
        self._write(conversation, "chat_message", **facts)
        side = "bot" if say.bot else "agent"
        conversation.entries.append(Entry("message", text, say.author, say.role or "", side))
        conversation.touch()

    async def _queue(self, conversation: Conversation, queue: Queue) -> None:
        whole_s = self._drawn(conversation, queue.wait)
        announced_s = self._drawn(conversation, queue.announced) if queue.announced else None
        for position in range(queue.position, 0, -1):
            left_ratio = position / queue.position
            minutes = "" if announced_s is None else str(max(1, round(announced_s * left_ratio / 60)))
            conversation.queue = queue.says.format(position=position, minutes=minutes)
            facts = {"position": position, "announced_s": float(minutes) * 60 if minutes else None}
            self._write(conversation, "chat_queue", text=conversation.queue, **facts)
            conversation.touch()
            await self.clock.sleep(whole_s / queue.position)
        conversation.queue = ""
        conversation.touch()

    async def _listen(self, conversation: Conversation, listen: Listen) -> str | None:
        while True:
            try:
                if listen.wait is None:
                    text = await conversation.heard.get()
                else:
                    delay_s = self.clock.real_delay_s(self._drawn(conversation, listen.wait))
                    text = await asyncio.wait_for(conversation.heard.get(), delay_s)
            except TimeoutError:
                return listen.otherwise
            if not listen.answers and listen.unknown is None:
                return None
            for pattern, part in listen.answers.items():
                if re.search(pattern, text, re.IGNORECASE):
                    return part
            if listen.unknown is not None:
                return listen.unknown

    def _notice(self, conversation: Conversation, text: str) -> None:
        self._write(conversation, "chat_notice", text=text)
        conversation.entries.append(Entry("notice", text))
        conversation.touch()

    def _close(self, conversation: Conversation, who: str, by: str) -> None:
        self._write(conversation, "chat_closed", by=by, who=who)
        conversation.entries.append(Entry("notice", f"{who} {'have' if by == 'visitor' else 'has'} ended the chat"))
        conversation.closed, conversation.typing, conversation.offers, conversation.queue = True, "", (), ""
        conversation.touch()

    def _drawn(self, conversation: Conversation, span: Span) -> float:
        return conversation.draws.uniform(span.least_s, span.most_s)

    async def _wait(self, conversation: Conversation, span: Span) -> None:
        if span.most_s > 0:
            await self.clock.sleep(self._drawn(conversation, span))

    def _write(self, conversation: Conversation, kind: str, **facts: Any) -> None:
        at_utc: datetime = self.clock.now_utc()
        self._truth.write(kind, at_utc, chat=conversation.number, **facts)
