"""One connection to a mailbox: what is new, the mails themselves, the folder of what was sent. Blocking; see `mailbox`.

Nothing here marks a mail as read, moves or removes it.
"""

from __future__ import annotations

import imaplib
import re
import ssl
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from probes.errors import Failure, FailureKind, Side
from probes.mail.account import MailAccount, Security
from probes.mail.heads import Headers, moment_of, parse_headers
from probes.mail.tokens import Tokens

if TYPE_CHECKING:
    from imap_tools.mailbox import BaseMailBox

HEADER_BYTES = 65_536
_AT_ONCE = 200
_META = {
    "uid": re.compile(rb"\bUID (\d+)"),
    "size": re.compile(rb"\bRFC822\.SIZE (\d+)"),
    "date": re.compile(rb'\bINTERNALDATE "([^"]+)"'),
}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


# Answers to a login that say nothing about the password (RFC 5530), and how servers word it that have no codes.
_NOT_NOW = re.compile(r"\[(UNAVAILABLE|LIMIT|INUSE|SERVERBUG|OVERQUOTA)|too many|try (again|later)|temporar", re.I)


class MailboxFailed(Exception):
    """The mailbox could not be read now; `failure` says why, and on whose side.

    `for_good`: it refused us, and will until the settings are mended.
    """

    def __init__(self, failure: Failure, *, for_good: bool = False) -> None:
        super().__init__(failure.text)
        self.failure, self.for_good = failure, for_good


@dataclass(frozen=True, slots=True)
class Place:
    """Where a mail lies. `validity` changes when a server numbers a folder anew."""

    folder: str
    validity: int
    uid: int


@dataclass(frozen=True, slots=True)
class Head:
    """A mail by its headers. `received_at_utc` is when our server took it in, by its clock and to the second."""

    place: Place
    received_at_utc: datetime | None
    size_bytes: int
    headers: Headers


