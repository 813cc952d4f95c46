"""Our own address on the web, for a carrier that talks back: where it is, and one small server behind it.

The carrier is given the public address; a proxy or tunnel in front of us leads it to the address that we listen on,
with the path's beginning cut off or not. The server starts when it is first needed, in the event loop that needs it.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.websockets import WebSocket

from probes.errors import Unavailable, UserError
from probes.telephony.twilio_config import is_loopback
from probes.web_server import Serving, serve

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]

DEFAULT_LISTEN = "127.0.0.1:8620"
_HELLO = "/hello"
_ASK_S = 10.0
_PROXY_FIX = (
    "let the proxy or tunnel of the public address pass requests and WebSockets on to {listen}, "
    "or set another --public-url and --listen"
)


class PublicAddress:
    """The public address `public_url`, and the server on `listen` ("HOST:PORT") that answers for it.

    Raises:
        UserError: either is no address.
    """

    def __init__(self, public_url: str, listen: str = DEFAULT_LISTEN, *, allow_plain_http: bool = False) -> None:
        self.public_url = checked_public_url(public_url, allow_plain_http=allow_plain_http)
        self.host, self.port = host_and_port(listen)
        self._prefix = urlsplit(self.public_url).path.rstrip("/")
        self._instance = secrets.token_hex(8)
        self._apps: dict[str, App] = {}
        self._serving: Serving | None = None
        self._opening = asyncio.Lock()

    # --- addresses ---

    def url(self, path: str) -> str:
        """Return the public address of a path of ours."""
        return f"{self.public_url}/{path.lstrip('/')}"

    def socket_url(self, path: str) -> str:
        """Return the public address of a WebSocket of ours."""
        return socket_address(self.url(path))

    @property
    def listens_on(self) -> str:
        """Return where the server is, or will be."""
        return f"{self.host}:{self._serving.port if self._serving else self.port}"

    # --- the server ---

    def mount(self, name: str, app: App) -> None:
        """Let `app` answer below `/name/`."""
        self._apps[name] = app

    async def open(self) -> None:
        """Start the server, if it does not run yet.

        Raises:
            UserError: the port is taken.
        """
        async with self._opening:
            if self._serving is None:
                try:
                    self._serving = await serve(self._answer, self.host, self.port)
                except UserError as exc:
                    fix = "stop the other process (another `holdproof serve`?), or choose another --listen HOST:PORT"
                    raise UserError(exc.message, fix=fix) from exc

    async def close(self) -> None:
        """Stop the server."""
        serving, self._serving = self._serving, None
        if serving is not None:
            await serving.close()

    async def check(self, *, this_server: bool = True) -> None:
        """Return if the public address leads to this very server, for requests and for WebSockets.

        With `this_server` false another process of ours behind it will do.

        Raises:
            Unavailable: it does not; the message says what was found there and how to mend it.
        """
        fix = _PROXY_FIX.format(listen=self.listens_on)
        asked = self.url(_HELLO)
        try:
            async with httpx.AsyncClient(timeout=_ASK_S, trust_env=not is_loopback(asked)) as client:
                answer = await client.get(asked)
        except httpx.HTTPError as exc:
            said = f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__
            raise Unavailable(f"the public address {self.public_url} gives no answer ({said})", fix=fix) from exc
        if answer.is_redirect:
            to = answer.headers.get("location", "nowhere")
            text = f"the public address {self.public_url} redirects to {to}, and callbacks are not sent after it"
            raise Unavailable(text, fix="set --public-url to the address that it leads to")
        if not answer.is_success:
            text = f"the public address {self.public_url} answers HTTP {answer.status_code} instead of this server"
            raise Unavailable(text, fix=fix)
        found = _instance_in(answer.content)
        if found is None or (this_server and found != self._instance):
            raise Unavailable(f"the public address {self.public_url} leads to another server than this one", fix=fix)
        await self._check_socket(found, fix)

    async def _check_socket(self, instance: str, fix: str) -> None:
        from websockets.asyncio.client import connect
        from websockets.exceptions import WebSocketException

        asked = self.socket_url(_HELLO)
        try:
            async with asyncio.timeout(_ASK_S), connect(asked, open_timeout=_ASK_S, proxy=None) as socket:
                if _instance_in(await socket.recv()) == instance:
                    return
            said = "another server answers"
        except (OSError, TimeoutError, WebSocketException) as exc:
            said = f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__
        text = f"the public address {self.public_url} takes requests, but no WebSocket gets through to us ({said})"
        raise Unavailable(text, fix=fix)

    async def _answer(self, scope: Scope, receive: Any, send: Any) -> None:
        """Answer under the public path as well as under the path that a proxy has shortened."""
        path = scope["path"]
        if self._prefix and (path == self._prefix or path.startswith(self._prefix + "/")):
            path = path[len(self._prefix) :]
        if path == _HELLO:
            await self._hello(scope, receive, send)
            return
        app = self._apps.get(path.lstrip("/").partition("/")[0])
        if app is not None:
            await app({**scope, "path": path, "raw_path": path.encode(), "root_path": ""}, receive, send)
        elif scope["type"] == "http":
            await PlainTextResponse("nothing is here", 404)(scope, receive, send)
        else:
            await WebSocket(scope, receive, send).close(1008)

    async def _hello(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await JSONResponse({"instance": self._instance})(scope, receive, send)
            return
        socket = WebSocket(scope, receive, send)
        await socket.accept()
        with suppress(RuntimeError):  # whoever asked is gone already
            await socket.send_text(json.dumps({"instance": self._instance}))
            await socket.close()


def checked_public_url(url: str, *, allow_plain_http: bool) -> str:
    """Return a public address without the slash at its end.

    Raises:
        UserError: it is none, or what is said through it could be read on its way.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment or parts.username:
        raise UserError(f'"{url}" is no public address', fix="give one like https://audit.example.com/calls")
    if parts.scheme == "http" and not (is_loopback(url) or allow_plain_http):
        fix = "use https://; carriers send audio over encrypted sockets only"
        raise UserError(f'the public address "{url}" would carry calls unencrypted', fix=fix)
    return url.rstrip("/")


def host_and_port(listen: str) -> tuple[str, int]:
    """Read "HOST:PORT"; an IPv6 host stands in brackets.

    Raises:
        UserError: it is none.
    """
    host, colon, port = listen.rpartition(":")
    if not colon or not host.strip("[]") or not port.isdecimal() or int(port) > 65535:
        raise UserError(f'"{listen}" is no address to listen on', fix=f"write HOST:PORT, as {DEFAULT_LISTEN}")
    return host.strip("[]"), int(port)


def socket_address(url: str) -> str:
    """Return the address of a WebSocket at a web address."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(scheme="wss" if parts.scheme == "https" else "ws"))


def _instance_in(body: str | bytes) -> str | None:
    try:
        value = json.loads(body)
    except ValueError:
        return None
    found = value.get("instance") if isinstance(value, dict) else None
    return found if isinstance(found, str) else None
