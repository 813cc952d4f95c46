"""What was kept of all frames of a recording, and what is read out of it."""

from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probes.audio.frames import FRAME_S, Coarse, Kept, from_half_db
from probes.audio.quantiles import median, quantile
from probes.audio.repeats import STEP, Prints
from probes.audio.spectra import Floats


class Heard:
    """What was kept of all frames, cut to the length of the recording."""

    def __init__(self, frames: int, kept: list[Kept]) -> None:
        columns = {f.name: [getattr(k, f.name) for k in kept] for f in fields(Kept)}
        kept.clear()  # and one column after the other, so that nothing is held twice

        def column(name: str) -> NDArray[Any]:
            return np.concatenate(columns.pop(name))

        self.mel: NDArray[np.uint8] = column("mel")  # of every second frame
        self.level_dbfs: Floats = column("level_dbfs")[:frames].astype(np.float32)
        self.k_power: Floats = column("k_power")[:frames]
        self.clipped: NDArray[np.bool_] = column("clipped")[:frames]
        self.peaks_hz = Coarse(column("peaks")[:frames], 16)
        self.peak_shares = Coarse(column("shares")[:frames], 255)
        self.prints = Prints(self.mel)

    def mel_db(self, first: int, last: int) -> Floats:
        """Return the power per band of the steps `first`..`last`-1, of 40 ms each."""
        return from_half_db(self.mel[first:last])

    def between_db(self, from_s: float, to_s: float) -> Floats:
        """Return the power per band of the steps from one second to another."""
        return self.mel_db(step_at(from_s), step_at(to_s))


def step_at(at_s: float) -> int:
    """Return the step of 40 ms that a moment is in."""
    return round(at_s / (FRAME_S * STEP))


def voice_spectrum(mel_db: Floats) -> Floats | None:
    """Return the mean band levels of the louder part of a voice; None when there is under 0.8 s of it."""
    if len(mel_db) < 20:
        return None
    loud = mel_db.mean(axis=1)
    return np.asarray(mel_db[loud > quantile(loud, 0.95) - 20].mean(axis=0), np.float32)


def rest_dbfs(length_s: float, level_dbfs: Floats) -> float | None:
    """Return the level of a silence, its ends aside; None when it is too short."""
    inner = level_dbfs[4:-3]
    return median(inner) if length_s > 0.35 and len(inner) >= 8 else None
