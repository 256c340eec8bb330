"""Where a scene plays: a server, a room made for it, and who is on stage.

Owns: `RunningServer`, `Stage`.

Always holds: every peer that was brought on is closed when the stage is left, whatever happened.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from callboard.auth.tokens import Tokens
from callboard.clock import Clock, Ids
from callboard.demo.inbox import Inbox
from callboard.demo.peer import Peer
from callboard.demo.rest import Rest
from callboard.rooms.models import Workspace


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server to play against. `base_url` is where REST and `/init` are; the keys sign tokens."""

    base_url: str
    access_key: str
    secret: str

    def __repr__(self) -> str:
        return f"RunningServer(base_url={self.base_url!r}, access_key={self.access_key!r}, secret=…)"


def role(
    *,
    allowed: tuple[str, ...] = (),
    subscribes: tuple[str, ...] = ("host", "guest", "viewer"),
    limit: int = 0,
    **permissions: bool,
) -> dict[str, Any]:
    """A role of a template (platform.md §2.2). `limit` is its `maxPeerCount`."""
    return {
        "publishParams": {"allowed": list(allowed)},
        "subscribeParams": {"subscribeToRoles": list(subscribes)},
        "permissions": permissions,
        "maxPeerCount": limit,
    }


ROLES: Mapping[str, Mapping[str, Any]] = {
    "host": role(allowed=("audio", "video"), endRoom=True, removeOthers=True, changeRole=True),
    "guest": role(allowed=("audio", "video")),
    "viewer": role(),
    "closed": role(limit=-1),
}
"""A host, who may do everything; guests, who may be seen; viewers, who may not; one role that nobody gets."""


class Stage(AbstractAsyncContextManager["Stage"]):
    """Enter it to get a room on the server whose events arrive in `inbox`."""

    room_id: str
    template_id: str

    def __init__(
        self,
        server: RunningServer,
        inbox: Inbox,
        secret: str,
        *,
        clock: Clock,
        ids: Ids,
        roles: Mapping[str, Mapping[str, Any]] = ROLES,
        endpoint: bool = True,
    ) -> None:
        """`secret` is what the deliveries to `inbox` are to be signed with. `endpoint` False: they go there already."""
        workspace = Workspace(id="", app_id="", access_key=server.access_key, secret=server.secret, created_at=0)
        self.inbox = inbox
        self.tokens = Tokens(workspace, clock, ids)
        self.rest = Rest(server.base_url, self.tokens.mint_management_token())
        self._base_url = server.base_url
        self._secret = secret
        self._clock, self._ids = clock, ids
        self._roles = roles
        self._endpoint = endpoint
        self._peers: list[Peer] = []

    async def __aenter__(self) -> Stage:
        """Raises `HttpError`, `OSError`."""
        name = f"demo-{self._ids.uuid()}"
        if self._endpoint:
            await self.listen()
        self.template_id = await self.rest.create_template(name, self._roles)
        self.room_id = await self.rest.create_room(name, self.template_id)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.gather(*(peer.close() for peer in self._peers))

    async def listen(self) -> None:
        """Have all events of the workspace delivered to the inbox. Raises `HttpError`, `OSError`."""
        await self.rest.create_endpoint(self.inbox.url, self._secret)

    def peer(self, name: str, role: str) -> Peer:
        """Somebody with a token for this room, not yet in it."""
        token = self.tokens.mint_app_token(self.room_id, role, name.lower())
        peer = Peer(self._base_url, token, name, clock=self._clock, ids=self._ids)
        self._peers.append(peer)
        return peer
