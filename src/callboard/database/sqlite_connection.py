"""Connections to a SQLite file.

Owns: the pragmas every connection is opened with.

Always holds: WAL with `synchronous=FULL`: a commit that returned survives a power cut. Only this SQLite library (the
one inside apsw) opens the file in this process: two libraries would undo each other's POSIX locks.
"""

from __future__ import annotations

import os
import stat
import time
from contextlib import suppress
from pathlib import Path

import apsw

_SWITCH_SECONDS = 10.0
_STATEMENTS = 256  # prepared statements kept: up to nine lengths for each table

_PRAGMAS = (
    "PRAGMA busy_timeout = 10000",  # ms: another process (a command) may be writing
    "PRAGMA synchronous = FULL",
    "PRAGMA cache_size = -32000",  # KiB
    "PRAGMA temp_store = MEMORY",  # what undoes a statement that fails halfway: else a file in /var/tmp for each commit
    "PRAGMA wal_autocheckpoint = 4000",  # pages: 16 MiB
)


def connect(path: Path) -> apsw.Connection:
    """Open the file, creating it for its owner's eyes only (it holds secrets). Raises `OSError`, `apsw.Error`."""
    # Made without being opened: closing a file of our own would drop the locks that this process holds on it, SQLite's
    # among them (fcntl(2)), and another process could take the database for closed.
    with suppress(FileExistsError):
        os.mknod(path, 0o600 | stat.S_IFREG)
    connection = apsw.Connection(str(path), statementcachesize=_STATEMENTS)
    try:
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        _use_write_ahead_log(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _use_write_ahead_log(connection: apsw.Connection) -> None:
    mode = _switched(connection)
    if mode != "wal":
        raise OSError(f"this file system cannot hold a write-ahead log (journal mode {mode})")


def _switched(connection: apsw.Connection) -> object:
    """The journal mode after asking for a write-ahead log. While another one switches, SQLite answers "busy" at once,
    whatever the time-out: the first few who open a new file would fail but for one."""
    deadline = time.monotonic() + _SWITCH_SECONDS
    while True:
        try:
            return connection.pragma("journal_mode", "wal")
        except apsw.BusyError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
