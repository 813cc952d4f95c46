"""A pool without any file: composed music, and talkers made of pulses, resonators and noise.

For tests that must run anywhere. The talkers speak no language, but have what speech has: syllables at four a second, a
moving pitch, formants that glide from vowel to vowel, hissing consonants, pauses between phrases.
"""

from __future__ import annotations

import numpy as np
from scipy import signal

from bench.calls import compose
from bench.calls.packages import SPLITS, Split
from bench.calls.pool import Clip, Pool, Speaker, Track, integers
from bench.calls.sounds import RATE_HZ, Sound, levelled, silence

VOWELS_HZ = (  # first three formants, after Peterson and Barney, 1952
    (730, 1090, 2440),
    (270, 2290, 3010),
    (300, 870, 2240),
    (530, 1840, 2480),
    (570, 840, 2410),
    (440, 1020, 2240),
)
STEP = 40
LINES = {"menu": 8, "hold": 8, "advert": 3, "person": 24, "position": 7, "song": 2}


def talk(seconds: float, pitch_hz: float, size: float, rng: np.random.Generator) -> Sound:
    """Return a phrase of about that many seconds.

    Args:
        seconds: how long.
        pitch_hz: where the voice lies.
        size: scales the formants; 1.0 is an adult man, 1.17 a woman.
        rng: decides what is said.
    """
    pitches: list[np.ndarray] = []
    formants: list[np.ndarray] = []
    strengths: list[np.ndarray] = []
    hisses: list[np.ndarray] = []
    vowel = np.array(VOWELS_HZ[int(rng.integers(len(VOWELS_HZ)))], float)
    total = 0.0
    while total < seconds:
        consonant_s, vowel_s = rng.uniform(0.04, 0.12), rng.uniform(0.08, 0.22)
        before, vowel = vowel, np.array(VOWELS_HZ[int(rng.integers(len(VOWELS_HZ)))], float)
        quiet, loud = int(consonant_s * RATE_HZ / STEP), int(vowel_s * RATE_HZ / STEP)
        is_hiss = rng.random() < 0.5
        glide = np.minimum(1, np.arange(loud) / 10)[:, None]
        formants += [np.tile(before, (quiet, 1)), before + glide * (vowel - before)]
        strengths += [np.full(quiet, 0.0 if is_hiss else 0.25), np.hanning(loud + 2)[1:-1] ** 0.4 * rng.uniform(0.6, 1)]
        hisses += [np.full(quiet, 0.25 if is_hiss else 0.02), np.full(loud, 0.01)]
        falling = 1 - 0.25 * total / seconds
        pitches.append(np.full(quiet + loud, pitch_hz * falling * rng.uniform(0.88, 1.15)))
        total += consonant_s + vowel_s
        if rng.random() < 0.06:
            pause = int(rng.uniform(0.1, 0.3) * RATE_HZ / STEP)
            formants.append(np.tile(vowel, (pause, 1)))
            strengths.append(np.zeros(pause))
            hisses.append(np.zeros(pause))
            pitches.append(np.full(pause, pitch_hz))
    smooth = signal.lfilter([0.08], [1, -0.92], np.concatenate(pitches) - pitch_hz) + pitch_hz
    wobble = 1 + 0.01 * rng.standard_normal(len(smooth))
    phase = np.cumsum(np.repeat(smooth * wobble, STEP)) / RATE_HZ
    pulses = np.diff(np.floor(phase), prepend=0.0)
    voiced = signal.lfilter([1], [1, -0.9], pulses) * np.repeat(np.concatenate(strengths), STEP)
    out = _resonated(voiced, np.concatenate(formants) * size)
    noise = rng.standard_normal(len(out)) * np.repeat(np.concatenate(hisses), STEP)
    hiss = signal.sosfilt(signal.butter(2, 1800, "highpass", fs=RATE_HZ, output="sos"), noise)
    return levelled(np.asarray(out / (out.std() + 1e-9) + 2.0 * hiss, np.float32))


def _resonated(source: np.ndarray, formants_hz: np.ndarray) -> np.ndarray:
    """Return a source after three resonators in a row whose places change every 5 ms."""
    out = source
    for place, width_hz in enumerate((80, 100, 140)):
        radius = np.exp(-np.pi * width_hz / RATE_HZ)
        result, state = np.zeros(len(out)), np.zeros(2)
        for step, hz in enumerate(np.minimum(formants_hz[:, place], 3700)):
            feedback = [1, -2 * radius * np.cos(2 * np.pi * hz / RATE_HZ), radius**2]
            here = slice(step * STEP, step * STEP + STEP)
            result[here], state = signal.lfilter([sum(feedback)], feedback, out[here], zi=state)
        out = result
    return out


def pool(split: Split, voices: int = 9, tracks: int = 4) -> Pool:
    """Return a small pool in memory, the same each time."""
    styles, side = compose.STYLES[split], 1 + SPLITS.index(split)
    sounds, music, speakers = {}, [], []
    for number in range(tracks):
        rng = np.random.default_rng([side, 1, number])
        style = styles[number % len(styles)]
        sound = compose.piece(style, float(rng.uniform(20, 40)), rng)
        file = f"{style.name} {number}"
        sounds[file] = integers(sound)
        music.append(Track(file, "composed", f"composed {number}", file, len(sound) / RATE_HZ))
    for number in range(voices):
        rng = np.random.default_rng([side, 2, number])
        speaker, data = _speaker(f"talker {number}", rng, "system" if number < 2 else "person")
        speakers.append(speaker)
        sounds[speaker.file] = data
    return Pool(split, tuple(music), tuple(speakers), sounds=sounds)


def _speaker(name: str, rng: np.random.Generator, role: str) -> tuple[Speaker, np.ndarray]:
    pitch_hz, size = float(rng.uniform(85, 230)), float(rng.uniform(0.92, 1.2))
    clips, parts, position = [], [], 0
    for kind, count in LINES.items():
        if (kind == "person") == (role == "system"):
            continue
        for number in range(1, count + 1):
            seconds = rng.uniform(0.5, 1.0) if kind == "position" else rng.uniform(1.2, 5)
            sound = talk(float(seconds), pitch_hz, size, rng)
            clips.append(Clip(f"{kind}-{number}", kind, position, position + len(sound)))
            parts.append(sound)
            position += len(sound)
    sound = np.concatenate([*parts, silence(0.1)])
    return Speaker(name, name, "none", (role,), name, tuple(clips)), integers(sound)
