"""Every event of every node, in the order of positions: what a dispatcher that shares its database delivers from.

Owns: `Feed`.

Always holds: each event after the one it began with is offered once, in order. What this node commits is offered right
after its commit unless another node's events lie before it; those are read when a notice comes, or at the next look.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress

from callboard.database import Database, DatabaseStopped
from callboard.database.interface import QueryFailed
from callboard.ledger import Ledger, Recorded

POLL_SECONDS = 1.0
"""How late another node's events are, when its notice was lost."""
AGAIN_SECONDS = 1.0
PAGE = 500

log = logging.getLogger("callboard.webhooks")


class Feed:
    """See the module. Used on the event loop's thread only."""

    def __init__(self, database: Database, ledger: Ledger, offer: Callable[[Sequence[Recorded]], None]) -> None:
        self._database = database
        self._ledger = ledger
        self._offer = offer
        self._news = asyncio.Event()
        self._end: list[Callable[[], None]] = []
        self._task: asyncio.Task[None] | None = None
        self.position = 0
        """Everything up to here has been offered, or was there before."""

    async def start(self) -> None:
        """Begin with what is committed after now. Raises what `Database.fetch` raises."""
        self.position = await self._ledger.newest()
        self._end = [self._ledger.subscribe(self._own), self._database.on_notice("event", self._news.set)]
        self._task = asyncio.get_running_loop().create_task(self._read())

    async def stop(self) -> None:
        """Offer nothing more."""
        for end in self._end:
            end()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _own(self, events: Sequence[Recorded]) -> None:
        if events[-1].position - self.position == len(events):
            self._pass_on(events)
        else:
            self._news.set()

    def _pass_on(self, events: Sequence[Recorded]) -> None:
        self.position = events[-1].position
        self._offer(events)

    async def _read(self) -> None:
        while True:
            self._news.clear()
            try:
                page = await self._ledger.read(self.position, PAGE)
            except (QueryFailed, TimeoutError):
                log.exception("events of other nodes could not be read; trying again in %s s", AGAIN_SECONDS)
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            except DatabaseStopped:
                log.critical("events of other nodes are read no more: the database has stopped")
                return
            if events := [event for event in page if event.position > self.position]:  # meanwhile some may have come
                self._pass_on(events)
            if len(page) < PAGE:
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_SECONDS):
                        await self._news.wait()
