"""The names of telephone signals: which country's ringing, busy or other tone a group of bursts is.

Source of frequencies and cadences: ITU-T E.180 supplement 2 (2010); fax: T.30 and V.21.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from probes.audio.timeline import Label, Tone

_TOO_NEAR_HZ = 30.0  # two notes nearer than this are heard as one, between them
_V21_HZ = ((980.0, 1180.0), (1650.0, 1850.0))
_WHERE_SILENT, _LOST = 3.0, 0.7  # what counts against a cadence: a burst where it is silent; one that is not there
_LEAST_INSIDE, _LEAST_INSIDE_EACH, _LEAST_INSIDE_TO_GO_ON = 0.9, 0.75, 0.4
_LEAST_HEARD, _LEAST_HEARD_IF_WHOLE = 0.4, 0.25
_CUT = 0.4  # of a burst that must be left
_FEW = 4  # bursts, in which music too may keep a quick rhythm
_PHASES = 24  # bursts that a cadence is laid on


@dataclass(frozen=True, slots=True)
class Signal:
    """One row of the table of national tones: frequencies in Hz, then seconds on, off, on, off, ..."""

    plan: str
    label: Label
    hz: tuple[float, ...]
    cadence: tuple[float, ...]


TABLE = (
    Signal("us", Label.RINGBACK, (440, 480), (2, 4)),
    Signal("us", Label.BUSY, (480, 620), (0.5, 0.5)),
    Signal("us", Label.REORDER, (480, 620), (0.25, 0.25)),
    Signal("uk", Label.RINGBACK, (400, 450), (0.4, 0.2, 0.4, 2)),
    Signal("uk", Label.BUSY, (400,), (0.375, 0.375)),
    Signal("uk", Label.REORDER, (400,), (0.4, 0.35, 0.225, 0.525)),
    Signal("eu", Label.RINGBACK, (425,), (1, 4)),
    Signal("eu", Label.BUSY, (425,), (0.5, 0.5)),
    Signal("eu", Label.REORDER, (425,), (0.25, 0.25)),
    Signal("fr", Label.RINGBACK, (440,), (1.5, 3.5)),
    Signal("fr", Label.BUSY, (440,), (0.5, 0.5)),
    Signal("fr", Label.REORDER, (440,), (0.25, 0.25)),
    Signal("es", Label.RINGBACK, (425,), (1.5, 3)),
    Signal("it", Label.REORDER, (425,), (0.2, 0.2)),  # before the next, which is the same
    Signal("es", Label.BUSY, (425,), (0.2, 0.2)),
    Signal("es", Label.REORDER, (425,), (0.2, 0.2, 0.2, 0.2, 0.2, 0.6)),
    Signal("de", Label.BUSY, (425,), (0.48, 0.48)),
    Signal("de", Label.REORDER, (425,), (0.24, 0.24)),
    Signal("ch", Label.BUSY, (425,), (0.45, 0.45)),
    Signal("at", Label.REORDER, (425,), (0.3, 0.3)),
    Signal("se", Label.RINGBACK, (425,), (1, 5)),
    Signal("pt", Label.RINGBACK, (425,), (1, 5)),
    Signal("nl", Label.REORDER, (425,), (0.25, 0.25)),
    Signal("ru", Label.RINGBACK, (425,), (0.8, 3.2)),
    Signal("ru", Label.BUSY, (425,), (0.4, 0.4)),
    Signal("pl", Label.RINGBACK, (425,), (1.2, 4)),
    Signal("jp", Label.RINGBACK, (384, 416), (1, 2)),
    Signal("jp", Label.BUSY, (400,), (0.5, 0.5)),
    Signal("jp", Label.REORDER, (400,), (0.25, 0.25)),
    Signal("cn", Label.RINGBACK, (450,), (1, 4)),
    Signal("cn", Label.BUSY, (450,), (0.35, 0.35)),
    Signal("cn", Label.REORDER, (450,), (0.7, 0.7)),
    Signal("in", Label.RINGBACK, (375, 425), (0.4, 0.2, 0.4, 2)),
    Signal("in", Label.BUSY, (400,), (0.75, 0.75)),
    Signal("au", Label.RINGBACK, (400, 425), (0.4, 0.2, 0.4, 2)),
    Signal("au", Label.BUSY, (425,), (0.375, 0.375)),
    Signal("nz", Label.BUSY, (400,), (0.5, 0.5)),
    Signal("za", Label.RINGBACK, (400, 433), (0.4, 0.2, 0.4, 2)),
    Signal("fax", Label.FAX, (1100,), (0.5, 3)),
)


@dataclass(frozen=True, slots=True)
class Burst:
    """One unbroken sounding of one or two steady notes."""

    start_s: float
    end_s: float
    hz: tuple[float, ...]
    level_dbfs: float
    alone: bool
    clear: bool = False  # silence on both sides and next to nothing but its notes
    odds: float = 0.0  # what the model says for a tone, against speech and music: a log ratio, -4..4

    @property
    def length_s(self) -> float:
        """How long it sounds."""
        return self.end_s - self.start_s


def alike(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    """Say whether two bursts may have the same notes; of two notes one may have been lost."""
    if len(a) != len(b):
        return min(abs(x - y) for x in a for y in b) < 12 and max(*a, *b) < 700
    return all(abs(x - y) < 12 + 0.005 * x for x, y in zip(a, b, strict=True))


def name(group: list[Burst], plan: str | None) -> Tone | None:
    """Return the tone that a group of bursts is; None when it is none.

    Args:
        group: bursts of the same notes, in order.
        plan: the country that the call's ringing spoke for.
    """
    on = [b.length_s for b in group]
    off = [b.start_s - a.end_s for a, b in pairwise(group)]
    hz = _notes(group)
    best: tuple[float, Signal] | None = None
    for row in TABLE:
        miss = _miss(row, hz, on, off)
        if miss is None:
            continue
        if len(group) >= 3:
            laid = _laid(row, group)
            miss += _WHERE_SILENT * (1 - laid.inside) + _LOST * (1 - laid.heard)
        if row.plan == plan:
            miss -= 0.5
        if best is None or miss < best[0]:
            best = (miss, row)
    if best is not None:
        return _tone(group, hz, best[1].label, best[1].plan, 0.98 if len(group) > 1 else 0.8)
    return joined(group, plan) or _cut_short(group, hz, plan) or _unknown(group, hz, on, off)


def joined(group: list[Burst], plan: str | None) -> Tone | None:
    """Return the tone whose cadence lies over all of the bursts, some of which were cut apart or lost; None: no such.

    Args:
        group: two or more bursts, in order.
        plan: the country that the call's ringing spoke for.
    """
    if len(group) < 2:
        return None
    hz, best = _notes(group), (0.0, TABLE[0])
    for row in TABLE:
        away = _hz_miss(row, hz)
        if away is None or (row.label is not Label.RINGBACK and len(group) < _FEW):
            continue
        laid = _laid(row, group)
        if laid.fits:
            best = max(
                best, (laid.inside + laid.heard + 0.1 * (row.plan == plan) - 0.1 * away, row), key=lambda b: b[0]
            )
    return _tone(group, hz, best[1].label, best[1].plan, 0.85) if best[0] > 0 else None


def contradicted(tone: Tone, bursts: list[Burst]) -> bool:
    """Say whether a burst lies where the cadence of a tone's plan is silent."""
    row = next((r for r in TABLE if (r.plan, r.label) == (tone.plan, tone.label)), None)
    return row is not None and _laid(row, bursts).inside_each < _LEAST_INSIDE_TO_GO_ON


