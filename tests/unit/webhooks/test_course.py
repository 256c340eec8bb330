"""An endpoint that fails as a whole: paused, probed, drained; never forgotten, never hammered."""

from __future__ import annotations

import asyncio

from callboard.clock import SystemClock
from callboard.database import Put, Unit
from callboard.database.tables import ENDPOINT_HEALTH
from callboard.testing.deliveries import HEALTH, QUICK, SENDER, House, eventually, house
from callboard.testing.receiver import FAILURE, OK, Delivery, Receiver, status
from callboard.webhooks.endpoint import Endpoint, EndpointRequest
from callboard.webhooks.gauges import Settings
from callboard.webhooks.health import HealthPolicy, Phase
from callboard.webhooks.sender import SenderSettings

NEVER = HealthPolicy(probe_first=600.0, probe_most=600.0)
"""Probes that these tests don't live to see."""


def with_health(health: HealthPolicy, sender: SenderSettings = SENDER) -> Settings:
    return Settings(retry=QUICK, health=health, sender=sender, grace=60.0)


async def paused(home: House, endpoint: Endpoint) -> None:
    """Until the breaker is open."""
    await eventually(lambda: home.gauges(endpoint).phase is Phase.OPEN)


async def phase_in_database(home: House, endpoint: Endpoint) -> str:
    rows = await home.database.fetch("endpoint_health", endpoint_id=endpoint.id)
    return str(rows[0][1]) if rows else ""


async def written(home: House, endpoint: Endpoint, phase: Phase) -> None:
    async def is_written() -> bool:
        return await phase_in_database(home, endpoint) == phase

    await eventually(is_written)


def in_order(receiver: Receiver) -> bool:
    return all(seqs == list(range(1, len(seqs) + 1)) for seqs in receiver.first_seqs().values())


async def test_an_endpoint_that_fails_is_paused_and_keeps_its_events_out_of_memory(database_url: str) -> None:
    async with Receiver() as receiver, house(database_url, settings=with_health(NEVER)) as home:
        endpoint = await home.endpoint(receiver)
        receiver.behaviour = lambda _: FAILURE
        for number in range(30):
            await home.commit(f"s{number % 3}")
        await paused(home, endpoint)
        await eventually(lambda: home.gauges(endpoint).busy == 0)
        before = len(receiver.deliveries)
        for number in range(200):
            await home.commit(f"s{number % 20}")
        gauges = home.gauges(endpoint)
        assert (gauges.pending, gauges.limit, gauges.waiting) == (230, 0, 0)
        assert gauges.held <= 64, "one lane is ready for the probe, the rest is in the database"
        assert len(receiver.deliveries) == before
        await written(home, endpoint, Phase.OPEN)


async def test_probes_are_made_one_at_a_time_and_what_waited_drains_in_order(database_url: str) -> None:
    async with Receiver() as receiver, house(database_url, settings=with_health(HEALTH)) as home:
        endpoint = await home.endpoint(receiver)
        receiver.behaviour = lambda _: FAILURE
        for number in range(100):
            await home.commit(f"s{number % 10}")
        await paused(home, endpoint)
        await eventually(lambda: home.gauges(endpoint).busy == 0)
        before = len(receiver.deliveries)
        await receiver.until(lambda: len(receiver.deliveries) >= before + 10)
        probed = receiver.deliveries[before:]
        assert len({delivery.stream for delivery in probed}) > 5, "every lane has its turn at probing"
        receiver.behaviour = lambda _: OK
        await receiver.until_accepted(100)
        assert in_order(receiver)
        await eventually(lambda: home.gauges(endpoint).limit == SENDER.connections)
        await written(home, endpoint, Phase.CLOSED)


async def test_after_a_pause_attempts_start_slowly(database_url: str) -> None:
    most: list[int] = []
    going: set[str] = set()

    def slowly(delivery: Delivery) -> object:
        going.add(delivery.id)
        asyncio.get_running_loop().call_later(0.01, going.discard, delivery.id)
        most.append(len(going))
        return status(200, delay=0.01)

    async with Receiver() as receiver, house(database_url, settings=with_health(HEALTH)) as home:
        endpoint = await home.endpoint(receiver)
        receiver.behaviour = lambda _: FAILURE
        for number in range(40):
            await home.commit(f"s{number}")
        await paused(home, endpoint)
        await eventually(lambda: home.gauges(endpoint).busy == 0)
        receiver.behaviour = slowly  # type: ignore[assignment]
        await receiver.until_accepted(40)
        assert most[0] == 1
        assert max(most[:3]) <= 2
        assert max(most) <= SENDER.connections


