"""What a handler gets: who calls, on which socket, and what the service is made of.

Owns: `Call`, `Service`. Always holds: `Call.peer()` is the caller as it is in the session, or a refusal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from callboard.background import Background
from callboard.clock import Clock, Ids
from callboard.recording.chat import ChatKeeper
from callboard.rooms.live import LiveRoom, LiveRooms
from callboard.rooms.models import Permissions, Role
from callboard.rooms.polls_live import LivePolls
from callboard.rooms.reports import Person
from callboard.rooms.session import Peer, Session
from callboard.signaling.audience import FULL_LIST_PEERS
from callboard.signaling.client import Client
from callboard.signaling.frames import SignalError
from callboard.signaling.mediation import Mediation
from callboard.signaling.registry import Registry
from callboard.signaling.session_store import SessionStores
from callboard.signaling.socket import Counters, Limits, Socket

FLAGS: Final = ("nonWebRTCDisableOffer", "simulcast", "subscribeDegradation")
"""What every client may rely on."""


class Nothing(msgspec.Struct, frozen=True):
    """Parameters that are not looked at."""


Hear = Callable[[LiveRoom, Person, str, msgspec.Raw, str], None]


def hear_nothing(_: LiveRoom, __: Person, ___: str, ____: msgspec.Raw, _____: str) -> None:
    """For a service without analytics."""


@dataclass(frozen=True, slots=True)
class Features:
    """What clients are told that they may rely on (signal.md §1.4), and from how many peers on a room is large.

    `on_demand_tracks`: clients are offered a video only while they show it.
    """

    on_demand_tracks: bool = False
    full_list_peers: int = FULL_LIST_PEERS

    def flags(self) -> list[str]:
        """`enabledFlags` of `/init`."""
        return [*FLAGS, *(["onDemandTracks"] if self.on_demand_tracks else [])]


@dataclass(slots=True)
class Service:
    """The parts that handlers use."""

    rooms: LiveRooms
    registry: Registry
    mediation: Mediation
    background: Background
    clock: Clock
    ids: Ids
    stores: SessionStores
    polls: LivePolls
    counters: Counters = field(default_factory=Counters)
    limits: Limits = field(default_factory=Limits)
    hear: Hear = hear_nothing
    """Takes a client's report: its room, who it is, the report's name, its contents, what the client says it is."""
    features: Features = field(default_factory=Features)
    chat: ChatKeeper | None = None
    """Keeps the chat of recorded sessions."""


@dataclass(frozen=True, slots=True)
class Call:
    """One frame's circumstances."""

    service: Service
    client: Client
    socket: Socket

    def live(self) -> LiveRoom:
        """The room, with its session open. Raises `SignalError` 404."""
        live = self.service.rooms.live(self.client.room_id)
        if live is None or live.session is None:
            raise SignalError(404, "session not found")
        return live

    def session(self) -> Session:
        session = self.live().session
        assert session is not None
        return session

    def peer(self) -> Peer:
        """The caller in the session. Raises `SignalError` 404 when it has not joined, or is not there any more."""
        live = self.service.rooms.live(self.client.room_id)
        peer = live.session.peers.get(self.client.id) if live is not None and live.session else None
        if peer is None:
            raise SignalError(404, "Peer not joined")
        return peer

    def person(self) -> Person:
        """The caller, in the session or not."""
        return self.client.person

    def role(self) -> Role:
        """The caller's present role."""
        role = self.live().template.roles.get(self.peer().role)
        if role is None:
            raise SignalError(403, "the role of this peer is not in the template any more")
        return role

    def require(self, permission: str, what: str) -> Permissions:
        """Raise `SignalError` 403 unless the caller's role has this permission."""
        permissions = self.role().permissions
        if not getattr(permissions, permission):
            raise SignalError(403, f"role {self.peer().role!r} may not {what}")
        return permissions
