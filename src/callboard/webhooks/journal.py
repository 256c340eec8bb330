"""What became of deliveries, on its way to the database: attempts, and how far each endpoint has come.

Owns: `Journal`, `Progress`.

Always holds: an attempt is submitted at most `HOLD` seconds after it ended, many in one unit (so they share the disk's
time with each other, and with whatever else is committed then). The log of attempts is what counts: marks and cursors
follow once a second, so that nobody has to read far in it after a crash, and they are never ahead of it. A crash
repeats the deliveries whose attempts were not durable yet, no others. When `MOST_OPEN` attempts are recorded and not
durable the journal is `full`, and nothing more is to be sent: a slow disk slows deliveries, it does not fill the
memory.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from itertools import islice, takewhile
from math import inf
from typing import Protocol

from callboard.database import Database, DatabaseStopped, Delete, Guard, GuardFailed, Put, Puts, Unit, Value
from callboard.database.interface import DatabaseBusy
from callboard.database.tables import (
    ATTEMPT,
    DELIVERY_CURSOR,
    DELIVERY_GAP,
    DELIVERY_MARK,
    ENDPOINT_HEALTH,
    PARKED_EVENT,
)
from callboard.webhooks.lane import Lane
from callboard.webhooks.lanes import Lanes
from callboard.webhooks.standing import Place, Standing

HOLD = 0.02
"""Seconds."""
MOST_HELD = 256
"""Attempts that one unit holds at most."""
MOST_OPEN = 8192
BUSY_SECONDS = 0.1
"""Until a unit that the database was too busy to take is offered again."""
CHECKPOINT_SECONDS = 1.0
"""Marks and cursors are written no more often than this."""
MOST_DELETED = 2000
"""Cursors deleted at a time, at most."""

log = logging.getLogger("callboard.webhooks")

_STATE = (ENDPOINT_HEALTH, PARKED_EVENT, DELIVERY_GAP)
"""Tables whose rows belong to one endpoint, named in their first column, and go with it."""


class Checkpoints(Protocol):
    """How far one endpoint has come, as `Journal` writes it."""

    def checkpoint(self) -> Iterator[Put | Delete]: ...


class Progress:
    """How far one endpoint has come: its mark, and a cursor for each stream that has come further than the mark."""

    def __init__(self, endpoint_id: str, lanes: Lanes) -> None:
        self._endpoint_id = endpoint_id
        self._lanes = lanes
        self._touched: dict[str, Lane] = {}
        self._cursors: dict[str, Place] = {}
        self.mark = 0
        """The position up to which everything is done with, as it was last written."""

    def restore(self, standing: Standing) -> None:
        """What the database holds."""
        self.mark = standing.mark
        self._cursors = standing.cursors

    def passed(self, lane: Lane) -> None:
        """`lane` has come further."""
        self._touched[lane.key] = lane

    def place(self, stream: str) -> Place:
        """How far `stream` has come, if that is further than the mark."""
        touched = self._lanes.touched(stream, self._touched)
        return self._lanes.cursors(touched).get(stream, self._cursors.get(stream, (0, 0)))

    def checkpoint(self) -> Iterator[Put | Delete]:
        """What has changed since this was last asked: the mark, cursors beyond it, and those it has overtaken."""
        mark = self._lanes.mark()
        for stream, (seq, position) in self._lanes.cursors(self._touched.values()).items():
            if position > mark:
                self._cursors.pop(stream, None)
                self._cursors[stream] = (seq, position)  # now the last one: those left alone longest come first
                yield Put(DELIVERY_CURSOR, (self._endpoint_id, stream, seq, position))
        self._touched.clear()
        if mark > self.mark:
            self.mark = mark
            yield Put(DELIVERY_MARK, (self._endpoint_id, mark))
            for stream in self._overtaken():
                del self._cursors[stream]
                yield Delete(DELIVERY_CURSOR, (self._endpoint_id, stream))

    def _overtaken(self) -> list[str]:
        """Streams whose cursors say no more than the mark does: those at the beginning, up to the first that does."""
        within = takewhile(lambda item: item[1][1] <= self.mark, self._cursors.items())
        return [stream for stream, _ in islice(within, MOST_DELETED)]


class Journal:
    """See the module. Used on the event loop's thread only. `room` is called when it is no longer `full`.

    Where nodes share the database everything is written under a fence (`permit`), and `fenced` is called once others
    have taken this node for dead: what it recorded since is void.
    """

    def __init__(self, database: Database, room: Callable[[], None], fenced: Callable[[], None] | None = None) -> None:
        self._database = database
        self._room = room
        self._fenced = fenced
        self._guards: tuple[Guard, ...] = ()
        self.until = inf if fenced is None else -inf
        """Until when, in the loop's time, what is sent can be recorded for sure: nothing is sent after it."""
        self._loop = asyncio.get_running_loop()
        self._rows: list[Put | Delete] = []
        self._attempts: list[tuple[Value, ...]] = []
        self._open = 0
        self._progress: dict[str, Checkpoints] = {}
        self._flush_timer: asyncio.TimerHandle | None = None
        self._checkpoint_timer: asyncio.TimerHandle | None = None
        self.full = False

    def permit(self, fence: Guard, until: float) -> None:
        """What is recorded from now on is written if `fence` holds, which it will for sure until then."""
        late = self.until < self._loop.time()
        self._guards = (fence,)
        self.until = until
        if late:
            self._room()

    def revoke(self) -> None:
        """The fence does not hold any more: write nothing until there is another one."""
        self.until = -inf
        self._guards = ()
        self._unit()

    def add(self, endpoint_id: str, progress: Checkpoints) -> None:
        """From now on write `progress`, too."""
        self._progress[endpoint_id] = progress

    def remove(self, endpoint_id: str) -> None:
        """Write the progress and the state of this endpoint no more: what was not submitted won't be."""
        if self._progress.pop(endpoint_id, None) is not None:
            self._rows = [row for row in self._rows if row.table not in _STATE or _first(row) != endpoint_id]

    def note(self, row: Put) -> None:
        """Write `row` with the next attempt."""
        self._rows.append(row)

    def state(self, row: Put | Delete) -> None:
        """Write `row`, which is part of an endpoint's state, with the next attempt, unless the endpoint is gone."""
        if _first(row) in self._progress:
            self._rows.append(row)

    def moved(self) -> None:
        """Somebody's progress may be further, without an attempt: write it, in a while."""
        if self._checkpoint_timer is None and not self.full:
            self._checkpoint_timer = self._loop.call_later(CHECKPOINT_SECONDS, self._flush_with_checkpoint)

    def attempt(self, row: tuple[Value, ...]) -> None:
        """Record an attempt: a row of `ATTEMPT`. Of one that was made under a fence that is lost nothing is kept."""
        if self.until == -inf:
            return
        self._attempts.append(row)
        if len(self._attempts) == MOST_HELD:
            self._flush()
        elif self._flush_timer is None:
            self._flush_timer = self._loop.call_later(HOLD, self._flush)

    async def settle(self) -> None:
        """Return when all that is recorded is durable, with a checkpoint. Raises what `Database.commit` raises."""
        self._checkpoint()
        unit = self._unit()
        while not self._is_void(unit):
            try:
                await self._database.commit(unit)
            except DatabaseBusy:
                await asyncio.sleep(BUSY_SECONDS)
            except GuardFailed:
                self._refused(unit, 0)
            else:
                return

    def close(self) -> None:
        """Write nothing more."""
        self.full = True
        for timer in (self._flush_timer, self._checkpoint_timer):
            if timer is not None:
                timer.cancel()

    def _flush(self) -> None:
        self.moved()
        self._submit()

    def _flush_with_checkpoint(self) -> None:
        self._checkpoint_timer = None
        self._checkpoint()
        self._submit()

    def _checkpoint(self) -> None:
        for progress in self._progress.values():
            self._rows += progress.checkpoint()

    def _unit(self) -> Unit:
        """All rows, which are then no longer here."""
        if self._flush_timer is not None:
            self._flush_timer.cancel()
            self._flush_timer = None
        rows, attempts = self._rows, self._attempts
        self._rows, self._attempts = [], []
        return Unit((*rows, Puts(ATTEMPT, attempts)) if attempts else tuple(rows), guards=self._guards)

    def _submit(self) -> None:
        rows, attempts = self._rows, self._attempts
        if not rows and not attempts:
            return
        count, unit = len(attempts), self._unit()
        if self._is_void(unit):
            return
        try:
            self._database.submit(unit, lambda _: self._durable(count), lambda: self._refused(unit, count))
        except DatabaseBusy:
            self._rows, self._attempts = rows, attempts
            self.full = True
            self._flush_timer = self._loop.call_later(BUSY_SECONDS, self._flush)
        except DatabaseStopped:
            self.full = True
            log.critical("deliveries end: the database has stopped")
        else:
            self._open += count
            self.full = self._open >= MOST_OPEN

    def _is_void(self, unit: Unit) -> bool:
        """Whether the unit was made under no fence or one that is no longer ours, where there has to be one."""
        return self._fenced is not None and (not unit.guards or unit.guards != self._guards)

    def _refused(self, unit: Unit, attempts: int) -> None:
        self._durable(attempts)
        if self._fenced is not None and not self._is_void(unit):
            self._fenced()

    def _durable(self, attempts: int) -> None:
        self._open -= attempts
        if self.full and self._open <= MOST_OPEN // 2:
            self.full = False
            self._room()


def _first(row: Put | Delete) -> Value:
    return row.row[0] if isinstance(row, Put) else row.key[0]
