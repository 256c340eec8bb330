"""A unit of work as data: what the one writer commits.

Owns: the shapes `Table`, `Put`, `Puts`, `Delete`, `Append`, `Guard` and `Unit`, and what comes back, `Appended`.

Always holds: a unit is committed whole or not at all, and units are committed in the order they were submitted.
Within a unit (and within the group of units that one transaction commits) the last change of a key wins.
A unit one of whose guards does not hold when its turn comes is left out whole, and its neighbours are not affected.
Nothing here knows SQL: the two back ends write their statements from the `Table` definitions. The shapes are structs
that the garbage collector does not look at (they hold no cycles): there are a few of them for every event.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

Value = str | int | float | bytes | bool | None


class Kind(StrEnum):
    """Column types, in PostgreSQL's words; SQLite's affinities follow from them."""

    TEXT = "text"
    BIGINT = "bigint"
    BYTES = "bytea"
    REAL = "double precision"
    BOOLEAN = "boolean"


class Column(NamedTuple):
    name: str
    kind: Kind


class Table(NamedTuple):
    """A table whose rows are written whole: `columns` in order, the first `key` of them its primary key."""

    name: str
    columns: tuple[Column, ...]
    key: int

    @property
    def key_columns(self) -> tuple[Column, ...]:
        return self.columns[: self.key]


class Put(Struct, frozen=True, gc=False):
    """Insert the row, or overwrite the row with the same key. `row` has a value for every column, in order."""

    table: Table
    row: tuple[Value, ...]


class Puts(Struct, frozen=True, gc=False):
    """Many `Put`s of one table, in order."""

    table: Table
    rows: Sequence[tuple[Value, ...]]


class Delete(Struct, frozen=True, gc=False):
    """Delete the row with this key, if there is one. `key` has a value for every key column, in order."""

    table: Table
    key: tuple[Value, ...]


Change = Put | Puts | Delete


class Append(Struct, frozen=True, gc=False):
    """Append one event to the log. The writer gives it the next `seq` of its `stream` and the next `position`.

    `body` is the JSON envelope, rendered once: the bytes that every reader and every delivery will see. `hook` is '',
    or whose webhook the event goes to instead of to the workspace's: all events of a session go where its first one
    goes, whatever they say themselves.
    """

    id: str
    stream: str
    type: str
    room_id: str
    session_id: str
    peer_id: str
    at: int
    actor: str
    cause: str
    body: bytes
    template_id: str = ""
    hook: str = ""


class Guard(Struct, frozen=True, gc=False):
    """A condition on a unit: the row with this key exists, and its `column` has this value.

    It is judged when the unit's turn comes, after everything that was committed before it: by this process or by
    another one, in an earlier transaction or in the same one. What holds then holds until the unit is committed.

    A row that guards name is, once it exists, written by units that guard it and by no others: rows are locked for
    their guards before any row is locked to be written, so a unit that came to such a row unguarded could wait for one
    that waits for it. (It would be rolled back and tried again, after a second.)
    """

    table: Table
    key: tuple[Value, ...]
    column: str
    value: Value


class Unit(Struct, frozen=True, gc=False):
    """What is committed together: rows and events, if all guards hold."""

    rows: tuple[Change, ...] = ()
    events: tuple[Append, ...] = ()
    guards: tuple[Guard, ...] = ()


class Appended(Struct, frozen=True, gc=False):
    """Where an appended event came to stand.

    `position` orders all events of the database (gaps are allowed, order of commit is guaranteed: once a position is
    visible, no smaller one will appear later). `seq` counts the events of its stream: 1, 2, 3, … without a gap.
    `committed_at` is the writer's clock when it wrote the transaction, in nanoseconds since the epoch (UTC). `hook` is
    whose webhook it goes to, as `Append` says.
    """

    position: int
    seq: int
    committed_at: int
    hook: str = ""
