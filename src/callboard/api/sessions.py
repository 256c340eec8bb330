"""Sessions, open and closed, with everybody who was in them (platform.md §3.5).

Owns: the session as REST shows it, and its routes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import Annotated

import msgspec
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
from callboard.rooms.models import Workspace
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


Stay = tuple[str, int, str, str, str, int]
"""Peer id, joined at, user id, name, role, left at (0: is in the room)."""


def shown_peer(session_id: str, stay: Stay) -> SessionPeer:
    """One stay of a peer."""
    peer_id, joined_at, user_id, name, role, left_at = stay
    return SessionPeer(
        id=peer_id,
        session_id=session_id,
        name=name,
        role=role,
        user_id=user_id,
        joined_at=timestamps.stored(joined_at),
        left_at=timestamps.stored(left_at) if left_at else UNSET,
    )


def shown(workspace: Workspace, rows: Sequence[Row]) -> SessionResponse:
    """The session in its rows of one of the queries `session_…`, of which there is at least one."""
    session_id, room_id, opened_at, closed_at = rows[0][:4]
    stays = [msgspec.convert(row[4:], Stay) for row in rows if row[4] is not None]
    changes = [instant for _, joined_at, *_, left_at in stays for instant in (joined_at, left_at)]
    return SessionResponse(
        id=str(session_id),
        room_id=str(room_id),
        customer_id=workspace.id,
        app_id=workspace.app_id,
        active=not closed_at,
        peers={stay[0]: shown_peer(str(session_id), stay) for stay in stays},
        created_at=timestamps.stored(int(opened_at or 0)),
        updated_at=timestamps.stored(int(closed_at or max([int(opened_at or 0), *changes]))),
    )


def by_session(rows: Sequence[Row]) -> list[Sequence[Row]]:
    """The rows of each session, in their order."""
    return [list(group) for _, group in groupby(rows, key=itemgetter(0))]


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
        page, more = pages.cut(by_session(rows), applied)
        sessions = [shown(deps.workspace, one) for one in page]
        return SessionPage(limit=applied, data=sessions, last=sessions[-1].id if more else "")

    @get("/{session_id:str}", operation_id="get_session", summary="Get a session", responses=errors(404))
    async def get_session(session_id: FromPath[str]) -> SessionResponse:
        """The session with everybody who was in it."""
        rows = is_object_id(session_id) and await deps.database.fetch("session_with_peers", id=session_id)
        if not rows:
            raise NotFound("session not found")
        return shown(deps.workspace, rows)

    return Router("/sessions", route_handlers=[list_sessions, get_session], tags=["Sessions"])
