"""Analytics: what happened to tracks and at clients, and how good a peer's connections were (platform.md §3.12).

Owns: both as REST shows them, and their routes.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Router, get
from litestar.params import QueryParameter
from msgspec import Struct

from callboard.analytics.client_events import TYPES
from callboard.analytics.quality import LayerSeries, Series, VideoSeries
from callboard.analytics.reading import Event, Wanted, page, peer_series
from callboard.analytics.track_events import ADDED, REMOVED, UPDATED
from callboard.api import pages
from callboard.api.deps import Deps
from callboard.api.errors import errors
from callboard.errors import Invalid, NotFound
from callboard.events import timestamps
from callboard.rooms.store import is_object_id

KNOWN = (ADDED, UPDATED, REMOVED, "beam.recording.success", *(kind for kind, _ in TYPES.values()))
VERSION = "2.0"


class AnalyticsEvent(Struct, frozen=True, kw_only=True):
    """An event, in the envelope of all events; `timestamp` has nanoseconds."""

    version: str
    id: str
    timestamp: str
    type: str
    data: msgspec.Raw


class AnalyticsPage(Struct, frozen=True, kw_only=True):
    """`limit` is how many these are, `total` how many there were at the first page. `next` is `start` of the page that
    follows, "" after the last; it is good for 24 hours.
    """

    limit: int
    total: int
    next: str
    events: list[AnalyticsEvent]


class Published(Struct, frozen=True, kw_only=True):
    """What a peer sent."""

    video: list[LayerSeries]
    audio: list[Series]


class Subscribed(Struct, frozen=True, kw_only=True):
    """What a peer received."""

    video: list[VideoSeries]
    audio: list[Series]


class PeerStats(Struct, frozen=True, kw_only=True):
    """How good a peer's connections were, as it measured them. What it did not measure is null."""

    peer_id: str
    session_id: str
    room_id: str
    publisher: Published
    subscriber: Subscribed


def shown(event: Event) -> AnalyticsEvent:
    """The event as REST shows it."""
    return AnalyticsEvent(
        version=VERSION,
        id=event.id,
        timestamp=timestamps.precise(event.timestamp),
        type=event.type,
        data=event.data,
    )


def require_known(types: list[str]) -> tuple[str, ...]:
    """The types. Raises `Invalid` for one that there is not."""
    if unknown := sorted(set(types) - set(KNOWN)):
        raise Invalid(
            "Invalid query parameter", (f"type: there is no {unknown[0][:60]}; known are {', '.join(KNOWN)}",)
        )
    return tuple(types)


def require_object_id(name: str, value: str, *, needed: bool) -> None:
    """Raise `Invalid` unless it can be an id, or is missing and need not be there."""
    if not value and needed:
        raise Invalid("Invalid query parameter", (f"{name}: is required",))
    if value and not is_object_id(value):
        raise Invalid("Invalid query parameter", (f"{name}: must be 24 hexadecimal digits",))


def analytics_router(deps: Deps) -> Router:
    """The routes `/v2/analytics/events` and `/v2/analytics/peer-stats`."""

    @get("/events", operation_id="list_analytics_events", summary="List analytics events", responses=errors())
    async def list_analytics_events(
        room_id: Annotated[str, QueryParameter(description="Events of this room. Required.")] = "",
        kinds: Annotated[
            list[str] | None,
            QueryParameter(name="type", max_items=20, description="Only events of these types; may be repeated."),
        ] = None,
        session_id: Annotated[str, QueryParameter(description="Only events of this session.")] = "",
        peer_id: Annotated[str, QueryParameter(description="Only events of this peer.")] = "",
        user_id: Annotated[str, QueryParameter(description="Only events of this user.")] = "",
        beam_id: Annotated[str, QueryParameter(description="Only events of this run of a recorder.")] = "",
        error: Annotated[bool | None, QueryParameter(description="Only errors (true), or none of them.")] = None,
        limit: Annotated[int, QueryParameter(description="How many at most: 1 to 100.")] = pages.MIN_LIMIT,
        start: Annotated[str, QueryParameter(description="`next` of the page before; none for the first page.")] = "",
    ) -> AnalyticsPage:
        """Events of the last 30 days, oldest first. What came after the first page was asked for is not on any page."""
        require_object_id("room_id", room_id, needed=True)
        require_object_id("session_id", session_id, needed=False)
        wanted = Wanted(room_id, require_known(kinds or []), session_id, peer_id, user_id, beam_id, error)
        found = await page(deps.database, wanted, pages.few(limit), start, deps.clock.now())
        events = [shown(event) for event in found.events]
        return AnalyticsPage(limit=len(events), total=found.total, next=found.next, events=events)

    @get("/peer-stats", operation_id="get_peer_stats", summary="Get a peer's quality", responses=errors(404))
    async def get_peer_stats(
        peer_id: Annotated[str, QueryParameter(description="The peer. Required.")] = "",
        session_id: Annotated[str, QueryParameter(description="The session it was in. Required.")] = "",
    ) -> PeerStats:
        """How good a peer's connections were in a session that is over. Arrays are empty where nothing was reported."""
        require_object_id("session_id", session_id, needed=True)
        if not peer_id:
            raise Invalid("Invalid query parameter", ("peer_id: is required",))
        rows = await deps.database.fetch("session_with_peers", id=session_id)
        if not any(row[4] == peer_id for row in rows):
            raise NotFound("peer not found", ("nobody of this id was in such a session",))
        if not rows[0][3]:
            raise NotFound("peer stats not found", ("the session is still open: they are there when it is over",))
        series = await peer_series(deps.database, session_id, peer_id)
        about = {"peer_id": peer_id, "session_id": session_id, "room_id": rows[0][1]}
        return msgspec.convert({**about, **series}, PeerStats)

    return Router("/analytics", route_handlers=[list_analytics_events, get_peer_stats], tags=["Analytics"])
