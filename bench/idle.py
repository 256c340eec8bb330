"""What waiting for jobs costs: `python -m bench.idle [SECONDS]`, some two minutes.

CPU of a process with a database and nothing to do, and of the same with a worker in it that waits for jobs of every
kind: on SQLite, and on PostgreSQL, where it has to ask, for another node may have enqueued one.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import uvloop

from bench.cpu import Meter
from callboard.testing.postgresql import PostgresqlCluster
from callboard.testing.studio import Studio

SECONDS = 20.0


async def measured(url: str, folder: Path, seconds: float, *, working: bool) -> float:
    """Cores."""
    studio = await Studio.open(folder, database=url)
    worker = studio.worker()
    if working:
        await worker.start()
    await asyncio.sleep(1.0)
    meter = Meter()
    await asyncio.sleep(seconds)
    usage = meter.read()
    if working:
        await worker.stop()
    await studio.close()
    return usage.share


def main(seconds: float) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="callboard-bench-")))
        cluster = PostgresqlCluster()
        stack.callback(cluster.stop)
        cluster.start()
        print(f"{'':<12} {'without':>10} {'with a worker':>14}   of a core, over {seconds:.0f} s")
        for kind, url in (("SQLite", ""), ("PostgreSQL", cluster.url())):
            found = [
                uvloop.run(measured(url, folder / f"{kind}-{working}", seconds, working=working))
                for working in (False, True)
            ]
            print(f"{kind:<12} {found[0]:>10.2%} {found[1]:>14.2%}", flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS)
