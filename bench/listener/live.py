"""Live against offline on the same recordings: what was told, how soon, what was told falsely, and what a frame costs.

python -m bench.listener.live FOLDER [COUNT]
"""

import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from probes.audio.listen import listen
from probes.audio.live import LiveEvent, LiveKind, LiveListener
from probes.audio.timeline import Kind, Label, Timeline
from probes.recording_file import decode

_FRAME, _RATE_HZ = 160, 8000
_SAME_S = 1.0
_OPEN_S = 15.0
_KINDS = (*Kind,)
_SOON_S = (3.0, 10.0, 30.0)


@dataclass
class Account:
    """What a caller knows who wrote down the events and let the later count."""

    stretches: list[tuple[float, float, Kind, float]] = field(default_factory=list)  # and when told
    holds: list[list[float | None]] = field(default_factory=list)
    persons: list[tuple[float, float, float | None]] = field(default_factory=list)  # at, known, taken back
    hold_told: list[tuple[float, float]] = field(default_factory=list)  # start, when it was told
    known_s: float = 0.0  # up to when it is known what was heard
    _last: tuple[Kind, float] | None = None

    def take(self, e: LiveEvent) -> None:
        """Write down one event."""
        if e.what in (LiveKind.SEGMENT, LiveKind.CORRECTED) and e.kind is not None and e.end_s is not None:
            self.stretches.append((e.at_s, e.end_s, e.kind, e.known_s))
        elif e.what is LiveKind.HOLD_STARTED:
            self.holds.append([e.at_s, None])
            self.hold_told.append((e.at_s, e.known_s))
        elif e.what is LiveKind.HOLD_ENDED and self.holds:
            self.holds[-1][1] = e.at_s
        elif e.what is LiveKind.HOLD_RESUMED and self.holds:
            self.holds[-1][1] = None
            self._take_back(self.holds[-1][0] or 0.0, e)
        elif e.what is LiveKind.HOLD_MOVED:
            same = next(h for h in self.holds if _overlap(h, (e.at_s, e.end_s)))
            same[:] = [e.at_s, e.end_s]
            self.hold_told.append((e.at_s, e.known_s))
        elif e.what is LiveKind.HOLD_TAKEN_BACK:
            self.holds = [h for h in self.holds if h[0] is None or abs(h[0] - e.at_s) > 0.01]
        elif e.what is LiveKind.PERSON:
            self.persons.append((e.at_s, e.known_s, None))
        elif e.what is LiveKind.RECORDING:
            gone = [p for p in self.persons if p[2] is None and abs(p[0] - e.at_s) < 0.5]
            for p in gone:
                self.persons[self.persons.index(p)] = (p[0], p[1], e.known_s)

    def goes_on(self, now: tuple[Kind, float, float], known_s: float) -> None:
        """Write down what goes on, when it is something new; it counts until more is told."""
        self.known_s = now[2]
        if (now[0], now[1]) != self._last:
            self._last = (now[0], now[1])
            self.stretches.append((now[1], 1e6, now[0], known_s))

    def _take_back(self, from_s: float, e: LiveEvent) -> None:
        for i, p in enumerate(self.persons):
            if p[2] is None and from_s < p[0] < e.at_s:
                self.persons[i] = (p[0], p[1], e.known_s)

    def kinds(self, count: int, soon_s: float) -> NDArray[np.int8]:
        """Return what was known of each tenth of a second so soon after it; -1: nothing."""
        out = np.full(count, -1, np.int8)
        for start_s, end_s, kind, known_s in self.stretches:
            # what was told of a stretch counts for those tenths of it that were no longer ago than that
            first = max(start_s, known_s - soon_s)
            out[round(first * 10) : round(end_s * 10)] = _KINDS.index(kind)
        return out


def _overlap(a: list[float | None], b: tuple[float, float | None]) -> bool:
    return (a[0] or 0.0) < (b[1] or 1e9) and b[0] < (a[1] or 1e9)


@dataclass
class Compared:
    """One call, or several."""

    tenths: Counter[str] = field(default_factory=Counter)
    other: Counter[tuple[str, str]] = field(default_factory=Counter)  # told, offline
    counts: Counter[str] = field(default_factory=Counter)
    late_s: dict[str, list[float]] = field(default_factory=dict)
    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def add(self, other: "Compared") -> None:
        """Add another."""
        for mine, theirs in ((self.tenths, other.tenths), (self.other, other.other), (self.counts, other.counts)):
            mine.update(theirs)  # type: ignore[arg-type]
        for name, values in other.late_s.items():
            self.late_s.setdefault(name, []).extend(values)
        self.wall += other.wall
        self.processor += other.processor


