"""The whole practice vendor on loopback ports: portal, telephone exchange, insights, one truth file and one clock."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

from probes.clock import Clock
from probes.errors import UserError
from probes.practice.character import CHARACTERS, Phone, telephones
from probes.practice.chat import ChatPages
from probes.practice.exchange import Account, Exchange
from probes.practice.insights import insights_app
from probes.practice.portal import portal_app
from probes.practice.rest import rest_app
from probes.practice.switches import Switches
from probes.practice.truth import Truth
from probes.web_server import Serving
from probes.web_server import serve as serve_app

TRUTH_FILE = "truth.jsonl"
CUSTOMER = "40718263"  # what the plans of practice characters key in at an identification gate


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the practice vendor is reached. `portal` and `chat` are None where it has none; `phone` is its number."""

    portal: str | None
    chat: str | None
    exchange: str
    insights: str
    phone: str | None
    caller_id: str


class PracticeVendor:
    """A vendor to practise on, as an async context manager.

    `home` keeps the truth file, made voices and music, and recordings. `character` is the vendor played; its portal and
    its telephone are there, and so are the telephones of all other characters under their own numbers.
    """

    def __init__(
        self,
        home: Path,
        clock: Clock,
        *,
        character: str = "everyday",
        folders: tuple[Path, ...] = (CHARACTERS,),
        account: Account | None = None,
        switches: Switches | None = None,
        port: int = 0,
    ) -> None:
        self.home, self.clock, self.character = home, clock, character
        home.mkdir(parents=True, exist_ok=True)
        self.truth = Truth(home / TRUTH_FILE)
        self._folder = next((folder / character for folder in folders if (folder / character).is_dir()), None)
        if self._folder is None:
            names = sorted(path.name for folder in folders for path in folder.iterdir() if path.is_dir())
            raise UserError(f'no practice character is called "{character}"', fix=f"use one of: {', '.join(names)}")
        self._telephones = telephones(folders)
        self.exchange = Exchange(home, clock, self._telephones, self.truth, account=account, switches=switches)
        self._first_port = port
        self._serving: list[Serving] = []
        self._portal: str | None = None
        self._chat: str | None = None
        self._chat_pages: ChatPages | None = None
        self._urls: dict[str, str] = {}

    async def __aenter__(self) -> PracticeVendor:
        await asyncio.to_thread(self.exchange.warm_up, self.character)
        self._urls["exchange"] = await self._serve(rest_app(self.exchange), self._port(0))
        self._urls["insights"] = await self._serve(insights_app(self.exchange), self._port(1))
        if (app := self._portal_app()) is not None:
            self._portal = await self._serve(app, self._port(2))
        assert self._folder is not None
        if (self._folder / "chat.yaml").exists():
            self._chat_pages = ChatPages(self.clock, self._folder, self.truth)
            self._chat = await self._serve(self._chat_pages.app(), self._port(3))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._chat_pages is not None:
            await self._chat_pages.close()
        await asyncio.gather(*(serving.close() for serving in self._serving))
        await self.exchange.close()

    @property
    def addresses(self) -> Addresses:
        """Where everything is, once started."""
        phone = next((number for number, (name, _) in self._telephones.items() if name == self.character), None)
        caller = min(self.exchange.account.callers)
        return Addresses(self._portal, self._chat, self._urls["exchange"], self._urls["insights"], phone, caller)

    def number_of(self, character: str) -> str:
        """Return the telephone number of a character; KeyError if it has none."""
        return {name: number for number, (name, _) in self._telephones.items()}[character]

    def phone_of(self, character: str) -> Phone:
        """Return the telephone of a character; KeyError if it has none."""
        return dict(self._telephones.values())[character]

    def settings(self) -> dict[str, str]:
        """Return the environment with which the product reaches this vendor instead of the real provider."""
        return {
            "HOLDPROOF_TWILIO_ACCOUNT_SID": self.exchange.account.sid,
            "HOLDPROOF_TWILIO_AUTH_TOKEN": self.exchange.account.token,
            "HOLDPROOF_TWILIO_BASE_URL": self._urls["exchange"],
            "HOLDPROOF_TWILIO_INSIGHTS_BASE_URL": self._urls["insights"],
            "HOLDPROOF_PRACTICE_CUSTOMER": CUSTOMER,
        }

    def write_plans(self, path: Path) -> None:
        """Write the character's plan to `path`, and beside it the other plans that it has (chat-plan.yaml).

        Raises:
            UserError: as `write_plan`.
        """
        assert self._folder is not None
        self.write_plan(path)
        for other in sorted(self._folder.glob("*-plan.yaml")):
            self.write_plan(path.with_name(other.name), other.name)

    def write_plan(self, path: Path, name: str = "plan.yaml") -> None:
        """Write a plan of the character's for the product, with this vendor's addresses, numbers and clock in it.

        Raises:
            UserError: the character has no plan, or its plan needs a portal and there is none.
        """
        assert self._folder is not None
        template = self._folder / name
        if not template.exists():
            raise UserError(f'the practice character "{self.character}" has no plan', fix="choose another, as everyday")
        addresses = self.addresses
        known = {
            "portal": addresses.portal,
            "chat": addresses.chat,
            "phone": addresses.phone,
            "caller": addresses.caller_id,
            "factor": f"{self.clock.factor:g}",
            "origin": self.clock.origin_utc.isoformat(),
            "until": (self.clock.now_utc() + timedelta(days=90)).date().isoformat(),
        }
        text = template.read_text(encoding="utf-8")
        for name, value in known.items():
            if value is None and f"<<{name}>>" in text:
                raise UserError(f'the plan of "{self.character}" needs a {name}, and this vendor has none')
            text = text.replace(f"<<{name}>>", value or "")
        path.write_text(text, encoding="utf-8")

    def _port(self, offset: int) -> int:
        return self._first_port + offset if self._first_port else 0

    def _portal_app(self) -> Any | None:
        """Return the portal of the character, where it has one."""
        assert self._folder is not None
        if not (self._folder / "portal.yaml").exists():
            return None
        return portal_app(self.clock, self._folder, self.truth, secret=secrets.token_hex(16))

    async def _serve(self, app: Any, port: int) -> str:
        """Serve an application on a loopback port and return its address."""
        serving = await serve_app(app, "127.0.0.1", port)
        self._serving.append(serving)
        return f"http://127.0.0.1:{serving.port}"


def serve(home: Path, clock: Clock, on_ready: Callable[[PracticeVendor], None], **options: Any) -> None:
    """Run a practice vendor until the process is interrupted; `on_ready` is called once it can be reached."""

    async def run() -> None:
        async with PracticeVendor(home, clock, **options) as vendor:
            on_ready(vendor)
            await asyncio.Event().wait()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run())


@contextlib.contextmanager
def in_background(home: Path, clock: Clock, **options: Any) -> Iterator[PracticeVendor]:
    """Run a practice vendor in a thread of its own for the length of a block, so that the product is not held up by it.

    Raises:
        UserError, Unavailable: it could not be started.
    """
    started: queue.SimpleQueue[PracticeVendor | BaseException] = queue.SimpleQueue()
    loop = asyncio.new_event_loop()
    stopping = asyncio.Event()

    async def run() -> None:
        try:
            async with PracticeVendor(home, clock, **options) as vendor:
                started.put(vendor)
                await stopping.wait()
        except BaseException as exc:
            started.put(exc)

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()), name="practice vendor", daemon=True)
    thread.start()
    try:
        first = started.get()
        if isinstance(first, BaseException):
            raise first
        yield first
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join(timeout=10)
        if not thread.is_alive():
            loop.close()
