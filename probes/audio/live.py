"""Listening while the call goes on: 20 ms frames in, events out as soon as they are known.

What is known live is known 1.5 to 4 s late: the model looks 1.2 s ahead, and a voice counts as a person's only after
enough of it was heard to compare it with earlier messages. Where no hold came before, a person is told once turns were
taken or our own lines answered, with the moment of the first word; what is heard later may move that moment or take it
back, and then it is told anew. `finish` says the same as listening to the recording.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from probes.audio.frames import CHUNK, FRAME_S
from probes.audio.listen import Listener
from probes.audio.net import CLASSES, MUSIC, OVER, SILENCE, SPEECH, TONE
from probes.audio.repeats import STEP_S, find_repeats
from probes.audio.samples import RATE_HZ, Resampler, check
from probes.audio.so_far import Person, SoFar
from probes.audio.spectra import Floats
from probes.audio.timeline import Kind, Label, Timeline

_WEIGHT, _SWITCH = 0.35, 4.0
_HOLD_AFTER_S = 2.0  # music this long is a hold
_LEAST_MUSIC = 0.7  # of that, when it is looked at again as a recording would be
_LOOKED_BACK_S = 60.0
_PERSON_AFTER_S = 2.4  # speech this long can be compared with earlier messages
_SURE_AFTER_S = 9.0  # speech this long that began right on the music is no message
_PAUSE_S = 0.15  # a person who takes the call is not on the line in the very moment in which the music ends
_RESUMED_WITHIN_S = 1.5
_FLICKER_S = 2.0  # music that stops for less than this goes on
_LONGEST_MESSAGE_S = 16.0  # music that comes back later than this is another hold
_SPEECH_KEPT_S = 900.0  # how much earlier speech is kept for that
_LONGEST_GAP_S = 60.0
_MOVED_S = 1.0  # a first person's start that moved by less is not told anew


class LiveKind(StrEnum):
    """What became known."""

    SEGMENT = "segment"  # a stretch ended; `label` when known
    HOLD_STARTED = "hold_started"
    HOLD_ENDED = "hold_ended"
    HOLD_RESUMED = "hold_resumed"  # what was taken for a person was a message: the hold goes on
    PERSON = "person"  # a live person speaks; before any hold, the latest one told is what counts
    RECORDING = "recording"  # what is being said was said before, or what was told to be a person's is a machine's
    SPEECH = "speech"  # somebody or something speaks; it is not known yet who
    GAP = "gap"  # the stream had a hole


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """One thing that became known.

    Attributes:
        at_s: when it happened, media time.
        known_s: media time at which it became known.
        end_s: for a segment or gap.
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


_KINDS = {SILENCE: Kind.SILENCE, TONE: Kind.TONE, MUSIC: Kind.MUSIC, SPEECH: Kind.SPEECH, OVER: Kind.SPEECH}


@dataclass(slots=True)
class _Now:
    """The stretch that is going on."""

    state: int  # of the model; speech with and without music under it is one stretch
    start: int  # frame
    since: int  # frame from which the model says so
    over: int = 0  # frames before that in which music was under it

    def changed(self, state: int, frame: int) -> "_Now":
        """Return what goes on when the model says another class of the same kind."""
        return _Now(state, self.start, frame, self.over_music(frame))

    def over_music(self, frame: int) -> int:
        """Return in how many frames up to this one music was under the speech."""
        return self.over + (frame - self.since if self.state == OVER else 0)

    def mostly_over_music(self, frame: int) -> bool:
        """Say whether music was under most of the speech up to this frame."""
        return 2 * self.over_music(frame) > frame - self.start


class _Changes:
    """Says when the class changes: sums up how much better each other class fits, and lets go of small differences."""

    def __init__(self) -> None:
        self.state = SILENCE
        self.frame = 0
        self._gain = [0.0] * CLASSES
        self._since = [0] * CLASSES

    def push(self, rows: list[list[float]]) -> tuple[int, int] | None:
        """Take log-odds of the next frames; return (class, first frame) when it changed."""
        change = None
        for row in rows:
            own = row[self.state]
            for c in range(CLASSES):
                if c == self.state:
                    continue
                gain = self._gain[c]
                if gain <= 0.0:
                    self._since[c] = self.frame
                gain = max(0.0, gain + _WEIGHT * (row[c] - own))
                self._gain[c] = gain
            best = max(range(CLASSES), key=self._gain.__getitem__)
            self.frame += 1
            if self._gain[best] > _SWITCH:
                change = (best, self._since[best])
                self.state = best
                self._gain = [0.0] * CLASSES
        return change


