"""Nodes hear from each other what has changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from callboard.database import Database, Put, Row, Unit, open_database
from callboard.database.tables import ENDPOINT
from callboard.testing.units import event, session

pytestmark = pytest.mark.postgresql

Execute = Callable[[str], Awaitable[list[Row]]]
END_LISTENERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'callboard listener'"
LISTENERS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'callboard listener'"


@pytest.fixture
def database_url(postgresql_url: str) -> str:
    return postgresql_url


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[Database]:
    """Another node."""
    node = open_database(database_url)
    await node.open()
    yield node
    await node.close()


class Ear:
    """Whether something was heard, of each table."""

    def __init__(self, node: Database) -> None:
        self._heard = {table: asyncio.Event() for table in ("event", "endpoint")}
        for table, heard in self._heard.items():
            node.on_notice(table, heard.set)

    async def until(self, table: str) -> None:
        async with asyncio.timeout(60):
            await self._heard[table].wait()
        self._heard[table].clear()

    def heard(self) -> list[str]:
        return [table for table, heard in self._heard.items() if heard.is_set()]


async def test_a_node_hears_what_another_one_committed_and_not_what_it_did_itself(
    database: Database, other: Database
) -> None:
    here, there = Ear(database), Ear(other)
    await other.commit(Unit(events=(event("e1"),)))
    await here.until("event")
    await other.commit(Unit((Put(ENDPOINT, ("x", "{}", 1, 1)), session("s"))))
    await here.until("endpoint")
    assert here.heard() == there.heard() == []
    await database.commit(Unit((Put(ENDPOINT, ("y", "{}", 1, 1)),), (event("e2"),)))
    await there.until("event")
    await there.until("endpoint")
    assert here.heard() == []


async def test_what_nobody_waits_for_is_not_announced(database: Database, other: Database) -> None:
    with pytest.raises(
        ValueError, match="changes of session are not announced: delivery_shard, endpoint, event, expunged are"
    ):
        database.on_notice("session", lambda: None)
    ear = Ear(database)
    await other.commit(Unit((session("s"),)))
    await other.commit(Unit(events=(event("e1"),)))  # notices come in the order of commit
    await ear.until("event")
    assert ear.heard() == []


async def test_a_node_that_could_not_hear_looks_again_when_it_can(
    database: Database, other: Database, execute: Execute
) -> None:
    ear = Ear(database)
    await execute(END_LISTENERS)
    await other.commit(Unit(events=(event("e1"),)))  # perhaps nobody listens
    for table in ("event", "endpoint"):
        await ear.until(table)
    await other.commit(Unit(events=(event("e2"),)))
    await ear.until("event")


async def test_a_listener_ends_with_its_database(database_url: str, execute: Execute) -> None:
    node = open_database(database_url)
    await node.open()
    assert await execute(LISTENERS) == [(1,)]
    await node.close()
    async with asyncio.timeout(60):
        while await execute(LISTENERS) != [(0,)]:
            await asyncio.sleep(0.01)
