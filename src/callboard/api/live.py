"""What the REST API needs to know of live rooms, and to ask of them.

Owns: the views of a live session, and the interface `LiveRooms`.

Always holds: a view shows one durable state of a session; it does not change while it is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class TrackView:
    """A published track. `kind` is `audio` or `video`, `source` `regular` or `screen`."""

    id: str
    stream_id: str
    mute: bool
    kind: str
    source: str
    started_at: int


@dataclass(frozen=True, slots=True)
class PeerView:
    """A peer that is in the room. `data` is what REST calls metadata. Instants in nanoseconds since the
    epoch.
    """

    id: str
    user_id: str
    name: str
    data: str
    role: str
    joined_at: int
    tracks: Mapping[str, TrackView]


@dataclass(frozen=True, slots=True)
class SessionView:
    """The open session of a room. Peers by id."""

    id: str
    room_id: str
    started_at: int
    peers: Mapping[str, PeerView]


class LiveRooms(Protocol):
    """The live rooms, as whoever holds a management token may see and change them.

    All methods return when what they did is durable, and raise `callboard.errors` refusals.
    """

    def session_of(self, room_id: str) -> SessionView | None:
        """The open session of the room, if there is one."""
        ...

    async def end_room(self, room_id: str, reason: str, *, lock: bool) -> None:
        """Remove everybody and close the session; with `lock` nobody gets in any more. Raises `NotFound`."""
        ...

    async def remove_peers(self, room_id: str, *, peer_id: str | None, role: str | None, reason: str) -> None:
        """Remove the peer, or all peers with the role; one of both is given. Raises `NotFound`."""
        ...

    async def update_peer(
        self, room_id: str, peer_id: str, *, name: str | None, role: str | None, data: str | None
    ) -> PeerView:
        """Change what is not None. Raises `NotFound` (session, peer, role), `Conflict` (no place in the
        role).
        """
        ...

    async def send_message(
        self,
        room_id: str,
        message: str,
        *,
        type: str,  # noqa: A002 - as in the body of the request
        peer_id: str | None,
        role: str | None,
    ) -> None:
        """Send a message to the peer, to all peers with the role, or, without both, to all. Raises
        `NotFound`.
        """
        ...
