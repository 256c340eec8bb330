"""What is deleted when it is old, by rules: analytics, operational events, answers that repeated requests would get.

Owns: `Rule`, `RULES`, `operational`, `Retention`. `forgetting` says when; the ledger's events and the log of attempts,
for which more counts than their age, have rules of their own (`ledger/retention.py`, `webhooks/retention.py`).

Always holds: it deletes a little at a time, so that nobody waits for it, and only what is older than its rule says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from callboard.analytics import KEPT_DAYS
from callboard.clock import NANOSECONDS, Clock
from callboard.database import Database, Delete, Table, Unit, Value
from callboard.database.tables import (
    ANALYTICS_EVENT,
    EXPUNGED,
    IDEMPOTENT_ANSWER,
    NOTICE,
    OPERATIONAL_EVENT,
    PEER_STATS,
)
from callboard.ledger.retention import BATCH, in_peace


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


def operational(seconds: float) -> tuple[Rule, ...]:
    """What is deleted of operational events that are older; none for 0."""
    if not seconds:
        return ()
    return (
        Rule(NOTICE, "old_notices", seconds, before_time_uuid),
        Rule(OPERATIONAL_EVENT, "old_operational_events", seconds, before_time_uuid),
    )


class Retention:
    """All rules, applied in turn."""

    def __init__(self, database: Database, clock: Clock, rules: Sequence[Rule]) -> None:
        self._database = database
        self._clock = clock
        self._rules = rules

    async def sweep(self) -> int:
        """Delete what is too old now; how many rows that were. Raises as `Database.fetch` and `Database.commit`."""
        return sum([await self.apply(rule) for rule in self._rules])

    async def apply(self, rule: Rule) -> int:
        """As `sweep`, by one rule."""
        parameters, deleted = rule.parameters(self._clock.now()), 0
        while keys := await self._database.fetch(rule.query, **parameters, limit=BATCH):
            await in_peace(self._database, Unit(tuple(Delete(rule.table, key) for key in keys)))
            deleted += len(keys)
        return deleted
