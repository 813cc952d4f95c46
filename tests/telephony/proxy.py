"""A reverse proxy as many have it: one path of a public address led to a server that knows nothing of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


@asynccontextmanager
async def proxy(to: str, prefix: str, *, cut: bool, adding: str = "") -> AsyncIterator[str]:
    """Lead `prefix` to HOST:PORT, the prefix cut off or kept; everything else is answered with 404.

    `adding` is a header that it adds to every request.
    """
    host, _, port = to.partition(":")

    async def pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        with suppress(OSError):
            sink.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, path, rest = head.split(b" ", 2)
        if not path.startswith(prefix.encode() + b"/"):
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            writer.close()
            return
        if cut:
            path = path[len(prefix) :]
        lines = [line for line in rest.split(b"\r\n") if not line.lower().startswith(b"connection: keep")]
        if adding:
            lines.insert(1, adding.encode())
        back, forth = await asyncio.open_connection(host, int(port))
        forth.write(b" ".join((method, path, b"\r\n".join(lines))))
        await asyncio.gather(pipe(reader, forth), pipe(back, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
