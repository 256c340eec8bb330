"""Handing a client's candidates to Janus at the right moments.

Owns: `TricklePump`.

Always holds: in order, one at a time, never while Janus negotiates: a candidate that meets an offer of
Janus's, or an offer that Janus works on, is queued in there and forgotten when it was a renegotiation
(janus.md §4.1; `janus.c`, "Still waiting for the answer, queueing this trickle"). The queue is bounded.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from callboard.media.connection import JanusError, JanusGone, JanusTimeout
from callboard.media.janus import Handle

log = logging.getLogger("callboard.media")

MAX_WAITING: Final = 64


class TricklePump:
    """Held from the start. `hold` before Janus negotiates, `release` after."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[dict[str, Any]] = asyncio.Queue(MAX_WAITING)
        self._free = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._handle: Handle | None = None
        self._task = asyncio.create_task(self._run(), name="trickle")

    def put(self, candidate: dict[str, Any]) -> bool:
        """Queue a candidate; `False` when the queue is full and it is dropped."""
        try:
            self._waiting.put_nowait(candidate)
        except asyncio.QueueFull:
            return False
        return True

    async def hold(self) -> None:
        """Send nothing more; returns when nothing is being sent."""
        self._free.clear()
        await self._idle.wait()

    def release(self, handle: Handle) -> None:
        """Send what waits, and what comes, to `handle`."""
        self._handle = handle
        self._free.set()

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        while True:
            candidate = await self._waiting.get()
            await self._free.wait()
            self._idle.clear()
            try:
                if self._handle is not None:
                    await self._handle.trickle(candidate)
            except (JanusError, JanusTimeout, JanusGone) as error:
                log.info("janus did not take a candidate: %s", error)
            finally:
                self._idle.set()
