"""Media streams of the exchange: messages, audio in place, keys and marks back, ends."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from twilio.request_validator import RequestValidator
from websockets.asyncio.server import ServerConnection, serve

from probes.practice import mixing, tones
from probes.practice.inband import InBand
from probes.practice.vendor import PracticeVendor
from tests.practice.conftest import client_of
from tests.practice.customer import Customer, customer
from tests.practice.test_call import place

Start = Callable[..., PracticeVendor]
Answer = Callable[["Ear", dict[str, Any]], Awaitable[None]]


@dataclass
class Ear:
    """What a customer's WebSocket server got on one stream."""

    socket: ServerConnection
    signature: str
    messages: list[dict[str, Any]] = field(default_factory=list)

    @property
    def sid(self) -> str:
        return str(self.of("start")[0]["streamSid"])

    def of(self, event: str) -> list[dict[str, Any]]:
        return [one for one in self.messages if one["event"] == event]

    def audio(self, track: str) -> Any:
        """The track's samples, placed by their timestamps; what is missing is silence."""
        media = [one["media"] for one in self.of("media") if one["media"]["track"] == track]
        out = np.zeros((int(media[-1]["timestamp"]) // 20 + 1) * 160, np.float32)
        for one in media:
            at = int(one["timestamp"]) * 8
            out[at : at + 160] = mixing.from_mu_law(base64.b64decode(one["payload"]))
        return out

    async def send(self, event: str, **body: Any) -> None:
        await self.socket.send(json.dumps({"event": event, "streamSid": self.sid, **body}))


@asynccontextmanager
async def listening(answer: Answer | None = None) -> AsyncIterator[tuple[str, list[Ear]]]:
    ears: list[Ear] = []

    async def handle(socket: ServerConnection) -> None:
        assert socket.request is not None
        ear = Ear(socket, socket.request.headers.get("X-Twilio-Signature", ""))
        ears.append(ear)
        async for raw in socket:
            ear.messages.append(json.loads(raw))
            if answer is not None:
                await answer(ear, ear.messages[-1])

    async with serve(handle, "127.0.0.1", 0, max_queue=None) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/media", ears


async def until(happens: Callable[[], Any]) -> Any:
    for _ in range(1000):
        if result := await asyncio.to_thread(happens):
            return result
        await asyncio.sleep(0.02)
    raise AssertionError("it did not happen")


async def called(vendor: PracticeVendor, twiml: str, to: str = "everyday") -> Any:
    return await asyncio.to_thread(place, client_of(vendor), vendor, to, twiml)


async def over(vendor: PracticeVendor, sid: str) -> Any:
    client = client_of(vendor)
    return await until(lambda: call if (call := client.calls(sid).fetch()).status == "completed" else None)


@pytest.fixture
def web() -> Iterator[Customer]:
    with customer() as server:
        yield server


FORK = (
    '<Response><Start><Stream url="{url}" track="both_tracks" name="ear" statusCallback="{web}/stream">'
    '<Parameter name="token" value="abc"/></Stream></Start>'
    '<Pause length="8"/><Play digits="2"/><Pause length="6"/><Play digits="1#"/><Pause length="30"/></Response>'
)


@pytest.mark.slow
async def test_a_fork_carries_both_tracks_and_is_signed(start: Start, web: Customer) -> None:
    vendor = start(factor=50.0)
    async with listening() as (url, ears):
        sid = (await called(vendor, FORK.format(url=url, web=web.url))).sid
        await over(vendor, sid)
        await until(lambda: len(web.of("/stream")) == 2)
    [ear] = ears
    assert RequestValidator(vendor.exchange.account.token).validate(url, {}, ear.signature)
    assert [one["event"] for one in ear.messages[:2]] == ["connected", "start"]
    assert ear.messages[-1]["event"] == "stop"
    told = ear.of("start")[0]["start"]
    assert (told["callSid"], told["tracks"], told["customParameters"]) == (
        sid,
        ["inbound", "outbound"],
        {"token": "abc"},
    )
    numbers = [int(one["sequenceNumber"]) for one in ear.messages[1:]]
    assert numbers == list(range(1, len(numbers) + 1))
    outbound = [one["media"] for one in ear.of("media") if one["media"]["track"] == "outbound"]
    assert [int(one["chunk"]) for one in outbound] == list(range(1, len(outbound) + 1))
    assert [int(one["timestamp"]) for one in outbound] == [20 * n for n in range(len(outbound))]
    told = sorted(one.values["StreamEvent"] for one in web.of("/stream"))  # callbacks come in any order
    assert told == ["stream-started", "stream-stopped"]

    ours, theirs = ear.audio("outbound"), ear.audio("inbound")
    [sounds] = [fact["sounds"] for fact in vendor.truth.read("call_sounds", call=sid)]
    assert len(ours) / 8000 == pytest.approx(next(vendor.truth.read("hung_up", call=sid))["t_s"], abs=0.05)
    ear_for_keys = InBand()
    heard = [
        (at / 8000, key.digit)
        for at in range(0, len(ours) - 159, 160)
        if (key := ear_for_keys.hear(ours[at : at + 160])) is not None
    ]
    keys = [sound["start_s"] for sound in sounds if sound["label"] == "key"]
    assert [key for _, key in heard] == ["2", "1", "#"]
    assert [at for at, _ in heard] == [pytest.approx(key_s, abs=0.06) for key_s in keys]
    first = next(sound for sound in sounds if sound["label"] == "prompt")
    assert np.sqrt(np.mean(theirs[: int(first["end_s"] * 8000)] ** 2)) > 0.02


def digits_audio(digits: str) -> bytes:
    gap = np.zeros(800, np.float32)
    return mixing.mu_law(np.concatenate([np.concatenate([tones.key_tone(digit), gap]) for digit in digits]))


def payload(data: bytes) -> dict[str, str]:
    return {"payload": base64.b64encode(data).decode()}


@pytest.mark.slow
async def test_keys_and_marks_come_back_on_a_stream_that_goes_both_ways(start: Start) -> None:
    vendor = start(factor=5.0)
    sent: list[int] = []

    async def answer(ear: Ear, message: dict[str, Any]) -> None:
        if message["event"] == "media" and int(message["media"]["timestamp"]) == 7000:
            sent.append(len(ear.of("media")))
            await ear.send("media", media=payload(digits_audio("3")))
            await ear.send("mark", mark={"name": "pressed"})
        if message["event"] == "mark" and message["mark"]["name"] == "pressed":
            await ear.send("media", media=payload(bytes([0xFF]) * 80_000))
            await ear.send("mark", mark={"name": "never played"})
            await ear.send("clear")
        if message["event"] == "mark" and message["mark"]["name"] == "never played":
            await ear.socket.close()

    async with listening(answer) as (url, ears):
        twiml = f'<Response><Connect><Stream url="{url}"/></Connect><Say>and on</Say><Pause length="1"/></Response>'
        sid = (await called(vendor, twiml)).sid
        await over(vendor, sid)
    [ear] = ears
    assert len(sent) == 1
    assert [one["mark"]["name"] for one in ear.of("mark")] == ["pressed", "never played"]
    assert ear.of("start")[0]["start"]["tracks"] == ["inbound"]
    assert next(vendor.truth.read("chosen", call=sid))["key"] == "3"
    assert [fact["text"] for fact in vendor.truth.read("caller_sounds", call=sid)] == ["and on"]
    # The mark came when the key and its gap had been played: 0.22 s, and not when they were sent.
    at_mark = len([one for one in ear.messages[: ear.messages.index(ear.of("mark")[0])] if one["event"] == "media"])
    assert at_mark - sent[0] >= 10


@pytest.mark.slow
async def test_speech_over_a_stream_is_heard(start: Start) -> None:
    vendor = start(factor=20.0)

    async def answer(ear: Ear, message: dict[str, Any]) -> None:
        if message["event"] == "media" and message["media"]["timestamp"] == "20000":
            noise = np.random.default_rng(1).normal(0, 0.1, 16_000).astype(np.float32)
            await ear.send("media", media=payload(mixing.mu_law(noise)))

    async with listening(answer) as (url, _):
        twiml = f'<Response><Connect><Stream url="{url}"/></Connect></Response>'
        sid = (await called(vendor, twiml, "voicemail")).sid
        await until(lambda: list(vendor.truth.read("caller_heard", call=sid)))


@pytest.mark.slow
async def test_a_stream_that_cannot_be_opened_is_noted_and_the_call_goes_on(start: Start) -> None:
    vendor = start(factor=100.0)
    twiml = '<Response><Start><Stream url="ws://127.0.0.1:9/none"/></Start><Pause length="6"/></Response>'
    sid = (await called(vendor, twiml)).sid
    assert (await over(vendor, sid)).duration == "6"
    notes = await asyncio.to_thread(client_of(vendor).calls(sid).notifications.list)
    assert [note.error_code for note in notes] == ["31920"]


@pytest.mark.slow
async def test_a_stream_is_started_and_stopped_by_request(start: Start) -> None:
    vendor = start(factor=20.0)
    client = client_of(vendor)
    async with listening() as (url, ears):
        sid = (await called(vendor, '<Response><Pause length="400"/></Response>')).sid
        await until(lambda: client.calls(sid).fetch().status == "in-progress")
        stream = await asyncio.to_thread(client.calls(sid).streams.create, url=url, name="late", track="inbound_track")
        assert stream.status == "in-progress"
        await until(lambda: ears and len(ears[0].of("media")) > 50)
        stopped = await asyncio.to_thread(client.calls(sid).streams(stream.sid).update, status="stopped")
        assert stopped.status == "stopped"
        await until(lambda: ears[0].of("stop"))
        assert (await asyncio.to_thread(client.calls(sid).fetch)).status == "in-progress"


@pytest.mark.slow
async def test_ten_minutes_are_streamed_in_moments_without_a_frame_out_of_place(start: Start) -> None:
    vendor = start(factor=2000.0)
    started_s = time.monotonic()
    async with listening() as (url, ears):
        twiml = (
            f'<Response><Start><Stream url="{url}"/></Start><Pause length="9"/><Play digits="2"/><Pause length="6"/>'
            '<Play digits="12345678"/><Pause length="600"/></Response>'
        )
        sid = (await called(vendor, twiml)).sid
        await over(vendor, sid)
        await until(lambda: ears[0].of("stop"))
    took_s = time.monotonic() - started_s
    [ear] = ears
    stamps = [int(one["media"]["timestamp"]) for one in ear.of("media")]
    assert stamps == sorted(set(stamps))
    assert stamps[-1] / 1000 == pytest.approx(next(vendor.truth.read("hung_up", call=sid))["t_s"], abs=0.1)
    assert len(stamps) > 0.97 * stamps[-1] / 20
    assert took_s < stamps[-1] / 1000 / 5


def shape(value: Any) -> Any:
    """What a message is made of, without what it says."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    return [shape(inner) for inner in value[:1]] if isinstance(value, list) else type(value).__name__


@pytest.mark.slow
async def test_the_messages_have_the_shape_that_another_simulator_gives_them(start: Start) -> None:
    protocol = pytest.importorskip("streamdouble.protocol", reason="streamdouble is not installed")
    vendor = start(factor=20.0)

    async def answer(ear: Ear, message: dict[str, Any]) -> None:
        if message["event"] == "start":
            await ear.send("mark", mark={"name": "m"})

    async with listening(answer) as (url, ears):
        stream = f'<Stream url="{url}"><Parameter name="a" value="b"/></Stream>'
        sid = (await called(vendor, f"<Response><Connect>{stream}</Connect></Response>", "voicemail")).sid
        await over(vendor, sid)
        await until(lambda: ears[0].of("stop"))
    who = protocol.StreamIdentity(stream_sid=ears[0].sid, account_sid=vendor.exchange.account.sid, call_sid=sid)
    theirs = {
        "connected": protocol.build_connected(),
        "start": protocol.build_start(who, 1, custom_parameters={"a": "b"}),
        "media": protocol.build_media(who, 2, 1, 0, bytes(160)),
        "mark": protocol.build_mark(who, 3, "m"),
        "stop": protocol.build_stop(who, 4),
    }
    for event, built in theirs.items():
        assert shape(ears[0].of(event)[0]) == shape(built), event
    assert ears[0].of("start")[0] == theirs["start"] | {"streamSid": ears[0].sid}


@pytest.mark.parametrize("digits", ["0123456789", "ABCD*#", "1177"])
def test_keys_are_heard_in_band_once_each(digits: str) -> None:
    ear = InBand()
    samples = mixing.from_mu_law(digits_audio(digits))
    heard = [ear.hear(samples[at : at + 160]) for at in range(0, len(samples), 160)]
    assert "".join(key.digit for key in heard if key is not None) == digits


def test_no_key_is_heard_in_music_or_speech(voice_home: Any) -> None:
    from probes.practice.sounds import Music, Sounds, Spoken

    sounds = Sounds(voice_home)
    for sound in (Music("harbour"), Music("rain"), Spoken("All of our agents are busy. Please hold the line.", "nora")):
        ear, samples = InBand(), sounds.samples(sound)
        assert not any(ear.hear(samples[at : at + 160]) for at in range(0, len(samples), 160)), sound
