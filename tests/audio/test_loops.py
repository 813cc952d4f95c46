"""The loop of hold music, from fingerprints made here: lags between two steps, riffs, messages, tunes started anew."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from probes.audio.loops import loop_s
from probes.audio.repeats import STEP_S

Prints = NDArray[np.float32]
STEPS = round(1 / STEP_S)


def tune(length_s: float, seed: int = 1) -> Prints:
    """What a tune's fingerprint is like: band levels that move within a quarter of a second."""
    rng = np.random.default_rng(seed)
    rows = gaussian_filter1d(rng.standard_normal((round(length_s / STEP_S), 20)), 2.5, axis=0, mode="wrap")
    return np.asarray(rows / rows.std() * 6, np.float32)


def played(period: Prints, times: float, loop_s: float) -> Prints:
    """Play a tune round after round; `loop_s` need not be a whole number of steps."""
    at = np.arange(round(times * loop_s / STEP_S)) % (loop_s / STEP_S)
    first, share = at.astype(int), (at % 1)[:, None]
    return np.asarray((1 - share) * period[first % len(period)] + share * period[(first + 1) % len(period)], np.float32)


def noisy(prints: Prints, share: float) -> Prints:
    return np.asarray(prints + np.random.default_rng(9).standard_normal(prints.shape) * 6 * share, np.float32)


def everywhere(prints: Prints) -> NDArray[np.bool_]:
    return np.ones(len(prints), np.bool_)


@pytest.mark.parametrize("period_s", [18.017, 22.0, 48.79])
def test_a_loop_between_two_steps_is_found_and_not_its_multiple(period_s: float) -> None:
    heard = noisy(played(tune(period_s), 8, period_s), 0.3)
    found = loop_s(heard, everywhere(heard))
    assert found is not None
    assert found[0] == pytest.approx(period_s, abs=0.02)


def test_a_riff_within_the_tune_is_not_the_loop() -> None:
    riff = tune(6.0, seed=2)
    period = np.concatenate([riff, riff, riff, tune(14.0, seed=3), riff, tune(8.0, seed=4)])
    heard = noisy(np.tile(period, (4, 1)), 0.2)
    found = loop_s(heard, everywhere(heard))
    assert found is not None
    assert found[0] == pytest.approx(len(period) * STEP_S, abs=0.02)


def test_a_riff_of_a_tune_that_does_not_come_again_is_no_loop() -> None:
    riff = tune(6.0, seed=2)
    heard = noisy(np.concatenate([riff, riff, tune(20.0, seed=5), riff, tune(30.0, seed=6), riff, riff]), 0.2)
    assert loop_s(heard, everywhere(heard)) is None


def test_music_started_anew_after_each_message_repeats_with_the_messages() -> None:
    song, rest_s, message_s = tune(60.0, seed=7), 15.0, 4.0
    heard, music = [song[: 11 * STEPS]], [np.ones(11 * STEPS, np.bool_)]
    for _ in range(5):
        heard += [tune(message_s, seed=8), song[: round(rest_s * STEPS)]]
        music += [np.zeros(round(message_s * STEPS), np.bool_), np.ones(round(rest_s * STEPS), np.bool_)]
    found = loop_s(noisy(np.concatenate(heard), 0.2), np.concatenate(music))
    assert found is not None
    assert found[0] == pytest.approx(rest_s + message_s, abs=0.05)


def test_music_that_goes_on_after_each_message_has_no_period_of_its_own() -> None:
    song = tune(50.0, seed=11)
    heard, music, at = [], [], 0
    for pause_s in (7.0, 13.0, 9.0, 15.0, 11.0, 8.0):
        length = round(12.0 * STEPS)
        heard += [np.take(song, np.arange(at, at + length), axis=0, mode="wrap"), tune(pause_s, seed=round(pause_s))]
        music += [np.ones(length, np.bool_), np.zeros(round(pause_s * STEPS), np.bool_)]
        at += length
    assert loop_s(noisy(np.concatenate(heard), 0.2), np.concatenate(music)) is None


