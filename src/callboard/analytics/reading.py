"""Analytics events and peer statistics, read: pages that stay as they were when the first one was asked for.

Owns: the cursor of platform.md §3.1 "Cursor C", and the queries.

Always holds: reading on from `next` gives each event that there was at the first page once, oldest first. A cursor is
good for a day.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from callboard.analytics import KEPT_DAYS
from callboard.analytics.quality import series
from callboard.clock import NANOSECONDS
from callboard.database import Database, Row
from callboard.errors import Invalid

DAY: Final = 86_400 * NANOSECONDS
MAX_REPORTS: Final = 10_000

Instant = Annotated[int, Meta(ge=0, lt=2**62)]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events: of one room; "" and None do not choose."""

    room_id: str
    types: tuple[str, ...] = ()
    session_id: str = ""
    peer_id: str = ""
    user_id: str = ""
    beam_id: str = ""
    error: bool | None = None

    def parameters(self) -> dict[str, str | int]:
        """For the queries `analytics_event_…`."""
        return {
            "room_id": self.room_id,
            "types": f",{','.join(sorted(self.types))}," if self.types else "",
            "session_id": self.session_id,
            "peer_id": self.peer_id,
            "user_id": self.user_id,
            "beam_id": self.beam_id,
            "error": -1 if self.error is None else int(self.error),
        }


class Cursor(Struct, frozen=True, kw_only=True, array_like=True):
    """Where the next page begins: after the event `id` at `at`. `until` is when the first page was asked for."""

    until: Instant
    at: Instant
    id: Annotated[str, Meta(max_length=64)]
    total: Instant

    def text(self) -> str:
        return urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")


class Event(Struct, frozen=True, kw_only=True):
    """An event in the envelope of all events; `data` is JSON. `timestamp` is in nanoseconds since the epoch."""

    id: str
    type: str
    timestamp: int
    data: msgspec.Raw


@dataclass(frozen=True, slots=True)
class Page:
    """`next` is "" when nothing follows."""

    total: int
    events: list[Event]
    next: str


def cursor_of(text: str, now: int) -> Cursor:
    """The cursor that was given as `next`. Raises `Invalid` for one that is none, or older than a day."""
    try:
        cursor = msgspec.json.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=Cursor)
    except (ValueError, msgspec.MsgspecError):
        raise Invalid("Invalid query parameter", ("start: must be `next` of the page before",)) from None
    if not now - DAY <= cursor.until <= now:
        raise Invalid("Invalid query parameter", ("start: is older than 24 hours: begin again",))
    return cursor


async def page(database: Database, wanted: Wanted, limit: int, start: str, now: int) -> Page:
    """At most `limit` events after `start` ("" for the first). Raises `Invalid`."""
    parameters = wanted.parameters()
    oldest = now - KEPT_DAYS * DAY
    if start:
        cursor = cursor_of(start, now)
    else:
        counted = await database.fetch("analytics_event_count", **parameters, after=oldest, before=now)
        cursor = Cursor(until=now, at=oldest, id="", total=int(counted[0][0] or 0) if counted else 0)
    rows = await database.fetch(
        "analytics_event_page",
        **parameters,
        after=max(cursor.at, oldest),
        id=cursor.id,
        before=cursor.until,
        limit=limit + 1,
    )
    events = [_event(row) for row in rows[:limit]]
    more = len(rows) > limit
    last = msgspec.structs.replace(cursor, at=events[-1].timestamp, id=events[-1].id) if more else None
    return Page(cursor.total, events, last.text() if last else "")


async def peer_series(database: Database, session_id: str, peer_id: str) -> dict[str, object]:
    """All that the peer reported of its connections in the session."""
    rows = await database.fetch("peer_stats_of_peer", session_id=session_id, peer_id=peer_id, limit=MAX_REPORTS)
    return dict(series(str(row[4]) for row in rows))


def _event(row: Row) -> Event:
    """The event in a row of `analytics_event_page`: what the ledger has is there, and only there."""
    event_id, kind, at, body, recorded = row
    data = msgspec.Raw(str(body).encode())
    if not body and isinstance(recorded, bytes):
        data = msgspec.json.decode(recorded, type=dict[str, msgspec.Raw])["data"]
    return Event(id=str(event_id), type=str(kind), timestamp=int(at or 0), data=data)
