"""The small interface that both back ends satisfy, and that one conformance suite checks.

Owns: `Database` and the errors it raises.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from callboard.database.units import Appended, Unit, Value
from callboard.measures import Histogram

Row = tuple[Value, ...]
Done = Callable[[Sequence[Appended]], None]
Stopped = Callable[[BaseException], None]
Refused = Callable[[], None]
Heard = Callable[[], None]
Outcome = Sequence[Appended] | None
"""What became of a unit: its events' places, or None: a guard did not hold."""

MOST_UNITS = 256
"""How many units one transaction commits at most: enough to share an fsync, few enough to keep it short."""

MOST_WAITING = 100_000
"""How many units may wait: some three seconds of work at full speed. More would be memory spent on being late."""

QUERY_SECONDS = 30.0
"""How long a `fetch` may take, waiting for a reader included."""

COMMIT_SECONDS = 30.0
"""How long a transaction may take, where the engine is across a network and can fall silent."""

CLOSE_SECONDS = 60.0
"""How long `close` waits for what was submitted to be committed."""


class DatabaseStopped(Exception):  # noqa: N818 - a state, said as the sentence it is
    """Nothing more is written by this process: a commit failed (`__cause__` says how), or it was closed."""


class DatabaseBusy(Exception):  # noqa: N818 - a state, said as the sentence it is
    """`MOST_WAITING` units wait already; nothing of this one was queued. The caller may try again later.

    Raised at once and not waited out: a caller that slept until there is room would be overtaken by those who
    submit meanwhile, and the order of submission would no longer be the order of commit.
    """


class GuardFailed(Exception):  # noqa: N818 - an event, said as the sentence it is
    """A guard of the unit did not hold when its turn came: nothing of this unit was committed."""


class QueryFailed(Exception):  # noqa: N818 - an event, said as the sentence it is
    """A `fetch` failed: the engine refused it or cannot be reached (`__cause__`). Writing is not affected."""


class Database(Protocol):
    """One writer (group commit) and readers. All methods are called from the event loop's thread."""

    async def open(self) -> None:
        """Connect, and bring the schema up to date (numbered migrations, each in its own transaction). Once.

        Raises `DatabaseStopped` when the database cannot be opened, or was written by a newer version.
        """
        ...

    async def close(self) -> None:
        """Commit what was submitted, then close. Idempotent. Raises `TimeoutError` after `CLOSE_SECONDS`."""
        ...

    async def commit(self, unit: Unit, done: Done | None = None) -> Sequence[Appended]:
        """Commit `unit` with whatever else waits, in one transaction; return when it is durable.

        Returns one `Appended` per event, in the order of `unit.events`. `done` is called before that, as in
        `submit`. An awaiter that is cancelled undoes nothing: the unit is committed, `done` is called. Raises
        `DatabaseStopped` (if it stopped while this unit waited, only the database knows whether the unit is in it),
        `GuardFailed` (with nothing of this unit committed, and `done` not called), and as `submit`.
        """
        ...

    def submit(self, unit: Unit, done: Done | None = None, refused: Refused | None = None) -> None:
        """Queue `unit` without waiting. `done` is called on the loop's thread once it is durable.

        `refused` is called in its place when a guard of the unit did not hold: nothing of it was committed.

        Units submitted or committed earlier are durable earlier, and their `done` is called earlier, and their awaiters
        go on earlier. All that became durable together is told to its `done` before the first awaiter goes on.
        A failure is not told to `done`: it stops the database, and `on_stop`'s callback is called.

        Raises, with nothing queued: `ValueError` for a value that cannot be stored (`database/check.py`), and for a
        unit with guards without `refused` (nobody could be told that one does not hold), `DatabaseBusy` when too much
        waits, `DatabaseStopped`.
        """
        ...

    async def fetch(self, query: str, /, **parameters: Value) -> list[Row]:
        """Rows of the named query (the `-- name: …` in a file of `database/queries/`), in the query's order.

        Sees everything whose commit has returned. Raises `KeyError` for a query or a parameter that does not exist,
        `QueryFailed`, `TimeoutError` after `QUERY_SECONDS`, `DatabaseStopped`.
        """
        ...

    def on_stop(self, stopped: Stopped) -> None:
        """Call `stopped` with the cause, once, when a commit fails (soon, if one has failed already)."""
        ...

    def on_notice(self, table: str, heard: Heard) -> Callable[[], None]:
        """Call `heard` when another node has committed a change of `table` (one of `notices.ANNOUNCED`).

        Only a hint, to be quicker than by looking now and then: it may be lost or come twice. Returns what ends it.
        """
        ...

    @property
    def shared(self) -> bool:
        """Whether other nodes may work on this database, too."""
        ...

    @property
    def waiting(self) -> int:
        """How many units are queued and not yet durable."""
        ...

    @property
    def commits(self) -> Histogram:
        """How long transactions took, in seconds."""
        ...
