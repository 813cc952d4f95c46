"""The figures' grammar, and that figures hide nothing and collide nowhere."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.analysis.model.promises import PromiseOutcome
from reports import words
from reports.figures import grammar as g
from reports.figures.call_strip import call_strip_svg, phases
from reports.figures.case_timeline import Due, Lane, Mark, case_timeline_svg
from reports.figures.dots import Dot, Limit, Row, dots_svg
from reports.figures.promises import Pledge, promises_svg
from reports.figures.survival import Curve, at_risk, survival_svg
from tests.reports.samples import at, first_call, short_call

SVG = "{http://www.w3.org/2000/svg}"
LONDON = words.zone("Europe/London")


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter(f"{SVG}text")]


def described(svg: str) -> str:
    root = ET.fromstring(svg)
    return f"{root.findtext(f'{SVG}title')} {root.findtext(f'{SVG}desc')}"


@given(st.floats(0, 1e7), st.floats(0.1, 1e7))
def test_ticks_lie_within_and_are_few(low: float, span: float) -> None:
    ticks = g.number_ticks(low, low + span)
    assert 1 <= len(ticks) <= 7
    assert all(low - span * 1e-6 <= tick <= low + span * (1 + 1e-6) for tick in ticks)
    assert list(ticks) == sorted(set(ticks))


@given(st.floats(0.5, 4e8))
def test_duration_ticks_start_at_zero_and_are_few(longest_s: float) -> None:
    ticks = g.duration_ticks(longest_s)
    assert ticks[0] == 0
    assert len(ticks) <= 8
    assert ticks[-1] <= longest_s * (1 + 1e-9)


@given(st.integers(1, 400 * 86400), st.integers(0, 365))
def test_moment_ticks_stay_within_the_case(span_s: int, day: int) -> None:
    start = datetime(2026, 1, 1, 5, 7, tzinfo=UTC) + timedelta(days=day)
    end = start + timedelta(seconds=span_s)
    ticks = g.moment_ticks(start, end, LONDON)
    assert len(ticks) <= 10
    assert all(start <= moment <= end for moment, _ in ticks)


def test_days_are_the_vendors_days_even_when_the_clocks_change() -> None:
    start = datetime(2026, 10, 23, 22, 0, tzinfo=UTC)  # London leaves summer time on the 25th
    labels = [label for _, label in g.moment_ticks(start, start + timedelta(days=4), LONDON)]
    assert labels == ["Sat 24 Oct", "12:00", "Sun 25 Oct", "12:00", "Mon 26 Oct", "12:00", "Tue 27 Oct", "12:00"]


@given(st.lists(st.floats(0, 100), max_size=20), st.floats(0.1, 30))
def test_spread_keeps_order_and_distance(wanted: list[float], gap: float) -> None:
    placed = g.spread(wanted, gap, 0, 100)
    order = sorted(range(len(wanted)), key=lambda i: (wanted[i], i))
    room = min(gap, 100 / max(len(wanted) - 1, 1))
    for first, second in itertools.pairwise(order):
        assert placed[second] - placed[first] >= room - 1e-6
    assert all(-1e-6 <= place <= 100 + 1e-6 for place in placed)


@given(st.lists(st.tuples(st.floats(0, 600), st.floats(5, 60)), max_size=8))
def test_boxes_never_overlap(boxes: list[tuple[float, float]]) -> None:
    boxes.sort()
    widths = [width for _, width in boxes]
    spots = g.spread_boxes([centre for centre, _ in boxes], widths, 5, 0, 642)
    for i in range(len(boxes) - 1):
        assert spots[i + 1] - widths[i + 1] / 2 >= spots[i] + widths[i] / 2 + 5 - 1e-6


def test_a_value_beyond_the_axis_is_drawn_with_its_size() -> None:
    row = Row("Alder", (Dot(600), Dot(900), Dot(6960)), estimate=900, said="15 min")
    svg = dots_svg("Hold", [row], "s", upto=4200)
    assert "1 h 56 min" in texts(svg)
    assert "1 h 56 min" not in texts(dots_svg("Hold", [row], "s"))


def test_every_observation_is_a_dot_and_lower_bounds_are_hollow() -> None:
    row = Row("Alder", tuple(Dot(60.0, censored=i == 2) for i in range(7)), said="1 min")
    root = ET.fromstring(dots_svg("Hold", [row], "s"))
    dots = list(root.iter(f"{SVG}circle"))
    assert len(dots) == 7
    assert sum(dot.get("fill") == g.PAPER for dot in dots) == 1
    assert len({(dot.get("cx"), dot.get("cy")) for dot in dots}) == 7, "equal values must stay countable"


def test_a_moment_between_two_looks_is_drawn_as_a_line_up_to_the_dot() -> None:
    lines = [
        svg.count("<line")
        for svg in (dots_svg("Wait", [Row("A", (Dot(60.0, earliest=e),))], "s") for e in (None, 20.0))
    ]
    assert lines[1] == lines[0] + 1


def test_hundreds_of_equal_values_stay_within_their_row() -> None:
    svg = dots_svg("Hold", [Row("Alder", tuple(Dot(60.0) for _ in range(600))), Row("Cobalt", (Dot(30.0),))], "s")
    heights = [float(dot.get("cy", "0")) for dot in ET.fromstring(svg).iter(f"{SVG}circle")]
    assert max(heights[:600]) - min(heights[:600]) < 40


def test_a_limit_and_negative_values_fit() -> None:
    svg = dots_svg("Louder by", [Row("Alder", (Dot(-4.5), Dot(9.6)))], "LU", limit=Limit(6.0, "limit 6 LU"))
    assert "limit 6 LU" in texts(svg)
    assert "−4.5 LU" in described(svg)


def test_the_number_at_risk_counts_waits_still_under_way() -> None:
    curve = Curve("Alder", (60.0, 120.0), (0.75, 0.5), (60.0, 120.0, 200.0, 300.0), (200.0, 300.0))
    assert [at_risk(curve, t) for t in (0, 60, 61, 300, 301)] == [4, 4, 3, 1, 0]
    svg = survival_svg("Wait", [curve])
    assert "4" in texts(svg)
    assert "2 of them unanswered when we stopped" in described(svg)


def test_promises_are_told_by_shape_and_word_and_not_by_colour_alone() -> None:
    pledges = [
        Pledge("answer", 3600, 1800, PromiseOutcome.KEPT, "kept"),
        Pledge("update", 3600, 7200, PromiseOutcome.LATE, "late, 1 h over"),
        Pledge("solution", 3600, None, PromiseOutcome.BROKEN, "broken"),
    ]
    svg = promises_svg("Promises", pledges)
    assert {"kept", "late, 1 h over", "broken"} <= set(texts(svg))
    assert "came after 2 h (late)" in described(svg)
    assert "had not come when we stopped looking (broken)" in described(svg)


def test_a_case_shows_each_mark_and_what_falls_due_after_its_end() -> None:
    marks = [
        Mark(1, Lane.CUSTOMER, at(), "opened"),
        Mark(2, Lane.CALL, at(days=3), "call", at(days=3, minutes=23)),
        Mark(3, Lane.VENDOR, at(days=3, hours=16), "answer"),
    ]
    dues = [
        Due("answer", at(), at(days=1), at(days=3, hours=16), PromiseOutcome.LATE),
        Due("solution", at(), at(days=9), None, PromiseOutcome.PENDING),
    ]
    svg = case_timeline_svg("Case 1", marks, dues, at(), at(days=4), LONDON)
    assert {"1", "2", "3", "late", "3 days", "pending, due 11 November 2026"} <= set(texts(svg))


@pytest.mark.parametrize("seconds", [0, 30, 86400 * 400])
def test_a_case_of_any_length_can_be_drawn(seconds: int) -> None:
    end = at() + timedelta(seconds=seconds)
    svg = case_timeline_svg("Case", [Mark(1, Lane.CUSTOMER, at(), "x")], [], at(), end, LONDON)
    assert "1" in texts(svg)


def test_a_call_strip_says_what_was_heard_and_how_long() -> None:
    svg = call_strip_svg(first_call(), end_note="we hung up, 23:24")
    shown = " ".join(texts(svg))
    for said in ("music 9 min 42 s", "agent 54 s", "a person 1:04", "we hung up, 23:24", "on hold 21 min 24 s"):
        assert said in shown
    assert "loop of 32 s heard 40.1 times" in shown
    assert "9.6 LU louder than the agent" in shown
    assert "2:00" not in described(svg)
    assert "0:41 keys 2 s" in described(svg)


def test_a_call_strip_with_a_waveform_is_taller() -> None:
    plain, waved = (call_strip_svg(short_call(200, 40), envelope=e) for e in (None, [0.1, 0.9, 0.4] * 300))
    heights = [float(ET.fromstring(svg).get("height", "0")) for svg in (plain, waved)]
    assert heights[1] > heights[0]


def test_short_silences_do_not_cut_a_phase_in_two() -> None:
    joined = phases(first_call().segments)
    assert [phase.label.value for phase in joined][:4] == ["ringback", "ivr", "dtmf", "hold_music"]


HOSTILE = '"><script>alert(1)</script>\u202e & ]]>'


@pytest.mark.parametrize(
    "svg",
    [
        dots_svg(HOSTILE, [Row(HOSTILE, (Dot(1, note=HOSTILE),), said=HOSTILE)], "s"),
        promises_svg(HOSTILE, [Pledge(HOSTILE, 10, 20, PromiseOutcome.LATE, HOSTILE)]),
        case_timeline_svg(HOSTILE, [Mark(1, Lane.VENDOR, at(), HOSTILE)], [], at(), at(days=1), LONDON),
        call_strip_svg(first_call(), title=HOSTILE, end_note=HOSTILE),
        survival_svg(HOSTILE, [Curve(HOSTILE, (1.0,), (0.5,), (1.0, 2.0))]),
    ],
    ids=["dots", "promises", "case", "call", "survival"],
)
def test_hostile_words_stay_words(svg: str) -> None:
    root = ET.fromstring(svg)
    assert not [element for element in root.iter() if element.tag.endswith("script")]
    assert "\u202e" not in svg
    assert root.get("role") == "img"
    assert described(svg).strip()
    for element in root.iter(f"{SVG}text"):
        assert element.get("font-family")
        assert element.get("fill")
        assert float(element.get("font-size", "0")) >= 9.5


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colour", [g.INK, g.GREY, g.ACCENT, g.HOLD, g.KEPT, g.BROKEN])
def test_colours_of_words_can_be_read_on_paper(colour: str) -> None:
    assert contrast(colour, g.PAPER) >= 4.5


def test_words_on_a_call_strip_can_be_read() -> None:
    from probes.audio.timeline import Label
    from reports.figures.call_strip import look

    for label in Label:
        _, fill, ink = look(label)
        assert contrast(fill, ink) >= 4.5, label


def _seen_by_deuteranopes(colour: str) -> tuple[float, float, float]:
    # Viénot, Brettel and Mollon (1999), linear RGB, deuteranopia.
    r, g_, b = ((int(colour[i : i + 2], 16) / 255) ** 2.2 for i in (1, 3, 5))
    return (0.29275 * r + 0.70725 * g_, 0.29275 * r + 0.70725 * g_, -0.02234 * r + 0.02234 * g_ + b)


def test_kinds_of_stretches_differ_without_red_and_green() -> None:
    from reports.figures.call_strip import _LOOKS

    seen = [_seen_by_deuteranopes(fill) for fill in {fill for _, fill, _ in _LOOKS.values()}]
    for i, one in enumerate(seen):
        for other in seen[i + 1 :]:
            assert sum(abs(a - b) for a, b in zip(one, other, strict=True)) > 0.05


def test_the_same_drawing_gives_the_same_bytes_and_carries_no_ids() -> None:
    one = call_strip_svg(first_call())
    assert one == call_strip_svg(first_call())
    assert not [element for element in ET.fromstring(one).iter() if element.get("id")]
