"""Lists, a page at a time, newest first (platform.md §3.1, "Cursor A").

Owns: what `limit`, `start`, `after` and `before` may say, and how the page after this one is named.

Always holds: `limit` in an answer is the number that was applied, so a shorter page is the last one. `last`
is "" when nothing follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, TypeVar

from litestar.params import QueryParameter

from callboard.errors import Invalid
from callboard.events import timestamps
from callboard.rooms.store import FIRST_PAGE, is_object_id

MIN_LIMIT: Final = 10
MAX_LIMIT: Final = 100
_MILLISECOND: Final = 1_000_000

Limit = Annotated[int, QueryParameter(description="How many at most: 10 to 100, others are moved into that.")]
Start = Annotated[str, QueryParameter(description="`last` of the page before; none for the first page.")]
After = Annotated[str, QueryParameter(description="Not created before this instant (RFC 3339, UTC with Z).")]
Before = Annotated[str, QueryParameter(description="Not created after this instant (RFC 3339, UTC with Z).")]

T = TypeVar("T")


def clamped(limit: int) -> int:
    """The limit that is applied (platform.md §11.4 D2)."""
    return max(MIN_LIMIT, min(MAX_LIMIT, limit))


def few(limit: int) -> int:
    """The limit that is applied where less than `MIN_LIMIT` is allowed too (platform.md §11.4 D2)."""
    return max(1, min(MAX_LIMIT, limit))


def cursor(start: str) -> str:
    """The id below which the page begins. Raises `Invalid`."""
    if start and not is_object_id(start):
        raise Invalid("Invalid query parameter", ("start: must be `last` of the page before",))
    return start or FIRST_PAGE


def cut(found: Sequence[T], limit: int) -> tuple[Sequence[T], bool]:
    """The page out of one more than fit on it, and whether another follows."""
    return found[:limit], len(found) > limit


def earliest(after: str) -> int:
    """The instant that everything must be later than, for `after`, which is inclusive. Raises `Invalid`."""
    return instant("after", after) - 1 if after else -1


def latest(before: str, otherwise: int) -> int:
    """The instant that everything must be earlier than, for `before`, which is inclusive. Raises `Invalid`.

    What is shown has milliseconds, what is stored nanoseconds: all of the last millisecond is included.
    """
    return instant("before", before) + _MILLISECOND if before else otherwise


def instant(name: str, text: str) -> int:
    """The instant that the parameter called `name` says. Raises `Invalid`."""
    try:
        parsed = timestamps.parse(text)
    except (ValueError, OverflowError):
        allowed = "RFC 3339 in UTC, such as 2026-01-31T12:00:00Z"
        raise Invalid("Invalid query parameter", (f"{name}: must be an instant, {allowed}",)) from None
    return max(-1, min(parsed, 2**62))
