"""A process that does replays until it is killed: the other end of the crash tests of replays.

`python -m callboard.testing.replaying DATABASE PER_SECOND`: starts a replay of all events to all endpoints, unless
there is one, and ends when it has ended, after printing `ended STATUS COMPLETED FAILED`.
"""

from __future__ import annotations

import asyncio
import secrets
import sys

import uvloop

from callboard.clock import NANOSECONDS, RandomIds, SystemClock
from callboard.database import open_database
from callboard.jobs import WorkerSettings
from callboard.ledger import Ledger
from callboard.webhooks.endpoints import Endpoints
from callboard.webhooks.reach import resolve
from callboard.webhooks.replays.filters import Status, Wanted
from callboard.webhooks.replays.line import Client
from callboard.webhooks.replays.service import ReplayService
from callboard.webhooks.sender import SenderSettings
from callboard.webhooks.tls import system_context

SETTINGS = WorkerSettings(cores=1.0, lease=0.6, poll=0.05)


async def main(url: str, per_second: float) -> None:
    clock, ids = SystemClock(), RandomIds()
    database = open_database(url)
    await database.open()
    ledger = Ledger(database, account_id="a" * 24, app_id="b" * 24)
    endpoints = Endpoints(database, clock, ids, secrets.token_bytes)
    await endpoints.load()
    client = Client(SenderSettings(timeout=30.0), system_context(), resolve)
    service = ReplayService(
        database,
        ledger,
        endpoints,
        clock,
        ids,
        client,
        account_id="a" * 24,
        per_second=per_second,
        settings=SETTINGS,
    )
    now = clock.now()
    wanted = Wanted(since=now - 3600 * NANOSECONDS, until=now + 1, status=Status.ALL)
    known = await service.desk.newest(now + NANOSECONDS, 1)  # it may have ended while this process came up
    view = known[0] if known else (await service.desk.start(wanted, "all"))[0]
    await service.start()
    while not view.completed_at:
        await asyncio.sleep(0.02)
        view = await service.desk.view(view.replay.id)
    await service.stop()
    completed, failed = sum(part.completed for part in view.parts), sum(part.failed for part in view.parts)
    sys.stdout.write(f"ended {view.status} {completed} {failed}\n")
    await database.close()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], float(sys.argv[2])))
