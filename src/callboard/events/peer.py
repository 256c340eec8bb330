"""Peer events: someone joins, leaves, or could not.

Always holds: each `peer.join.success` of a session is followed by exactly one `peer.leave.success` with the
same `peer_id`; a reconnection in time is neither. Source: seed, "Peer Events"; platform.md §4.2 to §4.4,
§10.9.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from msgspec import Meta

from callboard.events.fields import (
    JoinedAt,
    PeerId,
    RoleName,
    Seconds,
    SessionId,
    SessionStartedAt,
    Timestamp,
    UserData,
    UserId,
    UserName,
)
from callboard.events.groups import InRoom
from callboard.events.timestamps import ZERO_TIME


class PeerType(StrEnum):
    """How the peer came in: `sip` through SIP, `regular` directly."""

    REGULAR = "regular"
    SIP = "sip"


class LeaveReason(StrEnum):
    """Why a peer left.

    `client request`: its client sent leave (button, closed or refreshed tab). `peer kicked`: someone else
    removed it, by SDK or API, or ended the room. `websocket closed`: signalling was lost and nobody came
    back in 60 s. `ice connection state closed`: media transport was lost and did not recover in 60 s.
    `server removed peer`: a fault on the server's side, or the longest duration was reached.
    Source: seed, "Peer Leave Reason"; platform.md §10.9, §11 B1, B2.
    """

    CLIENT_REQUEST = "client request"
    PEER_KICKED = "peer kicked"
    WEBSOCKET_CLOSED = "websocket closed"
    ICE_CONNECTION_STATE_CLOSED = "ice connection state closed"
    SERVER_REMOVED_PEER = "server removed peer"


class JoinFailure(StrEnum):
    """Why a join failed.

    `role not allowed`: the template has no such role, or the role or the room is full. `network
    disconnection`: the transport was lost, or the server was too slow, before the join was complete.
    `duplicate peer id`: a living peer of the room has the id the client chose.
    Source: seed, "Peer join failure Reason"; platform.md §10.9, §11 B8, B9.
    """

    ROLE_NOT_ALLOWED = "role not allowed"
    NETWORK_DISCONNECTION = "network disconnection"
    DUPLICATE_PEER_ID = "duplicate peer id"


class LeaveFailure(StrEnum):
    """Why a leave failed. `Peer not joined`: it had left already, was removed, or never joined.

    Source: seed, "Peer leave failure Reason" (spelt as in the sample: platform.md §11 A9).
    """

    PEER_NOT_JOINED = "Peer not joined"


class _Peer(InRoom, frozen=True, kw_only=True):
    """Who it is about."""

    THEME: ClassVar[str] = "Peer Events"

    peer_id: PeerId
    user_id: UserId
    user_name: UserName
    user_data: UserData
    role: RoleName
    joined_at: JoinedAt
    type: Annotated[
        PeerType, Meta(description="How the peer came in: by SIP or directly.", examples=[PeerType.REGULAR])
    ]


class PeerJoinSuccess(_Peer, frozen=True, kw_only=True):
    """A peer joined the room.

    Source: seed, Peer Events, `peer.join.success`.
    """

    EVENT: ClassVar[str] = "peer.join.success"

    session_id: SessionId
    session_started_at: SessionStartedAt


class PeerLeaveSuccess(_Peer, frozen=True, kw_only=True):
    """A peer left the room: by itself, removed, timed out, or taken out by the server.

    Source: seed, Peer Events, `peer.leave.success`.
    """

    EVENT: ClassVar[str] = "peer.leave.success"

    session_id: SessionId
    session_started_at: SessionStartedAt
    left_at: Annotated[
        Timestamp,
        Meta(
            description="When the peer left; after a lost connection, when the server gave it up.",
            examples=["2025-01-15T10:05:09.61Z"],
        ),
    ]
    duration: Annotated[
        Seconds,
        Meta(description="How long the peer was in the room, in whole seconds (cut off).", examples=[305]),
    ]
    reason: Annotated[LeaveReason, Meta(description="Why the peer left.", examples=[LeaveReason.PEER_KICKED])]
    message: Annotated[
        str,
        Meta(
            description='The reason given with the removal or the end of the room. "" if there was none.',
            examples=["removed due to misconduct"],
        ),
    ]


class PeerJoinFailure(_Peer, frozen=True, kw_only=True):
    """A peer's join was refused or broke off, after it was known who wanted to join which room.

    There is no `session_id`: the peer never was in a session.
    Source: seed, Peer Events, `peer.join.failure`.
    """

    EVENT: ClassVar[str] = "peer.join.failure"

    joined_at: Annotated[Timestamp, Meta(description="The zero time: it did not join.", examples=[ZERO_TIME])]
    error_message: Annotated[
        JoinFailure, Meta(description="Why the join failed.", examples=[JoinFailure.ROLE_NOT_ALLOWED])
    ]


class PeerLeaveFailure(_Peer, frozen=True, kw_only=True):
    """A leave was received from a peer that is not in the room.

    It was sent twice, before the join or after a failed one, or after the peer was removed or the room was
    ended.
    Source: seed, Peer Events, `peer.leave.failure`.
    """

    EVENT: ClassVar[str] = "peer.leave.failure"

    left_at: Annotated[Timestamp, Meta(description="The zero time: it did not leave.", examples=[ZERO_TIME])]
    duration: Annotated[Seconds, Meta(description="0: it did not leave.", examples=[0])]
    error_message: Annotated[
        LeaveFailure, Meta(description="Why the leave failed.", examples=[LeaveFailure.PEER_NOT_JOINED])
    ]
