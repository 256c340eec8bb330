"""Sending operational events to the endpoints that ask for them.

Owns: `Notices`.

Always holds: what is to be sent is rows in the database, and only what is durable is sent: to an endpoint one at a
time, in order, until it is accepted or `GIVE_UP_SECONDS` old. This is beside the lanes: it holds up no event, and what
the endpoint answers changes nothing about its health. Several nodes may send one twice after a restart.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator

from callboard.background import Background
from callboard.clock import NANOSECONDS, Clock, Ids
from callboard.database import Database, DatabaseStopped, Delete, Put, Unit
from callboard.database.interface import QueryFailed
from callboard.database.tables import NOTICE
from callboard.ledger import Recorded
from callboard.webhooks.endpoint import Endpoint
from callboard.webhooks.endpoints import Endpoints
from callboard.webhooks.operational import STREAM, Happening, Operational, operational, operational_of, rows
from callboard.webhooks.replays.line import Client, Line
from callboard.webhooks.retry import DAY, Random, RetryPolicy

WAITS = (0.5, 10.0)
"""Seconds after which it is looked what is durable: as a rule it is the first time, and in any case the second."""
GIVE_UP_SECONDS = 3 * DAY

log = logging.getLogger("callboard.webhooks")


class Notices:
    """See the module. `client` is what deliveries are made with. Used on the event loop's thread only."""

    def __init__(
        self, database: Database, endpoints: Endpoints, clock: Clock, ids: Ids, client: Client, retry: RetryPolicy
    ) -> None:
        self._database = database
        self._endpoints = endpoints
        self._clock = clock
        self._ids = ids
        self._client = client
        self._retry = retry
        self._background = Background("notices")
        self._running: dict[str, asyncio.Event] = {}
        self._end: Callable[[], None] | None = None

    def start(self) -> None:
        """Send what is left from before, and what comes."""
        self._end = self._endpoints.watch(self._wake)
        for endpoint in self._endpoints.all():
            self._wake(endpoint.id)

    async def stop(self) -> None:
        """Cut off what is under way: it is sent again at the next start."""
        if self._end is not None:
            self._end()
        await self._background.stop(0)

    def record(self, happening: Happening) -> tuple[Put, ...]:
        """Rows to be committed with what happened. They are sent once they are durable."""
        to = [endpoint.id for endpoint in self._endpoints.all() if endpoint.delivery.operational]
        for endpoint_id in to:
            self._wake(endpoint_id)
        return rows(operational(happening, self._ids, self._clock.now()), to)

    def _wake(self, endpoint_id: str) -> None:
        endpoint = self._endpoints.get(endpoint_id)
        if endpoint is None or not _listens(endpoint):
            return
        news = self._running.get(endpoint_id)
        if news is not None:
            news.set()
            return
        self._running[endpoint_id] = news = asyncio.Event()
        news.set()
        self._background.start(self._serve(endpoint_id, news))

    async def _serve(self, endpoint_id: str, news: asyncio.Event) -> None:
        try:
            while news.is_set():
                news.clear()
                for seconds in WAITS:
                    await asyncio.sleep(seconds)
                    await self._send_all(endpoint_id)
        except DatabaseStopped:
            log.critical("operational events are sent no more: the database has stopped")
        finally:
            del self._running[endpoint_id]

    async def _send_all(self, endpoint_id: str) -> None:
        """Send what is durable, until nothing is left or the endpoint does not want it."""
        tries = 0
        while True:
            try:
                found = await self._database.fetch("notices", endpoint_id=endpoint_id, limit=1)
            except (QueryFailed, TimeoutError):
                log.exception("operational events could not be read; trying again")
                await asyncio.sleep(self._retry.tail_first)
                continue
            endpoint = self._endpoints.get(endpoint_id)
            if not found or endpoint is None or not _listens(endpoint):
                return
            event = operational_of(found[0])
            tries += 1
            age = (self._clock.now() - event.at) / NANOSECONDS
            if await self._sent(endpoint, event) or age > GIVE_UP_SECONDS:
                await self._database.commit(Unit((Delete(NOTICE, (endpoint_id, event.id)),)))
                tries = 0
            else:
                await asyncio.sleep(self._retry.next_delay(tries, 0.0, _STEADY) or self._retry.tail_most)

    async def _sent(self, endpoint: Endpoint, event: Operational) -> bool:
        line = Line(endpoint, self._client, self._clock, b"")
        at, body = event.at, event.body.encode()
        try:
            sent = await line.send(Recorded(0, event.id, STREAM, 0, event.type, "", "", "", at, at, "", "", body))
        finally:
            await line.close()
        if sent.failure:
            log.warning("endpoint %s: operational event %s was not accepted (%s)", endpoint.id, event.id, sent.failure)
        return not sent.failure


class _Steady:
    """No jitter: there are few of these."""

    def random(self) -> float:
        return 0.5


_STEADY: Random = _Steady()


def _listens(endpoint: Endpoint) -> bool:
    return endpoint.enabled and not endpoint.paused and endpoint.delivery.operational


def none(_: Happening) -> Iterator[Put]:
    """For a dispatcher without notices: nothing is recorded."""
    return iter(())
