"""What is known of a call that goes on: what a recording that ended now would say, by the same rules.

Only the last half minute is cut anew at each look; what was cut before it stays. Whether something was said before is
asked once for each stretch of speech. The rest, which is cheap, is worked out anew from all pieces.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probes.audio import calls, who
from probes.audio.frames import FRAME_S, Coarse, from_half_db
from probes.audio.heard import rest_dbfs, step_at, voice_spectrum
from probes.audio.holds import HoldSpan, find_holds
from probes.audio.listen import Listener
from probes.audio.repeats import Match, Prints, find_repeats
from probes.audio.spectra import Floats
from probes.audio.states import Stretch, merged, stretches
from probes.audio.timeline import Span, Tone
from probes.audio.tones import find_tones
from probes.audio.under_music import UnderMusic

_WINDOW, _ANEW = 2000, 1000  # frames that are cut at each look, and of these the last that are taken from it
_COMPARED_AFTER_S = 2.4  # speech that goes on can be compared with earlier messages by then
_LONGER_AGAIN = 1.6  # and once more when it has become so many times longer
_SAME_EDGE_STEPS = 8
_SAME_FLOOR_DB = 1.5  # a call that becomes louder is compared anew
_COMPARED_AT_ONCE = 3
_SPEECH_KEPT_S = 900.0  # how much earlier speech is compared with


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a call up to a moment.

    Attributes:
        until_s: up to when.
        parts: its pieces, as of a recording that ended then.
        holds: their first and last are places in `parts`.
    """

    until_s: float
    parts: list[calls.Piece]
    holds: list[HoldSpan]

    def at(self, at_s: float) -> calls.Piece | None:
        """Return the piece that a moment lies in."""
        return next((p for p in self.parts if p.start_s <= at_s < p.end_s), None)


@dataclass(slots=True)
class _Compared:
    """What came of the question whether something had been said before.

    Attributes:
        earlier_s: the middle of what has the same words; None: it had not.
    """

    start: int
    end: int
    floor_db: float
    earlier_s: float | None = None
    match: Match | None = None


