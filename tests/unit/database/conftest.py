"""Ways to get a database into a state that a test needs, from outside: by another connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import apsw
import asyncpg
import pytest

from callboard.database import Row

Execute = Callable[[str], Awaitable[list[Row]]]
Held = Callable[[], AbstractAsyncContextManager[None]]


@pytest.fixture
def execute(database_url: str) -> Execute:
    """`await execute(sql)`: run a statement through another connection; its rows."""

    async def run(sql: str) -> list[Row]:
        if database_url.startswith("sqlite"):
            other = apsw.Connection(database_url.removeprefix("sqlite:///"))
            try:
                return list(other.execute(sql))
            finally:
                other.close()
        connection = await asyncpg.connect(database_url)
        try:
            return [tuple(row) for row in await connection.fetch(sql)]
        finally:
            await connection.close()

    return run


@pytest.fixture
def held(database_url: str) -> Held:
    """`async with held():` nothing is committed, because another connection holds a lock."""

    @asynccontextmanager
    async def hold() -> AsyncIterator[None]:
        if database_url.startswith("sqlite"):
            other = apsw.Connection(database_url.removeprefix("sqlite:///"))
            try:
                await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")
                yield
            finally:
                other.close()
        else:
            connection = await asyncpg.connect(database_url)
            try:
                async with connection.transaction():
                    await connection.execute("LOCK TABLE session, room, stream IN EXCLUSIVE MODE")
                    yield
            finally:
                await connection.close()

    return hold
