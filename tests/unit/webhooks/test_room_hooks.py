"""A room's own webhook: its events go there and not to the workspace's endpoints, on both kinds of database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from callboard.clock import SystemClock
from callboard.consumer import receive
from callboard.database import Unit
from callboard.ledger import Changes, Recorded
from callboard.rooms.models import Room, RoomWebhook
from callboard.rooms.rooms import room_row
from callboard.testing.deliveries import House, eventually, house
from callboard.testing.facts import joined
from callboard.testing.receiver import Answer, Delivery, Receiver, status
from callboard.webhooks import fan
from callboard.webhooks.attempts import attempts_of_event
from callboard.webhooks.hook_outlet import HookOutlet
from callboard.webhooks.room_hooks import ROOMS, rooms_endpoint

pytestmark = pytest.mark.usefixtures("always_fresh")


@pytest.fixture
def always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Changes of a room's webhook are seen at once."""
    monkeypatch.setattr(fan, "FRESH", 0.0)


@pytest.fixture
async def home(database_url: str) -> AsyncIterator[House]:
    async with house(database_url, rooms=True) as home:
        yield home


async def set_webhook(home: House, room_id: str, webhook: RoomWebhook | None) -> None:
    now = SystemClock().now()
    room = Room(id=room_id, name=room_id, template_id="t", webhook=webhook, created_at=1, updated_at=now)
    await home.database.commit(Unit((room_row(room),)))


async def commit(home: House, room_id: str, stream: str, *, hooked: bool = True) -> Recorded:
    (fact,) = joined(stream, home.ids, SystemClock()).facts
    (recorded,) = await home.ledger.commit(
        Changes(facts=(replace(fact, room_id=room_id, hook=room_id if hooked else ""),))
    )
    return recorded


async def delivered(receiver: Receiver, count: int) -> list[Delivery]:
    await eventually(lambda: len(receiver.accepted) >= count)
    return list(receiver.accepted)


async def test_a_room_s_events_go_to_its_webhook_and_to_nobody_else_of_the_workspace(home: House) -> None:
    async with Receiver() as workspace, Receiver() as own, Receiver() as of_room:
        await home.endpoint(workspace)
        await home.endpoint(of_room, room_id=await _known(home, "a" * 24))
        await set_webhook(home, "a" * 24, RoomWebhook(url=own.url, headers={"X-Passcode": "hunter2"}))
        events = [await commit(home, "a" * 24, "s1", hooked=number == 0) for number in range(3)]
        other = await commit(home, "b" * 24, "s2", hooked=False)
        assert [one.id for one in await delivered(own, 3)] == [event.id for event in events]
        assert [one.id for one in await delivered(of_room, 3)] == [event.id for event in events]
        assert [one.id for one in await delivered(workspace, 1)] == [other.id]
        first = own.accepted[0]
    assert first.header("x-passcode") == ["hunter2"]
    (public,) = [key.public_key for key in rooms_endpoint("secret").keys]
    assert receive(list(first.headers), first.body, public).id == events[0].id
    (attempt,) = await _logged(home, events[0])
    assert (attempt.endpoint_id, attempt.status, attempt.request_headers["X-Passcode"]) == ("a" * 24, 200, "[redacted]")


async def _known(home: House, room_id: str) -> str:
    await set_webhook(home, room_id, None)
    return room_id


async def _logged(home: House, event: Recorded) -> list:  # type: ignore[type-arg]
    async def there() -> bool:
        return any(attempt.endpoint_id == event.room_id for attempt in await attempts_of_event(home.database, event.id))

    await eventually(there)
    return [one for one in await attempts_of_event(home.database, event.id) if one.endpoint_id == event.room_id]


