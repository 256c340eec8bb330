"""A port of its own for `/metrics`, without a token: for the scraper of a network that nobody else reaches.

Owns: `serving`.

Always holds: it answers `GET /metrics` and, where there is no other port for them, `/healthz` and `/readyz`, and
nothing else; reads `MOST_HEAD` bytes of a request at most, and gives each `SECONDS`. One connection, one answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Final, Protocol

import msgspec

from callboard.metrics.exposition import CONTENT_TYPE
from callboard.readiness import ALIVE, Checks, Health, readiness

MOST_HEAD: Final = 8192
MOST_CONNECTIONS: Final = 16
SECONDS: Final = 10.0


class Source(Protocol):
    """What is served."""

    async def text(self) -> str:
        """Everything, as Prometheus reads it."""
        ...


Answer = tuple[int, str | bytes, str]
"""Status, body, and its type."""


@asynccontextmanager
async def serving(
    host: str, port: int, source: Source, *, setting: str = "metrics.host, metrics.port", checks: Checks | None = None
) -> AsyncIterator[int]:
    """Serve while the context is open; it is the port. With `checks`, health is told too.

    Raises `OSError` for an address that cannot be had; it names the `setting`.
    """
    free = asyncio.Semaphore(MOST_CONNECTIONS)
    pages = _pages(source, checks)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(SECONDS), free:
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(_response(*await _answer(head, pages)))
                await writer.drain()
        writer.close()

    try:
        server = await asyncio.start_server(answer, host, port, limit=MOST_HEAD)
    except OSError as error:
        raise OSError(error.errno, f"cannot listen on {host} port {port} ({setting}): {error}") from None
    async with server:
        yield server.sockets[0].getsockname()[1]


def _pages(source: Source, checks: Checks | None) -> dict[bytes, Callable[[], Awaitable[Answer]]]:
    """By path."""

    async def metrics() -> Answer:
        return 200, await source.text(), CONTENT_TYPE

    async def healthz() -> Answer:
        return _told(200, ALIVE)

    async def readyz() -> Answer:
        return _told(*readiness(checks or {}))

    told = {b"/healthz": healthz, b"/readyz": readyz} if checks is not None else {}
    return {b"/metrics": metrics, **told}


def _told(status: int, health: Health) -> Answer:
    return status, msgspec.json.encode(health), "application/json"


async def _answer(head: bytes, pages: dict[bytes, Callable[[], Awaitable[Answer]]]) -> Answer:
    method, _, rest = head.partition(b" ")
    page = pages.get(rest.partition(b" ")[0].partition(b"?")[0])
    if page is None:
        return 404, f"there is only {', '.join(path.decode() for path in pages)}\n", "text/plain"
    if method != b"GET":
        return 405, "only GET\n", "text/plain"
    return await page()


def _response(status: int, text: str | bytes, content_type: str) -> bytes:
    body = text if isinstance(text, bytes) else text.encode()
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
        f"content-type: {content_type}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body
