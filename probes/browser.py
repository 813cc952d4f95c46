"""Which browser is used, and how far it may reach.

One browser process serves a worker; every contact gets a fresh context of its own. A context can open documents
and send data only to the hosts that it was given: what leads elsewhere is blocked before it leaves.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import ipaddress
import os
import shutil
import socket
import sys
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from probes.errors import Unavailable, UserError
from probes.model import HttpLogin
from probes.web.engines import ENGINES

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, CDPSession, Page, Playwright, Request, Route

# Margin boxes on printed pages came with this version; older ones print reports without headers.
OLDEST_VERSION = 131
CHANNELS = ("chrome", "msedge")
PROGRAMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
# With these words a request that we blocked comes back from the browser.
BLOCKED_ERROR = "net::ERR_BLOCKED_BY_CLIENT"
_PORTS = {"http": 80, "https": 443}
_PRIVATE_NAMES = (".localhost", ".local", ".internal", ".home.arpa", ".lan")
_CONTEXT_MAY_TAKE_S = 60.0
_OWN_PAGE_MAY_TAKE_S = 5.0
_OWN_PAGES: weakref.WeakKeyDictionary[BrowserContext, Page | None] = weakref.WeakKeyDictionary()
_ENDING: weakref.WeakSet[Browser] = weakref.WeakSet()
_READING = ("GET", "HEAD", "OPTIONS")
_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True)
class Place:
    """One place where a browser may be: what to say of it, and how Playwright starts it."""

    name: str
    executable: str | None = None
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class FoundBrowser:
    """The browser that is used. `sandboxed` false: this machine or user does not let it lock itself in."""

    place: Place
    version: str
    sandboxed: bool


def places(own_executable: str, explicit: str | None) -> tuple[Place, ...]:
    """Return where to look for a browser, in order; a path that the user named is the only one then."""
    if explicit:
        return (Place(f"the browser named by the user ({explicit})", executable=explicit),)
    on_path = tuple(
        Place(f"{program} on the PATH ({path})", executable=path)
        for program in PROGRAMS
        if (path := shutil.which(program)) is not None
    )
    own = Place("Playwright's own Chromium", executable=own_executable)
    return (own, *(Place(f'channel "{channel}"', channel=channel) for channel in CHANNELS), *on_path)


async def launch(
    playwright: Playwright, explicit: str | None = None, *, seen: bool = False
) -> tuple[Browser, FoundBrowser]:
    """Start the first browser found that is new enough, in a window if it is to be `seen`.

    Raises:
        UserError: the browser that the user named does not start or is too old.
        Unavailable: none was found; the message names the places looked at and three cures.
    """
    if seen and sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise Unavailable(
            "a browser window needs a screen, and there is none here",
            at="DISPLAY and WAYLAND_DISPLAY are not set",
            fix="run this at a desktop, or give it a screen: xvfb-run, VNC or ssh -X",
        )
    tried: list[str] = []
    for place in places(playwright.chromium.executable_path, explicit):
        started = await _start(playwright, place, seen=seen)
        if isinstance(started, str):
            tried.append(f"{place.name}: {started}")
            continue
        browser, sandboxed = started
        if int(browser.version.split(".")[0]) >= OLDEST_VERSION:
            return browser, FoundBrowser(place, browser.version, sandboxed)
        tried.append(f"{place.name}: version {browser.version} is older than {OLDEST_VERSION}")
        await browser.close()
    if explicit:
        raise UserError(
            f'the browser "{explicit}" cannot be used',
            at="; ".join(tried),
            fix=f"name a Chromium or Chrome of version {OLDEST_VERSION} or later",
        )
    tried += [f"{program}: not on the PATH" for program in PROGRAMS if shutil.which(program) is None]
    raise Unavailable(
        "no browser was found",
        at="; ".join(tried),
        fix="run `playwright install chromium`, or install Chrome or Chromium, "
        "or name one with --browser PATH (HOLDPROOF_BROWSER)",
    )


async def _start(playwright: Playwright, place: Place, *, seen: bool) -> tuple[Browser, bool] | str:
    """Start one browser, locked in its sandbox where that works; or say in a few words why it does not start."""
    from playwright.async_api import Error

    wanted = (True, False) if _may_be_sandboxed() else (False,)
    why = ""
    for sandboxed in wanted:
        try:
            browser = await playwright.chromium.launch(
                executable_path=place.executable, channel=place.channel, chromium_sandbox=sandboxed, headless=not seen
            )
        except Error as error:
            why = _first_line(error.message)
            if "sandbox" not in error.message.lower():
                break
        else:
            return browser, sandboxed
    return why


def _may_be_sandboxed() -> bool:
    # Chromium refuses to lock itself in when root starts it; Windows has no geteuid and no such trouble.
    return not hasattr(os, "geteuid") or os.geteuid() != 0


def _first_line(message: str) -> str:
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return lines[0] if lines else "does not start"


@asynccontextmanager
async def open_browser(
    explicit: str | None = None, *, seen: bool = False
) -> AsyncIterator[tuple[Browser, FoundBrowser]]:
    """Start a browser for one piece of work (printing a report) and end it afterwards; raises as `launch`."""
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        for name, script in ENGINES.items():
            await playwright.selectors.register(name, script, content_script=True)
        browser, found = await launch(playwright, explicit, seen=seen)
        try:
            yield browser, found
        finally:
            await browser.close()


async def find_browser(explicit: str | None = None) -> FoundBrowser:
    """Return which browser would be used, having started it once; raises as `launch`."""
    async with open_browser(explicit) as (_, found):
        return found


def origin_name(url: str) -> str:
    """Return "host", or "host:port" where the port is not the scheme's usual one."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    return host if parts.port is None or parts.port == _PORTS.get(parts.scheme) else f"{host}:{parts.port}"


