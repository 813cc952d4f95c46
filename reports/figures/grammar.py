"""The grammar under all figures: scales, ticks, room for labels, marks, and the SVG they become.

Everything that decides how a mark looks stands as an attribute on the mark itself (no classes), so that every
renderer draws the same picture. Lengths are CSS pixels; a full-width figure is 642 wide, 170 mm on paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from html import escape
from zoneinfo import ZoneInfo

from reports import words

WIDTH = 642.0
SMALL, NORMAL = 9.5, 11.0  # 7.1 pt and 8.3 pt on paper

INK, GREY, LINE, PALE, PAPER = "#1b1f24", "#57606b", "#c3c9d1", "#eceff3", "#ffffff"
ACCENT, ACCENT_PALE = "#1d5fae", "#d6e4f5"
HOLD, HOLD_PALE = "#8a5600", "#f3ddb3"
KEPT, BROKEN = "#1a7340", "#b3261e"  # only for promises, always with a shape and a word beside

FAMILY = "Inter, 'Helvetica Neue', Arial, sans-serif"
_NARROW, _WIDE = frozenset("iljtfrI.,:;'|!()[] "), frozenset("mwMW%@—")
_DURATION_STEPS_S = (
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200,
    86400, 2 * 86400, 7 * 86400, 14 * 86400, 28 * 86400, 91 * 86400, 364 * 86400,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps values from low..high to x0..x1. A value outside lands on the nearer end, and `clips` says so."""

    low: float
    high: float
    x0: float
    x1: float

    def __post_init__(self) -> None:
        if not self.high > self.low:
            raise ValueError(f"a scale needs high > low, not {self.low} to {self.high}")

    def __call__(self, value: float) -> float:
        """Return the place of a value."""
        part = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.x0 + part * (self.x1 - self.x0)

    def clips(self, value: float) -> bool:
        """Return whether the value lies outside and must be marked as cut."""
        return value < self.low or value > self.high


