"""What the exchange tells of a call besides its sound: detection, numbers out of reach, lost lines, rooms, streams."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from twilio.base.exceptions import TwilioRestException

from probes.practice.character import CHARACTERS, Channel
from probes.practice.streams import Network
from probes.practice.vendor import PracticeVendor
from tests.practice.conftest import client_of
from tests.practice.customer import Customer, customer
from tests.practice.test_call import ended, place, until
from tests.practice.test_streams import called, listening, over
from tests.practice.test_streams import until as happens

Start = Callable[..., PracticeVendor]

LOST = """
number: "+442079460181"
ring: 1 s
first_part: [desk]
parts:
  desk:
    - queue: {wait: 5 min, hears: {music: harbour, ends_after: 40 s, lost: %s}}
    - hang_up: nobody gets here
"""


@pytest.fixture
def web() -> Iterator[Customer]:
    with customer() as server:
        yield server


def with_character(tmp_path: Path, text: str) -> dict[str, Any]:
    folder = tmp_path / "characters" / "odd"
    folder.mkdir(parents=True)
    (folder / "phone.yaml").write_text(text, encoding="utf-8")
    return {"folders": (CHARACTERS, tmp_path / "characters")}


@pytest.mark.slow
@pytest.mark.parametrize("beside", [False, True])
def test_machine_detection_holds_the_document_up_or_is_told_beside_it(
    start: Start, web: Customer, beside: bool
) -> None:
    vendor = start(factor=200.0)
    client = client_of(vendor)
    web.documents["/begin"] = (200, b'<Response><Pause length="10"/></Response>')
    more: dict[str, Any] = {"machine_detection": "Enable", "url": f"{web.url}/begin"}
    if beside:
        more |= {"async_amd": "true", "async_amd_status_callback": f"{web.url}/amd"}
    number = vendor.number_of("voicemail")
    sid = client.calls.create(to=number, from_=vendor.addresses.caller_id, **more).sid
    assert ended(client, sid).answered_by == "machine_start"
    [asked] = web.of("/begin")
    assert asked.values.get("AnsweredBy") == (None if beside else "machine_start")
    [answered] = vendor.truth.read("call_answered", call=sid)
    if beside:
        told = until(lambda: web.of("/amd"))[0].values
        assert (told["CallSid"], told["AnsweredBy"]) == (sid, "machine_start")
        assert 3000 < int(told["MachineDetectionDuration"]) < 5000
    assert answered


@pytest.mark.slow
def test_without_asking_nobody_is_told_what_answered(start: Start) -> None:
    vendor = start()
    client = client_of(vendor)
    asked = {"machine_detection": "Enable", "send_digits": "1"}  # keys switch the detection off
    sid = place(client, vendor, "voicemail", '<Response><Pause length="9"/></Response>', **asked).sid
    assert ended(client, sid).answered_by is None


@pytest.mark.slow
def test_numbers_that_cannot_be_called_are_refused_at_once_or_fail_later(start: Start) -> None:
    vendor = start()
    client = client_of(vendor)

    def call(to: str) -> Any:
        return client.calls.create(to=to, from_=vendor.addresses.caller_id, twiml="<Response/>")

    for to, code in (("+4420", 21211), ("+8562055512345", 21215), ("+449098790123", 21215)):
        with pytest.raises(TwilioRestException) as caught:
            call(to)
        assert caught.value.code == code
    later = ended(client, call("+442079460199").sid)
    assert (later.status, later.duration) == ("failed", None)
    assert [note.error_code for note in client.calls(later.sid).notifications.list()] == ["13224"]


@pytest.mark.slow
@pytest.mark.parametrize("lost", ["true", "false"])
def test_a_call_can_end_in_the_middle_of_a_hold_by_the_vendor_or_by_the_network(
    start: Start, tmp_path: Path, lost: str
) -> None:
    vendor = start(factor=1000.0, **with_character(tmp_path, LOST % lost))
    client = client_of(vendor)
    sid = place(client, vendor, "odd", '<Response><Pause length="600"/></Response>').sid
    assert int(ended(client, sid).duration) == pytest.approx(40, abs=1)

    def told() -> Any:
        try:
            return client.insights.v1.calls(sid).summary().fetch(processing_state="partial")
        except TwilioRestException:
            return None

    summary = until(told)
    by, code, tags = summary.properties["disconnected_by"], summary.properties["last_sip_response_num"], summary.tags
    assert (by, code, tags) == ((None, "408", ["silence"]) if lost == "true" else ("callee", "200", []))
    [happened] = list(vendor.truth.read("line_lost", "hung_up", call=sid))
    assert happened.kind == ("line_lost" if lost == "true" else "hung_up")


ROOM = (
    '<Response>{before}<Dial{action}><Conference endConferenceOnExit="true" beep="false" waitUrl="">a</Conference>'
    "</Dial>{after}</Response>"
)


@pytest.mark.slow
async def test_two_calls_in_a_room_hear_each_other_and_the_rest_goes_on_afterwards(start: Start, web: Customer) -> None:
    vendor = start(factor=10.0)
    web.documents["/then"] = (200, b'<Response><Pause length="5"/><Hangup/></Response>')
    async with listening() as (url, [*ears]):
        del ears
        fork = f'<Start><Stream url="{url}" track="both_tracks"/></Start><Pause length="9"/>'
        document = ROOM.format(before=fork, action=f' action="{web.url}/then"', after="")
        first = (await called(vendor, document, "voicemail")).sid
        await happens(lambda: list(vendor.truth.read("conference_joined", call=first)))
        second = (await called(vendor, ROOM.format(before="", action="", after=""), "auditor")).sid
        await over(vendor, second)
        await over(vendor, first)
    [asked] = web.of("/then")
    assert asked.values["CallSid"] == first
    heard = [fact["text"] for fact in vendor.truth.read("caller_heard", call=first)]
    assert any("I have been waiting for a while" in text for text in heard)
    [sounds] = [fact["sounds"] for fact in vendor.truth.read("call_sounds", call=first)]
    assert [one for one in sounds if one["end"] == "caller" and one["label"] == "conference"]
    left = next(vendor.truth.read("conference_left", call=first))
    gone = next(vendor.truth.read("hung_up", call=second))
    assert abs((left.at_utc - gone.at_utc).total_seconds()) < 5


@pytest.mark.slow
async def test_a_stream_that_breaks_off_does_so_without_a_goodbye_and_a_new_one_may_be_asked_for(start: Start) -> None:
    vendor = start(factor=20.0)
    vendor.exchange.switches.stream_breaks_after_s = 3.0
    client = client_of(vendor)
    async with listening() as (url, ears):
        document = f'<Response><Start><Stream url="{url}"/></Start><Pause length="30"/></Response>'
        sid = (await called(vendor, document, "voicemail")).sid
        await happens(lambda: ears and ears[0].socket.close_code)
        await asyncio.to_thread(lambda: client.calls(sid).streams.create(url=url))
        await happens(lambda: len(ears) == 2 and ears[1].of("stop"))
    assert not ears[0].of("stop")
    assert 0 < len(ears[0].of("media")) < 250


def test_packets_are_lost_in_bursts_of_the_length_asked_for() -> None:
    for burst_s, ratio in ((0.02, 0.1), (0.2, 0.1), (1.0, 0.05)):
        network = Network(Channel(loss_ratio=ratio, burst_s=burst_s), 5)
        lost = np.array([network.loses() for _ in range(60_000)])
        bursts = np.count_nonzero(np.diff(lost.astype(int)) == 1)
        assert lost.mean() == pytest.approx(ratio, rel=0.25)
        assert lost.sum() / bursts * 0.02 == pytest.approx(burst_s, rel=0.3)


def test_jitter_is_what_the_line_says() -> None:
    delays = [Network(Channel(jitter_s=0.2), seed).delay_s for seed in range(200)]
    assert 0.0 <= min(delays) < 0.02
    assert 0.18 < max(delays) <= 0.2
    assert Network(Channel(), 1).delay_s == 0.0
