"""What listening costs: where its time goes, and the memory of long recordings. Each runs in a process of its own."""

from __future__ import annotations

import cProfile
import pstats
import re
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

RATE_HZ = 8000
_OWN = 10  # functions shown that work longest themselves
_PARTS = 14  # functions shown that take longest with all that they call
_ENTRIES = ("push", "finish", "listen", "decode", "assemble")  # all of the work runs within these


def highest_mb() -> float:
    """Return the most memory that this program has had; getrusage would count the program that started it as well."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) / 1024  # type: ignore[index]
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def profile(paths: list[Path]) -> dict[str, Any]:
    """Return the share of the time from samples to timeline that each part takes, over some recordings."""
    from probes.audio.listen import listen

    sounds = [soundfile.read(path, dtype="float32")[0] for path in paths]
    listen(sounds[0], RATE_HZ)  # what is loaded or compiled once is not the work
    meter = cProfile.Profile()
    meter.enable()
    for sound in sounds:
        listen(sound, RATE_HZ)
    meter.disable()
    stats = pstats.Stats(meter)
    total_s = float(stats.total_tt)  # type: ignore[attr-defined]
    rows = [
        {"where": _where(file, name), "calls": calls, "own": own_s / total_s, "whole": whole_s / total_s}
        for (file, _, name), (_, calls, own_s, whole_s, _) in stats.stats.items()  # type: ignore[attr-defined]
    ]
    inside = [r for r in rows if str(r["where"]).startswith("probes/") and r["where"].split(":")[1] not in _ENTRIES]
    return {
        "minutes": round(sum(map(len, sounds)) / RATE_HZ / 60, 1),
        "parts": sorted(inside, key=lambda r: -r["whole"])[:_PARTS],
        "own": sorted(rows, key=lambda r: -r["own"])[:_OWN],
    }


def _where(file: str, name: str) -> str:
    parts = Path(file).parts
    if "probes" in parts:
        return "/".join(parts[parts.index("probes") :]) + f":{name}"
    package = next((p for p in ("numpy", "scipy") if p in parts), None)
    return f"{package}:{name}" if package else re.sub(r" at 0x[0-9a-f]+", "", name)


def of_length(paths: list[Path], hours: float) -> dict[str, Any]:
    """Return the time and the memory that one recording of some hours takes, made of recordings laid end to end."""
    from probes.audio.listen import Listener

    count = round(hours * 3600 * RATE_HZ)
    start_mb, used_s, pushed = highest_mb(), 0.0, 0
    listener = Listener()
    while pushed < count:
        for path in paths:
            sound: NDArray[np.float32] = soundfile.read(path, dtype="float32")[0][: count - pushed]
            pushed += len(sound)
            start = time.process_time()
            for at in range(0, len(sound), RATE_HZ * 20):
                listener.push(sound[at : at + RATE_HZ * 20])
            used_s += time.process_time() - start
    start = time.process_time()
    listener.finish()
    used_s += time.process_time() - start
    return {
        "hours": hours,
        "times_real_time": round(hours * 3600 / used_s),
        "peak_mb": round(highest_mb()),
        "start_mb": round(start_mb),
    }


def live_figures(paths: list[Path]) -> dict[str, Any]:
    """Return what a live frame costs, and how often what is told live is what offline says."""
    from bench.listener.live import Compared, compare

    total, remarks = Compared(), []
    for path in paths:
        one = compare(path)
        remarks += [f"{path.parent.name}/{path.stem}: {remark}" for remark in one.remarks]
        total.add(one)
    cost = np.percentile(total.processor, [50, 99]) if total.processor else np.zeros(2)
    return {
        "frame_us": {
            "median": round(float(cost[0]), 1),
            "p99": round(float(cost[1]), 1),
            "mean": round(float(np.mean(total.processor)), 1) if total.processor else 0.0,
        },
        "tenths": {name: n / max(1, total.tenths["all"]) for name, n in total.tenths.items() if name != "all"},
        "counts": dict(total.counts),
        "late_s": {
            name: [round(float(v), 1) for v in (*np.percentile(values, [50, 95]), max(values))]
            for name, values in total.late_s.items()
            if values
        },
        "differ": remarks,
    }
