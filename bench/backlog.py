"""What a backlog costs: `python -m bench.backlog [EVENTS ...]`, by default 1,000, 100,000 and 1,000,000.

An endpoint that was down has so many events waiting for it, in sessions of `EACH`, in an SQLite file. A dispatcher is
started and delivers the first `MOST` of them (or all), each attempt logged, pinned to one core. Printed for each: how
long until it could begin, CPU for each event delivered, and the memory beyond what the process had before; the ratios
are to the smallest backlog. A run that disordered anything gives no figure.
"""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import apsw
import uvloop

from bench.check import judge
from bench.cpu import Meter, pin
from bench.load import CONNECTIONS
from bench.raw import recorded
from bench.run import CORE, RECEIVER_CORE, SECRET, receiver
from callboard.clock import RandomIds, SystemClock
from callboard.database import open_database
from callboard.ledger import Ledger
from callboard.webhooks.dispatcher import Dispatcher
from callboard.webhooks.endpoint import EndpointRequest
from callboard.webhooks.endpoints import Endpoints
from callboard.webhooks.gauges import Settings
from callboard.webhooks.sender import SenderSettings

SIZES = (1_000, 100_000, 1_000_000)
EACH = 50
MOST = 20_000
FILL = """
WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :events)
INSERT INTO event (position, id, stream, seq, type, room_id, session_id, peer_id, at, committed_at, actor, cause, body)
SELECT n + 1, printf('%036d', n), 'room' || (n % :streams), n / :streams + 1, :type, 'room', 'room' || (n % :streams),
    'peer', :now, :now, 'server', '', :body
FROM numbers
"""
STREAMS = """
INSERT INTO stream (id, room_id, seq) SELECT stream, 'room', MAX(seq) FROM event GROUP BY stream
"""


def fill(path: Path, events: int) -> None:
    """Put the backlog into a database that has its schema and an endpoint."""
    sample = recorded(1)
    connection = apsw.Connection(str(path))
    given = {
        "events": events,
        "streams": max(1, events // EACH),
        "type": sample.type,
        "now": time.time_ns(),
        "body": sample.body,
    }
    with connection:
        connection.execute(FILL, given)
        connection.execute(STREAMS)
    connection.close()


async def prepared(path: Path, port: int) -> None:
    database = open_database(f"sqlite:///{path}")
    await database.open()
    endpoints = Endpoints(database, SystemClock(), RandomIds(), secrets.token_bytes)
    await endpoints.load()
    await endpoints.create(EndpointRequest(url=f"http://127.0.0.1:{port}/hook", secrets=[SECRET]))
    await database.close()


def resident() -> int:
    """Bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def drain(path: Path, wanted: int) -> None:
    """Deliver so many events of what is there. Prints one line of JSON."""
    pin(CORE)
    clock = SystemClock()
    database = open_database(f"sqlite:///{path}")
    await database.open()
    ledger = Ledger(database, account_id="a" * 24, app_id="b" * 24)
    endpoints = Endpoints(database, clock, RandomIds(), secrets.token_bytes)
    await endpoints.load()
    settings = Settings(sender=SenderSettings(connections=CONNECTIONS))
    dispatcher = Dispatcher(database, ledger, endpoints, clock, random.Random(), settings)
    before, opening = resident(), Meter()
    await dispatcher.start()
    opened, meter = opening.read(), Meter()
    most = before
    while sum(gauges.delivered for gauges in dispatcher.gauges()) < wanted:
        await asyncio.sleep(0.02)
        most = max(most, resident())
    usage, delivered = meter.read(), sum(gauges.delivered for gauges in dispatcher.gauges())
    await dispatcher.stop()
    await database.close()
    print(json.dumps({"opening": opened.cpu, "each": usage.cpu / delivered, "memory": most - before}))


def measure(events: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="callboard-bench-") as name:
        path, received = Path(name) / "callboard.db", Path(name) / "received"
        with receiver(received, awake=False) as port:
            asyncio.run(prepared(path, port))
            fill(path, events)
            command = [sys.executable, "-m", "bench.backlog", "drain", str(path), str(min(events, MOST))]
            ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=280, check=True)
        verdict = judge(received, received)
        if verdict.disordered or verdict.duplicates:
            raise SystemExit(f"No figures: {verdict.disordered} disordered, {verdict.duplicates} twice")
        said: dict[str, float] = json.loads(ended.stdout)
        return said


def main(sizes: list[int]) -> None:
    assert RECEIVER_CORE != CORE
    first: dict[str, float] = {}
    print(f"{'backlog':>10}  {'CPU to begin':>13}  {'CPU an event':>13}  ratio  {'memory':>9}  ratio")
    for events in sizes:
        found = measure(events)
        first = first or found
        print(
            f"{events:>10,}  {found['opening'] * 1e3:>10.1f} ms  {found['each'] * 1e6:>10.1f} us"
            f"  {found['each'] / first['each']:5.2f}  {found['memory'] / 1e6:>6.1f} MB"
            f"  {found['memory'] / first['memory']:5.2f}",
            flush=True,
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["drain"]:
        uvloop.run(drain(Path(sys.argv[2]), int(sys.argv[3])))
    else:
        main([int(each) for each in sys.argv[1:]] or list(SIZES))
