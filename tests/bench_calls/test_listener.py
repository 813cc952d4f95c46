"""The listener on whole calls made without any file: what it must get right wherever the project is installed."""

import pytest

from bench.calls import make
from bench.calls.pool import Pool
from bench.calls.score import figures, score
from bench.calls.sounds import RATE_HZ
from probes.audio.listen import listen


def heard(pool: Pool, scene: str, seed: int) -> dict:
    call = make.make(pool, seed, 0, None, 200, scene, "clean")
    return figures(score(call.label, listen(call.vendor, RATE_HZ).to_json()))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("scene", ["queue", "abandoned", "cut_off", "positions"])
def test_a_hold_with_music_is_found_with_its_edges(pool: Pool, scene: str, seed: int) -> None:
    values = heard(pool, scene, seed)
    assert values["frame_accuracy"] > 0.93
    assert (values["holds_found"], values["holds_spurious"]) == (values["holds"], 0)
    assert values["edge_p95_ms"] < 1000
    assert values["false_tones"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("scene", ["busy", "intercepted", "no_answer", "voicemail", "menu_loop"])
def test_a_call_without_a_hold_has_none(pool: Pool, scene: str, seed: int) -> None:
    values = heard(pool, scene, seed)
    assert values["holds_spurious"] == 0
    assert values["frame_accuracy"] > 0.93
    assert values["f1"]["tone"] > 0.95
