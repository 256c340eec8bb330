"""The guarded sender: a pool of connections to one endpoint that pull work as they become free.

Owns: `Pool`, `Sending`, `Source` and `SenderSettings`.

Always holds: no more than `connections` are open or being opened. An attempt has one deadline, from the name's
resolution to the last byte that is read; it is swept, not timed one by one, so it ends up to two `SWEEP`s late.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol

from callboard.webhooks.connection import Connection, Opening, Work
from callboard.webhooks.failures import Failure
from callboard.webhooks.reach import AddressRefused, Resolve, Target, failure_of, reach, resolve

log = logging.getLogger("callboard.webhooks")

SWEEP = 0.25
"""Seconds between two looks at the deadlines."""


@dataclass(frozen=True, slots=True)
class SenderSettings:
    """`timeout` and `idle` in seconds: for a whole attempt, and until an unused connection is closed."""

    connections: int = 64
    timeout: float = 15.0
    idle: float = 60.0


class Source(Protocol[Work]):
    """Where a pool's work comes from. Called on the loop's thread; must not block."""

    def take(self) -> Work | None:
        """The next work that is ready, or None. What is taken will be `finished`."""
        ...

    def render(self, work: Work) -> bytes:
        """The request for `work`, whole. Called right before it is written: the time of sending is signed."""
        ...

    def finished(self, work: Work, status: int, error: Failure | None, wire: Connection[Work]) -> None:
        """The attempt has ended: with an HTTP `status` and no error, or with status 0 and an `error`.

        `wire` knows more about it, as long as this call lasts.
        """
        ...


class Sending(Protocol):
    """What whoever has work for a pool needs of it."""

    @property
    def open(self) -> int: ...
    @property
    def busy(self) -> int: ...
    def wake(self) -> None: ...
    async def stop(self, grace: float) -> None: ...


class Pool(Generic[Work]):
    """See the module. Used on the event loop's thread only."""

    def __init__(
        self,
        target: Target,
        source: Source[Work],
        settings: SenderSettings,
        resolve_and_vet: Resolve = resolve,
    ) -> None:
        self.render = source.render
        self._take = source.take
        self._finished = source.finished
        self._target = target
        self._settings = settings
        self._resolve = resolve_and_vet
        self._loop = asyncio.get_running_loop()
        self._connections: set[Connection[Work]] = set()
        self._closing: set[Connection[Work]] = set()
        self._idle: list[Connection[Work]] = []
        self._opening: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._changed = asyncio.Event()
        self._tick = 0
        self.limit(settings.timeout)
        self._idle_ticks = math.ceil(settings.idle / SWEEP)
        self._sweeper: asyncio.TimerHandle | None = None

    @property
    def open(self) -> int:
        """How many connections are open or being opened."""
        return len(self._connections) + len(self._opening)

    @property
    def busy(self) -> int:
        """How many attempts are under way."""
        return self.open - len(self._idle)

    def wake(self) -> None:
        """Work may be ready: let idle connections take it, and open new ones as far as allowed."""
        while not self._stopping and (self._idle or self.open < self._settings.connections):
            work = self._take()
            if work is None:
                return
            if self._idle:
                self._idle.pop().begin(work, self._tick)
            else:
                self._open(work, self._tick)

    def retarget(self, target: Target) -> None:
        """Send what is begun from now on to `target`; attempts under way end where they are."""
        self._target = target
        for connection in tuple(self._connections):
            self._retire(connection)

    def limit(self, timeout: float) -> None:
        """Give every attempt so many seconds, from now on."""
        self._timeout = timeout
        self._attempt_ticks = math.ceil(timeout / SWEEP)

    async def stop(self, grace: float) -> None:
        """Begin nothing more; give attempts under way `grace` seconds, then cut them off (`Failure.STOPPED`)."""
        self._stopping = True
        self.retarget(self._target)
        try:
            async with asyncio.timeout(grace):
                await self._until_nothing_is(self._busy_or_opening)
        except TimeoutError:
            for task in self._opening:
                task.cancel()
            for connection in tuple(self._connections):
                connection.fail(Failure.STOPPED)
        await self._until_nothing_is(self._anything)
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None

    def _busy_or_opening(self) -> bool:
        return bool(self._opening) or any(connection.work is not None for connection in self._connections)

    def _anything(self) -> bool:
        return bool(self._opening or self._connections or self._closing)

    async def _until_nothing_is(self, left: Callable[[], bool]) -> None:
        while left():
            self._changed.clear()
            await self._changed.wait()

    # Opening connections.

    def _open(self, work: Work, tick: int) -> None:
        """Begin the attempt that began at `tick` on a connection of its own."""
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(SWEEP, self._sweep)
        task = self._loop.create_task(self._connect(work, tick))
        self._opening.add(task)

    async def _connect(self, work: Work, tick: int) -> None:
        connection: Connection[Work] = Connection(self)
        task = asyncio.current_task()
        assert task is not None
        opening = Opening()
        error = await self._reached(connection, opening, self._timeout - (self._tick - tick) * SWEEP)
        self._opening.discard(task)
        connection.remote = opening.remote
        if error is None and connection.lost:
            error = Failure.CONNECTION_LOST
        if error is not None:
            connection.opening = opening
            self._changed.set()
            self._finished(work, 0, error, connection)
            self.wake()
        else:
            self._connections.add(connection)
            connection.begin(work, tick)
            connection.opening = opening
            if self._stopping:
                self._retire(connection)

    async def _reached(self, connection: Connection[Work], opening: Opening, seconds: float) -> Failure | None:
        """Why the connection could not be opened."""
        try:
            async with asyncio.timeout(seconds):
                await reach(self._target, self._resolve, connection, opening)
        except asyncio.CancelledError:
            return Failure.STOPPED  # only `stop` cancels, and it waits for this to be told
        except (OSError, AddressRefused) as failure:
            return failure_of(failure, opening)
        except Exception:
            log.exception("a connection could not be opened, for a reason that nobody foresaw")
            return Failure.CONNECTION_FAILED
        return None

    # What the connections say (`connection.Owner`).

    def answered(self, connection: Connection[Work], work: Work) -> None:
        self._finished(work, connection.status, None, connection)
        if connection.reusable and not self._stopping:
            next_work = self._take()
            if next_work is None:
                self._idle.append(connection)
            else:
                connection.begin(next_work, self._tick)
        else:
            self._ended(connection)

    def failed(self, connection: Connection[Work], work: Work, error: Failure) -> None:
        self._finished(work, 0, error, connection)
        self._ended(connection)

    def stale(self, connection: Connection[Work], work: Work) -> None:
        """Part of the same attempt: on a connection of its own, where an end without an answer is a failure.

        At least once is kept either way; this spares an endpoint that closes kept connections the delay of a
        retry.
        """
        self._connections.discard(connection)
        if self._stopping:
            self._finished(work, 0, Failure.STOPPED, connection)
        else:
            self._open(work, connection.tick)

    def closed(self, connection: Connection[Work]) -> None:
        self._closing.discard(connection)
        if connection in self._connections:  # an idle one, closed by the other side
            self._connections.discard(connection)
            self._idle.remove(connection)
        self._changed.set()

    def _retire(self, connection: Connection[Work]) -> None:
        if connection.work is None:
            self._idle.remove(connection)
            self._connections.discard(connection)
            self._closing.add(connection)
        connection.retire()

    def _ended(self, connection: Connection[Work]) -> None:
        self._connections.discard(connection)
        self._closing.add(connection)
        self._changed.set()
        self.wake()

    # Deadlines.

    def _sweep(self) -> None:
        self._tick += 1
        for connection in tuple(self._connections):
            ticks = self._tick - connection.tick
            if connection.work is not None:
                if ticks > self._attempt_ticks:
                    connection.time_out()
            elif ticks > self._idle_ticks:
                self._retire(connection)
        if self._anything():
            self._sweeper = self._loop.call_later(SWEEP, self._sweep)
        else:
            self._sweeper = None
