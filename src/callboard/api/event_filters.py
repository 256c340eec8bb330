"""Which events a request asks for.

Owns: the query parameters that choose among events, and what is wrong with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Final

from litestar.params import QueryParameter

from callboard.api.pages import instant
from callboard.errors import Invalid
from callboard.events import UnknownEventType, matching
from callboard.ledger import Filter
from callboard.ledger.records import FOREVER
from callboard.rooms.store import is_object_id

MAX_TYPES: Final = 50
MAX_ID: Final = 200

Types = Annotated[
    list[str] | None,
    QueryParameter(name="type", description="Only events of these types; `*` stands for anything: `peer.*`."),
]
RoomId = Annotated[str, QueryParameter(description="Only events of this room.")]
SessionId = Annotated[str, QueryParameter(description="Only events of this session.")]
PeerId = Annotated[str, QueryParameter(description="Only events of this peer.")]
Since = Annotated[str, QueryParameter(description="Not committed before this instant (RFC 3339, UTC with Z).")]
Until = Annotated[str, QueryParameter(description="Committed before this instant (RFC 3339, UTC with Z).")]


def wanted_events(
    event_type: Types = None,
    room_id: RoomId = "",
    session_id: SessionId = "",
    peer_id: PeerId = "",
    since: Since = "",
    until: Until = "",
) -> Filter:
    """The filter that these parameters are. Raises `Invalid`, with a detail for each thing that is wrong."""
    wrong: list[str] = []
    types = types_of("type", event_type or [], wrong)
    wrong += _ids_problems(room_id, session_id, peer_id)
    bounds = [_bound(name, text, wrong) for name, text in (("since", since), ("until", until))]
    if not wrong and bounds[0] and bounds[1] and bounds[0] >= bounds[1]:
        wrong.append("until: must be later than since")
    if wrong:
        raise Invalid("Invalid query parameter", wrong)
    return Filter(types, room_id, session_id, peer_id, bounds[0], bounds[1] or FOREVER)


def types_of(name: str, patterns: list[str], wrong: list[str]) -> frozenset[str]:
    """The types that the patterns name; what is wrong with a parameter called `name` goes into `wrong`."""
    if len(patterns) > MAX_TYPES:
        wrong.append(f"{name}: must be at most {MAX_TYPES}")
        return frozenset()
    found: set[str] = set()
    for pattern in patterns:
        try:
            found |= matching(pattern)
        except UnknownEventType as error:
            wrong.append(f"{name}: {error}")
    return frozenset(found)


def _ids_problems(room_id: str, session_id: str, peer_id: str) -> Iterator[str]:
    for name, value in (("room_id", room_id), ("session_id", session_id)):
        if value and not is_object_id(value):
            yield f"{name}: must be 24 hexadecimal digits"
    if len(peer_id) > MAX_ID or "\0" in peer_id:
        yield f"peer_id: must be at most {MAX_ID} characters of text"


def _bound(name: str, text: str, wrong: list[str]) -> int:
    return attempted(instant, name, text, wrong) if text else 0


def attempted(read: Callable[[str, str], int], name: str, text: str, wrong: list[str]) -> int:
    """What `read` makes of a parameter; 0 if it refuses, which then is in `wrong`."""
    try:
        return read(name, text)
    except Invalid as error:
        wrong += error.details
        return 0
