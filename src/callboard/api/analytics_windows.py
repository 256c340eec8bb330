"""What the lists and replays of webhook deliveries may be asked for (platform.md §10.4, §10.5).

Owns: the window of time, the names of events, the limits on how often.

Always holds: the messages of the seed platform are its own, word for word.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from callboard.api.errors import TooMany
from callboard.api.event_filters import attempted, types_of
from callboard.api.pages import instant
from callboard.api.rates import Rates
from callboard.clock import NANOSECONDS
from callboard.errors import Invalid
from callboard.rooms.store import is_object_id

DAY: Final = 86_400 * NANOSECONDS
MESSAGE: Final = "Invalid parameter"
_SLACK: Final = 60 * NANOSECONDS
"""What clocks may differ by, for those who ask for exactly 30 days."""


def window(start_time: str, end_time: str, now: int) -> tuple[int, int]:
    """The first instant, and the one that is too late. Without a start it is 24 hours ago, without an end now.

    Raises `Invalid`.
    """
    wrong: list[str] = []
    start = attempted(instant, "start_time", start_time, wrong) if start_time else now - DAY
    end = attempted(instant, "end_time", end_time, wrong) if end_time else max(now, start)
    if wrong:
        raise Invalid(MESSAGE, wrong)
    if not now - 30 * DAY - _SLACK <= start <= now + _SLACK:
        raise Invalid("start_time must be within the last 30 days")
    if not end_time:
        end = min(end, start + 14 * DAY)
    if not start <= end <= start + 14 * DAY:
        raise Invalid("end_time must be within 14 days after start_time")
    return start, end + 1


def names(event_names: Sequence[str]) -> tuple[str, ...]:
    """The names of events, with what `*` stands for; none for all. Raises `Invalid`."""
    wrong: list[str] = []
    found = types_of("event_names", list(event_names), wrong)
    if wrong:
        raise Invalid(MESSAGE, wrong)
    return tuple(sorted(found))


def object_id(name: str, value: str) -> str:
    """The id, or "". Raises `Invalid`."""
    if value and not is_object_id(value):
        raise Invalid(MESSAGE, (f"{name}: must be 24 hexadecimal digits",))
    return value


def take(rates: Rates, now: int) -> None:
    """One request counts. Raises `TooMany`."""
    wait = rates.take("", now / NANOSECONDS)
    if wait:
        seconds = math.ceil(wait)
        raise TooMany(f"rate limit exceeded, retry after {seconds} seconds", seconds)
