"""Steps that must not be cut short.

Owns: `Steady`.

Always holds: a step that was begun runs to its end, also when the task that asked for it is cancelled.
aioice (0.13) loses the sockets that it is opening when gathering is cancelled, or outrun by a close.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

log = logging.getLogger("callboard.demo")


class Steady:
    """Runs steps to their end, and waits for those that run."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    async def run(self, step: Coroutine[Any, Any, T]) -> T:
        """The result of `step`. When the caller is cancelled, `step` goes on, and nobody hears what came of it."""
        task = asyncio.create_task(step)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.debug("a step failed: %s", error)

    async def done(self) -> None:
        """Return when no step runs."""
        while self._running:
            await asyncio.wait(self._running)
