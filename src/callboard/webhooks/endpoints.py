"""The actions on endpoints: create, change, delete; and the endpoints there are.

Owns: `Endpoints`, which keeps all of them in memory (they are few), as committed; their secrets are sealed in the
database.

Always holds: what `get` and `all` return is durable. A new endpoint begins at the present: it is sent what is
committed after its creation, and nothing older. Whoever watches is told of a change after it is durable, of a
deletion before, so that nothing is written about an endpoint that is gone. A change is made to the endpoint as the
database has it, also when another node has just changed it. Raises `callboard.errors` refusals, which change
nothing, and what `Database.commit` raises.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from msgspec import UNSET

from callboard.clock import Clock, Ids
from callboard.database import Database, Delete, Guard, GuardFailed, Put, Unit
from callboard.database.tables import DELIVERY_CURSOR, DELIVERY_MARK, ENDPOINT, ENDPOINT_HEALTH, SHARD_MARK
from callboard.errors import Conflict, Invalid, NotFound
from callboard.webhooks import keys
from callboard.webhooks.endpoint import (
    Endpoint,
    EndpointRequest,
    changed_endpoint,
    endpoint_of,
    endpoint_row,
    new_endpoint,
    rotated_endpoint,
    sealed_with,
)
from callboard.webhooks.guard import Policy
from callboard.webhooks.health import healthy
from callboard.webhooks.hosts import url_problem
from callboard.webhooks.keys import SigningKey
from callboard.webhooks.operational import forget_notices
from callboard.webhooks.parking import forget
from callboard.webhooks.room_hooks import ROOMS, RoomHooks
from callboard.webhooks.selection import Selection
from callboard.webhooks.tls import Identity, IdentityError, context_for
from callboard.webhooks.vault import Vault

MAX_ENDPOINTS = 100

log = logging.getLogger("callboard.webhooks")

_T = TypeVar("_T")

Watcher = Callable[[str], None]
"""Told the id of an endpoint that was created, changed or deleted: `get` says what it is now, if it still
is."""


async def sealed_endpoint(database: Database) -> str:
    """Which endpoint there is that only a master key opens; "" if there is none."""
    rows = await database.fetch("endpoints")
    return next((f"endpoint {row[0]!s}" for row in rows if sealed_with(row)), "")


class Endpoints:
    """See the module. Used on the event loop's thread only."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        ids: Ids,
        random_bytes: Callable[[int], bytes],
        vault: Vault | None = None,
        policy: Policy | None = None,
        hooks: RoomHooks | None = None,
    ) -> None:
        """`random_bytes(n)` must be unpredictable (`secrets.token_bytes`). Without a `vault`, secrets are written as
        they are; without a `policy`, URLs may lead anywhere. `hooks` are the webhooks of rooms; without them their
        events go nowhere.
        """
        self._database = database
        self._clock = clock
        self._ids = ids
        self._random_bytes = random_bytes
        self._vault = vault
        self._policy = policy
        self.hooks = hooks
        self._endpoints: dict[str, Endpoint] = {}
        self._watchers: list[Watcher] = []
        self._changing = asyncio.Lock()
        self._running: set[asyncio.Task[Any]] = set()

    async def load(self) -> None:
        """Read the endpoints from the database. Once, before anything else.

        Those that are not sealed with the current master key are sealed with it. Raises `VaultError` if one cannot be
        opened.
        """
        rows = await self._database.fetch("endpoints")
        self._endpoints = {str(row[0]): endpoint_of(row, self._vault) for row in rows}
        vault = self._vault
        stale = [str(row[0]) for row in rows if vault and not vault.is_current(sealed_with(row))]
        if stale:
            sealed = tuple(endpoint_row(self._endpoints[id_], vault) for id_ in stale)
            with suppress(GuardFailed):  # then another node has just written some: it seals them itself
                await self._database.commit(
                    Unit(sealed, guards=tuple(_as_it_is(self._endpoints[id_]) for id_ in stale))
                )
            log.info("secrets of %d webhook endpoints were encrypted with the current master key", len(stale))

    async def refresh(self) -> None:
        """Read again what other nodes may have changed, and tell of it. Raises what `Database.fetch` raises.

        A caller that is cancelled ends it: nothing goes on after the database is closed.
        """
        async with self._changing:
            await self._reread()

    def all(self) -> list[Endpoint]:
        """Every endpoint, oldest first."""
        return list(self._endpoints.values())

    def get(self, endpoint_id: str) -> Endpoint | None:
        """The endpoint, if there is one with this id."""
        return self._endpoints.get(endpoint_id)

    def sent_to(self) -> list[Endpoint]:
        """Every endpoint, and the one that stands for the webhooks of rooms."""
        return [*self._endpoints.values(), *([self.hooks.standing] if self.hooks else [])]

    def sending(self, endpoint_id: str) -> Endpoint | None:
        """One of `sent_to`."""
        return self.hooks.standing if self.hooks and endpoint_id == ROOMS else self.get(endpoint_id)

    def check_url(self, url: str) -> str:
        """Why deliveries may not reach this URL; "" if they may, as far as can be told without asking for the name."""
        return url_problem(self._policy, url) if self._policy is not None else ""

    def keys_of(self, endpoint: Endpoint) -> tuple[SigningKey, ...]:
        """The endpoint's keys that sign now, the newest first."""
        return keys.active(endpoint.keys, self._clock.now())

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Tell `watcher` of every change from now on. Returns what ends it."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    async def create(self, request: EndpointRequest) -> Endpoint:
        """A new endpoint. Raises `Invalid`, and `Conflict` when there are `MAX_ENDPOINTS`."""
        return await self._whole(self._create(request))

    async def update(self, endpoint_id: str, request: EndpointRequest, *more: Put) -> Endpoint:
        """The endpoint with what `request` says, committed with the rows `more`. Raises `Invalid`, `NotFound`."""
        return await self._whole(self._changed(lambda: self._update(endpoint_id, request, *more)))

    async def rotate(self, endpoint_id: str, overlap_seconds: float = keys.OVERLAP_SECONDS) -> Endpoint:
        """The endpoint with new keys; its present ones sign beside them for `overlap_seconds` (0: not at all).

        Raises `NotFound`, `Invalid` for an overlap of more than 7 days, `Conflict` when too many keys would sign at the
        same time.
        """
        return await self._whole(self._changed(lambda: self._rotate(endpoint_id, overlap_seconds)))

    async def pause(self, endpoint_id: str) -> Endpoint:
        """Nothing is sent to the endpoint until it is resumed; its events wait. Raises `NotFound`."""
        return await self.update(endpoint_id, EndpointRequest(paused=True))

    async def resume(self, endpoint_id: str) -> Endpoint:
        """The endpoint is not paused any more; and what its failures made us wait for is not waited for.

        Raises `NotFound`, `Conflict` if it is not enabled.
        """
        if self._found(endpoint_id).enabled:
            return await self.update(endpoint_id, EndpointRequest(paused=False))
        raise Conflict("the endpoint is disabled", ("enabled: enable it, and its events are sent",))

    async def delete(self, endpoint_id: str) -> None:
        """The endpoint and how far it has come are gone; the attempts made for it stay. Raises `NotFound`."""
        await self._whole(self._changed(lambda: self._delete(endpoint_id)))

    async def _create(self, request: EndpointRequest) -> Endpoint:
        async with self._changing:
            if len(self._endpoints) >= MAX_ENDPOINTS:
                raise Conflict("too many endpoints", (f"there can be {MAX_ENDPOINTS}: delete one first",))
            now = self._clock.now()
            endpoint = new_endpoint(request, self._ids.object_id(now), self._random_bytes, now)
            self._vet(endpoint)
            _check_tls(endpoint)
            await self._check_selection(endpoint.selection)
            ((position,),) = await self._database.fetch("highest_position")
            mark = Put(DELIVERY_MARK, (endpoint.id, position))
            await self._database.commit(Unit((endpoint_row(endpoint, self._vault), mark)))
            self._endpoints[endpoint.id] = endpoint
            self._tell(endpoint.id)
            return endpoint

    async def _changed(self, change: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        """Make `change`, one at a time; anew when another node has changed the endpoint meanwhile."""
        async with self._changing:
            while True:
                try:
                    return await change()
                except GuardFailed:
                    await self._reread()

    async def _update(self, endpoint_id: str, request: EndpointRequest, *more: Put) -> Endpoint:
        now = self._clock.now()
        found = self._found(endpoint_id)
        endpoint = changed_endpoint(found, request, self._random_bytes, now)
        _check_tls(endpoint)
        if endpoint.selection != found.selection:
            await self._check_selection(endpoint.selection)
        if request.url is not UNSET:  # else one that leads where it must not by now could not even be disabled
            self._vet(endpoint)
        well = [healthy(endpoint_id, now)] if endpoint.enabled > found.enabled else []
        return await self._put(endpoint, found, *more, *well)

    async def _rotate(self, endpoint_id: str, overlap_seconds: float) -> Endpoint:
        found, now = self._found(endpoint_id), self._clock.now()
        return await self._put(rotated_endpoint(found, overlap_seconds, self._random_bytes, now), found)

    async def _put(self, endpoint: Endpoint, found: Endpoint, *more: Put) -> Endpoint:
        rows = (endpoint_row(endpoint, self._vault), *more)
        await self._database.commit(Unit(rows, guards=(_as_it_is(found),)))
        self._endpoints[endpoint.id] = endpoint
        self._tell(endpoint.id)
        return endpoint

    async def _delete(self, endpoint_id: str) -> None:
        del self._endpoints[self._found(endpoint_id).id]
        self._tell(endpoint_id)
        # What was submitted for it earlier is durable after this, so all that is left of it can be read.
        there = Guard(ENDPOINT, (endpoint_id,), "id", endpoint_id)
        await self._database.commit(Unit((Delete(ENDPOINT, (endpoint_id,)),), guards=(there,)))
        await self._forget(endpoint_id)

    async def _forget(self, endpoint_id: str) -> None:
        """Delete how far an endpoint that is gone had come, so far as this node had written it."""
        cursors = await self._database.fetch("delivery_cursors", endpoint_id=endpoint_id, position=-1)
        marks = await self._database.fetch("shard_marks", endpoint_id=endpoint_id)
        gone = [Delete(DELIVERY_CURSOR, (endpoint_id, stream)) for _, stream, *_ in cursors]
        gone += [Delete(SHARD_MARK, (endpoint_id, shard)) for shard, _ in marks]
        gone += [Delete(table, (endpoint_id,)) for table in (DELIVERY_MARK, ENDPOINT_HEALTH)]
        await self._database.commit(Unit(tuple(gone)))
        await forget(self._database, endpoint_id)
        await forget_notices(self._database, endpoint_id)

    async def _reread(self) -> None:
        """Take in what other nodes have changed."""
        rows = {str(row[0]): row for row in await self._database.fetch("endpoints")}
        for endpoint_id in self._endpoints.keys() - rows.keys():
            del self._endpoints[endpoint_id]
            self._tell(endpoint_id)
            await self._forget(endpoint_id)  # this node may have written about it after it was deleted
        for endpoint_id, row in rows.items():
            known = self._endpoints.get(endpoint_id)
            if known is None or known.updated_at != row[3]:
                self._endpoints[endpoint_id] = endpoint_of(row, self._vault)
                self._tell(endpoint_id)

    async def _whole(self, action: Coroutine[Any, Any, _T]) -> _T:
        """Run the action to its end even if the caller is cancelled: memory and database must not part."""
        task = asyncio.ensure_future(action)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    def _vet(self, endpoint: Endpoint) -> None:
        if self._policy is not None and (problem := url_problem(self._policy, endpoint.url)):
            raise Invalid("invalid endpoint", (f"url: {problem}",))

    async def _check_selection(self, selection: Selection) -> None:
        """Raises `Invalid` if there is no such room or template."""
        for kind, id_ in (("room", selection.room_id), ("template", selection.template_id)):
            if id_ and not await self._database.fetch(f"{kind}_by_id", id=id_):
                raise Invalid("invalid endpoint", (f"{kind}_id: there is no {kind} with this id",))

    def _found(self, endpoint_id: str) -> Endpoint:
        endpoint = self._endpoints.get(endpoint_id)
        if endpoint is None:
            raise NotFound("endpoint not found")
        return endpoint

    def _tell(self, endpoint_id: str) -> None:
        for watcher in tuple(self._watchers):
            watcher(endpoint_id)


def _as_it_is(endpoint: Endpoint) -> Guard:
    """Holds while nobody has changed the endpoint."""
    return Guard(ENDPOINT, (endpoint.id,), "updated_at", endpoint.updated_at)


def _check_tls(endpoint: Endpoint) -> None:
    if endpoint.tls == Identity():
        return
    try:
        context_for(endpoint.tls)
    except IdentityError as error:
        raise Invalid("invalid endpoint", (f"tls.{error.field}: {error}",)) from None
