"""The page that says how well calls are heard, from what a run measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np

from bench.calls import score

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Results:
    """What a run measured.

    Attributes:
        figures: for `own` and `outside` calls and each detector: `total` and `scenes`.
        listener: the score of the listener over all calls; None when it did not run.
        costs: `profile`, `long` and `live`, as their workers wrote them.
        folders: the names of the folders of `own` and `outside` calls.
    """

    figures: dict[str, dict[str, Figures]]
    listener: score.Score | None
    costs: dict[str, Any]
    folders: dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Row:
    """One figure, how it is written, and what it has to be."""

    name: str
    key: str
    target: str = ""
    met: Callable[[Any], bool] | None = None
    unit: str = ""


def _least(value: float) -> dict[str, Any]:
    return {"target": f"at least {value:g}", "met": lambda v: v >= value}


def _most(value: float) -> dict[str, Any]:
    return {"target": f"at most {value:g}" if value else "none", "met": lambda v: v <= value}


def _share(value: float) -> dict[str, Any]:
    return {"target": f"at least {100 * value:g} %", "met": lambda v: not v[1] or v[0] >= value * v[1]}


ROWS = (
    Row("frames of 100 ms right", "frame_accuracy", **_least(0.985)),
    Row("macro F1", "macro_f1", **_least(0.975)),
    Row("tone F1", "tone_f1", **_least(0.99)),
    Row("tones named right", "tone_name", **_least(0.99)),
    Row("false tones in music and speech", "false_tones", **_most(0)),
    Row("holds found", "holds_found_of", **(_share(1.0) | {"target": "all"})),
    Row("holds spurious", "holds_spurious", **_most(0)),
    Row("holds with an edge off by more than 2 s", "holds_far_edge", **_most(0)),
    Row("the same by the labels alone", "holds_far_edge_to_label"),
    Row("hold edges, median", "edge_median_ms", unit=" ms", **_most(60)),
    Row("hold edges, 95th percentile", "edge_p95_ms", unit=" ms", **_most(500)),
    Row("hold duration error, median", "duration_error_median_pct", unit=" %", **_most(0.1)),
    Row("hold duration error, 95th percentile", "duration_error_p95_pct", unit=" %", **_most(1)),
    Row("error of all holds of a call, mean", "total_hold_error_mean_pct", unit=" %", **_most(0.5)),
    Row("loop period within 250 ms", "loops_of", **_share(0.95)),
    Row("loops claimed where nothing repeats", "loops_claimed_of_none", "none", lambda v: v[0] == 0),
    Row("repeated messages known again", "repeated_messages", **_least(0.98)),
    Row("persons' speech called a recording", "persons_called_recorded", "under 0.01", lambda v: v < 0.01),
    Row("persons' speech found", "person_found", **_least(0.97)),
    Row("first person, 95th percentile", "first_person_p95_s", unit=" s", **_most(2)),
    Row("first person missed, and heard where there is none", "first_person_missed_false"),
    Row("times real time, one core", "times_real_time", **_least(1500)),
    Row("memory, at most", "peak_mb", unit=" MB", **_most(300)),
)
NOT_IN_README = {
    "tone_name",
    "holds_far_edge_to_label",
    "duration_error_median_pct",
    "duration_error_p95_pct",
    "total_hold_error_mean_pct",
}
SCENE_COLUMNS = {
    "calls": "calls",
    "frames": "frame_accuracy",
    "macro F1": "macro_f1",
    "holds found": "holds_found_of",
    "spurious": "holds_spurious",
    "edge > 2 s": "holds_far_edge",
    "edge p95 ms": "edge_p95_ms",
    "duration p95 %": "duration_error_p95_pct",
    "loops": "loops_of",
    "claimed of none": "loops_claimed_of_none",
    "messages": "repeated_messages",
    "persons called recordings": "persons_called_recorded",
    "person found": "person_found",
    "first person p95 s": "first_person_p95_s",
    "missed, false": "first_person_missed_false",
}


def page(results: Results) -> str:
    """Return the page in markdown."""
    day = datetime.now(UTC).date().isoformat()
    told = {k: v for k, v in results.figures.items() if v}
    if not told:
        return "no detector could run\n"
    first = next(iter(next(iter(told.values()))))
    parts = [f"# Accuracy, measured {day}", _about(results, first), "## Against what is asked", _targets(told, first)]
    for what, by_detector in told.items():
        if len(by_detector) > 1:
            parts += [f"## Beside voice detectors: {_calls(what)}", _beside(by_detector)]
    for what, by_detector in told.items():
        parts += [f"## Scene by scene: {_calls(what)}", _scenes(by_detector[first]["scenes"])]
    if results.listener:
        parts += ["## How far the confidence in a hold can be trusted", sureness(results.listener)]
        parts += ["## The ten worst edges", worst_edges(results.listener)]
    if results.costs.get("live"):
        parts += ["## Live beside offline", _live(results.costs["live"])]
    if results.costs.get("profile"):
        parts += [
            "## Speed and memory",
            _long(results.costs["long"]),
            "## Where the time goes",
            _profile(results.costs["profile"]),
        ]
    return "\n\n".join(p.rstrip("\n") for p in parts) + "\n"


def short(results: Results) -> dict[str, str]:
    """Return the README's tables in markdown: `figures` of the listener, and detectors `beside` it where they ran."""
    told = {k: v for k, v in results.figures.items() if v}
    if not told:
        return {}
    first = next(iter(next(iter(told.values()))))
    rows = tuple(r for r in ROWS if r.key not in NOT_IN_README)
    tables = {"figures": _targets(told, first, rows, results.costs.get("live"))}
    own = next(iter(told.values()))
    return tables | ({"beside": _beside(own, rows)} if len(own) > 1 else {})


