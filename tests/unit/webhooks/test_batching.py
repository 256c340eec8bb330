"""Several events of a session in one request."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
import pytest

from callboard.consumer import Event, receive_all
from callboard.events import Payload
from callboard.ledger import Recorded
from callboard.testing.deliveries import HEALTH, SENDER, House, eventually, house
from callboard.testing.receiver import FAILURE, OK, Delivery, Receiver, status
from callboard.webhooks.attempts import attempts_of_event
from callboard.webhooks.batching import Batch, Batching, body_of, id_of, size_of
from callboard.webhooks.endpoint import Endpoint, EndpointRequest
from callboard.webhooks.gauges import Settings
from callboard.webhooks.lanes import Lanes
from callboard.webhooks.manner import Manner
from callboard.webhooks.parking import parked_events
from callboard.webhooks.retry import RetryPolicy

AT_ONCE = Settings(
    retry=RetryPolicy(quick=(0.01, 0.01), tail_first=0.02, tail_most=0.05, give_up_after=0.0),
    health=HEALTH,
    sender=SENDER,
)
"""What fails alone is parked after its quick attempts."""


def events_of(receiver: Receiver, delivery: Delivery) -> list[Event[Payload]]:
    assert receiver.secret is not None
    return receive_all(delivery.headers, delivery.body, receiver.secret)


def accepted(receiver: Receiver, stream: str) -> list[str]:
    """The ids of a stream's events, as they were accepted."""
    deliveries = [delivery for delivery in receiver.accepted if delivery.stream == stream]
    return [event.id for delivery in deliveries for event in events_of(receiver, delivery)]


def ids(events: list[Recorded], stream: str) -> list[str]:
    return [event.id for event in events if event.stream == stream]


async def waiting(home: House, receiver: Receiver, batch: Batch, counts: dict[str, int]) -> Endpoint:
    """An endpoint for which so many events of each stream wait."""
    endpoint = await home.endpoint(receiver, delivery=Manner(batch=batch))
    await home.endpoints.pause(endpoint.id)
    await eventually(lambda: home.gauges(endpoint).paused)
    for stream, count in counts.items():
        for _ in range(count):
            await home.commit(stream)
    return endpoint


async def test_what_waits_of_a_session_comes_together_in_order_and_is_logged_event_by_event(database_url: str) -> None:
    async with Receiver() as receiver, house(database_url) as home:
        endpoint = await waiting(home, receiver, Batch(events=8), {"s1": 20, "s2": 1})
        await home.endpoints.resume(endpoint.id)
        await receiver.until(lambda: len(receiver.accepted) == 4)
        for stream in ("s1", "s2"):
            assert accepted(receiver, stream) == ids(home.committed, stream)
        batches = [delivery for delivery in receiver.accepted if delivery.stream == "s1"]
        assert [delivery.header("callboard-batch") for delivery in batches] == [["8"], ["8"], ["4"]]
        assert [event.seq for event in events_of(receiver, batches[1])] == list(range(9, 17))
        assert all(delivery.verified for delivery in receiver.accepted)
        (single,) = [delivery for delivery in receiver.accepted if delivery.stream == "s2"]
        assert (single.header("callboard-batch"), single.id) == ([], ids(home.committed, "s2")[0])

        async def logged() -> bool:
            made = [await attempts_of_event(home.database, event.id) for event in home.committed]
            return [[attempt.number for attempt in attempts] for attempts in made] == [[1]] * 21

        await eventually(logged)
        (attempt,) = await attempts_of_event(home.database, home.committed[3].id)
        assert attempt.request_bytes == len(batches[0].body)
        assert home.gauges(endpoint).delivered == 21


