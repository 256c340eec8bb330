"""How fast an endpoint wants to be sent to."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard.clock import NANOSECONDS, SystemClock
from callboard.testing.deliveries import eventually, house
from callboard.testing.receiver import SILENCE, Answer, Delivery, Receiver, status
from callboard.webhooks.endpoint import EndpointRequest
from callboard.webhooks.manner import Bucket, Manner


@given(
    st.floats(min_value=0.1, max_value=1000),
    st.lists(st.floats(min_value=0, max_value=3), min_size=1, max_size=60),
)
def test_no_second_is_given_more_than_the_rate_and_the_burst(rate: float, pauses: list[float]) -> None:
    bucket, now, taken = Bucket(rate, 0.0), 0.0, []
    for pause in pauses:
        now += pause
        if bucket.take(now):
            taken.append(now)
        else:
            assert bucket.due() >= now
            now = bucket.due() + 1e-6
            assert bucket.take(now), "there is one when it says so"
            taken.append(now)
    for index, first in enumerate(taken):
        for count, last in enumerate(taken[index:], start=1):
            assert count <= max(1.0, rate) + (last - first) * rate + 1 + 1e-6


@pytest.mark.parametrize(("wanted", "usual", "most"), [(0, 64, 64), (4, 64, 4), (100, 64, 64)])
def test_concurrency_is_never_more_than_the_server_s(wanted: int, usual: int, most: int) -> None:
    assert Manner(concurrency=wanted).most(usual) == most


async def test_an_endpoint_gets_no_more_requests_at_a_time_than_it_wants(database_url: str) -> None:
    going: list[int] = []

    async with Receiver() as receiver, house(database_url) as home:
        endpoint = await home.endpoint(receiver, delivery=Manner(concurrency=2))
        await home.endpoints.pause(endpoint.id)
        await eventually(lambda: home.gauges(endpoint).paused)
        for number in range(40):
            await home.commit(f"s{number}")

        def look(_: Delivery) -> Answer:
            going.append(home.gauges(endpoint).busy)
            return status(200, delay=0.01)

        receiver.behaviour = look
        await home.endpoints.resume(endpoint.id)
        await receiver.until_accepted(40)
        assert max(going) == 2
        assert receiver.connections == 2


async def test_an_endpoint_gets_no_more_requests_a_second_than_it_wants(database_url: str) -> None:
    async with Receiver() as receiver, house(database_url) as home:
        await home.endpoint(receiver, delivery=Manner(rate_per_second=20.0))
        began = SystemClock().now()
        for number in range(32):
            await home.commit(f"s{number % 4}")
        await receiver.until_accepted(32)
        at = [delivery.at for delivery in receiver.deliveries]
        assert (at[-1] - began) / NANOSECONDS >= 11 / 20  # the first 20 may come at once
        assert all(later >= earlier for earlier, later in pairwise(at))
        assert len(receiver.deliveries) == 32


async def test_an_attempt_takes_as_long_as_the_endpoint_wants_it_to(database_url: str) -> None:
    async with Receiver() as receiver, house(database_url) as home:
        receiver.behaviour = lambda _: SILENCE
        endpoint = await home.endpoint(receiver, delivery=Manner(timeout_seconds=0.25))
        await home.commit("s1")
        await eventually(lambda: home.gauges(endpoint).failed_attempts > 0)
        await home.endpoints.update(endpoint.id, EndpointRequest(delivery=Manner(timeout_seconds=30.0)))
        before = home.gauges(endpoint).failed_attempts
        receiver.behaviour = lambda _: status(200, delay=0.8)
        await receiver.until_accepted(1)
        assert home.gauges(endpoint).failed_attempts <= before + 1
