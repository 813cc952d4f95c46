"""What a call's record says: the same facts whatever happened to the process, and never more than is in it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes.errors import FailureKind, Side, Unavailable
from probes.telephony.carrier import CallState, CallStatus
from probes.telephony.sip_farewell import goodbye_of
from probes.telephony.sip_journal import Entry, Held, Journal, Line
from probes.telephony.sip_messages import without_secrets
from probes.telephony.sip_records import status_of

AT = datetime(2026, 11, 26, 10, 0, tzinfo=UTC)
TO, FROM = "+442079460100", "+442079460200"


def message(after_s: float, direction: str, first: str, cseq: str = "1 INVITE", *more: str) -> Line:
    text = "\r\n".join([first, f"CSeq: {cseq}", *more])
    return Line(AT + timedelta(seconds=after_s), "message", {"direction": direction, "text": text})


def line(after_s: float, what: str, **data: Any) -> Line:
    return Line(AT + timedelta(seconds=after_s), what, data)


ANSWERED = (
    line(0, "placing", to=TO, caller_id=FROM),
    line(0.1, "placed"),
    message(0.2, "received", "SIP/2.0 180 Ringing"),
    line(0.21, "ringing"),
    message(5.0, "received", "SIP/2.0 200 OK"),
    line(5.01, "answered"),
)


def status(*lines: Line, held: bool = False) -> CallStatus:
    return status_of(Entry("20261126T100000000000-0123456789ab", lines, held, b""))


def test_who_says_goodbye_is_read_from_the_wire() -> None:
    vendor = status(*ANSWERED, message(65.0, "received", "BYE sip:us SIP/2.0", "2 BYE"), line(65.1, "ended", text="x"))
    assert (vendor.bye_from, vendor.duration_s) == (Side.VENDOR, 60.0)
    ours = status(*ANSWERED, message(65.0, "sent", "BYE sip:them SIP/2.0", "2 BYE"), line(65.1, "ended", text="x"))
    assert ours.bye_from is Side.OURS


@pytest.mark.parametrize(
    ("cause", "side"), [(16, Side.VENDOR), (31, Side.VENDOR), (41, Side.NETWORK), (102, Side.NETWORK)]
)
def test_a_cause_of_the_network_is_the_networks(cause: int, side: Side) -> None:
    bye = message(65.0, "received", "BYE sip:us SIP/2.0", "2 BYE", f'Reason: Q.850 ;cause={cause};text="…"')
    assert status(*ANSWERED, bye, line(65.1, "ended", text="Connection reset by peer [104]")).bye_from is side


def test_a_challenge_is_not_the_answer_to_the_call() -> None:
    lines = (
        line(0, "placing", to=TO, caller_id=FROM),
        message(0.1, "received", "SIP/2.0 407 Proxy Authentication Required"),
        message(0.3, "received", "SIP/2.0 486 Busy Here", "2 INVITE"),
        line(0.4, "ended", text="486 Busy Here"),
    )
    assert status(*lines).code == "486"
    refused = status(*lines[:2], line(0.4, "ended", text="407 Proxy Authentication Required"))
    assert refused.failure is not None
    assert (refused.code, refused.failure.side) == ("407", Side.OURS)


def test_a_process_that_died_leaves_open_what_nobody_saw() -> None:
    dialling = status(*ANSWERED[:2])
    assert (dialling.state, dialling.answered) == (CallState.ENDED, None)
    assert dialling.failure is not None
    assert (dialling.failure.kind, dialling.failure.side) == (FailureKind.INTERRUPTED, Side.OURS)
    up = status(*ANSWERED)
    assert (up.answered, up.bye_from, up.ended_at_utc) == (True, Side.OURS, None)


def test_a_call_that_is_held_goes_on() -> None:
    assert status(*ANSWERED[:1], held=True).state is CallState.DIALLING
    assert status(*ANSWERED[:4], held=True).state is CallState.RINGING
    assert status(*ANSWERED, held=True).state is CallState.UP


def begun(folder: Path) -> tuple[Journal, Held]:
    journal = Journal(folder / "sip")
    return journal, journal.begin(TO, FROM)


def test_a_record_cut_short_is_read_to_its_last_whole_line(tmp_path: Path) -> None:
    journal, held = begun(tmp_path)
    held.add("placed")
    held.close()
    (path,) = (tmp_path / "sip").glob("*.jsonl")
    path.write_bytes(path.read_bytes() + b'{"at": "2026-11-26T10:00:0')
    assert [one.what for one in journal.read(held.call_id).lines] == ["placing", "placed"]


def test_a_call_that_was_surely_not_placed_is_not_found(tmp_path: Path) -> None:
    journal, held = begun(tmp_path)
    since = held.begun_at_utc
    assert journal.find(TO, FROM, since) == (held.call_id,)
    held.not_placed("no address of ours leads there")
    assert journal.find(TO, FROM, since) == ()


def test_a_record_is_held_until_it_is_closed(tmp_path: Path) -> None:
    journal, held = begun(tmp_path)
    assert journal.read(held.call_id).held
    assert not held.end_asked()
    journal.ask_for_end(held.call_id)
    assert held.end_asked()
    held.close()
    assert not journal.read(held.call_id).held
    assert [path.suffix for path in (tmp_path / "sip").iterdir()] == [".jsonl"]


def test_nobody_else_may_read_a_record(tmp_path: Path) -> None:
    _, held = begun(tmp_path)
    held.close()
    (path,) = (tmp_path / "sip").glob("*.jsonl")
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("call_id", ["", "../x", "20261126T100000000000-0123456789ab", "/etc/passwd\0"])
def test_what_is_no_call_is_refused(tmp_path: Path, call_id: str) -> None:
    with pytest.raises(Unavailable):
        Journal(tmp_path / "sip").read(call_id)


HOSTILE = st.one_of(
    st.text(max_size=80),
    st.sampled_from(
        ["SIP/2.0 200 OK\r\nCSeq: 1 INVITE", "BYE x SIP/2.0\r\nCSeq: 2 BYE", "SIP/2.0 999 \r\nCSeq:", "486 Busy"]
    ),
)
LINES = st.builds(
    Line,
    st.datetimes(timezones=st.just(UTC), min_value=datetime(2020, 1, 1), max_value=datetime(2030, 1, 1)),  # noqa: DTZ001
    st.sampled_from(["message", "placed", "ringing", "answered", "ended", "hang_up", "joined", "unheard of"]),
    st.fixed_dictionaries(
        {},
        optional={
            "text": st.one_of(HOSTILE, st.integers(), st.none()),
            "direction": st.sampled_from(["sent", "received", 7]),
            "why": st.one_of(st.none(), st.text(max_size=9)),
            "stats": st.recursive(
                st.one_of(st.integers(), st.floats(), st.text(max_size=5)),
                lambda inner: st.dictionaries(st.sampled_from(["rtcp", "rx", "rx_lost", "packets"]), inner, max_size=4),
            ),
        },
    ),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(LINES, max_size=12), st.booleans())
def test_whatever_is_in_a_record_a_status_comes_of_it(lines: list[Line], held: bool) -> None:
    told = status(line(0, "placing", to=TO, caller_id=FROM), *lines, held=held)
    assert (told.state is CallState.ENDED) == (not held or any(one.what == "ended" for one in lines))
    assert told.duration_s is None or told.duration_s >= 0
    assert told.loss_ratio is None or 0 <= told.loss_ratio <= 1
    if told.state is CallState.ENDED:
        json.loads(told.raw[0].body)
        assert told.answered is not False or told.failure is not None


def farewell(**changes: str) -> str | None:
    """Return the goodbye of a call whose messages are these."""
    invite = (
        "INVITE sip:+44@trunk.example SIP/2.0\r\nFrom: <sip:us@a>;tag=1\r\nTo: <sip:+44@trunk.example>\r\n"
        "Call-ID: abc\r\nCSeq: 7 INVITE\r\nRoute: <sip:proxy.example;lr>\r\n\r\nv=0"
    )
    answer = (
        "SIP/2.0 200 OK\r\nf: <sip:us@a>;tag=1\r\nt: <sip:+44@trunk.example>;tag=2\r\ni: abc\r\n"
        "CSeq: 7 INVITE\r\nm: <sip:them@10.0.0.9:5080>\r\n"
        "Record-Route: <sip:r1;lr>\r\nRecord-Route: <sip:r2;lr>\r\n\r\n"
    )
    ack = "ACK sip:them@10.0.0.9:5080 SIP/2.0\r\nCSeq: 7 ACK\r\n\r\n"
    wire = "UDP 127.0.0.1:4000 -> 127.0.0.1:5060"
    texts = {"invite": invite, "answer": answer, "ack": ack, **changes}
    lines = tuple(
        line(1, "message", direction="received" if name == "answer" else "sent", wire=wire, text=text)
        for name, text in texts.items()
    )
    goodbye = goodbye_of(lines)
    return None if goodbye is None else goodbye.text("127.0.0.1:9").decode()


def test_a_goodbye_belongs_to_the_dialog_and_goes_the_way_that_was_recorded() -> None:
    text = farewell()
    assert text is not None
    first, *headers = text.removesuffix("\r\n\r\n").split("\r\n")
    assert first == "BYE sip:them@10.0.0.9:5080 SIP/2.0"
    assert [one for one in headers if not one.startswith("Via")] == [
        "Max-Forwards: 70",
        "From: <sip:us@a>;tag=1",
        "To: <sip:+44@trunk.example>;tag=2",
        "Call-ID: abc",
        "Route: <sip:r2;lr>",
        "Route: <sip:r1;lr>",
        "CSeq: 8 BYE",
        "Content-Length: 0",
    ]


@pytest.mark.parametrize("missing", ["invite", "answer"])
def test_no_goodbye_is_made_up_where_the_record_does_not_tell(missing: str) -> None:
    assert farewell(**{missing: ""}) is None


@settings(max_examples=60, deadline=None)
@given(st.lists(LINES, max_size=12))
def test_whatever_is_in_a_record_a_goodbye_comes_of_it_or_none(lines: list[Line]) -> None:
    goodbye = goodbye_of(tuple(lines))
    assert goodbye is None or goodbye.uri.startswith("sip")


def test_neither_proofs_of_a_password_nor_keys_of_audio_are_kept() -> None:
    told = without_secrets(
        'INVITE x SIP/2.0\r\nproxy-authorization : Digest username="a",\r\n response="f00"\r\nVia: v\r\n\r\n'
        "m=audio 4 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c0ffee|2^20\r\na=sendrecv"
    )
    assert "f00" not in told
    assert "c0ffee" not in told
    assert told.splitlines()[-1] == "a=sendrecv"
    assert "Via: v" in told
