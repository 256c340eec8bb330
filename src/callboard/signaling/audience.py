"""Who is told of whom. In a large room nobody is told of everybody (signal.md §4.2, §6.4). Pure.

Owns: `Audience`, `is_large`.

Always holds: in a room that is not large everybody sees everybody. In a large one a client is told at once of those who
publish something and whom its role receives; it finds the others by `find-peer`, page by page. So what a join costs the
one who joins does not grow with the room.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from callboard.rooms.models import Room, Template
from callboard.rooms.session import Peer, Session

FULL_LIST_PEERS: Final = 500
"""More peers than this are not listed to who joins, also in a room that was not made as a large one."""


@dataclass(frozen=True, slots=True)
class Audience:
    """What one client sees of the others. `everybody`: all of them; else those of these roles who publish."""

    everybody: bool = True
    roles: frozenset[str] = frozenset()

    def sees(self, peer: Peer | None) -> bool:
        """Whether the client is told of this peer as it is now."""
        return peer is not None and (self.everybody or (bool(peer.tracks) and peer.role in self.roles))


def is_large(room: Room, session: Session | None, limit: int = FULL_LIST_PEERS) -> bool:
    """Whether who joins now is not told of everybody."""
    return room.large_room or (session is not None and len(session.peers) > limit)


def audience(room: Room, template: Template, session: Session, role: str, limit: int = FULL_LIST_PEERS) -> Audience:
    """What a peer of `role` that is told now who is there is told from now on."""
    if not is_large(room, session, limit):
        return Audience()
    return Audience(everybody=False, roles=received_roles(template, role))


def received_roles(template: Template, role: str) -> frozenset[str]:
    known = template.roles.get(role)
    return frozenset(known.subscribe_params.subscribe_to_roles) if known is not None else frozenset()
