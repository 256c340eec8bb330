"""Operational events: recorded with what they report, sent to those who ask, never in a circle."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

import callboard.webhooks.notices
from callboard.testing.deliveries import QUICK, SENDER, House, eventually, house
from callboard.testing.receiver import FAILURE, OK, Receiver, status
from callboard.webhooks.endpoint import EndpointRequest
from callboard.webhooks.gauges import Settings
from callboard.webhooks.health import HealthPolicy
from callboard.webhooks.manner import Manner
from callboard.webhooks.operational import operational_events
from callboard.webhooks.retry import RetryPolicy

LISTENING = Manner(operational=True)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callboard.webhooks.notices, "WAITS", (0.05, 0.2))


def bodies(receiver: Receiver) -> list[Any]:
    found = [msgspec.json.decode(d.body) for d in receiver.accepted if d.stream == "operational"]
    return [(body["type"], body["data"]) for body in found]


async def recorded(home: House) -> list[tuple[str, str]]:
    return [(event.type, event.endpoint_id) for event in await operational_events(home.database, "", 100)]


def health(disable_after: float = 0.0) -> Settings:
    policy = HealthPolicy(probe_first=0.02, probe_most=0.02, disable_after=disable_after)
    return Settings(retry=QUICK, health=policy, sender=SENDER, grace=60.0)


async def test_who_asks_is_told_that_another_endpoint_fails_and_recovers(database_url: str) -> None:
    async with Receiver() as bad, Receiver() as watcher, house(database_url, settings=health()) as home:
        endpoint = await home.endpoint(bad, delivery=LISTENING)
        await home.endpoint(watcher, delivery=LISTENING, events=["session.*"])
        bad.behaviour = lambda _: FAILURE
        await home.commit("s1")
        await watcher.until_accepted(1)
        bad.behaviour = lambda _: OK
        await watcher.until_accepted(2)
        (failing, first), (recovered, second) = bodies(watcher)
        assert (failing, first["endpoint_id"], first["used"]) == ("endpoint.failing", endpoint.id, 0.0)
        assert (recovered, second["endpoint_id"]) == ("endpoint.recovered", endpoint.id)
        assert all(d.verified for d in watcher.deliveries)
        assert [d.header("callboard-stream") for d in watcher.deliveries] == [["operational"]] * 2
        await bad.until_accepted(1)
        assert bodies(bad) == [], "nobody is told about itself"
        assert await recorded(home) == [("endpoint.failing", endpoint.id), ("endpoint.recovered", endpoint.id)]


async def test_who_does_not_ask_is_told_nothing(database_url: str) -> None:
    async with Receiver() as bad, Receiver() as other, house(database_url, settings=health()) as home:
        endpoint = await home.endpoint(bad)
        await home.endpoint(other)
        bad.behaviour = lambda _: FAILURE
        await home.commit("s1")

        async def is_recorded() -> bool:
            return await recorded(home) == [("endpoint.failing", endpoint.id)]

        await eventually(is_recorded)
        assert bodies(other) == []


async def test_warnings_precede_the_disabling(database_url: str) -> None:
    async with Receiver() as bad, Receiver() as watcher, house(database_url, settings=health(0.5)) as home:
        await home.endpoint(bad)
        await home.endpoint(watcher, delivery=LISTENING, events=["session.*"])
        bad.behaviour = lambda _: FAILURE
        await home.commit("s1")
        await watcher.until_accepted(5)
        told = [(kind, data.get("used", data.get("reason"))) for kind, data in bodies(watcher)]
        assert told == [
            ("endpoint.failing", 0.0),
            ("endpoint.failing", 0.5),
            ("endpoint.failing", 0.75),
            ("endpoint.failing", 0.9),
            ("endpoint.disabled", "failing"),
        ]


async def test_a_gone_endpoint_is_told_of(database_url: str) -> None:
    async with Receiver() as bad, Receiver() as watcher, house(database_url, settings=health()) as home:
        endpoint = await home.endpoint(bad)
        await home.endpoint(watcher, delivery=LISTENING, events=["session.*"])
        bad.behaviour = lambda _: status(410)
        await home.commit("s1")
        await watcher.until_accepted(1)
        assert ("endpoint.disabled", {"endpoint_id": endpoint.id, "reason": "gone"}) in bodies(watcher)


async def test_a_parked_event_is_told_of(database_url: str) -> None:
    settings = Settings(retry=RetryPolicy(quick=(0.01,), give_up_after=0.0), sender=SENDER, grace=60.0)
    async with Receiver() as bad, Receiver() as watcher, house(database_url, settings=settings) as home:
        endpoint = await home.endpoint(bad)
        await home.endpoint(watcher, delivery=LISTENING, events=["session.*"])
        bad.behaviour = lambda delivery: status(422) if delivery.seq == 1 else OK
        event = await home.commit("s1")
        await watcher.until_accepted(1)
        ((kind, data),) = bodies(watcher)
        assert kind == "event.parked"
        assert data == {
            "endpoint_id": endpoint.id,
            "event_id": event.id,
            "event_type": "peer.join.success",
            "stream": "s1",
            "seq": 1,
            "attempts": 2,
            "status": 422,
            "error": "http_4xx",
        }


async def test_what_was_not_accepted_is_sent_again_also_after_a_restart_and_in_order(database_url: str) -> None:
    async with Receiver() as bad, Receiver() as watcher:
        bad.behaviour = lambda _: FAILURE
        watcher.behaviour = lambda _: FAILURE
        async with house(database_url, settings=health()) as home:
            await home.endpoint(bad)
            await home.endpoint(watcher, delivery=LISTENING, events=["session.*"])
            await home.commit("s1")
            await watcher.until(lambda: len(watcher.deliveries) > 1)
            bad.behaviour = lambda _: OK
            await bad.until_accepted(1)
        watcher.behaviour = lambda _: OK
        async with house(database_url, settings=health()) as home:
            await watcher.until_accepted(2)
            assert [kind for kind, _ in bodies(watcher)] == ["endpoint.failing", "endpoint.recovered"]


async def test_two_endpoints_that_fail_and_listen_do_not_go_round_in_circles(database_url: str) -> None:
    async with Receiver() as one, Receiver() as other, house(database_url, settings=health()) as home:
        for receiver in (one, other):
            receiver.behaviour = lambda _: FAILURE
            await home.endpoint(receiver, delivery=LISTENING)
        await home.commit("s1")

        async def both_fail() -> bool:
            return len(await recorded(home)) == 2

        await eventually(both_fail)
        before = len(one.deliveries)
        await one.until(lambda: len(one.deliveries) > before + 20)
        assert await both_fail()
        await home.endpoints.delete(home.endpoints.all()[0].id)
        assert len(home.endpoints.all()) == 1
        assert not await home.database.fetch("notices", endpoint_id="", limit=1)


async def test_a_deleted_endpoint_leaves_no_notices(database_url: str) -> None:
    async with Receiver() as bad, Receiver() as watcher, house(database_url, settings=health()) as home:
        await home.endpoint(bad)
        endpoint = await home.endpoint(watcher, delivery=LISTENING)
        watcher.behaviour = lambda _: FAILURE
        bad.behaviour = lambda _: FAILURE
        await home.commit("s1")

        async def noted() -> bool:
            return bool(await home.database.fetch("notices", endpoint_id=endpoint.id, limit=9))

        await eventually(noted)
        await home.endpoints.delete(endpoint.id)
        assert not await noted()
        await home.endpoints.create(EndpointRequest(url=watcher.url))
