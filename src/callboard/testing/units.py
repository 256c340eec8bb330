"""Units of work for tests of the database.

Owns: `event` and `session`.
"""

from __future__ import annotations

from callboard.database import Append, Put
from callboard.database.tables import SESSION


def event(
    event_id: str,
    stream: str = "stream",
    *,
    kind: str = "peer.join.success",
    room_id: str = "room",
    at: int = 1,
    body: bytes = b"{}",
) -> Append:
    """An event, of a session if its stream is not the room's own."""
    session_id = "" if stream == room_id else stream
    return Append(event_id, stream, kind, room_id, session_id, "peer", at, "server", "test", body)


def session(session_id: str, *, room_id: str = "room", opened_at: int = 1, closed_at: int = 0) -> Put:
    """A row of the session table."""
    return Put(SESSION, (session_id, room_id, "template", opened_at, closed_at))
