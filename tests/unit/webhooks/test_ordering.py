"""Endpoints that want no order; and backlogs of more streams than an endpoint has lanes for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Literal

import pytest

from callboard.testing.deliveries import QUICK, SETTINGS, House, eventually, house
from callboard.testing.receiver import FAILURE, OK, Answer, Delivery, Receiver, status
from callboard.webhooks.attempts import attempts_of_event
from callboard.webhooks.endpoint import Endpoint, EndpointRequest
from callboard.webhooks.health import HealthPolicy
from callboard.webhooks.manner import SPREAD, Manner
from callboard.webhooks.parking import parked_events

Ordering = Literal["session", "none"]
NONE = Manner(ordering="none")
SMALL = replace(SETTINGS, per_lane=3, most_held=10, most_lanes=8, window=15)


@asynccontextmanager
async def waiting(home: House, receiver: Receiver) -> AsyncIterator[Endpoint]:
    """What is committed in this block is sent after it, all that may be at once."""
    endpoint = await home.endpoint(receiver, delivery=NONE)
    await home.endpoints.pause(endpoint.id)
    await eventually(lambda: home.gauges(endpoint).paused)
    yield endpoint
    await home.endpoints.resume(endpoint.id)


async def test_without_order_several_events_of_one_session_are_under_way_at_the_same_time(database_url: str) -> None:
    async with Receiver() as receiver, house(database_url) as home:
        receiver.behaviour = lambda delivery: status(200, delay=0.5) if delivery.seq <= SPREAD else OK
        async with waiting(home, receiver):
            for _ in range(3 * SPREAD):
                await home.commit("s1")
        await receiver.until_accepted(3 * SPREAD)
        assert receiver.most_in_flight == SPREAD
        assert len(receiver.deliveries) == 3 * SPREAD
        assert {delivery.seq for delivery in receiver.accepted} == set(range(1, 3 * SPREAD + 1))


async def test_without_order_an_event_that_fails_holds_up_one_in_eight_of_its_session_and_leaves_no_gap(
    database_url: str,
) -> None:
    settings = replace(SETTINGS, retry=replace(QUICK, give_up_after=2.0))
    async with Receiver() as receiver, house(database_url, settings=settings) as home:
        receiver.behaviour = lambda delivery: status(422) if delivery.seq == 2 else OK
        async with waiting(home, receiver) as endpoint:
            for _ in range(20):
                await home.commit("s1")
        held_up = {seq for seq in range(3, 21) if seq % SPREAD == 2}
        await receiver.until_accepted(20 - 1 - len(held_up))
        assert {delivery.seq for delivery in receiver.accepted} == set(range(1, 21)) - held_up - {2}
        await receiver.until_accepted(20 - 1)

        async def parked() -> bool:
            return [event.seq for event in await parked_events(home.database, endpoint.id, (0, ""), 10)] == [2]

        await eventually(parked)
        assert not [delivery for delivery in receiver.deliveries if delivery.header("callboard-gap")]


@pytest.mark.parametrize(("before", "after"), [("session", "none"), ("none", "session")])
async def test_the_ordering_is_changed_while_events_wait_and_none_is_lost(
    database_url: str, before: Ordering, after: Ordering
) -> None:
    async with Receiver() as receiver, house(database_url) as home:
        down = True
        receiver.behaviour = lambda _: FAILURE if down else OK
        endpoint = await home.endpoint(receiver, delivery=Manner(ordering=before))
        for number in range(24):
            await home.commit(f"s{number % 2}")
        await eventually(lambda: home.gauges(endpoint).failed_attempts > 1)
        await home.endpoints.update(endpoint.id, EndpointRequest(delivery=Manner(ordering=after)))
        down = False
        await receiver.until_accepted(24)
        await eventually(lambda: not home.gauges(endpoint).pending)
        assert {delivery.id for delivery in receiver.accepted} == {event.id for event in home.committed}
        if after == "session":
            assert all(seqs == sorted(seqs) for seqs in receiver.first_seqs().values())


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("there_and_back", [False, True])
async def test_when_order_is_wanted_again_what_was_accepted_ahead_of_one_that_is_due_is_not_sent_again(
    database_url: str, restarts: bool, there_and_back: bool
) -> None:
    due = {2, 5, 13}  # 5 and 13 are in one of the eight lanes
    settings = replace(SETTINGS, per_lane=4)
    async with Receiver() as receiver, AsyncExitStack() as end:
        receiver.behaviour = lambda delivery: status(422) if delivery.seq in due else OK
        home = await end.enter_async_context(house(database_url, settings=settings))
        endpoint = await home.endpoint(receiver, delivery=NONE)
        for _ in range(40):
            await home.commit("s1")
        events = {event.seq: event.id for event in home.committed}
        await receiver.until_accepted(sum(seq % SPREAD not in {2, 5} for seq in events))
        await eventually(partial(tried, home, events[5]))
        for manner in (Manner(), NONE, Manner()) if there_and_back else (Manner(),):
            await home.endpoints.update(endpoint.id, EndpointRequest(delivery=manner))
            await eventually(lambda: home.dispatcher.in_step)
        if restarts:
            await end.pop_all().aclose()
            home = await end.enter_async_context(house(database_url, settings=settings))
        due.clear()
        switched = len(receiver.accepted)
        for _ in range(5):
            await home.commit("s1")
        await receiver.until_accepted(45)
        await eventually(lambda: not home.gauges(endpoint).pending)
        seqs = [delivery.seq for delivery in receiver.accepted]
        assert sorted(seqs) == list(range(1, 46)), "each once"
        assert seqs[switched:] == sorted(seqs[switched:]), "in order from the switch on"
        await end.pop_all().aclose()  # what is recorded is durable
        home = await end.enter_async_context(house(database_url, settings=settings))
        for seq in (2, 5, 13):
            made = await attempts_of_event(home.database, events[seq])
            assert [attempt.number for attempt in made] == list(range(1, len(made) + 1))
            assert [bool(attempt.error) for attempt in made] == [True] * (len(made) - 1) + [False]


async def tried(home: House, event_id: str) -> bool:
    return len(await attempts_of_event(home.database, event_id)) > 1


@pytest.mark.parametrize("ordering", ["session", "none"])
async def test_after_a_restart_what_was_accepted_is_not_sent_again(database_url: str, ordering: Ordering) -> None:
    """The one that failed holds the cursor of its session back; the log of attempts knows better."""
    async with Receiver() as receiver:
        receiver.behaviour = lambda delivery: FAILURE if (delivery.stream, delivery.seq) == ("s1", 1) else OK
        async with house(database_url) as home:
            endpoint = await home.endpoint(receiver, delivery=Manner(ordering=ordering))
            for number in range(20):
                await home.commit("s1" if number % 2 else "s2")
            through = 10 + (0 if ordering == "session" else 10 - len({1, 1 + SPREAD}))
            await receiver.until_accepted(through)
        before = {delivery.id for delivery in receiver.accepted}
        receiver.behaviour = lambda _: OK
        async with house(database_url) as home:
            await eventually(lambda: home.gauges(endpoint).delivered == 20 - through)
        accepted = [delivery.id for delivery in receiver.accepted]
        assert len(accepted) == len(set(accepted)) == 20
        assert before < set(accepted)


@pytest.mark.parametrize("ordering", ["session", "none"])
async def test_a_backlog_of_more_streams_than_there_are_lanes_is_delivered_whole(
    database_url: str, ordering: Ordering
) -> None:
    """While it is down, and once more after a restart; memory holds a few of its streams."""
    most = SMALL.most_lanes + SMALL.window * Manner(ordering=ordering).width
    async with Receiver() as receiver:
        receiver.behaviour = lambda _: FAILURE
        async with house(database_url, settings=SMALL) as home:
            endpoint = await home.endpoint(receiver, delivery=Manner(ordering=ordering))
            await committed(home, range(60))
            await eventually(lambda: home.gauges(endpoint).pending >= 120)
            assert home.gauges(endpoint).lanes <= most
            first = home.committed
        async with house(database_url, settings=SMALL) as home:
            lanes = [home.gauges(endpoint).lanes]

            def behave(_: Delivery) -> Answer:
                lanes.append(home.gauges(endpoint).lanes)
                return OK

            receiver.behaviour = behave
            await committed(home, range(50, 70))
            await receiver.until_accepted(160)
            await eventually(lambda: not home.gauges(endpoint).pending)
            assert {delivery.id for delivery in receiver.accepted} == {event.id for event in first + home.committed}
            assert len(receiver.accepted) == 160
            assert max(lanes) <= most
            if ordering == "session":
                assert all(seqs == sorted(seqs) for seqs in receiver.first_seqs().values())
            await eventually(lambda: home.gauges(endpoint).mark == home.committed[-1].position)


async def committed(home: House, numbers: range) -> None:
    """Two events in each of these streams, the second ones after all the first ones."""
    for _ in range(2):
        await asyncio.gather(*(home.commit(f"s{number}") for number in numbers))


async def test_an_endpoint_that_comes_back_sees_the_oldest_streams_first(database_url: str) -> None:
    settings = replace(SMALL, health=HealthPolicy(probe_first=0.05, probe_most=0.05))
    async with Receiver() as receiver, house(database_url, settings=settings) as home:
        answers: list[Answer] = [FAILURE]
        receiver.behaviour = lambda _: answers[0]
        endpoint = await home.endpoint(receiver)
        await committed(home, range(40))
        await eventually(lambda: home.gauges(endpoint).phase == "open")
        answers[0] = OK
        await receiver.until_accepted(80)
        places = {event.id: event.position for event in home.committed if event.seq == 1}
        order = [places[delivery.id] for delivery in receiver.accepted if delivery.id in places]
        late = [position - place for place, position in enumerate(order, start=1)]
        assert max(late) <= 15 + 8, "what came long after was sent before what waits"
