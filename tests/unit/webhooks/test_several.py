"""Several dispatchers on one PostgreSQL: shards change hands, and order, completeness and single delivery stay."""

from __future__ import annotations

import asyncio
import itertools
import random
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

import asyncpg
import pytest

from callboard.clock import RandomIds, SystemClock
from callboard.database import Database, Put, Unit, open_database
from callboard.database.tables import DELIVERY_MARK, SHARD_MARK
from callboard.ledger import Changes, Ledger, Recorded
from callboard.rooms.models import Room, RoomWebhook
from callboard.rooms.rooms import room_row
from callboard.testing.facts import joined
from callboard.testing.receiver import FAILURE, OK, Answer, Receiver, status
from callboard.webhooks.dispatcher import Dispatcher
from callboard.webhooks.endpoint import Endpoint, EndpointRequest
from callboard.webhooks.endpoints import Endpoints
from callboard.webhooks.gauges import Settings
from callboard.webhooks.health import HealthPolicy
from callboard.webhooks.manner import Manner
from callboard.webhooks.retry import RetryPolicy
from callboard.webhooks.room_hooks import ROOMS, RoomHooks
from callboard.webhooks.sender import SenderSettings
from callboard.webhooks.shards import SHARDS, shard_of

pytestmark = pytest.mark.postgresql

CONNECTIONS = 4
SETTINGS = Settings(
    retry=RetryPolicy(quick=(0.01,), tail_first=0.02, tail_most=0.05),
    health=HealthPolicy(probe_first=0.02, probe_most=0.05),
    sender=SenderSettings(connections=CONNECTIONS, timeout=60.0),
    grace=60.0,
    lease=60.0,
)
"""Nobody is taken for dead, and nothing is cut off and sent again, because the machine had no time for a while. So that
nobody has to wait a part of a lease for others either, `shared` and `all_there` let the nodes look at once."""


@dataclass
class Node:
    """A node of its own: nothing is shared with the others but the database."""

    name: str
    database: Database
    ledger: Ledger
    endpoints: Endpoints
    dispatcher: Dispatcher
    ids: RandomIds = field(default_factory=RandomIds)

    async def commit(self, stream: str) -> Recorded:
        (recorded,) = await self.ledger.commit(joined(stream, self.ids, SystemClock()))
        return recorded

    async def commit_in(self, room_id: str, stream: str) -> Recorded:
        """In a room with a webhook of its own."""
        (fact,) = joined(stream, self.ids, SystemClock()).facts
        (recorded,) = await self.ledger.commit(Changes(facts=(replace(fact, room_id=room_id, hook=room_id),)))
        return recorded


@asynccontextmanager
async def node(url: str, settings: Settings = SETTINGS) -> AsyncIterator[Node]:
    clock, ids = SystemClock(), RandomIds()
    database = open_database(url)
    await database.open()
    ledger = Ledger(database, account_id="a" * 24, app_id="b" * 24)
    endpoints = Endpoints(database, clock, ids, secrets.token_bytes, hooks=RoomHooks(database, "secret"))
    await endpoints.load()
    name = secrets.token_hex(4)
    dispatcher = Dispatcher(database, ledger, endpoints, clock, random.Random(1), replace(settings), ids=_Named(name))
    await dispatcher.start()
    try:
        yield Node(name, database, ledger, endpoints, dispatcher)
    finally:
        await dispatcher.stop()
        await database.close()


class _Named(RandomIds):
    """Nodes that say whose they are."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def uuid(self) -> str:
        return f"{self._name} {super().uuid()}"


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Return once it `holds`."""
    async with asyncio.timeout(60):
        while not await holds():
            await asyncio.sleep(0.01)


async def owners(database: Database) -> dict[str, int]:
    """How many shards each node has."""
    names = [str(row[1]).partition(" ")[0] for row in await database.fetch("delivery_shards")]
    return {name: names.count(name) for name in names}


def look(*nodes: Node) -> None:
    """Let them look now at who is there and what is free, and not only at their next turn."""
    for one in nodes:
        assert one.dispatcher._sharing is not None
        one.dispatcher._sharing.membership._news.set()


