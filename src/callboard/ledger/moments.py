"""Where in the ledger an instant lies.

Owns: `last_before`, `place_of`.

Always holds: positions and the instants at which events were committed rise together, but for what the clocks of
several nodes differ: `SKEW` is more than that. So a moment is found by halving, whatever the ledger's size, and whoever
wants events of a time reads from a little before it and looks at each one's instant.
"""

from __future__ import annotations

from typing import Final

from callboard.clock import NANOSECONDS
from callboard.database import Database
from callboard.ledger.records import FOREVER, Filter

SKEW: Final = 60 * NANOSECONDS


async def last_before(database: Database, instant: int) -> int:
    """The position of the last event that was committed before `instant`, 0 if there is none.

    Raises as `Database.fetch`.
    """
    ((newest,),) = await database.fetch("highest_position")
    assert isinstance(newest, int)
    low, high = 0, newest  # the answer is one of low … high
    while low < high:
        middle = (low + high) // 2
        found = await database.fetch("event_from", position=middle + 1)
        position, committed_at = found[0] if found else (high, instant)
        assert isinstance(position, int)
        assert isinstance(committed_at, int)
        if committed_at < instant:
            low = position
        else:
            high = middle
    return low


async def place_of(database: Database, wanted: Filter) -> tuple[int, int]:
    """The positions after which, and up to which, what is `wanted` by time can lie. Raises as `Database.fetch`."""
    after = await last_before(database, wanted.since - SKEW) if wanted.since > 0 else 0
    upto = await last_before(database, wanted.until + SKEW) if wanted.until < FOREVER - SKEW else FOREVER
    return after, upto
