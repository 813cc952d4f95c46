"""A very small IMAP server on loopback with one mail, which signs in by tokens, and can be silent, wrong or gone."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from probes.mail.account import Security, Server


@dataclass
class SmallImap:
    """`token` is what it lets in. `upset` is a command at which it does what `how` says: silent, drop or nonsense."""

    mail: bytes
    token: str = "good"
    capability: str = "IMAP4rev1 AUTH=XOAUTH2"
    upset: str = ""
    how: str = ""
    said: list[str] = field(default_factory=list)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(b"* OK ready\r\n")
            while line := await reader.readline():
                tag, _, command = line.decode().strip().partition(" ")
                self.said.append(command)
                if self.upset and command.startswith(self.upset):
                    if self.how == "silent":
                        await asyncio.sleep(30)
                    if self.how == "drop":
                        return
                    writer.write(b"* 1 FETCH (UID one BODY[] {5}\r\n\xff\xfe\r\n)\r\n\x00\r\n* SEARCH x y\r\n")
                await self._answer(tag, command, reader, writer)
                await writer.drain()
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _answer(self, tag: str, command: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(text: str, raw: bytes = b"") -> None:
            writer.write(text.encode() + raw)

        word = command.split()[0].upper() if command.split() else ""
        if word == "AUTHENTICATE":
            say("+ \r\n")
            given = base64.b64decode(await reader.readline()).decode()
            self.said.append(given)
            if f"auth=Bearer {self.token}\x01\x01" not in given:
                say("+ eyJzdGF0dXMiOiI0MDEifQ==\r\n")
                await reader.readline()
                say(f"{tag} NO no\r\n")
                return
        elif word == "CAPABILITY":
            say(f"* CAPABILITY {self.capability}\r\n")
        elif word in ("SELECT", "EXAMINE"):
            say("* 1 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n")
        elif command.upper().startswith("UID SEARCH"):
            say("* SEARCH 5\r\n")
        elif command.upper().startswith("UID FETCH"):
            whole = "BODY.PEEK[]" in command
            raw = self.mail if whole else self.mail.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
            name = "BODY[]<0>" if whole else "BODY[HEADER]<0>"
            # Some servers say the rest after the literal.
            say(f"* 1 FETCH ({name} {{{len(raw)}}}\r\n", raw)
            say(f' UID 5 INTERNALDATE "26-Nov-2026 10:00:00 +0100" RFC822.SIZE {len(self.mail)})\r\n')
        elif word == "LOGOUT":
            say("* BYE\r\n")
        say(f"{tag} OK done\r\n")


@asynccontextmanager
async def small_imap(behaviour: SmallImap, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Run a server that behaves so."""
    server = await asyncio.start_server(behaviour.talk, "127.0.0.1", 0, ssl=tls)
    security = Security.PLAIN if tls is None else Security.TLS
    try:
        yield Server("127.0.0.1", server.sockets[0].getsockname()[1], security)
    finally:
        server.close()
