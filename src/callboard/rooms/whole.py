"""Actions that end once they have begun, even if whoever waits for them gives up.

Owns: `Whole`. For what reads, decides and commits under a lock, and then tells a cache: cut short in between, the lock
would be free before the change is durable, and the cache would never hear of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Whole:
    """The actions of one owner that run (the event loop itself keeps only weak references)."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    async def run(self, action: Coroutine[Any, Any, T], alone: asyncio.Lock | None = None) -> T:
        """What the action returns or raises. A cancelled caller does not cancel it; `alone` is held meanwhile."""
        task = asyncio.ensure_future(action if alone is None else _locked(action, alone))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)


async def _locked(action: Coroutine[Any, Any, T], lock: asyncio.Lock) -> T:
    async with lock:
        return await action
