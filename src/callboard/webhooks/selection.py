"""Which events an endpoint is sent: of whom, and of which types. Pure.

Owns: `Selection`, its rules, and how a pattern matches a type.

Always holds: of two endpoints that were told the same, both want the same events; what one wants depends on nothing
but the event as it was recorded. `wants` is asked for every event and endpoint: it costs a few comparisons, and a look
into a table that is made once per list of patterns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

from msgspec import Struct

from callboard.events import CATALOGUE, UnknownEventType, matching
from callboard.ledger import Recorded

MAX_PATTERNS: Final = 64
MAX_PATTERN: Final = 64
"""Characters."""

_PATTERN: Final = re.compile(r"!?[a-z_.*]+")
_OBJECT_ID: Final = re.compile(r"[0-9a-f]{24}")


class Selection(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`events` are names and patterns of event types; none of them means every type.

    With a `room_id` only that room's events are wanted, with a `template_id` those of all rooms that have this template
    (of sessions: had it when they opened). With neither, those of the whole workspace, but for rooms that have a
    webhook of their own: that takes the place of the workspace's endpoints (platform.md §10.1), and of those only.
    """

    template_id: str = ""
    room_id: str = ""
    events: tuple[str, ...] = ()

    def wants(self, event: Recorded) -> bool:
        """Whether `event` is to be sent to the endpoint."""
        if self.room_id:
            if event.room_id != self.room_id:
                return False
        elif self.template_id:
            if event.template_id != self.template_id:
                return False
        elif event.hook:
            return False
        return not self.events or event.type in selected(self.events)


@lru_cache(maxsize=1024)
def selected(patterns: tuple[str, ...]) -> frozenset[str]:
    """The types that a list of patterns selects; their order makes no difference.

    In a pattern `*` stands for any characters, dots too. One with `!` in front leaves out what it matches, whatever the
    others say; if there are only such, everything else is selected. Raises `UnknownEventType` for one that matches
    nothing.
    """
    wanted = [matching(pattern) for pattern in patterns if not pattern.startswith("!")]
    unwanted = [matching(pattern[1:]) for pattern in patterns if pattern.startswith("!")]
    return frozenset(CATALOGUE if not wanted else ()).union(*wanted).difference(*unwanted)


def problems(selection: Selection) -> Iterator[str]:
    """What is wrong with it, where, and what is allowed. Whether room and template exist is not looked up."""
    if selection.room_id and selection.template_id:
        yield "room_id: an endpoint is for a room or for a template, not both: leave one of them empty"
    for name, value in (("room_id", selection.room_id), ("template_id", selection.template_id)):
        if value and not _OBJECT_ID.fullmatch(value):
            yield f'{name}: must be 24 hexadecimal digits, or "" for none'
    yield from _events_problems(selection.events)


def _events_problems(events: Sequence[str]) -> Iterator[str]:
    if len(events) > MAX_PATTERNS:
        yield f"events: must be at most {MAX_PATTERNS} names and patterns"
        return
    wrong = [f"events[{index}]: {problem}" for index, event in enumerate(events) if (problem := _problem(event))]
    yield from wrong
    if events and not wrong and not selected(tuple(events)):
        yield "events: leaves out every event: to send none, disable the endpoint"


def _problem(pattern: str) -> str:
    if len(pattern) > MAX_PATTERN or not _PATTERN.fullmatch(pattern):
        return (
            "must be the name of an event (peer.join.success) or a pattern with * (peer.*, *.failure), with ! in front"
            f" to leave out what it matches; at most {MAX_PATTERN} characters"
        )
    try:
        matching(pattern.removeprefix("!"))
    except UnknownEventType as error:
        return str(error) if error.near else f"{error}; there are {', '.join(CATALOGUE)}"
    return ""
