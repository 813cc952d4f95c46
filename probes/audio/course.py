"""What a call was like as a whole: when it was answered, dead air, talk-over, how good the line was, how it ended."""

import numpy as np
from numpy.typing import NDArray

from probes.audio.frames import FRAME_S
from probes.audio.heard import Heard
from probes.audio.net import OVER, SILENCE, SPEECH
from probes.audio.spectra import Floats
from probes.audio.timeline import EndReason, Hold, Kind, Label, LineQuality, Segment, Span, Tone

_DEAD_AIR_S = 10.0


def answered_s(segments: tuple[Segment, ...], tones: list[Tone]) -> float | None:
    """End of the ringing that comes before anything was said."""
    first = next((s.start_s for s in segments if s.kind in (Kind.SPEECH, Kind.MUSIC)), None)
    if first is None:
        return None
    ringing = [t.end_s for t in tones if t.label is Label.RINGBACK and t.end_s <= first + 0.1]
    return max(ringing) if ringing else None


def dead_air(segments: tuple[Segment, ...], holds: tuple[Hold, ...]) -> tuple[Span, ...]:
    """Return the long silences outside of holds."""
    return tuple(
        Span(s.start_s, s.end_s)
        for s in segments
        if s.kind is Kind.SILENCE
        and s.end_s - s.start_s >= _DEAD_AIR_S
        and not any(h.start_s <= s.start_s and s.end_s <= h.end_s for h in holds)
    )


def talk_over(painted: NDArray[np.int8], caller: NDArray[np.bool_]) -> tuple[Span, ...]:
    """Return when both sides spoke at once."""
    n = min(len(painted), len(caller))
    return spans(np.isin(painted[:n], (SPEECH, OVER)) & caller[:n], 0.3)


def spans(where: NDArray[np.bool_] | None, least_s: float) -> tuple[Span, ...]:
    """Return the stretches of frames that are true, and at least so long."""
    if where is None:
        return ()
    edges = np.flatnonzero(np.diff(np.concatenate([[0], where.astype(np.int8), [0]])))
    return tuple(Span(a * FRAME_S, b * FRAME_S) for a, b in edges.reshape(-1, 2) if (b - a) * FRAME_S >= least_s)


def line_quality(frames: Heard, painted: NDArray[np.int8]) -> LineQuality:
    """Return levels of speech and pauses, losses, clipping, and whether anything was heard at all."""
    speech, silent = np.isin(painted, (SPEECH,)), painted == SILENCE
    level = frames.level_dbfs
    loud = level[speech]
    pauses = level[silent]
    noisy = pauses[pauses > -78]
    sound = ~silent
    return LineQuality(
        speech_level_dbfs=_active_dbfs(loud) if len(loud) > 10 else None,
        noise_level_dbfs=float(np.median(noisy)) if len(noisy) > 10 else None,
        digital_silence=bool(len(pauses) > 10 and len(noisy) < 0.5 * len(pauses)),
        lost_ratio=_lost_ratio(level, sound),
        clipped_ratio=float(frames.clipped.mean()),
        one_way=not bool(sound.any()),
    )


def _lost_ratio(level_dbfs: Floats, sound: NDArray[np.bool_]) -> float:
    """Share of frames that are digital silence for up to 0.2 s inside loud sound: packets lost and not hidden."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (level_dbfs < -78).astype(np.int8), [0]]))).reshape(-1, 2)
    edges = edges[(edges[:, 0] > 0) & (edges[:, 1] < len(level_dbfs)) & (edges[:, 1] - edges[:, 0] <= 10)]
    loud = np.minimum(level_dbfs[edges[:, 0] - 1], level_dbfs[np.minimum(edges[:, 1], len(level_dbfs) - 1)]) > -45
    holes = edges[loud & sound[edges[:, 0]]]
    return float((holes[:, 1] - holes[:, 0]).sum()) / len(level_dbfs)


def _active_dbfs(level_dbfs: Floats) -> float:
    """Mean power of the louder 60 % of the frames, in dBFS."""
    active = level_dbfs[level_dbfs >= np.percentile(level_dbfs, 40)]
    return float(10 * np.log10(np.mean(10 ** (active / 10))))


def end_reason(segments: tuple[Segment, ...], holds: tuple[Hold, ...], duration_s: float) -> EndReason:
    """Say what the line was doing when the recording stopped."""
    if holds and duration_s - holds[-1].end_s < 3:
        return EndReason.ON_HOLD
    last = next((s for s in reversed(segments) if s.kind is not Kind.SILENCE), None)
    if last is None or duration_s - last.end_s > 5:
        return EndReason.SILENCE
    if last.label in (Label.BUSY, Label.REORDER, Label.DIAL_TONE):
        return EndReason.BUSY_TONE
    if last.label is Label.RINGBACK:
        return EndReason.RINGING
    return EndReason.IN_SPEECH if last.kind is Kind.SPEECH else EndReason.OTHER
