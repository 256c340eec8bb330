"""Forgetting old attempts, old replays, and what is parked of events that are gone.

Owns: `AttemptRetention`, `delivered_to_all`.

Always holds: as for events (`ledger/retention.py`): small batches, with rests between them.
"""

from __future__ import annotations

from collections.abc import Iterable

from callboard.clock import NANOSECONDS, Clock
from callboard.database import Database, Delete, Row, Unit
from callboard.database.tables import ATTEMPT, PARKED_EVENT, REPLAY, REPLAY_PART
from callboard.ledger.records import FOREVER
from callboard.ledger.retention import BATCH, in_peace
from callboard.webhooks.replays.filters import replay_of
from callboard.webhooks.replays.part import part_of
from callboard.webhooks.room_hooks import ROOMS
from callboard.webhooks.shards import WHOLE
from callboard.webhooks.standing import marks_of


async def delivered_to_all(database: Database) -> int:
    """The position up to which every endpoint has had everything, and every room's own webhook; those that are disabled
    count too.

    Raises as `Database.fetch`.
    """
    endpoints = [str(row[0]) for row in await database.fetch("endpoints")]
    if await database.fetch("hooked_rooms", start="", limit=1):
        endpoints.append(ROOMS)
    marks = [min((await marks_of(database, id_, WHOLE)).values()) for id_ in endpoints]
    return min(marks, default=FOREVER)


class AttemptRetention:
    """See the module. Attempts, and replays that have ended, are kept for `seconds`; 0 is for ever."""

    def __init__(self, database: Database, clock: Clock, seconds: float) -> None:
        self._database = database
        self._clock = clock
        self._seconds = seconds
        self.deleted = 0

    async def sweep(self) -> int:
        """Delete what is too old now; return how many rows. Raises as `Database.fetch` and `Database.commit`."""
        gone = await self._unpark()
        if not self._seconds:
            return gone
        before = self._clock.now() - int(self._seconds * NANOSECONDS)
        for (endpoint_id,) in await self._database.fetch("endpoints_ever_sent_to"):
            while rows := await self._database.fetch(
                "attempts_begun_before", endpoint_id=endpoint_id, before=before, limit=BATCH
            ):
                gone += await self._delete(Delete(ATTEMPT, tuple(row)) for row in rows)
        return gone + await self._forget_replays(before)

    async def _unpark(self) -> int:
        gone = 0
        while rows := await self._database.fetch("parked_events_gone", limit=BATCH):
            gone += await self._delete(Delete(PARKED_EVENT, tuple(row)) for row in rows)
        return gone

    async def _forget_replays(self, before: int) -> int:
        rows = await self._database.fetch("replays_begun_before", before=before, limit=BATCH)
        return sum([await self._forget_replay(row) for row in rows])

    async def _forget_replay(self, row: Row) -> int:
        replay = replay_of(row)
        parts = [part_of(part) for part in await self._database.fetch("replay_parts", replay_id=replay.id)]
        if any(not part.ended_at for part in parts):
            return 0
        own = [Delete(REPLAY_PART, (part.replay_id, part.endpoint_id)) for part in parts]
        return await self._delete([*own, Delete(REPLAY, (replay.id,))])

    async def _delete(self, deletes: Iterable[Delete]) -> int:
        rows = tuple(deletes)
        await in_peace(self._database, Unit(rows))
        self.deleted += len(rows)
        return len(rows)
