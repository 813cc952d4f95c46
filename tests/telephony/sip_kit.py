"""Far ends for calls over SIP: a scripted one in a process of its own, and sipp for what no well-behaved one does."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probes.errors import Side
from probes.telephony.carrier import CallRequest, CallState, CallStatus, Frame
from probes.telephony.media_stream import without_gaps
from probes.telephony.sip import SipCarrier
from probes.telephony.sip_config import SipConfig

CALLER = "+442079460200"
RATE_HZ = 8000


@dataclass(frozen=True)
class FarEnd:
    """Where the far end answers, and what it did so far."""

    server: str
    truth: Path

    def did(self, number: str, what: str | None = None) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.truth.read_text().splitlines()]
        return [one for one in lines if one["number"] == number and what in (None, one["what"])]


@contextmanager
def far_end(folder: Path, plan: dict[str, list[dict[str, Any]]]) -> Iterator[FarEnd]:
    """Run a far end with these numbers."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plan.json").write_text(json.dumps(plan))
    truth = folder / "truth.jsonl"
    truth.touch()
    command = [sys.executable, "-m", "tests.telephony.sip_far_end", str(folder / "plan.json"), str(truth)]
    errors = folder / "errors.txt"
    with errors.open("w") as stderr, subprocess.Popen(command, stdin=subprocess.PIPE, stderr=stderr) as process:
        try:
            until_s = time.monotonic() + 60
            while not (ready := FarEnd("", truth).did("", "ready")):
                assert process.poll() is None, errors.read_text()
                assert time.monotonic() < until_s
                time.sleep(0.05)
            yield FarEnd(f"127.0.0.1:{ready[0]['port']}", truth)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def sipp(folder: Path, scenario: str, *more: str) -> Iterator[str]:
    """Run a scenario of sipp for one call; fails where sipp is missing (.ci/install brings it)."""
    program = shutil.which("sipp")
    assert program is not None, "sipp is missing: run .ci/install test (Debian: sip-tester)"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scenario.xml").write_text(f'<?xml version="1.0" encoding="ISO-8859-1" ?>\n{scenario}')
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [program, "-sf", "scenario.xml", "-i", "127.0.0.1", "-p", str(port), "-m", "1", "-nostdin", *more]
    with subprocess.Popen(
        [*command, "-trace_err", "-timeout", "60"], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            _wait_for_port(port)
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(15)


def _wait_for_port(port: int) -> None:
    until_s = time.monotonic() + 20
    while time.monotonic() < until_s:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return
        time.sleep(0.02)
    raise AssertionError("sipp did not start")


def rejecting(code: int, reason: str) -> str:
    """Return a scenario that turns the call away."""
    return f"""<scenario>
<recv request="INVITE"/>
<send><![CDATA[

SIP/2.0 {code} {reason}
[last_Via:]
[last_From:]
[last_To:];tag=[call_number]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
<recv request="ACK"/>
</scenario>"""


TELEPHONE_EVENTS = "\na=rtpmap:101 telephone-event/8000"


def answer(
    code: int = 200,
    reason: str = "OK",
    retrans: str = ' retrans="500"',
    tag: str = ";tag=[call_number]",
    audio_port: int = 0,
) -> str:
    """Return a step that answers with a description of audio: sipp's, or our own that takes no keys beside it."""
    return f"""<send{retrans}><![CDATA[

SIP/2.0 {code} {reason}
[last_Via:]
[last_From:]
[last_To:]{tag}
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:[local_ip]:[local_port]>
Content-Type: application/sdp
Content-Length: [len]

v=0
o=- 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio {audio_port or "[rtpstream_audio_port]"} RTP/AVP 0{"" if audio_port else " 101"}
a=rtpmap:0 PCMU/8000{"" if audio_port else TELEPHONE_EVENTS}

]]></send>"""


INVITE = """<recv request="INVITE"><action>
<ereg regexp="sip:[^>]*" search_in="hdr" header="Contact:" assign_to="uri"/>
</action></recv>"""
ACK = """<recv request="ACK"><action>
<ereg regexp="sip:.*|&lt;.*" search_in="hdr" header="To:" assign_to="us"/>
<ereg regexp="sip:.*|&lt;.*" search_in="hdr" header="From:" assign_to="them"/>
</action></recv>"""


def goodbye(more: str = "") -> str:
    """Return a step that hangs up from the far end, with further headers."""
    return f"""<send retrans="500"><![CDATA[

BYE [$uri] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
Max-Forwards: 70
From: [$us]
To: [$them]
[last_Call-ID:]
CSeq: 2 BYE
{more}Content-Length: 0

]]></send>
<recv response="200"/>"""


def carrier(server: str, folder: Path, **changes: Any) -> SipCarrier:
    return SipCarrier(SipConfig(server=server, **changes), folder / "sip")


def request(to: str, *, ring_at_most_s: float = 20.0, longest_s: float = 60.0) -> CallRequest:
    return CallRequest(
        to=to,
        caller_id=CALLER,
        ring_at_most_s=ring_at_most_s,
        longest_s=longest_s,
        record=True,
        script=(),
        hold_line_s=0.0,
        live=True,
    )


async def until_over(one: SipCarrier, call_id: str, at_most_s: float = 60.0) -> CallStatus:
    until_s = time.monotonic() + at_most_s
    while (status := await one.status(call_id)).state is not CallState.ENDED:
        assert time.monotonic() < until_s, status
        await asyncio.sleep(0.05)
    return status


async def heard(one: SipCarrier, call_id: str) -> list[Frame]:
    """Return all frames of a call, to its end."""
    live = await one.live(call_id)
    assert live is not None
    return [frame async for frame in live.frames()]


def sounding(frames: list[Frame], side: Side, gap_s: float = 0.3) -> list[tuple[float, float]]:
    """Return when a side sounded, in media time."""
    samples: NDArray[np.float32] = np.frombuffer(without_gaps(tuple(one for one in frames if one.side is side)), "<f4")
    width = RATE_HZ // 50
    loud = np.flatnonzero(np.abs(samples[: len(samples) // width * width].reshape(-1, width)).max(axis=1) > 0.03)
    spans: list[list[float]] = []
    for index in loud:
        if spans and index / 50 - spans[-1][1] < gap_s:
            spans[-1][1] = (index + 1) / 50
        else:
            spans.append([index / 50, (index + 1) / 50])
    return [(begin, end) for begin, end in spans]
