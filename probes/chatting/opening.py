"""Comes to a chat: past the cookie banner, through the launcher, through the form before the chat."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from playwright.async_api import Error

from probes.chatting.channel import Channel
from probes.chatting.page import ChatPage
from probes.chatting.watching import Watch
from probes.errors import FailureKind, Side
from probes.web.failures import failed

if TYPE_CHECKING:
    from playwright.async_api import ElementHandle

    from probes.web.session import Session

_ASK_AGAIN_S = 0.15
_LAUNCHER_SURE = 9  # a weaker likeness is only clicked when nothing better has come for a while
_WEAK_AFTER_S = 4.0
_FORM_AFTER_S = 0.5
_CLICK_WITHIN_MS = 5000
_MOST_CLICKS = 3


class Opening:
    """Comes to the chat of one page. `began_at` is when we first did what the vendor may notice."""

    def __init__(
        self,
        session: Session,
        page: ChatPage,
        watch: Watch,
        channel: Channel,
        begins: Callable[[datetime], None],
    ) -> None:
        self._session, self._page, self._watch, self._channel = session, page, watch, channel
        self._begins = begins
        self._clock = session.tools.clock
        self.began_at: datetime | None = None
        self._requests_mark = self._frames_mark = 0

    @property
    def may_be_noticed(self) -> bool:
        """Whether anything that the vendor may notice has left since we first pressed something."""
        traffic = self._session.traffic
        return self.began_at is not None and traffic.sent_since(self._requests_mark, self._frames_mark)

    async def run(self) -> None:
        """Carry out the plan's steps, or find the way; returns when the chat can be written in, or offers something.

        Raises:
            StepFailed: the chat did not come.
        """
        if self._channel.open:
            last_click = max((i for i, step in enumerate(self._channel.open) if step.click is not None), default=None)
            if last_click is None:
                await self._session.run(self._channel.open, "open")
            else:
                await self._session.run(self._channel.open[:last_click], "open")
                self._begin()
                await self._session.run(self._channel.open[last_click:], "open")
            self._page.page = self._session.page
        await self._come_in()

    def _begin(self) -> None:
        if self.began_at is None:
            self.began_at = self._clock.now_utc()
            self._begins(self.began_at)
            self._requests_mark = len(self._session.traffic.requests)
            self._frames_mark = self._session.traffic.frames_sent

    async def _come_in(self) -> None:
        begun_s, clicks, form_since_s, form_sent = time.monotonic(), 0, None, False
        waits_s = self._channel.timeout.s
        while True:
            standing = self._watch.standing
            if standing.there_at is not None and (standing.can_write or standing.choices or standing.replies):
                return
            now_s = time.monotonic()
            if now_s - begun_s > waits_s:
                raise await self._nothing_came(clicks)
            await self._consent()
            if not self._channel.open or clicks == 0:
                form = None if form_sent else await self._form()
                form_since_s = None if form is None else (form_since_s or now_s)
                if form is not None and form_since_s is not None and now_s - form_since_s > _FORM_AFTER_S:
                    await self._fill_form(*form)
                    form_sent = True
                elif form is None and not self._channel.open and clicks < _MOST_CLICKS:
                    clicks += await self._launch(weak=now_s - begun_s > _WEAK_AFTER_S)
            await asyncio.sleep(_ASK_AGAIN_S)

    async def _consent(self) -> None:
        """Press a cookie banner away, refusing what can be refused."""
        for frame in self._page.frames():
            button = await self._page.element(frame, "consentButton()")
            if button is not None:
                await self._click(button)
                return

    async def _launch(self, *, weak: bool) -> bool:
        """Press the likeliest launcher, if there is one; whether there was."""
        best: tuple[int, Any] | None = None
        for frame in self._page.frames():
            score = await self._page.ask(frame, "launcherScore()")
            if isinstance(score, int) and score > (best[0] if best else 0):
                best = score, frame
        if best is None or (best[0] < _LAUNCHER_SURE and not weak):
            return False
        launcher = await self._page.element(best[1], "launcherElement()")
        if launcher is None:
            return False
        self._begin()
        await self._session.press(launcher, "the chat's launcher", "open launcher")
        self._page.page = self._session.page
        self._page.frame = None
        await self._session.capture("launcher")
        return True

    # --- the form before the chat ---

    async def _form(self) -> tuple[Any, list[dict[str, Any]]] | None:
        for frame in self._page.frames():
            fields = await self._page.ask(frame, "formFields()")
            if fields:
                return frame, fields
        return None

    async def _fill_form(self, frame: Any, fields: list[dict[str, Any]]) -> None:
        values = self._session.texts.values
        name = values.get("persona.name", "")
        known = {
            "name": name,
            "first_name": name.partition(" ")[0],
            "last_name": name.partition(" ")[2] or name,
            "email": values.get("persona.email", ""),
            "phone": values.get("persona.phone", ""),
            "account": values.get("persona.account", ""),
            "topic": values.get("problem.subject", ""),
            "question": values.get("problem.subject", ""),
        }
        for field in fields:
            element = await self._page.element(frame, "formField(argument)", field["index"])
            if element is None:
                continue
            try:
                await self._fill_field(element, field, known.get(field["kind"], ""))
            except Error as exc:
                text = f"the form before the chat cannot be filled: {exc.message.splitlines()[0][:200]}"
                raise failed(FailureKind.ELEMENT_UNUSABLE, Side.OURS, "open form", text) from exc
        await self._session.capture("form", frame)
        button = await self._page.element(frame, "formButton()")
        if button is None:
            text = "the form before the chat has no button"
            raise failed(FailureKind.ELEMENT_NOT_FOUND, Side.OURS, "open form", text)
        self._begin()
        await self._click(button)

    async def _fill_field(self, element: ElementHandle, field: dict[str, Any], value: str) -> None:
        if field["kind"] == "consent":
            if field["required"]:
                await element.check(timeout=_CLICK_WITHIN_MS)
        elif field["tag"] == "select":
            usable = [option[0] for option in field["options"] if option[0] and not option[2]]
            if usable and not field["value"]:
                await element.select_option(value=usable[0], timeout=_CLICK_WITHIN_MS)
        elif not field["value"]:
            text = self._session.texts.typed(value) if value else ""
            if text or field["required"]:
                await element.fill(text or "-", timeout=_CLICK_WITHIN_MS)

    async def _click(self, element: ElementHandle) -> None:
        try:
            await element.click(timeout=_CLICK_WITHIN_MS)
        except Error:
            return  # it went away by itself

    async def _nothing_came(self, clicks: int) -> Exception:
        waits_s, url = self._channel.timeout.s, self._session.page.url
        blocked = [
            request.url for request, error in self._session.traffic.errors.items() if "BLOCKED_BY_CLIENT" in error
        ]
        places = sorted({url.split("/")[2] for url in blocked if url.startswith("http")})
        if places:
            wants = f"it wants {', '.join(places[:5])}, which the plan does not name: add to hosts what is the chat's"
            text = f"no chat came on {url} within {waits_s:g} s; {wants}"
            return failed(FailureKind.OUT_OF_BOUNDS, Side.OURS, "open", self._session.texts.scrub(text))
        what = "nothing that looks like a chat's launcher" if not clicks else "what we pressed led to no chat"
        page_text = " ".join((await self._session.page_text()).split())[:200]
        text = f"no chat on {url} within {waits_s:g} s: {what}; name it in parts or open. The page says: {page_text}"
        return failed(FailureKind.ELEMENT_NOT_FOUND, Side.OURS, "open", self._session.texts.scrub(text))
