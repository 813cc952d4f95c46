"""A far end that speaks SIP, in a process of its own: `python -m tests.telephony.sip_far_end PLAN.json TRUTH.jsonl`.

The plan gives each number its steps: ring, answer, reject, tone, quiet, speak, keys, hold, resume, hang_up, vanish, and
centre: a call centre of the practice vendor, by its parts. What happened and when goes into the truth file, so that
tests compare it with what was measured.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

RATE_HZ = 8000


def tone(hz: float, length_s: float, level: float = 0.25) -> bytes:
    t = np.arange(round(length_s * RATE_HZ)) / RATE_HZ
    return (level * np.sin(2 * np.pi * hz * t) * 32767).astype("<i2").tobytes()


class FarEnd:
    def __init__(self, plan: dict[str, list[dict[str, Any]]], truth: Path) -> None:
        self.plan, self.truth, self.loud = plan, truth, False

    def write(self, number: str, what: str, **data: Any) -> None:
        with self.truth.open("a") as file:
            file.write(json.dumps({"number": number, "what": what, "at": time.time(), **data}) + "\n")

    async def take(self, number: str, call: Any) -> None:
        from baresip import BaresipError, Event

        keys: asyncio.Queue[str] = asyncio.Queue()
        over = asyncio.Event()

        def on_event(event: Any) -> None:
            if event.event is Event.CALL_CLOSED:
                self.write(number, "closed", text=event.text)
                over.set()

        def on_key(digit: Any) -> None:
            self.write(number, "key", key=digit.digit)
            keys.put_nowait(digit.digit)

        call.on(on_event)
        call.on_dtmf(on_key)
        self.write(number, "incoming", peer=call.peer)
        heard = asyncio.create_task(self.listen(number, call, over))
        try:
            for step in self.plan[number]:
                (verb, value), *_ = step.items()
                self.write(number, f"{verb}_begin")
                await asyncio.wait_for(self.carry_out(number, verb, value, call, keys, over), 3600)
                self.write(number, f"{verb}_end")
                if over.is_set():
                    return
            await over.wait()
        except BaresipError as exc:
            self.write(number, "error", text=str(exc))
        finally:
            heard.cancel()

    async def carry_out(
        self, number: str, verb: str, value: Any, call: Any, keys: asyncio.Queue[str], over: asyncio.Event
    ) -> None:
        match verb:
            case "ring" | "quiet":
                await asyncio.sleep(value)
            case "answer":
                await call.answer()
            case "reject":
                await call.reject()
            case "tone":
                await self.send(call, tone(value.get("hz", 440), value["s"]), over)
            case "speak":
                from probes.speech import speech, voice_for

                pcm = (speech(value, voice_for("en")) * 32767).astype("<i2").tobytes()
                await self.send(call, pcm, over)
            case "keys":
                for _ in range(value):
                    await keys.get()
            case "centre":
                await self.centre(number, value, call, keys, over)
            case "hold":
                await call.hold()
            case "resume":
                await call.resume()
            case "hang_up":
                await call.hangup()
            case "vanish":
                import os

                os._exit(0)

    async def centre(self, number: str, parts: str, call: Any, keys: asyncio.Queue[str], over: asyncio.Event) -> None:
        """Let a call centre answer, in real time; our voice is heard by its level, keys as the line reports them."""
        from baresip import AudioNotActive, AudioRestarted

        from probes.practice import mixing
        from probes.practice.call_centre import CallCentre
        from probes.practice.line import End, Key, Line, Words
        from probes.practice.sounds import KeyTone, Music, Sounds
        from tests.telephony.far_end import phone

        folder = self.truth.parent
        who = phone(folder, parts)
        sounds = Sounds(folder / "sounds")
        for piece in re.findall(r"music: (\w+)", parts):
            sounds.samples(Music(piece))
        line = Line(sounds.length_s)
        line.take(End.VENDOR, CallCentre(who, 1, line).answer())
        await call.answer()
        began, at, told = time.monotonic(), 0, 0
        self.write(number, "answered")
        speaking, spoke = False, 0.0
        while not over.is_set() and line.hung_up_by is None:
            while at < int((time.monotonic() - began + 0.08) * RATE_HZ) and line.hung_up_by is None:
                line.run((at + 160) / RATE_HZ)
                part = mixing.render_part(line.played, End.VENDOR, at, at + 160, sounds)
                with suppress(AudioNotActive, AudioRestarted):
                    call.audio.write((np.clip(part, -1, 1) * 32767).astype("<i2").tobytes())
                at += 160
            while not keys.empty():
                key = keys.get_nowait()
                line.play(End.CALLER, KeyTone(key), "key", for_s=0.01, heard=Key(key))
            if self.loud:
                speaking, spoke = True, time.monotonic()
            elif speaking and time.monotonic() - spoke > 0.4:
                speaking = False
                line.play(End.CALLER, KeyTone("1"), "line", for_s=0.01, heard=Words(""))
            for one in line.happenings[told:]:
                self.write(number, one.kind, t_s=one.t_s, facts=one.facts)
            told = len(line.happenings)
            await asyncio.sleep(0.02)
        if not over.is_set():
            await call.hangup()

    async def send(self, call: Any, pcm: bytes, over: asyncio.Event) -> None:
        from baresip import AudioNotActive, AudioRestarted

        at, began = 0, time.monotonic()
        while at < len(pcm) and not over.is_set():
            due = min(len(pcm), int((time.monotonic() - began + 0.1) * RATE_HZ) * 2)
            try:
                at += call.audio.write(pcm[at:due]) if due > at else 0
            except (AudioNotActive, AudioRestarted):
                began = time.monotonic() - at / 2 / RATE_HZ
            await asyncio.sleep(0.02)
        await asyncio.sleep(max(0.0, began + len(pcm) / 2 / RATE_HZ - time.monotonic()))

    async def listen(self, number: str, call: Any, over: asyncio.Event) -> None:
        """Write down when sound comes and goes."""
        from baresip import AudioNotActive, AudioRestarted

        sounding, last = False, 0.0
        while not over.is_set():
            try:
                pcm = call.audio.read(1 << 16)
            except (AudioNotActive, AudioRestarted):
                pcm = b""
            loud = bool(len(pcm)) and float(np.abs(np.frombuffer(pcm, "<i2")).max()) > 500
            self.loud = loud
            if loud:
                last = time.monotonic()
            if loud != sounding and (loud or time.monotonic() - last > 1.0):
                sounding = loud
                self.write(number, "sound" if loud else "silence")
            await asyncio.sleep(0.02)


async def main(plan: dict[str, list[dict[str, Any]]], truth: Path) -> None:
    from baresip import Account, Config, Runtime, UserAgent

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    if any("centre" in step for steps in plan.values() for step in steps):
        import tests.telephony.far_end  # noqa: F401  (takes a moment, in which nobody must be waiting)
    runtime = Runtime()
    listen = f"sip_listen 127.0.0.1:{port}\n"
    await runtime.start(Config(net_interface="127.0.0.1", max_concurrent_calls=None, extra_config_text=listen))
    far = FarEnd(plan, truth)
    tasks = set()

    def incoming(number: str, call: Any) -> None:
        task = asyncio.create_task(far.take(number, call))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    for number in plan:
        agent = await UserAgent.create(runtime, Account(user=number, domain="127.0.0.1", password="", reg_interval=0))
        agent.on_incoming(partial(incoming, number))
    far.write("", "ready", port=port)
    await asyncio.to_thread(sys.stdin.read)
    await runtime.close()


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])))
