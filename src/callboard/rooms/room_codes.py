"""Room codes: short texts that stand for a room and a role in it (platform.md §1.4, §3.3).

Owns: their form, how they are made, and the actions on them.

Always holds: a code never expires and never changes its room or role; it is only switched on and off. Codes come from
an unpredictable source and have 47 bits, so that they cannot be guessed at any rate that the API allows. A room has at
most `MAX_CODES`.
"""

from __future__ import annotations

import asyncio
import re
import string
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from callboard.clock import Clock
from callboard.database import Database, Put, Row, Unit
from callboard.database.tables import ROOM_CODE
from callboard.errors import Conflict, Forbidden, NotFound
from callboard.rooms.models import Room, Template
from callboard.rooms.store import Store
from callboard.rooms.whole import Whole

MAX_CODES: Final = 100
_LETTERS: Final = 10
_RANDOM_BYTES: Final = 16  # so many more than a code has, that all codes are alike probable (to 2^-80)
_FORM: Final = re.compile("[a-z]{3}-[a-z]{4}-[a-z]{3}")


class RoomCode(Struct, frozen=True, kw_only=True):
    """A code. `updated_at` is when `enabled` changed last; instants in nanoseconds since the epoch."""

    code: str
    room_id: str
    role: str
    enabled: bool
    created_at: int
    updated_at: int


def is_code(text: str) -> bool:
    """Whether this can be a code."""
    return _FORM.fullmatch(text) is not None


def new_code(random_bytes: Callable[[int], bytes]) -> str:
    """A code such as `wpi-srjb-wer`. `random_bytes(n)` must be unpredictable (`secrets.token_bytes`)."""
    number = int.from_bytes(random_bytes(_RANDOM_BYTES), "big")
    letters = ""
    for _ in range(_LETTERS):
        number, letter = divmod(number, len(string.ascii_lowercase))
        letters += string.ascii_lowercase[letter]
    return f"{letters[:3]}-{letters[3:7]}-{letters[7:]}"


def code_row(code: RoomCode) -> Put:
    """The code's row."""
    return Put(ROOM_CODE, (code.code, code.room_id, code.role, code.enabled, code.created_at, code.updated_at))


def code_of(row: Row) -> RoomCode:
    """The code that a row (columns as in `ROOM_CODE`) describes."""
    code, room_id, role, enabled, created_at, updated_at = row
    return RoomCode(
        code=str(code),
        room_id=str(room_id),
        role=str(role),
        enabled=bool(enabled),
        created_at=int(created_at or 0),
        updated_at=int(updated_at or 0),
    )


def main_code(codes: Sequence[RoomCode], role: str) -> RoomCode | None:
    """Of a role's codes the one to show when one is asked for: the first that is enabled, else the first."""
    of_role = sorted((one for one in codes if one.role == role), key=lambda one: (one.created_at, one.code))
    return next((one for one in of_role if one.enabled), of_role[0] if of_role else None)


def require_place(codes: Sequence[RoomCode], wanted: int) -> None:
    """Raise `Conflict` unless the room, which has these codes, may have so many more."""
    if len(codes) + wanted > MAX_CODES:
        raise Conflict("too many room codes", (f"a room has at most {MAX_CODES} room codes, disabled ones included",))


