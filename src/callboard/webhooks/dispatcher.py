"""The dispatcher: what is committed goes to every endpoint.

Owns: `Dispatcher`, which opens an outlet for each enabled endpoint and keeps them in step with `Endpoints`.

Always holds: an event reaches the lanes right after its commit, before anything is waited for. Deliveries are
made at least once and in order (DESIGN §1.3), across restarts too: what counts is in the database, memory
only says what is next. An endpoint that is down, disabled or slow delays no other.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

from callboard.background import Background
from callboard.clock import Clock, Ids, RandomIds
from callboard.database import Database, DatabaseStopped, Put
from callboard.database.interface import QueryFailed
from callboard.database.tables import EVENT
from callboard.errors import NotFound
from callboard.ledger import Ledger, Recorded
from callboard.ledger.records import recorded_row
from callboard.measures import Histogram
from callboard.webhooks.endpoint import Endpoint, EndpointRequest
from callboard.webhooks.endpoint_news import EndpointNews
from callboard.webhooks.endpoints import Endpoints
from callboard.webhooks.feed import Feed
from callboard.webhooks.gauges import Gauges, Settings
from callboard.webhooks.health import Health, Signal
from callboard.webhooks.hook_outlet import HookOutlet
from callboard.webhooks.journal import Journal
from callboard.webhooks.membership import Membership
from callboard.webhooks.notices import none
from callboard.webhooks.operational import EndpointDisabled, Happening, happening_of
from callboard.webhooks.outlet import Outlet
from callboard.webhooks.parking import Parked
from callboard.webhooks.reach import Resolve, resolve
from callboard.webhooks.retry import Random
from callboard.webhooks.room_hooks import ROOMS
from callboard.webhooks.shards import NOTHING, WHOLE, Tenure
from callboard.webhooks.tls import system_context

AGAIN_SECONDS = 1.0
"""Until a read that failed is tried again."""

log = logging.getLogger("callboard.webhooks")


class _Sharing(NamedTuple):
    """What a dispatcher among several has beside the others."""

    feed: Feed
    membership: Membership
    news: EndpointNews


class Dispatcher:
    """See the module. Used on the event loop's thread only; `start` and `stop` once each."""

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        endpoints: Endpoints,
        clock: Clock,
        random: Random,
        settings: Settings | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        resolve_and_vet: Resolve = resolve,
        ids: Ids | None = None,
        record: Callable[[Happening], Iterable[Put]] = none,
    ) -> None:
        """Within a running event loop. Where the database is `shared`, this is one dispatcher of several.

        `tls` verifies the endpoints' certificates (the system's authorities, unless a context is given).
        `record` makes the rows that say what happened to an endpoint: they are committed with it.
        """
        self._database = database
        self._ledger = ledger
        self._endpoints = endpoints
        self._clock = clock
        self._random = random
        self._settings = settings or Settings()
        self._tls = tls or system_context()
        self._resolve = resolve_and_vet
        self._record = record
        self._outlets: dict[str, Outlet] = {}
        self._settling: set[str] = set()
        self._disabling: set[str] = set()
        self._background = Background("webhooks")
        self._hungry = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None
        self._end: list[Callable[[], None]] = []
        self._stopping = False
        self._moved = asyncio.Event()
        self._sharing: _Sharing | None = None
        if database.shared:
            self._journal = Journal(database, self._wake, self._fenced)
            self._tenure = NOTHING
            membership = Membership(
                database, self._journal, clock, ids or RandomIds(), self._settings.lease, self._adopt
            )
            feed, news = Feed(database, ledger, self._committed), EndpointNews(database, endpoints)
            self._sharing = _Sharing(feed, membership, news)
        else:
            self._journal = Journal(database, self._wake)
            self._tenure = WHOLE
        self.receipts = Histogram()
        """Seconds from the commit of an event to its being accepted, of all deliveries."""

    async def start(self) -> None:
        """Begin to deliver, where every endpoint had come to. `endpoints` must be loaded.

        Raises what `Database.fetch` raises.
        """
        self._end = [self._endpoints.watch(self._changed), self._ledger.watch(EVENT, self._expunged)]
        if self._sharing is None:
            self._end.append(self._ledger.subscribe(self._committed))
        else:
            await self._sharing.feed.start()
            self._tenure = await self._sharing.membership.join()
        self._reader = asyncio.get_running_loop().create_task(self._read_back())
        for endpoint in self._endpoints.sent_to():
            self._settling.add(endpoint.id)
            await self._settle(endpoint.id)
        if self._sharing is not None:
            self._sharing.membership.run()
            self._sharing.news.start()

    async def stop(self) -> None:
        """Begin no more attempts, give those under way the settings' `grace`, and make their results durable.

        Raises what `Database.commit` raises.
        """
        if self._sharing is not None:
            await self._sharing.membership.rest()
            await self._sharing.news.stop()
        self._stopping = True
        for end in self._end:
            end()
        await self._background.stop(self._settings.grace)
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        await asyncio.gather(*(outlet.close() for outlet in self._outlets.values()))
        try:
            await self._journal.settle()
            if self._sharing is not None:
                await self._sharing.membership.leave()
        finally:
            if self._sharing is not None:
                await self._sharing.feed.stop()
            self._journal.close()

    @property
    def shards(self) -> int:
        """How many of the 64 shards of streams this dispatcher delivers: all, unless others share its database.

        0 while an endpoint is being brought in step.
        """
        return 0 if self._settling else len(self._tenure.shards)

    @property
    def in_step(self) -> bool:
        """Whether deliveries know every endpoint as it is now."""
        return not self._settling

    def gauges(self) -> list[Gauges]:
        """Every open outlet in numbers."""
        return [outlet.gauges() for outlet in self._outlets.values()]

    def gauges_of(self, endpoint_id: str) -> Gauges | None:
        """The endpoint's outlet in numbers; None while it has none, as it is disabled."""
        outlet = self._outlets.get(endpoint_id)
        return outlet.gauges() if outlet is not None else None

    async def oldest(self, endpoint_id: str) -> int:
        """When the event that has waited longest was committed (nanoseconds, UTC); 0 if none waits, or it is disabled.

        Raises what `Database.fetch` raises.
        """
        outlet = self._outlets.get(endpoint_id)
        return await outlet.oldest() if outlet is not None else 0

    # Events.

    def _committed(self, events: Sequence[Recorded]) -> None:
        for outlet in self._outlets.values():
            outlet.offer(outlet.tenure.among(events))

    def _expunged(self, put: Put) -> None:
        for outlet in self._outlets.values():
            outlet.replace(recorded_row(put.row))

    def _wake(self) -> None:
        for outlet in self._outlets.values():
            outlet.wake()

    async def _read_back(self) -> None:
        """Feed hungry lanes, one of each outlet in turn."""
        while True:
            await self._hungry.wait()
            self._hungry.clear()
            try:
                while any([await outlet.read_back() for outlet in tuple(self._outlets.values())]):
                    pass
            except (QueryFailed, TimeoutError):
                log.exception("events could not be read back; trying again in %s s", AGAIN_SECONDS)
                await asyncio.sleep(AGAIN_SECONDS)
                self._hungry.set()
            except DatabaseStopped:
                log.critical("events are read back no more: the database has stopped")
                return

    # Shards.

    async def _adopt(self, tenure: Tenure) -> None:
        """Deliver the streams of `tenure`: each outlet is closed, its results made durable, and opened anew.

        Each goes by itself: one that waits for a slow endpoint holds up no other.
        """
        self._tenure = tenure
        for endpoint in self._endpoints.sent_to():
            self._changed(endpoint.id)
        while any(outlet.tenure is not self._tenure for outlet in self._outlets.values()):
            self._moved.clear()
            await self._moved.wait()

    def _fenced(self) -> None:
        if self._sharing is not None:
            self._sharing.membership.lose()

    # Endpoints.

    def _changed(self, endpoint_id: str) -> None:
        if self._endpoints.sending(endpoint_id) is None:
            self._journal.remove(endpoint_id)  # at once: nothing may be written about an endpoint that is gone
        if endpoint_id not in self._settling:
            self._settling.add(endpoint_id)
            self._background.start(self._settle_in_time(endpoint_id))

    def _gone(self, endpoint_id: str) -> None:
        """The endpoint answered 410: nothing more is sent to it. Its events wait, should it be enabled again."""
        self._start_disabling(endpoint_id, "gone")

    def _told(self, endpoint_id: str, what: Signal | Parked, health: Health) -> None:
        """How an endpoint is doing has changed, or an event was parked: that is recorded with the attempt."""
        if what is Signal.DISABLE:
            self._start_disabling(endpoint_id, "failing")
            return
        if isinstance(what, Signal):
            log.warning("endpoint %s: %s (%s)", endpoint_id, what, health.phase)
        for row in self._record(happening_of(endpoint_id, what, health)):
            self._journal.note(row)

    def _start_disabling(self, endpoint_id: str, reason: str) -> None:
        endpoint = self._endpoints.get(endpoint_id)
        if endpoint is not None and endpoint.enabled and endpoint_id not in self._disabling:
            self._disabling.add(endpoint_id)
            self._background.start(self._disable(endpoint_id, reason))

    async def _disable(self, endpoint_id: str, reason: str) -> None:
        rows = self._record(EndpointDisabled(endpoint_id=endpoint_id, reason=reason))
        try:
            await self._endpoints.update(endpoint_id, EndpointRequest(enabled=False), *rows)
        except NotFound:
            return  # deleted meanwhile
        finally:
            self._disabling.discard(endpoint_id)
        log.warning("endpoint %s is disabled: %s", endpoint_id, reason)

    async def _settle_in_time(self, endpoint_id: str) -> None:
        try:
            await self._settle(endpoint_id)
        except (QueryFailed, TimeoutError):
            log.exception("endpoint %s: not opened; trying again in %s s", endpoint_id, AGAIN_SECONDS)
            await asyncio.sleep(AGAIN_SECONDS)
            self._changed(endpoint_id)

    async def _settle(self, endpoint_id: str) -> None:
        """Bring the outlet in step with the endpoint, however often that changes meanwhile."""
        try:
            while not self._stopping and not self._in_step(endpoint_id):
                endpoint, outlet = self._endpoints.sending(endpoint_id), self._outlets.get(endpoint_id)
                if outlet is not None and endpoint is not None and self._fits(outlet, endpoint):
                    outlet.update(endpoint)
                elif outlet is not None:
                    await self._close(outlet)
                elif endpoint is not None:
                    await self._open(endpoint)
        finally:
            self._settling.discard(endpoint_id)

    def _in_step(self, endpoint_id: str) -> bool:
        endpoint, outlet = self._endpoints.sending(endpoint_id), self._outlets.get(endpoint_id)
        if endpoint is None or not endpoint.enabled:
            return outlet is None
        return outlet is not None and outlet.endpoint is endpoint and self._fits(outlet, endpoint)

    def _fits(self, outlet: Outlet, endpoint: Endpoint) -> bool:
        """Whether the outlet can go on with the endpoint as it is now; else another one takes its place."""
        return endpoint.enabled and outlet.tenure is self._tenure and outlet.width == endpoint.delivery.width

    async def _open(self, endpoint: Endpoint) -> None:
        hooks = self._endpoints.hooks if endpoint.id == ROOMS else None
        kind: Callable[..., Outlet] = partial(Outlet, endpoint) if hooks is None else partial(HookOutlet, hooks)
        outlet = kind(
            database=self._database,
            ledger=self._ledger,
            journal=self._journal,
            clock=self._clock,
            random=self._random,
            settings=self._settings,
            tls=self._tls,
            hungry=self._hungry.set,
            gone=lambda: self._gone(endpoint.id),
            tell=lambda what, health: self._told(endpoint.id, what, health),
            receipts=self.receipts,
            resolve_and_vet=self._resolve,
            tenure=self._tenure,
            reached=self._reached,
        )
        self._outlets[endpoint.id] = outlet  # before it is open: it must miss nothing that is committed meanwhile
        try:
            await outlet.open()
        except BaseException:
            await outlet.close()
            del self._outlets[endpoint.id]
            raise
        if self._endpoints.sending(endpoint.id) is not None:
            self._journal.add(endpoint.id, outlet.progress)

    async def _close(self, outlet: Outlet) -> None:
        """Close the outlet; once its results are durable, it could be opened again."""
        await outlet.close()
        await self._journal.settle()
        self._journal.remove(outlet.endpoint.id)
        del self._outlets[outlet.endpoint.id]
        self._moved.set()

    def _reached(self) -> int:
        return self._sharing.feed.position if self._sharing is not None else 0
