"""Room events: someone ends the room for everybody, or could not.

Always holds: `room.end.success` comes before the leaves it causes (platform.md §11 B4). Source: seed, "Room
Events".
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from msgspec import Meta

from callboard.events.fields import PeerId, RoleName, UserId, UserName
from callboard.events.groups import InSession


class EndSource(StrEnum):
    """Who ended the room: `peer` a peer through the SDK, `api` the customer's server through the REST API.

    Source: seed, `room.end.success`, `source` (shows `peer`); platform.md §11 B3.
    """

    PEER = "peer"
    API = "api"


class RoomEndError(StrEnum):
    """Why the room could not be ended.

    `session not found` (code 404): nobody is in the room. `permission denied` (code 403): the peer's role
    may not end rooms. Source: seed, `room.end.failure`; platform.md §10.9.
    """

    SESSION_NOT_FOUND = "session not found"
    PERMISSION_DENIED = "permission denied"


class _RoomEnd(InSession, frozen=True, kw_only=True):
    """What was asked for, and by whom. Asked by API, the peer's and the user's keys are "" (B3)."""

    THEME: ClassVar[str] = "Room Events"

    peer_id: PeerId
    user_id: UserId
    user_name: UserName
    role: RoleName
    lock_room: Annotated[
        bool,
        Meta(description="Whether the room was to be locked, so that nobody can join again.", examples=[False]),
    ]
    reason: Annotated[
        str, Meta(description='The reason given with the call. "" if none.', examples=["timetable slot over"])
    ]
    source: Annotated[EndSource, Meta(description="Who ended the room.", examples=[EndSource.PEER])]


class RoomEndSuccess(_RoomEnd, frozen=True, kw_only=True):
    """A peer or the API ended the room: everybody leaves, the session closes.

    Source: seed, Room Events, `room.end.success`.
    """

    EVENT: ClassVar[str] = "room.end.success"


class RoomEndFailure(_RoomEnd, frozen=True, kw_only=True):
    """A peer or the API asked to end the room and was refused.

    Without a session, `session_id` is "" and `session_started_at` the zero time.
    Source: seed, Room Events, `room.end.failure`.
    """

    EVENT: ClassVar[str] = "room.end.failure"

    error_message: Annotated[
        RoomEndError, Meta(description="Why it was refused.", examples=[RoomEndError.SESSION_NOT_FOUND])
    ]
    error_code: Annotated[int, Meta(description="The same as an HTTP status: 404 or 403.", examples=[404])]
