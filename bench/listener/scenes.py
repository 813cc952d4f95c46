"""Labelled scenes to train on: what a caller may hear, in any order, through a telephone line.

Targets are per 20 ms: 0 silence, 1 tone, 2 music (sung too), 3 speech (cries, barks, hammering too), 4 speech over
music, -1 do not care, 5 silence or speech.
"""

import io
import itertools
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import soundfile as sf
from numpy.typing import NDArray
from scipy import signal

from bench.calls import line as lines
from bench.listener.drums import beats
from bench.listener.sources import RATE_HZ, Material
from bench.listener.sparse import sparse
from bench.listener.uproar import cries, is_even, knocks, recorded

Floats = NDArray[np.float32]
SILENCE, TONE, MUSIC, SPEECH, OVER, ANY, EITHER = 0, 1, 2, 3, 4, -1, 5
_BAND = signal.butter(4, [300, 3400], "bandpass", fs=RATE_HZ, output="sos")
_WIDE = signal.butter(2, [180, 3700], "bandpass", fs=RATE_HZ, output="sos")
_PLANS = (
    ((440, 480), (2, 4)), ((400, 450), (0.4, 0.2, 0.4, 2)), ((425,), (1, 4)), ((440,), (1.5, 3.5)),
    ((425,), (0.5, 0.5)),
    ((480, 620), (0.5, 0.5)), ((400,), (0.375, 0.375)), ((440,), (0.5, 0.5)), ((480, 620), (0.25, 0.25)),
    ((425,), (0.25, 0.25)), ((400,), (0.4, 0.35, 0.225, 0.525)), ((450,), (0.7, 0.8)), ((400, 425), (1, 4)),
    ((425,), (0.2, 0.2)),
    ((350, 440), (6, 1)), ((425,), (1.25, 3.75)), ((2100,), (3, 1)), ((1100,), (0.5, 3)), ((400, 16.7), (1, 2)),
)  # fmt: skip
_ROWS, _COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477, 1633)


