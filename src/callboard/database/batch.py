"""Many units merged into what one transaction writes. Pure.

Owns: `merge`, and the numbering of events.

Always holds: per table the last `Put` or `Delete` of a key wins, and is the only one left, so the order in which a back
end writes tables and rows does not matter. Rows are sorted by key: two nodes that write the same rows lock them in the
same order, and neighbours in the index are written together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from callboard.database.units import Append, Appended, Delete, Put, Table, Unit, Value

Cells = tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class TableWork:
    """What happens to one table: rows to insert or overwrite, and keys to delete. No key is in both."""

    table: Table
    puts: list[Cells]
    deletes: list[Cells]


@dataclass(slots=True)
class StreamWork:
    """How many events one stream grows by; the room it belongs to, and whose webhook its events go to: both are kept
    from its first event.
    """

    room_id: str
    hook: str
    count: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction writes. `streams` has one entry per stream of `events`, in the order of their ids."""

    tables: list[TableWork]
    events: list[Append]
    streams: dict[str, StreamWork]


def merge(units: Sequence[Unit]) -> Batch:
    """The units as one piece of work, later ones over earlier ones."""
    tables: dict[str, Table] = {}
    rows: dict[str, dict[Cells, Cells | None]] = {}
    events: list[Append] = []
    for unit in units:
        for change in unit.rows:
            table = change.table
            written = rows.get(table.name)
            if written is None:
                tables[table.name] = table
                written = rows[table.name] = {}
            if isinstance(change, Put):
                written[change.row[: table.key]] = change.row
            elif isinstance(change, Delete):
                written[change.key] = None
            else:
                key = table.key
                written.update([(row[:key], row) for row in change.rows])
        events += unit.events
    work = [_table_work(tables[name], rows[name]) for name in sorted(rows)]
    return Batch(work, events, _streams(events))


def seqs(batch: Batch, before: Mapping[str, int]) -> list[int]:
    """The `seq` of each event of the batch; `before` is the last seq that each of its streams had (0 for a new one)."""
    last = dict(before)
    numbers = []
    for event in batch.events:
        last[event.stream] = number = last.get(event.stream, 0) + 1
        numbers.append(number)
    return numbers


def hook_of(event: Append, hooks: Mapping[str, str]) -> str:
    """Whose webhook the event goes to; `hooks` are those of the sessions' streams. A room's own stream outlives changes
    of its webhook: there each event speaks for itself.
    """
    return hooks.get(event.stream, "") if event.session_id else event.hook


def dealt(units: Sequence[Unit], appended: Sequence[Appended]) -> list[Sequence[Appended]]:
    """`appended`, the results for all events of a batch, dealt out to the units they belong to."""
    results = []
    start = 0
    for unit in units:
        end = start + len(unit.events)
        results.append(appended[start:end])
        start = end
    return results


def _table_work(table: Table, written: Mapping[Cells, Cells | None]) -> TableWork:
    keys = sorted(written)  # comparable: each cell of a key has its column's type (check.py)
    puts = [row for key in keys if (row := written[key]) is not None]
    return TableWork(table, puts, [key for key in keys if written[key] is None])


def _streams(events: Sequence[Append]) -> dict[str, StreamWork]:
    streams: dict[str, StreamWork] = {}
    for event in events:
        work = streams.get(event.stream)
        if work is None:
            streams[event.stream] = StreamWork(event.room_id, event.hook, 1)
        else:
            work.count += 1
    return dict(sorted(streams.items()))
