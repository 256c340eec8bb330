"""Which units of a batch may be written: those whose guards hold when their turn comes. Pure.

Owns: `watches`, `judged`, `answers`.

Always holds: units are judged in their order, each against the rows as the accepted ones before it leave them. So a
unit sees the same under group commit as it would alone in a transaction, and one that is refused leaves no trace.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from callboard.database.batch import Cells, dealt
from callboard.database.interface import Outcome
from callboard.database.units import Appended, Change, Delete, Put, Table, Unit, Value

Found = dict[Cells, dict[str, Value]]
"""By key, the watched columns of each row that exists."""


class Watch(NamedTuple):
    """Rows of one table that guards name (`keys`, sorted), and the columns they name."""

    table: Table
    columns: tuple[str, ...]
    keys: Sequence[Cells]

    def found(self, rows: Iterable[Cells]) -> Found:
        """Rows of the key's columns and then the watched ones, as a back end reads them."""
        key = self.table.key
        return {row[:key]: dict(zip(self.columns, row[key:], strict=True)) for row in rows}

    def seen(self, row: Cells) -> dict[str, Value]:
        """The watched columns of a whole row."""
        return {
            column.name: cell
            for column, cell in zip(self.table.columns, row, strict=True)
            if column.name in self.columns
        }


def watches(units: Sequence[Unit]) -> list[Watch]:
    """What has to be read, and kept from changing, before these units can be judged: sorted by table."""
    tables: dict[str, Table] = {}
    columns: dict[str, set[str]] = {}
    keys: dict[str, set[Cells]] = {}
    for unit in units:
        for guard in unit.guards:
            name = guard.table.name
            tables[name] = guard.table
            columns.setdefault(name, set()).add(guard.column)
            keys.setdefault(name, set()).add(guard.key)
    return [Watch(tables[name], tuple(sorted(columns[name])), sorted(keys[name])) for name in sorted(tables)]


def judged(units: Sequence[Unit], before: Sequence[tuple[Watch, Found]]) -> list[bool]:
    """Whether each unit's guards hold. `before` is how the watched rows are found; it is used up."""
    if not before:
        return [True] * len(units)
    state = {watch.table.name: (watch, frozenset(watch.keys), found) for watch, found in before}
    verdicts = []
    for unit in units:
        holds = all(
            state[guard.table.name][2].get(guard.key, {}).get(guard.column) == guard.value for guard in unit.guards
        )
        verdicts.append(holds)
        if holds:
            for change in unit.rows:
                if change.table.name in state:
                    _follow(change, *state[change.table.name])
    return verdicts


def answers(units: Sequence[Unit], verdicts: Sequence[bool], appended: Sequence[Appended]) -> list[Outcome]:
    """What became of each unit; `appended` are the results for all events of the accepted ones."""
    places = iter(dealt([unit for unit, holds in zip(units, verdicts, strict=True) if holds], appended))
    return [next(places) if holds else None for holds in verdicts]


def _follow(change: Change, watch: Watch, keys: frozenset[Cells], found: Found) -> None:
    """Watched rows as this change leaves them."""
    if isinstance(change, Delete):
        found.pop(change.key, None)
        return
    for row in (change.row,) if isinstance(change, Put) else change.rows:
        if (key := row[: watch.table.key]) in keys:
            found[key] = watch.seen(row)
