"""A call while it is made: two channels that grow, and the truth about what is in them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from bench.calls.sounds import RATE_HZ, Sound, mixed, powers, runs, samples, voiced_spans

SHORT_PAUSE_S = 0.5  # a shorter pause inside speech is speech


@dataclass(frozen=True, slots=True)
class Mark:
    """What is heard from one sample to another."""

    start: int
    end: int
    kind: str  # silence | tone | music | speech
    label: str
    source: str | None = None
    occurrence: int | None = None
    over_music: bool | None = None
    country: str | None = None
    digits: str | None = None


@dataclass(frozen=True, slots=True)
class HoldTruth:
    """One hold. `loop_s` is None where nothing repeats or the repetition is not that of the music."""

    start: int
    end: int
    mode: str
    music: str | None
    loop_s: float | None
    repeats: bool  # something of the music was heard twice
    messages: int
    varying: bool = False


@dataclass
class Tape:
    """Both channels of a call, in samples from its start."""

    length: int = 0
    vendor: list[tuple[int, Sound]] = field(default_factory=list)
    caller: list[tuple[int, Sound]] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    caller_marks: list[tuple[int, int]] = field(default_factory=list)
    holds: list[HoldTruth] = field(default_factory=list)
    maybe_holds: list[tuple[int, int]] = field(default_factory=list)  # a hold may be reported there, or not
    ignored: list[tuple[int, int]] = field(default_factory=list)
    events: list[tuple[int, str]] = field(default_factory=list)

    @property
    def now_s(self) -> float:
        """Return how long the call is so far."""
        return self.length / RATE_HZ

    def event(self, label: str) -> None:
        """Note that something happens now."""
        self.events.append((self.length, label))

    def add(self, sound: Sound) -> int:
        """Append to the vendor's channel and return where it starts; it is not marked."""
        start = self.length
        self.vendor.append((start, sound))
        self.length += len(sound)
        return start

    def paint(self, mark: Mark) -> None:
        """Mark a stretch; what was marked there before gives way."""
        if mark.end <= mark.start:
            return
        kept: list[Mark] = []
        for old in self.marks:
            if old.end <= mark.start or old.start >= mark.end:
                kept.append(old)
                continue
            if old.start < mark.start:
                kept.append(replace(old, end=mark.start))
            if old.end > mark.end:
                kept.append(replace(old, start=mark.end))
        self.marks = [*kept, mark]

    def silence(self, seconds: float) -> None:
        """Append silence."""
        start = self.length
        self.length += samples(seconds)
        self.paint(Mark(start, self.length, "silence", "silence"))

    def tone(
        self,
        sound: Sound,
        label: str,
        pauses: list[tuple[int, int]] | None = None,
        country: str | None = None,
        digits: str | None = None,
    ) -> None:
        """Append a signal; the pauses of its cadence may be called either way."""
        start = self.add(sound)
        self.paint(Mark(start, self.length, "tone", label, country=country, digits=digits))
        self.ignored += [(start + a, start + b) for a, b in pauses or []]

    def speech(self, sound: Sound, label: str, source: str | None = None, occurrence: int | None = None) -> None:
        """Append a clean clip; its longer pauses are silence."""
        start = self.add(sound)
        self.paint(Mark(start, self.length, "silence", "silence"))
        for a, b in voiced_spans(sound):
            self.paint(Mark(start + a, start + b, "speech", label, source, occurrence))

    def caller_speech(self, start: int, sound: Sound) -> None:
        """Lay a clip into the caller's own channel."""
        self.caller.append((start, sound))
        self.caller_marks += [(start + a, start + b) for a, b in voiced_spans(sound)]

    def sounds(self) -> tuple[Sound, Sound]:
        """Return the vendor's and the caller's channel."""
        return mixed(self.vendor, self.length), mixed(self.caller, self.length)

    def timeline(self) -> list[Mark]:
        """Return the marks in order, without gaps, equal neighbours joined and short pauses in speech bridged."""
        joined: list[Mark] = []
        for mark in sorted(self.marks, key=lambda m: m.start):
            before = joined[-1] if joined else None
            if before and mark.kind != "tone" and replace(before, start=0, end=0) == replace(mark, start=0, end=0):
                joined[-1] = replace(before, end=mark.end)
            else:
                joined.append(mark)
        bridged: list[Mark] = []
        for mark, after in zip(joined, [*joined[1:], None], strict=True):
            before = bridged[-1] if bridged else None
            is_pause = mark.kind in ("silence", "music") and mark.end - mark.start < SHORT_PAUSE_S * RATE_HZ
            within = before and after and before.kind == after.kind == "speech" and before.label == after.label
            if before and within and is_pause:
                bridged[-1] = replace(before, end=mark.end)
            else:
                bridged.append(mark)
        return bridged


def silent_stretches(sound: Sound, least_s: float = SHORT_PAUSE_S) -> list[tuple[int, int]]:
    """Return where a sound is under -66 dBFS for at least `least_s`, in samples."""
    quiet = powers(sound) < 10 ** (-66 / 10)
    return [(a * 160, b * 160) for a, b in runs(np.asarray(quiet)) if (b - a) * 160 >= least_s * RATE_HZ]
