"""A replay across SIGKILL: every event is delivered again, in order, at most one twice for each lost worker, and it
ends. (A worker that gets no processor for longer than its lease is taken for lost as well.)
"""

from __future__ import annotations

import asyncio
import random
import secrets
import signal
import sys

import pytest

from callboard.clock import RandomIds, SystemClock
from callboard.database import Database, open_database
from callboard.jobs.job import job_of
from callboard.ledger import Ledger
from callboard.testing.facts import joined
from callboard.testing.receiver import OK, Answer, Receiver
from callboard.webhooks.endpoint import EndpointRequest
from callboard.webhooks.endpoints import Endpoints
from callboard.webhooks.replays.work import KIND

pytestmark = pytest.mark.faults

EVENTS = 150
KILLS = 4


async def test_killed_at_random_a_replay_goes_on_where_it_was(database: Database, database_url: str) -> None:
    source = random.Random(5)
    truth, endpoints = await filled(database)
    async with Receiver() as receiver:
        receiver.behaviour = lambda _: Answer(OK.data, delay=source.random() * 0.01)
        await endpoints.create(EndpointRequest(url=receiver.url))
        for number in range(KILLS):
            process = await start(database_url)
            more = len(receiver.deliveries) + source.randrange(3, EVENTS // (KILLS + 1))
            await receiver.until(lambda more=more: len(receiver.deliveries) >= more, seconds=60)  # type: ignore[misc]
            process.send_signal(signal.SIGKILL)
            await process.wait()
            assert process.returncode == -signal.SIGKILL, number
        process = await start(database_url)
        said, _ = await asyncio.wait_for(process.communicate(), 60)
    assert said.decode().split() == ["ended", "completed", str(EVENTS), "0"]
    sent = [delivery.id for delivery in receiver.deliveries]
    assert list(dict.fromkeys(sent)) == truth
    lost = await losses(database)
    assert len(sent) - len(truth) <= lost
    assert lost >= KILLS


async def losses(database: Database) -> int:
    """How many workers of the replay's job were lost."""
    (job,) = map(job_of, await database.fetch("job_page", start="g", limit=9, kind=KIND.name, state=""))
    return job.losses


async def filled(database: Database) -> tuple[list[str], Endpoints]:
    """The ids of what is to be replayed, and the endpoints, of which there is none yet."""
    clock, ids = SystemClock(), RandomIds()
    ledger = Ledger(database, account_id="a" * 24, app_id="b" * 24)
    for number in range(EVENTS):
        await ledger.commit(joined(f"room{number % 7}", ids, clock))
    endpoints = Endpoints(database, clock, ids, secrets.token_bytes)
    await endpoints.load()
    return [event.id for event in await ledger.read(0, EVENTS + 1)], endpoints


@pytest.mark.postgresql
async def test_of_two_nodes_the_other_goes_on_when_one_is_killed(postgresql_url: str) -> None:
    database = open_database(postgresql_url)
    await database.open()
    source = random.Random(6)
    truth, endpoints = await filled(database)
    async with Receiver() as receiver:
        receiver.behaviour = lambda _: Answer(OK.data, delay=source.random() * 0.02)
        await endpoints.create(EndpointRequest(url=receiver.url))
        nodes = [await start(postgresql_url) for _ in range(2)]
        for number in range(KILLS):
            more = len(receiver.deliveries) + source.randrange(3, EVENTS // (2 * KILLS))
            await receiver.until(lambda more=more: len(receiver.deliveries) >= more, seconds=60)  # type: ignore[misc]
            nodes[number % 2].send_signal(signal.SIGKILL)
            await nodes[number % 2].wait()
            nodes[number % 2] = await start(postgresql_url)
        for node in nodes:
            said, _ = await asyncio.wait_for(node.communicate(), 60)
            assert said.decode().split() == ["ended", "completed", str(EVENTS), "0"]
    sent = [delivery.id for delivery in receiver.deliveries]
    assert list(dict.fromkeys(sent)) == truth
    assert len(sent) - len(truth) <= await losses(database)
    await database.close()


async def start(url: str) -> asyncio.subprocess.Process:
    """A process that does replays. It gets two connections of its own to PostgreSQL."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "callboard.testing.replaying", url, "400"), stdout=asyncio.subprocess.PIPE
    )
