"""Guarded units: judged in their order, on both back ends, also when several processes write."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from callboard.database import (
    Appended,
    Column,
    Database,
    Delete,
    Guard,
    GuardFailed,
    Kind,
    Put,
    Puts,
    Table,
    Unit,
    Value,
    open_database,
)
from callboard.database.guards import answers, judged, watches
from callboard.database.tables import DELIVERY_CURSOR, SESSION
from callboard.testing.units import event, session

Held = Callable[[], AbstractAsyncContextManager[None]]

ONE = Table("one", (Column("id", Kind.TEXT), Column("x", Kind.BIGINT), Column("y", Kind.BIGINT)), 1)
TWO = Table("two", (Column("a", Kind.TEXT), Column("b", Kind.BIGINT), Column("x", Kind.BIGINT)), 2)
State = dict[tuple[Value, ...], tuple[Value, ...]]
"""Rows by their table's name and key."""

names = st.sampled_from(["a", "b"])
numbers = st.integers(0, 2)
changes = st.one_of(
    st.builds(lambda name, x, y: Put(ONE, (name, x, y)), names, numbers, numbers),
    st.builds(lambda name: Delete(ONE, (name,)), names),
    st.builds(lambda name, b, x: Put(TWO, (name, b, x)), names, numbers, numbers),
    st.builds(lambda name, b: Delete(TWO, (name, b)), names, numbers),
    st.builds(lambda rows: Puts(TWO, rows), st.lists(st.tuples(names, numbers, numbers), max_size=3)),
)
guards = st.one_of(
    st.builds(lambda name, column, value: Guard(ONE, (name,), column, value), names, st.sampled_from("xy"), numbers),
    st.builds(lambda name, b, value: Guard(TWO, (name, b), "x", value), names, numbers, numbers),
)
units = st.lists(
    st.builds(
        lambda rows, events, conditions: Unit(tuple(rows), tuple(events), tuple(conditions)),
        st.lists(changes, max_size=4),
        st.lists(st.builds(lambda name: event("e", name), names), max_size=2),
        st.lists(guards, max_size=2),
    ),
    max_size=8,
)
states = st.dictionaries(names, st.tuples(numbers, numbers)).map(
    lambda rows: {("one", name): (name, x, y) for name, (x, y) in rows.items()}
)


@given(units, states)
def test_a_unit_is_judged_as_if_it_were_alone_in_its_transaction(work: list[Unit], state: State) -> None:
    before = [(watch, watch.found(read(state, watch.table, watch.keys, watch.columns))) for watch in watches(work)]
    one_by_one = [apply_if_it_holds(state, unit) for unit in work]
    assert judged(work, before) == one_by_one


@given(units, st.lists(st.booleans(), min_size=8, max_size=8))
def test_each_unit_is_answered_with_its_own_places_or_that_it_was_refused(work: list[Unit], said: list[bool]) -> None:
    verdicts = said[: len(work)]
    count = sum(len(unit.events) for unit, holds in zip(work, verdicts, strict=True) if holds)
    appended = [Appended(position, 0, 0) for position in range(count)]
    outcomes = answers(work, verdicts, appended)
    assert [outcome is not None for outcome in outcomes] == verdicts
    assert [place for outcome in outcomes if outcome is not None for place in outcome] == appended
    for unit, outcome in zip(work, outcomes, strict=True):
        assert outcome is None or len(outcome) == len(unit.events)


def test_units_without_guards_need_nothing_to_be_read() -> None:
    work = [Unit((session("a"),), (event("e"),))]
    assert watches(work) == []
    assert judged(work, []) == [True]


def read(state: State, table: Table, keys: object, columns: tuple[str, ...]) -> list[tuple[Value, ...]]:
    places = [next(n for n, column in enumerate(table.columns) if column.name == name) for name in columns]
    assert isinstance(keys, list)
    found = [state[(table.name, *key)] for key in keys if (table.name, *key) in state]
    return [(*row[: table.key], *(row[place] for place in places)) for row in found]


def apply_if_it_holds(state: State, unit: Unit) -> bool:
    for guard in unit.guards:
        row = state.get((guard.table.name, *guard.key))
        names = [column.name for column in guard.table.columns]
        if row is None or row[names.index(guard.column)] != guard.value:
            return False
    for change in unit.rows:
        if isinstance(change, Delete):
            state.pop((change.table.name, *change.key), None)
            continue
        for row in (change.row,) if isinstance(change, Put) else change.rows:
            state[(change.table.name, *row[: change.table.key])] = row
    return True


# On both back ends.


def guard(session_id: str, opened_at: int) -> Guard:
    return Guard(SESSION, (session_id,), "opened_at", opened_at)


async def event_ids(database: Database) -> list[object]:
    return [row[1] for row in await database.fetch("events_after", position=0, types="", limit=1_000)]


async def test_a_unit_whose_guard_holds_is_committed(database: Database) -> None:
    await database.commit(Unit((session("s", opened_at=1),)))
    [place] = await database.commit(Unit((session("s", opened_at=2),), (event("e"),), (guard("s", 1),)))
    assert place.seq == 1
    assert [row[3] for row in await database.fetch("open_sessions")] == [2]


