"""Committing changes with their events, and reading the events back.

Owns: `Ledger`.

Always holds: subscribers see every event of this node once, in the order of commit, after it is durable and before
whoever awaits the commit goes on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

from callboard.database import Database
from callboard.ledger.changes import Changes
from callboard.ledger.records import EVERYTHING, Filter, Recorded

Subscriber = Callable[[Sequence[Recorded]], None]


class Ledger:
    """The one way to change what is true, and to read what happened. Used on the event loop's thread only."""

    def __init__(self, database: Database, *, account_id: str, app_id: str) -> None:
        raise NotImplementedError

    async def commit(self, changes: Changes) -> Sequence[Recorded]:
        """Commit rows and facts as one; return the recorded events, in the facts' order, once they are durable."""
        raise NotImplementedError

    def submit(self, changes: Changes) -> None:
        """As `commit`, without waiting: earlier submissions are durable earlier. A failure stops the database."""
        raise NotImplementedError

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """Call `callback` with the events of each commit of this node, in order. Returns what ends it."""
        raise NotImplementedError

    async def read(self, after: int, limit: int, wanted: Filter = EVERYTHING) -> list[Recorded]:
        """Up to `limit` events that `wanted` accepts, at positions greater than `after`, in order."""
        raise NotImplementedError

    def follow(self, after: int, wanted: Filter = EVERYTHING) -> AsyncIterator[Recorded]:
        """Every accepted event at a position greater than `after`, in order: first the past, then as they come."""
        raise NotImplementedError