def number_ticks(low: float, high: float, most: int = 6) -> tuple[float, ...]:
    """Return round numbers within low..high, at most `most` of them."""
    if not high > low or most < 2:
        return (low,)
    raw = (high - low) / (most - 1)
    power = 1.0
    while power > raw:
        power /= 10
    while power * 10 <= raw:
        power *= 10
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10, 20) if power * factor >= raw * (1 - 1e-9))
    first = -(-low // step)
    ticks: list[float] = []
    while (first + len(ticks)) * step <= high * (1 + 1e-12) + 1e-12 and len(ticks) < most + 1:
        ticks.append((first + len(ticks)) * step)
    return tuple(ticks)


def duration_ticks(longest_s: float, most: int = 7) -> tuple[float, ...]:
    """Return round lengths of time from 0 to `longest_s`."""
    for step in _DURATION_STEPS_S:
        if longest_s / step <= most - 1:
            return tuple(float(step * i) for i in range(int(longest_s // step) + 1))
    return number_ticks(0.0, longest_s, most)


def duration_tick_label(seconds: float) -> str:
    """Return the words under a duration tick."""
    return "0" if seconds == 0 else words.duration(seconds)


def moment_ticks(start: datetime, end: datetime, zone: ZoneInfo, most: int = 8) -> tuple[tuple[datetime, str], ...]:
    """Return round local moments within start..end with their labels: hours of a day, or days."""
    span_s = (end - start).total_seconds()
    first_day = start.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    for minutes in (1, 5, 15, 30, 60, 180, 360, 720):
        if span_s / (minutes * 60) <= most:
            moments = _local_steps(first_day, end, timedelta(minutes=minutes))
            return tuple((at, _hour_label(at, minutes)) for at in moments if start <= at <= end)
    for days in (1, 2, 7, 14, 28, 91, 364):
        if span_s / (days * 86400) <= most:
            moments = _local_steps(first_day, end, timedelta(days=days))
            return tuple((at, f"{at:%a} {at.day} {at:%b}") for at in moments if start <= at <= end)
    return ((start.astimezone(zone), words.day(start, zone)), (end.astimezone(zone), words.day(end, zone)))


def _local_steps(first: datetime, end: datetime, step: timedelta) -> list[datetime]:
    # Arithmetic on aware local datetimes moves the hands of the clock, which is what a person reads off an axis.
    moments, at = [], first
    while at <= end:
        moments.append(at)
        at = at + step
    return moments


def _hour_label(at: datetime, minutes: int) -> str:
    if at.hour == 0 and at.minute == 0 and minutes >= 60:
        return f"{at:%a} {at.day} {at:%b}"
    return f"{at:%H:%M}"


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return positions near the wanted ones, in the same order, at least `gap` apart and within low..high.

    Where they cannot all fit, they are set evenly over the whole room.
    """
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    count = len(order)
    if count and (count - 1) * gap > high - low:
        gap = (high - low) / max(count - 1, 1)
    placed: list[float] = []
    for index in order:
        at_least = placed[-1] + gap if placed else low
        placed.append(max(min(max(wanted[index], low), high), at_least))
    limit = high
    for place in range(count - 1, -1, -1):
        placed[place] = min(placed[place], limit)
        limit = placed[place] - gap
    result = [0.0] * count
    for place, index in enumerate(order):
        result[index] = placed[place]
    return result


def spread_boxes(wanted: Sequence[float], widths: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return centres near the wanted ones, in their order, for boxes of these widths; none overlap if they fit."""
    placed: list[float] = []
    edge = low
    for centre, width in zip(wanted, widths, strict=True):
        placed.append(max(centre, edge + width / 2))
        edge = placed[-1] + width / 2 + gap
    edge = high
    for place in range(len(placed) - 1, -1, -1):
        placed[place] = min(placed[place], edge - widths[place] / 2)
        edge = placed[place] - widths[place] / 2 - gap
    return placed


def text_width(text: str, size: float = NORMAL) -> float:
    """Return about how wide a text is; a little more than it needs."""
    units = sum(
        0.32 if sign in _NARROW else 0.92 if sign in _WIDE else 0.6 if ord(sign) < 0x2E80 else 1.0 for sign in text
    )
    return units * size


def shorten(text: str, width: float, size: float = NORMAL) -> str:
    """Return the text, cut with an ellipsis where it is too wide."""
    if text_width(text, size) <= width:
        return text
    while text and text_width(text + "…", size) > width:
        text = text[:-1]
    return text.rstrip() + "…"


@dataclass(slots=True)
class Figure:
    """A drawing under way. `title` names it and `description` says in words what it shows."""

    width: float
    height: float
    title: str
    description: str
    _marks: list[str] = field(default_factory=list)

    def rect(self, x: float, y: float, width: float, height: float, fill: str, **more: str | float) -> None:
        """Draw a box."""
        self._mark("rect", x=x, y=y, width=max(width, 0.0), height=height, fill=fill, **more)

    def line(
        self, x1: float, y1: float, x2: float, y2: float, stroke: str, width: float = 1.0, **more: str | float
    ) -> None:
        """Draw a straight line."""
        self._mark("line", x1=x1, y1=y1, x2=x2, y2=y2, stroke=stroke, stroke_width=width, **more)

    def path(
        self, d: str, *, fill: str = "none", stroke: str = "none", width: float = 1.0, **more: str | float
    ) -> None:
        """Draw a path."""
        self._mark("path", d=d, fill=fill, stroke=stroke, stroke_width=width, **more)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = NORMAL,
        fill: str = INK,
        anchor: str = "start",
        weight: int = 400,
    ) -> None:
        """Write a line of text with its baseline at y."""
        style = (
            f'font-family="{FAMILY}" font-size="{_number(size)}" font-weight="{weight}" fill="{fill}" '
            f'text-anchor="{anchor}" style="font-variant-numeric:tabular-nums"'
        )
        shown = escape(words.plain(text), quote=False)
        self._marks.append(f'<text x="{_number(x)}" y="{_number(y)}" {style}>{shown}</text>')

    def dot(self, x: float, y: float, radius: float, fill: str, *, hollow: bool = False, note: str = "") -> None:
        """Draw a dot; hollow for a lower bound. `note` shows when pointed at."""
        paint = {"fill": PAPER, "stroke": fill, "stroke_width": 1.4} if hollow else {"fill": fill}
        self._mark("circle", note, cx=x, cy=y, r=radius, **paint)

    def arrow(self, x: float, y: float, fill: str, length: float = 9.0) -> None:
        """Draw an arrow to the right that starts at x: the true value lies beyond."""
        self.line(x, y, x + length - 3, y, fill, 1.4)
        self.path(f"M{_number(x + length)} {_number(y)}l-4 -3v6z", fill=fill)

    def shape(self, kind: str, x: float, y: float, fill: str, r: float = 4.2) -> None:
        """Draw one of the outcome shapes of `words.OUTCOMES`, centred."""
        at = f"M{_number(x)} {_number(y)}"
        match kind:
            case "circle":
                self.dot(x, y, r, fill)
            case "ring":
                self.dot(x, y, r - 0.6, fill, hollow=True)
            case "diamond":
                d = r * 1.25
                self.path(f"{at}m0 {-d:g}l{d:g} {d:g}l{-d:g} {d:g}l{-d:g} {-d:g}z", fill=fill)
            case "cross":
                self.path(
                    f"{at}m{-r:g} {-r:g}l{2 * r:g} {2 * r:g}m0 {-2 * r:g}l{-2 * r:g} {2 * r:g}", stroke=fill, width=2.2
                )
            case "bar":
                self.path(f"{at}m{-r:g} 0h{2 * r:g}", stroke=fill, width=2.6)
            case _:
                raise ValueError(f"no shape is called {kind!r}")

    def ticks(self, marks: Sequence[tuple[float, str]], y: float, *, top: float | None = None) -> None:
        """Draw an axis' ticks and labels at y, with hairlines up to `top`; labels that would touch are left out."""
        reached = -1e9
        for x, label in marks:
            if top is not None:
                self.line(x, top, x, y, PALE)
            self.line(x, y, x, y + 4, GREY)
            half = text_width(label, SMALL) / 2
            left = min(max(x - half, 0.0), self.width - 2 * half)
            if left > reached + 4:
                self.text(left + half, y + 15, label, size=SMALL, fill=GREY, anchor="middle")
                reached = left + 2 * half

    def svg(self) -> str:
        """Return the drawing as an inline SVG element."""
        width, height = _number(self.width), _number(self.height)
        title, description = escape(words.plain(self.title)), escape(words.plain(self.description))
        # The label repeats the description, because a PDF takes its alternative text from there; pointing at it by id
        # would need ids that differ between two copies of one figure on a page.
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            f'role="img" aria-label="{description}">'
            f"<title>{title}</title><desc>{description}</desc>{''.join(self._marks)}</svg>"
        )

    def icon(self) -> str:
        """Return the drawing as a sign beside words that say the same; hidden from screen readers."""
        box = f'viewBox="0 0 {_number(self.width)} {_number(self.height)}" aria-hidden="true"'
        return f'<svg xmlns="http://www.w3.org/2000/svg" {box}>{"".join(self._marks)}</svg>'

    def _mark(self, element: str, note: str | float = "", **attributes: str | float) -> None:
        text = " ".join(
            f'{name.replace("_", "-")}="{escape(value) if isinstance(value, str) else _number(value)}"'
            for name, value in attributes.items()
        )
        inside = f"<title>{escape(words.plain(str(note)), quote=False)}</title>" if note else ""
        self._marks.append(f"<{element} {text}>{inside}</{element}>" if inside else f"<{element} {text}/>")


def _number(value: float) -> str:
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
