"""Made calls: the same each time, and their labels say what is in the sound."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from bench.calls import make, synthetic
from bench.calls.pool import Pool
from bench.calls.scenes import SCENES
from bench.calls.sounds import RATE_HZ
from bench.calls.stage import Stage
from bench.calls.tape import Tape

NAMES = sorted({scene.__name__ for scene in SCENES})
LABELS = {
    "silence": {"silence"},
    "tone": {"ringback", "busy", "reorder", "sit", "dtmf", "beep", "fax"},
    "music": {"hold_music", "background_music"},
    "speech": {"ivr", "announcement", "agent"},
}


def call(pool: Pool, scene: str, seed: int = 3, quality: str = "clean") -> make.Call:
    return make.make(pool, seed, 0, None, 150, scene, quality)


def likeness(one: NDArray[np.float32], two: NDArray[np.float32]) -> float:
    """The best correlation within the millisecond that labels are rounded to."""
    return max(float(np.corrcoef(one[8:-8], two[8 + k : len(two) - 8 + k])[0, 1]) for k in range(-8, 8))


@pytest.mark.slow
@pytest.mark.parametrize("quality", ["clean", "usual", "bad"])
def test_same_seed_and_index_give_same_samples_and_labels(pool: Pool, quality: str) -> None:
    one, two = (call(pool, "queue", 5, quality) for _ in range(2))
    assert np.array_equal(one.vendor, two.vendor)
    assert np.array_equal(one.caller, two.caller)
    assert one.label == two.label


@pytest.mark.slow
def test_other_seed_or_index_gives_another_call(pool: Pool) -> None:
    one, two, three = (make.make(pool, s, i, None, 240, "queue", "clean") for s, i in ((5, 0), (6, 0), (5, 1)))
    assert len({len(c.vendor) for c in (one, two, three)}) == 3


@pytest.mark.slow
@pytest.mark.parametrize("scene", NAMES)
def test_labels_cover_the_call_and_fit_together(pool: Pool, scene: str) -> None:
    for quality in ("clean", "bad"):
        made = call(pool, scene, 4, quality)
        label = json.loads(json.dumps(made.label))
        duration_s = label["duration_s"]
        assert duration_s == pytest.approx(len(made.vendor) / RATE_HZ, abs=0.001)
        segments = label["segments"]
        assert segments[0]["start_s"] == 0
        assert segments[-1]["end_s"] == pytest.approx(duration_s, abs=0.002)
        for one, two in itertools.pairwise(segments):
            assert one["end_s"] == two["start_s"]
            assert one["start_s"] < one["end_s"]
        assert all(s["label"] in LABELS[s["kind"]] for s in segments)
        for hold in label["holds"]:
            assert 0 <= hold["start_s"] < hold["end_s"] <= duration_s
            inside = [s for s in segments if s["start_s"] >= hold["start_s"] and s["end_s"] <= hold["end_s"]]
            assert not {"agent", "ivr", "ringback"} & {s["label"] for s in inside}
        for hold in label["holds"]:
            assert hold["music_loop_s"] is None or hold["repeats"]
        for start_s, end_s in [*label["ignore"], *label["caller_speech"], *label["maybe_holds"]]:
            assert 0 <= start_s <= end_s <= duration_s + 0.001
        assert [e["t_s"] for e in label["events"]] == sorted(e["t_s"] for e in label["events"])


@pytest.mark.slow
@pytest.mark.parametrize("scene", NAMES)
def test_silence_is_silent_and_sound_is_loud_on_a_clean_line(pool: Pool, scene: str) -> None:
    made = call(pool, scene)
    quiet_room = not any(s["label"] == "agent" for s in made.label["segments"])  # people have a room around them
    for segment in made.label["segments"]:
        first, last = (round(segment[k] * RATE_HZ) for k in ("start_s", "end_s"))
        inner = made.vendor[first + 400 : last - 400]
        hidden = any(a < segment["end_s"] and b > segment["start_s"] for a, b in made.label["ignore"])
        if len(inner) < 800:
            continue
        level_dbfs = 10 * np.log10(float(np.mean(inner.astype(np.float64) ** 2)) + 1e-12)
        if segment["kind"] == "silence":
            assert level_dbfs < (-56 if quiet_room else -38), segment
        else:
            assert level_dbfs > -57 or hidden, segment


@pytest.mark.slow
def test_said_again_is_counted_and_is_the_same_sound(pool: Pool) -> None:
    made = call(pool, "menu_loop")
    menu = next(s["source"] for s in made.label["segments"] if s["kind"] == "speech")
    said = [s for s in made.label["segments"] if s.get("source") == menu]
    starts = [min(s["start_s"] for s in said if s["occurrence"] == n) for n in (1, 2)]
    assert max(s["occurrence"] for s in said) >= 2
    first, second = (made.vendor[round(t * RATE_HZ) :][: RATE_HZ * 2] for t in starts)
    assert likeness(first, second) > 0.95


@pytest.mark.slow
def test_a_person_says_no_line_twice(pool: Pool) -> None:
    """The same recording twice would be a recording, whoever it was made of."""
    stage = Stage(pool, np.random.default_rng(5), 600)
    for _ in range(2):
        stage.person(150, 200)
    lines = [mark.source for mark in stage.tape.marks if mark.label == "agent"]
    assert len(lines) > 30
    assert len(lines) == len(set(lines))


@pytest.mark.slow
def test_music_comes_again_after_the_labelled_period(pool: Pool) -> None:
    checked = 0
    for seed in range(1, 8):
        made = make.make(pool, seed, 0, None, 240, "menu_then_queue", "clean")
        for hold in made.label["holds"]:
            if hold["music_loop_s"] and hold["mode"] == "none":
                start, period = round(hold["start_s"] * RATE_HZ) + RATE_HZ, round(hold["music_loop_s"] * RATE_HZ)
                one, two = made.vendor[start:][: 4 * RATE_HZ], made.vendor[start + period :][: 4 * RATE_HZ]
                assert likeness(one, two) > 0.98
                checked += 1
    assert checked


@pytest.mark.slow
def test_a_clock_that_is_off_moves_sound_and_labels_together(pool: Pool) -> None:
    ratios = {}
    for seed in range(1, 30):
        made = call(pool, "busy", seed, "bad")
        ratios[made.label["channel"]["clock_ratio"]] = made
        tone = next(s for s in made.label["segments"] if s["kind"] == "tone")
        assert tone["end_s"] == pytest.approx(made.label["duration_s"] - 0.5, rel=0.02)
    assert set(ratios) == {1.0, 0.995, 1.005}


@pytest.mark.slow
def test_folder_holds_both_channels_and_the_label(pool: Pool, tmp_path: Path) -> None:
    make.write_calls(pool, None, tmp_path / "out", 4, 2, 120)
    label = json.loads((tmp_path / "out/call_003.json").read_text())
    info = soundfile.info(tmp_path / "out/call_003.wav")
    assert (info.samplerate, info.channels, info.subtype) == (8000, 1, "PCM_16")
    assert info.duration == pytest.approx(label["duration_s"], abs=0.001)
    assert label["format"] == make.FORMAT
    assert label["scenario"] == "direct_agent"
    caller, _ = soundfile.read(tmp_path / "out/call_003.caller.wav")
    first_s, last_s = label["caller_speech"][0]
    assert np.abs(caller[round(first_s * 8000) : round(last_s * 8000)]).max() > 0.05
    assert np.abs(caller[: round(first_s * 8000) - 400]).max() < 0.01


def test_only_long_pauses_between_words_are_silence() -> None:
    word = synthetic.talk(1.0, 120, 1.0, np.random.default_rng(9))
    tape = Tape()
    for pause_s in (0.2, 1.0):
        tape.speech(word, "agent", f"before {pause_s}")
        tape.silence(pause_s / 2)
        tape.silence(pause_s / 2)
    tape.speech(word, "agent", "last")
    pauses = [m.end - m.start for m in tape.timeline() if m.kind == "silence"]
    assert [p / RATE_HZ for p in pauses] == [pytest.approx(1.0, abs=0.1)]
