"""Sessions, open and closed, with everybody who was in them (platform.md §3.5).

Owns: the session as REST shows it, and its routes.
"""

from __future__ import annotations

from typing import Annotated

from litestar import Router, get
from litestar.params import FromPath, QueryParameter
from msgspec import UNSET, Struct, UnsetType

from callboard.api import pages
from callboard.api.deps import Deps
from callboard.api.errors import errors
from callboard.api.pages import After, Before, Limit, Start
from callboard.database import Row
from callboard.errors import Invalid, NotFound
from callboard.events import timestamps
from callboard.rooms.store import FOREVER, is_object_id


class SessionPeer(Struct, frozen=True, kw_only=True):
    """Somebody who was in the session, with the last stay. `left_at` is absent while the peer is in the
    room.
    """

    id: str
    session_id: str
    name: str
    role: str
    user_id: str
    joined_at: str
    left_at: str | UnsetType = UNSET


class SessionResponse(Struct, frozen=True, kw_only=True):
    """A session. `updated_at` is the instant of its last join or leave: of a closed session, its end."""

    id: str
    room_id: str
    customer_id: str
    app_id: str
    active: bool
    peers: dict[str, SessionPeer]
    created_at: str
    updated_at: str


class SessionPage(Struct, frozen=True, kw_only=True):
    limit: int
    data: list[SessionResponse]
    last: str


def shown_peer(row: Row) -> tuple[str, SessionPeer]:
    """The peer in a row of the query `peers_of_session`, by its id."""
    session_id, peer_id, joined_at, _, user_id, name, _, role, _, left_at, _, _ = row
    peer = SessionPeer(
        id=str(peer_id),
        session_id=str(session_id),
        name=str(name),
        role=str(role),
        user_id=str(user_id),
        joined_at=timestamps.stored(int(joined_at or 0)),
        left_at=timestamps.stored(int(left_at)) if left_at else UNSET,
    )
    return peer.id, peer


async def shown(deps: Deps, row: Row) -> SessionResponse:
    """The session in a row of the queries `session_…`, with its peers."""
    session_id, room_id, _, opened_at, closed_at = row
    peers = await deps.database.fetch("peers_of_session", session_id=session_id)
    changes = [int(instant) for peer in peers for instant in (peer[2], peer[9]) if instant]
    updated_at = int(closed_at or max([int(opened_at or 0), *changes]))
    return SessionResponse(
        id=str(session_id),
        room_id=str(room_id),
        customer_id=deps.workspace.id,
        app_id=deps.workspace.app_id,
        active=not closed_at,
        peers=dict(shown_peer(peer) for peer in peers),
        created_at=timestamps.stored(int(opened_at or 0)),
        updated_at=timestamps.stored(updated_at),
    )


def sessions_router(deps: Deps) -> Router:
    """The routes below `/v2/sessions`."""

    @get("/", operation_id="list_sessions", summary="List sessions", responses=errors())
    async def list_sessions(
        limit: Limit = pages.MIN_LIMIT,
        start: Start = "",
        room_id: Annotated[str, QueryParameter(description="Only sessions of this room.")] = "",
        active: Annotated[bool | None, QueryParameter(description="Only open (true) or closed ones.")] = None,
        after: After = "",
        before: Before = "",
    ) -> SessionPage:
        """Sessions, newest first."""
        if room_id and not is_object_id(room_id):
            raise Invalid("Invalid query parameter", ("room_id: must be 24 hexadecimal digits",))
        applied = pages.clamped(limit)
        of_room = {"room_id": room_id} if room_id else {}
        rows = await deps.database.fetch(
            "session_page_of_room" if room_id else "session_page",
            start=pages.cursor(start),
            limit=applied + 1,
            active=-1 if active is None else int(active),
            after=pages.earliest(after),
            before=pages.latest(before, FOREVER),
            **of_room,
        )
        page, more = pages.cut(rows, applied)
        sessions = [await shown(deps, row) for row in page]
        return SessionPage(limit=applied, data=sessions, last=sessions[-1].id if more else "")

    @get("/{session_id:str}", operation_id="get_session", summary="Get a session", responses=errors(404))
    async def get_session(session_id: FromPath[str]) -> SessionResponse:
        """The session with everybody who was in it."""
        found = is_object_id(session_id) and await deps.database.fetch("session_by_id", id=session_id)
        if not found:
            raise NotFound("session not found")
        return await shown(deps, found[0])

    return Router("/sessions", route_handlers=[list_sessions, get_session], tags=["Sessions"])
