"""Looking again whenever another node has changed a table.

Owns: `TableNews`.

Always holds: it is looked when a notice comes, and now and then in case one was lost. A look that fails is logged, and
followed by the next one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from callboard.database.interface import Database, DatabaseStopped, QueryFailed

POLL_SECONDS: Final = 5.0
"""How late a change is seen when its notice was lost."""

log = logging.getLogger("callboard.database")


class TableNews:
    """See the module. Used on the event loop's thread only. Who inherits it says what looking is."""

    def __init__(self, database: Database, table: str) -> None:
        """`table` is one of `notices.ANNOUNCED`."""
        self._database = database
        self._table = table
        self._news = asyncio.Event()
        self._unsubscribe: Callable[[], None] = lambda: None
        self._task: asyncio.Task[None] | None = None

    async def look(self) -> None:
        """Take in what is new. May raise what `Database.fetch` raises."""
        raise NotImplementedError

    def start(self) -> None:
        """Look from now on."""
        self._unsubscribe = self._database.on_notice(self._table, self._news.set)
        self._task = asyncio.get_running_loop().create_task(self._always())

    async def stop(self) -> None:
        """Look no more. Idempotent."""
        self._unsubscribe()
        self._unsubscribe = lambda: None
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _always(self) -> None:
        while True:
            self._news.clear()
            try:
                await self.look()
            except (QueryFailed, TimeoutError):
                log.exception("what other nodes changed in %s could not be read", self._table)
            except DatabaseStopped:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._news.wait()
