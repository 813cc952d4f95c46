"""What live calls cost: many at once in one process, at the pace of real calls, each waiting for a human.

`python -m bench.live_bench --calls 50 --seconds 60` prints one line of JSON: CPU per call, and how late our own reading
and answering of frames was. The audio is made: a hold with announcements, no provider and no network.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np

from probes.clock import Clock
from probes.errors import Side
from probes.practice.sounds import Music, Sounds, Spoken
from probes.telephony.carrier import Frame, Press, Say
from probes.telephony.live_line import LiveLine

RATE_HZ, FRAME = 8000, 160


def hold(folder: Path, seconds: float) -> list[bytes]:
    """Return the frames of a hold with an announcement every twenty seconds."""
    sounds = Sounds(folder)
    music, spoken = sounds.samples(Music("harbour")), sounds.samples(Spoken("Your call is important to us.", "ivy"))
    count = round(seconds * RATE_HZ)
    audio = np.tile(music, -(-count // len(music)))[:count] * np.float32(0.3)
    for begin in range(20 * RATE_HZ, count - len(spoken), 20 * RATE_HZ):
        audio[begin : begin + len(spoken)] = spoken
    return [audio[at : at + FRAME].astype("<f4").tobytes() for at in range(0, count - FRAME + 1, FRAME)]


class Paced:
    """A call whose frames of both sides come every 20 ms; keeps by how much they were taken late."""

    call_id = "bench"

    def __init__(self, frames: list[bytes], offset_s: float) -> None:
        self._frames, self._offset_s = frames, offset_s
        self.late_s: list[float] = []

    async def frames(self) -> AsyncIterator[Frame]:
        """Yield frames when they are due."""
        silence = bytes(len(self._frames[0]))
        begun_s = time.monotonic() + self._offset_s
        for number, samples in enumerate(self._frames):
            due_s = begun_s + (number + 1) * 0.02
            if (left_s := due_s - time.monotonic()) > 0:
                await asyncio.sleep(left_s)
            self.late_s.append(time.monotonic() - due_s)
            for side, data in ((Side.VENDOR, samples), (Side.OURS, silence)):
                yield Frame(t_s=number * 0.02, side=side, rate_hz=RATE_HZ, samples=data)

    async def send_digits(self, press: Press) -> None: ...

    async def play(self, line: Say) -> None: ...

    async def join(self, number: str, ring_at_most_s: float) -> bool:
        """Nobody is there."""
        return bool(number) and ring_at_most_s < 0


async def measured(calls: int, seconds: float) -> dict[str, float]:
    """Hold so many calls at once and return what it took."""
    with tempfile.TemporaryDirectory() as folder:
        frames = hold(Path(folder), seconds)
    sources = [Paced(frames, 0.02 * number / calls) for number in range(calls)]
    lines = [LiveLine(source, Clock(), None) for source in sources]
    behind_s: list[float] = []

    async def watched(line: LiveLine) -> None:
        waiting = asyncio.ensure_future(line.until(lambda ear: ear.new_person(0.0), seconds + 10))
        while not line.over:
            await asyncio.sleep(0.5)
            behind_s.append(line.now_s - line.ear.heard_s)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    cpu_s, real_s = time.process_time(), time.monotonic()
    await asyncio.gather(*(line.run() for line in lines), *(watched(line) for line in lines))
    cpu_s, real_s = time.process_time() - cpu_s, time.monotonic() - real_s
    late_s = np.concatenate([source.late_s for source in sources])
    return {
        "calls": calls,
        "seconds": round(real_s, 1),
        "cpu_share": round(cpu_s / real_s, 3),
        "cpu_ms_per_call_and_second": round(1000 * cpu_s / real_s / calls, 2),
        "frames_late_p50_ms": round(1000 * float(np.percentile(late_s, 50)), 1),
        "frames_late_p99_ms": round(1000 * float(np.percentile(late_s, 99)), 1),
        "listening_behind_p50_ms": round(1000 * float(np.percentile(behind_s, 50)), 1),
        "listening_behind_p99_ms": round(1000 * float(np.percentile(behind_s, 99)), 1),
        "listening_behind_most_ms": round(1000 * max(behind_s), 1),
    }


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    wanted = parser.parse_args()
    print(json.dumps(asyncio.run(measured(wanted.calls, wanted.seconds))))


if __name__ == "__main__":
    main()
