"""What listening costs is told of the work itself: shares of it, seconds of it, memory of it."""

from pathlib import Path

import pytest

from bench import listen_cost
from bench.calls import make
from bench.calls.pool import Pool


@pytest.fixture(scope="module")
def recording(pool: Pool, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("calls")
    make.write_calls(pool, None, folder, 1, 2, 60)
    return folder / "call_000.wav"


def test_shares_of_the_time_are_of_the_listener_and_add_up(recording: Path) -> None:
    told = listen_cost.profile([recording])
    assert told["minutes"] == pytest.approx(recording.stat().st_size / 2 / 8000 / 60, abs=0.1)
    assert all(str(part["where"]).startswith("probes/audio/") for part in told["parts"])
    assert 0.3 < max(part["whole"] for part in told["parts"]) < 1.05  # the meter itself takes some
    assert 0 < sum(part["own"] for part in told["own"]) <= 1


def test_a_long_recording_is_as_long_as_asked(recording: Path) -> None:
    told = listen_cost.of_length([recording], 0.1)
    assert told["hours"] == 0.1
    assert told["times_real_time"] > 1
    assert 0 < told["start_mb"] <= told["peak_mb"]


def test_what_is_told_live_is_compared_frame_by_frame(recording: Path) -> None:
    told = listen_cost.live_figures([recording])
    assert 0 < told["frame_us"]["median"] <= told["frame_us"]["p99"]
    assert told["counts"]["holds offline"] == 1
    assert all(0 <= share <= 1 for share in told["tenths"].values())
