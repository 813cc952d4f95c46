"""Live against offline on the same recordings, and what each 20 ms frame costs.

python -m bench.listener.live FOLDER [COUNT]
"""

import sys
import time
from pathlib import Path

import numpy as np

from probes.audio.listen import listen
from probes.audio.live import LiveEvent, LiveKind, LiveListener
from probes.audio.timeline import Kind
from probes.recording_file import decode


def compare(path: Path) -> tuple[list[float], list[float], dict[str, list[float]]]:
    """Return microseconds per frame (wall, processor) and, for each kind of event, how far it is from the timeline."""
    x = decode(path).channel()
    x = x[: len(x) // 160 * 160]
    offline, live = listen(x, 8000), LiveListener()
    events: list[LiveEvent] = []
    wall, processor = [], []
    for start in range(0, len(x), 160):
        began, used = time.perf_counter(), time.thread_time()
        events += live.push(x[start : start + 160], start / 8000)
        wall.append((time.perf_counter() - began) * 1e6)
        processor.append((time.thread_time() - used) * 1e6)
    final = live.finish()
    found = [(e.at_s, e.end_s, e.kind) for e in events if e.what is LiveKind.SEGMENT and e.end_s]
    away = {
        "kind of each 0.1 s": _kinds_apart(found, [(s.start_s, s.end_s, s.kind) for s in offline.segments]),
        "hold start": _away([h.start_s for h in offline.holds], events, LiveKind.HOLD_STARTED),
        "first person": [] if offline.first_person_s is None else [_apart(live.first_person_s, offline.first_person_s)],
        "no first person": [_apart(live.first_person_s, None)] if offline.first_person_s is None else [],
        "after the call": [
            abs(a.end_s - b.end_s)
            for a, b in zip(offline.segments, final.segments, strict=False)
            if a.kind is not Kind.SILENCE
        ],
    }
    return wall, processor, away


def _kinds_apart(said: list[tuple[float, float, Kind]], truth: list[tuple[float, float, Kind]]) -> list[float]:
    """Return for each tenth of a second how far away from there offline has the kind that was said live."""
    out = []
    for start_s, end_s, kind in said:
        same = np.array([(a, b) for a, b, k in truth if k is kind])
        for at_s in np.arange(start_s + 0.05, end_s, 0.1):
            apart = np.maximum(same[:, 0] - at_s, at_s - same[:, 1]).clip(0).min() if len(same) else 99.0
            out.append(float(apart))
    return out


def _apart(one_s: float | None, other_s: float | None) -> float:
    if one_s is None or other_s is None:
        return 0.0 if one_s is other_s else 99.0
    return abs(one_s - other_s)


def _away(truth: list[float], events: list[LiveEvent], what: LiveKind) -> list[float]:
    times = [e.at_s for e in events if e.what is what]
    return [min((abs(t - e) for e in times), default=99.0) for t in truth]


def main() -> None:
    folder, count = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 100
    wall, processor, away = [], [], {}
    for path in sorted(folder.glob("call_???.wav"))[:count]:
        w, p, a = compare(path)
        for name in ("first person", "no first person"):
            if max(a[name], default=0.0) > 1.0:
                print(f"{path.name}: {name} {a[name][0]:.1f} s apart")
        wall += w
        processor += p
        for k, v in a.items():
            away.setdefault(k, []).extend(v)
    for name, values in (("wall", wall), ("processor", processor)):
        print(
            name,
            "us a frame: median, p99",
            np.percentile(values, [50, 99]).round(1),
            "mean",
            round(float(np.mean(values)), 1),
        )
    for name, values in away.items():
        if values:
            within = float(np.mean(np.array(values) <= 1))
            worst = f"median {np.median(values):.3f} s, worst {max(values):.2f} s"
            print(f"{name}: {len(values)}, within 1 s {within:.3f}, {worst}")


if __name__ == "__main__":
    main()