class RoomCodes:
    """All codes. Raises `callboard.errors` refusals, which change nothing, and what `Database.commit` raises."""

    def __init__(self, database: Database, store: Store, clock: Clock, random_bytes: Callable[[int], bytes]) -> None:
        self._database = database
        self._store = store
        self._clock = clock
        self._random_bytes = random_bytes
        self._whole = Whole()
        self._changing = asyncio.Lock()
        """Held from reading codes until what was decided from them is durable."""

    async def create_for_room(self, room_id: str) -> list[RoomCode]:
        """One code for each role of the room's template: new ones for roles that have none.

        Codes of roles that are gone are disabled. Raises `NotFound`, `Forbidden` (room disabled), `Conflict` (limit).
        """

        async def create() -> list[RoomCode]:
            _, template = await self._open_room(room_id)
            present, now = await self._codes(room_id), self._clock.now()
            lacking = [role for role in template.roles if main_code(present, role) is None]
            require_place(present, len(lacking))
            made = [await self._new(room_id, role, now) for role in lacking]
            gone = [one for one in present if one.enabled and one.role not in template.roles]
            await self._commit([*made, *(replace(one, enabled=False, updated_at=now) for one in gone)])
            found = (main_code([*present, *made], role) for role in template.roles)
            return [code for code in found if code is not None]

        return await self._whole.run(create(), self._changing)

    async def create_for_role(self, room_id: str, role: str) -> RoomCode:
        """A new code for the role, also when it has some. Raises as `create_for_room`."""

        async def create() -> RoomCode:
            _, template = await self._open_room(room_id)
            require_role(template, role)
            require_place(await self._codes(room_id), 1)
            code = await self._new(room_id, role, self._clock.now())
            await self._commit([code])
            return code

        return await self._whole.run(create(), self._changing)

    async def of_room(self, room_id: str, *, role: str = "", enabled: bool | None = None) -> list[RoomCode]:
        """The room's codes, newest first. Raises `NotFound` (room, role), `Forbidden` (room disabled)."""
        _, template = await self._open_room(room_id)
        codes = await self._codes(room_id)
        if role and not any(code.role == role for code in codes):
            require_role(template, role)
        return [one for one in codes if role in ("", one.role) and enabled in (None, one.enabled)]

    async def set_enabled(self, code: str, *, enabled: bool) -> RoomCode:
        """The code switched on or off. Raises `NotFound`, `Forbidden` (it is to be enabled and its role is gone)."""

        async def change() -> RoomCode:
            old = await self.get(code)
            if enabled and old.role not in (await self._template_of(old)).roles:
                raise Forbidden("room code cannot be enabled", ("its role is no longer in the room's template",))
            if old.enabled == enabled:
                return old
            new = replace(old, enabled=enabled, updated_at=self._clock.now())
            await self._commit([new])
            return new

        return await self._whole.run(change(), self._changing)

    async def get(self, code: str) -> RoomCode:
        """The code. Raises `NotFound`."""
        rows = await self._database.fetch("room_code", code=code) if is_code(code) else []
        if not rows:
            raise NotFound("room code not found")
        return code_of(rows[0])

    async def usable(self, code: str) -> RoomCode:
        """The code, which lets its bearer join now. Raises `NotFound`, `Forbidden` (code, room disabled; role gone)."""
        found = await self.get(code)
        if not found.enabled:
            raise Forbidden("room code is disabled")
        _, template = await self._open_room(found.room_id)
        if found.role not in template.roles:
            raise Forbidden("room code is disabled", ("its role is no longer in the room's template",))
        return found

    async def _open_room(self, room_id: str) -> tuple[Room, Template]:
        room = await self._store.room(room_id)
        if not room.enabled:
            raise Forbidden("room is disabled")
        return room, await self._store.template(room.template_id)

    async def _template_of(self, code: RoomCode) -> Template:
        room = await self._store.room(code.room_id)
        return await self._store.template(room.template_id)

    async def _codes(self, room_id: str) -> list[RoomCode]:
        return [code_of(row) for row in await self._database.fetch("room_codes_of_room", room_id=room_id)]

    async def _new(self, room_id: str, role: str, now: int) -> RoomCode:
        code = new_code(self._random_bytes)
        while await self._database.fetch("room_code", code=code):
            code = new_code(self._random_bytes)
        return RoomCode(code=code, room_id=room_id, role=role, enabled=True, created_at=now, updated_at=now)

    async def _commit(self, codes: Sequence[RoomCode]) -> None:
        if codes:
            await self._database.commit(Unit(tuple(code_row(code) for code in codes)))


def require_role(template: Template, role: str) -> None:
    """Raise `NotFound` unless the template has the role."""
    if role not in template.roles:
        raise NotFound("role not found")
