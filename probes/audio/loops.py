"""After how many seconds the sound of a hold repeats."""

from dataclasses import dataclass
from enum import Enum, auto

import numpy as np
from numpy.typing import NDArray

from probes.audio.quantiles import median, quantile
from probes.audio.repeats import STEP_S
from probes.audio.spectra import Floats
from probes.audio.tune import HOP, WINDOW, Pairs, Tune, candidates

_NEAR = 12  # steps on both sides in which another lag might fit better
_FEW = 35  # windows
_GAP = round(1.2 / STEP_S)
_LEAST_LIKE, _LEAST_LIKE_ALONE, _LEAST_LIKE_OF_FEW, _LEAST_SHARP = 0.3, 0.46, 0.75, 0.85
_LEAST_LIKE_IF_SHARP, _LEAST_EVEN_IF_SHARP, _ALL_SHARP = 0.52, 0.87, 0.98
_LEAST_MIDDLE, _LEAST_MIDDLE_IF_DIM = 0.55, 0.5
_LEAST_RESTARTED, _LEAST_SHARE_RESTARTED, _LEAST_SHARP_RESTARTED, _LEAST_RESTARTED_IF_SHORT = 0.75, 0.88, 0.7, 0.9
_LEAST_EVEN, _LEAST_EVEN_IF_CLEAN, _LEAST_EVEN_IF_SURE, _LEAST_EVEN_IF_DIM = 0.6, 0.85, 0.5, 0.8
_LEAST_TIMES = 1.59  # how often it must be heard to be called a loop
_MULTIPLES = (2, 3, 4, 5, 7)  # rounds later, at which a loop is still alike and a riff is not
_LEAST_LATER = 0.62
_LEAST_IF_DRIFTING = 0.7
_SHORT_S, _LEAST_EVEN_IF_SHORT, _LEAST_EVEN_IF_SHORT_AND_CLEAN = 16.0, 0.85, 0.93
_LEAST_LIKE_ALONE_AT_ALL, _LEAST_LIKE_IN_THE_MIDDLE, _FEWEST_ALONE = 0.25, 0.4, 15
_CLEARLY_MORE, _LEAST_MIDDLE_IF_SHORT = 1.2, 0.6
_LEAST_SHARE_ALONE, _ASTRAY_S = 0.77, 0.3
_ENOUGH, _LEAST_OF_BEST, _LEAST_OF_ROUNDS = 8, 0.9, 0.82  # windows; shares of what the best fit has
_LEAST_WORST, _LEAST_WORST_OF_BEST = 0.8, 0.5  # share of its middle; of the best fit's worst
_LEAST_LIKE_OF_BREAK, _LEAST_ROUNDS_IF_BROKEN, _LEAST_PART, _LEAST_ROUNDS_AFTER_START = 0.5, 1.2, 0.4, 4.0
_LEAST_WORST_IF_BROKEN = 0.85
_BREAK_ASTRAY, _SHORTEST_PAUSE = round(12 / STEP_S), round(0.4 / STEP_S)


@dataclass(frozen=True, slots=True)
class _Fit:
    """How well the music is like itself one lag later, in stretches of 5 s."""

    lag: float  # steps
    worst: float  # likeness of the worst tenth of the stretches, mean
    low: float  # the best of these
    middle: float
    mean: float
    sharp: float  # share of the stretches in which no lag nearby fits better
    alike: float  # share of the stretches after the first gap that are nearly as alike as the usual one
    windows: int
    compared: float  # share of the time after the first period in which there is music at both places

    @property
    def even(self) -> float:
        """How near its worst stretches come to the usual ones."""
        return self.low / max(self.middle, 1e-6)


def loop_s(prints: Floats, music: NDArray[np.bool_]) -> tuple[float, float] | None:
    """Return the wall-clock period of a hold's music and how well it fits (0..1); None when it does not repeat.

    A bar or a riff repeats too, sometimes sample for sample. The loop is the shortest lag at which nearly ALL of the
    music is like itself, and still is two, three and four rounds later; a riff's lag fails wherever the tune moves on.
    Codecs and losses lower all likeness, so what counts is that it is even and, in each stretch, highest at this lag.

    Args:
        prints: (n, bands) fingerprint of the hold, every 40 ms.
        music: (n,) where music is heard without speech over it.
    """
    tune = Tune(prints, music)
    filled = float(music.mean())
    seen = [
        fit
        for lag, compared in candidates(tune.heard, music)
        if lag * _LEAST_TIMES <= len(prints) and compared > 0.12 and (fit := _fit(tune, lag, compared)) is not None
    ]
    fits = [
        (fit, sign)
        for i, fit in enumerate(seen)
        if not _changes(fit, seen) and not _riff(fit, seen[: i + 1]) and (sign := _sign(fit, tune, filled)) is not None
    ]
    chosen = _chosen(fits, filled) or _alone(seen)
    chosen = _broken_off(seen, tune, chosen) or chosen
    return None if chosen is None else (chosen.lag * STEP_S, min(1.0, chosen.mean))


