"""Writing units into PostgreSQL: one connection, one transaction per batch, one statement per table.

Owns: `PostgresqlWriter`.

Always holds: a batch is committed whole or not at all. Isolation is READ COMMITTED, and no statement both locks and
reads: each sees what the lock taken before it protects (a statement's snapshot is older than the locks it takes).
Two nodes can still get in each other's way, as guards lock their rows before all others: the server then rolls one of
them back, which is tried again.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import lru_cache

import asyncpg
from msgspec.structs import astuple

from callboard.clock import Clock
from callboard.database.batch import Batch, Cells, merge, seqs
from callboard.database.guards import Found, Watch, answers, judged, watches
from callboard.database.interface import Outcome
from callboard.database.notices import announcement
from callboard.database.postgresql_listener import CHANNEL
from callboard.database.sql import POSTGRESQL, SCHEMA_VERSION, following, migrations
from callboard.database.units import Append, Appended, Column, Table, Unit

_APPENDING = 0x63616C6C_00000001
_MIGRATING = 0x63616C6C_00000002
"""Advisory locks: "call" and a number. They are the database's, so two databases of one server never meet."""

_CLOSE_SECONDS = 10.0
_MOST_TRIES = 10
"""One of two that wait for each other goes on each time: a second try is seldom needed."""

log = logging.getLogger("callboard.database")

_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"

# Identity values are drawn when a row is inserted and seen when its transaction commits. Without a lock a node could
# commit position 8 while another, still in its transaction, holds position 7: a reader that has passed 8 would never
# see 7. The lock is held until COMMIT has made the rows visible, so positions appear in order. It costs little, as
# there is one transaction per batch and not per unit. It is a statement of its own: the next one's snapshot is
# younger than the lock.
_BEGIN_APPENDING = f"{_BEGIN}; SELECT pg_advisory_xact_lock({_APPENDING})"

SETTINGS = {
    "application_name": "callboard writer",
    "synchronous_commit": "on",
    # A node that hangs between two statements would hold the lock above against all others: the server ends it.
    "idle_in_transaction_session_timeout": "10s",
}

_EVENT_ARRAYS = ", ".join(
    f"${number}::{ {'at': 'bigint', 'body': 'bytea'}.get(name, 'text') }[]"
    for number, name in enumerate(Append.__struct_fields__, start=7)
)
# Streams grow by their number of events; each event then counts back from the end of its stream: `later` is how many
# events of its stream come after it in this batch. The sort gives positions in the order of the batch.
_APPEND = f"""
    WITH grown AS (
        INSERT INTO stream AS known (id, room_id, hook, seq)
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[])
        ON CONFLICT (id) DO UPDATE SET seq = known.seq + excluded.seq
        RETURNING id, seq, hook
    )
    INSERT INTO event (committed_at, seq, {", ".join(Append.__struct_fields__)})
    SELECT $5::bigint, grown.seq - given.later, {", ".join(f"given.{name}" for name in Append.__struct_fields__[:-1])},
        CASE WHEN given.session_id = '' THEN given.hook ELSE grown.hook END
    FROM unnest($6::bigint[], {_EVENT_ARRAYS})
        WITH ORDINALITY AS given (later, {", ".join(Append.__struct_fields__)}, number)
        JOIN grown ON grown.id = given.stream
    ORDER BY given.number
    RETURNING id, position, seq, hook
"""  # noqa: S608 - names of our own


