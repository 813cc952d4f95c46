"""What the listener says of calls made here."""

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from probes.audio.listen import listen
from probes.audio.samples import UnusableAudio
from probes.audio.timeline import Kind, Label, Timeline

RATE = 8000


def tone(hz: tuple[float, ...], length_s: float, level: float = 0.1) -> NDArray[np.float32]:
    t = np.arange(int(length_s * RATE)) / RATE
    return (sum(np.sin(2 * np.pi * f * t) for f in hz) * level / len(hz)).astype(np.float32)


def quiet(length_s: float) -> NDArray[np.float32]:
    return np.zeros(int(length_s * RATE), np.float32)


def rhythm(hz: tuple[float, ...], cadence: tuple[float, ...], times: int) -> NDArray[np.float32]:
    return np.concatenate(
        [tone(hz, d) if i % 2 == 0 else quiet(d) for _ in range(times) for i, d in enumerate(cadence)]
    )


@pytest.mark.parametrize(
    ("hz", "cadence", "label"),
    [
        ((440, 480), (2, 4), Label.RINGBACK),
        ((400, 450), (0.4, 0.2, 0.4, 2), Label.RINGBACK),
        ((425,), (1, 4), Label.RINGBACK),
        ((440,), (1.5, 3.5), Label.RINGBACK),
        ((480, 620), (0.5, 0.5), Label.BUSY),
        ((425,), (0.5, 0.5), Label.BUSY),
        ((480, 620), (0.25, 0.25), Label.REORDER),
        ((425,), (0.25, 0.25), Label.REORDER),
    ],
)
def test_national_tones_are_named(hz: tuple[float, ...], cadence: tuple[float, ...], label: Label) -> None:
    timeline = listen(np.concatenate([quiet(1), rhythm(hz, cadence, 6), quiet(1)]), RATE)
    assert [t.label for t in timeline.tones] == [label]
    assert timeline.tones[0].start_s == pytest.approx(1.0, abs=0.02)


def test_keyed_digits_are_read() -> None:
    pairs = {"1": (697, 1209), "5": (770, 1336), "9": (852, 1477), "#": (941, 1477)}
    sound = np.concatenate(
        [quiet(1), *[np.concatenate([tone(pairs[d], 0.1, 0.3), quiet(0.1)]) for d in "159#"], quiet(1)]
    )
    assert "".join(t.digits or "" for t in listen(sound, RATE).tones) == "159#"


def test_nothing_at_all_is_silence() -> None:
    timeline = listen(quiet(30), RATE)
    assert [(s.kind, s.label) for s in timeline.segments] == [(Kind.SILENCE, Label.SILENCE)]
    assert timeline.quality.one_way
    assert timeline.holds == ()


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (np.zeros(0, np.float32), "too short"),
        (np.zeros(1, np.float32), "too short"),
        (np.full(8000, np.nan, np.float32), "not a number"),
        (np.zeros((8000, 2), np.float32), "choose one channel"),
        (np.full(8000, 3e4, np.float32), "full scale"),
    ],
)
def test_what_cannot_be_listened_to_is_said(samples: NDArray[np.float32], words: str) -> None:
    with pytest.raises(UnusableAudio, match=words):
        listen(samples, RATE)


def test_a_stored_timeline_reads_back() -> None:
    timeline = listen(np.concatenate([quiet(1), rhythm((440, 480), (2, 4), 3), quiet(1)]), RATE)
    document = json.loads(json.dumps(timeline.to_json()))
    assert document["format"] == "holdproof.timeline"
    assert Timeline.from_json(document).to_json() == timeline.to_json()
