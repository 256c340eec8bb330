"""The live state of a session: who is in it, with which tracks, and what each of them has lost.

Owns: the values `Session`, `Peer`, `Track`, and how one is made from another. Nothing here does I/O or reads a clock.

Always holds: a session has at least one peer (it opens with the first and closes with the last, seed "Session
Events"). Values are never changed in place: a transition makes new ones, so what was read stays true while it is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

from callboard.events import LeaveReason, PeerType

Kind = Literal["audio", "video"]

EMPTY: Mapping[str, Track] = MappingProxyType({})


class Loss(StrEnum):
    """What of a peer can be lost, and so start a grace time (seed "peer.leave.success", `reason`)."""

    WEBSOCKET = "websocket"
    MEDIA = "media"
    SERVER = "server"


LEAVE_REASON: Mapping[Loss, LeaveReason] = MappingProxyType(
    {
        Loss.WEBSOCKET: LeaveReason.WEBSOCKET_CLOSED,
        Loss.MEDIA: LeaveReason.ICE_CONNECTION_STATE_CLOSED,
        Loss.SERVER: LeaveReason.SERVER_REMOVED_PEER,
    }
)


@dataclass(frozen=True, slots=True)
class Track:
    """A published track as the client described it (signal.md §3.2, `Track`)."""

    id: str
    stream_id: str
    kind: Kind
    source: str
    mute: bool
    description: str = ""
    started_at: int = 0


@dataclass(frozen=True, slots=True)
class Peer:
    """Somebody in the room. `losses` maps what is lost to the instant at which the peer is given up for it."""

    id: str
    user_id: str
    name: str
    data: str
    role: str
    joined_at: int
    kind: PeerType = PeerType.REGULAR
    groups: tuple[str, ...] = ()
    tracks: Mapping[str, Track] = field(default_factory=lambda: EMPTY)
    losses: Mapping[Loss, int] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Session:
    """One continuous occupation of a room. It is closed at `deadline` (the longest it may last) at the latest."""

    id: str
    room_id: str
    template_id: str
    started_at: int
    deadline: int
    peers: Mapping[str, Peer]

    def with_peer(self, peer: Peer) -> Session:
        """This session with `peer` added, or put in the place of the one with the same id."""
        return replace(self, peers=MappingProxyType({**self.peers, peer.id: peer}))

    def without(self, peer_id: str) -> Session:
        """This session without that peer."""
        return replace(self, peers=MappingProxyType({k: p for k, p in self.peers.items() if k != peer_id}))

    def in_role(self, role: str) -> int:
        """How many peers have `role`."""
        return sum(peer.role == role for peer in self.peers.values())


def lost(session: Session, peer_id: str, loss: Loss, deadline: int) -> Session:
    """The peer lost something at some time: it is given up at `deadline`. What was lost before keeps its deadline."""
    peer = session.peers.get(peer_id)
    if peer is None or loss in peer.losses:
        return session
    return session.with_peer(replace(peer, losses=MappingProxyType({**peer.losses, loss: deadline})))


def regained(session: Session, peer_id: str, *losses: Loss) -> Session:
    """The peer has these again: the deadlines that they set no longer count."""
    peer = session.peers.get(peer_id)
    if peer is None or not any(loss in peer.losses for loss in losses):
        return session
    left = {loss: deadline for loss, deadline in peer.losses.items() if loss not in losses}
    return session.with_peer(replace(peer, losses=MappingProxyType(left)))


def next_deadline(session: Session) -> int:
    """The next instant at which somebody has to be given up or the session has to close."""
    return min([session.deadline, *(d for peer in session.peers.values() for d in peer.losses.values())])


def overdue(session: Session, now: int) -> list[tuple[Peer, LeaveReason]]:
    """Who has to be given up at `now`, each with the reason that ran out first, the longest overdue first."""
    found = []
    for peer in session.peers.values():
        past = [(deadline, loss) for loss, deadline in peer.losses.items() if deadline <= now]
        if past:
            deadline, loss = min(past)
            found.append((deadline, peer, LEAVE_REASON[loss]))
    return [(peer, reason) for _, peer, reason in sorted(found, key=lambda entry: entry[0])]