def compare(path: Path) -> Compared:
    """Hear one recording both ways."""
    x = decode(path).channel()
    x = x[: len(x) // _FRAME * _FRAME]
    live, account, out = LiveListener(), Account(), Compared()
    for start in range(0, len(x), _FRAME):
        began, used = time.perf_counter(), time.thread_time()
        events = live.push(x[start : start + _FRAME], start / _RATE_HZ)
        out.wall.append((time.perf_counter() - began) * 1e6)
        out.processor.append((time.thread_time() - used) * 1e6)
        for event in events:
            account.take(event)
        account.goes_on(live.now, live.heard_s)
    judge(account, live.finish(), listen(x, _RATE_HZ), out)
    return out


def judge(account: Account, final: Timeline, offline: Timeline, out: Compared) -> None:
    """Compare what was told, and the timeline at the end, with what offline says."""
    out.counts["calls"] += 1
    out.counts["finish says the same as offline"] += _same(final, offline)
    _judge_kinds(account, offline, out)
    _judge_holds(account, offline, out)
    _judge_persons(account, offline, out)


def _same(a: Timeline, b: Timeline) -> bool:
    stretches = [[(s.kind, s.label, round(s.start_s, 1)) for s in t.segments] for t in (a, b)]
    holds = [[(h.mode, round(h.start_s, 1), round(h.end_s, 1)) for h in t.holds] for t in (a, b)]
    return stretches[0] == stretches[1] and holds[0] == holds[1] and a.first_person_s == b.first_person_s


def _judge_kinds(account: Account, offline: Timeline, out: Compared) -> None:
    count = int(account.known_s * 10)
    truth = np.zeros(count, np.int8)
    for s in offline.segments:
        truth[round(s.start_s * 10) : round(s.end_s * 10)] = _KINDS.index(s.kind)
    near = np.array([np.convolve(truth == k, np.ones(21), "same") > 0.5 for k in range(len(_KINDS))])
    for name, soon_s in [("at the end", 1e9), *((f"{s:.0f} s after", s) for s in _SOON_S)]:
        told = account.kinds(count, soon_s)
        known = told >= 0
        out.tenths[f"{name}: exactly"] += int((told == truth).sum())
        out.tenths[f"{name}: within 1 s"] += int((near[told, np.arange(count)] & known).sum())
    out.tenths["all"] += count
    told = account.kinds(count, 1e9)
    wrong = ~near[told, np.arange(count)] | (told < 0)
    for a, b in zip(told[wrong], truth[wrong], strict=True):
        out.other[(_KINDS[a].value if a >= 0 else "nothing", _KINDS[b].value)] += 1


def _judge_holds(account: Account, offline: Timeline, out: Compared) -> None:
    out.counts["holds offline"] += len(offline.holds)
    out.counts["holds told at the end"] += len(account.holds)
    for h in offline.holds:
        told = [t for t in account.holds if t[0] is not None and abs(t[0] - h.start_s) <= _SAME_S]
        out.counts["hold start within 1 s"] += bool(told)
        ends = [offline.duration_s if t[1] is None else t[1] for t in told]
        out.counts["hold start and end within 1 s"] += any(abs(e - h.end_s) <= _SAME_S for e in ends)
        left_open = any(t[1] is None for t in told) and offline.duration_s - h.end_s < _OPEN_S
        out.counts["hold left open, offline over for less than 15 s at the end"] += left_open and not any(
            abs(e - h.end_s) <= _SAME_S for e in ends
        )
        known = [k for at, k in account.hold_told if abs(at - h.start_s) <= _SAME_S]
        if told and known:
            out.late_s.setdefault("hold start told after, s", []).append(min(known) - h.start_s)
        if not told or not any(abs(e - h.end_s) <= _SAME_S for e in ends):
            out.remarks.append(f"hold {h.start_s:.1f}-{h.end_s:.1f} {h.mode} told {account.holds}")
    false = [at for at, _ in account.hold_told if not any(h.start_s - 1 <= at <= h.end_s for h in offline.holds)]
    out.counts["holds told where offline has none"] += len(false)
    if false:
        out.remarks.append(f"no holds at {false}")


def _judge_persons(account: Account, offline: Timeline, out: Compared) -> None:
    agents = [s for s in offline.segments if s.label is Label.AGENT]
    first_s = offline.first_person_s
    still = [p for p in account.persons if p[2] is None]
    told_s = min((p[0] for p in still), default=None)
    false = [p for p in account.persons if not any(s.start_s - 1 <= p[0] <= s.end_s for s in agents)]
    out.counts["told to be persons, not offline"] += len(false)
    out.counts["of these not taken back"] += sum(p[2] is None for p in false)
    out.late_s.setdefault("a false person stood, s", []).extend(
        (offline.duration_s if p[2] is None else p[2]) - p[1] for p in false
    )
    for p in false:
        out.remarks.append(f"false person at {p[0]:.1f} known {p[1]:.1f} taken back {p[2]}")
    if first_s is None:
        out.counts["calls without a person"] += 1
        out.counts["calls without a person: one told at the end"] += told_s is not None
        out.counts["calls without a person: one told at any time"] += bool(account.persons)
        return
    out.counts["calls with a person"] += 1
    same = told_s is not None and abs(told_s - first_s) <= _SAME_S
    out.counts["first person within 1 s"] += same
    if same:
        known_s = min(p[1] for p in still if abs(p[0] - first_s) <= _SAME_S)
        out.late_s.setdefault("first person told after, s", []).append(known_s - first_s)
    else:
        out.remarks.append(f"first person {first_s:.1f} told {told_s}")


def main() -> None:
    """Print what all calls of a folder come to."""
    folder, count = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 100
    total = Compared()
    for path in sorted(folder.glob("call_???.wav"))[:count]:
        one = compare(path)
        for remark in one.remarks:
            print(f"{path.name}: {remark}")
        total.add(one)
    show(total)


def show(total: Compared) -> None:
    """Print the figures."""
    for name, values in (("wall", total.wall), ("processor", total.processor)):
        if values:
            median, p99 = np.percentile(values, [50, 99])
            print(f"{name}, us a frame: median {median:.1f}, p99 {p99:.0f}, mean {np.mean(values):.0f}")
    for name, n in total.tenths.items():
        if name != "all":
            print(f"kind of each 0.1 s, {name}: {n / total.tenths['all']:.4f}")
    for (told, truth), n in total.other.most_common(8):
        print(f"  {n / 10:.0f} s told {told} where offline has {truth}")
    for name, n in total.counts.items():
        print(f"{name}: {n}")
    for name, values in total.late_s.items():
        if values:
            median, p95 = np.percentile(values, [50, 95])
            print(f"{name}: median {median:.1f}, p95 {p95:.1f}, worst {max(values):.1f}")


if __name__ == "__main__":
    main()
