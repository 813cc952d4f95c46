"""The template environment: vendors' text is hostile, so everything is escaped and cleared of hidden signs."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Literal
from urllib.parse import quote

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from audit.analysis.model.findings import Verdict
from audit.analysis.model.promises import PromiseOutcome
from reports import words
from reports.documents.executive import ExecutiveReport, slug
from reports.figures import grammar as g
from reports.figures.promises import COLOURS

Medium = Literal["print", "screen"]

_FACES = (
    ("Inter", 400, "inter-latin-400-normal", "inter-latin-ext-400-normal"),
    ("Inter", 600, "inter-latin-600-normal", "inter-latin-ext-600-normal"),
    ("Source Serif 4", 600, "source-serif-4-latin-600-normal", "source-serif-4-latin-ext-600-normal"),
    ("IBM Plex Mono", 400, "ibm-plex-mono-latin-400-normal", None),
)
# What the second file of a face holds; it is carried only by reports whose text needs it.
_EXTENDED = (
    "U+0100-02BA,U+02BD-02C5,U+02C7-02CC,U+02CE-02D7,U+02DD-02FF,U+1D00-1DBF,"
    "U+1E00-1E9F,U+1EF2-1EFF,U+20A0-20AB,U+20AD-20C0,U+2C60-2C7F,U+A720-A7FF"
)
_NEEDS_EXTENDED = re.compile(
    "[\u0100-\u0130\u0132-\u0151\u0154-\u02ba\u1d00-\u1dbf\u1e00-\u1e9f\u1ef2-\u1eff\u20a0-\u20ab\u20ad-\u20c0]"
)
_SECTIONS = ("findings", "scorecard", "promises", "cases", "accounting")
_VERDICT_SHAPES = {
    Verdict.CONFIRMED: ("circle", g.INK),
    Verdict.ANOMALY: ("ring", g.INK),
    Verdict.NOT_ESTABLISHED: ("ring", g.GREY),
    Verdict.OURS: ("bar", g.GREY),
}


class Printing:
    """Renders a report for paper, pass after pass. Page 2 must stand alone: what does not fit there comes later."""

    def __init__(self, report: ExecutiveReport) -> None:
        self._report, self._points = report, report.points

    def __call__(self, pages: Mapping[str, int]) -> str:
        """Return the HTML for the next pass; `pages` is what the last one told of the place of each anchor."""
        following = [page for anchor, page in pages.items() if anchor in _SECTIONS]
        if following and min(following) > pages.get("summary", 2) + 1:
            self._points = max(1, self._points - 2)
        return render(self._report, "print", pages, self._points)


def render(
    report: ExecutiveReport, medium: Medium, pages: Mapping[str, int] | None = None, points: int | None = None
) -> str:
    """Return the report as HTML.

    Args:
        report: what it says.
        medium: paper, or a screen with a player.
        pages: the page of each anchor, on paper, once it is known.
        points: how many findings each column of page 2 shows.
    """
    points = report.points if points is None else points
    environment = _environment()
    template = environment.get_template("report/report.html")
    script = _resource("report/player.js") if medium == "screen" else ""
    values: dict[str, Any] = {
        "r": report,
        "medium": medium,
        "pages": dict(pages or {}),
        "established": report.established[:points],
        "established_more": max(0, len(report.established) - points),
        "unsure": report.unsure[:points],
        "unsure_more": max(0, len(report.unsure) - points),
        "script": Markup(script),  # noqa: S704 - our own file
        "csp": content_policy(script),
        "playable": {c.anchor for s in report.stories for c in s.calls if c.audio},
        "head_left": css_string(report.title[:80]),
        "head_right": css_string(report.practice or ""),
        "foot_left": css_string(f"{report.classification} · audit {report.analysis.audit[:40]}"),
    }
    extended = bool(_NEEDS_EXTENDED.search(template.render(values, fonts="")))
    return template.render(values, fonts=Markup(font_faces(extended)))  # noqa: S704 - built from our own files


def content_policy(script: str) -> str:
    """Return the policy that lets a report load its own files and run its own one script, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    allowed = f"script-src 'sha256-{digest}'" if script else "script-src 'none'"
    return (
        "default-src 'none'; img-src 'self' data:; media-src 'self' data:; font-src data:; "
        f"style-src 'unsafe-inline'; {allowed}; base-uri 'none'; form-action 'none'"
    )


def css_string(text: str) -> Markup:
    """Return text as a CSS string in which nothing can end the string or the style element."""
    safe = "".join(
        sign if sign.isascii() and (sign.isalnum() or sign in " .,-") else f"\\{ord(sign):06x} "
        for sign in words.plain(text)
    )
    return Markup(f'"{safe}"')  # noqa: S704 - every other sign is written by its number


@cache
def font_faces(extended: bool) -> str:
    """Return the fonts as CSS with the files inside, so that a report looks the same on every machine."""
    faces = []
    for family, weight, basic, more in _FACES:
        faces.append(_face(family, weight, basic, None))
        if extended and more:
            faces.append(_face(family, weight, more, _EXTENDED))
    return "\n".join(faces)


def _face(family: str, weight: int, name: str, unicode_range: str | None) -> str:
    data = base64.b64encode((files("templates") / "fonts" / f"{name}.woff2").read_bytes()).decode()
    limited = f"unicode-range:{unicode_range};" if unicode_range else ""
    return (
        f'@font-face{{font-family:"{family}";font-weight:{weight};font-style:normal;{limited}'
        f'src:url(data:font/woff2;base64,{data}) format("woff2")}}'
    )


def _resource(name: str) -> str:
    return (files("templates") / name).read_text(encoding="utf-8")


def _load(name: str) -> str | None:
    try:
        return _resource(name)
    except FileNotFoundError:
        return None


def _finalize(value: Any) -> Any:
    # Markup was built by us; everything else may hold a vendor's text.
    return words.plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_load),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "plain": words.plain,
        "slug": slug,
        "identifier": words.identifier,
        "capital": words.capital,
        "count": words.count,
        "share": words.share,
        "whole": lambda value: words.number(value, 0),
        "figure_words": words.number,
        # The fonts hold no arrow; on a scale it means "gives".
        "spelled": lambda text: text.replace(" → ", ": "),
        "clock": words.clock,
        "seconds": lambda value: f"{value:.3f}",
        "money": words.money,
        "estimate": words.estimate,
        "interval_cell": words.interval_cell,
        "counted": words.counted,
        "moment": lambda at, zone: words.moment(at, words.zone(zone)),
        "moment_short": lambda at, zone: words.moment_short(at, words.zone(zone)),
        "verdict_words": words.VERDICTS.__getitem__,
        "decision_words": words.DECISIONS.__getitem__,
        "outcome_word": lambda outcome: words.OUTCOMES[outcome][0],
        "heat": heat,
        "url": quote,
    }
    environment.globals |= {"verdict_mark": _verdict_mark, "outcome_mark": _outcome_mark}
    return environment


def heat(score: float | None) -> str:
    """Return the shade of a score's cell; the number stands in it too."""
    return "unrated" if score is None else f"h{min(int(score // 20), 4)}"


def _verdict_mark(verdict: Verdict) -> Markup:
    return _mark(*_VERDICT_SHAPES[verdict])


def _outcome_mark(outcome: PromiseOutcome) -> Markup:
    return _mark(words.OUTCOMES[outcome][1], COLOURS[outcome])


def _mark(shape: str, colour: str) -> Markup:
    figure = g.Figure(12, 12, "", "")
    figure.shape(shape, 6, 6, colour)
    return Markup(figure.icon())  # noqa: S704 - built by us
