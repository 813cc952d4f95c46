"""What we send: the mail itself, with a Message-ID by which it is known wherever it turns up again. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from probes.errors import UserError
from probes.events import Action
from probes.mail.account import MailAccount, domain_of, is_address, sub_addressed
from probes.mail.channel import Channel, Handle, SubAddress
from probes.mail.heads import parse_headers
from probes.model import Secrets, Spec
from probes.placeholders import fill

_REPLY = re.compile(r"^\s*(?:re|aw|sv|rv|tr|antw)\s*:", re.IGNORECASE)
_LONGEST_SUBJECT = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A mail ready to go. `kept`, `subject` and `text` hold references where the mail itself holds secrets."""

    raw: bytes
    kept: bytes
    message_id: str
    key: str
    sender: str
    recipient: str
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Draft:
    """What we write, before it is known from which mailbox: secrets are references still.

    In the vendor's own subject nothing is a reference: a subject that says `${env:NAME}` learns nothing.
    """

    recipient: str
    subject: str
    text: str
    in_reply_to: tuple[str, ...] = ()
    subject_is_theirs: bool = False


def draft(spec: Spec) -> Draft:
    """Return what a contact writes, and to whom.

    Raises:
        UserError: the channel does not say it, or a name in its texts stands for nothing.
    """
    channel: Channel = spec.channel
    handle: Handle | None = spec.handle
    if spec.action is Action.OPEN:
        return Draft(channel.to, one_line(_filled(channel.subject, spec)), _filled(channel.text, spec))
    if spec.action is Action.CLOSE:
        if channel.close is None:
            raise UserError(
                "the channel does not say what to write to close a ticket",
                fix="give it close: This is solved; please close ticket {ticket}.",
            )
        text = _filled(channel.close, spec)
    else:
        text = spec.text or ""
    if handle is None:  # in a preview there is no ticket yet
        return Draft(channel.to, f"Re: {one_line(_filled(channel.subject, spec))}", text)
    subject = handle.last_subject or (handle.written[0].subject if handle.written else channel.subject)
    if not _REPLY.match(subject):
        subject = f"Re: {subject}"
    wanted = handle.last_reply_to
    recipient = wanted if wanted is not None and channel.accepts(wanted) else channel.to
    own = tuple(written.message_id for written in handle.written)
    return Draft(
        recipient, one_line(subject), text, (*own, *handle.last_message_ids)[-12:], handle.last_subject is not None
    )


def message_id(spec: Spec, text: str, domain: str) -> str:
    """Return our Message-ID for what a contact writes: the same whenever the same attempt is looked at again."""
    number = len(spec.handle.written) if spec.handle is not None else 0
    digest = hashlib.sha256(f"{spec.reference}|{spec.action}|{number}|{text}".encode()).hexdigest()[:12]
    return f"<{spec.reference.lower()}.{number}.{digest}@{domain}>"


def compose(spec: Spec, account: MailAccount, secrets: Secrets, now_utc: datetime) -> Outgoing:
    """Return the mail that a contact sends.

    Raises:
        UserError: the persona's address does not end in the mailbox, or a secret is not set.
    """
    wanted, channel = draft(spec), spec.channel
    address = secrets.reveal(spec.values.get("persona.email", account.address))
    if not is_address(address):
        raise UserError(f'"{address}" is no mail address', fix="correct the persona's email")
    if not account.receives(address):
        raise UserError(
            f"answers to {address} would not come to the mailbox {account.address}",
            fix=f"give the persona an address of it, or list {address} in HOLDPROOF_MAIL_ALIASES",
        )
    tagged = sub_addressed(address, spec.reference, account.delimiter) if channel.sub_address != "none" else address
    sender = tagged if channel.sub_address is SubAddress.FROM else address
    own_id = message_id(spec, wanted.text, domain_of(account.address))

    def built(reveal: Callable[[str], str]) -> bytes:
        mail = EmailMessage(policy=SMTP)
        name = one_line(reveal(spec.values.get("persona.name", "")))
        mail["From"] = Address(name, addr_spec=sender)
        mail["To"] = Address(addr_spec=wanted.recipient)
        if channel.sub_address is SubAddress.REPLY_TO:
            mail["Reply-To"] = Address(name, addr_spec=tagged)
        mail["Subject"] = wanted.subject if wanted.subject_is_theirs else one_line(reveal(wanted.subject))
        mail["Date"] = format_datetime(now_utc)
        mail["Message-ID"] = own_id
        if wanted.in_reply_to:
            mail["In-Reply-To"] = wanted.in_reply_to[-1]
            mail["References"] = " ".join(wanted.in_reply_to)
        mail.set_content(reveal(wanted.text), charset="utf-8")
        return mail.as_bytes()

    raw = built(secrets.reveal)
    return Outgoing(
        raw=raw,
        kept=built(str),
        message_id=own_id,
        key=parse_headers(raw).key,
        sender=tagged,  # what cannot be delivered comes back to the case as well
        recipient=wanted.recipient,
        subject=wanted.subject,
        text=wanted.text,
    )


def one_line(text: str) -> str:
    """Return a text that can stand in a header."""
    return " ".join(text.split())[:_LONGEST_SUBJECT]


def _filled(template: str, spec: Spec) -> str:
    read = {"reference": spec.reference}
    if spec.handle is None:
        if spec.action is Action.CLOSE:  # known once the vendor has written
            read["ticket"] = "{ticket}"
    else:
        read["ticket"] = next(iter(spec.handle.numbers[-1:]), "")
    return fill(template, {**spec.values, **read})
