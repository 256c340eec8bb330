"""A client of a room: its sockets and its media, known by the peer id that it chose.

Owns: `Client`, `Media` (the part of the media engine that signalling uses), and which of two sockets counts.

Always holds: at most one socket is the client's. A second one for the same peer id takes its place when the first is
closed, or with its first request other than `join`; a `join` on it while the first is open is a duplicate
(platform.md §11.2 B9). So a client that changed networks is never taken for two.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final

from callboard.media import PeerMedia
from callboard.rooms.models import Role
from callboard.rooms.reports import Person
from callboard.signaling.audience import Audience
from callboard.signaling.frames import notification
from callboard.signaling.repeats import Repeats
from callboard.signaling.socket import Socket

EVERYBODY: Final = Audience()


@dataclass(slots=True, eq=False)
class Client:
    """`joined` is whether the peer is in the session; `media` is None before it publishes, and after the engine died.

    `node_id` is the media node that the client was last told; "" for one that never had media.
    """

    room_id: str
    person: Person
    socket: Socket | None = None
    candidate: Socket | None = None
    media: PeerMedia | None = None
    media_started: bool = False
    """Whether its media has had a first offer: the next one is a renegotiation."""
    redirect: asyncio.Task[None] | None = None
    """The latest attempt to give it new transports."""
    agent: str = ""
    """What the client says it is (signal.md §1.2); not to be relied on."""
    on_demand: bool = False
    """Whether it is offered a video only while it asks for it (signal.md §5.7)."""
    joined: bool = False
    audience: Audience = EVERYBODY
    """Whom it is told of, since it was last told who is there."""
    ended_room: bool = False
    node_id: str = ""
    published: frozenset[str] = frozenset()
    """The ids of the tracks in its last offer."""
    listening: frozenset[str] = frozenset()
    """The keys of the session store that it wants to hear of."""
    repeats: Repeats = field(default_factory=Repeats)
    pending_roles: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Role changes that this client was asked to agree to: token → (role, who asked)."""

    @property
    def id(self) -> str:
        return self.person.peer_id

    @property
    def ready(self) -> bool:
        """Whether it may be told of changes."""
        return self.joined and self.socket is not None and self.socket.open and self.socket.ready

    def notify(self, method: str, params: object) -> None:
        """Tell the client, if there is somebody to tell. What it misses, the next peer list makes good."""
        if self.socket is not None:
            self.socket.notify(method, params)

    def notify_frame(self, frame: bytes) -> None:
        """As `notify`, with the frame as it is."""
        if self.socket is not None:
            self.socket.send(frame)

    def tell(self, method: str, params: object) -> None:
        """As `notify`, on the API channel if it is open: that is what it is for (signal.md §4)."""
        frame = notification(method, params)
        if self.media is not None and self.media.tell(frame.decode()):
            return
        if self.socket is not None:
            self.socket.send(frame)


def uses_media(role: Role) -> bool:
    """Whether a peer of this role has WebRTC connections at all (signal.md §5.8)."""
    return bool(role.publish_params.allowed or role.subscribe_params.subscribe_to_roles)
