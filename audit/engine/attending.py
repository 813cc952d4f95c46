"""A person at the browser's window: asked to pass what keeps machines out, and waited for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

_ASK_AGAIN_S = 1.0


@dataclass(frozen=True)
class PersonAtWindow:
    """Waits real time for a person to pass a wall (see `probes.model.Attendant`); asks for one thing at a time."""

    say: Callable[[str], None]
    patience_s: float = 900.0
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def take_over(self, what: str, url: str, done: Callable[[], Awaitable[bool]]) -> bool:
        """Ask the person to pass `what`, and return whether `done` came true in time."""
        async with self._one:
            self.say(f"{what} at {url}: please pass it in the browser window; waiting {self.patience_s / 60:g} min")
            begun_s = time.monotonic()
            while time.monotonic() - begun_s < self.patience_s:
                if await done():
                    self.say("thank you; going on by ourselves")
                    return True
                await asyncio.sleep(_ASK_AGAIN_S)
            self.say(f"nobody passed {what}; the contact is given up as ours")
            return False
