"""What our own acts did in a recording: which channel is whose, when we pressed and spoke, when our script ended.

Nothing here is taken from the order of channels that a provider documents; it is heard. Identification digits are
silenced in the recording before it is kept.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from probes.telephony.keys import Key, find_keys
from probes.telephony.own_recording import VENDOR_CHANNEL
from probes.telephony.script import Planned

_FRAME_S = 0.02
_SOUND_DBFS = -50.0
_LONGEST_GAP_S = 1.2  # within one spoken line
_CLEARLY_MORE = 1.5
_MASK_MARGIN_S = 0.06
_EARLY_S = 1.0  # how much earlier than planned our own sound may come

_SOUNDS_WITHIN_S = 6.0  # how long after it was sent a key or line may sound
_ZEROS_DIFFER_S = 1.5  # between a call's live audio and its recording

_BLOCK_S = 60.0

# 16 bits a sample throughout: four hours in two channels are half a gigabyte, and twice that as floats.
Samples = NDArray[np.int16]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Placed:
    """When one of our acts sounded, in seconds of media time."""

    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a recording says about our own side.

    `vendor_channel` is null for one channel, or where it cannot be told. `placed` goes with the planned acts, null
    where an act was not heard (or is silence). `script_end_s` is when our script hung up, had the call lasted; null
    unless every act was heard. `kept` are the bytes to keep, null where identification digits may be in them that could
    not be found; `masked` says that they differ from what came.
    """

    rate_hz: int
    channels: int
    duration_s: float
    vendor_channel: int | None
    placed: tuple[Placed | None, ...]
    script_end_s: float | None
    kept: bytes | None
    masked: bool
    why: tuple[str, ...]


def hear(
    recording: bytes, planned: tuple[Planned, ...], done_at_s: tuple[float, ...] | None = None
) -> tuple[Heard, Samples]:
    """Return what a recording says about our own side, and its samples, shape (n, channels), digits silenced.

    `done_at_s` is about when each act was done, where a live call's script reacted; else they follow each other.

    Raises:
        soundfile.LibsndfileError: the bytes are no sound.
    """
    samples, rate_hz = _read(recording)
    channels = samples.shape[1]
    keys = [find_keys(samples[:, channel], rate_hz) for channel in range(channels)]
    fits = [_fits(keys[channel], planned) for channel in range(channels)]
    active = [_active(samples[:, channel], rate_hz) for channel in range(channels)]
    ours, why = _our_channel(fits, active, planned)
    placed: tuple[Placed | None, ...] = (None,) * len(planned)
    if ours is not None:
        heard_keys = keys[ours] if fits[ours] else ()
        placed = _place(planned, heard_keys, active[ours] if channels > 1 else None, done_at_s)
    masks = _masks(planned, placed, keys)
    kept: bytes | None = _silenced(samples, rate_hz, masks) if masks else recording
    if channels == 1 and any(act.is_secret for act in planned) and fits[0] < sum(act.key_count for act in planned):
        kept = None  # the vendor may have talked over our keys: they are in the mix all the same
    heard = Heard(
        rate_hz=rate_hz,
        channels=channels,
        duration_s=len(samples) / rate_hz,
        vendor_channel=None if ours is None or channels != 2 else 1 - ours,
        placed=placed,
        script_end_s=_script_end_s(planned, placed),
        kept=kept,
        masked=bool(masks),
        why=why,
    )
    return heard, samples


def hear_own(recording: bytes, done: tuple[Planned, ...], done_at_s: tuple[float, ...]) -> tuple[Heard, Samples]:
    """Return a recording of our own, whose sides are known, with every key silenced that may be of an identification.

    Keys of a menu are those that are heard about when we pressed them.
    """
    samples, rate_hz = _read(recording)
    keys = [find_keys(samples[:, channel], rate_hz) for channel in range(2)]
    ours = 1 - VENDOR_CHANNEL
    known = _open_keys(keys[ours], done, done_at_s)
    masks = [
        (channel, Placed(key.start_s - _MASK_MARGIN_S, key.end_s + _MASK_MARGIN_S))
        for channel, found in enumerate(keys if any(act.is_secret for act in done) else [])
        for key in found
        if not any(one.start_s - 0.05 <= key.start_s <= one.end_s + 0.05 for one in known)
    ]
    heard = Heard(
        rate_hz=rate_hz,
        channels=2,
        duration_s=len(samples) / rate_hz,
        vendor_channel=VENDOR_CHANNEL,
        placed=(None,) * len(done),
        script_end_s=None,
        kept=_silenced(samples, rate_hz, masks) if masks else recording,
        masked=bool(masks),
        why=(),
    )
    return heard, samples


