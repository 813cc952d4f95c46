"""Recordings that are broken, empty of sense or very long: an answer or a clear error, never confident nonsense."""

import tracemalloc

import numpy as np
import pytest

from probes.audio.listen import Listener, listen
from probes.audio.samples import UnusableAudio
from probes.audio.timeline import Kind
from tests.audio.sounds import HELLO, RATE, Sound, music, queue_call, quiet, speech


def noise(length_s: float, level_dbfs: float, seed: int = 1) -> Sound:
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(int(length_s * RATE)) * 10 ** (level_dbfs / 20)).astype(np.float32)


@pytest.mark.parametrize("level_dbfs", [-60, -45])
def test_line_noise_is_no_hold_and_nobody_speaks(level_dbfs: float) -> None:
    timeline = listen(noise(60, level_dbfs), RATE)
    assert timeline.holds == ()
    assert timeline.first_person_s is None
    assert timeline.tones == ()


def test_all_clipped_is_no_person() -> None:
    timeline = listen(np.ones(RATE * 20, np.float32), RATE)
    assert timeline.first_person_s is None
    assert timeline.quality.clipped_ratio > 0.9


def test_speech_at_minus_50_dbfs_is_speech() -> None:
    words = speech(HELLO)
    loud = np.sqrt(np.mean(words**2))
    faint = words * np.float32(10 ** (-50 / 20) / loud)
    timeline = listen(np.concatenate([quiet(2), faint, quiet(2)]), RATE)
    spoken = [s for s in timeline.segments if s.kind is Kind.SPEECH]
    assert sum(s.end_s - s.start_s for s in spoken) > 0.7 * len(words) / RATE


def test_a_message_said_twice_is_known_again_on_a_faint_line() -> None:
    words = speech(HELLO) * np.float32(10 ** (-35 / 20))
    timeline = listen(np.concatenate([quiet(2), words, quiet(3), words, quiet(2)]), RATE)
    assert len(timeline.messages) == 1
    assert timeline.first_person_s is None


def test_a_loud_hold_is_said_to_be_clipped() -> None:
    loud = np.clip(music(40, level=2.0), -1, 1)
    timeline = listen(np.concatenate([quiet(1), loud, quiet(1)]), RATE)
    assert timeline.holds
    assert timeline.holds[0].clipped_ratio > 0.1
    assert timeline.holds[0].loudness_lufs is not None
    assert timeline.holds[0].loudness_lufs > -10


def test_two_calls_joined_last_as_long_as_both() -> None:
    sound, _ = queue_call()
    one, two = listen(sound, RATE), listen(np.concatenate([sound, quiet(2), sound]), RATE)
    assert two.duration_s == pytest.approx(2 * one.duration_s + 2)
    assert len(two.holds) == 2 * len(one.holds)


def test_a_gap_in_the_numbers_is_named() -> None:
    sound = music(3).copy()
    sound[9000] = np.inf
    with pytest.raises(UnusableAudio, match=r"sample 9000 \(at 1\.125 s\)"):
        listen(sound, RATE)


def test_an_impossible_rate_is_refused() -> None:
    with pytest.raises(UnusableAudio, match="sampling rate of 50 Hz"):
        listen(music(3), 50)


@pytest.mark.slow
def test_memory_grows_by_little_for_each_hour() -> None:
    hour = [music(60, loop_s=60)] * 60
    tracemalloc.start()
    listener = Listener()
    for block in hour:
        listener.push(block)
    kept_bytes, _ = tracemalloc.get_traced_memory()
    assert kept_bytes < 10e6
    tracemalloc.reset_peak()
    assert listener.finish().duration_s == 3600
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most_bytes < 45e6
