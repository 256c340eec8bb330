"""Replays to the webhooks that rooms have of their own, and replays that overlap; on both databases."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence

import pytest

from callboard.consumer import receive
from callboard.database import Database, Unit
from callboard.errors import Invalid, NotFound
from callboard.ledger import Recorded
from callboard.testing.receiver import FAILURE, OK, Answer, Delivery, Receiver, status
from callboard.testing.replay_home import QUICK, Home, home_of
from callboard.webhooks.attempts import GIVEN_UP, attempts_of_event
from callboard.webhooks.parking import Parked, parked_events
from callboard.webhooks.replays.desk import View
from callboard.webhooks.replays.filters import Status
from callboard.webhooks.replays.part import State
from callboard.webhooks.room_hooks import ROOMS, RoomHooks

A, B, C = "a" * 24, "b" * 24, "c" * 24


@pytest.fixture
async def home(database: Database) -> AsyncIterator[Home]:
    async with home_of(database) as home:
        yield home


def ids(events: Sequence[Recorded | Delivery]) -> list[str]:
    return [event.id for event in events]


async def replayed(home: Home, **said: object) -> View:
    """A replay that has ended."""
    service = home.services[0] if home.services else await home.service()
    view, _ = await service.desk.start(home.wanted(**said), str(said))
    return await home.ended(service, view.replay.id)


async def test_each_room_s_events_are_sent_again_to_its_webhook_and_no_other_endpoint(home: Home) -> None:
    await home.endpoint()
    async with Receiver() as one, Receiver() as two:
        await home.set_webhook(A, one.url, {"X-Passcode": "hunter2"})
        await home.set_webhook(B, two.url)
        of_a, of_b = await home.events_of_room(A, 6, 2), await home.events_of_room(B, 3)
        others = await home.events(2)
        view = await replayed(home, status=Status.ALL)
        assert (ids(one.deliveries), ids(two.deliveries)) == (ids(of_a), ids(of_b))
        assert ids(home.receiver.deliveries) == ids(others)
        assert {part.endpoint_id: part.total for part in view.parts}[ROOMS] == 9
        assert view.status == "completed"
        sent = one.deliveries[0]
    assert json.loads(sent.body) == {**json.loads(of_a[0].body), "is_replay": True}
    assert sent.header("x-passcode") == ["hunter2"]
    assert sent.header("callboard-replay") == [view.replay.id]
    (key,) = RoomHooks(home.database, "secret").standing.keys
    assert receive(list(sent.headers), sent.body, key.public_key).id == of_a[0].id
    (attempt,) = await attempts_of_event(home.database, of_a[0].id)
    assert (attempt.endpoint_id, attempt.replay, attempt.error) == (A, True, "")
    assert attempt.request_headers["X-Passcode"] == "[redacted]"


async def test_what_was_given_up_or_parked_is_found_by_room_and_goes_to_where_the_webhook_is_now(home: Home) -> None:
    async with Receiver() as old, Receiver() as new:
        for room_id in (A, B):
            await home.set_webhook(room_id, old.url)
        of_a, of_b = await home.events_of_room(A, 4), await home.events_of_room(B, 2)
        hooks = home.endpoints.hooks
        assert hooks is not None
        for room_id, events in ((A, of_a), (B, of_b)):
            endpoint = await hooks.endpoint(room_id)
            assert endpoint is not None
            await home.log(endpoint, events[1:2], f"{GIVEN_UP}http_5xx")
            await home.log(endpoint, events[:1], "")
        for event in (of_a[3], of_b[1]):
            parked = Parked(ROOMS, event.id, event.stream, event.seq, event.type, event.at + 9, 4, 422, "http_4xx")
            await home.database.commit(Unit((parked.row(),)))
        await home.set_webhook(A, new.url)

        async def arrived(**said: object) -> list[str]:
            new.deliveries.clear()
            old.deliveries.clear()
            await replayed(home, **said)
            assert not new.deliveries or not old.deliveries
            return ids(new.deliveries + old.deliveries)

        assert await arrived(status=Status.PARKED, room_id=A) == [of_a[3].id]
        assert await arrived(room_id=A) == [of_a[1].id]
        assert await arrived(endpoint_id=ROOMS) == [of_b[1].id]
        assert await arrived(status=Status.SUCCESS, endpoint_id=B) == ids(of_b)
        assert await arrived(event_ids=(of_a[2].id,)) == [of_a[2].id]
        assert await arrived(status=Status.ALL, endpoint_id=A, offset=1, limit=2) == ids(of_a[1:3])
        assert [one.event_id for one in await parked_events(home.database, ROOMS, (0, ""), 9)] == []


async def test_a_webhook_that_is_down_or_gone_costs_the_other_rooms_little(home: Home) -> None:
    async with Receiver() as down, Receiver() as up:
        down.behaviour = lambda _: FAILURE
        await home.set_webhook(A, down.url)
        await home.set_webhook(B, up.url)
        await home.set_webhook(C, up.url)
        of_a, of_b = await home.events_of_room(A, 9), await home.events_of_room(B, 9)
        of_c = await home.events_of_room(C, 2)
        await home.set_webhook(C, "")
        view = await replayed(home, status=Status.ALL)
        assert ids(up.deliveries) == ids(of_b)
        assert len(down.deliveries) == 3 * (1 + len(QUICK))
    (part,) = view.parts
    assert (part.state, part.completed, part.failed) == (State.DONE, 9, 11)
    assert part.failed_ids == ids(of_a) + ids(of_c)
    assert part.message == f"left out: the webhook of room {A} does not work, {C} is no more"


async def test_to_one_room_it_waits_as_for_an_endpoint(home: Home) -> None:
    async with Receiver() as receiver:
        receiver.behaviour = lambda _: FAILURE
        await home.set_webhook(A, receiver.url)
        events = await home.events_of_room(A, 6)
        service = await home.service()
        view, _ = await service.desk.start(home.wanted(status=Status.ALL, room_id=A), "d")
        async with asyncio.timeout(60):
            while not (part := (await service.desk.view(view.replay.id)).parts[0]).message:
                await asyncio.sleep(0.02)
        assert (part.message, part.failed) == ("waiting: the endpoint does not work (http_5xx)", 3)
        receiver.behaviour = lambda _: OK
        await home.ended(service, view.replay.id)
        assert ids(receiver.accepted) == ids(events[3:])


async def test_a_room_that_never_had_a_webhook_is_none_to_replay_to(home: Home) -> None:
    service = await home.service()
    with pytest.raises(NotFound, match="endpoint not found"):
        await service.desk.start(home.wanted(endpoint_id=A), "a")
    for room_id in ("", A):
        with pytest.raises(Invalid, match="nothing to replay to"):
            await service.desk.start(home.wanted(room_id=room_id), "b")


async def test_replays_that_overlap_have_each_of_their_attempts_in_the_log(home: Home) -> None:
    (event,) = await home.events(1)
    endpoint = await home.endpoint()
    home.receiver.behaviour = lambda _: Answer(FAILURE.data, delay=0.1)
    services = [await home.service() for _ in range(2)]
    views = [(await services[0].desk.start(home.wanted(status=Status.ALL), str(number)))[0] for number in range(4)]
    for view in views:
        await home.ended(services[1], view.replay.id)
    attempts = await attempts_of_event(home.database, event.id)
    assert len(home.receiver.deliveries) == len(attempts) == 4 * (1 + len(QUICK))
    assert {(attempt.endpoint_id, attempt.replay) for attempt in attempts} == {(endpoint.id, True)}
    assert home.receiver.most_in_flight > 1, "they did not overlap"
    assert len({attempt.number // 1_000_000 for attempt in attempts}) == 4


async def test_a_room_s_webhook_that_refuses_an_event_gets_the_others(home: Home) -> None:
    async with Receiver() as receiver:
        await home.set_webhook(A, receiver.url)
        events = await home.events_of_room(A, 5)
        receiver.behaviour = lambda one: status(422) if one.id == events[1].id else OK
        view = await replayed(home, status=Status.ALL, endpoint_id=ROOMS)
        assert ids(receiver.accepted) == ids([events[0], *events[2:]])
    assert (view.parts[0].failed_ids, view.parts[0].message) == ([events[1].id], "")
