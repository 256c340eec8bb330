"""What both back ends promise (`database/interface.py`), checked on both."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import pairwise

import pytest
from msgspec.structs import replace

from callboard.clock import SystemClock
from callboard.database import (
    Append,
    Appended,
    Column,
    Database,
    DatabaseBusy,
    DatabaseStopped,
    Delete,
    Kind,
    Put,
    Row,
    Table,
    Unit,
    open_database,
)
from callboard.database.interface import MOST_UNITS
from callboard.database.tables import ATTEMPT, DELIVERY_CURSOR, ROOM, SESSION
from callboard.testing.units import event, session

Held = Callable[[], AbstractAsyncContextManager[None]]
Execute = Callable[[str], Awaitable[list[Row]]]


async def events(database: Database) -> list[Row]:
    return await database.fetch("events_after", position=0, types="", limit=1_000_000)


async def open_sessions(database: Database) -> list[object]:
    return [row[0] for row in await database.fetch("open_sessions")]


async def test_a_commit_returns_where_its_events_came_to_stand(database: Database) -> None:
    before = SystemClock().now()
    [first, second] = await database.commit(Unit(events=(event("a"), event("b"))))
    [third] = await database.commit(Unit(events=(event("c"),)))
    assert [first.seq, second.seq, third.seq] == [1, 2, 3]
    assert 0 < first.position < second.position < third.position
    assert before <= first.committed_at == second.committed_at <= third.committed_at <= SystemClock().now()


async def test_what_a_commit_returned_is_what_is_read(database: Database) -> None:
    given = replace(event("a", "s1", kind="k", at=5, body=b'{"x":1}'), template_id="t", hook="room")
    [place] = await database.commit(Unit(events=(given,)))
    circumstances = ("a", "s1", 1, "k", "room", "s1", "peer", 5, place.committed_at, "server", "test")
    assert await events(database) == [(place.position, *circumstances, b'{"x":1}', "t", "room")]


async def test_all_events_of_a_session_go_where_its_first_one_goes(database: Database) -> None:
    def at(id_: str, stream: str, hook: str) -> Append:
        return replace(event(id_, stream), hook=hook)

    first = await database.commit(Unit(events=(at("a", "s1", "room"), at("b", "s2", ""), at("c", "s1", ""))))
    later = await database.commit(Unit(events=(at("d", "s1", ""), at("e", "s2", "room"), at("f", "s3", "room"))))
    assert [place.hook for place in (*first, *later)] == ["room", "", "room", "room", "", "room"]
    assert [row[-1] for row in await events(database)] == ["room", "", "room", "room", "", "room"]


async def test_events_of_a_room_without_a_session_speak_for_themselves(database: Database) -> None:
    places: list[Appended] = []
    for number, hook in enumerate(("", "room", "")):
        places += await database.commit(Unit(events=(replace(event(f"e{number}", "room"), hook=hook),)))
    assert [place.hook for place in places] == ["", "room", ""]
    assert [row[-1] for row in await events(database)] == ["", "room", ""]


async def test_a_fetch_sees_what_the_commit_before_it_wrote(database: Database) -> None:
    for number in range(50):
        await database.commit(Unit((session(f"s{number:02}"),)))
        assert len(await open_sessions(database)) == number + 1


async def test_an_empty_unit_is_committed_in_its_turn(database: Database) -> None:
    assert list(await database.commit(Unit())) == []


async def test_the_last_put_or_delete_of_a_key_wins_within_a_unit(database: Database) -> None:
    await database.commit(Unit((session("gone"), session("kept", opened_at=1))))
    await database.commit(
        Unit(
            (
                session("kept", opened_at=2),
                Delete(SESSION, ("kept",)),
                session("kept", opened_at=3),
                session("gone"),
                Delete(SESSION, ("gone",)),
                Delete(SESSION, ("never there",)),
            )
        )
    )
    assert await database.fetch("open_sessions") == [("kept", "room", "template", 3, 0)]


async def test_the_last_put_or_delete_of_a_key_wins_within_a_transaction(database: Database, held: Held) -> None:
    async with held():
        for number in range(1, 10):
            database.submit(Unit((session("s", opened_at=number),)))
        database.submit(Unit((Delete(SESSION, ("s",)), session("t"))))
        database.submit(Unit((session("s", opened_at=99), Delete(SESSION, ("t",)))))
    await database.commit(Unit())
    assert await database.fetch("open_sessions") == [("s", "room", "template", 99, 0)]


async def test_a_row_that_is_all_key_can_be_put_twice(database: Database, execute: Execute) -> None:
    await execute("CREATE TABLE pair (a text NOT NULL, b bigint NOT NULL, PRIMARY KEY (a, b))")
    pair = Table("pair", (Column("a", Kind.TEXT), Column("b", Kind.BIGINT)), 2)
    for number in (1, 2, 1):
        await database.commit(Unit((Put(pair, ("a", number)),)))
    assert await execute("SELECT a, b FROM pair ORDER BY a, b") == [("a", 1), ("a", 2)]


async def test_rows_with_keys_of_several_columns_are_deleted_by_all_of_them(database: Database) -> None:
    cursors = [Put(DELIVERY_CURSOR, ("endpoint", f"s{number}", number, number)) for number in range(1, 6)]
    await database.commit(Unit(tuple(cursors)))
    await database.commit(Unit(tuple(Delete(DELIVERY_CURSOR, ("endpoint", name)) for name in ("s1", "s3", "s9"))))
    left = await database.fetch("delivery_cursors", endpoint_id="endpoint", position=0)
    assert [row[1] for row in left] == ["s2", "s4", "s5"]


async def test_each_type_comes_back_as_it_went_in(database: Database) -> None:
    text = "Grüße, 世界 👋\t\n\u2028'\"\\\u0001\ufffe"
    rows = tuple(
        Put(ROOM, (f"r{number}", text, text.casefold(), "", number == 1, "{}", at, at, ""))
        for number, at in enumerate((-(2**63), 2**63 - 1))
    )
    tries = tuple(
        Put(ATTEMPT, ("e", "endpoint", number, 1, 200, text, seconds, 0, 0, 0, "", 0.0, 0.0, 0.0, 0.0, ""))
        for number, seconds in enumerate((0.1, 1e300, -0.0, 5e-324, float("inf")))
    )
    body = bytes(range(256)) * 300
    await database.commit(Unit(rows + tries, (event("e", body=body),)))

    for put in rows:
        [row] = await database.fetch("room_by_id", id=put.row[0])
        assert (row, [type(value) for value in row]) == (put.row[:-1], [type(value) for value in put.row[:-1]])
    stored = await database.fetch("attempts_of_event", event_id="e")
    assert [(row[:-1], type(row[6])) for row in stored] == [(put.row, float) for put in tries]
    [(*_, stored_body, _, _)] = await events(database)
    assert stored_body == body
    assert type(stored_body) is bytes


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (("s", "room", "template", 1), "session: 5 values are needed, 4 given"),
        (("s", "ro\0om", "template", 1, 0), "session.room_id: text must not contain U+0000"),
        (("s", "\ud800", "template", 1, 0), "session.room_id: text must not contain a lone surrogate"),
        (("s", "room", "template", 2**63, 0), "session.opened_at: the integer does not fit 64 bits"),
        (("s", "room", "template", None, 0), "session.opened_at: an integer is needed, NoneType given"),
    ],
)
async def test_a_value_that_cannot_be_stored_is_refused_and_harms_nobody(
    database: Database, row: Row, problem: str
) -> None:
    neighbour = asyncio.create_task(commit(database, Unit((session("neighbour"),))))
    await asyncio.sleep(0)  # so that it waits to be committed
    with pytest.raises(ValueError, match=re.escape(problem)):
        await database.commit(Unit((session("other"), Put(SESSION, row))))
    with pytest.raises(ValueError, match=re.escape(problem)):
        database.submit(Unit((Put(SESSION, row),)))
    await neighbour
    assert await open_sessions(database) == ["neighbour"]


async def test_seqs_have_no_gap_and_positions_rise_when_many_commit_at_once(database: Database) -> None:
    streams = [f"s{number}" for number in range(7)]
    seen: dict[str, list[int]] = {stream: [] for stream in streams}

    async def worker(name: int) -> None:
        for number in range(40):
            stream = streams[(name * 3 + number) % len(streams)]
            other = streams[(name + number * 2) % len(streams)]
            unit = Unit(
                (session(stream, opened_at=number),),
                (event(f"{name}-{number}-a", stream), event(f"{name}-{number}-b", other)),
            )
            places = await database.commit(unit)
            for append, place in zip(unit.events, places, strict=True):
                seen[append.stream].append(place.seq)

    await asyncio.gather(*(worker(name) for name in range(12)))
    rows = await events(database)
    positions = [position for position, *_ in rows]
    assert all(a < b for a, b in pairwise(positions))  # type: ignore[operator]  # integers
    for stream in streams:
        expected = list(range(1, len(seen[stream]) + 1))
        assert sorted(seen[stream]) == expected
        assert [row[3] for row in rows if row[2] == stream] == expected


async def test_callbacks_and_awaiters_go_on_each_in_the_order_of_submission_and_no_awaiter_before_a_callback(
    database: Database,
) -> None:
    order: list[int] = []

    async def awaiter(number: int) -> None:
        await database.commit(Unit((session(f"s{number}"),)))
        order.append(number)

    def told(number: int) -> Callable[[Sequence[Appended]], None]:
        return lambda _: order.append(number)

    tasks = []
    for number in range(600):
        if number % 3:
            database.submit(Unit(events=(event(f"e{number}"),)), told(number))
        else:
            tasks.append(asyncio.create_task(awaiter(number)))
            await asyncio.sleep(0)  # so that it has submitted
    await asyncio.gather(*tasks)
    await until(lambda: database.waiting == 0 and len(order) == 600)
    called = [number for number in order if number % 3]
    assert called == sorted(called)
    assert [number for number in order if not number % 3] == list(range(0, 600, 3))
    for place, number in enumerate(order):
        if not number % 3:
            assert set(called[: number // 3 * 2]) <= set(order[:place]), "an earlier unit's callback came later"


async def test_a_callback_that_raises_is_reported_and_harms_nobody(database: Database) -> None:
    reported: list[BaseException] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))

    def fails(_: Sequence[Appended]) -> None:
        raise LookupError("by the test")

    database.submit(Unit((session("a"),)), fails)
    await database.commit(Unit((session("b"),)))
    assert [str(error) for error in reported] == ["by the test"]


async def test_a_commit_whose_awaiter_is_cancelled_is_committed_all_the_same(database: Database, held: Held) -> None:
    told: list[int] = []
    async with held():
        unit = Unit((session("s"),), (event("e"),))
        task = asyncio.create_task(commit(database, unit, lambda places: told.append(places[0].seq)))
        await until(lambda: database.waiting == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await until(lambda: database.waiting == 0 and told == [1])
    assert await open_sessions(database) == ["s"]


async def test_what_waits_shares_transactions(database: Database, held: Held) -> None:
    count = 3 * MOST_UNITS
    async with held():
        tasks = [asyncio.create_task(commit(database, Unit(events=(event(f"e{number}"),)))) for number in range(count)]
        await until(lambda: database.waiting == count)
    places = [place for places in await asyncio.gather(*tasks) for place in places]
    assert [place.seq for place in places] == list(range(1, count + 1))
    # Whoever came first may have been taken alone; the others fill whole transactions.
    assert len({place.committed_at for place in places}) <= 1 + 3


async def test_too_much_waiting_is_refused_at_once_and_nothing_else_is_lost(database_url: str, held: Held) -> None:
    small = open_database(database_url, most_waiting=3)
    await small.open()
    try:
        async with held():
            for number in range(3):
                small.submit(Unit((session(f"s{number}"),)))
            with pytest.raises(DatabaseBusy, match="3 units wait"):
                small.submit(Unit((session("too much"),)))
            with pytest.raises(DatabaseBusy, match="3 units wait"):
                await small.commit(Unit((session("too much"),)))
        await until(lambda: small.waiting == 0)
        await small.commit(Unit((session("later"),)))
        assert await open_sessions(small) == ["later", "s0", "s1", "s2"]
    finally:
        await small.close()


async def test_a_commit_that_fails_leaves_nothing_behind_and_stops_everything(database_url: str) -> None:
    database = open_database(database_url)
    await database.open()
    causes: list[BaseException] = []
    database.on_stop(causes.append)
    await database.commit(Unit((session("before"),), (event("once"),)))

    unit = Unit((session("a"), session("before", opened_at=2)), (event("new"), event("once")))
    tasks = [asyncio.create_task(commit(database, u)) for u in (unit, Unit((session("b"),)), Unit((session("c"),)))]
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    # The second may share the first one's transaction or come after it: it is refused either way.
    assert [type(outcome) for outcome in outcomes] == [DatabaseStopped] * 3
    assert all(isinstance(outcome, DatabaseStopped) and outcome.__cause__ is causes[0] for outcome in outcomes)
    await until(lambda: len(causes) == 1)
    with pytest.raises(DatabaseStopped):
        await database.commit(Unit((session("d"),)))
    with pytest.raises(DatabaseStopped):
        database.submit(Unit((session("d"),)))
    with pytest.raises(DatabaseStopped):
        await database.fetch("open_sessions")
    assert database.waiting == 0
    late: list[BaseException] = []
    database.on_stop(late.append)
    await until(lambda: late == causes)
    await database.close()

    again = open_database(database_url)
    await again.open()
    assert await again.fetch("open_sessions") == [("before", "room", "template", 1, 0)]
    assert [row[1] for row in await events(again)] == ["once"]
    [place] = await again.commit(Unit(events=(event("next"),)))
    assert place.seq == 2
    assert len(causes) == 1
    await again.close()


async def test_a_database_that_is_opened_again_goes_on_where_it_was(database_url: str) -> None:
    positions = []
    for start in range(3):
        database = open_database(database_url)
        await database.open()
        places = await database.commit(Unit(events=(event(f"{start}a"), event(f"{start}b", "other"))))
        assert [place.seq for place in places] == [start + 1, start + 1]
        positions += [place.position for place in places]
        await database.close()
    assert positions == sorted(set(positions))


async def test_closing_commits_what_was_submitted(database_url: str) -> None:
    database = open_database(database_url)
    await database.open()
    told: list[int] = []
    for number in range(1_000):
        database.submit(Unit(events=(event(f"e{number}"),)), lambda places: told.append(places[0].seq))
    await database.close()
    assert told == list(range(1, 1_001))
    assert database.waiting == 0
    again = open_database(database_url)
    await again.open()
    assert len(await events(again)) == 1_000
    await again.close()


async def test_a_closed_database_refuses_and_can_be_closed_twice(database_url: str) -> None:
    database = open_database(database_url)
    await database.close()
    with pytest.raises(DatabaseStopped, match="not open"):
        database.submit(Unit())
    await database.open()
    await asyncio.gather(database.close(), database.close())
    await database.close()
    with pytest.raises(DatabaseStopped, match="was closed"):
        await database.commit(Unit())
    with pytest.raises(DatabaseStopped, match="was closed"):
        await database.fetch("open_sessions")


async def test_a_query_or_a_parameter_that_does_not_exist_is_a_key_error(database: Database) -> None:
    with pytest.raises(KeyError, match="there is no query no_such_query"):
        await database.fetch("no_such_query")
    with pytest.raises(KeyError, match="room_by_id lacks its parameter id"):
        await database.fetch("room_by_id")
    with pytest.raises(KeyError, match="room_by_id has no parameter colour: it has id"):
        await database.fetch("room_by_id", id="r", colour="red")


async def test_many_readers_read_while_many_write(database: Database) -> None:
    async def write(name: int) -> None:
        for number in range(30):
            await database.commit(Unit((session(f"{name}-{number}"),), (event(f"{name}-{number}", f"{name}"),)))

    async def read() -> None:
        last = 0
        while last < 240:
            count = len(await open_sessions(database))
            assert count >= last
            last = count

    await asyncio.gather(*(write(name) for name in range(8)), *(read() for _ in range(8)))


async def commit(
    database: Database, unit: Unit, done: Callable[[Sequence[Appended]], None] | None = None
) -> Sequence[Appended]:
    return await database.commit(unit, done)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)
