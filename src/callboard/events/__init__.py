"""The contract: every event that Callboard reports, typed.

Owns: the envelope, the payloads (one module per theme of the seed), the catalogue, the JSON Schemas.

Always holds: no I/O and no other room, so that any room can build, read and check an event.
"""

from callboard.events.catalogue import CATALOGUE, UnknownEventType, event_type
from callboard.events.envelope import Envelope, decode, encode, replayed
from callboard.events.payload import Payload
from callboard.events.peer import (
    JoinFailure,
    LeaveFailure,
    LeaveReason,
    PeerJoinFailure,
    PeerJoinSuccess,
    PeerLeaveFailure,
    PeerLeaveSuccess,
    PeerType,
)
from callboard.events.role_change import RoleChangeError, RoleChangeFailure, RoleChangeSuccess
from callboard.events.room import EndSource, RoomEndError, RoomEndFailure, RoomEndSuccess
from callboard.events.session import SessionCloseSuccess, SessionOpenSuccess
from callboard.events.timestamps import ZERO_TIME, parse, precise, seconds, stored

__all__ = [
    "CATALOGUE",
    "ZERO_TIME",
    "EndSource",
    "Envelope",
    "JoinFailure",
    "LeaveFailure",
    "LeaveReason",
    "Payload",
    "PeerJoinFailure",
    "PeerJoinSuccess",
    "PeerLeaveFailure",
    "PeerLeaveSuccess",
    "PeerType",
    "RoleChangeError",
    "RoleChangeFailure",
    "RoleChangeSuccess",
    "RoomEndError",
    "RoomEndFailure",
    "RoomEndSuccess",
    "SessionCloseSuccess",
    "SessionOpenSuccess",
    "UnknownEventType",
    "decode",
    "encode",
    "event_type",
    "parse",
    "precise",
    "replayed",
    "seconds",
    "stored",
]
