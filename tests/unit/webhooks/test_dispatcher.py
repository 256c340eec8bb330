"""Deliveries from commit to receipt: real databases of each kind, a real receiver, shortened schedules."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Iterator
from dataclasses import replace

import pytest

from callboard.clock import NANOSECONDS
from callboard.database import Delete, Put, Unit, open_database
from callboard.database.tables import DELIVERY_CURSOR, DELIVERY_MARK
from callboard.ledger import Recorded
from callboard.testing.certificates import Authority
from callboard.testing.deliveries import HEALTH, QUICK, SENDER, SETTINGS, eventually, house
from callboard.testing.receiver import DROPPED, FAILURE, OK, SILENCE, Answer, Behaviour, Delivery, Receiver, status
from callboard.webhooks.attempts import attempts_of_endpoint, attempts_of_event
from callboard.webhooks.endpoint import EndpointRequest
from callboard.webhooks.gauges import Settings
from callboard.webhooks.health import HealthPolicy
from callboard.webhooks.retry import RetryPolicy


def failing(times: int, answer: Answer = FAILURE) -> Behaviour:
    """Every event fails `times` times."""
    seen: dict[str, int] = {}

    def behave(delivery: Delivery) -> Answer:
        seen[delivery.id] = seen.get(delivery.id, 0) + 1
        return answer if seen[delivery.id] <= times else OK

    return behave


def check(receiver: Receiver, committed: list[Recorded]) -> None:
    """Everything was accepted, each stream in order, nothing changed on the way, never two of a stream at a time."""
    accepted = {delivery.id: delivery for delivery in receiver.accepted}
    assert set(accepted) == {event.id for event in committed}
    for event in committed:
        delivery = accepted[event.id]
        assert (delivery.stream, delivery.seq, delivery.body) == (event.stream, event.seq, event.body)
    for stream, seqs in receiver.first_seqs().items():
        assert seqs == sorted(seqs), f"stream {stream} is out of order"
    assert receiver.most_in_flight <= 1
    assert all(delivery.verified for delivery in receiver.deliveries)


async def test_an_event_arrives_signed_and_unchanged(database_url: str) -> None:
    async with Receiver() as receiver, house(database_url) as home:
        await home.endpoint(receiver, headers={"X-Passcode": "open sesame"})
        event = await home.commit("s1")
        await receiver.until_accepted(1)
        (delivery,) = receiver.deliveries
        assert delivery.verified is True
        assert delivery.body == event.body
        assert delivery.path == "/hook"
        assert delivery.header("webhook-id") == [event.id]
        assert delivery.header("callboard-seq") == ["1"]
        assert delivery.header("callboard-stream") == ["s1"]
        assert delivery.header("content-type") == ["application/json"]
        assert delivery.header("accept-encoding") == ["identity"]
        assert delivery.header("x-passcode") == ["open sesame"]
        assert delivery.header("host") == [f"localhost:{receiver.port}"]
        assert delivery.header("user-agent")[0].startswith("Callboard/")
        assert abs(int(delivery.header("webhook-timestamp")[0]) - delivery.at // NANOSECONDS) <= 60


async def test_a_url_with_percent_signs_and_a_query_is_sent_as_it_is(database_url: str) -> None:
    async with Receiver() as receiver, house(database_url) as home:
        url = f"http://localhost:{receiver.port}/a%20b/%25?c=%d&e"
        await home.endpoints.create(EndpointRequest(url=url))
        await home.commit("s1")
        await receiver.until_accepted(1)
        assert receiver.deliveries[0].path == "/a%20b/%25?c=%d&e"


async def test_many_streams_arrive_each_in_order(database_url: str) -> None:
    async with Receiver() as receiver, house(database_url) as home:
        await home.endpoint(receiver)
        source = random.Random(7)
        await asyncio.gather(*(home.commit(f"s{source.randrange(20)}") for _ in range(400)))
        await receiver.until_accepted(400)
        check(receiver, home.committed)
        assert len(receiver.deliveries) == 400
        assert receiver.connections <= 8


@pytest.mark.parametrize(
    "answer",
    [
        FAILURE,
        DROPPED,
        status(302, headers=b"location: /elsewhere\r\n"),
        Answer(b"HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\nabc", closing=True, abort=True),
        Answer(b"no http at all\r\n"),
    ],
)
async def test_what_fails_is_tried_again_and_order_is_kept(database_url: str, answer: Answer) -> None:
    async with Receiver() as receiver, house(database_url) as home:
        await home.endpoint(receiver)
        receiver.behaviour = failing(2, answer)
        for _ in range(5):
            for stream in ("s1", "s2", "s3"):
                await home.commit(stream)
        await receiver.until_accepted(15)
        check(receiver, home.committed)
        assert len({delivery.header("webhook-id")[0] for delivery in receiver.deliveries}) == 15


async def test_every_attempt_is_in_the_log(database_url: str) -> None:
    async with Receiver() as receiver, house(database_url) as home:
        endpoint = await home.endpoint(receiver)
        receiver.behaviour = failing(2, status(503))
        event = await home.commit("s1")
        await receiver.until_accepted(1)

        async def logged() -> bool:
            return len(await attempts_of_event(home.database, event.id)) == 3

        await eventually(logged)
        attempts = await attempts_of_event(home.database, event.id)
        assert [(a.number, a.status, a.error, a.given_up) for a in attempts] == [
            (1, 503, "http_5xx", False),
            (2, 503, "http_5xx", False),
            (3, 200, "", False),
        ]
        assert all(a.endpoint_id == endpoint.id and a.seconds >= 0 and a.at >= event.at for a in attempts)
        assert attempts[0].at < attempts[1].at < attempts[2].at
        newest = await attempts_of_endpoint(home.database, endpoint.id, before=attempts[2].at, limit=1)
        assert newest == [attempts[1]]


async def test_the_seed_platform_s_delays_are_waited_between_attempts(database_url: str) -> None:
    """With the real policy's proportions, at a hundredth of the time: 10, 30 and 100 ms."""
    settings = Settings(retry=RetryPolicy(quick=(0.01, 0.03, 0.1)), health=HealthPolicy(probe_first=0.2), sender=SENDER)
    async with Receiver() as receiver, house(database_url, settings=settings) as home:
        await home.endpoint(receiver)
        receiver.behaviour = failing(4)
        await home.commit("s1")
        await receiver.until_accepted(1)
        at = [delivery.at for delivery in receiver.deliveries]
        waited = [(later - earlier) / NANOSECONDS for earlier, later in itertools.pairwise(at)]
        assert len(waited) == 4
        for seconds, least in zip(waited, (0.01, 0.03, 0.1, 0.16), strict=True):
            assert seconds >= least * 0.95  # never early; how late is the machine's business


