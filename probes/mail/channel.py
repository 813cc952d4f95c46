"""The part of a plan that describes support by mail, and the stored handle of a ticket there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Literal

from probes.errors import Failure
from probes.events import TicketState
from probes.mail.account import is_address
from probes.model import STRICT


class SubAddress(StrEnum):
    """Where our reference stands as a sub-address: in From, in Reply-To alone, or nowhere."""

    FROM = "from"
    REPLY_TO = "reply_to"
    NONE = "none"


def _check_regex(name: str, pattern: str | None) -> None:
    if pattern is None:
        return
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise ValueError(f'{name}: "{pattern}" is no regular expression: {error}') from error
    if groups > 1:
        raise ValueError(
            f'{name}: "{pattern}" has {groups} groups; mark one part with ( ), the others with (?: ), or none'
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How this vendor's mails say the ticket's status: `regex` cuts the word out of the subject, else out of the text.

    `states` says what the words mean, before the built-in ones.
    """

    __pydantic_config__: ClassVar = STRICT
    regex: str
    states: Mapping[str, TicketState] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_regex("status", self.regex)


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """Support by mail.

    `to` is written to; an answer may ask for replies at another address, which is used only if it is one of
    `addresses` (whole ones, or @domain). `account` names a mailbox of the settings. `ticket` cuts the vendor's number
    out of subjects, where the usual ways of writing it are not found. `close` is the mail that asks to close a ticket.
    """

    __pydantic_config__: ClassVar = STRICT
    kind: Literal["email_ticket"]
    to: str
    subject: str = "{problem.subject}"
    text: str = "{problem.body}"
    account: str = ""
    sub_address: SubAddress = SubAddress.FROM
    addresses: tuple[str, ...] = ()
    ticket: str | None = None
    status: Status | None = None
    close: str | None = None

    def __post_init__(self) -> None:
        if not is_address(self.to):
            raise ValueError(f'to: "{self.to}" is no mail address; write it as support@vendor.example')
        for address in self.addresses:
            if not is_address(f"any{address}" if address.startswith("@") else address):
                raise ValueError(
                    f'addresses: "{address}" is neither a mail address nor a domain; write @vendor.example'
                )
        if self.account and not re.fullmatch(r"[a-z][a-z0-9-]*", self.account):
            raise ValueError(f'account: "{self.account}" cannot name a mailbox; use small letters, digits and dashes')
        for name in ("subject", "text", "close"):
            if getattr(self, name) is not None and not getattr(self, name).strip():
                raise ValueError(f"{name} is empty; write something, or leave it out")
        _check_regex("ticket", self.ticket)

    def accepts(self, address: str) -> bool:
        """Whether the plan lets us write to an address."""
        address = address.lower()
        named = {each.lower() for each in (self.to, *self.addresses)}
        return address in named or f"@{address.rpartition('@')[2]}" in named


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A mail of ours. `sure` false: whether it left is not known, and the next sign of it says so."""

    message_id: str
    key: str
    subject: str
    text: str
    at_utc: datetime
    opens: bool
    sure: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Handle:
    """All that a later look at a ticket needs.

    `since_utc` is real time: no earlier mail belongs to the ticket. `seen` are the keys of the messages known, and
    `looked_at_utc` our last look. `last_*` are of the vendor's last message, which a reply answers.
    """

    channel: Channel
    reference: str
    values: Mapping[str, str]
    since_utc: datetime
    written: tuple[Written, ...] = ()
    seen: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    status: str | None = None
    returned: Failure | None = None
    looked_at_utc: datetime | None = None
    last_subject: str | None = None
    last_message_ids: tuple[str, ...] = ()
    last_reply_to: str | None = None
