"""Where the rows of a fingerprint are like a few others: correlation by overlapping blocks, many patterns at once."""

from collections.abc import Iterator

import numpy as np
from scipy import fft

from probes.audio.spectra import Floats

_AT_ONCE = 12  # patterns
_MOST = 4_000_000  # products of patterns, blocks and frequencies held at once


class Search:
    """Rows (n, bands) ready to be searched for patterns of at most `longest` rows, which are far fewer."""

    def __init__(self, rows: Floats, longest: int, block: int) -> None:
        self._length, self._block, self._hop, self._longest = len(rows), block, block - longest, longest
        count = len(rows) // self._hop + 1
        padded = np.zeros((count * self._hop + block, rows.shape[1]), np.float32)
        padded[: len(rows)] = rows
        blocks = np.lib.stride_tricks.sliding_window_view(padded, block, axis=0)[:: self._hop][:count]
        # frequencies first: all patterns against all blocks are then one product of matrices at each
        self._spectra = np.ascontiguousarray(fft.rfft(blocks, axis=2).transpose(2, 1, 0))
        self._energy = np.concatenate([[0.0], np.cumsum(np.einsum("ij,ij->i", padded, padded), dtype=np.float64)])
        self._usual = self._sizes(longest, count)

    def _sizes(self, n: int, count: int) -> Floats:
        """Return the root of the energy of `n` rows from each place on, (hop, blocks)."""
        places = count * self._hop
        energy = np.maximum(self._energy[n : n + places] - self._energy[:places], 0).astype(np.float32)
        return np.ascontiguousarray(np.sqrt(energy).reshape(count, self._hop).T)

    def likeness(self, patterns: list[Floats], until: list[int] | None = None) -> Iterator[Floats]:
        """Say for each pattern how alike what begins at each place is, -1..1 or so.

        Args:
            patterns: (m, bands) each.
            until: how many places are looked at for each pattern; all at which it still ends within the rows, if None.

        Returns:
            For each pattern the likeness of each place.
        """
        for alike, last in self._alike(patterns, until):
            yield np.ascontiguousarray(alike.T).reshape(-1)[: max(0, last)]

    def best(self, patterns: list[Floats], until: list[int]) -> Iterator[tuple[float, int]]:
        """Return for each pattern the highest likeness and its place; -1 where there is no place to look at."""
        for alike, last in self._alike(patterns, until):
            if last <= 0:
                yield -1.0, 0
                continue
            alike[last - (alike.shape[1] - 1) * self._hop :, -1] = -1
            within, block = divmod(int(alike.argmax()), alike.shape[1])
            yield float(alike[within, block]), block * self._hop + within

    def _alike(self, patterns: list[Floats], until: list[int] | None) -> Iterator[tuple[Floats, int]]:
        """Return the likeness as (hop, blocks), and how many places count."""
        places = [self._length - len(p) + 1 for p in patterns] if until is None else until
        begin = 0
        while begin < len(patterns):
            blocks = max(1, -(-max(places[begin : begin + _AT_ONCE]) // self._hop))
            count = max(1, min(_AT_ONCE, _MOST // (blocks * len(self._spectra))))
            some = patterns[begin : begin + count]
            spectra = np.stack([np.conj(fft.rfft(p.T, self._block, axis=1)).T for p in some], axis=1)
            products = np.matmul(spectra, self._spectra[:, :, :blocks])
            raw = np.asarray(fft.irfft(products, self._block, axis=0)[: self._hop], np.float32)
            for k, pattern in enumerate(some):
                last = places[begin + k]
                used = max(1, -(-last // self._hop))
                yield self._scaled(raw[:, k, :used], pattern), last
            begin += count

    def _scaled(self, raw: Floats, pattern: Floats) -> Floats:
        own, n, used = float(np.sqrt(np.einsum("ij,ij->", pattern, pattern))), len(pattern), raw.shape[1]
        there = self._usual[:, :used] if n == self._longest else self._sizes(n, used)
        size = np.maximum(there, np.float32(0.5 * own))  # what is far softer than the pattern is not like it
        size *= np.float32(own)
        size += np.float32(1e-6)
        return np.divide(raw, size, out=size)