async def test_a_webhook_that_is_down_holds_up_no_other_room_and_gets_everything_in_order(home: House) -> None:
    async with Receiver() as down, Receiver() as up:
        down.behaviour = lambda _: status(503)
        await set_webhook(home, "a" * 24, RoomWebhook(url=down.url))
        await set_webhook(home, "b" * 24, RoomWebhook(url=up.url))
        waiting = [await commit(home, "a" * 24, "s1") for _ in range(5)]
        sent = [await commit(home, "b" * 24, "s2") for _ in range(5)]
        assert [one.id for one in await delivered(up, 5)] == [event.id for event in sent]
        await eventually(lambda: len(down.deliveries) >= 6)
        assert {one.id for one in down.deliveries} == {waiting[0].id}
        down.behaviour = lambda _: status(200)
        assert [one.id for one in await delivered(down, 5)] == [event.id for event in waiting]


async def test_a_black_hole_holds_up_no_other_room(home: House) -> None:
    async with Receiver() as hole, Receiver() as up:
        hole.behaviour = lambda _: Answer(b"", delay=60)
        await set_webhook(home, "b" * 24, RoomWebhook(url=up.url))
        for number in range(12):
            room_id = f"{number:024x}"
            await set_webhook(home, room_id, RoomWebhook(url=hole.url))
            await commit(home, room_id, f"s{number}")
        await eventually(lambda: len(hole.deliveries) >= 12)
        sent = await commit(home, "b" * 24, "s-up")
        assert [one.id for one in await delivered(up, 1)] == [sent.id]


async def test_a_change_of_the_webhook_holds_for_what_waits(home: House) -> None:
    async with Receiver() as old, Receiver() as new:
        old.behaviour = lambda _: status(500)
        await set_webhook(home, "a" * 24, RoomWebhook(url=old.url))
        event = await commit(home, "a" * 24, "s1")
        await eventually(lambda: bool(old.deliveries))
        await set_webhook(home, "a" * 24, RoomWebhook(url=new.url))
        assert [one.id for one in await delivered(new, 1)] == [event.id]


async def test_what_waits_for_a_webhook_that_is_taken_away_is_sent_to_nobody(home: House) -> None:
    async with Receiver() as own, Receiver() as workspace:
        await home.endpoint(workspace)
        own.behaviour = lambda _: status(500)
        await set_webhook(home, "a" * 24, RoomWebhook(url=own.url))
        await commit(home, "a" * 24, "s1")
        await eventually(lambda: bool(own.deliveries))
        await set_webhook(home, "a" * 24, None)
        await eventually(lambda: home.dispatcher.gauges_of(ROOMS).pending == 0)  # type: ignore[union-attr]
        later = await commit(home, "a" * 24, "s9", hooked=False)
        assert [one.id for one in await delivered(workspace, 1)] == [later.id]
        assert own.accepted == []


async def test_what_waited_is_delivered_after_a_restart_and_nothing_twice(database_url: str) -> None:
    async with Receiver() as receiver:
        async with house(database_url, rooms=True) as home:
            await set_webhook(home, "a" * 24, RoomWebhook(url=receiver.url))
            events = [await commit(home, "a" * 24, "s1") for _ in range(3)]
            await delivered(receiver, 3)
            receiver.behaviour = lambda _: status(500)
            events += [await commit(home, "a" * 24, "s1") for _ in range(3)]
            await eventually(lambda: len(receiver.deliveries) >= 4)
        receiver.behaviour = lambda _: status(200)
        async with house(database_url, rooms=True) as home:
            await eventually(lambda: len(receiver.accepted) >= 6)
            events.append(await commit(home, "a" * 24, "s1"))
            assert [one.id for one in await delivered(receiver, 7)] == [event.id for event in events]


async def test_nothing_is_kept_of_rooms_whose_connections_are_closed(home: House) -> None:
    async with Receiver() as receiver:
        receiver.behaviour = lambda _: replace(status(200), closing=True)
        for number in range(20):
            await set_webhook(home, f"{number:024x}", RoomWebhook(url=receiver.url))
            await commit(home, f"{number:024x}", f"s{number}")
            await delivered(receiver, number + 1)
        outlet = home.dispatcher._outlets[ROOMS]
        assert isinstance(outlet, HookOutlet)
        assert len(outlet._fan._desks) < 10
