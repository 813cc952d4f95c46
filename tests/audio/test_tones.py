"""Tones with names: neighbouring notes that a telephone's spectrum cannot part, lost bursts, what only looks alike."""

import numpy as np
import pytest

from probes.audio.listen import listen
from probes.audio.timeline import Label, Tone
from tests.audio.sounds import RATE, Sound, quiet, rhythm, tone


def heard(*parts: Sound) -> list[Tone]:
    return list(listen(np.concatenate([quiet(1), *parts, quiet(2)]), RATE).tones)


@pytest.mark.parametrize(
    ("hz", "cadence", "times", "label", "plan"),
    [
        ((400, 425), (0.4, 0.2, 0.4, 2), 3, Label.RINGBACK, "au"),  # 25 Hz apart: one note to a spectrum of 64 ms
        ((400, 450), (0.4, 0.2, 0.4, 2), 3, Label.RINGBACK, "uk"),
        ((400, 433), (0.4, 0.2, 0.4, 2), 3, Label.RINGBACK, "za"),
        ((384, 416), (1, 2), 3, Label.RINGBACK, "jp"),
        ((425,), (1.5, 3), 3, Label.RINGBACK, "es"),
        ((425,), (0.375, 0.375), 8, Label.BUSY, "au"),
        ((480, 620), (0.25, 0.25), 10, Label.REORDER, "us"),
    ],
)
def test_a_tone_has_the_name_of_its_plan(
    hz: tuple[float, ...], cadence: tuple[float, ...], times: int, label: Label, plan: str
) -> None:
    tones = heard(rhythm(hz, cadence, times))
    assert [(t.label, t.plan) for t in tones] == [(label, plan)]


def test_what_two_countries_share_goes_to_the_one_that_rang() -> None:
    tones = heard(rhythm((425,), (1.5, 3), 2), rhythm((425,), (0.2, 0.2), 15))
    assert [(t.label, t.plan) for t in tones] == [(Label.RINGBACK, "es"), (Label.BUSY, "es")]


@pytest.mark.parametrize("lost", [{0}, {3}, {2, 5, 6}])
def test_lost_bursts_do_not_change_the_name(lost: set[int]) -> None:
    bursts = [quiet(0.4) if i in lost else rhythm((425,), (0.2, 0.2), 1) for i in range(12)]
    tones = heard(rhythm((425,), (1.5, 3), 2), *bursts)
    assert [t.label for t in tones] == [Label.RINGBACK, Label.BUSY]


def test_a_torn_ringing_tone_is_one_ringing_tone() -> None:
    ring = rhythm((440, 480), (2, 4), 4)
    rng = np.random.default_rng(4)
    for _ in range(8):  # bursts of lost packets
        at, length = int(rng.uniform(0, len(ring))), int(rng.uniform(0.1, 0.4) * RATE)
        ring[at : at + length] = 0
    tones = heard(ring)
    assert [t.label for t in tones] == [Label.RINGBACK]
    assert tones[0].plan == "us"


def test_a_beep_after_the_ringing_is_not_part_of_it() -> None:
    tones = heard(rhythm((440, 480), (2, 4), 3)[: 14 * RATE], quiet(0.8), tone((440,), 0.3))
    assert [t.label for t in tones] == [Label.RINGBACK, Label.BEEP]
    assert tones[0].end_s == pytest.approx(15, abs=0.05)


@pytest.mark.parametrize("lost", [None, 0, 1, 2])
def test_an_intercept_is_known_by_two_of_its_three_notes(lost: int | None) -> None:
    notes = [tone((hz,), 0.33) for hz in (985.2, 1428.5, 1776.7)]
    if lost is not None:
        notes[lost] = quiet(0.33)
    assert [t.label for t in heard(*notes)] == [Label.SIT]


def test_a_fax_that_names_itself_is_a_fax_to_the_end() -> None:
    rng = np.random.default_rng(7)
    bits = np.concatenate([np.tile([0, 1, 1, 1, 1, 1, 1, 0], 9), rng.integers(0, 2, 300)])
    hz = np.where(np.repeat(bits, RATE // 300 + 1) > 0, 1650.0, 1850.0)
    data = (0.1 * np.sin(2 * np.pi * np.cumsum(hz) / RATE)).astype(np.float32)
    sound = np.concatenate([quiet(1), tone((2100,), 3), quiet(0.075), data, quiet(2)])
    segments = [s for s in listen(sound, RATE).segments if s.kind.value == "tone"]
    assert {s.label for s in segments} == {Label.FAX}
    assert segments[-1].end_s == pytest.approx(4.075 + len(data) / RATE, abs=0.25)
