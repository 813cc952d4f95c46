"""Turns what sounded on a line into a recording: 8 kHz, one channel for each end, as a telephone network leaves it."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from probes.practice.character import Channel
from probes.practice.line import End, Played
from probes.practice.sounds import Clip, Music, Samples, Signal, Sounds
from probes.practice.tones import RATE_HZ

_FRAME = 160  # 20 ms, what one packet carries
_EDGE = 40  # 5 ms: nothing starts or stops with a click


def render(played: Iterable[Played], end: End, length_s: float, sounds: Sounds) -> Samples:
    """Return everything one end put on the line, from the answer on, before the network does anything to it."""
    track = np.zeros(round(length_s * RATE_HZ), np.float32)
    for one in played:
        if one.end is end:
            _add(track, one, sounds, 0)
    return track


def render_part(played: Iterable[Played], end: End, first: int, stop: int, sounds: Sounds) -> Samples:
    """Return the samples from `first` up to `stop`, counted from the answer, of what `render` gives."""
    start_s, end_s = first / RATE_HZ, stop / RATE_HZ
    near = [one for one in played if one.end is end and one.end_s > start_s - 0.01 and one.start_s < end_s]
    track = np.zeros(stop - first, np.float32)
    for one in near:
        _add(track, one, sounds, first)
    return track


def _add(track: Samples, one: Played, sounds: Sounds, first: int) -> None:
    """Add a sound to a track that begins at sample `first` of the call."""
    start, stop = round(one.start_s * RATE_HZ), round(one.end_s * RATE_HZ)
    samples = sounds.samples(one.sound)
    offset = round(one.offset_s * RATE_HZ)
    if not isinstance(one.sound, Music | Signal):
        stop = min(stop, start + len(samples) - offset)
    if stop <= start or not len(samples):
        return
    if isinstance(one.sound, Music):  # music has no edges, so that only what is wanted need be made
        offset, start, stop = offset + max(0, first - start), max(start, first), min(stop, first + len(track))
        if stop <= start:
            return
    piece = _stretch(samples, offset, stop - start) * np.float32(10 ** (one.gain_db / 20))
    edge = min(_EDGE, len(piece) // 2)
    if edge and not isinstance(one.sound, Music | Clip):
        ramp = np.linspace(0.0, 1.0, edge, dtype=np.float32)
        piece[:edge] *= ramp
        piece[-edge:] *= ramp[::-1]
    shown = slice(max(start, first), min(stop, first + len(track)))
    if shown.stop > shown.start:
        track[shown.start - first : shown.stop - first] += piece[shown.start - start : shown.stop - start]


def _stretch(samples: Samples, offset: int, length: int) -> Samples:
    """Return `length` samples from `offset` on, going round as often as it takes."""
    offset %= len(samples)
    if offset + length <= len(samples):
        return samples[offset : offset + length].copy()
    rounds = -(-(offset + length) // len(samples))
    return np.tile(samples, rounds)[offset : offset + length]


def over_network(track: Samples, channel: Channel, seed: int) -> Samples:
    """Return a track after band-pass, gain, line noise and lost packets; noise and losses come from the seed."""
    random = np.random.default_rng(seed)
    out: Samples = track
    if channel.band_pass:
        sos = butter(2, [300, 3400], btype="band", fs=RATE_HZ, output="sos").astype(np.float32)
        out = np.asarray(sosfilt(sos, out), np.float32)
    out = out * np.float32(10 ** (channel.gain_db / 20))
    # Ten seconds of noise are enough: turned round at random they repeat nothing that anybody could find.
    noise = random.standard_normal(10 * RATE_HZ, dtype=np.float32) * np.float32(10 ** (channel.noise_dbfs / 20))
    for start in range(0, len(out), len(noise)):
        part = out[start : start + len(noise)]
        part += np.roll(noise, int(random.integers(len(noise))))[: len(part)] * np.float32(random.choice([-1.0, 1.0]))
    for frame in _lost_frames(len(out) // _FRAME, channel, random):
        out[frame * _FRAME : (frame + 1) * _FRAME] = 0.0
    return out


def burst_frames(channel: Channel) -> float:
    """Return how many packets are lost in a row on average."""
    return max(1.0, channel.burst_s * RATE_HZ / _FRAME)


def _lost_frames(frames: int, channel: Channel, random: np.random.Generator) -> NDArray[np.intp]:
    """Return the frames that get lost, in bursts."""
    if channel.loss_ratio <= 0 or frames == 0:
        return np.zeros(0, np.intp)
    mean = burst_frames(channel)
    starts = np.flatnonzero(random.random(frames) < channel.loss_ratio / mean)
    lengths = random.geometric(1 / mean, len(starts))
    lost = np.concatenate([np.arange(s, s + n) for s, n in zip(starts, lengths, strict=True)] or [starts])
    return np.asarray(lost[lost < frames], np.intp)


@cache
def _mu_law_table() -> NDArray[np.int16]:
    """Return what each 16-bit sample becomes on its way through G.711 mu-law and back (ITU-T G.711)."""
    samples = np.arange(-32768, 32768)
    magnitude = np.minimum(np.abs(samples), 32635) + 132
    exponent = np.floor(np.log2(magnitude)).astype(int) - 7
    mantissa = (magnitude >> (exponent + 3)) & 15
    decoded = (((mantissa << 3) + 132) << exponent) - 132
    return np.asarray(np.sign(samples) * decoded, np.int16)


def coded(track: Samples) -> NDArray[np.int16]:
    """Return 16-bit samples after the telephone's own coding."""
    pcm = np.clip(np.rint(track * 32767.0), -32768, 32767).astype(np.int16)
    return np.asarray(_mu_law_table()[pcm.astype(np.int32) + 32768], np.int16)


