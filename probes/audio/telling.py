"""What was told of a call that goes on, and what of it must be told anew after a look at what is known by now."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from probes.audio.calls import Piece
from probes.audio.holds import HoldSpan
from probes.audio.so_far import Known
from probes.audio.timeline import HoldMode, Kind, Label

_HELD_S = 2.0  # a hold that goes on is told once it is so long
_NO_JINGLE_S, _SURE_MUSIC = 4.0, 0.75  # so is music that would be a jingle if it ended now
_FIRST_JINGLE_S = 10.0  # and longer where nothing was said before
_OVER_S = 13.0  # after its music a hold is over when nothing else was heard for so long
_EDGE_S = 0.1  # an edge of a stretch that moved by less is not told anew
_MOVED_S = 0.5  # nor one of a hold
_PERSON_MOVED_S = 1.0
_UNSETTLED_S = 1.0  # at the end of what is known
_PERSON_AFTER_S, _WORD_S = 2.4, 0.5  # speech this long can be compared with earlier messages; a word that has ended
_SURE_AFTER_S = 16.5  # speech this long that began right on the music is no message
_PAUSE_S = 0.15  # a person who takes the call is not on the line in the very moment in which the music ends
_WAITED_S = 1.5


class LiveKind(StrEnum):
    """What became known."""

    SEGMENT = "segment"  # a stretch ended
    CORRECTED = "corrected"  # a stretch that was told, or part of it, is of another kind
    HOLD_STARTED = "hold_started"
    HOLD_ENDED = "hold_ended"
    HOLD_RESUMED = "hold_resumed"  # what was taken for its end was none: the hold goes on
    HOLD_MOVED = "hold_moved"  # a hold that was told began or ended at another moment
    HOLD_TAKEN_BACK = "hold_taken_back"  # what was told to be a hold is none, or belongs to another
    PERSON = "person"  # a live person speaks
    RECORDING = "recording"  # what is being said was said before, or what was told to be a person's is a machine's
    SPEECH = "speech"  # somebody or something speaks; it is not known yet who
    GAP = "gap"  # the stream had a hole


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """One thing that became known. What is told later about a moment counts.

    Attributes:
        at_s: when it happened, media time.
        known_s: media time at which it became known.
        end_s: for a segment, a correction or a gap, and for a hold that moved, if it has ended.
        confidence: 0..1, where a person or a recording was told from more than one sign.
        why: the signs, as in `Segment`.
    """

    what: LiveKind
    at_s: float
    known_s: float
    end_s: float | None = None
    kind: Kind | None = None
    label: Label | None = None
    confidence: float | None = None
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ToldHold:
    """A hold as told by now; `end_s` is None while it goes on.

    Attributes:
        resumed: whether it was told to be over once, and went on.
    """

    start_s: float
    end_s: float | None
    resumed: bool = False

    def meets(self, start_s: float, end_s: float) -> bool:
        """Say whether it shares time with another."""
        return self.start_s < end_s and (self.end_s is None or self.end_s > start_s)


@dataclass(frozen=True, slots=True)
class ToldStretch:
    """A stretch as told by now."""

    start_s: float
    end_s: float
    kind: Kind


class Telling:
    """Keeps what was told, and tells what is new or other than that."""

    def __init__(self, emit: Callable[[LiveEvent], None]) -> None:
        self._emit = emit
        self.stretches: list[ToldStretch] = []
        self.holds: list[ToldHold] = []
        self.persons_s: list[float] = []
        self._recordings_s: list[float] = []

    def ended(self, kind: Kind, start_s: float, end_s: float, known_s: float) -> None:
        """Tell that a stretch has ended."""
        self.stretches.append(ToldStretch(start_s, end_s, kind))
        self._emit(LiveEvent(LiveKind.SEGMENT, start_s, known_s, end_s, kind))

    def looked(self, known: Known, now_s: float) -> None:
        """Tell what a look shows that was not told, or otherwise."""
        self._correct(known, now_s)
        persons = [p for p in _persons(known) if self._is_sure(known, p)]
        self._tell_holds(known, persons, now_s)
        self._tell_persons(known, persons, now_s)
        for p in known.parts:
            again = p.repeat_of is not None or (p.over_music and (p.end_s < known.until_s or p.length_s >= 2.4))
            if p.kind == "speech" and again and not any(abs(p.start_s - s) < _MOVED_S for s in self._recordings_s):
                self._recordings_s.append(p.start_s)
                event = LiveEvent(
                    LiveKind.RECORDING, p.start_s, now_s, kind=Kind.SPEECH, label=p.label, why=tuple(p.why)
                )
                self._emit(event)

    def _correct(self, known: Known, now_s: float) -> None:
        until_s = min(known.until_s - _UNSETTLED_S, self.stretches[-1].end_s if self.stretches else 0.0)
        right = [
            ToldStretch(p.start_s, min(p.end_s, until_s), Kind(p.kind)) for p in known.parts if p.start_s < until_s
        ]
        k = 0
        for one in right:
            while k < len(self.stretches) and self.stretches[k].end_s <= one.start_s:
                k += 1
            at = k
            while at < len(self.stretches) and self.stretches[at].start_s < one.end_s:
                told = self.stretches[at]
                start_s, end_s = max(told.start_s, one.start_s), min(told.end_s, one.end_s)
                if told.kind is not one.kind and end_s - start_s >= _EDGE_S:
                    self._emit(LiveEvent(LiveKind.CORRECTED, start_s, now_s, end_s, one.kind))
                at += 1
        rest = [ToldStretch(max(s.start_s, until_s), s.end_s, s.kind) for s in self.stretches if s.end_s > until_s]
        self.stretches = [*right, *rest]

    def _tell_holds(self, known: Known, persons: list[Piece], now_s: float) -> None:
        told, self.holds = self.holds, []
        for span in [*known.holds, *self._not_yet_a_hold(known, told)]:
            goes_on = span.last == len(known.parts) - 1
            after = known.parts[span.last + 1 :]
            over = not goes_on and (
                known.until_s - span.end_s >= _OVER_S
                or any(p.kind == "tone" for p in after)
                or any(p.start_s >= span.end_s - _EDGE_S for p in persons)
                or any(h.start_s >= span.end_s for h in known.holds)
            )
            end_s = span.end_s if over else None
            now = ToldHold(span.start_s, end_s)
            same = [t for t in told if t.meets(span.start_s, span.end_s)]
            told = [t for t in told if t not in same]
            if same:
                now = self._told_again(same, now, known, now_s)
            elif known.until_s - span.start_s < _HELD_S:
                continue
            else:
                self._emit(LiveEvent(LiveKind.HOLD_STARTED, span.start_s, now_s, kind=Kind.MUSIC))
                if end_s is not None:
                    self._emit(LiveEvent(LiveKind.HOLD_ENDED, end_s, now_s))
            self.holds.append(now)
        for gone in told:
            self._emit(LiveEvent(LiveKind.HOLD_TAKEN_BACK, gone.start_s, now_s, gone.end_s))

    def _not_yet_a_hold(self, known: Known, told: list[ToldHold]) -> list[HoldSpan]:
        """Return music that goes on, where a recording that ended now would hold too little of it for a hold."""
        last, end = known.parts[-1], len(known.parts) - 1
        if last.kind != "music" or any(h.last == end for h in known.holds):
            return []
        said = any(p.kind == "speech" for p in known.parts)
        already = any(t.end_s is None and t.start_s >= last.start_s - _MOVED_S for t in told)
        enough = last.length_s >= (_NO_JINGLE_S if said else _FIRST_JINGLE_S) and last.odds >= _SURE_MUSIC
        return [HoldSpan(last.start_s, last.end_s, HoldMode.MUSIC, end, end, last.odds)] if already or enough else []

    def _told_again(self, told: list[ToldHold], now: ToldHold, known: Known, now_s: float) -> ToldHold:
        first, *others = told
        for other in others:
            self._emit(LiveEvent(LiveKind.HOLD_TAKEN_BACK, other.start_s, now_s, other.end_s))
        resumed = False
        if first.end_s is not None and now.end_s is None:
            resumed = True
            music = (p.start_s for p in known.parts if p.kind == "music" and p.start_s >= first.end_s - _EDGE_S)
            self._emit(LiveEvent(LiveKind.HOLD_RESUMED, next(music, first.end_s), now_s, kind=Kind.MUSIC))
        if first.end_s is None and now.end_s is not None:
            self._emit(LiveEvent(LiveKind.HOLD_ENDED, now.end_s, now_s))
        later = first.end_s is not None and now.end_s is not None and abs(first.end_s - now.end_s) > _MOVED_S
        if later or abs(first.start_s - now.start_s) > _MOVED_S:
            self._emit(LiveEvent(LiveKind.HOLD_MOVED, now.start_s, now_s, now.end_s))
        return replace(now, resumed=resumed or any(t.resumed for t in told))

    def _tell_persons(self, known: Known, persons: list[Piece], now_s: float) -> None:
        still = []
        for at_s in self.persons_s:
            p = known.at(at_s + _EDGE_S)
            if p is not None and p.label is Label.AGENT:
                still.append(at_s)
            else:
                event = LiveEvent(
                    LiveKind.RECORDING, at_s, now_s, kind=Kind.SPEECH, label=Label.IVR, why=("taken_back",)
                )
                self._emit(event)
        self.persons_s = still
        for p in persons:
            if not any(abs(p.start_s - at_s) <= _PERSON_MOVED_S for at_s in still):
                still.append(p.start_s)
                why = tuple(p.why)
                event = LiveEvent(LiveKind.PERSON, p.start_s, now_s, None, Kind.SPEECH, Label.AGENT, p.confidence, why)
                self._emit(event)

    def _is_sure(self, known: Known, p: Piece) -> bool:
        """Say whether enough was heard for a person to be told: what follows a hold may be a message in it."""
        hold = next((h for h in reversed(known.holds) if h.end_s <= p.start_s + _EDGE_S), None)
        if hold is None:
            return True
        goes_on = p.end_s >= known.until_s - _EDGE_S
        if p.length_s < (_PERSON_AFTER_S if goes_on else _WORD_S):
            return False
        misled = any(t.resumed and t.meets(hold.start_s, hold.end_s) for t in self.holds)
        if p.start_s - hold.end_s >= _PAUSE_S and not misled:
            return True
        after = known.at(p.end_s + _EDGE_S)
        waits = after is not None and after.kind == "silence" and after.length_s >= _WAITED_S
        return waits or known.until_s - p.start_s >= _SURE_AFTER_S


def _persons(known: Known) -> list[Piece]:
    """Return the first words of a person in the call, and after each hold."""
    out: list[Piece] = []
    begins_s = [0.0, *(h.end_s - _EDGE_S for h in known.holds)]
    for begin_s in begins_s:
        first = next((p for p in known.parts if p.label is Label.AGENT and p.start_s >= begin_s), None)
        if first is not None and not any(first is p for p in out):
            out.append(first)
    return out
