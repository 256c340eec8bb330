"""From a URL to a database.

Owns: `open_database`.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from callboard.clock import Clock, SystemClock
from callboard.database.interface import MOST_WAITING, Database
from callboard.database.postgresql import PostgresqlDatabase
from callboard.database.sqlite import SqliteDatabase

_ALLOWED = (
    "allowed are sqlite:///relative/path.db, sqlite:////absolute/path.db"
    " and postgresql://user:password@host:port/database"
)


def open_database(url: str, *, clock: Clock | None = None, most_waiting: int = MOST_WAITING) -> Database:
    """The database at `url`, not yet opened: await its `open()` next. Nothing is touched before that.

    `clock` gives events their `committed_at` (the machine's, unless a test brings its own); when `most_waiting` units
    wait, more are refused (`DatabaseBusy`). Raises `ValueError` saying what is allowed; the URL is not repeated in it,
    as it may hold a password.
    """
    clock = clock or SystemClock()
    parts = urlsplit(url)
    if parts.scheme in ("postgresql", "postgres"):
        return PostgresqlDatabase(url, clock, most_waiting=most_waiting)
    if parts.scheme != "sqlite":
        raise ValueError(
            f"a database URL cannot begin with {parts.scheme + ':' if parts.scheme else 'no scheme'}; {_ALLOWED}"
        )
    if parts.netloc or parts.query or parts.fragment or len(parts.path) < 2 or parts.path == "/:memory:":
        raise ValueError(f"a sqlite URL names a file and nothing else; {_ALLOWED}")
    return SqliteDatabase(Path(unquote(parts.path[1:])), clock, most_waiting=most_waiting)