async def test_a_receiver_that_is_down_gets_everything_when_it_is_back(database_url: str) -> None:
    async with Receiver() as receiver, house(database_url) as home:
        endpoint = await home.endpoint(receiver)
        await home.commit("s1")
        await receiver.until_accepted(1)
        await receiver.stop()
        for _ in range(20):
            await home.commit("s1")
            await home.commit("s2")
        await eventually(lambda: home.gauges(endpoint).failed_attempts > 5)
        await receiver.start()
        await receiver.until_accepted(41)
        check(receiver, home.committed)


async def test_a_backlog_does_not_stay_in_memory(database_url: str) -> None:
    settings = Settings(
        retry=RetryPolicy(quick=(), tail_first=0.2, tail_most=0.2),
        health=HealthPolicy(probe_first=0.1, probe_most=0.2),
        sender=SENDER,
        per_lane=4,
        most_held=10,
        spill_after=0.0,
    )
    async with Receiver() as receiver, house(database_url, settings=settings) as home:
        endpoint = await home.endpoint(receiver)
        receiver.behaviour = lambda _: FAILURE
        held = []
        for number in range(200):
            await home.commit(f"s{number % 10}")
            held.append(home.gauges(endpoint).held)
        assert home.gauges(endpoint).pending == 200
        receiver.behaviour = lambda _: OK
        await receiver.until_accepted(200)
        check(receiver, home.committed)
        assert max(held) <= 14
        await eventually(lambda: home.gauges(endpoint).pending == 0)


async def test_a_dead_endpoint_delays_no_other(database_url: str) -> None:
    settings = replace(SETTINGS, grace=0.0)  # nobody waits for the dead one in the end
    async with Receiver() as dead, Receiver() as well, house(database_url, settings=settings) as home:
        dead.behaviour = lambda _: SILENCE
        await home.endpoint(dead)
        await home.endpoint(well)
        for number in range(50):
            await home.commit(f"s{number}")
        await well.until_accepted(50)
        check(well, home.committed)
        assert dead.accepted == []


