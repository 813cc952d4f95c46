"""Calls over SIP against far ends on this machine."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from probes.errors import FailureKind, Side, Unavailable, UserError
from probes.telephony.carrier import AudioEnd, CallOver, CallState, DialUncertain, Press, Say
from probes.telephony.keys import find_keys
from probes.telephony.media_stream import from_mulaw
from probes.telephony.sip_journal import Journal
from tests.telephony.sip_kit import (
    ACK,
    CALLER,
    INVITE,
    FarEnd,
    answer,
    carrier,
    far_end,
    goodbye,
    heard,
    rejecting,
    request,
    sipp,
    sounding,
    until_over,
)

pytestmark = pytest.mark.slow

MENU, AT_ONCE, NEVER, LONG, HOLDING, SPARSE = (f"+4420794601{n:02d}" for n in range(6))
AUDITOR = "+442079460150"


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarEnd]:
    plan = {
        MENU: [
            {"ring": 0.5}, {"answer": 1}, {"tone": {"s": 0.6}}, {"keys": 3}, {"quiet": 0.5},
            {"tone": {"s": 1.0, "hz": 600}}, {"quiet": 1.8}, {"tone": {"s": 0.8}}, {"quiet": 0.3}, {"hang_up": 1},
        ],
        AT_ONCE: [{"answer": 1}, {"tone": {"s": 0.2}}],
        NEVER: [{"ring": 60}],
        LONG: [{"answer": 1}, {"tone": {"s": 4.0}}, {"quiet": 60}],
        HOLDING: [{"answer": 1}, {"quiet": 0.6}, {"hold": 1}, {"quiet": 1.0}, {"resume": 1}, {"tone": {"s": 0.5}},
                  {"quiet": 0.3}, {"hang_up": 1}],
        AUDITOR: [{"ring": 0.3}, {"answer": 1}, {"tone": {"s": 0.5, "hz": 900}}, {"quiet": 0.6}, {"hang_up": 1}],
    }  # fmt: skip
    with far_end(tmp_path_factory.mktemp("far"), plan) as running:
        yield running


async def test_a_call_through_a_menu_is_timed_as_it_happened(far: FarEnd, tmp_path: Path) -> None:
    one = carrier(far.server, tmp_path)
    dialled = await one.dial(request(MENU))
    reading = asyncio.create_task(heard(one, dialled.call_id))
    live = await one.live(dialled.call_id)
    assert live is not None
    assert (await one.status(dialled.call_id)).state is CallState.UP
    await asyncio.sleep(0.8)
    await live.send_digits(Press("4w07", secret=True))
    await live.play(Say("I wait.", "en"))
    frames = await reading
    status = await until_over(one, dialled.call_id)
    await one.close()

    did = {line["what"]: line["at"] for line in far.did(MENU)}
    assert [line["key"] for line in far.did(MENU, "key")] == ["4", "0", "7"]
    assert status.answered is True
    assert status.code == "200"
    assert (status.bye_from, status.audio_end) == (Side.VENDOR, AudioEnd.IN_ORDER)
    assert status.ringing_at_utc is not None
    assert status.answered_at_utc is not None
    assert status.ended_at_utc is not None
    assert status.ringing_at_utc.timestamp() == pytest.approx(did["incoming"], abs=0.6)
    assert status.answered_at_utc.timestamp() == pytest.approx(did["answer_end"], abs=0.6)
    assert status.ended_at_utc.timestamp() == pytest.approx(did["closed"], abs=0.6)
    zero = status.answered_at_utc.timestamp()
    tones = [line["at"] - zero for line in far.did(MENU, "tone_begin")]
    assert [begin for begin, _ in sounding(frames, Side.VENDOR)] == pytest.approx(tones, abs=0.6)
    (said,) = sounding(frames, Side.OURS)
    assert said[0] == pytest.approx(far.did(MENU, "sound")[0]["at"] - zero, abs=0.5)
    assert max(one.t_s for one in frames) < status.duration_s
    assert status.loss_ratio == 0.0
    assert 3.5 < json.loads(status.raw[0].body)["lines"][-1]["mos"] <= 5.0
    record = status.raw[0].body.decode()
    assert "INVITE sip:" in record
    assert "BYE sip:" in record
    assert not any(digits in record for digits in ('"407"', "4w07", "Signal="))


async def test_thirty_calls_one_after_the_other_lose_no_answer(far: FarEnd, tmp_path: Path) -> None:
    one = carrier(far.server, tmp_path)
    for _ in range(30):
        dialled = await one.dial(request(AT_ONCE))
        live = await asyncio.wait_for(one.live(dialled.call_id), 20)
        assert live is not None
        await one.hang_up(dialled.call_id)
        status = await one.status(dialled.call_id)
        assert (status.state, status.answered, status.bye_from) == (CallState.ENDED, True, Side.OURS)
    await one.close()


async def test_a_dozen_calls_at_once_keep_all_their_audio(far: FarEnd, tmp_path: Path) -> None:
    one = carrier(far.server, tmp_path)
    calls = [await one.dial(request(LONG, longest_s=5.0)) for _ in range(12)]
    frames = await asyncio.gather(*(heard(one, call.call_id) for call in calls))
    statuses = [await until_over(one, call.call_id) for call in calls]
    await one.close()
    for all_frames, status in zip(frames, statuses, strict=True):
        assert status.bye_from is Side.OURS
        assert "time_limit" in status.raw[0].body.decode()
        packets = json.loads(status.raw[0].body)["lines"][-1]["stats"]["rx"]["packets"]
        heard_s = sum(len(one.samples) / 4 / one.rate_hz for one in all_frames if one.side is Side.VENDOR)
        assert heard_s > 2.0
        assert heard_s == pytest.approx(packets * 0.02, abs=0.3)  # at the end a little may not be fetched any more


async def test_ringing_for_too_long_is_ended_by_us(far: FarEnd, tmp_path: Path) -> None:
    one = carrier(far.server, tmp_path)
    dialled = await one.dial(request(NEVER, ring_at_most_s=1.0))
    assert await one.live(dialled.call_id) is None
    status = await until_over(one, dialled.call_id)
    await one.close()
    assert status.answered is False
    assert status.failure is not None
    assert status.failure.kind is FailureKind.NO_ANSWER
    assert status.ringing_at_utc is not None


async def test_a_hang_up_while_it_rings_is_ours(far: FarEnd, tmp_path: Path) -> None:
    one = carrier(far.server, tmp_path)
    dialled = await one.dial(request(NEVER))
    await asyncio.sleep(0.3)
    await one.hang_up(dialled.call_id)
    await one.hang_up(dialled.call_id)
    status = await one.status(dialled.call_id)
    await one.close()
    assert status.failure is not None
    assert status.failure.kind is FailureKind.STOPPED
    assert status.failure.side is Side.OURS


async def test_a_far_end_that_holds_us_leaves_the_call_up_and_its_time_whole(far: FarEnd, tmp_path: Path) -> None:
    one = carrier(far.server, tmp_path)
    dialled = await one.dial(request(HOLDING))
    frames = await heard(one, dialled.call_id)
    status = await until_over(one, dialled.call_id)
    await one.close()
    record = status.raw[0].body.decode()
    assert "held_by_far_end" in record
    assert "resumed_by_far_end" in record
    assert status.bye_from is Side.VENDOR
    assert status.answered_at_utc is not None
    tone = far.did(HOLDING, "tone_begin")[0]["at"] - status.answered_at_utc.timestamp()
    assert sounding(frames, Side.VENDOR)[0][0] == pytest.approx(tone, abs=0.6)


async def test_acting_on_a_call_that_is_over_says_so(far: FarEnd, tmp_path: Path) -> None:
    one = carrier(far.server, tmp_path)
    dialled = await one.dial(request(LONG))
    live = await one.live(dialled.call_id)
    assert live is not None
    speaking = asyncio.create_task(live.play(Say("This line is much too long to be spoken to its end.", "en")))
    await asyncio.sleep(0.5)
    await one.hang_up(dialled.call_id)
    with pytest.raises(CallOver):
        await speaking
    for act in (live.send_digits(Press("1")), live.play(Say("Hello", "en")), live.join(AUDITOR, 5.0)):
        with pytest.raises(CallOver):
            await act
    await one.close()


async def test_an_auditor_is_joined_and_ends_the_call(far: FarEnd, tmp_path: Path) -> None:
    one = carrier(far.server, tmp_path)
    dialled = await one.dial(request(LONG))
    reading = asyncio.create_task(heard(one, dialled.call_id))
    live = await one.live(dialled.call_id)
    assert live is not None
    assert await live.join(AUDITOR, 10.0)
    status = await until_over(one, dialled.call_id)
    frames = await reading
    await one.close()
    assert status.bye_from is Side.OURS
    assert far.did(AUDITOR, "sound")  # the auditor hears the vendor
    (spoken,) = sounding(frames, Side.OURS)  # and the vendor, and our recording, the auditor
    assert spoken[1] - spoken[0] == pytest.approx(0.5, abs=0.15)


async def test_an_auditor_who_does_not_answer_leaves_the_call_up(far: FarEnd, tmp_path: Path) -> None:
    one = carrier(far.server, tmp_path)
    dialled = await one.dial(request(LONG))
    live = await one.live(dialled.call_id)
    assert live is not None
    assert not await live.join(NEVER, 0.7)
    assert (await one.status(dialled.call_id)).state is CallState.UP
    await one.close()
    assert (await one.status(dialled.call_id)).bye_from is Side.OURS


@pytest.mark.parametrize(
    ("code", "reason", "kind", "side"),
    [
        (486, "Busy Here", FailureKind.BUSY, Side.VENDOR),
        (600, "Busy Everywhere", FailureKind.BUSY, Side.VENDOR),
        (480, "Temporarily Unavailable", FailureKind.NO_ANSWER, Side.VENDOR),
        (404, "Not Found", FailureKind.NUMBER_UNREACHABLE, Side.NOT_KNOWN),
        (603, "Decline", FailureKind.NUMBER_UNREACHABLE, Side.VENDOR),
        (403, "Forbidden", FailureKind.CARRIER_ERROR, Side.OURS),
        (503, "Service Unavailable", FailureKind.CARRIER_ERROR, Side.NETWORK),
    ],
)
async def test_a_call_turned_away_says_why(
    tmp_path: Path, code: int, reason: str, kind: FailureKind, side: Side
) -> None:
    with sipp(tmp_path / "sipp", rejecting(code, reason)) as server:
        one = carrier(server, tmp_path)
        dialled = await one.dial(request(MENU))
        assert await one.live(dialled.call_id) is None
        status = await until_over(one, dialled.call_id)
        await one.close()
    assert (status.answered, status.code) == (False, str(code))
    assert status.failure is not None
    assert (status.failure.kind, status.failure.side) == (kind, side)


async def test_a_goodbye_at_once_after_the_answer_is_the_far_ends(tmp_path: Path) -> None:
    scenario = f"<scenario>{INVITE}{answer()}{ACK}{goodbye()}</scenario>"
    with sipp(tmp_path / "sipp", scenario) as server:
        one = carrier(server, tmp_path)
        status = await until_over(one, (await one.dial(request(MENU))).call_id)
        await one.close()
    assert (status.answered, status.bye_from) == (True, Side.VENDOR)


async def test_a_goodbye_that_names_the_network_is_not_charged_to_the_far_end(tmp_path: Path) -> None:
    why = 'Reason: Q.850;cause=38;text="Network out of order"\n'
    scenario = f"<scenario>{INVITE}{answer()}{ACK}{goodbye(why)}</scenario>"
    with sipp(tmp_path / "sipp", scenario) as server:
        one = carrier(server, tmp_path)
        status = await until_over(one, (await one.dial(request(MENU))).call_id)
        await one.close()
    assert status.bye_from is Side.NETWORK
    assert any("Network out of order" in fault for fault in status.line_faults)


async def test_audio_before_the_answer_is_no_answer_and_no_part_of_the_call(tmp_path: Path) -> None:
    folder = tmp_path / "sipp"
    folder.mkdir()
    t = np.arange(3 * 8000) / 8000
    levels = (np.where(np.sin(2 * np.pi * 400 * t) > 0, 0x20, 0xA0)).astype(np.uint8)  # loud, in mu-law
    (folder / "ringback.ul").write_bytes(levels.tobytes())
    tag = ";tag=early"
    scenario = f"""<scenario>{INVITE}
        {answer(183, "Session Progress", "", tag)}
        <nop><action><exec rtp_stream="ringback.ul,-1,0"/></action></nop><pause milliseconds="1500"/>
        <nop><action><exec rtp_stream="pause"/></action></nop>
        {answer(tag=tag)}{ACK}<pause milliseconds="1000"/>{goodbye()}</scenario>"""
    with sipp(folder, scenario) as server:
        one = carrier(server, tmp_path)
        dialled = await one.dial(request(MENU))
        await asyncio.sleep(1.0)
        ringing = await one.status(dialled.call_id)
        frames = await heard(one, dialled.call_id)
        status = await until_over(one, dialled.call_id)
        await one.close()
    assert (ringing.state, ringing.answered) == (CallState.RINGING, None)
    assert status.duration_s == pytest.approx(1.0, abs=0.4)
    assert not [span for span in sounding(frames, Side.VENDOR) if span[0] > 0.3]
    lines = json.loads(status.raw[0].body)["lines"]
    (answered,) = [line for line in lines if line["what"] == "answered"]
    assert answered["early_audio_s"] > 0.5


async def test_a_far_end_that_vanishes_is_no_hang_up_of_anybody(tmp_path: Path) -> None:
    with far_end(tmp_path / "far", {MENU: [{"answer": 1}, {"tone": {"s": 0.5}}, {"vanish": 1}]}) as gone:
        one = carrier(gone.server, tmp_path, silent_at_most_s=2)
        dialled = await one.dial(request(MENU))
        status = await until_over(one, dialled.call_id)
        await one.close()
    assert (status.answered, status.bye_from, status.audio_end) == (True, Side.NETWORK, AudioEnd.BROKEN)
    assert "no audio came any more" in status.line_faults


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


async def test_the_account_is_proved_and_leaves_no_trace(tmp_path: Path) -> None:
    nonce = "47ebe028cda119c3"
    challenge = rejecting(407, "Proxy Authentication Required").replace(
        "Content-Length",
        f'Proxy-Authenticate: Digest realm="trunk", nonce="{nonce}", algorithm=MD5\nContent-Length',
    )
    scenario = challenge.replace("</scenario>", f"{INVITE}{answer()}{ACK}{goodbye()}</scenario>")
    with sipp(tmp_path / "sipp", scenario, "-trace_msg", "-message_file", "messages.txt") as server:
        one = carrier(server, tmp_path, user="acct", password="p4ss word", domain="caller.example")
        status = await until_over(one, (await one.dial(request(MENU))).call_id)
        await one.close()
    assert status.code == "200"
    proof = re.findall(r"Proxy-Authorization: Digest (.*)", (tmp_path / "sipp" / "messages.txt").read_text())[0]
    given = dict(re.findall(r'(\w+)="([^"]*)"', proof))
    assert (given["username"], given["realm"], given["nonce"]) == ("acct", "trunk", nonce)
    asked = md5(f"INVITE:{given['uri']}")
    # RFC 2617, without qop.
    assert given["response"] == md5(f"{md5('acct:trunk:p4ss word')}:{nonce}:{asked}")
    record = status.raw[0].body.decode()
    assert f"From: <sip:{CALLER}@caller.example>" in record
    assert "taken out" in record
    assert "response=" not in record
    assert "p4ss" not in record


async def test_a_trunk_that_is_not_there_is_no_vendors_fault(tmp_path: Path) -> None:
    one = carrier("127.0.0.1:9", tmp_path)
    dialled = await one.dial(request(MENU, ring_at_most_s=2.0))
    status = await until_over(one, dialled.call_id)
    await one.close()
    assert status.answered is False
    assert status.failure is not None
    assert status.failure.side is not Side.VENDOR


async def test_nothing_is_placed_that_could_not_be_written_down(far: FarEnd, tmp_path: Path) -> None:
    (tmp_path / "sip").write_text("a file where the folder should be")
    one = carrier(far.server, tmp_path)
    before = len(far.did(AT_ONCE, "incoming"))
    with pytest.raises(Unavailable, match="was not placed"):
        await one.dial(request(AT_ONCE))
    await one.close()
    assert len(far.did(AT_ONCE, "incoming")) == before


async def test_what_is_no_number_or_no_script_of_a_trunk_is_refused(tmp_path: Path) -> None:
    one = carrier("127.0.0.1:9", tmp_path)
    with pytest.raises(UserError, match="no international number"):
        await one.dial(request("sip:evil@elsewhere.example"))
    assert await one.find(MENU, CALLER, datetime.now(UTC) - timedelta(days=1)) == ()
    with pytest.raises(Unavailable):
        await one.status("../../etc/passwd")
    await one.close()


async def test_a_call_is_found_by_those_who_come_after(far: FarEnd, tmp_path: Path) -> None:
    since = datetime.now(UTC)
    one = carrier(far.server, tmp_path)
    dialled = await one.dial(request(AT_ONCE))
    after = datetime.now(UTC)
    other = carrier(far.server, tmp_path)
    assert await other.find(AT_ONCE, CALLER, since) == (dialled.call_id,)
    assert await other.find(AT_ONCE, CALLER, after) == ()
    assert await other.find(MENU, CALLER, since) == ()
    assert await other.live(dialled.call_id) is None
    await other.hang_up(dialled.call_id)  # by the journal: the other carrier does not have the call
    assert (await one.status(dialled.call_id)).bye_from is Side.OURS
    assert Journal(tmp_path / "sip").read(dialled.call_id).held is False
    await one.close()
    await other.close()


DIES = """
import asyncio, os, sys
from pathlib import Path
from tests.telephony.sip_kit import carrier, request