@pytest.mark.parametrize("code", [422, 500])
async def test_the_one_bad_event_of_a_batch_is_parked_alone(database_url: str, code: int) -> None:
    async with Receiver() as receiver, house(database_url, settings=AT_ONCE) as home:
        endpoint = await waiting(home, receiver, Batch(events=6), {"s1": 6, "s2": 1})
        bad = home.committed[2]
        receiver.behaviour = lambda delivery: status(code) if bad.id.encode() in delivery.body else OK

        async def others() -> None:
            while not await parked_events(home.database, endpoint.id, (0, ""), 9):
                await home.commit("s2")
                await asyncio.sleep(0.01)

        await home.endpoints.resume(endpoint.id)
        await asyncio.wait_for(others(), 30)
        good = [id_ for id_ in ids(home.committed, "s1") if id_ != bad.id]
        await receiver.until(lambda: len(accepted(receiver, "s1")) == 5)
        assert accepted(receiver, "s1") == good
        (parked,) = await parked_events(home.database, endpoint.id, (0, ""), 9)
        assert (parked.event_id, parked.seq, parked.status) == (bad.id, 3, code)
        (after,) = [delivery for delivery in receiver.accepted if delivery.stream == "s1" and delivery.seq == 4]
        assert after.header("callboard-gap") == ["3"]

        async def counted() -> bool:
            numbers = [a.number for a in await attempts_of_event(home.database, home.committed[5].id)]
            return numbers == [1, 2]  # with the others, then alone

        await eventually(counted)


async def test_a_batch_that_comes_too_early_comes_again_as_it_was(database_url: str) -> None:
    async with Receiver() as receiver, house(database_url) as home:
        endpoint = await waiting(home, receiver, Batch(events=3), {"s1": 5})
        receiver.behaviour = lambda _: status(429) if len(receiver.deliveries) == 0 else OK
        await home.endpoints.resume(endpoint.id)
        await receiver.until(lambda: len(accepted(receiver, "s1")) == 5)
        first, second, _ = receiver.deliveries
        assert (first.id, first.body, first.seq) == (second.id, second.body, second.seq)
        assert accepted(receiver, "s1") == ids(home.committed, "s1")


async def test_after_a_restart_the_events_of_a_failed_batch_go_on_one_by_one(database_url: str) -> None:
    async with Receiver() as receiver:
        async with house(database_url) as home:
            endpoint = await waiting(home, receiver, Batch(events=4), {"s1": 4})
            receiver.behaviour = lambda _: FAILURE
            await home.endpoints.resume(endpoint.id)
            await receiver.until(lambda: len(receiver.deliveries) >= 1)
            await home.endpoints.pause(endpoint.id)
            events = home.committed
        tried = len(receiver.deliveries)
        receiver.behaviour = lambda _: OK
        async with house(database_url) as home:
            await home.endpoints.resume(endpoint.id)
            await receiver.until(lambda: len(accepted(receiver, "s1")) == 4)
            assert accepted(receiver, "s1") == ids(events, "s1")

            async def counted() -> bool:
                made = [await attempts_of_event(home.database, event.id) for event in events]
                numbers = [[attempt.number for attempt in attempts] for attempts in made]
                return numbers == [list(range(1, tried + 2)), [1, 2], [1, 2], [1, 2]]

            await eventually(counted)


async def test_events_wait_for_others_until_there_are_enough(database_url: str) -> None:
    async with Receiver() as receiver, house(database_url) as home:
        await home.endpoint(receiver, delivery=Manner(batch=Batch(events=3, milliseconds=5000)))
        await eventually(
            lambda: home.dispatcher.in_step
        )  # a lane that is found at its opening begins with a single one
        began = asyncio.get_running_loop().time()
        for _ in range(3):
            await home.commit("s1")
        await receiver.until(lambda: bool(receiver.accepted))
        assert asyncio.get_running_loop().time() - began < 4, "three are enough"
        assert receiver.accepted[0].header("callboard-batch") == ["3"]


