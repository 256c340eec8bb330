"""Rooms: create, list, get, update (platform.md §3.2). There is no way to delete one.

Owns: the room as REST shows it, and its routes.
"""

from __future__ import annotations

from typing import Annotated

from litestar import Router, get, post
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Struct, UnsetType

from callboard.api import pages
from callboard.api.bodies import JsonBody
from callboard.api.deps import Deps
from callboard.api.errors import errors
from callboard.api.pages import After, Before, Limit, Start
from callboard.errors import Invalid
from callboard.events import timestamps
from callboard.rooms.models import RecordingInfo, Room, RoomWebhook, Workspace
from callboard.rooms.rooms import RoomRequest, masked, masked_webhook
from callboard.rooms.store import FOREVER, RoomFilter
from callboard.webhooks.endpoint import headers_problems, url_problem
from callboard.webhooks.endpoints import Endpoints

EMPTY = RoomRequest()


class RoomResponse(Struct, frozen=True, kw_only=True):
    """A room. `recording_source_template` says that the template's recording settings hold."""

    id: str
    name: str
    enabled: bool
    description: str
    customer_id: str
    customer: str
    app_id: str
    template_id: str
    region: str
    large_room: bool
    size: int
    max_duration_seconds: int
    recording_info: RecordingInfo | None
    recording_source_template: bool
    webhook: RoomWebhook | None
    polls: tuple[str, ...]
    created_at: str
    updated_at: str


class ListedRoom(RoomResponse, frozen=True, kw_only=True):
    """A room in a list, with the names that lists had before."""

    recording: RecordingInfo | None
    key: str


class RoomPage(Struct, frozen=True, kw_only=True):
    limit: int
    data: list[ListedRoom]
    last: str


def shown(room: Room, workspace: Workspace) -> RoomResponse:
    """The room as REST shows it."""
    return RoomResponse(
        id=room.id,
        name=room.name,
        enabled=room.enabled,
        description=room.description,
        customer_id=workspace.id,
        customer=workspace.id,
        app_id=workspace.app_id,
        template_id=room.template_id,
        region=room.region,
        large_room=room.large_room,
        size=room.size,
        max_duration_seconds=room.max_duration_seconds,
        recording_info=masked(room.recording_info),
        recording_source_template=room.recording_info is None,
        webhook=masked_webhook(room.webhook),
        polls=room.polls,
        created_at=timestamps.stored(room.created_at),
        updated_at=timestamps.stored(room.updated_at),
    )


def listed(room: Room, workspace: Workspace) -> ListedRoom:
    """The room as lists show it."""
    one = shown(room, workspace)
    everything = {name: getattr(one, name) for name in one.__struct_fields__}
    return ListedRoom(**everything, recording=one.recording_info, key=f"{workspace.id}:{room.name}")


def said_polls(request: RoomRequest) -> tuple[str, ...]:
    """The polls that the request names."""
    return request.polls if isinstance(request.polls, tuple) else ()


def check_webhook(request: RoomRequest, endpoints: Endpoints) -> None:
    """Raises `Invalid` for a webhook that events could not be sent to: what an endpoint may not be, it may not be."""
    webhook = request.webhook
    if webhook is None or isinstance(webhook, UnsetType):
        return
    problem = url_problem(webhook.url) or endpoints.check_url(webhook.url)
    wrong = [f"webhook.url: {problem}"] if problem else []
    wrong += [f"webhook.{one}" for one in headers_problems(webhook.headers)]
    if wrong:
        raise Invalid("Invalid body param", wrong)


def rooms_router(deps: Deps) -> Router:
    """The routes below `/v2/rooms`."""

    @post(
        "/",
        status_code=200,
        operation_id="create_room",
        summary="Create a room",
        responses=errors(),
        dto=JsonBody[RoomRequest],
        return_dto=None,
    )
    async def create(data: JSONBody[RoomRequest] = EMPTY) -> RoomResponse:
        """Create a room. If there is one with this name (in any case), it is changed instead, and returned.

        Without a name it gets a random one; without a template, the one named `default`.
        """
        await deps.polls.require(said_polls(data))
        check_webhook(data, deps.endpoints)
        return shown(await deps.store.create_room(data), deps.workspace)

    @get("/", operation_id="list_rooms", summary="List rooms", responses=errors())
    async def list_rooms(
        limit: Limit = pages.MIN_LIMIT,
        start: Start = "",
        name: Annotated[str, QueryParameter(description="Only the room with this name.")] = "",
        enabled: Annotated[bool | None, QueryParameter(description="Only rooms that are, or are not.")] = None,
        template_id: Annotated[str, QueryParameter(description="Only rooms with this template.")] = "",
        after: After = "",
        before: Before = "",
    ) -> RoomPage:
        """Rooms, newest first."""
        wanted = RoomFilter(
            name=name,
            template_id=template_id,
            enabled=enabled,
            after=pages.earliest(after),
            before=pages.latest(before, FOREVER),
        )
        applied = pages.clamped(limit)
        found = await deps.store.rooms(applied + 1, pages.cursor(start), wanted)
        page, more = pages.cut(found, applied)
        rooms = [listed(room, deps.workspace) for room in page]
        return RoomPage(limit=applied, data=rooms, last=rooms[-1].id if more else "")

    @get("/{room_id:str}", operation_id="get_room", summary="Get a room", responses=errors(404))
    async def get_room(room_id: FromPath[str]) -> RoomResponse:
        """The room."""
        return shown(await deps.store.room(room_id), deps.workspace)

    @post(
        "/{room_id:str}",
        status_code=200,
        operation_id="update_room",
        summary="Update, enable or disable a room",
        responses=errors(404),
        dto=JsonBody[RoomRequest],
        return_dto=None,
    )
    async def update(room_id: FromPath[str], data: JSONBody[RoomRequest] = EMPTY) -> RoomResponse:
        """Change what the body says. Disabling lets a running session go on, but nobody in any more."""
        await deps.polls.require(said_polls(data))
        check_webhook(data, deps.endpoints)
        return shown(await deps.store.update_room(room_id, data), deps.workspace)

    return Router("/rooms", route_handlers=[create, list_rooms, get_room, update], tags=["Rooms"])
