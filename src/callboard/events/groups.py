"""What the payloads of several themes have in common.

Owns: `InRoom`, `InSession`.
"""

from __future__ import annotations

from callboard.events.fields import RoomId, RoomName, SessionId, SessionStartedAt, TemplateId
from callboard.events.payload import Payload


class InRoom(Payload, frozen=True, kw_only=True):
    """It concerns a room."""

    room_id: RoomId
    room_name: RoomName
    template_id: TemplateId


class InSession(InRoom, frozen=True, kw_only=True):
    """It concerns a session of a room."""

    session_id: SessionId
    session_started_at: SessionStartedAt
