"""Database URLs: which there are, and what is said about the others."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from callboard.database import DatabaseStopped, open_database
from callboard.database.postgresql import PostgresqlDatabase
from callboard.database.sqlite import SqliteDatabase


def test_the_scheme_chooses_the_back_end() -> None:
    assert isinstance(open_database("sqlite:///data/callboard.db"), SqliteDatabase)
    assert isinstance(open_database("postgresql://host/database"), PostgresqlDatabase)
    assert isinstance(open_database("postgres://host/database"), PostgresqlDatabase)


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:hunter2@h/d",
        "/var/lib/callboard.db",
        "",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite://hunter2/x.db",
        "sqlite:///x.db?mode=ro",
    ],
)
def test_another_url_is_refused_with_what_is_allowed_and_without_its_secrets(url: str) -> None:
    with pytest.raises(ValueError, match=r"allowed are sqlite:///relative/path.db") as refused:
        open_database(url)
    assert "hunter2" not in str(refused.value)


async def test_a_sqlite_path_may_be_relative_or_have_blanks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for url, path in (("sqlite:///near.db", "near.db"), (f"sqlite:///{tmp_path}/with%20blank.db", "with blank.db")):
        database = open_database(url)
        await database.open()
        await database.close()
        assert (tmp_path / path).is_file()


async def test_a_file_that_cannot_be_opened_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("this is not a database, and long enough to be taken for one " * 20)
    for name, reason in (("no/such/folder.db", "No such file"), ("text.db", "not a database")):
        database = open_database(f"sqlite:///{tmp_path}/{name}")
        with pytest.raises(DatabaseStopped, match=f"{name} cannot be opened: .*{reason}"):
            await database.open()
        await database.close()


async def test_a_server_that_cannot_be_reached_is_said_so_without_the_password(
    caplog: pytest.LogCaptureFixture,
) -> None:
    closed = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = closed.sockets[0].getsockname()[1]
    closed.close()
    await closed.wait_closed()
    database = open_database(f"postgresql://user:hunter2@127.0.0.1:{port}/database")
    with pytest.raises(DatabaseStopped, match="cannot be opened: ") as refused:
        await database.open()
    await database.close()
    assert "hunter2" not in str(refused.value) + str(refused.value.__cause__) + caplog.text
