"""One account as probes see it: sends, and knows what lies in the mailbox. All cases share it.

The blocking connection lives in one thread of its own. A look asks for what is new since the last look of anybody, so
that many cases cost one mailbox no more than one does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TypeVar

from probes.errors import Failure, FailureKind
from probes.mail.account import KeepsSent, MailAccount
from probes.mail.composing import Outgoing
from probes.mail.imap import Connection, Head, MailboxFailed
from probes.mail.index import Entry, Identity, Index
from probes.mail.letter import read_letter
from probes.mail.sending import Delivery, Left, send
from probes.mail.threads import Trust
from probes.mail.tokens import Tokens

T = TypeVar("T")
_MOST_EXAMINED = 40
_EXAMINED_BYTES = 200_000


class Mailbox:
    """See the head of this module. Used from one event loop; `on_mail` is told the references that new mail names."""

    def __init__(self, account: MailAccount, on_mail: Callable[[frozenset[str]], None] | None = None) -> None:
        self.account, self._on_mail = account, on_mail
        self.index = Index()
        self.tokens = Tokens(account)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"mailbox-{account.name or 'main'}")
        self._connection: Connection | None = None
        # A password that was refused is not tried again: servers lock out whoever does.
        self._refused_in: MailboxFailed | None = None
        self._refused_out: Failure | None = None
        self._reading = asyncio.Lock()
        self._began_s = float("-inf")
        self._since_utc: datetime | None = None
        self._asked_at_utc: datetime | None = None
        self._last_uid: dict[str, tuple[int, int]] = {}

    async def send(self, outgoing: Outgoing) -> Delivery:
        """Send a mail once."""
        if self._refused_out is not None:
            return Delivery(Left.NO, self._refused_out)
        delivery = await send(self.account, self.tokens, outgoing)
        by_password = self.account.token is None or self.account.smtp_password is not None
        if by_password and delivery.failure is not None and delivery.failure.kind is FailureKind.LOGIN_FAILED:
            self._refused_out = delivery.failure
        return delivery

    async def refresh_known(self) -> None:
        """Take in what is new, if anybody has looked before.

        Raises:
            MailboxFailed: it cannot be read now.
        """
        if self._since_utc is not None:
            await self.refresh(self._since_utc)

    async def refresh(self, since_utc: datetime, *, by: str = "") -> None:
        """Take in what is new, and whatever came since a moment. `by`: the reference of the case that looks.

        Raises:
            MailboxFailed: it cannot be read now.
        """
        called_s = time.monotonic()
        async with self._reading:
            reaches = self._since_utc is not None and self._since_utc <= since_utc
            if reaches and self._began_s > called_s:  # somebody has just looked for all who waited
                return
            asked_at_utc, self._began_s = datetime.now(UTC), time.monotonic()
            since = since_utc if not reaches or self._since_utc is None else self._since_utc
            heads = await self._do(lambda connection: self._new_heads(connection, since, whole=not reaches))
            self._since_utc = since
            seen_at_utc, absent = datetime.now(UTC), self._asked_at_utc if reaches else None
            self._asked_at_utc = asked_at_utc
            entries = [entry for head in heads if (entry := self.index.add(head, seen_at_utc, absent)) is not None]
            if reaches and self._on_mail is not None:  # at first everything is new
                concerned = frozenset[str]().union(*(self.index.concerned(entry) for entry in entries)) - {by}
                if concerned:
                    self._on_mail(concerned)

    def _new_heads(self, connection: Connection, since_utc: datetime, *, whole: bool) -> list[Head]:
        heads: list[Head] = []
        for folder in self.account.folders:
            validity = connection.select(folder)
            known, last = self._last_uid.get(folder, (validity, 0))
            if known != validity:
                self.index.forget(folder)
                last = 0
            after = 0 if whole else last
            uids = connection.uids(folder, after=after, since_utc=since_utc if not after else None)
            heads += connection.heads(folder, uids)
            self._last_uid[folder] = validity, max((last, *uids))
        return heads

    async def of(self, who: Identity) -> list[tuple[Entry, Trust]]:
        """Return a case's mails as of the last `refresh`, after looking through the words of those that may be its.

        Raises:
            MailboxFailed: it cannot be read now.
        """
        for entry in self.index.unread(who, _MOST_EXAMINED):
            raw = await self.raw(entry, _EXAMINED_BYTES)
            await self.examine(entry, raw or b"")
        return list(self.index.of(who))

    async def examine(self, entry: Entry, raw: bytes) -> Entry:
        """Place a mail by its words, too."""
        letter = await asyncio.to_thread(read_letter, raw)
        inner = letter.returned.get("message-id") if letter.returned is not None else None
        return self.index.examine(entry, entry.head.headers, f"{inner or ''}\n{letter.report or ''}\n{letter.text}")

    async def raw(self, entry: Entry, most_bytes: int) -> bytes | None:
        """Return a mail as it lies in the mailbox, or its first bytes; None if it is gone.

        Raises:
            MailboxFailed: it cannot be read now.
        """
        return await self._do(lambda connection: connection.raw(entry.head.place, most_bytes))

    async def keep_sent(self, outgoing: Outgoing) -> None:
        """Put a copy of what we sent into the folder of sent mail, if that is ours to do.

        Raises:
            MailboxFailed: it cannot be written now.
        """
        if self.account.keeps_sent is KeepsSent.WE:
            await self._do(lambda connection: connection.append(connection.sent_folder() or "Sent", outgoing.raw))

    async def sent_at_utc(self, message_id: str) -> datetime | None:
        """Return when a mail of ours was put into the folder of sent mail; None: it is not there.

        Raises:
            MailboxFailed: it cannot be read now.
        """
        if self.account.keeps_sent is KeepsSent.NOBODY and self.account.sent_folder is None:
            return None
        return await self._do(lambda connection: _sent_at(connection, message_id))

    async def describe(self) -> str:
        """Sign in, open every folder, and return in words what the mailbox can.

        Raises:
            MailboxFailed: it cannot be read now.
        """

        def look(connection: Connection) -> str:
            for folder in self.account.folders:
                connection.select(folder)
            news = "tells of new mail at once" if connection.can_idle else "is asked for new mail every minute"
            sent = connection.sent_folder()
            return f"{news}; sent mail {f'is looked for in {sent}' if sent else 'has no folder'}"

        return await self._do(look)

    def take_ignored(self) -> int:
        """Return how many mails of nobody's case came since this was last asked."""
        ignored, self.index.ignored = self.index.ignored, 0
        return ignored

    async def connect(self) -> Connection:
        """Return a further connection, for whoever waits on it in a thread of its own.

        Raises:
            MailboxFailed: there is none to be had now.
        """
        access = await self.tokens.access() if self.account.token is not None else None
        return await asyncio.to_thread(self._sign_in, access)

    def _sign_in(self, access: str | None) -> Connection:
        if self._refused_in is not None:
            raise MailboxFailed(self._refused_in.failure, for_good=True)
        try:
            return Connection(self.account, self.tokens, access)
        except MailboxFailed as exc:
            self._refused_in = exc if exc.for_good else None
            raise

    async def _do(self, work: Callable[[Connection], T]) -> T:
        """Work on the connection; one that has died since it was last used is replaced once."""
        access = await self.tokens.access() if self.account.token is not None else None

        def in_thread() -> T:
            fresh = self._connection is None
            if self._connection is None:
                self._connection = self._sign_in(access)
            try:
                return work(self._connection)
            except MailboxFailed:
                self._connection.close()
                self._connection = None
                if fresh:
                    raise
            self._connection = self._sign_in(access)
            try:
                return work(self._connection)
            except MailboxFailed:
                self._connection.close()
                self._connection = None
                raise

        return await asyncio.get_running_loop().run_in_executor(self._thread, in_thread)

    async def close(self) -> None:
        """End the connection."""

        def in_thread() -> None:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

        await asyncio.get_running_loop().run_in_executor(self._thread, in_thread)
        self._thread.shutdown(wait=False)


def _sent_at(connection: Connection, message_id: str) -> datetime | None:
    folder = connection.sent_folder()
    if folder is None:
        return None
    uids = connection.find(folder, message_id)
    heads = list(connection.heads(folder, uids[:1]))
    return (heads[0].received_at_utc or datetime.now(UTC)) if heads else None
