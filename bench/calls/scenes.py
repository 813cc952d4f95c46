"""Whole calls: who rings, what a vendor's line plays, who answers, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from bench.calls import tones
from bench.calls.holds import Message, Music
from bench.calls.sounds import RATE_HZ, silence
from bench.calls.stage import Stage
from bench.calls.tape import Tape


def queue(stage: Stage) -> None:
    stage.ring()
    stage.answer()
    stage.menus()
    stage.hold(60, 420)
    stage.transfer()
    stage.person(15, 60)
    stage.ends()


def two_holds(stage: Stage) -> None:
    stage.ring()
    stage.answer()
    stage.menus(1)
    plan = stage.hold(50, 240)
    stage.transfer()
    stage.person(15, 45)
    _agent_hold(stage, plan.music if stage.chance(0.6) else None)
    stage.person(8, 30)
    stage.ends()


def _agent_hold(stage: Stage, music: Music | None = None, low_s: float = 25, high_s: float = 200) -> None:
    """The agent puts the caller on hold: no messages, music from anywhere in its loop."""
    music = music or stage.music()
    phase = int(stage.rng.integers(len(music.sound))) if stage.chance(0.5) else 0
    stage.hold(low_s, high_s, "none", music=music, phase=phase)
    stage.tape.silence(stage.between(0.2, 0.8))


def agent_holds_twice(stage: Stage) -> None:
    stage.ring()
    stage.answer()
    stage.person(10, 40)
    music = stage.music()
    for _ in range(2):
        _agent_hold(stage, music)
        stage.person(8, 30)
    stage.ends()


def direct_agent(stage: Stage) -> None:
    """A person answers, sometimes after a short recorded greeting."""
    stage.ring()
    stage.answer()
    if stage.chance(0.5):
        name, sound = stage.prompt("hold", "menu", seconds=2)
        stage.tape.speech(sound, "ivr", name, 1)
        stage.tape.silence(stage.between(0.3, 1.5))
        if stage.chance(0.5):
            stage.signal("ringback", int(stage.rng.integers(1, 3)))
            stage.tape.silence(stage.between(0.2, 0.8))
    stage.person(30, 120)
    if stage.chance(0.4):
        _agent_hold(stage)
        stage.person(8, 30)
    stage.ends()


def abandoned(stage: Stage) -> None:
    stage.ring()
    stage.answer()
    stage.menus()
    stage.hold(120, 600)
    stage.ends("caller_hangs_up")


def cut_off(stage: Stage) -> None:
    """The vendor hangs up on somebody who waits."""
    stage.ring()
    stage.answer()
    stage.menus()
    stage.hold(60, 300)
    stage.ends()


def silent_queue(stage: Stage) -> None:
    stage.ring()
    stage.answer()
    stage.menus(twice=0.5)
    last = max(m.end for m in stage.tape.marks if m.kind != "silence")
    stage.hold(60, 300, "silent", every_s=stage.between(15, 60))
    _begin_hold_at(stage.tape, last)
    stage.transfer()
    stage.person(15, 50)
    stage.ends()


def _begin_hold_at(tape: Tape, start: int) -> None:
    tape.holds[-1] = replace(tape.holds[-1], start=start)


def long_loud(stage: Stage) -> None:
    stage.ring()
    stage.answer()
    stage.menus(1)
    stage.hold(1100, 1300, music=stage.music(db=stage.between(8, 13)))
    stage.ends("caller_hangs_up" if stage.chance(0.5) else "vendor_hangs_up")


def positions(stage: Stage) -> None:
    """The queue says a number that falls, after the same sentence."""
    stage.ring()
    stage.answer()
    stage.menus(1)
    numbered = [c for c in stage.system.clips if c.kind in ("position", "digit")]
    numbered.sort(key=lambda c: c.name.rpartition("-")[2], reverse=True)
    start = int(stage.rng.integers(max(1, len(numbered) - 3))) if numbered else 0
    base, sound = stage.prompt("hold", seconds=2.5)
    messages = [
        Message(((base, sound), (clip.name, stage.pool.clip(stage.system, clip)))) for clip in numbered[start:]
    ] or [Message(((base, sound),))]
    mode = str(stage.rng.choice(["duck", "pause", "mute", "restart"]))
    every_s = stage.between(15, 50)
    stage.hold(120, 420, mode, messages=messages, varying=len(messages) > 1, repeats=False, every_s=every_s)
    stage.transfer()
    stage.person(15, 45)
    stage.ends()


def adverts(stage: Stage) -> None:
    """Advertising between the music and the announcements, some of it with its own music."""
    stage.ring()
    stage.answer()
    stage.menus(1)
    messages = []
    for _ in range(int(stage.rng.integers(2, 5))):
        name, sound = stage.prompt("advert", "hold", seconds=stage.between(4, 14))
        bed = None
        if stage.chance(0.5):
            bed = stage.music(loop=False, seconds=len(sound) / RATE_HZ + 1, db=stage.between(-20, -12)).sound
        messages.append(Message(((name, sound),), bed))
    stage.hold(
        150, 480, str(stage.rng.choice(["duck", "pause", "mute"])), messages=messages, every_s=stage.between(8, 40)
    )
    stage.transfer()
    stage.person(15, 45)
    stage.ends()


def radio(stage: Stage) -> None:
    """A radio station as hold music: songs that do not come again, a presenter who talks into them."""
    stage.ring()
    stage.answer()
    stage.menus(1)
    host = stage.people.pop()
    lines = [c for c in host.clips if c.kind in ("person", "host")]
    turns = []
    for index in range(0, len(lines), 4):
        parts = tuple((f"host/{c.name}", stage.pool.clip(host, c)) for c in lines[index : index + 4])
        turns.append(Message(parts))
    songs = [stage.music(loop=False, seconds=stage.between(60, 170), db=0).sound for _ in range(4)]
    programme = Music(np.concatenate(songs), "radio", comes_again=False)
    mode = "duck" if stage.chance(0.75) else "pause"
    stage.hold(120, 400, mode, music=programme, messages=turns, repeats=False, every_s=stage.between(15, 70))
    stage.transfer()
    stage.person(15, 45)
    stage.ends()


def sung(stage: Stage) -> None:
    stage.ring()
    stage.answer()
    stage.menus(1)
    stage.hold(90, 400, music=stage.music("sung") if any(t.kind == "sung" for t in stage.pool.tracks) else None)
    stage.transfer()
    stage.person(15, 45)
    stage.ends()


def faint_music(stage: Stage) -> None:
    """Somebody talks while music plays faintly in the room."""
    stage.ring()
    stage.answer()
    if stage.chance(0.5):
        stage.hold(40, 150)
        stage.transfer()
    stage.person(40, 120, bed=stage.music(db=stage.between(-25, -14)).sound)
    stage.ends()


def dead_air(stage: Stage) -> None:
    """A person goes quiet for long, without music; whether that is a hold cannot be heard."""
    stage.ring()
    stage.answer()
    stage.menus(1)
    if stage.chance(0.5):
        stage.hold(40, 180)
        stage.transfer()
    stage.person(15, 45)
    start = stage.tape.length
    stage.tape.silence(stage.between(15, 90))
    stage.tape.maybe_holds.append((start, stage.tape.length))
    stage.person(10, 30)
    stage.ends()


def busy(stage: Stage) -> None:
    stage.tape.silence(stage.between(0.1, 2))
    stage.signal("busy" if stage.chance(0.7) else "reorder", int(stage.rng.integers(8, 30)))
    stage.tape.silence(0.5)


def intercepted(stage: Stage) -> None:
    """The network says that the number cannot be reached."""
    stage.tape.silence(stage.between(0.1, 2))
    stage.special_information()
    stage.tape.silence(0.4)
    name, sound = stage.prompt("menu", "hold", seconds=4)
    for occurrence in range(1, int(stage.rng.integers(2, 5))):
        stage.tape.speech(sound, "announcement", name, occurrence)
        stage.tape.silence(stage.between(0.8, 2))
    stage.signal("reorder", int(stage.rng.integers(10, 40)))
    stage.tape.silence(0.4)


def no_answer(stage: Stage) -> None:
    stage.ring(int(stage.rng.integers(8, 20)))
    stage.tape.silence(stage.between(0.3, 3))
    stage.ends("caller_hangs_up")


def voicemail(stage: Stage) -> None:
    stage.ring()
    stage.answer()
    name, sound = stage.prompt("menu", "hold", seconds=6)
    stage.tape.speech(sound, "ivr", name, 1)
    stage.tape.silence(stage.between(0.2, 0.8))
    stage.beep(float(stage.rng.choice([440, 850, 1000, 1400])), stage.between(0.2, 0.8))
    stage.tape.silence(stage.between(6, 30))
    if stage.chance(0.6):
        stage.signal("busy", 8)


def fax(stage: Stage) -> None:
    stage.ring()
    stage.answer()
    for _ in range(int(stage.rng.integers(1, 4))):
        parts = [tones.fax_answer(stage.between(2.6, 4), stage.peak), silence(0.075)]
        parts.append(tones.fax_preamble(stage.between(1, 1.8), stage.peak, stage.rng))
        stage.tape.tone(np.concatenate(parts), "fax")
        stage.tape.silence(stage.between(1.5, 4))
    stage.ends()


def menu_loop(stage: Stage) -> None:
    """An automatic system that says the same thing again until it hangs up."""
    stage.ring()
    stage.answer()
    name, sound = stage.prompt("menu", seconds=stage.between(5, 14))
    complaint, words = stage.prompt("menu", seconds=2)
    for occurrence in range(1, int(stage.rng.integers(3, 7))):
        stage.tape.speech(sound, "ivr", name, occurrence)
        stage.tape.silence(stage.between(2, 6))
        if stage.chance(0.7):
            stage.tape.speech(words, "ivr", complaint, occurrence)
            stage.tape.silence(stage.between(0.5, 1.5))
    stage.ends()


def menu_then_queue(stage: Stage) -> None:
    """The menu is said twice, and then there is a queue with music."""
    stage.ring()
    stage.answer()
    stage.menus(2, twice=1.0)
    stage.hold(60, 240, str(stage.rng.choice(["none", "duck", "pause"])))
    stage.transfer()
    stage.person(15, 40)
    stage.ends()


SCENES: tuple[Callable[[Stage], None], ...] = (
    queue, two_holds, radio, direct_agent, abandoned, positions, busy, adverts, sung, silent_queue, agent_holds_twice,
    voicemail, faint_music, queue, intercepted, dead_air, cut_off, fax, menu_loop, queue, no_answer, long_loud, sung,
    two_holds, menu_then_queue, direct_agent, radio, abandoned,
)  # fmt: skip