def _changes(fit: _Fit, seen: list[_Fit]) -> bool:
    """Say whether the music is far more like itself at some other lag than at this one: a loop comes back unchanged.

    More rounds of this lag count for less, and not where fewer of them could be compared, which may be the better ones.
    """
    for f in seen:
        rounds = _is_rounds_of(f, fit)
        least = (_LEAST_OF_ROUNDS if rounds else _LEAST_OF_BEST) * f.middle
        if f.windows >= (fit.windows if rounds else _ENOUGH) and fit.middle < least:
            return True
    return False


def _is_rounds_of(longer: _Fit, fit: _Fit) -> bool:
    rounds = round(longer.lag / fit.lag)
    return rounds >= 1 and abs(longer.lag - rounds * fit.lag) * STEP_S <= _ASTRAY_S


def _sign(fit: _Fit, tune: Tune, filled: float) -> "_Sign | None":
    """Say by what a fit is taken for a loop's; None when it is not."""
    if _restarted(fit, filled):
        return _Sign.RESTARTED
    if fit.sharp < _LEAST_SHARP or fit.low < _LEAST_LIKE:
        return None
    later = _later(fit, tune)
    if later is False or not (later or _good(fit)):
        return None
    return _Sign.CONFIRMED if later else _Sign.ALIKE


def _riff(fit: _Fit, seen: list[_Fit]) -> bool:
    """Say whether a fit as short as a few bars, or many times one, is less even than a loop: bars come back changed."""
    clean = min(1.0, max(0.0, (fit.middle - 0.7) / 0.25))
    even = _LEAST_EVEN_IF_SHORT + (_LEAST_EVEN_IF_SHORT_AND_CLEAN - _LEAST_EVEN_IF_SHORT) * clean
    bars = [f for f in seen if f.lag * STEP_S < _SHORT_S and f.sharp >= _LEAST_SHARP and f.low >= _LEAST_LIKE]
    times = [f for f in bars if abs(fit.lag - round(fit.lag / f.lag) * f.lag) * STEP_S < _ASTRAY_S]
    if all(fit.middle >= _CLEARLY_MORE * f.middle for f in times):
        return False
    return fit.middle < _LEAST_MIDDLE_IF_SHORT or fit.even < even


def _alone(seen: list[_Fit]) -> _Fit | None:
    """Return a fit that is too uneven to be sure of by itself, when all others are its multiples.

    Losses and noise make likeness uneven; a tune that moves on is alike to itself at many lags.
    """
    rivals = [f for f in seen if f.sharp >= _LEAST_SHARP and f.low >= _LEAST_LIKE_ALONE_AT_ALL and f.windows >= 12]
    if not rivals or rivals[0].lag * STEP_S < _SHORT_S:
        return None
    first = rivals[0]
    if any(abs(f.lag - round(f.lag / first.lag) * first.lag) * STEP_S > _ASTRAY_S for f in rivals):
        return None
    sure = first.sharp >= _ALL_SHARP and first.alike >= _LEAST_SHARE_ALONE and first.low >= _LEAST_LIKE
    return first if sure and first.windows >= _FEWEST_ALONE and first.middle >= _LEAST_LIKE_IN_THE_MIDDLE else None


