"""The webhooks that rooms have of their own, as endpoints (platform.md §10.1).

Owns: `RoomHooks`, which looks one up when there is something to send; `ROOMS`, `rooms_endpoint`.

Always holds: a room's webhook costs a lookup while its events are sent, and nothing else: neither memory nor time grow
with the number of rooms. What is sent is signed with one Ed25519 key, which is made of the workspace's secret, so every
node has the same; its public key is published beside those of the endpoints.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final

import msgspec
from msgspec import Struct

from callboard.database import Database
from callboard.ledger import Recorded
from callboard.webhooks.endpoint import Endpoint, headers_problems, url_problem
from callboard.webhooks.keys import SigningKey
from callboard.webhooks.keys_text import new_private_key
from callboard.webhooks.selection import Selection

ROOMS: Final = "rooms"
"""In the place of an endpoint's id: how far what goes to rooms' webhooks has come. The log of attempts has rooms' ids.
"""

_PAGE: Final = 500
_PURPOSE: Final = b"callboard webhooks of rooms v1a"

log = logging.getLogger("callboard.webhooks")


Opened = Callable[[str, Mapping[str, str]], dict[str, str]]
"""A room's id and the headers of its webhook as they are stored → as they are sent."""


def _as_they_are(_: str, headers: Mapping[str, str]) -> dict[str, str]:
    return dict(headers)


class OfRooms(Selection, frozen=True, kw_only=True):
    """Wants what goes to the webhook of its room."""

    def wants(self, event: Recorded) -> bool:
        return event.hook != ""


class _Webhook(Struct, frozen=True):
    url: str
    headers: dict[str, str] = {}


class _Room(Struct, frozen=True):
    """What of a room's document is of interest here."""

    webhook: _Webhook | None = None


def rooms_endpoint(workspace_secret: str) -> Endpoint:
    """What stands for all of them: the key that signs, and which events. It has no URL: each room has its own."""
    seed = hmac.digest(workspace_secret.encode(), _PURPOSE, hashlib.sha256)
    key = SigningKey(text=new_private_key(lambda count: seed[:count]), created_at=0)
    return Endpoint(
        id=ROOMS,
        url="",
        keys=(key,),
        headers={},
        enabled=True,
        description="",
        created_at=0,
        updated_at=0,
        selection=OfRooms(),
    )


class RoomHooks:
    """See the module."""

    def __init__(self, database: Database, workspace_secret: str, opened: Opened = _as_they_are) -> None:
        """`opened` makes of the headers of a room's webhook as they are stored what is sent. It raises `VaultError`."""
        self._database = database
        self._opened = opened
        self.standing = rooms_endpoint(workspace_secret)
        """What stands for all of them."""

    async def any(self) -> bool:
        """Whether any room's events ever went to a webhook of its own. Raises what `Database.fetch` raises."""
        return bool(await self._database.fetch("hooked_rooms", start="", limit=1))

    async def had(self, room_id: str) -> bool:
        """Whether this room's did. Raises what `Database.fetch` raises."""
        return bool(await self._database.fetch("hooked_room", room_id=room_id))

    async def room_ids(self) -> AsyncIterator[str]:
        """Of all rooms whose events ever did, in order. Raises what `Database.fetch` raises."""
        after = ""
        while rows := await self._database.fetch("hooked_rooms", start=after, limit=_PAGE):
            for (room_id,) in rows:
                after = str(room_id)
                yield after

    async def endpoint(self, room_id: str) -> Endpoint | None:
        """The room's webhook as it is now, its id the room's; None if the room has none any more.

        Raises what `Database.fetch` raises, and `VaultError` if its headers cannot be opened.
        """
        rows = await self._database.fetch("room_by_id", id=room_id)
        if not rows:
            return None
        *_, document, created_at, updated_at = rows[0]
        assert isinstance(created_at, int)
        assert isinstance(updated_at, int)
        webhook = msgspec.json.decode(str(document), type=_Room).webhook
        if webhook is None:
            return None
        headers = self._opened(room_id, webhook.headers)
        wrong = [url_problem(webhook.url), *headers_problems(headers)]
        if problem := next(filter(None, wrong), ""):  # of before it was refused when the room was made
            log.error("the webhook of room %s cannot be used: %s", room_id, problem)
            return None
        return Endpoint(
            id=room_id,
            url=webhook.url,
            keys=self.standing.keys,
            headers=headers,
            enabled=True,
            description="",
            created_at=created_at,
            updated_at=updated_at,
        )
