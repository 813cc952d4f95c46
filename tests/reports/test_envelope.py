"""Levels of a recording for drawing."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile as sf

from reports.envelope import envelope


def wav(left: np.ndarray, right: np.ndarray | None = None) -> bytes:
    out = io.BytesIO()
    sf.write(out, left if right is None else np.column_stack([left, right]), 8000, format="WAV", subtype="PCM_16")
    return out.getvalue()


def test_levels_follow_the_sound_on_either_channel() -> None:
    quiet, loud = np.zeros(8000 * 90), np.zeros(8000 * 90)
    loud[8000 * 60 : 8000 * 75] = 0.5
    levels = envelope(wav(quiet, loud), bins=90)
    assert levels is not None
    assert levels[59] == 0
    assert levels[60:75] == pytest.approx([0.5] * 15, abs=1e-3)
    assert levels[75] == 0


@pytest.mark.parametrize("data", [b"", b"no sound", wav(np.zeros(0))])
def test_what_is_no_sound_has_no_levels(data: bytes) -> None:
    assert envelope(data) is None
