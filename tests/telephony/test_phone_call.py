"""The telephone probe from dialling to the last record, against a scripted provider."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
import soundfile as sf

from probes import phone_call
from probes.errors import FailureKind, Side, Unavailable, UserError
from probes.events import (
    CallAnswered,
    CallDialled,
    CallEnded,
    CallHeard,
    CallRecorded,
    CallRinging,
    CarrierCharged,
    CarrierRecord,
    ClockName,
    ContactOutcome,
    DigitsSent,
    LineSaid,
)
from probes.model import Seen, Trace
from probes.telephony.carrier import DialUncertain
from probes.telephony.keys import find_keys
from probes.telephony.twilio import TwilioCarrier
from tests.telephony import provider as p
from tests.telephony.kit import DIGITS, START, Bench, channel, keys, silence, spec, voice, wav
from tests.telephony.openapi import faults
from tests.telephony.provider import Answer, Provider, call, error, page, recording, summary

pytestmark = pytest.mark.slow

MENU = [
    {"wait": "4 s"},
    {"press": "1"},
    {"wait": "3 s"},
    {"enter": "{persona.identifiers.customer_number}#"},
    {"say": "Hello, this is {persona.name}."},
    {"listen": "20 min"},
    "hang_up",
]


@pytest.fixture
def provider() -> Iterator[Provider]:
    with p.running() as server:
        yield server
        assert faults(server.asked) == []


@pytest.fixture
async def bench(provider: Provider) -> AsyncIterator[Bench]:
    carrier = TwilioCarrier(provider.config())
    yield Bench(carrier)
    await carrier.close()


def ours() -> np.ndarray[Any, np.dtype[np.float32]]:
    """Our side of MENU: key at 4 s, number from 7.2 s, line from 8.5 s to 10.5 s."""
    return np.concatenate([silence(4), keys("1"), silence(3), keys(DIGITS + "#"), silence(0.1), voice(2)])


def answers(provider: Provider, status: str = "completed", audio: bytes | None = None, **changes: Any) -> None:
    provider.answers |= {
        f"POST {p.CALLS}": Answer(201, call("queued")),
        f"GET {p.ONE_CALL}": Answer(body=call(status, **{"price": "-0.0260", **changes})),
        f"GET {p.ITS_RECORDINGS}": Answer(body=page("recordings", *([recording()] if audio is not None else []))),
        f"GET {p.ITS_NOTIFICATIONS}": Answer(body=page("notifications")),
        f"GET {p.ONE_RECORDING}": Answer(body=recording(media_url=None)),
        f"GET {p.MEDIA}": Answer(body=audio or b"", media_type="audio/x-wav"),
    }


async def carried_out(bench: Bench, script: list[Any], at_s: float = 140.0, **changes: Any) -> Seen:
    """Dial, and look once when all is over."""
    await bench.submit(spec(channel(script, **changes)))
    return await bench.collect(at_s)


async def test_a_call_is_followed_from_dialling_to_the_price(provider: Provider, bench: Bench) -> None:
    answers(provider, audio=wav(ours(), np.concatenate([voice(3), silence(9), voice(8)])))
    done = provider.answers[f"GET {p.ONE_CALL}"]
    provider.answers[f"GET {p.ONE_CALL}"] = [
        Answer(body=call("queued")), Answer(body=call("ringing")), Answer(body=call("in-progress")),
        Answer(body=call("completed")), done,
    ]  # fmt: skip
    dialled = await bench.submit(spec(channel(MENU)))
    assert (dialled.finished, dialled.again_s) == (False, 2.0)
    looks = [await bench.collect(at_s) for at_s in (2.0, 5.0, 9.0, 130.0, 150.0)]
    assert [one.finished for one in looks] == [False, False, False, False, True]
    assert [one.again_s for one in looks[:4]] == [2.0, 2.0, 5.0, 5.0]
    kinds = [one.what.KIND for one in bench.sightings if not isinstance(one.what, CarrierRecord)]
    assert kinds == [
        "call_dialled", "call_ringing", "call_answered", "call_recorded", "digits_sent", "digits_sent", "line_said",
        "call_heard", "call_ended", "carrier_charged",
    ]  # fmt: skip
    assert bench.one(CallDialled)[0] == CallDialled("+442079460100", "+442079460200", "twilio", p.CALL)
    answered, sighting = bench.one(CallAnswered)
    assert sighting.at_utc == START + timedelta(seconds=8)
    assert sighting.clock is ClockName.PROVIDER
    assert answered.error_s <= 4.0
    assert bench.one(CallRinging)[1].at_utc == START + timedelta(seconds=5)
    assert bench.one(CarrierCharged)[0] == CarrierCharged(pytest.approx(2.6), "USD")
    ended, sighting = bench.one(CallEnded)
    assert sighting.at_utc == START + timedelta(seconds=128)
    assert ended.by is Side.NOT_KNOWN
    assert ended.duration_s == 120.0
    assert any("does not say who hung up" in reason for reason in ended.reasons)
    assert looks[-1].outcome is ContactOutcome.DONE


@pytest.mark.parametrize("swapped", [False, True])
async def test_our_acts_are_found_in_the_recording_and_so_is_the_vendors_channel(
    provider: Provider, bench: Bench, swapped: bool
) -> None:
    sides = [ours(), np.concatenate([silence(1), voice(19, seed=3)])]
    answers(provider, audio=wav(*(reversed(sides) if swapped else sides)))
    await carried_out(bench, MENU)
    recorded, sighting = bench.one(CallRecorded)
    assert recorded.vendor_channel == (0 if swapped else 1)
    assert (recorded.channels, recorded.rate_hz) == (2, 8000)
    assert recorded.duration_s == pytest.approx(20.0)
    assert sighting.at_utc == START + timedelta(seconds=8)
    menu, number = bench.all(DigitsSent)
    assert (menu[0].digits, menu[0].count, menu[0].purpose) == ("1", 1, "menu")
    assert (number[0].digits, number[0].count, number[0].purpose) == (None, 6, "identification")
    assert menu[0].t_s == pytest.approx(4.0, abs=0.02)
    assert number[0].t_s == pytest.approx(7.2, abs=0.02)
    line, _ = bench.one(LineSaid)
    assert line.text == "Hello, this is Ada."
    assert line.t_s == pytest.approx(8.5, abs=0.1)
    assert menu[1].at_utc == START + timedelta(seconds=8 + menu[0].t_s)
    heard, sighting = bench.one(CallHeard)
    assert sighting.clock is ClockName.MEDIA
    assert heard.timeline.duration_s == pytest.approx(20.0, abs=0.1)


async def test_identification_digits_are_nowhere_in_what_is_kept(provider: Provider, bench: Bench) -> None:
    echo = 0.05 * np.concatenate([silence(7.25), keys(DIGITS + "#")])
    vendor = np.concatenate([echo, silence(1), voice(12)])
    answers(provider, audio=wav(ours(), vendor))
    note = {"error_code": None, "message_text": f"digits {DIGITS} were sent", "response_body": f"<Play>{DIGITS}</Play>"}
    provider.answers[f"GET {p.ITS_NOTIFICATIONS}"] = Answer(body=page("notifications", note))
    await carried_out(bench, MENU)
    assert provider.form()["Twiml"][0].count(DIGITS) == 1, "they must be dialled"
    assert DIGITS not in bench.everything_kept()
    (artifact,) = bench.one(CallRecorded)[1].artifacts
    assert "silenced" in artifact.name
    samples, rate = sf.read(io.BytesIO(bench.store.get(artifact)), dtype="float32")
    assert "".join(key.key for key in find_keys(samples[:, 0], rate)) == "1"
    assert find_keys(samples[:, 1], rate) == ()
    untouched = sf.read(io.BytesIO(wav(ours(), vendor)), dtype="float32")[0]
    assert np.array_equal(samples[9 * rate :], untouched[9 * rate :])


async def test_digits_that_do_not_fit_the_script_are_all_silenced(provider: Provider, bench: Bench) -> None:
    answers(provider, audio=wav(np.concatenate([silence(2), keys("777" + DIGITS)]), voice(20)))
    await carried_out(bench, MENU)
    (artifact,) = bench.one(CallRecorded)[1].artifacts
    samples, rate = sf.read(io.BytesIO(bench.store.get(artifact)), dtype="float32")
    assert find_keys(samples[:, 0], rate) == ()
    assert all(one.t_s is None for one, _ in bench.all(DigitsSent))


async def test_a_faint_echo_of_our_keys_is_not_read_back_from_the_vendors_side(
    provider: Provider, bench: Bench
) -> None:
    echo = 0.02 * np.concatenate([silence(7.25), keys(DIGITS + "#")]) + 0.004 * voice(7.25 + 1.2)
    answers(provider, audio=wav(ours(), np.concatenate([echo, voice(12)])))
    await carried_out(bench, MENU)
    assert all(tone.digits is None for tone in bench.one(CallHeard)[0].timeline.tones)
    assert DIGITS not in bench.everything_kept()


@pytest.mark.parametrize("talked_over", [False, True])
async def test_one_channel_is_kept_only_if_our_digits_were_found_in_it(
    provider: Provider, bench: Bench, talked_over: bool
) -> None:
    mix = np.concatenate([ours()[: round(8.4 * 8000)], voice(10)])
    if talked_over:
        mix[: len(mix) // 2] += 3 * voice(len(mix) / 8000)[: len(mix) // 2]
    answers(provider, audio=wav(mix))
    seen = await carried_out(bench, [*MENU[:-3], {"listen": "5 min"}])
    assert len(bench.all(CallRecorded)) == (0 if talked_over else 1)
    if talked_over:
        assert seen.failure is not None
        assert "could not be silenced" in seen.failure.text
    else:
        (artifact,) = bench.one(CallRecorded)[1].artifacts
        samples, rate = sf.read(io.BytesIO(bench.store.get(artifact)), dtype="float32")
        assert "".join(key.key for key in find_keys(samples, rate)) == "1"


async def test_a_recording_without_secrets_is_kept_byte_for_byte(provider: Provider, bench: Bench) -> None:
    audio = wav(np.concatenate([silence(1), keys("2")]), voice(20))
    answers(provider, audio=audio)
    await carried_out(bench, [{"wait": "1 s"}, {"press": "2"}, {"listen": "5 min"}])
    (artifact,) = bench.one(CallRecorded)[1].artifacts
    assert bench.store.get(artifact) == audio


async def test_channels_are_told_apart_by_sound_when_we_pressed_nothing(provider: Provider, bench: Bench) -> None:
    answers(provider, audio=wav(voice(18), silence(20)))
    await carried_out(bench, [{"listen": "20 min"}])
    assert bench.one(CallRecorded)[0].vendor_channel == 0


async def test_channels_that_cannot_be_told_apart_are_not_guessed(provider: Provider, bench: Bench) -> None:
    answers(provider, audio=wav(silence(20), silence(20)))
    await carried_out(bench, [{"listen": "20 min"}])
    assert bench.one(CallRecorded)[0].vendor_channel is None
    assert any("cannot be told apart" in reason for reason in bench.one(CallEnded)[0].reasons)


async def test_an_act_that_the_call_did_not_last_for_is_not_claimed(provider: Provider, bench: Bench) -> None:
    answers(provider, audio=wav(silence(3), voice(3)), duration="3", end_time="Sun, 22 Nov 2026 10:00:11 +0000")
    seen = await carried_out(bench, MENU)
    assert seen.finished
    assert bench.all(DigitsSent) == []
    assert bench.all(LineSaid) == []


async def test_a_call_that_may_not_be_recorded_still_has_its_times(provider: Provider, bench: Bench) -> None:
    answers(provider)
    seen = await carried_out(bench, MENU, record="never")
    assert seen.finished
    assert bench.all(CallRecorded) == []
    assert [one.t_s for one, _ in bench.all(DigitsSent)] == [None, None]
    assert bench.one(CallAnswered)[1].at_utc == START + timedelta(seconds=8)


async def test_the_recording_notice_is_spoken_first(provider: Provider, bench: Bench) -> None:
    answers(provider)
    one = channel([{"press": "1"}], record="announce", announcement="This call is recorded.")
    await bench.submit(spec(one))
    assert provider.form()["Twiml"][0].index("This call is recorded.") < provider.form()["Twiml"][0].index("digits")


@pytest.mark.parametrize(
    ("status", "outcome", "kind", "by"),
    [
        ("busy", ContactOutcome.BUSY, FailureKind.BUSY, Side.VENDOR),
        ("no-answer", ContactOutcome.NO_ANSWER, FailureKind.NO_ANSWER, Side.OURS),
        ("failed", ContactOutcome.FAILED, FailureKind.NUMBER_UNREACHABLE, Side.NOT_KNOWN),
        ("canceled", ContactOutcome.FAILED, FailureKind.STOPPED, Side.OURS),
    ],
)
async def test_a_call_that_nobody_took_is_over_at_once(
    provider: Provider, bench: Bench, status: str, outcome: ContactOutcome, kind: FailureKind, by: Side
) -> None:
    answers(provider, status, price=None)
    provider.answers[f"GET {p.ONE_CALL}"] = Answer(body=call(status, end_time="Sun, 22 Nov 2026 10:01:02 +0000"))
    seen = await carried_out(bench, MENU)
    assert seen.finished
    assert seen.outcome is outcome
    assert seen.failure is not None
    assert seen.failure.kind is kind
    assert bench.one(CallEnded)[0].by is by
    assert bench.all(CallAnswered) == []


async def test_a_number_that_cannot_be_reached_is_an_observation(provider: Provider, bench: Bench) -> None:
    answers(provider)
    provider.answers[f"POST {p.CALLS}"] = error(400, 21214)
    seen = await bench.submit(spec(channel(MENU)))
    assert seen.finished
    assert seen.outcome is ContactOutcome.FAILED
    assert seen.failure is not None
    assert seen.failure.kind is FailureKind.NUMBER_UNREACHABLE


async def test_a_carrier_that_was_never_reached_leaves_nothing_to_look_for(provider: Provider) -> None:
    carrier = TwilioCarrier(provider.config(api_base_url="http://127.0.0.1:9"))
    seen = await Bench(carrier).submit(spec(channel(MENU)))
    assert (seen.finished, seen.outcome, seen.sightings) == (True, ContactOutcome.FAILED, ())
    assert seen.failure is not None
    assert (seen.failure.kind, seen.failure.side) == (FailureKind.INTERRUPTED, Side.OURS)
    await carrier.close()


async def test_giving_up_after_the_longest_listening_is_a_cap_and_ours(provider: Provider, bench: Bench) -> None:
    at = {"duration": "30", "end_time": "Sun, 22 Nov 2026 10:00:38 +0000"}
    answers(provider, audio=wav(silence(30), voice(30)), **at)
    seen = await carried_out(bench, [{"wait": "5 s"}, {"listen": "25 s"}, "hang_up"])
    assert bench.one(CallEnded)[0].by is Side.OURS
    assert seen.outcome is ContactOutcome.CAP_REACHED


async def test_the_vendors_goodbye_is_waited_for_and_believed(provider: Provider) -> None:
    carrier = TwilioCarrier(provider.config(insights_base_url=provider.url))
    bench = Bench(carrier)
    answers(provider, audio=wav(ours(), voice(20)))
    provider.answers[f"GET {p.SUMMARY}"] = [error(404, 20404), error(404, 20404), Answer(body=summary())]
    first = await carried_out(bench, MENU)
    assert (first.finished, first.again_s) == (False, 5.0)
    assert (await bench.collect(700.0)).finished
    ended, _ = bench.one(CallEnded)
    assert (ended.by, ended.code) == (Side.VENDOR, "200")
    await carrier.close()


async def test_late_records_are_given_up_after_a_stated_time(provider: Provider) -> None:
    carrier = TwilioCarrier(provider.config(insights_base_url=provider.url))
    bench = Bench(carrier)
    answers(provider, price=None)
    await bench.submit(spec(channel(MENU)))
    assert not (await bench.collect(140.0)).finished
    assert (await bench.collect(140.0 + 100)).again_s == 30.0
    last = await bench.collect(140.0 + 901)
    assert last.finished
    assert last.failure is not None
    assert (last.failure.kind, last.failure.side) == (FailureKind.RECORDING_MISSING, Side.OURS)
    ended, _ = bench.one(CallEnded)
    assert ended.by is Side.NOT_KNOWN
    assert any("not waited for" in reason for reason in ended.reasons)
    await carrier.close()


@pytest.mark.parametrize("audio", [b"this is no sound", b"RIFF\x00\x00", b""])
@pytest.mark.parametrize("secret", [False, True])
async def test_an_unreadable_recording_is_our_failure_and_the_call_still_counts(
    provider: Provider, bench: Bench, audio: bytes, secret: bool
) -> None:
    answers(provider, audio=audio)
    seen = await carried_out(bench, MENU if secret else [{"listen": "20 min"}])
    assert seen.finished
    assert seen.outcome is ContactOutcome.DONE
    assert seen.failure is not None
    assert seen.failure.kind is FailureKind.RECORDING_MISSING
    kept = audio in bench.store.kept.values()
    assert kept is not secret, "what cannot be read may hold identification digits"


async def test_a_lost_recording_says_so(provider: Provider, bench: Bench) -> None:
    answers(provider)
    lost = recording("absent", error_code=16104)
    provider.answers[f"GET {p.ITS_RECORDINGS}"] = Answer(body=page("recordings", lost))
    seen = await carried_out(bench, MENU)
    assert seen.finished
    assert seen.failure is not None
    assert "16104" in seen.failure.text


async def test_a_carrier_that_is_away_loses_nothing(provider: Provider, bench: Bench) -> None:
    answers(provider, audio=wav(ours(), voice(20)))
    whole = dict(provider.answers)
    await bench.submit(spec(channel(MENU)))
    provider.answers[f"GET {p.ONE_CALL}"] = Answer(500, {})
    assert not (await bench.collect(10.0)).finished
    provider.answers = whole
    assert (await bench.collect(200.0)).finished
    assert bench.one(CallEnded)[0].duration_s == 120.0


async def test_a_carrier_that_stays_away_is_given_up(provider: Provider, bench: Bench) -> None:
    answers(provider)
    await bench.submit(spec(channel(MENU)))
    provider.answers[f"GET {p.ONE_CALL}"] = Answer(500, {})
    last = await bench.collect(60.0 + 1800.0 + 3601.0)
    assert last.finished
    assert last.outcome is ContactOutcome.UNKNOWN
    assert last.failure is not None
    assert (last.failure.kind, last.failure.side) == (FailureKind.CARRIER_ERROR, Side.OURS)


async def test_a_call_past_every_limit_is_ended_by_us_once(provider: Provider, bench: Bench) -> None:
    answers(provider, "in-progress")
    provider.answers[f"POST {p.ONE_CALL}"] = Answer(body=call("completed"))
    await bench.submit(spec(channel(MENU)))
    await bench.collect(1900.0)
    assert provider.count("POST", p.ONE_CALL) == 0
    await bench.collect(1921.0)
    await bench.collect(1930.0)
    assert provider.count("POST", p.ONE_CALL) == 1
    end = {"end_time": "Sun, 22 Nov 2026 10:32:03 +0000", "duration": "1915"}
    answers(provider, **end)
    await bench.collect(2600.0)
    await bench.collect(3300.0)
    assert bench.one(CallEnded)[0].by is Side.OURS


async def test_the_kill_switch_ends_the_call_and_is_remembered(provider: Provider, bench: Bench) -> None:
    answers(provider, "in-progress")
    provider.answers[f"POST {p.ONE_CALL}"] = Answer(body=call("completed"))
    await bench.submit(spec(channel(MENU, record="never")))
    assert bench.handle is not None
    bench.clock.set(100.0)
    bench.handle = await phone_call.hang_up(bench.handle, bench.tools)
    answers(provider, end_time="Sun, 22 Nov 2026 10:01:41 +0000", duration="93")
    assert (await bench.collect(130.0)).finished
    ended, _ = bench.one(CallEnded)
    assert ended.by is Side.OURS
    assert "we asked for the hang-up 1 s before the end" in ended.reasons


async def test_a_lost_request_is_reconciled_and_never_dialled_again(provider: Provider, bench: Bench) -> None:
    answers(provider)
    provider.answers[f"POST {p.CALLS}"] = Answer(drop=True)
    with pytest.raises(DialUncertain):
        await bench.submit(spec(channel(MENU)))
    assert issubclass(DialUncertain, Unavailable), "the engine looks for the act after any Unavailable"
    provider.answers[f"GET {p.CALLS}"] = Answer(body=page("calls", call("ringing")))
    bench.clock.set(60.0)
    found = await phone_call.reconcile(spec(channel(MENU)), START, bench.tools)
    assert found.trace is Trace.FOUND
    assert found.seen.handle.call_id == p.CALL
    assert found.seen.sightings[0].at_utc == START, "when the carrier says that it was placed, not when it was found"
    assert not found.seen.finished
    provider.answers[f"GET {p.CALLS}"] = Answer(body=page("calls"))
    assert (await phone_call.reconcile(spec(channel(MENU)), START, bench.tools)).trace is Trace.ABSENT
    two = page("calls", call("ringing"), call("completed", sid="CA" + "a" * 32))
    provider.answers[f"GET {p.CALLS}"] = Answer(body=two)
    unknown = await phone_call.reconcile(spec(channel(MENU)), START, bench.tools)
    assert unknown.trace is Trace.UNKNOWN
    assert "CA" + "a" * 32 in unknown.how
    assert provider.count("POST", p.CALLS) == 1


async def test_a_call_that_appears_late_in_the_list_is_still_found(provider: Provider, bench: Bench) -> None:
    answers(provider)
    provider.answers[f"GET {p.CALLS}"] = [Answer(body=page("calls")), Answer(body=page("calls", call("queued")))]
    bench.clock.set(11.9)
    assert (await phone_call.reconcile(spec(channel(MENU)), START, bench.tools)).trace is Trace.FOUND


def test_what_it_can_cost_is_said_before_dialling() -> None:
    (act,) = phone_call.acts(spec(channel(MENU, price_per_minute=0.05, call_at_most="30 min 1 s")))
    assert (act.target, act.writes, act.records, act.currency) == ("+442079460100", True, True, "EUR")
    assert act.dearest_minor == pytest.approx(31 * 5.0)
    assert act.longest.s == 1801.0
    yen = channel([{"listen": "1 min"}], price_per_minute=12, currency="JPY", call_at_most="60 s", record="never")
    (act,) = phone_call.acts(spec(yen))
    assert (act.dearest_minor, act.records) == (12.0, False)


def test_what_recording_listening_and_joining_cost_is_counted_where_it_is_done() -> None:
    prices = {"price_per_recorded_minute": 0.01, "price_per_streamed_minute": 0.004, "call_at_most": "10 min"}
    live: list[dict[str, object]] = [{"wait_for": {"sound": "human", "at_most": "5 min"}}]
    live += [{"join": {"ring_at_most": "30 s"}}, {"listen": "4 min"}]
    both = channel(live, auditor="+442079460155", price_per_joined_minute=0.08, **prices)
    vendor, ours = phone_call.acts(spec(both))
    assert vendor.dearest_minor == pytest.approx(10 * (5.0 + 1.0 + 0.4))
    assert ours.dearest_minor == pytest.approx(10 * 8.0)
    (blind,) = phone_call.acts(spec(channel([{"listen": "1 min"}], **prices)))
    assert blind.dearest_minor == pytest.approx(10 * 6.0)
    (silent,) = phone_call.acts(spec(channel([{"listen": "1 min"}], record="never", **prices)))
    assert silent.dearest_minor == pytest.approx(10 * 5.0)


def test_what_cannot_be_said_or_found_is_refused_before_dialling() -> None:
    with pytest.raises(UserError, match="would speak a secret"):
        phone_call.acts(spec(channel([{"say": "My number is {persona.identifiers.customer_number}."}])))
    with pytest.raises(UserError, match="stands for nothing"):
        phone_call.acts(spec(channel([{"say": "I am {persona.shoe_size}."}])))
    with pytest.raises(UserError, match="no script"):
        phone_call.acts(spec(channel(MENU), script="other"))
