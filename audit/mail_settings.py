"""Which mailboxes there are: the variables HOLDPROOF_MAIL_…, or HOLDPROOF_MAIL_NAME_… for a mailbox with a name."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from audit.secrets import Masked
from probes.errors import UserError
from probes.mail.account import KeepsSent, MailAccount, Security, Server, Token, is_address, parse_server

if TYPE_CHECKING:
    from audit.settings import Environment

T = TypeVar("T")
PLAIN = "HOLDPROOF_ALLOW_PLAIN_MAIL"


def mail_prefix(name: str) -> str:
    """Return how the variables of a mailbox begin; the mailbox without a name has the plain ones."""
    return "HOLDPROOF_MAIL_" + (re.sub("[^A-Z0-9]", "_", name.upper()) + "_" if name else "")


def mail_names(environment: Environment) -> tuple[str, ...]:
    """Return the names of the mailboxes whose address is set; empty: the one without a name."""
    keys = {**environment.process, **environment.file}
    found = (re.fullmatch(r"HOLDPROOF_MAIL_(?:([A-Z0-9_]+)_)?ADDRESS(?:_FILE)?", key) for key in keys)
    return tuple(sorted({(each.group(1) or "").lower().replace("_", "-") for each in found if each is not None}))


def mail_account(name: str, get: Callable[[str], str | None], secret: Callable[[str], Masked | None]) -> MailAccount:
    """Return a mailbox with the way to it.

    Args:
        name: as plans name it, empty for the one without a name.
        get: gives a variable.
        secret: gives a variable that is taken out of everything kept from then on.

    Raises:
        UserError: something needed is not set or not understood, or a password would travel in clear.
    """
    prefix = mail_prefix(name)

    def needed(key: str, what: str) -> str:
        value = get(f"{prefix}{key}")
        if value is None:
            fix = f"set it, {prefix}{key}_FILE, or write it into holdproof.env in the home"
            raise UserError(f"{prefix}{key} is not set: mail needs {what}", fix=fix)
        return value

    def revealed(key: str) -> str | None:
        masked = secret(f"{prefix}{key}")
        return masked.reveal() if masked is not None else None

    address = needed("ADDRESS", "the mailbox's own address")
    if not is_address(address):
        raise UserError(f'{prefix}ADDRESS is "{address}", which is no mail address', fix="write robin@customer.example")
    smtp = _server(get, f"{prefix}SMTP", needed("SMTP", "a way out, as smtps://smtp.customer.example"), "smtp")
    imap = _server(get, f"{prefix}IMAP", needed("IMAP", "a mailbox, as imaps://imap.customer.example"), "imap")
    password, token = revealed("PASSWORD"), _token(prefix, get, revealed)
    if password is None and token is None:
        fix = f"set it or {prefix}PASSWORD_FILE; for OAuth 2 {prefix}TOKEN, or {prefix}TOKEN_URL with …_CLIENT_ID"
        raise UserError(f"{prefix}PASSWORD is not set: the mailbox needs a password or a token", fix=fix)
    return MailAccount(
        name=name,
        address=address,
        smtp=smtp,
        imap=imap,
        user=get(f"{prefix}USER") or address,
        password=password,
        smtp_user=get(f"{prefix}SMTP_USER"),
        smtp_password=revealed("SMTP_PASSWORD"),
        token=token,
        aliases=_aliases(f"{prefix}ALIASES", get(f"{prefix}ALIASES") or ""),
        delimiter=_delimiter(f"{prefix}DELIMITER", get(f"{prefix}DELIMITER")),
        folders=_listed(get(f"{prefix}FOLDERS") or "INBOX"),
        keeps_sent=_chosen(f"{prefix}SENT", get(f"{prefix}SENT") or KeepsSent.NOBODY, KeepsSent),
        sent_folder=get(f"{prefix}SENT_FOLDER"),
        authserv_id=get(f"{prefix}AUTHSERV_ID"),
        trusted_pem=get(f"{prefix}CA"),
    )


def _server(get: Callable[[str], str | None], name: str, url: str, protocol: str) -> Server:
    from audit.settings import is_loopback

    try:
        server = parse_server(url, protocol)
    except ValueError as exc:
        raise UserError(f'{name} is "{url}", which is no address of a mail server', fix=str(exc)) from exc
    allowed = (get(PLAIN) or "").lower() in ("1", "true", "yes")
    if server.security is Security.PLAIN and not is_loopback(server.host) and not allowed:
        fix = f"use {protocol}s:// or {protocol}://, or allow it with {PLAIN}=1"
        raise UserError(f"{name} would send mail and password in clear to {server.host}", fix=fix)
    return server


def _token(prefix: str, get: Callable[[str], str | None], secret: Callable[[str], str | None]) -> Token | None:
    access, url = secret("TOKEN"), get(f"{prefix}TOKEN_URL")
    if access is None and url is None:
        return None
    if access is None and not get(f"{prefix}CLIENT_ID"):
        raise UserError(f"{prefix}TOKEN_URL is set, and {prefix}CLIENT_ID is not", fix=f"set {prefix}CLIENT_ID")
    if url is not None and not url.startswith("https://"):
        from audit.settings import is_loopback
        from probes.mail.account import host_of

        if not url.startswith("http://") or not is_loopback(host_of(url)):
            raise UserError(f'{prefix}TOKEN_URL is "{url}"', fix="write https://…: a secret is sent there")
    return Token(
        access=access,
        url=url,
        client_id=get(f"{prefix}CLIENT_ID") or "",
        client_secret=secret("CLIENT_SECRET") or "",
        refresh=secret("REFRESH_TOKEN"),
        scope=get(f"{prefix}SCOPE"),
    )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _aliases(name: str, text: str) -> tuple[str, ...]:
    for alias in (found := _listed(text)):
        if not is_address(alias if not alias.startswith("@") else f"any{alias}"):
            raise UserError(f'{name} holds "{alias}"', fix="write addresses, or @domain, with commas between them")
    return found


def _delimiter(name: str, text: str | None) -> str:
    if text is None:
        return "+"
    if text == "none":
        return ""
    if len(text) != 1 or text.isalnum() or text in "@.\"' ":
        raise UserError(f'{name} is "{text}", which divides no address', fix="write one sign, as + or -, or none")
    return text


def _chosen(name: str, text: str, kind: type[T]) -> T:
    try:
        return kind(text)  # type: ignore[call-arg]
    except ValueError as exc:
        choices = ", ".join(str(each) for each in kind)  # type: ignore[attr-defined]
        raise UserError(f'{name} is "{text}"', fix=f"use one of: {choices}") from exc
