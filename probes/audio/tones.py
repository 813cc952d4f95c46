"""Tones with names: ringing, busy, reorder, dial tone, SIT, keyed digits, fax, beeps.

A tone is one or two steady notes that stand in silence; which one it is follows from its frequencies and its rhythm.
Music holds pure notes too, so a burst must keep its level, start and end in (near) silence, and not lie in music.
Source: DTMF: Q.23; SIT: E.180 section 6; the rest is in `signals`.
"""

from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter1d

from probes.audio.frames import FRAME_S, Coarse
from probes.audio.net import MUSIC, OVER, SILENCE, SPEECH, TONE
from probes.audio.quantiles import median, quantile
from probes.audio.signals import Burst, alike, contradicted, joined, name
from probes.audio.spectra import Floats
from probes.audio.timeline import Label, Tone

Odds = NDArray[np.floating]
Named = tuple[Tone, list[Burst]]
_BLOCK = 65536  # frames looked at together

_PURE, _PURE_WHEN_TOLD = (
    0.80,
    0.55,
)  # share of a frame's power in its one or two peaks; less where the model hears a tone
_SECOND = 0.06  # a second peak below this share is not a second note
_STEADY_HZ = 14.0
_LEAST_ODDS_OF_CHORD = 1.0  # one that sounds once is easily a tune's
_ROWS_HZ, _COLUMNS_HZ = (697.0, 770.0, 852.0, 941.0), (1209.0, 1336.0, 1477.0, 1633.0)
_KEYS = ("123A", "456B", "789C", "*0#D")
_LONGEST_RUN, _LONGEST_GAP_S = 16, 11.0  # of what one tone may have been cut into
_LONGEST_TEAR_S = 0.9  # in which something else may sound: what a codec puts where packets were lost
_SIT_HZ = ((890, 1010), (1345, 1455), (1745, 1810))


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
    named: list[Named] = []
    for group in _groups(rest, level_dbfs):
        tone = name(group, plan)
        if tone is not None and _believable(tone, group):
            plan = tone.plan if plan is None and tone.label is Label.RINGBACK and tone.confidence >= 0.8 else plan
            named.append((tone, group))
    return sorted([*tones, *_mended(named, plan, tones, level_dbfs)], key=lambda t: t.start_s)


def _mended(named: list[Named], plan: str | None, others: list[Tone], level_dbfs: Floats) -> list[Tone]:
    """Join what lost packets cut apart: the same tone again after a pause without any other sound."""
    out: list[Named] = []
    while named:
        run = named[:1]
        for tone, group in named[1:_LONGEST_RUN]:
            before = run[-1][0]
            parted = any(before.end_s <= t.start_s < tone.start_s for t in others)
            torn = alike(before.frequencies_hz, tone.frequencies_hz) and tone.start_s - before.end_s < _LONGEST_TEAR_S
            if parted or not (torn or _may_go_on(before, tone, level_dbfs)):
                break
            run.append((tone, group))
        while len(run) > 1:
            bursts = [b for _, group in run for b in group]
            whole = joined(bursts, plan)
            if whole is not None and any(t.plan is None or t.label is whole.label for t, _ in run):
                run, named = [(whole, bursts)], named[len(run) - 1 :]
                break
            run = run[:-1]
        named = named[1:]
        last = out[-1] if out else None
        if last is not None and _continues(last, run[0], others, level_dbfs):
            out[-1] = _put_together(last, run[0])
        else:
            out.append(run[0])
    return [tone for tone, _ in out]


def _put_together(a: Named, b: Named) -> Named:
    tone = a[0] if a[0].bursts >= b[0].bursts else b[0]
    bursts = a[0].bursts + b[0].bursts
    return replace(tone, start_s=a[0].start_s, end_s=b[0].end_s, bursts=bursts), [*a[1], *b[1]]


def _may_go_on(a: Tone, b: Tone, level_dbfs: Floats) -> bool:
    near = b.start_s - a.end_s < _LONGEST_GAP_S and alike(a.frequencies_hz, b.frequencies_hz)
    return near and _quiet(a.end_s, b.start_s, a.level_dbfs, level_dbfs)


def _continues(a: Named, b: Named, others: list[Tone], level_dbfs: Floats) -> bool:
    """Say whether one tone goes on as the next although no cadence lies over both."""
    (one, earlier), (two, later) = a, b
    if two.start_s - one.end_s > 7 or any(one.end_s <= t.start_s < two.start_s for t in others):
        return False
    named = (Label.RINGBACK, Label.BUSY, Label.REORDER, Label.FAX)
    piece = (one.label in named and two.bursts <= 2) or (two.label in named and one.bursts <= 2)
    if not (one.label is two.label or piece) or not _may_go_on(one, two, level_dbfs):
        return False
    return not any(contradicted(t, [*earlier, *later]) for t in (one, two))


def _quiet(start_s: float, end_s: float, level: float, level_dbfs: Floats) -> bool:
    between = level_dbfs[int(start_s / FRAME_S) + 2 : int(end_s / FRAME_S) - 1]
    most = 0.45 if end_s - start_s < 0.9 else 0.1
    return len(between) == 0 or int(np.count_nonzero(between > level - 9)) / len(between) < most


