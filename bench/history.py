"""The bench of what is old: `python -m bench.history [EVENTS]` (some two minutes).

Two questions. How much memory does an export of so many events take, beside one of a tenth? And what does deleting old
events cost those who commit meanwhile: the time of a commit, at 200 a second, with nothing else, and while everything
old is being deleted, on SQLite and on PostgreSQL. Ratios of one run; the absolute figures belong to the machine.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path
from statistics import median

import uvloop

from bench.check import percentile
from callboard.api.events import exported
from callboard.clock import NANOSECONDS, RandomIds
from callboard.database import Database, Unit, open_database
from callboard.ledger import Filter, Ledger
from callboard.ledger.retention import EventRetention, Kept
from callboard.testing.facts import joined
from callboard.testing.postgresql import PostgresqlCluster
from callboard.testing.units import event

EVENTS = 50_000
RATE = 200
SECONDS = 10.0


class Ago:
    """A clock that is so many seconds behind."""

    def __init__(self) -> None:
        self.behind = 0.0

    def now(self) -> int:
        return time.time_ns() - int(self.behind * NANOSECONDS)


async def fill(database: Database, count: int) -> None:
    """So many events, each as large as a join."""
    ids, clock = RandomIds(), Ago()
    ledger = Ledger(database, account_id="a" * 24, app_id="b" * 24)
    for start in range(0, count, 500):
        changes = [joined(f"room{number % 50}", ids, clock) for number in range(start, min(start + 500, count))]
        await asyncio.gather(*(ledger.commit(change) for change in changes))


async def exporting(database: Database, upto: int) -> tuple[float, int]:
    """The most memory that was in use at a time, in MB, and how many bytes came out."""
    ledger = Ledger(database, account_id="a" * 24, app_id="b" * 24)
    tracemalloc.start()
    size = 0
    async for piece in exported(ledger, 0, upto, Filter()):
        size += len(piece)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 1e6, size


async def committing(database: Database) -> list[float]:
    """How long commits took, in ms."""
    took = []
    begin = time.perf_counter()
    for number in range(int(RATE * SECONDS)):
        await asyncio.sleep(max(0.0, begin + number / RATE - time.perf_counter()))
        started = time.perf_counter()
        await database.commit(Unit(events=(event(f"c{begin}-{number}", f"s{number % 9}", body=b"x" * 600),)))
        took.append((time.perf_counter() - started) * 1000)
    return sorted(took)


async def deleting(url: str, count: int) -> None:
    """Print what deleting costs."""
    clock = Ago()
    clock.behind = 100 * 86_400.0
    database = open_database(url, clock=clock)
    await database.open()
    await fill(database, count)
    clock.behind = 0.0
    alone = await committing(database)

    async def everything() -> int:
        return 2**63 - 1

    retention = EventRetention(database, clock, Kept(86_400.0, 0.0), everything)
    sweep = asyncio.create_task(retention.sweep())
    started = time.monotonic()
    beside = await committing(database)
    within = retention.deleted.events / (time.monotonic() - started)
    await sweep
    kind = url.partition(":")[0]
    for name, of in (("median", median), ("p99", lambda took: percentile(took, 0.99))):
        print(f"{kind}: {name} of a commit {of(alone):.2f} ms alone, {of(beside):.2f} ms beside"
              f" ({of(beside) / of(alone):.2f} ×)")  # fmt: skip
    print(f"{kind}: {within:.0f} events deleted a second meanwhile, {retention.deleted.events} in all")
    await database.close()


async def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(f"sqlite:///{Path(folder) / 'export.db'}")
        await database.open()
        await fill(database, count)
        small, _ = await exporting(database, count // 10)
        large, size = await exporting(database, count)
        print(f"export of {count} events, {size / 1e6:.1f} MB: at most {large:.2f} MB of memory,"
              f" {large / small:.2f} × that of a tenth of them")  # fmt: skip
        await database.close()
        await deleting(f"sqlite:///{Path(folder) / 'delete.db'}", count)
    cluster = PostgresqlCluster()
    cluster.start()
    try:
        await deleting(cluster.create_database(), count)
    finally:
        cluster.stop()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS))