def _tone(group: list[Burst], hz: tuple[float, ...], label: Label, plan: str | None, confidence: float) -> Tone:
    off = [b.start_s - a.end_s for a, b in pairwise(group)]
    return Tone(
        group[0].start_s,
        group[-1].end_s,
        label,
        hz,
        float(np.median([b.level_dbfs for b in group])),
        len(group),
        float(np.median([b.length_s for b in group])),
        float(np.median(off)) if off else None,
        plan,
        None,
        confidence,
    )


def _notes(group: list[Burst]) -> tuple[float, ...]:
    counts = [len(b.hz) for b in group]
    notes = max(set(counts), key=counts.count)
    return tuple(float(np.median([b.hz[k] for b in group if len(b.hz) == notes])) for k in range(notes))


def _hz_miss(row: Signal, hz: tuple[float, ...]) -> float | None:
    """How far notes are from those of a row of the table; None when they are not those."""
    want = row.hz
    if _blurred(row) and len(hz) == 1:
        want = (sum(row.hz) / 2,)
    if len(want) != len(hz) or any(abs(a - b) > 6 + 0.012 * b for a, b in zip(hz, want, strict=True)):
        return None
    return max(abs(a - b) for a, b in zip(hz, want, strict=True)) / 20


def _blurred(row: Signal) -> bool:
    return len(row.hz) == 2 and row.hz[1] - row.hz[0] < _TOO_NEAR_HZ


def _miss(row: Signal, hz: tuple[float, ...], on: list[float], off: list[float]) -> float | None:
    """How far a group is from a row of the table; None when it is not that row at all."""
    hz_miss = _hz_miss(row, hz)
    if hz_miss is None:
        return None
    rhythm = [d for pair in zip(on, [*off, None], strict=True) for d in pair if d is not None]
    if len(row.cadence) >= 4 and len(rhythm) < 3:
        return None
    if len(rhythm) == 1:
        if row.cadence[0] < 0.8 or row.label is Label.FAX:
            return None
        return hz_miss + abs(rhythm[0] / row.cadence[0] - 1) if abs(rhythm[0] / row.cadence[0] - 1) < 0.2 else None
    misses = []
    for phase in range(0, len(row.cadence), 2):
        want = [row.cadence[(phase + i) % len(row.cadence)] for i in range(len(rhythm))]
        inner = [abs(a - b) / (0.05 + 0.12 * b) for a, b in zip(rhythm, want, strict=True)]
        if len(inner) > 4:  # first and last may be cut
            inner = inner[1:-1]
        misses.append(float(np.median(inner)) + 0.3 * float(np.mean(np.minimum(inner, 5))))
    miss = min(misses)
    return hz_miss + miss if miss < 1.6 else None


