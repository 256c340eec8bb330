"""What only PostgreSQL can do, or fail to do: several nodes, and a server that goes away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg
import pytest

from callboard.clock import SystemClock
from callboard.database import (
    Database,
    DatabaseStopped,
    Guard,
    GuardFailed,
    QueryFailed,
    Row,
    Unit,
    open_database,
    postgresql_writer,
)
from callboard.database.postgresql_writer import PostgresqlWriter
from callboard.database.tables import SESSION
from callboard.testing.units import event, session

pytestmark = pytest.mark.postgresql

Execute = Callable[[str], Awaitable[list[Row]]]


@pytest.fixture
def database_url(postgresql_url: str) -> str:
    return postgresql_url


async def test_positions_appear_in_order_while_several_nodes_write(postgresql_url: str) -> None:
    nodes = [open_database(postgresql_url) for _ in range(3)]
    for node in nodes:
        await node.open()
    seen: list[int] = []
    total = 3 * 6 * 40

    async def write(node: Database, name: str) -> None:
        for number in range(40):
            await node.commit(Unit((session(name, opened_at=number),), (event(f"{name}-{number}", name),)))

    async def read() -> None:
        """By a cursor, as a follower does: what appears behind it is never seen."""
        while len(seen) < total:
            after = seen[-1] if seen else 0
            rows = await nodes[0].fetch("events_after", position=after, types="", limit=50)
            seen.extend(int(str(row[0])) for row in rows)

    async with asyncio.timeout(60):
        await asyncio.gather(
            read(), *(write(node, f"{index}-{task}") for index, node in enumerate(nodes) for task in range(6))
        )
    assert seen == sorted(set(seen))
    for node in nodes:
        await node.close()


async def test_several_nodes_count_one_stream_together(postgresql_url: str) -> None:
    nodes = [open_database(postgresql_url) for _ in range(3)]
    for node in nodes:
        await node.open()
    commits = [node.commit(Unit(events=(event(f"{n}-{m}"),))) for m in range(100) for n, node in enumerate(nodes)]
    places = [place for places in await asyncio.gather(*commits) for place in places]
    assert sorted(place.seq for place in places) == list(range(1, 301))
    for node in nodes:
        await node.close()


async def test_nodes_that_write_the_same_rows_in_opposite_orders_do_not_get_stuck(postgresql_url: str) -> None:
    nodes = [open_database(postgresql_url) for _ in range(2)]
    for node in nodes:
        await node.open()
    names = [f"s{number}" for number in range(500)]

    async def write(node: Database, order: list[str]) -> None:
        for number in range(30):
            await node.commit(Unit(tuple(session(name, opened_at=number) for name in order)))

    async with asyncio.timeout(60):
        await asyncio.gather(write(nodes[0], names), write(nodes[1], names[::-1]))
    for node in nodes:
        await node.close()


@asynccontextmanager
async def deadlocked(url: str, execute: Execute, unit: Unit) -> AsyncIterator[tuple[Database, Awaitable[object]]]:
    """A commit of `unit`, which writes the sessions a, m and z, while somebody else writes z and then a. The server
    notices at the node's end, since only there it looks for it. It looks once, a second after a wait began: so the node
    waits for m, which a third one holds, until the other waits for a.
    """
    database = open_database(url)
    await database.open()
    await database.commit(Unit((session("a"), session("m"), session("z"))))
    other, third = [await asyncpg.connect(url, server_settings={"deadlock_timeout": "1h"}) for _ in range(2)]
    await other.execute("BEGIN; UPDATE session SET opened_at = 7 WHERE id = 'z'")
    await third.execute("BEGIN; UPDATE session SET opened_at = 7 WHERE id = 'm'")
    commit = asyncio.create_task(database.commit(unit))

    async def until_waiting(count: int) -> None:
        while len(await execute("SELECT 1 FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted")) < count:
            assert not commit.done()

    async with asyncio.timeout(60):
        await until_waiting(1)
        update = asyncio.create_task(other.execute("UPDATE session SET opened_at = 7 WHERE id = 'a'"))
        await until_waiting(2)
        await third.execute("COMMIT")
        await update
        await other.execute("COMMIT")
    yield database, commit
    for connection in (other, third):
        await connection.close()
    await database.close()


async def test_of_two_that_wait_for_each_other_the_node_that_was_rolled_back_tries_again(
    postgresql_url: str, execute: Execute, caplog: pytest.LogCaptureFixture
) -> None:
    unit = Unit(tuple(session(name, opened_at=8) for name in "amz"), (event("e", "a"),))
    async with deadlocked(postgresql_url, execute, unit) as (database, commit):
        await commit
        assert "two nodes waited for each other" in caplog.text
        assert await execute("SELECT id, opened_at FROM session ORDER BY id") == [("a", 8), ("m", 8), ("z", 8)]
        assert await execute("SELECT id, seq FROM event") == [("e", 1)]
        assert len(await database.commit(Unit(events=(event("f", "a"),)))) == 1
        assert await execute("SELECT id, seq FROM event ORDER BY seq") == [("e", 1), ("f", 2)]


async def test_who_tries_again_looks_at_its_guards_again(postgresql_url: str, execute: Execute) -> None:
    guard = Guard(SESSION, ("a",), "opened_at", 1)
    unit = Unit(tuple(session(name, opened_at=8) for name in "amz"), (event("e", "a"),), guards=(guard,))
    async with deadlocked(postgresql_url, execute, unit) as (_, commit):
        with pytest.raises(GuardFailed):
            await commit
        assert await execute("SELECT id, opened_at FROM session ORDER BY id") == [("a", 7), ("m", 7), ("z", 7)]
        assert await execute("SELECT id FROM event") == []


async def test_a_node_takes_its_positions_only_when_the_one_before_it_has_committed(
    postgresql_url: str, execute: Execute
) -> None:
    database = open_database(postgresql_url)
    await database.open()
    other = await PostgresqlWriter.connect(postgresql_url, SystemClock(), 10)
    await other.begin(appending=True)
    commit = asyncio.create_task(one_event(database))
    async with asyncio.timeout(60):
        while not await execute("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"):
            assert not commit.done()
    other.abort()
    assert await commit == 1
    await database.close()


async def test_a_server_that_ends_the_writers_session_stops_the_node(postgresql_url: str, execute: Execute) -> None:
    database = open_database(postgresql_url)
    await database.open()
    causes: list[BaseException] = []
    database.on_stop(causes.append)
    await database.commit(Unit((session("s"),)))
    await execute(END_SESSIONS.format("callboard writer"))
    with pytest.raises(DatabaseStopped):
        await database.commit(Unit((session("t"),)))
    await asyncio.sleep(0)
    assert len(causes) == 1
    await database.close()
    assert await execute("SELECT id FROM session") == [("s",)]


async def test_a_reader_whose_session_ended_is_replaced(postgresql_url: str, execute: Execute) -> None:
    database = open_database(postgresql_url)
    await database.open()
    await database.commit(Unit((session("s"),)))
    await execute(END_SESSIONS.format("callboard reader"))
    async with asyncio.timeout(60):
        while True:
            try:
                rows = await database.fetch("open_sessions")
                break
            except QueryFailed:
                await asyncio.sleep(0.01)
    assert [row[0] for row in rows] == ["s"]
    await database.commit(Unit((session("t"),)))
    await database.close()


async def test_a_node_that_hangs_in_a_transaction_does_not_hold_up_the_others_for_long(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = open_database(postgresql_url)
    await database.open()
    assert "idle_in_transaction_session_timeout" in postgresql_writer.SETTINGS
    monkeypatch.setitem(postgresql_writer.SETTINGS, "idle_in_transaction_session_timeout", "500ms")
    hanging = await PostgresqlWriter.connect(postgresql_url, SystemClock(), 10)
    await hanging.begin(appending=True)
    [place] = await database.commit(Unit(events=(event("e"),)))
    assert place.seq == 1
    hanging.abort()
    await database.close()


async def test_pages_are_in_the_order_of_bytes_whatever_the_servers_locale(postgresql_url: str) -> None:
    database = open_database(postgresql_url)
    await database.open()
    names = ["B", "a", "Z", "_", "0", "é", "b", "-1"]
    await database.commit(Unit(tuple(session(name) for name in names)))
    assert [row[0] for row in await database.fetch("open_sessions")] == sorted(names)
    await database.close()


async def one_event(database: Database) -> int:
    [place] = await database.commit(Unit(events=(event("e"),)))
    return place.seq


END_SESSIONS = """
    SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
    WHERE application_name = '{}' AND datname = current_database()
"""
