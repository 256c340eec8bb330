"""What is old is forgotten, now and then, for as long as the server runs: events, attempts, and what rules name.

Owns: `Forgetting`: the settings' times, and when to look.

Always holds: nothing waits for it, and what it could not do now it does at the next time. Several nodes on one database
may do it at the same time: each deletes what is there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from callboard.clock import Clock
from callboard.config import Retention as Settings
from callboard.database import Database, DatabaseStopped, QueryFailed
from callboard.ledger.retention import EventRetention, Kept
from callboard.retention import DAY, RULES, Retention, operational
from callboard.webhooks.retention import AttemptRetention, delivered_to_all

_FIRST_SECONDS: Final = 60.0

log = logging.getLogger("callboard.forgetting")


class Forgetting:
    """See the module. Start and stop it once."""

    def __init__(self, database: Database, clock: Clock, settings: Settings) -> None:
        kept = Kept(settings.events_days * DAY, settings.undelivered_days * DAY)
        self.events = EventRetention(database, clock, kept, lambda: delivered_to_all(database))
        self.attempts = AttemptRetention(database, clock, settings.attempts_days * DAY)
        self.others = Retention(database, clock, (*RULES, *operational(kept.events)))
        self._every = settings.every_seconds
        self._task: asyncio.Task[None] | None = None

    def deleted(self) -> dict[str, int]:
        """How many rows went since the start, by what they were; of the events, how many were `expired`."""
        events = self.events.deleted
        return {"events": events.events, "expired": events.expired, "attempts": self.attempts.deleted}

    def start(self) -> None:
        """Look for the first time in a minute."""
        self._task = asyncio.get_running_loop().create_task(self._always(), name="callboard-forgetting")

    async def stop(self) -> None:
        """End; a batch that is being deleted is whole."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _always(self) -> None:
        await asyncio.sleep(min(_FIRST_SECONDS, self._every))
        while True:
            sweeps = {"events": self.events.sweep, "attempts": self.attempts.sweep, "others": self.others.sweep}
            for what, sweep in sweeps.items():
                if not await self._once(what, sweep):
                    return
            await asyncio.sleep(self._every)

    async def _once(self, what: str, sweep: Callable[[], Awaitable[int]]) -> bool:
        """Whether there is a next time."""
        expired = self.events.deleted.expired
        try:
            gone = await sweep()
        except (QueryFailed, TimeoutError) as error:
            log.warning("old %s could not be deleted: %s; trying again in %s s", what, error, self._every)
        except DatabaseStopped:
            log.critical("old %s are not deleted any more: the database has stopped", what)
            return False
        else:
            if gone:
                log.info("%d old rows were deleted (%s)", gone, what)
        if self.events.deleted.expired > expired:
            count = self.events.deleted.expired - expired
            log.warning("%d of the events that were deleted may not have been delivered to every endpoint", count)
        return True
