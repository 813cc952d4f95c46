"""The scorer, on cases small enough to count by hand."""

import pytest

from bench.calls.score import Score, agreement, figures, matched, score


def segment(start_s: float, end_s: float, kind: str, label: str | None = None, **more) -> dict:
    return {"start_s": start_s, "end_s": end_s, "kind": kind, "label": label or kind, **more}


def call(**changes) -> dict:
    """Ten seconds each of ringback, menu, hold music with a message said twice, a person, silence."""
    label = {
        "id": "made-1",
        "scenario": "queue",
        "duration_s": 60.0,
        "segments": [
            segment(0, 10, "tone", "ringback"),
            segment(10, 20, "speech", "ivr", occurrence=1),
            segment(20, 24, "music", "hold_music"),
            segment(24, 27, "speech", "announcement", occurrence=1),
            segment(27, 35, "music", "hold_music"),
            segment(35, 38, "speech", "announcement", occurrence=2),
            segment(38, 40, "music", "hold_music"),
            segment(40, 50, "speech", "agent"),
            segment(50, 60, "silence"),
        ],
        "holds": [{"start_s": 20, "end_s": 40, "music_loop_s": 7.5}],
        "music_loop_s": 7.5,
        "music_repeats": True,
        "ignore": [],
        "maybe_holds": [],
    }
    return label | changes


def heard(**changes) -> dict:
    return {key: call()[key] for key in ("segments", "holds", "music_loop_s")} | changes


def test_the_truth_scores_full() -> None:
    values = figures(score(call(), heard(), 2.0))
    assert values["frame_accuracy"] == values["macro_f1"] == values["tone_name"] == values["person_found"] == 1.0
    assert (values["holds"], values["holds_found"], values["holds_spurious"], values["holds_far_edge"]) == (1, 1, 0, 0)
    assert values["edge_p95_ms"] == values["duration_error_p95_pct"] == values["first_person_p95_s"] == 0
    assert (values["loops"], values["loops_right"]) == (1, 1)
    assert values["times_real_time"] == 30.0


def test_nothing_heard_is_silence() -> None:
    values = figures(score(call(), {}))
    assert values["frame_accuracy"] == pytest.approx(10 / 60, abs=1e-4)
    assert values["f1"]["silence"] == pytest.approx(2 * (1 / 6) / (1 / 6 + 1), abs=1e-4)
    assert values["holds_found"] == 0
    assert values["first_person_missed"] == values["loops_unheard"] == 1


def test_ignored_time_is_not_counted() -> None:
    said = heard(segments=[*call()["segments"], segment(52, 54, "music", "hold_music")])
    assert figures(score(call(), said))["frame_accuracy"] == pytest.approx(58 / 60, abs=1e-4)
    assert figures(score(call(ignore=[[52, 54]]), said))["frame_accuracy"] == 1.0


def test_later_segment_wins_and_a_frame_belongs_to_who_has_its_centre() -> None:
    said = heard(segments=[*call()["segments"], segment(50, 50.04, "music"), segment(51, 51.06, "music")])
    assert figures(score(call(), said))["frame_accuracy"] == pytest.approx(599 / 600, abs=1e-4)


def test_hold_edges_and_duration() -> None:
    values = figures(score(call(), heard(holds=[{"start_s": 19.5, "end_s": 43}])))
    assert values["edge_median_ms"] == pytest.approx((500 + 3000) / 2)
    assert values["duration_error_median_pct"] == pytest.approx(17.5)
    assert values["total_hold_error_mean_pct"] == pytest.approx(17.5)
    assert values["holds_far_edge"] == 1


def buried(**changes) -> dict:
    """The line covers the first three seconds of the music, and the last after its last message."""
    return call(holds=[{"start_s": 23, "end_s": 38, "music_loop_s": 7.5}], ignore=[[20, 23], [38, 40]], **changes)


@pytest.mark.parametrize(("start_s", "end_s"), [(20, 40), (23, 38), (21.3, 39), (20, 38)])
def test_any_moment_of_music_that_the_line_covers_is_a_right_edge(start_s: float, end_s: float) -> None:
    values = figures(score(buried(), heard(holds=[{"start_s": start_s, "end_s": end_s}])))
    assert (values["edge_p95_ms"], values["duration_error_p95_pct"], values["total_hold_error_mean_pct"]) == (0, 0, 0)
    assert values["holds_far_edge"] == 0


def test_an_edge_before_or_in_the_covered_music_is_off_by_what_lies_between() -> None:
    early = score(buried(), heard(holds=[{"start_s": 17.5, "end_s": 38}]))
    late = score(buried(), heard(holds=[{"start_s": 26, "end_s": 41}]))
    assert [e.error_s for e in early.edges] == [-2.5, 0]
    assert [e.error_s for e in late.edges] == [3, 1]
    assert (early.edges[0].true_s, late.edges[0].true_s) == (20, 23)


def test_the_label_alone_counts_when_asked_and_where_other_ignored_time_adjoins() -> None:
    said = heard(holds=[{"start_s": 20, "end_s": 40}])
    assert figures(score(buried(), said, to_label=True))["holds_far_edge"] == 1
    gap = call(holds=[{"start_s": 23, "end_s": 40}], ignore=[[10, 20], [21, 22]])  # a menu; music that is heard again
    assert [e.error_s for e in score(gap, said).edges] == [-3, 0]