async def test_an_endpoint_is_sent_what_comes_after_its_creation(database_url: str) -> None:
    async with Receiver() as receiver, house(database_url) as home:
        await home.commit("s1")
        await home.endpoint(receiver)
        after = [await home.commit("s1"), await home.commit("s2")]
        await receiver.until_accepted(2)
        check(receiver, after)


async def test_nothing_is_missed_while_endpoints_are_created(database_url: str) -> None:
    """Commits go on while an endpoint is created and opened: from its mark on it gets every one, once."""
    async with house(database_url) as home:
        going = True

        async def produce(stream: str) -> None:
            while going:
                await home.commit(stream)

        producers = [asyncio.create_task(produce(f"s{number}")) for number in range(8)]
        receivers = [Receiver() for _ in range(5)]
        try:
            for receiver in receivers:
                await receiver.start()
                await home.endpoint(receiver)
                await receiver.until_accepted(20)
            going = False
            await asyncio.gather(*producers)
            for receiver in receivers:
                first = min(receiver.accepted, key=lambda d: next(e.position for e in home.committed if e.id == d.id))
                position = next(event.position for event in home.committed if event.id == first.id)
                expected = [event for event in home.committed if event.position >= position]
                await receiver.until_accepted(len(expected))
                check(receiver, expected)
                assert len(receiver.deliveries) == len(expected), "something was sent twice"
        finally:
            for receiver in receivers:
                await receiver.stop()


async def test_a_deleted_endpoint_is_sent_nothing_more_and_leaves_nothing_behind(database_url: str) -> None:
    async with Receiver() as receiver, Receiver() as other, house(database_url) as home:
        endpoint = await home.endpoint(receiver)
        await home.endpoint(other)
        await home.commit("s1")
        await receiver.until_accepted(1)
        await home.endpoints.delete(endpoint.id)
        await home.commit("s1")
        await other.until_accepted(2)
        await eventually(lambda: len(home.dispatcher.gauges()) == 1)
        assert len(receiver.deliveries) == 1
        marks = await home.database.fetch("delivery_marks")
        assert endpoint.id not in [row[0] for row in marks]
        assert await home.database.fetch("delivery_cursors", endpoint_id=endpoint.id, position=-1) == []


async def test_a_disabled_endpoint_is_sent_nothing_and_its_events_wait(database_url: str) -> None:
    async with Receiver() as receiver, house(database_url) as home:
        endpoint = await home.endpoint(receiver)
        await home.commit("s1")
        await receiver.until_accepted(1)
        await home.endpoints.update(endpoint.id, EndpointRequest(enabled=False))
        await eventually(lambda: home.dispatcher.gauges() == [])
        await home.commit("s1")
        await home.commit("s2")
        await home.endpoints.update(endpoint.id, EndpointRequest(enabled=True))
        await home.commit("s1")
        await receiver.until_accepted(4)
        check(receiver, home.committed)
        assert len(receiver.deliveries) == 4


async def test_switching_an_endpoint_off_and_on_again_loses_nothing(database_url: str) -> None:
    async with Receiver() as receiver, house(database_url) as home:
        endpoint = await home.endpoint(receiver)
        for number in range(40):
            await home.commit(f"s{number % 3}")
            await home.endpoints.update(endpoint.id, EndpointRequest(enabled=number % 2 == 0))
        await home.endpoints.update(endpoint.id, EndpointRequest(enabled=True))
        await receiver.until_accepted(40)
        check(receiver, home.committed)


async def test_a_changed_endpoint_is_used_from_the_next_attempt_on(database_url: str) -> None:
    async with Receiver() as old, Receiver() as new, house(database_url) as home:
        endpoint = await home.endpoint(old)
        old.behaviour = lambda _: FAILURE
        await home.commit("s1")
        await old.until(lambda: bool(old.deliveries))
        changed = await home.endpoints.update(
            endpoint.id, EndpointRequest(url=new.url, secrets=["whsec_" + "A" * 32], headers={"x-new": "1"})
        )
        new.secret = changed.secrets[0]
        await new.until_accepted(1)
        check(new, home.committed)
        assert new.deliveries[0].header("x-new") == ["1"]