@dataclass(frozen=True, slots=True)
class _Laid:
    """A cadence laid over bursts where it lies best."""

    inside: float  # share of what sounds that lies where the cadence sounds
    inside_each: float  # of the burst of which the least does
    heard: float  # share of where the cadence sounds, from the first burst to the last, that sounds
    whole: bool  # three bursts or more, all about as long as the cadence's

    @property
    def fits(self) -> bool:
        inside = self.inside >= _LEAST_INSIDE and self.inside_each >= _LEAST_INSIDE_EACH
        return inside and self.heard >= (_LEAST_HEARD_IF_WHOLE if self.whole else _LEAST_HEARD)


def _laid(row: Signal, group: list[Burst]) -> _Laid:
    starts, ends = np.array([b.start_s for b in group]), np.array([b.end_s for b in group])
    edges = np.concatenate([[0.0], np.cumsum(row.cadence)])  # the last off may be left out: then it is long
    cycle = float(edges[-1])
    filled = np.concatenate([[0.0], np.cumsum([d * (i % 2 == 0) for i, d in enumerate(row.cadence)])])
    few = slice(0, _PHASES)
    begins = np.concatenate(
        [np.concatenate([starts[few] - a, ends[few] - b]) for a, b in zip(edges[:-1:2], edges[1::2], strict=True)]
    )

    def sounded(at_s: np.ndarray) -> np.ndarray:  # (phases, bursts): how long the cadence has sounded by then
        rounds, rest = np.divmod(at_s[None, :] - begins[:, None], cycle)
        return np.asarray(rounds * filled[-1] + np.interp(rest, edges, filled))

    inside = sounded(ends) - sounded(starts)
    lengths = ends - starts
    share = inside.sum(axis=1) / lengths.sum()
    heard = inside.sum(axis=1) / np.maximum(sounded(ends[-1:])[:, 0] - sounded(starts[:1])[:, 0], 1e-6)
    at = int((share + heard).argmax())
    usual = np.array(row.cadence[::2])
    whole = len(group) >= 3 and bool((np.abs(lengths[:, None] / usual - 1).min(axis=1) < 0.2).all())
    return _Laid(float(share[at]), float((inside[at] / lengths).min()), float(heard[at]), whole)


def _cut_short(group: list[Burst], hz: tuple[float, ...], plan: str | None) -> Tone | None:
    """Name what is left of a burst by its notes: two of a plan, or one of the plan that the call's ringing had."""
    length_s = max(b.length_s for b in group)
    for row in TABLE:
        if row.label is not Label.RINGBACK or not (len(row.hz) == 2 or row.plan == plan) or _hz_miss(row, hz) is None:
            continue
        burst_s = min(row.cadence[::2], key=lambda on_s: abs(on_s - length_s))
        if _CUT * burst_s <= length_s <= 1.15 * burst_s and (len(group) == 1 or _laid(row, group).fits):
            return _tone(group, hz, row.label, row.plan, 0.6)
    return None


def _unknown(group: list[Burst], hz: tuple[float, ...], on: list[float], off: list[float]) -> Tone | None:
    named = _by_rhythm(hz, on, off)
    return None if named is None else _tone(group, hz, named[0], None, named[1])


def _by_rhythm(hz: tuple[float, ...], on: list[float], off: list[float]) -> tuple[Label, float] | None:
    """Name a tone of an unknown plan."""
    typical_on = float(np.median(on))
    if len(hz) == 2 and any(a - 20 < hz[0] and hz[1] < b + 20 and hz[1] - hz[0] > 100 for a, b in _V21_HZ):
        return Label.FAX, 0.8
    progress = 330 <= hz[0] <= 640 and hz[-1] <= 640
    if off:
        typical_off = float(np.median(off))
        if progress and typical_on >= 0.35 and typical_off >= 1.6:
            return Label.RINGBACK, 0.8
        if progress and len(on) >= 3 and max(typical_on, typical_off) <= 0.9:
            return (Label.BUSY if typical_on + typical_off > 0.62 else Label.REORDER), 0.7
        if progress and len(on) == 2 and typical_off < 0.3 and typical_on > 0.3:
            return Label.RINGBACK, 0.6
        return Label.BEEP, 0.6
    if abs(hz[0] - 2100) < 30 and typical_on > 1.5:
        return Label.FAX, 0.9
    if progress and typical_on > 4:
        return Label.DIAL_TONE, 0.7
    if progress and typical_on > 0.75:
        return Label.RINGBACK, 0.6
    return (Label.BEEP, 0.7) if 0.1 <= typical_on <= 3 else None
