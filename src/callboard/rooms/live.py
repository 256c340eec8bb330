"""The rooms that are alive on this node: the owner of their state, their deadlines, and the way to commit.

Owns: `LiveRoom` (state of one room in memory), `LiveRooms` (all of them). `apply` is the only way a session changes.

Always holds: a step takes effect in memory at once, so that the next transition sees it, but nobody is told (no
client answered, no observer called) before it is durable. Steps of a room become durable, and are told, in the order
in which they were applied. Each open session has a timer at its next deadline.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from callboard.clock import NANOSECONDS, Clock, Ids
from callboard.database import Database
from callboard.ledger import Changes, Ledger
from callboard.rooms import transitions
from callboard.rooms.models import Room, Template
from callboard.rooms.reports import Moment
from callboard.rooms.rows import peer_of
from callboard.rooms.session import Session, next_deadline
from callboard.rooms.transitions import Closed, Outcome, Step

log = logging.getLogger("callboard.rooms")

Observer = Callable[["LiveRoom", Sequence[Outcome]], None]
Companion = Callable[["LiveRoom", Step], "Company | None"]


@dataclass(frozen=True, slots=True)
class Company:
    """What somebody else commits with a step, because it follows from it; `take` is called once that is submitted."""

    changes: Changes
    take: Callable[[], None]


class Directory(Protocol):
    """Where rooms and templates are looked up. Both raise `callboard.errors.NotFound`."""

    changing_rooms: asyncio.Lock
    """Held from reading a room until its change is durable and `refresh` was called."""

    async def room(self, room_id: str) -> Room: ...

    async def template(self, template_id: str) -> Template: ...

    def refresh(self, room: Room) -> None:
        """`room` was committed with a step of ours: from now on it is what `room()` returns."""
        ...


@dataclass(frozen=True, slots=True)
class RoomSettings:
    """`grace`: how long a lost peer is waited for; `longest`: how long a session may last. Both in seconds."""

    grace: float = 60.0
    longest: int = 43_200


class LiveRoom:
    """A room with its template as they were when its session opened (platform.md §2.2: changes wait for the next)."""

    def __init__(self, room: Room, template: Template) -> None:
        self.room = room
        self.template = template
        self.session: Session | None = None
        """The newest state: what the next transition starts from. It may not be durable yet."""
        self.told: Session | None = None
        """The newest durable state: what clients, the REST API and everybody else may be shown."""
        self.timer: asyncio.TimerHandle | None = None


class LiveRooms:
    """All live rooms of this node."""

    def __init__(
        self,
        *,
        database: Database,
        ledger: Ledger,
        directory: Directory,
        clock: Clock,
        ids: Ids,
        settings: RoomSettings,
    ) -> None:
        self.directory = directory
        self.settings = settings
        self._database = database
        self._ledger = ledger
        self._clock = clock
        self._ids = ids
        self._rooms: dict[str, LiveRoom] = {}
        self._observers: list[Observer] = []
        self._companions: list[Companion] = []

    def observe(self, observer: Observer) -> None:
        """Call `observer` with the outcomes of each step, once they are durable, in order."""
        self._observers.append(observer)

    def accompany(self, companion: Companion) -> None:
        """Ask `companion` at each step with outcomes what else is to be committed with it. It may change nothing itself
        before its `take` is called, and must not raise."""
        self._companions.append(companion)

    def moment(self, actor: str, cause: str) -> Moment:
        """Now."""
        return Moment(self._clock.now(), self._ids, actor, cause)

    def in_grace(self) -> int:
        """The instant at which whoever is lost now is given up."""
        return self._clock.now() + int(self.settings.grace * NANOSECONDS)

    def longest(self, room: Room) -> int:
        """How long a session of this room may last, in seconds."""
        return min(room.max_duration_seconds or self.settings.longest, self.settings.longest)

    def live(self, room_id: str) -> LiveRoom | None:
        """The room if it has an open session here, else None."""
        return self._rooms.get(room_id)

    def all_live(self) -> list[LiveRoom]:
        """The rooms with an open session."""
        return list(self._rooms.values())

    async def room(self, room_id: str) -> LiveRoom:
        """The room, live or not, with its present settings unless a session is open. Raises `NotFound`."""
        room = await self.directory.room(room_id)
        template = await self.directory.template(room.template_id)
        return self._rooms.get(room_id) or LiveRoom(room, template)

    def apply(self, live: LiveRoom, step: Step) -> asyncio.Future[None]:
        """Take the step; the future is done when it is durable and the observers know.

        Raises what `Ledger.submit` raises, with nothing changed.
        """
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def durable(_: object) -> None:
            live.told = step.session
            self._tell(live, step.outcomes)
            if not told.done():
                told.set_result(None)

        companies = self._companies(live, step)
        changes = sum((company.changes for company in companies), step.changes)
        self._ledger.submit(changes, durable)
        for company in companies:
            company.take()
        live.session = step.session
        if live.session is not None:
            self._rooms[live.room.id] = live
        elif self._rooms.get(live.room.id) is live:
            del self._rooms[live.room.id]
        self._arm(live)
        return told

    def _companies(self, live: LiveRoom, step: Step) -> list[Company]:
        if not step.outcomes:
            return []
        found = [companion(live, step) for companion in self._companions]
        return [company for company in found if company is not None]

    def _tell(self, live: LiveRoom, outcomes: Sequence[Outcome]) -> None:
        for observer in self._observers if outcomes else ():
            try:
                observer(live, outcomes)
            except Exception:  # what is durable stays true whatever a listener makes of it
                log.exception("an observer of room %s failed", live.room.id)

    def _arm(self, live: LiveRoom) -> None:
        if live.timer is not None:
            live.timer.cancel()
            live.timer = None
        if live.session is not None:
            delay = max(0.0, (next_deadline(live.session) - self._clock.now()) / NANOSECONDS)
            live.timer = asyncio.get_running_loop().call_later(delay, self._expire, live)

    def _expire(self, live: LiveRoom) -> None:
        if live.session is not None:
            self.apply(live, transitions.expire(live.room, live.session, self.moment("server", "deadline")))

    async def start(self) -> None:
        """Take up what a process before us left open: its peers have one grace time to come back."""
        for row in await self._database.fetch("open_sessions"):
            session_id, room_id, template_id, opened_at = str(row[0]), str(row[1]), str(row[2]), int(row[3] or 0)
            room = await self.directory.room(room_id)
            live = LiveRoom(room, await self.directory.template(template_id))
            peers = [peer_of(r) for r in await self._database.fetch("present_peers", session_id=session_id)]
            session = transitions.recovered(
                session_id,
                room,
                template_id,
                opened_at,
                peers,
                longest=self.longest(room),
                give_up_at=self.in_grace(),
            )
            log.info("session %s of room %s was left open with %d peers", session_id, room_id, len(peers))
            await self.apply(live, Step(session))
            if not peers:
                nobody = transitions.remove(room, session, (), self.moment("server", "restart"))
                await self.apply(live, nobody)

    async def stop(self) -> None:
        """Stop the timers. Sessions stay open: whoever takes them up gives their peers a grace time."""
        for live in self._rooms.values():
            if live.timer is not None:
                live.timer.cancel()


def closed(outcomes: Sequence[Outcome]) -> bool:
    """Whether the session closed with these outcomes."""
    return any(isinstance(outcome, Closed) for outcome in outcomes)