class Connection:
    """A signed-in connection; whoever catches `MailboxFailed` throws it away."""

    def __init__(self, account: MailAccount, tokens: Tokens, access: str | None) -> None:
        from imap_tools.mailbox import MailBox, MailBoxUnencrypted

        self._account = account
        server = account.imap
        with _told("connect", account):
            self._box: BaseMailBox
            if server.security is Security.TLS:
                self._box = MailBox(server.host, server.port, timeout=account.timeout_s, ssl_context=account.tls())
            else:
                self._box = MailBoxUnencrypted(server.host, server.port, timeout=account.timeout_s)
        try:
            if server.security is Security.STARTTLS:
                with _told("starttls", account):
                    self._box.client.starttls(account.tls())
            with _told("login", account):
                self._log_in(tokens, access)
                # What a server can do is told in full only to those who have signed in.
                told = self._box.client.capability()[1]
                self._can = frozenset(
                    b" ".join(each for each in told if isinstance(each, bytes)).decode().upper().split()
                )
        except BaseException:
            self.close()
            raise
        self._selected: tuple[str, int] | None = None

    def _log_in(self, tokens: Tokens, access: str | None) -> None:
        client = self._box.client
        if access is None:
            user, password = self._account.user, self._account.password or ""
            if (user + password).isascii():
                self._box.login(user, password, initial_folder=None)
            else:
                self._box.login_utf8(user, password, initial_folder=None)
            return
        offered = [each.removeprefix("AUTH=") for each in client.capabilities if each.startswith("AUTH=")]
        way, words = tokens.sasl(self._account.user, access, offered, self._account.imap)
        told: list[bytes] = []

        def answer(challenge: bytes) -> bytes:
            told.append(challenge)  # after a refusal the server explains itself, and waits for an empty line
            return words.encode() if len(told) == 1 else b""

        client.authenticate(way, answer)

    def select(self, folder: str) -> int:
        """Open a folder for reading only and return its validity."""
        with _told("select", self._account):
            if self._selected is not None and self._selected[0] == folder:
                self._box.client.noop()
                return self._selected[1]
            self._selected = None
            self._box.folder.set(folder, readonly=True)
            found = self._box.client.response("UIDVALIDITY")[1]
            self._selected = folder, int(found[0]) if found and found[0] else 0
            return self._selected[1]

    def uids(self, folder: str, *, after: int = 0, since_utc: datetime | None = None) -> list[int]:
        """Return the numbers of mails, by their number or the day on which they came."""
        self.select(folder)
        parts = [f"UID {after + 1}:*"] if after else []
        if since_utc is not None:  # a server's day is that of its own zone
            day = since_utc.astimezone(UTC) - timedelta(days=1)
            parts.append(f"SINCE {day.day}-{_MONTHS[day.month - 1]}-{day.year}")
        with _told("search", self._account):
            found = self._box.uids(" ".join(parts) or "ALL", charset=None)
        return sorted(uid for each in found if each.isdigit() and (uid := int(each)) > after)

    def heads(self, folder: str, uids: list[int]) -> Iterator[Head]:
        """Yield mails by their headers; what is gone meanwhile is left out."""
        validity = self.select(folder)
        for begin in range(0, len(uids), _AT_ONCE):
            some = ",".join(map(str, uids[begin : begin + _AT_ONCE]))
            for meta, raw in self._fetch(some, f"UID INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER]<0.{HEADER_BYTES}>"):
                found = {name: match.group(1) for name, way in _META.items() if (match := way.search(meta))}
                if "uid" in found:
                    received = moment_of(found.get("date", b"").decode("ascii", "replace").replace("-", " ", 2))
                    place = Place(folder, validity, int(found["uid"]))
                    yield Head(place, received, int(found.get("size", b"0")), parse_headers(raw))

    def raw(self, place: Place, most_bytes: int) -> bytes | None:
        """Return a mail as it lies there, or its first bytes; None if it is gone."""
        if self.select(place.folder) != place.validity:
            return None
        for _, raw in self._fetch(str(place.uid), f"UID BODY.PEEK[]<0.{most_bytes}>"):
            return raw
        return None

    def _fetch(self, uids: str, parts: str) -> Iterator[tuple[bytes, bytes]]:
        """Yield what is said of each mail, and the one literal that comes with it."""
        with _told("fetch", self._account):
            status, answer = self._box.client.uid("FETCH", uids, f"({parts})")
        if status != "OK":
            raise MailboxFailed(_failure(FailureKind.UNKNOWN, "fetch", self._account, str(answer)[:300]))
        meta, literal = b"", b""
        for item in (*answer, None):
            begins = isinstance(item, tuple) or (isinstance(item, bytes) and re.match(rb"\d+ \(", item) is not None)
            if (begins or item is None) and meta:
                yield meta, literal
                meta, literal = b"", b""
            if isinstance(item, tuple):
                meta, literal = item[0], item[1]
            elif isinstance(item, bytes):
                meta += b" " + item

    def sent_folder(self) -> str | None:
        """Return the folder of sent mail: the one in the settings, else the one that the server marks so."""
        if self._account.sent_folder is not None:
            return self._account.sent_folder
        with _told("list", self._account):
            folders = self._box.folder.list()
        marked = [each.name for each in folders if any(flag.lower() == "\\sent" for flag in each.flags)]
        usual = [each.name for each in folders if each.name.rpartition(each.delim or "/")[2].lower().startswith("sent")]
        return next(iter((*marked, *usual)), None)

    def find(self, folder: str, message_id: str) -> list[int]:
        """Return the numbers of mails with this Message-ID."""
        self.select(folder)
        with _told("search", self._account):
            found = self._box.uids(f'HEADER Message-ID "{message_id}"', charset=None)
        return [int(each) for each in found if each.isdigit()]

    def append(self, folder: str, raw: bytes) -> None:
        """Put a mail into a folder, which is made if there is none."""
        self._selected = None
        with _told("append", self._account):
            if not self._box.folder.exists(folder):
                self._box.folder.create(folder)
            self._box.append(raw, folder, flag_set=["\\Seen"])

    @property
    def can_idle(self) -> bool:
        """Whether the server tells of new mail by itself."""
        return "IDLE" in self._can

    def idle(self, longest_s: float) -> bool:
        """Wait until the server tells of something, or so long; return whether it did."""
        with _told("idle", self._account):
            return bool(self._box.idle.wait(timeout=longest_s))

    def cut_off(self) -> None:
        """End the connection from another thread."""
        with suppress(OSError, AttributeError):
            self._box.client.sock.shutdown(2)

    def close(self) -> None:
        """Say goodbye."""
        with suppress(Exception):
            self._box.client.logout()
        with suppress(Exception):  # where the goodbye failed the line is still open
            self._box.client.shutdown()


class _told:  # noqa: N801  (used like a function)
    """Turns what the library raises into `MailboxFailed`."""

    def __init__(self, step: str, account: MailAccount) -> None:
        self._step, self._account = step, account

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        from imap_tools.errors import ImapToolsError

        if error is None or not isinstance(error, (ImapToolsError, imaplib.IMAP4.error, OSError, EOFError, ValueError)):
            return
        text = f"{error or type(error).__name__}"[:300]
        if isinstance(error, ssl.SSLError):
            found = FailureKind.TLS
        elif isinstance(error, TimeoutError):
            found = FailureKind.TIMEOUT
        elif isinstance(error, ConnectionRefusedError):
            found = FailureKind.CONNECTION_REFUSED
        elif isinstance(error, (OSError, EOFError, imaplib.IMAP4.abort)):
            found = FailureKind.CONNECTION_LOST
        elif self._step == "login":
            found = FailureKind.INTERRUPTED if _NOT_NOW.search(text) else FailureKind.LOGIN_FAILED
        else:
            found = FailureKind.UNKNOWN
        # A token is fetched anew; a password stays what it is.
        for_good = found is FailureKind.LOGIN_FAILED and self._account.token is None
        raise MailboxFailed(_failure(found, self._step, self._account, text), for_good=for_good) from error


def _failure(kind: FailureKind, step: str, account: MailAccount, text: str) -> Failure:
    """A mailbox of ours that is not there is nobody's doing but that of the way to it; what it refuses us is ours."""
    away = (FailureKind.TIMEOUT, FailureKind.CONNECTION_LOST, FailureKind.CONNECTION_REFUSED)
    side = Side.NETWORK if kind in away else Side.OURS
    return Failure(kind, side, "mailbox", f"{account.imap.host}:{account.imap.port}: {step}: {text}")
