"""Real telephone codecs, there and back: G.711 by table, GSM 06.10 by libsndfile, AMR and G.729 by libraries."""

from __future__ import annotations

import ctypes
import io
from functools import cache as remembered
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from bench.calls import renderers
from bench.calls.sounds import RATE_HZ, Sound

AMR_MODES = 8  # 4.75 to 12.2 kbit/s


@remembered
def _levels(law: str) -> NDArray[np.float32]:
    """Return the 256 values of G.711, sorted, full scale 1.0."""
    segment, step = np.arange(128) >> 4, np.arange(128) & 15
    if law == "mu":
        positive = (((step << 3) + 132) << segment) - 132
    else:
        positive = np.where(segment > 0, ((step << 4) + 264) << np.maximum(segment - 1, 0), (step << 4) + 8)
    return np.unique(np.r_[-positive, positive]).astype(np.float32) / np.float32(32768)


def g711(sound: Sound, law: str) -> Sound:
    """Return a sound after G.711 (`law`: "mu" or "a"): every sample at the nearest of its levels."""
    levels = _levels(law)
    middles = (levels[1:] + levels[:-1]) / 2
    return levels[np.searchsorted(middles, sound)]


def gsm(sound: Sound) -> Sound:
    """Return a sound after GSM 06.10 full rate."""
    held = io.BytesIO()
    soundfile.write(held, np.clip(sound, -1, 1), RATE_HZ, format="WAV", subtype="GSM610")
    held.seek(0)
    out, _ = soundfile.read(held, dtype="float32")
    return np.pad(out, (0, max(0, len(sound) - len(out))))[: len(sound)]


def amr(cache: Path, sound: Sound, mode: int, lost: NDArray[np.bool_], dtx: bool = False) -> Sound:
    """Return a sound after AMR narrow band; frames of 20 ms that are `lost` are hidden by the decoder itself.

    Raises:
        OSError: the codec is not in the cache.
    """
    codec = renderers.library(cache, "libopencore-amrnb")
    for name in ("Encoder_Interface_init", "Decoder_Interface_init"):
        getattr(codec, name).restype = ctypes.c_void_p
    encoder, decoder = (
        ctypes.c_void_p(codec.Encoder_Interface_init(int(dtx))),
        ctypes.c_void_p(codec.Decoder_Interface_init()),
    )
    pcm, out = _frames(sound, 160)
    coded = (ctypes.c_ubyte * 64)()
    for frame, (source, target) in enumerate(zip(pcm, out, strict=True)):
        codec.Encoder_Interface_Encode(encoder, mode, ctypes.c_void_p(source.ctypes.data), coded, 0)
        is_lost = int(frame < len(lost) and lost[frame])
        codec.Decoder_Interface_Decode(decoder, coded, ctypes.c_void_p(target.ctypes.data), is_lost)
    codec.Encoder_Interface_exit(encoder)
    codec.Decoder_Interface_exit(decoder)
    return _joined(out, len(sound), 40)


def g729(cache: Path, sound: Sound, lost: NDArray[np.bool_]) -> Sound:
    """Return a sound after G.729A; 20 ms frames (two of its own) that are `lost` are hidden by the decoder itself.

    Raises:
        OSError: the codec is not in the cache.
    """
    codec = renderers.library(cache, "libbcg729")
    for name in ("initBcg729EncoderChannel", "initBcg729DecoderChannel"):
        getattr(codec, name).restype = ctypes.c_void_p
    encoder = ctypes.c_void_p(codec.initBcg729EncoderChannel(0))
    decoder = ctypes.c_void_p(codec.initBcg729DecoderChannel())
    pcm, out = _frames(sound, 80)
    coded, size = (ctypes.c_ubyte * 16)(), ctypes.c_ubyte()
    for frame, (source, target) in enumerate(zip(pcm, out, strict=True)):
        codec.bcg729Encoder(encoder, ctypes.c_void_p(source.ctypes.data), coded, ctypes.byref(size))
        is_lost = int(frame // 2 < len(lost) and lost[frame // 2])
        codec.bcg729Decoder(decoder, coded, size, is_lost, 0, 0, ctypes.c_void_p(target.ctypes.data))
    codec.closeBcg729EncoderChannel(encoder)
    codec.closeBcg729DecoderChannel(decoder)
    return _joined(out, len(sound), 40)


def _frames(sound: Sound, count: int) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    padded = np.pad(sound, (0, -len(sound) % count))
    pcm = np.ascontiguousarray(np.clip(np.round(padded * 32767), -32768, 32767), np.int16).reshape(-1, count)
    return pcm, np.zeros_like(pcm)


def _joined(frames: NDArray[np.int16], length: int, delay: int) -> Sound:
    """Return decoded frames as sound, the codec's look-ahead taken back so that labels stay in place."""
    sound = frames.reshape(-1).astype(np.float32) / np.float32(32768)
    return np.pad(sound[delay:], (0, delay))[:length]
