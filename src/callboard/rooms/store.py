"""The actions on stored things, and the way to read them: workspace, templates, rooms.

Owns: committing templates and rooms, and the cache of both.

Always holds: what `room()` and `template()` return is the last state committed on this node. An action that
has begun ends, even if whoever waits for it gives up: the cache and the database never part. Raises
`callboard.errors` refusals, which change nothing, and `DatabaseStopped`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from callboard.clock import Clock, Ids
from callboard.database import Database, Unit
from callboard.errors import Conflict, Invalid, NotFound
from callboard.rooms.cache import Cache
from callboard.rooms.credentials import Seal, sealed_room, sealed_template
from callboard.rooms.models import Room, Template, Workspace
from callboard.rooms.rooms import RoomRequest, changed_room, new_room, room_key, room_of, room_row
from callboard.rooms.templates import (
    DEFAULT_NAME,
    TemplateRequest,
    changed_template,
    default_template,
    new_template,
    replaced_template,
    template_key,
    template_of,
    template_row,
)
from callboard.rooms.whole import Whole
from callboard.rooms.workspace import new_workspace, with_keys, workspace_of, workspace_row

FIRST_PAGE: Final = "g"
"""A cursor beyond every id (ids are hexadecimal)."""

FOREVER: Final = 2**63 - 1

_OBJECT_ID: Final = re.compile("[0-9a-f]{24}")


@dataclass(frozen=True, slots=True)
class RoomFilter:
    """Which rooms a page has. None or "": all. `after` and `before` (creation, exclusive) in nanoseconds."""

    name: str = ""
    template_id: str = ""
    enabled: bool | None = None
    after: int = -1
    before: int = FOREVER


ANY_ROOM: Final = RoomFilter()


def is_object_id(text: str) -> bool:
    """Whether this can be the id of anything (platform.md §2.0)."""
    return _OBJECT_ID.fullmatch(text) is not None


class Store:
    """Everything stored that is not live. Rooms are never deleted, so an id that was found stays found."""

    def __init__(self, database: Database, clock: Clock, ids: Ids, *, cached: int = 10_000) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._rooms: Cache[Room] = Cache(cached)
        self._templates: Cache[Template] = Cache(cached)
        self._whole = Whole()
        self.changing_rooms = asyncio.Lock()
        """Held from reading a room until its change is durable and `refresh` was called.

        Creating looks for the name first and commits later: two creations at the same time would both find
        nothing and make two rooms of one name. And a change is made from the state that was read: two at
        the same time would each undo the other's. Whoever else commits a `room_row` holds this too.
        """
        self._changing_templates = asyncio.Lock()
        self._seal: Seal = lambda _, secret: secret

    def seal_with(self, seal: Seal) -> None:
        """Seal the secrets of templates and rooms with this, from now on, before they are stored."""
        self._seal = seal

    # --- the workspace ------------------------------------------------------------------------------------

    async def open_workspace(
        self, random_bytes: Callable[[int], bytes], access_key: str = "", secret: str = ""
    ) -> Workspace:
        """The workspace; on the first start it is made, together with the default template.

        `access_key` and `secret`, if not empty, replace the stored ones.
        """
        rows = await self._database.fetch("workspace")
        now = self._clock.now()
        if not rows:
            workspace = with_keys(new_workspace(self._ids, random_bytes, now), access_key, secret)
            template = default_template(self._ids.object_id(now), now)
            await self._database.commit(Unit((workspace_row(workspace), template_row(template))))
            return workspace
        stored = workspace_of(rows[0])
        workspace = with_keys(stored, access_key, secret)
        if workspace != stored:
            await self._database.commit(Unit((workspace_row(workspace),)))
        return workspace

    # --- templates ----------------------------------------------------------------------------------------

    async def template(self, template_id: str) -> Template:
        """The template. Raises `NotFound`."""
        if not is_object_id(template_id):
            raise NotFound("template not found")
        return await self._templates.load(template_id, lambda: self._read_template(template_id))

    async def template_by_name(self, name: str) -> Template | None:
        """The template of this name, if there is one."""
        rows = await self._database.fetch("template_by_name", name_key=template_key(name))
        return template_of(rows[0]) if rows else None

    async def templates(self, limit: int, start: str = FIRST_PAGE) -> list[Template]:
        """At most `limit` templates with ids below `start`, newest first."""
        rows = await self._database.fetch("template_page", start=start, limit=limit)
        return [template_of(row) for row in rows]

    async def create_template(self, request: TemplateRequest) -> Template:
        """A new template, or, when the name exists, that one changed (platform.md §2.2). Raises `Invalid`."""

        async def change() -> Template:
            now = self._clock.now()
            old = await self.template_by_name(request.name) if isinstance(request.name, str) else None
            if old is None:
                return new_template(request, self._ids.object_id(now), now, f"template-{self._ids.uuid()}")
            return changed_template(old, request, now)

        return await self._whole.run(self._commit_template(change))

    async def replace_template(self, template_id: str, request: TemplateRequest) -> Template:
        """The template with all its contents replaced. Raises `NotFound`, `Invalid`, `Conflict` (name)."""
        return await self.change_template(template_id, lambda old: replaced_template(old, request, self._clock.now()))

    async def change_template(self, template_id: str, change: Callable[[Template], Template]) -> Template:
        """The template as `change` makes it. Raises `NotFound`, `Conflict` (name), and what `change`
        raises.
        """

        async def changed() -> Template:
            old = await self.template(template_id)
            new = change(old)
            if template_key(new.name) != template_key(old.name) and await self.template_by_name(new.name):
                raise Conflict("template name already exists", (f"name: {new.name} is another template's",))
            return new

        return await self._whole.run(self._commit_template(changed))

    async def _commit_template(self, change: Callable[[], Coroutine[Any, Any, Template]]) -> Template:
        async with self._changing_templates:
            template = sealed_template(await change(), self._seal)
            await self._database.commit(Unit((template_row(template),)))
            self._templates.refresh(template.id, template)
            return template

    async def _read_template(self, template_id: str) -> Template:
        rows = await self._database.fetch("template_by_id", id=template_id)
        if not rows:
            raise NotFound("template not found")
        return template_of(rows[0])

    # --- rooms --------------------------------------------------------------------------------------------

    async def room(self, room_id: str) -> Room:
        """The room. Raises `NotFound`."""
        if not is_object_id(room_id):
            raise NotFound("room not found")
        return await self._rooms.load(room_id, lambda: self._read_room(room_id))

    async def room_by_name(self, name: str) -> Room | None:
        """The room of this name (in any case), if there is one."""
        rows = await self._database.fetch("room_by_name", name_key=room_key(name))
        return room_of(rows[0]) if rows else None

    async def rooms(self, limit: int, start: str = FIRST_PAGE, wanted: RoomFilter = ANY_ROOM) -> list[Room]:
        """At most `limit` rooms with ids below `start`, newest first."""
        rows = await self._database.fetch(
            "room_page",
            start=start,
            limit=limit,
            name_key=room_key(wanted.name),
            template_id=wanted.template_id,
            enabled=-1 if wanted.enabled is None else int(wanted.enabled),
            after=wanted.after,
            before=wanted.before,
        )
        return [room_of(row) for row in rows]

    async def create_room(self, request: RoomRequest) -> Room:
        """A new room, or, when the name exists, that one changed (platform.md §2.1). Raises `Invalid`."""

        async def change() -> Room:
            now = self._clock.now()
            old = await self.room_by_name(request.name) if isinstance(request.name, str) else None
            template_id = await self._wanted_template(request, old)
            if old is not None:
                return changed_room(old, request, now)
            return new_room(request, self._ids.object_id(now), self._ids.uuid(), template_id, now)

        return await self._whole.run(self._commit_room(change))

    async def update_room(self, room_id: str, request: RoomRequest) -> Room:
        """The room with what the request says. Raises `NotFound`, `Invalid`, `Conflict` (name)."""

        async def change() -> Room:
            old = await self.room(room_id)
            await self._wanted_template(request, old)
            new = changed_room(old, request, self._clock.now())
            if room_key(new.name) != room_key(old.name) and await self.room_by_name(new.name):
                raise Conflict("room name already exists", (f"name: {new.name} is another room's",))
            return new

        return await self._whole.run(self._commit_room(change))

    async def set_room_enabled(self, room_id: str, *, enabled: bool) -> Room:
        """Let people in, or nobody any more. Raises `NotFound`."""
        return await self.update_room(room_id, RoomRequest(enabled=enabled))

    def refresh(self, room: Room) -> None:
        """`room`'s row was committed by somebody else, in a larger unit: from now on `room()` returns it."""
        self._rooms.refresh(room.id, room)

    async def _commit_room(self, change: Callable[[], Coroutine[Any, Any, Room]]) -> Room:
        async with self.changing_rooms:
            room = sealed_room(await change(), self._seal)
            await self._database.commit(Unit((room_row(room),)))
            self._rooms.refresh(room.id, room)
            return room

    async def _read_room(self, room_id: str) -> Room:
        rows = await self._database.fetch("room_by_id", id=room_id)
        if not rows:
            raise NotFound("room not found")
        return room_of(rows[0])

    async def _wanted_template(self, request: RoomRequest, old: Room | None) -> str:
        """The id of the template the room is to have. Raises `Invalid` if there is no such template."""
        if isinstance(request.template_id, str):
            try:
                return (await self.template(request.template_id)).id
            except NotFound:
                raise Invalid("template not found", ("template_id: no template has this id",)) from None
        if old is not None:
            return old.template_id
        default = await self.template_by_name(DEFAULT_NAME)
        if default is None:
            raise Invalid("template not found", (f"template_id: is required: no template is named {DEFAULT_NAME}",))
        return default.id
