"""What a live call sounds like right now: frames in, answers to "has the prompt ended?" out.

Pure and bounded; fed in a thread of its own, asked between two feeds. All moments are media time. What it knows is
about 1.3 s old, because the listener looks ahead.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from probes.audio.live import LiveKind, LiveListener
from probes.audio.timeline import Kind, Timeline
from probes.errors import Side
from probes.telephony.carrier import Frame

_KEPT = 600
_MUSIC_S, _TONE_S, _SPEECH_S = 2.0, 0.25, 0.4
_LEAST_SPOKEN_S = 0.5  # less than this after our keys is what was left of the prompt that they cut off
_MUSIC_OVER_S = 1.5
_SAME_VOICE_S = 1.0
_LEVEL_S, _LEVELS, _LEVELS_NEEDED, _FAR_BELOW_DB = 0.1, 600, 4, 25.0
_RATE_HZ = 8000
_BEHIND_S = 1.0  # how much later than our own side's the vendor's audio may come
_AHEAD_S = 60.0  # no frame is this far from the one before it: its time is not to be believed


@dataclass(frozen=True, slots=True)
class Stretch:
    """Something that was heard from one moment to another."""

    kind: Kind
    start_s: float
    end_s: float


class Ear:
    """Listens to the vendor's side of one call."""

    def __init__(self) -> None:
        self._listener: LiveListener | None = None
        self._rate_hz = 0
        self._past: list[Stretch] = []
        self._repeats: deque[float] = deque(maxlen=_KEPT)
        self._resumed_s = -1e9
        self._levels: deque[tuple[float, float]] = deque(maxlen=_LEVELS)  # end of each block, and its level
        self.heard_s = 0.0
        self.sound_s = 0.0  # end of the last frame that came from the line
        self.holds = False  # music has played, and no new voice has come since
        self.dropped = 0

    def take(self, frames: Iterable[Frame]) -> None:
        """Take what came from the line, in the order of its coming.

        Frames of our own side are not listened to, but they tell the time: a line may send nothing where it is silent.
        """
        frames = list(frames)
        for at_s, rate_hz, samples in _joined(frame for frame in frames if frame.side is Side.VENDOR):
            if self._listener is None:
                self._listener, self._rate_hz = LiveListener(rate_hz), rate_hz
            if rate_hz != self._rate_hz or not -1.0 < at_s - self.heard_s < _AHEAD_S or not np.isfinite(samples).all():
                self.dropped += 1
                continue
            self._push(samples, at_s)
            self.sound_s = max(self.sound_s, at_s + len(samples) / rate_hz)
        ours = max((f.t_s + len(f.samples) / 4 / f.rate_hz for f in frames if f.side is Side.OURS), default=0.0)
        behind_s = ours - self.heard_s - _BEHIND_S
        if 0 < behind_s < _AHEAD_S:
            self.pass_silence(behind_s)

    def pass_silence(self, length_s: float) -> None:
        """Let time pass while nothing comes: a line may send nothing where there is silence."""
        if self._listener is None:
            self._listener, self._rate_hz = LiveListener(_RATE_HZ), _RATE_HZ
        self._push(np.zeros(round(length_s * self._rate_hz), np.float32), self.heard_s)

    def finish(self) -> Timeline | None:
        """Return the timeline of the whole call, None where nothing was heard."""
        if self._listener is None or self.heard_s < 0.1:
            return None
        return self._listener.finish()

    def _push(self, samples: np.ndarray[tuple[int], np.dtype[np.float32]], at_s: float) -> None:
        assert self._listener is not None
        events = self._listener.push(np.clip(samples, -1.0, 1.0), at_s)
        for event in events:
            if event.what is LiveKind.RECORDING:
                self._repeats.append(event.at_s)
            elif event.what is LiveKind.HOLD_RESUMED:
                self._resumed_s = event.at_s
        if events:
            told = self._listener.stretches[-_KEPT:]
            self._past = [Stretch(one.kind, one.start_s, one.end_s) for one in told]
            self.holds = any(hold.end_s is None for hold in self._listener.holds[-1:])
        start_s, self.heard_s = self.heard_s, self._listener.heard_s
        size = max(1, round(_LEVEL_S * self._rate_hz))
        for begin in range(0, len(samples) - size + 1, size):
            power = float(np.mean(np.square(samples[begin : begin + size], dtype=np.float64)))
            end_s = max(at_s, start_s) + (begin + size) / self._rate_hz
            self._levels.append((end_s, 10 * float(np.log10(power + 1e-12))))

    # --- what is so now ---

    @property
    def now(self) -> Stretch:
        """What is going on, up to the moment to which that is known."""
        if self._listener is None:
            return Stretch(Kind.SILENCE, 0.0, 0.0)
        kind, start_s, known_s = self._listener.now
        return Stretch(kind, start_s, max(start_s, known_s))

    @property
    def speaks(self) -> bool:
        """Whether somebody or something speaks."""
        return self.now.kind is Kind.SPEECH

    @property
    def plays(self) -> bool:
        """Whether music plays."""
        return self.now.kind is Kind.MUSIC

    def stretches(self, from_s: float) -> list[Stretch]:
        """Return what was heard after a moment, the present included, oldest first."""
        return [one for one in (*self._past, self.now) if one.end_s > from_s]

    def spoken_s(self, from_s: float, to_s: float = float("inf")) -> float:
        """Return how much was spoken between two moments."""
        return sum(
            max(0.0, min(one.end_s, to_s) - max(one.start_s, from_s))
            for one in self.stretches(from_s)
            if one.kind is Kind.SPEECH
        )

    def quiet_s(self) -> float:
        """Return for how long nobody has spoken.

        The listener knows it late; that the line is far below the level of the speech before is known at once.
        """
        spoken = [one for one in self.stretches(0.0) if one.kind is Kind.SPEECH]
        if not spoken:
            return self.now.end_s
        by_listener_s = 0.0 if self.speaks else self.now.end_s - spoken[-1].end_s
        return max(by_listener_s, 0.0 if self.plays else self._fallen_quiet_s(spoken[-1]))

    def _fallen_quiet_s(self, speech: Stretch) -> float:
        said = [db for end_s, db in self._levels if speech.start_s < end_s <= speech.end_s]
        if len(said) < _LEVELS_NEEDED:
            return 0.0
        limit_db = float(np.percentile(said, 90)) - _FAR_BELOW_DB
        loud_s = max((end_s for end_s, db in self._levels if db > limit_db), default=speech.end_s)
        return self.heard_s - max(loud_s, speech.start_s)

    # --- what a script waits for; each returns when it began, or None ---

    def speech_began(self, from_s: float) -> float | None:
        """A voice that began after a moment, or has gone on well past it."""
        for one in self.stretches(from_s):
            if one.kind is Kind.SPEECH and one.end_s - max(one.start_s, from_s) >= _SPEECH_S:
                return max(one.start_s, from_s)
        return None

    def spoke_and_paused(self, from_s: float, quiet_s: float) -> float | None:
        """Something was said after a moment, and then it was quiet; music or a tone may have followed."""
        if self.quiet_s() < quiet_s or self.spoken_s(from_s) < _LEAST_SPOKEN_S:
            return None
        return self.speech_began(from_s) or from_s

    def run_began(self, from_s: float) -> float:
        """Return when whoever spoke last after a moment began, short pauses left aside."""
        speech = [one for one in self.stretches(from_s) if one.kind is Kind.SPEECH]
        at_s = speech[-1].start_s if speech else from_s
        for one in reversed(speech[:-1]):
            if at_s - one.end_s > _SAME_VOICE_S:
                break
            at_s = one.start_s
        return max(at_s, from_s)

    def silent(self, from_s: float, quiet_s: float) -> float | None:
        """Silence of so long a time after a moment."""
        start_s = max(self.now.start_s, from_s)
        return start_s if self.now.kind is Kind.SILENCE and self.now.end_s - start_s >= quiet_s else None

    def tone(self, from_s: float) -> float | None:
        """A tone after a moment."""
        return self._lasted(Kind.TONE, from_s, _TONE_S)

    def music(self, from_s: float) -> float | None:
        """Music that plays now, or played after a moment, for so long that it is no note."""
        if self.plays and self.now.end_s - self.now.start_s >= _MUSIC_S:
            return self.now.start_s
        return self._lasted(Kind.MUSIC, from_s, _MUSIC_S)

    def music_ended(self, from_s: float) -> float | None:
        """The end of music after a moment: it has not come back since."""
        ends = [one.end_s for one in self._past if one.kind is Kind.MUSIC and one.end_s > from_s]
        if self.plays or not ends or self.now.end_s - ends[-1] < _MUSIC_OVER_S:
            return None
        return ends[-1]

    def said_again(self, from_s: float) -> float | None:
        """Something that was said before in this call."""
        return next((at_s for at_s in self._repeats if at_s >= from_s - 0.1), None)

    def new_person(self, from_s: float) -> float | None:
        """A new voice after a hold; None once the music has come back."""
        persons_s = () if self._listener is None else self._listener.persons_s
        found = next((at_s for at_s in persons_s if at_s >= from_s - 0.1), None)
        return None if found is None or self._resumed_s > found else found

    def resumed(self, from_s: float) -> bool:
        """Whether the music came back after a voice that was taken for a person's."""
        return self._resumed_s >= from_s

    def _lasted(self, kind: Kind, from_s: float, length_s: float) -> float | None:
        for one in self.stretches(from_s):
            if one.kind is kind and one.end_s - max(one.start_s, from_s) >= length_s:
                return max(one.start_s, from_s)
        return None


def _joined(frames: Iterable[Frame]) -> Iterable[tuple[float, int, np.ndarray[tuple[int], np.dtype[np.float32]]]]:
    """Put frames that follow each other together: one long piece is heard many times faster than its parts."""
    start_s = end_s = 0.0
    rate_hz = 0
    parts: list[bytes] = []
    for frame in frames:
        if parts and (frame.rate_hz != rate_hz or abs(frame.t_s - end_s) > 0.004):
            yield start_s, rate_hz, np.frombuffer(b"".join(parts), "<f4")
            parts = []
        if not parts:
            start_s = end_s = frame.t_s
            rate_hz = frame.rate_hz
        parts.append(frame.samples[: len(frame.samples) // 4 * 4])
        end_s += len(frame.samples) / 4 / rate_hz
    if parts:
        yield start_s, rate_hz, np.frombuffer(b"".join(parts), "<f4")
