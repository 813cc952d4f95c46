"""After how many seconds the sound of a hold repeats."""

from dataclasses import dataclass
from enum import Enum, auto

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import maximum_filter1d

from probes.audio.quantiles import median, quantile
from probes.audio.repeats import STEP_S
from probes.audio.spectra import Floats

_SHORTEST_S = 4.0
_WINDOW, _HOP = round(5.0 / STEP_S), round(1.0 / STEP_S)
_ONES = np.ones(_HOP, np.float32)
_NEAR = 12  # steps on both sides in which another lag might fit better
_FEW = 35  # windows
_GAP = round(1.2 / STEP_S)
_LEAST_LIKE, _LEAST_LIKE_ALONE, _LEAST_LIKE_OF_FEW, _LEAST_SHARP = 0.3, 0.46, 0.75, 0.85
_LEAST_LIKE_IF_SHARP, _LEAST_EVEN_IF_SHARP, _ALL_SHARP = 0.52, 0.87, 0.98
_LEAST_MIDDLE, _LEAST_MIDDLE_IF_DIM = 0.55, 0.5
_LEAST_RESTARTED, _LEAST_SHARE_RESTARTED, _LEAST_SHARP_RESTARTED = 0.75, 0.88, 0.7
_LEAST_EVEN, _LEAST_EVEN_IF_CLEAN, _LEAST_EVEN_IF_SURE, _LEAST_EVEN_IF_DIM = 0.6, 0.85, 0.5, 0.8
_LEAST_TIMES = 1.59  # how often it must be heard to be called a loop
_MULTIPLES = (2, 3, 4, 5, 7)  # rounds later, at which a loop is still alike and a riff is not
_LEAST_LATER = 0.62
_LEAST_IF_DRIFTING = 0.7
_SHORT_S, _LEAST_EVEN_IF_SHORT, _LEAST_EVEN_IF_SHORT_AND_CLEAN = 16.0, 0.85, 0.93
_LEAST_LIKE_ALONE_AT_ALL, _LEAST_LIKE_IN_THE_MIDDLE, _FEWEST_ALONE = 0.25, 0.4, 15
_CLEARLY_MORE, _LEAST_MIDDLE_IF_SHORT = 1.2, 0.6
_LEAST_SHARE_ALONE, _ASTRAY_S = 0.77, 0.3
_CANDIDATES, _PARTS = 40, (2, 3, 4, 5)
_BANDS_AT_ONCE, _HOPS_AT_ONCE = 4, 100


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
    tune = _Tune(prints, music)
    filled = float(music.mean())
    seen: list[_Fit] = []
    fits: list[tuple[_Fit, _Sign]] = []
    for lag, compared in candidates(tune.heard, music):
        if lag * _LEAST_TIMES > len(prints) or compared <= 0.12:
            continue
        fit = _fit(tune, lag, compared)
        if fit is None:
            continue
        seen.append(fit)
        sign = None if _riff(fit, seen) else _sign(fit, tune, filled)
        if sign is not None:
            fits.append((fit, sign))
    chosen = _chosen(fits, filled) or _alone(seen)
    return None if chosen is None else (chosen.lag * STEP_S, min(1.0, chosen.mean))


def _sign(fit: _Fit, tune: "_Tune", filled: float) -> "_Sign | None":
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
        if sign is _Sign.RESTARTED or (strong and (even or (sign is _Sign.CONFIRMED and not confirmed))):
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


def _message_on_message(fit: _Fit, filled: float) -> bool:
    """Say whether a lag brings the gaps in the music onto each other."""
    return filled < 0.98 and fit.compared > 0.6 * filled + 0.4 * filled**2


def _restarted(fit: _Fit, filled: float) -> bool:
    """Say whether messages come at this very lag, and after each the music starts anew.

    Only what is before the first message is then unlike.
    """
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