def _notes(peaks_hz: Floats, shares: Floats) -> tuple[Floats, Floats]:
    """Return the lower and the higher note of each frame; the higher is 0 where there is one note."""
    two, one, other = shares[:, 1] >= _SECOND, peaks_hz[:, 0], peaks_hz[:, 1]
    return np.where(two, np.minimum(one, other), one), np.where(two, np.maximum(one, other), np.float32(0))


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
        like = (share[:, 0] + share[:, 1] >= np.where(told, _PURE_WHEN_TOLD, _PURE)) & (level_dbfs[part] > -62)
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
        if out and alike(out[-1].hz, burst.hz) and burst.start_s - out[-1].end_s < 0.13 and not _key(burst.hz):
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
    level = quantile(level_dbfs[inner], 0.7)
    if b - a > 5 and np.count_nonzero(np.abs(level_dbfs[inner] - level) < 2.5) < 0.6 * (b - a):
        return None
    while a < b and level_dbfs[a] < level - 9:
        a += 1
    while b > a and level_dbfs[b - 1] < level - 9:
        b -= 1
    if b - a < 2:
        return None
    low, high = _notes(peaks_hz[a:b], shares[a:b])
    hz_low, hz_high = median(low), 0.0
    doubles = high[high > 0]
    if len(doubles) > 0.5 * (b - a):
        hz_high = median(doubles)
    start_s = (a + 1 - _filled(level_dbfs[a] - level)) * FRAME_S
    end_s = (b - 1 + _filled(level_dbfs[b - 1] - level)) * FRAME_S
    before = level_dbfs[max(0, a - 6) : max(0, a - 1)]
    after = level_dbfs[b + 1 : b + 6]
    quiet_before = len(before) == 0 or float(before.min()) < level - 9
    quiet_after = len(after) == 0 or float(after.min()) < level - 9
    alone = quiet_before and quiet_after
    steady = b - a >= 10 and float(np.std(low)) < 4
    hz = (hz_low, hz_high) if hz_high else (hz_low,)
    clear = alone and len(before) > 0 and len(after) > 0 and float(max(before.min(), after.min())) < level - 25
    return Burst(start_s, end_s, hz, level, alone or steady, clear)


def _filled(below_db: float) -> float:
    """How much of a frame a tone fills, from how far the frame's level is below the tone's."""
    return float(np.clip(10 ** (below_db / 10), 0.05, 1))


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
    """Move special information tones from `bursts` to `tones`: three notes that rise, of which one may be lost."""
    rest, i = [], 0
    while i < len(bursts):
        three = _rising(bursts[i : i + 3])
        if len(three) >= 2:
            hz = tuple(b.hz[0] for b in three)
            start_s, end_s, level = three[0].start_s, three[-1].end_s, three[0].level_dbfs
            tones.append(Tone(start_s, end_s, Label.SIT, hz, level, len(three), None, None, None, None, 0.98))
            i += len(three)
        else:
            rest.append(bursts[i])
            i += 1
    return rest


def _rising(bursts: list[Burst]) -> list[Burst]:
    """Return the bursts, from the first on, that are steps of one special information tone."""
    out: list[tuple[int, Burst]] = []
    for burst in bursts:
        step = next((k for k, (low, high) in enumerate(_SIT_HZ) if low <= burst.hz[0] <= high), None)
        if step is None or not 0.1 < burst.length_s < 0.5:
            break
        if out:
            steps = step - out[-1][0]
            away = (burst.start_s - out[-1][1].start_s, burst.end_s - out[-1][1].end_s)
            if steps < 1 or not any(0.25 * steps < a < 0.45 * steps for a in away):
                break
        out.append((step, burst))
    return [b for _, b in out]


def _groups(bursts: list[Burst], level_dbfs: Floats) -> list[list[Burst]]:
    """Put bursts of the same notes together while nothing else sounds between them."""
    groups: list[list[Burst]] = []
    for burst in bursts:
        if groups and _belongs(groups[-1], burst, level_dbfs):
            groups[-1].append(burst)
        else:
            groups.append([burst])
    return [_trimmed(part) for g in groups for part in _parted(g)]


def _belongs(group: list[Burst], burst: Burst, level_dbfs: Floats) -> bool:
    last = group[-1]
    gap_s, gaps_s = burst.start_s - last.end_s, [b.start_s - a.end_s for a, b in pairwise(group)]
    if gap_s > 6.5 or (len(gaps_s) >= 2 and gap_s > 3.5 * max(gaps_s)):
        return False
    same_notes = len(last.hz) == len(burst.hz) or 0.7 < last.length_s / burst.length_s < 1.4
    return same_notes and alike(last.hz, burst.hz) and _quiet(last.end_s, burst.start_s, burst.level_dbfs, level_dbfs)


def _parted(group: list[Burst]) -> list[list[Burst]]:
    """Cut where ringing turns into another tone of the same notes: from there on all bursts are far shorter."""
    on = np.array([b.length_s for b in group])
    for k in range(1, len(group)):
        before, after = on[:k], on[k:]
        usual = float(np.median(before)), float(np.median(after))
        if usual[0] < 2 * usual[1] or len(after) < 3 or (k == 1 and usual[0] < 0.8):
            continue
        steady = [np.mean(np.abs(part / u - 1) < 0.25) > 0.7 for part, u in zip((before, after), usual, strict=True)]
        if all(steady) and before[-1] > 1.5 * usual[1] > 0.75 * after[0]:
            return [group[:k], group[k:]]
    return [group]


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


def _believable(tone: Tone, group: list[Burst]) -> bool:
    """Weigh what the model hears against how well notes and rhythm fit; music and voices hold steady notes too."""
    odds = float(np.average([b.odds for b in group], weights=[b.length_s for b in group]))
    if tone.plan is not None and tone.confidence >= 0.8:
        odds += (1.0, 2.5, 4.0)[min(tone.bursts, 3) - 1]
    elif tone.label is not Label.BEEP and tone.bursts >= 3:
        odds += 2.0
    return odds > (_LEAST_ODDS_OF_CHORD if tone.label is Label.BEEP and len(tone.frequencies_hz) > 1 else 0)
