"""Endpoints, rooms' webhooks and a ledger without a dispatcher: what was delivered is what replays delivered.

Owns: `Home`, `home_of`, and the short settings of replays.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from callboard.clock import NANOSECONDS, RandomIds, SystemClock
from callboard.database import Database, Put, Unit
from callboard.database.tables import ATTEMPT
from callboard.jobs import Backoff, WorkerSettings
from callboard.ledger import Changes, Ledger, Recorded
from callboard.rooms.models import Room, RoomWebhook
from callboard.rooms.rooms import room_row
from callboard.testing.facts import joined
from callboard.testing.receiver import Receiver
from callboard.webhooks.endpoint import Endpoint, EndpointRequest
from callboard.webhooks.endpoints import Endpoints
from callboard.webhooks.reach import resolve
from callboard.webhooks.replays.desk import View
from callboard.webhooks.replays.filters import Wanted
from callboard.webhooks.replays.line import Client
from callboard.webhooks.replays.service import ReplayService
from callboard.webhooks.request import head_row
from callboard.webhooks.room_hooks import RoomHooks
from callboard.webhooks.sender import SenderSettings
from callboard.webhooks.tls import system_context

WORKER = WorkerSettings(cores=1.0, lease=60.0, poll=0.05, grace=60.0)
QUICK = (0.01, 0.01)


@dataclass
class Home:
    """See the module."""

    database: Database
    receiver: Receiver
    endpoints: Endpoints
    ledger: Ledger
    clock: SystemClock = field(default_factory=SystemClock)
    services: list[ReplayService] = field(default_factory=list)

    async def service(self, per_second: float = 1000.0, endpoints: Endpoints | None = None) -> ReplayService:
        """Another process that does replays."""
        service = ReplayService(
            self.database,
            Ledger(self.database, account_id="a" * 24, app_id="b" * 24),
            endpoints or self.endpoints,
            self.clock,
            RandomIds(),
            Client(SenderSettings(connections=4, timeout=60.0), system_context(), resolve),
            account_id="a" * 24,
            per_second=per_second,
            quick=QUICK,
            backoff=Backoff(first=0.1, factor=1.0),
            settings=WORKER,
        )
        await service.start()
        self.services.append(service)
        return service

    async def endpoint(self, **said: object) -> Endpoint:
        return await self.endpoints.create(EndpointRequest(url=self.receiver.url, **said))  # type: ignore[arg-type]

    async def events(self, count: int, streams: int = 3) -> list[Recorded]:
        ids = RandomIds()
        changes = [joined(f"room{number % streams}", ids, self.clock) for number in range(count)]
        return [one for change in changes for one in await self.ledger.commit(change)]

    def wanted(self, **said: object) -> Wanted:
        now = self.clock.now()
        return Wanted(since=now - 3600 * NANOSECONDS, until=now + NANOSECONDS, **said)  # type: ignore[arg-type]

    async def events_of_room(self, room_id: str, count: int, streams: int = 1) -> list[Recorded]:
        """Events of a room that has a webhook of its own."""
        ids = RandomIds()
        facts = [f for n in range(count) for f in joined(f"{room_id} {n % streams}", ids, self.clock).facts]
        hooked = [replace(fact, room_id=room_id, hook=room_id) for fact in facts]
        return [one for fact in hooked for one in await self.ledger.commit(Changes(facts=(fact,)))]

    async def set_webhook(self, room_id: str, url: str, headers: dict[str, str] | None = None) -> None:
        """The room has this webhook from now on; with "", none."""
        webhook = RoomWebhook(url=url, headers=headers or {}) if url else None
        room = Room(
            id=room_id, name=room_id, template_id="t", webhook=webhook, created_at=1, updated_at=self.clock.now()
        )
        await self.database.commit(Unit((room_row(room),)))

    async def log(self, endpoint: Endpoint, events: Sequence[Recorded], error: str, number: int = 1) -> None:
        """What the log of attempts would hold, had the lanes delivered these, or given them up."""
        rows = [
            Put(
                ATTEMPT,
                (
                    e.id,
                    endpoint.id,
                    number,
                    e.committed_at + 1,
                    200 if not error else 500,
                    error,
                    0.1,
                    0,
                    endpoint.updated_at,
                    9,
                    "",
                    0.0,
                    0.0,
                    0.0,
                    0.0,
                    "",
                ),
            )
            for e in events
        ]
        await self.database.commit(Unit((*rows, head_row(endpoint))))

    async def ended(self, service: ReplayService, replay_id: str) -> View:
        async with asyncio.timeout(60):
            while True:
                view = await service.desk.view(replay_id)
                if view.completed_at:
                    return view
                await asyncio.sleep(0.02)


@asynccontextmanager
async def home_of(database: Database) -> AsyncIterator[Home]:
    """On this database."""
    endpoints = Endpoints(
        database, SystemClock(), RandomIds(1), secrets.token_bytes, hooks=RoomHooks(database, "secret")
    )
    await endpoints.load()
    async with Receiver() as receiver:
        home = Home(database, receiver, endpoints, Ledger(database, account_id="a" * 24, app_id="b" * 24))
        yield home
        for service in home.services:
            await service.stop()