@cache
def _mu_law_bytes() -> NDArray[np.uint8]:
    """Return the byte that stands for each 16-bit sample (ITU-T G.711, sign and inverted bits as sent)."""
    samples = np.arange(-32768, 32768)
    magnitude = np.minimum(np.abs(samples), 32635) + 132
    exponent = np.floor(np.log2(magnitude)).astype(int) - 7
    mantissa = (magnitude >> (exponent + 3)) & 15
    sign = np.where(samples < 0, 0x80, 0)
    return np.asarray(~(sign | (exponent << 4) | mantissa) & 0xFF, np.uint8)


def mu_law(track: Samples) -> bytes:
    """Return a track as mu-law bytes, one a sample."""
    pcm = np.clip(np.rint(track * 32767.0), -32768, 32767).astype(np.int32)
    return bytes(_mu_law_bytes()[pcm + 32768].tobytes())


def from_mu_law(data: bytes) -> Samples:
    """Return the samples that mu-law bytes stand for."""
    codes = ~np.frombuffer(data, np.uint8) & 0xFF
    exponent, mantissa = (codes >> 4) & 7, codes & 15
    magnitude = (((mantissa.astype(np.int32) << 3) + 132) << exponent) - 132
    return np.asarray(np.where(codes & 0x80, -magnitude, magnitude) / 32767.0, np.float32)


def wav(channels: Iterable[NDArray[np.int16]]) -> bytes:
    """Return a WAV file, PCM 16 bit, 8 kHz, with these channels."""
    out = io.BytesIO()
    soundfile.write(out, np.column_stack(list(channels)), RATE_HZ, format="WAV", subtype="PCM_16")
    return out.getvalue()


def without_silence(tracks: Sequence[NDArray[np.int16]]) -> list[NDArray[np.int16]]:
    """Return the tracks without the silence before the first and after the last sound on any of them."""
    loud = np.flatnonzero(np.max([np.abs(track.astype(np.int32)) for track in tracks], axis=0) > 200)
    if not len(loud):
        return [track[:0] for track in tracks]
    return [track[loud[0] : loud[-1] + 1] for track in tracks]
