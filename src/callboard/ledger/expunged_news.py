"""Events that other nodes took the content out of.

Owns: `ExpungedNews`.

Always holds: what this node holds in memory of such an event (for followers, for deliveries that wait) is replaced.
Each is looked at for two minutes, again and again: what was being read from the database when the notice came gets into
memory later.
"""

from __future__ import annotations

from typing import Final

from callboard.clock import NANOSECONDS, Clock
from callboard.database import Database
from callboard.database.news import TableNews
from callboard.ledger.ledger import Ledger
from callboard.ledger.records import recorded_row

LOOK_BACK: Final = 120 * NANOSECONDS
"""The clocks of nodes may differ by half of it."""


class ExpungedNews(TableNews):
    """See the module, and `TableNews`."""

    def __init__(self, database: Database, ledger: Ledger, clock: Clock) -> None:
        super().__init__(database, "expunged")
        self._ledger = ledger
        self._clock = clock

    async def look(self) -> None:
        for row in await self._database.fetch("expunged_since", since=self._clock.now() - LOOK_BACK):
            self._ledger.replaced(recorded_row(row))
