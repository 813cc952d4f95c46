"""Asking the provider's API: once, or again while it is too busy, with errors that a person can read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import httpx
from twilio.rest import Client

from probes.errors import AuditError, Unavailable
from probes.telephony.twilio_config import TwilioConfig
from probes.telephony.twilio_errors import ProviderError, explained
from probes.telephony.twilio_http import Transport, last_body

ResultT = TypeVar("ResultT")


class Api:
    """The provider's own package over our transport."""

    def __init__(self, config: TwilioConfig) -> None:
        self.config = config
        self.transport = Transport(config)
        # The package reads credentials, edge and region from the environment unless it is given one.
        self.client = Client(
            config.username, config.password, config.account_sid, http_client=self.transport, environment={"": ""}
        )

    async def ask(self, call: Awaitable[object]) -> bytes:
        """Ask once; return the answer as it came."""
        await call
        return last_body.get()

    async def read(self, call: Callable[[], Awaitable[object]], doing: str) -> bytes:
        """Ask for something that has no effect, again while the provider is too busy.

        Raises:
            AuditError: what went wrong, and how to mend it.
        """
        try:
            return await self.retried(call)
        except ProviderError as exc:
            raise explained(exc, doing) from None
        except (httpx.HTTPError, TimeoutError) as exc:
            raise self.unreachable(doing, exc) from exc

    async def retried(self, call: Callable[[], Awaitable[object]]) -> bytes:
        """Ask again while the provider is too busy; raises what the transport raises."""
        return await self.backed_off(lambda: self.ask(call()))

    async def backed_off(self, call: Callable[[], Awaitable[ResultT]]) -> ResultT:
        """Repeat what has no effect (or the same effect) while the carrier says that it is too busy."""
        for wait_s in self.config.backoff_s:
            try:
                return await call()
            except ProviderError as exc:
                if exc.status not in (429, 503):
                    raise
            await asyncio.sleep(wait_s)
        return await call()

    async def close(self) -> None:
        """Close the connections."""
        await self.transport.close()

    def unreachable(self, doing: str, exc: Exception) -> AuditError:
        """Return the error for a request that got no answer."""
        return Unavailable(
            f"{doing}: {self.config.api_base_url} gives no answer ({said(exc)})",
            fix="check the network and the carrier's address",
        )


def said(exc: Exception) -> str:
    """Return what an exception says, its name at least."""
    return f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__