def test_two_halves_of_a_hold_are_one_found_and_one_spurious() -> None:
    values = figures(score(call(), heard(holds=[{"start_s": 20, "end_s": 31}, {"start_s": 31, "end_s": 40}])))
    assert (values["holds_found"], values["holds_spurious"]) == (1, 1)


def test_best_overlap_is_matched_first() -> None:
    truth = [{"start_s": 0, "end_s": 10}, {"start_s": 10, "end_s": 20}]
    said = [{"start_s": 4, "end_s": 14}, {"start_s": 1, "end_s": 10}, {"start_s": 10, "end_s": 19}]
    assert [(a["start_s"], b["start_s"]) for a, b in matched(truth, said)] == [(10, 10), (0, 1)]


def test_a_hold_where_there_may_be_one_is_neither_found_nor_spurious() -> None:
    said = heard(holds=[*call()["holds"], {"start_s": 50.5, "end_s": 59}])
    assert figures(score(call(), said))["holds_spurious"] == 1
    values = figures(score(call(maybe_holds=[[50, 60]]), said))
    assert (values["holds_found"], values["holds_spurious"], values["total_hold_error_mean_pct"]) == (1, 0, 0)


@pytest.mark.parametrize(
    ("said_s", "count"),
    [
        (7.5, "loops_right"),
        (7.7, "loops_right"),
        (15.0, "loops_multiple"),
        (9.0, "loops_wrong"),
        (None, "loops_unheard"),
    ],
)
def test_loop_periods(said_s: float | None, count: str) -> None:
    values = figures(score(call(), heard(music_loop_s=said_s)))
    names = ("loops_right", "loops_multiple", "loops_wrong", "loops_unheard")
    assert {name: values[name] for name in names} == {name: int(name == count) for name in names}


def test_a_loop_claimed_where_nothing_repeats_is_counted() -> None:
    once = call(holds=[{"start_s": 20, "end_s": 40, "music_loop_s": None}], music_loop_s=None, music_repeats=False)
    assert figures(score(once, heard()))["loops_claimed_of_none"] == [1, 1]
    assert figures(score(once, heard(music_loop_s=None)))["loops_claimed_of_none"] == [0, 1]
    unknown = call(holds=[], music_loop_s=None, music_repeats=True)
    assert figures(score(unknown, heard()))["loops_claimed_of_none"] == [0, 0]


def test_message_said_again_is_known_when_half_of_it_is_marked() -> None:
    assert figures(score(call(), heard()))["repeated_messages"] == 1.0
    segments = [s | {"occurrence": None} for s in call()["segments"]]
    assert figures(score(call(), heard(segments=segments)))["repeated_messages"] == 0.0
    segments.append(segment(35, 36.6, "speech", "announcement", occurrence=2))
    assert figures(score(call(), heard(segments=segments)))["repeated_messages"] == 1.0


def test_a_person_called_a_recording() -> None:
    segments = [s | ({"label": "ivr", "occurrence": 3} if s["label"] == "agent" else {}) for s in call()["segments"]]
    values = figures(score(call(), heard(segments=segments)))
    assert values["person_found"] == 0.0
    assert values["persons_called_recorded"] == values["persons_called_repeated"] == 1.0
    assert values["first_person_missed"] == 1


def test_a_recording_called_a_person_moves_the_first_person() -> None:
    segments = [s | ({"label": "agent"} if s["label"] == "ivr" else {}) for s in call()["segments"]]
    values = figures(score(call(), heard(segments=segments)))
    assert values["first_person_median_s"] == 30.0
    assert values["person_precision"] == 0.5


def test_tone_in_music_is_false_and_tone_on_tone_is_not() -> None:
    segments = [*call()["segments"], segment(28, 29, "tone", "beep"), segment(2, 3, "tone", "beep")]
    assert figures(score(call(), heard(segments=segments)))["false_tones"] == 1


def test_scores_add_up() -> None:
    total = Score()
    total += score(call(), heard(), 1.0)
    total += score(call(), {}, 1.0)
    values = figures(total)
    assert (values["calls"], values["minutes"], values["holds"], values["holds_found"]) == (2, 2.0, 2, 1)
    assert values["times_real_time"] == 60.0


def test_disagreement_with_another_scorer_is_named() -> None:
    own = figures(score(call(), heard()))
    none = {"median": 0.0, "p95": 0.0}
    other = {
        "frame_accuracy": 1.0, "macro_f1": 1.0, "f1": own["f1"], "tone_label_acc": 1.0, "repeated_recorded_acc": 1.0,
        "oneshot_recorded_acc": 1.0, "agent_live_acc": 1.0, "agent_precision": 0.5, "total_hold_err_pct": {"mean": 0.0},
        "holds": {"labelled": 1, "matched": 1, "boundary_ms": none, "duration_err_pct": none},
        "first_agent": {"median_err_s": 0.0, "p95_err_s": 0.0, "missed": 0, "false": 0},
        "loop": {"labelled": 1, "within_250ms": 1, "multiple": 0},
    }  # fmt: skip
    assert agreement(own, other) == ["person_precision: ours 1.0, outside 0.5"]
