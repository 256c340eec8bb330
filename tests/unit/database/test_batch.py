"""Merging units: what one transaction writes is what the units would have written one after the other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from callboard.database import Appended, Column, Delete, Kind, Put, Puts, Table, Unit
from callboard.database.batch import dealt, merge, seqs
from callboard.database.units import Change
from callboard.testing.units import event

ONE = Table("one", (Column("id", Kind.TEXT), Column("value", Kind.BIGINT)), 1)
TWO = Table("two", (Column("a", Kind.TEXT), Column("b", Kind.BIGINT), Column("value", Kind.BIGINT)), 2)

names = st.sampled_from(["a", "b", "c"])
numbers = st.integers(0, 3)
changes = st.one_of(
    st.builds(lambda name, value: Put(ONE, (name, value)), names, numbers),
    st.builds(lambda name: Delete(ONE, (name,)), names),
    st.builds(lambda name, number, value: Put(TWO, (name, number, value)), names, numbers, numbers),
    st.builds(lambda name, number: Delete(TWO, (name, number)), names, numbers),
    st.builds(lambda rows: Puts(TWO, rows), st.lists(st.tuples(names, numbers, numbers), max_size=4)),
)
appends = st.builds(lambda stream: event("e", stream), names)
units = st.lists(
    st.builds(
        lambda rows, events: Unit(tuple(rows), tuple(events)),
        st.lists(changes, max_size=6),
        st.lists(appends, max_size=4),
    ),
    max_size=6,
)


@given(units)
def test_merging_changes_nothing_but_the_number_of_writes(work: list[Unit]) -> None:
    one_by_one: dict[tuple[object, ...], tuple[object, ...]] = {("one", "b"): ("b", 9), ("two", "c", 1): ("c", 1, 9)}
    at_once = dict(one_by_one)
    for unit in work:
        for change in unit.rows:
            apply(one_by_one, change)
    written = set()
    for table_work in merge(work).tables:
        for row in table_work.puts:
            apply(at_once, Put(table_work.table, row))
            written.add((table_work.table.name, *row[: table_work.table.key]))
        for key in table_work.deletes:
            apply(at_once, Delete(table_work.table, key))
            assert (table_work.table.name, *key) not in written
    assert at_once == one_by_one


@given(units)
def test_rows_streams_and_tables_are_in_the_order_of_their_keys(work: list[Unit]) -> None:
    batch = merge(work)
    names = [table_work.table.name for table_work in batch.tables]
    assert names == sorted(set(names))
    assert list(batch.streams) == sorted(batch.streams)
    for table_work in batch.tables:
        keys = [row[: table_work.table.key] for row in table_work.puts]
        assert keys == sorted(set(keys))
        assert table_work.deletes == sorted(set(table_work.deletes))


@given(units, st.dictionaries(names, st.integers(1, 9)))
def test_each_stream_counts_on_from_where_it_was(work: list[Unit], before: dict[str, int]) -> None:
    batch = merge(work)
    given_out = list(zip(batch.events, seqs(batch, before), strict=True))
    assert [append for append, _ in given_out] == [append for unit in work for append in unit.events]
    for stream, stream_work in batch.streams.items():
        start = before.get(stream, 0)
        expected = list(range(start + 1, start + stream_work.count + 1))
        assert [seq for append, seq in given_out if append.stream == stream] == expected
    assert sum(stream_work.count for stream_work in batch.streams.values()) == len(batch.events)


@given(units)
def test_results_are_dealt_out_to_the_units_they_belong_to(work: list[Unit]) -> None:
    events = merge(work).events
    places = [Appended(position, 0, 0) for position in range(len(events))]
    results = dealt(work, places)
    assert [len(result) for result in results] == [len(unit.events) for unit in work]
    assert [place for result in results for place in result] == places


def test_a_stream_keeps_the_room_of_its_first_event() -> None:
    first, second = event("a", "s", room_id="r1"), event("b", "s", room_id="r2")
    assert merge([Unit(events=(first,)), Unit(events=(second,))]).streams["s"].room_id == "r1"


def apply(state: dict[tuple[object, ...], tuple[object, ...]], change: Change) -> None:
    name = change.table.name
    if isinstance(change, Delete):
        state.pop((name, *change.key), None)
        return
    for row in (change.row,) if isinstance(change, Put) else change.rows:
        state[(name, *row[: change.table.key])] = row
