"""How alike the music of a hold is to itself some time later."""

from copy import copy

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import maximum_filter1d

from probes.audio.repeats import STEP_S
from probes.audio.spectra import Floats

SHORTEST_S = 4.0
WINDOW, HOP = round(5.0 / STEP_S), round(1.0 / STEP_S)
_ONES = np.ones(HOP, np.float32)
_CANDIDATES, _PARTS = 40, (2, 3, 4, 5)
_BANDS_AT_ONCE, _HOPS_AT_ONCE = 4, 100


class Tune:
    """The fingerprint of a hold, each step brought to the same size and empty where no music is heard by itself."""

    def __init__(self, prints: Floats, music: NDArray[np.bool_]) -> None:
        heard = prints * music[:, None]
        norm = np.sqrt(_products(heard, heard))[:, None]
        self.heard: Floats = np.divide(heard, np.maximum(norm, np.float32(1e-3)), out=heard)
        self.music = music
        self.broken_at: int | None = None  # a step on both sides of which nothing is compared
        self.energy = _products(self.heard, self.heard)
        self.to_next = np.append(_products(self.heard[:-1], self.heard[1:]), np.float32(0))  # of each step and the next

    def broken(self, at: int) -> "Tune":
        """Return the same music, of which what is before a step is not compared with what is after it."""
        tune = copy(self)
        tune.broken_at = at
        return tune

    def alike(self, hops: int, lags: list[int]) -> Floats:
        """Return for each lag the products with what is later by it, summed over each of the first whole hops."""
        width = self.heard.shape[1]
        flat, wide, out = self.heard.reshape(-1), HOP * width, np.empty((len(lags), hops), np.float32)
        for first in range(0, hops, _HOPS_AT_ONCE):  # what is compared with all lags stays in the processor's caches
            last = min(hops, first + _HOPS_AT_ONCE)
            here = flat[first * wide : last * wide].reshape(-1, wide)
            for row, lag in enumerate(lags):
                later = flat[first * wide + lag * width : last * wide + lag * width].reshape(-1, wide)
                np.vecdot(here, later, out=out[row, first:last])
        return out


class Pairs:
    """Stretches of 5 s that have music both here and some lag later."""

    def __init__(self, tune: Tune, both: Floats, starts: NDArray[np.intp]) -> None:
        self._tune, self._both, self._hops, self.starts = tune, both, len(both) // HOP, starts
        self._own = _sums(both * tune.energy[: len(both)], starts)
        self._alike: dict[int, Floats] = {}

    @classmethod
    def of(cls, tune: Tune, lag: int, beyond: int) -> "Pairs | None":
        """Return what there is to compare at a lag and some steps `beyond` it; None when that is too little."""
        n = len(tune.heard) - lag - beyond
        if n < WINDOW:
            return None
        both = (tune.music[:n] & tune.music[lag : lag + n]).astype(np.float32)
        starts = np.arange(0, n - WINDOW + 1, HOP)
        starts = starts[_sums(both, starts) > 0.6 * WINDOW]
        if tune.broken_at is not None:
            starts = starts[(starts >= tune.broken_at) | (starts + WINDOW + lag + beyond <= tune.broken_at)]
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
        alike, whole = self._tune.alike(self._hops, lags), self._hops * HOP
        energy = np.stack([self._both[:whole] * self._tune.energy[lag : lag + whole] for lag in lags])
        return np.asarray((_windows(alike, self.starts) / self._sizes(energy)).max(axis=0))

    def _sizes(self, energy: Floats) -> Floats:
        return np.asarray(np.sqrt(self._own * _sums(energy, self.starts) + np.float32(1e-6)))

    def _at(self, lag: int) -> Floats:
        if lag not in self._alike:
            self._alike[lag] = self._tune.alike(self._hops, [lag])[0]
        return self._alike[lag]


def _products(one: Floats, other: Floats) -> Floats:
    return np.asarray(np.einsum("ij,ij->i", one, other), np.float32)


def _sums(values: Floats, starts: NDArray[np.intp]) -> Floats:
    """Return the sums over a window from each start on; windows start at whole hops and are whole hops long."""
    hops = values.shape[-1] // HOP
    return _windows(values[..., : hops * HOP].reshape(*values.shape[:-1], hops, HOP) @ _ONES, starts)


def _windows(hops: Floats, starts: NDArray[np.intp]) -> Floats:
    count = hops.shape[-1] - WINDOW // HOP + 1
    total = hops[..., :count].copy()
    for later in range(1, WINDOW // HOP):
        total += hops[..., later : later + count]
    return np.asarray(total[..., starts // HOP])


def candidates(heard: Floats, music: NDArray[np.bool_]) -> list[tuple[float, float]]:
    """Return lags in steps, shortest first, and the share of the time that is compared."""
    n = len(heard)
    if n * STEP_S < 2 * SHORTEST_S or music.sum() * STEP_S < 2 * SHORTEST_S:
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
    first, last = round(SHORTEST_S / STEP_S), n - round(4 / STEP_S)
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
