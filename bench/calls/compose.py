"""Our own small orchestra: music composed and played from a seed, so that hold music is there without any download.

A piece is a chord progression over bars; parts (pad, plucked strings, piano, organ, strings, bass, drums, lead) play
patterns on it. Everything follows from the generator that is passed in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import signal

from bench.calls.packages import Split
from bench.calls.sounds import RATE_HZ, Sound, levelled, samples

MAJOR, MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)
PROGRESSIONS = (
    (0, 4, 5, 3),
    (0, 5, 3, 4),
    (1, 4, 0, 0),
    (0, 3, 4, 4),
    (5, 3, 0, 4),
    (0, 2, 3, 4),
    (0, 0, 3, 4),
    (3, 4, 2, 5),
)


@dataclass(frozen=True, slots=True)
class Style:
    """Which parts play, and how fast."""

    name: str
    parts: tuple[str, ...]
    tempo_bpm: tuple[float, float]


TRAIN_STYLES = (
    Style("pads", ("pad",), (55, 80)),
    Style("lounge", ("piano", "bass", "brush"), (80, 120)),
    Style("pop", ("pad", "bass", "drums", "lead"), (95, 130)),
    Style("plucks", ("pluck",), (70, 110)),
    Style("chimes", ("bell",), (50, 90)),
    Style("dance", ("drums", "bass", "stab", "arpeggio"), (118, 135)),
)
COURSE_STYLES = (
    Style("organ", ("organ", "lead"), (60, 95)),
    Style("strings", ("strings", "bass"), (60, 90)),
    Style("guitar", ("pluck", "bass", "brush"), (85, 125)),
    Style("music box", ("box",), (75, 120)),
    Style("synth", ("arpeggio", "pad", "drums"), (100, 128)),
)
TEST_STYLES = (
    Style("flute", ("flute", "strings"), (60, 90)),
    Style("marimba", ("marimba", "bass", "brush"), (90, 130)),
    Style("ballad", ("piano", "strings"), (58, 82)),
    Style("march", ("organ", "bass", "drums"), (96, 120)),
    Style("night", ("bell", "pad", "bass"), (50, 75)),
    Style("anthem", ("strings", "lead", "drums"), (80, 110)),
)
STYLES: dict[Split, tuple[Style, ...]] = {"train": TRAIN_STYLES, "course": COURSE_STYLES, "test": TEST_STYLES}


def _time(seconds: float) -> np.ndarray:
    return np.arange(samples(seconds)) / RATE_HZ


def _decay(seconds: float, half_s: float) -> np.ndarray:
    time = _time(seconds)
    return np.minimum(1, time / 0.004) * 0.5 ** (time / half_s) * np.minimum(1, (seconds - time) / 0.02)


def _swell(seconds: float, ramp_s: float) -> np.ndarray:
    time = _time(seconds)
    return np.clip(np.minimum(time, seconds - time) / min(ramp_s, seconds / 2), 0, 1)


def _harmonics(hz: float, seconds: float, weights: tuple[float, ...], detune: float = 0.0) -> np.ndarray:
    time = _time(seconds)
    voices = (hz,) if not detune else (hz * (1 - detune), hz, hz * (1 + detune))
    out = np.zeros(len(time))
    for place, weight in enumerate(weights, 1):
        for voice in voices:
            if voice * place < 3800:
                out += weight / len(voices) * np.sin(2 * np.pi * voice * place * time + place)
    return out


def pad(hz: float, seconds: float, rng: np.random.Generator) -> np.ndarray:
    return 0.5 * _harmonics(hz, seconds, (1, 0.5, 0.3, 0.15), 0.004) * _swell(seconds, 0.5) * rng.uniform(0.9, 1)


def organ(hz: float, seconds: float, rng: np.random.Generator) -> np.ndarray:
    tremolo = 1 + 0.15 * np.sin(2 * np.pi * 6.2 * _time(seconds) + rng.uniform(0, 6))
    return 0.4 * _harmonics(hz, seconds, (1, 0.8, 0.1, 0.5, 0, 0.2)) * _swell(seconds, 0.02) * tremolo


def strings(hz: float, seconds: float, rng: np.random.Generator) -> np.ndarray:
    time = _time(seconds)
    phase = 2 * np.pi * hz * time + 0.8 * hz / 440 * np.sin(2 * np.pi * rng.uniform(4.8, 6) * time)
    return 0.35 * sum(np.sin(k * phase) / k for k in range(1, int(3600 / hz) + 1)) * _swell(seconds, 0.18)


def piano(hz: float, seconds: float, rng: np.random.Generator) -> np.ndarray:
    length = max(seconds, 0.9)
    body = _harmonics(hz, length, (1, 0.45, 0.25, 0.12, 0.08), 0.0007) * _decay(length, 0.35 * (440 / hz) ** 0.4)
    return 0.8 * body * rng.uniform(0.7, 1)


def bell(hz: float, seconds: float, rng: np.random.Generator) -> np.ndarray:
    length = max(seconds, 2.0)
    modulation = 2.5 * _decay(length, 0.3) * np.sin(2 * np.pi * hz * 3.5 * _time(length))
    return 0.6 * np.sin(2 * np.pi * hz * _time(length) + modulation) * _decay(length, 0.5) * rng.uniform(0.7, 1)


def box(hz: float, seconds: float, rng: np.random.Generator) -> np.ndarray:
    length = max(seconds, 1.2)
    return 0.6 * _harmonics(hz * 2, length, (1, 0, 0.2, 0.1)) * _decay(length, 0.16) * rng.uniform(0.7, 1)


def pluck(hz: float, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """A plucked string: noise that circulates in a delay line and loses its treble (Karplus and Strong, 1983)."""
    length = max(seconds, 1.2)
    period = max(2, round(RATE_HZ / hz))
    start = np.zeros(samples(length))
    start[:period] = rng.uniform(-1, 1, period)
    feedback = np.zeros(period + 2)
    feedback[0] = 1.0
    feedback[period:] -= 0.4985
    return 0.8 * signal.lfilter([1.0], feedback, start) * np.minimum(1, (length - _time(length)) / 0.05)


def flute(hz: float, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """A tone of few harmonics, and breath around it."""
    length = max(seconds, 0.5)
    breath = signal.lfilter(*signal.butter(1, (hz, min(3 * hz, 3900)), "bandpass", fs=RATE_HZ), _noise(length, rng))
    tremolo = 1 + 0.12 * np.sin(2 * np.pi * rng.uniform(4.5, 6) * _time(length))
    return (0.6 * _harmonics(hz, length, (1, 0.3, 0.1)) * tremolo + 0.15 * breath) * _swell(length, 0.06)


def marimba(hz: float, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """A bar of wood: its second overtone is two octaves up and is soon gone."""
    length = max(seconds, 0.6)
    overtone = 0.4 * np.sin(2 * np.pi * hz * 4 * _time(length)) * _decay(length, 0.03) if hz * 4 < 3800 else 0
    return (0.8 * np.sin(2 * np.pi * hz * _time(length)) * _decay(length, 0.12) + overtone) * rng.uniform(0.7, 1)


def _noise(seconds: float, rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal(samples(seconds))


def square_lead(hz: float, seconds: float, rng: np.random.Generator) -> np.ndarray:
    vibrato = hz * (
        1 + rng.uniform(0.002, 0.008) * np.sin(2 * np.pi * 5.5 * _time(seconds)) * np.minimum(1, _time(seconds) * 3)
    )
    phase = 2 * np.pi * np.cumsum(vibrato) / RATE_HZ
    return 0.3 * (np.sin(phase) + np.sin(3 * phase) / 3 + np.sin(5 * phase) / 5) * _swell(seconds, 0.04)


def low_string(hz: float, seconds: float, rng: np.random.Generator) -> np.ndarray:
    return 0.8 * _harmonics(hz, seconds, (1, 0.6, 0.4, 0.2, 0.1)) * _decay(seconds, rng.uniform(0.3, 0.6))


INSTRUMENTS: dict[str, Callable[[float, float, np.random.Generator], np.ndarray]] = {
    "pad": pad, "organ": organ, "strings": strings, "piano": piano, "bell": bell, "box": box, "pluck": pluck,
    "lead": square_lead, "bass": low_string, "stab": strings, "arpeggio": piano, "flute": flute, "marimba": marimba,
}  # fmt: skip


def _drum(kind: str, rng: np.random.Generator) -> np.ndarray:
    if kind == "kick":
        time = _time(0.25)
        return np.sin(2 * np.pi * (50 * time + 25 * (1 - np.exp(-time * 30)))) * 0.5 ** (time / 0.06)
    seconds, half_s, edge_hz = {"snare": (0.2, 0.05, 900), "hat": (0.08, 0.015, 2800), "brush": (0.18, 0.05, 1800)}[
        kind
    ]
    noise = rng.standard_normal(samples(seconds)) * 0.5 ** (_time(seconds) / half_s)
    sos = signal.butter(2, edge_hz, "highpass", fs=RATE_HZ, output="sos")
    return np.asarray(signal.sosfilt(sos, noise)) * {"snare": 0.5, "hat": 0.25, "brush": 0.2}[kind]


def piece(style: Style, seconds: float, rng: np.random.Generator) -> Sound:
    """Return a piece of music of about that many seconds, whole bars of it."""
    scale = MAJOR if rng.random() < 0.65 else MINOR
    root = 110 * 2 ** (float(rng.integers(-5, 7)) / 12)
    beat_s = 60 / rng.uniform(*style.tempo_bpm)
    verses = [PROGRESSIONS[int(i)] for i in rng.choice(len(PROGRESSIONS), 2, replace=False)]
    bars = max(4, round(seconds / (4 * beat_s)))
    out = np.zeros(samples((bars * 4 + 8) * beat_s))
    swing = rng.uniform(0, 0.15) if "brush" in style.parts else 0.0
    motif = rng.integers(-2, 6, 8)

    def note_hz(degree: int, octave: float) -> float:
        return float(root * 2 ** (octave + degree // 7 + scale[degree % 7] / 12))

    def lay(at_beats: float, sound: np.ndarray, gain: float) -> None:
        start = samples(at_beats * beat_s)
        room = max(0, min(len(sound), len(out) - start))
        out[start : start + room] += gain * sound[:room]

    for bar in range(bars):
        degree = verses[(bar // 8) % 2][bar % 4]
        for part in style.parts:
            _play(part, bar, degree, note_hz, lay, beat_s, swing, motif, rng)
    return levelled(np.asarray(out[: samples(bars * 4 * beat_s)], np.float32))


def _play(
    part: str,
    bar: int,
    degree: int,
    note_hz: Callable[[int, float], float],
    lay: Callable[[float, np.ndarray, float], None],
    beat_s: float,
    swing: float,
    motif: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """One part's notes in one bar."""
    start = bar * 4.0
    chord = (degree, degree + 2, degree + 4)
    if part in ("drums", "brush"):
        for beat in range(4):
            low, high = ("kick", "snare") if part == "drums" else ("brush", "brush")
            lay(start + beat, _drum(low if beat % 2 == 0 else high, rng), 0.9 if part == "drums" else 0.5)
            lay(start + beat + 0.5 + swing, _drum("hat" if part == "drums" else "brush", rng), 0.4)
    elif part == "bass":
        for beat in (0.0, 1.5, 2.0, 3.0):
            if beat == 0 or rng.random() < 0.7:
                lay(start + beat, low_string(note_hz(degree, -0.0), beat_s * 0.9, rng), 0.6)
    elif part in ("pad", "organ", "strings"):
        for tone in chord:
            lay(start, INSTRUMENTS[part](note_hz(tone, 1), 4 * beat_s, rng), 0.35)
    elif part == "stab":
        for beat in (0.5, 1.5, 2.5, 3.5):
            for tone in chord:
                lay(start + beat, strings(note_hz(tone, 1), beat_s * 0.3, rng), 0.3)
    elif part == "lead":
        beat = 0.0
        for step in motif[: 4 + bar % 4]:
            length = 0.5 if rng.random() < 0.5 else 1.0
            if beat < 4:
                lay(start + beat, square_lead(note_hz(degree + int(step), 2), beat_s * length, rng), 0.5)
            beat += length
    else:  # broken chords
        pattern = (0, 2, 4, 7, 4, 2, 4, 2) if part != "piano" else (0, 4, 2, 4, 7, 4, 2, 4)
        for place, tone in enumerate(pattern):
            if rng.random() < (0.95 if part == "arpeggio" else 0.8):
                sound = INSTRUMENTS[part](note_hz(degree + tone, 1), beat_s * 0.5, rng)
                lay(start + place * 0.5 + (swing if place % 2 else 0), sound, 0.5)
