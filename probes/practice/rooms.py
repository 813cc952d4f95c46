"""Conference rooms of the practice exchange: what one caller's far end says, the others' far ends hear."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from probes.practice.call import PracticeCall
from probes.practice.caller import RoomOrder
from probes.practice.line import End, Heard, Played

_LABEL = "conference"


@dataclass(eq=False, slots=True)
class _Member:
    call: PracticeCall
    order: RoomOrder
    mirrored: dict[int, list[tuple[_Member, Played]]] = field(default_factory=dict)


class Room:
    """One room. A call is in it as long as its document waits in it; the first to leave may end it for all.

    Two lines are simulations of their own, with their own time: a sound is put on the other line at the same moment of
    the clock, or as soon after it as that line has not got yet. `changed` is told of calls whose line has news.
    """

    def __init__(self, name: str, changed: Callable[[PracticeCall], None]) -> None:
        self.sid, self.name = "CF" + secrets.token_hex(16), name
        self._changed = changed
        self._members: list[_Member] = []

    @property
    def empty(self) -> bool:
        """Whether nobody is in it."""
        return not self._members

    def enter(self, call: PracticeCall, order: RoomOrder) -> None:
        """Let a call in; it hears what is being said, and is heard, from now on."""
        member = _Member(call, order)
        others = list(self._members)
        self._members.append(member)
        for one in others:
            self._introduce(one, member)
            self._introduce(member, one)
        call.line.on_play = lambda played, heard: self._pass_on(member, played, heard)
        call.line.on_cut = lambda played: self._cut(member, played)
        call.line.note("conference_joined", room=self.name, others=len(others))
        for one in self._members:
            self._changed(one.call)

    def look(self) -> None:
        """Take note of who has left: it ends the room for all, where the document said so."""
        gone = [one for one in self._members if one.order.over or one.call.over]
        if not gone:
            return
        if any(one.order.verb.ends_it for one in gone):
            gone = list(self._members)
        for one in gone:
            self._members.remove(one)
            one.call.line.on_play = one.call.line.on_cut = None
            for pairs in one.mirrored.values():
                for other, played in pairs:
                    other.call.line.cut(played)
            if not one.call.over:
                one.call.line.note("conference_left", room=self.name)
                one.order.stop(one.call.line)
            self._changed(one.call)

    def _introduce(self, speaker: _Member, listener: _Member) -> None:
        """Let `listener` hear the rest of what `speaker`'s far end is saying."""
        line = speaker.call.line
        for played in [one for one in line.played if one.end is End.VENDOR and one.end_s > line.now_s]:
            self._mirror(speaker, listener, played, None, max(line.now_s, played.start_s))

    def _pass_on(self, speaker: _Member, played: Played, heard: Heard | None) -> None:
        if played.end is not End.VENDOR:
            return
        for one in self._members:
            if one is not speaker:
                self._mirror(speaker, one, played, heard, played.start_s)
                self._changed(one.call)

    def _mirror(self, speaker: _Member, listener: _Member, played: Played, heard: Heard | None, from_s: float) -> None:
        mirrored = listener.call.line.play(
            End.CALLER,
            played.sound,
            _LABEL,
            for_s=played.end_s - from_s,
            gain_db=played.gain_db,
            offset_s=played.offset_s + from_s - played.start_s,
            heard=heard,
            at_s=_on(listener.call, _moment(speaker.call, from_s)),
        )
        speaker.mirrored.setdefault(id(played), []).append((listener, mirrored))

    def _cut(self, speaker: _Member, played: Played) -> None:
        for listener, mirrored in speaker.mirrored.get(id(played), ()):
            listener.call.line.cut(mirrored)


def _moment(call: PracticeCall, t_s: float) -> datetime:
    assert call.answered_at_utc is not None
    return call.answered_at_utc + timedelta(seconds=t_s)


def _on(call: PracticeCall, at_utc: datetime) -> float:
    assert call.answered_at_utc is not None
    return (at_utc - call.answered_at_utc).total_seconds()
