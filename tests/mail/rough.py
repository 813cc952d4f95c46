"""SMTP servers on loopback that refuse, stay silent or go away, and count what they were given."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from probes.mail.account import Security, Server
from tests.mail.kit import PASSWORD


@dataclass
class Rough:
    """What the server says at each stage; `drop` closes the line there, `silent` says nothing more."""

    sender: str = "250 2.1.0 OK"
    recipient: str = "250 2.1.5 OK"
    data: str = "250 2.0.0 taken in"
    wrong_password: bool = False
    refused_way: str = ""
    tries: int = 0
    taken: list[Envelope] = field(default_factory=list)
    hand_on: Callable[[bytes, str | None, list[str]], None] | None = None

    @property
    def silent(self) -> bool:
        """Whether there is a stage at which it says nothing, so that whoever talks to it waits in vain."""
        return "silent" in (self.sender, self.recipient, self.data)

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, _: Any
    ) -> str:
        envelope.mail_from = address
        return await self._say(self.sender, server)

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, _: Any
    ) -> str:
        envelope.rcpt_tos.append(address)
        return await self._say(self.recipient, server)

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if not self.data.startswith(("4", "5")):
            if self.hand_on is not None and isinstance(envelope.content, bytes):
                await asyncio.to_thread(self.hand_on, envelope.content, envelope.mail_from, envelope.rcpt_tos)
            self.taken.append(envelope)
        return await self._say(self.data, server)

    async def _say(self, words: str, server: SMTP) -> str:
        if words == "drop":
            assert server.transport is not None
            server.transport.abort()
        if words == "silent":
            await asyncio.sleep(60)
        return words

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: LoginPassword
    ) -> AuthResult:
        if mechanism == self.refused_way:
            return AuthResult(success=False, handled=False, message="504 5.5.4 not in this way")
        self.tries += 1
        return AuthResult(success=not self.wrong_password and given.password == PASSWORD.encode(), handled=False)


class _AnyPort(Controller):
    def _trigger_server(self) -> None:  # the port is known only now
        assert self.server is not None
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextmanager
def rough(behaviour: Rough) -> Iterator[Server]:
    """Run a server that behaves so."""
    controller = _AnyPort(
        behaviour,
        hostname="127.0.0.1",
        port=0,
        authenticator=behaviour.authenticate,
        auth_require_tls=False,
        ready_timeout=20.0,
    )
    controller.start()
    try:
        yield Server("127.0.0.1", controller.port, Security.PLAIN)
    finally:
        controller.stop()
