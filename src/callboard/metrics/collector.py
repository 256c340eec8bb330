"""Where the numbers come from: each part is asked when somebody asks us.

Owns: `Collector`.

Always holds: asking changes nothing and costs the same however much there is in the database. A part that cannot
answer at the moment is left out, the others are not.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from callboard import __version__
from callboard.clock import NANOSECONDS, Clock
from callboard.database import Database, DatabaseStopped
from callboard.database.interface import QueryFailed
from callboard.jobs import Worker
from callboard.ledger import Ledger
from callboard.metrics.exposition import Samples
from callboard.metrics.machine import process
from callboard.metrics.requests import Requests
from callboard.metrics.work import committed, done_by, recorded, stored_jobs
from callboard.recording.capture.meter import CaptureCounters, CapturedNow
from callboard.recording.making import Made
from callboard.rooms.session import Session
from callboard.webhooks.dispatcher import Dispatcher
from callboard.webhooks.endpoint import Endpoint
from callboard.webhooks.endpoints import Endpoints
from callboard.webhooks.gauges import STATES, state_of

log = logging.getLogger("callboard.metrics")


class Told(Protocol):
    """A live room: what is durable of its session."""

    @property
    def told(self) -> Session | None: ...


class Rooms(Protocol):
    """What of `rooms.live.LiveRooms` is counted."""

    def all_live(self) -> Iterable[Told]: ...


class Capture(Protocol):
    """What of `recording.capture.recorder.Recorder` is counted."""

    counters: CaptureCounters
    floor: int
    low: bool

    def now(self) -> CapturedNow: ...


class Collector:
    """See the module. Used on the event loop's thread only."""

    def __init__(
        self,
        *,
        database: Database,
        ledger: Ledger,
        endpoints: Endpoints,
        dispatcher: Dispatcher,
        rooms: Rooms,
        requests: Requests,
        clock: Clock,
        deleted: Callable[[], Mapping[str, int]] = dict,
        capture: Capture | None = None,
        made: Made | None = None,
    ) -> None:
        """`deleted` counts what retention has deleted, by what it was; `capture` and `made` what is recorded."""
        self.worker: Worker | None = None
        """What does jobs in this process, once it has started, if it does any."""
        self._deleted = deleted
        self._capture = capture
        self._made = made
        self._database = database
        self._ledger = ledger
        self._endpoints = endpoints
        self._dispatcher = dispatcher
        self._rooms = rooms
        self._requests = requests
        self._clock = clock

    async def text(self) -> str:
        """Everything, as Prometheus reads it."""
        samples = Samples()
        samples.set("callboard_info", 1, __version__)
        for endpoint in self._endpoints.sent_to():
            self._endpoint(samples, endpoint)
        samples.histogram("callboard_webhook_receipt_seconds", self._dispatcher.receipts)
        committed(samples, self._database)
        if self.worker is not None:
            done_by(samples, self.worker)
        self._live(samples)
        self._recorded(samples)
        for what, count in self._deleted().items():
            samples.set("callboard_retention_deleted_total", count, what)
        for labels, count in self._requests.counts.items():
            samples.set("callboard_http_requests_total", count, *labels)
        samples.histogram("callboard_http_request_seconds", self._requests.seconds)
        try:
            await self._stored(samples)
        except (QueryFailed, TimeoutError, DatabaseStopped):
            log.warning("the database does not answer: some metrics are left out", exc_info=True)
        await asyncio.to_thread(process, samples)
        return samples.text()

    def _live(self, samples: Samples) -> None:
        sessions = [room.told for room in self._rooms.all_live() if room.told is not None]
        samples.set("callboard_sessions", len(sessions))
        samples.set("callboard_peers", sum(len(session.peers) for session in sessions))

    def _recorded(self, samples: Samples) -> None:
        if self._capture is not None:
            now, so_far = self._capture.now(), self._capture.counters
            samples.set("callboard_capture_sessions", now.sessions)
            samples.set("callboard_capture_tracks", now.audio, "audio")
            samples.set("callboard_capture_tracks", now.video, "video")
            samples.set("callboard_capture_files", now.files)
            samples.set("callboard_capture_bytes_total", so_far.bytes)
            samples.set("callboard_capture_segments_total", so_far.segments)
            samples.set("callboard_capture_refused_total", so_far.refused)
            samples.set("callboard_capture_completed_total", so_far.completed)
            samples.set("callboard_capture_disk_free_bytes", so_far.free_bytes)
            samples.set("callboard_capture_disk_floor_bytes", self._capture.floor)
            samples.set("callboard_capture_disk_low", float(self._capture.low))
            samples.set("callboard_capture_disk_alarms_total", so_far.disk_alarms)
        if self._made is not None:
            recorded(samples, self._made)

    def _endpoint(self, samples: Samples, endpoint: Endpoint) -> None:
        gauges = self._dispatcher.gauges_of(endpoint.id)
        state = state_of(endpoint, gauges)
        for one in STATES:
            samples.set("callboard_webhook_breaker", float(one == state), endpoint.id, one)
        if gauges is None:
            return
        id_ = endpoint.id
        samples.set("callboard_webhook_attempts_total", gauges.delivered, id_, "accepted")
        for failure, count in gauges.failures.items():
            samples.set("callboard_webhook_attempts_total", count, id_, str(failure))
        samples.set("callboard_webhook_parked_total", gauges.parked, id_)
        samples.set("callboard_webhook_expired_total", gauges.expired, id_)
        samples.set("callboard_webhook_pending_events", gauges.pending, id_)
        samples.set("callboard_webhook_lanes", gauges.waiting, id_, "waiting")
        samples.set("callboard_webhook_lanes", gauges.lanes - gauges.waiting, id_, "active")
        samples.set("callboard_webhook_connections", gauges.busy, id_, "busy")
        samples.set("callboard_webhook_connections", gauges.connections - gauges.busy, id_, "idle")

    async def _stored(self, samples: Samples) -> None:
        now = self._clock.now()
        for endpoint in self._endpoints.sent_to():
            oldest = await self._dispatcher.oldest(endpoint.id)
            age = max(0, now - oldest) / NANOSECONDS if oldest else 0.0
            samples.set("callboard_webhook_oldest_due_age_seconds", age, endpoint.id)
        samples.set("callboard_ledger_position", await self._ledger.newest())
        await stored_jobs(samples, self._database, now)