def is_private(host: str) -> bool:
    """Return whether a host is named by a private, loopback or link-local address or a name of local networks."""
    try:
        address = ipaddress.ip_address(host)
        inner = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return not (inner or address).is_global
    except ValueError:
        return host == "localhost" or host.endswith(_PRIVATE_NAMES)


async def addresses(host: str) -> list[str]:
    """Return the addresses that a host's name stands for; none where nobody knows, which the browser then says."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [str(each[4][0]) for each in found]


def _always() -> bool:
    return True


def _is_below(host: str, domain: str) -> bool:
    return host == domain or host.endswith(f".{domain}")


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where a context may go. A host without a port stands for the usual ports of http and https."""

    hosts: frozenset[str]
    guests: tuple[str, ...] = ()

    def allows(self, url: str, method: str, *, document: bool) -> bool:
        """Return whether a request may leave: named hosts always, others only for pictures, styles and scripts."""
        scheme = urlsplit(url).scheme
        if scheme in ("data", "blob", "about", "chrome"):  # no page of the web can lead to the last one
            return True
        if scheme not in ("http", "https"):
            return False
        if self.names(url):
            return True
        if scheme == "https" and any(_is_below(urlsplit(url).hostname or "", guest) for guest in self.guests):
            return True
        if document or method not in _READING:
            return False
        return not is_private((urlsplit(url).hostname or "").lower())

    def names(self, url: str) -> bool:
        """Return whether the plan names the host of an address."""
        return origin_name(url) in self.hosts


class ChromiumSource:
    """Opens restricted contexts in one browser process, started when it is first needed and again if it died."""

    def __init__(
        self,
        explicit: str | None = None,
        *,
        seen: bool = False,
        resolve: Callable[[str], Awaitable[list[str]]] = addresses,
    ) -> None:
        self._explicit, self._seen, self._resolve = explicit, seen, resolve
        self._lock = asyncio.Lock()
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.found: FoundBrowser | None = None

    def context(
        self,
        hosts: frozenset[str],
        *,
        storage_state: str | None = None,
        http_login: HttpLogin | None = None,
        may_send: Callable[[], bool] = _always,
        guests: tuple[str, ...] = (),
    ) -> AbstractAsyncContextManager[BrowserContext]:
        """Open a fresh context that reaches these hosts; `guests` and what is below them may show frames in a page.

        `storage_state` is a session's cookies as JSON text. While `may_send` says no, only reading requests leave.
        """
        bounds = Bounds(frozenset(host.lower() for host in hosts), guests)
        return self._context(bounds, storage_state, http_login, may_send)

    @asynccontextmanager
    async def _context(
        self, bounds: Bounds, storage_state: str | None, http_login: HttpLogin | None, may_send: Callable[[], bool]
    ) -> AsyncIterator[BrowserContext]:
        import json

        from playwright.async_api import Error

        browser = await self._ready()
        context = await browser.new_context(
            storage_state=json.loads(storage_state) if storage_state else None,
            http_credentials=None
            if http_login is None
            else {"username": http_login.user, "password": http_login.password, "origin": http_login.origin},
            accept_downloads=False,
            service_workers="block",  # requests of a service worker could not be held back
            viewport={"width": 1280, "height": 900},
            locale="en-GB",
            timezone_id="UTC",
        )
        try:
            await _Fence(bounds, may_send, self._resolve).put_around(context)
            yield context
        finally:
            with contextlib.suppress(Error, TimeoutError):  # a dead browser has nothing left to close
                await asyncio.wait_for(context.close(), _CONTEXT_MAY_TAKE_S)

    async def _ready(self) -> Browser:
        from playwright.async_api import async_playwright

        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            # A browser belongs to the event loop that started it.
            self._lock, self._playwright, self._browser, self._loop = asyncio.Lock(), None, None, loop
        async with self._lock:
            if self._browser is None or not self._browser.is_connected():
                if self._playwright is None:
                    self._playwright = await async_playwright().start()
                    for name, script in ENGINES.items():
                        await self._playwright.selectors.register(name, script, content_script=True)
                self._browser, self.found = await launch(self._playwright, self._explicit, seen=self._seen)
            return self._browser

    async def close(self) -> None:
        """End the browser process; a later context starts a new one."""
        if self._browser is not None:
            _ENDING.add(self._browser)
            await self._browser.close()
        if self._playwright is not None:
            await self._playwright.stop()
        self._browser = self._playwright = None


