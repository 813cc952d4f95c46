"""The telephone probe on the practice exchange, reached by address alone; what was measured against what happened."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import soundfile as sf

from probes import phone_call
from probes.clock import Clock
from probes.errors import FailureKind, Side, Unavailable
from probes.events import (
    CallAnswered,
    CallDialled,
    CallEnded,
    CallHeard,
    CallRecorded,
    CarrierCharged,
    CarrierRecord,
    ContactOutcome,
    DigitsSent,
    LineSaid,
)
from probes.model import Trace
from probes.practice.switches import Switches
from probes.practice.truth import Fact
from probes.practice.vendor import PracticeVendor, in_background
from probes.telephony.keys import find_keys
from probes.telephony.twilio import TwilioCarrier
from probes.telephony.twilio_config import TwilioConfig
from tests.telephony.kit import Bench, Vault, channel, spec

pytestmark = pytest.mark.slow

NUMBER = "90210456"
FACTOR = 200.0


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PracticeVendor]:
    with in_background(tmp_path_factory.mktemp("practice"), Clock(FACTOR, datetime.now(UTC))) as running:
        yield running


@pytest.fixture
def switches(vendor: PracticeVendor) -> Iterator[Switches]:
    """Return the exchange's switches; they are set back afterwards."""
    before = vendor.exchange.switches
    vendor.exchange.switches = Switches()
    yield vendor.exchange.switches
    vendor.exchange.switches = before


@pytest.fixture
async def bench(vendor: PracticeVendor) -> AsyncIterator[Bench]:
    carrier = TwilioCarrier(
        TwilioConfig(
            account_sid=vendor.exchange.account.sid,
            auth_token=vendor.exchange.account.token,
            api_base_url=vendor.addresses.exchange,
            insights_base_url=vendor.addresses.insights,
        )
    )
    yield Bench(carrier, clock=vendor.clock, vault=Vault({"${env:CUSTOMER}": NUMBER}))
    await carrier.close()


def script(vendor: PracticeVendor, character: str, *steps: Any, **changes: Any) -> Any:
    number = {"number": vendor.number_of(character), "caller_id": vendor.addresses.caller_id}
    return spec(channel(list(steps), **{**number, **changes}))


def truth(vendor: PracticeVendor, bench: Bench, *kinds: str) -> list[Fact]:
    assert bench.handle is not None
    return list(vendor.truth.read(*kinds, call=bench.handle.call_id))


def close(measured: datetime, true: datetime, within_s: float) -> bool:
    return abs(measured - true) <= timedelta(seconds=within_s)


async def test_a_whole_call_is_measured_as_it_happened(vendor: PracticeVendor, bench: Bench) -> None:
    one = script(
        vendor, "everyday",
        {"wait": "14 s"}, {"press": "2"}, {"wait": "8 s"}, {"enter": "{persona.identifiers.customer_number}#"},
        {"wait": "3 s"}, {"say": "I am calling about my ticket."}, {"listen": "20 min"},
    )  # fmt: skip
    seen = await bench.follow(one)
    assert (seen.outcome, seen.failure) == (ContactOutcome.DONE, None)

    (placed,) = truth(vendor, bench, "call_placed")
    assert close(bench.one(CallDialled)[1].at_utc, placed.at_utc, 1.0)
    (answered,) = truth(vendor, bench, "call_answered")
    measured, sighting = bench.one(CallAnswered)
    assert close(sighting.at_utc, answered.at_utc, measured.error_s)

    (over,) = truth(vendor, bench, "call_ended")
    ended, sighting = bench.one(CallEnded)
    assert over["by"] == "vendor"
    assert ended.by is Side.VENDOR
    assert close(sighting.at_utc, over.at_utc, ended.error_s)
    assert ended.duration_s == pytest.approx(over["duration_s"], abs=1.0)

    recorded, sighting = bench.one(CallRecorded)
    assert recorded.duration_s == pytest.approx(over["duration_s"], abs=0.1)
    assert close(sighting.at_utc, answered.at_utc, recorded.starts_error_s)

    pressed = [sound for sound in truth(vendor, bench, "caller_sounds") if sound["label"] == "key"]
    spoken = [sound for sound in truth(vendor, bench, "caller_sounds") if sound["label"] != "key"]
    menu, number = (one for one, _ in bench.all(DigitsSent))
    assert menu.t_s == pytest.approx(pressed[0]["t_s"], abs=0.03)
    assert number.t_s == pytest.approx(pressed[1]["t_s"], abs=0.03)
    assert (menu.digits, number.digits, number.count) == ("2", None, 9)
    assert [one.text for one, _ in bench.all(LineSaid)] == ["I am calling about my ticket."]
    assert bench.one(LineSaid)[0].t_s == pytest.approx(spoken[0]["t_s"], abs=0.3)

    assert bench.one(CallHeard)[0].timeline.duration_s == pytest.approx(recorded.duration_s, abs=0.1)
    assert bench.one(CallDialled)[0].carrier_call_id == over["call"]
    assert bench.one(CarrierCharged)[0].cost_minor > 0
    assert {one.resource for one, _ in bench.all(CarrierRecord)} >= {"call", "recordings", "summary"}


