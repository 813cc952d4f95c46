"""The part of a plan that describes a chat, and the stored handle of a chat under way.

`open` says how to come to the chat: cookie banner, launcher, the form before it, as steps on a page. Without it the
launcher is looked for, and a form before the chat is filled with what the persona has. `parts` names what cannot be
found by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Literal
from urllib.parse import urljoin, urlsplit

from probes.chatting.script import ReadStep, all_steps, check_script
from probes.duration import Duration
from probes.model import STRICT
from probes.web.channel import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Where things of the chat are, as CSS selectors (they reach into shadow trees and frames); null: looked for.

    `items` are messages within `log`; `author`, `role`, `time` and `text` parts of one, `drop` what does not belong to
    its text; `ours` marks our own, `notices` what the system says. `queue` is where place and wait are shown besides.
    `launcher` opens the chat, `send` sends (else the Enter key does), `end` and `confirm_end` end the chat politely.
    """

    __pydantic_config__: ClassVar = STRICT
    launcher: str | None = None
    input: str | None = None
    send: str | None = None
    log: str | None = None
    items: str | None = None
    author: str | None = None
    role: str | None = None
    time: str | None = None
    text: str | None = None
    drop: str | None = None
    ours: str | None = None
    notices: str | None = None
    typing: str | None = None
    choices: str | None = None
    queue: str | None = None
    end: str | None = None
    confirm_end: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A chat on a page. `hosts` are further ones that it needs (of a widget in a frame, of its sockets).

    `bots` names authors that are machines though nothing says so, `humans` those that are people. `timeout` is real
    time, for a page and for the chat to appear; `chat_at_most` bounds the whole chat.
    """

    __pydantic_config__: ClassVar = STRICT
    kind: Literal["chat"]
    url: str
    scripts: Mapping[str, tuple[ReadStep, ...]]
    open: tuple[Step, ...] = ()
    parts: Parts = Parts()
    bots: tuple[str, ...] = ()
    humans: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    chat_at_most: Duration = Duration(1800.0)
    timeout: Duration = Duration(30.0)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f'"{self.url}" is no address of a web page; write https://…')
        if parts.username or parts.password:
            raise ValueError("a user name or password has no place in url; give it in open by ${env:NAME}")
        if any(step.submits for step in self.open):
            raise ValueError("open only comes to the chat; nothing in it is marked submits")
        if not 0 < self.chat_at_most.s <= 86400:
            raise ValueError("chat_at_most is the longest that a chat may take; write 1 day or less")
        if not self.scripts:
            raise ValueError("scripts is empty; write at least one, with a name")
        for name, steps in self.scripts.items():
            check_script(name, steps)

    def address(self, path: str) -> str:
        """Return the address that `path` means, seen from the channel's own."""
        return urljoin(self.url, path)

    def texts(self, script: str) -> tuple[str, ...]:
        """Return every text of a script in which names are filled."""
        return tuple(text for step in all_steps(self.scripts[script]) for text in step.texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Handle:
    """All that a look at a chat under way needs, also after a crash.

    `key` names it among the running contacts, `told` is how much of what it saw is stored. `opened_at_utc` is set once
    the vendor may have noticed; `written` is what we said, `seen` the keys of the messages that are stored.
    """

    channel: Channel
    reference: str
    values: Mapping[str, str]
    script: str
    key: str
    started_at_utc: datetime
    ends_by_utc: datetime
    told: int = 0
    opened_at_utc: datetime | None = None
    written: tuple[str, ...] = field(default=())
    seen: tuple[str, ...] = field(default=())
    looked_at_utc: datetime | None = None