async def test_a_restart_neither_forgets_a_pause_nor_probes_early(database_url: str) -> None:
    async with Receiver() as receiver:
        receiver.behaviour = lambda _: FAILURE
        async with house(database_url, settings=with_health(NEVER)) as home:
            endpoint = await home.endpoint(receiver)
            await home.commit("s1")
            await paused(home, endpoint)
        tried = len(receiver.deliveries)
        async with house(database_url, settings=with_health(NEVER)) as home:
            await home.commit("s2")
            assert home.gauges(endpoint).phase is Phase.OPEN
            assert home.gauges(endpoint).failing_since
            await asyncio.sleep(0.05)
            assert len(receiver.deliveries) == tried
            due = (await home.database.fetch("endpoint_health", endpoint_id=endpoint.id))[0]
            past = (*due[:5], SystemClock().now() - 1, *due[6:])
            await home.database.commit(Unit((Put(ENDPOINT_HEALTH, past),)))
        receiver.behaviour = lambda _: OK
        async with house(database_url, settings=with_health(NEVER)) as home:
            await receiver.until_accepted(2)
            assert in_order(receiver)


async def test_an_endpoint_that_is_changed_is_probed_at_once(database_url: str) -> None:
    async with Receiver() as receiver, house(database_url, settings=with_health(NEVER)) as home:
        endpoint = await home.endpoint(receiver)
        receiver.behaviour = lambda _: FAILURE
        await home.commit("s1")
        await paused(home, endpoint)
        receiver.behaviour = lambda _: OK
        await home.endpoints.update(endpoint.id, EndpointRequest(description="mended"))
        await receiver.until_accepted(1)


async def test_an_endpoint_that_fails_for_too_long_is_disabled_and_keeps_its_events(database_url: str) -> None:
    short = HealthPolicy(probe_first=0.02, probe_most=0.02, disable_after=0.2)
    async with Receiver() as receiver, house(database_url, settings=with_health(short)) as home:
        endpoint = await home.endpoint(receiver)
        receiver.behaviour = lambda _: FAILURE
        await home.commit("s1")
        await eventually(lambda: not home.endpoints.all()[0].enabled)
        await eventually(lambda: home.dispatcher.gauges() == [])
        receiver.behaviour = lambda _: OK
        await home.commit("s1")
        await home.endpoints.update(endpoint.id, EndpointRequest(enabled=True))
        await receiver.until_accepted(2)
        assert in_order(receiver)


async def test_an_endpoint_that_is_enabled_again_has_all_its_time_before_it_is_disabled(database_url: str) -> None:
    short = HealthPolicy(probe_first=0.02, probe_most=0.02, disable_after=0.2)
    async with Receiver() as receiver, house(database_url, settings=with_health(short)) as home:
        endpoint = await home.endpoint(receiver)
        receiver.behaviour = lambda _: FAILURE
        await home.commit("s1")
        await eventually(lambda: not home.endpoints.all()[0].enabled)
        await eventually(lambda: home.dispatcher.gauges() == [])
        before = len(receiver.deliveries)
        await home.endpoints.update(endpoint.id, EndpointRequest(enabled=True))
        await receiver.until(lambda: len(receiver.deliveries) >= before + 4)


async def test_retry_after_holds_everything_back_and_outlives_a_restart(database_url: str) -> None:
    async with Receiver() as receiver:
        receiver.behaviour = lambda _: status(429, headers=b"retry-after: 1\r\n")
        async with house(database_url, settings=with_health(HEALTH)) as home:
            endpoint = await home.endpoint(receiver)
            await home.commit("s1")
            await eventually(lambda: home.gauges(endpoint).due_at > 0)
            receiver.behaviour = lambda _: OK
            await home.commit("s2")
            gauges = home.gauges(endpoint)
            due = gauges.due_at
            assert gauges.limit == 0 or SystemClock().now() >= due  # a second may be over before we look
            assert gauges.phase is Phase.CLOSED
        async with house(database_url, settings=with_health(HEALTH)) as home:
            await receiver.until_accepted(2)
        assert [delivery.at >= due for delivery in receiver.accepted] == [True, True]


async def test_somebody_pauses_and_resumes_and_nothing_is_lost(database_url: str) -> None:
    async with Receiver() as receiver:
        async with house(database_url) as home:
            endpoint = await home.endpoint(receiver)
            await home.commit("s1")
            await receiver.until_accepted(1)
            await home.endpoints.pause(endpoint.id)
            await eventually(lambda: home.gauges(endpoint).paused)
            await home.commit("s1")
            await home.commit("s2")
            assert home.gauges(endpoint).pending == 2
        async with house(database_url) as home:
            assert home.gauges(endpoint).paused, "a restart does not forget it"
            assert len(receiver.deliveries) == 1
            await home.endpoints.resume(endpoint.id)
            await receiver.until_accepted(3)
            assert in_order(receiver)


async def test_resuming_an_endpoint_that_failed_probes_it_at_once(database_url: str) -> None:
    async with Receiver() as receiver, house(database_url, settings=with_health(NEVER)) as home:
        endpoint = await home.endpoint(receiver)
        receiver.behaviour = lambda _: FAILURE
        await home.commit("s1")
        await paused(home, endpoint)
        receiver.behaviour = lambda _: OK
        await home.endpoints.resume(endpoint.id)
        await receiver.until_accepted(1)
