"""The peers of one room on this engine: who publishes what.

Owns: `MediaRoom`, `Published`.

Always holds: what `find` returns Janus was told, and its publisher's connection has been up: before, Janus
knows no such feed. Every change wakes every peer of the room.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from callboard.media.contract import Kind
from callboard.media.videoroom import Source


@dataclass(frozen=True, slots=True)
class Published:
    """A track and where Janus has it. `layers` counts its simulcast layers, 1 without simulcast."""

    source: Source
    handle_id: int
    peer_id: str
    stream_id: str
    track_id: str
    kind: Kind
    layers: int

    @property
    def key(self) -> tuple[str, str]:
        """`(peer id, track id)`: what a peer that wants this track calls it."""
        return self.peer_id, self.track_id


class Member(Protocol):
    """A peer, as its room sees it."""

    def published(self, track_id: str) -> Published | None: ...

    def room_changed(self) -> None: ...


class MediaRoom:
    """`name` is Janus's: new for every `MediaRoom`, so a room that is being destroyed is in nobody's way."""

    def __init__(self, room_id: str, name: str) -> None:
        self.room_id = room_id
        self.name = name
        self._members: dict[str, Member] = {}

    @property
    def empty(self) -> bool:
        return not self._members

    def __contains__(self, peer_id: str) -> bool:
        return peer_id in self._members

    def enter(self, peer_id: str, member: Member) -> None:
        self._members[peer_id] = member

    def leave(self, peer_id: str, member: Member) -> None:
        """Does nothing when another `member` has taken the place."""
        if self._members.get(peer_id) is member:
            del self._members[peer_id]
            self.changed()

    def find(self, peer_id: str, track_id: str) -> Published | None:
        """A track that is published at this moment."""
        member = self._members.get(peer_id)
        return member.published(track_id) if member is not None else None

    def changed(self) -> None:
        """Somebody publishes something else than before."""
        for member in tuple(self._members.values()):
            member.room_changed()
