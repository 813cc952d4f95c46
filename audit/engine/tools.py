"""What probes touch the world with, built once per worker: browser, carriers, store, secrets, and the gate."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from audit.engine.attending import PersonAtWindow
from audit.engine.sessions import SessionFolder
from audit.ledger.artifacts import ArtifactFolder
from audit.ledger.store import Ledger
from audit.model import Usage
from audit.plan.model import Plan, Vendor
from audit.safety import ContactGate, vendor_day
from audit.settings import Settings
from probes.browser import ChromiumSource
from probes.clock import Clock
from probes.errors import UserError
from probes.model import Act, Tools
from probes.running import RunningContacts
from probes.telephony.carrier import Carrier

if TYPE_CHECKING:
    from probes.mail.mailbox import Mailbox
    from probes.mail.watching import Watch
    from probes.telephony.public_address import PublicAddress

T = TypeVar("T")


def _tell(text: str) -> None:
    sys.stderr.write(f"\a\n{text}\n")  # with a bell: the person may be looking elsewhere
    sys.stderr.flush()


class Workshop:
    """A thread with an event loop of its own, in which all probes of a worker work, and nothing else does: neither
    the durable engine nor the ledger ever holds them up, nor they those.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        alone: bool = True,
        on_call: Callable[[str], None] | None = None,
        on_mail: Callable[[frozenset[str]], None] | None = None,
    ) -> None:
        """Take the settings.

        `on_call` is told the carrier's id of a call of which something new is known, `on_mail` the references of cases
        for which mail has come.
        """
        self.settings, self._on_call, self._on_mail = settings, on_call, on_mail
        self._address = settings.public_address()
        self._running = RunningContacts(alone=alone)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="probes", daemon=True)
        self._browser = ChromiumSource(str(settings.browser) if settings.browser else None, seen=settings.attended)
        self._attendant = PersonAtWindow(_tell) if settings.attended else None
        self._carriers: dict[str, Carrier] = {}
        self._mailboxes: dict[str, Mailbox] = {}
        self._watches: list[Watch] = []
        self._artifacts = ArtifactFolder(settings.home / "artifacts", settings.secrets)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        if not self._loop.is_running():
            self._loop.close()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run probe work in the workshop's loop and wait for it; called from other threads."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def listen(self) -> str | None:
        """Open our public address for the carriers that call back; return it, None if there is none.

        Raises:
            UserError: its port is taken.
        """
        if self._address is None:
            return None
        if self.settings.carrier("twilio").account_sid is not None:
            self.carrier("twilio")
        self.do(self._address.open())
        return self._address.public_url

    def tools_for(self, audit: str, plan: Plan, ledger: Ledger, clock: Clock) -> Callable[..., Tools]:
        """Return what gives the tools for a contact of an audit: with a vendor, and the acts reserved for it."""

        def tools(vendor: Vendor, reserved: tuple[Act, ...]) -> Tools:
            def usage() -> Usage:
                day_start_utc, _ = vendor_day(vendor, clock.now_utc())
                return ledger.usage(audit, vendor.id, day_start_utc)

            return Tools(
                clock=clock,
                artifacts=self._artifacts,
                secrets=self.settings.secrets,
                gate=ContactGate(plan, vendor, clock, usage, reserved),
                browser=self._browser,
                carriers=self,
                mail=self,
                sessions=SessionFolder(self.settings.home / "sessions", vendor.id),
                attendant=self._attendant,
                running=self._running,
            )

        return tools

    def carrier(self, name: str) -> Carrier:
        """Return the carrier of this name.

        Raises:
            UserError: there is none, or it has no credentials.
        """
        if name not in self._carriers:
            if name not in _CARRIERS:
                raise UserError(f'unknown carrier "{name}"', fix=f"use one of: {', '.join(sorted(_CARRIERS))}")
            self._carriers[name] = _CARRIERS[name](self.settings, self._address, self._on_call)
        return self._carriers[name]

    def mailbox(self, name: str) -> Mailbox:
        """Return the mailbox of this name.

        Raises:
            UserError: it is not configured, or its password would travel in clear.
        """
        if name not in self._mailboxes:
            from probes.mail.mailbox import Mailbox
            from probes.mail.watching import Watch

            self._mailboxes[name] = Mailbox(self.settings.mail(name), self._on_mail)
            if self._on_mail is not None:
                self._watches.append(Watch(self._mailboxes[name], self._loop))
                self._watches[-1].start()
        return self._mailboxes[name]

    async def _close(self) -> None:
        await self._running.close()
        for carrier in self._carriers.values():
            await carrier.close()
        if self._address is not None:
            await self._address.close()
        for watch in self._watches:
            watch.stop()
        for mailbox in self._mailboxes.values():
            await mailbox.close()
        await self._browser.close()
        current = asyncio.current_task()
        rest = [task for task in asyncio.all_tasks(self._loop) if task is not current]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)


def _twilio(settings: Settings, address: PublicAddress | None, on_call: Callable[[str], None] | None) -> Carrier:
    from probes.telephony.twilio import TwilioCarrier

    return TwilioCarrier(settings.twilio(), address, on_call)


def _sip(settings: Settings, _address: PublicAddress | None, _on_call: Callable[[str], None] | None) -> Carrier:
    from probes.telephony.sip import SipCarrier

    config = settings.sip()
    if config is None:
        fix = "set it, as trunk.example.com, with HOLDPROOF_SIP_USER and HOLDPROOF_SIP_PASSWORD"
        raise UserError("HOLDPROOF_SIP_SERVER is not set: calls over SIP need a trunk", fix=fix)
    return SipCarrier(config, settings.home / "sip")


_CARRIERS: dict[str, Callable[[Settings, PublicAddress | None, Callable[[str], None] | None], Carrier]] = {
    "sip": _sip,
    "twilio": _twilio,
}
