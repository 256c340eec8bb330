"""The database on a PostgreSQL server: a writer task with its own connection, a small pool of readers.

Owns: `PostgresqlDatabase`.

Always holds: everything that waits is committed in one transaction. Several nodes may write to one server: positions
are given in the order of commit all the same (`postgresql_writer.py`), and each hears of what the others committed
(`postgresql_listener.py`). The URL, which may hold a password, is in no
log and no error.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from time import perf_counter

import asyncpg

from callboard.clock import Clock
from callboard.database.intake import Intake
from callboard.database.interface import (
    CLOSE_SECONDS,
    COMMIT_SECONDS,
    MOST_UNITS,
    MOST_WAITING,
    QUERY_SECONDS,
    DatabaseStopped,
    Done,
    Heard,
    QueryFailed,
    Refused,
    Row,
    Stopped,
)
from callboard.database.notices import Notices
from callboard.database.postgresql_listener import Listener
from callboard.database.postgresql_writer import PostgresqlWriter
from callboard.database.sql import query_named
from callboard.database.units import Appended, Unit, Value
from callboard.measures import Histogram

_READERS = 4
_CONNECT_SECONDS = 10.0
_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)

log = logging.getLogger("callboard.database")


class PostgresqlDatabase:
    """`Database` on a PostgreSQL server, at a `postgresql://` URL."""

    def __init__(self, url: str, clock: Clock, *, most_waiting: int = MOST_WAITING) -> None:
        self._url = url
        self._clock = clock
        self._queue: asyncio.Queue[Unit | None] = asyncio.Queue()  # None: the last unit has been put
        self.commits = Histogram()
        self._intake = Intake(self._queue.put_nowait, most_waiting)
        self._writer: PostgresqlWriter | None = None
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._task: asyncio.Task[None] | None = None
        self._notices = Notices()
        self._listener: Listener | None = None

    @property
    def shared(self) -> bool:
        return True

    @property
    def waiting(self) -> int:
        return self._intake.waiting

    async def open(self) -> None:
        try:
            self._writer = await PostgresqlWriter.connect(self._url, self._clock, _CONNECT_SECONDS)
            await self._writer.migrate()
            self._pool = await _reader_pool(self._url)
            self._listener = Listener(self._url, self._notices, self._writer.pid)
            await self._listener.start()
        except (*_ERRORS, TimeoutError, ValueError) as error:
            await self._disconnect()
            raise DatabaseStopped(f"the database cannot be opened: {type(error).__name__}: {error}") from error
        except DatabaseStopped:
            await self._disconnect()
            raise
        self._task = asyncio.create_task(self._write(self._writer), name="callboard-writer")
        self._intake.open()

    async def close(self) -> None:
        if self._task is None:
            return
        self._intake.close()
        self._queue.put_nowait(None)
        async with asyncio.timeout(CLOSE_SECONDS):
            await asyncio.shield(self._task)
        await self._disconnect()

    async def commit(self, unit: Unit, done: Done | None = None) -> Sequence[Appended]:
        return await self._intake.commit(unit, done)

    def submit(self, unit: Unit, done: Done | None = None, refused: Refused | None = None) -> None:
        self._intake.submit(unit, done, refused)

    async def fetch(self, query: str, /, **parameters: Value) -> list[Row]:
        found = query_named(query)
        arguments = found.arguments(parameters)
        self._intake.require_open()
        assert self._pool is not None
        try:
            async with asyncio.timeout(QUERY_SECONDS), self._pool.acquire() as connection:
                return [tuple(row) for row in await connection.fetch(found.numbered, *arguments)]
        except _ERRORS as error:
            raise QueryFailed(f"query {query}: {type(error).__name__}: {error}") from error

    def on_stop(self, stopped: Stopped) -> None:
        self._intake.on_stop(stopped)

    def on_notice(self, table: str, heard: Heard) -> Callable[[], None]:
        return self._notices.on(table, heard)

    async def _write(self, writer: PostgresqlWriter) -> None:
        """The writer task, from open to close."""
        try:
            while units := await self._take():
                started = perf_counter()
                async with asyncio.timeout(COMMIT_SECONDS):
                    results = await writer.write(units)
                self.commits.add(perf_counter() - started)
                self._intake.settle(results)
        except Exception as error:
            # Whatever it is, those who wait are told, and nothing more is written. Ending the connection makes the
            # server roll back what was not committed.
            log.critical("a commit failed, nothing more is written", exc_info=error)
            writer.abort()
            self._intake.stop(error)

    async def _take(self) -> list[Unit]:
        """What waits, up to `MOST_UNITS`; waits for a first one. Empty when there will be no more."""
        units: list[Unit] = []
        unit = await self._queue.get()
        while unit is not None:
            units.append(unit)
            if len(units) == MOST_UNITS or self._queue.empty():
                return units
            unit = self._queue.get_nowait()
        self._queue.put_nowait(None)
        return units

    async def _disconnect(self) -> None:
        if self._listener is not None:
            await self._listener.stop()
        pool, self._pool = self._pool, None
        writer, self._writer = self._writer, None
        if pool is not None:
            pool.terminate()
        if writer is not None:
            await writer.close()


async def _reader_pool(url: str) -> asyncpg.Pool[asyncpg.Record]:
    return await asyncpg.create_pool(
        url,
        min_size=1,
        max_size=_READERS,
        timeout=_CONNECT_SECONDS,
        command_timeout=QUERY_SECONDS,
        reset=_nothing_to_reset,
        server_settings={"application_name": "callboard reader", "default_transaction_read_only": "on"},
    )


async def _nothing_to_reset(_connection: object) -> None:
    """A reader leaves nothing behind: the pool's usual `RESET ALL` would be a second round trip for each query."""
