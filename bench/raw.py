"""The limit: signed POSTs through Callboard's sender, and nothing else: no store, no lanes, no log of attempts.

`python -m bench.raw CORE PORT LOG SECRET SECONDS RATE [CA]`: RATE 0 is as fast as it goes, else so many a second; with
CA, over TLS. With a
rate it writes a line `stream seq nanoseconds` per POST into LOG, the moment of sending. Prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time
from collections import deque
from pathlib import Path

import uvloop

from bench.cpu import Meter, pin
from bench.load import CONNECTIONS, WARM_UP, Lines, paced
from callboard.clock import RandomIds, SystemClock
from callboard.events import encode
from callboard.ledger import Recorded
from callboard.testing.facts import joined
from callboard.webhooks.endpoint import EndpointRequest, new_endpoint
from callboard.webhooks.reach import Target
from callboard.webhooks.request import Renderer
from callboard.webhooks.sender import Pool, SenderSettings

STREAM = "raw"


class Endless:
    """A source that always has the same event to send."""

    def __init__(self, renderer: Renderer) -> None:
        self._render = renderer.render
        self._event = recorded(1)
        self._stream = STREAM.encode()
        self.count = self.failed = 0
        self.going = True

    def take(self) -> Recorded | None:
        return self._event if self.going else None

    def render(self, work: Recorded) -> bytes:
        return self._render(work, self._stream, time.time_ns())

    def finished(self, _work: Recorded, status: int, *_: object) -> None:
        self.count += 1
        if status != 200:
            self.failed += 1


class Given(Endless):
    """A source that has what it was given."""

    def __init__(self, renderer: Renderer) -> None:
        super().__init__(renderer)
        self.ready: deque[Recorded] = deque()

    def take(self) -> Recorded | None:
        return self.ready.popleft() if self.ready else None


def recorded(seq: int) -> Recorded:
    """An event as the ledger would have recorded it."""
    clock = SystemClock()
    (fact,) = joined(STREAM, RandomIds(), clock).facts
    body = encode(
        fact.payload, id=fact.id, account_id="a" * 24, app_id="b" * 24, template_id=fact.template_id, at=fact.at
    )
    kind = fact.payload.EVENT
    return Recorded(
        seq, fact.id, STREAM, seq, kind, fact.room_id, STREAM, fact.peer_id, fact.at, fact.at, "server", "", body
    )


async def as_fast_as_it_goes(pool: Pool[Recorded], source: Endless, seconds: float) -> dict[str, float]:
    pool.wake()
    await asyncio.sleep(WARM_UP)
    meter, before = Meter(), source.count
    await asyncio.sleep(seconds)
    usage, count = meter.read(), source.count - before
    source.going = False
    return {"count": count, "wall": usage.wall, "cpu": usage.cpu}


async def at_a_rate(pool: Pool[Recorded], source: Given, seconds: float, rate: float, lines: Lines) -> dict[str, float]:
    sent = 0

    async def send() -> None:
        nonlocal sent
        sent += 1
        event = recorded(sent)
        lines.add(STREAM, sent, time.time_ns())
        source.ready.append(event)
        pool.wake()

    meter = Meter()
    await paced(rate, seconds, send)
    usage = meter.read()
    while source.count < sent:
        await asyncio.sleep(0.01)
    return {"count": source.count, "wall": usage.wall, "cpu": usage.cpu}


async def main(core: int, port: int, log: Path, secret: str, seconds: float, rate: float, ca: str) -> None:
    pin(core)
    endpoint = new_endpoint(
        EndpointRequest(url=f"http://127.0.0.1:{port}/hook", secrets=[secret]), "raw", lambda _: b"", 0
    )
    renderer = Renderer(endpoint)
    source: Endless = Given(renderer) if rate else Endless(renderer)
    tls = ssl.create_default_context(cafile=ca) if ca else None
    target = Target("localhost" if ca else "127.0.0.1", port, tls)
    pool: Pool[Recorded] = Pool(target, source, SenderSettings(connections=CONNECTIONS))
    lines = Lines()
    if isinstance(source, Given):
        result = await at_a_rate(pool, source, seconds, rate, lines)
    else:
        result = await as_fast_as_it_goes(pool, source, seconds)
    await pool.stop(10)
    lines.write(log)
    print(json.dumps({**result, "failed": source.failed}))


if __name__ == "__main__":
    core, port, log, secret, seconds, rate, *ca = sys.argv[1:]
    uvloop.run(main(int(core), int(port), Path(log), secret, float(seconds), float(rate), "".join(ca)))
