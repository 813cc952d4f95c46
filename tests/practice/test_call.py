"""Calls on the practice exchange, placed with the provider's own client."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import soundfile
from twilio.rest import Client

from probes.practice.vendor import PracticeVendor
from tests.practice.conftest import client_of

pytestmark = pytest.mark.slow
Start = Callable[..., PracticeVendor]

THROUGH_THE_MENU = (
    '<Response><Pause length="9"/><Play digits="2"/><Pause length="6"/><Play digits="12345678#"/>'
    '<Pause length="285"/><Say>Hello, my name is Ada. I have been waiting for three days.</Say>'
    '<Pause length="900"/></Response>'
)


def until(happens: Callable[[], Any]) -> Any:
    for _ in range(600):
        if result := happens():
            return result
        time.sleep(0.02)
    raise AssertionError("it did not happen")


def place(client: Client, vendor: PracticeVendor, to: str, twiml: str, **more: Any) -> Any:
    return client.calls.create(
        to=vendor.number_of(to), from_=vendor.addresses.caller_id, twiml=twiml, timeout=30, time_limit=3600, **more
    )


def ended(client: Client, sid: str) -> Any:
    over = ("completed", "busy", "failed", "no-answer", "canceled")
    return until(lambda: call if (call := client.calls(sid).fetch()).status in over else None)


def recording_of(client: Client, vendor: PracticeVendor, sid: str) -> tuple[Any, int, Any]:
    done = until(lambda: [r for r in client.calls(sid).recordings.list() if r.status == "completed"])[0]
    account = vendor.exchange.account
    url = f"{vendor.addresses.exchange}/2010-04-01/Accounts/{account.sid}/Recordings/{done.sid}.wav"
    response = httpx.get(url, auth=(account.sid, account.token))
    samples, rate_hz = soundfile.read(io.BytesIO(response.content), always_2d=True)
    return samples, rate_hz, done


def test_an_everyday_call_goes_from_menu_to_a_line_that_the_vendor_ends(start: Start) -> None:
    vendor = start()
    client = client_of(vendor)
    sid = place(
        client, vendor, "everyday", THROUGH_THE_MENU, record=True, recording_channels="dual", trim="do-not-trim"
    ).sid
    call = ended(client, sid)
    assert call.status == "completed"

    truth = {fact.kind: fact for fact in vendor.truth.read(call=sid)}
    assert truth["hung_up"]["by"] == "vendor"
    assert "identified" in truth
    assert truth["call_ended"]["duration_s"] == pytest.approx(float(call.duration), abs=1.0)
    samples, rate_hz, recording = recording_of(client, vendor, sid)
    assert (rate_hz, samples.shape[1], recording.channels) == (8000, 2, 2)
    assert len(samples) / rate_hz == pytest.approx(truth["call_ended"]["duration_s"], abs=0.001)


@pytest.mark.parametrize(("character", "status", "sip"), [("busy", "busy", 486), ("silent", "no-answer", 487)])
def test_a_call_that_is_not_answered(start: Start, character: str, status: str, sip: int) -> None:
    vendor = start()
    client = client_of(vendor)
    call = ended(client, place(client, vendor, character, "<Response><Pause/></Response>", record=True).sid)
    assert (call.status, call.duration, call.price) == (status, None, None)
    assert client.calls(call.sid).recordings.list() == []
    assert next(vendor.truth.read("call_ended", call=call.sid))["sip_code"] == sip
