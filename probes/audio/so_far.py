"""Who spoke, worked out while the call goes on, by the same rules as for a recording, from what was heard up to now."""

from dataclasses import dataclass, replace

from probes.audio import calls, who
from probes.audio.frames import FRAME_S
from probes.audio.heard import rest_dbfs
from probes.audio.holds import HoldSpan, silent_waits
from probes.audio.listen import Listener
from probes.audio.spectra import Floats
from probes.audio.timeline import HoldMode, Kind, Label, Span
from probes.audio.tones import find_tones

_PIECES = 300  # of the past that are looked at
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
        self._ours: list[Span] = []
        self._holds: list[tuple[float, float]] = []

    def ended(self, kind: Kind, start_s: float, end_s: float, over_music: bool) -> None:
        """Take a stretch that has ended."""
        piece = calls.Piece(start_s, end_s, kind.value, 0.9, over_music)
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

    def said_again(self, start_s: float, earlier_s: float) -> None:
        """Note that what began at these two moments is the same."""
        for piece in self._parts:
            if piece.start_s in (start_s, earlier_s):
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
            inside = [i for i, p in enumerate(parts) if p.start_s >= start_s - 0.01 and p.end_s <= end_s + 0.01]
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
