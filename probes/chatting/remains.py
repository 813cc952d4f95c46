"""After a crash: is the conversation still there? The page is opened as the browser was, and nothing is pressed."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass

from probes.chatting.channel import Handle
from probes.chatting.contact import chat_session, texts_for
from probes.chatting.keeping import Begun
from probes.chatting.page import ChatPage
from probes.chatting.transcript import plain, says
from probes.chatting.watching import Watch
from probes.events import MessageSeen
from probes.model import Sighting, Tools
from probes.running import RunningContact

_SHOWS_WITHIN_S = 8.0  # real


@dataclass(frozen=True, slots=True)
class Remains:
    """What is left of a chat: whether its conversation was found, how that is known, and what was seen."""

    is_there: bool
    how: str
    sightings: tuple[Sighting, ...] = ()

    def sightings_without(self, known: Counter[str]) -> tuple[Sighting, ...]:
        """Return what was seen without the messages that are stored already, known by the digests in their keys."""
        left, kept = Counter(known), []
        for sighting in self.sightings:
            if isinstance(sighting.what, MessageSeen):
                digest = sighting.what.message_key.rpartition("-")[2]
                if left[digest] > 0:
                    left[digest] -= 1
                    continue
            kept.append(sighting)
        return tuple(kept)


async def look_for_conversation(handle: Handle, begun: Begun | None, tools: Tools) -> Remains:
    """Open the page as the browser was, and look whether our words still stand there."""
    if begun is None or begun.state is None:
        return Remains(False, "nothing was kept by which its conversation could be found")
    texts = texts_for(handle, tools)
    contact = RunningContact(handle.key, handle=handle)
    found = Remains(False, "its conversation is not shown any more")

    async def work() -> None:
        nonlocal found
        await session.goto(texts.address(handle.channel.url), "look goto")
        page = ChatPage(session.page, handle.channel.parts)
        watch = Watch(session, page, handle.channel, contact)
        for text in handle.written:
            watch.transcript.we_said(text, tools.clock.now_utc())
        until_s = time.monotonic() + _SHOWS_WITHIN_S
        while time.monotonic() < until_s and not _ours(watch, handle):
            await watch.look()
            await asyncio.sleep(0.1)
        await watch.keep("look")
        there = _ours(watch, handle)
        if there:
            watch.close()
            found = Remains(True, "its conversation is still there")

    async with chat_session(handle.channel, texts, tools, begun.state) as (session, _):
        failure = await session.attempt(work(), "look", at_most_s=60.0)
    if failure is not None:
        return Remains(False, f"looking for its conversation failed: {failure.text}", tuple(contact.sightings))
    return Remains(found.is_there, found.how, tuple(contact.sightings))


def _ours(watch: Watch, handle: Handle) -> bool:
    """Whether any message shown is one that we wrote; without words of ours, whether there is any message."""
    lines = watch.transcript.lines
    if not handle.written:
        return bool(lines)
    return any(says(plain(line.item.text), plain(text)) for line in lines for text in handle.written)
