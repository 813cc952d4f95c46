"""What a live call over SIP costs on this machine: processor time of our process, and audio that did not come in time.

    python -m bench.sip_calls_bench [--calls 1 10 50] [--seconds 20] [--listen]

The far end is another process and is not counted. With --listen every call is also heard as a script would hear it.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

from probes.clock import Clock
from probes.errors import Side
from probes.telephony.carrier import LiveCall
from probes.telephony.live_line import LiveLine
from probes.telephony.sip import SipCarrier
from probes.telephony.sip_config import SipConfig
from tests.telephony.sip_kit import far_end, request

NUMBER = "+442079460100"


async def taken(call: LiveCall, listen: bool) -> float:
    """Take a call's audio to its end; return the vendor's seconds of it."""
    if listen:
        line = LiveLine(call, Clock(), None)
        await line.run()
        return line.ear.sound_s
    heard_s = 0.0
    async for frame in call.frames():
        if frame.side is Side.VENDOR:
            heard_s += len(frame.samples) / 4 / frame.rate_hz
    return heard_s


async def measure(server: str, folder: Path, calls: int, seconds: float, listen: bool) -> tuple[float, float, float]:
    """Return the share of a core that one call takes, the least audio that a call had, and the most it lost."""
    carrier = SipCarrier(SipConfig(server=server), folder)
    ids = [(await carrier.dial(request(NUMBER, longest_s=seconds + calls * 0.1))).call_id for _ in range(calls)]
    lives = [live for live in [await carrier.live(one) for one in ids] if live is not None]
    taking = [asyncio.create_task(taken(live, listen)) for live in lives]
    await asyncio.sleep(2.0)
    cpu_s, real_s = time.process_time(), time.monotonic()
    await asyncio.sleep(seconds - 4.0)
    cpu_s, real_s = time.process_time() - cpu_s, time.monotonic() - real_s
    for one in ids:
        await carrier.hang_up(one)
    heard_s = await asyncio.gather(*taking)
    statuses = [await carrier.status(one) for one in ids]
    await carrier.close()
    least = min(heard / (one.duration_s or 1.0) for heard, one in zip(heard_s, statuses, strict=True))
    return cpu_s / real_s / len(lives), least, max(one.loss_ratio or 0.0 for one in statuses)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, nargs="+", default=[1, 10, 50])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--listen", action="store_true")
    asked = parser.parse_args()
    steps = [{"answer": 1}, {"tone": {"s": 600.0}}]
    with tempfile.TemporaryDirectory() as name, far_end(Path(name) / "far", {NUMBER: steps}) as far:
        print("calls   of a core each   least of a call's time heard   packets lost at most")
        for calls in asked.calls:
            each, least, lost = asyncio.run(measure(far.server, Path(name) / "sip", calls, asked.seconds, asked.listen))
            print(f"{calls:5}   {each:14.2%}   {least:28.1%}   {lost:20.2%}", flush=True)


if __name__ == "__main__":
    main()
