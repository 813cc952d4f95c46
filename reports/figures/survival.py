"""Kaplan–Meier curves: the share still waiting over time, with the number at risk under the axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports import words
from reports.figures import grammar as g


@dataclass(frozen=True, slots=True)
class Curve:
    """One group. `times_s` and `shares` are the steps (the share from that time on); `waits_s` all waits, answered or
    not, from which the number still at risk is counted; `censored_s` are the waits that ended without an answer.
    """

    label: str
    times_s: tuple[float, ...]
    shares: tuple[float, ...]
    waits_s: tuple[float, ...]
    censored_s: tuple[float, ...] = ()
    low: tuple[float, ...] | None = None
    high: tuple[float, ...] | None = None
    spoken_of: bool = False


def at_risk(curve: Curve, t_s: float) -> int:
    """Return how many waits were still under way just before a moment."""
    return sum(1 for wait in curve.waits_s if wait >= t_s)


def share_at(curve: Curve, t_s: float) -> float:
    """Return the share still waiting at a moment."""
    share = 1.0
    for time_s, value in zip(curve.times_s, curve.shares, strict=True):
        if time_s > t_s:
            break
        share = value
    return share


def survival_svg(title: str, curves: Sequence[Curve], *, horizon_s: float | None = None, width: float = g.WIDTH) -> str:
    """Draw the curves: those spoken of in colour and labelled at their ends, the others grey."""
    end_s = horizon_s or max((wait for curve in curves for wait in curve.waits_s), default=1.0) or 1.0
    named = [curve for curve in curves if curve.spoken_of] or list(curves[:3])
    left, right, top, plot = 92.0, 118.0, 12.0, 190.0
    bottom = top + plot
    x, y = g.Scale(0.0, end_s, left, width - right), g.Scale(0.0, 1.0, bottom, top)
    figure = g.Figure(width, bottom + 44 + 15 * len(named), title, _described(title, curves, end_s))
    for level in (0.0, 0.25, 0.5, 0.75, 1.0):
        figure.line(left, y(level), width - right, y(level), g.PALE)
        figure.text(left - 8, y(level) + 3.5, words.share(level), size=g.SMALL, fill=g.GREY, anchor="end")
    ticks = g.duration_ticks(end_s)
    figure.ticks([(x(tick), g.duration_tick_label(tick)) for tick in ticks], bottom)
    for curve in sorted(curves, key=lambda c: c in named):
        _draw(figure, curve, x, y, end_s, curve in named, g.ACCENT if curve.spoken_of else g.GREY)
    ends = [y(share_at(curve, end_s)) for curve in named]
    for curve, at, place in zip(named, ends, g.spread(ends, 14, top + 4, bottom), strict=True):
        colour = g.ACCENT if curve.spoken_of else g.GREY
        figure.line(width - right, at, width - right + 8, place, colour, 0.8)
        figure.text(width - right + 11, place + 3.5, g.shorten(curve.label, right - 12), fill=colour, weight=600)
    figure.text(0, bottom + 34, "still waiting (number)", size=g.SMALL, fill=g.GREY)
    for index, curve in enumerate(named):
        line_y = bottom + 48 + 15 * index
        figure.text(0, line_y, g.shorten(curve.label, left - 20, g.SMALL), size=g.SMALL)
        for tick in ticks:
            figure.text(x(tick), line_y, str(at_risk(curve, tick)), size=g.SMALL, anchor="middle")
    return figure.svg()


def _draw(figure: g.Figure, curve: Curve, x: g.Scale, y: g.Scale, end_s: float, named: bool, colour: str) -> None:
    if named and curve.low is not None and curve.high is not None:
        upper = _steps(curve.times_s, curve.high, x, y, end_s)
        lower = _steps(curve.times_s, curve.low, x, y, end_s)
        ring = [*upper, *reversed(lower)]
        figure.path("M" + "L".join(f"{px:.2f} {py:.2f}" for px, py in ring) + "z", fill=colour, fill_opacity=0.12)
    points = _steps(curve.times_s, curve.shares, x, y, end_s)
    line = "M" + "L".join(f"{px:.2f} {py:.2f}" for px, py in points)
    figure.path(line, stroke=colour if named else g.LINE, width=2.0 if named else 1.0)
    for moment_s in curve.censored_s:
        if named and moment_s <= end_s:
            px, py = x(moment_s), y(share_at(curve, moment_s))
            figure.line(px, py - 4, px, py + 4, colour, 1.4)


def _steps(
    times_s: Sequence[float], shares: Sequence[float], x: g.Scale, y: g.Scale, end_s: float
) -> list[tuple[float, float]]:
    points, level = [(x(0.0), y(1.0))], 1.0
    for time_s, share in zip(times_s, shares, strict=True):
        if time_s > end_s:
            break
        points += [(x(time_s), y(level)), (x(time_s), y(share))]
        level = share
    return [*points, (x(end_s), y(level))]


def _described(title: str, curves: Sequence[Curve], end_s: float) -> str:
    parts = [f"Kaplan–Meier chart up to {words.duration(end_s)}. {title}."]
    for curve in curves:
        parts.append(
            f"{curve.label}: {len(curve.waits_s)} waits, {len(curve.censored_s)} of them unanswered when we stopped; "
            f"{words.share(share_at(curve, end_s))} still waiting at the end."
        )
    return " ".join(parts)
