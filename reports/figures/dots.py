"""Dots: every observation of a measure, one row a vendor, with median and interval drawn and written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from reports import words
from reports.figures import grammar as g

_WHOLE = frozenset({"times", "contacts", "choices", "turns", ""})  # counted, so no tick stands between


@dataclass(frozen=True, slots=True)
class Dot:
    """One observation; `censored` values are lower bounds. With `earliest`, it lies between that and `value`."""

    value: float
    censored: bool = False
    note: str = ""
    earliest: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the figure. `said` and `said_below` stand at its right end, as the text says them."""

    label: str
    dots: tuple[Dot, ...]
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    said: str = ""
    said_below: str = ""
    spoken_of: bool = False


@dataclass(frozen=True, slots=True)
class Limit:
    """A value to compare with, such as what was promised."""

    value: float
    label: str


def dots_svg(
    title: str,
    rows: Sequence[Row],
    unit: str,
    *,
    limit: Limit | None = None,
    upto: float | None = None,
    width: float = g.WIDTH,
) -> str:
    """Draw the rows on one scale from 0. What lies beyond `upto` is drawn at the edge with an arrow and its value."""
    left = min(150.0, max([40.0, *(g.text_width(row.label) + 12 for row in rows)]))
    right = max(
        [
            70.0,
            *(g.text_width(row.said) + 14 for row in rows),
            *(g.text_width(row.said_below, g.SMALL) + 14 for row in rows),
        ]
    )
    right = min(right, 190.0)
    values = [dot.value for row in rows for dot in row.dots]
    values += [edge for row in rows for edge in (row.low, row.high, row.estimate) if edge is not None]
    values += [limit.value] if limit else []
    most = upto if upto is not None else max(values, default=1.0)
    scale = g.Scale(min(0.0, *values, 0.0), (most or 1.0) * 1.02, left, width - right - 18)
    row_height, top = 40.0, 26.0 if limit else 10.0
    bottom = top + row_height * len(rows)
    figure = g.Figure(width, bottom + 22, title, _described(title, rows, unit, limit))
    if unit == "s" and scale.low == 0:
        ticks = [(scale(tick), g.duration_tick_label(tick)) for tick in g.duration_ticks(scale.high)]
    else:
        places = [tick for tick in g.number_ticks(scale.low, scale.high) if unit not in _WHOLE or tick == int(tick)]
        # The unit stands once, at the last tick; a share carries its sign everywhere.
        said = [words.value(tick, unit) if unit == "ratio" else words.number(tick) for tick in places[:-1]]
        ticks = [(scale(tick), text) for tick, text in zip(places, [*said, words.value(places[-1], unit)], strict=True)]
    figure.ticks(ticks, bottom, top=top)
    if limit:
        x = scale(limit.value)
        figure.line(x, top - 8, x, bottom, g.INK, 1.2, stroke_dasharray="4 3")
        anchor = "start" if x < (scale.x0 + scale.x1) / 2 else "end"
        figure.text(x + (4 if anchor == "start" else -4), top - 8, limit.label, size=g.SMALL, anchor=anchor)
    for index, row in enumerate(rows):
        _draw_row(figure, row, scale, unit, top + row_height * (index + 0.5), width - right)
    return figure.svg()


def _draw_row(figure: g.Figure, row: Row, scale: g.Scale, unit: str, y: float, right_x: float) -> None:
    colour = g.ACCENT if row.spoken_of else g.GREY
    figure.text(0, y + 4, g.shorten(row.label, scale.x0 - 10), weight=600 if row.spoken_of else 400)
    if row.low is not None and row.high is not None:
        figure.line(scale(row.low), y, scale(row.high), y, colour, 7, stroke_opacity=0.28, stroke_linecap="round")
    for dot, lift in zip(row.dots, _lifts([scale(dot.value) for dot in row.dots]), strict=True):
        x, said = scale(dot.value), words.value(dot.value, unit)
        if dot.earliest is not None and scale(dot.earliest) < x - 1:
            figure.line(scale(dot.earliest), y + lift, x, y + lift, colour, 1.2)
        note = f"{'at least ' if dot.censored else ''}{said}{': ' + dot.note if dot.note else ''}"
        figure.dot(x, y + lift, 3.4, colour, hollow=dot.censored, note=note)
        if scale.clips(dot.value):
            figure.arrow(x + 4, y + lift, colour)
            figure.text(x - 6, y + lift + 3.5, said, size=g.SMALL, anchor="end", fill=g.INK)
        elif dot.censored:
            figure.arrow(x + 4, y + lift, colour)
    if row.estimate is not None:
        figure.line(scale(row.estimate), y - 11, scale(row.estimate), y + 11, g.INK, 2)
    figure.text(right_x + 10, y + (0 if row.said_below else 4), row.said, weight=600)
    if row.said_below:
        figure.text(right_x + 10, y + 13, g.shorten(row.said_below, 185, g.SMALL), size=g.SMALL, fill=g.GREY)


def _lifts(xs: Sequence[float]) -> list[float]:
    """Return how far each dot moves up or down so that dots at the same place stay countable."""
    lifts = [0.0] * len(xs)
    last_at = [-math.inf] * 9  # on each of nine levels, where the last dot is
    for index in sorted(range(len(xs)), key=lambda i: xs[i]):
        free = next((level for level, x in enumerate(last_at) if xs[index] - x >= 6.5), None)
        level = last_at.index(min(last_at)) if free is None else free
        last_at[level] = xs[index]
        lifts[index] = (level + 1) // 2 * 4.4 * (-1 if level % 2 else 1)
    return lifts


def _described(title: str, rows: Sequence[Row], unit: str, limit: Limit | None) -> str:
    parts = [f"Dot chart. {title}."]
    for row in rows:
        values = ", ".join(
            ("at least " if dot.censored else "") + words.value(dot.value, unit)
            for dot in sorted(row.dots, key=lambda d: d.value)[:40]
        )
        cut = f" and {len(row.dots) - 40} more" if len(row.dots) > 40 else ""
        said = f"{row.said or 'no estimate'}{' (' + row.said_below + ')' if row.said_below else ''}"
        parts.append(f"{row.label}: {said}; observed {values or 'nothing'}{cut}.")
    if limit:
        parts.append(f"Compared with {limit.label}.")
    return " ".join(parts)
