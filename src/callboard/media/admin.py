"""Janus's admin API: what is really there.

Owns: `Admin`: handles, and the true state of a connection.

Always holds: read only; a connection that dropped is opened again with the next question.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from callboard.media.connection import Connection, JanusError, JanusGone, Message
from callboard.media.contract import TransportState
from callboard.media.janusconfig import Access
from callboard.media.linkstats import Flow, flows_of

GONE: Final = (458, 459)
"""Janus's codes for a session and a handle that do not exist."""
_ICE_UP: Final = ("connected", "ready")


class Admin:
    """One connection to the admin socket, opened when first needed."""

    def __init__(self, access: Access, deadline: float) -> None:
        self._access = access
        self._deadline = deadline
        self._connection: Connection | None = None
        self._opening = asyncio.Lock()

    async def handles(self, session_id: int) -> list[int]:
        """The handles of a session. Raises `JanusError`, `JanusTimeout`, `JanusGone`."""
        reply = await self._request({"janus": "list_handles", "session_id": session_id})
        return [int(handle) for handle in reply.get("handles", [])]

    async def handle_info(self, session_id: int, handle_id: int) -> dict[str, Any]:
        """All that Janus knows of a handle. Raises as `handles`."""
        reply = await self._request({"janus": "handle_info", "session_id": session_id, "handle_id": handle_id})
        info = reply.get("info")
        return info if isinstance(info, dict) else {}

    async def transport(self, session_id: int, handle_id: int) -> TransportState:
        """Whether a handle's connection is up; a handle that is gone is down. Raises as `handles`."""
        try:
            return transport_of(await self.handle_info(session_id, handle_id))
        except JanusError as error:
            if error.code not in GONE:
                raise
            return TransportState(up=False, ended=True)

    async def substreams(self, session_id: int, handle_id: int, mid: str) -> frozenset[int]:
        """Which simulcast layers (0 is the lowest) of a publisher's `mid` have sent anything."""
        info = await self.handle_info(session_id, handle_id)
        return substreams_of(info, mid)

    async def flows(self, session_id: int, handle_id: int) -> dict[str, Flow]:
        """What a subscriber was sent and lost, by section. Raises as `handles`."""
        return flows_of(await self.handle_info(session_id, handle_id))

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def _request(self, message: Message) -> Message:
        async with self._opening:
            if self._connection is None:
                self._connection = await Connection.open(
                    self._access.admin_socket,
                    "janus-admin-protocol",
                    ("admin_secret", self._access.admin_secret),
                    self._deadline,
                )
            connection = self._connection
        try:
            return await connection.request(message)
        except JanusGone:
            if self._connection is connection:
                self._connection = None
            await connection.close()
            raise


def transport_of(info: dict[str, Any]) -> TransportState:
    """The state in an answer to `handle_info`."""
    webrtc = info.get("webrtc")
    if not isinstance(webrtc, dict):
        return TransportState(up=False, ended=True)
    ice = str(webrtc.get("ice", {}).get("state", "none"))
    dtls = str(webrtc.get("dtls", {}).get("dtls-state", "none"))
    flags = info.get("flags", {})
    ended = any(flags.get(name) for name in ("stopped", "alert", "cleaning"))
    received = 0
    for medium in webrtc.get("media", {}).values():
        incoming = medium.get("stats", {}).get("in", {})
        received += int(incoming.get("bytes", 0))
    up = ice in _ICE_UP and dtls == "connected" and not ended
    return TransportState(up, ended, ice, dtls, received)


def substreams_of(info: dict[str, Any], mid: str) -> frozenset[int]:
    """The simulcast layers whose sources Janus has met, in an answer to `handle_info`."""
    sources = info.get("webrtc", {}).get("media", {}).get(mid, {}).get("ssrc", {})
    names = {"ssrc-peer": 0, "ssrc-peer-sim-1": 1, "ssrc-peer-sim-2": 2}
    return frozenset(layer for name, layer in names.items() if name in sources)
