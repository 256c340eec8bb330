"""The small interface that both back ends satisfy, and that one conformance suite checks.

Owns: `Database` and the errors it raises.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from callboard.database.units import Appended, Unit, Value

Row = tuple[Value, ...]
Done = Callable[[Sequence[Appended]], None]


class DatabaseStopped(Exception):  # noqa: N818 - a state, said as the sentence it is
    """A commit failed, so nothing more is written by this process; `__cause__` is what failed."""


class Database(Protocol):
    """One writer (group commit) and readers. All methods are called from the event loop's thread."""

    async def open(self) -> None:
        """Connect, and bring the schema up to date (numbered migrations, each in its own transaction).

        Raises `DatabaseStopped` when the database cannot be opened, or was written by a newer version.
        """
        ...

    async def close(self) -> None:
        """Commit what was submitted, then close. Idempotent."""
        ...

    async def commit(self, unit: Unit) -> Sequence[Appended]:
        """Commit `unit` with whatever else waits, in one transaction; return when it is durable.

        Returns one `Appended` per event, in the order of `unit.events`. Raises `DatabaseStopped`.
        """
        ...

    def submit(self, unit: Unit, done: Done | None = None) -> None:
        """Queue `unit` without waiting. `done` is called on the loop's thread once it is durable.

        Units submitted or committed earlier are durable earlier, and their `done` and awaiters are called earlier.
        A failure is not told to `done`: it stops the database, and `stopped` is called. Raises `DatabaseStopped`.
        """
        ...

    async def fetch(self, query: str, /, **parameters: Value) -> list[Row]:
        """Rows of the named query (the `-- name: …` in a file of `database/queries/`), in the query's order.

        Sees everything whose commit has returned. Raises `KeyError` for a query or a parameter that does not exist.
        """
        ...

    def on_stop(self, stopped: Callable[[BaseException], None]) -> None:
        """Call `stopped` with the cause, once, when a commit fails."""
        ...

    @property
    def waiting(self) -> int:
        """How many units are queued and not yet durable."""
        ...
