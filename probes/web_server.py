"""A small web server inside somebody else's event loop: an ASGI application on a socket of its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import uvicorn

from probes.errors import UserError

_GRACE_S = 2


class _Server(uvicorn.Server):
    """A server in somebody else's process: it leaves the signals alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass(frozen=True, slots=True)
class Serving:
    """A running server; `port` is the one that it got."""

    host: str
    port: int
    _server: _Server
    _task: asyncio.Task[None]

    async def close(self) -> None:
        """Stop serving; requests under way have two seconds to end."""
        self._server.should_exit = True
        await asyncio.gather(self._task, return_exceptions=True)


async def serve(app: Any, host: str, port: int) -> Serving:
    """Serve an application; port 0 takes any free one.

    Raises:
        UserError: the port is taken, or the host is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as exc:
        sock.close()
        raise UserError(f"cannot listen on {host}:{port}: {exc.strerror}", fix="choose another port") from exc
    config = uvicorn.Config(
        app,
        log_level="warning",
        interface="asgi3",
        lifespan="off",
        access_log=False,  # addresses of ours hold keys
        proxy_headers=False,
        server_header=False,
        ws_max_size=64 * 1024,
        ws_max_queue=1024,
        ws_ping_interval=None,  # not every sender answers; whoever reads a socket knows when it is dead
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=_GRACE_S,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[sock]))
    while not server.started:
        if task.done():
            await task
        await asyncio.sleep(0.01)
    return Serving(host, sock.getsockname()[1], server, task)
