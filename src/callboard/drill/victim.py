"""The process that is killed: it commits events and delivers them, with everything that a server does for that.

`python -m callboard.drill.victim`: the program that makes them (`nursery`).

Owns: `Orders`, `live`.

Always holds: an id is written down as soon as its commit has returned, in a file that outlives the process.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import signal
from collections.abc import Callable
from dataclasses import replace

import msgspec

from callboard.clock import Clock, Ids, RandomIds, SystemClock
from callboard.database import Unit, open_database
from callboard.drill.nursery import nurse
from callboard.drill.points import Faulty, Fuse, FusedClock
from callboard.ledger import Changes, Ledger
from callboard.rooms.models import Room, RoomWebhook
from callboard.rooms.rooms import room_row
from callboard.testing.facts import joined
from callboard.webhooks import journal
from callboard.webhooks.dispatcher import Dispatcher
from callboard.webhooks.endpoint import EndpointRequest
from callboard.webhooks.endpoints import Endpoints
from callboard.webhooks.gauges import Settings
from callboard.webhooks.health import HealthPolicy
from callboard.webhooks.retry import RetryPolicy
from callboard.webhooks.room_hooks import RoomHooks
from callboard.webhooks.sender import SenderSettings
from callboard.webhooks.shards import SHARDS

CROWD = 8
"""Rooms in which something happens at the same time, and connections."""
LEASE = 0.5
"""Seconds after which a dead node's shards are taken over: ten times shorter than usual, so that more can be killed."""
LEASE_OF_MANY = 1.5
"""The same, of several nodes at a time. One that gets no processor for so long is taken for dead, and repeats what it
had under way as a dead one would, though nobody killed it: that is not what is counted."""
WORKSPACE_SECRET = "of the drill"  # noqa: S105 - guards nothing
CHECKPOINT_SECONDS = 0.05
"""Twenty times more marks than usual, so that some are written before the end."""

SETTINGS = Settings(
    retry=RetryPolicy(quick=(0.01,), tail_first=0.02, tail_most=0.1),
    health=HealthPolicy(probe_first=0.02, probe_most=0.05),
    sender=SenderSettings(connections=CROWD, timeout=30.0),
)


class Orders(msgspec.Struct, frozen=True):
    """What one process does. `acknowledged` is the file for the ids; `rooms` 1: one event at a time, the next one when
    the attempt that delivered it is durable; 0: it delivers what there is. It ends on SIGTERM, in good order, or by the
    fuse. `lease` is in seconds. Of the `streams` every second is of a room that has its own webhook, at `own_hook`.
    """

    database: str
    hook: str
    own_hook: str
    secret: str
    acknowledged: str
    seed: int
    rooms: int
    streams: int = 12
    point: str = ""
    count: int = 0
    lease: float = LEASE


async def live(orders: Orders) -> None:
    """Until the end that the orders foresee, or none."""
    journal.CHECKPOINT_SECONDS = CHECKPOINT_SECONDS
    recorded = asyncio.Event()
    fuse, clock, ids = Fuse(orders.point, orders.count), SystemClock(), RandomIds()
    database = Faulty(open_database(orders.database, clock=FusedClock(fuse)), fuse, recorded.set)
    await database.open()
    ledger = Ledger(database, account_id="a" * 24, app_id="b" * 24)
    endpoints = Endpoints(database, clock, ids, secrets.token_bytes, hooks=RoomHooks(database, WORKSPACE_SECRET))
    await endpoints.load()
    await database.commit(Unit(tuple(map(room_row, _rooms_with_webhooks(orders)))))
    if not endpoints.all():
        await endpoints.create(EndpointRequest(url=orders.hook, secrets=[orders.secret]))
    source = random.Random(orders.seed)  # noqa: S311 - which stream, no secret
    dispatcher = Dispatcher(database, ledger, endpoints, clock, source, replace(SETTINGS, lease=orders.lease))
    await dispatcher.start()
    ending = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ending.set)
    say = _written(orders.acknowledged)

    async def room() -> None:
        while not ending.is_set():
            recorded.clear()
            (event,) = await ledger.commit(_fact(source.randrange(orders.streams), ids, clock))
            say(f"{event.id}\n")
            if orders.rooms == 1:
                await recorded.wait()
            else:
                await asyncio.sleep(source.random() * 0.004)

    if orders.rooms <= 1:
        await _alone(dispatcher)
        await _delivered(dispatcher)  # what the one before it left behind, one event at most
        if any(gauges.delivered for gauges in dispatcher.gauges()):
            await recorded.wait()
    await asyncio.gather(*(room() for _ in range(orders.rooms)))
    await _delivered(dispatcher)
    await dispatcher.stop()
    await database.close()


def _rooms_with_webhooks(orders: Orders) -> list[Room]:
    webhook = RoomWebhook(url=orders.own_hook)
    ids = [_room_id(number) for number in range(0, orders.streams, 2)]
    return [Room(id=id_, name=id_, template_id="", webhook=webhook, created_at=1, updated_at=1) for id_ in ids]


def _fact(number: int, ids: Ids, clock: Clock) -> Changes:
    """Something happens in the room with this number."""
    (fact,) = joined(f"room{number}", ids, clock).facts
    room_id = _room_id(number)
    return Changes(facts=(replace(fact, room_id=room_id, hook="" if number % 2 else room_id),))


def _room_id(number: int) -> str:
    return f"{number:024x}"


async def _alone(dispatcher: Dispatcher) -> None:
    """The one before it is dead, which shows when its lease has run out."""
    while dispatcher.shards < SHARDS:  # noqa: ASYNC110 - nobody else waits for this
        await asyncio.sleep(0.002)


async def _delivered(dispatcher: Dispatcher) -> None:
    while any(gauges.pending for gauges in dispatcher.gauges()):  # noqa: ASYNC110 - nobody else waits for this
        await asyncio.sleep(0.002)


def _written(path: str) -> Callable[[str], object]:
    """Append to a file; what was appended stays when the process is killed (not when the machine is)."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    return lambda text: os.write(file, text.encode())


if __name__ == "__main__":
    nurse(Orders, live)
