"""The telephone line between the vendor and our recording: drawn for each call, then done to its sound."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from bench.calls import codecs
from bench.calls.sounds import RATE_HZ, Sound, amplitude, looped, powers

FRAME = 160


@dataclass(frozen=True, slots=True)
class Line:
    """What is done to a call's sound, in the order in which it is done."""

    clock_ratio: float = 1.0  # the recording is this much longer than the call was
    band_hz: tuple[float, float] = (300.0, 3400.0)
    gain_db: float = 0.0
    drive_db: float = 0.0  # too loud by so much where it is clipped
    noise: str | None = None  # pink | hum | car | babble | hiss
    noise_dbfs: float = -99.0
    crosstalk_db: float | None = None  # how far under itself the caller is heard in the vendor's channel
    codec: str = "none"  # none | gsm | amr | g729
    amr_mode: int = 7
    loss_ratio: float = 0.0
    loss_frames: float = 3.0  # mean length of a burst
    concealment: str = "zero"  # zero | repeat | wave (pitch-wise repetition); AMR and G.729 hide by themselves
    dtx_dbfs: float | None = None  # below this gate nothing is sent
    dtx_comfort: bool = False  # comfort noise instead of digital zero
    law: str = "mu"


def draw(rng: np.random.Generator, quality: str) -> Line:
    """Return a line of one of the qualities `clean`, `usual`, `bad`."""
    law = "mu" if rng.random() < 0.6 else "a"
    if quality == "clean":
        return Line(gain_db=float(rng.uniform(-9, 3)), law=law)
    if quality == "usual":
        return Line(
            clock_ratio=1.0 if rng.random() < 0.7 else float(1 + rng.uniform(-3e-4, 3e-4)),
            gain_db=float(rng.uniform(-10, 3)),
            noise=str(rng.choice(["pink", "hiss", "hum"])) if rng.random() < 0.7 else None,
            noise_dbfs=float(rng.uniform(-72, -48)),
            crosstalk_db=float(rng.uniform(-50, -30)) if rng.random() < 0.3 else None,
            codec=str(rng.choice(["none", "none", "gsm", "amr", "g729"])),
            amr_mode=int(rng.integers(3, 8)),
            loss_ratio=float(rng.choice([0, 0, 0.005, 0.01, 0.03])),
            concealment=str(rng.choice(["zero", "repeat", "wave"])),
            dtx_dbfs=-52.0 if rng.random() < 0.2 else None,
            dtx_comfort=bool(rng.random() < 0.5),
            law=law,
        )
    low = float(rng.choice([0, 0, 0, -18]))
    return Line(
        clock_ratio=float(rng.choice([1.0, 0.995, 1.005])),
        band_hz=(float(rng.choice([200, 300, 400])), float(rng.choice([2800, 3100, 3400]))),
        gain_db=low + float(rng.uniform(-8, 2)),
        drive_db=float(rng.choice([0, 0, 6, 12])),
        noise=str(rng.choice(["pink", "car", "babble", "hum"])),
        noise_dbfs=low + float(rng.uniform(-60, -36)),
        crosstalk_db=float(rng.uniform(-42, -22)) if rng.random() < 0.4 else None,
        codec=str(rng.choice(["gsm", "amr", "amr", "g729"])),
        amr_mode=int(rng.integers(0, 6)),
        loss_ratio=float(rng.choice([0.01, 0.03, 0.05, 0.08])),
        loss_frames=float(rng.uniform(1.5, 8)),
        concealment=str(rng.choice(["zero", "repeat", "wave"])),
        dtx_dbfs=-50.0 + low if rng.random() < 0.35 else None,
        dtx_comfort=bool(rng.random() < 0.5),
        law=law,
    )


def _band(line: Line) -> NDArray[np.float64]:
    return np.asarray(signal.butter(4, line.band_hz, "bandpass", fs=RATE_HZ, output="sos"))


def send(
    sound: Sound, caller: Sound, line: Line, rng: np.random.Generator, babble: Sound, cache: Path | None
) -> tuple[Sound, Sound]:
    """Return the vendor's channel as it is recorded, and the sound in it that was the vendor's, after band and gain.

    Args:
        sound: the vendor's side; sample clock is changed by the caller of this function, not here.
        caller: our own side, of the same length; heard in the vendor's channel where the line has crosstalk.
        line: what to do.
        rng: where chance comes from.
        babble: some speech, for a noise of many voices.
        cache: where the codec libraries are; None: only codecs that need none.
    """
    sos = _band(line)
    wanted = np.asarray(signal.sosfiltfilt(sos, sound), np.float32)  # no phase: labels keep their place
    wanted = np.clip(wanted * amplitude(line.gain_db + line.drive_db), -0.98, 0.98) * amplitude(-line.drive_db)
    out = wanted.copy()
    if line.crosstalk_db is not None:
        out += np.asarray(signal.sosfiltfilt(sos, caller), np.float32) * amplitude(line.gain_db + line.crosstalk_db)
    if line.noise:
        noise = signal.sosfilt(sos, background(line.noise, len(out), rng, babble))
        out += np.asarray(noise, np.float32) * amplitude(line.noise_dbfs)
    out = _coded(out, line, lost_frames(len(out), line, rng), cache)
    if line.dtx_dbfs is not None:
        _suppress(out, line, rng)
    return codecs.g711(np.clip(out, -1, 1), line.law), wanted


