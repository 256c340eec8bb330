"""Events that an endpoint refuses while it accepts others: parked, told of, and never in the way."""

from __future__ import annotations

from callboard.testing.deliveries import HEALTH, SENDER, eventually, house
from callboard.testing.receiver import FAILURE, OK, Answer, Delivery, Receiver, status
from callboard.webhooks.attempts import attempts_of_event
from callboard.webhooks.gauges import Settings
from callboard.webhooks.health import Phase
from callboard.webhooks.parking import Gaps, parked_events
from callboard.webhooks.retry import RetryPolicy

AT_ONCE = Settings(
    retry=RetryPolicy(quick=(0.01, 0.01), tail_first=0.02, tail_most=0.05, give_up_after=0.0),
    health=HEALTH,
    sender=SENDER,
)
"""What fails alone is parked after its quick attempts."""


def gap(delivery: Delivery) -> list[str]:
    return delivery.header("callboard-gap")


async def test_a_refused_event_is_parked_and_its_lane_goes_on_with_a_gap_marker(database_url: str) -> None:
    async with Receiver() as receiver, house(database_url, settings=AT_ONCE) as home:
        endpoint = await home.endpoint(receiver)
        receiver.behaviour = lambda delivery: status(422) if delivery.seq in (2, 4) else OK
        events = [await home.commit("s1") for _ in range(5)]
        await receiver.until_accepted(3)
        assert [(d.seq, gap(d)) for d in receiver.accepted] == [(1, []), (3, ["2"]), (5, ["4"])]
        assert [d.seq for d in receiver.deliveries] == [1, 2, 2, 2, 3, 4, 4, 4, 5]
        assert all(d.verified for d in receiver.deliveries)

        async def settled() -> bool:
            gaps = await home.database.fetch("delivery_gaps", endpoint_id=endpoint.id, limit=9)
            return not gaps and len(await parked_events(home.database, endpoint.id, (0, ""), 9)) == 2

        await eventually(settled)
        first, second = await parked_events(home.database, endpoint.id, (0, ""), 9)
        assert (first.event_id, first.seq, first.status, first.error) == (events[1].id, 2, 422, "http_4xx")
        assert (first.attempts, first.stream, first.type) == (3, "s1", "peer.join.success")
        assert await parked_events(home.database, endpoint.id, (first.at, first.event_id), 9) == [second]
        assert [a.given_up for a in await attempts_of_event(home.database, events[1].id)] == [False, False, True]
        gauges = home.gauges(endpoint)
        assert (gauges.parked, gauges.delivered, gauges.phase) == (2, 3, Phase.CLOSED)


async def test_an_event_that_breaks_its_handler_is_parked_as_soon_as_others_pass(database_url: str) -> None:
    """A 500 may be the endpoint's or the event's: it is the event's when something else is accepted meanwhile."""
    async with Receiver() as receiver, house(database_url, settings=AT_ONCE) as home:
        endpoint = await home.endpoint(receiver)
        receiver.behaviour = lambda delivery: FAILURE if (delivery.stream, delivery.seq) == ("s1", 1) else OK
        await home.commit("s1")
        await eventually(lambda: home.gauges(endpoint).phase is not Phase.CLOSED)
        await home.commit("s1")
        await home.commit("s2")
        await receiver.until_accepted(2)
        assert [(d.stream, d.seq) for d in receiver.accepted] == [("s2", 1), ("s1", 2)]
        assert gap(receiver.accepted[1]) == ["1"]


async def test_what_was_left_out_is_told_after_a_restart(database_url: str) -> None:
    async with Receiver() as receiver:
        receiver.behaviour = lambda delivery: status(400) if delivery.seq == 2 else OK
        async with house(database_url, settings=AT_ONCE) as home:
            endpoint = await home.endpoint(receiver)
            await home.commit("s1")
            await receiver.until_accepted(1)
            await home.commit("s1")
            await eventually(lambda: home.gauges(endpoint).parked == 1)
        async with house(database_url, settings=AT_ONCE) as home:
            await home.commit("s1")
            await receiver.until_accepted(2)
            assert gap(receiver.accepted[-1]) == ["2"]
        async with house(database_url, settings=AT_ONCE) as home:
            await home.commit("s1")
            await receiver.until_accepted(3)
            assert gap(receiver.accepted[-1]) == []