async def shared(*nodes: Node) -> None:
    """Return once these nodes have an equal share of the shards, and nobody else has any."""
    least = SHARDS // len(nodes) - len(nodes)

    async def holds() -> bool:
        look(*nodes)
        found = await owners(nodes[0].database)
        return set(found) == {one.name for one in nodes} and min(found.values()) >= least

    await eventually(holds)


async def endpoint(of: Node, receiver: Receiver, **wanted: object) -> Endpoint:
    request = EndpointRequest(url=receiver.url, **wanted)  # type: ignore[arg-type]
    made = await of.endpoints.create(request)
    receiver.secret = made.secrets[0]
    return made


class Rooms:
    """Events committed all the time, by any of the nodes, in streams that no node owns."""

    def __init__(self, *nodes: Node) -> None:
        self.nodes = list(nodes)
        self.committed: list[Recorded] = []
        self._going = True
        self._tasks = [asyncio.create_task(self._commit(number)) for number in range(4)]

    async def _commit(self, seed: int) -> None:
        source = random.Random(seed)
        while self._going:
            chosen = source.choice(self.nodes)
            self.committed.append(await chosen.commit(f"room{source.randrange(40)}"))
            await asyncio.sleep(0.002)

    async def until(self, more: int) -> None:
        """Return once so many more were committed."""
        wanted = len(self.committed) + more
        async with asyncio.timeout(60):
            while len(self.committed) < wanted:
                await asyncio.sleep(0.01)

    async def end(self) -> None:
        self._going = False
        await asyncio.gather(*self._tasks)


def check(receiver: Receiver, committed: list[Recorded], duplicates: int = 0) -> None:
    """Everything arrived, each stream in order, at most `duplicates` of it twice and none more often."""
    by_id = {event.id: event for event in committed}
    times: dict[str, int] = {}
    for delivery in receiver.accepted:
        times[delivery.id] = times.get(delivery.id, 0) + 1
        event = by_id[delivery.id]
        assert (delivery.stream, delivery.seq, delivery.body) == (event.stream, event.seq, event.body)
    assert set(times) == set(by_id)
    for stream, seqs in receiver.first_seqs().items():
        assert seqs == sorted(seqs), f"stream {stream} is out of order"
    assert max(times.values()) <= (2 if duplicates else 1)
    assert len(receiver.accepted) - len(times) <= duplicates


async def test_each_event_is_delivered_once_whichever_node_commits_it(postgresql_url: str) -> None:
    async with Receiver() as receiver, node(postgresql_url) as one, node(postgresql_url) as two:
        made = await endpoint(one, receiver)
        await shared(one, two)
        rooms = Rooms(one, two)
        await rooms.until(600)
        await rooms.end()
        await receiver.until_accepted(len(rooms.committed), seconds=60)
        check(receiver, rooms.committed)
        assert receiver.most_in_flight == 1
        for both in (one, two):
            assert both.dispatcher.gauges_of(made.id).delivered > 100  # type: ignore[union-attr]


async def test_nodes_that_join_and_leave_in_good_order_repeat_nothing(postgresql_url: str) -> None:
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(Receiver())
        receiver.behaviour = lambda _: Answer(OK.data, delay=0.005)
        one = await stack.enter_async_context(node(postgresql_url))
        await endpoint(one, receiver)
        rooms = Rooms(one)
        await rooms.until(100)
        async with node(postgresql_url) as two:
            await shared(one, two)
            rooms.nodes.append(two)
            await rooms.until(200)
            async with node(postgresql_url) as three:
                await shared(one, two, three)
                await rooms.until(200)
            await shared(one, two)
            await rooms.until(200)
            rooms.nodes.remove(two)
            await rooms.until(5)
        await shared(one)
        await rooms.until(100)
        await rooms.end()
        await receiver.until_accepted(len(rooms.committed), seconds=60)
        check(receiver, rooms.committed)
        assert receiver.most_in_flight == 1


