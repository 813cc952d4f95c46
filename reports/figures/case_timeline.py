"""A case on one axis of time: what we wrote, our calls, what the vendor did, how long nothing happened, promises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from audit.analysis.model.promises import PromiseOutcome
from reports import words
from reports.figures import grammar as g
from reports.figures.promises import COLOURS

_Place = Callable[[datetime], float]


class Lane(StrEnum):
    """Who did something, by which way."""

    CUSTOMER = "customer wrote"
    CALL = "calls"
    VENDOR = "vendor"


_LANE_COLOURS = {Lane.CUSTOMER: g.INK, Lane.CALL: g.HOLD, Lane.VENDOR: g.ACCENT}


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing in a lane. `number` is its line in the story beside the figure; a call has an end."""

    number: int
    lane: Lane
    at_utc: datetime
    what: str
    end_utc: datetime | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """A promise: from when it ran, when it was due, when it came true."""

    label: str
    made_utc: datetime
    due_utc: datetime
    came_utc: datetime | None
    outcome: PromiseOutcome


def case_timeline_svg(
    title: str,
    marks: Sequence[Mark],
    dues: Sequence[Due],
    start_utc: datetime,
    end_utc: datetime,
    zone: ZoneInfo,
    *,
    width: float = g.WIDTH,
) -> str:
    """Draw the case between two moments; an axis in the vendor's zone, and a line for each promise."""
    moments = [start_utc, end_utc, *(m.at_utc for m in marks), *(m.end_utc for m in marks if m.end_utc)]
    moments += [at for due in dues for at in (due.made_utc, due.came_utc) if at]
    first, last = min(moments), max(moments)  # what was due only after the end is drawn at the edge, with an arrow
    if last - first < timedelta(seconds=60):
        last = first + timedelta(seconds=60)
    left = min(190.0, max([104.0, *(g.text_width(due.label, g.SMALL) + 12 for due in dues)]))
    x = g.Scale(0.0, (last - first).total_seconds(), left, width - 14)

    def place(at: datetime) -> float:
        return x((at - first).total_seconds())  # the scale keeps what lies beyond at its end

    lanes = [lane for lane in Lane if any(mark.lane is lane for mark in marks)]
    lane_height, top = 38.0, 18.0
    promises_top = top + lane_height * len(lanes)
    bottom = promises_top + 20.0 * len(dues) + 4
    figure = g.Figure(width, bottom + 22, title, _described(title, marks, dues, zone))
    ticks = [(place(at), label) for at, label in g.moment_ticks(first, last, zone)]
    figure.ticks(ticks, bottom, top=top)
    figure.line(left, bottom, width - 14, bottom, g.LINE)
    _draw_quiet(figure, sorted(marks, key=lambda mark: mark.at_utc), end_utc, place)
    for index, lane in enumerate(lanes):
        y = top + lane_height * (index + 0.5)
        figure.text(0, y + 4, lane.value, weight=600, fill=_LANE_COLOURS[lane])
        figure.line(left, y + 9, width - 14, y + 9, g.LINE)
        _draw_lane(figure, [mark for mark in marks if mark.lane is lane], y, left, width - 14, place)
    for index, due in enumerate(dues):
        _draw_due(figure, due, promises_top + 20 * index + 12, place, last, left, zone)
    return figure.svg()


def _draw_lane(figure: g.Figure, marks: Sequence[Mark], y: float, low: float, high: float, place: _Place) -> None:
    colour = _LANE_COLOURS[marks[0].lane]
    true = [place(mark.at_utc) for mark in marks]
    spots = g.spread(true, 17, low + 8, high - 8)
    for mark, at, spot in zip(marks, true, spots, strict=True):
        if mark.end_utc is not None:
            figure.rect(at, y + 5, max(place(mark.end_utc) - at, 3), 8, colour)
        else:
            figure.dot(at, y + 9, 3, colour)
        figure.line(spot, y - 1, at, y + 6, colour, 0.8)
        figure.dot(spot, y - 6, 7.5, g.PAPER, note=mark.what)
        figure.path(f"M{spot - 7.5:.2f} {y - 6:.2f}a7.5 7.5 0 1 0 15 0a7.5 7.5 0 1 0 -15 0z", stroke=colour, width=1.1)
        figure.text(spot, y - 2.6, str(mark.number), size=g.SMALL, fill=colour, anchor="middle", weight=600)


