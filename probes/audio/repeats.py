"""Which speech is said again in the same call, word for word in the same voice, and therefore is a recording."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import uniform_filter1d

from probes.audio.frames import FRAME_S, Floats

STEP = 2  # frames: 40 ms
STEP_S = STEP * FRAME_S
_BANDS = slice(2, 22)
_WINDOW_S, _SHORTEST_S = 2.4, 1.2
_CLEAN, _OVER_MUSIC = 0.60, 0.47


@dataclass(frozen=True, slots=True)
class Match:
    """Speech stretch `first` holds the same words as `second`, `shift` steps later."""

    first: int
    second: int
    shift: int
    similarity: float
    start: int
    end: int


def fingerprint(mel_db: Floats | NDArray[np.float16]) -> Floats:
    """Return what is compared: band levels every 40 ms, without what stays the same over a second or so.

    Args:
        mel_db: (n, BANDS) for every 40 ms.
    """
    half = mel_db[:, _BANDS].astype(np.float32)
    half = np.maximum(half, half.max(axis=1, keepdims=True) - 45) if len(half) else half
    half = np.maximum(half, -62)
    half = half - uniform_filter1d(half, 31, axis=0, mode="nearest")
    half = half - 0.5 * half.mean(axis=1, keepdims=True)
    return np.asarray(np.clip(half, -18, 18), dtype=np.float32)


def find_repeats(prints: Floats, speech: list[tuple[int, int, bool]]) -> list[Match]:
    """Compare every speech stretch with all that was said before it.

    Args:
        prints: (n, bands) of the whole call, every 40 ms.
        speech: start, end (in 40 ms steps) and whether music is under it, in order.

    Returns:
        For each stretch that was said before, its best match.
    """
    usable = [(i, a, b, over) for i, (a, b, over) in enumerate(speech) if (b - a) * STEP_S >= _SHORTEST_S]
    if len(usable) < 2:
        return []
    gap = 30
    places, owner, parts, at = [], [], [], 0
    for i, a, b, _ in usable:
        places.append(at)
        parts += [prints[a:b], np.zeros((gap, prints.shape[1]), np.float32)]
        owner.append(np.full(b - a + gap, i, np.int32))
        at += b - a + gap
    said, owners = np.concatenate(parts), np.concatenate(owner)
    size = int(fft.next_fast_len(len(said) + round(_WINDOW_S / STEP_S) + 1, real=True))
    spectrum = fft.rfft(said, size, axis=0)
    energy = np.concatenate([[0.0], np.cumsum((said**2).sum(axis=1), dtype=np.float64)])
    starts = {i: (place, a) for (i, a, _, _), place in zip(usable, places, strict=True)}
    out = []
    for (i, a, b, over), place in zip(usable[1:], places[1:], strict=True):
        match = _best_before(said, spectrum, energy, size, place, b - a, over)
        if match is not None:
            similarity, where, offset, length = match
            j = int(owners[where])
            began, original = starts[j]
            shift = (a + offset) - (original + where - began)
            out.append(Match(j, i, shift, similarity, a + offset, a + offset + length))
    return out


def _best_before(
    said: Floats,
    spectrum: NDArray[np.complexfloating],
    energy: NDArray[np.float64],
    size: int,
    place: int,
    length: int,
    over: bool,
) -> tuple[float, int, int, int] | None:
    """Return similarity, place, offset and length of the best match of a stretch with what was said before `place`."""
    window = round(_WINDOW_S / STEP_S)
    offsets = [0] if length <= window else sorted({0, (length - window) // 2, length - window})
    best: tuple[float, int, int, int] | None = None
    for offset in offsets:
        query = said[place + offset : place + min(length, offset + window)]
        n = len(query)
        product = (spectrum * np.conj(fft.rfft(query, size, axis=0))).sum(axis=1)
        raw = fft.irfft(product, size)[: place - n + 1]
        if len(raw) == 0:
            continue
        own = float((query**2).sum())
        norm = np.sqrt(np.maximum((energy[n : place + 1] - energy[: place - n + 1]), 0.25 * own) * own) + 1e-6
        score = raw / norm
        k = int(score.argmax())
        if best is None or score[k] > best[0]:
            best = (float(score[k]), k, offset, n)
        if best[0] > 0.8:
            break
    if best is None:
        return None
    limit = _OVER_MUSIC if over else _CLEAN
    if best[3] * STEP_S < 2:
        limit += 0.08
    return best if best[0] >= limit else None
