"""What the web tests give a probe to touch the world with, and small servers to touch."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

from pydantic import TypeAdapter

from probes.browser import ChromiumSource
from probes.clock import Clock
from probes.errors import UserError
from probes.events import Action, Payload
from probes.model import Act, Artifact, Seen, Spec, Tools
from probes.running import RunningContacts
from probes.telephony.carrier import Carrier
from probes.web.channel import Channel

T = TypeVar("T")


@dataclass
class Store:
    """Keeps artifacts in memory; `full` makes it refuse."""

    kept: dict[str, bytes] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)

    def put(self, data: bytes, media_type: str, name: str) -> Artifact:
        digest = hashlib.sha256(data).hexdigest()
        self.kept[digest] = data
        self.names.append(name)
        return Artifact(digest, media_type, len(data), name)

    def get(self, artifact: Artifact) -> bytes:
        return self.kept[artifact.sha256]


@dataclass
class Vault:
    """Knows some secrets by their references."""

    known: Mapping[str, str] = field(default_factory=dict)

    def reveal(self, text: str) -> str:
        for reference, secret in self.known.items():
            text = text.replace(reference, secret)
        if "${" in text:
            raise UserError(f"{text} is not set")
        return text

    def scrub(self, text: str) -> str:
        for reference, secret in self.known.items():
            text = text.replace(secret, reference)
        return text


class OpenGate:
    def check(self, act: Act) -> None:
        pass


class NoCarriers:
    def carrier(self, name: str) -> Carrier:
        raise UserError("no carrier here")


def tools(browser: ChromiumSource, *, vault: Vault | None = None, clock: Clock | None = None) -> Tools:
    return Tools(
        clock=clock or Clock(),
        artifacts=Store(),
        secrets=vault or Vault(),
        gate=OpenGate(),
        browser=browser,
        carriers=NoCarriers(),
        running=RunningContacts(),
    )


def channel(**parts: Any) -> Channel:
    """Read a channel as a plan would give it."""
    return TypeAdapter(Channel).validate_python({"kind": "web_ticket", "timeout": "6 s"} | parts)


VALUES = {
    "persona.name": "Jo Lindgren",
    "persona.email": "jo@customer.example",
    "problem.subject": "Invoice 4711",
    "problem.body": "Invoice 4711 lists the same licence two times.",
}


def spec(of: Channel, action: Action = Action.OPEN, **parts: Any) -> Spec:
    return Spec(action=action, reference="HP-7K2M9QXA", channel=of, **({"values": VALUES} | parts))


def payloads(seen: Seen, kind: type[T]) -> list[T]:
    """The sightings of one kind, in order."""
    return [what for each in seen.sightings if isinstance(what := _of(each.what), kind)]


def _of(what: Payload) -> Payload:
    return what


@dataclass
class Asked:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Answer:
    """What a small server answers. `body` may be an iterator, for pages that come in pieces."""

    body: bytes | Iterator[bytes] = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Site:
    """A small server on loopback; `asked` is every request that reached it."""

    url: str
    asked: list[Asked]

    def paths(self, method: str | None = None) -> list[str]:
        return [each.path for each in self.asked if method in (None, each.method)]


@contextmanager
def site(answer: Callable[[Asked], Answer | str | None]) -> Iterator[Site]:
    """Serve what `answer` returns: an Answer, HTML as text, or None for a connection that is dropped."""
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        def handle_one(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            request = Asked(self.command, self.path, dict(self.headers.items()), self.rfile.read(length))
            asked.append(request)
            given = answer(request)
            if given is None:
                self.close_connection = True
                return
            reply = Answer(given.encode()) if isinstance(given, str) else given
            self.send_response(reply.status)
            headers = {"content-type": "text/html; charset=utf-8"} | dict(reply.headers)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                for piece in [reply.body] if isinstance(reply.body, bytes) else reply.body:
                    self.wfile.write(piece)
            except OSError:
                pass  # the browser had enough

        do_GET = do_POST = do_HEAD = do_PUT = handle_one  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield Site(f"http://127.0.0.1:{server.server_port}/", asked)
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def now() -> datetime:
    return datetime.now(UTC)