async def test_an_event_waits_for_others_no_longer_than_it_may(database_url: str) -> None:
    async with Receiver() as receiver, house(database_url) as home:
        endpoint = await home.endpoint(receiver, delivery=Manner(batch=Batch(events=3, milliseconds=50)))
        await home.commit("s1")
        await receiver.until(lambda: len(receiver.accepted) == 1)
        await home.endpoints.update(endpoint.id, EndpointRequest(delivery=Manner()))
        await home.commit("s1")
        await receiver.until(lambda: len(receiver.accepted) == 2)
        assert [delivery.header("callboard-batch") for delivery in receiver.accepted] == [[], []]


def recorded(seq: int, body: bytes = b"{}") -> Recorded:
    return Recorded(seq, f"e{seq}", "s", seq, "t", "r", "", "", 0, 0, "", "", body)


def test_the_wait_is_over_at_its_time_however_many_came_meanwhile() -> None:
    lanes = Lanes(64, 1000)
    batching = Batching(lanes)
    batching.wanted = Batch(events=10, milliseconds=200)
    lanes.offer(recorded(1))
    lane = lanes.take()
    assert lane is not None
    assert not batching.settle(lane, 5.0, alone=False)
    assert lanes.take() is None
    for seq in range(2, 6):
        lanes.offer(recorded(seq))
        assert lanes.take() is lane, "looked at again with each that comes"
        assert not batching.settle(lane, 5.1, alone=False)
        assert lanes.next_due() == 5.2
    lanes.wake(5.2)
    assert lanes.take() is lane
    assert batching.settle(lane, 5.2, alone=False)
    assert lane.batch == 5
    batching.begun(lane)
    lanes.offer(recorded(6))
    lanes.passed(lane)
    assert ([event.seq for event in lane.events], lane.done_seq, lanes.pending, lanes.held) == ([6], 5, 1, 1)


@pytest.mark.parametrize(
    ("sizes", "wanted", "together"),
    [
        ([400, 400, 400], Batch(bytes=1024), 2),
        ([5000, 10], Batch(bytes=1024), 1),
        ([10] * 9, Batch(events=4), 4),
        ([10], Batch(events=4), 1),
    ],
)
def test_a_batch_is_no_larger_than_the_endpoint_wants(sizes: list[int], wanted: Batch, together: int) -> None:
    lanes = Lanes(64, 1000)
    batching = Batching(lanes)
    batching.wanted = wanted
    for seq, size in enumerate(sizes, start=1):
        lanes.offer(recorded(seq, b"x" * size))
    lane = lanes.take()
    assert lane is not None
    assert batching.settle(lane, 0.0, alone=False)
    assert lane.batch == together
    assert batching.settle(lane, 0.0, alone=True)
    assert lane.batch == 1, "a probe is one event"


def test_the_id_of_a_batch_is_that_of_its_events_and_its_body_is_json() -> None:
    events = [recorded(seq, b'{"id":"%d"}' % seq) for seq in (1, 2, 4)]
    assert json.loads(body_of(events)) == {"batch": [{"id": "1"}, {"id": "2"}, {"id": "4"}]}
    assert size_of(events) == len(body_of(events))
    assert id_of(events) == id_of(list(events))
    others = [events[:2], events[1:], [events[0], events[2]], [recorded(1), recorded(3), recorded(4)]]
    assert len({id_of(each) for each in [events, *others]}) == 5


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"events": 1}, r"`int` >= 2 - at `\$.delivery.batch.events`"),
        ({"events": 65}, r"`int` <= 64 - at `\$.delivery.batch.events`"),
        ({"bytes": 10}, r"`int` >= 1024 - at `\$.delivery.batch.bytes`"),
        ({"bytes": 2**21}, r"`int` <= 1048576 - at `\$.delivery.batch.bytes`"),
        ({"milliseconds": 5001}, r"`int` <= 5000 - at `\$.delivery.batch.milliseconds`"),
        ({"seconds": 5}, r"unknown field `seconds` - at `\$.delivery.batch`"),
    ],
)
def test_a_batch_that_cannot_be_is_refused_with_its_reason(wanted: dict[str, Any], said: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=said):
        msgspec.convert({"url": "https://example.org/hook", "delivery": {"batch": wanted}}, EndpointRequest)
