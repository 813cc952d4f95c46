"""A scripted stand-in for the provider's API on loopback: every answer is given by the test, every request kept.

It has no life of its own; it can be slow, silent, refusing or wrong.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from probes.telephony.twilio_config import TwilioConfig
from tests.telephony.openapi import Exchange

ACCOUNT = "AC" + "0" * 31 + "1"
TOKEN = "a-token-made-up-for-tests"
CALL = "CA" + "0" * 31 + "2"
RECORDING = "RE" + "0" * 31 + "3"
CALLS = f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json"
ONE_CALL = f"/2010-04-01/Accounts/{ACCOUNT}/Calls/{CALL}.json"
ITS_RECORDINGS = f"/2010-04-01/Accounts/{ACCOUNT}/Calls/{CALL}/Recordings.json"
ITS_NOTIFICATIONS = f"/2010-04-01/Accounts/{ACCOUNT}/Calls/{CALL}/Notifications.json"
ONE_RECORDING = f"/2010-04-01/Accounts/{ACCOUNT}/Recordings/{RECORDING}.json"
MEDIA = f"/2010-04-01/Accounts/{ACCOUNT}/Recordings/{RECORDING}.wav"
SUMMARY = f"/v1/Voice/{CALL}/Summary"


@dataclass(frozen=True)
class Answer:
    """What to send back. `drop`: close the connection without a word; `wait_s`: before the first byte."""

    status: int = 200
    body: Any = None
    media_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    wait_s: float = 0.0
    drop: bool = False

    @property
    def data(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


def error(status: int, code: int, message: str = "as the test wants it") -> Answer:
    """Return an error in the provider's form."""
    more = f"https://www.twilio.com/docs/errors/{code}"
    return Answer(status, {"code": code, "message": message, "more_info": more, "status": status})


Given = Answer | list[Answer] | Callable[[Exchange], Answer]


@dataclass
class Provider:
    """The server: `answers` by "METHOD path"; a list is used up one by one, its last answer stays."""

    url: str
    answers: dict[str, Given] = field(default_factory=dict)
    asked: list[Exchange] = field(default_factory=list)
    unauthorised: int = 0

    def config(self, **changes: Any) -> TwilioConfig:
        """Return a configuration that leads to this server."""
        standard = {"account_sid": ACCOUNT, "auth_token": TOKEN, "api_base_url": self.url, "backoff_s": (0.01, 0.01)}
        return TwilioConfig(**{**standard, **changes})

    def form(self, index: int = -1) -> dict[str, list[str]]:
        """Return the form of the nth POST."""
        return parse_qs([one for one in self.asked if one.method == "POST"][index].form)

    def count(self, method: str, path: str) -> int:
        """Return how often something was asked."""
        return sum(one.method == method and one.path == path for one in self.asked)

    def answer(self, asked: Exchange) -> Answer:
        given = self.answers.get(f"{asked.method} {asked.path}")
        if given is None:
            return error(404, 20404, f"The requested resource {asked.path} was not found")
        if isinstance(given, list):
            return given.pop(0) if len(given) > 1 else given[0]
        return given(asked) if callable(given) else given


@contextmanager
def running() -> Iterator[Provider]:
    """Run the server on a free port."""
    provider = Provider("")
    expected = "Basic " + base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def log_message(self, *_: object) -> None: ...

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            form = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            authorization = self.headers.get("Authorization")
            asked = Exchange(self.command, parts.path, parts.query, form, authorization, 0, b"")
            if authorization != expected:
                provider.unauthorised += 1
                given = error(401, 20003, "Authenticate")
            else:
                given = provider.answer(asked)
            provider.asked.append(replace(asked, status=given.status, body=given.data))
            time.sleep(given.wait_s)
            if given.drop:
                self.close_connection = True
                return
            try:
                self.send_response(given.status)
                self.send_header("Content-Type", given.media_type)
                for name, value in given.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(given.data)))
                self.end_headers()
                self.wfile.write(given.data)
            except OSError:
                self.close_connection = True  # the client gave up waiting, as the test wants it

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that goes away in the middle is what some tests want."""

    server = Server(("127.0.0.1", 0), Handler)
    provider.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def call(status: str, **changes: Any) -> dict[str, Any]:
    """Return a Call resource as the provider writes it: RFC 2822 moments, numbers as strings."""
    started = status not in ("queued", "ringing")
    over = status in ("completed", "busy", "failed", "no-answer", "canceled")
    return {
        "sid": CALL,
        "account_sid": ACCOUNT,
        "date_created": "Sun, 22 Nov 2026 10:00:00 +0000",
        "date_updated": "Sun, 22 Nov 2026 10:00:00 +0000",
        "parent_call_sid": None,
        "to": "+442079460100",
        "to_formatted": "+442079460100",
        "from": "+442079460200",
        "from_formatted": "+442079460200",
        "phone_number_sid": None,
        "status": status,
        "start_time": "Sun, 22 Nov 2026 10:00:08 +0000" if started else None,
        "end_time": "Sun, 22 Nov 2026 10:02:08 +0000" if over else None,
        "duration": "120" if status == "completed" else ("0" if over else None),
        "price": None,
        "price_unit": "USD",
        "direction": "outbound-api",
        "answered_by": None,
        "api_version": "2010-04-01",
        "forwarded_from": None,
        "group_sid": None,
        "caller_name": None,
        "queue_time": "0",
        "trunk_sid": None,
        "uri": ONE_CALL,
        "subresource_uris": {"recordings": ITS_RECORDINGS},
    } | changes


def recording(status: str = "completed", **changes: Any) -> dict[str, Any]:
    """Return a Recording resource."""
    return {
        "account_sid": ACCOUNT,
        "api_version": "2010-04-01",
        "call_sid": CALL,
        "conference_sid": None,
        "date_created": "Sun, 22 Nov 2026 10:00:08 +0000",
        "date_updated": "Sun, 22 Nov 2026 10:02:10 +0000",
        "start_time": "Sun, 22 Nov 2026 10:00:08 +0000",
        "duration": "120" if status == "completed" else "-1",
        "sid": RECORDING,
        "price": None,
        "price_unit": "USD",
        "status": status,
        "channels": 2,
        "source": "OutboundAPI",
        "error_code": None,
        "track": "both",
        "uri": ONE_RECORDING,
        "encryption_details": None,
    } | changes


def page(name: str, *items: dict[str, Any]) -> dict[str, Any]:
    """Return a page of a list."""
    return {
        name: list(items), "page": 0, "page_size": 50, "start": 0, "end": len(items),
        "uri": "/x", "first_page_uri": "/x", "next_page_uri": None, "previous_page_uri": None,
    }  # fmt: skip


def summary(**changes: Any) -> dict[str, Any]:
    """Return a call summary of the insights."""
    return {
        "account_sid": ACCOUNT,
        "call_sid": CALL,
        "call_type": "carrier",
        "call_state": "completed",
        "processing_state": "partial",
        "created_time": "2026-11-22T10:00:00Z",
        "start_time": "2026-11-22T10:00:00Z",
        "end_time": "2026-11-22T10:02:08Z",
        "duration": 128,
        "connect_duration": 120,
        "from": {"caller": "+442079460200"},
        "to": {"callee": "+442079460100"},
        "tags": [],
        "attributes": {},
        "properties": {"disconnected_by": "callee", "last_sip_response_num": "200", "pdd_ms": 812},
    } | changes


def scrubbed(text: str) -> str:
    """Return text with SIDs cut, to search it for digits of ours."""
    return re.sub(r"(CA|AC|RE)[0-9a-f]{32}", "", text)
