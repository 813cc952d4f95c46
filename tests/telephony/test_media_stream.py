"""The media stream's reader: order, identity, time, loss, and what nobody should be able to do to us."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.errors import Side
from probes.telephony.carrier import Frame
from probes.telephony.media_stream import (
    RATE_HZ,
    DigitHeard,
    MarkReached,
    StreamEvent,
    StreamFault,
    StreamReader,
    StreamRefused,
    StreamStarted,
    StreamStopped,
    from_mulaw,
    without_gaps,
)

ACCOUNT, CALL, STREAM = "AC" + "1" * 32, "CA" + "2" * 32, "MZ" + "3" * 32
OPUS = {"encoding": "audio/opus", "sampleRate": 48000, "channels": 1}
CONNECTED = {"event": "connected", "protocol": "Call", "version": "1.0.0"}


def start(**changes: Any) -> dict[str, Any]:
    body = {
        "accountSid": ACCOUNT, "streamSid": STREAM, "callSid": CALL, "tracks": ["inbound", "outbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": {"token": "ours"},
    } | changes  # fmt: skip
    return {"event": "start", "sequenceNumber": "1", "start": body, "streamSid": STREAM}


def media(index: int, track: str = "inbound", payload: bytes = b"\x7f" * 160, **changes: Any) -> dict[str, Any]:
    body = {
        "track": track, "chunk": str(index + 1), "timestamp": str(index * 20),
        "payload": base64.b64encode(payload).decode(),
    } | changes  # fmt: skip
    return {"event": "media", "sequenceNumber": str(index + 2), "media": body, "streamSid": STREAM}


def reader() -> StreamReader:
    return StreamReader(ACCOUNT, CALL, "ours")


def begun() -> StreamReader:
    one = reader()
    fed(one, CONNECTED, start())
    return one


def fed(one: StreamReader, *messages: dict[str, Any], at_s: float = 0.0) -> list[StreamEvent]:
    """Feed messages, media at the moment that it tells of, the rest at `at_s`."""
    events: list[StreamEvent] = []
    for message in messages:
        arrived_s = int(message["media"]["timestamp"]) / 1000 if message.get("event") == "media" else at_s
        events += one.feed(json.dumps(message), arrived_s)
    return events


def test_a_stream_from_connected_to_stop() -> None:
    one = reader()
    events = fed(
        one, CONNECTED, start(), media(0), media(0, "outbound"), media(1),
        {"event": "dtmf", "streamSid": STREAM, "dtmf": {"track": "inbound_track", "digit": "5"}},
        {"event": "mark", "streamSid": STREAM, "mark": {"name": "line-1"}},
        {"event": "stop", "streamSid": STREAM, "stop": {"accountSid": ACCOUNT, "callSid": CALL}},
        media(2),
    )  # fmt: skip
    assert events[0] == StreamStarted(STREAM, CALL, (Side.VENDOR, Side.OURS))
    assert [(one.t_s, one.side) for one in events if isinstance(one, Frame)] == [
        (0.0, Side.VENDOR), (0.0, Side.OURS), (0.02, Side.VENDOR),
    ]  # fmt: skip
    assert DigitHeard(Side.VENDOR, "5") in events
    assert MarkReached("line-1") in events
    assert events[-2:] == [StreamStopped(), StreamFault("a message after stop")]
    assert one.stopped


@pytest.mark.parametrize(
    ("messages", "word"),
    [
        ([start()], "wrong place"),
        ([media(0)], "before start"),
        ([CONNECTED, CONNECTED], "twice"),
        ([CONNECTED, start(), start()], "wrong place"),
        ([{**CONNECTED, "version": "2.0"}], "protocol"),
        ([CONNECTED, start(customParameters={})], "token"),
        ([CONNECTED, start(customParameters={"token": "theirs"})], "token"),
        ([CONNECTED, start(callSid="CA" + "9" * 32)], "another call"),
        ([CONNECTED, start(accountSid="AC" + "9" * 32)], "another call"),
        ([CONNECTED, start(tracks=["sideways"])], "no track"),
        (
            [CONNECTED, start(mediaFormat={"encoding": "audio/opus", "sampleRate": 48000, "channels": 1})],
            "another kind",
        ),
        ([{"event": "surprise"}], "cannot be read"),
        ([CONNECTED, {"event": "start"}], "cannot be read"),
    ],
)
def test_what_is_not_our_stream_is_refused(messages: list[dict[str, Any]], word: str) -> None:
    with pytest.raises(StreamRefused, match=word):
        fed(reader(), *messages)


@pytest.mark.parametrize(
    "message",
    [
        "", "null", "[]", "{", '"media"', b"\xff\xfe", json.dumps({"event": "surprise"}), "x" * 100_000,
        json.dumps({**media(1), "streamSid": "MZ" + "9" * 32}), json.dumps(media(1, payload=b"")),
        json.dumps(media(1, payload=b"\x00" * 9000)), json.dumps({**media(1), "media": {"track": "inbound"}}),
        json.dumps({**media(1), "media": {**media(1)["media"], "payload": "!!!"}}),
        json.dumps(media(1, timestamp="-20")), json.dumps(media(1, timestamp="soon")),
        json.dumps(media(1, track="sideways")),
    ],
)  # fmt: skip
def test_a_bad_message_is_left_out_and_the_stream_goes_on(message: str | bytes) -> None:
    one = begun()
    fed(one, media(0))
    (fault,) = one.feed(message, 0.02)
    assert isinstance(fault, StreamFault)
    assert [frame.t_s for frame in fed(one, media(2)) if isinstance(frame, Frame)] == [0.04]
    assert one.quality(Side.VENDOR).lost_s == pytest.approx(0.02)


def test_lost_frames_leave_gaps_that_become_silence() -> None:
    one = begun()
    tone = bytes([0x90]) * 160
    frames = tuple(
        frame for index in (0, 1, 4, 5) for frame in fed(one, media(index, payload=tone)) if isinstance(frame, Frame)
    )
    whole = np.frombuffer(without_gaps(frames, until_s=0.14), "<f4")
    assert len(whole) == round(0.14 * RATE_HZ)
    assert (whole != 0).reshape(-1, 160).all(axis=1).tolist() == [True, True, False, False, True, True, False]
    assert one.quality(Side.VENDOR).lost_s == pytest.approx(0.04)


def test_doubled_and_late_frames_are_left_out_and_counted() -> None:
    one = begun()
    events = fed(one, media(0), media(1), media(1), media(0), media(2))
    assert [event.t_s for event in events if isinstance(event, Frame)] == [0.0, 0.02, 0.04]
    assert one.quality(Side.VENDOR).doubled == 2


def test_a_timestamp_from_the_future_is_not_believed() -> None:
    one = begun()
    fed(one, media(0))
    (fault,) = one.feed(json.dumps(media(1, timestamp="3600000")), 0.02)
    assert isinstance(fault, StreamFault)
    assert "ahead of its arrival" in fault.text
    assert one.quality(Side.VENDOR).lost_s == pytest.approx(0.0, abs=1e-6)


def test_frames_that_come_late_are_placed_by_their_own_time() -> None:
    one = begun()
    fed(one, media(0))
    (frame,) = one.feed(json.dumps(media(1)), 3.0)
    assert isinstance(frame, Frame)
    assert frame.t_s == 0.02
    assert one.quality(Side.VENDOR).late_s == pytest.approx(2.98)


def test_a_flood_is_refused() -> None:
    one = begun()
    with pytest.raises(StreamRefused, match="messages a second"):
        for index in range(60_000):
            one.feed('{"event": "mark"}', index / 1000)


def test_what_a_stall_of_a_minute_held_up_may_come_at_once() -> None:
    one = begun()
    fed(one, media(0))
    held_up = [json.dumps(media(index, track)) for index in range(1, 3000) for track in ("inbound", "outbound")]
    frames = [event for message in held_up for event in one.feed(message, 60.0) if isinstance(event, Frame)]
    assert len(frames) == len(held_up)
    assert one.quality(Side.VENDOR).lost_s == pytest.approx(0.0, abs=1e-6)


def test_a_first_frame_that_was_late_does_not_make_liars_of_the_others() -> None:
    one = begun()
    assert [type(event) for event in one.feed(json.dumps(media(0)), 30.0)] == [Frame]
    for index in range(1, 1500):  # the rest catches up, then comes in time
        (frame,) = one.feed(json.dumps(media(index)), 30.0 + index / 1000)
        assert isinstance(frame, Frame)
    (fault,) = one.feed(json.dumps(media(9000)), 31.6)
    assert isinstance(fault, StreamFault)


def test_a_further_stream_goes_on_where_the_call_is() -> None:
    one = StreamReader(ACCOUNT, CALL, "ours", begins_at_s=12.5)
    assert [event.t_s for event in fed(one, CONNECTED, start(), media(0), media(1)) if isinstance(event, Frame)] == [
        12.5,
        12.52,
    ]


def test_two_tracks_for_an_hour_are_no_flood() -> None:
    one = begun()
    for index in range(5000):
        assert fed(one, media(index), media(index, "outbound"))
    assert one.quality(Side.OURS).heard_s == pytest.approx(100.0)


@given(st.lists(st.integers(0, 60), max_size=60))
def test_however_frames_come_they_are_in_order_and_heard_plus_lost_is_the_length(order: list[int]) -> None:
    one = begun()
    frames = [
        event for index in order for event in one.feed(json.dumps(media(index)), 10.0) if isinstance(event, Frame)
    ]
    times = [frame.t_s for frame in frames]
    assert times == sorted(set(times))
    quality = one.quality(Side.VENDOR)
    if frames:
        assert quality.heard_s + quality.lost_s == pytest.approx(times[-1] + 0.02)


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(message: bytes) -> None:
    one = begun()
    assert all(isinstance(event, StreamFault) for event in one.feed(message, 0.0))


def test_mu_law_is_that_of_the_recommendation() -> None:
    # ITU-T G.711 table 2a/2b: code FF and 7F are zero, 80 and 00 the largest; in between it falls on each side.
    values = np.frombuffer(from_mulaw(bytes(range(256))), "<f4") * 32768
    assert values[0xFF] == 0
    assert values[0x7F] == 0
    assert values[0x80] == 32124
    assert values[0x00] == -32124
    assert (np.diff(values[0x80:]) < 0).all()
    assert (np.diff(values[:0x80]) > 0).all()
    assert values[0xEF] == 132
