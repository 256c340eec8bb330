"""Workshops on each kind of database, with a clock that stands still, and with the machine's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from callboard.clock import SystemClock
from callboard.database import Database
from callboard.jobs import Worker
from callboard.testing.jobs import ManualClock, Workshop

Ended = Callable[[Worker], Worker]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def workshop(database: Database, clock: ManualClock) -> Workshop:
    """Nothing becomes due in it unless the clock is told so."""
    return Workshop(database, clock)


@pytest.fixture
def live(database: Database) -> Workshop:
    return Workshop(database, SystemClock())


@pytest.fixture
async def ended() -> AsyncIterator[Ended]:
    """`worker = ended(worker)`: it is stopped when the test is over."""
    workers: list[Worker] = []

    def keep(worker: Worker) -> Worker:
        workers.append(worker)
        return worker

    yield keep
    for worker in workers:
        await worker.abandon()


@pytest.fixture
async def started(ended: Ended) -> Callable[[Worker], Awaitable[Worker]]:
    """`worker = await started(worker)`: it runs until the test is over."""

    async def start(worker: Worker) -> Worker:
        await worker.start()
        return ended(worker)

    return start
