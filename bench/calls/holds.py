"""One hold: music that loops, pauses, ducks or starts again, and the messages that come in between."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from bench.calls.sounds import RATE_HZ, Sound, amplitude, faded, looped, resampled, samples, silence, voiced_spans
from bench.calls.tape import HoldTruth, Mark, Tape, silent_stretches


@dataclass(frozen=True, slots=True)
class Message:
    """Something said in a hold: parts that are each a recording of their own, in the order in which they are said."""

    parts: tuple[tuple[str, Sound], ...]
    bed: Sound | None = None  # music of its own under its words

    def sound(self) -> Sound:
        """Return the parts with short breaths between them."""
        out: list[Sound] = []
        for _, part in self.parts:
            out += [part, silence(0.2)]
        return np.concatenate(out[:-1])


@dataclass(frozen=True, slots=True)
class Music:
    """One pass of what is played, and whether it comes again."""

    sound: Sound
    name: str
    comes_again: bool = True
    drift_ratio: float = 0.0  # each pass is longer or shorter by up to this share


@dataclass
class Plan:
    """How a hold goes."""

    seconds: float
    music: Music | None  # None: silence
    mode: str  # duck | pause | mute | restart | none | silent
    messages: list[Message] = field(default_factory=list)
    every_s: float = 0.0  # from the end of a message to the start of the next; 0: no messages
    lead_s: float = 0.0
    duck_db: float = -14.0
    phase: int = 0
    varying: bool = False
    repeats: bool = True  # messages start again from the first when all have been said; False: they are used once


def play(tape: Tape, plan: Plan, rng: np.random.Generator) -> int:
    """Append a hold to the tape and return how far into its music it stopped."""
    count, start = samples(plan.seconds), tape.length
    stream = _Stream(plan.music, plan.phase, count + samples(60), rng)
    out = np.zeros(count, np.float32)
    spoken: list[Mark] = []
    heard: Counter[str] = Counter()
    position, number = 0, 0
    beds: list[tuple[int, int]] = []
    ducks = plan.mode == "duck" and plan.music is not None
    next_message = samples(plan.lead_s) if plan.every_s and plan.messages else count
    while position < count:
        until = min(next_message, count)
        out[position:until] = stream.take(until - position)
        position = until
        if position >= count:
            break
        if number >= len(plan.messages) and not plan.repeats:
            next_message = count
            continue
        message = plan.messages[number % len(plan.messages)]
        said = message.sound()
        if count - position < len(said):  # no message is cut off by the end of its hold
            next_message = count
            continue
        spoken += _spoken(message, start + position, heard, ducks or message.bed is not None)
        under = _under(plan, stream, len(said))
        out[position : position + len(said)] = said + under
        if message.bed is not None:
            out[position : position + len(said)] += looped(message.bed, len(said))
            beds.append((position, position + len(said)))
        position += len(said)
        number += 1
        next_message = position + samples(plan.every_s)
    tape.add(out)
    _mark(tape, plan, start, out, spoken, beds)
    tape.holds.append(_truth(plan, start, tape.length, stream, number))
    return stream.position


class _Stream:
    """Music without end, from a place in it."""

    def __init__(self, music: Music | None, phase: int, most: int, rng: np.random.Generator) -> None:
        self.length = len(music.sound) if music else 0
        self.position = phase
        self.furthest = phase
        self.start = phase
        if music is None:
            self.sound = np.zeros(most, np.float32)
        elif music.drift_ratio:
            passes = [music.sound]
            while sum(map(len, passes)) < most + phase:
                ratio = 1 + float(rng.uniform(-1, 1)) * music.drift_ratio
                passes.append(resampled(music.sound, RATE_HZ, RATE_HZ * ratio))
            self.sound = np.concatenate(passes)
        else:
            self.sound = music.sound

    def take(self, count: int) -> Sound:
        out = looped(self.sound, count, self.position)
        self.position += count
        self.furthest = max(self.furthest, self.position)
        return out

    def rewind(self) -> None:
        self.position = 0


def _under(plan: Plan, stream: _Stream, count: int) -> Sound:
    """Return what plays under a message."""
    if plan.mode == "duck":
        ramp = np.minimum(1, np.minimum(np.arange(count), np.arange(count)[::-1]) / (0.08 * RATE_HZ))
        return np.asarray(stream.take(count) * 10 ** (ramp * plan.duck_db / 20), np.float32)
    if plan.mode == "mute":
        stream.take(count)
    elif plan.mode == "restart":
        stream.rewind()
    return np.zeros(count, np.float32)


def _spoken(message: Message, at: int, heard: Counter[str], over_music: bool) -> list[Mark]:
    marks = []
    for name, part in message.parts:
        heard[name] += 1
        for a, b in voiced_spans(part):
            marks.append(Mark(at + a, at + b, "speech", "announcement", name, heard[name], over_music))
        at += len(part) + samples(0.2)
    return marks


def _mark(tape: Tape, plan: Plan, start: int, out: Sound, spoken: list[Mark], beds: list[tuple[int, int]]) -> None:
    if plan.music is None:
        tape.paint(Mark(start, tape.length, "silence", "silence"))
    else:
        tape.paint(Mark(start, tape.length, "music", "hold_music", plan.music.name))
        for a, b in silent_stretches(out):
            tape.paint(Mark(start + a, start + b, "silence", "silence"))
    for a, b in beds:
        tape.paint(Mark(start + a, start + b, "music", "hold_music", "advert"))
    for mark in spoken:
        tape.paint(mark)


def _truth(plan: Plan, start: int, end: int, stream: _Stream, said: int) -> HoldTruth:
    loop_s = None
    played = stream.furthest - stream.start
    name = plan.music.name if plan.music else None
    repeats = bool(plan.music and plan.music.comes_again and played > 0.98 * stream.length)
    if plan.music and plan.music.comes_again:
        if plan.mode in ("duck", "mute", "none") or said == 0:
            loop_s = stream.length / RATE_HZ if played >= 1.6 * stream.length else None
        elif plan.mode == "restart" and said >= 3 and not plan.varying:
            lengths = {len(m.sound()) for m in plan.messages}
            if len(lengths) == 1 and samples(plan.every_s) < 0.98 * stream.length:
                loop_s = plan.every_s + lengths.pop() / RATE_HZ
    repeats = repeats or plan.mode == "restart"
    return HoldTruth(start, end, plan.mode, name, loop_s, repeats, said, plan.varying)


def excerpt(sound: Sound, seconds: float | None, rng: np.random.Generator) -> Sound:
    """Return a stretch of a track with faded ends, or all of it."""
    if seconds is None or seconds * RATE_HZ >= len(sound):
        return faded(sound, 0.02)
    count = samples(seconds)
    start = int(rng.integers(len(sound) - count + 1))
    return faded(sound[start : start + count], 0.05)


def level(sound: Sound, db: float) -> Sound:
    """Return a sound louder or softer by some dB."""
    return np.asarray(sound * amplitude(db), np.float32)
