"""What a live call's transport does on the practice exchange: joining, audio that breaks off, lines heard."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from probes.errors import FailureKind, Side
from probes.practice.character import CHARACTERS
from probes.practice.switches import Switches
from probes.practice.vendor import PracticeVendor
from probes.telephony.carrier import AudioEnd, CallRequest, CallState, LiveCall, Say
from probes.telephony.twilio import TwilioCarrier
from probes.telephony.twilio_config import TwilioConfig
from tests.practice.conftest import start, voice_home
from tests.telephony.live_kit import here, request

__all__ = ["start", "voice_home"]
pytestmark = pytest.mark.slow
PATIENT = """
number: "+442079460192"
ring: 2 s
first_part: [queue]
parts:
  queue:
    - say: {text: "Please hold the line."}
    - queue: {wait: 9 min, hears: {music: harbour}}
    - hang_up: nobody came
"""
Start = Callable[..., PracticeVendor]


@asynccontextmanager
async def reached(vendor: PracticeVendor) -> AsyncIterator[TwilioCarrier]:
    """A carrier that the exchange can call back."""
    address, account = here("/audit"), vendor.exchange.account
    config = TwilioConfig(
        account_sid=account.sid,
        auth_token=account.token,
        api_base_url=vendor.addresses.exchange,
        insights_base_url=vendor.addresses.insights,
    )
    carrier = TwilioCarrier(config, address)
    try:
        yield carrier
    finally:
        await carrier.close()
        await address.close()


async def live_call(carrier: TwilioCarrier, vendor: PracticeVendor, to: str) -> tuple[str, LiveCall]:
    request = CallRequest(
        to=vendor.number_of(to),
        caller_id=vendor.addresses.caller_id,
        ring_at_most_s=40.0,
        longest_s=600.0,
        record=True,
        script=(),
        hold_line_s=0.0,
        live=True,
        pace=vendor.clock.factor,
    )
    call_id = (await carrier.dial(request)).call_id
    live = await asyncio.wait_for(carrier.live(call_id), 60)
    assert live is not None
    return call_id, live


async def test_our_own_telephone_is_joined_heard_and_gone_again_while_the_call_goes_on(
    start: Start, tmp_path: Path
) -> None:
    folder = tmp_path / "characters" / "patient"
    folder.mkdir(parents=True)
    (folder / "phone.yaml").write_text(PATIENT, encoding="utf-8")
    folders = (CHARACTERS, tmp_path / "characters")
    vendor = start(factor=10.0, folders=folders, switches=Switches(insights_partial_s=5.0))
    async with reached(vendor) as carrier:
        call_id, live = await live_call(carrier, vendor, "patient")
        loud: dict[Side, list[float]] = {Side.OURS: [], Side.VENDOR: []}

        async def listen() -> None:
            async for frame in live.frames():
                if np.abs(np.frombuffer(frame.samples, "<f4")).max() > 0.02:
                    loud[frame.side].append(frame.t_s)

        listening = asyncio.create_task(listen())
        assert not await live.join("+442079460103", 3.0)
        assert not loud[Side.OURS]
        assert await live.join(vendor.number_of("auditor"), 20.0)
        async with asyncio.timeout(60):
            while not list(vendor.truth.read("conference_left", call=call_id)):  # noqa: ASYNC110  (it is in a file)
                await asyncio.sleep(0.1)
        assert (await carrier.status(call_id)).state is CallState.UP
        await carrier.hang_up(call_id)
        await asyncio.wait_for(listening, 60)
        status = await carrier.status(call_id)
        while status.cost_minor is None or status.bye_from is None:
            await asyncio.sleep(0.2)
            status = await carrier.status(call_id)
    assert loud[Side.OURS]
    assert (status.bye_from, status.audio_end) == (Side.OURS, AudioEnd.IN_ORDER)
    assert {"joined_call", "stream_callback", "media_stream"} <= {record.resource for record in status.raw}


async def test_audio_that_breaks_off_is_had_again_within_the_call(start: Start) -> None:
    vendor = start(factor=8.0)
    vendor.exchange.switches.stream_breaks_after_s = 4.0
    async with reached(vendor) as carrier:
        call_id, live = await live_call(carrier, vendor, "voicemail")
        times: list[float] = []
        async for frame in live.frames():
            times.append(frame.t_s)
            if len(times) == 1500:
                await carrier.hang_up(call_id)
        status = await carrier.status(call_id)
    assert times == sorted(times)
    gaps = np.diff(times)
    assert np.count_nonzero(gaps > 0.5) <= 1
    [over] = vendor.truth.read("hung_up", call=call_id)
    assert times[-1] == pytest.approx(over["t_s"], abs=3.0)
    assert status.line_faults == ()  # it came back: nothing that the line ended by
    [report] = [json.loads(record.body) for record in status.raw if record.resource == "media_stream"]
    assert len(report["streams"]) == 2
    assert any("broke off" in note for note in report["notes"])


async def test_a_line_is_heard_at_the_far_end_by_the_time_that_we_are_told(start: Start) -> None:
    vendor = start(factor=8.0)
    async with reached(vendor) as carrier:
        call_id, live = await live_call(carrier, vendor, "voicemail")
        await live.play(Say("Hello, nobody answers our tickets.", "en"))
        [said] = [fact for fact in vendor.truth.read("caller_sounds", call=call_id) if fact["label"] == "line"]
        answered = next(vendor.truth.read("call_answered", call=call_id)).at_utc
        lag_s = (vendor.clock.now_utc() - answered).total_seconds() - said["until_s"]
        await carrier.hang_up(call_id)
        assert lag_s >= 0.0


async def test_a_number_that_nobody_has_fails_later_with_the_providers_reason(start: Start) -> None:
    vendor = start(factor=50.0)
    async with reached(vendor) as carrier:
        call = request(to="+442079460199", caller_id=vendor.addresses.caller_id, live=False, script=(Say("Hi", "en"),))
        call_id = (await carrier.dial(call)).call_id
        async with asyncio.timeout(60):
            while (status := await carrier.status(call_id)).state is not CallState.ENDED:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    assert status.answered is False
    assert status.failure is not None
    assert (status.failure.kind, "13224" in status.failure.text) == (FailureKind.NUMBER_UNREACHABLE, True)
