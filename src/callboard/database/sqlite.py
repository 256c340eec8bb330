"""The database in one file: SQLite, a writer thread and a few reader threads.

Owns: `SqliteDatabase`.

Always holds: nothing here blocks the event loop. Everything that waits is committed in one transaction, and its
completion comes back to the loop in one call.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from time import perf_counter, sleep

from callboard.clock import Clock
from callboard.database.intake import Intake
from callboard.database.interface import (
    CLOSE_SECONDS,
    MOST_UNITS,
    MOST_WAITING,
    DatabaseStopped,
    Done,
    Heard,
    Refused,
    Row,
    Stopped,
)
from callboard.database.notices import Notices
from callboard.database.sql import query_named
from callboard.database.sqlite_readers import SqliteReaders
from callboard.database.sqlite_writer import SqliteWriter
from callboard.database.units import Appended, Unit, Value
from callboard.measures import Histogram

_MANY = 16
"""When a transaction committed so many units, more will come:"""
_GATHER_SECONDS = 0.002
"""so long the next one waits for them (as PostgreSQL's `commit_delay`). Larger ones write fewer pages for each unit."""

log = logging.getLogger("callboard.database")


class SqliteDatabase:
    """`Database` on a SQLite file."""

    def __init__(self, path: Path, clock: Clock, *, most_waiting: int = MOST_WAITING) -> None:
        self._path = path
        self._clock = clock
        self._queue: queue.SimpleQueue[Unit | None] = queue.SimpleQueue()  # None: the last unit has been put
        self.commits = Histogram()
        self._intake = Intake(self._queue.put, most_waiting)
        self._readers = SqliteReaders(path)
        self._ended: asyncio.Future[None] | None = None

    @property
    def shared(self) -> bool:
        return False

    @property
    def waiting(self) -> int:
        return self._intake.waiting

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        opened: asyncio.Future[None] = loop.create_future()
        self._ended = loop.create_future()
        # A daemon: a disk that hangs must not keep the process from ending when `close` has given up.
        threading.Thread(
            target=self._write, args=(loop, opened, self._ended), name="callboard-writer", daemon=True
        ).start()
        await opened
        await self._readers.open()
        self._intake.open()

    async def close(self) -> None:
        if self._ended is None:
            return
        self._intake.close()
        self._queue.put(None)
        async with asyncio.timeout(CLOSE_SECONDS):
            await asyncio.shield(self._ended)
        await self._readers.close()

    async def commit(self, unit: Unit, done: Done | None = None) -> Sequence[Appended]:
        return await self._intake.commit(unit, done)

    def submit(self, unit: Unit, done: Done | None = None, refused: Refused | None = None) -> None:
        self._intake.submit(unit, done, refused)

    async def fetch(self, query: str, /, **parameters: Value) -> list[Row]:
        found = query_named(query)
        found.arguments(parameters)
        self._intake.require_open()
        return await self._readers.fetch(found, parameters)

    def on_stop(self, stopped: Stopped) -> None:
        self._intake.on_stop(stopped)

    def on_notice(self, table: str, heard: Heard) -> Callable[[], None]:
        return Notices().on(table, heard)  # nobody else works on the file, so there is nothing to hear

    def _write(
        self, loop: asyncio.AbstractEventLoop, opened: asyncio.Future[None], ended: asyncio.Future[None]
    ) -> None:
        """The writer thread, from open to close."""
        try:
            with closing(SqliteWriter(self._path, self._clock)) as writer:
                writer.migrate()
                loop.call_soon_threadsafe(_resolve, opened)
                while units := self._take():
                    started = perf_counter()
                    results = writer.write(units)
                    self.commits.add(perf_counter() - started)
                    loop.call_soon_threadsafe(self._intake.settle, results)
                    if len(units) >= _MANY:
                        sleep(_GATHER_SECONDS)
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait are told, and nothing more is written
            loop.call_soon_threadsafe(self._failed, opened, error)
        finally:
            loop.call_soon_threadsafe(_resolve, ended)

    def _take(self) -> list[Unit]:
        """What waits, up to `MOST_UNITS`; waits for a first one. Empty when there will be no more."""
        units: list[Unit] = []
        unit = self._queue.get()
        while unit is not None:
            units.append(unit)
            if len(units) == MOST_UNITS or self._queue.empty():
                return units
            unit = self._queue.get()
        self._queue.put(None)
        return units

    def _failed(self, opened: asyncio.Future[None], error: Exception) -> None:
        if opened.done():
            log.critical("a commit into %s failed, nothing more is written", self._path, exc_info=error)
            self._intake.stop(error)
        else:
            refusal = error if isinstance(error, DatabaseStopped) else _not_opened(self._path, error)
            opened.set_exception(refusal)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():  # its awaiter may have been cancelled
        future.set_result(None)


def _not_opened(path: Path, error: Exception) -> DatabaseStopped:
    refusal = DatabaseStopped(f"the database {path} cannot be opened: {error}")
    refusal.__cause__ = error
    return refusal
