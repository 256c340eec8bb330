"""What can be stored, and what is refused before it can do harm."""

from __future__ import annotations

import re
from typing import Any

import pytest
from msgspec.structs import replace

from callboard.database import Column, Delete, Kind, Put, Puts, Table, Unit, Value
from callboard.database.check import check
from callboard.database.units import Change
from callboard.testing.units import event

TABLE = Table(
    "thing",
    (
        Column("text", Kind.TEXT),
        Column("integer", Kind.BIGINT),
        Column("bytes", Kind.BYTES),
        Column("real", Kind.REAL),
        Column("boolean", Kind.BOOLEAN),
    ),
    2,
)
GOOD: tuple[Value, ...] = ("é", 1, b"\0", 1.5, True)


def test_a_value_of_each_kind_passes() -> None:
    check(Unit((Put(TABLE, GOOD), Delete(TABLE, GOOD[:2])), (event("e"),)))


@pytest.mark.parametrize(
    ("column", "value", "problem"),
    [
        (0, b"t", "thing.text: text is needed, bytes given"),
        (0, None, "thing.text: text is needed, NoneType given"),
        (0, "a\0", "thing.text: text must not contain U+0000"),
        (0, "ab\udfff", "thing.text: text must not contain a lone surrogate (character 2)"),
        (1, "1", "thing.integer: an integer is needed, str given"),
        (1, 1.0, "thing.integer: an integer is needed, float given"),
        (1, True, "thing.integer: an integer is needed, bool given"),
        (1, 2**63, "thing.integer: the integer does not fit 64 bits"),
        (1, -(2**63) - 1, "thing.integer: the integer does not fit 64 bits"),
        (2, "b", "thing.bytes: bytes are needed, str given"),
        (3, 1, "thing.real: a float is needed, int given"),
        (3, float("nan"), "thing.real: not a number"),
        (4, 1, "thing.boolean: a bool is needed, int given"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_its_column(column: int, value: Value, problem: str) -> None:
    row = (*GOOD[:column], value, *GOOD[column + 1 :])
    with pytest.raises(ValueError, match=re.escape(problem)):
        check(Unit((Put(TABLE, row),)))
    with pytest.raises(ValueError, match=re.escape(problem)):
        check(Unit((Puts(TABLE, [GOOD, row, GOOD]),)))


@pytest.mark.parametrize(
    "change",
    [
        Put(TABLE, GOOD[:4]),
        Put(TABLE, (*GOOD, 1)),
        Puts(TABLE, [GOOD, GOOD[:4]]),
        Puts(TABLE, [(*GOOD, 1)]),
        Delete(TABLE, GOOD[:1]),
    ],
)
def test_a_row_or_a_key_of_the_wrong_length_is_refused(change: Change) -> None:
    with pytest.raises(ValueError, match=r"thing: \d values are needed, \d given"):
        check(Unit((change,)))


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("peer_id", "\0", "event.peer_id: text must not contain U+0000"),
        ("cause", None, "event.cause: text is needed, NoneType given"),
        ("at", 2**70, "event.at: the integer does not fit 64 bits"),
        ("body", "{}", "event.body: bytes are needed, str given"),
    ],
)
def test_a_field_of_an_event_that_does_not_fit_is_named(field: str, value: Value, problem: str) -> None:
    changed: dict[str, Any] = {field: value}
    append = replace(event("e"), **changed)
    with pytest.raises(ValueError, match=re.escape(problem)):
        check(Unit(events=(append,)))


class _Name(str):
    __slots__ = ()


@pytest.mark.parametrize(
    "row",
    [
        GOOD,
        ("a", 1, b"", 0.0, False),
        (_Name("a"), 2**63 - 1, b"", float("inf"), True),
        ("", -(2**63), b"", -float("inf"), True),
    ],
)
def test_what_can_be_stored_passes_whether_or_not_it_is_of_the_usual_sort(row: tuple[Value, ...]) -> None:
    check(Unit((Put(TABLE, row),)))
    check(Unit((Puts(TABLE, []), Puts(TABLE, [row]), Puts(TABLE, [GOOD, row]))))


def test_tables_of_one_name_are_not_taken_for_each_other() -> None:
    other = Table("thing", (Column("integer", Kind.BIGINT), Column("name", Kind.TEXT)), 1)
    for _ in range(2):
        check(Unit((Put(TABLE, GOOD),)))
        check(Unit((Put(other, (1, "a")),)))
        with pytest.raises(ValueError, match=re.escape("thing.integer: an integer is needed, str given")):
            check(Unit((Put(other, ("a", "a")),)))
