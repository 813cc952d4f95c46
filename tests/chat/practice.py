"""The chat of a practice character on a loopback port, with its truth."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from probes.clock import Clock
from probes.practice.character import CHARACTERS
from probes.practice.chat import ChatPages
from probes.practice.truth import Fact, Truth


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass(frozen=True)
class PracticeChat:
    url: str
    truth: Truth

    def facts(self, *kinds: str) -> list[Fact]:
        return list(self.truth.read(*kinds))


@contextmanager
def practice_chat(character: str, clock: Clock, home: Path) -> Iterator[PracticeChat]:
    """Serve a character's chat from a thread of its own."""
    home.mkdir(parents=True, exist_ok=True)
    truth = Truth(home / "truth.jsonl")
    started: list[_Server] = []
    ready, stopping = threading.Event(), threading.Event()

    async def run() -> None:
        pages = ChatPages(clock, CHARACTERS / character, truth)
        config = uvicorn.Config(pages.app(), port=0, log_level="warning", lifespan="off", timeout_graceful_shutdown=1)
        server = _Server(config)
        task = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110  (the server offers no event)
            await asyncio.sleep(0.01)
        started.append(server)
        ready.set()
        await asyncio.to_thread(stopping.wait)
        await pages.close()
        server.should_exit = True
        await task

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    assert ready.wait(20)
    port = started[0].servers[0].sockets[0].getsockname()[1]
    try:
        yield PracticeChat(f"http://127.0.0.1:{port}/", truth)
    finally:
        stopping.set()
        thread.join(10)
