"""Where analytics come in: from clients (bounded), and from what happens to tracks.

Owns: `Analytics`.

Always holds: nobody waits for it. A client that reports too much is cut short, and so are all together; what was
dropped is counted. Tracks that a dead process left without an end get one at the start of the next.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from callboard.analytics.client_events import About, client_event
from callboard.analytics.quality import document, reported
from callboard.analytics.track_events import ADDED, NONE, REMOVED, Data, track_events
from callboard.api.rates import Rates
from callboard.clock import NANOSECONDS, Clock, Ids
from callboard.database import Database, DatabaseBusy, DatabaseStopped, Put, Unit
from callboard.database.tables import ANALYTICS_EVENT, PEER_STATS
from callboard.events import timestamps
from callboard.rooms.live import LiveRoom, LiveRooms
from callboard.rooms.reports import Person
from callboard.rooms.transitions import Closed, Left, Outcome, Updated

log = logging.getLogger("callboard.analytics")

CLIENT_PER_SECOND: Final = 0.5
CLIENT_BURST: Final = 30
ALL_PER_SECOND: Final = 200.0
ALL_BURST: Final = 2000
MAX_INFO_BYTES: Final = 65_536
MOST_OPEN: Final = 1_000_000
UNREADABLE: Final = (msgspec.MsgspecError, RecursionError, UnicodeError)


@dataclass(slots=True)
class Counters:
    """What was kept, and what was dropped because it was too much or could not be read."""

    kept: int = 0
    too_fast: int = 0
    unusable: int = 0


class Analytics:
    """The one intake of a node."""

    def __init__(self, database: Database, rooms: LiveRooms, clock: Clock, ids: Ids, account_id: str) -> None:
        self._database = database
        self._rooms = rooms
        self._clock = clock
        self._ids = ids
        self._account_id = account_id
        self._each = Rates(CLIENT_PER_SECOND, CLIENT_BURST)
        self._all = Rates(ALL_PER_SECOND, ALL_BURST)
        self.counters = Counters()
        rooms.observe(self._observe)

    async def start_up(self) -> None:
        """End the tracks that are open in sessions that a dead process left."""
        for live in self._rooms.all_live():
            if live.session is not None:
                await self._end_tracks(live.room.id, live.session.id)

    def hear(self, live: LiveRoom, person: Person, name: str, info: msgspec.Raw, agent: str = "") -> None:
        """A client's report. `person` is who its token says it is. Never raises for what the client sent."""
        now = self._clock.now()
        seconds = now / NANOSECONDS
        if self._each.take(f"{live.room.id} {person.peer_id}", seconds) or self._all.take("", seconds):
            self.counters.too_fast += 1
            return
        found = _object(info)
        if found is None:
            self.counters.unusable += 1
            return
        session_id = live.session.id if live.session is not None else ""
        if (kept := reported(name, found)) is not None and session_id and _present(live, person):
            row = (session_id, person.peer_id, now, live.room.id, document(kept))
            self._submit([Put(PEER_STATS, row)])
        elif (event := client_event(name, found, self._about(live, person, session_id), agent)) is not None:
            kind, data = event
            # Only a disconnection can be without an error: that the client went away on purpose.
            error = kind != "client.disconnected" or bool(data["error_name"] or data["error_code"])
            self._submit([self._row(kind, data, now, error=error)])

    def _about(self, live: LiveRoom, person: Person, session_id: str) -> About:
        peer = live.session.peers.get(person.peer_id) if live.session is not None else None
        return About(
            account_id=self._account_id,
            room_id=live.room.id,
            room_name=live.room.name,
            template_id=live.template.id,
            session_id=session_id,
            peer_id=person.peer_id,
            user_id=person.user_id,
            user_name=peer.name if peer is not None else person.name,
            role=peer.role if peer is not None else person.role,
        )

    def _observe(self, live: LiveRoom, outcomes: Sequence[Outcome]) -> None:
        """What became of tracks. A session that closed with these outcomes is named by them."""
        now, ended = self._clock.now(), [one.session for one in outcomes if isinstance(one, Closed)]
        session = ended[0] if ended else live.told
        if session is None:
            return
        found: list[tuple[str, Data]] = []
        for outcome in outcomes:
            match outcome:
                case Updated(before, after) if before.tracks != after.tracks:
                    found += track_events(live.room, session.id, after, before.tracks, after.tracks, now)
                case Left(peer=peer) if peer.tracks:
                    found += track_events(live.room, session.id, peer, peer.tracks, NONE, now)
                case _:
                    pass
        self._submit([self._row(kind, data, now) for kind, data in found])

    async def _end_tracks(self, room_id: str, session_id: str) -> None:
        """The tracks that a session's events added and did not remove are removed now."""
        now = self._clock.now()
        rows = await self._database.fetch(
            "analytics_event_page",
            room_id=room_id,
            after=0,
            id="",
            before=now,
            types=f",{ADDED},{REMOVED},",
            session_id=session_id,
            peer_id="",
            user_id="",
            beam_id="",
            error=-1,
            limit=MOST_OPEN,
        )
        left: dict[tuple[str, str], Data] = {}
        for row in rows:
            data = msgspec.json.decode(str(row[3]))
            key = data["peer_id"], data["track_id"]
            if row[1] == ADDED:
                left[key] = data
            else:
                left.pop(key, None)
        stopped = {"stopped_at": timestamps.precise(now)}
        if left:
            await self._database.commit(Unit(tuple(self._row(REMOVED, data | stopped, now) for data in left.values())))

    def _row(self, kind: str, data: Mapping[str, Any], now: int, *, error: bool = False) -> Put:
        values = {
            "id": self._ids.time_uuid(now),
            **{name: data.get(name, "") for name in ("room_id", "session_id", "peer_id", "user_id")},
            "beam_id": "",
            "type": kind,
            "error": error,
            "at": now,
            "body": msgspec.json.encode(data).decode(),
        }
        return Put(ANALYTICS_EVENT, tuple(values[column.name] for column in ANALYTICS_EVENT.columns))

    def _submit(self, rows: Iterable[Put]) -> None:
        unit = Unit(tuple(rows))
        if not unit.rows:
            return
        try:
            self._database.submit(unit)
            self.counters.kept += len(unit.rows)
        except DatabaseBusy:
            self.counters.too_fast += len(unit.rows)
        except DatabaseStopped:
            log.info("analytics are not kept any more: the database stopped")


def _object(info: msgspec.Raw) -> dict[str, Any] | None:
    """The report as an object, None when it is none or too long."""
    if len(info) > MAX_INFO_BYTES:
        return None
    try:
        return msgspec.json.decode(info, type=dict[str, Any])
    except UNREADABLE:
        return None


def _present(live: LiveRoom, person: Person) -> bool:
    return live.session is not None and person.peer_id in live.session.peers