def test_a_tune_whose_speed_wavers_is_a_loop_all_the_same() -> None:
    length_s, rounds = 40.0, 12
    at = np.arange(round(length_s * rounds / STEP_S))
    at = at + 2.4 * np.sin(2 * np.pi * at / len(at) * 1.5)  # up to 0.1 s early or late, over many rounds
    song, whole = tune(length_s, seed=12), at.astype(int)
    rows = np.stack([np.take(song, whole + k, axis=0, mode="wrap") for k in (0, 1)])
    share = (at - whole)[:, None].astype(np.float32)
    heard = noisy(np.asarray((1 - share) * rows[0] + share * rows[1], np.float32), 0.2)
    found = loop_s(heard, everywhere(heard))
    assert found is not None
    assert found[0] == pytest.approx(length_s, abs=0.25)


def test_a_beat_that_goes_through_another_tune_each_time_is_no_loop() -> None:
    beat = np.tile(tune(4.0, seed=13), (25, 1))
    heard = noisy(beat + 0.9 * tune(100.0, seed=14), 0.05)
    assert loop_s(heard, everywhere(heard)) is None


def test_a_loop_through_bad_stretches_of_the_line_is_heard_when_nothing_else_is_alike() -> None:
    heard = noisy(played(tune(70.0, seed=15), 2.2, 70.0), 0.3)
    rng = np.random.default_rng(16)
    for start in range(0, len(heard), 20 * STEPS):  # every third part of it is nearly lost
        part = heard[start : start + 7 * STEPS]
        part += rng.standard_normal(part.shape).astype(np.float32) * 8
    found = loop_s(heard, everywhere(heard))
    assert found is not None
    assert found[0] == pytest.approx(70.0, abs=0.05)


def test_messages_that_come_some_bars_before_a_round_is_over_do_not_make_the_loop_shorter() -> None:
    bars = tune(8.0, seed=21)
    period = np.concatenate([*[bars] * 5, tune(8.0, seed=22), *[bars] * 5])
    heard = noisy(np.tile(period, (2, 1))[: round(1.9 * len(period))], 0.2)
    music = everywhere(heard)
    for at in (52 * STEPS, 52 * STEPS + len(period) - len(bars)):
        music[at : at + 10 * STEPS] = False
    found = loop_s(heard, music)
    assert found is not None
    assert found[0] == pytest.approx(len(period) * STEP_S, abs=0.02)


def test_parts_of_a_tune_that_come_again_changed_are_no_loop_when_its_bars_come_again_unchanged() -> None:
    beat, tunes = tune(4.0, seed=24), [tune(4.0, seed=25 + k) for k in range(4)]
    parts = [beat + 0.7 * tunes[k % 2] + 0.45 * tunes[2 + k // 2] for k in range(4)]
    heard = noisy(np.concatenate([np.tile(part, (7, 1)) for part in parts]), 0.05)
    assert loop_s(heard, everywhere(heard)) is None


def test_a_loop_that_was_broken_off_once_and_began_anew_is_found_on_both_sides() -> None:
    song, pause = tune(30.0, seed=28), np.zeros((4 * STEPS, 20), np.float32)
    sides = [played(song, 3.3, 30.0), pause, played(song, 2.6, 30.0)]
    heard = noisy(np.concatenate(sides), 0.2)
    music = np.concatenate([np.full(len(s), s is not pause) for s in sides])
    found = loop_s(heard, music)
    assert found is not None
    assert found[0] == pytest.approx(30.0, abs=0.02)


def test_other_sound_before_the_first_of_many_rounds_hides_no_loop() -> None:
    heard = noisy(np.concatenate([tune(14.0, seed=29), played(tune(23.0, seed=30), 8, 23.0)]), 0.2)
    found = loop_s(heard, everywhere(heard))
    assert found is not None
    assert found[0] == pytest.approx(23.0, abs=0.02)


def test_a_section_played_twice_before_the_tune_goes_on_is_no_loop() -> None:
    section = tune(30.0, seed=31)
    heard = noisy(np.concatenate([section, section, tune(40.0, seed=32)]), 0.1)
    assert loop_s(heard, everywhere(heard)) is None
