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
    edges = {s.end_s for s in offline.segments if s.end_s - s.start_s > 0.5}
    found = [e.end_s for e in events if e.what is LiveKind.SEGMENT and e.end_s and e.end_s - e.at_s > 1.5]
    away = {
        "edges": [min(abs(t - e) for e in edges) for t in found] if edges else [],
        "hold start": _away([h.start_s for h in offline.holds], events, LiveKind.HOLD_STARTED),
        "first person": _away([offline.first_person_s] if offline.first_person_s else [], events, LiveKind.PERSON),
        "after the call": [
            abs(a.end_s - b.end_s)
            for a, b in zip(offline.segments, final.segments, strict=False)
            if a.kind is not Kind.SILENCE
        ],
    }
    return wall, processor, away


def _away(truth: list[float], events: list[LiveEvent], what: LiveKind) -> list[float]:
    times = [e.at_s for e in events if e.what is what]
    return [min((abs(t - e) for e in times), default=99.0) for t in truth]


def main() -> None:
    folder, count = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 100
    wall, processor, away = [], [], {}
    for path in sorted(folder.glob("call_???.wav"))[:count]:
        w, p, a = compare(path)
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
