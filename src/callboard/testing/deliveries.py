"""A ledger, endpoints and a dispatcher on a real database, with schedules shortened to milliseconds.

Owns: `House`, `house`, `eventually`, and the short settings.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from callboard.clock import RandomIds, SystemClock
from callboard.database import Database, open_database
from callboard.ledger import Ledger, Recorded
from callboard.testing.facts import joined
from callboard.testing.facts import left as gone
from callboard.testing.receiver import Receiver
from callboard.webhooks.dispatcher import Dispatcher
from callboard.webhooks.endpoint import Endpoint, EndpointRequest
from callboard.webhooks.endpoints import Endpoints
from callboard.webhooks.gauges import Gauges, Settings
from callboard.webhooks.health import HealthPolicy
from callboard.webhooks.notices import Notices
from callboard.webhooks.reach import resolve
from callboard.webhooks.replays.line import Client
from callboard.webhooks.retry import RetryPolicy
from callboard.webhooks.room_hooks import RoomHooks
from callboard.webhooks.sender import SenderSettings
from callboard.webhooks.tls import system_context

QUICK = RetryPolicy(quick=(0.01,), tail_first=0.02, tail_most=0.05)
SENDER = SenderSettings(connections=8, timeout=60.0)
"""What takes long because the machine has no time is no failed attempt: who wants one says how long it may take."""
HEALTH = HealthPolicy(probe_first=0.02, probe_most=0.05)
SETTINGS = Settings(retry=QUICK, health=HEALTH, sender=SENDER, grace=60.0)


@dataclass
class House:
    """A ledger, its endpoints and a dispatcher, on one database file."""

    database: Database
    ledger: Ledger
    endpoints: Endpoints
    dispatcher: Dispatcher
    ids: RandomIds
    committed: list[Recorded] = field(default_factory=list)

    async def commit(self, stream: str, at: int | None = None, *, left: bool = False) -> Recorded:
        fact = gone if left else joined
        changes = fact(stream, self.ids, SystemClock() if at is None else _At(at))
        (recorded,) = await self.ledger.commit(changes)
        self.committed.append(recorded)
        return recorded

    async def endpoint(self, receiver: Receiver, **wanted: object) -> Endpoint:
        request = EndpointRequest(url=receiver.url, **wanted)  # type: ignore[arg-type]
        endpoint = await self.endpoints.create(request)
        receiver.secret = endpoint.secrets[0]
        return endpoint

    def gauges(self, endpoint: Endpoint) -> Gauges:
        (gauges,) = [gauges for gauges in self.dispatcher.gauges() if gauges.endpoint_id == endpoint.id]
        return gauges


@dataclass(frozen=True)
class _At:
    instant: int

    def now(self) -> int:
        return self.instant


@asynccontextmanager
async def house(
    url: str, *, settings: Settings = SETTINGS, tls: ssl.SSLContext | None = None, rooms: bool = False
) -> AsyncIterator[House]:
    """With `rooms`, the webhooks that rooms have of their own are sent to."""
    clock, ids = SystemClock(), RandomIds()
    database = open_database(url)
    await database.open()
    ledger = Ledger(database, account_id="a" * 24, app_id="b" * 24)
    endpoints = Endpoints(
        database, clock, ids, secrets.token_bytes, hooks=RoomHooks(database, "secret") if rooms else None
    )
    await endpoints.load()
    source, secure = random.Random(1), tls or system_context()  # noqa: S311 - jitter
    client = Client(settings.sender, secure, resolve)
    notices = Notices(database, endpoints, clock, ids, client, settings.retry)
    dispatcher = Dispatcher(database, ledger, endpoints, clock, source, settings, tls=secure, record=notices.record)
    notices.start()
    await dispatcher.start()
    try:
        yield House(database, ledger, endpoints, dispatcher, ids)
    finally:
        await dispatcher.stop()
        await notices.stop()
        await database.close()


async def eventually(holds: Callable[[], Awaitable[bool]] | Callable[[], bool]) -> None:
    """Return once it `holds`."""
    async with asyncio.timeout(60):
        while True:
            value = holds()
            if isinstance(value, Awaitable):
                value = await value
            if value:
                return
            await asyncio.sleep(0.01)
