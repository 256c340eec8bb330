"""Where a process is killed: at named points of a delivery's way, reached through what it is given to work with.

Owns: `POINTS`, `Fuse`, `Faulty`.

Always holds: nothing in the product knows of this. A point is a call to the database or its clock, or a moment that the
receiver sees.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence

from callboard.clock import SystemClock
from callboard.database import Appended, Database, Puts, Row, Unit, Value
from callboard.database.interface import Done, Heard, Refused, Stopped
from callboard.database.tables import ATTEMPT, DELIVERY_CURSOR, DELIVERY_MARK, SHARD_MARK
from callboard.measures import Histogram

POINTS = {
    "event submitted": "an event is handed to the database, which has not begun to write it",
    "event in transaction": "within the transaction that writes it",
    "event durable": "it is committed, and nobody has been told",
    "deliveries opened": "after a start, while it is read how far deliveries had come",
    "events read back": "while events that were not in memory are read",
    "request received": "the receiver has the event, and has not answered",
    "request answered": "the receiver has answered, and the answer may not have arrived",
    "attempt submitted": "a delivery that succeeded is handed to the database",
    "attempt durable": "it is committed, and nobody has been told",
    "mark submitted": "how far deliveries have come is handed to the database",
    "mark durable": "it is committed, and nobody has been told",
}
"""Name and meaning of each."""

SEEN_BY_RECEIVER = frozenset({"request received", "request answered"})

_QUERIES = {"delivery_cursors": "deliveries opened", "events_of_stream": "events read back"}
_STATUS = [column.name for column in ATTEMPT.columns].index("status")
_MARKS = frozenset({DELIVERY_MARK.name, SHARD_MARK.name, DELIVERY_CURSOR.name})


class Fuse:
    """Ends this process, as a power cut would, when `point` is reached for the `count`th time."""

    def __init__(self, point: str, count: int) -> None:
        self._point = point
        self._left = count

    def reach(self, point: str) -> None:
        if point == self._point:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


class FusedClock(SystemClock):
    """The clock that the writer looks at within its transactions that append events."""

    def __init__(self, fuse: Fuse) -> None:
        self._fuse = fuse

    def now(self) -> int:
        self._fuse.reach("event in transaction")
        return super().now()


class Faulty:
    """A `Database` with fuses in it. `recorded` is called when attempts are durable one of which succeeded, after the
    fuse.
    """

    def __init__(self, database: Database, fuse: Fuse, recorded: Callable[[], None]) -> None:
        self._database = database
        self._fuse = fuse
        self._recorded = recorded

    async def open(self) -> None:
        await self._database.open()

    async def close(self) -> None:
        await self._database.close()

    async def commit(self, unit: Unit, done: Done | None = None) -> Sequence[Appended]:
        self._reach(unit, "submitted")
        return await self._database.commit(unit, self._watched(unit, done))

    def submit(self, unit: Unit, done: Done | None = None, refused: Refused | None = None) -> None:
        self._reach(unit, "submitted")
        self._database.submit(unit, self._watched(unit, done), refused)

    async def fetch(self, query: str, /, **parameters: Value) -> list[Row]:
        rows = await self._database.fetch(query, **parameters)
        if query in _QUERIES:
            self._fuse.reach(_QUERIES[query])
        return rows

    def on_stop(self, stopped: Stopped) -> None:
        self._database.on_stop(stopped)

    def on_notice(self, table: str, heard: Heard) -> Callable[[], None]:
        return self._database.on_notice(table, heard)

    @property
    def shared(self) -> bool:
        return self._database.shared

    @property
    def waiting(self) -> int:
        return self._database.waiting

    @property
    def commits(self) -> Histogram:
        return self._database.commits

    def _watched(self, unit: Unit, done: Done | None) -> Done:
        def durable(places: Sequence[Appended]) -> None:
            self._reach(unit, "durable")
            if done is not None:
                done(places)
            if any(200 <= status < 300 for status in _statuses(unit)):
                self._recorded()

        return durable

    def _reach(self, unit: Unit, when: str) -> None:
        written = {change.table.name for change in unit.rows}
        if unit.events:
            self._fuse.reach(f"event {when}")
        if ATTEMPT.name in written:
            self._fuse.reach(f"attempt {when}")
        if written & _MARKS:
            self._fuse.reach(f"mark {when}")


def _statuses(unit: Unit) -> Iterator[int]:
    """What the attempts were answered with that the unit records."""
    for change in unit.rows:
        if isinstance(change, Puts) and change.table is ATTEMPT:
            yield from (int(attempt[_STATUS] or 0) for attempt in change.rows)
