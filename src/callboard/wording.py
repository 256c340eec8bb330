"""What a type allows, in words: `an integer from 1 to 30`.

Owns: `allowed`, which error messages and the comments of the settings file are made with.

Always holds: a type with `Meta(extra={"allowed": …})` is described by just that; all others by their
constraints.
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
    if wanted.ge is not None and wanted.le is not None:
        words = [f" from {wanted.ge} to {wanted.le}"]
    else:
        bounds = ((" above", wanted.gt), (" of at least", wanted.ge), (" below", wanted.lt), (" of at most", wanted.le))
        words = [f"{relation} {bound}" for relation, bound in bounds if bound is not None]
    if wanted.multiple_of is not None:
        words.append(f" a multiple of {wanted.multiple_of}")
    return ",".join(words)


def _lengths(wanted: inspect.StrType | inspect.CollectionType | inspect.DictType, unit: str) -> str:
    lowest, highest = wanted.min_length or 0, wanted.max_length
    if highest is None:
        return " that is not empty" if lowest == 1 else f" of at least {lowest} {unit}" if lowest else ""
    return f" of {lowest} to {highest} {unit}" if lowest else f" of at most {highest} {unit}"


def _described(wanted: inspect.Metadata) -> str:
    return str((wanted.extra or {}).get("allowed") or in_words(wanted.type))


_Words = Callable[[Any], str]
_WORDS: Final[dict[type[inspect.Type], _Words]] = {
    inspect.Metadata: _described,
    inspect.BoolType: lambda _: "true or false",
    inspect.NoneType: lambda _: "null",
    inspect.IntType: lambda wanted: f"an integer{_bounds(wanted)}",
    inspect.FloatType: lambda wanted: f"a number{_bounds(wanted)}",
    inspect.StrType: _text,
    inspect.LiteralType: lambda wanted: one_of([f'"{literal}"' for literal in wanted.values]),
    inspect.CollectionType: lambda wanted: f"a list{_lengths(wanted, 'items')}, each {in_words(wanted.item_type)}",
    inspect.DictType: lambda wanted: f"an object{_lengths(wanted, 'entries')}, each {in_words(wanted.value_type)}",
    inspect.StructType: lambda wanted: f"an object with {', '.join(field.encode_name for field in wanted.fields)}",
    inspect.UnionType: lambda wanted: one_of([in_words(member) for member in wanted.types]),
}