async def test_the_vendors_channel_is_the_one_in_which_the_vendor_speaks(vendor: PracticeVendor, bench: Bench) -> None:
    await bench.follow(script(vendor, "everyday", {"wait": "13 s"}, {"press": "3"}, {"listen": "2 min"}))
    recorded, sighting = bench.one(CallRecorded)
    assert recorded.vendor_channel is not None
    samples, rate = sf.read(io.BytesIO(bench.store.get(sighting.artifacts[0])), dtype="float32")
    assert "".join(key.key for key in find_keys(samples[:, 1 - recorded.vendor_channel], rate)) == "3"
    prompts = [fact for fact in truth(vendor, bench, "said") if fact["label"] == "prompt"]
    spoken = samples[int(prompts[0]["t_s"] * rate) : int(prompts[0]["until_s"] * rate)]
    assert abs(spoken[:, recorded.vendor_channel]).max() > 20 * abs(spoken[:, 1 - recorded.vendor_channel]).max()


async def test_the_identification_number_reaches_the_vendor_and_nothing_that_we_keep(
    vendor: PracticeVendor, bench: Bench
) -> None:
    one = script(
        vendor, "everyday",
        {"wait": "14 s"}, {"press": "2"}, {"wait": "8 s"}, {"enter": "{persona.identifiers.customer_number}#"},
        {"listen": "30 s"},
    )  # fmt: skip
    seen = await bench.follow(one)
    assert [fact["count"] for fact in truth(vendor, bench, "identified")] == [len(NUMBER)]
    assert seen.outcome is ContactOutcome.CAP_REACHED
    assert bench.one(CallEnded)[0].by is Side.OURS
    assert truth(vendor, bench, "call_ended")[0]["by"] == "caller"
    assert NUMBER not in bench.everything_kept()
    samples, rate = sf.read(
        io.BytesIO(bench.store.get(bench.one(CallRecorded)[1].artifacts[0])), dtype="float32", always_2d=True
    )
    heard = ["".join(key.key for key in find_keys(samples[:, side], rate)) for side in range(2)]
    assert sorted(heard) == ["", "2"]


async def test_our_longest_call_ends_it_whatever_the_script_says(vendor: PracticeVendor, bench: Bench) -> None:
    lines = [{"say": "I am still here, and I have a lot to tell you about my ticket. " * 3}] * 8
    seen = await bench.follow(script(vendor, "everyday", *lines, {"listen": "10 s"}, call_at_most="25 s"))
    assert seen.outcome is ContactOutcome.CAP_REACHED
    ended, _ = bench.one(CallEnded)
    assert ended.by is Side.OURS
    assert ended.duration_s == pytest.approx(25.0, abs=1.0)


async def test_a_busy_number_and_one_that_nobody_has(vendor: PracticeVendor, bench: Bench) -> None:
    seen = await bench.follow(script(vendor, "busy", {"listen": "1 min"}))
    assert seen.outcome is ContactOutcome.BUSY
    assert bench.one(CallEnded)[0].by is Side.VENDOR
    bench.sightings.clear()
    seen = await bench.follow(script(vendor, "busy", {"listen": "1 min"}, number="+442079460999"))
    assert seen.outcome is ContactOutcome.FAILED
    assert seen.failure is not None
    assert seen.failure.kind is FailureKind.NUMBER_UNREACHABLE
    assert not bench.all(CallAnswered)


async def test_ringing_that_nobody_answers_ends_when_we_said(vendor: PracticeVendor, bench: Bench) -> None:
    phone = vendor.phone_of("everyday")
    one = script(vendor, "everyday", {"listen": "1 min"}, ring_at_most="5 s")
    for _ in range(8):
        seen = await bench.follow(one)
        if seen.outcome is ContactOutcome.NO_ANSWER:
            break
        bench.sightings.clear()
    assert phone.ring.most_s > 5, "the character rings longer than we allow"
    assert seen.outcome is ContactOutcome.NO_ANSWER
    assert truth(vendor, bench, "call_ended")[0]["status"] == "no-answer"
    assert bench.one(CallEnded)[0].by is Side.OURS


async def test_the_kill_switch_ends_a_call_that_is_up(vendor: PracticeVendor, bench: Bench) -> None:
    seen = await bench.submit(script(vendor, "everyday", {"listen": "20 min"}))
    while not truth(vendor, bench, "call_answered"):
        await bench.clock.sleep(5.0)
    assert bench.handle is not None
    bench.handle = await phone_call.hang_up(bench.handle, bench.tools)
    while not seen.finished:
        await bench.clock.sleep(5.0)
        seen = await bench.look()
    assert truth(vendor, bench, "call_ended")[0]["by"] == "caller"
    assert bench.one(CallEnded)[0].by is Side.OURS
    assert bench.handle == await phone_call.hang_up(bench.handle, bench.tools), "ending it again changes nothing"


