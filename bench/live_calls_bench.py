"""What many live calls cost our process, and how late it handles their audio: media streams over loopback.

    python -m bench.live_calls_bench [--calls 50] [--seconds 20] [--json]

A second process plays the provider: it answers the requests that place and end calls, and sends the audio of both sides
of every call in 20 ms frames, on time by a clock that both processes share. Our process is held to one core and leads
every call as a script does, with the listener at work. Lateness runs from the moment at which a frame was due to the
moment at which whoever leads the call has it. It ends by itself after `--seconds`, and touches 127.0.0.1 alone.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import multiprocessing as mp
import os
import resource
import socket
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import numpy as np
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from twilio.request_validator import RequestValidator
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from probes.clock import Clock
from probes.practice import mixing, twiml
from probes.practice.sounds import Music, Sounds, Spoken
from probes.telephony.carrier import CallRequest, Frame, LiveCall, Press, Say
from probes.telephony.live_line import LiveLine
from probes.telephony.public_address import PublicAddress
from probes.telephony.twilio import TwilioCarrier
from probes.telephony.twilio_config import TwilioConfig
from probes.web_server import serve

ACCOUNT, TOKEN = "AC" + "0" * 32, "made-up-for-the-bench"
_FRAME_S = 0.02
_SETTLE_S = 3.0  # at both ends, not measured


# --- the provider, in a process of its own ---


def audio() -> list[str]:
    """Return what every call hears: an announcement and music on hold, as base64 of 20 ms each."""
    with tempfile.TemporaryDirectory() as folder:
        sounds = Sounds(Path(folder))
        said = sounds.samples(Spoken("All of our agents are busy at the moment. Please hold the line.", "ivy"))
        music = sounds.samples(Music("harbour"))[: 8000 * 20]
    coded = mixing.mu_law(np.concatenate([said, music, said]))
    return [base64.b64encode(coded[at : at + 160]).decode() for at in range(0, len(coded) - 159, 160)]


class Provider:
    """Takes calls, and sends the audio of each to the address that its document names."""

    def __init__(self) -> None:
        self._frames, self._quiet = audio(), base64.b64encode(b"\xff" * 160).decode()
        self._streams: dict[str, asyncio.Task[None]] = {}
        self.due: dict[str, float] = {}
        self.worst_s = 0.0

    def app(self) -> Starlette:
        root = f"/2010-04-01/Accounts/{ACCOUNT}/Calls"
        return Starlette(
            routes=[
                Route(f"{root}.json", self.create, methods=["POST"]),
                Route(f"{root}/{{sid}}.json", self.look, methods=["GET", "POST"]),
            ]
        )

    async def create(self, request: Request) -> JSONResponse:
        form = parse_qs((await request.body()).decode())
        sid = f"CA{len(self._streams):032x}"
        [stream, *_] = twiml.read(form["Twiml"][0]).verbs
        assert isinstance(stream, twiml.StartStream)
        self._streams[sid] = asyncio.create_task(self.send(sid, stream))
        return JSONResponse({"sid": sid, "status": "queued"}, 201)

    async def look(self, request: Request) -> JSONResponse:
        sid = request.path_params["sid"]
        if request.method == "POST":
            self._streams[sid].cancel()
        return JSONResponse({"sid": sid, "status": "completed" if self._streams[sid].done() else "in-progress"})

    async def send(self, sid: str, stream: twiml.StartStream) -> None:
        signed = {"X-Twilio-Signature": RequestValidator(TOKEN).compute_signature(stream.url, {})}
        stream_sid = "MZ" + sid[2:]
        async with connect(stream.url, additional_headers=signed, proxy=None, compression=None) as to:
            start = {
                "accountSid": ACCOUNT, "streamSid": stream_sid, "callSid": sid, "tracks": ["inbound", "outbound"],
                "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
                "customParameters": dict(stream.parameters),
            }  # fmt: skip
            await to.send(json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"}))
            await to.send(
                json.dumps({"event": "start", "sequenceNumber": "1", "start": start, "streamSid": stream_sid})
            )
            began_s = self.due[sid] = time.monotonic() + 0.05
            head = '{"event":"media","sequenceNumber":"%d","streamSid":"' + stream_sid + '","media":{"track":"%s",'
            line = head + '"chunk":"%d","timestamp":"%d","payload":"%s"}}'
            index = 0
            with suppress(ConnectionClosed):
                while True:
                    late_s = time.monotonic() - began_s - index * _FRAME_S
                    if late_s < 0:
                        await asyncio.sleep(-late_s)
                        late_s = time.monotonic() - began_s - index * _FRAME_S
                    self.worst_s = max(self.worst_s, late_s)
                    payload = self._frames[index % len(self._frames)]
                    at_ms, chunk = index * 20, index + 1
                    await to.send(line % (2 * index + 2, "inbound", chunk, at_ms, payload))
                    await to.send(line % (2 * index + 3, "outbound", chunk, at_ms, self._quiet))
                    index += 1


def play_provider(pipe: Connection) -> None:
    """Serve until told to end; then tell when the first frame of each call was due, and how late any was sent."""

    async def run() -> None:
        provider = Provider()
        server = await serve(provider.app(), "127.0.0.1", 0)
        pipe.send(server.port)
        loop = asyncio.get_running_loop()
        while True:
            await loop.run_in_executor(None, pipe.recv)
            pipe.send((dict(provider.due), provider.worst_s))

    with suppress(EOFError, KeyboardInterrupt):
        asyncio.run(run())


# --- our side ---


class Timed:
    """A live call that notes when each frame was handed on."""

    def __init__(self, inner: LiveCall) -> None:
        self.call_id, self._inner = inner.call_id, inner
        self.came: list[tuple[float, float]] = []

    async def frames(self) -> AsyncIterator[Frame]:
        async for frame in self._inner.frames():
            self.came.append((time.monotonic(), frame.t_s))
            yield frame

    async def send_digits(self, press: Press) -> None:
        await self._inner.send_digits(press)

    async def play(self, line: Say) -> None:
        await self._inner.play(line)

    async def join(self, number: str, ring_at_most_s: float) -> bool:
        return await self._inner.join(number, ring_at_most_s)


@dataclass(frozen=True, slots=True)
class Result:
    """Figures of one run; times in milliseconds."""

    calls: int
    seconds: float
    frames: int
    lost_frames: int
    cpu_of_a_core_pct: float
    cpu_a_call_pct: float
    late_p50_ms: float
    late_p99_ms: float
    late_max_ms: float
    provider_late_max_ms: float
    listener_behind_max_s: float
    memory_mb: float


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


async def measure(provider_port: int, pipe: Connection, calls: int, seconds: float) -> Result:
    """Lead so many calls for so long."""
    port = _free_port()
    address = PublicAddress(f"http://127.0.0.1:{port}", f"127.0.0.1:{port}")
    config = TwilioConfig(
        account_sid=ACCOUNT, auth_token=TOKEN, api_base_url=f"http://127.0.0.1:{provider_port}", look_s=60.0
    )
    carrier = TwilioCarrier(config, address)
    timed: list[Timed] = []
    lines: list[LiveLine] = []
    for _ in range(calls):
        request = CallRequest(
            to="+442079460100", caller_id="+442079460200", ring_at_most_s=30.0, longest_s=600.0, record=False,
            script=(), hold_line_s=0.0, live=True,
        )  # fmt: skip
        live = await carrier.live((await carrier.dial(request)).call_id)
        assert live is not None
        timed.append(Timed(live))
        lines.append(LiveLine(timed[-1], Clock(), None))
    running = [asyncio.create_task(line.run()) for line in lines]
    await asyncio.sleep(_SETTLE_S)
    began_s, began_cpu_s = time.monotonic(), time.process_time()
    await asyncio.sleep(seconds)
    ended_s, ended_cpu_s = time.monotonic(), time.process_time()
    behind_s = max(line.now_s - line.ear.heard_s for line in lines)
    pipe.send("due?")
    due, provider_late_s = pipe.recv()
    for one in timed:
        await carrier.hang_up(one.call_id)
    await carrier.close()
    await asyncio.wait(running, timeout=20)
    await address.close()
    late = [
        came_s - (due[one.call_id] + t_s) for one in timed for came_s, t_s in one.came if began_s <= came_s <= ended_s
    ]
    lost = sum(2 * (round(max(t for _, t in one.came) / _FRAME_S) + 1) - len(one.came) for one in timed)
    used = (ended_cpu_s - began_cpu_s) / (ended_s - began_s) * 100
    p50, p99, most = np.percentile(late, [50, 99, 100]) * 1000
    return Result(
        calls=calls,
        seconds=seconds,
        frames=len(late),
        lost_frames=lost,
        cpu_of_a_core_pct=round(used, 1),
        cpu_a_call_pct=round(used / calls, 2),
        late_p50_ms=round(float(p50), 1),
        late_p99_ms=round(float(p99), 1),
        late_max_ms=round(float(most), 1),
        provider_late_max_ms=round(provider_late_s * 1000, 1),
        listener_behind_max_s=round(behind_s, 2),
        memory_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    pipe, theirs = mp.get_context("spawn").Pipe()
    provider = mp.get_context("spawn").Process(target=play_provider, args=(theirs,), daemon=True)
    provider.start()
    try:
        port = pipe.recv()
        if hasattr(os, "sched_setaffinity"):
            cores = sorted(os.sched_getaffinity(0))
            os.sched_setaffinity(0, {cores[0]})
            if len(cores) > 1 and provider.pid is not None:
                os.sched_setaffinity(provider.pid, set(cores[1:]))
        result = asyncio.run(measure(port, pipe, options.calls, min(options.seconds, 300.0)))
    finally:
        provider.terminate()
        provider.join(5)
    document: dict[str, Any] = asdict(result)
    if options.json:
        print(json.dumps(document, indent=2))
        return
    print(f"{result.calls} live calls for {result.seconds:g} s on one core, {result.frames} frames of 20 ms")
    print(f"  processor   {result.cpu_of_a_core_pct} % of the core, {result.cpu_a_call_pct} % a call")
    print(f"  late by     p50 {result.late_p50_ms} ms, p99 {result.late_p99_ms} ms, at most {result.late_max_ms} ms")
    print(f"              (the provider's own process sent {result.provider_late_max_ms} ms late at most)")
    print(f"  lost        {result.lost_frames} frames; the listener is {result.listener_behind_max_s} s behind at most")
    print(f"  memory      {result.memory_mb} MB at most")


if __name__ == "__main__":
    main()