async def test_a_lane_that_waits_goes_over_with_its_shard(postgresql_url: str) -> None:
    """Attempts are counted on, and what had been delivered behind the waiting event is not delivered again."""
    async with Receiver() as receiver, node(postgresql_url) as one:
        receiver.behaviour = lambda delivery: FAILURE if delivery.stream in {"bad1", "bad2"} else OK
        await endpoint(one, receiver)
        committed = [await one.commit(stream) for stream in ("bad1", "good", "bad2", "good", "bad1", "other")]
        await receiver.until_accepted(3)
        async with node(postgresql_url) as two:
            await shared(one, two)
            committed += [await two.commit(stream) for stream in ("good", "bad2", "other")]
            await receiver.until_accepted(5)
        await shared(one)
        receiver.behaviour = lambda _: OK
        await receiver.until_accepted(9)
        check(receiver, committed)


async def test_order_is_wanted_again_while_shards_change_hands_and_nothing_is_sent_twice(postgresql_url: str) -> None:
    streams, due = [f"s{number}" for number in range(12)], {2}
    settings = replace(SETTINGS, lease=10.0)  # nobody is taken for dead, as that would repeat what was under way
    async with Receiver() as receiver, node(postgresql_url, settings) as one:
        receiver.behaviour = lambda delivery: status(422) if delivery.seq in due else OK
        made = await endpoint(one, receiver, delivery=Manner(ordering="none"))
        committed = [await one.commit(stream) for stream in streams * 10]
        await receiver.until_accepted(len(streams) * 8)  # all but 2 and 10, which is in the same lane
        await one.endpoints.update(made.id, EndpointRequest(delivery=Manner()))
        async with node(postgresql_url, settings) as two:
            await shared(one, two)

            async def in_step() -> bool:
                known = two.endpoints.get(made.id)
                return (
                    known is not None and known.delivery == Manner() and all(of.dispatcher.shards for of in (one, two))
                )

            await eventually(in_step)
            due.clear()
            switched = len(receiver.accepted)
            committed += [await of.commit(stream) for of in (one, two) for stream in streams]
            await receiver.until_accepted(len(committed))
            assert sorted(delivery.id for delivery in receiver.accepted) == sorted(event.id for event in committed)
            for stream in streams:
                seqs = [delivery.seq for delivery in receiver.accepted[switched:] if delivery.stream == stream]
                assert seqs == [2, 10, 11, 12]


async def test_rooms_own_webhooks_change_hands_as_endpoints_do(postgresql_url: str) -> None:
    async with Receiver() as workspace, Receiver() as own, node(postgresql_url) as one:
        own.behaviour = lambda _: Answer(OK.data, delay=0.003)
        await endpoint(one, workspace)
        rooms = [f"{number:024x}" for number in range(8)]
        webhook = RoomWebhook(url=own.url)
        rows = [Room(id=id_, name=id_, template_id="t", webhook=webhook, created_at=1, updated_at=1) for id_ in rooms]
        await one.database.commit(Unit(tuple(map(room_row, rows))))
        nodes, committed, going = [one], [], True

        async def commit(seed: int) -> None:
            source = random.Random(seed)
            while going:
                room_id = source.choice(rooms)
                stream = f"{room_id} {source.randrange(3)}"
                committed.append(await source.choice(nodes).commit_in(room_id, stream))
                await asyncio.sleep(0.002)

        tasks = [asyncio.create_task(commit(seed)) for seed in range(4)]
        async with node(postgresql_url) as two:
            await shared(one, two)
            nodes.append(two)
            await own.until_accepted(len(own.accepted) + 150)
            assert all(of.dispatcher.gauges_of(ROOMS).delivered > 10 for of in nodes)  # type: ignore[union-attr]
            nodes.remove(two)
            await own.until_accepted(len(own.accepted) + 10)
        await shared(one)
        await own.until_accepted(len(own.accepted) + 50)
        going = False
        await asyncio.gather(*tasks)
        await own.until_accepted(len(committed))
        check(own, committed)
        assert workspace.deliveries == []


async def test_a_slow_endpoint_holds_up_a_handover_no_longer_than_the_grace(postgresql_url: str) -> None:
    async with Receiver() as slow, Receiver() as quick, node(postgresql_url) as one:
        slow.behaviour = lambda _: status(200, delay=0.9)
        await endpoint(one, slow)
        await endpoint(one, quick)
        committed = [await one.commit(f"s{number}") for number in range(8)]
        async with node(postgresql_url) as two:
            await shared(one, two)
            committed += [await two.commit(f"s{number}") for number in range(8)]
            await quick.until_accepted(16)
            check(quick, committed)
            await slow.until_accepted(16, seconds=60)
        check(slow, committed)


