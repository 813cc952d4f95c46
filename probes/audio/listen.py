"""Listening to one recording: samples in, timeline out."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from probes.audio.assembly import assemble
from probes.audio.frames import CHUNK, FRAME_S, FrameReader, Frames, Kept, join_kept
from probes.audio.net import CLASSES, Net
from probes.audio.samples import RATE_HZ, Resampler, UnusableAudio, check
from probes.audio.spectra import Floats
from probes.audio.timeline import Kind, Timeline

_TOGETHER = 256
_NOTHING = np.zeros((0, CLASSES), np.float32)


class Listener:
    """Takes a recording in blocks and keeps 35 bytes of each 20 ms, under 7 MB an hour."""

    def __init__(self) -> None:
        self._reader, self._net = FrameReader(), Net()
        self._kept: list[Kept] = []
        self._odds: list[NDArray[np.float16]] = []
        self._samples = self._frames = self._told = 0

    @property
    def heard_s(self) -> float:
        """Media time taken in so far."""
        return self._samples / RATE_HZ

    def push(self, samples: Floats) -> Floats:
        """Take the next samples, 8 kHz; return the model's log-odds of the frames that it can tell by now."""
        self._samples += len(samples)
        return self._take(self._reader.push(samples))

    def kept_since(self, first: int) -> list[Kept]:
        """Return what was kept of the frames from `first` on, which is even."""
        out: list[Kept] = []
        at = self._frames
        for block in reversed(self._kept):
            if at <= first:
                break
            at -= len(block)
            out.append(block)
        if out and at < first:
            out[-1] = out[-1].since(first - at)
        return out[::-1]

    def odds_since(self, first: int) -> NDArray[np.float16]:
        """Return the model's log-odds of the frames from `first` on, as far as it can tell them by now."""
        out = [_NOTHING.astype(np.float16)]
        at = self._told
        for block in reversed(self._odds):
            if at <= first:
                break
            at -= len(block)
            out.append(block)
        return np.concatenate(out[::-1])[max(0, first - at) :]

    def finish(self, caller: NDArray[np.bool_] | None = None) -> Timeline:
        """Return the timeline; nothing can be pushed after it.

        Args:
            caller: (n,) for each 20 ms whether the caller spoke, when the caller's channel is known.
        """
        self._take(self._reader.finish())
        self._odds.append(self._net.finish().astype(np.float16))
        n = -(-self._samples // 160)
        return assemble(self._all_odds(n), self._kept, self._samples / RATE_HZ, caller)

    def _all_odds(self, frames: int) -> NDArray[np.float16]:
        odds = np.concatenate(self._odds)[:frames]
        self._odds.clear()
        return odds

    def _take(self, blocks: list[Frames]) -> Floats:
        told = [self._net.push(block.features) for block in blocks]
        for block, odds in zip(blocks, told, strict=True):
            self._odds.append(odds.astype(np.float16))
            self._kept.append(Kept.of(block))
            self._told += len(odds)
            self._frames += len(block)
        if len(self._kept) >= 2 * _TOGETHER and len(self._kept[-_TOGETHER]) == CHUNK:
            # live frames come in single chunks: join them now and then, so that an hour is not 45,000 small arrays
            self._kept[-_TOGETHER:] = [join_kept(self._kept[-_TOGETHER:])]
            self._odds[-_TOGETHER:] = [np.concatenate(self._odds[-_TOGETHER:])]
        return np.concatenate(told) if told else _NOTHING


def listen(vendor: NDArray[np.float32], rate_hz: int, *, caller: NDArray[np.float32] | None = None) -> Timeline:
    """Return what is heard in one call.

    Args:
        vendor: the vendor's channel, shape (n,), -1..1.
        rate_hz: its sampling rate; brought to 8 kHz here.
        caller: our own channel at the same rate, for talk-over.

    Raises:
        UnusableAudio: empty, shorter than 0.1 s, NaN or infinity, not one channel, or an impossible rate.
    """
    return listen_blocks([vendor], rate_hz, caller=None if caller is None else [caller])


def listen_blocks(
    vendor: Iterable[NDArray[np.float32]], rate_hz: int, *, caller: Iterable[NDArray[np.float32]] | None = None
) -> Timeline:
    """Return what is heard in one call that comes in blocks, so that a day fits into little memory."""
    listener = Listener()
    _feed(listener, vendor, rate_hz, "the vendor's channel")
    if listener.heard_s < 0.1:
        raise UnusableAudio(
            f"the vendor's channel: {listener.heard_s:.3f} s of sound is too short to hear anything in; "
            "check that the right file and channel were given"
        )
    spoke = None
    if caller is not None:
        ours = Listener()
        _feed(ours, caller, rate_hz, "the caller's channel")
        spoke = _speaking(ours)
    return listener.finish(spoke)


def _feed(listener: Listener, blocks: Iterable[NDArray[np.float32]], rate_hz: int, what: str) -> None:
    resampler: Resampler | None = None
    for block in blocks:
        samples = check(block, rate_hz, what=what)
        resampler = resampler or Resampler(rate_hz)
        for start in range(0, len(samples), rate_hz * 20):
            listener.push(resampler.push(samples[start : start + rate_hz * 20]))
    if resampler is not None:
        listener.push(resampler.finish())


def _speaking(listener: Listener) -> NDArray[np.bool_]:
    timeline = listener.finish()
    out = np.zeros(int(timeline.duration_s / FRAME_S) + 1, np.bool_)
    for s in timeline.segments:
        if s.kind is Kind.SPEECH:
            out[int(s.start_s / FRAME_S) : int(s.end_s / FRAME_S)] = True
    return out
