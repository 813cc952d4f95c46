"""Through which servers mail goes out and comes in, as whom, and which addresses end in the mailbox."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from email.errors import MessageError
from email.headerregistry import Address
from enum import StrEnum
from urllib.parse import urlsplit

from probes.errors import UserError


class Security(StrEnum):
    """How a connection is kept from being read on its way."""

    TLS = "tls"
    STARTTLS = "starttls"
    PLAIN = "plain"


class KeepsSent(StrEnum):
    """Who puts a copy of what we send into the folder of sent mail."""

    NOBODY = "no"
    WE = "append"
    SERVER = "server"


# Scheme of an address in the settings → how it is secured, and the port that goes without saying.
_SCHEMES = {
    "smtps": (Security.TLS, 465),
    "smtp": (Security.STARTTLS, 587),
    "smtp+plain": (Security.PLAIN, 25),
    "imaps": (Security.TLS, 993),
    "imap": (Security.STARTTLS, 143),
    "imap+plain": (Security.PLAIN, 143),
}
_ADDRESS = re.compile(r"[^@\s<>\",;:\\()\[\]]+@[^@\s<>\",;:\\()\[\]]+")


@dataclass(frozen=True, slots=True)
class Server:
    """One server's address."""

    host: str
    port: int
    security: Security


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """OAuth 2: an access token, or what gets one (a refresh token, else the client's own credentials)."""

    access: str | None = None
    url: str | None = None
    client_id: str = ""
    client_secret: str = ""
    refresh: str | None = None
    scope: str | None = None

    def __repr__(self) -> str:
        return f"Token(url={self.url!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class MailAccount:
    """One mailbox and the way out. Its `repr` shows no secret.

    `address` is the mailbox's own; `aliases` are further addresses, or @domains, whose mail ends in it. `delimiter`
    divides a name from its sub-address, as in robin+case@customer.example; empty: the server knows none.
    `authserv_id`
    is the name under which our own server writes Authentication-Results. `answer_s` is how long a server may look
    through a mail before it answers: giving up early makes nothing certain.
    """

    name: str
    address: str
    smtp: Server
    imap: Server
    user: str
    password: str | None = None
    smtp_user: str | None = None
    smtp_password: str | None = None
    token: Token | None = None
    aliases: tuple[str, ...] = ()
    delimiter: str = "+"
    folders: tuple[str, ...] = ("INBOX",)
    keeps_sent: KeepsSent = KeepsSent.NOBODY
    sent_folder: str | None = None
    authserv_id: str | None = None
    trusted_pem: str | None = None
    timeout_s: float = 30.0
    answer_s: float = 180.0

    def __repr__(self) -> str:
        return f"MailAccount({self.name!r}, {self.address!r})"

    def receives(self, address: str) -> bool:
        """Whether mail to an address, sub-addressed or not, ends in this mailbox."""
        if not is_address(address):
            return False
        plain = base_address(address, self.delimiter)
        own = {base_address(each, self.delimiter) for each in (self.address, *self.aliases) if not each.startswith("@")}
        return plain in own or f"@{domain_of(plain)}" in {each.lower() for each in self.aliases}

    def tls(self) -> ssl.SSLContext:
        """Return what TLS connections are checked with: the system's authorities, and our own if there is one."""
        context = ssl.create_default_context()
        if self.trusted_pem is not None:
            context.load_verify_locations(cadata=self.trusted_pem)
        return context


def parse_server(url: str, protocol: str) -> Server:
    """Read a server's address from the settings.

    Args:
        url: as smtps://smtp.customer.example or imap+plain://127.0.0.1:4143.
        protocol: smtp or imap.

    Raises:
        ValueError: it is none.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as exc:
        raise ValueError(str(exc)) from exc
    if parts.scheme not in _SCHEMES or not parts.scheme.startswith(protocol) or not host or parts.username is not None:
        raise ValueError(f"write {protocol}s://host (TLS), {protocol}://host (STARTTLS) or {protocol}+plain://host")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("nothing comes after the host and its port")
    security, usual_port = _SCHEMES[parts.scheme]
    return Server(host, port or usual_port, security)


def host_of(url: str) -> str:
    """Return the host of a web address, empty if it has none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def is_address(text: str) -> bool:
    """Whether a text is one plain mail address, without a name."""
    if len(text) > 254 or not text.isascii() or _ADDRESS.fullmatch(text) is None:
        return False
    try:  # what the regular expression lets through and no mail server would take, as a..b@c
        return Address(addr_spec=text).addr_spec == text
    except (ValueError, IndexError, MessageError):
        return False


def domain_of(address: str) -> str:
    """Return an address's domain, in small letters."""
    return address.rpartition("@")[2].lower()


def base_address(address: str, delimiter: str) -> str:
    """Return an address without its sub-address, in small letters."""
    local, _, domain = address.strip().lower().rpartition("@")
    if delimiter and delimiter in local[1:]:
        local = local[0] + local[1:].partition(delimiter)[0]
    return f"{local}@{domain}"


def sub_addressed(address: str, tag: str, delimiter: str) -> str:
    """Return an address that ends in the same mailbox and carries a tag.

    Raises:
        UserError: the mailbox knows no sub-addresses, or the name gets too long.
    """
    local, _, domain = address.rpartition("@")
    if not delimiter:
        raise UserError(
            f"{address} cannot carry a tag: the mailbox knows no sub-addresses",
            fix="set sub_address: none in the channel, or HOLDPROOF_MAIL_DELIMITER to the mailbox's sign",
        )
    tagged = f"{local}{delimiter}{tag.lower()}"
    if len(tagged) > 64:
        raise UserError(f"{tagged}@{domain} is too long for a mail address", fix="use a mailbox with a shorter name")
    return f"{tagged}@{domain}"
