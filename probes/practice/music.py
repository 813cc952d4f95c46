"""Hold music, composed here: short pieces that loop without a seam, at 8 kHz.

Notes are drawn from a seed, with uneven timing and force as of a player, so that no bar comes back exactly before the
whole piece does: the period of the loop is the piece's length and nothing shorter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, lfilter, sosfilt

from probes.practice.tones import RATE_HZ

EDITION = 1  # raise when a piece sounds different than before: it is part of the cached file's name
LEVEL_DBFS = -20.0

Samples = NDArray[np.float64]
Instrument = Callable[[float, float, np.random.Generator], Samples]


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece: `chords` as semitones above `root_midi`, one per bar, played over `rounds` times with other melodies."""

    seed: int
    beats_per_minute: float
    chords: tuple[tuple[int, ...], ...]
    root_midi: int
    lead: str
    backing: str
    rounds: int = 1
    beats: int = 4
    drums: bool = False
    density: float = 0.6


_MAJOR, _MINOR, _SEVENTH = (0, 4, 7), (0, 3, 7), (0, 4, 7, 10)


def _on(step: int, chord: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(step + tone for tone in chord)


_POP = (_on(0, _MAJOR), _on(7, _MAJOR), _on(9, _MINOR), _on(5, _MAJOR))
_WALTZ = (
    _on(0, _MAJOR),
    _on(0, _MAJOR),
    _on(7, _SEVENTH),
    _on(0, _MAJOR),
    _on(5, _MAJOR),
    _on(0, _MAJOR),
    _on(7, _SEVENTH),
)
_LOUNGE = (_on(2, (0, 3, 7, 10)), _on(7, _SEVENTH), _on(0, (0, 4, 7, 11)), _on(9, _SEVENTH))
_DRONE = (_on(0, _MINOR), _on(-4, _MAJOR), _on(3, _MAJOR), _on(-2, _MAJOR))

PIECES = {
    "harbour": Piece(11, 104.0, _POP, 60, "pluck", "pad", rounds=3, drums=True),
    "waltz": Piece(23, 138.0, _WALTZ, 65, "bell", "pluck", rounds=2, beats=3, density=0.8),
    "lounge": Piece(37, 92.0, _LOUNGE, 57, "electric", "electric", rounds=4, drums=True, density=0.5),
    "still": Piece(41, 66.0, _DRONE, 57, "electric", "pad", rounds=3, density=0.3),
    "march": Piece(59, 120.0, _POP, 67, "reed", "pluck", rounds=2, drums=True, density=0.9),
    "rain": Piece(73, 80.0, _LOUNGE, 62, "pluck", "pluck", rounds=2, density=0.45),
}


def compose(name: str) -> NDArray[np.float32]:
    """Return one period of a piece at the common level; played round and round it has no seam."""
    piece = PIECES[name]
    random = np.random.default_rng(piece.seed)
    beat_s = 60.0 / piece.beats_per_minute
    bars = len(piece.chords) * piece.rounds
    loop = np.zeros(round(bars * piece.beats * beat_s * RATE_HZ))
    for bar in range(bars):
        chord, bar_s = piece.chords[bar % len(piece.chords)], bar * piece.beats * beat_s
        _accompany(loop, piece, chord, bar_s, beat_s, random)
        _melody(loop, piece, chord, bar_s, beat_s, random)
        if piece.drums:
            _drums(loop, piece, bar_s, beat_s, random)
    rms = float(np.sqrt(np.mean(np.square(loop))))
    return np.clip(loop * (10 ** (LEVEL_DBFS / 20) / rms), -1.0, 1.0).astype(np.float32)


def _add(loop: Samples, note: Samples, at_s: float, force: float) -> None:
    """Add a note; what rings over the end rings on at the beginning."""
    np.add.at(loop, (round(at_s * RATE_HZ) + np.arange(len(note))) % len(loop), note * force)


def _hz(midi: float) -> float:
    return float(440.0 * 2 ** ((midi - 69) / 12))


def _accompany(
    loop: Samples, piece: Piece, chord: tuple[int, ...], bar_s: float, beat_s: float, random: np.random.Generator
) -> None:
    play, length_s = _INSTRUMENTS[piece.backing], beat_s * piece.beats
    for beat, tone in ((0, chord[0]), (piece.beats // 2 + 1, int(random.choice(chord)))):
        note = _bass(_hz(piece.root_midi - 24 + tone), beat_s * random.uniform(0.8, 1.4), random)
        _add(loop, note, bar_s + beat * beat_s + random.normal(0.0, 0.01), random.uniform(0.25, 0.5))
    if piece.backing == "pad":
        for tone in chord:
            _add(loop, play(_hz(piece.root_midi - 12 + tone), length_s * 1.1, random), bar_s, random.uniform(0.2, 0.26))
        return
    for beat in range(1, piece.beats):
        for tone in chord:
            late_s = random.normal(0.0, 0.008)
            note = play(_hz(piece.root_midi - 12 + tone), beat_s * 0.9, random)
            _add(loop, note, bar_s + beat * beat_s + late_s, random.uniform(0.2, 0.32))


def _melody(
    loop: Samples, piece: Piece, chord: tuple[int, ...], bar_s: float, beat_s: float, random: np.random.Generator
) -> None:
    play, halves = _INSTRUMENTS[piece.lead], piece.beats * 2
    for half in range(halves):
        if random.random() > piece.density * (1.0 if half % 2 == 0 else 0.6):
            continue
        tone = int(random.choice([*chord, *chord, chord[0] + 2, chord[-1] + 2])) + 12 * int(random.random() < 0.3)
        length_s = beat_s * float(random.choice([0.5, 1.0, 1.5]))
        note = play(_hz(piece.root_midi + tone), length_s, random)
        _add(loop, note, bar_s + half * beat_s / 2 + random.normal(0.0, 0.01), random.uniform(0.45, 0.75))


def _drums(loop: Samples, piece: Piece, bar_s: float, beat_s: float, random: np.random.Generator) -> None:
    for beat in range(piece.beats):
        kind = _kick(random) if beat % 2 == 0 else _brush(random, 0.12)
        _add(loop, kind, bar_s + beat * beat_s, random.uniform(0.35, 0.5))
        for half in (0.0, 0.5):
            _add(loop, _brush(random, 0.04), bar_s + (beat + half) * beat_s + random.normal(0.0, 0.004), 0.12)


def _envelope(length_s: float, attack_s: float, fall_s: float) -> tuple[Samples, Samples]:
    """Return the times of a note with its tail, and its envelope: a linear attack, an exponential fall, a soft end."""
    t_s = np.arange(round((length_s + 0.15) * RATE_HZ)) / RATE_HZ
    shape = np.minimum(1.0, t_s / attack_s) * np.exp(-t_s / fall_s)
    return t_s, shape * np.clip((length_s + 0.15 - t_s) / 0.15, 0.0, 1.0)


def _pluck(hz: float, length_s: float, random: np.random.Generator) -> Samples:
    """A plucked string: noise in a loop of one period that loses its highs (Karplus and Strong, 1983)."""
    period = max(2, round(RATE_HZ / hz - 0.5))
    burst = np.zeros(round((length_s + 0.4) * RATE_HZ))
    burst[:period] = random.uniform(-1.0, 1.0, period)
    feedback = np.zeros(period + 2)
    feedback[0], feedback[period], feedback[period + 1] = 1.0, -0.497, -0.497
    note: Samples = lfilter([1.0], feedback, burst)
    return note * np.linspace(1.0, 0.0, len(note))


def _electric(hz: float, length_s: float, random: np.random.Generator) -> Samples:
    """An electric piano: one sine turning another, ever less."""
    t_s, shape = _envelope(length_s, 0.006, 0.9)
    turn = 1.6 * np.exp(-t_s / 0.25) * np.sin(2 * np.pi * hz * (1 + random.normal(0, 0.0005)) * t_s)
    return np.asarray(shape * np.sin(2 * np.pi * hz * t_s + turn))


def _bell(hz: float, length_s: float, random: np.random.Generator) -> Samples:
    t_s, shape = _envelope(length_s, 0.003, 0.6)
    turn = 2.0 * np.exp(-t_s / 0.3) * np.sin(2 * np.pi * hz * 3.5 * t_s + random.uniform(0, 6))
    return np.asarray(shape * np.sin(2 * np.pi * hz * t_s + turn))


def _reed(hz: float, length_s: float, random: np.random.Generator) -> Samples:
    t_s, shape = _envelope(length_s, 0.04, 3.0)
    sway = 0.003 * np.sin(2 * np.pi * random.uniform(4.5, 6.0) * t_s) / (2 * np.pi)
    parts = [np.sin(2 * np.pi * hz * n * (t_s + sway)) / n for n in (1, 3, 5) if hz * n < 3600]
    return np.asarray(shape * np.sum(parts, axis=0))


def _pad(hz: float, length_s: float, random: np.random.Generator) -> Samples:
    t_s, shape = _envelope(length_s, 0.35, 8.0)
    voices = [((hz * (1 + off) * t_s + random.random()) % 1.0) * 2 - 1 for off in (-0.004, 0.0, 0.0035)]
    soft = np.asarray(sosfilt(butter(2, 1400, fs=RATE_HZ, output="sos"), np.sum(voices, axis=0)))
    return np.asarray(shape * soft * 0.5)


def _bass(hz: float, length_s: float, random: np.random.Generator) -> Samples:
    t_s, shape = _envelope(length_s, 0.01, 0.7)
    parts = [np.sin(2 * np.pi * hz * n * t_s + random.random()) * 0.7**n for n in range(1, 7)]
    return np.asarray(shape * np.sum(parts, axis=0))


def _kick(random: np.random.Generator) -> Samples:
    t_s, shape = _envelope(0.1, 0.002, 0.06)
    return np.asarray(
        shape * (np.sin(2 * np.pi * (60 * t_s + 4 * (1 - np.exp(-t_s / 0.02)))) + 0.1 * random.normal(size=len(t_s)))
    )


def _brush(random: np.random.Generator, fall_s: float) -> Samples:
    t_s, shape = _envelope(fall_s, 0.001, fall_s / 2)
    return np.asarray(shape * np.diff(random.normal(size=len(t_s) + 1)) * 0.5)


_INSTRUMENTS: dict[str, Instrument] = {
    "pluck": _pluck,
    "electric": _electric,
    "bell": _bell,
    "reed": _reed,
    "pad": _pad,
}
