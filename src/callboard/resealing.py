"""At a start: sealing what is not sealed with the current master key, in templates and in rooms.

Owns: `seal_anew`. (Endpoints do it as they are loaded: `webhooks/endpoints.py`.)

Always holds: what somebody changes meanwhile is left alone: it is sealed as it is written. It costs what there is to be
sealed, however many rooms there are. What cannot be opened at all is left as it is, and told of at each start.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Final, TypeVar

from callboard.database import Database, Guard, GuardFailed, Put, Unit
from callboard.rooms.credentials import Seal, opening, sealed_room, sealed_template, sealing
from callboard.rooms.models import Room, Template
from callboard.rooms.rooms import room_of, room_row
from callboard.rooms.templates import template_of, template_row
from callboard.webhooks.vault import UnknownMasterKey, Vault, VaultError

_PAGE: Final = 500

log = logging.getLogger("callboard.resealing")

_T = TypeVar("_T", Room, Template)


async def seal_anew(database: Database, vault: Vault) -> int:
    """Seal with the current master key all that is not; return in how many templates and rooms that was.

    Raises `UnknownMasterKey`, and what `Database.fetch` and `Database.commit` raise.
    """
    count = await _templates(database, vault) + await _rooms(database, vault)
    if count:
        log.info("secrets of %d templates and rooms were encrypted with the current master key", count)
    return count


async def _templates(database: Database, vault: Vault) -> int:
    rows = await database.fetch("templates_with_secrets")
    stale = [template_of(row) for row in rows if vault.current not in str(row[3])]
    anew = [(template_row(one), one.updated_at) for one in _anew(stale, sealed_template, vault)]
    return await _put(database, anew)


async def _rooms(database: Database, vault: Vault) -> int:
    count, start = 0, ""
    while rows := await database.fetch("rooms_sealed_otherwise", start=start, key_id=vault.current, limit=_PAGE):
        rooms = [room_of(row) for row in rows]
        count += await _put(database, [(room_row(one), one.updated_at) for one in _anew(rooms, sealed_room, vault)])
        start = rooms[-1].id
    return count


def _anew(things: Iterable[_T], sealed: Callable[[_T, Seal], _T], vault: Vault) -> Iterator[_T]:
    for thing in things:
        try:
            yield sealed(sealed(thing, opening(vault)), sealing(vault))
        except UnknownMasterKey:
            raise
        except VaultError as error:
            log.error("%s %s: %s; set it anew", type(thing).__name__.lower(), thing.id, error)  # noqa: TRY400


async def _put(database: Database, rows: list[tuple[Put, int]]) -> int:
    await asyncio.gather(*(_unless_changed(database, *row) for row in rows))
    return len(rows)


async def _unless_changed(database: Database, row: Put, updated_at: int) -> None:
    unchanged = Guard(row.table, (row.row[0],), "updated_at", updated_at)
    with suppress(GuardFailed):
        await database.commit(Unit((row,), guards=(unchanged,)))
