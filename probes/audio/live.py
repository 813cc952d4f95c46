"""Listening while the call goes on: 20 ms frames in, events out as soon as they are known.

A change of what is heard is known 1.3 s late: the model looks ahead. What it means is worked out at looks at the call
so far, by the rules for recordings: soon after what may change it, and not more often than every two seconds in the
long run. What a recording would say otherwise by then than was told is told anew, with the moments when it happened.
`finish` says the same as listening to the recording.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from probes.audio.frames import CHUNK, FRAME_S
from probes.audio.listen import Listener
from probes.audio.net import CLASSES, MUSIC, OVER, SILENCE, SPEECH, TONE
from probes.audio.samples import RATE_HZ, Resampler, check
from probes.audio.so_far import SoFar
from probes.audio.telling import LiveEvent, LiveKind, Telling, ToldHold, ToldStretch
from probes.audio.timeline import Kind, Timeline

__all__ = ["LiveEvent", "LiveKind", "LiveListener", "ToldHold", "ToldStretch"]

_WEIGHT, _SWITCH = 0.35, 4.0
_LONGEST_GAP_S = 60.0
_LOOK_EACH_S, _LOOKS_SAVED, _LOOK_AT_CHANGES_EACH_S, _LOOK_AT_LEAST_EACH_S = 2.0, 3.0, 3.0, 10.0
_LOOK_AFTER_S = {  # of what goes on
    Kind.SPEECH: (2.7, 5.0, 9.2, 16.8),
    Kind.MUSIC: (0.7, 2.1, 4.1, 10.1),
    Kind.SILENCE: (0.7, 1.6, 13.1),
    Kind.TONE: (1.0,),
}
_KINDS = {SILENCE: Kind.SILENCE, TONE: Kind.TONE, MUSIC: Kind.MUSIC, SPEECH: Kind.SPEECH, OVER: Kind.SPEECH}


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
        self._kind, self._start = Kind.SILENCE, 0  # what goes on, and since which frame
        self._taken_s = 0.0
        self._so_far, self._telling = SoFar(self._listener), Telling(self._emit)
        self._looks, self._looked_s, self._ages_looked_at = _LOOKS_SAVED, 0.0, 0
        self._events: list[LiveEvent] = []

    @property
    def heard_s(self) -> float:
        """Media time taken in so far, holes included."""
        return self._taken_s

    @property
    def now(self) -> tuple[Kind, float, float]:
        """What is going on, since when, and up to when that is known (media time)."""
        return self._kind, self._start * FRAME_S, self._changes.frame * FRAME_S

    @property
    def first_person_s(self) -> float | None:
        """Start of the first speech that is taken to be a person's by now."""
        return min(self._telling.persons_s, default=None)

    @property
    def persons_s(self) -> tuple[float, ...]:
        """Starts of what is taken to be the first words of a person by now, in the call and after each hold."""
        return tuple(sorted(self._telling.persons_s))

    @property
    def holds(self) -> tuple[ToldHold, ...]:
        """The holds as told by now."""
        return tuple(self._telling.holds)

    @property
    def stretches(self) -> tuple[ToldStretch, ...]:
        """What was heard, as told by now; what goes on is in `now`."""
        return tuple(self._telling.stretches)

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
                self._emit(LiveEvent(LiveKind.GAP, self._taken_s, self._taken_s, self._taken_s + filled_s))
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
            self._looks = min(_LOOKS_SAVED, self._looks + CHUNK * FRAME_S / _LOOK_EACH_S)
            if self._looks >= 1.0 and self._is_due():
                self._look()

    def _changed(self, state: int, frame: int) -> None:
        kind, frame = _KINDS[state], max(frame, self._start)
        if kind is self._kind:
            return
        if frame > self._start:
            self._telling.ended(self._kind, self._start * FRAME_S, frame * FRAME_S, self._taken_s)
        self._kind, self._start, self._ages_looked_at = kind, frame, 0
        if kind is Kind.SPEECH:
            self._emit(LiveEvent(LiveKind.SPEECH, frame * FRAME_S, self._taken_s, kind=kind))

    def _is_due(self) -> bool:
        now_s, ages = self._changes.frame * FRAME_S, _LOOK_AFTER_S[self._kind]
        lasts_s = now_s - self._start * FRAME_S
        old = self._ages_looked_at < len(ages) and lasts_s >= ages[self._ages_looked_at]
        since_s = now_s - self._looked_s
        return old or since_s >= (_LOOK_AT_LEAST_EACH_S if lasts_s > since_s else _LOOK_AT_CHANGES_EACH_S)

    def _look(self) -> None:
        now_s = self._changes.frame * FRAME_S
        lasts_s = now_s - self._start * FRAME_S
        self._looks, self._looked_s = self._looks - 1.0, now_s
        self._ages_looked_at = sum(age <= lasts_s for age in _LOOK_AFTER_S[self._kind])
        self._telling.looked(self._so_far.look(self._changes.frame), self._taken_s)

    def _emit(self, event: LiveEvent) -> None:
        self._events.append(event)
        if self._on_event is not None:
            self._on_event(event)