async def test_deliveries_go_on_where_they_were_after_a_restart(database_url: str) -> None:
    async with Receiver() as receiver:
        committed = []
        async with house(database_url) as home:
            await home.endpoint(receiver)
            for number in range(60):
                await home.commit(f"s{number % 4}")
            await receiver.until_accepted(30)
            committed += home.committed
        async with house(database_url) as home:
            for number in range(10):
                await home.commit(f"s{number % 4}")
            committed += home.committed
            await receiver.until_accepted(70)
        check(receiver, committed)
        assert len(receiver.deliveries) == 70, "an orderly restart repeats nothing"


async def test_attempts_are_counted_on_after_a_restart(database_url: str) -> None:
    slow = Settings(retry=RetryPolicy(quick=(0.01, 600.0, 600.0)), health=HEALTH, sender=SENDER, grace=60.0)
    async with Receiver() as receiver:
        receiver.behaviour = lambda _: FAILURE
        async with house(database_url, settings=slow) as home:
            await home.endpoint(receiver)
            event = await home.commit("s1")
            await receiver.until(lambda: len(receiver.deliveries) == 2)
        async with house(database_url, settings=slow) as home:
            await receiver.until(lambda: len(receiver.deliveries) == 3)
        async with house(database_url, settings=slow) as home:
            receiver.behaviour = lambda _: OK
            await receiver.until_accepted(1)

            async def logged() -> bool:
                return len(await attempts_of_event(home.database, event.id)) == 4

            await eventually(logged)
            attempts = await attempts_of_event(home.database, event.id)
            assert [attempt.number for attempt in attempts] == [1, 2, 3, 4]


async def test_the_log_of_attempts_counts_where_cursors_are_behind_it(database_url: str) -> None:
    """As after a crash: the marks and cursors of the last second are missing, the attempts are there."""
    async with Receiver() as receiver:
        receiver.behaviour = lambda delivery: FAILURE if delivery.stream == "s2" and delivery.seq > 30 else OK
        async with house(
            database_url, settings=Settings(retry=QUICK, health=HEALTH, sender=SENDER, per_lane=8)
        ) as home:
            endpoint = await home.endpoint(receiver)
            for number in range(120):
                await home.commit(f"s{number % 3}")
            await receiver.until_accepted(110)
            committed = home.committed
        database = open_database(database_url)
        await database.open()
        forgotten = (Put(DELIVERY_MARK, (endpoint.id, 0)), Delete(DELIVERY_CURSOR, (endpoint.id, "s0")))
        await database.commit(Unit(forgotten))
        await database.close()
        before = len(receiver.deliveries)
        receiver.behaviour = lambda _: OK
        async with house(database_url) as home:
            await eventually(lambda: home.gauges(endpoint).pending == 0)
        check(receiver, committed)
        assert {(d.stream, d.seq) for d in receiver.deliveries[before:]} == {("s2", seq) for seq in range(31, 41)}
        assert len(receiver.deliveries) == before + 10


async def test_what_is_delivered_leaves_a_mark_and_no_cursors(database_url: str) -> None:
    """Nothing that is kept for deliveries grows with their number."""
    async with Receiver() as receiver, house(database_url) as home:
        endpoint = await home.endpoint(receiver)
        for number in range(100):
            await home.commit(f"s{number}")
        await receiver.until_accepted(100)
        last = max(event.position for event in home.committed)

        async def marked() -> bool:
            rows = await home.database.fetch("delivery_marks")
            return (endpoint.id, last) in rows

        await eventually(marked)
        assert await home.database.fetch("delivery_cursors", endpoint_id=endpoint.id, position=-1) == []
        assert home.gauges(endpoint).mark == last
        assert home.gauges(endpoint).lanes == 0


