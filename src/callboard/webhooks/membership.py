"""This dispatcher among those that share its database: joining, holding shards, handing them over, leaving.

Owns: `Membership`.

Always holds: a node that has shown no beat for a lease is fenced by whoever sees it, its row deleted; from then on
nothing that it writes is committed (`Journal`), and its shards are free. It sends nothing more itself once it could not
renew its lease for 4/5 of that time. A shard changes hands between nodes that live only after its holder has ended the
attempts under way and made their results durable.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from callboard.clock import Clock, Ids
from callboard.database import Database, DatabaseStopped, Delete, Guard, GuardFailed, Put, Unit
from callboard.database.interface import DatabaseBusy, QueryFailed
from callboard.database.tables import DELIVERY_NODE, DELIVERY_SHARD
from callboard.webhooks.journal import Journal
from callboard.webhooks.shards import NOTHING, Node, Plan, Pulses, Shard, Tenure, plan

BEATS = 5
"""Beats within a lease."""

log = logging.getLogger("callboard.webhooks")

Adopt = Callable[[Tenure], Awaitable[None]]
"""Deliver the streams of this tenure and no others; returns once the attempts for others have ended and are durable."""


class Membership:
    """See the module. Used on the event loop's thread only. `lease` is in seconds."""

    def __init__(
        self, database: Database, journal: Journal, clock: Clock, ids: Ids, lease: float, adopt: Adopt
    ) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._ids = ids
        self._lease = lease
        self._adopt = adopt
        self._loop = asyncio.get_running_loop()
        self._pulses = Pulses(lease)
        self._node = Node("", 0, 0)
        self._fence = _fence(self._node)
        self._shards: dict[int, Shard] = {}
        self._lost = asyncio.Event()
        self._news = asyncio.Event()
        self._unsubscribe = database.on_notice("delivery_shard", self._news.set)
        self._beating: asyncio.Task[None] | None = None
        self._minding: asyncio.Task[None] | None = None

    async def join(self) -> Tenure:
        """Be one of the nodes, and take what is free at once. Raises what `Database.fetch` and `commit` raise."""
        await self._register()
        await self._beat()
        self._beating = self._loop.create_task(self._keep_beating())
        nodes, shards = await self._read()
        await self._claim(plan(self._node.id, {node.id for node in nodes}, shards))
        return self._tenure()

    def run(self) -> None:
        """Mind the others from now on."""
        self._minding = self._loop.create_task(self._mind())

    async def rest(self) -> None:
        """Take and give no more shards; those held are held on to."""
        self._unsubscribe()
        await _cancelled(self._minding)

    async def leave(self) -> None:
        """Give all shards back, after everything about them is durable, and be no node any more."""
        await _cancelled(self._beating)
        rows = [*self._given(self._shards), Delete(DELIVERY_NODE, (self._node.id,))]
        with suppress(GuardFailed):  # then others have them already
            await self._database.commit(Unit(tuple(rows), guards=(self._fence,)))

    def lose(self) -> None:
        """Something could not be written: this node has been fenced."""
        self._journal.revoke()
        self._lost.set()
        self._news.set()

    # The row of this node.

    async def _register(self) -> None:
        now = self._clock.now()
        self._node = Node(self._ids.uuid(), now, 0)
        self._fence = _fence(self._node)
        self._shards = {}
        await self._database.commit(Unit((Put(DELIVERY_NODE, (*self._node, now)),)))

    async def _beat(self) -> None:
        """Show a beat. From before it is written until the lease has run out, nobody takes this node for dead."""
        began, node = self._loop.time(), self._node._replace(beat=self._node.beat + 1)
        row = Put(DELIVERY_NODE, (*node, self._clock.now()))
        await self._database.commit(Unit((row,), guards=(self._fence,)))
        self._node = node
        self._journal.permit(self._fence, began + self._lease * (BEATS - 1) / BEATS)

    async def _keep_beating(self) -> None:
        while True:
            await asyncio.sleep(self._lease / BEATS)
            try:
                await self._beat()
            except GuardFailed:
                self.lose()
                return
            except DatabaseBusy:
                log.warning("node %s: no beat, the database is busy", self._node.id)
            except DatabaseStopped:
                return

    # Shards.

    async def _mind(self) -> None:
        while True:
            self._news.clear()
            try:
                await self._act()
            except (QueryFailed, TimeoutError, DatabaseBusy):
                log.exception("node %s: shards are not looked after; trying again", self._node.id)
            except DatabaseStopped:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(self._lease / BEATS):
                    await self._news.wait()

    async def _act(self) -> None:
        if self._lost.is_set():
            await self._begin_again()
        nodes, shards = await self._read()
        dead = self._pulses.dead((node for node in nodes if node.id != self._node.id), self._loop.time())
        for node in dead:
            await self._bury(node)
        alive = {node.id for node in nodes} - {node.id for node in dead}
        if self._node.id not in alive:
            return self.lose()
        wanted = plan(self._node.id, alive, shards)
        if wanted.release:
            await self._release(wanted.release)
        elif wanted.claim and await self._claim(wanted):
            await self._adopt(self._tenure())
        return None

    async def _begin_again(self) -> None:
        """Others took this node for dead: what it held is theirs. It is a new node from here on."""
        log.warning("node %s was taken for dead: it gives up its shards and joins again", self._node.id)
        await _cancelled(self._beating)
        self._lost.clear()
        self._shards = {}
        await self._adopt(NOTHING)
        await self._register()
        await self._beat()
        self._beating = self._loop.create_task(self._keep_beating())

    async def _bury(self, node: Node) -> None:
        """Fence a node that shows no beat. One that does after all wins."""
        log.warning("node %s shows no beat for %s s: its shards are taken over", node.id, self._lease)
        guards = (Guard(DELIVERY_NODE, (node.id,), "beat", node.beat),)
        with suppress(GuardFailed):
            await self._database.commit(Unit((Delete(DELIVERY_NODE, (node.id,)),), guards=guards))

    async def _claim(self, wanted: Plan) -> bool:
        """Take shards that are free. Returns whether that was so for all of them; if not, none is taken."""
        if not wanted.claim:
            return False
        taken = [Shard(shard.number, self._node.id, shard.epoch + 1) for shard in wanted.claim]
        guards = tuple(Guard(DELIVERY_SHARD, (shard.number,), "epoch", shard.epoch) for shard in wanted.claim)
        try:
            await self._database.commit(
                Unit(tuple(Put(DELIVERY_SHARD, shard) for shard in taken), guards=(self._fence, *guards))
            )
        except GuardFailed:
            self._news.set()  # somebody was quicker: look again
            return False
        self._shards |= {shard.number: shard for shard in taken}
        log.info("node %s delivers %d of the shards", self._node.id, len(self._shards))
        return True

    async def _release(self, numbers: frozenset[int]) -> None:
        """Hand shards over: when nothing of theirs is under way any more, whoever wants them may have them."""
        leaving = {number: self._shards.pop(number) for number in numbers}
        await self._adopt(self._tenure())
        try:
            await self._database.commit(Unit(tuple(self._given(leaving)), guards=(self._fence,)))
        except GuardFailed:
            self.lose()

    def _given(self, shards: dict[int, Shard]) -> list[Put | Delete]:
        return [Put(DELIVERY_SHARD, (number, "", shard.epoch + 1)) for number, shard in shards.items()]

    def _tenure(self) -> Tenure:
        return Tenure(frozenset(self._shards))

    async def _read(self) -> tuple[list[Node], list[Shard]]:
        # Shards first: a node that is not there when its shards are read as its own has gone meanwhile, or was fenced.
        shards = await self._database.fetch("delivery_shards")
        nodes = await self._database.fetch("delivery_nodes")
        return [Node(*row) for row in nodes], [Shard(*row) for row in shards]  # type: ignore[arg-type]  # as declared


def _fence(node: Node) -> Guard:
    return Guard(DELIVERY_NODE, (node.id,), "joined_at", node.joined_at)


async def _cancelled(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
