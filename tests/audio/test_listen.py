"""What the listener says of calls made here."""

import json
from itertools import pairwise

import numpy as np
import pytest
import soxr
from numpy.typing import NDArray

from probes.audio.listen import listen, listen_blocks
from probes.audio.samples import UnusableAudio
from probes.audio.timeline import Kind, Label, Timeline
from tests.audio.sounds import RATE, queue_call, quiet, rhythm, speech, tone


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


def test_a_call_through_a_queue() -> None:
    sound, truth = queue_call()
    timeline = listen(sound, RATE)
    assert timeline.answered_s == pytest.approx(9.0, abs=0.05)
    assert len(timeline.holds) == 1
    hold = timeline.holds[0]
    assert hold.start_s == pytest.approx(truth["hold_start_s"], abs=0.1)
    assert hold.end_s == pytest.approx(truth["hold_end_s"], abs=0.1)
    assert timeline.first_person_s == pytest.approx(truth["person_s"], abs=0.1)
    assert len(timeline.messages) == 1
    assert len(timeline.messages[0].occurrences) == 2


def test_segments_cover_the_call_without_gaps() -> None:
    timeline = listen(queue_call()[0], RATE)
    assert timeline.segments[0].start_s == 0
    assert timeline.segments[-1].end_s == pytest.approx(timeline.duration_s)
    for a, b in pairwise(timeline.segments):
        assert a.end_s == pytest.approx(b.start_s)


@pytest.mark.parametrize("gain_db", [-12.0, 6.0])
def test_a_change_of_level_moves_no_edge(gain_db: float) -> None:
    sound, _ = queue_call()
    plain, changed = listen(sound, RATE), listen(sound * np.float32(10 ** (gain_db / 20)), RATE)
    assert [s.label for s in changed.segments] == [s.label for s in plain.segments]
    for a, b in zip(plain.holds, changed.holds, strict=True):
        assert b.start_s == pytest.approx(a.start_s, abs=0.06)
        assert b.end_s == pytest.approx(a.end_s, abs=0.06)
        assert a.loudness_lufs is not None
        assert b.loudness_lufs == pytest.approx(a.loudness_lufs + gain_db, abs=0.05)


@pytest.mark.parametrize("ahead_s", [3.0, 10.01])
def test_silence_before_a_call_moves_it(ahead_s: float) -> None:
    sound, _ = queue_call()
    plain, moved = listen(sound, RATE), listen(np.concatenate([quiet(ahead_s), sound]), RATE)
    assert [h.start_s for h in moved.holds] == pytest.approx([h.start_s + ahead_s for h in plain.holds], abs=0.06)
    assert [t.start_s for t in moved.tones] == pytest.approx([t.start_s + ahead_s for t in plain.tones], abs=0.01)


@pytest.mark.parametrize("rate_hz", [16000, 44100, 48000])
def test_the_sampling_rate_does_not_matter(rate_hz: int) -> None:
    sound, _ = queue_call()
    plain, other = listen(sound, RATE), listen(soxr.resample(sound, RATE, rate_hz), rate_hz)
    assert [s.label for s in other.segments] == [s.label for s in plain.segments]
    assert [h.end_s for h in other.holds] == pytest.approx([h.end_s for h in plain.holds], abs=0.06)


def test_blocks_of_any_size_are_heard_alike() -> None:
    sound, _ = queue_call()
    cut = [sound[i : i + 3001] for i in range(0, len(sound), 3001)]
    assert listen_blocks(cut, RATE).to_json() == listen(sound, RATE).to_json()


def test_talk_over_needs_the_callers_channel() -> None:
    sound, truth = queue_call()
    ours = np.zeros_like(sound)
    at = int((truth["person_s"] + 1) * RATE)
    words = speech("Hello, can you hear me? I want to talk about my ticket please.", "en+m7")
    ours[at : at + len(words)] = words
    assert listen(sound, RATE).talk_over is None
    spans = listen(sound, RATE, caller=ours).talk_over
    assert spans
    assert spans[0].start_s == pytest.approx(truth["person_s"] + 1, abs=0.3)