async def test_who_was_taken_for_dead_writes_nothing_and_joins_again(postgresql_url: str) -> None:
    """Its row is deleted, as by a node that saw no beat of it: as after a long sleep of its machine."""
    async with Receiver() as receiver, node(postgresql_url) as one, node(postgresql_url) as two:
        await endpoint(one, receiver)
        await shared(one, two)
        rooms = Rooms(one, two)
        for _ in range(3):
            await rooms.until(100)
            await execute(postgresql_url, f"DELETE FROM delivery_node WHERE id LIKE '{one.name}%'")
            await eventually(lambda: all_there(one, two))
            await shared(one, two)
        await rooms.end()
        await receiver.until_accepted(len(rooms.committed), seconds=60)
        # Whose attempt ended after the fence fell delivers once more: what was under way, and not durable yet.
        check_order(receiver, rooms.committed)


async def test_what_is_written_under_an_old_fence_is_not_committed(postgresql_url: str) -> None:
    async with Receiver() as receiver, node(postgresql_url, replace(SETTINGS, lease=600.0)) as one:
        made = await endpoint(one, receiver)
        await one.commit("s1")
        await receiver.until_accepted(1)
        await eventually(lambda: has_attempts(one.database, made.id, 1))
        await execute(postgresql_url, "DELETE FROM delivery_node")
        await one.commit("s1")
        await receiver.until_accepted(2)
        assert await attempts(one.database, made.id) == 1
        await eventually(lambda: has_attempts(one.database, made.id, 2))  # made again, under the new fence
        assert [delivery.seq for delivery in receiver.accepted] == [1, 2, 2]


async def test_a_node_that_cannot_renew_its_lease_sends_nothing(postgresql_url: str) -> None:
    lease = 0.5
    async with Receiver() as receiver, node(postgresql_url, replace(SETTINGS, lease=lease)) as one:
        await endpoint(one, receiver)
        await one.commit("s1")
        await receiver.until_accepted(1)
        connection = await asyncpg.connect(postgresql_url)
        try:
            async with connection.transaction():
                await connection.execute("LOCK TABLE delivery_node IN EXCLUSIVE MODE")
                await asyncio.sleep(2 * lease)
                journal = one.dispatcher._journal
                assert journal.until < asyncio.get_running_loop().time()
        finally:
            await connection.close()
        await one.commit("s1")
        await receiver.until_accepted(2)


async def test_endpoints_changed_on_one_node_are_seen_by_the_others(postgresql_url: str) -> None:
    async with Receiver() as old, Receiver() as new, node(postgresql_url) as one, node(postgresql_url) as two:
        await shared(one, two)
        made = await endpoint(one, old)
        await eventually(lambda: settled(two, made.id, there=True))
        streams = [f"s{number}" for number in range(16)]
        first = [await one.commit(stream) for stream in streams]
        await old.until_accepted(16)
        changed = await one.endpoints.update(made.id, EndpointRequest(url=new.url))
        new.secret = old.secret
        await eventually(lambda: same(two, changed))
        second = [await one.commit(stream) for stream in streams]
        await new.until_accepted(16)
        await two.endpoints.update(made.id, EndpointRequest(headers={"x-two": "2"}))
        await one.endpoints.update(made.id, EndpointRequest(headers={"x-one": "1"}))  # perhaps before it has heard
        assert one.endpoints.get(made.id).url == new.url  # type: ignore[union-attr]
        await two.endpoints.delete(made.id)
        await eventually(lambda: settled(one, made.id, there=False))
        check(old, first)
        check(new, second)
        await eventually(lambda: nothing_left(one.database, made.id))


async def test_two_nodes_that_change_one_endpoint_lose_neither_change(postgresql_url: str) -> None:
    async with Receiver() as receiver, node(postgresql_url) as one, node(postgresql_url) as two:
        made = await endpoint(one, receiver)
        await eventually(lambda: settled(two, made.id, there=True))
        for number in range(20):
            await asyncio.gather(
                one.endpoints.update(made.id, EndpointRequest(headers={"x-number": str(number)})),
                two.endpoints.rotate(made.id, 0),
            )
            for of in (one, two):
                await of.endpoints.refresh()
        here, there = one.endpoints.get(made.id), two.endpoints.get(made.id)
        assert here == there
        assert here is not None
        assert here.headers == {"x-number": "19"}
        assert here.secrets != made.secrets


