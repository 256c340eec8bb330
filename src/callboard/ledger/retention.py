"""Forgetting old events, cheaply.

Owns: `EventRetention`, `Kept`.

Always holds: events go in the order of their positions, the oldest first, so what is left has no hole. They go in small
batches with rests between them, so that a commit waits for one batch at most. The newest event stays, however old it
is: positions go on from it. The `seq` of a stream goes on, too (`stream` keeps it).

The rule. An event is kept for `events` seconds. One that an endpoint has not had yet (it is down, paused, or disabled)
is kept up to `undelivered` seconds longer; then it goes all the same, and is counted as expired.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from callboard.clock import NANOSECONDS, Clock
from callboard.database import Database, Delete, Unit
from callboard.database.interface import DatabaseBusy
from callboard.database.tables import EVENT
from callboard.ledger.moments import SKEW, last_before

BATCH: Final = 200
"""Rows of one transaction."""
REST: Final = 4.0
"""After each batch, so many times as long as it took: at most a fifth of the writer's time is spent on this."""


@dataclass(frozen=True, slots=True)
class Kept:
    """For how long, in seconds; 0 is for ever."""

    events: float
    undelivered: float


@dataclass(slots=True)
class Deleted:
    """How many events went since the start, and how many of these an endpoint may not have had."""

    events: int = 0
    expired: int = 0


class EventRetention:
    """See the module. `delivered` says up to which position every endpoint has had everything."""

    def __init__(self, database: Database, clock: Clock, kept: Kept, delivered: Callable[[], Awaitable[int]]) -> None:
        self._database = database
        self._clock = clock
        self._kept = kept
        self._delivered = delivered
        self.deleted = Deleted()

    async def sweep(self) -> int:
        """Delete what is too old now; return how many. Raises as `Database.fetch` and `Database.commit`."""
        if not self._kept.events:
            return 0
        delivered = await self._delivered()
        upto = await self._upto(delivered)
        gone = 0
        while rows := await self._database.fetch("event_positions_up_to", position=upto, limit=BATCH):
            positions = [int(str(position)) for (position,) in rows]
            await in_peace(self._database, Unit(tuple(Delete(EVENT, (position,)) for position in positions)))
            gone += len(positions)
            self.deleted.events += len(positions)
            self.deleted.expired += sum(position > delivered for position in positions)
        return gone

    async def _upto(self, delivered: int) -> int:
        """The last position that is to go."""
        now = self._clock.now()
        old = await self._before(now - int(self._kept.events * NANOSECONDS))
        older = await self._before(now - int((self._kept.events + self._kept.undelivered) * NANOSECONDS))
        ((newest,),) = await self._database.fetch("highest_position")
        return min(max(min(old, delivered), older), int(str(newest)) - 1)

    async def _before(self, instant: int) -> int:
        # Events that several nodes committed at about the same time are not in the order of their clocks.
        return await last_before(self._database, instant - SKEW)


async def in_peace(database: Database, unit: Unit) -> None:
    """Commit what is in no hurry, and rest for as long as is fair. Raises as `Database.commit`."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    while True:
        try:
            await database.commit(unit)
        except DatabaseBusy:
            await asyncio.sleep(1.0)
        else:
            break
    await asyncio.sleep(min((loop.time() - started) * REST, 5.0))
