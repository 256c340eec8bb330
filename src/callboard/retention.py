"""What is deleted when it is old: analytics, and the answers that repeated requests would get.

Owns: `Retention`. The ledger and what belongs to recordings are not its business.

Always holds: it deletes a little at a time, so that nobody waits for it, and only what is older than its rule says. It
begins at the start of the process and goes on for as long as that runs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

from callboard.analytics import KEPT_DAYS
from callboard.background import Background
from callboard.clock import NANOSECONDS, Clock
from callboard.database import Database, DatabaseBusy, DatabaseStopped, Delete, QueryFailed, Table, Unit, Value
from callboard.database.tables import ANALYTICS_EVENT, EXPUNGED, IDEMPOTENT_ANSWER, PEER_STATS

log = logging.getLogger("callboard.retention")

BATCH: Final = 500
PAUSE_SECONDS: Final = 0.2
EVERY_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True)
class Rule:
    """Rows of `table` that are older than `seconds`: `query` gives their keys, at most `:limit` of them.

    Which ones is said as `:before` (an instant in nanoseconds since the epoch), or as `:below`, when `bound` makes of
    that instant what ids are compared with.
    """

    table: Table
    query: str
    seconds: float
    bound: Callable[[int], str] | None = None

    def parameters(self, now: int) -> dict[str, Value]:
        """What the query is asked with at the instant `now`."""
        instant = now - int(self.seconds * NANOSECONDS)
        return {"before": instant} if self.bound is None else {"below": self.bound(instant)}


def before_object_id(instant: int) -> str:
    """Smaller than every ObjectId of this instant or later (they begin with their second)."""
    return f"{max(0, instant // NANOSECONDS):08x}"


def before_time_uuid(instant: int) -> str:
    """Smaller than every UUID of version 7 of this instant or later (they begin with their millisecond)."""
    digits = f"{max(0, instant // 1_000_000):012x}"
    return f"{digits[:8]}-{digits[8:]}"


DAY: Final = 86_400.0
RULES: Final = (
    Rule(IDEMPOTENT_ANSWER, "old_idempotent_answers", DAY),
    Rule(EXPUNGED, "old_expunged", DAY),  # that it was: what is left of the event stays
    Rule(ANALYTICS_EVENT, "old_analytics_events", KEPT_DAYS * DAY, before_time_uuid),
    # A session's id is as old as its beginning, and what is told of it comes until its end.
    Rule(PEER_STATS, "old_peer_stats", (KEPT_DAYS + 7) * DAY, before_object_id),
)
"""What is deleted when it is old."""


class Retention:
    """All rules, applied in turn."""

    def __init__(self, database: Database, clock: Clock, rules: Sequence[Rule]) -> None:
        self._database = database
        self._clock = clock
        self._rules = rules

    async def run(self) -> None:
        """For ever: cancel it to end it. A database that is busy or away is tried again later."""
        while True:
            try:
                for rule in self._rules:
                    await self.apply(rule)
            except (DatabaseBusy, QueryFailed, TimeoutError):
                log.warning("what is old could not be deleted: tried again later", exc_info=True)
            except DatabaseStopped:
                return
            await asyncio.sleep(EVERY_SECONDS)

    async def apply(self, rule: Rule) -> int:
        """Delete what is too old now; how many rows that were."""
        parameters, deleted = rule.parameters(self._clock.now()), 0
        while True:
            keys = await self._database.fetch(rule.query, **parameters, limit=BATCH)
            if keys:
                await self._database.commit(Unit(tuple(Delete(rule.table, key) for key in keys)))
                deleted += len(keys)
            if len(keys) < BATCH:
                return deleted
            await asyncio.sleep(PAUSE_SECONDS)


def start_retention(database: Database, clock: Clock, parts: AsyncExitStack) -> None:
    """Apply all rules from now on, until `parts` are closed."""
    background = Background("retention")
    parts.push_async_callback(background.stop, 0.0)
    background.start(Retention(database, clock, RULES).run())
