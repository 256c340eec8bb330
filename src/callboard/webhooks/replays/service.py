"""Replays, put together: who takes requests for them, and who does them.

Owns: `ReplayService`. Every process that delivers does replays too: they need the same endpoints and the same client.
"""

from __future__ import annotations

from random import SystemRandom

from callboard.clock import Clock, Ids
from callboard.database import Database
from callboard.jobs import Backoff, Handlers, Office, Worker, WorkerSettings
from callboard.ledger import Ledger
from callboard.webhooks.endpoints import Endpoints
from callboard.webhooks.replays.desk import Desk
from callboard.webhooks.replays.line import Client
from callboard.webhooks.replays.part import QUICK
from callboard.webhooks.replays.work import KIND, Work


class ReplayService:
    """`desk` takes requests at any time; replays go on between `start` and `stop`.

    `per_second` is how many deliveries each replay begins at one endpoint, at most; `quick` are the delays in seconds
    after the first attempts for an event, `backoff` those for an endpoint that does not work.
    """

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        endpoints: Endpoints,
        clock: Clock,
        ids: Ids,
        client: Client,
        *,
        account_id: str,
        per_second: float = 10.0,
        quick: tuple[float, ...] = QUICK,
        backoff: Backoff = KIND.backoff,
        settings: WorkerSettings | None = None,
    ) -> None:
        handlers = Handlers()
        Work(database, ledger, endpoints, clock, client, per_second, quick, backoff).add_to(handlers)
        self.desk = Desk(database, ledger, endpoints, Office(database, ledger, handlers, clock), clock, ids, account_id)
        self._worker = Worker(
            database,
            ledger,
            handlers,
            name=f"replays-{ids.uuid()}",
            clock=clock,
            random=SystemRandom(),
            settings=settings or WorkerSettings(cores=1.0),
        )

    async def start(self) -> None:
        """Go on with whatever was begun."""
        await self._worker.start()

    async def stop(self) -> None:
        """Begin no more deliveries; replays go on at the next start, or at another node."""
        await self._worker.stop()
