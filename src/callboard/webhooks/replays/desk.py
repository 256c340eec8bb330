"""The actions on replays: start, look up, cancel.

Owns: `Desk`.

Always holds: a replay, its parts and the jobs that do them are one commit. While a replay runs, asking for the same one
again starts no other, whichever node is asked. Raises `callboard.errors` refusals, which change nothing, and what
`Database.fetch` and `Ledger.commit` raise.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from callboard.clock import Clock, Ids
from callboard.database import Database, Guard, GuardFailed, Put
from callboard.database.tables import REPLAY_GATE
from callboard.errors import Conflict, Invalid, NotFound
from callboard.jobs import Office, new_job
from callboard.jobs.job import stored as job_stored
from callboard.ledger import Changes, Ledger
from callboard.webhooks.endpoints import Endpoints
from callboard.webhooks.replays import filters
from callboard.webhooks.replays import part as parts
from callboard.webhooks.replays.filters import Replay, Wanted, replay_of
from callboard.webhooks.replays.part import Part, part_of, status_of
from callboard.webhooks.replays.targets import target_of
from callboard.webhooks.replays.work import KIND, Task
from callboard.webhooks.room_hooks import ROOMS

FIRST_NUMBER: Final = 2
"""Of a replay: 1 is that of those of before they had numbers."""
MOST_OPEN: Final = 20
"""Replays that run or wait at the same time."""


@dataclass(frozen=True, slots=True)
class View:
    """A replay and how far it has come at each endpoint."""

    replay: Replay
    parts: list[Part]

    @property
    def status(self) -> str:
        return status_of(self.parts)

    @property
    def completed_at(self) -> int:
        """When the last part ended, 0 while one has not."""
        over = all(part.ended_at for part in self.parts)
        return max((part.ended_at for part in self.parts), default=self.replay.created_at) if over else 0


class Desk:
    """See the module. Used on the event loop's thread only. `account_id` is the workspace's."""

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        endpoints: Endpoints,
        office: Office,
        clock: Clock,
        ids: Ids,
        account_id: str,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._endpoints = endpoints
        self._office = office
        self._clock = clock
        self._ids = ids
        self._account_id = account_id

    async def start(self, wanted: Wanted, digest: str) -> tuple[View, bool]:
        """The replay that was asked for, and whether it is new.

        `digest` is that of what was said (`filters.digest`). Raises `Invalid` if there is no endpoint to replay to,
        `NotFound` for an endpoint or an event that there is not, `Conflict` when `MOST_OPEN` replays run.
        """
        await self._check_events(wanted)
        while True:
            with suppress(GuardFailed):  # another one was started meanwhile, maybe the same: look again
                return await self._start(wanted, digest)

    async def _start(self, wanted: Wanted, digest: str) -> tuple[View, bool]:
        """Raises `GuardFailed` if another one was started meanwhile."""
        ((fence,),) = await self._database.fetch("replay_gate")
        assert isinstance(fence, int)
        running = await self._database.fetch("open_replays")
        for replay_id, other in running:
            if other == digest:
                return await self.view(str(replay_id)), False
        if len(running) >= MOST_OPEN:
            raise Conflict("too many replays", (f"{MOST_OPEN} run already: wait for one to end, or cancel it",))
        return await self._begin(wanted, digest, fence), True

    async def view(self, replay_id: str) -> View:
        """Raises `NotFound`."""
        rows = await self._database.fetch("replay_by_id", id=replay_id)
        if not rows:
            raise NotFound("workflow not found")
        return await self._view(replay_of(rows[0]))

    async def newest(self, before: int, limit: int) -> list[View]:
        """At most `limit` replays that were asked for before that instant, newest first."""
        rows = await self._database.fetch("replay_page", before=before, limit=limit)
        return [await self._view(replay_of(row)) for row in rows]

    async def cancel(self, replay_id: str) -> View:
        """Stop it, if it has not ended; a delivery that is under way may still arrive. Raises `NotFound`."""
        view = await self.view(replay_id)
        for part in view.parts:
            if not part.ended_at:
                await self._office.cancel(part.job_id, "cancelled")
        return await self.view(replay_id)

    async def _view(self, replay: Replay) -> View:
        rows = await self._database.fetch("replay_parts", replay_id=replay.id)
        return View(replay, [part_of(row) for row in rows])

    async def _begin(self, wanted: Wanted, digest: str, fence: int) -> View:
        now = self._clock.now()
        replay_id = f"webhook-replay-{self._account_id}-{self._ids.uuid()[:8]}"
        if await self._database.fetch("replay_by_id", id=replay_id):
            return await self._begin(wanted, digest, fence)
        replay = Replay(replay_id, digest, wanted, await self._ledger.newest(), now, fence + FIRST_NUMBER)
        own, jobs = [], []
        for target_id in await self._chosen(wanted):
            task = Task(replay_id, target_id)
            job = new_job(KIND, task, now=now, ids=self._ids, subject=replay_id)
            own.append(parts.new(replay_id, target_id, job.id))
            jobs.append(job_stored(job))
        gate = Put(REPLAY_GATE, (0, fence + 1))
        rows = (filters.stored(replay), *map(parts.stored, own), *jobs, gate)
        guard = Guard(REPLAY_GATE, (0,), "fence", fence)
        await self._ledger.commit(Changes(rows=rows, guards=(guard,)))
        return View(replay, own)

    async def _chosen(self, wanted: Wanted) -> list[str]:
        """The ids of the targets: what is named, or else each endpoint that is enabled, and rooms' own webhooks."""
        if wanted.endpoint_id:
            if await target_of(self._endpoints, wanted.endpoint_id) is None:
                raise NotFound("endpoint not found")
            return [wanted.endpoint_id]
        chosen = [endpoint.id for endpoint in self._endpoints.all() if endpoint.enabled]
        if hooks := self._endpoints.hooks:
            one = wanted.room_id
            chosen += [one or ROOMS] if await (hooks.had(one) if one else hooks.any()) else []
        if not chosen:
            raise Invalid("there is nothing to replay to", ("there is no webhook endpoint that is enabled",))
        return chosen

    async def _check_events(self, wanted: Wanted) -> None:
        for event_id in wanted.event_ids:
            if await self._ledger.event(event_id) is None:
                raise NotFound("event not found", (event_id,))
