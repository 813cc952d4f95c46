"""From the model's odds to stretches of silence, tone, music and speech with exact edges."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from probes.audio.frames import FRAME_S
from probes.audio.net import CLASSES, MUSIC, OVER, SILENCE, SPEECH, TONE
from probes.audio.quantiles import quantile
from probes.audio.spectra import Floats

SHORTEST_PAUSE_S = 0.5  # what is shorter belongs to the speech or music around it
_MEASURED_LONGER_S = 0.1  # a pause as heard here: the soft ends of words are below the level that counts as sound
DROPPED_PAUSE_S = SHORTEST_PAUSE_S + _MEASURED_LONGER_S
_WEIGHT = 0.35  # neighbouring frames say nearly the same, so each counts for this much
_SWITCH = 4.0
_BLOCK = 65536  # frames turned to full precision at once


@dataclass(slots=True)
class Stretch:
    """Frames `start`..`end`-1 of one class of the model."""

    start: int
    end: int
    state: int
    odds: float = 1.0

    @property
    def length_s(self) -> float:
        """Length in seconds."""
        return (self.end - self.start) * FRAME_S

    @property
    def is_speech(self) -> bool:
        """Speech, with or without music under it."""
        return self.state in (SPEECH, OVER)


def stretches(log_odds: NDArray[np.floating], level_dbfs: Floats) -> list[Stretch]:
    """Cut a recording into stretches.

    Args:
        log_odds: (n, CLASSES), log-probability of each class in each 20 ms frame.
        level_dbfs: (n,)
    """
    if len(log_odds) == 0:
        return []
    out = _drop_pauses(merged(_best_path(log_odds)))
    _sharpen(out, level_dbfs)
    out = merged([s for s in out if s.end > s.start])
    for s in out:
        mean: NDArray[np.float64] = np.exp(log_odds[s.start : s.end].astype(np.float64)).sum(axis=0) / (s.end - s.start)
        s.odds = float(mean[s.state] + (mean[SPEECH + OVER - s.state] if s.is_speech else 0))
    return out


def _best_path(log_odds: NDArray[np.floating]) -> list[Stretch]:
    """Viterbi with a fixed price per change, over the runs of frames that have the same best class."""
    best = np.concatenate(
        [log_odds[i : i + _BLOCK].astype(np.float32).argmax(axis=1) for i in range(0, len(log_odds), _BLOCK)]
    ).astype(np.int8)
    starts = np.concatenate([[0], np.flatnonzero(np.diff(best)) + 1])
    sums = np.add.reduceat(log_odds, starts, axis=0, dtype=np.float32) * _WEIGHT
    score = sums[0].astype(np.float64)
    back = np.zeros((len(starts), CLASSES), np.int8)
    own = np.arange(CLASSES)
    for i in range(1, len(starts)):
        top = int(score.argmax())
        change = score[top] - _SWITCH
        stay = score >= change
        back[i] = np.where(stay, own, top)
        score = np.where(stay, score, change) + sums[i]
    path = np.empty(len(starts), np.int8)
    path[-1] = int(score.argmax())
    for i in range(len(starts) - 1, 0, -1):
        path[i - 1] = back[i, path[i]]
    ends = np.concatenate([starts[1:], [len(best)]])
    return [Stretch(int(a), int(b), int(s)) for a, b, s in zip(starts, ends, path, strict=True)]


def merged(parts: list[Stretch]) -> list[Stretch]:
    """Join what follows each other and is of one class."""
    out: list[Stretch] = []
    for part in parts:
        if out and out[-1].state == part.state:
            last = out[-1]
            last.odds = (last.odds * last.length_s + part.odds * part.length_s) / (last.length_s + part.length_s)
            last.end = part.end
        else:
            out.append(part)
    return out


def _drop_pauses(parts: list[Stretch]) -> list[Stretch]:
    """Give short silences to the sound on both sides when it is of one kind."""
    for i in range(1, len(parts) - 1):
        here, left, right = parts[i], parts[i - 1], parts[i + 1]
        if here.state != SILENCE or here.length_s >= DROPPED_PAUSE_S:
            continue
        if left.state == right.state or (left.is_speech and right.is_speech):
            here.state = left.state
    return merged(parts)


def _sharpen(parts: list[Stretch], level_dbfs: Floats) -> None:
    """Move the edges between silence and sound to where the level rises or falls."""
    for left, right in pairwise(parts):
        if (left.state == SILENCE) == (right.state == SILENCE) or TONE in (left.state, right.state):
            continue
        quiet, loud = (left, right) if left.state == SILENCE else (right, left)
        noise = quantile(level_dbfs[quiet.start : quiet.end][-100:], 0.6)
        sound = quantile(level_dbfs[loud.start : loud.end][:150], 0.8)
        limit = max(noise + 5, min(sound - 32, -45), -62)
        if sound - limit < 6:
            continue
        edge = right.start
        a, b = max(left.start + 1, edge - 12), min(right.end - 1, edge + 12)
        if b <= a:
            continue
        above = level_dbfs[a:b] > limit
        if quiet is left:
            hit = np.flatnonzero(above)
            edge = a + int(hit[0]) if len(hit) else edge
        else:
            hit = np.flatnonzero(above)
            edge = a + int(hit[-1]) + 1 if len(hit) else edge
        left.end = right.start = edge


def kinds(parts: list[Stretch], count: int) -> NDArray[np.int8]:
    """Paint stretches into one class per frame."""
    out = np.full(count, SILENCE, np.int8)
    for part in parts:
        out[part.start : part.end] = part.state
    return out


__all__ = ["MUSIC", "OVER", "SHORTEST_PAUSE_S", "SILENCE", "SPEECH", "TONE", "Stretch", "kinds", "stretches"]
