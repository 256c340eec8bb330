"""What only SQLite can do, or fail to do."""

from __future__ import annotations

import asyncio
import logging
import resource
import stat
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from callboard.database import DatabaseStopped, Row, Unit, open_database, sqlite_readers
from callboard.database.sql import Query
from callboard.database.sqlite_readers import SqliteReaders
from callboard.testing.units import event, session

Execute = Callable[[str], Awaitable[list[Row]]]


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


async def test_the_file_is_for_its_owner_only_and_whole_after_closing(tmp_path: Path, sqlite_url: str) -> None:
    database = open_database(sqlite_url)
    await database.open()
    await database.commit(Unit((session("s"),), (event("e"),)))
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}
    await database.close()
    assert [path.name for path in tmp_path.iterdir()] == ["callboard.db"]


async def test_a_full_disk_stops_the_database_and_keeps_what_was_acknowledged(
    tmp_path: Path, sqlite_url: str, execute: Execute, caplog: pytest.LogCaptureFixture
) -> None:
    database = open_database(sqlite_url)
    await database.open()
    acknowledged: list[str] = []

    async def fill_the_disk() -> None:
        for number in range(10_000):
            await database.commit(Unit((session(f"s{number}"),), (event(f"e{number}", body=b"x" * 50_000),)))
            acknowledged.append(f"e{number}")

    with files_at_most(2_000_000), caplog.at_level(logging.CRITICAL), pytest.raises(DatabaseStopped) as stopped:
        await fill_the_disk()
    assert stopped.value.__cause__ is not None
    assert "a commit into" in caplog.text
    await database.close()
    assert len(acknowledged) > 10
    assert [row[0] for row in await execute("SELECT id FROM event ORDER BY position")] == acknowledged
    assert len(await execute("SELECT id FROM session")) == len(acknowledged)
    assert await execute("PRAGMA integrity_check") == [("ok",)]


async def test_a_position_is_never_given_again_even_when_its_event_is_gone(sqlite_url: str, execute: Execute) -> None:
    database = open_database(sqlite_url)
    await database.open()
    [place] = await database.commit(Unit(events=(event("a"),)))
    await execute("DELETE FROM event")
    [next_place] = await database.commit(Unit(events=(event("b"),)))
    assert (next_place.position, next_place.seq) == (place.position + 1, 2)
    await database.close()


async def test_a_writer_in_another_process_is_waited_for_and_its_events_are_counted(
    sqlite_url: str, execute: Execute
) -> None:
    one, other = open_database(sqlite_url), open_database(sqlite_url)
    await one.open()
    await other.open()
    places = await asyncio.gather(
        *(
            database.commit(Unit(events=(event(f"{name}{number}"),)))
            for number in range(40)
            for name, database in (("one", one), ("other", other))
        )
    )
    assert sorted(place.seq for [place] in places) == list(range(1, 81))
    await one.close()
    await other.close()
    assert await execute("SELECT MIN(position), MAX(position), COUNT(*) FROM event") == [(1, 80, 80)]


async def test_another_process_can_see_that_the_file_is_in_use(sqlite_url: str) -> None:
    """SQLite's lock is the process's: it would be gone if we ever opened and closed the file ourselves."""
    database = open_database(sqlite_url)
    await database.open()
    await database.commit(Unit((session("s"),)))
    seize = """
import fcntl, sys
with open(sys.argv[1], "r+b") as file:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 510, 0x40000002)  # SQLite's "shared" bytes
        print("free")
    except BlockingIOError:
        print("in use")
"""
    path = sqlite_url.removeprefix("sqlite:///")
    command = await asyncio.create_subprocess_exec(sys.executable, "-c", seize, path, stdout=asyncio.subprocess.PIPE)
    output, _ = await command.communicate()
    assert output == b"in use\n"
    await database.close()


async def test_a_query_that_takes_too_long_is_ended_and_the_reader_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_readers, "QUERY_SECONDS", 0.3)
    readers = SqliteReaders(tmp_path / "x.db")
    await readers.open()
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT MAX(i) FROM n"
    slow = [readers.fetch(Query("endless", endless, "", ()), {}) for _ in range(5)]
    outcomes = await asyncio.gather(*slow, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [TimeoutError] * 5
    monkeypatch.setattr(sqlite_readers, "QUERY_SECONDS", 30.0)
    assert await readers.fetch(Query("quick", "SELECT :x", "", ("x",)), {"x": 7}) == [(7,)]
    await readers.close()


async def test_closing_ends_a_query_that_runs(tmp_path: Path) -> None:
    readers = SqliteReaders(tmp_path / "x.db")
    await readers.open()
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT MAX(i) FROM n"
    slow = asyncio.create_task(readers.fetch(Query("endless", endless, "", ()), {}))
    async with asyncio.timeout(60):
        while len(readers._idle) == len(readers._readers):  # it does not run yet
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    await readers.close()
    with pytest.raises(TimeoutError, match="endless"):
        await slow


@contextmanager
def files_at_most(size: int) -> Iterator[None]:
    """Files of this process cannot grow beyond `size` bytes: writing fails as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
