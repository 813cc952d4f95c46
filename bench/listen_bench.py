"""How well and how fast calls are heard, beside voice detectors on the same calls in the same run, on one page.

    python -m bench.listen_bench --cache DIR --split test --seeds 1 2 3 4 5 --out OUT [--outside FOLDER ...]
    python -m bench.listen_bench --calls FOLDER ... --out OUT [--check-with PATH/score.py]

Writes OUT/accuracy.md (the page, with bench/calls/history.md at its end), OUT/accuracy.json, and every prediction to
OUT/heard/DETECTOR; with --readme README.md also the tables there. The listener runs alone: its speed is processor time
of listening on one thread, memory its process's highest. Then the voice detectors run, `--jobs` at once.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy is loaded: one thread for all that is compared
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import soundfile
from numpy.typing import NDArray

from bench import listen_cost, listen_page
from bench.calls import detectors, make, packages, pool, score

LISTENER = detectors.NAMES[0]
_NOT_HERE = 3  # how a worker ends whose detector cannot run
_LONG_H = (1.0, 4.0)
HISTORY = Path(__file__).parent / "calls" / "history.md"


def main() -> None:
    """Make the calls, let every detector hear them, measure what it costs, score, write, print."""
    chosen = _arguments()
    if chosen.worker:
        _work(chosen)
        return
    chosen.out.mkdir(parents=True, exist_ok=True)
    sets = {"own": chosen.calls or _made(chosen), "outside": chosen.outside}
    names = [f.name for folders in sets.values() for f in folders]
    if len(set(names)) < len(names):
        sys.exit(f"error: two folders of calls have the same name: {' '.join(sorted(names))}")
    results = _measured(chosen, sets)
    pages = listen_page.Results(**results)
    history = HISTORY.read_text() if HISTORY.exists() else ""
    (chosen.out / "accuracy.json").write_text(json.dumps(results["figures"] | results["costs"], indent=1))
    (chosen.out / "accuracy.md").write_text(listen_page.page(pages) + "\n" + history)
    if chosen.readme:
        chosen.readme.write_text(listen_page.placed(chosen.readme.read_text(), listen_page.short(pages)))
    print((chosen.out / "accuracy.md").read_text())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--split", choices=packages.SPLITS, default="test")
    parser.add_argument("--n", type=int, default=28, help="calls of each seed; 28 is one round of all scenes")
    parser.add_argument("--calls", type=Path, nargs="+", help="folders of made calls instead")
    parser.add_argument("--outside", type=Path, nargs="+", default=[], help="calls another generator made, told apart")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--readme", type=Path, help="a text whose tables of figures are written anew")
    parser.add_argument("--detectors", nargs="+", choices=detectors.NAMES, default=list(detectors.NAMES))
    parser.add_argument("--live", type=int, default=1, help="of how many own folders to compare live with offline")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="detectors at once")
    parser.add_argument("--check-with", type=Path, help="another scorer's score.py, to compare the figures with")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--name", help=argparse.SUPPRESS)
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


def _measured(chosen: argparse.Namespace, sets: dict[str, list[Path]]) -> dict[str, Any]:
    """Run every worker, score what was heard, and return all that a page is made from."""
    folders = [f for some in sets.values() for f in some]
    run = partial(_run, chosen)
    costs: dict[str, Any] = {}
    here = [LISTENER] if LISTENER in chosen.detectors and run("hear", LISTENER, folders) else []
    if here:  # before anything runs beside it
        first = sets["own"][: max(1, chosen.live)]
        costs["profile"] = run("profile", "profile", first[:1])
        costs["long"] = [run("long", str(hours), first) for hours in _LONG_H]
        costs["live"] = run("live", "live", first) if chosen.live else None
    others = [name for name in chosen.detectors if name != LISTENER]
    with ThreadPoolExecutor(chosen.jobs) as workers:
        done = workers.map(lambda name: run("hear", name, folders), others)
        here += [name for name, came in zip(others, done, strict=True) if came]
    figures: dict[str, Any] = {"own": {}, "outside": {}}
    totals: dict[str, score.Score] = {}
    for what, some in sets.items():
        for name in here if some else ():
            heard = chosen.out / "heard" / name
            total, figures[what][name] = _scored(some, heard)
            totals.setdefault(name, score.Score())
            totals[name] += total
            if chosen.check_with:
                figures[what][name]["differs_from_outside_check"] = _checked(chosen.check_with, some, heard)
    return {
        "figures": figures,
        "listener": totals.get(LISTENER),
        "costs": costs,
        "folders": {k: [f.name for f in v] for k, v in sets.items()},
    }


def _run(chosen: argparse.Namespace, task: str, name: str, folders: list[Path]) -> dict[str, Any] | None:
    """Let a process of its own do a task and return what it found; None: what it needs is not here."""
    target = chosen.out / "heard" / name if task == "hear" else chosen.out / "cost"
    command = [sys.executable, "-m", "bench.listen_bench", "--worker", task, "--name", name, "--out", str(target)]
    command += ["--calls", *map(str, folders)] + (["--cache", str(chosen.cache)] if chosen.cache else [])
    start = time.monotonic()
    done = subprocess.run(command)
    print(f"{task} {name}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    if done.returncode == _NOT_HERE:
        return None
    done.check_returncode()
    found: dict[str, Any] = json.loads((target / ("cost.json" if task == "hear" else f"{name}.json")).read_text())
    return found


def _work(chosen: argparse.Namespace) -> None:
    """Do one task; this is a process of its own."""
    if chosen.worker == "hear":
        _hear(chosen.name, chosen.calls, chosen.out, chosen.cache)
        return
    paths = [p for f in chosen.calls for p in sorted(f.glob("call_???.wav"))]
    if chosen.worker == "profile":
        found = listen_cost.profile(paths)
    elif chosen.worker == "long":
        found = listen_cost.of_length(paths, float(chosen.name))
    else:
        found = listen_cost.live_figures(paths)
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / f"{chosen.name}.json").write_text(json.dumps(found, indent=1))


def _hear(name: str, folders: list[Path], out: Path, cache: Path | None) -> None:
    """One detector hears all calls."""
    try:
        detector = detectors.ready(name, cache)
    except detectors.NotHere as exc:
        print(exc, flush=True)
        sys.exit(_NOT_HERE)
    before_mb = listen_cost.highest_mb()
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
    peak_mb = listen_cost.highest_mb()
    (out / "cost.json").write_text(json.dumps({"cpu_s": times, "peak_mb": peak_mb, "start_mb": before_mb}))


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
    total, to_label = score.Score(), score.Score()
    scenes: dict[str, score.Score] = defaultdict(score.Score)
    for label, said, seconds in _pairs(folders, heard, cost["cpu_s"]):
        one = score.score(label, said, seconds)
        total += one
        to_label += score.score(label, said, seconds, to_label=True)
        scenes[label["scenario"]] += one
    values = score.figures(total) | {"peak_mb": round(cost["peak_mb"]), "start_mb": round(cost["start_mb"])}
    values["holds_far_edge_to_label"] = score.figures(to_label)["holds_far_edge"]
    return total, {"total": values, "scenes": {name: score.figures(s) for name, s in sorted(scenes.items())}}


def _pairs(
    folders: list[Path], heard: Path, cpu_s: dict[str, float]
) -> list[tuple[score.Document, score.Document, float]]:
    """Return label, prediction and processor time of every call."""
    return [
        (
            json.loads(path.read_text()),
            json.loads((heard / folder.name / path.name).read_text()),
            cpu_s.get(f"{folder.name}/{path.stem}", 0.0),
        )
        for folder in folders
        for path in sorted(folder.glob("call_???.json"))
    ]


def _checked(script: Path, folders: list[Path], heard: Path) -> list[str]:
    """Return where another scorer's aggregate of the same predictions differs from ours."""
    spec = importlib.util.spec_from_file_location("outside_check", script)
    assert spec
    assert spec.loader
    outside = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(outside)
    rows, total = [], score.Score()
    for label, said, _ in _pairs(folders, heard, {}):
        rows.append(outside.score_call(label, said))
        total += score.score(label, said, to_label=True)
    return score.agreement(score.figures(total), outside.aggregate(rows))


if __name__ == "__main__":
    main()
