"""From live state to the rows that outlive it: sessions and peers. Pure.

Owns: the mapping in both directions (`peer_of` reads what `peer_row` wrote).
"""

from __future__ import annotations

from callboard.database import Put, Row
from callboard.database.tables import PEER, SESSION
from callboard.events import LeaveReason, PeerType
from callboard.rooms.session import Peer, Session


def session_row(session: Session, closed_at: int = 0) -> Put:
    """The session's row; `closed_at` 0 while it is open."""
    return Put(SESSION, (session.id, session.room_id, session.template_id, session.started_at, closed_at))


def peer_row(
    session: Session, peer: Peer, left_at: int = 0, reason: LeaveReason | None = None, message: str = ""
) -> Put:
    """The row of one stay of a peer in a session; `left_at` 0 while the peer is in the room."""
    return Put(
        PEER,
        (
            session.id,
            peer.id,
            peer.joined_at,
            session.room_id,
            peer.user_id,
            peer.name,
            peer.data,
            peer.role,
            str(peer.kind),
            left_at,
            str(reason) if reason else "",
            message,
        ),
    )


def peer_of(row: Row) -> Peer:
    """The peer that a row of the peer table describes. What is not stored (tracks, groups) is empty."""
    values = dict(zip((column.name for column in PEER.columns), row, strict=True))
    return Peer(
        id=str(values["peer_id"]),
        user_id=str(values["user_id"]),
        name=str(values["name"]),
        data=str(values["data"]),
        role=str(values["role"]),
        joined_at=int(values["joined_at"] or 0),
        kind=PeerType(str(values["kind"])),
    )
