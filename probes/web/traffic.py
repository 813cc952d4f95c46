"""Watches what a context's pages send and get, so that it is known whether a click sent something, and its end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from playwright.async_api import Error

from probes.browser import BLOCKED_ERROR, Bounds
from probes.errors import FailureKind
from probes.web.failures import NEVER_LEFT, classify

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, CDPSession, Dialog, Download, Page, Request, Response, WebSocket

# A document larger than this is stopped while it loads; a person would have left it too.
LARGEST_DOCUMENT_BYTES = 10_000_000
_READING = ("GET", "HEAD", "OPTIONS")
_CALLS = ("document", "xhr", "fetch")
_MOST_DIALOGS = 20


class Traffic:
    """Requests of one contact in their order. Moments in it are positions in `requests`."""

    def __init__(self, bounds: Bounds, now_utc: Callable[[], datetime]) -> None:
        self._bounds, self._now_utc = bounds, now_utc
        self._asked_at_utc: dict[Request, datetime] = {}
        self.requests: list[Request] = []
        self.under_way: set[Request] = set()
        self._polls: set[str] = set()  # what a page asks for without end
        self.errors: dict[Request, str] = {}
        self.statuses: dict[Request, int] = {}
        self.frames_sent = 0
        self.popups: list[Page] = []
        self.dialogs: list[str] = []
        self.downloads: list[str] = []
        self.flooded = asyncio.Event()  # a document grew too large
        self.crashed = False

    def watch(self, context: BrowserContext) -> None:
        """Begin to listen to everything in a context."""
        context.on("request", self._asked)
        context.on("response", self._answered)
        context.on("requestfinished", self._done)
        context.on("requestfailed", self._lost)
        context.on("dialog", self._dialog)
        context.on("page", self._opened)

    async def watch_page(self, page: Page) -> None:
        """Listen also to what only a page tells: crashes, downloads, sockets, and how large its document gets."""
        page.on("crash", self._crash)
        page.on("download", self._download)
        page.on("websocket", self._socket)
        with contextlib.suppress(Error):
            session = await page.context.new_cdp_session(page)
            sizes: dict[str, int] = {}

            def document(event: dict[str, Any]) -> None:
                if event["type"] == "Document":
                    sizes[event["requestId"]] = 0

            async def data(event: dict[str, Any]) -> None:
                if event["requestId"] in sizes and not self.flooded.is_set():
                    sizes[event["requestId"]] += event["dataLength"]
                    if sizes[event["requestId"]] > LARGEST_DOCUMENT_BYTES:
                        self.flooded.set()
                        await _stop(session)

            session.on("Network.responseReceived", document)
            session.on("Network.dataReceived", data)
            await session.send("Network.enable")

    def _asked(self, request: Request) -> None:
        self.requests.append(request)
        self._asked_at_utc[request] = self._now_utc()
        if request.resource_type in _CALLS and _place(request) not in self._polls:
            self.under_way.add(request)

    def _answered(self, response: Response) -> None:
        self.statuses[response.request] = response.status

    def _done(self, request: Request) -> None:
        self.under_way.discard(request)

    def _opened(self, page: Page) -> None:
        self.popups.append(page)

    def _lost(self, request: Request) -> None:
        self.errors[request] = request.failure or "lost"
        self.under_way.discard(request)

    async def _dialog(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        with contextlib.suppress(Error):
            # What the plan tells us to press, we also confirm; we answer no question that wants words.
            if dialog.type == "prompt" or len(self.dialogs) > _MOST_DIALOGS:
                await dialog.dismiss()
            else:
                await dialog.accept()

    def _crash(self, _page: Page) -> None:
        self.crashed = True

    def _download(self, download: Download) -> None:
        self.downloads.append(download.url)

    def _socket(self, socket: WebSocket) -> None:
        def sent(_frame: bytes | str) -> None:
            self.frames_sent += 1

        socket.on("framesent", sent)

    def wait_no_more(self) -> None:
        """Take what is still under way for something that a page always asks for, and wait for it no more."""
        self._polls |= {_place(request) for request in self.under_way if request.resource_type != "document"}
        self.under_way.clear()

    def loading(self, page: Page) -> bool:
        """Return whether a page's own document has been asked for and not answered yet."""
        return any(
            request not in self.statuses and request not in self.errors
            for request in self.requests
            if is_document(request, page)
        )

    def documents_since(self, mark: int, page: Page) -> list[Request]:
        """Return the requests for a page's own document from a position on."""
        return [request for request in self.requests[mark:] if is_document(request, page)]

    def sent_since(self, mark: int, frames_mark: int) -> bool:
        """Return whether anything that a vendor may notice left from a position on."""
        return self.frames_sent > frames_mark or any(self._left(request) for request in self.requests[mark:])

    def sending_since(self, mark: int) -> list[Request]:
        """Return the requests with an effect that left from a position on."""
        return [each for each in self.requests[mark:] if each.method not in _READING and self._left(each)]

    def held_back(self) -> list[Request]:
        """Return the requests with an effect to hosts of the plan that were not let out."""
        return [
            each
            for each in self.requests
            if each.method not in _READING
            and self._bounds.names(each.url)
            and BLOCKED_ERROR in self.errors.get(each, "")
        ]

    def left_at_utc(self, mark: int) -> datetime | None:
        """Return when the first request that a vendor may notice left from a position on."""
        return next((self._asked_at_utc[each] for each in self.requests[mark:] if self._left(each)), None)

    def lost_since(self, mark: int) -> Request | None:
        """Return the first request with an effect that left from a position on and was not answered, if any."""
        for request in self.requests[mark:]:
            if request.method not in _READING and self._left(request) and request not in self.statuses:
                return request
        return None

    def opened_since(self, mark: int) -> list[Page]:
        """Return the pages that the vendor's pages opened from a position in `popups` on."""
        return [page for page in self.popups[mark:] if not page.url.startswith("chrome:")]

    def _left(self, request: Request) -> bool:
        if not self._bounds.names(request.url):  # a guest's, or what never leaves the browser
            return False
        if request.method in _READING and not request.is_navigation_request():
            return False
        if request not in self.errors:
            return True
        failure = classify(self.errors[request], "", request.url)
        if failure is not None and failure.kind is FailureKind.OUT_OF_BOUNDS:
            # Blocked at the start it never left; blocked at a redirect it was answered by one.
            return self._bounds.allows(request.url, request.method, document=request.is_navigation_request())
        return failure is None or failure.kind not in NEVER_LEFT


def _place(request: Request) -> str:
    return f"{request.method} {request.url.partition('?')[0]}"


def is_document(request: Request, page: Page) -> bool:
    """Return whether a request is for a page's own document (not a frame's)."""
    try:
        return request.is_navigation_request() and request.frame == page.main_frame
    except Error:  # a pop-up's first document is asked for before there is a frame
        return False


async def _stop(session: CDPSession) -> None:
    with contextlib.suppress(Error):
        await session.send("Page.stopLoading")
