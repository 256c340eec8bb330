"""What is deleted and what is kept, on both databases: by age, by what endpoints have had, and never the newest."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from callboard.clock import NANOSECONDS, RandomIds
from callboard.database import Database, Put, Unit, open_database
from callboard.database.tables import ATTEMPT, DELIVERY_MARK, ENDPOINT, PARKED_EVENT, REQUEST_HEAD
from callboard.ledger import Ledger
from callboard.ledger.records import FOREVER
from callboard.ledger.retention import EventRetention, Kept
from callboard.retention import Retention, operational
from callboard.testing.jobs import ManualClock
from callboard.testing.units import event
from callboard.webhooks.operational import EndpointDisabled, operational_events, rows
from callboard.webhooks.operational import operational as operational_event
from callboard.webhooks.replays import filters
from callboard.webhooks.replays import part as parts
from callboard.webhooks.replays.filters import Replay, Wanted
from callboard.webhooks.replays.part import State
from callboard.webhooks.retention import AttemptRetention, delivered_to_all

HOUR = 3600.0
COUNT = 20


class Home:
    """A database in which an hour passes from one event to the next."""

    def __init__(self, database: Database, clock: ManualClock) -> None:
        self.database = database
        self.clock = clock
        self.ledger = Ledger(database, account_id="a", app_id="b")

    async def fill(self, count: int = COUNT) -> None:
        for number in range(1, count + 1):
            await self.database.commit(Unit(events=(event(f"e{number}", f"s{number % 3}"),)))
            self.clock.advance(HOUR)

    async def mark(self, endpoint_id: str, position: int) -> None:
        rows = (Put(ENDPOINT, (endpoint_id, "{}", 1, 1)), Put(DELIVERY_MARK, (endpoint_id, position)))
        await self.database.commit(Unit(rows))

    def retention(self, hours: float, more: float = 0.0) -> EventRetention:
        kept = Kept(hours * HOUR, more * HOUR)
        return EventRetention(self.database, self.clock, kept, lambda: delivered_to_all(self.database))

    async def left(self) -> list[int]:
        return [one.position for one in await self.ledger.read(0, 1000)]


@pytest.fixture
async def home(database_url: str) -> AsyncIterator[Home]:
    clock = ManualClock()
    database = open_database(database_url, clock=clock)
    await database.open()
    yield Home(database, clock)
    await database.close()


@pytest.mark.parametrize(
    ("hours", "more", "marks", "first", "expired"),
    [
        (0, 0, [], 1, 0),  # for ever
        (100, 0, [], 1, 0),
        (10.5, 0, [], 11, 0),
        (10.5, 0, [20], 11, 0),
        (10.5, 4, [20, 2], 7, 4),  # 3 to 6 were not delivered: they had 4 hours more
        (10.5, 100, [20, 2], 3, 0),
        (10.5, 0, [20, 2], 11, 8),
        (0.1, 0, [20], 20, 0),  # the newest stays
    ],
)
async def test_events_go_by_age_and_what_is_undelivered_a_while_later(
    home: Home, hours: float, more: float, marks: list[int], first: int, expired: int
) -> None:
    await home.fill()
    for number, mark in enumerate(marks):
        await home.mark(f"p{number}", mark)
    retention = home.retention(hours, more)
    assert await retention.sweep() == first - 1
    assert await home.left() == list(range(first, COUNT + 1))
    assert (retention.deleted.events, retention.deleted.expired) == (first - 1, expired)
    assert await retention.sweep() == 0
    (after,) = await home.database.commit(Unit(events=(event("new", "s1"),)))
    assert (after.position, after.seq) == (COUNT + 1, 8)


async def test_what_waits_for_a_room_s_own_webhook_is_undelivered_too(home: Home) -> None:
    await home.database.commit(Unit(events=(replace(event("hooked", "own"), hook="r" * 24),)))
    await home.fill()
    await home.mark("p1", 20)
    await home.database.commit(Unit((Put(DELIVERY_MARK, ("rooms", 3)),)))
    retention = home.retention(10.5, 100)
    await retention.sweep()
    assert (await home.left())[0] == 4


async def test_operational_events_go_with_the_events_of_their_time_and_what_was_to_be_sent_of_them_too(
    home: Home,
) -> None:
    ids = RandomIds(4)
    told = []
    for _ in range(300):
        home.clock.advance(HOUR / 100)
        happening = EndpointDisabled(endpoint_id="p1", reason="gone")
        told.append(operational_event(happening, ids, home.clock.now()))
    await home.database.commit(Unit(tuple(row for one in told for row in rows(one, ["p2"]))))
    assert await Retention(home.database, home.clock, operational(0)).sweep() == 0
    retention = Retention(home.database, home.clock, operational(HOUR * 0.505))
    assert await retention.sweep() == 2 * 249
    left = await operational_events(home.database, "", 1000)
    assert [one.id for one in left] == [one.id for one in told[249:]]
    assert len(await home.database.fetch("notices", endpoint_id="p2", limit=1000)) == 51
    assert await retention.sweep() == 0


async def test_more_than_a_batch_goes_in_batches_and_readers_go_on_behind_the_gap(home: Home) -> None:
    units = [home.database.commit(Unit(events=tuple(event(f"e{n}-{k}", "s") for k in range(50)))) for n in range(11)]
    for unit in units:
        await unit
    home.clock.advance(2 * HOUR)
    await home.database.commit(Unit(events=(event("last", "s"),)))
    retention = home.retention(1)
    assert await retention.sweep() == 550
    assert await home.left() == [551]
    assert [one.id for one in await home.ledger.read(17, 10)] == ["last"]


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    age=st.floats(0, 30),
    kept=st.floats(0.01, 30),
    more=st.floats(0, 10),
    delivered=st.integers(0, COUNT),
    data=st.data(),
)
async def test_nothing_goes_that_is_young_enough_or_undelivered_and_young_enough(
    sqlite_url: str, age: float, kept: float, more: float, delivered: int, data: st.DataObject
) -> None:
    clock = ManualClock()
    database = open_database(f"{sqlite_url}-{RandomIds().uuid()}", clock=clock)
    await database.open()
    try:
        committed = {}
        for number in range(1, COUNT + 1):
            await database.commit(Unit(events=(event(f"e{number}"),)))
            committed[number] = clock.now()
            clock.advance(data.draw(st.floats(0, 2)) * HOUR)
        clock.advance(age * HOUR)

        async def had() -> int:
            return delivered

        retention = EventRetention(database, clock, Kept(kept * HOUR, more * HOUR), had)
        await retention.sweep()
        left = {one.position for one in await Ledger(database, account_id="a", app_id="b").read(0, 100)}
        hour = HOUR * NANOSECONDS
        for position, at in committed.items():
            old = (clock.now() - at) / hour
            if position == COUNT or old < kept or (position > delivered and old < kept + more):
                assert position in left
            elif old > kept + more + 0.1 or (position <= delivered and old > kept + 0.1):
                assert position not in left
        assert left == set(range(min(left), COUNT + 1))
    finally:
        await database.close()


async def test_old_attempts_and_ended_replays_go_and_what_runs_stays(home: Home) -> None:
    now = home.clock.now()
    old, young = now - int(50 * HOUR * NANOSECONDS), now - int(2 * HOUR * NANOSECONDS)
    rows = [Put(REQUEST_HEAD, (endpoint_id, 1, "{}")) for endpoint_id in ("p1", "gone")]
    for number in range(450):
        for endpoint_id, at in (("p1", old + number), ("p1", young + number), ("gone", old)):
            key = (f"e{number}-{at > old + 1000}", endpoint_id, 1)
            rows.append(Put(ATTEMPT, (*key, at, 200, "", 0.1, 0, 1, 9, "", 0.0, 0.0, 0.0, 0.0, "")))
    for name, ended, at in (("r1", 1, old), ("r2", 0, old), ("r3", 1, young)):
        wanted = Wanted(since=0, until=1)
        state = State.DONE if ended else State.RUNNING
        rows.append(filters.stored(Replay(name, "d", wanted, 1, at, 2)))
        rows.append(parts.stored(parts.new(name, "p1", "j")._replace(state=state, ended_at=ended)))
    rows.append(Put(PARKED_EVENT, ("p1", "no such event", "s", 1, "t", 1, 1, 422, "http_4xx")))
    await home.database.commit(Unit(tuple(rows)))
    retention = AttemptRetention(home.database, home.clock, 24 * HOUR)
    assert await retention.sweep() == 900 + 1 + 2
    left = await home.database.fetch("attempts_begun_before", endpoint_id="p1", before=FOREVER, limit=1000)
    assert len(left) == 450
    page = await home.database.fetch("replay_page", before=FOREVER, limit=9)
    assert [row[0] for row in page] == ["r3", "r2"]
    assert await home.database.fetch("replay_parts", replay_id="r1") == []
    assert await AttemptRetention(home.database, home.clock, 0).sweep() == 0
