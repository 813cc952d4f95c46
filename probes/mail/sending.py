"""Sends one mail to one recipient over SMTP, and says how sure it is that it left."""

from __future__ import annotations

import base64
import ssl
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from probes.errors import Failure, FailureKind, Side
from probes.mail.account import MailAccount, Security, domain_of
from probes.mail.composing import Outgoing
from probes.mail.returned import Stage, refusal
from probes.mail.tokens import Tokens

if TYPE_CHECKING:
    from aiosmtplib import SMTP


_WAYS = ("plain", "login", "cram-md5")
_ANOTHER_WAY = (502, 504, 534, 538)


class Left(StrEnum):
    """Whether a mail left us."""

    YES = "yes"
    NO = "no"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a mail at our own server; `failure` says why it did not leave, or why that is not known."""

    left: Left
    failure: Failure | None = None


async def send(account: MailAccount, tokens: Tokens, outgoing: Outgoing) -> Delivery:
    """Send a mail once. What servers and networks do is in the answer.

    Raises:
        UserError: the account's token is refused for good.
        Unavailable: no token could be had now.
    """
    from aiosmtplib.errors import SMTPException, SMTPResponseException

    smtp = _client(account)
    stage = Stage.CONNECT
    try:
        await smtp.connect()
        await _greet(smtp)
        stage = Stage.LOGIN
        await _log_in(smtp, account, tokens)
        stage = Stage.SENDER
        await smtp.mail(outgoing.sender)
        stage = Stage.RECIPIENT
        await smtp.rcpt(outgoing.recipient)
        stage = Stage.DATA
        await smtp.data(outgoing.raw, timeout=account.answer_s)
    except SMTPResponseException as exc:
        return Delivery(Left.NO, refusal(stage, exc.code, exc.message))
    except (SMTPException, OSError, EOFError) as exc:
        # Once the mail itself is on its way, a lost answer says nothing.
        left = Left.UNSURE if stage is Stage.DATA else Left.NO
        return Delivery(left, _broken(stage, exc, account))
    finally:
        smtp.close()
    return Delivery(Left.YES)


async def try_out(account: MailAccount, tokens: Tokens) -> Failure | None:
    """Sign in without sending anything; return why that fails, or None.

    Raises:
        UserError: the account's token is refused for good.
        Unavailable: no token could be had now.
    """
    from aiosmtplib.errors import SMTPException, SMTPResponseException

    smtp, stage = _client(account), Stage.CONNECT
    try:
        await smtp.connect()
        await _greet(smtp)
        stage = Stage.LOGIN
        await _log_in(smtp, account, tokens)
        await smtp.quit()
    except SMTPResponseException as exc:
        return refusal(stage, exc.code, exc.message)
    except (SMTPException, OSError, EOFError) as exc:
        return _broken(stage, exc, account)
    finally:
        smtp.close()
    return None


def _client(account: MailAccount) -> SMTP:
    from aiosmtplib import SMTP

    return SMTP(
        hostname=account.smtp.host,
        port=account.smtp.port,
        use_tls=account.smtp.security is Security.TLS,
        start_tls=account.smtp.security is Security.STARTTLS,
        tls_context=account.tls() if account.smtp.security is not Security.PLAIN else None,
        local_hostname=domain_of(account.address),
        timeout=account.timeout_s,
    )


async def _greet(smtp: SMTP) -> None:
    from aiosmtplib.errors import SMTPHeloError

    try:
        await smtp.ehlo()
    except SMTPHeloError:  # a server of before 1995
        await smtp.helo()


async def _log_in(smtp: SMTP, account: MailAccount, tokens: Tokens) -> None:
    """Sign in where the server asks for it; a relay of one's own often does not."""
    if not smtp.supports_extension("auth"):
        return
    user = account.smtp_user or account.user
    if account.token is None or account.smtp_password is not None:
        await _log_in_by_password(smtp, user, account.smtp_password or account.password or "")
        return
    from aiosmtplib.errors import SMTPAuthenticationError

    way, words = tokens.sasl(user, await tokens.access(), smtp.server_auth_methods, account.smtp)
    answer = await smtp.execute_command(b"AUTH", way.encode(), base64.b64encode(words.encode()))
    if answer.code == 334:  # the server explains in base64 and waits for an empty line
        answer = await smtp.execute_command(b"")
    if answer.code != 235:
        tokens.forget()
        raise SMTPAuthenticationError(answer.code, answer.message)


async def _log_in_by_password(smtp: SMTP, user: str, password: str) -> None:
    """Try a password once: another way is taken only if it is the way that the server refuses (RFC 4954).

    The plain way comes first, as servers know it best; what is not encrypted the settings have to allow.
    """
    from aiosmtplib.errors import SMTPAuthenticationError, SMTPException

    refused: SMTPException = SMTPException("the server offers no way to sign in with a password")
    for way in (way for way in _WAYS if way in smtp.supported_auth_methods):
        try:
            await getattr(smtp, f"auth_{way.replace('-', '')}")(user, password)
        except SMTPAuthenticationError as exc:
            if exc.code not in _ANOTHER_WAY:
                raise
            refused = exc
        else:
            return
    raise refused


def _broken(stage: Stage, exc: Exception, account: MailAccount) -> Failure:
    where = f"{account.smtp.host}:{account.smtp.port}"
    cause = next((each for each in (exc, exc.__cause__, exc.__context__) if isinstance(each, ssl.SSLError)), None)
    if cause is not None:
        return Failure(FailureKind.TLS, Side.OURS, "send", f"{stage}: {where}: {cause}")
    if isinstance(exc, TimeoutError):
        # Ours or the way to it: nothing of the vendor's was reached. It is tried again.
        kind = FailureKind.TIMEOUT
    elif isinstance(exc, ConnectionRefusedError) or isinstance(exc.__cause__, ConnectionRefusedError):
        kind = FailureKind.CONNECTION_REFUSED
    else:
        kind = FailureKind.CONNECTION_LOST if isinstance(exc, OSError) else FailureKind.UNKNOWN
    side = Side.NETWORK if kind is not FailureKind.UNKNOWN else Side.OURS
    return Failure(kind, side, "send", f"{stage}: {where}: {exc or type(exc).__name__}")