async def main():
    one = carrier(sys.argv[1], Path(sys.argv[2]))
    dialled = await one.dial(request(sys.argv[3]))
    await one.live(dialled.call_id)
    await asyncio.sleep(0.5)  # messages reach the record a little after the answer itself
    print(dialled.call_id, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_a_call_of_another_process_can_be_ended_and_outlives_nothing(far: FarEnd, tmp_path: Path) -> None:
    since = datetime.now(UTC)
    one = carrier(far.server, tmp_path)
    closed = len(far.did(LONG, "closed"))
    for end in ("hang up", "kill"):
        command = [sys.executable, "-c", DIES, far.server, str(tmp_path), LONG]
        other = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        assert other.stdout is not None
        call_id = (await asyncio.wait_for(other.stdout.readline(), 60)).decode().strip()
        assert (await one.status(call_id)).state is CallState.UP
        if end == "hang up":
            await one.hang_up(call_id)
            status = await one.status(call_id)
            assert (status.answered, status.bye_from) == (True, Side.OURS)
            assert status.ended_at_utc is not None
        other.kill()
        await other.wait()
    assert len(far.did(LONG, "closed")) == closed + 1  # the killed process said nothing
    status = await one.status(call_id)
    assert (status.state, status.answered) == (CallState.ENDED, True)
    assert status.failure is not None
    assert status.failure.side is Side.OURS
    assert "hung up" in status.failure.text, status.raw[0].body.decode()
    async with asyncio.timeout(20):  # whoever looked at its call did
        while len(far.did(LONG, "closed")) != closed + 2:  # noqa: ASYNC110  (it is a file)
            await asyncio.sleep(0.05)
    assert await one.status(call_id) == status
    await one.hang_up(call_id)
    assert len(await one.find(LONG, CALLER, since)) == 2
    await one.close()


async def test_an_exchange_that_knows_us_by_account_is_registered_with_first(tmp_path: Path) -> None:
    came: list[str] = []

    class Exchange(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = cast(asyncio.DatagramTransport, transport)

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            first, *headers = data.decode().split("\r\n")
            came.append(data.decode())
            if first.startswith("ACK"):
                return
            answer = "SIP/2.0 200 OK" if first.startswith("REGISTER") else "SIP/2.0 486 Busy Here"
            kept = [one for one in headers if one.startswith(("Via", "From", "To", "Call-ID", "CSeq", "Contact"))]
            self.transport.sendto("\r\n".join([answer, *kept, "Content-Length: 0", "", ""]).encode(), addr)

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Exchange, local_addr=("127.0.0.1", 0))
    server = f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"
    one = carrier(server, tmp_path, user="desk7", password="s3cret", register=True)
    status = await until_over(one, (await one.dial(request(MENU))).call_id)
    await one.close()
    transport.close()
    await asyncio.sleep(0)  # which it needs to close
    assert status.code == "486"
    assert [text.split(" ")[0] for text in came][:2] == ["REGISTER", "INVITE"]
    assert f"From: <sip:desk7@{server}>" in came[1]


async def test_an_account_that_is_not_taken_places_no_call(tmp_path: Path) -> None:
    refusing = rejecting(403, "Forbidden").replace("INVITE", "REGISTER").replace('<recv request="ACK"/>', "")
    since = datetime.now(UTC)
    with sipp(tmp_path / "sipp", refusing) as server:
        one = carrier(server, tmp_path, user="desk7", password="s3cret", register=True)
        with pytest.raises(UserError, match="does not take our account"):
            await one.dial(request(MENU))
        assert await one.find(MENU, CALLER, since) == ()
        await one.close()


async def test_keys_are_tones_where_they_are_not_taken_beside_the_audio(tmp_path: Path) -> None:
    packets: list[bytes] = []

    class Phone(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: object) -> None:
            packets.append(data)

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Phone, local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    scenario = f"""<scenario><recv request="INVITE"/>{answer(audio_port=port)}<recv request="ACK"/>
        <recv request="BYE"/>{answer(retrans="")}</scenario>"""
    with sipp(tmp_path / "sipp", scenario) as server:
        one = carrier(server, tmp_path)
        dialled = await one.dial(request(MENU))
        reading = asyncio.create_task(heard(one, dialled.call_id))
        live = await one.live(dialled.call_id)
        assert live is not None
        await live.send_digits(Press("90*2", secret=True))
        await asyncio.sleep(0.3)
        await one.hang_up(dialled.call_id)
        frames = await reading
        await one.close()
    transport.close()
    await asyncio.sleep(0)  # which it needs to close
    audio = b"".join(from_mulaw(one[12:]) for one in packets if one[1] & 0x7F == 0)
    assert [key.key for key in find_keys(np.frombuffer(audio, "<f4"), 8000)] == ["9", "0", "*", "2"]
    assert sounding(frames, Side.OURS) == []  # nor are they in what we record


async def test_a_call_whose_dialling_got_no_answer_from_the_stack_is_ended_and_stays_unknown(
    far: FarEnd, tmp_path: Path
) -> None:
    since = datetime.now(UTC)
    one = carrier(far.server, tmp_path)
    await one.hang_up((await one.dial(request(AT_ONCE))).call_id)
    closed = len(far.did(NEVER, "closed"))
    runtime = one.stack._runtime
    push, runtime._command_timeout = runtime._push_cmd, 1.0
    # The stack does what it is asked and confirms something else: its answer is lost.
    runtime._push_cmd = lambda command, number, text: push(command, number + 1_000_000, text)
    dialling = asyncio.create_task(one.dial(request(NEVER)))
    await asyncio.sleep(0.1)
    with pytest.raises(DialUncertain):
        await dialling
    runtime._push_cmd = push
    async with asyncio.timeout(20):  # nobody would ever have ended it
        while len(far.did(NEVER, "closed")) == closed:  # noqa: ASYNC110  (it is a file)
            await asyncio.sleep(0.05)
    (call_id,) = await one.find(NEVER, CALLER, since)
    status = await one.status(call_id)
    assert (status.state, status.answered) == (CallState.ENDED, None)
    assert await one.live(call_id) is None
    await one.close()