def background(kind: str, count: int, rng: np.random.Generator, babble: Sound) -> Sound:
    """Return noise of mean square 1."""
    length = min(count, 1 << 18)
    if kind == "hum":
        time = np.arange(length) / RATE_HZ
        base = float(rng.choice([50, 60]))
        wave = sum(np.sin(2 * np.pi * base * k * time + k) / k for k in (2, 3, 5, 6, 7, 9, 11, 13))
        noise = wave + 0.3 * rng.standard_normal(length)
    elif kind == "babble":
        crowd = sum(np.roll(looped(babble, length), int(rng.integers(length))) for _ in range(6))
        noise = np.asarray(crowd, np.float64)
    else:
        slope = {"pink": 0.5, "hiss": 0.0, "car": 1.2}[kind]
        frequency = np.fft.rfftfreq(length)
        frequency[0] = frequency[1]
        spectrum = (rng.standard_normal(len(frequency)) + 1j * rng.standard_normal(len(frequency))) / frequency**slope
        noise = np.fft.irfft(spectrum, length)
        if kind == "car":  # the road is not even
            noise = noise * (1 + 0.5 * np.sin(2 * np.pi * 0.17 * np.arange(length) / RATE_HZ))
    noise = noise / max(float(noise.std()), 1e-9)
    return looped(np.asarray(noise, np.float32), count)


def lost_frames(count: int, line: Line, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return which 20 ms frames are lost: Gilbert's two-state model."""
    frames = count // FRAME + 1
    lost = np.zeros(frames, bool)
    if line.loss_ratio:
        position = 0
        gap = line.loss_frames * (1 - line.loss_ratio) / line.loss_ratio
        while position < frames:
            position += int(rng.exponential(gap)) + 1
            length = int(rng.geometric(1 / line.loss_frames))
            lost[position : position + length] = True
            position += length
    return lost


def _coded(sound: Sound, line: Line, lost: NDArray[np.bool_], cache: Path | None) -> Sound:
    if line.codec == "amr" and cache:
        return codecs.amr(cache, sound, line.amr_mode, lost)
    if line.codec == "g729" and cache:
        return codecs.g729(cache, sound, lost)
    out = codecs.gsm(sound) if line.codec == "gsm" else sound.copy()
    for frame in np.flatnonzero(lost[: len(out) // FRAME]).tolist():
        here = slice(frame * FRAME, frame * FRAME + FRAME)
        if line.concealment == "zero" or frame < 2:
            out[here] = 0
        elif line.concealment == "repeat":
            out[here] = out[here.start - FRAME : here.start] * np.float32(0.6)
        else:
            before = out[here.start - 2 * FRAME : here.start].astype(np.float64)
            match = np.correlate(before, before[-60:], "valid")[:-20]
            period = len(before) - 60 - int(np.argmax(match))
            out[here] = np.resize(before[-period:], FRAME) * np.linspace(0.95, 0.75, FRAME)
    return out


def _suppress(sound: Sound, line: Line, rng: np.random.Generator) -> None:
    loud = powers(sound) > 10 ** ((line.dtx_dbfs or -99) / 10)
    kept = signal.lfilter(np.ones(10), 1, loud.astype(float)) > 0.5  # ten frames of hangover
    comfort = amplitude(line.noise_dbfs if line.noise else -70.0) if line.dtx_comfort else np.float32(0)
    for frame in np.flatnonzero(~kept).tolist():
        sound[frame * FRAME : frame * FRAME + FRAME] = comfort * rng.standard_normal(FRAME).astype(np.float32)


def buried(wanted: Sound, line: Line) -> NDArray[np.bool_]:
    """Return for every 20 ms frame whether the vendor's own sound is under the noise, the gate or -55 dBFS."""
    power = signal.lfilter(np.ones(5) / 5, 1, np.r_[powers(wanted), 0, 0])[2:]
    limit = max(-55.0, line.noise_dbfs + 3 if line.noise else -99.0)
    if line.dtx_dbfs is not None:
        limit = max(limit, line.dtx_dbfs + 1)
    return np.asarray(power < 10 ** (limit / 10))
