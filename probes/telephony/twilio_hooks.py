"""What the provider sends us: news of calls, requests for documents, and the audio. Believed only if it is signed."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from probes.telephony import twiml
from probes.telephony.callbacks import SIGNATURE_HEADER, CallbackReader, NotTheProviders, StatusCallback, in_order
from probes.telephony.carrier import CallState, RawRecord
from probes.telephony.media_stream import StreamRefused
from probes.telephony.public_address import PublicAddress
from probes.telephony.twilio_live import TwilioLive

_LARGEST_BYTES = 64 * 1024
_CALLS_KEPT, _NEWS_KEPT = 1000, 100


@dataclass
class News:
    """What was called back about one call, as it came in."""

    steps: list[StatusCallback] = field(default_factory=list)
    raw: list[RawRecord] = field(default_factory=list)

    def in_order(self) -> tuple[StatusCallback, ...]:
        """Return the call's steps as they happened, each once."""
        return in_order(tuple(self.steps))

    @property
    def last(self) -> StatusCallback | None:
        """Return the furthest step that was told of."""
        return self.in_order()[-1] if self.steps else None


class Hooks:
    """The addresses below `/twilio/`. `on_change` is told the id of a call of which something new is known."""

    def __init__(
        self, address: PublicAddress, account_id: str, auth_token: str, on_change: Callable[[str], None] | None = None
    ) -> None:
        self._address, self._account_id, self._on_change = address, account_id, on_change
        self._reader = CallbackReader(address.public_url, account_id, auth_token)
        self.lives: dict[str, TwilioLive] = {}
        self._news: OrderedDict[str, News] = OrderedDict()
        self._legs: dict[str, Callable[[StatusCallback], None]] = {}
        post = ["POST"]
        address.mount(
            "twilio",
            Starlette(
                routes=[
                    Route("/twilio/status/{key}", self._status, methods=post),
                    Route("/twilio/leg/{key}", self._leg, methods=post),
                    Route("/twilio/recording/{key}", self._told, methods=post),
                    Route("/twilio/stream-status/{key}", self._stream_status, methods=post),
                    Route("/twilio/hold/{key}", self._hold, methods=post),
                    Route("/twilio/act/{key}/{number:int}", self._act, methods=post),
                    WebSocketRoute("/twilio/stream/{key}", self._stream),
                ],
                exception_handlers={NotTheProviders: _refuse, ValueError: _misread},
            ),
        )

    def news(self, call_id: str) -> News:
        """Return what was called back about a call."""
        return self._news.get(call_id, News())

    def live(self, call_id: str) -> TwilioLive | None:
        """Return the live side of a call, where it is in this process."""
        return next((live for live in self.lives.values() if call_id and live.call_id == call_id), None)

    def watch_leg(self, key: str, told: Callable[[StatusCallback], None] | None) -> None:
        """Let `told` hear of the second leg of the call of this key; None: no more."""
        if told is None:
            self._legs.pop(key, None)
        else:
            self._legs[key] = told

    # --- callbacks ---

    async def _signed(self, request: Request) -> tuple[str, dict[str, str]]:
        """Return the path and the form of a request that the provider signed, which is kept as a record of its call."""
        body = await _body(request)
        if body is None:
            raise NotTheProviders("more than the provider ever sends")
        form = {name: values[-1] for name, values in parse_qs(body.decode(), keep_blank_values=True).items()}
        path = request.scope["path"] + (f"?{request.url.query}" if request.url.query else "")
        self._reader.check(path, form, request.headers.get(SIGNATURE_HEADER))
        if (live := self.lives.get(request.path_params["key"])) is not None and "leg" not in request.url.path:
            live.is_placed(form.get("CallSid", ""))
        return path, form

    def _keep(self, kind: str, form: dict[str, str]) -> News:
        news = self._news.setdefault(form.get("CallSid", ""), News())
        while len(self._news) > _CALLS_KEPT:
            self._news.popitem(last=False)
        record = RawRecord(resource=kind, body=json.dumps(form, sort_keys=True).encode(), media_type="application/json")
        if len(news.raw) < _NEWS_KEPT and record not in news.raw:
            news.raw.append(record)
        return news

    def _changed(self, form: dict[str, str]) -> None:
        if self._on_change is not None and form.get("CallSid"):
            self._on_change(form["CallSid"])

    async def _status(self, request: Request) -> Response:
        path, form = await self._signed(request)
        step = self._reader.status(path, form, request.headers.get(SIGNATURE_HEADER))
        news = self._keep("status_callback", form)
        if len(news.steps) < _NEWS_KEPT:
            news.steps.append(step)
        live = self.lives.get(request.path_params["key"])
        if live is not None and step.state is CallState.ENDED and step.call_id == live.call_id:
            live.end()
        self._changed(form)
        return Response(status_code=204)

    async def _leg(self, request: Request) -> Response:
        path, form = await self._signed(request)
        step = self._reader.status(path, form, request.headers.get(SIGNATURE_HEADER))
        if (told := self._legs.get(request.path_params["key"])) is not None:
            told(step)
        return Response(status_code=204)

    async def _told(self, request: Request) -> Response:
        _, form = await self._signed(request)
        self._keep("recording_callback", form)
        self._changed(form)
        return Response(status_code=204)

    async def _stream_status(self, request: Request) -> Response:
        _, form = await self._signed(request)
        self._keep("stream_callback", form)
        live = self.lives.get(request.path_params["key"])
        if live is not None and form.get("StreamEvent") == "stream-error":
            live.stream_failed(form.get("StreamError", "no reason given"))
        return Response(status_code=204)

    # --- documents ---

    async def _hold(self, request: Request) -> Response:
        await self._signed(request)
        return self._document(request)

    async def _act(self, request: Request) -> Response:
        await self._signed(request)
        if (live := self.lives.get(request.path_params["key"])) is not None:
            live.has_acted(request.path_params["number"])
        return self._document(request)

    def _document(self, request: Request) -> Response:
        """Return what a call goes on with. Nobody holds a call that this process does not know: it is ended."""
        live = self.lives.get(request.path_params["key"])
        document = live.hold_document() if live is not None else twiml.response("<Hangup/>")
        return Response(document, media_type="text/xml")

    # --- audio ---

    async def _stream(self, socket: WebSocket) -> None:
        live = self.lives.get(socket.path_params["key"])
        try:
            self._reader.check_socket(socket.scope["path"], socket.headers.get(SIGNATURE_HEADER))
        except NotTheProviders:
            live = None
        if live is None or socket.url.query or not live.take_stream():
            await socket.close(1008)  # before it was accepted: the handshake is answered with 403
            return
        code = 1000
        try:
            await socket.accept()
            await live.listen(socket)
        except StreamRefused as exc:
            live.notes.append(f"a stream was refused: {exc}")
            code = 1008
        except (WebSocketDisconnect, KeyError, RuntimeError):  # it went away, or sent bytes instead of text
            code = 1003
        finally:
            live.give_stream_back()
        if socket.application_state is not WebSocketState.DISCONNECTED:
            with suppress(RuntimeError):
                await socket.close(code)


async def _body(request: Request) -> bytes | None:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > _LARGEST_BYTES:
            return None
        parts.append(part)
    return b"".join(parts)


def _refuse(_request: Request, _error: Exception) -> Response:
    return PlainTextResponse("this request is not the provider's", 403)


def _misread(_request: Request, _error: Exception) -> Response:
    return PlainTextResponse("this request is not in the documented form", 400)
