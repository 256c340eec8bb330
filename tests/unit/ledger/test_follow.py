"""Following the ledger: the past, then the present, without loss or doubling at the seam."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

import pytest

from callboard.database import Database, DatabaseStopped, open_database
from callboard.ledger import Changes, Fact, Filter, Ledger, Recorded
from callboard.ledger.tail import MOST_EVENTS

Facts = Callable[..., Fact]


async def take(events: AsyncIterator[Recorded], count: int) -> list[str]:
    async with asyncio.timeout(60):
        return [(await anext(events)).id for _ in range(count)]


async def test_a_follower_gets_the_past_and_then_what_comes(ledger: Ledger, fact: Facts) -> None:
    for _ in range(3):
        await ledger.commit(Changes(facts=(fact(), fact("s2"))))
    async with aclosing(ledger.follow(1)) as events:
        assert await take(events, 5) == ["e2", "e3", "e4", "e5", "e6"]
        waiting = asyncio.create_task(take(events, 2))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        await ledger.commit(Changes(facts=(fact(), fact())))
        assert await waiting == ["e7", "e8"]


async def test_followers_miss_and_double_nothing_while_others_commit(ledger: Ledger, fact: Facts) -> None:
    total = 400
    orders: list[list[str]] = []

    async def commit(session_id: str) -> None:
        for _ in range(total // 4):
            await ledger.commit(Changes(facts=(fact(session_id),)))

    async def follow(delay: int) -> None:
        for _ in range(delay):  # begin at different moments of the stream
            await asyncio.sleep(0)
        async with aclosing(ledger.follow(0)) as events:
            orders.append(await take(events, total))

    await asyncio.gather(*(commit(f"s{n}") for n in range(4)), *(follow(n * 40) for n in range(8)))
    truth = [recorded.id for recorded in await ledger.read(0, total)]
    assert len(set(truth)) == total
    assert orders == [truth] * 8


async def test_a_follower_that_falls_far_behind_reads_on_in_the_database(ledger: Ledger, fact: Facts) -> None:
    total = 2 * MOST_EVENTS
    async with aclosing(ledger.follow(0)) as events:
        await ledger.commit(Changes(facts=(fact(),)))
        assert await take(events, 1) == ["e1"]
        for _ in range(0, total, 64):
            await ledger.commit(Changes(facts=tuple(fact() for _ in range(64))))
        assert await take(events, total) == [f"e{number}" for number in range(2, total + 2)]
        waiting = asyncio.create_task(take(events, 1))
        await asyncio.sleep(0)
        await ledger.commit(Changes(facts=(fact(),)))
        assert await waiting == [f"e{total + 2}"]


async def test_a_follower_gets_only_what_it_wants(ledger: Ledger, fact: Facts) -> None:
    await ledger.commit(Changes(facts=(fact("s1"), fact("s2", room_id="r2"))))
    async with (
        aclosing(ledger.follow(0, Filter(session_id="s2"))) as of_session,
        aclosing(ledger.follow(0, Filter(room_id="r1"))) as of_room,
    ):
        assert await take(of_session, 1) == ["e2"]
        assert await take(of_room, 1) == ["e1"]
        waiting = [asyncio.create_task(take(of_session, 2)), asyncio.create_task(take(of_room, 2))]
        for session_id, room_id in (("s1", "r1"), ("s2", "r2"), ("s3", "r1"), ("s2", "r2")):
            await asyncio.sleep(0.01)
            await ledger.commit(Changes(facts=(fact(session_id, room_id=room_id),)))
        assert await asyncio.gather(*waiting) == [["e4", "e6"], ["e3", "e5"]]


async def test_a_follower_of_rare_events_does_not_read_the_others_again_and_again(
    database: Database, fact: Facts, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, ledger = (Ledger(database, account_id="account", app_id="app") for _ in range(2))
    await before.commit(Changes(facts=(fact(), fact())))
    reads: list[int] = []
    caught_up = asyncio.Event()
    read = ledger.read

    async def counted(after: int, limit: int, wanted: Filter) -> list[Recorded]:
        reads.append(after)
        found = await read(after, limit, wanted)
        caught_up.set()
        return found

    monkeypatch.setattr(ledger, "read", counted)
    monkeypatch.setattr("callboard.ledger.ledger._POLL_SECONDS", 60.0)
    async with aclosing(ledger.follow(0, Filter(session_id="rare"))) as events:
        waiting = asyncio.create_task(take(events, 1))
        await caught_up.wait()
        for _ in range(30):
            await ledger.commit(Changes(facts=(fact(),)))
        await ledger.commit(Changes(facts=(fact("rare"),)))
        assert await waiting == ["e33"]
    assert reads == [0]  # what came after that it was given


async def test_a_follower_sees_what_another_node_commits(database_url: str, fact: Facts) -> None:
    databases = [open_database(database_url) for _ in range(2)]
    for database in databases:
        await database.open()
    here, there = (Ledger(database, account_id="account", app_id="app") for database in databases)
    async with aclosing(here.follow(0)) as events:
        waiting = asyncio.create_task(take(events, 40))
        for _ in range(20):
            await there.commit(Changes(facts=(fact(),)))
            await here.commit(Changes(facts=(fact(),)))
        assert await waiting == [f"e{number}" for number in range(1, 41)]
        waiting = asyncio.create_task(take(events, 1))
        await there.commit(Changes(facts=(fact(),)))
        assert await waiting == ["e41"]
    for database in databases:
        await database.close()


async def test_a_follower_ends_with_the_database(ledger: Ledger, fact: Facts, database_url: str) -> None:
    database = open_database(database_url)
    await database.open()
    other = Ledger(database, account_id="account", app_id="app")
    async with aclosing(other.follow(0)) as events:
        waiting = asyncio.create_task(take(events, 1))
        await asyncio.sleep(0.01)
        await database.close()
        with pytest.raises(DatabaseStopped):
            await waiting


@pytest.mark.postgresql
async def test_a_follower_is_woken_by_another_node(
    postgresql_url: str, fact: Facts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callboard.ledger.ledger._POLL_SECONDS", 600.0)
    databases = [open_database(postgresql_url) for _ in range(2)]
    for database in databases:
        await database.open()
    here, there = (Ledger(database, account_id="account", app_id="app") for database in databases)
    async with aclosing(here.follow(0)) as events, asyncio.timeout(30):
        for number in range(1, 6):
            waiting = asyncio.create_task(take(events, 1))
            await there.commit(Changes(facts=(fact(),)))
            assert await waiting == [f"e{number}"]
    for database in databases:
        await database.close()
