"""How far an endpoint has come, as the database has it: where deliveries begin after a start, or in shards taken over.

Owns: `Standing`, `standing_of`, `marks_of`; `Window`, `window_of`.

Always holds: what is read is the marks, the cursors after them, and of the events after them a bounded stretch: nothing
that grows with history or with a backlog. Cursors and marks may be a second behind the log of attempts, never ahead of
it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from callboard.database import Database, Row
from callboard.webhooks.shards import Tenure, shard_of

Place = tuple[int, int]
"""A seq of a stream, and its position."""
Span = tuple[str, int, int, int]
"""A stream with events that may have to be sent: stream, last seq and position that are done with, last seq."""


@dataclass(frozen=True, slots=True)
class Standing:
    """`mark` is the lowest of `marks`, which has one for each shard of the tenure: everything up to it is done with.

    `cursors` are those of streams that have come further.
    """

    mark: int
    marks: Mapping[int, int]
    cursors: dict[str, Place] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Window:
    """The `spans` of streams with events in a stretch of positions, up to `upto`; `newest` is the last there is.

    Unless it is the last window, each span goes to the end of its stream, wherever that lies.
    """

    spans: list[Span]
    upto: int
    newest: int


async def standing_of(database: Database, endpoint_id: str, tenure: Tenure) -> Standing:
    """The standing of an endpoint in the shards of `tenure`. Raises what `Database.fetch` raises."""
    if not tenure.shards:
        return Standing(0, {})
    marks = await marks_of(database, endpoint_id, tenure)
    lowest = min(marks.values())
    rows = await database.fetch("delivery_cursors", endpoint_id=endpoint_id, position=lowest)
    passed = {str(row[1]): (_integer(row[2]), _integer(row[3])) for row in rows if tenure.holds(str(row[1]))}
    return Standing(lowest, marks, passed)


async def window_of(database: Database, tenure: Tenure, marks: Mapping[int, int], after: int, size: int) -> Window:
    """What there is to be sent among the next `size` positions after `after`, beyond the `marks` of the shards.

    Raises what `Database.fetch` raises.
    """
    ((highest,),) = await database.fetch("highest_position")
    newest = _integer(highest)
    window = Window([], max(after, min(newest, after + size)), newest)
    if tenure.shards and window.upto > after:
        for head in await database.fetch("stream_heads", position=after, upto=window.upto):
            stream = str(head[0])
            if tenure.holds(stream):
                # What is told of after the last window must not be in a span already.
                last_seq = _integer(head[2] if window.upto == newest else head[5])
                done = await _done(database, marks[shard_of(stream)], head)
                window.spans.append((stream, *done, last_seq))
    return window


async def marks_of(database: Database, endpoint_id: str, tenure: Tenure) -> dict[int, int]:
    """By shard. A shard's own mark counts where it is beyond the one for all of them. Raises as `Database.fetch`."""
    rows = await database.fetch("delivery_marks")
    every = next((_integer(row[1]) for row in rows if row[0] == endpoint_id), 0)
    marks = dict.fromkeys(tenure.shards, every)
    if database.shared:
        for shard, position in await database.fetch("shard_marks", endpoint_id=endpoint_id):
            if _integer(shard) in marks:
                marks[_integer(shard)] = max(every, _integer(position))
    return marks


async def _done(database: Database, mark: int, head: Row) -> Place:
    """What of the stream lies before the window, or its shard's mark."""
    first_seq, last_seq, first_position, last_position = (_integer(value) for value in head[1:5])
    if last_position <= mark:
        return last_seq, last_position
    if first_position > mark:
        return first_seq - 1, first_position - 1
    # Its first events after the lowest mark are done with, as its own shard has come further.
    first = await database.fetch("stream_head_after", stream=str(head[0]), position=mark)
    if not first:
        return last_seq, last_position  # retention has just taken them away
    return _integer(first[0][0]) - 1, _integer(first[0][1]) - 1


def _integer(value: object) -> int:
    assert isinstance(value, int)
    return value
