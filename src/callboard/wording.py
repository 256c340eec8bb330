"""What a type allows, in words: `an integer from 1 to 30`.

Owns: `in_words`, which error messages and the comments of the settings file are made with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from msgspec import inspect


def allowed(wanted: Any) -> str:
    """What a value of this type (a Python annotation) may be."""
    return in_words(inspect.type_info(wanted))


def in_words(wanted: inspect.Type) -> str:
    """As `allowed`, for a type as msgspec describes it."""
    for kind, words in _WORDS.items():
        if isinstance(wanted, kind):
            return words(wanted)
    return "anything"


def one_of(words: Sequence[str]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


def _text(wanted: inspect.StrType) -> str:
    pattern = f" that matches {wanted.pattern}" if wanted.pattern else ""
    return f"a text{_lengths(wanted, 'characters')}{pattern}"


def _bounds(wanted: inspect.IntType | inspect.FloatType) -> str:
    match wanted.ge, wanted.le:
        case None, None:
            words = ""
        case lowest, None:
            words = f" of at least {lowest}"
        case None, highest:
            words = f" of at most {highest}"
        case lowest, highest:
            words = f" from {lowest} to {highest}"
    if wanted.gt is not None:
        words += f" above {wanted.gt}"
    if wanted.lt is not None:
        words += f" below {wanted.lt}"
    return words + (f", a multiple of {wanted.multiple_of}" if wanted.multiple_of is not None else "")


def _lengths(wanted: inspect.StrType | inspect.CollectionType | inspect.DictType, unit: str) -> str:
    lowest, highest = wanted.min_length or 0, wanted.max_length
    if highest is None:
        return f" of at least {lowest} {unit}" if lowest else ""
    return f" of {lowest} to {highest} {unit}" if lowest else f" of at most {highest} {unit}"


_Words = Callable[[Any], str]
_WORDS: Final[dict[type[inspect.Type], _Words]] = {
    inspect.Metadata: lambda wanted: in_words(wanted.type),
    inspect.BoolType: lambda _: "true or false",
    inspect.NoneType: lambda _: "null",
    inspect.IntType: lambda wanted: f"an integer{_bounds(wanted)}",
    inspect.FloatType: lambda wanted: f"a number{_bounds(wanted)}",
    inspect.StrType: _text,
    inspect.LiteralType: lambda wanted: one_of([f'"{literal}"' for literal in wanted.values]),
    inspect.CollectionType: lambda wanted: (
        f"a list{_lengths(wanted, 'items')}, each {in_words(wanted.item_type)}"
    ),
    inspect.DictType: lambda wanted: (
        f"an object{_lengths(wanted, 'entries')}, each {in_words(wanted.value_type)}"
    ),
    inspect.StructType: lambda wanted: (
        f"an object with {', '.join(field.encode_name for field in wanted.fields)}"
    ),
    inspect.UnionType: lambda wanted: one_of([in_words(member) for member in wanted.types]),
}
