"""Which channel of a two-channel recording is the vendor's."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from probes.audio.frames import FrameReader, join
from probes.audio.samples import Resampler, check
from probes.audio.timeline import Label
from probes.audio.tones import find_tones


@dataclass(frozen=True, slots=True)
class ChannelChoice:
    """The vendor's channel (0 or 1), or None when the sound does not tell, and why."""

    vendor: int | None
    why: str


def keyed_digits(samples: NDArray[np.float32], rate_hz: int) -> str:
    """Return the DTMF digits heard in one channel, in order."""
    resampler, reader = Resampler(rate_hz), FrameReader()
    x = check(samples, rate_hz)
    frames = reader.push(resampler.push(x)) + reader.push(resampler.finish()) + reader.finish()
    if not frames:
        return ""
    f = join(frames)
    tones = find_tones(f.peaks_hz, f.peak_shares, f.level_dbfs)
    return "".join(t.digits or "" for t in tones if t.label is Label.DTMF)


def vendor_channel(first: NDArray[np.float32], second: NDArray[np.float32], rate_hz: int, sent: str) -> ChannelChoice:
    """Find the vendor's channel: the one that does not carry the digits that we sent.

    Args:
        first: channel 0.
        second: channel 1.
        rate_hz: of both.
        sent: the digits that we keyed, in order; pauses (`w`, `W`) are left out.
    """
    ours = "".join(c for c in sent if c in "0123456789*#ABCD")
    if not ours:
        return ChannelChoice(None, "no digits were sent in this call; name the vendor's channel")
    heard = [keyed_digits(x, rate_hz) for x in (first, second)]
    scores = [_common(ours, h) / len(ours) for h in heard]
    if max(scores) < 0.5 or abs(scores[0] - scores[1]) < 0.3:
        return ChannelChoice(
            None, f"our digits {ours} do not tell the channels apart (heard {heard[0]!r}, {heard[1]!r})"
        )
    caller = int(scores[1] > scores[0])
    return ChannelChoice(1 - caller, f"our digits {ours} are in channel {caller} (heard {heard[caller]!r})")


def _common(a: str, b: str) -> int:
    """Length of the longest common subsequence."""
    row = [0] * (len(b) + 1)
    for x in a:
        last = 0
        for j, y in enumerate(b):
            last, row[j + 1] = row[j + 1], last + 1 if x == y else max(row[j + 1], row[j])
    return row[-1]
