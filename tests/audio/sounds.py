"""Sound made for tests: tones, music with a tune, speech by an installed voice."""

import os
import shutil
import subprocess
from functools import lru_cache
from io import BytesIO

import numpy as np
import pytest
import soundfile as sf
import soxr
from numpy.typing import NDArray

RATE = 8000
Sound = NDArray[np.float32]


def tone(hz: tuple[float, ...], length_s: float, level: float = 0.1) -> Sound:
    t = np.arange(int(length_s * RATE)) / RATE
    return (sum(np.sin(2 * np.pi * f * t) for f in hz) * level / len(hz)).astype(np.float32)


def quiet(length_s: float) -> Sound:
    return np.zeros(int(length_s * RATE), np.float32)


def rhythm(hz: tuple[float, ...], cadence: tuple[float, ...], times: int) -> Sound:
    cycle = [tone(hz, d) if i % 2 == 0 else quiet(d) for i, d in enumerate(cadence)]
    return np.concatenate(cycle * times)


def music(length_s: float, loop_s: float = 20.0, seed: int = 5, level: float = 0.1) -> Sound:
    """Plucked chords, a bass and a tune, repeated every `loop_s`."""
    rng = np.random.default_rng(seed)
    n, beat = int(loop_s * RATE), int(0.4 * RATE)
    out = np.zeros(n + 4 * RATE)
    scale = np.array([0, 2, 4, 5, 7, 9, 11, 12])
    for start in range(0, n - beat, beat):
        chord = int(rng.choice([0, 5, 7, 9]))
        notes = [chord - 12, chord, chord + 4, chord + 7, int(rng.choice(scale)) + 12]
        for k, note in enumerate(notes):
            hz = 261.6 * 2 ** (note / 12)
            t = np.arange(int(rng.uniform(0.5, 1.6) * RATE)) / RATE
            voice = sum(np.sin(2 * np.pi * hz * h * t) / h for h in (1, 2, 3) if hz * h < 3800)
            out[start : start + len(t)] += voice * np.exp(-t * 3) * (1.0 if k == 4 else 0.6)
    loop = out[:n] / np.abs(out[:n]).max() * level * 3
    return np.resize(loop, int(length_s * RATE)).astype(np.float32)


@lru_cache(maxsize=64)
def speech(text: str, voice: str = "en-gb+f3", level: float = 0.3) -> Sound:
    """Speech of espeak-ng at 8 kHz, without silence at its ends."""
    program = shutil.which("espeak-ng")
    if program is None:
        # On CI the installation brings it: nothing may be left out there in silence.
        lacking = "espeak-ng is not installed: no voice to speak the test's words"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(lacking)
    done = subprocess.run([program, "-v", voice, "-s", "150", "--stdout", text], capture_output=True, check=True)
    data, rate = sf.read(BytesIO(done.stdout), dtype="float32")
    x = soxr.resample(data, rate, RATE).astype(np.float32)
    loud = np.flatnonzero(np.abs(x) > 0.01)
    x = x[loud[0] : loud[-1] + 1]
    return (x / np.abs(x).max() * level).astype(np.float32)


MENU = "Welcome to the customer service of the example company. For sales press one. For support press two."
WAIT = "All of our agents are busy at the moment. Please stay on the line, your call is important to us."
HELLO = "Good afternoon, this is Tom speaking from the support team, how can I help you today?"
ASK = "I see. Could you please give me your customer number, and tell me once more what the problem is?"
PROMISE = "Thank you. I have entered a new ticket for you, and somebody should answer within five hours."


def queue_call() -> tuple[Sound, dict[str, float]]:
    """Ringing, a menu, a hold with a message twice, a person; and when the hold starts and ends."""
    parts = [quiet(1), rhythm((440, 480), (2, 4), 2)[: 8 * RATE], quiet(0.7), speech(MENU), quiet(4)]
    start_s = sum(map(len, parts)) / RATE
    hold = [music(25), speech(WAIT), music(30, seed=5), speech(WAIT), music(21)]
    end_s = start_s + sum(map(len, hold)) / RATE
    person = []
    for text in (HELLO, ASK, PROMISE):
        person += [speech(text, "en+m3"), quiet(2.5)]
    sound = np.concatenate([*parts, *hold, quiet(0.6), *person])
    return sound, {"hold_start_s": start_s, "hold_end_s": end_s, "person_s": end_s + 0.6}
