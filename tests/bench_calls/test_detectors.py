"""The help that voice detectors get."""

import numpy as np
import pytest

from bench.calls import detectors, make
from bench.calls.pool import Pool
from bench.calls.score import figures, score


def test_a_tone_is_steady_and_stands_in_silence() -> None:
    level = np.full(100, -80.0, np.float32)
    pure = np.zeros(100, np.float32)
    level[10:30], pure[10:30] = -20, 0.95  # a tone
    level[50:90], pure[50:90] = -20 + 6 * np.sin(np.arange(40)), 0.95  # a note that is played
    found = detectors.steady(level, pure, -60)
    assert found[10:30].min() > 0.9
    assert found[30:].max() == 0


def perfect(pool: Pool, scene: str) -> dict:
    """What the help makes of a detector that is always right."""
    call = make.make(pool, 2, 0, None, 150, scene, "clean")
    speech = np.zeros(-(-len(call.vendor) // 160), np.float32)
    for segment in call.label["segments"]:
        if segment["kind"] == "speech":
            speech[round(segment["start_s"] * 50) : round(segment["end_s"] * 50)] = 1
    return figures(score(call.label, detectors.Detector(lambda _: speech).hear(call.vendor, speech)))


@pytest.mark.slow
def test_a_perfect_detector_gets_by_with_the_help(pool: Pool) -> None:
    assert perfect(pool, "busy")["f1"]["tone"] > 0.95
    values = perfect(pool, "queue")
    assert values["frame_accuracy"] > 0.9
    assert values["holds_found"] == values["holds"]
