"""Tasks that a peer starts and forgets, none of whose failures is forgotten.

Owns: `Background`.

Always holds: a task that fails makes every later wait on the pulse fail with it; after `stop` no task runs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from callboard.demo.pulse import Pulse

log = logging.getLogger("callboard.demo.background")


class Background:
    """Starts tasks and keeps them until they end. An exception of an `expected` type is no failure."""

    def __init__(self, pulse: Pulse, expected: type[Exception]) -> None:
        self._pulse = pulse
        self._expected = expected
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run `work` beside everything else."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def stop(self) -> None:
        """Cancel all tasks but the one that calls this, and wait for them."""
        others = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (failure := task.exception()) is None:
            return
        if isinstance(failure, self._expected):
            log.info("%s ended: %s", task.get_name(), failure)
        else:
            log.error("%s failed: %r", task.get_name(), failure, exc_info=failure)
            self._pulse.fail(failure)