def _draw_quiet(figure: g.Figure, marks: Sequence[Mark], end_utc: datetime, place: _Place) -> None:
    """Write the longest stretches in which nothing happened above the lanes."""
    reached = None
    for mark, after in zip(marks, [*(m.at_utc for m in marks[1:]), end_utc], strict=False):
        reached = max(mark.end_utc or mark.at_utc, reached or mark.at_utc)
        gap_s = (after - reached).total_seconds()
        x1, x2 = place(reached), place(after)
        label = words.duration(gap_s) if gap_s > 0 else ""
        if gap_s > 0 and x2 - x1 > g.text_width(label, g.SMALL) + 26:
            middle, half = (x1 + x2) / 2, g.text_width(label, g.SMALL) / 2 + 4
            figure.line(x1 + 3, 8, middle - half, 8, g.GREY, 0.8)
            figure.line(middle + half, 8, x2 - 3, 8, g.GREY, 0.8)
            figure.path(f"M{x1 + 3:.2f} 4.5v7M{x2 - 3:.2f} 4.5v7", stroke=g.GREY, width=0.8)
            figure.text(middle, 11.5, label, size=g.SMALL, fill=g.GREY, anchor="middle")


def _draw_due(
    figure: g.Figure, due: Due, y: float, place: _Place, end_utc: datetime, left: float, zone: ZoneInfo
) -> None:
    word, shape = words.OUTCOMES[due.outcome]
    colour = COLOURS[due.outcome]
    figure.text(0, y + 3.5, g.shorten(due.label, left - 8, g.SMALL), size=g.SMALL, fill=g.GREY)
    made, at_due = place(due.made_utc), place(due.due_utc)
    figure.line(made, y, at_due, y, g.GREY, 1.4)
    beyond = due.due_utc > end_utc
    if beyond:
        figure.arrow(at_due, y, g.GREY)
        said = f"{word}, due {words.day(due.due_utc, zone)}"
        figure.text(at_due - 6, y - 3, said, size=g.SMALL, fill=colour, weight=600, anchor="end")
        return
    figure.line(at_due, y - 6, at_due, y + 6, g.INK, 2)
    came = place(due.came_utc) if due.came_utc is not None else place(end_utc)
    late = due.outcome in (PromiseOutcome.LATE, PromiseOutcome.BROKEN)
    if late and came > at_due:
        dash = {} if due.came_utc is not None else {"stroke_dasharray": "3 3"}
        figure.line(at_due, y, came, y, colour, 2.2, **dash)
    figure.shape(shape, came if late or due.came_utc is not None else at_due, y, colour)
    label_width = g.text_width(word, g.SMALL)
    after = max(came, at_due) + 9
    if after + label_width < figure.width:
        figure.text(after, y + 3.5, word, size=g.SMALL, fill=colour, weight=600)
    else:
        figure.text(came - 7, y - 3, word, size=g.SMALL, fill=colour, weight=600, anchor="end")


def _described(title: str, marks: Sequence[Mark], dues: Sequence[Due], zone: ZoneInfo) -> str:
    parts = [f"Timeline of a case. {title}."]
    for mark in marks:
        until = f" to {words.moment(mark.end_utc, zone)}" if mark.end_utc else ""
        parts.append(f"{mark.number}: {mark.lane.value}, {words.moment(mark.at_utc, zone)}{until}.")
    for due in dues:
        came = f"came {words.moment(due.came_utc, zone)}" if due.came_utc else "had not come when we stopped looking"
        parts.append(
            f"Promise {due.label}: due {words.moment(due.due_utc, zone)}, {came}: {words.OUTCOMES[due.outcome][0]}."
        )
    return " ".join(parts)
