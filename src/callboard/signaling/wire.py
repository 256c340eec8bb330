"""What clients are shown: peers, tracks, rooms, policies, in the shapes of signal.md §4.2, §6. Pure.

Owns: the mapping from live state to the wire.

Always holds: every peer carries `realtime: true`, an array of groups and an `info`, or the client drops it
(signal.md §4.2); the state of a room is always whole, because each message overwrites all of it (§6.4).
"""

from __future__ import annotations

from typing import Any

import msgspec

from callboard.clock import NANOSECONDS
from callboard.rooms.models import Role, Room, Template
from callboard.rooms.session import Peer, Session, Track

Json = dict[str, Any]
MILLISECOND = NANOSECONDS // 1000


def milliseconds(instant: int) -> int:
    return instant // MILLISECOND


def track(one: Track) -> Json:
    return {
        "track_id": one.id,
        "stream_id": one.stream_id,
        "type": one.kind,
        "source": one.source,
        "mute": one.mute,
        "description": one.description,
    }


def tracks(peer: Peer) -> Json:
    return {one.id: track(one) for one in peer.tracks.values()}


def peer_info(peer: Peer) -> Json:
    """The short form (signal.md §3.3)."""
    return {
        "peer_id": peer.id,
        "role": peer.role,
        "groups": list(peer.groups),
        "info": {"name": peer.name, "data": peer.data, "user_id": peer.user_id, "type": str(peer.kind)},
    }


def peer(one: Peer) -> Json:
    """The full form, as lists of peers and join notifications carry it."""
    return {
        **peer_info(one),
        "tracks": tracks(one),
        "joined_at": milliseconds(one.joined_at),
        "realtime": True,
    }


def role(one: Role) -> Json:
    """The role as the client's policy wants it: without simulcast layers when the role has none."""
    shown: Json = msgspec.to_builtins(one)
    if not one.publish_params.simulcast.video.layers:
        shown["publishParams"].pop("simulcast", None)
    return shown


def policy(template: Template, role_name: str) -> Json:
    """`on-policy-change`: all roles, the receiver's own by name (signal.md §6.1)."""
    return {
        "name": role_name,
        "known_roles": {name: role(one) for name, one in template.roles.items()},
        "plugins": {},
        "template_id": template.id,
        "app_data": {},
    }


def room_state(room: Room, session: Session | None) -> Json:
    """`RoomState`: nothing is recorded or streamed yet, and the message has to say so."""
    off = {"enabled": False, "state": "none"}
    return {
        "name": room.name,
        "session_id": session.id if session else "",
        "started_at": milliseconds(session.started_at) if session else 0,
        "recording": {"sfu": off, "browser": off, "hls": off},
        "streaming": {"enabled": False, "rtmp": off, "hls": {"enabled": False, "variants": []}},
        "transcriptions": [],
    }


def peer_list(room: Room, session: Session, receiver: str) -> Json:
    """Everybody but the receiver (signal.md §4.2: never put the receiver in)."""
    others = {p.id: peer(p) for p in session.peers.values() if p.id != receiver}
    return {"peers": others, "room": room_state(room, session)}


def preview(room: Room, session: Session | None) -> dict[str, Json]:
    """What somebody who has not joined is told, by method: the number of peers, not who they are. Clients before
    0.15 take the number from `session-info` only (signal.md §4.6)."""
    empty = {"session_id": "", "room_id": room.id, "peer_count": 0, "track_count": 0}
    info = session_info(session) if session else empty
    return {
        "session-info": info,
        "room-state": {"peer_count": info["peer_count"], "room": room_state(room, session)},
    }


def room_info(room: Room) -> Json:
    return {
        "room_id": room.id,
        "name": room.name,
        "description": room.description,
        "max_size": room.size,
        "large_room_optimization": False,
    }


def session_info(session: Session) -> Json:
    return {
        "session_id": session.id,
        "room_id": session.room_id,
        "peer_count": len(session.peers),
        "track_count": sum(len(p.tracks) for p in session.peers.values()),
    }
