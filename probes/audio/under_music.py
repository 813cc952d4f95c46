"""What a live call's hold music hides: messages taken for music, and singers taken for messages.

Both need much of the hold, and so much work that it is done seldom: each time the call has grown by a quarter. The loop
is sought in the last ten minutes, words in the last half hour. What was found is kept.
"""

from dataclasses import dataclass

import numpy as np

from probes.audio import calls
from probes.audio.assembly import words_under_music
from probes.audio.heard import step_at
from probes.audio.holds import HoldSpan
from probes.audio.loops import loop_s
from probes.audio.repeats import STEP_S, Prints
from probes.audio.songs import take_back_songs

_FIRST_S, _GROWN = 60.0, 1.25
_LOOP_SOUGHT_S, _WORDS_SOUGHT_S = 600.0, 1800.0
_SAME_S = 0.5


@dataclass(frozen=True, slots=True)
class _Words:
    """Words that are those of the piece in which `same_s` lies."""

    start_s: float
    end_s: float
    same_s: float
    similarity: float


class UnderMusic:
    """Keeps what was found out about a call's hold music."""

    def __init__(self) -> None:
        self._due_s = _FIRST_S
        self._words: list[_Words] = []
        self._songs: list[tuple[float, float]] = []

    def applied(self, parts: list[calls.Piece]) -> list[calls.Piece]:
        """Return the pieces with what is known of the music put right."""
        for p in parts:
            sung = any(abs(p.start_s - a) < _SAME_S and abs(p.end_s - b) < _SAME_S for a, b in self._songs)
            if p.kind == "speech" and sung:
                p.kind, p.over_music, p.repeat_of, p.repeated = "music", False, None, False
        said = []
        for w in self._words:
            same = next((p for p in parts if p.kind == "speech" and p.start_s <= w.same_s < p.end_s), None)
            if same is not None:
                said.append((w.start_s, w.end_s, same, w.similarity))
        return calls.said_over_music(parts, said)

    def learn(self, parts: list[calls.Piece], holds: list[HoldSpan], prints: Prints, now_s: float) -> bool:
        """Look for loops, songs and words when it is time to; return whether something was found."""
        from_s = now_s - _LOOP_SOUGHT_S
        holds = [h for h in holds if h.end_s > from_s]
        if now_s < self._due_s or not holds:
            return False
        self._due_s = now_s * _GROWN
        before = [(p.start_s, p.end_s) for p in parts if p.kind == "speech"]
        periods_s = []
        for hold in holds:
            begin, end = step_at(max(hold.start_s, from_s)), step_at(hold.end_s)
            music = np.zeros(end - begin, np.bool_)
            for p in parts[hold.first : hold.last + 1]:
                if p.kind == "music":
                    music[max(0, step_at(p.start_s) - begin) : max(0, step_at(p.end_s) - begin)] = True
            steps = prints[begin:end]
            loop = loop_s(steps, music[: len(steps)]) if music.any() else None
            if loop is not None:
                periods_s.append(loop[0])
                take_back_songs(parts, hold, loop[0] / STEP_S, prints)
        left = {(p.start_s, p.end_s) for p in parts if p.kind == "speech"}
        songs = [one for one in before if one not in left]
        words = [
            _Words(a, b, (same.start_s + same.end_s) / 2, likeness)
            for a, b, same, likeness in words_under_music(parts, prints, periods_s, now_s - _WORDS_SOUGHT_S)
        ]
        self._songs += songs
        self._words = sorted([*self._words, *words], key=lambda w: w.start_s)
        return bool(songs or words)
