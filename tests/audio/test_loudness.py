"""Loudness against the reference package and against the table of EBU Tech 3341."""

import numpy as np
import pyloudnorm
import pytest
import soxr

from probes.audio.frames import FrameReader, join
from probes.audio.loudness import loudness_lufs
from tests.audio.sounds import RATE, Sound, music, quiet, tone


def heard(sound: Sound) -> float | None:
    reader = FrameReader()
    return loudness_lufs(join(reader.push(sound) + reader.finish()).k_power)


def reference(sound: Sound) -> float:
    wide = soxr.resample(sound.astype(np.float64), RATE, 48_000, quality="VHQ")
    return float(pyloudnorm.Meter(48_000, filter_class="DeMan").integrated_loudness(wide))


@pytest.mark.parametrize("hz", [250, 997, 2000, 3000])
def test_a_sine_reads_as_the_reference_at_48_khz(hz: int) -> None:
    sound = tone((hz,), 20, level=0.2)
    assert heard(sound) == pytest.approx(reference(sound), abs=0.1)


def test_a_full_scale_sine_of_997_hz_reads_minus_3_01() -> None:
    assert heard(tone((997,), 20, level=1.0)) == pytest.approx(-3.01, abs=0.05)


def test_quiet_parts_are_gated_as_in_ebu_tech_3341_case_3() -> None:
    parts = [tone((997,), 10, level=10 ** (d / 20)) for d in (-36, -23, -36)]
    parts[1] = tone((997,), 60, level=10 ** (-23 / 20))
    sound = np.concatenate(parts)
    assert heard(sound) == pytest.approx(reference(sound), abs=0.1)


def test_music_reads_as_the_reference() -> None:
    sound = np.concatenate([quiet(2), music(40), quiet(3)])
    assert heard(sound) == pytest.approx(reference(sound), abs=0.1)


@pytest.mark.parametrize("gain_db", [-20.0, 6.0])
def test_gain_shifts_loudness_by_itself(gain_db: float) -> None:
    sound = music(20, level=0.05)
    plain = heard(sound)
    assert plain is not None
    assert heard(sound * np.float32(10 ** (gain_db / 20))) == pytest.approx(plain + gain_db, abs=0.02)


def test_silence_has_no_loudness() -> None:
    assert heard(quiet(10)) is None
