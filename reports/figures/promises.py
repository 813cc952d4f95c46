"""Promise against measurement: for each promise what was promised and what came, on one scale of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from audit.analysis.model.promises import PromiseOutcome
from reports import words
from reports.figures import grammar as g

COLOURS = {
    PromiseOutcome.KEPT: g.KEPT,
    PromiseOutcome.LATE: g.BROKEN,
    PromiseOutcome.BROKEN: g.BROKEN,
    PromiseOutcome.WITHDRAWN: g.GREY,
    PromiseOutcome.PENDING: g.GREY,
    PromiseOutcome.NOT_OBSERVED: g.GREY,
}


@dataclass(frozen=True, slots=True)
class Pledge:
    """One promise: seconds from when it began to run. `actual_s` null: it had not come when we stopped looking."""

    label: str
    promised_s: float
    actual_s: float | None
    outcome: PromiseOutcome
    said: str


def promises_svg(title: str, pledges: Sequence[Pledge], *, width: float = g.WIDTH) -> str:
    """Draw each pledge as a line from the promised to the actual time, longest delay first as given."""
    left = min(230.0, max([60.0, *(g.text_width(pledge.label) + 12 for pledge in pledges)]))
    right = min(190.0, max([60.0, *(g.text_width(pledge.said) + 12 for pledge in pledges)]))
    longest = max([1.0, *(pledge.promised_s for pledge in pledges), *(pledge.actual_s or 0.0 for pledge in pledges)])
    scale = g.Scale(0.0, longest * 1.06, left, width - right - 16)
    row_height, top = 26.0, 24.0
    bottom = top + row_height * len(pledges)
    figure = g.Figure(width, bottom + 22, title, _described(title, pledges))
    figure.line(left, 9, left, 17, g.INK, 2)
    figure.text(left + 6, 16, "promised", size=g.SMALL, fill=g.GREY)
    key_x = left + 62.0
    for outcome in dict.fromkeys(pledge.outcome for pledge in pledges):
        word, shape = words.OUTCOMES[outcome]
        figure.shape(shape, key_x + 5, 13, COLOURS[outcome])
        figure.text(key_x + 13, 16, word, size=g.SMALL, fill=g.GREY)
        key_x += 26 + g.text_width(word, g.SMALL)
    figure.ticks([(scale(tick), g.duration_tick_label(tick)) for tick in g.duration_ticks(scale.high)], bottom, top=top)
    for index, pledge in enumerate(pledges):
        y, colour = top + row_height * (index + 0.5), COLOURS[pledge.outcome]
        promised = scale(pledge.promised_s)
        figure.text(0, y + 4, g.shorten(pledge.label, left - 10))
        if pledge.actual_s is not None:
            actual = scale(pledge.actual_s)
            figure.line(promised, y, actual, y, colour, 2.4)
            figure.shape(words.OUTCOMES[pledge.outcome][1], actual, y, colour)
        else:
            figure.line(promised, y, scale.x1, y, colour, 1.6, stroke_dasharray="3 3")
            figure.shape(words.OUTCOMES[pledge.outcome][1], scale.x1 + 4, y, colour)
        figure.line(promised, y - 6, promised, y + 6, g.INK, 2)
        figure.text(width - right + 8, y + 4, g.shorten(pledge.said, right - 8), weight=600)
    return figure.svg()


def _described(title: str, pledges: Sequence[Pledge]) -> str:
    parts = [f"Promise against measurement. {title}."]
    for pledge in pledges:
        came = "had not come when we stopped looking"
        if pledge.actual_s is not None:
            came = f"came after {words.duration(pledge.actual_s)}"
        outcome = words.OUTCOMES[pledge.outcome][0]
        parts.append(f"{pledge.label}: promised within {words.duration(pledge.promised_s)}, {came} ({outcome}).")
    return " ".join(parts)
