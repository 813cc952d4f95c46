"""Watches a chat from its beginning to its end: what came when, who is there, what the queue says, whether it is over.

What is seen becomes events in the order of their moments; a message is told once its text has stood still and the page
has been kept, and everything later waits for that.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast

from playwright.async_api import Error

from probes.chatting.channel import Channel, Handle
from probes.chatting.notices import Notice, is_telling, read_notice
from probes.chatting.page import ChatPage, Shown
from probes.chatting.people import is_machine
from probes.chatting.transcript import Change, Line, Transcript, plain
from probes.errors import Side
from probes.events import ChatEnded, MessageChanged, MessageSeen, NoticeKind, NoticeSeen, Payload, TypingSeen
from probes.model import Artifact, Sighting
from probes.web.failures import StepFailed
from probes.web.moments import claimed_moment
from probes.web.reading import bounded

if TYPE_CHECKING:
    from probes.running import RunningContact
    from probes.web.session import Session

# Real seconds.
LOOK_EVERY_S, LOOK_EVERY_PRACTICE_S = 0.2, 0.04
_SETTLE_S, _GONE_S = 1.0, 3.0
_SETTLE_PRACTICE_S = 0.1  # a practice vendor's words come whole, and its minutes are short
_TYPING_AGAIN_S = 2.0
_PICTURE_EVERY_S = 1.0
_VANISHED_S, _NO_INPUT_S = 10.0, 30.0
_LONGEST_NAME = 200
_WAIT_CHANGED_RATIO, _WAIT_CHANGED_S = 0.2, 30.0


@dataclass(slots=True)
class Standing:
    """Where the chat stands, for the script: moments are audit time, null where it was not seen."""

    there_at: datetime | None = None
    can_write: bool = False
    choices: tuple[str, ...] = ()
    human_at: datetime | None = None
    queue: Notice | None = None
    queued_at: datetime | None = None
    queue_left_at: datetime | None = None
    theirs_at: datetime | None = None
    ended: ChatEnded | None = None
    replies: list[datetime] = field(default_factory=list)


class Watch:
    """Looks at one chat again and again; `standing` is what the script goes by."""

    def __init__(self, session: Session, page: ChatPage, channel: Channel, contact: RunningContact) -> None:
        self._session, self._page, self._channel, self._contact = session, page, channel, contact
        self._clock = session.tools.clock
        factor = self._clock.factor
        settle_s = _SETTLE_PRACTICE_S if self._clock.is_practice else _SETTLE_S
        self.transcript = Transcript(settle_s=settle_s * factor, gone_s=_GONE_S * factor)
        self.standing = Standing()
        self._every_s = LOOK_EVERY_PRACTICE_S if self._clock.is_practice else LOOK_EVERY_S
        self._pending: list[Sighting] = []
        self._to_tell: list[Line] = []
        self._telling: list[Line] = []
        self._wanted = asyncio.Event()
        self.changed = asyncio.Condition()
        self._typing_at: datetime | None = None
        self._typing_by: str | None = None
        self._loose: set[str] = set()
        self._told: dict[NoticeKind, Notice] = {}
        self._missing_at: datetime | None = None
        self._mute_at: datetime | None = None
        self._human_names: set[str] = set()
        self.arriving = True  # a page that is still coming may be too busy to answer
        self._keeping_at: datetime | None = None
        self._absent_at: datetime | None = None
        self.acting_from: datetime | None = None  # an act of ours is told once it is done, with the moment it began
        self.last_artifacts: tuple[Artifact, ...] = ()
        self.held_from: datetime | None = self._clock.now_utc()  # nothing is told before the chat's opening is

    # --- looking ---

    async def run(self) -> None:
        """Look until cancelled or the chat is over.

        Raises:
            StepFailed: the page does not answer any more.
        """
        keeping = asyncio.ensure_future(self._keep_pictures())
        try:
            while self.standing.ended is None or self.transcript.unsettled_since is not None:
                try:
                    await self.look()
                except StepFailed:
                    if not self.arriving:
                        raise
                await asyncio.sleep(self._every_s)
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    async def look(self) -> None:
        """Look once."""
        before, self._absent_at = self._clock.now_utc(), self.transcript.looked_at
        shown = await self._page.look()
        now = self._clock.now_utc()
        if shown.there:
            self.standing.there_at = self.standing.there_at or now
            changes = self.transcript.look(shown.items, now)
            self._note_changes(changes)
            self._note_typing(shown.typing, now)
            self._note_loose(shown.loose, now)
        self.transcript.looked_at = before
        self.standing.choices = shown.choices
        self.standing.can_write = shown.can_write
        self._note_end(shown, now)
        self._flush()
        async with self.changed:
            self.changed.notify_all()

    def _note_changes(self, changes: list[Change]) -> None:
        for line in self.transcript.lines:  # a reply counts from its first sight, whole or not
            if line.told_text is None and line.gone_since is None and self._is_theirs(line):
                self._theirs(line)
        for change in changes:
            line = change.line
            if change.what == "settled":
                self._to_tell.append(line)
                self._wanted.set()
                if self._is_theirs(line):
                    self._theirs(line)
                    self._judge_author(line)
            elif self._is_theirs(line) or not line.is_ours:
                text = None if change.what == "gone" else self._scrub(line.item.text)
                at = line.gone_since if text is None and line.gone_since else line.changed_at
                self._add(MessageChanged(line.key, text), max(at, self._latest_told()))

    def _is_theirs(self, line: Line) -> bool:
        return not line.is_ours and not self._is_notice(line)

    def _is_notice(self, line: Line) -> bool:
        item = line.item
        if item.notice:
            return True
        return item.author is None and item.ours is not True and is_telling(read_notice(item.text))

    def _theirs(self, line: Line) -> None:
        if line.first_at not in self.standing.replies:
            self.standing.replies.append(line.first_at)
        self.standing.theirs_at = max(self.standing.theirs_at or line.changed_at, line.changed_at)

    def _judge_author(self, line: Line) -> None:
        """Note a person, where the author is one by name or role, or is who came by notice."""
        item = line.item
        machine = is_machine(item.author, item.role, self._channel.bots, self._channel.humans)
        named = item.author is not None and item.author.casefold() in self._human_names
        if machine is False or (named and machine is not True):
            self._human(line.first_at)

    def _joined(self, name: str | None, at: datetime) -> None:
        if is_machine(name, None, self._channel.bots, self._channel.humans) is True:
            return
        if name is not None:
            self._human_names.add(name.casefold())
        self._human(at)

    def _human(self, at: datetime) -> None:
        if self.standing.human_at is None:
            self.standing.human_at = at
        self._leave_queue(at)

    def _leave_queue(self, at: datetime) -> None:
        if self.standing.queue is not None:
            self.standing.queue, self.standing.queue_left_at = None, at

    # --- typing, notices, the end ---

    def _note_typing(self, author: str | None, now: datetime) -> None:
        again = timedelta(seconds=_TYPING_AGAIN_S * self._clock.factor)
        if author is None:
            return
        if self._typing_at is None or now - self._typing_at > again or author != self._typing_by:
            self._add(TypingSeen(self._scrub(author[:_LONGEST_NAME]) or None), now)
        self._typing_at, self._typing_by = now, author

    def _note_loose(self, texts: tuple[str, ...], now: datetime) -> None:
        """Take in what the chat says beside its list: banners of a queue, names in the head."""
        queue_shown = False
        for text in texts:
            notice = read_notice(text)
            if not is_telling(notice):
                continue
            queue_shown = queue_shown or notice.means is NoticeKind.QUEUE
            if text not in self._loose:
                self._notice(text, notice, now, self._absent_at)
        if self._loose and not queue_shown and any(read_notice(text).means is NoticeKind.QUEUE for text in self._loose):
            self._leave_queue(now)
        self._loose = set(texts)

    def _notice(
        self,
        text: str,
        notice: Notice,
        at: datetime,
        absent_at: datetime | None,
        artifacts: tuple[Artifact, ...] = (),
    ) -> None:
        """Note what a notice says, and tell it where it says something new."""
        standing, kind = self.standing, notice.means
        if kind is NoticeKind.QUEUE:
            standing.queue, standing.queued_at = notice, at
        elif kind is NoticeKind.JOINED:
            self._joined(notice.name, at)
        if kind is NoticeKind.OTHER or _says_more(notice, self._told.get(kind)):
            self._told[kind] = notice
            self._tell_notice(text, notice, at, absent_at, artifacts)
        if kind is NoticeKind.ENDED:
            side = Side.OURS if notice.of_us else Side.VENDOR
            self.end(side, f'notice "{plain(text)[:150]}"', at)

    def _tell_notice(
        self, text: str, notice: Notice, at: datetime, absent_at: datetime | None, artifacts: tuple[Artifact, ...]
    ) -> None:
        name = self._scrub(notice.name[:_LONGEST_NAME]) if notice.name else None
        payload = NoticeSeen(
            text=self._scrub(bounded(text, 1000)),
            means=notice.means,
            name=name,
            position=notice.position,
            announced_wait_s=notice.announced_wait_s,
            absent_at_utc=absent_at,
        )
        self._add(payload, at, artifacts)

    def _note_end(self, shown: Shown, now: datetime) -> None:
        """Take the chat for over where it is gone from the page, or takes no words any more and offers nothing else."""
        standing = self.standing
        if standing.there_at is None or standing.ended is not None:
            return
        self._missing_at = None if shown.there else (self._missing_at or now)
        waits = shown.can_write or shown.choices or shown.typing is not None or standing.queue is not None
        self._mute_at = None if waits or not shown.there else (self._mute_at or now)
        factor = self._clock.factor
        for since, limit_s, why in (
            (self._missing_at, _VANISHED_S, "the conversation is not on the page any more"),
            (self._mute_at, _NO_INPUT_S, "the chat takes no words any more"),
        ):
            if since is not None and (now - since).total_seconds() > limit_s * factor:
                self.end(Side.NOT_KNOWN if since is self._missing_at else Side.VENDOR, why, since)
                return

    def end(self, by: Side, reason: str, at: datetime) -> None:
        """Note that the chat is over, once."""
        if self.standing.ended is None:
            self.standing.ended = ChatEnded(by, (self._scrub(reason),))
            self._add(self.standing.ended, max(at, self._latest_told()))
            self._wanted.set()

    # --- telling ---

    def wants_picture(self) -> None:
        """Have the page kept soon."""
        self._wanted.set()

    async def _keep_pictures(self) -> None:
        """Keep the page whenever a message has settled, and tell the messages with it."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await self.keep("turn")
            await asyncio.sleep(_PICTURE_EVERY_S if not self._clock.is_practice else 0.0)

    async def keep(self, step: str) -> None:
        """Keep the page as it stands, and tell what has settled by now with it."""
        self._telling, self._to_tell = self._to_tell, []
        self._keeping_at = self._clock.now_utc()
        self._take_pages()
        try:
            with contextlib.suppress(Error):
                await self._session.capture(step, self._page.frame)
        finally:
            artifacts = self._session.last_artifacts
            for line in self._telling:
                self._tell(line, artifacts)
            self._telling, self._keeping_at = [], None
            self._flush()

    def _tell(self, line: Line, artifacts: tuple[Artifact, ...]) -> None:
        item = line.item
        if line.is_ours:
            return  # told when we wrote it
        notice = read_notice(item.text)
        if self._is_notice(line):
            self._notice(item.text, notice, line.first_at, line.absent_at, artifacts)
            return
        self._add(
            MessageSeen(
                message_key=line.key,
                side=Side.OURS if item.ours else Side.VENDOR,
                author=self._scrub(item.author[:_LONGEST_NAME]) if item.author else None,
                subject=None,
                text=self._scrub(bounded(item.text)),
                claimed_at_text=self._scrub(item.time[:_LONGEST_NAME]) if item.time else None,
                claimed_at_utc=claimed_moment(item.time, zone=None) if item.time else None,
                absent_at_utc=line.absent_at,
                author_role=self._scrub(item.role[:_LONGEST_NAME]) if item.role else None,
                settled_at_utc=line.settled_at,
            ),
            line.first_at,
            artifacts,
        )
        handle = cast(Handle, self._contact.handle)
        self._contact.handle = replace(handle, seen=(*handle.seen, line.key))
        says_wait = notice.means is NoticeKind.QUEUE and (notice.position or notice.announced_wait_s)
        if item.ours is not True and (says_wait or notice.means in (NoticeKind.ENDED, NoticeKind.TRANSFERRED)):
            self._notice(item.text, notice, line.first_at, line.absent_at, artifacts)

    def add(self, what: Payload, at: datetime, artifacts: tuple[Artifact, ...] = ()) -> None:
        """Add something that we did."""
        self.acting_from = None
        self._add(what, at, artifacts)
        self._flush()

    def _add(self, what: Payload, at: datetime, artifacts: tuple[Artifact, ...] = ()) -> None:
        self._pending.append(Sighting(what=what, at_utc=at, artifacts=artifacts))

    def _latest_told(self) -> datetime:
        told = self._contact.sightings
        return told[-1].at_utc if told else datetime.min.replace(tzinfo=self._clock.now_utc().tzinfo)

    def _flush(self, *, all_of_it: bool = False) -> None:
        """Tell in order what is not later than something that is still to be told."""
        self._take_pages()
        held = [line.first_at for line in (*self._telling, *self._to_tell)]
        held += [at for at in (self.held_from, self.acting_from, self._keeping_at) if at is not None]
        if (since := self.transcript.unsettled_since) is not None:
            held.append(since)
        limit = None if all_of_it or not held else min(held)
        ready = sorted(
            (each for each in self._pending if limit is None or each.at_utc < limit), key=lambda each: each.at_utc
        )
        if ready:
            self._pending = [each for each in self._pending if limit is not None and each.at_utc >= limit]
            self._contact.saw(*ready)

    def _take_pages(self) -> None:
        """Take over the pages that were kept meanwhile."""
        if self._session.sightings:
            self.last_artifacts = self._session.last_artifacts
            self._pending += self._session.sightings
            self._session.sightings.clear()

    def close(self) -> None:
        """Tell all that is left, whole or not; nothing more is seen after it."""
        for line in self.transcript.lines:
            if line.told_text is None and not line.is_gone and line not in self._to_tell:
                line.told_text = line.item.text
                self._to_tell.append(line)
        telling, self._telling, self._to_tell = (*self._telling, *self._to_tell), [], []
        for line in telling:
            self._tell(line, ())
        self._flush(all_of_it=True)

    def _scrub(self, text: str) -> str:
        return self._session.texts.scrub(text)


def _says_more(notice: Notice, earlier: Notice | None) -> bool:
    """Return whether a notice says something that the last one of its kind did not; clocks that count down do not."""
    if earlier is None or notice.name != earlier.name or notice.position != earlier.position:
        return True
    if notice.announced_wait_s is None or earlier.announced_wait_s is None:
        return notice.announced_wait_s != earlier.announced_wait_s and notice.announced_wait_s is not None
    differs_s = abs(notice.announced_wait_s - earlier.announced_wait_s)
    return differs_s >= max(_WAIT_CHANGED_S, _WAIT_CHANGED_RATIO * earlier.announced_wait_s)