async def test_the_gap_is_named_until_a_delivery_that_names_it_is_accepted(database_url: str) -> None:
    async with Receiver() as receiver, house(database_url, settings=AT_ONCE) as home:
        await home.endpoint(receiver)
        answers: dict[int, list[Answer]] = {2: [status(413)] * 3, 3: [FAILURE]}
        receiver.behaviour = lambda d: answers[d.seq].pop() if answers.get(d.seq) else OK
        for _ in range(3):
            await home.commit("s1")
        await receiver.until_accepted(2)
        assert [gap(d) for d in receiver.deliveries if d.seq == 3] == [["2"], ["2"]]


async def test_when_everything_is_refused_one_event_is_parked_and_then_the_endpoint_is_paused(
    database_url: str,
) -> None:
    async with Receiver() as receiver, house(database_url, settings=AT_ONCE) as home:
        endpoint = await home.endpoint(receiver)
        receiver.behaviour = lambda _: status(400)
        for _ in range(5):
            await home.commit("s1")
        await eventually(lambda: home.gauges(endpoint).phase is not Phase.CLOSED)
        assert home.gauges(endpoint).parked == 1
        receiver.behaviour = lambda _: OK
        await receiver.until_accepted(4)
        assert [d.seq for d in receiver.accepted] == [2, 3, 4, 5]
        assert home.gauges(endpoint).parked == 1


async def test_when_two_streams_are_refused_nothing_is_parked(database_url: str) -> None:
    patient = Settings(
        retry=RetryPolicy(quick=(0.01,), tail_first=0.05, tail_most=0.05, give_up_after=60.0),
        health=HEALTH,
        sender=SENDER,
    )
    async with Receiver() as receiver, house(database_url, settings=patient) as home:
        endpoint = await home.endpoint(receiver)
        receiver.behaviour = lambda _: status(400)
        await home.commit("s1")
        await receiver.until(lambda: len(receiver.deliveries) > 3)
        assert home.gauges(endpoint).phase is Phase.CLOSED, "it may be that one event"
        await home.commit("s2")
        await eventually(lambda: home.gauges(endpoint).phase is not Phase.CLOSED)
        receiver.behaviour = lambda _: OK
        await receiver.until_accepted(2)
        assert home.gauges(endpoint).parked == 0


async def test_a_deleted_endpoint_leaves_nothing_parked_behind(database_url: str) -> None:
    async with Receiver() as receiver, house(database_url, settings=AT_ONCE) as home:
        endpoint = await home.endpoint(receiver)
        receiver.behaviour = lambda delivery: status(422) if delivery.seq == 2 else OK
        await home.commit("s1")
        await home.commit("s1")
        await eventually(lambda: home.gauges(endpoint).parked == 1)
        await home.endpoints.delete(endpoint.id)
        assert await parked_events(home.database, endpoint.id, (0, ""), 9) == []
        for query in ("endpoint_health", "delivery_gaps"):
            more = {"limit": 9} if query == "delivery_gaps" else {}
            assert await home.database.fetch(query, endpoint_id=endpoint.id, **more) == []


def test_the_memory_of_gaps_is_bounded() -> None:
    gaps = Gaps("e")
    for number in range(10_050):
        gaps.add(f"s{number}", 7)
    assert gaps.header("s0") == b""
    assert gaps.header("s10049") == b"callboard-gap: 7\r\n"
    assert len(list(gaps.told("s10049"))) == 1
    assert not gaps.header("s10049")


def test_a_header_names_no_more_than_a_hundred() -> None:
    gaps = Gaps("e")
    for seq in range(1, 151):
        gaps.add("s", seq)
    assert gaps.header("s") == b"callboard-gap: " + ",".join(map(str, range(51, 151))).encode() + b"\r\n"
