"""The settings file as text: the commented default, the line of each key, values from environment variables.

Owns: what `config` needs to know about TOML (v1.0.0) beyond reading it.

Always holds: what `rendered` writes, `tomllib` reads back as the same values.
"""

from __future__ import annotations

import json
import re
import textwrap
import tomllib
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from msgspec import Struct, inspect, to_builtins

from callboard.wording import in_words

_WIDTH: Final = 100
_HEADER: Final = re.compile(r"\s*(\[\[?)\s*([A-Za-z0-9_.-]+)\s*\]")
_KEY: Final = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=")
_TITLE: Final = (
    "# The settings of Callboard, with their defaults.",
    "# Environment variables win over this file: CALLBOARD_SERVER__PORT=9000 sets port in [server].",
)

Path = tuple[str | int, ...]


def rendered(settings: Struct) -> str:
    """A TOML file with all of `settings`: above each key what it means and what is allowed."""
    outside = outside_tables(settings)
    lines = [*_TITLE, *_entries(settings, outside)]
    for name in settings.__struct_fields__:
        if name not in outside:
            table = getattr(settings, name)
            lines += ["", "", f"[{name}]", *_comment(type(table).__doc__ or "")]
            lines += _entries(table, list(table.__struct_fields__))
    return "\n".join(lines) + "\n"


def outside_tables(settings: Struct) -> list[str]:
    """The names of the settings that stand before the first table."""
    return [name for name in settings.__struct_fields__ if not isinstance(getattr(settings, name), Struct)]


def lines_of(text: str) -> dict[Path, int]:
    """The line of each key that stands on a line of its own. The tables `[[a]]` are `("a", 0)`, `("a",
    1)`.
    """
    lines: dict[Path, int] = {}
    table: Path = ()
    seen: Counter[str] = Counter()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = tuple(header[2].split("."))
            if header[1] == "[[":
                table = (*table, seen[header[2]])
                seen[header[2]] += 1
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            lines.setdefault((*table, key[1]), number)
    return lines


def put(raw: dict[str, Any], path: tuple[str, ...], value: object) -> bool:
    """Set the key at `path`, making tables on the way. False: something on the way is no table."""
    *way, last = path
    table: Any = raw
    for name in way:
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            return False
    table[last] = value
    return True


def value_of(text: str, settings: type[Struct], path: tuple[str, ...]) -> object:
    """What an environment variable says: a text for a text, `a,b` for a list of texts, else a TOML value.

    A text that is none of these stays a text, and whoever checks the type says what is allowed.
    """
    wanted = _type_at(inspect.type_info(settings), path)
    if isinstance(wanted, inspect.StrType | inspect.LiteralType):
        return text
    texts = isinstance(wanted, inspect.CollectionType) and isinstance(wanted.item_type, inspect.StrType)
    if texts and not text.lstrip().startswith("["):
        return [item.strip() for item in text.split(",") if item.strip()]
    try:
        read = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return read["value"] if len(read) == 1 else text


def _type_at(kind: inspect.Type, path: tuple[str, ...]) -> inspect.Type:
    if isinstance(kind, inspect.Metadata):
        return _type_at(kind.type, path)
    if not path:
        return kind
    fields = kind.fields if isinstance(kind, inspect.StructType) else ()
    found = [field.type for field in fields if field.encode_name == path[0]]
    return _type_at(found[0], path[1:]) if found else inspect.AnyType()


def _entries(table: Struct, names: list[str]) -> Iterator[str]:
    described = inspect.type_info(type(table))
    assert isinstance(described, inspect.StructType)
    for field in described.fields:
        if field.encode_name in names:
            schema = (field.type.extra_json_schema or {}) if isinstance(field.type, inspect.Metadata) else {}
            yield ""
            yield from _comment(schema.get("description", ""))
            yield from _comment(f"Allowed: {in_words(field.type)}.")
            yield f"{field.encode_name} = {_toml(to_builtins(getattr(table, field.name)))}"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(
        " ".join(text.split()),
        _WIDTH,
        initial_indent="# ",
        subsequent_indent="# ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _toml(value: object) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + "}"
    # JSON's texts, integers, decimal fractions, true and false are TOML's as well.
    return json.dumps(value, ensure_ascii=False)
