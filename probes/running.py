"""Contacts that go on while nothing looks at them: a chat, a live call.

The engine's ticks are short. A probe's `submit` starts such a contact here, `collect` reports what it has seen since,
and `abandon` ends it. A contact lives in the process that started it and dies with it; another process can tell
only that it is not there, and the probe then finds out what became of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from probes.errors import Failure, FailureKind, Side
from probes.events import ContactOutcome
from probes.model import Seen, Sighting

_MOST_ENDED = 500


@dataclass(slots=True)
class RunningContact:
    """One contact under way: what it has seen so far, in order, and when it is over what it gave.

    `handle` is what a later look would need by now; the contact's own work keeps it up to date.
    """

    key: str
    sightings: list[Sighting] = field(default_factory=list)
    handle: Any = None
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[Seen] | None = None

    def saw(self, *sightings: Sighting) -> None:
        """Add what was seen."""
        self.sightings.extend(sightings)
        self.changed.set()

    @property
    def ended(self) -> Seen | None:
        """What the contact's work gave at its end, with its outcome; None while it goes on.

        Raises:
            Exception: whatever its work raised.
        """
        if self.task is None or not self.task.done():
            return None
        if self.task.cancelled():
            failure = Failure(FailureKind.INTERRUPTED, Side.OURS, self.key, "it was cut off")
            return Seen(handle=self.handle, outcome=ContactOutcome.UNKNOWN, failure=failure)
        return self.task.result()

    async def news(self, told: int, patience_s: float) -> tuple[Sighting, ...]:
        """Return what was seen after the first `told` sightings; waits for it a little (real seconds)."""
        if len(self.sightings) <= told and not (self.task is not None and self.task.done()):
            self.changed.clear()
            waiting = asyncio.ensure_future(self.changed.wait())
            try:
                done = {waiting} if self.task is None else {waiting, self.task}
                await asyncio.wait(done, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
            finally:
                waiting.cancel()
        return tuple(self.sightings[told:])

    async def end(self, patience_s: float) -> None:
        """Ask the contact to end by itself, and after a while (real seconds) cut it off."""
        self.stopping.set()
        if self.task is None:
            return
        await asyncio.wait({self.task}, timeout=patience_s)
        if not self.task.done():
            self.task.cancel()
            await asyncio.wait({self.task}, timeout=patience_s)


class RunningContacts:
    """All contacts under way in this process, by a key of the probe's. Used within one event loop.

    `alone`: no other process can hold a contact that is not here, so that it is lost.
    """

    def __init__(self, *, alone: bool = True) -> None:
        self.alone = alone
        self._contacts: dict[str, RunningContact] = {}

    def start(
        self, key: str, handle: Any, work: Callable[[RunningContact], Coroutine[Any, Any, Seen]]
    ) -> RunningContact:
        """Start a contact's work. The one that had this key before must have ended.

        What it saw stays here after its end, so that a report which could not be stored is given again.
        """
        earlier = self._contacts.pop(key, None)
        if earlier is not None and earlier.task is not None and not earlier.task.done():
            self._contacts[key] = earlier
            raise RuntimeError(f"{key} is under way already")
        contact = RunningContact(key, handle=handle)
        contact.task = asyncio.get_running_loop().create_task(work(contact), name=f"contact {key}")
        self._contacts[key] = contact
        self._forget_oldest()
        return contact

    def find(self, key: str) -> RunningContact | None:
        """Return the contact of this key, over or not; None if this process holds none."""
        return self._contacts.get(key)

    async def close(self, patience_s: float = 5.0) -> None:
        """End everything that is under way, because this process ends."""
        await asyncio.gather(*(contact.end(patience_s) for contact in self._contacts.values()))
        for contact in self._contacts.values():
            if contact.task is not None and contact.task.done() and not contact.task.cancelled():
                contact.task.exception()  # looked at, so that nobody warns of it
        self._contacts.clear()

    def _forget_oldest(self) -> None:
        over = [key for key, each in self._contacts.items() if each.task is not None and each.task.done()]
        for key in over[: max(0, len(over) - _MOST_ENDED)]:
            del self._contacts[key]