class LiveListener:
    """Listens to one channel of a call that is going on."""

    def __init__(self, rate_hz: int = RATE_HZ, on_event: Callable[[LiveEvent], None] | None = None) -> None:
        self._rate_hz, self._resampler, self._on_event = rate_hz, Resampler(rate_hz), on_event
        self._listener = Listener()
        self._changes = _Changes()
        self._now = _Now(SILENCE, 0, 0)
        self._taken_s = 0.0
        self._holding_since: float | None = None
        self._last_hold: float | None = None
        self._music_ended_s = self._speech_ended_s = self._hold_ended_s = -1e9
        self._person_waits: float | None = None  # start of speech that may be a person's, or a message on hold
        self._judged = True  # whether it is known who speaks now
        self._resumes_at_s: float | None = None  # from where on the hold goes on, if this is music
        self._music_told_after_s = _HOLD_AFTER_S
        self._said: deque[tuple[Floats, bool, float]] = deque()  # fingerprint, over music, since when
        self._so_far = SoFar(self._listener)
        self._before_hold: Person | None = None
        self._after_hold: list[float] = []
        self._events: list[LiveEvent] = []

    @property
    def heard_s(self) -> float:
        """Media time taken in so far, holes included."""
        return self._taken_s

    @property
    def now(self) -> tuple[Kind, float, float]:
        """What is going on, since when, and up to when that is known (media time)."""
        return _KINDS[self._now.state], self._now.start * FRAME_S, self._changes.frame * FRAME_S

    @property
    def first_person_s(self) -> float | None:
        """Start of the first speech that is taken to be a person's by now."""
        if self._before_hold is not None:
            return self._before_hold.start_s
        return self._after_hold[0] if self._after_hold else None

    def spoke(self, start_s: float, end_s: float) -> None:
        """Say that our own side spoke, media time: who answers it soon is likely a person."""
        self._so_far.spoke(start_s, end_s)

    def push(self, samples: NDArray[np.float32], at_s: float | None = None) -> list[LiveEvent]:
        """Take the next frame and return what became known with it.

        Args:
            samples: shape (n,), -1..1, usually 20 ms.
            at_s: media time of its first sample. A hole before it is filled with silence; what overlaps is dropped.
        """
        x = check(samples, self._rate_hz)
        if at_s is not None:
            hole_s = at_s - self._taken_s
            if hole_s > 0.004:
                filled_s = min(hole_s, _LONGEST_GAP_S)
                self._emit(LiveKind.GAP, self._taken_s, self._taken_s + filled_s)
                self._take(np.zeros(round(filled_s * self._rate_hz), np.float32))
                self._taken_s = at_s
            elif hole_s < -0.004:
                x = x[round(-hole_s * self._rate_hz) :]
        self._take(x)
        self._taken_s += len(x) / self._rate_hz
        events, self._events = self._events, []
        return events

    def finish(self) -> Timeline:
        """Return the timeline of the whole call, as `listen` would."""
        self._listener.push(self._resampler.finish())
        return self._listener.finish()

    def _take(self, samples: NDArray[np.float32]) -> None:
        odds = self._listener.push(self._resampler.push(samples))
        for start in range(0, len(odds), CHUNK):
            change = self._changes.push(odds[start : start + CHUNK].tolist())
            if change is not None:
                self._changed(*change)
            self._going_on()

    def _changed(self, state: int, frame: int) -> None:
        frame = max(frame, self._now.since)
        last, start_s, end_s = self._now, self._now.start * FRAME_S, frame * FRAME_S
        kind, before = _KINDS[state], _KINDS[last.state]
        if kind is before:
            self._now = last.changed(state, frame)
            return
        self._now = _Now(state, frame, frame)
        self._resumes_at_s, self._music_told_after_s = None, _HOLD_AFTER_S
        if before is Kind.MUSIC and self._holding_since is None and self._so_far.is_noise(start_s, end_s):
            before = Kind.SILENCE
        if end_s > start_s:
            self._emit(LiveKind.SEGMENT, start_s, end_s, before)
            self._so_far.ended(before, start_s, end_s, last.mostly_over_music(frame))
        if before is Kind.MUSIC:
            self._music_ended_s = end_s
        if before is Kind.SPEECH:
            self._speech_ended_s = end_s
            self._judge(start_s, end_s, last.mostly_over_music(frame))
            self._tell_first_person()
        if kind is Kind.SPEECH:
            self._judged = False
            self._emit(LiveKind.SPEECH, end_s, kind=Kind.SPEECH)
        if kind is Kind.MUSIC:
            self._person_waits = None
            if self._taken_back_by_music(end_s):
                self._resumes_at_s = end_s

    def _taken_back_by_music(self, at_s: float) -> bool:
        soon = at_s - self._speech_ended_s < _RESUMED_WITHIN_S and at_s - self._hold_ended_s < _LONGEST_MESSAGE_S
        return soon and self._last_hold is not None and self._holding_since is None

    def _going_on(self) -> None:
        now_s, start_s = self._changes.frame * FRAME_S, self._now.start * FRAME_S
        kind = _KINDS[self._now.state]
        if kind is Kind.MUSIC and self._holding_since is None and now_s - start_s >= self._music_told_after_s:
            noise = self._so_far.is_noise(start_s, now_s)
            least_s = _LEAST_MUSIC * _HOLD_AFTER_S
            began_s = None if noise else self._listener.music_since_s(now_s - _LOOKED_BACK_S, least_s)
            if began_s is not None:
                self._hold(began_s, now_s)
            else:
                self._music_told_after_s = now_s - start_s + _HOLD_AFTER_S
        if kind is Kind.SPEECH and not self._judged and now_s - start_s >= _PERSON_AFTER_S:
            self._judge(start_s, now_s, self._now.mostly_over_music(self._changes.frame))
        if self._person_waits is not None:
            quiet = kind is Kind.SILENCE and now_s - start_s >= _RESUMED_WITHIN_S
            if quiet or now_s - self._person_waits >= _SURE_AFTER_S:
                self._person(self._person_waits)

    def _hold(self, began_s: float, now_s: float) -> None:
        """Say that a hold begins, or goes on after what was taken for a person."""
        if self._resumes_at_s is not None:
            self._holding_since = self._last_hold
            self._after_hold = [at_s for at_s in self._after_hold if at_s < self._music_ended_s]
            self._emit(LiveKind.HOLD_RESUMED, self._resumes_at_s, kind=Kind.MUSIC)
            return
        self._holding_since = began_s
        self._emit(LiveKind.HOLD_STARTED, began_s, kind=Kind.MUSIC)
        self._so_far.held(began_s, now_s)
        self._tell_first_person()

    def _judge(self, start_s: float, end_s: float, over: bool) -> None:
        """Say who speaks, when it can be told: a recording was heard before, a person comes after the hold."""
        if self._judged or end_s - start_s < 0.5:
            return
        self._judged = True
        prints = self._listener.prints(start_s, end_s)
        again = False
        if (end_s - start_s) >= 1.2 and self._said:
            rows = [p for p, _, _ in self._said] + [prints]
            edges = np.cumsum([0] + [len(r) for r in rows])
            spans = [
                (int(a), int(b), o)
                for a, b, o in zip(edges, edges[1:], [*(o for _, o, _ in self._said), over], strict=False)
            ]
            found = find_repeats(np.concatenate(rows), spans, newest_only=True)
            earlier = next((m.first for m in found if m.second == len(rows) - 1), None)
            again = earlier is not None
            if earlier is not None:
                self._so_far.said_again(start_s, self._said[earlier][2])
        self._said.append((prints, over, start_s))
        while sum(len(p) for p, _, _ in self._said) * STEP_S > _SPEECH_KEPT_S:
            self._said.popleft()
        if again or over:
            self._emit(LiveKind.RECORDING, start_s, kind=Kind.SPEECH, label=Label.ANNOUNCEMENT)
        elif self._holding_since is not None:
            if start_s - self._music_ended_s < _PAUSE_S:
                self._person_waits = start_s
            else:
                self._person(start_s)

    def _person(self, start_s: float) -> None:
        self._person_waits = None
        if self._holding_since is None:
            return
        self._emit(LiveKind.HOLD_ENDED, self._music_ended_s)
        self._emit(
            LiveKind.PERSON,
            start_s,
            kind=Kind.SPEECH,
            label=Label.AGENT,
            confidence=0.9,
            why=("after_hold", "said_once"),
        )
        self._so_far.held(self._holding_since, self._music_ended_s)
        self._after_hold.append(start_s)
        self._last_hold, self._holding_since = self._holding_since, None
        self._hold_ended_s = self._music_ended_s

    def _tell_first_person(self) -> None:
        """Say who spoke before any hold, when that is another than was said before."""
        told, now = self._before_hold, self._so_far.first_person()
        self._before_hold = now
        if now is not None and (told is None or abs(now.start_s - told.start_s) > _MOVED_S):
            self._emit(
                LiveKind.PERSON,
                now.start_s,
                kind=Kind.SPEECH,
                label=Label.AGENT,
                confidence=now.confidence,
                why=now.why,
            )
        elif now is None and told is not None:
            self._emit(LiveKind.RECORDING, told.start_s, kind=Kind.SPEECH, label=Label.IVR, why=("taken_back",))

    def _emit(
        self,
        what: LiveKind,
        at_s: float,
        end_s: float | None = None,
        kind: Kind | None = None,
        label: Label | None = None,
        confidence: float | None = None,
        why: tuple[str, ...] = (),
    ) -> None:
        event = LiveEvent(what, at_s, self._taken_s, end_s, kind, label, confidence, why)
        self._events.append(event)
        if self._on_event is not None:
            self._on_event(event)
