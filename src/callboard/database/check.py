"""Whether a unit's values can be stored, told to the one who submits it. Pure.

Owns: `check`.

Always holds: what passes here is stored by both back ends without loss, so one caller's bad value never fails the
transaction it would have shared with others (DESIGN §1.6).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isnan
from operator import attrgetter, itemgetter
from typing import Any

from callboard.database.units import Append, Delete, Guard, Kind, Put, Table, Unit, Value

_LOW, _HIGH = -(2**63), 2**63 - 1


def check(unit: Unit) -> None:
    """Raises `ValueError` naming table and column if a row has the wrong length or a value cannot be stored.

    Text must be encodable (no lone surrogates) and free of U+0000, which PostgreSQL cannot hold; integers have 64
    bits; numbers are not NaN; nothing is null.
    """
    for change in unit.rows:
        table = change.table
        if isinstance(change, Put):
            _check_cells(table, change.row, len(table.columns))
        elif isinstance(change, Delete):
            _check_cells(table, change.key, table.key)
        elif not _quick_rows(table, change.rows):
            for row in change.rows:
                _check_cells(table, row, len(table.columns))
    for event in unit.events:
        _check_event(event)
    for guard in unit.guards:
        _check_guard(guard)


def _check_guard(guard: Guard) -> None:
    _check_cells(guard.table, guard.key, guard.table.key)
    kind = dict(guard.table.columns).get(guard.column)
    if kind is None:
        raise ValueError(f"{guard.table.name}: there is no column {guard.column} to guard")
    if problem := _PROBLEM[kind](guard.value):
        raise ValueError(f"{guard.table.name}.{guard.column}: {problem}")


def _check_cells(table: Table, cells: tuple[Value, ...], expected: int) -> None:
    known = _QUICK.get(table.name)
    if known is None or known[0] is not table:
        known = _QUICK[table.name] = (table, _quick([column.kind for column in table.columns]))
    if known[1](cells):
        return
    if len(cells) != expected:
        raise ValueError(f"{table.name}: {expected} values are needed, {len(cells)} given")
    for (name, kind), value in zip(table.columns, cells, strict=False):
        if problem := _PROBLEM[kind](value):
            raise ValueError(f"{table.name}.{name}: {problem}")


def _check_event(event: Append) -> None:
    if _quick_event(event):
        return
    for name, problem in _EVENT_PROBLEMS:
        if found := problem(getattr(event, name)):
            raise ValueError(f"event.{name}: {found}")


def _quick(kinds: Sequence[Kind]) -> Callable[[Sequence[Value]], bool]:
    """Whether a whole row is of the usual sort, all at once: what this lets pass, every check by itself would. What it
    does not, is looked at cell by cell; that takes two or three times as long, and can say what is wrong.
    """
    types = tuple(_TYPES[kind] for kind in kinds)
    texts, integers, reals = (_picked(kinds, kind) for kind in (Kind.TEXT, Kind.BIGINT, Kind.REAL))

    def passes(cells: Sequence[Value]) -> bool:
        if tuple(map(type, cells)) != types:
            return False
        text = "".join(texts(cells))
        numbers = integers(cells)
        return (
            "\0" not in text
            and text.isascii()
            and min(numbers) >= _LOW
            and max(numbers) <= _HIGH
            and not isnan(sum(reals(cells)))
        )

    return passes


def _quick_event(event: Append) -> bool:
    """As `_quick`, for an event."""
    try:
        text = "".join(_event_texts(event))
    except TypeError:
        return False
    at = event.at
    return "\0" not in text and text.isascii() and type(at) is int and _LOW <= at <= _HIGH and type(event.body) is bytes


def _quick_rows(table: Table, rows: Sequence[tuple[Value, ...]]) -> bool:
    """As `_quick`, for many rows: each column at once."""
    try:
        cells = zip(*rows, strict=True)
        return all(_quick_column(kind, column) for (_, kind), column in zip(table.columns, cells, strict=True))
    except ValueError:  # one is too short or too long
        return False


def _quick_column(kind: Kind, column: Sequence[Any]) -> bool:
    if set(map(type, column)) != {_TYPES[kind]}:
        return False
    if kind is Kind.TEXT:
        text = "".join(column)
        return "\0" not in text and text.isascii()
    if kind is Kind.BIGINT:
        return bool(min(column) >= _LOW and max(column) <= _HIGH)
    return kind is not Kind.REAL or not isnan(sum(column))


def _picked(kinds: Sequence[Kind], wanted: Kind) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """What picks the cells of one kind out of a row; of none or one, with something harmless beside it."""
    places = [place for place, kind in enumerate(kinds) if kind is wanted]
    harmless = "" if wanted is Kind.TEXT else 0
    if len(places) > 1:
        return itemgetter(*places)
    return lambda cells: (harmless, *(cells[place] for place in places))


def _text(value: object) -> str:
    if not isinstance(value, str):
        return f"text is needed, {type(value).__name__} given"
    if "\0" in value:
        return "text must not contain U+0000"
    if value.isascii():
        return ""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        return f"text must not contain a lone surrogate (character {error.start})"
    return ""


def _bigint(value: object) -> str:
    if not isinstance(value, int) or isinstance(value, bool):
        return f"an integer is needed, {type(value).__name__} given"
    return "" if _LOW <= value <= _HIGH else "the integer does not fit 64 bits"


def _bytes(value: object) -> str:
    return "" if isinstance(value, bytes) else f"bytes are needed, {type(value).__name__} given"


def _real(value: object) -> str:
    if not isinstance(value, float):
        return f"a float is needed, {type(value).__name__} given"
    return "not a number" if isnan(value) else ""


def _boolean(value: object) -> str:
    return "" if isinstance(value, bool) else f"a bool is needed, {type(value).__name__} given"


_PROBLEM: Mapping[Kind, Callable[[object], str]] = {
    Kind.TEXT: _text,
    Kind.BIGINT: _bigint,
    Kind.BYTES: _bytes,
    Kind.REAL: _real,
    Kind.BOOLEAN: _boolean,
}

_TYPES: Mapping[Kind, type] = {
    Kind.TEXT: str,
    Kind.BIGINT: int,
    Kind.BYTES: bytes,
    Kind.REAL: float,
    Kind.BOOLEAN: bool,
}

_QUICK: dict[str, tuple[Table, Callable[[Sequence[Value]], bool]]] = {}
"""By the table's name: looking the table itself up would compare all its columns."""

_EVENT_KINDS = {"at": Kind.BIGINT, "body": Kind.BYTES}
_EVENT_PROBLEMS = tuple((name, _PROBLEM[_EVENT_KINDS.get(name, Kind.TEXT)]) for name in Append.__struct_fields__)
_event_texts = attrgetter(*(name for name in Append.__struct_fields__ if name not in _EVENT_KINDS))
