"""Sending to many rooms' webhooks at a time: a small pool of connections for each that has something to be sent now.

Owns: `Fan`, which takes a `Pool`'s place.

Always holds: no more than `most` attempts are under way in all; a room's webhook is looked up anew when it was last
looked up more than `FRESH` seconds ago; of a room whose connections are closed nothing is kept.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Protocol

from callboard.background import Background
from callboard.database import DatabaseStopped, Put, Value
from callboard.database.interface import QueryFailed
from callboard.webhooks.connection import Connection
from callboard.webhooks.endpoint import Endpoint
from callboard.webhooks.failures import Failure
from callboard.webhooks.lane import Lane
from callboard.webhooks.reach import Resolve
from callboard.webhooks.record import Recorder, Wire
from callboard.webhooks.request import Renderer, head_row, target_of
from callboard.webhooks.room_hooks import RoomHooks
from callboard.webhooks.sender import Pool, SenderSettings
from callboard.webhooks.vault import VaultError

FRESH: Final = 5.0
PER_ROOM: Final = 4
"""Connections: a room has one session at a time, and what comes late of earlier ones."""
AGAIN_SECONDS: Final = 1.0

log = logging.getLogger("callboard.webhooks")


class Owner(Protocol):
    """Whom the work comes from, and who hears what became of it: the outlet."""

    def take(self) -> Lane | None: ...

    def request(self, work: Lane, renderer: Renderer, version: int) -> bytes:
        """The request for the first event of `work`."""
        ...

    def finished(self, work: Lane, status: int, error: Failure | None, wire: Connection[Lane]) -> None: ...

    def dropped(self, work: Lane) -> None:
        """There is nobody any more to send the first event of `work` to."""
        ...

    def put_back(self, work: Lane) -> None:
        """It could not be looked up to whom it goes."""
        ...


class Desk:
    """One room's webhook while something is sent to it: the source of its pool."""

    def __init__(self, fan: Fan, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.recorder = Recorder(endpoint)
        self.looked_up = 0.0
        self.lanes: deque[Lane] = deque()
        self._fan = fan
        self._renderer = Renderer(endpoint)
        self.pool: Pool[Lane] = Pool(target_of(endpoint, fan.tls), self, fan.settings, fan.resolve)

    def update(self, endpoint: Endpoint) -> None:
        """The webhook was changed."""
        self.endpoint = endpoint
        self.recorder = Recorder(endpoint)
        self._renderer = Renderer(endpoint)
        self.pool.retarget(target_of(endpoint, self._fan.tls))

    def take(self) -> Lane | None:
        return self.lanes.popleft() if self.lanes else None

    def render(self, work: Lane) -> bytes:
        return self._fan.owner.request(work, self._renderer, self.endpoint.updated_at)

    def finished(self, work: Lane, status: int, error: Failure | None, wire: Connection[Lane]) -> None:
        self._fan.finished(work, status, error, wire)


class Fan:
    """See the module. Used on the event loop's thread only."""

    def __init__(
        self,
        owner: Owner,
        hooks: RoomHooks,
        settings: SenderSettings,
        tls: ssl.SSLContext,
        resolve: Resolve,
        note: Callable[[Put], None],
    ) -> None:
        """`note` is given what the log of attempts keeps of requests, before they are made."""
        self.owner = owner
        self.settings = replace(settings, connections=PER_ROOM)
        self.tls = tls
        self.resolve = resolve
        self._hooks = hooks
        self._note = note
        self._loop = asyncio.get_running_loop()
        self._background = Background("room webhooks")
        self._desks: dict[str, Desk] = {}
        self._looking: dict[str, list[Lane]] = {}
        self._stopping = False

    @property
    def open(self) -> int:
        """How many connections are open or being opened."""
        return sum(desk.pool.open for desk in self._desks.values())

    @property
    def busy(self) -> int:
        """How many attempts are under way."""
        return sum(desk.pool.busy for desk in self._desks.values())

    def columns(self, room_id: str, wire: Wire) -> tuple[Value, ...]:
        """What the log of attempts keeps of an attempt for this room."""
        return self._desks[room_id].recorder.columns(wire)

    def wake(self) -> None:
        """Work may be ready."""
        while not self._stopping:
            lane = self.owner.take()
            if lane is None:
                return
            self._give(lane)

    async def stop(self, grace: float) -> None:
        """Begin nothing more; attempts under way have `grace` seconds."""
        self._stopping = True
        await self._background.stop(0)
        for lanes in self._looking.values():
            for lane in lanes:
                self.owner.put_back(lane)
        self._looking.clear()
        await asyncio.gather(*(desk.pool.stop(grace) for desk in self._desks.values()))

    def _give(self, lane: Lane) -> None:
        room_id = lane.events[0].hook
        desk = self._desks.get(room_id)
        if room_id in self._looking:
            self._looking[room_id].append(lane)
        elif desk is not None and self._loop.time() - desk.looked_up < FRESH:
            desk.lanes.append(lane)
            desk.pool.wake()
        else:
            self._looking[room_id] = [lane]
            self._background.start(self._look_up(room_id))

    async def _look_up(self, room_id: str) -> None:
        try:
            endpoint = await self._hooks.endpoint(room_id)
        except (QueryFailed, TimeoutError, DatabaseStopped, VaultError):
            log.exception("the webhook of room %s could not be looked up; trying again", room_id)
            await asyncio.sleep(AGAIN_SECONDS)
            for lane in self._looking.pop(room_id):
                self.owner.put_back(lane)
            self.wake()
            return
        lanes = self._looking.pop(room_id)
        if endpoint is None:
            for lane in lanes:
                self.owner.dropped(lane)
            self.wake()
            return
        desk = self._desk(endpoint)
        desk.looked_up = self._loop.time()
        desk.lanes.extend(lanes)
        desk.pool.wake()

    def _desk(self, endpoint: Endpoint) -> Desk:
        desk = self._desks.get(endpoint.id)
        if desk is None:
            self._forget_idle()
            desk = self._desks[endpoint.id] = Desk(self, endpoint)
            self._note(head_row(endpoint))
        elif desk.endpoint != endpoint:
            desk.update(endpoint)
            self._note(head_row(endpoint))
        return desk

    def _forget_idle(self) -> None:
        """Those whose connections are closed. Called when one more comes, so there are few that nobody needs."""
        for room_id, desk in tuple(self._desks.items()):
            if not desk.pool.open and not desk.lanes:
                del self._desks[room_id]

    def finished(self, work: Lane, status: int, error: Failure | None, wire: Connection[Lane]) -> None:
        """An attempt of one of the desks has ended."""
        self.owner.finished(work, status, error, wire)
        if not self._stopping:
            self._loop.call_soon(self.wake)
