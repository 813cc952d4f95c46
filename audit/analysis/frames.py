"""The analysis as pandas frames, for a notebook and for `holdproof report --data`. One row per thing, units in names.

Column types: moments are timezone-aware UTC, numbers float64 (NaN: not observed), shares and ratios 0..1, evidence a
space-separated list of evidence numbers. docs/notebook.md shows their use.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

import pandas as pd

from audit.analysis.model.audits import Analysis
from audit.model import Event

FRAMES = ("measures", "observed", "promises", "findings", "scores", "calls", "limits", "pairs", "agreements",
          "follow_through", "vendor_tests", "menus", "costs", "accounting", "evidence", "story")  # fmt: skip


def frames(analysis: Analysis) -> dict[str, pd.DataFrame]:
    """Return every frame by its name.

    measures: one row per vendor and measure, with n and what stands beside it, estimate, interval and method.
    observed: one row per observation; `value` in the measure's unit, a lower bound where `censored`.
    promises: the promise ledger. findings: what is said, with verdict and origin. scores: one row per vendor and
    dimension. calls: one row per call with its clocks. limits, pairs, agreements, vendor_tests, costs, accounting: as
    in the report. follow_through: courtesy and outcome side by side. menus: one row per place of a menu. evidence: what
    the numbers rest on. story: one row per sentence, in order.
    """
    return {
        "measures": measures_frame(analysis),
        "observed": observed_frame(analysis),
        "promises": _frame(analysis.promises),
        "findings": _frame(analysis.findings),
        "scores": scores_frame(analysis),
        "calls": _frame(analysis.calls, without=("timeline", "recording")),
        "limits": _frame(analysis.limits),
        "pairs": _frame(analysis.pairs, without=("pairs",)),
        "agreements": _frame(analysis.agreements),
        "follow_through": _frame(analysis.follow_through),
        "vendor_tests": _frame(analysis.vendor_tests),
        "menus": menus_frame(analysis),
        "costs": _frame(analysis.costs, without=("parts",)),
        "accounting": _frame(analysis.accounting),
        "evidence": _frame(analysis.evidence, without=("artifacts",)),
        "story": story_frame(analysis),
    }


def measures_frame(analysis: Analysis) -> pd.DataFrame:
    """Return one row per vendor and measure."""
    return _frame(analysis.measures, without=("survival", "observed"))


def observed_frame(analysis: Analysis) -> pd.DataFrame:
    """Return one row per observation, with its vendor, measure and unit."""
    rows = [
        {"vendor": m.vendor, "measure": m.id, "unit": m.unit, **_plain(o)}
        for m in analysis.measures
        for o in m.observed
    ]
    return _table(rows)


def scores_frame(analysis: Analysis) -> pd.DataFrame:
    """Return one row per vendor and dimension; `score` is NaN where it is not rated, and `why_not` says why."""
    rows = [
        {"vendor": card.vendor, "profile": card.profile, **_plain(d, without=("parts",))}
        for card in analysis.scorecards
        for d in card.dimensions
    ]
    return _table(rows)


def menus_frame(analysis: Analysis) -> pd.DataFrame:
    """Return one row per place of a menu that calls came through."""
    rows = [{"vendor": m.vendor, "channel": m.channel, **_plain(place)} for m in analysis.menus for place in m.places]
    return _table(rows)


def story_frame(analysis: Analysis) -> pd.DataFrame:
    """Return one row per sentence of the stories."""
    rows = [
        {"vendor": story.vendor, "case": story.case, "place": place, **_plain(line)}
        for story in analysis.stories
        for place, line in enumerate(story.lines, start=1)
    ]
    return _table(rows)


def events_frame(events: Sequence[Event]) -> pd.DataFrame:
    """Return one row per event: its place, case, contact, kind, moments, and the payload's own fields as `what.…`."""
    rows = []
    for event in events:
        row: dict[str, Any] = {
            "seq": event.seq,
            "case": event.case,
            "contact": event.contact,
            "kind": event.kind,
            "at_utc": event.at_utc,
            "clock": str(event.clock),
        }
        for field in dataclasses.fields(event.what):
            value = getattr(event.what, field.name)
            if not dataclasses.is_dataclass(value):
                row[f"what.{field.name}"] = _cell(value)
        rows.append(row)
    return _table(rows)


def _frame(items: Iterable[Any], without: Sequence[str] = ()) -> pd.DataFrame:
    return _table([_plain(item, without) for item in items])


def _table(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame(rows)
    for name in table.columns:
        if str(name).endswith("_utc"):
            table[name] = pd.to_datetime(table[name], utc=True)
    return table


def _plain(item: Any, without: Sequence[str] = ()) -> dict[str, Any]:
    return {f.name: _cell(getattr(item, f.name)) for f in dataclasses.fields(item) if f.name not in without}


def _cell(value: Any) -> Any:
    if isinstance(value, tuple):
        return " ".join(str(part) for part in value) if all(isinstance(p, str) for p in value) else str(value)
    return str(value) if isinstance(value, StrEnum) else value
