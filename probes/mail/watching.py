"""Waits on a mailbox, so that an answer is seen when it comes and not at the next look: IDLE, or a glance now and then.

On a connection and in a thread of its own. It reads nothing itself: it lets the mailbox take in what is new, and the
mailbox tells which cases that concerns.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Any, TypeVar

from probes.errors import AuditError
from probes.mail.imap import Connection, MailboxFailed
from probes.mail.mailbox import Mailbox

T = TypeVar("T")

# Servers end a connection that idles for half an hour; shorter turns also see what came into further folders.
IDLE_S, GLANCE_S = 240.0, 60.0
_SOONEST_S, _RAREST_S = 5.0, 300.0


class Watch:
    """Watches a mailbox from `start` to `stop`. Trouble is waited out: looks go on without it."""

    def __init__(self, box: Mailbox, loop: asyncio.AbstractEventLoop) -> None:
        self._box, self._loop = box, loop
        self._over = threading.Event()
        self._connection: Connection | None = None
        self.idles = False  # whether it has begun to wait on a server that tells of new mail
        self._thread = threading.Thread(target=self._run, name=f"mail-{box.account.name or 'main'}", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no longer; returns at once."""
        self._over.set()
        if self._connection is not None:
            self._connection.cut_off()

    def _run(self) -> None:
        pause_s = _SOONEST_S
        while not self._over.is_set():
            began_s = time.monotonic()
            with suppress(MailboxFailed, AuditError, RuntimeError, CancelledError):
                self._watch()
            # A connection that lasted was sound: the next one is not put off.
            pause_s = _SOONEST_S if time.monotonic() - began_s > _RAREST_S else min(_RAREST_S, pause_s * 2)
            self._over.wait(pause_s)

    def _watch(self) -> None:
        self._connection = connection = self._in_loop(self._box.connect())
        try:
            connection.select(self._box.account.folders[0])
            self._in_loop(self._box.refresh_known())
            while not self._over.is_set():
                if not connection.can_idle:
                    self._over.wait(GLANCE_S)
                else:
                    self.idles = True
                    connection.idle(IDLE_S)
                if not self._over.is_set():
                    self._in_loop(self._box.refresh_known())
        finally:
            self._connection = None
            connection.close()

    def _in_loop(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()
