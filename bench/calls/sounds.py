"""Small operations on 8 kHz float32 sound that the whole generator shares."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy import signal

Sound = NDArray[np.float32]

RATE_HZ = 8000
SPEECH_DBFS = -20.0  # active level that every clip and track is brought to before a call sets its own levels


def samples(seconds: float) -> int:
    """Return the whole number of samples nearest to a duration."""
    return round(seconds * RATE_HZ)


def silence(seconds: float) -> Sound:
    """Return digital silence."""
    return np.zeros(samples(seconds), np.float32)


def amplitude(level_db: float) -> np.float32:
    """Return the factor for a level in dB."""
    return np.float32(10 ** (level_db / 20))


def resampled(sound: Sound, rate_hz: float, target_hz: float = RATE_HZ) -> Sound:
    """Return the sound at another rate; ratios that are not small integers are rounded to 1/2000."""
    up, down = round(target_hz), round(rate_hz)
    if up == down:
        return np.ascontiguousarray(sound, np.float32)
    common = np.gcd(up, down)
    up, down = up // common, down // common
    if max(up, down) > 4000:
        up, down = round(2000 * target_hz / rate_hz), 2000
    return np.ascontiguousarray(signal.resample_poly(sound.astype(np.float32), up, down), np.float32)


def read(path: Path, most_s: float = 1e9) -> Sound:
    """Return a file's sound as mono at 8 kHz, at most `most_s` seconds from its start."""
    with soundfile.SoundFile(path) as file:
        frames = min(file.frames if file.frames > 0 else 1 << 31, int(most_s * file.samplerate))
        data = file.read(frames, dtype="float32", always_2d=True)
        return resampled(data.mean(axis=1), file.samplerate)


def write(path: Path, sound: Sound) -> None:
    """Write 8 kHz mono PCM 16."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.clip(sound, -1, 1), RATE_HZ, subtype="PCM_16")


def powers(sound: Sound, frame_samples: int = 160) -> NDArray[np.float64]:
    """Return the mean square of each whole frame."""
    frames = sound[: len(sound) // frame_samples * frame_samples].astype(np.float64).reshape(-1, frame_samples)
    return np.asarray((frames**2).mean(axis=1))


def active_dbfs(sound: Sound) -> float:
    """Return the level of the louder half of a sound's frames: pauses do not lower it."""
    power = np.sort(powers(sound))
    return float(10 * np.log10(power[len(power) // 2 :].mean() + 1e-12)) if len(power) else -120.0


def levelled(sound: Sound, dbfs: float = SPEECH_DBFS) -> Sound:
    """Return the sound brought to an active level; peaks may go past full scale and are clipped by the line."""
    return np.asarray(sound * amplitude(dbfs - active_dbfs(sound)), np.float32)


def faded(sound: Sound, seconds: float = 0.05) -> Sound:
    """Return the sound with a straight fade at both ends."""
    count = min(samples(seconds), len(sound) // 2)
    out = sound.copy()
    if count:
        ramp = np.linspace(0, 1, count, dtype=np.float32)
        out[:count] *= ramp
        out[-count:] *= ramp[::-1]
    return out


def runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return [start, end) of every run of true values."""
    edges = np.flatnonzero(np.diff(np.r_[0, flags.astype(np.int8), 0]))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def voiced_spans(sound: Sound, bridge_s: float = 0.5) -> list[tuple[int, int]]:
    """Return where a clean clip is audible, as sample spans; pauses shorter than `bridge_s` belong to the span.

    The threshold lies 38 dB under the clip's loudest 10 ms, or 8 dB over its own noise where the recording is noisy.
    A click of under 30 ms does not join two words.
    """
    level = 10 * np.log10(powers(sound, 80) + 1e-12)
    if not len(level) or level.max() < -60:
        return []
    threshold = max(level.max() - 38, min(np.percentile(level, 5) + 8, level.max() - 22), -60)
    merged: list[list[int]] = []
    for start, end in runs(level > threshold):
        if end - start < 3:
            continue
        if merged and (start - merged[-1][1]) * 80 < bridge_s * RATE_HZ:
            merged[-1][1] = end
        else:
            merged.append([start, end])
    return [(a * 80, b * 80) for a, b in merged if b - a >= 6]


def trimmed(sound: Sound) -> Sound:
    """Return a clip without the silence around it."""
    spans = voiced_spans(sound)
    return sound[spans[0][0] : spans[-1][1]] if spans else sound[:0]


def looped(sound: Sound, count: int, start: int = 0) -> Sound:
    """Return `count` samples of a sound that repeats for ever, from sample `start` of it."""
    return np.take(sound, np.arange(start, start + count), mode="wrap")


def mixed(parts: list[tuple[int, Sound]], length: int) -> Sound:
    """Return the sum of sounds laid at their start samples, cut at `length`."""
    out = np.zeros(length, np.float32)
    for start, sound in parts:
        end = min(start + len(sound), length)
        if end > start >= 0:
            out[start:end] += sound[: end - start]
    return out
