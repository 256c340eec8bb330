"""What is wrong with a value, where, and what is allowed instead: for whoever has to put it right.

Owns: `problems`, which the REST API and the settings share. msgspec decides what is valid; this says why not,
for every wrong place at once and with the names of map entries, which msgspec's one message does not have.

Always holds: no problem quotes a value (it may be a secret), only names of keys.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Sequence, Sized
from dataclasses import dataclass
from typing import Any, Final

from msgspec import inspect

from callboard.wording import in_words

_MAX_QUOTED = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """`path` leads from the outermost object to the place: keys and indexes. `text` says what is allowed."""

    path: tuple[str | int, ...]
    text: str

    @property
    def place(self) -> str:
        """The path as people write it: `roles.host.publishParams.simulcast.video.layers[0].rid`."""
        steps = (f"[{step}]" if isinstance(step, int) else f".{clipped(step)}" for step in self.path)
        return "".join(steps).removeprefix(".")

    def __str__(self) -> str:
        return f"{self.place}: {self.text}" if self.path else self.text


def problems(value: object, wanted: Any) -> Iterator[Problem]:
    """Everything that keeps `value` (plain data, as from JSON or TOML) from being a `wanted` (a type)."""
    return _problems(value, inspect.type_info(wanted), ())


def unknown(name: str, known: Sequence[str]) -> str:
    """That there is no key `name`, and which one was probably meant, or which there are."""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
    return f"there is no such key; {hint}"


def clipped(text: str) -> str:
    """A name from outside, short enough to be repeated in a message."""
    return text if len(text) <= _MAX_QUOTED else text[:_MAX_QUOTED] + "…"


def _problems(value: object, wanted: inspect.Type, path: tuple[str | int, ...]) -> Iterator[Problem]:
    match wanted:
        case inspect.Metadata():
            for problem in _problems(value, wanted.type, path):
                yield problem if problem.path != path else Problem(path, f"must be {in_words(wanted)}")
        case inspect.StructType() if isinstance(value, dict):
            yield from _object_problems(value, wanted, path)
        case inspect.DictType() if isinstance(value, dict) and _length_fits(value, wanted):
            yield from _map_problems(value, wanted, path)
        case inspect.CollectionType() if isinstance(value, list | tuple) and _length_fits(value, wanted):
            for index, item in enumerate(value):
                yield from _problems(item, wanted.item_type, (*path, index))
        case inspect.UnionType():
            yield from _union_problems(value, wanted, path)
        case _ if not _fits(value, wanted):
            yield Problem(path, f"must be {in_words(wanted)}")


def _object_problems(
    value: dict[str, object], wanted: inspect.StructType, path: tuple[str | int, ...]
) -> Iterator[Problem]:
    fields = {field.encode_name: field for field in wanted.fields}
    for name, item in value.items():
        if field := fields.get(name):
            yield from _problems(item, field.type, (*path, name))
        elif wanted.forbid_unknown_fields:
            yield Problem((*path, name), unknown(name, list(fields)))
    for name, field in fields.items():
        if field.required and name not in value:
            yield Problem((*path, name), f"is required: {in_words(field.type)}")


def _map_problems(value: dict[str, object], wanted: inspect.DictType, path: tuple[str | int, ...]) -> Iterator[Problem]:
    for key, item in value.items():
        if not _valid(key, wanted.key_type):
            yield Problem((*path, key), f"the name must be {in_words(wanted.key_type)}")
        yield from _problems(item, wanted.value_type, (*path, key))


def _union_problems(value: object, wanted: inspect.UnionType, path: tuple[str | int, ...]) -> Iterator[Problem]:
    """A value that has the shape of one member (object, list) is judged by that one, else by all of them."""
    if any(_valid(value, member) for member in wanted.types):
        return
    shape = inspect.StructType | inspect.DictType if isinstance(value, dict) else inspect.CollectionType
    alike = [member for member in wanted.types if isinstance(member, shape)]
    if alike and isinstance(value, dict | list | tuple):
        yield from _problems(value, alike[0], path)
    else:
        yield Problem(path, f"must be {in_words(wanted)}")


def _valid(value: object, wanted: inspect.Type) -> bool:
    return next(_problems(value, wanted, ()), None) is None


def _fits(value: object, wanted: inspect.Type) -> bool:
    """Whether a value that has no parts is allowed."""
    return any(isinstance(wanted, kind) and fits(value, wanted) for kind, fits in _LEAVES.items())


def _number_fits(value: float, wanted: inspect.IntType | inspect.FloatType) -> bool:
    return (
        (wanted.ge is None or value >= wanted.ge)
        and (wanted.le is None or value <= wanted.le)
        and (wanted.gt is None or value > wanted.gt)
        and (wanted.lt is None or value < wanted.lt)
        and (wanted.multiple_of is None or value % wanted.multiple_of == 0)
    )


def _text_fits(value: str, wanted: inspect.StrType) -> bool:
    return _length_fits(value, wanted) and (wanted.pattern is None or bool(re.search(wanted.pattern, value)))


def _literal_fits(value: object, wanted: inspect.LiteralType) -> bool:
    return any(type(value) is type(literal) and value == literal for literal in wanted.values)


def _length_fits(value: Sized, wanted: inspect.StrType | inspect.CollectionType | inspect.DictType) -> bool:
    return len(value) >= (wanted.min_length or 0) and (wanted.max_length is None or len(value) <= wanted.max_length)


_Leaf = Callable[[Any, Any], bool]
_LEAVES: Final[dict[type[inspect.Type], _Leaf]] = {
    inspect.AnyType: lambda _value, _wanted: True,
    inspect.NoneType: lambda value, _wanted: value is None,
    inspect.BoolType: lambda value, _wanted: isinstance(value, bool),
    # In Python True is an int, in JSON and TOML it is not.
    inspect.IntType: lambda value, wanted: type(value) is int and _number_fits(value, wanted),
    inspect.FloatType: lambda value, wanted: type(value) in (int, float) and _number_fits(value, wanted),
    inspect.StrType: lambda value, wanted: isinstance(value, str) and _text_fits(value, wanted),
    inspect.LiteralType: _literal_fits,
}
