"""Events: the ledger, read by cursor. Not part of the seed platform's API: its webhooks are all it has.

Owns: the event as REST shows it, and its route.

Always holds: an event is shown after it was committed, and in the order of `position`. Reading on from
`next` gives every event once.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Router, get
from litestar.params import QueryParameter
from msgspec import Struct

from callboard.api.deps import Deps
from callboard.api.errors import errors
from callboard.errors import Invalid
from callboard.events import timestamps
from callboard.ledger import Filter, Recorded
from callboard.rooms.store import FOREVER, is_object_id

MAX_LIMIT = 1000
MAX_TYPES = 50


class EventResponse(Struct, frozen=True, kw_only=True):
    """An event and how it came to stand in the ledger; `event` is the body that webhooks deliver.

    `seq` counts the events of `stream` (a session, or a room while it has none) without a gap.
    """

    position: int
    stream: str
    seq: int
    actor: str
    cause: str
    committed_at: str
    event: msgspec.Raw


class EventPage(Struct, frozen=True, kw_only=True):
    """`next` is `after` of the page that follows, now or when there is more."""

    events: list[EventResponse]
    next: int


def shown(recorded: Recorded) -> EventResponse:
    """The event as REST shows it."""
    return EventResponse(
        position=recorded.position,
        stream=recorded.stream,
        seq=recorded.seq,
        actor=recorded.actor,
        cause=recorded.cause,
        committed_at=timestamps.precise(recorded.committed_at),
        event=msgspec.Raw(recorded.body),
    )


def events_router(deps: Deps) -> Router:
    """The route `/v2/events`."""

    @get("/", operation_id="list_events", summary="Read events", responses=errors())
    async def list_events(
        after: Annotated[
            int, QueryParameter(ge=-1, le=FOREVER, description="`next` of the page before; -1: the end.")
        ] = 0,
        limit: Annotated[int, QueryParameter(ge=1, le=MAX_LIMIT, description="How many at most.")] = 100,
        event_type: Annotated[
            list[str] | None,
            QueryParameter(name="type", max_items=MAX_TYPES, description="Only events of these types."),
        ] = None,
        room_id: Annotated[str, QueryParameter(description="Only events of this room.")] = "",
        session_id: Annotated[str, QueryParameter(description="Only events of this session.")] = "",
    ) -> EventPage:
        """Events in the order in which they were committed, oldest first."""
        for name, value in (("room_id", room_id), ("session_id", session_id)):
            if value and not is_object_id(value):
                raise Invalid("Invalid query parameter", (f"{name}: must be 24 hexadecimal digits",))
        if after < 0:
            ((end,),) = await deps.database.fetch("highest_position")
            return EventPage(events=[], next=int(end or 0))
        wanted = Filter(types=frozenset(event_type or ()), room_id=room_id, session_id=session_id)
        found = await deps.ledger.read(after, limit, wanted)
        return EventPage(events=[shown(one) for one in found], next=found[-1].position if found else after)

    return Router("/events", route_handlers=[list_events], tags=["Events"])
