"""Session events: a room's continuous occupation begins and ends.

Always holds: `session.open.success` is the first event of its session, `session.close.success` comes after
the last `peer.leave.success`; recordings may still report after it. Source: seed, "Session Events";
platform.md §4.1.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from callboard.events.fields import Seconds, SessionStoppedAt
from callboard.events.groups import InSession

THEME = "Session Events"


class SessionOpenSuccess(InSession, frozen=True, kw_only=True):
    """A session opened: the first peer (or beam, or ingest) came into an empty room.

    Source: seed, Session Events, `session.open.success`.
    """

    THEME: ClassVar[str] = THEME
    EVENT: ClassVar[str] = "session.open.success"


class SessionCloseSuccess(InSession, frozen=True, kw_only=True):
    """A session closed: the last peer left, the room was ended, or the longest duration was reached.

    Source: seed, Session Events, `session.close.success`.
    """

    THEME: ClassVar[str] = THEME
    EVENT: ClassVar[str] = "session.close.success"

    session_duration: Annotated[
        Seconds,
        Meta(description="How long the session lasted, in whole seconds (cut off).", examples=[3600]),
    ]
    session_stopped_at: SessionStoppedAt
