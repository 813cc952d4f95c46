"""Tones with names: ringing, busy, reorder, dial tone, SIT, keyed digits, fax, beeps.

A tone is one or two steady notes that stand in silence; which one it is follows from its frequencies and its rhythm.
Music holds pure notes too, so a burst must keep its level, start and end in (near) silence, and not lie in music.
Source of frequencies and cadences: ITU-T E.180 supplement 2 (2010); DTMF: Q.23; SIT: E.180 section 6; fax: T.30.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter1d

from probes.audio.frames import FRAME_S, Coarse, Floats
from probes.audio.net import MUSIC, OVER, SILENCE, SPEECH, TONE
from probes.audio.timeline import Label, Tone

Odds = NDArray[np.floating]
_BLOCK = 65536  # frames looked at together

_PURE, _PURE_WHEN_TOLD = (
    0.80,
    0.55,
)  # share of a frame's power in its one or two peaks; less where the model hears a tone
_SECOND = 0.06  # a second peak below this share is not a second note
_STEADY_HZ = 14.0
_ROWS_HZ, _COLUMNS_HZ = (697.0, 770.0, 852.0, 941.0), (1209.0, 1336.0, 1477.0, 1633.0)
_KEYS = ("123A", "456B", "789C", "*0#D")
_SIT_HZ = ((890, 1010), (1345, 1455), (1745, 1810))


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
    Signal("it", Label.REORDER, (425,), (0.2, 0.2)),
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


def find_tones(
    peaks_hz: Floats | Coarse, peak_shares: Floats | Coarse, level_dbfs: Floats, log_odds: Odds | None = None
) -> list[Tone]:
    """Return the tones of a recording, in order.

    Args:
        peaks_hz: (n, 2) strongest peaks of each 20 ms frame.
        peak_shares: (n, 2) their shares of the power.
        level_dbfs: (n,)
        log_odds: (n, CLASSES) what the model hears; None when it was not asked, as for our own keyed digits.
    """
    bursts = _bursts(peaks_hz, peak_shares, level_dbfs, log_odds)
    tones: list[Tone] = []
    rest = _take_keys(_take_sit(bursts, tones), tones)
    plan: str | None = None  # the country that the call's ringing speaks for
    for group in _groups(rest, level_dbfs):
        tone = _name(group, plan)
        if tone is not None and _believable(tone, group):
            plan = tone.plan if plan is None and tone.label is Label.RINGBACK else plan
            tones.append(tone)
    return _mended(sorted(tones, key=lambda t: t.start_s), level_dbfs)


def _mended(tones: list[Tone], level_dbfs: Floats) -> list[Tone]:
    """Join what lost packets cut apart: the same tone again after a pause without any other sound."""
    out: list[Tone] = []
    for tone in tones:
        last = out[-1] if out else None
        if (
            last is not None
            and _continues(last, tone)
            and _quiet(last.end_s, tone.start_s, last.level_dbfs, level_dbfs)
        ):
            out[-1] = replace(
                last if last.bursts >= tone.bursts else tone,
                start_s=last.start_s,
                end_s=tone.end_s,
                bursts=last.bursts + tone.bursts,
            )
        else:
            out.append(tone)
    return out


def _continues(a: Tone, b: Tone) -> bool:
    if Label.DTMF in (a.label, b.label) or Label.SIT in (a.label, b.label) or b.start_s - a.end_s > 7:
        return False
    if not _alike(a.frequencies_hz, b.frequencies_hz):
        return False
    named = (Label.RINGBACK, Label.BUSY, Label.REORDER, Label.FAX)
    return a.label is b.label or (a.label in named and b.bursts <= 2) or (b.label in named and a.bursts <= 2)


def _quiet(start_s: float, end_s: float, level: float, level_dbfs: Floats) -> bool:
    between = level_dbfs[int(start_s / FRAME_S) + 2 : int(end_s / FRAME_S) - 1]
    return len(between) == 0 or float(np.mean(between > level - 9)) < (0.45 if end_s - start_s < 0.9 else 0.1)


def _notes(peaks_hz: Floats, shares: Floats) -> tuple[Floats, Floats]:
    """Return the lower and the higher note of each frame; the higher is 0 where there is one note."""
    two = shares[:, 1] >= _SECOND
    low = np.where(two, peaks_hz.min(axis=1), peaks_hz[:, 0])
    return low, np.where(two, peaks_hz.max(axis=1), np.float32(0))


def _steady(
    peaks_hz: Floats | Coarse, shares: Floats | Coarse, level_dbfs: Floats, log_odds: Odds | None
) -> NDArray[np.intp]:
    """Return first and last frame of each run of frames with the same one or two notes."""
    n = len(level_dbfs)
    same = np.zeros(max(0, n - 1), np.bool_)
    for start in range(0, n - 1, _BLOCK):
        part = slice(start, start + _BLOCK + 1)
        share = shares[part]
        low, high = _notes(peaks_hz[part], share)
        told = np.zeros(len(low), np.bool_) if log_odds is None else log_odds[part, TONE] > -0.5
        like = (share.sum(axis=1) >= np.where(told, _PURE_WHEN_TOLD, _PURE)) & (level_dbfs[part] > -62)
        steady_hz = np.where(told[1:] & told[:-1], 2 * _STEADY_HZ, _STEADY_HZ)
        two = high > 0
        same[start : start + _BLOCK] = (
            like[1:]
            & like[:-1]
            & (np.abs(np.diff(low)) < steady_hz)
            & ((np.abs(np.diff(high)) < steady_hz) | (two[1:] != two[:-1]))
        )
    return np.flatnonzero(np.diff(np.concatenate([[False], same, [False]]).astype(np.int8))).reshape(-1, 2)


def _bursts(
    peaks_hz: Floats | Coarse, shares: Floats | Coarse, level_dbfs: Floats, log_odds: Odds | None
) -> list[Burst]:
    edges = _steady(peaks_hz, shares, level_dbfs, log_odds)
    out: list[Burst] = []
    for a, b in edges[_worth_a_look(edges, level_dbfs, log_odds)]:  # frames a..b inclusive
        burst = _burst(int(a), int(b) + 1, peaks_hz, shares, level_dbfs)
        if burst is None:
            continue
        if log_odds is not None:
            heard = log_odds[int(burst.start_s / FRAME_S) : int(burst.end_s / FRAME_S) + 1].astype(np.float32)
            against = heard[:, [SILENCE, MUSIC, SPEECH, OVER]].max(axis=1)
            burst = replace(burst, odds=float(np.clip(heard[:, TONE] - against, -4, 4).mean()))
        if out and _alike(out[-1].hz, burst.hz) and burst.start_s - out[-1].end_s < 0.13 and not _key(burst.hz):
            last = out[-1]
            longer = last if last.length_s > burst.length_s else burst
            out[-1] = replace(longer, start_s=last.start_s, end_s=burst.end_s, alone=last.alone or burst.alone)
            continue
        out.append(burst)
    return [b for b in out if b.alone and (b.odds > -3 or _key(b.hz))]


def _worth_a_look(edges: NDArray[np.intp], level_dbfs: Floats, log_odds: Odds | None) -> NDArray[np.bool_]:
    """Sort out at once most steady runs within music and speech: no quiet beside them, no tone for the model."""
    n = len(level_dbfs)
    first, last = edges[:, 0], np.minimum(edges[:, 1], n - 1)
    around = minimum_filter1d(level_dbfs, 7)  # of the frames 3 before to 3 after
    loud = level_dbfs[(first + last) // 2] - 7
    before, after = around[np.maximum(first - 3, 0)], around[np.minimum(last + 3, n - 1)]
    stands_alone = ((before < loud) | (first < 6)) & ((after < loud) | (last > n - 7))
    worth = stands_alone | (last - first >= 9)
    if log_odds is not None:
        tone = np.concatenate([[0.0], np.cumsum(log_odds[:, TONE], dtype=np.float64)])
        mean = (tone[last + 1] - tone[first]) / (last + 1 - first)
        worth &= (mean > -3.5) | (stands_alone & (before < loud - 15) & (after < loud - 15))
    return np.asarray(worth, np.bool_)


def _burst(a: int, b: int, peaks_hz: Floats | Coarse, shares: Floats | Coarse, level_dbfs: Floats) -> Burst | None:
    """Check one steady run of frames a..b-1 and find its edges within the frames from their energy."""
    if b - a < 2:
        return None
    inner = slice(a, b)
    level = float(np.percentile(level_dbfs[inner], 70))
    within = np.abs(level_dbfs[inner] - level) < 2.5
    if b - a > 5 and within.mean() < 0.6:
        return None
    while a < b and level_dbfs[a] < level - 9:
        a += 1
    while b > a and level_dbfs[b - 1] < level - 9:
        b -= 1
    if b - a < 2:
        return None
    low, high = _notes(peaks_hz[a:b], shares[a:b])
    hz_low, hz_high = float(np.median(low)), 0.0
    doubles = high[high > 0]
    if len(doubles) > 0.5 * (b - a):
        hz_high = float(np.median(doubles))
    start_s = (a + 1 - _filled(level_dbfs[a] - level)) * FRAME_S
    end_s = (b - 1 + _filled(level_dbfs[b - 1] - level)) * FRAME_S
    before = level_dbfs[max(0, a - 6) : max(0, a - 1)]
    after = level_dbfs[b + 1 : b + 6]
    quiet_before = len(before) == 0 or float(before.min()) < level - 9
    quiet_after = len(after) == 0 or float(after.min()) < level - 9
    alone = quiet_before and quiet_after
    steady = float(np.std(low)) < 4 and b - a >= 10
    hz = (hz_low, hz_high) if hz_high else (hz_low,)
    clear = alone and len(before) > 0 and len(after) > 0 and float(max(before.min(), after.min())) < level - 25
    return Burst(start_s, end_s, hz, level, alone or steady, clear)


def _filled(below_db: float) -> float:
    """How much of a frame a tone fills, from how far the frame's level is below the tone's."""
    return float(np.clip(10 ** (below_db / 10), 0.05, 1))


def _alike(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    if len(a) != len(b):
        return min(abs(x - y) for x in a for y in b) < 12 and max(*a, *b) < 700
    return all(abs(x - y) < 12 + 0.005 * x for x, y in zip(a, b, strict=True))


def _key(hz: tuple[float, ...]) -> str | None:
    if len(hz) != 2:
        return None
    row = [i for i, f in enumerate(_ROWS_HZ) if abs(hz[0] - f) < 0.022 * f]
    column = [i for i, f in enumerate(_COLUMNS_HZ) if abs(hz[1] - f) < 0.022 * f]
    return _KEYS[row[0]][column[0]] if row and column else None


def _take_keys(bursts: list[Burst], tones: list[Tone]) -> list[Burst]:
    """Move keyed digits from `bursts` to `tones`; digits less than 2 s apart are one entry."""
    rest: list[Burst] = []
    for burst in bursts:
        digit = _key(burst.hz)
        if digit is None or not 0.035 <= burst.length_s <= 1.5 or (burst.odds < -2.5 and not burst.clear):
            rest.append(burst)
            continue
        last = tones[-1] if tones and tones[-1].label is Label.DTMF else None
        if last is not None and burst.start_s - last.end_s < 0.45:
            tones[-1] = Tone(
                last.start_s,
                burst.end_s,
                Label.DTMF,
                (),
                last.level_dbfs,
                last.bursts + 1,
                None,
                None,
                None,
                (last.digits or "") + digit,
                0.97,
            )
        else:
            tones.append(
                Tone(burst.start_s, burst.end_s, Label.DTMF, (), burst.level_dbfs, 1, None, None, None, digit, 0.97)
            )
    return rest


def _take_sit(bursts: list[Burst], tones: list[Tone]) -> list[Burst]:
    rest, i = [], 0
    while i < len(bursts):
        three = bursts[i : i + 3]
        if len(three) == 3 and all(
            low <= b.hz[0] <= high and 0.2 < b.length_s < 0.5 for b, (low, high) in zip(three, _SIT_HZ, strict=True)
        ):
            hz = tuple(b.hz[0] for b in three)
            tones.append(
                Tone(
                    three[0].start_s,
                    three[2].end_s,
                    Label.SIT,
                    hz,
                    three[0].level_dbfs,
                    3,
                    None,
                    None,
                    None,
                    None,
                    0.98,
                )
            )
            i += 3
        else:
            rest.append(bursts[i])
            i += 1
    return rest


def _groups(bursts: list[Burst], level_dbfs: Floats) -> list[list[Burst]]:
    """Put bursts of the same notes together while nothing else sounds between them."""
    groups: list[list[Burst]] = []
    for burst in bursts:
        if groups and _belongs(groups[-1], burst, level_dbfs):
            groups[-1].append(burst)
        else:
            groups.append([burst])
    return [_trimmed(g) for g in groups]


def _belongs(group: list[Burst], burst: Burst, level_dbfs: Floats) -> bool:
    last = group[-1]
    gap_s, gaps_s = burst.start_s - last.end_s, [b.start_s - a.end_s for a, b in pairwise(group)]
    if gap_s > 6.5 or (len(gaps_s) >= 2 and gap_s > 3.5 * max(gaps_s)):
        return False
    same_notes = len(last.hz) == len(burst.hz) or 0.7 < last.length_s / burst.length_s < 1.4
    return same_notes and _alike(last.hz, burst.hz) and _quiet(last.end_s, burst.start_s, burst.level_dbfs, level_dbfs)


def _trimmed(group: list[Burst]) -> list[Burst]:
    """Drop short sounds at either end that only happen to have the pitch: a vowel of the speech beside it."""
    while len(group) >= 2:
        on = [b.length_s for b in group]
        usual = max(on) if len(on) == 2 else float(np.median(on))
        if on[-1] < 0.45 * usual:
            group = group[:-1]
        elif on[0] < 0.45 * usual:
            group = group[1:]
        else:
            break
    return group


def _name(group: list[Burst], plan: str | None) -> Tone | None:
    on = [b.length_s for b in group]
    off = [b.start_s - a.end_s for a, b in pairwise(group)]
    notes = _most_common([len(b.hz) for b in group])
    hz = tuple(float(np.median([b.hz[k] for b in group if len(b.hz) == notes])) for k in range(notes))
    level = float(np.median([b.level_dbfs for b in group]))
    best: tuple[float, Signal] | None = None
    for row in TABLE:
        miss = _miss(row, hz, on, off)
        if miss is not None and row.plan == plan:
            miss -= 0.5
        if miss is not None and (best is None or miss < best[0]):
            best = (miss, row)
    if best is not None:
        label, of_plan, confidence = best[1].label, best[1].plan, 0.98 if len(group) > 1 else 0.8
    else:
        named = _by_rhythm(hz, on, off)
        if named is None:
            return None
        (label, confidence), of_plan = named, None
    return Tone(
        group[0].start_s,
        group[-1].end_s,
        label,
        hz,
        level,
        len(group),
        float(np.median(on)),
        float(np.median(off)) if off else None,
        of_plan,
        None,
        confidence,
    )


def _most_common(values: list[int]) -> int:
    return max(set(values), key=values.count)


def _miss(row: Signal, hz: tuple[float, ...], on: list[float], off: list[float]) -> float | None:
    """How far a group is from a row of the table; None when it is not that row at all."""
    if len(row.hz) != len(hz) or any(abs(a - b) > 6 + 0.012 * b for a, b in zip(hz, row.hz, strict=True)):
        return None
    hz_miss = max(abs(a - b) for a, b in zip(hz, row.hz, strict=True)) / 20
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


def _by_rhythm(hz: tuple[float, ...], on: list[float], off: list[float]) -> tuple[Label, float] | None:
    """Name a tone of an unknown plan."""
    typical_on = float(np.median(on))
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


def _believable(tone: Tone, group: list[Burst]) -> bool:
    """Weigh what the model hears against how well notes and rhythm fit; music and voices hold steady notes too."""
    odds = float(np.average([b.odds for b in group], weights=[b.length_s for b in group]))
    if tone.plan is not None:
        odds += (1.0, 2.5, 4.0)[min(tone.bursts, 3) - 1]
    elif tone.label is not Label.BEEP and tone.bursts >= 3:
        odds += 2.0
    return odds > 0
