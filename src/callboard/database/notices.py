"""Which tables' changes the nodes tell each other of, and who wants to hear.

Owns: `ANNOUNCED`, `Notices`.

Always holds: a notice only wakes; what it is about is read from the database. One may be lost or come twice, so whoever
waits for one also looks by itself now and then. A node is not told of what it committed itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection

from callboard.database.batch import Batch

ANNOUNCED = frozenset({"event", "expunged", "endpoint", "delivery_shard"})
"""Tables: `event` when some were appended, the others when a row was put or deleted."""

Heard = Callable[[], None]

log = logging.getLogger("callboard.database")


def announcement(batch: Batch) -> str:
    """The tables that the others are to be told of, between commas; '' for none."""
    names = [work.table.name for work in batch.tables if work.table.name in ANNOUNCED]
    return ",".join(["event", *names] if batch.events else names)


class Notices:
    """Who wants to hear of which table."""

    def __init__(self) -> None:
        self._heard: list[tuple[str, Heard]] = []

    def on(self, table: str, heard: Heard) -> Callable[[], None]:
        """Call `heard` when another node has changed `table`. Returns what ends it."""
        if table not in ANNOUNCED:
            raise ValueError(f"changes of {table} are not announced: {', '.join(sorted(ANNOUNCED))} are")
        entry = (table, heard)
        self._heard.append(entry)
        return lambda: self._heard.remove(entry)

    def tell(self, tables: Collection[str] = ANNOUNCED) -> None:
        """These have changed, or may have."""
        for table, heard in tuple(self._heard):
            if table in tables:
                try:
                    heard()
                except Exception:  # the others hear of it all the same
                    log.exception("whoever hears of changes of %s failed", table)