async def test_a_mark_for_all_shards_and_one_for_each_go_together(postgresql_url: str) -> None:
    """The further one counts, whether a node holds all shards or some."""
    async with Receiver() as receiver:
        async with node(postgresql_url) as one:
            made = await endpoint(one, receiver)
            committed = [await one.commit(f"s{number}") for number in range(30)]
            await receiver.until_accepted(30)
        last = committed[-1].position
        database = open_database(postgresql_url)
        await database.open()
        forgotten = [Put(DELIVERY_MARK, (made.id, 0))]
        ahead = [Put(SHARD_MARK, (made.id, shard, last)) for shard in range(SHARDS) if shard % 2]
        behind = [Put(SHARD_MARK, (made.id, shard, committed[9].position)) for shard in range(SHARDS) if not shard % 2]
        await database.commit(Unit((*forgotten, *ahead, *behind)))
        connection = await asyncpg.connect(postgresql_url)
        await connection.execute("DELETE FROM attempt")  # only the marks say what was delivered
        await connection.close()
        await database.close()
        async with node(postgresql_url):
            again = [event for event in committed[10:] if not shard_of(event.stream) % 2]
            await receiver.until(lambda: len(receiver.accepted) >= 30 + len(again))
        assert sorted(d.id for d in receiver.accepted[30:]) == sorted(event.id for event in again)


async def test_a_backlog_of_several_nodes_does_not_stay_in_memory(postgresql_url: str) -> None:
    settings = replace(
        SETTINGS, retry=RetryPolicy(quick=(), tail_first=0.2, tail_most=0.2), per_lane=4, most_held=10, spill_after=0.0
    )
    async with (
        Receiver() as receiver,
        node(postgresql_url, settings) as one,
        node(postgresql_url, settings) as two,
    ):
        receiver.behaviour = lambda _: FAILURE
        await endpoint(one, receiver)
        await shared(one, two)
        committed = [await one.commit(f"s{number % 20}") for number in range(300)]
        held = [gauges.held for of in (one, two) for gauges in of.dispatcher.gauges()]
        assert max(held) <= 14
        receiver.behaviour = lambda _: OK
        await receiver.until_accepted(300, seconds=60)
        check(receiver, committed)


def check_order(receiver: Receiver, committed: list[Recorded]) -> None:
    assert {delivery.id for delivery in receiver.accepted} == {event.id for event in committed}
    for stream, seqs in receiver.first_seqs().items():
        assert seqs == sorted(seqs), f"stream {stream} is out of order"
    once = itertools.groupby(sorted(delivery.id for delivery in receiver.accepted))
    assert max(len(list(group)) for _, group in once) <= 4  # three times taken for dead


async def execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def attempts(database: Database, endpoint_id: str) -> int:
    return len(await database.fetch("attempts_of_endpoint", endpoint_id=endpoint_id, before=2**62, limit=1000))


async def has_attempts(database: Database, endpoint_id: str, count: int) -> bool:
    return await attempts(database, endpoint_id) == count


async def all_there(*nodes: Node) -> bool:
    look(*nodes)
    rows = await nodes[0].database.fetch("delivery_nodes")
    return sorted(str(row[0]).partition(" ")[0] for row in rows) == sorted(of.name for of in nodes)


async def settled(of: Node, endpoint_id: str, *, there: bool) -> bool:
    return there == (endpoint_id in [gauges.endpoint_id for gauges in of.dispatcher.gauges()])


async def same(of: Node, wanted: Endpoint) -> bool:
    found = of.endpoints.get(wanted.id)
    return found is not None and found.url == wanted.url


async def nothing_left(database: Database, endpoint_id: str) -> bool:
    marks = [row[0] for row in await database.fetch("delivery_marks")]
    cursors = await database.fetch("delivery_cursors", endpoint_id=endpoint_id, position=-1)
    return endpoint_id not in marks and not cursors and not await database.fetch("shard_marks", endpoint_id=endpoint_id)
