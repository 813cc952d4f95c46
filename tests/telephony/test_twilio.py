"""The Twilio carrier against a scripted provider: every request judged by the provider's own OpenAPI document."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

import pytest

from probes.errors import FailureKind, Refused, Side, Unavailable, UserError
from probes.telephony.carrier import (
    CallRequest,
    CallState,
    Capability,
    DialUncertain,
    NotPlaced,
    Pause,
    Press,
    Say,
)
from probes.telephony.twilio import TwilioCarrier
from tests.telephony import provider as p
from tests.telephony.openapi import faults
from tests.telephony.provider import Answer, Provider, call, error, page, recording, summary

pytestmark = pytest.mark.slow

REQUEST = CallRequest(
    to="+442079460100",
    caller_id="+442079460200",
    ring_at_most_s=45.0,
    longest_s=1500.0,
    record=True,
    script=(
        Say("This call is recorded & kept.", "en"),
        Pause(3.0),
        Press("1"),
        Pause(4.5),
        Press("90210#", secret=True),
    ),
    hold_line_s=1200.0,
)


@pytest.fixture
def provider() -> Iterator[Provider]:
    with p.running() as server:
        yield server
        assert faults(server.asked) == []


@pytest.fixture
async def carrier(provider: Provider) -> AsyncIterator[TwilioCarrier]:
    one = TwilioCarrier(provider.config(insights_base_url=provider.url))
    yield one
    await one.close()


def over(provider: Provider, status: str = "completed", **changes: Any) -> None:
    provider.answers |= {
        f"GET {p.ONE_CALL}": Answer(body=call(status, **changes)),
        f"GET {p.ITS_RECORDINGS}": Answer(body=page("recordings")),
        f"GET {p.ITS_NOTIFICATIONS}": Answer(body=page("notifications")),
    }


async def test_a_call_is_asked_for_with_everything_that_its_measuring_needs(
    provider: Provider, carrier: TwilioCarrier
) -> None:
    provider.answers[f"POST {p.CALLS}"] = Answer(201, call("queued"))
    placed = await carrier.dial(REQUEST)
    assert (placed.call_id, placed.at_utc) == (p.CALL, datetime(2026, 11, 22, 10, 0, tzinfo=UTC))
    form = provider.form()
    document = ElementTree.fromstring(form.pop("Twiml")[0])
    assert form == {
        "To": ["+442079460100"],
        "From": ["+442079460200"],
        "Timeout": ["45"],
        "TimeLimit": ["1500"],
        "Record": ["true"],
        "RecordingChannels": ["dual"],
        "RecordingTrack": ["both"],
        "Trim": ["do-not-trim"],
    }
    assert [(verb.tag, dict(verb.attrib), verb.text) for verb in document] == [
        ("Say", {"language": "en-US"}, "This call is recorded & kept."),
        ("Pause", {"length": "3"}, None),
        ("Play", {"digits": "1"}, None),
        ("Pause", {"length": "4"}, None),
        ("Play", {"digits": "w90210#"}, None),
        ("Pause", {"length": "1200"}, None),
        ("Hangup", {}, None),
    ]


async def test_a_call_that_may_not_be_recorded_asks_for_no_recording(
    provider: Provider, carrier: TwilioCarrier
) -> None:
    provider.answers[f"POST {p.CALLS}"] = Answer(201, call("queued"))
    await carrier.dial(CallRequest(**{**{f: getattr(REQUEST, f) for f in REQUEST.__slots__}, "record": False}))
    assert not {"Record", "RecordingChannels", "RecordingTrack", "Trim"} & set(provider.form())


async def test_a_script_over_the_providers_limit_is_refused_before_dialling(
    provider: Provider, carrier: TwilioCarrier
) -> None:
    long = CallRequest(
        to=REQUEST.to, caller_id=REQUEST.caller_id, ring_at_most_s=30, longest_s=60, record=False,
        script=(Say("very long " * 500, "en"),), hold_line_s=0,
    )  # fmt: skip
    with pytest.raises(UserError, match="characters; the carrier takes 4000"):
        await carrier.dial(long)
    assert provider.asked == []


@pytest.mark.parametrize(
    ("status", "code", "kind", "word"),
    [
        (401, 20003, UserError, "credentials"),
        (429, 20429, Unavailable, "too many requests"),
        (400, 21201, UserError, "no number"),
        (400, 21210, UserError, "not verified"),
        (400, 21211, UserError, "number to call is invalid"),
        (400, 21212, UserError, "caller id is invalid"),
        (400, 21214, NotPlaced, "cannot be reached"),
        (400, 21215, Refused, "country or range"),
        (400, 21216, Refused, "blocked"),
        (400, 21217, UserError, "does not look like"),
        (400, 21219, UserError, "trial account"),
        (400, 99999, UserError, "99999"),
        (403, 0, UserError, "403"),
        (302, 0, UserError, "302"),
    ],
)
async def test_a_refusal_says_the_number_what_it_means_and_the_cure(
    provider: Provider, carrier: TwilioCarrier, status: int, code: int, kind: type[Exception], word: str
) -> None:
    provider.answers[f"POST {p.CALLS}"] = error(status, code)
    with pytest.raises(kind, match=word) as caught:
        await carrier.dial(REQUEST)
    assert type(caught.value) is kind
    assert "+442079460100" in str(caught.value)
    assert "fix" in str(caught.value)
    assert str(code or status) in str(caught.value)
    assert provider.count("POST", p.CALLS) == 1, "a call must never be asked for twice"


async def test_an_error_that_quotes_the_document_shows_no_identification(
    provider: Provider, carrier: TwilioCarrier
) -> None:
    for status in (400, 500):
        provider.answers[f"POST {p.CALLS}"] = error(status, 12100, 'cannot parse <Play digits="w90210#"/>')
        with pytest.raises((UserError, DialUncertain)) as caught:
            await carrier.dial(REQUEST)
        assert "90210" not in str(caught.value)
        assert "12100" in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(drop=True),
        Answer(500, {"code": 20500, "message": "Internal Server Error"}),
        Answer(503, b"<html>bad gateway</html>", "text/html"),
        Answer(201, b"<html>hello</html>", "text/html"),
        Answer(201, {"sid": None}),
        Answer(201, call("queued"), wait_s=5.0),
    ],
    ids=["dropped", "500", "503", "no json", "no sid", "too slow"],
)
async def test_a_lost_answer_to_a_call_is_uncertain_and_never_repeated(provider: Provider, answer: Answer) -> None:
    provider.answers[f"POST {p.CALLS}"] = answer
    carrier = TwilioCarrier(provider.config(timeout_s=1.5))
    with pytest.raises(DialUncertain, match="may or may not have been placed"):
        await carrier.dial(REQUEST)
    assert provider.count("POST", p.CALLS) == 1
    await carrier.close()


async def test_an_address_where_nobody_listens_is_unavailable_and_not_uncertain(provider: Provider) -> None:
    carrier = TwilioCarrier(provider.config(api_base_url="http://127.0.0.1:9"))
    with pytest.raises(Unavailable, match="gives no answer") as caught:
        await carrier.dial(REQUEST)
    assert not isinstance(caught.value, DialUncertain)
    await carrier.close()


async def test_the_life_of_a_call_is_read_from_its_resource(provider: Provider, carrier: TwilioCarrier) -> None:
    over(provider)
    provider.answers[f"GET {p.ONE_CALL}"] = [
        Answer(body=call(status)) for status in ("queued", "ringing", "in-progress", "completed")
    ]
    states = [await carrier.status(p.CALL) for _ in range(4)]
    assert [one.state for one in states] == [CallState.DIALLING, CallState.RINGING, CallState.UP, CallState.ENDED]
    assert [one.answered for one in states] == [None, None, True, True]
    ended = states[-1]
    assert ended.answered_at_utc == datetime(2026, 11, 22, 10, 0, 8, tzinfo=UTC)
    assert ended.ended_at_utc == datetime(2026, 11, 22, 10, 2, 8, tzinfo=UTC)
    assert ended.duration_s == 120.0
    assert ended.error_s == 1.0
    assert ended.cost_minor is None
    assert [record.resource for record in ended.raw] == ["call"]


@pytest.mark.parametrize(
    ("status", "kind", "side"),
    [
        ("busy", FailureKind.BUSY, Side.VENDOR),
        ("no-answer", FailureKind.NO_ANSWER, Side.VENDOR),
        ("canceled", FailureKind.STOPPED, Side.OURS),
        ("failed", FailureKind.NUMBER_UNREACHABLE, Side.NOT_KNOWN),
    ],
)
async def test_a_call_that_nobody_took_says_why(
    provider: Provider, carrier: TwilioCarrier, status: str, kind: FailureKind, side: Side
) -> None:
    over(provider, status)
    seen = await carrier.status(p.CALL)
    assert seen.state is CallState.ENDED
    assert seen.answered is False
    assert seen.answered_at_utc is None
    assert seen.failure is not None
    assert (seen.failure.kind, seen.failure.side) == (kind, side)


async def test_a_failed_call_is_explained_by_its_notification(provider: Provider, carrier: TwilioCarrier) -> None:
    over(provider, "failed")
    note = {"error_code": "13224", "message_text": "Dial: Invalid phone number", "request_variables": "Twiml=secret"}
    provider.answers[f"GET {p.ITS_NOTIFICATIONS}"] = Answer(body=page("notifications", note))
    seen = await carrier.status(p.CALL)
    assert seen.failure is not None
    assert seen.failure.kind is FailureKind.NUMBER_UNREACHABLE
    assert "13224" in seen.failure.text
    kept = b"".join(record.body for record in seen.raw)
    assert b"13224" in kept
    assert b"Twiml=secret" not in kept


async def test_prices_numbers_and_dates_are_read_in_either_form(provider: Provider, carrier: TwilioCarrier) -> None:
    over(
        provider, duration=120, price=-0.0325, price_unit="usd",
        start_time="2026-11-22T10:00:08Z", end_time="2026-11-22T11:02:08+01:00",
    )  # fmt: skip
    seen = await carrier.status(p.CALL)
    assert seen.cost_minor == pytest.approx(3.25)
    assert seen.currency == "USD"
    assert seen.ended_at_utc == datetime(2026, 11, 22, 10, 2, 8, tzinfo=UTC)
    over(provider, price="-0.0325")
    assert (await carrier.status(p.CALL)).cost_minor == pytest.approx(3.25)


async def test_recordings_count_when_they_are_completed_or_absent(provider: Provider, carrier: TwilioCarrier) -> None:
    over(provider)
    provider.answers[f"GET {p.ITS_RECORDINGS}"] = [
        Answer(body=page("recordings", recording("in-progress"))),
        Answer(body=page("recordings", recording("processing"))),
        Answer(body=page("recordings", recording("completed"))),
        Answer(body=page("recordings", recording("absent", error_code=31000))),
    ]
    first, second, done, lost = [await carrier.status(p.CALL) for _ in range(4)]
    assert (first.recordings, first.recordings_complete) == ((), False)
    assert (second.recordings, second.recordings_complete) == ((), False)
    assert done.recordings_complete
    assert done.recordings[0].channels == 2
    assert done.recordings[0].starts_at_utc == datetime(2026, 11, 22, 10, 0, 8, tzinfo=UTC)
    assert lost.recordings[0].failure is not None
    assert "31000" in lost.recordings[0].failure.text


async def test_the_audio_is_asked_for_in_two_channels_and_from_our_address(
    provider: Provider, carrier: TwilioCarrier
) -> None:
    media_url = f"https://api.twilio.com/2010-04-01/Accounts/{p.ACCOUNT}/Recordings/{p.RECORDING}"
    provider.answers |= {
        f"GET {p.ONE_RECORDING}": Answer(body=recording(media_url=media_url)),
        f"GET {p.MEDIA}": [error(404, 20404), Answer(body=b"RIFF....", media_type="audio/x-wav")],
    }
    with pytest.raises(Unavailable, match="no audio for it yet"):
        await carrier.recording(p.RECORDING)
    assert await carrier.recording(p.RECORDING) == (b"RIFF....", "audio/x-wav")
    assert provider.asked[-1].query == "RequestedChannels=2"


async def test_credentials_follow_no_redirect_to_another_host(provider: Provider, carrier: TwilioCarrier) -> None:
    with p.running() as elsewhere:
        provider.answers |= {
            f"GET {p.ONE_RECORDING}": Answer(body=recording(media_url=None)),
            f"GET {p.MEDIA}": Answer(307, b"", headers={"Location": f"{elsewhere.url}/kept/elsewhere"}),
        }
        with pytest.raises((Unavailable, UserError)):
            await carrier.recording(p.RECORDING)
        assert elsewhere.unauthorised == 1


async def test_an_audio_address_elsewhere_gets_no_credentials(provider: Provider, carrier: TwilioCarrier) -> None:
    with p.running() as elsewhere:
        media_url = f"{elsewhere.url}/bucket/1"
        provider.answers[f"GET {p.ONE_RECORDING}"] = Answer(body=recording(media_url=media_url))
        with pytest.raises((Unavailable, UserError)):
            await carrier.recording(p.RECORDING)
        assert [one.authorization for one in elsewhere.asked] == [None]


async def test_a_recording_over_the_limit_is_not_read_to_its_end(provider: Provider) -> None:
    provider.answers |= {
        f"GET {p.ONE_RECORDING}": Answer(body=recording(media_url=None)),
        f"GET {p.MEDIA}": Answer(body=b"x" * 2_000_000, media_type="audio/x-wav"),
    }
    carrier = TwilioCarrier(provider.config(recording_at_most_bytes=1_000_000))
    with pytest.raises(Unavailable, match="longer than 1000000 bytes"):
        await carrier.recording(p.RECORDING)
    await carrier.close()


async def test_who_hung_up_is_taken_from_the_insights_where_there_are_any(
    provider: Provider, carrier: TwilioCarrier
) -> None:
    over(provider)
    provider.answers[f"GET {p.SUMMARY}"] = [
        error(404, 20404),  # neither a partial
        error(404, 20404),  # nor a complete one yet
        Answer(body=summary(properties={})),
        Answer(body=summary()),
    ]
    early, partial, told = [await carrier.status(p.CALL) for _ in range(3)]
    assert (early.bye_from, early.records_complete) == (None, False)
    assert (partial.bye_from, partial.records_complete) == (None, False)
    assert (told.bye_from, told.records_complete, told.code) == (Side.VENDOR, True, "200")
    assert "summary" in [record.resource for record in told.raw]
    asked = [one.query for one in provider.asked if one.path == p.SUMMARY]
    assert asked == [f"ProcessingState={state}" for state in ("partial", "complete", "partial", "partial")]


@pytest.mark.parametrize("answer", [error(403, 20003), error(401, 20003)])
async def test_an_account_without_insights_is_no_error_and_not_waited_for(
    provider: Provider, carrier: TwilioCarrier, answer: Answer
) -> None:
    over(provider)
    provider.answers[f"GET {p.SUMMARY}"] = answer
    seen = await carrier.status(p.CALL)
    assert (seen.bye_from, seen.records_complete) == (None, True)


async def test_insights_are_not_asked_for_unless_they_are_configured(provider: Provider) -> None:
    over(provider)
    carrier = TwilioCarrier(provider.config())
    assert Capability.WHO_ENDED not in carrier.capabilities
    assert (await carrier.status(p.CALL)).records_complete
    assert provider.count("GET", p.SUMMARY) == 0
    await carrier.close()


async def test_a_busy_provider_is_asked_again_for_reads(provider: Provider, carrier: TwilioCarrier) -> None:
    provider.answers[f"GET {p.ONE_CALL}"] = [error(429, 20429), error(429, 20429), Answer(body=call("ringing"))]
    assert (await carrier.status(p.CALL)).state is CallState.RINGING
    provider.answers[f"GET {p.ONE_CALL}"] = error(429, 20429)
    with pytest.raises(Unavailable, match="20429"):
        await carrier.status(p.CALL)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body=b"<html>"),
        Answer(body=[]),
        Answer(body={"sid": p.CALL}),
        Answer(body=call("on-the-moon")),
        Answer(body=call("completed", end_time="yesterday")),
        Answer(drop=True),
        Answer(500, {}),
        Answer(body=call("queued"), wait_s=5.0),
    ],
)
async def test_a_wrong_or_missing_answer_about_a_call_is_tried_later(provider: Provider, answer: Answer) -> None:
    over(provider)
    provider.answers[f"GET {p.ONE_CALL}"] = answer
    carrier = TwilioCarrier(provider.config(timeout_s=1.5))
    with pytest.raises(Unavailable):
        await carrier.status(p.CALL)
    await carrier.close()


async def test_hanging_up_what_is_over_already_is_no_error(provider: Provider, carrier: TwilioCarrier) -> None:
    provider.answers[f"POST {p.ONE_CALL}"] = [
        Answer(body=call("completed")),
        error(404, 20404),
        error(400, 21220),
        error(401, 20003),
    ]
    for _ in range(3):
        await carrier.hang_up(p.CALL)
    assert provider.form() == {"Status": ["completed"]}
    with pytest.raises(UserError, match="credentials"):
        await carrier.hang_up(p.CALL)


async def test_a_lost_call_is_found_by_its_numbers_and_its_time(provider: Provider, carrier: TwilioCarrier) -> None:
    since = datetime(2026, 11, 22, 10, 0, 0, 700_000, tzinfo=UTC)
    earlier = call("completed", sid="CA" + "e" * 32, date_created="Sun, 22 Nov 2026 09:40:00 +0000")
    other = call("completed", sid="CA" + "f" * 32, to="+442079460999")
    second = call("queued", sid="CA" + "d" * 32, date_created="Sun, 22 Nov 2026 10:00:05 +0000", start_time=None)
    provider.answers[f"GET {p.CALLS}"] = Answer(body=page("calls", second, call("queued"), other, earlier))
    assert await carrier.find("+442079460100", "+442079460200", since) == (p.CALL, "CA" + "d" * 32)
    assert "To=%2B442079460100" in provider.asked[-1].query


def test_a_configuration_shows_no_secret_and_refuses_what_would_leak_one() -> None:
    config = p.Provider("http://127.0.0.1:1").config(api_key="SK1", api_secret="hush-hush")
    assert p.TOKEN not in repr(config)
    assert "hush-hush" not in repr(config)
    assert (config.username, config.password) == ("SK1", "hush-hush")
    for url in ("http://api.example.com", "ftp://127.0.0.1", "https://user@host", "nowhere"):
        with pytest.raises(UserError):
            p.Provider(url).config()
    with pytest.raises(UserError, match="TWILIO_AUTH_TOKEN"):
        p.Provider("http://127.0.0.1:1").config(auth_token="")
    assert config.mapped("https://api.twilio.com/a/b?c=d") == ("http://127.0.0.1:1/a/b?c=d", True)
    assert config.mapped("https://api.dublin.ie1.twilio.com/a") == ("http://127.0.0.1:1/a", True)
    assert config.mapped("https://storage.example.com/a") == ("https://storage.example.com/a", False)
    prefixed = p.Provider("https://space.example.com/api/laml").config()
    assert prefixed.mapped("https://api.twilio.com/2010-04-01/x") == (
        "https://space.example.com/api/laml/2010-04-01/x",
        True,
    )