def _open_keys(keys: tuple[Key, ...], done: tuple[Planned, ...], done_at_s: tuple[float, ...]) -> list[Key]:
    wanted = [
        (key, at_s)
        for act, at_s in zip(done, done_at_s, strict=True)
        if not act.is_secret
        for key in act.keys or ""
        if key not in "wW"
    ]
    found: list[Key] = []
    for key in keys:
        if wanted and key.key == wanted[0][0] and -1.0 < key.start_s - wanted[0][1] < _SOUNDS_WITHIN_S:
            found.append(key)
            wanted.pop(0)
    return found


def sides(heard: Heard, samples: Samples) -> tuple[Iterator[Floats], Iterator[Floats] | None]:
    """Return the vendor's side and ours, a minute at a time; where they cannot be told apart, all together and nothing.

    Returns:
        Blocks of float32, shape (n,), -1..1.
    """
    if heard.vendor_channel is None:
        return _blocks(samples, heard.rate_hz), None
    vendor, ours = heard.vendor_channel, 1 - heard.vendor_channel
    return (
        _blocks(samples[:, vendor : vendor + 1], heard.rate_hz),
        _blocks(samples[:, ours : ours + 1], heard.rate_hz),
    )


def _blocks(samples: Samples, rate_hz: int) -> Iterator[Floats]:
    size = int(_BLOCK_S * rate_hz)
    for begin in range(0, len(samples), size):
        yield (samples[begin : begin + size].mean(axis=1, dtype=np.float64) / 32768.0).astype(np.float32)


def _read(recording: bytes) -> tuple[Samples, int]:
    with sf.SoundFile(io.BytesIO(recording)) as file:
        if file.subtype in ("FLOAT", "DOUBLE") or file.format == "MP3":
            floats = file.read(dtype="float32", always_2d=True)
            return np.asarray(np.clip(np.round(floats * 32768.0), -32768, 32767), np.int16), file.samplerate
        return file.read(dtype="int16", always_2d=True), file.samplerate


def _fits(keys: tuple[Key, ...], planned: tuple[Planned, ...]) -> int:
    """Return how many keys were heard if they are the first ones of the script, else 0."""
    wanted: list[str | None] = []
    for act in planned:
        wanted += [None] * act.key_count if act.is_secret else [key for key in act.keys or "" if key not in "wW"]
    if not keys or len(keys) > len(wanted):
        return 0
    same = all(want is None or want == key.key for want, key in zip(wanted, keys, strict=False))
    return len(keys) if same else 0


