"""The migrated schema is the one that `tables.py` describes; migrating is safe."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from callboard.database import Database, DatabaseStopped, Row, Unit, open_database
from callboard.database.sql import migrations
from callboard.database.tables import TABLES
from callboard.testing.units import session

Execute = Callable[[str], Awaitable[list[Row]]]

COLUMNS = {
    "sqlite": """
        SELECT tables.name, columns.name, lower(columns.type), columns."notnull" = 1
        FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns
        WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite%'
        ORDER BY tables.name, columns.cid""",
    "postgresql": """
        SELECT table_name, column_name, data_type, is_nullable = 'NO'
        FROM information_schema.columns
        WHERE table_schema = 'public'
        ORDER BY table_name, ordinal_position""",
}
KEYS = {
    "sqlite": """
        SELECT tables.name, columns.name
        FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns
        WHERE tables.type = 'table' AND columns.pk > 0
        ORDER BY tables.name, columns.pk""",
    "postgresql": """
        SELECT columns.table_name, columns.column_name
        FROM information_schema.table_constraints AS keys
            JOIN information_schema.key_column_usage AS columns USING (constraint_schema, constraint_name)
        WHERE keys.constraint_type = 'PRIMARY KEY' AND keys.table_schema = 'public'
        ORDER BY columns.table_name, columns.ordinal_position""",
}
WRITERS_OWN = {"stream", "event", "schema_version"}


async def test_tables_are_those_of_the_migrated_schema(database: Database, database_url: str, execute: Execute) -> None:
    kind = database_url.partition(":")[0]
    expected = {
        table.name: [(str(column.name), str(column.kind), True) for column in table.columns] for table in TABLES
    }
    found: dict[object, list[tuple[object, ...]]] = {}
    for table, *column in await execute(COLUMNS[kind]):
        found.setdefault(table, []).append((column[0], column[1], bool(column[2])))
    assert set(found) == set(expected) | WRITERS_OWN
    assert {name: found[name] for name in expected} == expected

    keys: dict[object, list[object]] = {}
    for table, column_name in await execute(KEYS[kind]):
        keys.setdefault(table, []).append(column_name)
    assert {table.name: keys[table.name] for table in TABLES} == {
        table.name: [column.name for column in table.key_columns] for table in TABLES
    }


async def test_a_database_newer_than_the_code_is_refused_and_left_alone(database_url: str, execute: Execute) -> None:
    database = open_database(database_url)
    await database.open()
    await database.commit(Unit((session("s"),)))
    await database.close()
    newer = len(migrations()) + 1
    sql = f"INSERT INTO schema_version (version, name, applied_at) VALUES ({newer}, 'of the future', 0)"
    await execute(sql)

    again = open_database(database_url)
    with pytest.raises(
        DatabaseStopped, match=f"schema version {newer}, this Callboard knows versions up to {newer - 1}"
    ):
        await again.open()
    with pytest.raises(DatabaseStopped):
        again.submit(Unit((session("t"),)))
    await again.close()
    assert await execute("SELECT id FROM session") == [("s",)]


async def test_several_may_start_on_an_empty_database_at_once(database_url: str, execute: Execute) -> None:
    databases = [open_database(database_url) for _ in range(6)]
    await asyncio.gather(*(database.open() for database in databases))
    await asyncio.gather(*(database.commit(Unit((session(f"s{n}"),))) for n, database in enumerate(databases)))
    assert len(await databases[0].fetch("open_sessions")) == 6
    await asyncio.gather(*(database.close() for database in databases))
    assert await execute("SELECT version FROM schema_version ORDER BY version") == [
        (migration.number,) for migration in migrations()
    ]


async def test_a_migration_that_fails_leaves_nothing_behind(database_url: str, execute: Execute) -> None:
    await execute("CREATE TABLE room (id text)")  # in the way of the first migration
    database = open_database(database_url)
    with pytest.raises(DatabaseStopped, match=r"cannot be opened.*room"):
        await database.open()
    await database.close()
    await execute("DROP TABLE room")
    database = open_database(database_url)
    await database.open()
    await database.commit(Unit((session("s"),)))
    await database.close()