def has_ended(context: BrowserContext) -> bool:
    """Return whether a context's browser is gone or being ended by us: what fails in it from then on is not a page's
    doing, whichever wait it is that runs out first.
    """
    browser = context.browser
    return browser is None or browser in _ENDING or not browser.is_connected()


class _Fence:
    """Holds one context within its bounds.

    Playwright's routes see the first request of every chain, but no redirect; the browser's own protocol sees
    redirects, once a page's session listens. So a page's documents wait for that session, and the first document of a
    pop-up, which is asked for before there is a page, is fetched for it one hop at a time.
    """

    def __init__(
        self, bounds: Bounds, may_send: Callable[[], bool], resolve: Callable[[str], Awaitable[list[str]]]
    ) -> None:
        self._bounds, self._may_send, self._resolve = bounds, may_send, resolve
        self._inside: dict[str, bool] = {}
        self._listening: weakref.WeakKeyDictionary[Page, asyncio.Future[None]] = weakref.WeakKeyDictionary()

    async def put_around(self, context: BrowserContext) -> None:
        self._context = context
        await context.route("**/*", _unless_closed(self._first_request))
        context.on("page", _unless_closed(self._listen))

    async def _first_request(self, route: Route) -> None:
        request = route.request
        document = request.is_navigation_request()
        if not await self._allows(request.url, request.method, document=document):
            await route.abort("blockedbyclient")
        elif not document:
            await route.continue_()
        elif (page := _page_of(request)) is None:
            await self._first_document_of_popup(route)
        else:
            await self._listen(page)
            await route.continue_()

    async def _allows(self, url: str, method: str, *, document: bool) -> bool:
        if method not in _READING and not self._may_send() and urlsplit(url).scheme in ("http", "https"):
            return False
        if not self._bounds.allows(url, method, document=document):
            return False
        return self._bounds.names(url) or not await self._is_inside(urlsplit(url).hostname)

    async def _is_inside(self, host: str | None) -> bool:
        """Return whether a host that the plan does not name has an address of local networks, whatever its name."""
        if not host:
            return False
        if host not in self._inside:
            self._inside[host] = any(is_private(address) for address in await self._resolve(host))
        return self._inside[host]

    async def _first_document_of_popup(self, route: Route) -> None:
        response = await route.fetch(max_redirects=0)
        if response.status not in _REDIRECTS or "location" not in response.headers:
            await route.fulfill(response=response)
            return
        target = urljoin(route.request.url, response.headers["location"])
        if await self._allows(target, "GET", document=True):
            onward = f'<!doctype html><meta http-equiv="refresh" content="0;url={html.escape(target)}">'
            await route.fulfill(status=200, content_type="text/html; charset=utf-8", body=onward)
        else:
            await route.abort("blockedbyclient")

    async def _listen(self, page: Page) -> None:
        if (begun := self._listening.get(page)) is not None:
            await begun
            return
        self._listening[page] = begun = asyncio.get_running_loop().create_future()
        try:
            session = await page.context.new_cdp_session(page)
            session.on("Fetch.requestPaused", _unless_closed(lambda event: self._any_request(session, event)))
            await session.send("Fetch.enable", {"patterns": [{"urlPattern": "*"}]})
        finally:
            begun.set_result(None)

    async def _any_request(self, session: CDPSession, event: dict[str, Any]) -> None:
        request, paused = event["request"], {"requestId": event["requestId"]}
        document = event["resourceType"] == "Document"
        if await self._allows(request["url"], request["method"], document=document):
            if document and request["method"] not in _READING:
                await fresh_connections(self._context)
            await session.send("Fetch.continueRequest", paused)
        else:
            await session.send("Fetch.failRequest", paused | {"errorReason": "BlockedByClient"})


async def fresh_connections(context: BrowserContext) -> bool:
    """Close a context's connections, so that what is sent next goes over a new one; False where that cannot be done.

    When a server drops a connection that was open before without an answer, the browser sends the request once more by
    itself, a form too: the vendor gets two tickets. Over a new connection it does not. The one way to ask a
    browser for new connections is a page of its own; the small headless shell has none.
    """
    from playwright.async_api import Error

    try:
        if context not in _OWN_PAGES:
            _OWN_PAGES[context] = None
            page = await context.new_page()
            await page.goto("chrome://net-internals/#sockets", timeout=_OWN_PAGE_MAY_TAKE_S * 1000)
            _OWN_PAGES[context] = page
        own = _OWN_PAGES[context]
        if own is None:
            return False
        await own.evaluate("chrome.send('flushSocketPools')")
    except Error:
        return False
    return True


def _page_of(request: Request) -> Page | None:
    from playwright.async_api import Error

    try:
        return request.frame.page
    except Error:  # a pop-up's first document is asked for before there is a page
        return None


def _unless_closed(handle: Callable[[Any], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
    """Let a handler end in peace when its page or browser went away meanwhile."""
    from playwright.async_api import Error

    async def safely(subject: Any) -> None:
        with contextlib.suppress(Error):
            await handle(subject)

    return safely