def _active(channel: Samples, rate_hz: int) -> NDArray[np.bool_]:
    """Return for each 20 ms whether there is sound."""
    width = int(_FRAME_S * rate_hz)
    size = width * int(_BLOCK_S / _FRAME_S)
    powers = [np.zeros(0)]
    for begin in range(0, len(channel), size):
        block = channel[begin : begin + size]
        frames = block[: len(block) // width * width].reshape(-1, width)
        powers.append(np.mean((frames / 32768.0) ** 2, axis=1))
    return np.asarray(np.concatenate(powers) > 10 ** (_SOUND_DBFS / 10))


def _our_channel(
    fits: list[int], active: list[NDArray[np.bool_]], planned: tuple[Planned, ...]
) -> tuple[int | None, tuple[str, ...]]:
    if len(fits) == 1:
        return 0, ("one channel holds both sides",)
    if len(fits) != 2:
        return None, (f"a recording of {len(fits)} channels is not understood",)
    if fits[0] != fits[1]:
        ours = 0 if fits[0] > fits[1] else 1
        return ours, (f"our keys are heard in channel {ours}",)
    sound_s = [float(one.sum()) * _FRAME_S for one in active]
    if max(sound_s) < 0.1:
        return None, ("both channels are silent, so the sides cannot be told apart",)
    ours = 0 if sound_s[0] < sound_s[1] else 1
    if sound_s[1 - ours] < _CLEARLY_MORE * sound_s[ours]:
        return None, ("both channels hold about as much sound, so the sides cannot be told apart",)
    said = any(act.text for act in planned)
    return ours, (f"channel {ours} holds {'little but our lines' if said else 'next to nothing'}, so it is ours",)


def _place(
    planned: tuple[Planned, ...],
    keys: tuple[Key, ...],
    active: NDArray[np.bool_] | None,
    done_at_s: tuple[float, ...] | None,
) -> tuple[Placed | None, ...]:
    """Walk through the script and the sounds of our channel side by side; stop at the first act not heard."""
    spans = _spans(active, keys) if active is not None else []
    placed: list[Placed | None] = []
    at_s, next_key, lost = 0.0, 0, False
    for index, act in enumerate(planned):
        found: Placed | None = None
        if act.key_count and next_key + act.key_count <= len(keys):
            mine = keys[next_key : next_key + act.key_count]
            next_key += act.key_count
            found, lost = Placed(mine[0].start_s, mine[-1].end_s), False
        elif act.key_count:
            next_key, lost = len(keys), True
        elif act.text is not None and done_at_s is not None:
            from_s = max(at_s, done_at_s[index] - _ZEROS_DIFFER_S)
            found = _line(spans, from_s, 0.0, math.inf)
        elif act.text is not None and not lost:
            found = _line(spans, at_s - _EARLY_S, *_after(planned, index, keys, next_key))
            lost = found is None
        placed.append(found)
        at_s = found.end_s if found else at_s + act.silence_s
    return tuple(placed)


def _after(planned: tuple[Planned, ...], index: int, keys: tuple[Key, ...], next_key: int) -> tuple[float, float]:
    """Return the silence planned after a line, and the moment by which it has ended."""
    silence_s = 0.0
    for act in planned[index + 1 :]:
        if act.silence_s:
            silence_s += act.silence_s
            continue
        return silence_s, keys[next_key].start_s if act.key_count and next_key < len(keys) else math.inf
    return silence_s or math.inf, math.inf


def _line(spans: list[Placed], from_s: float, silence_s: float, until_s: float) -> Placed | None:
    longest_gap_s = min(_LONGEST_GAP_S, 0.8 * silence_s) if silence_s else _LONGEST_GAP_S
    line: Placed | None = None
    for span in spans:
        if span.start_s < from_s or span.start_s >= until_s:
            continue
        if line is None:
            line = span
        elif span.start_s - line.end_s <= longest_gap_s:
            line = replace(line, end_s=span.end_s)
        else:
            break
    return line


def _spans(active: NDArray[np.bool_], keys: tuple[Key, ...]) -> list[Placed]:
    """Return the stretches of sound that are no keys."""
    sound = active.copy()
    for key in keys:
        sound[max(0, int(key.start_s / _FRAME_S) - 1) : int(key.end_s / _FRAME_S) + 2] = False
    edges = np.flatnonzero(np.diff(np.concatenate([[False], sound, [False]]).astype(np.int8)))
    return [Placed(float(a) * _FRAME_S, float(b) * _FRAME_S) for a, b in edges.reshape(-1, 2)]


def _script_end_s(planned: tuple[Planned, ...], placed: tuple[Placed | None, ...]) -> float | None:
    at_s = 0.0
    for act, found in zip(planned, placed, strict=True):
        if act.silence_s:
            at_s += act.silence_s
        elif found is None:
            return None
        else:
            at_s = found.end_s
    return at_s


def _masks(
    planned: tuple[Planned, ...], placed: tuple[Placed | None, ...], keys: list[tuple[Key, ...]]
) -> list[tuple[int, Placed]]:
    """Return which stretch of which channel must not be kept: every key that is, or may be, of an identification."""
    if not any(act.is_secret for act in planned):
        return []
    known = [found for act, found in zip(planned, placed, strict=True) if act.key_count and not act.is_secret and found]
    masks = []
    for channel, found in enumerate(keys):
        for key in found:
            if any(one.start_s - 0.05 <= key.start_s <= one.end_s + 0.05 for one in known):
                continue
            masks.append((channel, Placed(key.start_s - _MASK_MARGIN_S, key.end_s + _MASK_MARGIN_S)))
    return masks


def _silenced(samples: Samples, rate_hz: int, masks: list[tuple[int, Placed]]) -> bytes:
    for channel, mask in masks:
        samples[max(0, int(mask.start_s * rate_hz)) : math.ceil(mask.end_s * rate_hz), channel] = 0
    out = io.BytesIO()
    sf.write(out, samples, rate_hz, format="WAV", subtype="PCM_16")
    return out.getvalue()
