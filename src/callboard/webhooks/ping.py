"""A test delivery, now, to one endpoint, and what came of it.

Owns: `Pinger`.

Always holds: what a ping shows is what a delivery would have met: the same guarded client, address rules, TLS, signing
keys and headers. Nothing happened: the event is a sample, says `is_test` within what is signed, and is in no ledger and
no log. An endpoint is sent one ping at a time.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace

import msgspec

from callboard.clock import NANOSECONDS, Clock, Ids
from callboard.database import Value
from callboard.errors import Conflict, Invalid
from callboard.events import UnknownEventType, encode, envelope_of, event_type, marked_as_test, sample
from callboard.events.catalogue import CATALOGUE
from callboard.ledger import Recorded
from callboard.webhooks.attempt_pages import Shown
from callboard.webhooks.attempts import Attempt, attempt_of
from callboard.webhooks.connection import Connection
from callboard.webhooks.endpoint import Endpoint
from callboard.webhooks.failures import Failure, failure_of_status
from callboard.webhooks.reach import Resolve, resolve
from callboard.webhooks.record import Recorder
from callboard.webhooks.request import Renderer, head_row, target_of
from callboard.webhooks.retry import succeeded
from callboard.webhooks.selection import selected
from callboard.webhooks.sender import Pool, SenderSettings

STREAM = "ping"
"""What stands in `callboard-stream`."""


class Pinger:
    """See the module. `account_id` and `app_id` are the workspace's."""

    def __init__(
        self,
        account_id: str,
        app_id: str,
        clock: Clock,
        ids: Ids,
        settings: SenderSettings,
        tls: ssl.SSLContext,
        resolve_and_vet: Resolve = resolve,
    ) -> None:
        self._account_id = account_id
        self._app_id = app_id
        self._clock = clock
        self._ids = ids
        self._settings = replace(settings, connections=1)
        self._tls = tls
        self._resolve = resolve_and_vet
        self._under_way: set[str] = set()

    async def ping(self, endpoint: Endpoint, kind: str = "") -> Shown:
        """Send a sample of the event type `kind` (the first that the endpoint selects, if it is ""), once.

        Takes as long as an attempt may (`SenderSettings.timeout`). Raises `Invalid` for a type that there is not,
        `Conflict` while a ping to this endpoint is under way.
        """
        event = self._sample(endpoint, kind)
        if endpoint.id in self._under_way:
            raise Conflict("a ping to this endpoint is under way", ("wait for its result",))
        self._under_way.add(endpoint.id)
        try:
            return Shown(await self._send(endpoint, event), event.type)
        finally:
            self._under_way.discard(endpoint.id)

    async def _send(self, endpoint: Endpoint, event: Recorded) -> Attempt:
        once = _Once(endpoint, event, self._clock)
        pool = Pool(target_of(endpoint, self._tls), once, self._settings, self._resolve)
        try:
            pool.wake()
            return await once.result
        finally:
            await pool.stop(0)

    def _sample(self, endpoint: Endpoint, kind: str) -> Recorded:
        wanted = endpoint.selection.events
        name = kind or next(name for name in CATALOGUE if not wanted or name in selected(wanted))
        try:
            payload = event_type(name)
        except UnknownEventType as error:
            raise Invalid("invalid ping", (f"type: {error}",)) from None
        now = self._clock.now()
        id_ = self._ids.time_uuid(now)
        envelope = msgspec.convert(sample(name), envelope_of(payload))
        body = encode(
            envelope.data,
            id=id_,
            account_id=self._account_id,
            app_id=self._app_id,
            template_id=envelope.template_id,
            at=now,
        )
        return Recorded(0, id_, STREAM, 0, name, "", "", "", now, now, "api", "ping", marked_as_test(body))


class _Once:
    """The source of a pool that makes one attempt."""

    def __init__(self, endpoint: Endpoint, event: Recorded, clock: Clock) -> None:
        self.result: asyncio.Future[Attempt] = asyncio.get_running_loop().create_future()
        self._endpoint = endpoint
        self._event: Recorded | None = event
        self._clock = clock
        self._started = 0

    def take(self) -> Recorded | None:
        event, self._event = self._event, None
        self._started = self._clock.now()
        return event

    def render(self, work: Recorded) -> bytes:
        return Renderer(self._endpoint).render(work, STREAM.encode(), self._started)

    def finished(self, work: Recorded, status: int, error: Failure | None, wire: Connection[Recorded]) -> None:
        if not self.result.done():
            self.result.set_result(self._attempt(work, status, error, wire))

    def _attempt(self, work: Recorded, status: int, error: Failure | None, wire: Connection[Recorded]) -> Attempt:
        endpoint, started = self._endpoint, self._started
        failure = "" if succeeded(status) else error or failure_of_status(status)
        seconds = (self._clock.now() - started) / NANOSECONDS
        made: tuple[Value, ...] = (work.id, endpoint.id, 1, started, status, failure, seconds, 0)
        head = head_row(endpoint).row[-1]
        return attempt_of((*made, endpoint.updated_at, len(work.body), *Recorder(endpoint).columns(wire), head))
