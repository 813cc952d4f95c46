"""A customer's web server on loopback: hands out documents and keeps what it is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Asked:
    """A request as it came in."""

    method: str
    url: str
    path: str
    values: dict[str, str]
    signature: str


@dataclass
class Customer:
    """The server; `documents` by path, each a status and a body."""

    url: str
    documents: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def of(self, path: str) -> list[Asked]:
        return [one for one in self.asked if one.path == path]


@contextmanager
def customer() -> Iterator[Customer]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers.get("content-length") or 0)).decode())

        def do_GET(self) -> None:
            self._answer(urlsplit(self.path).query)

        def _answer(self, query: str) -> None:
            path = urlsplit(self.path).path
            values = {name: given[0] for name, given in parse_qs(query, keep_blank_values=True).items()}
            signature = self.headers.get("X-Twilio-Signature", "")
            here.asked.append(Asked(self.command, here.url + self.path, path, values, signature))
            status, body = here.documents.get(path, (200, b""))
            self.send_response(status)
            self.send_header("content-type", "audio/wav" if path.endswith(".wav") else "text/xml")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    here = Customer(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield here
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
