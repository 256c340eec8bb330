"""What the shapes of stored things are made of: `Camel`, `Snake`, `RoleName`, `Thumbnails`.

Owns: the base classes, and what both templates and their destinations are made of. No I/O.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

# `$(?!\n)`: Python's `$` alone also matches before a newline at the end, and JSON Schema knows no `\Z`.
RoleName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=100,
        pattern=r"^[A-Za-z0-9 ._:-]+$(?!\n)",
        extra={"allowed": "1 to 100 letters, digits, spaces and . _ : -"},
    ),
]


class Camel(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What is camelCase on the wire. A key that nobody knows is an error, not silence."""


class Snake(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is snake_case on the wire. A key that nobody knows is an error, not silence."""


class Thumbnails(Camel, frozen=True):
    """Pictures out of a recording: at these `offsets` (seconds), or so many a second."""

    enabled: bool = False
    width: Annotated[int, Meta(ge=0, le=1920)] = 0
    height: Annotated[int, Meta(ge=0, le=1920)] = 0
    offsets: Annotated[tuple[Annotated[int, Meta(ge=0)], ...], Meta(max_length=100)] = ()
    fps: Annotated[int, Meta(ge=0, le=60)] = 0