def _broken_off(seen: list[_Fit], tune: Tune, chosen: _Fit | None) -> _Fit | None:
    """Return a fit that is a loop's but for one place, at which the music was broken off and began elsewhere in it.

    On both sides of a pause the music must be alike to what is on its own side; what is before no pause must be short
    beside the loop's many rounds. A section that a tune repeats and then leaves is neither.
    """
    for fit in seen:
        if chosen is not None and fit.lag >= chosen.lag:
            return None
        if fit.lag * STEP_S < _SHORT_S or fit.middle < _LEAST_MIDDLE or _changes(fit, seen):
            continue
        pairs = Pairs.of(tune, int(fit.lag), 2)
        at = None if pairs is None else _break(fit, pairs, tune.music)
        if pairs is None or at is None:
            continue
        apart = tune.broken(at)
        parts = _fit(apart, fit.lag, fit.compared)
        if parts is None or parts.worst < _LEAST_WORST_IF_BROKEN * parts.middle or parts.sharp < _LEAST_SHARP:
            continue
        after = float((pairs.starts >= at).sum()) * HOP / fit.lag  # rounds
        before = parts.windows * HOP / fit.lag - after
        if at < fit.lag:
            enough = chosen is None and after >= _LEAST_ROUNDS_AFTER_START
        else:
            enough = before + after >= _LEAST_ROUNDS_IF_BROKEN and min(before, after) >= _LEAST_PART
        if enough and (_later(parts, apart) or _good(parts)):
            return fit
    return None


def _break(fit: _Fit, pairs: Pairs, music: NDArray[np.bool_]) -> int | None:
    """Return the step at which the longest unlike stretch ends: one at the start, or a round long and at a pause."""
    unlike = np.concatenate([[0], pairs.likeness(fit.lag) < _LEAST_LIKE_OF_BREAK * fit.middle, [0]]).astype(np.int8)
    turns = np.flatnonzero(np.diff(unlike)).reshape(-1, 2)
    if not len(turns):
        return None
    first, last = turns[np.diff(turns, axis=1)[:, 0].argmax()].tolist()
    if last == len(pairs.starts):
        return None
    begin, end = int(pairs.starts[first]), int(pairs.starts[last])
    if first == 0 and end < fit.lag:
        return end
    paused = int((~music[max(0, end - WINDOW) : end + WINDOW]).sum()) >= _SHORTEST_PAUSE
    return end if paused and abs(end - begin - fit.lag - WINDOW) < _BREAK_ASTRAY else None


class _Sign(Enum):
    """What a fit was taken for a loop's by."""

    ALIKE = auto()  # all of the music, one round later
    CONFIRMED = auto()  # and several rounds later
    RESTARTED = auto()  # with the messages, after which it starts anew


def _chosen(fits: list[tuple[_Fit, _Sign]], filled: float) -> _Fit | None:
    """Return the shortest of the fits that is about as good as the best of them."""
    most, lowest, evenest, surest = (
        max((getattr(f, name) for f, _ in fits), default=0.0) for name in ("mean", "low", "even", "worst")
    )
    good, confirmed = [], False
    for fit, sign in fits:
        strong = fit.mean >= 0.8 * most and fit.low >= 0.6 * lowest
        even = fit.even >= 0.88 * evenest and fit.worst >= 0.75 * surest
        if (sign is _Sign.RESTARTED and not _by_chance(fit, fits)) or (
            strong and (even or (sign is _Sign.CONFIRMED and not confirmed))
        ):
            good.append(fit)
        confirmed = confirmed or sign is _Sign.CONFIRMED
    if not good:
        return None
    # where messages interrupt the music and start it anew, the true period brings message onto message as well, and is
    # no multiple of the riff that fits within each part
    riff = good[0]
    for fit in good:
        rounds = round(fit.lag / riff.lag)
        strays = abs(fit.lag - rounds * riff.lag) * STEP_S > 0.1 + 0.008 * rounds  # a lag is a little off each round
        if filled < 0.93 and strays and fit.low >= 0.95 * riff.low and _message_on_message(fit, filled):
            return fit
    return riff


def _by_chance(fit: _Fit, fits: list[tuple[_Fit, _Sign]]) -> bool:
    """Say whether messages come some bars off a round of the loop: then a fit without any unlike stretch is it."""
    others = [f for f, sign in fits if sign is not _Sign.RESTARTED and not _is_rounds_of(f, fit)]
    exact = [f.worst for f in others if f.worst >= _LEAST_WORST * f.middle]
    return any(fit.worst < _LEAST_WORST_OF_BEST * worst for worst in exact)


def _message_on_message(fit: _Fit, filled: float) -> bool:
    """Say whether a lag brings the gaps in the music onto each other."""
    return filled < 0.98 and fit.compared > 0.6 * filled + 0.4 * filled**2


