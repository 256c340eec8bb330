"""The SQL in files: how it is found, named and translated."""

from __future__ import annotations

import pytest

from callboard.database import DatabaseStopped
from callboard.database.sql import (
    POSTGRESQL,
    SQLITE,
    Migration,
    following,
    migrations,
    parse_queries,
    queries,
)

TEXT = """-- What this file is about.

-- name: first
SELECT a FROM t WHERE b = :b AND c > :c AND d < :b

-- A remark about the second: it is no part of the query before it.
-- name: second
SELECT 1
"""


def test_a_file_holds_named_queries_with_remarks_between_them() -> None:
    found = parse_queries(TEXT)
    assert list(found) == ["first", "second"]
    assert found["first"].text == "SELECT a FROM t WHERE b = :b AND c > :c AND d < :b"
    assert found["second"].text == "SELECT 1"


def test_a_parameter_has_one_number_however_often_it_is_used() -> None:
    query = parse_queries(TEXT)["first"]
    assert query.parameters == ("b", "c")
    assert query.numbered == "SELECT a FROM t WHERE b = $1 AND c > $2 AND d < $1"
    assert query.arguments({"c": 2, "b": 1}) == [1, 2]


def test_two_queries_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="query first is there twice"):
        parse_queries(TEXT + "-- name: first\nSELECT 2\n")


def test_the_package_brings_its_queries_and_migrations() -> None:
    assert {"workspace", "events_after", "delivery_cursors"} <= set(queries())
    assert [migration.number for migration in migrations()] == list(range(1, len(migrations()) + 1))


@pytest.mark.parametrize("dialect", [SQLITE, POSTGRESQL])
def test_no_brace_is_left_in_a_migration(dialect: object) -> None:
    assert dialect in (SQLITE, POSTGRESQL)
    for migration in migrations():
        text = migration.text(SQLITE if dialect is SQLITE else POSTGRESQL)
        assert "{" not in text
        assert "}" not in text


def test_migrations_follow_one_another_and_a_newer_database_is_refused() -> None:
    known = [Migration(1, "start", ""), Migration(2, "more", "")]
    assert following(known, 0) == known
    assert following(known, 1) == known[1:]
    assert not following(known, 2)
    with pytest.raises(DatabaseStopped, match="schema version 3, this Callboard knows versions up to 2"):
        following(known, 3)
