"""What clients are shown: peers, tracks, rooms, policies, in the shapes of signal.md §4.2, §6. Pure.

Owns: the mapping from live state to the wire.

Always holds: every peer that a client is to know carries `realtime: true`, an array of groups and an `info`, or the
client drops it (signal.md §4.2); the state of a room is always whole, because each message overwrites all of it (§6.4).
"""

from __future__ import annotations

from typing import Any

import msgspec

from callboard.clock import NANOSECONDS
from callboard.rooms.models import Permissions, Role, Room, RoomState, Template
from callboard.rooms.session import Peer, Session, Track
from callboard.signaling.audience import Audience

Json = dict[str, Any]
MILLISECOND = NANOSECONDS // 1000
LOWEST_LAYER_KBPS = 30
MAX_PREVIEW_PEERS = 100
"""At most so many peers are named to who looks at the preview; all are counted."""


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


def peer(one: Peer, *, realtime: bool = True) -> Json:
    """The full form, as lists of peers and join notifications carry it. `realtime` False takes it off the list."""
    return {
        **peer_info(one),
        "tracks": tracks(one),
        "joined_at": milliseconds(one.joined_at),
        "realtime": realtime,
    }


def role(one: Role) -> Json:
    """The role as the client's policy wants it: without simulcast layers when the role has none, and with a bit rate
    for every layer, because to browsers 0 is not "no cap" but an error."""
    shown: Json = msgspec.to_builtins(one) | {"permissions": msgspec.to_builtins(offered(one.permissions))}
    publish = one.publish_params
    if not publish.simulcast.video.layers:
        shown["publishParams"].pop("simulcast", None)
        return shown
    for kind, whole in (("video", publish.video.bit_rate), ("screen", publish.screen.bit_rate)):
        for layer in shown["publishParams"]["simulcast"][kind]["layers"]:
            area = layer["scaleResolutionDownBy"] ** 2
            layer["maxBitrate"] = layer["maxBitrate"] or max(LOWEST_LAYER_KBPS, round(whole / area))
    return shown


def offered(permissions: Permissions) -> Permissions:
    """What a client is told that it may do: not what this server does not do yet (`methods/later.py`), or the official
    page would show buttons for it that cannot work."""
    return msgspec.structs.replace(permissions, browser_recording=False, rtmp_streaming=False, hls_streaming=False)


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


def peer_list(room: Room, session: Session, receiver: str, audience: Audience) -> Json:
    """Everybody that the receiver sees, but itself (signal.md §4.2: never put the receiver in)."""
    others = {p.id: peer(p) for p in session.peers.values() if p.id != receiver and audience.sees(p)}
    return {"peers": others, "room": room_state(room, session)}


def preview(room: Room, session: Session | None, settings: RoomState) -> dict[str, Json]:
    """What somebody who has not joined is told, by method: the number of peers and, only if the template says so, who
    they are. Clients before 0.15 take the number from `session-info` only (signal.md §4.6)."""
    empty = {"session_id": "", "room_id": room.id, "peer_count": 0, "track_count": 0}
    info = session_info(session) if session else empty
    state = {"peer_count": info["peer_count"], "room": room_state(room, session)}
    if settings.enabled and settings.send_peer_list and session is not None:
        named = sorted(session.peers.values(), key=lambda one: (one.joined_at, one.id))[:MAX_PREVIEW_PEERS]
        state["peers"] = {one.id: {**peer(one), "tracks": {}} for one in named}
    return {"session-info": info, "room-state": state}


def room_info(room: Room, *, large: bool = False) -> Json:
    return {
        "room_id": room.id,
        "name": room.name,
        "description": room.description,
        "max_size": room.size,
        "large_room_optimization": large or room.large_room,
    }


def session_info(session: Session) -> Json:
    return {
        "session_id": session.id,
        "room_id": session.room_id,
        "peer_count": len(session.peers),
        "track_count": sum(len(p.tracks) for p in session.peers.values()),
    }
