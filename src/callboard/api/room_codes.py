"""Room codes: create for a room or a role, list, enable and disable (platform.md §3.3).

Owns: the code as REST shows it, and its routes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from litestar import Router, get, post
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Struct

from callboard.api import pages
from callboard.api.bodies import JsonBody
from callboard.api.deps import Deps
from callboard.api.errors import errors
from callboard.errors import Invalid
from callboard.events import timestamps
from callboard.rooms.room_codes import RoomCode

DEFAULT_LIMIT = 20


class RoomCodeResponse(Struct, frozen=True, kw_only=True):
    """A room code. `updated_at` is when `enabled` changed last."""

    code: str
    room_id: str
    role: str
    enabled: bool
    created_at: str
    updated_at: str


class RoomCodeList(Struct, frozen=True, kw_only=True):
    data: list[RoomCodeResponse]


class RoomCodePage(Struct, frozen=True, kw_only=True):
    limit: int
    data: list[RoomCodeResponse]
    last: str


class RoomCodeUpdate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which code, and whether it may be used."""

    code: str
    enabled: bool


def shown(code: RoomCode) -> RoomCodeResponse:
    """The code as REST shows it."""
    return RoomCodeResponse(
        code=code.code,
        room_id=code.room_id,
        role=code.role,
        enabled=code.enabled,
        created_at=timestamps.stored(code.created_at),
        updated_at=timestamps.stored(code.updated_at),
    )


def after(codes: Sequence[RoomCode], start: str) -> Sequence[RoomCode]:
    """The codes behind the one named `start`, all for "". Raises `Invalid`."""
    if not start:
        return codes
    for index, code in enumerate(codes):
        if code.code == start:
            return codes[index + 1 :]
    raise Invalid("Invalid query parameter", ("start: must be `last` of the page before",))


def making_routes(deps: Deps) -> Router:
    """Where codes are made and switched."""

    @post(
        "/room/{room_id:str}",
        status_code=200,
        operation_id="create_room_codes",
        summary="Create room codes for all roles",
        responses=errors(403, 404),
    )
    async def create_for_room(room_id: FromPath[str]) -> RoomCodeList:
        """One code for each role of the room's template. Roles that have codes keep them; codes of roles that are no
        longer there are disabled.
        """
        return RoomCodeList(data=[shown(code) for code in await deps.codes.create_for_room(room_id)])

    @post(
        "/room/{room_id:str}/role/{role:str}",
        status_code=200,
        operation_id="create_room_code",
        summary="Create a room code for a role",
        responses=errors(403, 404),
    )
    async def create_for_role(room_id: FromPath[str], role: FromPath[str]) -> RoomCodeResponse:
        """Another code for this role: a room has up to 100 codes."""
        return shown(await deps.codes.create_for_role(room_id, role))

    @post(
        "/code",
        status_code=200,
        operation_id="update_room_code",
        summary="Enable or disable a room code",
        responses=errors(403, 404),
        dto=JsonBody[RoomCodeUpdate],
        return_dto=None,
    )
    async def update(data: JSONBody[RoomCodeUpdate]) -> RoomCodeResponse:
        """A disabled code lets nobody in. One whose role is gone cannot be enabled."""
        return shown(await deps.codes.set_enabled(data.code, enabled=data.enabled))

    return Router("/room-codes", route_handlers=[create_for_room, create_for_role, update], tags=["Room codes"])


def listing_routes(deps: Deps) -> Router:
    """Where codes are read."""

    @get(
        "/room/{room_id:str}",
        operation_id="list_room_codes",
        summary="List the codes of a room",
        responses=errors(403, 404),
    )
    async def list_codes(
        room_id: FromPath[str],
        role: Annotated[str, QueryParameter(description="Only codes for this role.")] = "",
        enabled: Annotated[bool | None, QueryParameter(description="Only codes that are, or are not.")] = None,
        limit: Annotated[int, QueryParameter(description="How many at most: 1 to 100.")] = DEFAULT_LIMIT,
        start: pages.Start = "",
    ) -> RoomCodePage:
        """The codes of the room, newest first."""
        applied = pages.few(limit)
        codes = after(await deps.codes.of_room(room_id), start)
        chosen = [one for one in codes if role in ("", one.role) and enabled in (None, one.enabled)]
        page, more = pages.cut(chosen, applied)
        return RoomCodePage(limit=applied, data=[shown(code) for code in page], last=page[-1].code if more else "")

    return Router("/room-codes", route_handlers=[list_codes], tags=["Room codes"])
