"""How well and how fast calls are heard, side by side with voice detectors on the same calls in the same run.

    python -m bench.listen_bench --cache DIR --seeds 1 2 3 4 5 --out OUT [--split test] [--n 28] [--detectors ...]
    python -m bench.listen_bench --calls FOLDER ... --out OUT [--check-with PATH/score.py]

Writes OUT/accuracy.json and OUT/accuracy.md, and every prediction to OUT/heard/DETECTOR. Each detector runs in a
process of its own, one after the other, on one thread; speed is processor time of listening alone, memory is the
process's highest.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import resource
import subprocess
import sys
import time
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy is loaded: one thread for all that is compared
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import soundfile
from numpy.typing import NDArray

from bench.calls import detectors, make, packages, pool, score


def main() -> None:
    """Make the calls, let every detector hear them, score, print, write."""
    chosen = _arguments()
    if chosen.worker:
        _hear(chosen.worker, chosen.calls, chosen.out, chosen.cache)
        return
    chosen.out.mkdir(parents=True, exist_ok=True)
    folders = chosen.calls or _made(chosen)
    results: dict[str, Any] = {}
    totals: dict[str, score.Score] = {}
    for name in chosen.detectors:
        target = chosen.out / "heard" / name
        command = [sys.executable, "-m", "bench.listen_bench", "--worker", name, "--out", str(target)]
        command += ["--calls", *map(str, folders)] + (["--cache", str(chosen.cache)] if chosen.cache else [])
        done = subprocess.run(command)
        if done.returncode == 3:
            continue
        done.check_returncode()
        totals[name], results[name] = _scored(folders, target)
        if chosen.check_with:
            results[name]["differs_from_outside_check"] = _checked(chosen.check_with, folders, target)
        print(json.dumps(results[name]["total"]), flush=True)
    page = tables(results)
    first = next(iter(totals), None)
    if first:
        page += f"\n### How far the confidence of {first} in a hold can be trusted\n\n" + sureness(totals[first])
        page += f"\n### The ten worst edges of {first}\n\n" + worst_edges(totals[first])
    (chosen.out / "accuracy.json").write_text(json.dumps(results, indent=1))
    (chosen.out / "accuracy.md").write_text(page)
    print(page)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--split", choices=packages.SPLITS, default="test")
    parser.add_argument("--n", type=int, default=28, help="calls of each seed; 28 is one round of all scenes")
    parser.add_argument("--calls", type=Path, nargs="+", help="folders of made calls instead")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--detectors", nargs="+", choices=detectors.NAMES, default=list(detectors.NAMES))
    parser.add_argument("--check-with", type=Path, help="another scorer's score.py, to compare the figures with")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if not chosen.calls and not chosen.cache:
        parser.error("--cache (to make calls) or --calls (made already) is needed")
    return chosen


def _made(chosen: argparse.Namespace) -> list[Path]:
    folders = []
    side = pool.load(chosen.cache, chosen.split)
    for seed in chosen.seeds:
        folder = chosen.out / "calls" / f"{chosen.split}-{seed}"
        folders.append(folder)
        if len(list(folder.glob("call_*.json"))) < chosen.n:
            make.write_calls(side, chosen.cache, folder, chosen.n, seed)
    return folders


def _hear(name: str, folders: list[Path], out: Path, cache: Path | None) -> None:
    """One detector hears all calls; runs in its own process."""
    try:
        detector = detectors.ready(name, cache)
    except detectors.NotHere as exc:
        print(exc, flush=True)
        sys.exit(3)
    before_mb = _highest_mb()
    times: dict[str, float] = {}
    for folder in folders:
        for path in sorted(folder.glob("call_???.json")):
            sound, _ = soundfile.read(path.with_suffix(".wav"), dtype="float32")
            target = out / folder.name / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            said, seconds = _said(detector, sound, target.with_suffix(".npz"))
            start = time.process_time()
            heard = detector.hear(sound, said)
            times[f"{folder.name}/{path.stem}"] = seconds + time.process_time() - start
            target.write_text(json.dumps(heard))
    peak_mb = _highest_mb()
    (out / "cost.json").write_text(json.dumps({"cpu_s": times, "peak_mb": peak_mb, "start_mb": before_mb}))


def _highest_mb() -> float:
    """Return the most memory that this program has had; getrusage would count the program that started it as well."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) / 1024  # type: ignore[index]
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _said(
    detector: detectors.Detector, sound: NDArray[np.float32], kept: Path
) -> tuple[NDArray[np.float32] | None, float]:
    """Return a detector's own answer to a call and what it cost; it is kept, since it does not change when we do."""
    if detector.speech is None:
        return None, 0.0
    if kept.exists():
        with np.load(kept) as stored:
            if int(stored["samples"]) == len(sound):
                return stored["said"], float(stored["seconds"])
    start = time.process_time()
    said = detector.speech(sound)
    seconds = time.process_time() - start
    np.savez_compressed(kept, said=said, seconds=seconds, samples=len(sound))
    return said, seconds


