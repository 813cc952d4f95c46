"""How right a predicted timeline is: frames, tones, holds and their edges, loops, repeated messages, the first person.

Frames, holds, first person and loops are counted as the outside check counts them (`agreement` compares the two), but
for the edges of holds whose music the line covers at first or at last.
Counted besides: holds that may or may not be reported, false tones, loops claimed where nothing repeats, messages.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

KINDS = ("silence", "tone", "music", "speech")
RECORDED = ("announcement", "ivr")
STEP_S = 0.1
SAME_HOLD_IOU = 0.5
LOOP_TOLERANCE_S = 0.25
FAR_EDGE_S = 2.0
TOUCHES_S = 0.03
SHORTEST_MESSAGE_S = 1.0  # a shorter stretch of a message holds too little to be known again

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Edge:
    """One end of a hold that was found."""

    call: str
    scenario: str
    which: str
    true_s: float
    heard_s: float
    around_truth: str
    around_heard: str

    @property
    def error_s(self) -> float:
        return self.heard_s - self.true_s


@dataclass
class Score:
    """Counts of one call or of many; two scores add up."""

    confusion: NDArray[np.int64] = field(default_factory=lambda: np.zeros((4, 4), np.int64))  # rows: truth
    tone_named: NDArray[np.int64] = field(default_factory=lambda: np.zeros(2, np.int64))  # right, all
    repeated_recorded: NDArray[np.int64] = field(default_factory=lambda: np.zeros(2, np.int64))
    once_recorded: NDArray[np.int64] = field(default_factory=lambda: np.zeros(2, np.int64))
    person_right: NDArray[np.int64] = field(default_factory=lambda: np.zeros(2, np.int64))
    person_wrong: NDArray[np.int64] = field(default_factory=lambda: np.zeros(2, np.int64))  # called recorded, all
    person_precision: NDArray[np.int64] = field(default_factory=lambda: np.zeros(2, np.int64))
    messages: NDArray[np.int64] = field(default_factory=lambda: np.zeros(2, np.int64))  # known again, said again
    persons_repeated: NDArray[np.int64] = field(default_factory=lambda: np.zeros(2, np.int64))
    false_tones: int = 0
    holds_true: int = 0
    holds_found: int = 0
    holds_spurious: int = 0
    edges: list[Edge] = field(default_factory=list)
    sureness: list[tuple[float, bool, bool]] = field(default_factory=list)  # of holds heard: told, there, edges right
    duration_error_pct: list[float] = field(default_factory=list)
    total_error_pct: list[float] = field(default_factory=list)
    first_error_s: list[float] = field(default_factory=list)
    first_missed: int = 0
    first_false: int = 0
    loops_true: int = 0
    loop_errors_s: list[float] = field(default_factory=list)  # of the periods that were within the tolerance
    loops_multiple: int = 0
    loops_wrong: int = 0
    loops_unheard: int = 0
    loops_claimed: int = 0  # where nothing repeats
    loops_none: int = 0  # calls in which nothing repeats
    audio_s: float = 0.0
    cpu_s: float = 0.0
    calls: int = 0

    def __iadd__(self, other: Score) -> Score:
        for name in self.__dataclass_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self


def score(label: Document, heard: Document, cpu_s: float = 0.0, *, to_label: bool = False) -> Score:
    """Compare one prediction with one label document; both in seconds, as README.md says.

    Args:
        label: what there is.
        heard: what was heard.
        cpu_s: what hearing it cost.
        to_label: hold edges are compared with the label's alone, as the outside check does, and not with the whole time
            between the first moment of the music and the first at which it is above the line's noise.
    """
    out = Score(calls=1, audio_s=label["duration_s"], cpu_s=cpu_s)
    _frames(label, heard, out)
    _holds(label, heard, out, to_label)
    _first_person(label, heard, out)
    _loop(label, heard, out)
    _messages(label, heard, out)
    _false_tones(label, heard, out)
    return out


def _span(start_s: float, end_s: float, count: int) -> slice:
    """Return the frames whose centre lies in a stretch."""
    first, last = (int(np.ceil(round(t / STEP_S - 0.5, 6))) for t in (start_s, end_s))
    return slice(min(max(first, 0), count), min(max(last, 0), count))


def _painted(segments: list[Document], count: int, values: list[int], default: int) -> NDArray[np.int64]:
    out = np.full(count, default, np.int64)
    for segment, value in zip(segments, values, strict=True):
        out[_span(segment["start_s"], segment["end_s"], count)] = value
    return out


def _frames(label: Document, heard: Document, out: Score) -> None:
    count = int(label["duration_s"] / STEP_S)
    truth, said = label["segments"], heard.get("segments", [])
    keep = np.ones(count, bool)
    for start_s, end_s in label.get("ignore", []):
        keep[_span(start_s, end_s, count)] = False
    true_kind, said_kind = (_painted(s, count, [KINDS.index(x["kind"]) for x in s], 0) for s in (truth, said))
    np.add.at(out.confusion, (true_kind[keep], said_kind[keep]), 1)
    names = sorted({str(x.get("label") or "") for x in [*truth, *said]} | {"", "agent", *RECORDED})
    place = {name: index for index, name in enumerate(names)}
    true_name, said_name = (
        _painted(s, count, [place[str(x.get("label") or "")] for x in s], place[""]) for s in (truth, said)
    )
    again = _painted(truth, count, [int((x.get("occurrence") or 0) >= 2) for x in truth], 0) == 1
    recorded = [place[r] for r in RECORDED]
    true_recorded, said_recorded = np.isin(true_name, recorded), np.isin(said_name, recorded)
    tone = keep & (true_kind == 1) & (said_kind == 1)
    speech = keep & (true_kind == 3) & (said_kind == 3)
    person, said_person = true_name == place["agent"], said_name == place["agent"]
    out.tone_named += _share(true_name == said_name, tone)
    out.repeated_recorded += _share(said_recorded, speech & again)
    out.once_recorded += _share(said_recorded, speech & true_recorded & ~again)
    out.person_right += _share(said_person, speech & person)
    out.person_wrong += _share(said_recorded, speech & person)
    out.person_precision += _share(person, keep & said_person & (true_kind == 3))


def _share(hit: NDArray[np.bool_], among: NDArray[np.bool_]) -> NDArray[np.int64]:
    return np.array([int((hit & among).sum()), int(among.sum())])


def overlap_s(a: Document, b: Document) -> float:
    """Return how long two stretches are both there; negative: how far they are apart."""
    return float(min(a["end_s"], b["end_s"]) - max(a["start_s"], b["start_s"]))


def matched(truth: list[Document], said: list[Document]) -> list[tuple[Document, Document]]:
    """Return pairs of holds that overlap in at least half of what they cover together, the best pairs first."""
    pairs = []
    for i, a in enumerate(truth):
        for j, b in enumerate(said):
            both = overlap_s(a, b)
            iou = both / (max(a["end_s"], b["end_s"]) - min(a["start_s"], b["start_s"])) if both > 0 else 0.0
            if iou >= SAME_HOLD_IOU:
                pairs.append((iou, i, j))
    pairs.sort(reverse=True)
    taken_true: set[int] = set()
    taken_said: set[int] = set()
    out = []
    for _, i, j in pairs:
        if i not in taken_true and j not in taken_said:
            taken_true.add(i)
            taken_said.add(j)
            out.append((truth[i], said[j]))
    return out


def nearest(label: Document, hold: Document, heard: Document) -> Document:
    """Return a labelled hold with each edge where it was heard, or as near to it as the label allows.

    A label's hold begins where its music is above the line's noise. Music that the noise covers (`ignore`) may be heard
    or not; where it leads up to the hold's edge, any moment of it is as right as the edge itself.
    """
    covered = [
        (max(a, s["start_s"]), min(b, s["end_s"]))
        for s in label["segments"]
        if s["kind"] == "music" and s.get("label") == "hold_music"
        for a, b in label.get("ignore", [])
        if max(a, s["start_s"]) < min(b, s["end_s"])
    ]
    first_s, last_s = hold["start_s"], hold["end_s"]
    for a, b in sorted(covered, reverse=True):
        first_s = a if a < first_s <= b + TOUCHES_S else first_s
    for a, b in sorted(covered):
        last_s = b if a - TOUCHES_S <= last_s < b else last_s
    start_s = min(max(heard["start_s"], first_s), hold["start_s"])
    end_s = max(min(heard["end_s"], last_s), hold["end_s"])
    return hold | {"start_s": start_s, "end_s": end_s}


def _holds(label: Document, heard: Document, out: Score, to_label: bool) -> None:
    truth, said = label["holds"], heard.get("holds", [])
    pairs = matched(truth, said)
    if not to_label:
        close = {id(a): nearest(label, a, b) for a, b in pairs}
        truth = [close.get(id(a), a) for a in truth]
        pairs = [(close[id(a)], b) for a, b in pairs]
    open_spans = [{"start_s": a, "end_s": b} for a, b in label.get("maybe_holds", [])]
    used = [id(p) for _, p in pairs]
    free = [
        p
        for p in said
        if id(p) not in used and any(overlap_s(p, span) > 0.6 * (p["end_s"] - p["start_s"]) for span in open_spans)
    ]
    counted = [p for p in said if not any(p is f for f in free)]
    out.holds_true += len(truth)
    out.holds_found += len(pairs)
    out.holds_spurious += len(counted) - len(pairs)
    for p in counted:
        true = next((a for a, b in pairs if b is p), None)
        right = true is not None and all(abs(true[w] - p[w]) <= FAR_EDGE_S for w in ("start_s", "end_s"))
        out.sureness.append((p.get("confidence", 1.0), true is not None, right))
    for a, b in pairs:
        for which in ("start_s", "end_s"):
            around = [_around(d, a[which], b[which]) for d in (label, heard)]
            out.edges.append(Edge(label["id"], label["scenario"], which[:-2], a[which], b[which], *around))
        out.duration_error_pct.append(100 * abs((b["end_s"] - b["start_s"]) / (a["end_s"] - a["start_s"]) - 1))
    true_s, said_s = (sum(h["end_s"] - h["start_s"] for h in hs) for hs in (truth, counted))
    if true_s:
        out.total_error_pct.append(100 * abs(said_s - true_s) / true_s)


def _around(document: Document, a_s: float, b_s: float) -> str:
    """Return in a few words what a document has between two moments and just beside them."""
    low_s, high_s = min(a_s, b_s) - 4, max(a_s, b_s) + 4
    words: list[str] = []
    for s in document.get("segments", []):
        length_s = min(s["end_s"], high_s) - max(s["start_s"], low_s)
        if length_s > 0.05:
            words.append(f"{s.get('label') or s['kind']} {length_s:.1f}")
    return " | ".join(words if len(words) <= 14 else [*words[:7], "…", *words[-7:]])


def _first_person(label: Document, heard: Document, out: Score) -> None:
    true_s, said_s = (
        min((s["start_s"] for s in d.get("segments", []) if s.get("label") == "agent"), default=None)
        for d in (label, heard)
    )
    if true_s is not None and said_s is not None:
        out.first_error_s.append(said_s - true_s)
    elif true_s is not None:
        out.first_missed += 1
    elif said_s is not None:
        out.first_false += 1


def _loop(label: Document, heard: Document, out: Score) -> None:
    said_s = heard.get("music_loop_s")
    truths_s = [h["music_loop_s"] for h in label["holds"] if h.get("music_loop_s")]
    if not truths_s:
        if label.get("music_repeats") is False:
            out.loops_none += 1
            out.loops_claimed += said_s is not None
        return
    out.loops_true += 1
    if not said_s:
        out.loops_unheard += 1
        return
    nearest_s = min(truths_s, key=lambda t: abs(t - said_s))
    ratio = said_s / nearest_s
    if abs(said_s - nearest_s) <= LOOP_TOLERANCE_S:
        out.loop_errors_s.append(abs(said_s - nearest_s))
    elif ratio > 1.5 and abs(ratio - round(ratio)) < 0.02:
        out.loops_multiple += 1
    else:
        out.loops_wrong += 1


def _messages(label: Document, heard: Document, out: Score) -> None:
    known = [s for s in heard.get("segments", []) if s.get("occurrence") is not None]
    for segment in label["segments"]:
        length_s = segment["end_s"] - segment["start_s"]
        if segment["kind"] != "speech" or length_s < SHORTEST_MESSAGE_S:
            continue
        covered = sum(max(0.0, overlap_s(segment, k)) for k in known) >= 0.5 * length_s
        if (segment.get("occurrence") or 0) >= 2:
            out.messages += np.array([int(covered), 1])
        elif segment.get("label") == "agent":
            out.persons_repeated += np.array([int(covered), 1])


def _false_tones(label: Document, heard: Document, out: Score) -> None:
    other = [s for s in label["segments"] if s["kind"] in ("music", "speech")]
    for tone in heard.get("segments", []):
        length_s = tone["end_s"] - tone["start_s"]
        if tone["kind"] == "tone" and length_s > 0:
            out.false_tones += sum(max(0.0, overlap_s(tone, s)) for s in other) > 0.5 * length_s


def _percentile(values: list[float], rank: float) -> float | None:
    return round(float(np.percentile(np.abs(values), rank)), 3) if values else None


def _ratio(pair: NDArray[np.int64]) -> float | None:
    return round(float(pair[0] / pair[1]), 4) if pair[1] else None


def figures(total: Score) -> Document:
    """Return the figures of a score: shares 0..1, errors in the unit of their name, None where nothing was counted."""
    confusion = total.confusion.astype(float)
    right = np.diag(confusion)
    precision = right / np.maximum(confusion.sum(axis=0), 1)
    recall = right / np.maximum(confusion.sum(axis=1), 1)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-9)
    edges_ms = [1000 * e.error_s for e in total.edges]
    holds = zip(total.edges[::2], total.edges[1::2], strict=True)
    return {
        "calls": total.calls,
        "minutes": round(total.audio_s / 60, 1),
        "frame_accuracy": round(float(right.sum() / max(confusion.sum(), 1)), 4),
        "f1": {kind: round(float(v), 4) for kind, v in zip(KINDS, f1, strict=True)},
        "macro_f1": round(float(f1.mean()), 4),
        "tone_name": _ratio(total.tone_named),
        "false_tones": total.false_tones,
        "holds": total.holds_true,
        "holds_found": total.holds_found,
        "holds_spurious": total.holds_spurious,
        "holds_far_edge": sum(1 for pair in holds if max(abs(e.error_s) for e in pair) > FAR_EDGE_S),
        "edge_median_ms": _percentile(edges_ms, 50),
        "edge_p95_ms": _percentile(edges_ms, 95),
        "duration_error_median_pct": _percentile(total.duration_error_pct, 50),
        "duration_error_p95_pct": _percentile(total.duration_error_pct, 95),
        "total_hold_error_mean_pct": round(float(np.mean(total.total_error_pct)), 3) if total.total_error_pct else None,
        "loops": total.loops_true,
        "loops_right": len(total.loop_errors_s),
        "loops_multiple": total.loops_multiple,
        "loops_wrong": total.loops_wrong,
        "loops_unheard": total.loops_unheard,
        "loops_claimed_of_none": [total.loops_claimed, total.loops_none],
        "loop_error_median_s": _percentile(total.loop_errors_s, 50),
        "repeated_messages": _ratio(total.messages),
        "repeated_messages_of": int(total.messages[1]),
        "persons_called_repeated": _ratio(total.persons_repeated),
        "persons_called_recorded": _ratio(total.person_wrong),
        "repeated_called_recorded": _ratio(total.repeated_recorded),
        "once_called_recorded": _ratio(total.once_recorded),
        "person_found": _ratio(total.person_right),
        "person_precision": _ratio(total.person_precision),
        "first_person_median_s": _percentile(total.first_error_s, 50),
        "first_person_p95_s": _percentile(total.first_error_s, 95),
        "first_person_missed": total.first_missed,
        "first_person_false": total.first_false,
        "times_real_time": round(total.audio_s / total.cpu_s, 1) if total.cpu_s else None,
    }


def agreement(own: Document, theirs: Document) -> list[str]:
    """Return a line for every figure in which the outside check's aggregate differs from ours; empty: none does."""
    pairs = {
        "frame_accuracy": theirs["frame_accuracy"],
        "macro_f1": theirs["macro_f1"],
        "f1": theirs["f1"],
        "tone_name": theirs["tone_label_acc"],
        "repeated_called_recorded": theirs["repeated_recorded_acc"],
        "once_called_recorded": theirs["oneshot_recorded_acc"],
        "person_found": theirs["agent_live_acc"],
        "person_precision": theirs["agent_precision"],
        "holds": theirs["holds"]["labelled"],
        "holds_found": theirs["holds"]["matched"],
        "edge_median_ms": theirs["holds"]["boundary_ms"]["median"],
        "edge_p95_ms": theirs["holds"]["boundary_ms"]["p95"],
        "duration_error_median_pct": theirs["holds"]["duration_err_pct"]["median"],
        "duration_error_p95_pct": theirs["holds"]["duration_err_pct"]["p95"],
        "total_hold_error_mean_pct": theirs["total_hold_err_pct"]["mean"],
        "first_person_median_s": theirs["first_agent"]["median_err_s"],
        "first_person_p95_s": theirs["first_agent"]["p95_err_s"],
        "first_person_missed": theirs["first_agent"]["missed"],
        "first_person_false": theirs["first_agent"]["false"],
        "loops": theirs["loop"]["labelled"],
        "loops_right": theirs["loop"]["within_250ms"],
        "loops_multiple": theirs["loop"]["multiple"],
    }
    return [f"{name}: ours {own[name]}, outside {value}" for name, value in pairs.items() if own[name] != value]
