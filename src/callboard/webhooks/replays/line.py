"""One event after the other to one endpoint, on a connection of its own, by the same guarded client as deliveries.

Owns: `Line`, `Sent`.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, replace

from callboard.clock import NANOSECONDS, Clock
from callboard.database import Put, Value
from callboard.database.tables import ATTEMPT
from callboard.ledger import Recorded
from callboard.webhooks.connection import Connection
from callboard.webhooks.endpoint import Endpoint
from callboard.webhooks.failures import Failure, failure_of_status
from callboard.webhooks.reach import Resolve
from callboard.webhooks.record import Recorder
from callboard.webhooks.request import Renderer, target_of
from callboard.webhooks.retry import succeeded
from callboard.webhooks.sender import Pool, SenderSettings


@dataclass(frozen=True, slots=True)
class Client:
    """What a delivery is made with, besides its endpoint: the dispatcher's."""

    settings: SenderSettings
    tls: ssl.SSLContext
    resolve_and_vet: Resolve


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of an attempt: no `failure` if it was accepted."""

    failure: Failure | None
    _before: tuple[Value, ...]
    _after: tuple[Value, ...]

    def row(self, event: Recorded, endpoint: Endpoint, number: int, next_at: int) -> Put:
        """Its row in the log of attempts."""
        error = self.failure.value if self.failure else ""
        at, status, seconds, size = self._before
        place = (event.id, endpoint.id, number, at, status, error, seconds, next_at, endpoint.updated_at, size)
        return Put(ATTEMPT, (*place, *self._after))


class Line:
    """See the module. Close it when done. `header` is sent with each event: whole lines."""

    def __init__(self, endpoint: Endpoint, client: Client, clock: Clock, header: bytes) -> None:
        self._now = clock.now
        self._header = header
        self._renderer = Renderer(endpoint)
        self._recorder = Recorder(endpoint)
        self._next: Recorded | None = None
        self._sent: asyncio.Future[Sent] | None = None
        self._started = 0
        settings = replace(client.settings, connections=1)
        self._pool: Pool[Recorded] = Pool(target_of(endpoint, client.tls), self, settings, client.resolve_and_vet)

    async def send(self, event: Recorded) -> Sent:
        """Make one attempt; one at a time. Takes as long as an attempt may (`SenderSettings.timeout`) at most."""
        self._sent = asyncio.get_running_loop().create_future()
        self._next = event
        self._pool.wake()
        return await self._sent

    async def close(self) -> None:
        """Cut off what is under way: whether it arrived is not known."""
        await self._pool.stop(0)

    # What the pool asks for and tells (`sender.Source`).

    def take(self) -> Recorded | None:
        event, self._next = self._next, None
        if event is not None:
            self._started = self._now()
        return event

    def render(self, work: Recorded) -> bytes:
        return self._renderer.render(work, work.stream.encode(), self._started, self._header)

    def finished(self, work: Recorded, status: int, error: Failure | None, wire: Connection[Recorded]) -> None:
        if self._sent is None or self._sent.done():  # nobody waits: it was cut off
            return
        failure = None if succeeded(status) else error or failure_of_status(status)
        seconds = (self._now() - self._started) / NANOSECONDS
        before = (self._started, status, seconds, len(work.body))
        self._sent.set_result(Sent(failure, before, self._recorder.columns(wire)))
