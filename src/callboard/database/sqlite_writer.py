"""Writing units into SQLite: one connection, one transaction per batch.

Owns: `SqliteWriter`, used on the writer's thread only.

Always holds: a batch is committed whole or not at all. A statement writes many rows, because every call into SQLite
gives up the interpreter's lock and has to wait for it again: beside a busy event loop, a call per row was measured
ten times slower than one per 64 rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path

import msgspec
from msgspec.structs import astuple

from callboard.clock import Clock
from callboard.database.batch import Batch, Cells, hook_of, merge, seqs
from callboard.database.guards import Found, Watch, answers, judged, watches
from callboard.database.interface import Outcome
from callboard.database.sql import SCHEMA_VERSION, SQLITE, following, migrations
from callboard.database.sqlite_connection import connect
from callboard.database.units import Append, Appended, Column, Kind, Table, Unit, Value

_MOST_ROWS = 256
"""Rows of one statement: 15 columns of an event stay far below SQLite's 32,766 parameters."""

_STREAM = Table("stream", tuple(Column(name, Kind.TEXT) for name in ("id", "room_id", "seq", "hook")), 1)
_EVENT_COLUMNS = ("position", "seq", "committed_at", *Append.__struct_fields__)


class SqliteWriter:
    """The one connection that writes. Raises `apsw.Error` when the engine fails."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._clock = clock
        self._connection = connect(path)

    def migrate(self) -> None:
        """Bring the schema up to date, in one transaction. Raises `DatabaseStopped` if it is newer than this code."""
        run = self._connection.execute
        run("BEGIN IMMEDIATE")
        try:
            run(SCHEMA_VERSION)
            [(version,)] = run("SELECT COALESCE(MAX(version), 0) FROM schema_version").fetchall()
            assert isinstance(version, int)
            for migration in following(migrations(), version):
                run(migration.text(SQLITE))
                applied = (migration.number, migration.name, self._clock.now())
                run("INSERT INTO schema_version (version, name, applied_at) VALUES (?, ?, ?)", applied)
            run("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    def write(self, units: Sequence[Unit]) -> list[Outcome]:
        """Commit the units whose guards hold in one transaction; return what became of each. Durable on return."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            verdicts = judged(units, [(watch, self._find(watch)) for watch in watches(units)])
            batch = merge([unit for unit, holds in zip(units, verdicts, strict=True) if holds])
            appended = self._append(batch) if batch.events else []
            for work in batch.tables:
                self._insert(work.table, work.puts)
                self._delete(work.table, work.deletes)
            self._connection.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        return answers(units, verdicts, appended)

    def close(self) -> None:
        self._connection.close()

    def _find(self, watch: Watch) -> Found:
        rows: list[tuple[Value, ...]] = []
        for some in _chunks(watch.keys):
            found = self._connection.execute(
                _look(watch.table, watch.columns, len(some)), tuple(chain.from_iterable(some))
            )
            rows += found.fetchall()
        return watch.found(rows)

    def _append(self, batch: Batch) -> list[Appended]:
        committed_at = self._clock.now()
        before, known, position = self._heads(list(batch.streams))
        hooks = {id_: known.get(id_, work.hook) for id_, work in batch.streams.items()}
        places = [
            Appended(position + number, seq, committed_at, hook_of(event, hooks))
            for number, (event, seq) in enumerate(zip(batch.events, seqs(batch, before), strict=True), start=1)
        ]
        self._insert(
            _STREAM,
            [(id_, work.room_id, before.get(id_, 0) + work.count, hooks[id_]) for id_, work in batch.streams.items()],
        )
        rows = [
            (place.position, place.seq, committed_at, *astuple(event)[:-1], place.hook)
            for place, event in zip(places, batch.events, strict=True)
        ]
        for some in _chunks(rows):
            self._connection.execute(_append_events(len(some)), tuple(chain.from_iterable(some)))
        return places

    def _heads(self, streams: list[str]) -> tuple[dict[str, int], dict[str, str], int]:
        """The last seq and the hook of each of these streams that exists, and the last position: one row, one step of
        the engine.
        """
        found = self._connection.execute(
            "SELECT json_group_object(id, seq), json_group_object(id, hook),"
            " COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'event'), 0)"
            " FROM stream WHERE id IN (SELECT value FROM json_each(?))",
            (msgspec.json.encode(streams).decode(),),
        )
        [(heads, hooks, position)] = found.fetchall()
        assert isinstance(heads, str)
        assert isinstance(hooks, str)
        assert isinstance(position, int)
        decode = msgspec.json.decode
        return decode(heads, type=dict[str, int]), decode(hooks, type=dict[str, str]), position

    def _insert(self, table: Table, rows: Sequence[Cells]) -> None:
        for some in _chunks(rows):
            self._connection.execute(_upsert(table, len(some)), tuple(chain.from_iterable(some)))

    def _delete(self, table: Table, keys: Sequence[Cells]) -> None:
        for some in _chunks(keys):
            self._connection.execute(_remove(table, len(some)), tuple(chain.from_iterable(some)))

    def _roll_back(self) -> None:
        # After some errors (a full disk) SQLite has rolled back by itself.
        if not self._connection.get_autocommit():
            self._connection.execute("ROLLBACK")


def _chunks(rows: Sequence[Cells]) -> Iterator[Sequence[Cells]]:
    """The rows in runs whose lengths are powers of two, so that few distinct statements have to be prepared."""
    start = 0
    while start < len(rows):
        size = min(_MOST_ROWS, 1 << ((len(rows) - start).bit_length() - 1))
        yield rows[start : start + size]
        start += size


def _values(columns: int, rows: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return ", ".join([row] * rows)


@lru_cache(maxsize=256)
def _upsert(table: Table, rows: int) -> str:
    names = [column.name for column in table.columns]
    key = ", ".join(names[: table.key])
    changes = ", ".join(f"{name} = excluded.{name}" for name in names[table.key :])
    return (
        f"INSERT INTO {table.name} ({', '.join(names)}) VALUES {_values(len(names), rows)}"  # noqa: S608
        f" ON CONFLICT ({key}) DO {f'UPDATE SET {changes}' if changes else 'NOTHING'}"
    )


@lru_cache(maxsize=256)
def _remove(table: Table, rows: int) -> str:
    key = ", ".join(column.name for column in table.key_columns)
    return f"DELETE FROM {table.name} WHERE ({key}) IN (VALUES {_values(table.key, rows)})"  # noqa: S608


@lru_cache(maxsize=64)
def _look(table: Table, columns: tuple[str, ...], rows: int) -> str:
    key = ", ".join(column.name for column in table.key_columns)
    wanted = ", ".join(columns)
    return f"SELECT {key}, {wanted} FROM {table.name} WHERE ({key}) IN (VALUES {_values(table.key, rows)})"  # noqa: S608


@lru_cache(maxsize=16)
def _append_events(rows: int) -> str:
    return f"INSERT OR ROLLBACK INTO event ({', '.join(_EVENT_COLUMNS)}) VALUES {_values(len(_EVENT_COLUMNS), rows)}"  # noqa: S608
