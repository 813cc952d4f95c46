"""Loud sounds that are neither music nor words, in the middle of a talk: somebody's room, and no hold."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import signal

from probes.audio.listen import listen
from probes.audio.timeline import Kind
from tests.audio.sounds import ASK, HELLO, MENU, PROMISE, RATE, Sound, music, quiet, rhythm, speech

RING = rhythm((440, 480), (2, 4), 2)[: 8 * RATE]


def growls(length_s: float, rng: np.random.Generator) -> Sound:
    """Low, rough and long, of no steady pitch, from one throat."""
    parts: list[Sound] = []
    while sum(map(len, parts)) < length_s * RATE:
        n = int(rng.uniform(0.5, 1.6) * RATE)
        wander = 0.15 * np.cumsum(rng.standard_normal(n)) / np.sqrt(n) + rng.uniform(-0.5, 0.5) * np.linspace(0, 1, n)
        voice = signal.sawtooth(2 * np.pi * np.cumsum(rng.uniform(70, 160) * 2**wander) / RATE, 0.1)
        voice = voice + 0.5 * rng.standard_normal(n)
        voice *= 1 + 0.8 * np.sin(2 * np.pi * rng.uniform(18, 30) * np.arange(n) / RATE)
        for hz in (rng.uniform(400, 700), rng.uniform(1100, 1700)):
            voice = 0.4 * voice + 2 * signal.lfilter(*signal.iirpeak(hz, 3, fs=RATE), voice)
        parts += [(voice * signal.windows.tukey(n, 0.5)).astype(np.float32), quiet(float(rng.uniform(0, 0.3)))]
    return np.concatenate(parts)


def screams(length_s: float, rng: np.random.Generator) -> Sound:
    """High cries that rise and fall and tremble."""
    parts: list[Sound] = []
    while sum(map(len, parts)) < length_s * RATE:
        n = int(rng.uniform(0.4, 1.2) * RATE)
        t = np.linspace(0, 1, n)
        hz = rng.uniform(600, 1100) * 2 ** (rng.uniform(0.3, 1) * np.sin(np.pi * t) + 0.05 * np.sin(2 * np.pi * 9 * t))
        voice = signal.square(2 * np.pi * np.cumsum(hz) / RATE, 0.3) * (1 + 0.7 * np.sin(2 * np.pi * 35 * t))
        parts += [(voice * signal.windows.tukey(n, 0.4)).astype(np.float32), quiet(float(rng.uniform(0, 0.25)))]
    return np.concatenate(parts)


def knocks(length_s: float, rng: np.random.Generator) -> Sound:
    """Blows on something hollow, at no steady pace."""
    out = np.zeros(int((length_s + 1) * RATE))
    at_s = 0.0
    while at_s < length_s:
        t = np.arange(int(0.2 * RATE)) / RATE
        blow = rng.standard_normal(len(t)) * np.exp(-t * rng.uniform(20, 60))
        hollow = signal.iirpeak(float(rng.uniform(300, 1500)), 2, fs=RATE)
        start = int(at_s * RATE)
        out[start : start + len(t)] += signal.lfilter(*hollow, blow)
        at_s += float(rng.uniform(0.08, 0.5))
    return out[: int(length_s * RATE)].astype(np.float32)


@pytest.mark.parametrize("sound", [growls, knocks, screams])
def test_uproar_in_the_middle_of_a_talk_is_no_hold(sound: Callable[[float, np.random.Generator], Sound]) -> None:
    uproar = sound(12.0, np.random.default_rng(4))
    uproar = uproar / np.abs(uproar).max() * np.float32(0.3)
    before = [quiet(1), RING, quiet(0.6), speech(HELLO, "en+m3"), quiet(2.5), speech(ASK, "en+m3"), quiet(1)]
    timeline = listen(np.concatenate([*before, uproar, quiet(1), speech(PROMISE, "en+m3"), quiet(2)]), RATE)
    assert timeline.holds == ()
    start_s = sum(map(len, before)) / RATE
    heard = [(s.kind, min(s.end_s, start_s + 12) - max(s.start_s, start_s)) for s in timeline.segments]
    as_music_s = sum(max(0.0, length_s) for kind, length_s in heard if kind is Kind.MUSIC)
    assert as_music_s < 1.5


def test_a_hold_beside_uproar_keeps_its_edges() -> None:
    uproar = growls(8.0, np.random.default_rng(5)) * np.float32(0.2)
    start = [quiet(1), RING, quiet(0.6), speech(MENU), quiet(3)]
    sound = np.concatenate([*start, music(40), quiet(0.6), uproar, quiet(0.5), speech(HELLO, "en+m3"), quiet(2)])
    timeline = listen(sound, RATE)
    start_s = sum(map(len, start)) / RATE
    assert [(h.start_s, h.end_s) for h in timeline.holds] == [
        (pytest.approx(start_s, abs=0.5), pytest.approx(start_s + 40, abs=0.8))
    ]