def _restarted(fit: _Fit, filled: float) -> bool:
    """Say whether messages come at this very lag, and after each the music starts anew.

    Only what is before the first message is then unlike.
    """
    if fit.lag * STEP_S < _SHORT_S and fit.middle < _LEAST_RESTARTED_IF_SHORT:
        return False
    aligned = filled < 0.97 and fit.compared > 0.5 * filled + 0.5 * filled**2
    clear = (
        fit.middle >= _LEAST_RESTARTED and fit.alike >= _LEAST_SHARE_RESTARTED and fit.sharp >= _LEAST_SHARP_RESTARTED
    )
    dim = fit.middle >= _LEAST_MIDDLE and fit.alike >= 0.95 and fit.sharp >= 0.9  # through codecs and losses
    return aligned and (clear or dim)


def _good(fit: _Fit) -> bool:
    """Say whether a fit is a loop's when nothing more of the music was heard."""
    if fit.low >= _LEAST_LIKE_IF_SHARP and fit.even >= _LEAST_EVEN_IF_SHARP and fit.sharp >= _ALL_SHARP:
        return True
    dim = fit.windows >= _FEW and fit.middle >= _LEAST_MIDDLE_IF_DIM
    if dim and fit.even >= _LEAST_EVEN_IF_DIM and fit.sharp >= _ALL_SHARP:
        return True
    if fit.low < (_LEAST_LIKE_ALONE if fit.windows >= _FEW else _LEAST_LIKE_OF_FEW):
        return False
    clean = min(1.0, max(0.0, (fit.middle - 0.7) / 0.2))  # on a clean line a loop is exact everywhere
    return fit.even >= _LEAST_EVEN + (_LEAST_EVEN_IF_CLEAN - _LEAST_EVEN) * clean


def _later(fit: _Fit, tune: Tune) -> bool | None:
    """Say whether the music is as alike several rounds later; None when it did not last long enough to tell."""
    compared = 0
    for times in _MULTIPLES:
        pairs = Pairs.of(tune, int(times * fit.lag), 2)
        if pairs is None or len(pairs.starts) < 8:
            break
        likeness = pairs.likeness(times * fit.lag)
        if quantile(likeness, 0.12) < _LEAST_LATER * fit.low:
            return None if _drifts(fit, tune, times) else False
        compared += 1
    sure = compared >= 4 and fit.sharp >= _ALL_SHARP and fit.middle >= 0.8 and fit.even >= _LEAST_EVEN_IF_SURE
    return True if sure or (compared >= 2 and fit.even >= _LEAST_EVEN) else None


def _drifts(fit: _Fit, tune: Tune, times: int) -> bool:
    """Say whether the music is as alike some rounds later when each stretch may be a little early or late."""
    pairs = Pairs.of(tune, int(times * fit.lag) - _NEAR, 2 * _NEAR + 2)
    if pairs is None:
        return False
    offsets = range(-_NEAR, _NEAR + 1, 2)
    likeness = np.max([pairs.likeness(times * fit.lag + d) for d in offsets], axis=0)
    return quantile(likeness, 0.12) >= _LEAST_IF_DRIFTING * fit.low


def _fit(tune: Tune, lag: float, compared: float) -> _Fit | None:
    """Return how a lag fits; None when there is too little to compare, or it is clearly no loop."""
    whole = int(lag)
    pairs = Pairs.of(tune, whole, _NEAR + 2) if whole > _NEAR else None
    if pairs is None:
        return None
    here = pairs.likeness(lag)
    low, middle = quantile(here, 0.1), median(here)
    if low < _LEAST_LIKE and middle < _LEAST_MIDDLE:
        return None
    others = [whole + d for d in range(-_NEAR, _NEAR + 1, 2) if abs(whole + d - lag) >= 1.5]
    beside = pairs.best(others)
    near = np.maximum(here, np.maximum(pairs.likeness(lag - 0.5), pairs.likeness(lag + 0.5)))
    worst = float(np.sort(here)[: max(1, len(here) // 10)].mean())
    sharp = float(np.mean(near >= beside - 0.01))
    told = pairs.starts >= _first_gap(tune.music)
    alike = float(np.mean(here[told] > 0.7 * middle)) if told.sum() >= 3 else 0.0
    return _Fit(lag, worst, low, middle, float(here.mean()), sharp, alike, len(pairs.starts), compared)


def _first_gap(music: NDArray[np.bool_]) -> int:
    """Return where the music is first interrupted for more than a second; 0 when it never is."""
    edges = np.flatnonzero(np.diff(np.concatenate([[1], music.astype(np.int8), [1]]))).reshape(-1, 2)
    long = edges[edges[:, 1] - edges[:, 0] > _GAP]
    return int(long[0, 1]) if len(long) else 0