class PostgresqlWriter:
    """The one connection of this node that writes. Raises asyncpg's errors and `OSError`."""

    def __init__(self, connection: asyncpg.Connection[asyncpg.Record], clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    @classmethod
    async def connect(cls, url: str, clock: Clock, seconds: float) -> PostgresqlWriter:
        connection = await asyncpg.connect(url, timeout=seconds, server_settings=SETTINGS)
        return cls(connection, clock)

    @property
    def pid(self) -> int:
        """The server's process behind this connection."""
        return self._connection.get_server_pid()

    async def migrate(self) -> None:
        """Bring the schema up to date, in one transaction; other nodes may do so too.

        Raises `DatabaseStopped` if it is newer than this code.
        """
        connection = self._connection
        async with connection.transaction(isolation="read_committed"):
            await connection.execute(f"SELECT pg_advisory_xact_lock({_MIGRATING})")
            await connection.execute(SCHEMA_VERSION)
            version = await connection.fetchval("SELECT COALESCE(MAX(version), 0) FROM schema_version")
            for migration in following(migrations(), version):
                await connection.execute(migration.text(POSTGRESQL))
                await connection.execute(
                    "INSERT INTO schema_version (version, name, applied_at) VALUES ($1, $2, $3)",
                    migration.number,
                    migration.name,
                    self._clock.now(),
                )

    async def write(self, units: Sequence[Unit]) -> list[Outcome]:
        """Commit the units whose guards hold in one transaction; return what became of each. Durable on return.

        After an error the connection is good for nothing but `abort`.
        """
        for _ in range(_MOST_TRIES - 1):
            try:
                return await self._transact(units)
            except asyncpg.DeadlockDetectedError as deadlock:  # nothing of it was written: the server says so
                log.warning("two nodes waited for each other, this one tries again: %s", deadlock.detail)
                await self._connection.execute("ROLLBACK")
        return await self._transact(units)

    async def _transact(self, units: Sequence[Unit]) -> list[Outcome]:
        await self.begin(appending=any(unit.events for unit in units))
        verdicts = judged(units, [(watch, await self._hold(watch)) for watch in watches(units)])
        batch = merge([unit for unit, holds in zip(units, verdicts, strict=True) if holds])
        appended = await self._append(batch) if batch.events else []
        for work in batch.tables:
            if work.puts:
                await self._connection.execute(_upsert(work.table), *_columns(work.puts))
            if work.deletes:
                await self._connection.execute(_remove(work.table), *_columns(work.deletes))
        tables = announcement(batch)
        outcome = await self._connection.execute(f"NOTIFY {CHANNEL}, '{tables}'; COMMIT" if tables else "COMMIT")
        if outcome != "COMMIT":
            raise asyncpg.InterfaceError(f"the server answered {outcome} to COMMIT")
        return answers(units, verdicts, appended)

    async def begin(self, *, appending: bool) -> None:
        """Begin a transaction; one that appends events waits until no other node's does."""
        await self._connection.execute(_BEGIN_APPENDING if appending else _BEGIN)

    def abort(self) -> None:
        """Hang up: the server rolls back what is not committed."""
        self._connection.terminate()

    async def close(self) -> None:
        await self._connection.close(timeout=_CLOSE_SECONDS)

    async def _hold(self, watch: Watch) -> Found:
        """Lock the rows until the end of the transaction, then read them."""
        keys = _columns(watch.keys)
        await self._connection.execute(_lock(watch.table), *keys)
        rows = await self._connection.fetch(_look(watch.table, watch.columns), *keys)
        return watch.found([tuple(row) for row in rows])

    async def _append(self, batch: Batch) -> list[Appended]:
        committed_at = self._clock.now()
        counts = [work.count for work in batch.streams.values()]
        later = [batch.streams[event.stream].count - n for event, n in zip(batch.events, seqs(batch, {}), strict=True)]
        rows = await self._connection.fetch(
            _APPEND,
            list(batch.streams),
            [work.room_id for work in batch.streams.values()],
            [work.hook for work in batch.streams.values()],
            counts,
            committed_at,
            later,
            *_columns([astuple(event) for event in batch.events]),
        )
        places = {row["id"]: Appended(row["position"], row["seq"], committed_at, row["hook"]) for row in rows}
        return [places[event.id] for event in batch.events]


def _columns(rows: Sequence[Cells]) -> list[tuple[object, ...]]:
    """The rows turned on their side: one array per column, as `unnest` takes them."""
    return list(zip(*rows, strict=True))


def _arrays(columns: Sequence[Column]) -> str:
    kinds = (f"${number}::{column.kind}[]" for number, column in enumerate(columns, start=1))
    return f"unnest({', '.join(kinds)})"


def _matches(table: Table, other: str) -> str:
    return " AND ".join(f"{table.name}.{column.name} = {other}.{column.name}" for column in table.key_columns)


@lru_cache(maxsize=64)
def _lock(table: Table) -> str:
    # The sort comes before the locks, so every node takes them in the same order.
    names = ", ".join(column.name for column in table.key_columns)
    order = ", ".join(f"{table.name}.{column.name}" for column in table.key_columns)
    return (
        f"SELECT FROM {table.name} JOIN {_arrays(table.key_columns)} AS wanted ({names})"
        f" ON {_matches(table, 'wanted')} ORDER BY {order} FOR UPDATE OF {table.name}"
    )


@lru_cache(maxsize=64)
def _look(table: Table, columns: tuple[str, ...]) -> str:
    names = [column.name for column in table.key_columns]
    wanted = ", ".join(f"{table.name}.{name}" for name in (*names, *columns))
    return (
        f"SELECT {wanted} FROM {table.name} JOIN {_arrays(table.key_columns)} AS wanted ({', '.join(names)})"  # noqa: S608
        f" ON {_matches(table, 'wanted')}"
    )


@lru_cache(maxsize=64)
def _upsert(table: Table) -> str:
    names = [column.name for column in table.columns]
    key = ", ".join(names[: table.key])
    changes = ", ".join(f"{name} = excluded.{name}" for name in names[table.key :])
    return (
        f"INSERT INTO {table.name} ({', '.join(names)}) SELECT * FROM {_arrays(table.columns)}"  # noqa: S608
        f" ON CONFLICT ({key}) DO {f'UPDATE SET {changes}' if changes else 'NOTHING'}"
    )


@lru_cache(maxsize=64)
def _remove(table: Table) -> str:
    names = ", ".join(column.name for column in table.key_columns)
    gone = f"{_arrays(table.key_columns)} AS gone ({names})"
    return f"DELETE FROM {table.name} USING {gone} WHERE {_matches(table, 'gone')}"  # noqa: S608
