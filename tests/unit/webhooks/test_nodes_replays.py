"""Replays and expunging where several nodes share a PostgreSQL: whichever node is asked, whichever does it."""

from __future__ import annotations

import asyncio
import json
import random
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass

import pytest

from callboard.clock import NANOSECONDS, RandomIds, SystemClock
from callboard.database import Database, open_database
from callboard.jobs import Backoff, WorkerSettings
from callboard.ledger import Ledger, Recorded
from callboard.ledger.expunged_news import ExpungedNews
from callboard.testing.deliveries import SETTINGS, eventually
from callboard.testing.facts import joined
from callboard.testing.receiver import FAILURE, OK, Answer, Receiver
from callboard.webhooks.dispatcher import Dispatcher
from callboard.webhooks.endpoint import EndpointRequest
from callboard.webhooks.endpoints import Endpoints
from callboard.webhooks.reach import resolve
from callboard.webhooks.replays.desk import View
from callboard.webhooks.replays.filters import Status, Wanted
from callboard.webhooks.replays.line import Client
from callboard.webhooks.replays.service import ReplayService
from callboard.webhooks.sender import SenderSettings
from callboard.webhooks.tls import system_context

pytestmark = pytest.mark.postgresql

CLOCK = SystemClock()


@dataclass
class Node:
    """A node of its own: nothing is shared with the others but the database."""

    database: Database
    ledger: Ledger
    endpoints: Endpoints
    replays: ReplayService

    async def commit(self, count: int) -> list[Recorded]:
        ids = RandomIds()
        return [one for n in range(count) for one in await self.ledger.commit(joined(f"s{n % 3}", ids, CLOCK))]

    async def start(self, name: str) -> View:
        now = CLOCK.now()
        wanted = Wanted(since=now - 3600 * NANOSECONDS, until=now + NANOSECONDS, status=Status.ALL)
        return (await self.replays.desk.start(wanted, name))[0]

    async def ended(self, replay_id: str) -> View:
        async def over() -> bool:
            return bool((await self.replays.desk.view(replay_id)).completed_at)

        await eventually(over)
        return await self.replays.desk.view(replay_id)


@asynccontextmanager
async def node(url: str, *, works: bool = False, delivers: bool = False) -> AsyncIterator[Node]:
    """One that does replays, or does not; that delivers what happens, or does not."""
    ids = RandomIds()
    async with AsyncExitStack() as parts:
        database = open_database(url)
        await database.open()
        parts.push_async_callback(database.close)
        ledger = Ledger(database, account_id="a" * 24, app_id="b" * 24)
        endpoints = Endpoints(database, CLOCK, ids, secrets.token_bytes)
        await endpoints.load()
        replays = ReplayService(
            *(database, ledger, endpoints, CLOCK, ids, Client(SenderSettings(timeout=60.0), system_context(), resolve)),
            account_id="a" * 24,
            per_second=100.0,
            quick=(),
            backoff=Backoff(first=0.1, factor=1.0),
            settings=WorkerSettings(cores=1.0, lease=60.0, poll=0.05, grace=60.0),
        )
        news = ExpungedNews(database, ledger, CLOCK)
        news.start()
        parts.push_async_callback(news.stop)
        if delivers:
            dispatcher = Dispatcher(database, ledger, endpoints, CLOCK, random.Random(1), SETTINGS)
            await dispatcher.start()
            parts.push_async_callback(dispatcher.stop)
        if works:
            await replays.start()
            parts.push_async_callback(replays.stop)
        yield Node(database, ledger, endpoints, replays)


async def test_a_replay_that_one_node_is_asked_for_is_done_by_another_and_seen_from_a_third(
    postgresql_url: str,
) -> None:
    """To an endpoint that the one that does it has never heard of."""
    async with (
        Receiver() as receiver,
        node(postgresql_url) as asked,
        node(postgresql_url, works=True),
        node(postgresql_url) as third,
    ):
        events = await asked.commit(20)
        await asked.endpoints.create(EndpointRequest(url=receiver.url))
        view = await asked.start("d")
        view = await third.ended(view.replay.id)
        assert (view.status, view.parts[0].completed) == ("completed", 20)
        assert [one.id for one in receiver.deliveries] == [event.id for event in events]


async def test_a_replay_is_cancelled_from_another_node_than_the_one_that_does_it(postgresql_url: str) -> None:
    async with (
        Receiver() as receiver,
        node(postgresql_url) as asked,
        node(postgresql_url, works=True),
        node(postgresql_url) as third,
    ):
        await asked.commit(200)
        await asked.endpoints.create(EndpointRequest(url=receiver.url))
        view = await asked.start("d")
        await receiver.until_accepted(10)
        view = await third.replays.desk.cancel(view.replay.id)
        assert view.status == "Canceled"
        sent = len(receiver.deliveries)
        await asyncio.sleep(0.5)
        assert len(receiver.deliveries) <= sent + 1
        assert (await asked.replays.desk.view(view.replay.id)).status == "Canceled"


async def test_what_is_expunged_at_one_node_is_replayed_bare_by_another(postgresql_url: str) -> None:
    async with Receiver() as receiver, node(postgresql_url) as asked, node(postgresql_url, works=True):
        receiver.behaviour = lambda _: Answer(OK.data, delay=0.05)
        events = await asked.commit(10)
        await asked.endpoints.create(EndpointRequest(url=receiver.url))
        view = await asked.start("d")
        await receiver.until_accepted(2)
        await asked.ledger.expunge(events[-1], CLOCK.now())
        await asked.ended(view.replay.id)
        bodies = [json.loads(one.body) for one in receiver.deliveries]
        assert [body.get("is_expunged", False) for body in bodies] == [False] * 9 + [True]
        assert bodies[-1]["data"]["user_name"] == ""


async def test_what_is_expunged_at_one_node_is_gone_from_what_waits_at_another(postgresql_url: str) -> None:
    async with Receiver() as receiver, node(postgresql_url) as asked, node(postgresql_url, delivers=True) as other:
        receiver.behaviour = lambda _: FAILURE
        await other.endpoints.create(EndpointRequest(url=receiver.url))
        events = await other.commit(4)  # in this node's lanes, and in the memory of those who follow it
        await receiver.until(lambda: bool(receiver.deliveries))
        secret = json.loads(events[3].body)["data"]["user_name"].encode()
        await asked.ledger.expunge(events[3], CLOCK.now())

        async def followed() -> bool:
            async with aclosing(other.ledger.follow(events[2].position)) as found:
                return secret not in (await anext(found)).body

        await eventually(followed)
        seen = len(receiver.deliveries)
        await receiver.until(lambda: len(receiver.deliveries) > seen + 3)
        receiver.behaviour = lambda _: OK
        await receiver.until_accepted(4)
        (sent,) = [json.loads(one.body) for one in receiver.accepted if one.id == events[3].id]
        assert (sent["is_expunged"], sent["data"]["user_name"]) == (True, "")
