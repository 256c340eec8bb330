"""Replays: which events, in which order, what of each attempt, across restarts and workers; on both databases."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Sequence

import pytest

from callboard.clock import NANOSECONDS
from callboard.database import Database, Delete, Unit
from callboard.database.tables import EVENT
from callboard.errors import Invalid, NotFound
from callboard.ledger import Recorded
from callboard.rooms.models import Template
from callboard.rooms.templates import template_row
from callboard.testing.receiver import FAILURE, OK, Answer, Delivery, status
from callboard.testing.replay_home import QUICK, Home, home_of
from callboard.webhooks.attempts import GIVEN_UP, attempts_of_event
from callboard.webhooks.dispatcher import Dispatcher
from callboard.webhooks.endpoint import EndpointRequest
from callboard.webhooks.parking import Parked, parked_events
from callboard.webhooks.replays.filters import Status, Wanted
from callboard.webhooks.replays.part import State


@pytest.fixture
async def home(database: Database) -> AsyncIterator[Home]:
    async with home_of(database) as home:
        yield home


def ids(events: Sequence[Recorded | Delivery]) -> list[str]:
    return [event.id for event in events]


async def test_everything_an_endpoint_wants_is_sent_again_in_order_and_says_so(home: Home) -> None:
    events = await home.events(40)
    endpoint = await home.endpoint()
    home.receiver.secret = endpoint.secrets[0]
    service = await home.service()
    view, new = await service.desk.start(home.wanted(status=Status.ALL), "d")
    assert new
    later = await home.events(1)
    view = await home.ended(service, view.replay.id)
    assert ids(home.receiver.deliveries) == ids(events)
    assert later[0].id not in ids(home.receiver.deliveries)
    for delivery, event in zip(home.receiver.deliveries, events, strict=True):
        assert json.loads(delivery.body) == {**json.loads(event.body), "is_replay": True}
        assert (delivery.stream, delivery.seq, delivery.verified) == (event.stream, event.seq, True)
        assert delivery.header("callboard-replay") == [view.replay.id]
    assert view.status == "completed"
    assert [(p.total, p.completed, p.failed, p.state) for p in view.parts] == [(40, 40, 0, State.DONE)]
    (attempt,) = await attempts_of_event(home.database, events[0].id)
    assert (attempt.replay, attempt.error, attempt.status) == (True, "", 200)


async def test_only_what_was_given_up_and_not_accepted_since_is_replayed_unless_more_is_asked_for(home: Home) -> None:
    events = await home.events(9)
    endpoint = await home.endpoint()
    await home.log(endpoint, events[:3], "")
    await home.log(endpoint, events[3:6], f"{GIVEN_UP}http_5xx")
    await home.log(endpoint, events[5:6], "", number=2)
    await home.log(endpoint, events[6:], "http_5xx")
    service = await home.service()

    async def replayed(**said: object) -> list[str]:
        home.receiver.deliveries.clear()
        view, _ = await service.desk.start(home.wanted(**said), str(said))
        await home.ended(service, view.replay.id)
        return ids(home.receiver.deliveries)

    assert await replayed(offset=1) == ids(events[4:5])
    assert await replayed() == ids(events[3:4])  # the other one is accepted by now
    assert await replayed() == []
    assert await replayed(status=Status.SUCCESS, limit=4) == ids(events[:4])
    assert await replayed(status=Status.ALL, limit=2, offset=6) == ids(events[6:8])
    assert await replayed(status=Status.ALL, session_id="room1") == ids(events[1::3])
    assert await replayed(status=Status.ALL, types=("peer.leave.success",)) == []
    assert await replayed(event_ids=(events[7].id, events[2].id)) == [events[2].id, events[7].id]


async def test_what_is_parked_is_replayed_and_parked_no_more_once_it_is_accepted(home: Home) -> None:
    events = await home.events(4)
    endpoint = await home.endpoint()
    for event in events[1:3]:
        parked = Parked(endpoint.id, event.id, event.stream, event.seq, event.type, event.at + 9, 4, 422, "http_4xx")
        await home.database.commit(Unit((parked.row(),)))
    home.receiver.behaviour = lambda delivery: status(422) if delivery.id == events[1].id else OK
    service = await home.service()
    view, _ = await service.desk.start(Wanted(since=0, until=home.clock.now(), status=Status.PARKED), "d")
    view = await home.ended(service, view.replay.id)
    assert ids(home.receiver.deliveries) == ids(events[1:3])
    assert [one.event_id for one in await parked_events(home.database, endpoint.id, (0, ""), 9)] == [events[1].id]


async def test_one_endpoint_can_be_named_and_each_is_sent_what_it_wants(home: Home) -> None:
    events = await home.events(4)
    everything = await home.endpoint()
    nothing = await home.endpoint(events=["session.*"])
    service = await home.service()
    view, _ = await service.desk.start(home.wanted(status=Status.ALL), "both")
    view = await home.ended(service, view.replay.id)
    assert {part.endpoint_id: part.total for part in view.parts} == {everything.id: 4, nothing.id: 0}
    view, _ = await service.desk.start(home.wanted(status=Status.ALL, endpoint_id=nothing.id), "one")
    assert [part.endpoint_id for part in (await home.ended(service, view.replay.id)).parts] == [nothing.id]
    assert ids(home.receiver.deliveries) == ids(events)


async def test_all_that_an_endpoint_for_a_template_wants_is_what_happened_in_its_rooms(home: Home) -> None:
    (event,) = await home.events(1)
    assert event.template_id
    template = Template(id=event.template_id, name="t", roles={}, created_at=1, updated_at=1)
    await home.database.commit(Unit((template_row(template),)))
    await home.endpoint(template_id=event.template_id)
    service = await home.service()
    view, _ = await service.desk.start(home.wanted(status=Status.ALL), "d")
    await home.ended(service, view.replay.id)
    assert ids(home.receiver.deliveries) == [event.id]


async def test_an_event_that_is_refused_fails_and_the_others_go_on(home: Home) -> None:
    events = await home.events(6)
    await home.endpoint()
    refused = {events[1].id: status(400), events[4].id: FAILURE}
    home.receiver.behaviour = lambda delivery: refused.get(delivery.id, OK)
    service = await home.service()
    view, _ = await service.desk.start(home.wanted(status=Status.ALL), "d")
    view = await home.ended(service, view.replay.id)
    assert view.status == "completed_with_failures"
    assert view.parts[0].failed_ids == [events[1].id, events[4].id]
    tries = [ids(home.receiver.deliveries).count(event.id) for event in events]
    assert tries == [1, 1, 1, 1, 1 + len(QUICK), 1]
    attempts = await attempts_of_event(home.database, events[4].id)
    assert [(a.error, a.given_up, bool(a.next_at)) for a in attempts] == [
        ("http_5xx", False, True),
        ("http_5xx", False, True),
        ("http_5xx", False, False),
    ]


async def test_when_all_are_refused_the_replay_has_failed(home: Home) -> None:
    await home.events(2)
    await home.endpoint()
    home.receiver.behaviour = lambda _: status(404)
    service = await home.service()
    view, _ = await service.desk.start(home.wanted(status=Status.ALL), "d")
    assert (await home.ended(service, view.replay.id)).status == "failed"


async def test_an_endpoint_that_is_gone_or_deleted_ends_its_part(home: Home) -> None:
    await home.events(3)
    endpoint = await home.endpoint()
    home.receiver.behaviour = lambda _: status(410)
    service = await home.service()
    view, _ = await service.desk.start(home.wanted(status=Status.ALL), "d")
    view = await home.ended(service, view.replay.id)
    assert view.status == "Terminated"
    assert view.parts[0].message == "the endpoint does not work (http_gone)"
    await home.endpoints.delete(endpoint.id)
    with pytest.raises(Invalid, match="no webhook endpoint that is enabled"):
        await service.desk.start(home.wanted(), "e")
    with pytest.raises(NotFound, match="endpoint not found"):
        await service.desk.start(home.wanted(endpoint_id=endpoint.id), "f")


async def test_an_endpoint_that_does_not_work_makes_the_replay_wait_and_costs_few_events(home: Home) -> None:
    events = await home.events(10)
    await home.endpoint()
    home.receiver.behaviour = lambda _: FAILURE
    service = await home.service()
    view, _ = await service.desk.start(home.wanted(status=Status.ALL), "d")
    await home.receiver.until(lambda: len(home.receiver.deliveries) >= 3 * (1 + len(QUICK)) + 1)
    async with asyncio.timeout(60):
        while not (part := (await service.desk.view(view.replay.id)).parts[0]).message:
            await asyncio.sleep(0.02)
    assert part.message == "waiting: the endpoint does not work (http_5xx)"
    assert (part.failed, part.completed) == (3, 0)
    home.receiver.behaviour = lambda _: OK
    view = await home.ended(service, view.replay.id)
    assert view.status == "completed_with_failures"
    assert ids(home.receiver.accepted) == ids(events[3:])


@pytest.mark.parametrize("what", ["paused", "enabled"])
async def test_a_replay_waits_while_its_endpoint_is_paused_or_disabled(home: Home, what: str) -> None:
    events = await home.events(3)
    endpoint = await home.endpoint()
    stop = {"paused": True} if what == "paused" else {"enabled": False}
    await home.endpoints.update(endpoint.id, EndpointRequest(**stop))  # type: ignore[arg-type]
    service = await home.service()
    view, _ = await service.desk.start(home.wanted(status=Status.ALL, endpoint_id=endpoint.id), "d")
    async with asyncio.timeout(60):
        while not (part := (await service.desk.view(view.replay.id)).parts[0]).message:
            await asyncio.sleep(0.02)
    said = "paused" if what == "paused" else "not enabled"
    assert (part.message, part.ended_at) == (f"waiting: the endpoint is {said}", 0)
    again = {name: not value for name, value in stop.items()}
    await home.endpoints.update(endpoint.id, EndpointRequest(**again))  # type: ignore[arg-type]
    assert (await home.ended(service, view.replay.id)).status == "completed"
    assert ids(home.receiver.deliveries) == ids(events)


async def test_the_same_words_while_it_runs_are_the_same_replay_and_afterwards_another(home: Home) -> None:
    await home.events(3)
    endpoint = await home.endpoint()
    await home.endpoints.pause(endpoint.id)  # so long it runs
    service = await home.service()
    first, _ = await service.desk.start(home.wanted(status=Status.ALL), "same")
    again, new = await service.desk.start(home.wanted(status=Status.ALL), "same")
    assert (again.replay.id, new) == (first.replay.id, False)
    await home.endpoints.resume(endpoint.id)
    await home.ended(service, first.replay.id)
    other, new = await service.desk.start(home.wanted(status=Status.ALL), "same")
    assert new
    assert other.replay.id != first.replay.id


async def test_asked_of_several_nodes_at_once_it_is_started_once(home: Home) -> None:
    await home.events(3)
    await home.endpoint()
    services = [await home.service() for _ in range(3)]
    wanted = home.wanted(status=Status.ALL)
    answers = await asyncio.gather(*(service.desk.start(wanted, "same") for service in services * 2))
    assert len({view.replay.id for view, _ in answers}) == 1
    assert [new for _, new in answers].count(True) == 1
    others = await asyncio.gather(*(service.desk.start(wanted, str(n)) for n, service in enumerate(services)))
    assert all(new for _, new in others)


async def test_no_more_than_the_set_rate_is_sent(home: Home) -> None:
    await home.events(11)
    await home.endpoint()
    service = await home.service(per_second=40.0)
    began = home.clock.now()
    view, _ = await service.desk.start(home.wanted(status=Status.ALL), "d")
    await home.ended(service, view.replay.id)
    times = [delivery.at for delivery in home.receiver.deliveries]
    assert times[-1] - began >= 10 / 40 * NANOSECONDS * 0.9


async def test_a_cancelled_replay_sends_no_more_and_says_how_far_it_came(home: Home) -> None:
    await home.events(50)
    await home.endpoint()
    service = await home.service(per_second=10.0)
    view, _ = await service.desk.start(home.wanted(status=Status.ALL), "d")
    await home.receiver.until_accepted(5)
    view = await service.desk.cancel(view.replay.id)
    assert view.status == "Canceled"
    sent = len(home.receiver.deliveries)
    assert 5 <= sent < 50
    again = await service.desk.cancel(view.replay.id)
    assert again == view
    await asyncio.sleep(0.2)
    assert len(home.receiver.deliveries) <= sent + 1
    assert view.parts[0].completed <= sent
    assert (
        await home.database.fetch(
            "replay_chunk", replay_id=view.replay.id, endpoint_id=view.parts[0].endpoint_id, number=0
        )
        == []
    )


async def test_of_several_workers_one_does_a_replay_and_another_goes_on_when_it_stops(home: Home) -> None:
    events = await home.events(60)
    await home.endpoint()
    services = [await home.service(per_second=100.0) for _ in range(3)]
    view, _ = await services[0].desk.start(home.wanted(status=Status.ALL), "d")
    for number, service in enumerate(services[:2], start=1):
        await home.receiver.until_accepted(15 * number)
        await service.stop()
        home.services.remove(service)
    await home.ended(services[2], view.replay.id)
    assert ids(home.receiver.deliveries) == ids(events)


async def test_an_event_that_retention_took_away_meanwhile_is_said_to_have_failed(home: Home) -> None:
    events = await home.events(3)
    endpoint = await home.endpoint()
    home.receiver.behaviour = lambda _: Answer(OK.data, delay=0.3)
    service = await home.service()
    view, _ = await service.desk.start(home.wanted(status=Status.ALL), "d")
    await home.receiver.until(lambda: len(home.receiver.deliveries) == 1)
    await home.database.commit(Unit((Delete(EVENT, (events[2].position,)),)))
    view = await home.ended(service, view.replay.id)
    assert view.parts[0].failed_ids == [f"position {events[2].position}: expired"]
    assert view.parts[0].endpoint_id == endpoint.id


async def test_a_replay_of_an_event_that_was_expunged_says_so(home: Home) -> None:
    (event,) = await home.events(1)
    await home.endpoint()
    await home.ledger.expunge(event, home.clock.now())
    service = await home.service()
    view, _ = await service.desk.start(home.wanted(status=Status.ALL), "d")
    await home.ended(service, view.replay.id)
    body = json.loads(home.receiver.deliveries[0].body)
    assert (body["is_expunged"], body["is_replay"], body["id"]) == (True, True, event.id)
    assert body["data"]["user_name"] == ""


async def test_what_happens_now_does_not_wait_for_a_replay(home: Home) -> None:
    """The replay's deliveries are answered late, all others at once."""
    dispatcher = Dispatcher(home.database, home.ledger, home.endpoints, home.clock, random.Random(1))
    await dispatcher.start()
    await home.events(8)
    await home.endpoint()
    home.receiver.behaviour = lambda one: Answer(OK.data, delay=60) if one.header("callboard-replay") else OK
    service = await home.service()
    view, _ = await service.desk.start(home.wanted(status=Status.ALL), "d")
    await home.receiver.until(lambda: bool(home.receiver.deliveries))
    live = set(ids(await home.events(30)))
    try:
        await home.receiver.until(lambda: live <= set(ids(home.receiver.accepted)), seconds=50)
        view = await service.desk.view(view.replay.id)
        assert [part.completed for part in view.parts] == [0], "all of them were faster than the replay's first"
        replayed = {one.connection for one in home.receiver.deliveries if one.header("callboard-replay")}
        assert replayed.isdisjoint(one.connection for one in home.receiver.deliveries if one.id in live)
    finally:
        await service.desk.cancel(view.replay.id)  # nobody waits for its delivery any more
        await dispatcher.stop()
