"""How far an endpoint has come in each of the shards that this node holds.

Owns: `ShardProgress`, which takes `Progress`'s place where nodes share the shards.

Always holds: a shard's mark and its streams' cursors are written by the node that holds it, under its fence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice, takewhile

from callboard.database import Delete, Put
from callboard.database.tables import DELIVERY_CURSOR, SHARD_MARK
from callboard.webhooks.lane import Lane
from callboard.webhooks.lanes import Lanes
from callboard.webhooks.shards import Tenure, shard_of
from callboard.webhooks.standing import Place, Standing

STRIDE = 10_000
"""The mark of a shard in which nothing happens follows in strides of so many positions: so much is read again at most
when somebody takes it over, and 64 idle shards are not 64 rows a second."""
MOST_DELETED = 2000
"""Cursors deleted at a time, at most."""


class ShardProgress:
    """See the module. Everything up to `reached()` was offered to the lanes."""

    def __init__(self, endpoint_id: str, lanes: Lanes, tenure: Tenure, reached: Callable[[], int]) -> None:
        self._endpoint_id = endpoint_id
        self._lanes = lanes
        self._reached = reached
        self._touched: dict[str, Lane] = {}
        self._marks = dict.fromkeys(tenure.shards, 0)
        self._cursors: dict[int, dict[str, Place]] = {shard: {} for shard in tenure.shards}

    @property
    def mark(self) -> int:
        """The position up to which everything is done with in all of the shards, as it was last written."""
        return min(self._marks.values(), default=0)

    def restore(self, standing: Standing) -> None:
        """What the database holds."""
        self._marks = dict(standing.marks)
        for stream, place in standing.cursors.items():
            self._cursors[shard_of(stream)][stream] = place

    def passed(self, lane: Lane) -> None:
        """`lane` has come further."""
        self._touched[lane.key] = lane

    def place(self, stream: str) -> Place:
        """How far `stream` has come, if that is further than its shard's mark."""
        touched = self._lanes.touched(stream, self._touched)
        return self._lanes.cursors(touched).get(stream, self._cursors[shard_of(stream)].get(stream, (0, 0)))

    def checkpoint(self) -> Iterator[Put | Delete]:
        """What has changed since this was last asked: marks, cursors beyond them, and those they have overtaken."""
        marks = dict.fromkeys(self._marks, self._reached())
        for stream, position in self._lanes.reached():
            shard = shard_of(stream)
            marks[shard] = min(marks[shard], position)
        moved = set()
        for stream, (seq, position) in self._lanes.cursors(self._touched.values()).items():
            shard = shard_of(stream)
            moved.add(shard)
            if position > marks[shard]:
                cursors = self._cursors[shard]
                cursors.pop(stream, None)
                cursors[stream] = (seq, position)  # now the last one: those left alone longest come first
                yield Put(DELIVERY_CURSOR, (self._endpoint_id, stream, seq, position))
        self._touched.clear()
        for shard, mark in marks.items():
            if mark > self._marks[shard] and (shard in moved or mark - self._marks[shard] >= STRIDE):
                self._marks[shard] = mark
                yield Put(SHARD_MARK, (self._endpoint_id, shard, mark))
                yield from self._overtaken(shard)

    def _overtaken(self, shard: int) -> Iterator[Delete]:
        """Cursors that say no more than the mark does: those at the beginning, up to the first that does."""
        cursors, mark = self._cursors[shard], self._marks[shard]
        within = takewhile(lambda item: item[1][1] <= mark, cursors.items())
        for stream in [stream for stream, _ in islice(within, MOST_DELETED)]:
            del cursors[stream]
            yield Delete(DELIVERY_CURSOR, (self._endpoint_id, stream))
