"""One telephone line as a simulation over media time: two sides that sound, hear each other, and hang up.

Each side is a generator that yields `Wait` and is sent what it heard, or None when the wait was over. Time is media
time, seconds since the answer; nothing here looks at a clock, so that a call can be played as fast as one likes and
comes out the same.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from probes.practice.sounds import Clip, Sound, Spoken


class End(StrEnum):
    """One end of the line."""

    VENDOR = "vendor"
    CALLER = "caller"

    @property
    def other(self) -> End:
        """The end that hears this one."""
        return End.CALLER if self is End.VENDOR else End.VENDOR


@dataclass(frozen=True, slots=True)
class Key:
    """A key tone, heard when it is over."""

    digit: str


@dataclass(frozen=True, slots=True)
class Words:
    """Something said, heard when it is over."""

    text: str


Heard = Key | Words


@dataclass(frozen=True, slots=True)
class Wait:
    """Until when a side sleeps, and whether it listens meanwhile."""

    until_s: float = math.inf
    listen: bool = False


Side = Generator[Wait, Heard | None, None]


@dataclass(slots=True)
class Played:
    """A sound on the line, from `offset_s` of it on. `end_s` may be cut back while the call goes on."""

    end: End
    sound: Sound
    start_s: float
    end_s: float
    gain_db: float = 0.0
    offset_s: float = 0.0
    label: str = ""


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that really happened, for the truth file."""

    t_s: float
    kind: str
    facts: dict[str, Any]


@dataclass(slots=True)
class _Process:
    side: Side
    wait: Wait
    turn: int
    inbox: deque[Heard] = field(default_factory=deque)


@dataclass(frozen=True, slots=True)
class _Due:
    at_s: float
    turn: int
    played: Played
    heard: Heard


class Line:
    """The line between the two ends, from the answer on."""

    def __init__(self, length_of: Callable[[Sound], float]) -> None:
        self.length_of = length_of
        self.now_s = 0.0
        self.played: list[Played] = []
        self.happenings: list[Happening] = []
        self.hung_up_by: End | None = None
        self.hung_up_why = ""
        self.lost = False
        # Whoever passes this line's sound on to another one is told of every sound, and of what is broken off.
        self.on_play: Callable[[Played, Heard | None], None] | None = None
        self.on_cut: Callable[[Played], None] | None = None
        self.frozen = False  # while a document is fetched, media time stands still
        self._sides: dict[End, _Process] = {}
        self._due: list[_Due] = []
        self._turns = itertools.count()

    # --- what a side does ---

    def play(
        self,
        end: End,
        sound: Sound,
        label: str,
        *,
        for_s: float | None = None,
        gain_db: float = 0.0,
        offset_s: float = 0.0,
        heard: Heard | None = None,
        at_s: float | None = None,
    ) -> Played:
        """Put a sound on the line from now (or `at_s`, later) on; without `for_s` it plays once to its end.

        The other end hears `heard` when the sound is over, unless it was cut.
        """
        length_s = self.length_of(sound) - offset_s if for_s is None else for_s
        start_s = self.now_s if at_s is None else max(at_s, self.now_s)
        played = Played(end, sound, start_s, start_s + length_s, gain_db, offset_s, label)
        self.played.append(played)
        if heard is not None:
            self._due.append(_Due(played.end_s, next(self._turns), played, heard))
            self._due.sort(key=lambda due: (due.at_s, due.turn))
        if self.on_play is not None:
            self.on_play(played, heard)
        return played

    def cut(self, played: Played) -> None:
        """Break a sound off now."""
        if played.end_s > self.now_s:
            played.end_s = min(played.end_s, max(self.now_s, played.start_s))
            if self.on_cut is not None:
                self.on_cut(played)

    def clear_inbox(self, end: End) -> None:
        """Forget what `end` was sent while it did not listen."""
        if end in self._sides:
            self._sides[end].inbox.clear()

    def speaks_until_s(self, end: End) -> float:
        """Return when what `end` is saying now will be over; now, where it says nothing."""
        speech = (p.end_s for p in self.played if p.end is end and isinstance(p.sound, Spoken | Clip))
        return max((end_s for end_s in speech if end_s > self.now_s), default=self.now_s)

    def note(self, kind: str, **facts: Any) -> None:
        """Record what really happened now."""
        self.happenings.append(Happening(self.now_s, kind, facts))

    def hang_up(self, end: End, why: str, *, lost: bool = False) -> None:
        """End the call now; whatever sounds is cut off. `lost`: nobody hung up, the network lost the line of `end`."""
        if self.hung_up_by is not None:
            return
        self.hung_up_by, self.hung_up_why, self.lost = end, why, lost
        for played in self.played:
            self.cut(played)
        self._sides.clear()  # not closed: the side that hangs up is running
        self._due.clear()
        if lost:
            self.note("line_lost", why=why)
        else:
            self.note("hung_up", by=end.value, why=why)

    # --- what drives it ---

    def take(self, end: End, side: Side) -> None:
        """Let `side` act for `end` from now on; what it did before is broken off."""
        if (old := self._sides.pop(end, None)) is not None:
            old.side.close()
            for played in self.played:
                if played.end is end:
                    self.cut(played)
        if self.hung_up_by is None:
            process = _Process(side, Wait(self.now_s), next(self._turns))
            if old is not None:
                process.inbox = old.inbox
            self._sides[end] = process
            self._step(end, process, None)

    def wake(self, end: End) -> None:
        """Let `end` look round now, whatever it waits for."""
        if (process := self._sides.get(end)) is not None:
            process.wait = Wait(self.now_s)

    def next_s(self) -> float:
        """Return the next moment at which anything changes; infinity where nothing will."""
        moments = [process.wait.until_s for process in self._sides.values()]
        return min([*moments, *(due.at_s for due in self._due[:1])], default=math.inf)

    def run(self, until_s: float) -> None:
        """Let everything happen that is due up to `until_s`, in order."""
        while self.hung_up_by is None and not self.frozen and (moment_s := self.next_s()) <= until_s:
            self.now_s = max(self.now_s, moment_s)
            if self._due and self._due[0].at_s <= self.now_s:
                due = self._due.pop(0)
                if due.played.end_s >= due.at_s:
                    self._hear(due.played.end.other, due.heard)
                continue
            end, process = min(self._sides.items(), key=lambda item: (item[1].wait.until_s, item[1].turn))
            self._step(end, process, None)
        if self.hung_up_by is None and not self.frozen and math.isfinite(until_s):
            self.now_s = max(self.now_s, until_s)

    def _hear(self, end: End, heard: Heard) -> None:
        process = self._sides.get(end)
        if process is None:
            return
        process.inbox.append(heard)
        if process.wait.listen:
            self._step(end, process, process.inbox.popleft())

    def _step(self, end: End, process: _Process, heard: Heard | None) -> None:
        process.turn = next(self._turns)
        try:
            process.wait = process.side.send(heard)
            while process.wait.listen and process.inbox and self._sides.get(end) is process:
                process.wait = process.side.send(process.inbox.popleft())
        except StopIteration:
            if self._sides.get(end) is process:
                del self._sides[end]