def _later(fit: _Fit, tune: "_Tune") -> bool | None:
    """Say whether the music is as alike several rounds later; None when it did not last long enough to tell."""
    compared = 0
    for times in _MULTIPLES:
        pairs = _Pairs.of(tune, int(times * fit.lag), 2)
        if pairs is None or len(pairs.starts) < 8:
            break
        likeness = pairs.likeness(times * fit.lag)
        if quantile(likeness, 0.12) < _LEAST_LATER * fit.low:
            return None if _drifts(fit, tune, times) else False
        compared += 1
    sure = compared >= 4 and fit.sharp >= _ALL_SHARP and fit.middle >= 0.8 and fit.even >= _LEAST_EVEN_IF_SURE
    return True if sure or (compared >= 2 and fit.even >= _LEAST_EVEN) else None


def _drifts(fit: _Fit, tune: "_Tune", times: int) -> bool:
    """Say whether the music is as alike some rounds later when each stretch may be a little early or late."""
    pairs = _Pairs.of(tune, int(times * fit.lag) - _NEAR, 2 * _NEAR + 2)
    if pairs is None:
        return False
    offsets = range(-_NEAR, _NEAR + 1, 2)
    likeness = np.max([pairs.likeness(times * fit.lag + d) for d in offsets], axis=0)
    return quantile(likeness, 0.12) >= _LEAST_IF_DRIFTING * fit.low


class _Tune:
    """The fingerprint of a hold, each step brought to the same size and empty where no music is heard by itself."""

    def __init__(self, prints: Floats, music: NDArray[np.bool_]) -> None:
        heard = prints * music[:, None]
        norm = np.sqrt(_products(heard, heard))[:, None]
        self.heard: Floats = np.divide(heard, np.maximum(norm, np.float32(1e-3)), out=heard)
        self.music = music
        self.energy = _products(self.heard, self.heard)
        self.to_next = np.append(_products(self.heard[:-1], self.heard[1:]), np.float32(0))  # of each step and the next

    def alike(self, hops: int, lags: list[int]) -> Floats:
        """Return for each lag the products with what is later by it, summed over each of the first whole hops."""
        width = self.heard.shape[1]
        flat, wide, out = self.heard.reshape(-1), _HOP * width, np.empty((len(lags), hops), np.float32)
        for first in range(0, hops, _HOPS_AT_ONCE):  # what is compared with all lags stays in the processor's caches
            last = min(hops, first + _HOPS_AT_ONCE)
            here = flat[first * wide : last * wide].reshape(-1, wide)
            for row, lag in enumerate(lags):
                later = flat[first * wide + lag * width : last * wide + lag * width].reshape(-1, wide)
                np.vecdot(here, later, out=out[row, first:last])
        return out


class _Pairs:
    """Stretches of 5 s that have music both here and some lag later."""

    def __init__(self, tune: _Tune, both: Floats, starts: NDArray[np.intp]) -> None:
        self._tune, self._both, self._hops, self.starts = tune, both, len(both) // _HOP, starts
        self._own = _sums(both * tune.energy[: len(both)], starts)
        self._alike: dict[int, Floats] = {}

    @classmethod
    def of(cls, tune: _Tune, lag: int, beyond: int) -> "_Pairs | None":
        n = len(tune.heard) - lag - beyond
        if n < _WINDOW:
            return None
        both = (tune.music[:n] & tune.music[lag : lag + n]).astype(np.float32)
        starts = np.arange(0, n - _WINDOW + 1, _HOP)
        starts = starts[_sums(both, starts) > 0.6 * _WINDOW]
        return cls(tune, both, starts) if len(starts) >= 3 else None

    def likeness(self, lag: float) -> Floats:
        """Compare with what is `lag` steps later, between two steps where it lies there."""
        n, first, share = len(self._both), int(lag), np.float32(lag - int(lag))
        alike, energy = self._at(first), self._tune.energy[first : first + n]
        if share > 0.05:  # products are linear, so that what lies between two steps need not be worked out itself
            rest = 1 - share
            alike = rest * alike + share * self._at(first + 1)
            energy = rest * rest * energy + share * share * self._tune.energy[first + 1 : first + 1 + n]
            energy += (2 * rest * share) * self._tune.to_next[first : first + n]
        return np.asarray(_windows(alike, self.starts) / self._sizes(self._both * energy))

    def best(self, lags: list[int]) -> Floats:
        """Return how alike each stretch is at that of some lags at which it is most alike; whole steps."""
        alike, whole = self._tune.alike(self._hops, lags), self._hops * _HOP
        energy = np.stack([self._both[:whole] * self._tune.energy[lag : lag + whole] for lag in lags])
        return np.asarray((_windows(alike, self.starts) / self._sizes(energy)).max(axis=0))

    def _sizes(self, energy: Floats) -> Floats:
        return np.asarray(np.sqrt(self._own * _sums(energy, self.starts) + np.float32(1e-6)))

    def _at(self, lag: int) -> Floats:
        if lag not in self._alike:
            self._alike[lag] = self._tune.alike(self._hops, [lag])[0]
        return self._alike[lag]


