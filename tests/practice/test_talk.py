"""What happens on a call: documents fetched and played, news sent back signed, times kept, sounds recorded."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import soundfile
from scipy.signal import fftconvolve
from twilio.request_validator import RequestValidator

from probes.practice.music import PIECES
from probes.practice.switches import Switches
from probes.practice.tones import KEYS
from probes.practice.vendor import PracticeVendor
from tests.practice.conftest import client_of
from tests.practice.customer import Asked, Customer, customer
from tests.practice.test_call import THROUGH_THE_MENU, ended, place, recording_of, until

pytestmark = pytest.mark.slow
Start = Callable[..., PracticeVendor]
ALL = ["initiated", "ringing", "answered", "completed"]
SHORT = '<Response><Pause length="5"/></Response>'


@pytest.fixture
def web() -> Iterator[Customer]:
    with customer() as server:
        yield server


def signed(vendor: PracticeVendor, asked: Asked) -> bool:
    validator = RequestValidator(vendor.exchange.account.token)
    return bool(validator.validate(asked.url, asked.values if asked.method == "POST" else {}, asked.signature))


def told(web: Customer, count: int) -> list[Asked]:
    return until(lambda: web.of("/status") if len(web.of("/status")) >= count else None)


def called(vendor: PracticeVendor, web: Customer, to: str = "everyday", **more: Any) -> str:
    client = client_of(vendor)
    hooks = {"status_callback": web.url + "/status", "status_callback_event": ALL}
    sid: str = place(client, vendor, to, SHORT, **(hooks | more)).sid
    ended(client, sid)
    return sid


def test_each_step_of_a_call_is_told_with_its_place_and_signed(start: Start, web: Customer) -> None:
    vendor = start()
    sid = called(vendor, web)
    steps = sorted(told(web, 4), key=lambda one: one.values["SequenceNumber"])  # one request may overtake another
    assert [one.values["CallStatus"] for one in steps] == ["initiated", "ringing", "in-progress", "completed"]
    assert [one.values["SequenceNumber"] for one in steps] == ["0", "1", "2", "3"]
    assert all(one.values["CallSid"] == sid and signed(vendor, one) for one in steps)
    assert {one.values["CallbackSource"] for one in steps} == {"call-progress-events"}
    assert (steps[3].values["SipResponseCode"], steps[3].values["CallDuration"]) == ("200", "5")
    moments = [parsedate_to_datetime(one.values["Timestamp"]) for one in steps]
    assert moments == sorted(moments)
    assert abs((moments[2] - next(vendor.truth.read("call_answered")).at_utc).total_seconds()) < 1.0


def test_a_wrong_token_or_address_does_not_fit_the_signature(start: Start, web: Customer) -> None:
    vendor = start()
    called(vendor, web)
    [one, *_] = told(web, 4)
    assert not RequestValidator("another").validate(one.url, one.values, one.signature)
    assert not RequestValidator(vendor.exchange.account.token).validate(one.url + "/", one.values, one.signature)


def test_only_the_events_asked_for_are_told(start: Start, web: Customer) -> None:
    vendor = start()
    called(vendor, web, status_callback_event=["answered"], status_callback_method="GET")
    [one] = told(web, 1)
    assert (one.method, one.values["CallStatus"]) == ("GET", "in-progress")
    assert signed(vendor, one)


def test_news_can_be_lost_or_doubled(start: Start, web: Customer) -> None:
    vendor = start(switches=Switches(callbacks_lost=frozenset({"ringing"}), callbacks_doubled=frozenset({"completed"})))
    called(vendor, web)
    statuses = [one.values["CallStatus"] for one in told(web, 4)]
    assert sorted(statuses) == ["completed", "completed", "in-progress", "initiated"]


def test_news_can_come_in_the_wrong_order(start: Start, web: Customer) -> None:
    vendor = start(switches=Switches(callbacks_swapped=True))
    called(vendor, web)
    numbers = [one.values["SequenceNumber"] for one in told(web, 4)]
    assert numbers != sorted(numbers)
    assert sorted(numbers) == ["0", "1", "2", "3"]


def test_news_can_be_late(start: Start, web: Customer) -> None:
    vendor = start(switches=Switches(callback_delay_s=900.0))
    called(vendor, web, "busy")
    known_at = vendor.clock.now_utc()
    told(web, 2)
    over = next(vendor.truth.read("call_ended"))
    assert (vendor.clock.now_utc() - over.at_utc).total_seconds() >= 900.0
    assert over.at_utc < known_at


def test_a_document_is_fetched_when_the_call_is_answered(start: Start, web: Customer) -> None:
    vendor = start()
    client = client_of(vendor)
    web.documents["/first"] = (
        200,
        b'<Response><Pause length="2"/><Redirect method="GET">/second</Redirect></Response>',
    )
    web.documents["/second"] = (200, b'<Response><Pause length="3"/></Response>')
    sid = client.calls.create(
        to=vendor.addresses.phone, from_=vendor.addresses.caller_id, url=web.url + "/first", send_digits="w5"
    ).sid
    assert ended(client, sid).status == "completed"
    [first], [second] = web.of("/first"), web.of("/second")
    assert (first.method, second.method) == ("POST", "GET")
    assert first.values["CallStatus"] == "in-progress"
    assert signed(vendor, first)
    assert signed(vendor, second)
    truth = list(vendor.truth.read("caller_sounds", "call_ended", call=sid))
    assert truth[0]["label"] == "key"
    # 0.5 s and one key of 0.22 s, 2 s and 3 s of pause, and 0.2 s for each fetched document
    assert truth[-1]["duration_s"] == pytest.approx(6.12, abs=0.01)
    assert [one.request["url"] for one in client.calls(sid).events.list()][1:] == [first.url, web.url + "/second"]


@pytest.mark.parametrize(
    ("document", "code"),
    [((500, b""), "11200"), ((200, b"<Response>"), "12100"), ((200, b"x" * 70_000), "11750"), (None, "11200")],
)
def test_a_document_that_cannot_be_had_ends_the_call_with_an_apology(
    start: Start, web: Customer, document: tuple[int, bytes] | None, code: str
) -> None:
    vendor = start()
    client = client_of(vendor)
    web.documents["/doc"] = document or (200, b"")
    url = web.url + "/doc" if document else "http://127.0.0.1:9/doc"
    sid = client.calls.create(to=vendor.addresses.phone, from_=vendor.addresses.caller_id, url=url).sid
    assert ended(client, sid).status == "completed"
    assert [note.error_code for note in client.calls(sid).notifications.list()] == [code]
    said = next(vendor.truth.read("caller_sounds", call=sid))
    assert "application error" in said["text"]


def test_a_live_call_is_sent_elsewhere(start: Start, web: Customer) -> None:
    vendor = start(factor=20.0)
    client = client_of(vendor)
    web.documents["/next"] = (200, b'<Response><Play digits="2"/><Pause length="1"/></Response>')
    sid = place(client, vendor, "everyday", '<Response><Say>one</Say><Pause length="900"/></Response>').sid
    until(lambda: client.calls(sid).fetch().status == "in-progress")
    client.calls(sid).update(twiml='<Response><Say>two</Say><Pause length="900"/></Response>')
    until(lambda: [f for f in vendor.truth.read("caller_sounds", call=sid) if f["text"] == "two"])
    client.calls(sid).update(url=web.url + "/next", method="POST")
    assert ended(client, sid).status == "completed"
    assert [f["label"] for f in vendor.truth.read("caller_sounds", call=sid)] == ["line", "line", "key"]
    assert float(client.calls(sid).fetch().duration) < 900


def test_what_the_far_end_says_is_gathered(start: Start, web: Customer) -> None:
    vendor = start()
    client = client_of(vendor)
    web.documents["/heard"] = (200, b"<Response><Hangup/></Response>")
    gather = f'<Response><Gather input="speech" timeout="9" action="{web.url}/heard"/></Response>'
    sid = place(client, vendor, "everyday", gather).sid
    ended(client, sid)
    [heard] = web.of("/heard")
    assert heard.values["SpeechResult"].startswith("Thank you for calling Kestrel Cloud.")


def test_a_message_is_recorded_until_silence(start: Start, web: Customer) -> None:
    vendor = start()
    client = client_of(vendor)
    web.documents["/kept"] = (200, b"<Response/>")
    verb = f'<Response><Record timeout="3" maxLength="60" action="{web.url}/kept"/></Response>'
    sid = place(client, vendor, "voicemail", verb).sid
    ended(client, sid)
    [kept] = web.of("/kept")
    [recording] = until(lambda: [r for r in client.calls(sid).recordings.list() if r.status == "completed"])
    assert recording.source == "RecordVerb"
    assert abs(float(recording.duration) - float(kept.values["RecordingDuration"])) <= 1
    assert 5 < float(recording.duration) < 20


def test_a_file_is_played_to_the_far_end(start: Start, web: Customer) -> None:
    vendor = start()
    client = client_of(vendor)
    out = io.BytesIO()
    soundfile.write(out, 0.3 * np.sin(2 * np.pi * 600 * np.arange(16000) / 16000), 16000, format="WAV")
    web.documents["/tone.wav"] = (200, out.getvalue())
    web.documents["/doc"] = (200, f"<Response><Play>{web.url}/tone.wav</Play></Response>".encode())
    options = {"record": True, "recording_channels": "dual", "trim": "do-not-trim"}
    sid = client.calls.create(
        to=vendor.addresses.phone, from_=vendor.addresses.caller_id, url=web.url + "/doc", **options
    ).sid
    ended(client, sid)
    samples, rate_hz, _ = recording_of(client, vendor, sid)
    sound = next(f for f in vendor.truth.read("caller_sounds", call=sid))
    ours = samples[round(sound["t_s"] * rate_hz) : round(sound["until_s"] * rate_hz), 1]
    assert np.argmax(np.abs(np.fft.rfft(ours))) * rate_hz / len(ours) == pytest.approx(600, abs=3)


# --- times ---


def test_calls_are_dialled_one_a_second_and_wait_their_turn(start: Start) -> None:
    vendor = start(factor=50.0)
    client = client_of(vendor)
    sids = [place(client, vendor, "busy", "<Response/>").sid for _ in range(3)]
    calls = [ended(client, sid) for sid in sids]
    waits = [int(call.queue_time) for call in calls]
    assert waits[0] == 0
    assert all(wait <= 2000 for wait in waits)
    starts = [call.start_time for call in calls]
    assert all((later - sooner).total_seconds() >= 1 for sooner, later in pairwise(starts))


def test_ringing_stops_at_the_timeout_and_a_call_at_its_limit(start: Start) -> None:
    vendor = start()
    client = client_of(vendor)
    options = {"to": vendor.number_of("silent"), "from_": vendor.addresses.caller_id, "twiml": SHORT}
    ringing = client.calls.create(**options, timeout=17).sid
    ended(client, ringing)
    rang, over = vendor.truth.read("call_ringing", "call_ended", call=ringing)
    assert (over.at_utc - rang.at_utc).total_seconds() == pytest.approx(17.0, abs=0.001)
    options |= {"to": vendor.addresses.phone, "twiml": '<Response><Pause length="900"/></Response>'}
    talking = client.calls.create(**options, time_limit=33).sid
    assert ended(client, talking).duration == "33"
    [hung_up] = vendor.truth.read("hung_up", call=talking)
    assert (hung_up["by"], hung_up["why"], hung_up["t_s"]) == ("caller", "time limit", 33.0)


def test_media_time_does_not_depend_on_how_fast_the_clock_runs(start: Start) -> None:
    told_at = []
    for factor in (400.0, 20_000.0):
        vendor = start(factor=factor)
        client = client_of(vendor)
        sid = place(client, vendor, "everyday", THROUGH_THE_MENU).sid
        ended(client, sid)
        told_at.append([(f.kind, f["t_s"]) for f in vendor.truth.read(call=sid) if "t_s" in f.facts])
    assert told_at[0] == told_at[1]
    assert len(told_at[0]) > 30


# --- sounds ---


def test_the_recording_holds_what_the_truth_says(start: Start) -> None:
    vendor = start(factor=2000.0)
    client = client_of(vendor)
    options = {"record": True, "recording_channels": "dual", "trim": "do-not-trim"}
    sid = place(client, vendor, "everyday", THROUGH_THE_MENU, **options).sid
    ended(client, sid)
    samples, rate_hz, _ = recording_of(client, vendor, sid)
    theirs, ours = samples[:, 0], samples[:, 1]

    def part(track: Any, start_s: float, end_s: float) -> Any:
        return track[round(start_s * rate_hz) : round(end_s * rate_hz)]

    def level_dbfs(track: Any) -> float:
        return float(20 * np.log10(np.sqrt(np.mean(track**2)) + 1e-9))

    [sounds] = [fact["sounds"] for fact in vendor.truth.read("call_sounds", call=sid)]
    keys = [sound for sound in sounds if sound["label"] == "key"]
    assert len(keys) == 10
    for sound, key in zip(keys, "212345678#", strict=True):
        heard = part(ours, sound["start_s"] + 0.01, sound["end_s"] - 0.01)
        spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard)), rate_hz))
        low, high = KEYS[key]
        assert abs(int(np.argmax(spectrum[600:1000])) + 600 - low) < 15
        assert abs(int(np.argmax(spectrum[1150:1700])) + 1150 - high) < 15
    [joined] = vendor.truth.read("agent_joined", call=sid)
    assert level_dbfs(part(theirs, joined["t_s"] - 0.4, joined["t_s"] - 0.01)) < -50
    assert level_dbfs(part(theirs, joined["t_s"] + 0.05, joined["t_s"] + 3.0)) > -35
    # In the hold the caller says nothing, the vendor plays.
    [hold] = [fact for fact in vendor.truth.read("hold_started", call=sid) if fact["hold"] == "hold"]
    assert hold["asked"] is False
    music = part(theirs, hold["t_s"] + 1.0, hold["t_s"] + 39.0)
    assert level_dbfs(music) > -25
    assert level_dbfs(part(ours, hold["t_s"] + 60.0, hold["t_s"] + 90.0)) < -70
    [hung_up] = vendor.truth.read("hung_up", call=sid)
    assert len(theirs) / rate_hz == pytest.approx(hung_up["t_s"], abs=0.001)


def test_the_hold_music_comes_round_with_its_period(start: Start) -> None:
    vendor = start(factor=2000.0)
    client = client_of(vendor)
    options = {"record": True, "recording_channels": "dual", "trim": "do-not-trim"}
    sid = place(client, vendor, "everyday", THROUGH_THE_MENU, **options).sid
    ended(client, sid)
    samples, rate_hz, _ = recording_of(client, vendor, sid)
    [hold] = [fact for fact in vendor.truth.read("hold_started", call=sid) if fact["hold"] == "hold"]
    assert hold["music"] in PIECES
    [ended_at] = [fact["t_s"] for fact in vendor.truth.read("hold_ended", call=sid) if fact["hold"] == "hold"]
    music = samples[round(hold["t_s"] * rate_hz) : round(ended_at * rate_hz), 0]
    likeness = fftconvolve(music, music[::-1])[len(music) - 1 :] / np.arange(len(music), 0, -1)
    found_s = (5 * rate_hz + int(np.argmax(likeness[5 * rate_hz : 40 * rate_hz]))) / rate_hz
    assert found_s == pytest.approx(hold["loop_s"], abs=0.001)


@pytest.mark.parametrize(
    ("options", "channels", "track"),
    [({}, 1, "both"), ({"recording_track": "outbound"}, 1, "outbound"), ({"recording_channels": "dual"}, 2, "both")],
)
def test_a_recording_is_as_it_was_ordered(start: Start, options: dict[str, str], channels: int, track: str) -> None:
    vendor = start()
    client = client_of(vendor)
    twiml = '<Response><Pause length="6"/><Say>Hello there</Say><Pause length="20"/></Response>'
    sid = place(client, vendor, "voicemail", twiml, record=True, **options).sid
    ended(client, sid)
    samples, rate_hz, recording = recording_of(client, vendor, sid)
    assert (samples.shape[1], recording.track) == (channels, track)
    duration_s = next(vendor.truth.read("call_ended", call=sid))["duration_s"]
    # Silence at both ends is cut off unless one asks for the whole call.
    assert len(samples) / rate_hz < duration_s - 0.05
    if track == "outbound":
        assert len(samples) / rate_hz < 3.0
