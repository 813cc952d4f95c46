"""`doctor`: what is installed, reachable and configured, and how to mend what is not."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from audit.ledger.store import Ledger
from audit.settings import Settings
from probes.errors import AuditError, UserError

if TYPE_CHECKING:
    from probes.mail.account import MailAccount

LEAST_FREE_BYTES = 1_000_000_000
_MAIL_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at. `needed` false: the product works without it, and `text` says what is missed."""

    what: str
    ok: bool
    text: str
    fix: str = ""
    needed: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return the finding as a document."""
        return {"what": self.what, "ok": self.ok, "needed": self.needed, "text": self.text, "fix": self.fix}

    def to_text(self) -> str:
        """Return the finding as a line, and a second one with the cure where there is need."""
        mark = "ok  " if self.ok else ("MISS" if self.needed else "none")
        line = f"{mark}  {self.what}: {self.text}"
        return line if self.ok or not self.fix else f"{line}\n      fix {self.fix}"


def examine(settings: Settings) -> list[Finding]:
    """Look at everything; nothing is contacted but our own public address and mail servers; no mail is sent."""
    found = [
        Finding(what="Python", ok=sys.version_info >= (3, 11), text=sys.version.split()[0], fix="use 3.11 or later"),
        Finding(what="SQLite", ok=sqlite3.sqlite_version_info >= (3, 35), text=sqlite3.sqlite_version),
    ]
    for look in (_home, _ledger, _browser, _voice, _twilio, _public_address, _sip, _mail, _keyring):
        found += list(_guarded(look, settings))
    return found


def _guarded(look: Callable[[Settings], Iterator[Finding]], settings: Settings) -> Iterator[Finding]:
    try:
        yield from look(settings)
    except AuditError as exc:
        where = f" ({exc.at})" if exc.at else ""
        yield Finding(what=look.__name__.strip("_").replace("_", " "), ok=False, text=exc.message + where, fix=exc.fix)


def _home(settings: Settings) -> Iterator[Finding]:
    folder = settings.home
    parent = next(path for path in (folder, *folder.resolve().parents) if path.exists())
    writable = os.access(parent, os.W_OK)
    yield Finding(what="home", ok=writable, text=str(folder), fix="name another one with --home or HOLDPROOF_HOME")
    free = shutil.disk_usage(parent).free
    yield Finding(
        what="disk",
        ok=free > LEAST_FREE_BYTES,
        text=f"{free / 1e9:.0f} GB free",
        fix="free some space: an hour of calls takes about 120 MB",
    )


def _ledger(settings: Settings) -> Iterator[Finding]:
    if settings.database_url:
        ledger = Ledger(settings.database_url)
    elif (settings.home / "ledger.sqlite").exists():
        ledger = Ledger.in_folder(settings.home)
    else:
        yield Finding(what="ledger", ok=True, text="none yet; the first run makes it")
        return
    audits, stopped = ledger.audits(), ledger.stopped()
    ledger.close()
    yield Finding(what="ledger", ok=True, text=f"{len(audits)} audits")
    if stopped:
        yield Finding(what="kill switch", ok=False, text=f"thrown: {stopped}", fix="run: holdproof resume")


def _browser(settings: Settings) -> Iterator[Finding]:
    from probes.browser import find_browser

    found = asyncio.run(find_browser(str(settings.browser) if settings.browser else None))
    sandbox = "" if found.sandboxed else ", without its sandbox (root, or not allowed here)"
    yield Finding(what="browser", ok=True, text=f"{found.version}, {found.place.name}{sandbox}")


def _voice(settings: Settings) -> Iterator[Finding]:
    from probes.practice.voices import Voices

    engine = Voices(settings.home / "voices").engine
    yield Finding(
        what="voice of the practice vendor",
        ok=bool(engine),
        needed=False,
        text=engine or "none; the practice vendor's telephone stays silent",
        fix="install flite (Debian: apt install flite), or pip install 'holdproof[practice]'",
    )


def _twilio(settings: Settings) -> Iterator[Finding]:
    carrier = settings.carrier("twilio")
    if carrier.account_sid is None:
        yield Finding(
            what="telephone carrier",
            ok=False,
            needed=False,
            text="none configured; plans without calls work",
            fix="set HOLDPROOF_TWILIO_ACCOUNT_SID and HOLDPROOF_TWILIO_AUTH_TOKEN",
        )
        return
    complete = bool(carrier.auth_token or (carrier.api_key and carrier.api_secret))
    where = carrier.base_url or "the provider's own address"
    yield Finding(
        what="telephone carrier",
        ok=complete,
        text=f"twilio at {where}, credentials {'set' if complete else 'incomplete'}",
        fix="set HOLDPROOF_TWILIO_AUTH_TOKEN, or …_API_KEY and …_API_SECRET",
    )


def _public_address(settings: Settings) -> Iterator[Finding]:
    address = settings.public_address()
    if address is None:
        yield Finding(
            what="public address",
            ok=False,
            needed=False,
            text="none; calls are recorded and heard afterwards, none is live",
            fix="set --public-url (HOLDPROOF_PUBLIC_URL) to where a proxy or tunnel leads to this machine",
        )
        return

    async def ask() -> str:
        try:
            await address.open()
        except UserError:  # a worker listens there, most likely: it answers for itself
            await address.check(this_server=False)
            return f"{address.public_url} leads to a worker that runs at {address.listens_on}"
        try:
            await address.check()
        finally:
            await address.close()
        return f"{address.public_url} leads to {address.listens_on} here, for requests and for WebSockets"

    yield Finding(what="public address", ok=True, text=asyncio.run(ask()))
    if settings.carrier("twilio").auth_token is None:
        yield Finding(
            what="signed callbacks",
            ok=False,
            needed=False,
            text="no auth token, so that nobody can tell whether a callback is the carrier's; no call is live",
            fix="set HOLDPROOF_TWILIO_AUTH_TOKEN (an API key alone does not do)",
        )


def _sip(settings: Settings) -> Iterator[Finding]:
    from probes.speech import engine
    from probes.telephony.sip_config import CURE, installed

    config, there = settings.sip(), installed()
    if config is None:
        text = "no trunk configured; calls by another carrier work"
        fix = "set HOLDPROOF_SIP_SERVER, HOLDPROOF_SIP_USER and HOLDPROOF_SIP_PASSWORD" + ("" if there else f"; {CURE}")
        yield Finding(what="SIP trunk", ok=False, needed=False, text=text, fix=fix)
        return
    account = f"as {config.user}" if config.user else "without an account"
    text = f"{config.server} over {config.transport}, {account}, encryption of audio: {config.encryption}"
    if not there:
        yield Finding(what="SIP trunk", ok=False, text=f"{text}; the package that speaks SIP is missing", fix=CURE)
        return
    yield Finding(what="SIP trunk", ok=True, text=text)
    if not engine():
        yield Finding(what="voice of SIP calls", ok=False, text="none: no line can be spoken", fix=CURE)


def _mail(settings: Settings) -> Iterator[Finding]:
    from audit.mail_settings import mail_names

    names = mail_names(settings.environment)
    if not names:
        fix = "set HOLDPROOF_MAIL_ADDRESS, HOLDPROOF_MAIL_SMTP, HOLDPROOF_MAIL_IMAP and HOLDPROOF_MAIL_PASSWORD"
        text = "none configured; plans without mail work"
        yield Finding(what="mailbox", ok=False, needed=False, text=text, fix=fix)
    for name in names:
        try:
            account = settings.mail(name)
        except AuditError as exc:
            yield Finding(what=f"mailbox {name}".strip(), ok=False, text=exc.message, fix=exc.fix)
            continue
        yield from asyncio.run(_signed_in(account))


async def _signed_in(account: MailAccount) -> list[Finding]:
    from dataclasses import replace

    from probes.mail.imap import MailboxFailed
    from probes.mail.mailbox import Mailbox
    from probes.mail.sending import try_out

    box = Mailbox(replace(account, timeout_s=_MAIL_S))
    name = f"mailbox {account.name}".strip()
    fix = "correct the settings that begin with HOLDPROOF_MAIL_, or ask who runs the mail server"
    found = []
    try:
        words = await box.describe()
        found.append(Finding(what=name, ok=True, text=f"{account.address}: {words}"))
    except (MailboxFailed, AuditError) as exc:
        found.append(Finding(what=name, ok=False, text=f"{account.address}: {exc}", fix=fix))
    try:
        failure = await try_out(box.account, box.tokens)
        text = failure.text if failure is not None else f"{account.smtp.host}:{account.smtp.port} takes our mail"
        found.append(Finding(what=f"way out of {name}", ok=failure is None, text=text, fix=fix))
    except AuditError as exc:
        found.append(Finding(what=f"way out of {name}", ok=False, text=exc.message, fix=exc.fix or fix))
    await box.close()
    return found


def _keyring(_settings: Settings) -> Iterator[Finding]:
    import keyring

    backend = keyring.get_keyring()
    usable = getattr(backend, "priority", 0) > 0
    yield Finding(
        what="keyring",
        ok=usable,
        needed=False,
        text=type(backend).__module__ if usable else "none on this machine; ${env:NAME} works",
    )