async def test_a_unit_whose_guard_fails_leaves_no_trace_and_stops_nobody(database: Database) -> None:
    await database.commit(Unit((session("s", opened_at=1),)))
    told: list[object] = []
    for wrong in (guard("s", 9), guard("nobody", 1)):
        unit = Unit((session("s", opened_at=2), session("t")), (event("never"),), (wrong,))
        with pytest.raises(GuardFailed):
            await database.commit(unit, told.append)
    [place] = await database.commit(Unit(events=(event("next"),)))
    assert place.seq == 1
    assert await database.fetch("open_sessions") == [("s", "room", "template", 1, 0)]
    assert await event_ids(database) == ["next"]
    assert told == []


async def test_all_guards_of_a_unit_must_hold(database: Database) -> None:
    await database.commit(Unit((session("s", opened_at=1), session("t", opened_at=1))))
    with pytest.raises(GuardFailed):
        await database.commit(Unit((session("u"),), (), (guard("s", 1), guard("t", 2))))
    await database.commit(Unit((session("v"),), (), (guard("s", 1), guard("t", 1))))
    assert [row[0] for row in await database.fetch("open_sessions")] == ["s", "t", "v"]


async def test_of_those_who_wait_for_one_transaction_only_the_first_gets_what_all_want(
    database: Database, held: Held
) -> None:
    await database.commit(Unit((session("s", opened_at=0),)))
    async with held():
        commits = [
            asyncio.create_task(commit(database, guarded_write(f"taker{number}", 0, number + 1)))
            for number in range(20)
        ]
        neighbour = asyncio.create_task(commit(database, Unit(events=(event("neighbour"),))))
        while database.waiting < 21:
            await asyncio.sleep(0.005)
    results = await asyncio.gather(*commits, return_exceptions=True)
    await neighbour
    assert not isinstance(results[0], BaseException)
    assert all(isinstance(result, GuardFailed) for result in results[1:])
    assert await event_ids(database) == ["taker0", "neighbour"]


async def test_guards_see_what_the_units_before_them_in_the_same_transaction_did(
    database: Database, held: Held
) -> None:
    cursor = Guard(DELIVERY_CURSOR, ("endpoint", "s"), "seq", 1)
    async with held():
        chain = [
            Unit((Put(DELIVERY_CURSOR, ("endpoint", "s", 1, 1)), session("s", opened_at=0))),
            Unit((session("s", opened_at=1),), (), (guard("s", 0), cursor)),
            Unit((session("s", opened_at=2),), (), (guard("s", 0),)),
            Unit((Delete(SESSION, ("s",)),), (), (guard("s", 1),)),
            Unit((session("s", opened_at=3),), (), (guard("s", 1),)),
        ]
        commits = [asyncio.create_task(commit(database, unit)) for unit in chain]
        while database.waiting < len(chain):
            await asyncio.sleep(0.005)
    results = await asyncio.gather(*commits, return_exceptions=True)
    assert [isinstance(result, GuardFailed) for result in results] == [False, False, True, False, True]
    assert await database.fetch("open_sessions") == []


@pytest.mark.parametrize("with_events", [True, False])  # who appends events waits for the others in any case
async def test_of_several_processes_only_one_gets_what_all_want(database_url: str, with_events: bool) -> None:
    nodes = [open_database(database_url) for _ in range(3)]
    for node in nodes:
        await node.open()
    await nodes[0].commit(Unit((session("s", opened_at=0),)))
    won: list[int] = []

    async def contend(node: Database, name: int) -> None:
        for number in range(60):
            try:
                unit = guarded_write(f"{name}-{number}", number, number + 1)
                await node.commit(unit if with_events else replace(unit, events=()))
            except GuardFailed:
                continue
            won.append(number)

    async with asyncio.timeout(60):
        await asyncio.gather(*(contend(node, name) for name, node in enumerate(nodes)))
    assert sorted(won) == list(range(60))
    assert len(await event_ids(nodes[0])) == (60 if with_events else 0)
    for node in nodes:
        await node.close()


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (Guard(SESSION, ("s",), "colour", 1), "session: there is no column colour to guard"),
        (Guard(SESSION, ("s",), "opened_at", "1"), "session.opened_at: an integer is needed, str given"),
        (Guard(SESSION, ("s", "t"), "opened_at", 1), "session: 1 values are needed, 2 given"),
    ],
)
async def test_a_guard_that_cannot_be_judged_is_refused_at_once(database: Database, wrong: Guard, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        await database.commit(Unit(guards=(wrong,)))


async def test_a_unit_with_guards_cannot_be_submitted_because_nobody_would_hear_of_its_failure(
    database: Database,
) -> None:
    with pytest.raises(ValueError, match="needs somebody who hears that one failed"):
        database.submit(Unit((), (), (guard("s", 1),)))


async def test_who_submits_a_unit_with_guards_hears_what_became_of_it_in_its_turn(database: Database) -> None:
    told: list[str] = []
    await database.commit(Unit((session("s", opened_at=0),)))
    for name, before, after in (("first", 0, 1), ("late", 0, 2), ("second", 1, 3)):
        unit = guarded_write(name, before, after)
        database.submit(unit, lambda _, name=name: told.append(name), lambda name=name: told.append(f"no {name}"))  # type: ignore[misc]
    await database.commit(Unit())
    assert told == ["first", "no late", "second"]
    assert await event_ids(database) == ["first", "second"]


def guarded_write(event_id: str, before: int, after: int) -> Unit:
    return Unit((session("s", opened_at=after),), (event(event_id),), (guard("s", before),))


async def commit(database: Database, unit: Unit) -> object:
    return await database.commit(unit)
