"""Scale and threshold profiles: which measures make a dimension, how values become points, which limits are tested.

A profile is data (YAML in `audit/analysis/scales/`). `parse_profile` is pure; `load_profile` is the one place that
reads the files in the package.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache
from importlib import resources
from typing import Any

from audit.analysis import dimensions, phrases
from audit.analysis.statistics import SMALLEST_N
from audit.analysis.verdict import VerdictRule

FORMAT, VERSION = "holdproof.profile", 1


class ProfileFault(ValueError):
    """A scale file says something that cannot be; the message says what and where."""


@dataclass(frozen=True, slots=True)
class Scale:
    """A piecewise linear scale from a value to points of 0..100, flat beyond its ends.

    `at` rises strictly; `points` rise or fall throughout. `least_n` observations are needed to be rated.
    """

    at: tuple[float, ...]
    points: tuple[float, ...]
    least_n: int = SMALLEST_N

    def score(self, value: float) -> float:
        """Return the points of a value."""
        at, points = self.at, self.points
        if value <= at[0]:
            return points[0]
        for place in range(1, len(at)):
            if value <= at[place]:
                share = (value - at[place - 1]) / (at[place] - at[place - 1])
                return points[place - 1] + share * (points[place] - points[place - 1])
        return points[-1]

    def text(self, unit: str) -> str:
        """Return the scale as printed: "4 h → 100, 24 h → 50, 3 days → 0"."""
        steps = zip(self.at, self.points, strict=True)
        return ", ".join(f"{phrases.with_unit(at, unit)} → {points:.0f}" for at, points in steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A limit: at least this share of a measure's observations is at most (or at least) this value."""

    id: str
    measure: str
    text: str
    share: float
    at_most: float | None = None
    at_least: float | None = None
    source: str = ""
    checked_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A whole profile. `scales` maps a dimension's id to its measures' scales; `not_measured` is printed as it is."""

    id: str
    name: str
    source: str
    checked_on: date | None
    scales: Mapping[str, Mapping[str, Scale]]
    limits: tuple[Limit, ...] = ()
    not_measured: tuple[str, ...] = ()
    rule: VerdictRule = field(default_factory=VerdictRule)

    def lines(self, units: Mapping[str, str], names: Mapping[str, str]) -> tuple[str, ...]:
        """Return the profile as printed on the method page."""
        told = []
        for dimension in dimensions.DIMENSIONS:
            for measure, scale in self.scales.get(dimension.id, {}).items():
                told.append(f"{dimension.name}: {names.get(measure, measure)}: {scale.text(units.get(measure, ''))}.")
        told += [f"Limit: {limit.text} ({limit.source})." if limit.source else f"Limit: {limit.text}."
                 for limit in self.limits]  # fmt: skip
        told += [f"Not measured: {text}." for text in self.not_measured]
        return tuple(told)


def parse_profile(document: Mapping[str, Any], base: Profile | None = None) -> Profile:
    """Read a profile document.

    Args:
        document: as a scale file holds it.
        base: the profile that `extends` names; its scales and rule hold where the document gives none.

    Raises:
        ProfileFault: a key is unknown or missing, a scale does not rise in value or turns back in points, a share is
            not within 1..100 per cent.
    """
    known = {"format", "version", "id", "name", "source", "checked_on", "extends", "dimensions", "limits",
             "not_measured", "verdict"}  # fmt: skip
    if document.get("format") != FORMAT or document.get("version") != VERSION:
        raise ProfileFault(f"not a profile: format {document.get('format')!r}, version {document.get('version')!r}")
    if unknown := set(document) - known:
        raise ProfileFault(f"unknown keys: {', '.join(sorted(unknown))}")
    scales: dict[str, Mapping[str, Scale]] = dict(base.scales) if base else {}
    for dimension, measures in (document.get("dimensions") or {}).items():
        if dimension not in dimensions.BY_ID:
            raise ProfileFault(f'unknown dimension "{dimension}"; use one of {", ".join(dimensions.BY_ID)}')
        scales[dimension] = {measure: _scale(given, f"{dimension}.{measure}") for measure, given in measures.items()}
    rule = base.rule if base else VerdictRule()
    try:
        rule = replace(rule, **(document.get("verdict") or {}))
        return Profile(
            id=str(document["id"]),
            name=str(document["name"]),
            source=str(document.get("source") or ""),
            checked_on=document.get("checked_on"),
            scales=scales,
            limits=tuple(_limit(given) for given in document.get("limits") or ()),
            not_measured=tuple(document.get("not_measured") or ()),
            rule=rule,
        )
    except (KeyError, TypeError) as exc:
        raise ProfileFault(f"missing or unknown: {exc}") from exc


def _scale(given: Mapping[str, Any], where: str) -> Scale:
    steps: Sequence[Sequence[float]] = given.get("points") or ()
    at, points = tuple(float(step[0]) for step in steps), tuple(float(step[1]) for step in steps)
    rising = all(a < b for a, b in itertools.pairwise(at))
    falls = [b - a for a, b in itertools.pairwise(points)]
    if len(at) < 2 or not rising or (min(falls) < 0 < max(falls)) or not all(0 <= p <= 100 for p in points):
        raise ProfileFault(f"{where}: a scale needs two points or more, rising values, and points within 0..100 that "
                           "rise or fall throughout")  # fmt: skip
    if unknown := set(given) - {"points", "least_n"}:
        raise ProfileFault(f"{where}: unknown keys: {', '.join(sorted(unknown))}")
    return Scale(at, points, int(given.get("least_n", SMALLEST_N)))


def _limit(given: Mapping[str, Any]) -> Limit:
    share = float(given["share_pct"]) / 100
    if not 0 < share <= 1:
        raise ProfileFault(f"{given['id']}: share_pct lies within 1..100, not {given['share_pct']}")
    if ("at_most" in given) == ("at_least" in given):
        raise ProfileFault(f"{given['id']}: give either at_most or at_least")
    rest = {key: value for key, value in given.items() if key != "share_pct"}
    return Limit(share=share, **rest)


def profile_names() -> tuple[str, ...]:
    """Return the names of the profiles in the package."""
    folder = resources.files("audit.analysis") / "scales"
    return tuple(sorted(file.name.removesuffix(".yaml") for file in folder.iterdir() if file.name.endswith(".yaml")))


@lru_cache(maxsize=32)
def load_profile(name: str) -> Profile:
    """Return a profile of the package by its name.

    Raises:
        ProfileFault: there is none of this name.
    """
    from ruamel.yaml import YAML

    if name not in profile_names():
        raise ProfileFault(f'unknown profile "{name}"; use one of {", ".join(profile_names())}')
    text = (resources.files("audit.analysis") / "scales" / f"{name}.yaml").read_text(encoding="utf-8")
    document = YAML(typ="safe", pure=True).load(text)
    base = load_profile(document["extends"]) if document.get("extends") else None
    return parse_profile(document, base)
