"""Where everything is kept: the data folder and the database.

Owns: looking at the folder (may it be written, is there room, does a server work in it) and at the database (is it
there, does this version know it, does its clock agree).
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import apsw
import asyncpg

from callboard.database.sql import migrations
from callboard.doctor.finding import Finding, broken, care, well
from callboard.process import DataInUse, alone_in

SECONDS: Final = 5.0
ROOM_NEEDED: Final = 2 * 1024**3
"""Bytes: an hour of a room of four, captured, takes about one GiB."""
CLOCK_DIFFERENCE: Final = timedelta(seconds=2)
_VERSION = "SELECT COALESCE(MAX(version), 0) FROM schema_version"


def is_running(folder: Path) -> bool:
    """Whether a server works in this data folder."""
    if not (folder / "callboard.lock").exists():
        return False
    try:
        with alone_in(folder):
            return False
    except (DataInUse, PermissionError):
        return True


def data_folder(folder: Path) -> Finding:
    """Whether there is room to write."""
    nearest = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        return broken("data folder", f"{nearest} cannot be written: {error.strerror}", "chown it, or set data_dir")
    free = shutil.disk_usage(nearest).free
    said = f"{folder.absolute()}: {free / 1024**3:.1f} GiB are free"
    if free < ROOM_NEEDED:
        return care("data folder", said, "make room: nothing can be committed or captured on a full disk")
    return well("data folder", said if folder.exists() else f"{said}; it is made at the first start")


async def database(url: str) -> Finding:
    """Whether it answers, and whether this version knows its schema."""
    try:
        async with asyncio.timeout(SECONDS):
            if urlsplit(url).scheme == "sqlite":
                return await asyncio.to_thread(_sqlite, Path(urlsplit(url).path[1:]))
            return await _postgresql(url)
    except TimeoutError:
        return broken("database", f"no answer within {SECONDS:g} s", "is it running, and is its port reachable?")
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, apsw.Error) as error:
        # Its own words can repeat the host and the user, never the password.
        return broken("database", f"{type(error).__name__}: {error}", "set database.url; is it running?")


def _sqlite(path: Path) -> Finding:
    if not path.exists():
        return well("database", f"SQLite {apsw.sqlite_lib_version()}: {path} is made at the first start")
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        connection.set_busy_timeout(int(SECONDS * 1000))
        version = connection.execute(_VERSION).get
    finally:
        connection.close()
    return _schema(f"SQLite {apsw.sqlite_lib_version()}, {path}", int(version))


async def _postgresql(url: str) -> Finding:
    connection = await asyncpg.connect(url, timeout=SECONDS)
    try:
        there = await connection.fetchval("SELECT to_regclass('schema_version') IS NOT NULL")
        version = await connection.fetchval(_VERSION) if there else 0
        difference = await connection.fetchval("SELECT clock_timestamp()") - datetime.now(UTC)
        server = connection.get_server_version()
    finally:
        await connection.close()
    if abs(difference) > CLOCK_DIFFERENCE:
        seconds = difference.total_seconds()
        return care("database", f"its clock is {seconds:+.1f} s from ours", "let both follow the same time (chrony)")
    return _schema(f"PostgreSQL {server.major}.{server.minor}", version)


def _schema(name: str, version: int) -> Finding:
    newest = migrations()[-1].number
    if version > newest:
        return broken(
            "database", f"{name}: schema {version} is newer than this Callboard's {newest}", "upgrade Callboard"
        )
    if version < newest:
        return well("database", f"{name}: schema {version}, brought to {newest} at the next start")
    return well("database", f"{name}: schema {version}")
