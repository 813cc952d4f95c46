"""Tones, music, coding and voices against known answers."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from probes.errors import Unavailable
from probes.practice import mixing, music, tones
from probes.practice.character import Channel
from probes.practice.line import End, Played
from probes.practice.sounds import KeyTone, Music, Sounds
from probes.practice.voices import Voices


def strongest_hz(samples: NDArray[np.float32], count: int) -> set[int]:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 8000))
    found: set[int] = set()
    for bin_hz in np.argsort(spectrum)[::-1]:
        if all(abs(int(bin_hz) - other) > 40 for other in found):
            found.add(int(bin_hz))
        if len(found) == count:
            break
    return found


@pytest.mark.parametrize(
    ("key", "low", "high"), [("1", 697, 1209), ("5", 770, 1336), ("9", 852, 1477), ("#", 941, 1477), ("D", 941, 1633)]
)
def test_a_key_is_its_two_frequencies(key: str, low: int, high: int) -> None:
    found = sorted(strongest_hz(tones.key_tone(key), 2))
    assert found == [pytest.approx(low, abs=3), pytest.approx(high, abs=3)]


def test_a_tone_has_the_level_that_is_asked_for() -> None:
    steady = tones.tone((400, 450), 2.0, -20.0)[400:-400]
    assert 20 * np.log10(np.sqrt(np.mean(steady**2))) == pytest.approx(-20.0, abs=0.1)


@pytest.mark.parametrize("piece", sorted(music.PIECES))
def test_a_piece_repeats_after_its_length_and_not_before(piece: str) -> None:
    loop = music.compose(piece).astype(np.float64)
    twice = np.fft.irfft(np.abs(np.fft.rfft(loop)) ** 2)
    inside = twice[8000 : len(loop) - 8000] / twice[0]
    assert np.max(inside) < 0.8
    assert 15.0 < len(loop) / tones.RATE_HZ < 60.0


def test_a_loop_of_music_has_no_seam(tmp_path: Path) -> None:
    loop = music.compose("waltz")
    jumps = np.abs(np.diff(loop))
    assert abs(float(loop[0] - loop[-1])) <= float(np.max(jumps))


# ITU-T G.711, table 2b: decoder output values at 14 bits, here at 16 (times 4).
@pytest.mark.parametrize(("sample", "decoded"), [(0, 0), (32767, 32124), (-32767, -32124), (1000, 988), (100, 104)])
def test_mu_law_gives_the_values_of_the_standard(sample: int, decoded: int) -> None:
    assert mixing.coded(np.array([sample / 32767.0], np.float32))[0] == decoded


def test_coding_twice_changes_nothing_more() -> None:
    once = mixing.coded(np.linspace(-1, 1, 5001, dtype=np.float32))
    assert np.array_equal(mixing.coded(once.astype(np.float32) / 32767.0), once)
    assert len(np.unique(once)) <= 255


def test_music_goes_on_where_its_offset_says(tmp_path: Path) -> None:
    sounds = Sounds(tmp_path)
    period = len(sounds.samples(Music("march")))
    whole = mixing.render([Played(End.VENDOR, Music("march"), 0.0, 50.0)], End.VENDOR, 50.0, sounds)
    assert np.array_equal(whole[:period], whole[period : 2 * period])
    parts = [Played(End.VENDOR, Music("march"), 0.0, 7.5), Played(End.VENDOR, Music("march"), 7.5, 50.0, 0.0, 7.5)]
    assert np.array_equal(mixing.render(parts, End.VENDOR, 50.0, sounds), whole)
    assert not np.any(mixing.render(parts, End.CALLER, 50.0, sounds))


def test_a_sound_is_where_it_was_played(tmp_path: Path) -> None:
    track = mixing.render([Played(End.CALLER, KeyTone("3"), 1.25, 1.37)], End.CALLER, 2.0, Sounds(tmp_path))
    loud = np.flatnonzero(np.abs(track) > 0.01)
    assert loud[0] / 8000 == pytest.approx(1.25, abs=0.005)
    assert loud[-1] / 8000 == pytest.approx(1.37, abs=0.005)


def test_the_network_does_the_same_twice_and_loses_what_it_should() -> None:
    track = np.full(8000 * 60, 0.1, np.float32)
    channel = Channel(loss_ratio=0.05, noise_dbfs=-50.0, band_pass=False)
    first, again, other = (mixing.over_network(track, channel, seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.mean(first == 0.0) == pytest.approx(0.05, rel=0.4)
    noise = (first - track)[first != 0.0]
    assert 20 * np.log10(np.std(noise)) == pytest.approx(-50.0, abs=0.5)


@pytest.mark.parametrize("engine", ["flite", "espeak-ng"])
def test_a_line_is_spoken_in_either_voice_at_one_level(tmp_path: Path, engine: str) -> None:
    if not (shutil.which("flite") if engine == "flite" else find_spec("espeakng_loader")):
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{engine} is not installed")
    voices = Voices(tmp_path)
    voices.engine = engine
    line = voices.speak("Your call is important to us.", "arthur")
    assert 1.0 < len(line) / 8000 < 4.0
    sounding = line[np.abs(line) > 0.02]
    assert 20 * np.log10(np.sqrt(np.mean(sounding**2))) == pytest.approx(-20.0, abs=2.0)
    assert np.array_equal(voices.speak("Your call is important to us.", "arthur"), line)
    assert len(list(tmp_path.glob("*.npy"))) == 1


def test_without_a_synthesiser_the_cure_is_named(tmp_path: Path) -> None:
    voices = Voices(tmp_path)
    voices.engine = ""
    with pytest.raises(Unavailable, match="apt install flite"):
        voices.speak("Hello", "ivy")
