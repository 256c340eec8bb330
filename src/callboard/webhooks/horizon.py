"""How far an endpoint's lanes look ahead.

Owns: `Horizon`.

Always holds: of everything up to `known` the lanes know, and of nothing after it. As long as there are few lanes, what
is committed is passed on to them at once. When there are `most` of them (the endpoint is down, or too slow) what comes
is left in the database, and is looked up there a window of positions at a time when there are half as many: memory, and
the time until deliveries can begin, do not grow with the backlog. The price: while `most` streams wait, others do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from callboard.database import Database
from callboard.ledger import Recorded
from callboard.webhooks.lanes import Lanes
from callboard.webhooks.shards import Tenure
from callboard.webhooks.standing import window_of


class Horizon:
    """See the module. `size` is that of a window, in positions."""

    def __init__(
        self, database: Database, endpoint_id: str, tenure: Tenure, lanes: Lanes, most: int, size: int
    ) -> None:
        self._database = database
        self._endpoint_id = endpoint_id
        self._tenure = tenure
        self._lanes = lanes
        self._most = most
        self._size = size
        self._marks: Mapping[int, int] = {}
        self.known = self._newest = 0

    @property
    def beyond(self) -> int:
        """How many events the lanes do not know of, at most."""
        return self._newest - self.known

    @property
    def near(self) -> bool:
        """Whether it is time to look ahead: there is more, and little is left of what is known."""
        return self._newest > self.known and len(self._lanes) <= self._most // 2 and self._lanes.pending <= self._size

    async def begin(self, marks: Mapping[int, int]) -> None:
        """Everything up to these `marks` is done with. Raises as `look_ahead`."""
        self._marks = marks
        self.known = self._newest = min(marks.values(), default=0)
        await self.look_ahead()

    def seen(self, events: Sequence[Recorded]) -> Sequence[Recorded]:
        """These were committed, in the order of positions. Returns those that the lanes are to be told of now."""
        if not events:
            return events
        last = events[-1].position
        if self._newest > self.known or len(self._lanes) >= self._most:
            self._newest = max(self._newest, last)
            return ()
        if events[0].position <= self.known:
            events = [event for event in events if event.position > self.known]
        self.known = self._newest = max(self.known, last)
        return events

    async def look_ahead(self) -> None:
        """Tell the lanes of what is in the next window. Raises what `Database.fetch` raises, with nothing changed."""
        window = await window_of(self._database, self._endpoint_id, self._tenure, self._marks, self.known, self._size)
        for span in window.spans:
            self._lanes.restore(*span)
        self._lanes.reach(window.upto)
        self.known = window.upto
        self._newest = max(self._newest, window.newest)
