"""A process that commits and delivers until it is killed: the other end of the crash tests.

`python -m callboard.testing.delivering DATABASE URL STREAMS SEED [DIE]`: opens the database, creates an endpoint for
URL if there is none (and prints `secret whsec_…`), and commits events to random streams as fast as a few rooms do. It
prints `durable ID` for each one whose commit returned. With DIE it kills itself when that many events are durable,
before anybody has been told. On SIGTERM it commits nothing more, delivers what is left, and ends in good order.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import signal
import sys
from collections.abc import Sequence

import uvloop

from callboard.clock import RandomIds, SystemClock
from callboard.database import open_database
from callboard.ledger import Ledger, Recorded
from callboard.testing.facts import joined
from callboard.webhooks.dispatcher import Dispatcher
from callboard.webhooks.endpoint import EndpointRequest
from callboard.webhooks.endpoints import Endpoints
from callboard.webhooks.gauges import Settings
from callboard.webhooks.retry import RetryPolicy
from callboard.webhooks.sender import SenderSettings

ROOMS = 8
CONNECTIONS = 8
SETTINGS = Settings(
    retry=RetryPolicy(quick=(0.01,), tail_first=0.02, tail_most=0.1),
    sender=SenderSettings(connections=CONNECTIONS, timeout=30.0),
)


class Death:
    """Kills this process, as a power cut would, when `after` events are durable."""

    def __init__(self, after: int) -> None:
        self._left = after

    def committed(self, events: Sequence[Recorded]) -> None:
        self._left -= len(events)
        if self._left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)


async def main(url: str, hook: str, streams: int, seed: int, die: int) -> None:
    clock, ids, source = SystemClock(), RandomIds(), random.Random(seed)  # noqa: S311 - which stream, no secret
    database = open_database(url)
    await database.open()
    ledger = Ledger(database, account_id="a" * 24, app_id="b" * 24)
    if die:
        ledger.subscribe(Death(die).committed)  # before the dispatcher: it hears of it first
    endpoints = Endpoints(database, clock, ids, secrets.token_bytes)
    await endpoints.load()
    if not endpoints.all():
        endpoint = await endpoints.create(EndpointRequest(url=hook))
        say(f"secret {endpoint.secrets[0]}")
    dispatcher = Dispatcher(database, ledger, endpoints, clock, source, SETTINGS)
    await dispatcher.start()
    ending = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ending.set)

    async def room() -> None:
        while not ending.is_set():
            (recorded,) = await ledger.commit(joined(f"room{source.randrange(streams)}", ids, clock))
            say(f"durable {recorded.id}")
            await asyncio.sleep(source.random() * 0.004)

    await asyncio.gather(*(room() for _ in range(ROOMS)))
    while any(gauges.pending for gauges in dispatcher.gauges()):  # noqa: ASYNC110 - nobody else waits for this
        await asyncio.sleep(0.01)
    await dispatcher.stop()
    await database.close()


def say(line: str) -> None:
    """One line to whoever started this process, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    url, hook, streams, seed, *die = sys.argv[1:]
    uvloop.run(main(url, hook, int(streams), int(seed), int(die[0]) if die else 0))
