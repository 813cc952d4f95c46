"""What outlives our process: that a chat was begun, and what the browser needs to find its conversation again."""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from playwright.async_api import Error

from probes.chatting.channel import Channel
from probes.errors import Unavailable
from probes.model import Tools

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext


@dataclass(frozen=True, slots=True)
class Begun:
    """A chat that was begun: written before the first thing that the vendor may notice."""

    at_utc: datetime
    state: str | None


def name_of(channel: Channel, reference: str, script: str) -> str:
    """Return under which name a chat of a case is kept."""
    return "chat-" + hashlib.sha256(json.dumps([channel.url, reference, script]).encode()).hexdigest()[:24]


def begun_since(name: str, since_utc: datetime, tools: Tools) -> Begun | None:
    """Return what is kept of a chat begun since a moment; None: it was not begun."""
    text = tools.sessions.load(name) if tools.sessions is not None else None
    if text is None:
        return None
    try:
        document: dict[str, Any] = json.loads(text)
        at_utc, state = datetime.fromisoformat(document["begun_at_utc"]), document["state"]
    except (KeyError, TypeError, ValueError):
        return None
    return Begun(at_utc, json.dumps(state) if state else None) if at_utc >= since_utc else None


def keep_begun(name: str, at_utc: datetime, tools: Tools) -> None:
    """Write down that a chat begins now.

    Raises:
        Unavailable: it cannot be written; nothing may begin then.
    """
    if tools.sessions is not None:
        tools.sessions.save(name, json.dumps({"begun_at_utc": at_utc.isoformat(), "state": None}))


async def keep_state(name: str, at_utc: datetime, context: BrowserContext, tools: Tools) -> None:
    """Keep what the browser holds of a conversation."""
    if tools.sessions is None:
        return
    with contextlib.suppress(Error, Unavailable):  # without it the conversation is not found again, and that is said
        state = await context.storage_state(indexed_db=True)
        tools.sessions.save(name, json.dumps({"begun_at_utc": at_utc.isoformat(), "state": state}))
