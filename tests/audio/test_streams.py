"""What is worked out block by block is the same for any cut of the stream, and small sums are what numpy's are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.audio.frames import CHUNK, FEATURES, FrameReader, join
from probes.audio.loops import loop_s
from probes.audio.net import CLASSES, LOOK_AHEAD, Net
from probes.audio.quantiles import median, quantile
from tests.audio.sounds import RATE, music

ROWS = np.random.default_rng(3).normal(0, 0.7, (160 * CHUNK, FEATURES)).astype(np.float32)


@pytest.mark.parametrize("chunks", [1, 3, 40, 107])
def test_the_model_says_the_same_for_any_cut(chunks: int) -> None:
    whole, cut = Net(), Net()
    expected = np.concatenate([whole.push(ROWS), whole.finish()])
    told = [cut.push(ROWS[at : at + chunks * CHUNK]) for at in range(0, len(ROWS), chunks * CHUNK)]
    found = np.concatenate([*told, cut.finish()])
    assert found.shape == (len(ROWS), CLASSES)
    assert found == pytest.approx(expected, abs=2e-4)
    assert np.exp(found).sum(axis=1) == pytest.approx(np.ones(len(ROWS)), abs=1e-4)


def test_the_model_tells_a_frame_as_soon_as_it_has_what_is_ahead_of_it() -> None:
    net = Net()
    for chunk in range(40):
        told = len(net.push(ROWS[chunk * CHUNK : (chunk + 1) * CHUNK]))
        assert told == (CHUNK if chunk >= LOOK_AHEAD else 0)


@pytest.mark.parametrize("samples", [160, 1237, 40_000])
def test_frames_are_the_same_for_any_cut(samples: int) -> None:
    sound = music(45, level=0.3)[: 44 * RATE + 77]  # longer than what is worked on at once
    sound[: RATE // 2] = 0.999
    whole, cut = FrameReader(), FrameReader()
    expected = join(whole.push(sound) + whole.finish())
    found = join([f for at in range(0, len(sound), samples) for f in cut.push(sound[at : at + samples])] + cut.finish())
    assert len(found) == len(expected) == -(-len(sound) // (160 * CHUNK)) * CHUNK
    assert found.features == pytest.approx(expected.features, abs=2e-3)
    assert found.level_dbfs == pytest.approx(expected.level_dbfs, abs=1e-3)
    assert found.peaks_hz == pytest.approx(expected.peaks_hz, abs=0.1)
    assert np.flatnonzero(found.clipped).tolist() == list(range(25))


def test_a_steady_level_is_not_heard() -> None:
    reader, with_more = FrameReader(), FrameReader()
    sound = music(5, level=0.02)
    levels = join(reader.push(sound)).level_dbfs
    assert join(with_more.push(sound + np.float32(0.3))).level_dbfs == pytest.approx(levels, abs=0.05)


@given(st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=60), st.floats(0, 1))
def test_quantiles_are_those_of_numpy(values: list[float], share: float) -> None:
    array = np.array(values)
    assert quantile(array, share) == pytest.approx(float(np.percentile(array, 100 * share)), abs=1e-9)
    assert median(array) == pytest.approx(float(np.median(array)), abs=1e-9)


def test_a_period_between_two_steps_is_found_as_well() -> None:
    rng = np.random.default_rng(8)
    period, bands = 700, 20
    one = rng.normal(0, 6, (period, bands))
    steps = np.arange(period * 4) * (period / (period + 0.4)) % period  # a round is 700.4 steps long
    below = steps.astype(int)
    share = (steps - below)[:, None]
    prints = ((1 - share) * one[below] + share * one[(below + 1) % period]).astype(np.float32)
    found = loop_s(prints, np.ones(len(prints), np.bool_))
    assert found is not None
    assert found[0] == pytest.approx(700.4 * 0.04, abs=0.02)
