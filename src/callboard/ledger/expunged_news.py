"""Events that other nodes took the content out of.

Owns: `ExpungedNews`.

Always holds: what this node holds in memory of such an event (for followers, for deliveries that wait) is replaced when
the notice comes, or at the next look in case it was lost. Each is looked at for a minute, again and again: what was
being read from the database at that moment comes into memory later.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from callboard.clock import NANOSECONDS, Clock
from callboard.database import Database, DatabaseStopped, QueryFailed
from callboard.ledger.ledger import Ledger
from callboard.ledger.records import recorded_row

POLL_SECONDS: Final = 5.0
LOOK_BACK: Final = 120 * NANOSECONDS
"""More than a minute: the clocks of nodes differ."""

log = logging.getLogger("callboard.ledger")


class ExpungedNews:
    """See the module. Used on the event loop's thread only; start and stop it once."""

    def __init__(self, database: Database, ledger: Ledger, clock: Clock) -> None:
        self._database = database
        self._ledger = ledger
        self._clock = clock
        self._news = asyncio.Event()
        self._unsubscribe: Callable[[], None] = lambda: None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look from now on, if nodes share the database."""
        if self._database.shared:
            self._unsubscribe = self._database.on_notice("expunged", self._news.set)
            self._task = asyncio.get_running_loop().create_task(self._look())

    async def stop(self) -> None:
        """Look no more."""
        self._unsubscribe()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _look(self) -> None:
        while True:
            self._news.clear()
            try:
                for row in await self._database.fetch("expunged_since", since=self._clock.now() - LOOK_BACK):
                    self._ledger.replaced(recorded_row(row))
            except (QueryFailed, TimeoutError):
                log.exception("events that other nodes expunged could not be read")
            except DatabaseStopped:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._news.wait()
