"""Reading a SQLite file from a few threads.

Owns: `SqliteReaders`.

Always holds: as many threads as connections, so a thread that runs always finds a connection that is idle. A query sees
everything whose commit had returned when it began: in WAL mode each statement reads the newest committed state.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw

from callboard.database.interface import QUERY_SECONDS, QueryFailed, Row
from callboard.database.sql import Query
from callboard.database.sqlite_connection import connect
from callboard.database.units import Value

_READERS = 3
_DEADLINE_STEPS = 100_000  # steps of SQLite's machine between two looks at the clock: a few milliseconds


class SqliteReaders:
    """A few connections that only read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._threads = ThreadPoolExecutor(_READERS, thread_name_prefix="callboard-reader")
        self._readers: list[_Reader] = []
        self._idle: deque[_Reader] = deque()

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(_READERS):
            reader = await loop.run_in_executor(self._threads, _Reader, self._path)
            self._readers.append(reader)
            self._idle.append(reader)

    async def fetch(self, query: Query, parameters: Mapping[str, Value]) -> list[Row]:
        """All rows. Raises `QueryFailed`, `TimeoutError`."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(QUERY_SECONDS):
            return await loop.run_in_executor(self._threads, self._rows, query, parameters)

    async def close(self) -> None:
        """End the queries that run, then close. Idempotent."""
        for reader in self._readers:
            reader.interrupt()
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        while self._readers:
            self._readers.pop().close()

    def _rows(self, query: Query, parameters: Mapping[str, Value]) -> list[Row]:
        reader = self._idle.pop()
        try:
            return reader.rows(query, parameters)
        except apsw.InterruptError as error:
            raise TimeoutError(f"query {query.name} was interrupted: too slow, or the end of the process") from error
        except apsw.Error as error:
            raise QueryFailed(f"query {query.name}: {error}") from error
        finally:
            self._idle.append(reader)


class _Reader:
    """One connection; used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._connection = connect(path)
        self._connection.execute("PRAGMA query_only = ON")
        self._deadline = 0.0
        self._connection.set_progress_handler(self._is_late, _DEADLINE_STEPS)
        self._booleans: dict[str, list[int]] = {}

    def rows(self, query: Query, parameters: Mapping[str, Value]) -> list[Row]:
        self._deadline = time.monotonic() + QUERY_SECONDS
        cursor = self._connection.execute(query.text, dict(parameters))
        rows: list[Row] = []
        booleans: list[int] = []
        for row in cursor:
            if not rows:
                booleans = self._boolean_columns(query, cursor)
            rows.append(_with_booleans(row, booleans) if booleans else row)
        return rows

    def interrupt(self) -> None:
        """End the query that another thread is running, if any."""
        self._connection.interrupt()

    def close(self) -> None:
        # The last connection to close puts the log into the file and removes it, which one that only reads may not.
        self._connection.execute("PRAGMA query_only = OFF")
        self._connection.close()

    def _boolean_columns(self, query: Query, cursor: apsw.Cursor) -> list[int]:
        """SQLite stores a boolean as 0 or 1: only the column's declaration knows that it is one."""
        found = self._booleans.get(query.name)
        if found is None:
            description = cursor.get_description()
            found = [index for index, (_, kind) in enumerate(description) if kind == "boolean"]
            self._booleans[query.name] = found
        return found

    def _is_late(self) -> bool:
        return time.monotonic() > self._deadline


def _with_booleans(row: Row, booleans: list[int]) -> Row:
    return tuple(bool(value) if index in booleans else value for index, value in enumerate(row))
