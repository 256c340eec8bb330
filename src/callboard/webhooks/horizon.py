"""How far an endpoint's lanes look ahead.

Owns: `Horizon`.

Always holds: of everything up to `known` the lanes know; of what comes after it they know no streams but those that
they have anyway. As long as there are few lanes, what is committed is passed on to them at once. When there are `most`
of them (the endpoint is down, or too slow) what comes is left in the database, and is looked up there a window of
positions at a time when there are half as many: memory, and the time until deliveries can begin, do not grow with the
backlog. The price: while more than half of `most` lanes cannot go on, what comes after them waits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from callboard.database import Database
from callboard.ledger import Recorded
from callboard.webhooks.lanes import Lanes
from callboard.webhooks.shards import Tenure
from callboard.webhooks.standing import Place, window_of


class Horizon:
    """See the module. `size` is that of a window, in positions."""

    def __init__(self, database: Database, tenure: Tenure, lanes: Lanes, most: int, size: int) -> None:
        self._database = database
        self._tenure = tenure
        self._lanes = lanes
        self._most = most
        self._size = size
        self._marks: Mapping[int, int] = {}
        self._passed: Callable[[str], Place] = lambda _: (0, 0)
        self.known = self._newest = 0

    @property
    def beyond(self) -> int:
        """How many events the lanes do not know of, at most."""
        return self._newest - self.known

    def pending(self, mark: int) -> int:
        """How many events are not passed, at most; everything up to `mark` is."""
        return min(self._lanes.pending + self.beyond, max(self._lanes.pending, self._newest - mark))

    @property
    def near(self) -> bool:
        """Whether it is time to look ahead: there is more, and there are not many lanes."""
        return self._newest > self.known and len(self._lanes) <= self._most // 2

    async def begin(self, marks: Mapping[int, int], passed: Callable[[str], Place]) -> None:
        """Everything up to these `marks` is done with; how far a stream has come beyond them, `passed` says, then and
        later. Raises as `look_ahead`.
        """
        self._marks = marks
        self._passed = passed
        self.known = self._newest = min(marks.values(), default=0)
        await self.look_ahead()

    def seen(self, events: Sequence[Recorded]) -> Sequence[Recorded]:
        """These were committed, in the order of positions. Returns those that the lanes are to be told of now."""
        behind = self._newest > self.known
        self._newest = max(self._newest, events[-1].position if events else 0)
        if behind or not events:
            return ()
        if events[0].position <= self.known:
            events = [event for event in events if event.position > self.known]
        events = events[: max(0, self._most - len(self._lanes))]  # each makes one lane at most
        if events:
            self.known = events[-1].position
        return events

    async def look_ahead(self) -> None:
        """Tell the lanes of what is in the next window. Raises what `Database.fetch` raises, with nothing changed."""
        window = await window_of(self._database, self._tenure, self._marks, self.known, self._size)
        for stream, seq, position, last_seq in window.spans:
            done = max((seq, position), self._passed(stream))  # it may have come further while this was read
            if done[0] < last_seq:
                self._lanes.restore(stream, *done, last_seq)
        self.known = window.upto
        self._newest = max(self._newest, window.newest)
        self._lanes.reach(self.known, bounded=self._newest > self.known)
