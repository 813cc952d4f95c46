"""Who spoke, worked out while the call goes on, by the same rules as for a recording, from what was heard up to now."""

from dataclasses import dataclass, replace

import numpy as np

from probes.audio import calls, who
from probes.audio.frames import FRAME_S
from probes.audio.heard import rest_dbfs
from probes.audio.holds import HoldSpan, silent_waits
from probes.audio.listen import Listener
from probes.audio.quantiles import quantile
from probes.audio.spectra import Floats
from probes.audio.states import DROPPED_PAUSE_S
from probes.audio.timeline import HoldMode, Kind, Label, Span
from probes.audio.tones import find_tones

_PIECES = 300  # of the past that are looked at
_FEWEST_PAUSES = 2
_CADENCE_S = 7.0  # before a burst, in which others of its tone lie


@dataclass(frozen=True, slots=True)
class Person:
    """Speech taken to be a live person's."""

    start_s: float
    confidence: float
    why: tuple[str, ...]


class SoFar:
    """The pieces of a call up to now."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._parts: list[calls.Piece] = []
        self._spectra: dict[float, Floats | None] = {}
        self._rests_dbfs: dict[float, float | None] = {}
        self._again: set[float] = set()  # starts of what was said again
        self._ours: list[Span] = []
        self._holds: list[tuple[float, float]] = []

    def ended(self, kind: Kind, start_s: float, end_s: float, over_music: bool) -> None:
        """Take a stretch that has ended."""
        repeated = start_s in self._again
        before = self._goes_on(kind)
        if before is not None:
            said_s, more_s = before.length_s, end_s - start_s
            over_music = said_s * before.over_music + more_s * over_music > 0.5 * (said_s + more_s)
            start_s, repeated = before.start_s, repeated or before.repeated
        piece = calls.Piece(start_s, end_s, kind.value, 0.9, over_music, repeated=repeated)
        if kind is Kind.SPEECH and not over_music:
            self._spectra[start_s] = self._listener.spectrum(start_s, end_s)
        elif kind is Kind.SILENCE:
            self._rests_dbfs[start_s] = rest_dbfs(end_s - start_s, self._listener.level_dbfs(start_s, end_s))
        elif kind is Kind.TONE:
            self._name(piece)
        self._parts.append(piece)
        if len(self._parts) > _PIECES:
            for gone in self._parts[:-_PIECES]:
                self._spectra.pop(gone.start_s, None)
                self._rests_dbfs.pop(gone.start_s, None)
            del self._parts[:-_PIECES]
            self._again = {at_s for at_s in self._again if at_s >= self._parts[0].start_s}

    def _goes_on(self, kind: Kind) -> calls.Piece | None:
        """Take off and return what goes on after a breath, which is no pause; None when something new begins."""
        if kind not in (Kind.SPEECH, Kind.MUSIC) or len(self._parts) < 2:
            return None
        before, pause = self._parts[-2:]
        if before.kind != kind.value or pause.kind != "silence" or pause.length_s >= DROPPED_PAUSE_S:
            return None
        del self._parts[-2:]
        self._rests_dbfs.pop(pause.start_s, None)
        return before

    def is_noise(self, start_s: float, end_s: float) -> bool:
        """Say whether what seemed music for a moment is no louder than the line's noise in the pauses so far."""
        rests = [level for level in self._rests_dbfs.values() if level is not None]
        if end_s - start_s >= calls.LONGEST_STRAY_S or len(rests) < _FEWEST_PAUSES:
            return False
        floor_dbfs = quantile(np.array(rests), 0.25)
        levels = self._listener.level_dbfs(start_s, end_s)
        return floor_dbfs >= calls.QUIETEST_NOISE_DBFS and len(levels) > 0 and quantile(levels, 0.8) < floor_dbfs + 3

    def said_again(self, start_s: float, earlier_s: float) -> None:
        """Note that what began at these two moments is the same; the later of them may still be going on."""
        self._again |= {start_s, earlier_s}
        for piece in self._parts:
            if any(piece.start_s <= at_s < piece.end_s for at_s in (start_s, earlier_s)):
                piece.repeated = True

    def spoke(self, start_s: float, end_s: float) -> None:
        """Note that our own side said something."""
        self._ours = [*self._ours[-_PIECES:], Span(start_s, end_s)]

    def held(self, start_s: float, end_s: float) -> None:
        """Note a hold, or that the last one goes on."""
        if self._holds and self._holds[-1][0] == start_s:
            self._holds.pop()
        self._holds = [*self._holds[-_PIECES:], (start_s, end_s)]

    def first_person(self) -> Person | None:
        """Return the first speech before any hold that is a person's, as far as can be told by now."""
        going_on = [calls.Piece(a, b, "music", 0.9) for a, b in self._holds[-1:] if b > self._heard_s]
        parts = calls.settle([replace(p, why=[]) for p in (*self._parts, *going_on)])
        first_hold_s = self._holds[0][0] if self._holds else float("inf")
        if not any(p.kind == "speech" and p.start_s < first_hold_s for p in parts):
            return None
        spectra = tuple(self._spectra.get(p.start_s) if p.kind == "speech" else None for p in parts)
        rests = tuple(self._rests_dbfs.get(p.start_s) if p.kind == "silence" else None for p in parts)
        spans = self._spans(parts)
        spans = sorted([*spans, *silent_waits(parts, spans)], key=lambda h: h.start_s)
        who.say_who(parts, spans, who.Voices(spectra, rests), tuple(self._ours))
        for p in parts:
            if p.label is Label.AGENT and p.start_s < first_hold_s:
                return Person(p.start_s, p.confidence, tuple(p.why))
        return None

    @property
    def _heard_s(self) -> float:
        return self._parts[-1].end_s if self._parts else 0.0

    def _spans(self, parts: list[calls.Piece]) -> list[HoldSpan]:
        out = []
        for start_s, end_s in self._holds:
            inside = [i for i, p in enumerate(parts) if start_s < (p.start_s + p.end_s) / 2 < end_s]
            if inside:
                out.append(HoldSpan(start_s, end_s, HoldMode.MUSIC, inside[0], inside[-1], 0.9))
        return out

    def _name(self, piece: calls.Piece) -> None:
        """Give a tone its name."""
        heard, first_s = self._listener.recent(piece.start_s - _CADENCE_S)
        until = min(len(heard.level_dbfs), round((piece.end_s - first_s) / FRAME_S) + 3)
        tones = find_tones(heard.peaks_hz[:until], heard.peak_shares[:until], heard.level_dbfs[:until])
        near = [t for t in tones if t.end_s + first_s > piece.start_s and t.start_s + first_s < piece.end_s]
        if near:
            piece.label, piece.confidence = near[-1].label, near[-1].confidence
