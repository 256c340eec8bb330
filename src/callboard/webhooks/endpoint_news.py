"""Endpoints that other nodes create, change and delete.

Owns: `EndpointNews`.

Always holds: they are looked at when a notice comes, and now and then in case one was lost.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from callboard.database import Database, DatabaseStopped
from callboard.database.interface import QueryFailed
from callboard.webhooks.endpoints import Endpoints
from callboard.webhooks.vault import VaultError

POLL_SECONDS = 5.0
"""How late a change is seen when its notice was lost."""

log = logging.getLogger("callboard.webhooks")


class EndpointNews:
    """See the module. Used on the event loop's thread only."""

    def __init__(self, database: Database, endpoints: Endpoints) -> None:
        self._endpoints = endpoints
        self._database = database
        self._news = asyncio.Event()
        self._unsubscribe: Callable[[], None] = lambda: None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look from now on."""
        self._unsubscribe = self._database.on_notice("endpoint", self._news.set)
        self._task = asyncio.get_running_loop().create_task(self._look())

    async def stop(self) -> None:
        """Look no more. Idempotent."""
        self._unsubscribe()
        self._unsubscribe = lambda: None
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _look(self) -> None:
        while True:
            self._news.clear()
            try:
                await self._endpoints.refresh()
            except (QueryFailed, TimeoutError, VaultError):
                log.exception("endpoints that other nodes changed could not be read")
            except DatabaseStopped:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._news.wait()
