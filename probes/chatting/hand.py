"""Writes in a chat and presses its buttons, as a visitor would; nothing is sent twice."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from typing import TYPE_CHECKING

from playwright.async_api import Error

from probes.chatting.page import ChatPage
from probes.chatting.transcript import says
from probes.chatting.watching import Watch
from probes.errors import FailureKind, Side
from probes.web.failures import failed
from probes.web.walls import wall_on

if TYPE_CHECKING:
    from playwright.async_api import ElementHandle, Frame

    from probes.web.session import Session

# Real seconds.
_CAN_WRITE_WITHIN_S = 30.0
_LEAVES_WITHIN_S = 2.0
_CLICK_WITHIN_MS = 5000
_ASK_AGAIN_S = 0.05


class Hand:
    """Our side of one chat."""

    def __init__(self, session: Session, page: ChatPage, watch: Watch) -> None:
        self._session, self._page, self._watch = session, page, watch

    async def write(self, text: str) -> datetime | None:
        """Send a line; return when, or None where the chat ended before it could be.

        Raises:
            StepFailed: there is nowhere to write, or what we wrote does not leave.
        """
        if not await self._until_we_can_write():
            return None
        frame = self._page.frame or self._session.page.main_frame
        field = await self._page.element(frame, "findInput()")
        if field is None:
            raise failed(FailureKind.ELEMENT_NOT_FOUND, Side.OURS, "say", "the field to write in is gone")
        wall = await wall_on(self._session.page)
        if wall is not None:
            raise failed(FailureKind.BLOCKED, Side.OURS, "say", f"{wall} stands before the chat; nothing was sent")
        try:
            await self._type(frame, field, text)
            return await self._send(frame, field, text)
        except Error as exc:
            text = f"the field to write in cannot be used: {exc.message.splitlines()[0][:200]}"
            raise failed(FailureKind.ELEMENT_UNUSABLE, Side.OURS, "say", text) from exc

    async def choose(self, name: str) -> datetime | None:
        """Press the newest button of this name; return when, or None where there is none.

        Raises:
            StepFailed: it cannot be pressed.
        """
        frame = self._page.frame
        if frame is None:
            return None
        found = await self._page.element(frame, "choice(argument)", name)
        if found is None:
            return None
        at = self._watch.acting_from = self._session.tools.clock.now_utc()
        try:
            await found.click(timeout=_CLICK_WITHIN_MS)
        except Error as exc:
            text = f'"{name}" cannot be pressed: {exc.message.splitlines()[0][:200]}'
            raise failed(FailureKind.ELEMENT_UNUSABLE, Side.OURS, "choose", text) from exc
        return at

    async def press(self, selector: str) -> bool:
        """Press what a selector of the plan names, if it is there; whether it was."""
        for frame in self._page.frames():
            found = await self._page.element(frame, "select(argument).find(seen) ?? null", selector)
            if found is not None:
                try:
                    await found.click(timeout=_CLICK_WITHIN_MS)
                except Error:
                    return False
                return True
        return False

    async def _until_we_can_write(self) -> bool:
        begun_s = time.monotonic()
        while not self._watch.standing.can_write:
            if self._watch.standing.ended is not None:
                return False
            if time.monotonic() - begun_s > _CAN_WRITE_WITHIN_S:
                text = f"the chat had no field to write in for {_CAN_WRITE_WITHIN_S:g} s"
                raise failed(FailureKind.ELEMENT_UNUSABLE, Side.NOT_KNOWN, "say", text)
            await asyncio.sleep(_ASK_AGAIN_S)
        return self._watch.standing.ended is None

    async def _type(self, frame: Frame, field: ElementHandle, text: str) -> None:
        try:
            await field.fill(text, timeout=_CLICK_WITHIN_MS)
        except Error:
            await field.click(timeout=_CLICK_WITHIN_MS)
            await self._session.page.keyboard.insert_text(text)
        if not await self._holds(frame, text):  # editors that keep a text of their own take only what is typed
            await field.click(timeout=_CLICK_WITHIN_MS)
            await self._session.page.keyboard.press("ControlOrMeta+A")
            await self._session.page.keyboard.insert_text(text)

    async def _send(self, frame: Frame, field: ElementHandle, text: str) -> datetime:
        """Press the button that sends, else Enter; the other one only if the text stayed in the field, unsent."""
        clock = self._session.tools.clock
        button = await self._page.element(frame, "sender()")
        ways = [button, None] if button is not None and await button.is_enabled() else [None]
        for way in ways:
            at = self._watch.acting_from = clock.now_utc()
            self._watch.transcript.we_said(text, at)
            try:
                await (way.click(timeout=_CLICK_WITHIN_MS) if way is not None else field.press("Enter"))
            except Error:
                if way is None:
                    raise
            if await self._left(frame, text):
                return at
            self._watch.transcript.not_said(text)
        self._watch.acting_from = None
        raise failed(FailureKind.EXPECTATION_NOT_MET, Side.OURS, "say", "what we wrote stayed in the field, unsent")

    async def _left(self, frame: Frame, text: str) -> bool:
        """Whether a text left the field, or shows in the list."""
        begun_s = time.monotonic()
        while time.monotonic() - begun_s < _LEAVES_WITHIN_S:
            if not await self._holds(frame, text) or self._watch.transcript.shows(text):
                return True
            await asyncio.sleep(_ASK_AGAIN_S)
        return False

    async def _holds(self, frame: Frame, text: str) -> bool:
        held = await self._page.ask(frame, "held(findInput())")
        return isinstance(held, str) and says(held, text)