def _scored(folders: list[Path], heard: Path) -> tuple[score.Score, dict[str, Any]]:
    cost = json.loads((heard / "cost.json").read_text())
    total = score.Score()
    scenes: dict[str, score.Score] = defaultdict(score.Score)
    for folder in folders:
        for path in sorted(folder.glob("call_???.json")):
            label = json.loads(path.read_text())
            said = json.loads((heard / folder.name / path.name).read_text())
            one = score.score(label, said, cost["cpu_s"][f"{folder.name}/{path.stem}"])
            total += one
            scenes[label["scenario"]] += one
    values = {
        "total": {**score.figures(total), "peak_mb": round(cost["peak_mb"]), "start_mb": round(cost["start_mb"])},
        "scenes": {name: score.figures(s) for name, s in sorted(scenes.items())},
    }
    return total, values


def _checked(script: Path, folders: list[Path], heard: Path) -> list[str]:
    """Return where another scorer's aggregate of the same predictions differs from ours."""
    spec = importlib.util.spec_from_file_location("outside_check", script)
    assert spec
    assert spec.loader
    outside = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(outside)
    rows, total = [], score.Score()
    for folder in folders:
        for path in sorted(folder.glob("call_???.json")):
            label = json.loads(path.read_text())
            said = json.loads((heard / folder.name / path.name).read_text())
            rows.append(outside.score_call(label, said))
            total += score.score(label, said, to_label=True)
    return score.agreement(score.figures(total), outside.aggregate(rows))


COLUMNS = {
    "accuracy": "frame_accuracy",
    "macro F1": "macro_f1",
    "tone F1": "tone_f1",
    "tone named": "tone_name",
    "false tones": "false_tones",
    "holds found": "holds_found",
    "of": "holds",
    "spurious": "holds_spurious",
    "edge > 2 s": "holds_far_edge",
    "edge median ms": "edge_median_ms",
    "edge p95 ms": "edge_p95_ms",
    "duration error median %": "duration_error_median_pct",
    "p95 %": "duration_error_p95_pct",
    "total %": "total_hold_error_mean_pct",
    "loops right": "loops_right",
    "of ": "loops",
    "claimed of none": "loops_claimed_of_none",
    "messages known again": "repeated_messages",
    "persons called recordings": "persons_called_recorded",
    "person found": "person_found",
    "first person p95 s": "first_person_p95_s",
    "missed": "first_person_missed",
    "× real time": "times_real_time",
    "peak MB": "peak_mb",
}


def tables(results: dict[str, Any]) -> str:
    """Return two markdown tables: all detectors over all calls, and the first of them scene by scene."""
    if not results:
        return "no detector could run\n"
    first = next(iter(results))
    totals = {name: r["total"] for name, r in results.items()}
    page = [f"### All calls ({totals[first]['calls']}, {totals[first]['minutes']} min)", "", *_table(totals), ""]
    page += [f"### {first}, scene by scene", "", *_table(results[first]["scenes"]), ""]
    return "\n".join(page)


def _table(rows: dict[str, dict[str, Any]]) -> list[str]:
    lines = [
        " | ".join(["|", *(c.strip() for c in COLUMNS), ""]).replace("|  ", "| "),
        "|" + " --- |" * (1 + len(COLUMNS)),
    ]
    for name, values in rows.items():
        cells = [_cell(values["f1"]["tone"] if key == "tone_f1" else values.get(key)) for key in COLUMNS.values()]
        lines.append("| " + " | ".join([name, *cells]) + " |")
    return lines


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, list):
        return " of ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def sureness(total: score.Score) -> str:
    """Return a markdown table: of the holds heard with some confidence, how many there were."""
    lines = ["| confidence | holds heard | there is one | and both edges within 2 s |", "| --- | --- | --- | --- |"]
    for low, high in pairwise((0.0, 0.7, 0.8, 0.9, 0.95, 1.01)):
        heard = [(there, right) for told, there, right in total.sureness if low <= told < high]
        if heard:
            there, right = (f"{np.mean(column):.3f}" for column in zip(*heard, strict=True))
            lines.append(f"| {low:g} to {min(high, 1):g} | {len(heard)} | {there} | {right} |")
    return "\n".join(lines) + "\n"


def worst_edges(total: score.Score, count: int = 10) -> str:
    """Return the edges that are furthest off, and what was there."""
    lines = []
    for edge in sorted(total.edges, key=lambda e: -abs(e.error_s))[:count]:
        lines.append(
            f"- {edge.call} ({edge.scenario}), {edge.which} at {edge.true_s:.1f} s heard {edge.error_s:+.2f} s off. "
            f"There is: {edge.around_truth}. Heard: {edge.around_heard}."
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
