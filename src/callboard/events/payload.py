"""What every event's `data` is.

Owns: `Payload`, the base of all of them.

Always holds: a payload is immutable, names its event (`EVENT`), the version of its contract (`VERSION`) and
the theme it is documented under (`THEME`), and never holds null: what is unknown is "", 0, an empty array
or the zero time. A field that can be left out altogether is `msgspec.UNSET` then (platform.md §11,
principle 5).
"""

from __future__ import annotations

from typing import ClassVar

import msgspec


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    """The `data` of an event. A subclass is the contract of one event, or what several have in common."""

    EVENT: ClassVar[str]
    THEME: ClassVar[str]
    VERSION: ClassVar[str] = "2.0"
