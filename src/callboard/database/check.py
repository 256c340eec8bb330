"""Whether a unit's values can be stored, told to the one who submits it. Pure.

Owns: `check`.

Always holds: what passes here is stored by both back ends without loss, so one caller's bad value never fails the
transaction it would have shared with others (DESIGN §1.6).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isnan

from callboard.database.units import Append, Guard, Kind, Put, Table, Unit, Value

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
        else:
            _check_cells(table, change.key, table.key)
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
    if len(cells) != expected:
        raise ValueError(f"{table.name}: {expected} values are needed, {len(cells)} given")
    for (name, kind), value in zip(table.columns, cells, strict=False):
        if problem := _PROBLEM[kind](value):
            raise ValueError(f"{table.name}.{name}: {problem}")


def _check_event(event: Append) -> None:
    for (name, problem), value in zip(_EVENT_PROBLEMS, event, strict=True):
        if found := problem(value):
            raise ValueError(f"event.{name}: {found}")


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

_EVENT_PROBLEMS = tuple((name, {"at": _bigint, "body": _bytes}.get(name, _text)) for name in Append._fields)