class SoFar:
    """Looks at a call from time to time while it goes on."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._level_dbfs = _Growing(np.zeros(0, np.float32))
        self._mel: _Growing | None = None  # of every second frame
        self._taken = 0  # frames
        self._laid: list[Stretch] = []
        self._tones: list[Tone] = []
        self._compared: list[_Compared] = []
        self._under_music = UnderMusic()
        self._spectra: dict[tuple[float, float], Floats | None] = {}
        self._rests_dbfs: dict[tuple[float, float], float | None] = {}
        self._ours: tuple[Span, ...] = ()

    def spoke(self, start_s: float, end_s: float) -> None:
        """Note that our own side said something."""
        self._ours = (*self._ours, Span(start_s, end_s))

    def look(self, count: int) -> Known:
        """Return what a recording that ended after so many frames would say."""
        self._take()
        level_dbfs = self._level_dbfs.rows[:count]
        self._cut_anew(count, level_dbfs)
        parts = calls.pieces(self._laid, self._tones, count * FRAME_S)
        parts = calls.noise_is_no_music(parts, level_dbfs, self._between_db)
        parts = calls.settle(calls.no_music_under(parts, level_dbfs))
        prints = Prints(self._mels)
        parts = self._under_music.applied(self._repeats_marked(parts, level_dbfs, prints))
        holds = find_holds(parts, level_dbfs)
        if self._under_music.learn(parts, holds, prints, count * FRAME_S):
            parts = self._under_music.applied(parts)
            holds = find_holds(parts, level_dbfs)
        who.say_who(parts, holds, self._voices(parts, level_dbfs), self._ours)
        return Known(count * FRAME_S, parts, holds)

    def _take(self) -> None:
        for block in self._listener.kept_since(self._taken):
            self._level_dbfs.append(block.level_dbfs.astype(np.float32))
            if self._mel is None:
                self._mel = _Growing(block.mel[:0])
            self._mel.append(block.mel)
            self._taken += len(block)

    @property
    def _mels(self) -> NDArray[np.uint8]:
        assert self._mel is not None
        return self._mel.rows

    def _between_db(self, from_s: float, to_s: float) -> Floats:
        return from_half_db(self._mels[step_at(from_s) : step_at(to_s)])

    def _cut_anew(self, count: int, level_dbfs: Floats) -> None:
        """Cut the last half minute anew, and lay it after what was cut before."""
        first = max(0, count - _WINDOW) // 4 * 4
        since = count - _ANEW if first and self._laid and self._laid[-1].end > count - _ANEW else first
        odds = self._listener.odds_since(first)[: count - first]
        last = [Stretch(s.start + first, s.end + first, s.state, s.odds) for s in stretches(odds, level_dbfs[first:])]
        before = [replace(s, end=min(s.end, since)) for s in self._laid if s.start < since]
        after = [replace(s, start=max(s.start, since)) for s in last if s.end > since]
        self._laid = merged([*before, *after])
        kept = self._listener.kept_since(first)
        peaks = np.concatenate([k.peaks for k in kept])[: count - first]
        shares = np.concatenate([k.shares for k in kept])[: count - first]
        heard = find_tones(Coarse(peaks, 16), Coarse(shares, 255), level_dbfs[first:], odds)
        moved_s = first * FRAME_S
        self._tones = _tones_joined(
            self._tones,
            [replace(t, start_s=t.start_s + moved_s, end_s=t.end_s + moved_s) for t in heard],
            since * FRAME_S,
        )

    def _repeats_marked(self, parts: list[calls.Piece], level_dbfs: Floats, prints: Prints) -> list[calls.Piece]:
        left, only, kept = _COMPARED_AT_ONCE, None, []
        for _ in range(2):
            speech = [p for p in parts if p.kind == "speech"]
            found: list[Match] = []
            for i, p in enumerate(speech):
                if only is not None and not any(p is q for q in only):
                    continue
                one, asked = self._was_said(speech, i, prints, level_dbfs, ask=left > 0)
                left -= asked
                if one is None:
                    continue
                kept.append(one)
                earlier = next(
                    (k for k in range(i) if one.match and speech[k].start_s <= (one.earlier_s or 0) < speech[k].end_s),
                    None,
                )
                if one.match is not None and earlier is not None:
                    until = one.match.until
                    if until > one.end - _SAME_EDGE_STEPS:  # and goes on: as far as it was compared it is the same
                        until = max(until, step_at(p.end_s))
                    found.append(replace(one.match, first=earlier, second=i, until=until))
            parts, only = calls.mark_repeats(parts, speech, found, level_dbfs)
            if not only:
                break
        self._compared = kept
        return parts

    def _was_said(
        self, speech: list[calls.Piece], i: int, prints: Prints, level_dbfs: Floats, *, ask: bool
    ) -> tuple[_Compared | None, bool]:
        """Return whether a stretch was said before, and whether that had to be found out now."""
        p = speech[i]
        start, end = step_at(p.start_s), step_at(p.end_s)
        goes_on = p.end_s >= len(level_dbfs) * FRAME_S - 1e-6
        known = next((c for c in self._compared if abs(c.start - start) <= _SAME_EDGE_STEPS), None)
        if known is not None:
            fresh = abs(known.end - end) <= _SAME_EDGE_STEPS
            fresh = fresh and abs(known.floor_db - prints.floor_db) < _SAME_FLOOR_DB
            enough = goes_on and end - start < _LONGER_AGAIN * (known.end - known.start)
            if fresh or enough:
                return known, False
        if not ask or (goes_on and p.length_s < _COMPARED_AFTER_S):
            return known, False
        first = i
        said_s = 0.0
        while first > 0 and said_s < _SPEECH_KEPT_S:
            first -= 1
            said_s += speech[first].length_s
        spans = [(step_at(q.start_s), step_at(q.end_s), q.over_music) for q in speech[first : i + 1]]
        found = find_repeats(prints, spans, newest_only=True) if p.length_s >= 1.2 else []
        match = next((m for m in found if m.second == i - first), None)
        earlier = None if match is None else speech[first + match.first]
        earlier_s = None if earlier is None else (earlier.start_s + earlier.end_s) / 2
        return _Compared(start, end, prints.floor_db, earlier_s, match), True

    def _voices(self, parts: list[calls.Piece], level_dbfs: Floats) -> who.Voices:
        spectra: dict[tuple[float, float], Floats | None] = {}
        rests: dict[tuple[float, float], float | None] = {}
        for p in parts:
            key = (p.start_s, p.end_s)
            if p.kind == "speech" and not p.over_music:
                known = key in self._spectra
                a, b = step_at(p.start_s), step_at(p.end_s)
                spectra[key] = self._spectra[key] if known else voice_spectrum(from_half_db(self._mels[a:b]))
            elif p.kind == "silence":
                known = key in self._rests_dbfs
                a, b = round(p.start_s / FRAME_S), round(p.end_s / FRAME_S)
                rests[key] = self._rests_dbfs[key] if known else rest_dbfs(p.length_s, level_dbfs[a:b])
        self._spectra, self._rests_dbfs = spectra, rests
        keys = [(p.start_s, p.end_s) for p in parts]
        return who.Voices(tuple(spectra.get(k) for k in keys), tuple(rests.get(k) for k in keys))


class _Growing:
    """Rows in one array that has room for more."""

    def __init__(self, like: NDArray[Any]) -> None:
        self._room, self._count = np.zeros((1024, *like.shape[1:]), like.dtype), 0

    @property
    def rows(self) -> NDArray[Any]:
        """All rows."""
        return self._room[: self._count]

    def append(self, rows: NDArray[Any]) -> None:
        """Put rows after the last."""
        count = self._count + len(rows)
        if count > len(self._room):
            room = np.zeros((2 * count, *self._room.shape[1:]), self._room.dtype)
            room[: self._count] = self.rows
            self._room = room
        self._room[self._count : count] = rows
        self._count = count


def _tones_joined(before: list[Tone], now: list[Tone], since_s: float) -> list[Tone]:
    """Put together the tones of the last look and those of this one, which is believed from a moment on."""
    out = [t for t in before if t.start_s < since_s]
    for tone in now:
        if tone.end_s <= since_s:
            continue
        same = next((t for t in out if t.end_s > tone.start_s and t.start_s < tone.end_s), None)
        if same is not None:
            out.remove(same)
            sure = tone if tone.bursts >= same.bursts else same
            tone = replace(sure, start_s=min(same.start_s, tone.start_s), end_s=tone.end_s)
        out.append(tone)
    return out