def placed(text: str, tables: dict[str, str]) -> str:
    """Return a text with each table in its place: from `<!-- NAME -->` to `<!-- end of NAME -->`.

    Raises:
        ValueError: the text has no such place.
    """
    for name, table in tables.items():
        before, start, rest = text.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- end of {name} -->")
        if not end:
            raise ValueError(f"no <!-- {name} --> … <!-- end of {name} --> to put the table in: add both lines")
        text = f"{before}{start}{table}\n{end}{after}"
    return text


def _calls(what: str) -> str:
    return {"own": "our own calls", "outside": "calls of another generator"}[what]


def _about(results: Results, first: str) -> str:
    lines = [
        "Written by `bench.listen_bench` in one run; figures are defined in README.md, ✓ is what is asked, ✗ is not."
    ]
    for what, by_detector in results.figures.items():
        if by_detector:
            total = by_detector[first]["total"]
            folders = ", ".join(results.folders[what])
            lines.append(
                f"{_calls(what).capitalize()}: {total['calls']} calls, {total['minutes']:.0f} minutes ({folders})."
            )
    return "\n".join(lines)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _targets(
    told: dict[str, dict[str, Figures]], first: str, wanted: tuple[Row, ...] = ROWS, live: Figures | None = None
) -> str:
    totals = {what: _ready(by_detector[first]["total"]) for what, by_detector in told.items()}
    rows = [[r.name, r.target, *(_cell(r, t.get(r.key), judged=True) for t in totals.values())] for r in wanted]
    if live:
        cost = live["frame_us"]
        rows += [
            ["live, a frame of 20 ms: median", "at most 100 µs", f"{cost['median']:g} µs", *[""] * (len(totals) - 1)],
            [
                "live, a frame of 20 ms: 99th percentile",
                "at most 1 ms",
                f"{cost['p99'] / 1000:.2f} ms",
                *[""] * (len(totals) - 1),
            ],
        ]
    return _table([first, "asked", *(_calls(what) for what in totals)], rows)


def _beside(by_detector: dict[str, Figures], wanted: tuple[Row, ...] = ROWS) -> str:
    totals = {name: _ready(v["total"]) for name, v in by_detector.items()}
    rows = [[r.name, *(_cell(r, t.get(r.key)) for t in totals.values())] for r in wanted]
    return _table(["", *totals], rows)


