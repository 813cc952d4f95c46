"""A live call without a provider: our endpoint on loopback, and a hand that signs and sends what the provider would."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
from twilio.request_validator import RequestValidator
from websockets.asyncio.client import ClientConnection, connect

from probes.practice import twiml
from probes.telephony.carrier import CallRequest, LiveCall
from probes.telephony.public_address import PublicAddress
from probes.telephony.twilio import TwilioCarrier
from tests.telephony.provider import ACCOUNT, CALL, CALLS, ONE_CALL, TOKEN, Answer, Provider, call

STREAM = "MZ" + "0" * 31 + "4"
STREAMS = ONE_CALL.replace(".json", "/Streams.json")
VALIDATOR = RequestValidator(TOKEN)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def here(path: str = "") -> PublicAddress:
    """Return a public address that is this machine's own."""
    port = free_port()
    return PublicAddress(f"http://127.0.0.1:{port}{path}", f"127.0.0.1:{port}")


def request(**changes: Any) -> CallRequest:
    standard = {
        "to": "+442079460100", "caller_id": "+442079460200", "ring_at_most_s": 30.0, "longest_s": 1800.0,
        "record": True, "script": (), "hold_line_s": 0.0, "live": True,
    }  # fmt: skip
    return CallRequest(**{**standard, **changes})


@dataclass
class Hand:
    """The provider's side of one live call, as the test moves it."""

    provider: Provider
    carrier: TwilioCarrier
    stream: twiml.StartStream
    twiml: str
    form: dict[str, list[str]]
    web: httpx.AsyncClient
    changed: list[str] = field(default_factory=list)

    async def post(self, url: str, signed: bool | str = True, **fields: str) -> httpx.Response:
        """Call back, signed as the provider signs, with another signature, or with none."""
        form = {"AccountSid": ACCOUNT, "CallSid": CALL, **fields}
        signature = VALIDATOR.compute_signature(url, form) if signed is True else signed
        headers = {"X-Twilio-Signature": signature} if signature else {}
        return await self.web.post(url, data=form, headers=headers)

    async def tell(self, status: str, number: int, **fields: str) -> httpx.Response:
        """Call back with a step of the call."""
        more = {"CallStatus": status, "SequenceNumber": str(number), **fields}
        return await self.post(self.form["StatusCallback"][0], **more)

    def dial(self, **changes: Any) -> Socket:
        """Return the provider's side of the stream, not connected yet."""
        return Socket(self.stream.url, dict(self.stream.parameters), **changes)

    async def live(self) -> LiveCall:
        found = await self.carrier.live(CALL)
        assert found is not None
        return found

    async def acted(self) -> str:
        """Wait for the next document that is sent to the call; return it."""
        updates = self.provider.count("POST", ONE_CALL)
        while self.provider.count("POST", ONE_CALL) == updates:  # noqa: ASYNC110  (the provider is a thread)
            await asyncio.sleep(0.01)
        return self.provider.form()["Twiml"][0]


@dataclass
class Socket:
    """The provider's end of a media stream."""

    url: str
    parameters: Mapping[str, str]
    signed: bool = True
    account: str = ACCOUNT
    call_id: str = CALL

    async def __aenter__(self) -> Self:
        headers = {"X-Twilio-Signature": VALIDATOR.compute_signature(self.url, {})} if self.signed else {}
        self.socket: ClientConnection = await connect(self.url, additional_headers=headers, proxy=None)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.socket.close()

    async def greet(self) -> None:
        await self.send(event="connected", protocol="Call", version="1.0.0")
        start = {
            "accountSid": self.account, "streamSid": STREAM, "callSid": self.call_id, "tracks": ["inbound", "outbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": dict(self.parameters),
        }  # fmt: skip
        await self.send(event="start", sequenceNumber="1", streamSid=STREAM, start=start)

    async def media(self, index: int, track: str = "inbound", code: int = 0x90) -> None:
        payload = base64.b64encode(bytes([code]) * 160).decode()
        media = {"track": track, "chunk": str(index + 1), "timestamp": str(index * 20), "payload": payload}
        await self.send(event="media", sequenceNumber=str(index + 2), streamSid=STREAM, media=media)

    async def stop(self) -> None:
        await self.send(event="stop", streamSid=STREAM, stop={"accountSid": self.account, "callSid": self.call_id})

    async def send(self, **message: Any) -> None:
        await self.socket.send(json.dumps(message))


@asynccontextmanager
async def placed(
    provider: Provider, address: PublicAddress | None = None, *, pace: float = 1.0, **config: Any
) -> AsyncIterator[Hand]:
    """Dial a live call at the scripted provider, which answers that it is queued."""
    address = address or here()
    changed: list[str] = []
    carrier = TwilioCarrier(provider.config(**{"look_s": 0.1, **config}), address, changed.append)
    provider.answers.setdefault(f"POST {CALLS}", Answer(201, call("queued")))
    provider.answers.setdefault(f"GET {ONE_CALL}", Answer(200, call("in-progress")))
    provider.answers.setdefault(f"POST {ONE_CALL}", Answer(200, call("in-progress")))
    try:
        await carrier.dial(request(pace=pace))
        form = provider.form()
        [start, *_] = twiml.read(form["Twiml"][0]).verbs
        assert isinstance(start, twiml.StartStream)
        async with httpx.AsyncClient(trust_env=False, timeout=10) as web:
            yield Hand(provider, carrier, start, form["Twiml"][0], form, web, changed)
    finally:
        provider.answers[f"POST {ONE_CALL}"] = Answer(200, call("completed"))
        await carrier.close()
        await address.close()


def next_url(document: str) -> str:
    """Return the address that a document asks for what follows."""
    [*_, last] = twiml.read(document).verbs
    assert isinstance(last, twiml.Redirect)
    assert urlsplit(last.url).scheme in ("http", "https")
    return last.url