async def test_a_lane_that_waits_holds_the_mark_and_the_others_have_cursors(database_url: str) -> None:
    async with Receiver() as receiver:
        receiver.behaviour = lambda delivery: FAILURE if delivery.stream == "bad" else OK
        async with house(database_url) as home:
            endpoint = await home.endpoint(receiver)
            good = [await home.commit("good")]
            bad = await home.commit("bad")
            good += [await home.commit("good"), await home.commit("good")]
            await receiver.until_accepted(3)
        async with house(database_url) as home:
            assert home.gauges(endpoint).mark == bad.position - 1
            (cursor,) = await home.database.fetch("delivery_cursors", endpoint_id=endpoint.id, position=-1)
            assert cursor == (endpoint.id, "good", 3, good[-1].position)
            receiver.behaviour = lambda _: OK
            await receiver.until_accepted(4)
        check(receiver, [*good, bad])
        assert len([delivery for delivery in receiver.deliveries if delivery.stream == "good"]) == 3


async def test_stopping_records_what_was_under_way(database_url: str) -> None:
    async with Receiver() as receiver:
        receiver.behaviour = lambda _: status(200, delay=0.2)
        async with house(database_url) as home:
            endpoint = await home.endpoint(receiver)
            await home.commit("s1")
            await receiver.until_accepted(1)
        async with house(database_url) as home:
            assert (home.gauges(endpoint).pending, home.gauges(endpoint).mark) == (0, 1)
        assert len(receiver.deliveries) == 1


async def test_over_tls_too(database_url: str, authority: Authority) -> None:
    async with (
        Receiver(tls=authority.server("localhost")) as receiver,
        house(database_url, tls=authority.client()) as home,
    ):
        await home.endpoint(receiver)
        for number in range(30):
            await home.commit(f"s{number % 3}")
        await receiver.until_accepted(30)
        check(receiver, home.committed)
        assert receiver.connections <= 8


def sevenths() -> Iterator[Answer]:
    """One answer in seven is a failure of one kind or another."""
    wrong = [FAILURE, DROPPED, status(429), Answer(b"rubbish\r\n"), Answer(b"HTTP/1.1 2", closing=True)]
    number = 0
    while True:
        number += 1
        yield wrong[number // 7 % len(wrong)] if number % 7 == 0 else OK


async def test_a_receiver_that_often_fails_gets_everything_in_order(database_url: str) -> None:
    async with Receiver() as receiver, house(database_url) as home:
        await home.endpoint(receiver)
        answers = sevenths()
        receiver.behaviour = lambda _: next(answers)
        source = random.Random(3)
        for _ in range(10):
            await asyncio.gather(*(home.commit(f"s{source.randrange(12)}") for _ in range(50)))
        await receiver.until_accepted(500, seconds=60)
        check(receiver, home.committed)


async def test_events_that_an_endpoint_does_not_want_cost_it_nothing_and_are_passed(database_url: str) -> None:
    async with Receiver() as joins, Receiver() as nothing, house(database_url) as home:
        await home.endpoint(joins, events=["peer.join.*"])
        deaf = await home.endpoint(nothing, events=["session.*"])
        for number in range(30):
            await home.commit(f"s{number % 3}")
        await joins.until_accepted(30)
        check(joins, home.committed)

        def idle() -> bool:  # what was committed before it was opened is looked at once
            gauges = home.gauges(deaf)
            return (gauges.pending, gauges.held, gauges.lanes) == (0, 0, 0)

        await eventually(idle)
        assert nothing.deliveries == []

        async def marked() -> bool:
            marks = await home.database.fetch("delivery_marks")
            return (deaf.id, home.committed[-1].position) in marks

        await eventually(marked)


async def test_unwanted_events_of_a_lane_are_passed_over_in_order_also_when_they_are_read_back(
    database_url: str,
) -> None:
    """The endpoint wants joins; what stands between them in the same streams it never sees, nor does it wait for it."""
    settings = Settings(retry=QUICK, health=HEALTH, sender=SENDER, per_lane=4, most_held=6, spill_after=0.0)
    async with Receiver() as receiver:
        receiver.behaviour = lambda _: FAILURE
        async with house(database_url, settings=settings) as home:
            await home.endpoint(receiver, events=["peer.join.success"])
            for number in range(60):
                await home.commit(f"s{number % 4}", left=number % 3 == 0)
            wanted = [event for event in home.committed if event.type == "peer.join.success"]
            assert len(wanted) == 40
        receiver.behaviour = lambda _: OK
        async with house(database_url, settings=settings) as home:
            await receiver.until_accepted(40)
            check(receiver, wanted)
            await eventually(lambda: home.dispatcher.gauges()[0].pending == 0)