def _scenes(scenes: dict[str, Figures]) -> str:
    rows = [
        [name, *(_cell(Row("", key), ready.get(key)) for key in SCENE_COLUMNS.values())]
        for name, ready in ((n, _ready(v)) for n, v in scenes.items())
    ]
    return _table(["", *SCENE_COLUMNS], rows)


def _ready(values: Figures) -> Figures:
    return values | {
        "tone_f1": values["f1"]["tone"],
        "holds_found_of": [values["holds_found"], values["holds"]],
        "loops_of": [values["loops_right"], values["loops"]],
        "first_person_missed_false": f"{values['first_person_missed']}, {values['first_person_false']}",
    }


def _cell(row: Row, value: Any, *, judged: bool = False) -> str:
    if value is None or (isinstance(value, list) and not value[1]):
        return "–"
    text = (
        " of ".join(map(str, value)) if isinstance(value, list) else f"{value:,.6g}" if _number(value) else str(value)
    )
    mark = "" if not judged or row.met is None else " ✓" if row.met(value) else " ✗"
    return text + row.unit + mark


def _number(value: Any) -> bool:
    return isinstance(value, int | float)


def sureness(total: score.Score) -> str:
    """Return a markdown table: of the holds heard with some confidence, how many there were."""
    rows = []
    for low, high in pairwise((0.0, 0.7, 0.8, 0.9, 0.95, 1.01)):
        heard = [(there, right) for told, there, right in total.sureness if low <= told < high]
        if heard:
            there, right = (f"{np.mean(column):.3f}" for column in zip(*heard, strict=True))
            rows.append([f"{low:g} to {min(high, 1):g}", str(len(heard)), there, right])
    return _table(["confidence", "holds heard", "there is one", "and both edges within 2 s"], rows)


def worst_edges(total: score.Score, count: int = 10) -> str:
    """Return the edges that are furthest off, and what was there."""
    lines = []
    for edge in sorted(total.edges, key=lambda e: -abs(e.error_s))[:count]:
        lines.append(
            f"- {edge.call} ({edge.scenario}), {edge.which} at {edge.true_s:.1f} s heard {edge.error_s:+.2f} s off. "
            f"There is: {edge.around_truth}. Heard: {edge.around_heard}."
        )
    return "\n".join(lines) + "\n"


def _live(found: Figures) -> str:
    cost = found["frame_us"]
    rows = [[f"each tenth of a second, {name}", f"{100 * share:.1f} %"] for name, share in found["tenths"].items()]
    rows += [[name, str(n)] for name, n in found["counts"].items()]
    rows += [
        [f"{name}: median, 95th percentile, most", ", ".join(map(str, values))]
        for name, values in found["late_s"].items()
    ]
    return "\n".join(
        [
            f"Each frame of 20 ms fed by itself. It costs {cost['median']:g} µs of processor time in the median "
            f"(asked: 100), {cost['p99']:g} µs at the 99th percentile (asked: 1,000), {cost['mean']:g} on average.",
            "",
            _table(["live against offline", ""], rows),
        ]
    )


def _long(found: list[Figures]) -> str:
    rows = [
        [f"{v['hours']:g} h", f"{v['times_real_time']:,}", f"{3600 / v['times_real_time']:.2f} s", f"{v['peak_mb']} MB"]
        for v in found
    ]
    return "Calls laid end to end as one recording, one thread, nothing of ours beside it:\n\n" + _table(
        ["recording", "× real time", "an hour takes", "memory, the program included"], rows
    )


def _profile(found: Figures) -> str:
    parts = [[f"`{v['where']}`", f"{100 * v['whole']:.1f} %", f"{v['calls']:,}"] for v in found["parts"]]
    own = [[f"`{v['where']}`", f"{100 * v['own']:.1f} %", f"{v['calls']:,}"] for v in found["own"]]
    return "\n".join(
        [
            f"Of {found['minutes']:.0f} minutes of calls, from samples to timeline. A share holds what a part calls; "
            "a profiler makes functions that are called often look dearer than they are.",
            "",
            _table(["part of the offline path", "share", "calls"], parts),
            "",
            _table(["function by itself", "share", "calls"], own),
        ]
    )