def _fit(tune: _Tune, lag: float, compared: float) -> _Fit | None:
    """Return how a lag fits; None when there is too little to compare, or it is clearly no loop."""
    whole = int(lag)
    pairs = _Pairs.of(tune, whole, _NEAR + 2) if whole > _NEAR else None
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


def _products(one: Floats, other: Floats) -> Floats:
    return np.asarray(np.einsum("ij,ij->i", one, other), np.float32)


def _sums(values: Floats, starts: NDArray[np.intp]) -> Floats:
    """Return the sums over a window from each start on; windows start at whole hops and are whole hops long."""
    hops = values.shape[-1] // _HOP
    return _windows(values[..., : hops * _HOP].reshape(*values.shape[:-1], hops, _HOP) @ _ONES, starts)


def _windows(hops: Floats, starts: NDArray[np.intp]) -> Floats:
    count = hops.shape[-1] - _WINDOW // _HOP + 1
    total = hops[..., :count].copy()
    for later in range(1, _WINDOW // _HOP):
        total += hops[..., later : later + count]
    return np.asarray(total[..., starts // _HOP])


def candidates(heard: Floats, music: NDArray[np.bool_]) -> list[tuple[float, float]]:
    """Return lags in steps, shortest first, and the share of the time that is compared."""
    n = len(heard)
    if n * STEP_S < 2 * _SHORTEST_S or music.sum() * STEP_S < 2 * _SHORTEST_S:
        return []
    size = int(fft.next_fast_len(2 * n, real=True))
    power = np.zeros(size // 2 + 1, np.float32)
    bands = heard.T
    for first in range(0, len(bands), _BANDS_AT_ONCE):  # side by side they are faster; all would take much memory
        spectra = fft.rfft(bands[first : first + _BANDS_AT_ONCE], size, axis=1)
        for spectrum in spectra:
            power += spectrum.real**2 + spectrum.imag**2
    like = fft.irfft(power, size)[:n]
    seen = fft.rfft(music.astype(np.float32), size)
    pairs = np.maximum(fft.irfft(seen.real**2 + seen.imag**2, size)[:n], 1)
    score = np.where(pairs > 4 / STEP_S, like / pairs, 0)
    first, last = round(_SHORTEST_S / STEP_S), n - round(4 / STEP_S)
    if last <= first:
        return []
    tops = (score == maximum_filter1d(score, 13)) & (score > 0.25)
    top = np.flatnonzero(tops)
    top = top[(top >= first) & (top < last)]
    chosen = set(top[np.argsort(score[top])[::-1][:_CANDIDATES]].tolist())
    for lag in list(chosen):  # many rounds of a loop may all score higher than one
        for parts in _PARTS:
            near = round(lag / parts)
            if near >= first + 1:
                at = near - 1 + int(score[near - 1 : near + 2].argmax())
                if tops[at]:
                    chosen.add(at)
    return [(_exact(score, int(lag)), float(pairs[lag] / max(1, n - lag))) for lag in sorted(chosen)]


def _exact(score: NDArray[np.floating], lag: int) -> float:
    left, mid, right = float(score[lag - 1]), float(score[lag]), float(score[lag + 1])
    bend = left - 2 * mid + right
    return lag + (0.5 * (left - right) / bend if bend < 0 else 0.0)
