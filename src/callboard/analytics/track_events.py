"""`track.add.success`, `track.update.success`, `track.remove.success` (platform.md §2.13). Pure.

Owns: which of them come of a change of a peer's tracks.

Always holds: every track that was added is removed once, with the peer at the latest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from callboard.events import timestamps
from callboard.rooms.models import Room
from callboard.rooms.session import Peer, Track

ADDED: Final = "track.add.success"
UPDATED: Final = "track.update.success"
REMOVED: Final = "track.remove.success"
NONE: Final[Mapping[str, Track]] = {}

Data = dict[str, Any]


def track_events(
    room: Room, session_id: str, peer: Peer, before: Mapping[str, Track], after: Mapping[str, Track], now: int
) -> Iterator[tuple[str, Data]]:
    """(type, data) of each, for a peer whose tracks were `before` and are `after`: removals first."""
    for track in before.values():
        if track.id not in after:
            yield REMOVED, _data(room, session_id, peer, track) | {"stopped_at": timestamps.precise(now)}
    for track in after.values():
        old = before.get(track.id)
        if old is None:
            yield ADDED, _data(room, session_id, peer, track)
        elif old.mute != track.mute:
            yield UPDATED, _data(room, session_id, peer, track)


def _data(room: Room, session_id: str, peer: Peer, track: Track) -> Data:
    return {
        "room_id": room.id,
        "session_id": session_id,
        "room_name": room.name,
        "peer_id": peer.id,
        "user_id": peer.user_id,
        "user_name": peer.name,
        "joined_at": timestamps.precise(peer.joined_at),
        "role": peer.role,
        "track_id": track.id,
        "stream_id": track.stream_id,
        "type": track.kind,
        "source": track.source,
        "mute": track.mute,
        "started_at": timestamps.precise(track.started_at),
    }
