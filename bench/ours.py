"""Callboard: commits through `Ledger.commit`, deliveries by the dispatcher. Nothing in it is told that it is measured.

`python -m bench.ours CORE PORT LOG SECRET SECONDS RATE DATABASE [CA]`: RATE 0 is as fast as it goes, else so many a
second; with CA, over TLS.
Every commit is one event, durable (SQLite with synchronous FULL, or PostgreSQL), delivered in order, each attempt
logged. What happens is made up before the measurement (that is the rooms' work), all that is done with it is not.
Writes a line `stream seq nanoseconds` per event into LOG, the moment it was known to be durable. Prints one line of
JSON.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import secrets
import ssl
import sys
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import uvloop

from bench.cpu import Meter, Usage, pin
from bench.load import CONNECTIONS, WARM_UP, Lines, paced
from callboard.clock import RandomIds, SystemClock
from callboard.database import open_database
from callboard.ledger import Changes, Ledger, Recorded
from callboard.testing.facts import joined
from callboard.webhooks.dispatcher import Dispatcher
from callboard.webhooks.endpoint import EndpointRequest
from callboard.webhooks.endpoints import Endpoints
from callboard.webhooks.gauges import Settings
from callboard.webhooks.sender import SenderSettings

PRODUCERS = 256
"""Rooms in which something happens all the time, each commit awaited before the next."""
MOST_EVENTS = 60_000
"""A second, at most, as far as events are made up beforehand."""
BEHIND = 1024
"""Rooms pause while so many events are committed and not delivered: what is measured is what can be kept up."""


class Load:
    """The rooms."""

    def __init__(self, ledger: Ledger, dispatcher: Dispatcher) -> None:
        self._ledger = ledger
        self._dispatcher = dispatcher
        self._keeping_up = asyncio.Event()
        self._going = True
        self._made: dict[str, deque[Changes]] = {f"room{number}": deque() for number in range(PRODUCERS)}
        self.lines = Lines()
        ledger.subscribe(self._committed)

    def make(self, events: int) -> None:
        """Make up so many events, in the order in which they will happen; they are nobody's garbage to collect."""
        clock, ids = SystemClock(), RandomIds(1)
        for _ in range(events // PRODUCERS + 1):
            for room, made in self._made.items():
                made.append(joined(room, ids, clock))
        gc.collect()
        gc.freeze()

    def _committed(self, events: Sequence[Recorded]) -> None:
        now = time.time_ns()
        for event in events:
            self.lines.add(event.stream, event.seq, now)

    def delivered(self) -> int:
        return sum(gauges.delivered for gauges in self._dispatcher.gauges())

    def pending(self) -> int:
        return sum(gauges.pending for gauges in self._dispatcher.gauges())

    async def commit(self, room: str) -> None:
        await self._ledger.commit(self._made[room].popleft())

    async def as_fast_as_it_goes(self, seconds: float) -> tuple[Usage, int]:
        rooms = [asyncio.create_task(self._room(f"room{number}")) for number in range(PRODUCERS)]
        watch = asyncio.create_task(self._watch())
        await asyncio.sleep(WARM_UP)
        print("measuring", flush=True)
        meter, before = Meter(), self.delivered()
        await asyncio.sleep(seconds)
        usage, count = meter.read(), self.delivered() - before
        print("measured", flush=True)
        self._going = False
        self._keeping_up.set()
        watch.cancel()
        await asyncio.gather(*rooms)
        return usage, count

    async def at_a_rate(self, rate: float, seconds: float) -> tuple[Usage, int]:
        number = 0

        async def act() -> None:
            nonlocal number
            number += 1
            await self.commit(f"room{number % PRODUCERS}")

        print("measuring", flush=True)
        meter = Meter()
        await paced(rate, seconds, act)
        print("measured", flush=True)
        return meter.read(), number

    async def drained(self) -> None:
        while self.pending():
            await asyncio.sleep(0.01)

    async def _room(self, stream: str) -> None:
        while self._going:
            await self._keeping_up.wait()
            await self.commit(stream)

    async def _watch(self) -> None:
        while True:
            if self.pending() < BEHIND:
                self._keeping_up.set()
            else:
                self._keeping_up.clear()
            await asyncio.sleep(0.001)


async def main(core: int, port: int, log: Path, secret: str, seconds: float, rate: float, url: str, ca: str) -> None:
    pin(core)
    clock, ids = SystemClock(), RandomIds()
    database = open_database(url)
    await database.open()
    ledger = Ledger(database, account_id="a" * 24, app_id="b" * 24)
    hook = f"https://localhost:{port}/hook" if ca else f"http://127.0.0.1:{port}/hook"
    endpoints = Endpoints(database, clock, ids, secrets.token_bytes)
    await endpoints.load()
    await endpoints.create(EndpointRequest(url=hook, secrets=[secret]))
    settings = Settings(sender=SenderSettings(connections=CONNECTIONS))
    tls = ssl.create_default_context(cafile=ca) if ca else None
    dispatcher = Dispatcher(database, ledger, endpoints, clock, random.Random(), settings, tls=tls)
    load = Load(ledger, dispatcher)
    load.make(int((rate or MOST_EVENTS) * (seconds + WARM_UP)))
    await dispatcher.start()
    usage, count = await (load.at_a_rate(rate, seconds) if rate else load.as_fast_as_it_goes(seconds))
    async with asyncio.timeout(60):
        await load.drained()
    failed = sum(gauges.failed_attempts for gauges in dispatcher.gauges())
    await dispatcher.stop()
    await database.close()
    load.lines.write(log)
    print(json.dumps({"count": count, "wall": usage.wall, "cpu": usage.cpu, "failed": failed}))


if __name__ == "__main__":
    core, port, log, secret, seconds, rate, url, *ca = sys.argv[1:]
    uvloop.run(main(int(core), int(port), Path(log), secret, float(seconds), float(rate), url, "".join(ca)))