async def test_a_call_whose_answer_was_lost_is_found_again(vendor: PracticeVendor, bench: Bench) -> None:
    one = script(vendor, "everyday", {"listen": "20 s"})
    await bench.clock.sleep(60.0)
    before = bench.clock.now_utc()
    await bench.submit(one)  # whose answer never came, as far as the next line knows
    assert bench.handle is not None
    placed = bench.handle.call_id
    found = await phone_call.reconcile(one, before, bench.tools)
    assert found.trace is Trace.FOUND
    assert found.seen.handle.call_id == placed
    never = script(vendor, "everyday", {"listen": "20 s"}, number="+442079460998")
    long_ago = bench.clock.now_utc() - timedelta(seconds=FACTOR * 60)
    assert (await phone_call.reconcile(never, long_ago, bench.tools)).trace is Trace.ABSENT


async def test_a_call_that_is_not_recorded_still_has_its_times(vendor: PracticeVendor, bench: Bench) -> None:
    await bench.follow(
        script(vendor, "everyday", {"wait": "13 s"}, {"press": "3"}, {"listen": "2 min"}, record="never")
    )
    assert bench.all(CallRecorded) == []
    (answered,) = truth(vendor, bench, "call_answered")
    assert close(bench.one(CallAnswered)[1].at_utc, answered.at_utc, 2.0)
    assert bench.one(CallEnded)[0].by is Side.VENDOR
    assert [one.t_s for one, _ in bench.all(DigitsSent)] == [None]


async def test_a_lost_recording_is_our_failure(vendor: PracticeVendor, bench: Bench, switches: Switches) -> None:
    switches.recording_absent = True
    seen = await bench.follow(script(vendor, "everyday", {"listen": "10 s"}))
    assert seen.failure is not None
    assert (seen.failure.kind, seen.failure.side) == (FailureKind.RECORDING_MISSING, Side.OURS)
    assert bench.one(CallEnded)[0].duration_s == pytest.approx(10.0, abs=1.5)


async def test_without_insights_a_lost_line_has_no_culprit(
    vendor: PracticeVendor, bench: Bench, switches: Switches
) -> None:
    switches.insights_on = False
    one = script(vendor, "everyday", {"wait": "13 s"}, {"press": "3"}, {"listen": "2 min"}, record="never")
    assert (await bench.follow(one)).finished
    assert truth(vendor, bench, "call_ended")[0]["by"] == "vendor"
    ended, _ = bench.one(CallEnded)
    assert ended.by is Side.NOT_KNOWN
    assert any("does not say who hung up" in reason for reason in ended.reasons)


async def test_an_exchange_that_fails_now_and_then_costs_no_call_and_no_second_one(
    vendor: PracticeVendor, bench: Bench, switches: Switches
) -> None:
    one = script(vendor, "everyday", {"listen": "10 s"}, record="never")
    switches.answer_with = (500,)
    with pytest.raises(Unavailable, match="may or may not have been placed"):
        await bench.submit(one)
    before = vendor.clock.now_utc()
    switches.answer_with = (429,)
    turned_away = await bench.submit(one)
    assert turned_away.outcome is ContactOutcome.FAILED
    assert turned_away.failure is not None
    assert turned_away.failure.side is Side.OURS
    await bench.submit(one)
    seen = None
    while seen is None or not seen.finished:
        switches.answer_with = (429, 500)
        await bench.clock.sleep(10.0)
        seen = await bench.look()
        if not seen.finished:
            switches.answer_with = ()
            seen = await bench.look()
    placed = [fact for fact in vendor.truth.read("call_placed", to=one.channel.number) if fact.at_utc >= before]
    assert len(placed) == 1
    assert bench.one(CallEnded)[0].duration_s == pytest.approx(10.0, abs=1.5)


async def test_a_late_recording_is_waited_for(vendor: PracticeVendor, bench: Bench, switches: Switches) -> None:
    switches.recording_delay_s = 240.0
    seen = await bench.follow(script(vendor, "everyday", {"listen": "10 s"}))
    assert (seen.failure, len(bench.all(CallRecorded))) == (None, 1)


async def test_an_answering_machine_is_answered_and_recorded_like_anybody(vendor: PracticeVendor, bench: Bench) -> None:
    await bench.follow(script(vendor, "voicemail", {"listen": "25 s"}))
    assert bench.one(CallRecorded)[0].vendor_channel is not None
    (answered,) = truth(vendor, bench, "call_answered")
    assert close(bench.one(CallAnswered)[1].at_utc, answered.at_utc, 2.0)
