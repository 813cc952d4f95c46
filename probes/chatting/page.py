"""A chat on a page, wherever it is: in the page, in a frame of another origin, within a shadow tree."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Coroutine
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, TypeVar

from playwright.async_api import Error

from probes.chatting.channel import Parts
from probes.chatting.transcript import Item
from probes.errors import FailureKind, Side
from probes.web.failures import failed

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, ElementHandle, Frame, Page

T = TypeVar("T")

# Real seconds that a page may take to answer; one that is busy with itself for longer shows nobody anything.
_ANSWER_S = 10.0
_MOST_FRAMES = 40
# What a widget hides in a closed tree could not be read.
_OPEN_TREES = """(() => { const attach = Element.prototype.attachShadow;
  Element.prototype.attachShadow = function (how) { return attach.call(this, { ...how, mode: 'open' }); }; })()"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a chat shows at one moment. `there` false: no chat is on the page. `typing`: by whom ("" not said)."""

    there: bool
    can_write: bool = False
    items: tuple[Item, ...] = ()
    typing: str | None = None
    loose: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()


class ChatPage:
    """Looks at and touches one chat. `frame` is where it was seen last."""

    def __init__(self, page: Page, parts: Parts) -> None:
        self.page, self._parts = page, parts
        self._session = secrets.token_hex(8)
        self.frame: Frame | None = None

    async def look(self) -> Shown:
        """Return what the chat shows now.

        Raises:
            StepFailed: the page does not answer any more.
        """
        if self.frame is not None and not self.frame.is_detached():
            shown = await self._look_in(self.frame)
            if shown is not None and shown.there:
                return shown
        best: Shown | None = None
        for frame in self.frames():
            shown = await self._look_in(frame)
            if shown is not None and shown.there and (best is None or (shown.can_write and not best.can_write)):
                best, self.frame = shown, frame
        return best or Shown(there=False)

    def frames(self) -> list[Frame]:
        """Return the page's frames that can be asked."""
        return [frame for frame in self.page.frames[:_MOST_FRAMES] if not frame.is_detached()]

    async def ask(self, frame: Frame, call: str, argument: Any = None) -> Any:
        """Return what a function of the page scripts says in a frame; None where the frame is gone or not ready."""
        try:
            return await _answered(frame.evaluate(*self._script(call, argument)), call)
        except Error:
            return None

    async def element(self, frame: Frame, call: str, argument: Any = None) -> ElementHandle | None:
        """Return the element that a function of the page scripts finds in a frame, or None."""
        try:
            handle = await _answered(frame.evaluate_handle(*self._script(call, argument)), call)
        except Error:
            return None
        return handle.as_element()

    async def _look_in(self, frame: Frame) -> Shown | None:
        given = await self.ask(frame, "snapshot()")
        if given is None:
            return None
        if not given["there"]:
            return Shown(there=False, can_write=given["input"] and given["enabled"])
        return Shown(
            there=True,
            can_write=given["input"] and given["enabled"],
            items=tuple(Item(**item) for item in given["items"]),
            typing=(given["typing"]["author"] or "") if given["typing"] is not None else None,
            loose=tuple(given["loose"]),
            choices=tuple(dict.fromkeys(given["choices"])),
        )

    def _script(self, call: str, argument: Any) -> tuple[str, Any]:
        body = f"({{cfg, argument}}) => {{ {_library()}\nreturn {call}; }}"
        return body, {"cfg": {"session": self._session, "parts": asdict(self._parts)}, "argument": argument}


async def open_trees(context: BrowserContext) -> None:
    """Let the pages of a context attach no tree that we cannot read."""
    await context.add_init_script(_OPEN_TREES)


async def _answered(work: Coroutine[Any, Any, T], what: str) -> T:
    try:
        return await asyncio.wait_for(work, _ANSWER_S)
    except TimeoutError:
        text = f"the page was busy with itself for {_ANSWER_S:g} s and showed nothing"
        raise failed(FailureKind.TIMEOUT, Side.VENDOR, what, text) from None


@cache
def _library() -> str:
    folder = files("probes.chatting")
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in ("page.js", "opening.js"))
