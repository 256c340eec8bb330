"""What became of deliveries, on its way to the database: attempts, and how far each endpoint has come.

Owns: `Journal`, `Progress`.

Always holds: what is recorded is submitted at most `HOLD` seconds later, many records in one unit (held so
long, they share the disk's time with each other and not each with none); a crash repeats the deliveries of
that time, and those that were not durable yet. When `MOST_OPEN` attempts are recorded and not durable the
journal is `full`, and nothing more is to be sent: a slow disk slows deliveries, it does not fill the memory.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator

from callboard.database import Database, DatabaseStopped, Delete, Put, Unit, Value
from callboard.database.interface import DatabaseBusy
from callboard.database.tables import ATTEMPT, DELIVERY_CURSOR, DELIVERY_MARK
from callboard.webhooks.lanes import Lane, Lanes

HOLD = 0.02
"""Seconds."""
MOST_HELD = 256
"""Attempts that one unit holds at most."""
MOST_OPEN = 8192
BUSY_SECONDS = 0.1
"""Until a unit that the database was too busy to take is offered again."""
MARK_SECONDS = 1.0
"""Marks are written no more often than this, and cursors that they have overtaken deleted with them."""
MOST_DELETED = 2000
"""Cursors deleted with one mark at most."""

log = logging.getLogger("callboard.webhooks")


class Progress:
    """How far one endpoint has come: its mark, and a cursor for each lane that has come further than the mark."""

    def __init__(self, endpoint_id: str, lanes: Lanes) -> None:
        self._endpoint_id = endpoint_id
        self._lanes = lanes
        self._touched: dict[str, Lane] = {}
        self._cursors: dict[str, int] = {}
        self.mark = 0
        """The position up to which everything is done with, as it was last written."""

    def restore(self, mark: int, cursors: dict[str, int]) -> None:
        """What the database holds: the mark, and the cursors' positions by stream."""
        self.mark = mark
        self._cursors = cursors

    def passed(self, lane: Lane) -> None:
        """`lane` has come further."""
        self._touched[lane.stream] = lane

    def cursors(self) -> Iterator[Put]:
        """The rows of the lanes that have come further since this was last asked."""
        for stream, lane in self._touched.items():
            position = lane.done_position
            self._cursors.pop(stream, None)
            self._cursors[stream] = position  # now the last of them: `marks` begins with those untouched longest
            yield Put(DELIVERY_CURSOR, (self._endpoint_id, stream, lane.done_seq, position))
        self._touched.clear()

    def marks(self) -> Iterator[Put | Delete]:
        """The row of the mark if it has advanced, and the deletion of cursors that say no more than the mark does."""
        mark = self._lanes.mark()
        if mark <= self.mark:
            return
        self.mark = mark
        yield Put(DELIVERY_MARK, (self._endpoint_id, mark))
        overtaken: list[str] = []
        for stream, position in self._cursors.items():
            if position > mark or len(overtaken) == MOST_DELETED:
                break
            overtaken.append(stream)
        for stream in overtaken:
            del self._cursors[stream]
            yield Delete(DELIVERY_CURSOR, (self._endpoint_id, stream))


class Journal:
    """See the module. Used on the event loop's thread only. `room` is called when it is no longer `full`."""

    def __init__(self, database: Database, room: Callable[[], None]) -> None:
        self._database = database
        self._room = room
        self._loop = asyncio.get_running_loop()
        self._rows: list[Put | Delete] = []
        self._attempts = 0
        self._open = 0
        self._progress: dict[str, Progress] = {}
        self._flush_timer: asyncio.TimerHandle | None = None
        self._mark_timer: asyncio.TimerHandle | None = None
        self.full = False

    def add(self, endpoint_id: str, progress: Progress) -> None:
        """From now on write `progress`, too."""
        self._progress[endpoint_id] = progress

    def remove(self, endpoint_id: str) -> None:
        """Write the progress of this endpoint no more: what was not submitted won't be."""
        self._progress.pop(endpoint_id, None)

    def attempt(self, row: tuple[Value, ...]) -> None:
        """Record an attempt: a row of `ATTEMPT`."""
        self._rows.append(Put(ATTEMPT, row))
        self._attempts += 1
        if self._attempts == MOST_HELD:
            self._flush()
        elif self._flush_timer is None:
            self._flush_timer = self._loop.call_later(HOLD, self._flush)

    async def settle(self) -> None:
        """Return when all that is recorded is durable, marks included. Raises what `Database.commit` raises."""
        self._collect(marks=True)
        unit = self._unit()
        while True:
            try:
                await self._database.commit(unit)
            except DatabaseBusy:
                await asyncio.sleep(BUSY_SECONDS)
            else:
                return

    def close(self) -> None:
        """Write nothing more."""
        self.full = True
        for timer in (self._flush_timer, self._mark_timer):
            if timer is not None:
                timer.cancel()

    def _flush(self) -> None:
        self._collect(marks=False)
        self._submit()
        if self._mark_timer is None:
            self._mark_timer = self._loop.call_later(MARK_SECONDS, self._write_marks)

    def _write_marks(self) -> None:
        self._mark_timer = None
        self._collect(marks=True)
        self._submit()

    def _collect(self, *, marks: bool) -> None:
        """Add the endpoints' progress to the rows. Cursors come before marks, which may delete them."""
        if self._flush_timer is not None:
            self._flush_timer.cancel()
            self._flush_timer = None
        for progress in self._progress.values():
            self._rows += progress.cursors()
            if marks:
                self._rows += progress.marks()

    def _unit(self) -> Unit:
        """All rows, which are then no longer here."""
        unit = Unit(tuple(self._rows))
        self._rows.clear()
        self._attempts = 0
        return unit

    def _submit(self) -> None:
        if not self._rows:
            return
        attempts, unit = self._attempts, self._unit()
        try:
            self._database.submit(unit, lambda _: self._durable(attempts))
        except DatabaseBusy:
            self._rows[:0] = unit.rows
            self._attempts = attempts
            self.full = True
            self._flush_timer = self._loop.call_later(BUSY_SECONDS, self._flush)
        except DatabaseStopped:
            self.full = True
            log.critical("deliveries end: the database has stopped")
        else:
            self._open += attempts
            self.full = self._open >= MOST_OPEN

    def _durable(self, attempts: int) -> None:
        self._open -= attempts
        if self.full and self._open <= MOST_OPEN // 2:
            self.full = False
            self._room()
