"""Answers that go on for as long as somebody reads them.

Owns: `Streams`: how many there are, and their end when the server stops.

Always holds: no more than `most` at the same time; none keeps the server from stopping; a reader that is slow costs one
event's memory, since the next one is read when the last was taken (`Ledger.follow`, the transport's flow control).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any, Final

from callboard.api.errors import TooMany
from callboard.ledger import Recorded

HEARTBEAT_SECONDS: Final = 15.0
"""Shorter than the idle timeouts of usual proxies (nginx: 60 s)."""
MOST_STREAMS: Final = 200


class Streams:
    """See the module. Used on the event loop's thread only."""

    def __init__(self, most: int = MOST_STREAMS, heartbeat: float = HEARTBEAT_SECONDS) -> None:
        self._most = most
        self._heartbeat = heartbeat
        self._stopping = asyncio.Event()
        self.open = 0

    def stop(self) -> None:
        """End all that are open, soon."""
        self._stopping.set()

    def counted(self, pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        """The same pieces, counted as one stream as long as they are read. Raises `TooMany`."""
        if self.open >= self._most:
            raise TooMany(f"{self._most} streams are open already: close one, or poll /v2/events", 5)
        return self._counted(pieces)

    async def _counted(self, pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        self.open += 1
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    yield piece
        finally:
            self.open -= 1

    async def live(
        self, events: AsyncGenerator[Recorded, None], written: Callable[[Recorded], bytes], idle: bytes
    ) -> AsyncGenerator[bytes, None]:
        """Each event as it is `written`, and `idle` whenever there was none for a while, until the server stops."""
        async with aclosing(events):
            yield idle  # what stands between us and the reader passes the headers on with it
            stopping = asyncio.ensure_future(self._stopping.wait())
            pending = asyncio.ensure_future(anext(events))
            waiting: set[asyncio.Future[Any]] = {stopping, pending}
            try:
                while not stopping.done():
                    await asyncio.wait(waiting, timeout=self._heartbeat, return_when=asyncio.FIRST_COMPLETED)
                    if not pending.done():
                        yield idle
                        continue
                    event = pending.result()
                    yield written(event)
                    waiting.discard(pending)
                    pending = asyncio.ensure_future(anext(events))
                    waiting.add(pending)
            finally:  # before `events` is closed: it must not be running then
                for task in waiting:
                    task.cancel()
                await asyncio.gather(*waiting, return_exceptions=True)
