"""What probes touch the world with, built once per worker: browser, carriers, store, secrets, and the gate."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

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

T = TypeVar("T")


class Workshop:
    """A thread with an event loop of its own, in which all probes of a worker work, and nothing else does: neither
    the durable engine nor the ledger ever holds them up, nor they those.
    """

    def __init__(self, settings: Settings, *, alone: bool = True) -> None:
        self.settings = settings
        self._running = RunningContacts(alone=alone)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="probes", daemon=True)
        self._browser = ChromiumSource(str(settings.browser) if settings.browser else None)
        self._carriers: dict[str, Carrier] = {}
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
                sessions=SessionFolder(self.settings.home / "sessions", vendor.id),
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
            self._carriers[name] = _CARRIERS[name](self.settings)
        return self._carriers[name]

    async def _close(self) -> None:
        await self._running.close()
        for carrier in self._carriers.values():
            await carrier.close()
        await self._browser.close()
        current = asyncio.current_task()
        rest = [task for task in asyncio.all_tasks(self._loop) if task is not current]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)


def _twilio(settings: Settings) -> Carrier:
    from probes.telephony.twilio import TwilioCarrier
    from probes.telephony.twilio_config import API_URL, TwilioConfig

    found = settings.carrier("twilio")
    config = TwilioConfig(
        account_sid=found.account_sid or "",
        auth_token=found.auth_token.reveal() if found.auth_token else "",
        api_key=found.api_key or "",
        api_secret=found.api_secret.reveal() if found.api_secret else "",
        api_base_url=found.base_url or API_URL,
        insights_base_url=found.insights_base_url,
        allow_plain_http=settings.allow_plain_http,
    )
    return TwilioCarrier(config)


_CARRIERS: dict[str, Callable[[Settings], Carrier]] = {"twilio": _twilio}
