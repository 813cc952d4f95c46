"""What the mail tests stand on: a real mailbox server (SMTP and IMAP) on loopback, and tools that reach it."""

from __future__ import annotations

import imaplib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, TypeVar

from pydantic import TypeAdapter

from probes import email_ticket
from probes.browser import ChromiumSource
from probes.clock import Clock
from probes.events import Action
from probes.mail.account import MailAccount, Security, Server
from probes.mail.mailbox import Mailbox
from probes.model import Act, Seen, Spec, Tools
from probes.running import RunningContacts
from tests.web.kit import NoCarriers, OpenGate, Store, Vault

T = TypeVar("T")
REFERENCE = "HP-7K2M9QXA"
ADDRESS, PASSWORD = "robin@customer.example", "only-on-loopback"


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


class MailServer:
    """A mailbox server for many addresses, a process; sub-addresses end in the mailbox of the plain address."""

    def __init__(self, more: tuple[str, ...] = ()) -> None:
        self.smtp_port, self.smtps_port, self.imap_port = free_port(), free_port(), free_port()
        self._more = more
        self._used: set[tuple[str, str]] = set()

    def __enter__(self) -> MailServer:
        command = [sys.executable, "-W", "ignore", "-m", "mail_devel", "--host", "127.0.0.1", "--user", ADDRESS]
        command += ["--password", PASSWORD, "--multi-user", "--no-http", "--auth-required"]
        command += ["--smtp-port", str(self.smtp_port), "--imap-port", str(self.imap_port)]
        command += ["--alias", f"robin+*@customer.example:{ADDRESS}"]
        command += ["--smtps-port", str(self.smtps_port), *self._more]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until_s = time.monotonic() + 60
        for port in (self.smtp_port, self.imap_port):
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    assert time.monotonic() < until_s
                    assert self._process.poll() is None
                    time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(20)

    @contextmanager
    def _mailbox(self, user: str, folder: str = "INBOX") -> Iterator[imaplib.IMAP4]:
        self._used.add((user, folder))
        client = imaplib.IMAP4("127.0.0.1", self.imap_port, timeout=20)
        client.login(user, PASSWORD)
        client.select(folder)
        yield client
        client.logout()

    def deliver(self, raw: bytes, to: str = ADDRESS, at_utc: datetime | None = None) -> None:
        """Put a mail into a mailbox as it is."""
        with self._mailbox(to) as client:
            client.append("INBOX", "", (at_utc or datetime.now(UTC)), raw)

    def fill(self, number: int) -> None:
        """Put many small mails of nobody's case into our mailbox."""
        with self._mailbox(ADDRESS) as client:
            for each in range(number):
                raw = f"From: shop@shop.example\r\nSubject: Offer {each}\r\nMessage-ID: <{each}@s>\r\n\r\nBuy.\r\n"
                client.append("INBOX", "", datetime.now(UTC), raw.encode())

    def mails(self, to: str, folder: str = "INBOX") -> list[bytes]:
        """Return what lies in a mailbox."""
        with self._mailbox(to, folder) as client:
            numbers = client.search(None, "ALL")[1][0].split()
            return [client.fetch(number, "(BODY.PEEK[])")[1][0][1] for number in numbers]

    def empty(self) -> None:
        """Remove all mail."""
        for user, folder in sorted({*self._used, (ADDRESS, "INBOX")}):
            with self._mailbox(user, folder) as client:
                if client.search(None, "ALL")[1][0]:
                    client.store("1:*", "+FLAGS", "\\Deleted")
                    client.expunge()

    def stir(self) -> None:
        """Let the server tell of what came by SMTP: that half of it has a thread of its own, and the half for IMAP

        notices only when somebody next asks it something.
        """
        with self._mailbox(ADDRESS):
            pass

    def account(self, **changes: Any) -> MailAccount:
        """Return how our probe reaches it."""
        account = MailAccount(
            name="",
            address=ADDRESS,
            smtp=Server("127.0.0.1", self.smtp_port, Security.PLAIN),
            imap=Server("127.0.0.1", self.imap_port, Security.PLAIN),
            user=ADDRESS,
            password=PASSWORD,
            timeout_s=20.0,
        )
        return replace(account, **changes)


@dataclass
class Mailboxes:
    """Gives our mailbox, as the settings would."""

    account: MailAccount
    opened: list[Mailbox] = field(default_factory=list)

    def mailbox(self, name: str) -> Mailbox:
        if not self.opened:
            self.opened.append(Mailbox(self.account))
        return self.opened[0]

    async def close(self) -> None:
        for box in self.opened:
            await box.close()


class Gate(OpenGate):
    """Lets everything pass and remembers it."""

    def __init__(self) -> None:
        self.asked: list[Act] = []

    def check(self, act: Act) -> None:
        self.asked.append(act)


def tools(source: Mailboxes, *, vault: Vault | None = None, clock: Clock | None = None) -> Tools:
    return Tools(
        clock=clock or Clock(),
        artifacts=Store(),
        secrets=vault or Vault(),
        gate=Gate(),
        browser=ChromiumSource(),
        carriers=NoCarriers(),
        mail=source,
        running=RunningContacts(),
    )


def channel(**parts: Any) -> email_ticket.Channel:
    """Read a channel as a plan would give it."""
    whole = {"kind": "email_ticket", "to": "support@vendor.example"} | parts
    return TypeAdapter(email_ticket.Channel).validate_python(whole)


VALUES = {
    "persona.name": "Robin Lindgren",
    "persona.email": ADDRESS,
    "problem.subject": "Invoice 4711",
    "problem.body": "Invoice 4711 lists the same licence two times.",
}


def spec(of: email_ticket.Channel | None = None, action: Action = Action.OPEN, **parts: Any) -> Spec:
    return Spec(action=action, reference=REFERENCE, channel=of or channel(), **({"values": VALUES} | parts))


def payloads(seen: Seen, kind: type[T]) -> list[T]:
    """The sightings of one kind, in order."""
    return [what for each in seen.sightings if isinstance(what := _any(each.what), kind)]


def _any(what: Any) -> Any:
    return what


def mail(text: str = "We look into it.", **headers: str) -> bytes:
    """Write a mail of the vendor; `in_reply_to` becomes In-Reply-To."""
    message = EmailMessage()
    plain = {"from": "Vendor Support <support@vendor.example>", "to": ADDRESS, "subject": "Re: Invoice 4711"}
    plain |= {"message_id": f"<{abs(hash((text, *headers.values())))}@vendor.example>"}
    for name, value in (plain | headers).items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    return message.as_bytes()


def read(raw: bytes) -> EmailMessage:
    """Read a mail as the vendor would."""
    message = message_from_bytes(raw, policy=default)
    assert isinstance(message, EmailMessage)
    return message


@contextmanager
def server() -> Iterator[MailServer]:
    with MailServer() as running:
        yield running
