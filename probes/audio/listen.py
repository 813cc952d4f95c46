"""Listening to one recording: samples in, timeline out."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from probes.audio.assembly import assemble, first_pieces
from probes.audio.frames import CHUNK, FRAME_S, FrameReader, Frames, Kept, join_kept
from probes.audio.heard import Heard, step_at, voice_spectrum
from probes.audio.holds import find_holds
from probes.audio.net import CLASSES, Net
from probes.audio.repeats import STEP, fingerprint
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
        self._samples = 0

    @property
    def heard_s(self) -> float:
        """Media time taken in so far."""
        return self._samples / RATE_HZ

    def push(self, samples: Floats) -> Floats:
        """Take the next samples, 8 kHz; return the model's log-odds of the frames that it can tell by now."""
        self._samples += len(samples)
        return self._take(self._reader.push(samples))

    def prints(self, start_s: float, end_s: float) -> Floats:
        """Return the fingerprint of a stretch that was heard not long ago."""
        mel, first = self._mel_db(start_s)
        if not len(mel):
            return np.zeros((0, 1), np.float32)
        return fingerprint(mel)[max(0, step_at(start_s) - first) : max(0, step_at(end_s) - first)]

    def recent(self, start_s: float) -> tuple[Heard, float]:
        """Return what was kept of the last frames, from about `start_s` on, and when the first of them was."""
        kept, frames = self._recent(start_s)
        return Heard(frames, kept), (sum(len(k) for k in self._kept) - frames) * FRAME_S

    def music_since_s(self, start_s: float, least_s: float) -> float | None:
        """Return since when a recording that ended now would end with music, or with a hold that this music belongs to.

        None: it would end with something else, or with less than `least_s` of music.

        Args:
            start_s: from about where on it is looked at.
            least_s: how much music it must end with.
        """
        kept, frames = self._recent(start_s)
        first, told = sum(len(k) for k in self._kept) - frames, sum(len(o) for o in self._odds)
        odds, wanted = [_NOTHING.astype(np.float16)], told - first
        for part in reversed(self._odds):
            if sum(map(len, odds)) >= wanted:
                break
            odds.append(part)
        if wanted <= 0:
            return None
        heard = Heard(wanted, kept)
        parts, _ = first_pieces(np.concatenate(odds[::-1])[-wanted:], heard, wanted * FRAME_S)
        if parts[-1].kind != "music" or parts[-1].length_s < least_s:
            return None
        holds = [h for h in find_holds(parts, heard.level_dbfs) if h.last == len(parts) - 1]
        return first * FRAME_S + (holds[-1].start_s if holds else parts[-1].start_s)

    def level_dbfs(self, start_s: float, end_s: float) -> Floats:
        """Return the levels of the frames of a stretch that was heard not long ago."""
        kept, frames = self._recent(start_s)
        first = sum(len(k) for k in self._kept) - frames
        levels = np.concatenate([k.level_dbfs for k in kept]) if kept else np.zeros(0, np.float16)
        return np.asarray(levels[round(start_s / FRAME_S) - first : round(end_s / FRAME_S) - first], np.float32)

    def spectrum(self, start_s: float, end_s: float) -> Floats | None:
        """Return the mean band levels of a voice that was heard not long ago; None when it was short."""
        mel, first = self._mel_db(start_s)
        return voice_spectrum(mel[max(0, step_at(start_s) - first) : max(0, step_at(end_s) - first)])

    def _mel_db(self, start_s: float) -> tuple[Floats, int]:
        """Return band levels from about `start_s` on, and the step of the first of them."""
        kept, frames = self._recent(start_s)
        first = (sum(len(k) for k in self._kept) - frames) // STEP
        return (np.concatenate([k.mel_db for k in kept]) if kept else np.zeros((0, 1), np.float32)), first

    def _recent(self, start_s: float) -> tuple[list[Kept], int]:
        wanted: list[Kept] = []
        at = total = sum(len(k) for k in self._kept)
        for block in reversed(self._kept):
            at -= len(block)
            wanted.append(block)
            if at * FRAME_S <= start_s:
                break
        return wanted[::-1], total - at

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
