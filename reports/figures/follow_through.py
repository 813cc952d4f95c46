"""Courtesy and outcome side by side: what was charming and useless is a place that can be seen."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from reports.figures import grammar as g

_SIDE, _LEFT, _TOP = 200.0, 96.0, 18.0
_CORNERS = (
    ("curt and useful", 0.0, 1.0, "start"),
    ("charming and useful", 1.0, 1.0, "end"),
    ("curt and useless", 0.0, 0.0, "start"),
    ("charming and useless", 1.0, 0.0, "end"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """One contact or case: courtesy and outcome, each 0..1."""

    courtesy: float
    outcome: float


def follow_through_svg(title: str, places: Sequence[Place], *, width: float = g.WIDTH) -> str:
    """Draw each place as a dot; those that fall together as a larger one with their number."""
    side_x = min(width - _LEFT - 12, 2 * _SIDE)
    x0, y0 = _LEFT, _TOP + _SIDE
    figure = g.Figure(width, y0 + 40, title, _described(title, places))

    def at(place: Place) -> tuple[float, float]:
        return x0 + place.courtesy * side_x, y0 - place.outcome * _SIDE

    figure.rect(x0 + side_x / 2, _TOP + _SIDE / 2, side_x / 2, _SIDE / 2, g.PALE)
    for step in (0.0, 0.5, 1.0):
        figure.line(x0, y0 - step * _SIDE, x0 + side_x, y0 - step * _SIDE, g.PALE)
        figure.line(x0 + step * side_x, _TOP, x0 + step * side_x, y0, g.PALE)
    for corner, x, y, anchor in _CORNERS:
        inside = 6 if anchor == "start" else -6
        figure.text(
            x0 + x * side_x + inside, (_TOP + 14) if y else (y0 - 8), corner, size=g.SMALL, fill=g.GREY, anchor=anchor
        )
    for text, y in (("solved", _TOP + 4), ("in part", _TOP + _SIDE / 2 + 4), ("not solved", y0 + 4)):
        figure.text(x0 - 8, y, text, size=g.SMALL, fill=g.GREY, anchor="end")
    for text, x, anchor in (("rude", x0, "start"), ("warm", x0 + side_x, "end")):
        figure.text(x, y0 + 16, text, size=g.SMALL, fill=g.GREY, anchor=anchor)
    for place, times in Counter(places).items():
        x, y = at(place)
        useless = place.courtesy >= 0.5 > place.outcome
        figure.dot(x, y, 4.5 * math.sqrt(min(times, 16)), g.BROKEN if useless else g.INK)
        if times > 1:
            figure.text(x + 5 + 4.5 * math.sqrt(min(times, 16)), y + 4, f"{times}", size=g.SMALL)
    return figure.svg()


def _described(title: str, places: Sequence[Place]) -> str:
    useless = sum(place.courtesy >= 0.5 > place.outcome for place in places)
    return f"Courtesy against outcome. {title}. {len(places)} judged, {useless} of them charming and useless."