@dataclass
class Scene:
    """Sound being put together, with its targets."""

    parts: list[Floats] = field(default_factory=list)
    targets: list[NDArray[np.int8]] = field(default_factory=list)

    def add(self, sound: Floats, target: NDArray[np.int8]) -> None:
        """Append; the sound is cut to whole 20 ms."""
        n = len(sound) // 160
        self.parts.append(sound[: n * 160])
        self.targets.append(target[:n])

    def plain(self, sound: Floats, target: int) -> None:
        """Append sound of one kind."""
        self.add(sound, np.full(len(sound) // 160, target, np.int8))


def level(x: Floats, dbfs: float) -> Floats:
    """Set the active level."""
    f = x[: len(x) // 160 * 160].reshape(-1, 160)
    e = np.sort((f.astype(np.float64) ** 2).mean(axis=1))
    rms = np.sqrt(e[len(e) // 2 :].mean() + 1e-12)
    return (x * (10 ** (dbfs / 20) / rms)).astype(np.float32)


def spans(x: Floats, gap_s: float = 0.5) -> NDArray[np.bool_]:
    """Say for each 20 ms of a clip whether it is speech; pauses shorter than `gap_s` belong to it."""
    n = len(x) // 160
    e = 10 * np.log10((x[: n * 160].reshape(n, 160).astype(np.float64) ** 2).mean(axis=1) + 1e-10)
    floor = np.percentile(e, 5)
    active = e > max(e.max() - 36, min(floor + 9, e.max() - 20), -60)
    index = np.flatnonzero(active)
    for a, b in itertools.pairwise(index):
        if 1 < b - a < gap_s / 0.02:
            active[a:b] = True
    return active


class Composer:
    """Draws scenes from material."""

    def __init__(
        self, material: Material, sung: list[Floats], rng: np.random.Generator, cache: Path | None = None
    ) -> None:
        """`cache` is where the codec libraries of `bench.calls` are; None: lines without them."""
        self.material, self.sung, self.rng, self.cache = material, sung, rng, cache
        self.tracks, self.groups = sorted(material.music), sorted(material.voices)

    def clip(self, group: str) -> Floats:
        """One spoken clip without its edges."""
        pool = self.material.voices[group]
        x = pool[int(self.rng.integers(len(pool)))].astype(np.float32) / 32768
        x = signal.sosfilt(_WIDE, x).astype(np.float32)
        index = np.flatnonzero(spans(x))
        return x[index[0] * 160 : (index[-1] + 1) * 160] if len(index) else x[:0]

    def voice(self) -> tuple[str, float]:
        """A voice group and how much its pitch is moved."""
        return self.groups[int(self.rng.integers(len(self.groups)))], float(self.rng.uniform(0.88, 1.14))

    def talk(self, length_s: float, pauses: tuple[float, float], who: tuple[str, float] | None = None) -> Floats:
        """Clips of one voice with pauses between them, active level -20 dBFS."""
        group, pitch = who or self.voice()
        if self.rng.random() < 0.3:  # a fast reader, who never stops for breath
            pauses = (0.0, 0.04)
        parts, total = [], 0.0
        while total < length_s:
            x = self.clip(group)
            if abs(pitch - 1) > 0.01 and len(x):
                up, down = 100, round(100 * pitch)
                x = signal.resample_poly(x, up, down).astype(np.float32)
            if len(x) > 1600:
                parts += [level(x, -20), np.zeros(int(self.rng.uniform(*pauses) * RATE_HZ), np.float32)]
            total += (len(x) + 800) / RATE_HZ
        return np.concatenate(parts[:-1]) if parts else np.zeros(1600, np.float32)

    def music(self, length_s: float) -> Floats:
        """An excerpt, active level -20 dBFS."""
        x = self.material.music[self.tracks[int(self.rng.integers(len(self.tracks)))]]
        n = int(length_s * RATE_HZ)
        if len(x) <= n:
            y = np.resize(x, n)
        else:
            o = 0 if self.rng.random() < 0.25 else int(self.rng.integers(len(x) - n))
            y = x[o : o + n]
        y = level(y.astype(np.float32) / 32768, -20)
        if self.rng.random() < 0.15:
            y = y * np.float32(self.rng.integers(2)) + level(beats(self.rng, length_s)[:n], self.rng.uniform(-26, -18))
        if self.rng.random() < 0.15:  # guitars and voices driven until they roar
            y = level(np.tanh(y * np.float32(self.rng.uniform(8, 60))), -20)
        if self.rng.random() < 0.12:  # few notes, alone or over the rest
            few = level(sparse(self.rng, length_s)[:n], -20)
            y = (
                few
                if self.rng.random() < 0.7
                else level(few + y * np.float32(10 ** (self.rng.uniform(-20, -3) / 20)), -20)
            )
        return y * np.float32(10 ** (self.rng.uniform(-3, 3) / 20))

    def singing(self, length_s: float) -> Floats:
        """A sung voice with music under it, or alone."""
        n = int(length_s * RATE_HZ)
        voice = level(np.resize(self.sung[int(self.rng.integers(len(self.sung)))], n), -20)
        if self.rng.random() < 0.12:
            return voice
        return (voice + self.music(length_s)[:n] * np.float32(10 ** (self.rng.uniform(-6, 9) / 20))).astype(np.float32)

    def uproar(self, length_s: float) -> tuple[Floats, NDArray[np.int8]]:
        """Sounds that are neither music nor words, active level -20 dBFS, and their targets."""
        pick = self.rng.random()
        if pick < 0.28:
            x = cries(self.rng, length_s, longest_s=4.0)
        elif pick < 0.38:
            x = knocks(self.rng, length_s)
        else:
            x = recorded(self.material.sounds, self.rng, length_s)
        x = level(signal.sosfilt(_WIDE, x).astype(np.float32), -20).clip(-1, 1)
        if is_even(x):
            return x, np.full(len(x) // 160, EITHER, np.int8)
        return x, np.where(spans(x), SPEECH, SILENCE).astype(np.int8)


def tone(rng: np.random.Generator) -> tuple[Floats, NDArray[np.int8]]:
    """A call progress signal, keyed digits, three rising tones, or a beep."""
    amp = float(rng.uniform(0.03, 0.2))
    pick = rng.random()
    if pick < 0.6:
        hz, cadence = _PLANS[int(rng.integers(len(_PLANS)))]
        bursts = [
            (hz, d) if i % 2 == 0 else (None, d) for _ in range(int(rng.integers(1, 8))) for i, d in enumerate(cadence)
        ]
    elif pick < 0.7:
        bursts = [((f,), float(rng.uniform(0.27, 0.39))) for f in (950 + rng.uniform(-40, 40), 1400, 1776.7)]
    elif pick < 0.85:
        bursts = []
        for _ in range(int(rng.integers(1, 5))):
            bursts += [((_ROWS[int(rng.integers(4))], _COLUMNS[int(rng.integers(4))]), float(rng.uniform(0.06, 0.25)))]
            bursts += [(None, float(rng.uniform(0.06, 0.4)))]
    else:
        bursts = [
            (
                (float(rng.choice([400, 440, 480, 800, 1000, 1400, rng.uniform(350, 2200)])),),
                float(rng.uniform(0.15, 1.0)),
            )
        ]
    if bursts[-1][0] is None:
        bursts = bursts[:-1]
    sound, target = [], []
    for hz, d in bursts:
        n = int(d / 0.02) * 160
        if hz is None:
            sound.append(np.zeros(n))
            target.append(np.full(n // 160, ANY))
            continue
        t = np.arange(n) / RATE_HZ
        y = sum(np.sin(2 * np.pi * f * t + rng.uniform(0, 6)) for f in hz) * amp * 1.4 / len(hz)
        ramp = min(40, n // 2)
        y[:ramp] *= np.linspace(0, 1, ramp)
        y[-ramp:] *= np.linspace(1, 0, ramp)
        sound.append(y)
        target.append(np.full(n // 160, TONE))
    return np.concatenate(sound).astype(np.float32), np.concatenate(target).astype(np.int8)


def scene(c: Composer, length_s: float) -> tuple[Floats, NDArray[np.int8]]:
    """Return one scene as it leaves the line, and its targets."""
    rng, s = c.rng, Scene()
    s.plain(np.zeros(int(rng.choice([1, 2, 15]) * rng.uniform(0.1, 1.5) * RATE_HZ), np.float32), SILENCE)
    agent = c.voice()
    while sum(map(len, s.parts)) < length_s * RATE_HZ:
        pick = rng.random()
        if c.material.sounds and rng.random() < 0.22:
            _amid_uproar(s, c, agent)
        elif pick < 0.18:
            x = c.talk(
                float(rng.choice([rng.uniform(2, 20), rng.uniform(2, 20), rng.uniform(20, 60)])),
                (0.1, float(rng.choice([0.4, 2.5, 6]))),
                agent if rng.random() < 0.5 else None,
            )
            x = x * np.float32(10 ** (rng.uniform(-8, 5) / 20))
            talks = spans(x)
            if rng.random() < 0.25:
                x = reverberant(x, rng)
            s.add(x, np.where(talks, SPEECH, SILENCE).astype(np.int8))
        elif pick < 0.23:
            _with_faint_music(s, c)
        elif pick < 0.36:
            low_db, high_db = (-30, -12) if rng.random() < 0.2 else (-12, 6)
            x = _faded(c.music(float(rng.uniform(5, 50))), rng) * np.float32(10 ** (rng.uniform(low_db, high_db) / 20))
            s.plain(x, MUSIC)
        elif pick < 0.46:
            s.plain(
                _faded(c.singing(float(rng.uniform(6, 30))), rng) * np.float32(10 ** (rng.uniform(-12, 4) / 20)), MUSIC
            )
        elif pick < 0.62:
            _announced(s, c)
        elif pick < 0.70:
            _advert(s, c)
        elif pick < 0.86:
            s.add(*tone(rng))
        else:
            s.plain(_room(rng, float(rng.choice([rng.uniform(0.3, 3), rng.uniform(3, 25)]))), SILENCE)
        if rng.random() < 0.75:
            s.plain(np.zeros(int(rng.exponential(0.8) * RATE_HZ) + 800, np.float32), SILENCE)
    x, target = np.concatenate(s.parts), np.concatenate(s.targets)
    return line(x, target, c, rng)


def _faded(x: Floats, rng: np.random.Generator) -> Floats:
    r = int(rng.choice([80, 400, 4000, 16000, 48000]))
    r = min(r, len(x) // 3)
    x = x.copy()
    x[:r] *= np.linspace(0, 1, r, dtype=np.float32)
    x[-r:] *= np.linspace(1, 0, r, dtype=np.float32)
    return x


def _room(rng: np.random.Generator, length_s: float) -> Floats:
    """Nothing, with now and then a click, a breath or a rustle."""
    x = np.zeros(int(length_s * RATE_HZ), np.float32)
    for _ in range(rng.poisson(length_s * 0.3)):
        n = int(rng.choice([40, 200, 1200]))
        o = int(rng.integers(max(1, len(x) - n)))
        burst = rng.standard_normal(n) * np.hanning(n) * 10 ** (rng.uniform(-65, -38) / 20)
        x[o : o + n] += burst[: len(x) - o].astype(np.float32)
    return x


def _announced(s: Scene, c: Composer) -> None:
    """Music, sometimes sung, with speech over it: ducked announcements, adverts, a presenter, or music that pauses."""
    rng = c.rng
    bed = c.singing if rng.random() < 0.2 else c.music
    who = c.voice()
    duck_db = float(rng.uniform(-22, -2)) if rng.random() < 0.8 else -200.0
    for _ in range(int(rng.integers(1, 5))):
        before = bed(float(rng.uniform(2, 18)))
        s.plain(before, MUSIC)
        x = c.talk(float(rng.uniform(2, 9)), (0.1, float(rng.choice([0.35, 0.9]))), who) * np.float32(
            10 ** (rng.uniform(-4, 5) / 20)
        )
        under = bed(len(x) / RATE_HZ + 0.02)[: len(x)] * np.float32(10 ** (duck_db / 20))
        talks = spans(x)
        if duck_db < -100:
            s.add(x, np.where(talks, SPEECH, SILENCE).astype(np.int8))
        else:
            s.add((x[: len(under)] + under).astype(np.float32), np.where(talks, OVER, MUSIC).astype(np.int8))
    s.plain(bed(float(rng.uniform(2, 15))), MUSIC)


def _advert(s: Scene, c: Composer) -> None:
    """Something said over music of its own that is soft throughout, and is heard alone before and after the words."""
    rng = c.rng
    if rng.random() < 0.5:
        s.plain(c.music(float(rng.uniform(3, 15))), MUSIC)
        s.plain(np.zeros(int(rng.uniform(0, 1) * RATE_HZ), np.float32), SILENCE)
    x = c.talk(float(rng.uniform(3, 15)), (0.1, float(rng.choice([0.35, 0.9, 2.5]))))
    talks = spans(x)
    before, after = int(rng.uniform(0, 4) * 50), int(rng.uniform(0.3, 7) * 50)
    x = np.concatenate([np.zeros(before * 160, np.float32), x[: len(talks) * 160], np.zeros(after * 160, np.float32)])
    talks = np.pad(talks, (before, after))
    bed = c.singing if rng.random() < 0.15 else c.music
    under = _faded(bed(len(x) / RATE_HZ + 0.02)[: len(x)], rng) * np.float32(10 ** (rng.uniform(-24, -6) / 20))
    sound = (x[: len(under)] + under).astype(np.float32) * np.float32(10 ** (rng.uniform(-6, 4) / 20))
    s.add(sound, np.where(talks, OVER, MUSIC).astype(np.int8))
    if rng.random() < 0.5:
        s.plain(np.zeros(int(rng.uniform(0, 1) * RATE_HZ), np.float32), SILENCE)
        s.plain(c.music(float(rng.uniform(3, 15))), MUSIC)


def _with_faint_music(s: Scene, c: Composer) -> None:
    """Somebody talks while music plays softly in the room."""
    rng = c.rng
    x = c.talk(float(rng.uniform(10, 40)), (0.1, float(rng.choice([0.4, 2.5, 6]))))
    bed = c.singing if rng.random() < 0.2 else c.music
    under = bed(len(x) / RATE_HZ + 0.02)[: len(x)] * np.float32(10 ** (rng.uniform(-28, -12) / 20))
    talks = spans(x)
    s.add((x[: len(under)] + under).astype(np.float32), np.where(talks, OVER, MUSIC).astype(np.int8))


def _amid_uproar(s: Scene, c: Composer, agent: tuple[str, float]) -> None:
    """Sounds of somebody's room: between turns, on their own, under a talk, or right after music."""
    rng = c.rng
    gain = np.float32(10 ** (rng.uniform(-8, 5) / 20))

    def talk() -> None:
        x = c.talk(float(rng.uniform(1, 8)), (0.1, float(rng.choice([0.4, 2.5]))), agent) * gain
        s.add(x, np.where(spans(x), SPEECH, SILENCE).astype(np.int8))

    def gap(most_s: float) -> None:
        s.plain(np.zeros(int(rng.uniform(0, most_s) * RATE_HZ), np.float32), SILENCE)

    pick = rng.random()
    if pick < 0.2:
        _under_talk(s, c, agent)
        return
    if pick < 0.35:
        s.plain(c.music(float(rng.uniform(4, 20))), MUSIC)
        gap(0.8)
    elif pick < 0.75:
        talk()
        gap(1.5)
    x, target = c.uproar(float(np.exp(rng.uniform(np.log(0.8), np.log(20)))))
    x = x * gain * np.float32(10 ** (rng.uniform(-6, 4) / 20))
    s.add(reverberant(x, rng) if rng.random() < 0.25 else x, target)
    if rng.random() < 0.6:
        gap(1.5)
        talk()
    elif rng.random() < 0.25:
        gap(0.8)
        s.plain(c.music(float(rng.uniform(4, 20))), MUSIC)


def _under_talk(s: Scene, c: Composer, agent: tuple[str, float]) -> None:
    """Somebody talks in a loud room."""
    rng = c.rng
    x = c.talk(float(rng.uniform(5, 20)), (0.1, float(rng.choice([0.4, 2.5, 6]))), agent)
    under = np.zeros(len(x), np.float32)
    sound, _ = c.uproar(float(rng.uniform(1, len(x) / RATE_HZ)))
    start = int(rng.integers(max(1, len(x) - len(sound))))
    under[start : start + len(sound)] = sound[: len(x) - start]
    heard = (under[: len(x) // 160 * 160].reshape(-1, 160) ** 2).mean(axis=1) > 1e-6
    target = np.where(spans(x), SPEECH, np.where(heard, EITHER, SILENCE)).astype(np.int8)
    s.add((x + under * np.float32(10 ** (rng.uniform(-18, 0) / 20))).astype(np.float32), target)


def reverberant(x: Floats, rng: np.random.Generator) -> Floats:
    """Speak into a hands-free telephone: a room that dies away within 0.15 to 0.6 s."""
    length_s = float(rng.uniform(0.15, 0.6))
    n = int(length_s * RATE_HZ)
    tail = rng.standard_normal(n) * 10 ** (-3 * np.arange(n) / n)
    tail *= float(rng.uniform(0.2, 1.0)) / np.sqrt((tail**2).sum())
    tail[0] = 1.0
    return np.asarray(signal.fftconvolve(x, tail)[: len(x)], np.float32)


def line(x: Floats, target: NDArray[np.int8], c: Composer, rng: np.random.Generator) -> tuple[Floats, NDArray[np.int8]]:
    """Send it through one of two kinds of telephone line."""
    return _benchmark_line(x, target, c, rng) if c.cache and rng.random() < 0.55 else _own_line(x, target, c, rng)


def _benchmark_line(
    x: Floats, target: NDArray[np.int8], c: Composer, rng: np.random.Generator
) -> tuple[Floats, NDArray[np.int8]]:
    """A line of `bench.calls`, with its codecs, noises and a leaking caller; mostly a bad one."""
    drawn = replace(lines.draw(rng, "bad" if rng.random() < 0.6 else "usual"), clock_ratio=1.0)
    caller = np.zeros(len(x), np.float32)
    while rng.random() < 0.9 and drawn.crosstalk_db is not None:
        words = c.talk(float(rng.uniform(1, 6)), (0.1, 0.4))
        start = int(rng.integers(max(1, len(x) - len(words))))
        caller[start : start + len(words)] = words[: len(x) - start]
    out, wanted = lines.send(x, caller, drawn, rng, c.talk(20, (0, 0.3)), c.cache)
    n = len(target)
    buried = lines.buried(wanted, drawn)[:n]
    told = target.copy()
    told[buried & np.isin(told, (MUSIC, SPEECH, OVER))] = ANY
    leaks = (caller[: n * 160].reshape(n, 160) ** 2).mean(axis=1) > 1e-7
    told[leaks & (told == SILENCE)] = ANY
    return out, told


def _own_line(
    x: Floats, target: NDArray[np.int8], c: Composer, rng: np.random.Generator
) -> tuple[Floats, NDArray[np.int8]]:
    """Room, band, codec, level, noise, losses, silence suppression, mu-law."""
    clean = x
    if rng.random() < 0.3:  # a room full of voices, steady or coming and going
        babble = np.zeros(len(x), np.float32)
        for _ in range(4):
            babble += np.roll(np.resize(c.talk(20, (0, 0.3)), len(x)), int(rng.integers(len(x))))
        babble = level(babble, float(rng.uniform(-64, -44)))
        on = np.repeat(rng.random(len(x) // (RATE_HZ * 20) + 1) < 0.6, RATE_HZ * 20)[: len(x)]
        x = x + babble * on
    y = signal.sosfiltfilt(_BAND if rng.random() < 0.7 else _WIDE, x).astype(np.float32)
    if rng.random() < 0.15:
        y = (np.tanh(y * 4) / 4).astype(np.float32)
    if rng.random() < 0.3:
        y = gsm(np.clip(y, -1, 1))
    gain = float(rng.uniform(-18, 8))
    y = y * np.float32(10 ** (gain / 20))
    noise_dbfs = float(rng.uniform(-72, -42)) if rng.random() < 0.65 else -99.0
    if noise_dbfs > -99:
        y = y + noise(len(y), rng) * np.float32(10 ** (noise_dbfs / 20))
    y = losses(y, rng) if rng.random() < 0.45 else y
    y = np.clip(y, -1, 1)
    target = _audible(clean, gain, noise_dbfs, target)
    if rng.random() < 0.2:
        frames = y[: len(y) // 160 * 160].reshape(-1, 160)
        quiet = np.sqrt((frames**2).mean(axis=1)) < 10 ** (rng.uniform(-56, -46) / 20)
        frames[signal.lfilter(np.ones(10), 1, (~quiet).astype(float)) < 0.5] = 0
    return mu_law(y), target


def _audible(x: Floats, gain_db: float, noise_dbfs: float, target: NDArray[np.int8]) -> NDArray[np.int8]:
    """Music and speech that nobody can hear any more are neither right nor wrong."""
    n = len(target)
    e = (
        10 * np.log10(np.convolve((x[: n * 160].reshape(n, 160) ** 2).mean(axis=1), np.ones(5) / 5, "same") + 1e-10)
        + gain_db
    )
    out = target.copy()
    out[(e < max(-54, noise_dbfs + 3)) & (target == MUSIC)] = ANY
    out[(e < noise_dbfs + 6) & (target == SPEECH)] = ANY
    return out


def noise(n: int, rng: np.random.Generator) -> Floats:
    """Pink, white or humming noise, RMS 1 within the band."""
    m = min(n, 1 << 17)
    k = np.fft.rfftfreq(m)
    k[0] = k[1]
    z = np.fft.irfft((rng.standard_normal(len(k)) + 1j * rng.standard_normal(len(k))) / k ** float(rng.uniform(0, 0.7)))
    if rng.random() < 0.25:
        hum = float(rng.choice([50, 60]))
        t = np.arange(len(z)) / RATE_HZ
        z = z / z.std() + sum(np.sin(2 * np.pi * hum * h * t) * rng.uniform(0, 0.8) for h in (2, 3, 5, 7))
    y = signal.sosfilt(_WIDE, np.resize(z, n)).astype(np.float32)
    return y / np.float32(y.std() + 1e-9)


def losses(y: Floats, rng: np.random.Generator) -> Floats:
    """Lose packets in bursts, with or without concealment."""
    y = y.copy()
    frames = y[: len(y) // 160 * 160].reshape(-1, 160)
    p, stay, hide = float(rng.choice([0.005, 0.01, 0.03, 0.05])), float(rng.uniform(0.3, 0.75)), rng.random() < 0.6
    lost = False
    for i, u in enumerate(rng.random(len(frames))):
        lost = u < (stay if lost else p * (1 - stay))
        if lost:
            frames[i] = frames[i - 1] * np.float32(0.6) if hide and i else 0
    return y


def gsm(x: Floats) -> Floats:
    """GSM 06.10 there and back."""
    b = io.BytesIO()
    sf.write(b, x, RATE_HZ, format="WAV", subtype="GSM610")
    b.seek(0)
    y, _ = sf.read(b, dtype="float32")
    return np.asarray(np.pad(y, (0, max(0, len(x) - len(y))))[: len(x)], np.float32)


def mu_law(x: Floats) -> Floats:
    """G.711 mu-law there and back."""
    m = np.clip(np.round(x * 32767.0), -32768, 32767).astype(np.int32) >> 2
    sign = np.where(m < 0, -1, 1)
    m = np.minimum(np.abs(m), 8158) + 33
    e = np.clip(np.floor(np.log2(m)).astype(np.int32) - 5, 0, 7)
    q = (m >> (e + 1)) & 15
    return (sign * ((((q << 3) + 132) << e) - 132) / 32768.0).astype(np.float32)
