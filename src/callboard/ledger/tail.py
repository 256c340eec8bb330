"""The newest events, in memory, for those who have seen everything before them.

Owns: `Tail`.

Always holds: the events in it have consecutive positions, so whoever has seen the one before the first misses nothing
by reading on here. Where a position is missing (another node's event lies there) it starts afresh behind the gap, and
its readers find that stretch in the database.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import islice

from callboard.ledger.records import Recorded

MOST_EVENTS = 2_048
"""A few megabytes; at ten thousand events a second a reader may pause for 0.2 s before it has to ask the database."""


class Tail:
    """The last events, at most `MOST_EVENTS`."""

    def __init__(self) -> None:
        self._events: deque[Recorded] = deque(maxlen=MOST_EVENTS)

    def extend(self, events: Iterable[Recorded]) -> None:
        """More events of this node, in the order of commit."""
        for event in events:
            if self._events and event.position != self._events[-1].position + 1:
                self._events.clear()
            self._events.append(event)

    def replace(self, event: Recorded) -> None:
        """The event at this position is this one now."""
        place = event.position - self._events[0].position if self._events else -1
        if 0 <= place < len(self._events):
            self._events[place] = event

    def after(self, position: int) -> list[Recorded]:
        """All events after `position`; none if there are none, or if the tail does not reach back that far."""
        if not self._events:
            return []
        skipped = position + 1 - self._events[0].position
        return list(islice(self._events, skipped, None)) if skipped >= 0 else []
