"""What only PostgreSQL can do, or fail to do: several nodes, and a server that goes away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from callboard.clock import SystemClock
from callboard.database import (
    Database,
    DatabaseStopped,
    QueryFailed,
    Row,
    Unit,
    open_database,
    postgresql_writer,
)
from callboard.database.postgresql_writer import PostgresqlWriter
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
            unit = Unit((session("shared", opened_at=number), session(name)), (event(f"{name}-{number}", name),))
            await node.commit(unit._replace(events=(*unit.events, event(f"{name}-{number}+", "shared"))))

    async def read() -> None:
        """By a cursor, as a follower does: what appears behind it is never seen."""
        while len(seen) < 2 * total:
            after = seen[-1] if seen else 0
            rows = await nodes[0].fetch("events_after", position=after, types="", limit=50)
            seen.extend(int(str(row[0])) for row in rows)

    async with asyncio.timeout(60):
        await asyncio.gather(
            read(), *(write(node, f"{index}-{task}") for index, node in enumerate(nodes) for task in range(6))
        )
    assert seen == sorted(set(seen))
    shared = await nodes[1].fetch("events_of_stream", stream="shared", seq=0, limit=10_000)
    assert [row[3] for row in shared] == list(range(1, total + 1))
    for node in nodes:
        await node.close()


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
    async with asyncio.timeout(30):
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


END_SESSIONS = """
    SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
    WHERE application_name = '{}' AND datname = current_database()
"""
