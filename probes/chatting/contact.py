"""One chat from the page to its end, in the process that began it: opened, held by its script, watched all the time.

Runs as a contact's work (`probes.running`). The vendor may notice from the first click on that leads to the chat; that
it comes is written down before.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from playwright.async_api import Error

from probes.browser import Bounds, origin_name
from probes.chatting.channel import Channel, Handle
from probes.chatting.hand import Hand
from probes.chatting.keeping import keep_begun, keep_state, name_of
from probes.chatting.opening import Opening
from probes.chatting.page import ChatPage, open_trees
from probes.chatting.script_run import ScriptRun
from probes.chatting.watching import Watch
from probes.errors import Failure, FailureKind, Side
from probes.events import ChatOpened, ContactOutcome, MessageSent
from probes.model import Seen, Tools
from probes.web.failures import failed
from probes.web.session import Session
from probes.web.texts import Texts, templates_of
from probes.web.traffic import Traffic
from probes.web.walls import wall_on

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext

    from probes.running import RunningContact

# Real seconds.
_OPENING_MAY_TAKE_S = 180.0
_SETTLES_S = 3.0
_LAST_PAGE_S = 10.0
_STOP_TEXT = "everything was stopped"


def hosts_of(channel: Channel) -> frozenset[str]:
    """Return the hosts that a chat may reach."""
    return frozenset({origin_name(channel.url), *(host.lower() for host in channel.hosts)})


@asynccontextmanager
async def chat_session(
    channel: Channel, texts: Texts, tools: Tools, state: str | None = None
) -> AsyncIterator[tuple[Session, BrowserContext]]:
    """Open a fresh browser context for one chat, or one that knows of an earlier one."""
    hosts = hosts_of(channel)
    async with tools.browser.context(hosts, storage_state=state) as context:
        await open_trees(context)
        session = Session(channel, texts, tools, Traffic(Bounds(hosts), tools.clock.now_utc))
        await session.begin(context)
        yield session, context


def texts_for(handle: Handle, tools: Tools) -> Texts:
    """Return the texts of a chat with everything revealed that its steps need."""
    texts = Texts(dict(handle.values) | {"reference": handle.reference}, {}, tools.secrets)
    texts.prepare(text for step in handle.channel.open for text in templates_of(step))
    texts.prepare(handle.channel.texts(handle.script))
    return texts


class ChatContact:
    """One chat. What a later look needs is kept in the running contact's handle."""

    def __init__(self, contact: RunningContact, tools: Tools) -> None:
        self._contact, self._tools, self._clock = contact, tools, tools.clock
        self._channel = self._handle.channel
        self._name = name_of(self._channel, self._handle.reference, self._handle.script)

    @property
    def _handle(self) -> Handle:
        return cast(Handle, self._contact.handle)

    def _set(self, **changes: object) -> None:
        self._contact.handle = replace(self._handle, **changes)  # type: ignore[arg-type]

    async def run(self) -> Seen:
        """Open the chat, hold it, end it."""
        texts = texts_for(self._handle, self._tools)
        async with chat_session(self._channel, texts, self._tools) as (session, context):
            self._session, self._context = session, context
            self._page = ChatPage(session.page, self._channel.parts)
            self._watch = Watch(session, self._page, self._channel, self._contact)
            watching = asyncio.ensure_future(self._watch.run())
            try:
                failure = await session.attempt(self._arrive(), "open", at_most_s=_OPENING_MAY_TAKE_S)
                if failure is not None:
                    return self._not_opened(failure, noticed=False)
                self._watch.arriving = False
                return await self._hold(watching)
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)

    async def _arrive(self) -> None:
        await self._session.goto(self._session.texts.address(self._channel.url), "open goto")
        wall = await wall_on(self._session.page)
        if wall is not None:
            await self._session.capture("open wall")
            raise failed(FailureKind.BLOCKED, Side.OURS, "open", f"{wall} stands before the page")
        await self._session.capture("arrived")

    async def _hold(self, watching: asyncio.Future[None]) -> Seen:
        opening = Opening(self._session, self._page, self._watch, self._channel, self._begins)
        how, failure = await self._race(opening.run(), watching, "open", _OPENING_MAY_TAKE_S)
        if failure is not None or how is not None:
            noticed = opening.may_be_noticed or self._watch.standing.there_at is not None
            if failure is None:
                failure = Failure(FailureKind.STOPPED, Side.OURS, "open", how or "")
            if failure.kind is not FailureKind.TIMEOUT:
                await self._keep("open failed")
            return self._not_opened(failure, noticed=noticed and opening.began_at is not None)
        self._opened(opening.began_at)
        self._watch.wants_picture()
        how, failure = await self._race(self._talk(), watching, "chat", self._left_s())
        return await self._finish(how, failure, watching)

    def _begins(self, at: datetime) -> None:
        """Write down that the chat begins, before the vendor can notice."""
        keep_begun(self._name, at, self._tools)

    def _opened(self, began_at: datetime | None) -> None:
        at = began_at or self._watch.standing.there_at or self._clock.now_utc()
        if began_at is None:
            self._begins(at)
        self._set(opened_at_utc=at)
        self._watch.held_from = None
        url = self._session.texts.scrub(self._session.page.url)
        self._watch.add(ChatOpened(url), at, self._watch.last_artifacts)

    async def _talk(self) -> None:
        texts = self._session.texts
        run = ScriptRun(
            hand=Hand(self._session, self._page, self._watch),
            watch=self._watch,
            clock=self._clock,
            typed=texts.typed,
            language=self._handle.values.get("persona.language", "en"),
            said=self._said,
            mark=self._handle.started_at_utc,
        )
        await run.run(self._channel.scripts[self._handle.script])

    async def _said(self, text: str, purpose: str, at: datetime) -> None:
        shown = self._session.texts.scrub(text)
        self._watch.add(MessageSent(f"sent-{len(self._handle.written) + 1:03d}", "", shown, purpose), at)
        self._set(written=(*self._handle.written, shown))
        self._watch.wants_picture()
        await keep_state(self._name, self._handle.opened_at_utc or at, self._context, self._tools)

    # --- the end ---

    async def _race(
        self, work: Coroutine[None, None, None], watching: asyncio.Future[None], where: str, at_most_s: float
    ) -> tuple[str | None, Failure | None]:
        """Do some work until it is done, the watch fails, time is over or everything is stopped; return how it ended.

        The first value is null where the work came to its own end.
        """
        doing = asyncio.ensure_future(self._session.attempt(work, where, at_most_s=at_most_s + 60.0))
        stopping = asyncio.ensure_future(self._contact.stopping.wait())
        watched = asyncio.ensure_future(self._session.attempt(asyncio.shield(watching), where, at_most_s=1e9))
        tasks: set[asyncio.Future[Any]] = {doing, stopping, watched}
        try:
            await asyncio.wait(tasks - {watched}, timeout=0)
            while not (doing.done() or stopping.done()):
                waiting = {task for task in tasks if not task.done()}
                done, _ = await asyncio.wait(waiting, timeout=at_most_s, return_when=asyncio.FIRST_COMPLETED)
                if not done:
                    return "the longest time of a chat was reached", None
                if watched in done and watched.result() is not None:
                    return None, watched.result()
            if doing.done():
                return None, doing.result()
            return _STOP_TEXT, None
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _left_s(self) -> float:
        left = self._handle.ends_by_utc - self._clock.now_utc()
        return max(0.0, self._clock.real_delay_s(left.total_seconds()))

    async def _finish(self, how: str | None, failure: Failure | None, watching: asyncio.Future[None]) -> Seen:
        stopped = how == _STOP_TEXT
        if failure is None and not stopped and not watching.done():
            await self._until_settled()
        standing = self._watch.standing
        if standing.ended is None:
            at = self._clock.now_utc()
            parts = self._channel.parts
            hand = Hand(self._session, self._page, self._watch)
            if parts.end is not None and failure is None and await hand.press(parts.end) and parts.confirm_end:
                await asyncio.sleep(0.3)
                await hand.press(parts.confirm_end)
            reason = failure.text if failure is not None else how or "the script was at its end"
            self._watch.end(Side.OURS, reason, at)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        if failure is None or failure.kind is not FailureKind.TIMEOUT:  # such a page cannot be kept either
            await self._keep("end")
        self._watch.close()
        outcome = ContactOutcome.DONE if how is None or stopped else ContactOutcome.CAP_REACHED
        if stopped and failure is None:
            failure = Failure(FailureKind.STOPPED, Side.OURS, "chat", _STOP_TEXT)
        return Seen(handle=self._handle, outcome=outcome, failure=failure)

    async def _until_settled(self) -> None:
        """Wait a little for a message that is still growing."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SETTLES_S):
                while self._watch.transcript.unsettled_since is not None:  # noqa: ASYNC110  (looks change it)
                    await asyncio.sleep(0.05)

    async def _keep(self, step: str) -> None:
        with contextlib.suppress(TimeoutError, Error):
            async with asyncio.timeout(_LAST_PAGE_S):
                await self._watch.keep(step)

    def _not_opened(self, failure: Failure, *, noticed: bool) -> Seen:
        """The chat did not come about. What may have been noticed is never tried again."""
        self._watch.close()
        outcome = ContactOutcome.UNKNOWN if noticed else ContactOutcome.FAILED
        return Seen(handle=self._handle, outcome=outcome, failure=failure)
