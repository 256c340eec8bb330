"""How far an endpoint has come, as the database has it: where deliveries begin after a start, or in shards taken over.

Owns: `Standing`, `standing_of`, `marks_of`.

Always holds: what is read is the marks, the cursors after them and the streams with events after them, nothing that
grows with history. Cursors and marks may be a second behind the log of attempts, never ahead of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from callboard.database import Database, Row
from callboard.webhooks.shards import Tenure, shard_of


@dataclass(slots=True)
class Standing:
    """`mark` is the lowest of `marks`, which has one for each shard of the tenure: everything up to it is done with.

    `cursors` are the positions of streams that have come further. `lanes` are the streams with events that may have to
    be sent: stream, last seq and position that are done with, last seq. All that was committed up to `read_up_to` is
    in here, and nothing after it.
    """

    mark: int
    marks: dict[int, int]
    cursors: dict[str, int] = field(default_factory=dict)
    lanes: list[tuple[str, int, int, int]] = field(default_factory=list)
    read_up_to: int = 0


async def standing_of(database: Database, endpoint_id: str, tenure: Tenure) -> Standing:
    """The standing of an endpoint in the shards of `tenure`. Raises what `Database.fetch` raises."""
    if not tenure.shards:
        return Standing(0, {})
    marks = await marks_of(database, endpoint_id, tenure)
    lowest = min(marks.values())
    rows = await database.fetch("delivery_cursors", endpoint_id=endpoint_id, position=lowest)
    passed = {str(row[1]): (_integer(row[2]), _integer(row[3])) for row in rows if tenure.holds(str(row[1]))}
    standing = Standing(lowest, marks, {stream: position for stream, (_, position) in passed.items()})
    heads = await database.fetch("stream_heads", position=lowest)
    standing.read_up_to = max((_integer(row[4]) for row in heads), default=lowest)
    for row in heads:
        if tenure.holds(str(row[0])):
            await _add_lane(database, standing, row, passed.get(str(row[0])))
    return standing


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


async def _add_lane(database: Database, standing: Standing, head: Row, cursor: tuple[int, int] | None) -> None:
    stream = str(head[0])
    first_seq, last_seq, first_position, last_position = (_integer(value) for value in head[1:])
    mark = standing.marks[shard_of(stream)]
    if last_position <= mark:
        return
    if cursor is not None and cursor[1] > mark:
        done = cursor
    elif first_position > mark:
        done = (first_seq - 1, first_position - 1)
    else:  # its first events after the lowest mark are done with, as its own shard has come further
        first = await database.fetch("stream_head_after", stream=stream, position=mark)
        if not first:
            return  # retention has just taken them away
        done = (_integer(first[0][0]) - 1, _integer(first[0][1]) - 1)
    if done[0] < last_seq:
        standing.lanes.append((stream, *done, last_seq))


def _integer(value: object) -> int:
    assert isinstance(value, int)
    return value
