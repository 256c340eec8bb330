"""A port of its own for `/metrics`, without a token: for the scraper of a network that nobody else reaches.

Owns: `serving`.

Always holds: it answers `GET /metrics` and nothing else, reads `MOST_HEAD` bytes of a request at most, and gives each
`SECONDS`. One connection, one answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final, Protocol

from callboard.metrics.exposition import CONTENT_TYPE

MOST_HEAD: Final = 8192
MOST_CONNECTIONS: Final = 16
SECONDS: Final = 10.0


class Source(Protocol):
    """What is served."""

    async def text(self) -> str:
        """Everything, as Prometheus reads it."""
        ...


@asynccontextmanager
async def serving(host: str, port: int, source: Source) -> AsyncIterator[int]:
    """Serve while the context is open; it is the port. Raises `OSError` for an address that cannot be had."""
    free = asyncio.Semaphore(MOST_CONNECTIONS)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(SECONDS), free:
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(await _answer(head, source))
                await writer.drain()
        writer.close()

    try:
        server = await asyncio.start_server(answer, host, port, limit=MOST_HEAD)
    except OSError as error:
        place = f"cannot listen on {host} port {port} (metrics.host, metrics.port)"
        raise OSError(error.errno, f"{place}: {error}") from None
    async with server:
        yield server.sockets[0].getsockname()[1]


async def _answer(head: bytes, source: Source) -> bytes:
    method, _, rest = head.partition(b" ")
    path = rest.partition(b" ")[0].partition(b"?")[0]
    if path != b"/metrics":
        return _response("404 Not Found", "there is only /metrics\n", "text/plain")
    if method != b"GET":
        return _response("405 Method Not Allowed", "only GET\n", "text/plain")
    return _response("200 OK", await source.text(), CONTENT_TYPE)


def _response(status: str, text: str, content_type: str) -> bytes:
    body = text.encode()
    head = (
        f"HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body
