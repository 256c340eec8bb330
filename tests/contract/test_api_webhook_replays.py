"""`/v2/analytics/webhooks` and its replays: shapes, filters, windows, limits, errors (platform.md §10.4, §10.5)."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from callboard.clock import NANOSECONDS, RandomIds, SystemClock
from callboard.database import Put, Unit
from callboard.database.tables import ATTEMPT
from callboard.events import timestamps
from callboard.jobs import Backoff, WorkerSettings
from callboard.ledger import Changes, Recorded
from callboard.testing.facts import joined
from callboard.testing.receiver import OK, Answer, Receiver
from callboard.webhooks.endpoint import Endpoint, EndpointRequest
from callboard.webhooks.reach import resolve
from callboard.webhooks.replays.line import Client
from callboard.webhooks.replays.service import ReplayService
from callboard.webhooks.request import head_row
from callboard.webhooks.room_hooks import RoomHooks
from callboard.webhooks.sender import SenderSettings
from callboard.webhooks.tls import system_context

DAY = 86_400 * NANOSECONDS
PATH = "/v2/analytics/webhooks"
REPLAY = f"{PATH}/replay"
SESSION = "610f81ee870dde099a249940"


class Home:
    """A REST API with replays, a receiver, and deliveries in the log."""

    def __init__(self, rest: Any, receiver: Receiver) -> None:
        self.rest = rest
        self.receiver = receiver
        self.endpoint: Endpoint
        self.events: list[Recorded] = []

    async def log(self, event: Recorded, status: int, error: str, at: int = 0) -> None:
        """What the log of attempts would hold of this delivery."""
        at = at or event.committed_at + 1
        row = (event.id, self.endpoint.id, 4, at, status, error, 0.1, 0, self.endpoint.updated_at, 9)
        wire = ("", 0.0, 0.0, 0.0, 0.0, "")
        await self.rest.deps.database.commit(Unit((Put(ATTEMPT, (*row, *wire)), head_row(self.endpoint))))

    async def history(self, code: int = 200, /, **params: Any) -> Any:
        answer = await self.rest.ask("GET", PATH, params=params)
        assert answer.status == code, answer.body
        return answer.json()

    async def ended(self, workflow_id: str) -> dict[str, Any]:
        async with asyncio.timeout(60):
            while True:
                shown: dict[str, Any] = await self.rest.get(f"{REPLAY}/{workflow_id}")
                if shown["status"] != "Running":
                    return shown
                await asyncio.sleep(0.02)


@pytest.fixture
async def home(rest: Any, served: Any) -> AsyncIterator[Home]:
    """Six joins: two accepted, three given up for three reasons, one that is still tried."""
    clock, ids, deps = SystemClock(), RandomIds(3), rest.deps
    service = ReplayService(
        deps.database,
        deps.ledger,
        deps.endpoints,
        clock,
        ids,
        Client(SenderSettings(timeout=60.0), system_context(), resolve),
        account_id=deps.workspace.id,
        per_second=500.0,
        backoff=Backoff(first=0.1, factor=1.0),
        settings=WorkerSettings(cores=1.0, poll=0.02),
    )
    deps = replace(deps, clock=clock, replays=service.desk)
    await service.start()
    async with Receiver() as receiver, served(deps, rest.live, rest.ready) as other:
        home = Home(other, receiver)
        home.endpoint = await deps.endpoints.create(EndpointRequest(url=receiver.url))
        for _ in range(6):
            home.events += await deps.ledger.commit(joined(SESSION, ids, clock))
        for event, (status, error) in zip(
            home.events,
            [
                (200, ""),
                (204, ""),
                (0, "given_up:timeout_answer"),
                (503, "given_up:http_5xx"),
                (0, "given_up:connection_refused"),
                (500, "http_5xx"),
            ],
            strict=True,
        ):
            await home.log(event, status, error)
        yield home
        await service.stop()


def data(event: Recorded) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(event.body)["data"]
    return found


async def test_the_history_has_the_platforms_shape(home: Home) -> None:
    page = await home.rest.get(PATH)
    assert page["pagination"] == {
        "current_page": 1,
        "page_size": 50,
        "total_pages": 1,
        "total_items": 5,
        "has_next": False,
        "has_prev": False,
    }
    assert page["summary"] == {"total_events": 5}
    assert [one["event_id"] for one in page["events"]] == [event.id for event in reversed(home.events[:5])]
    failed, accepted = page["events"][0], page["events"][-1]
    event = home.events[4]
    assert failed == {
        "event_id": event.id,
        "event_name": "reporter.webhook.delivery.failed",
        "room_id": event.room_id,
        "event_timestamp": timestamps.seconds(event.committed_at + 1),
        "payload": {
            "event_data": {name: data(event)[name] for name in ("session_id", "peer_id", "user_id")},
            "webhook_url": home.receiver.url,
            "original_event_name": "peer.join.success",
            "error_reason": "connection_refused",
        },
    }
    assert accepted["event_name"] == "reporter.webhook.delivery.success"
    assert "error_reason" not in accepted["payload"]
    assert [one["payload"].get("error_reason") for one in page["events"][1:3]] == ["http_503", "timeout"]


async def test_the_history_is_filtered_and_paged(home: Home) -> None:
    async def found(**params: Any) -> list[int]:
        page = await home.history(**params)
        order = [event.id for event in home.events]
        return [order.index(one["event_id"]) for one in page["events"]]

    assert await found(status="failed") == [4, 3, 2]
    assert await found(status="success") == [1, 0]
    assert await found(status="all", limit=2) == [4, 3]
    assert await found(limit=2, page=3) == [0]
    assert await found(limit=2, page=4) == []
    assert await found(event_names="peer.leave.success") == []
    assert await found(event_names="peer.*", room_id=home.events[0].room_id) == [4, 3, 2, 1, 0]
    assert await found(room_id="0" * 24) == []
    assert await found(end_time=timestamps.precise(home.events[1].committed_at + 1)) == [1, 0]
    page = await home.rest.get(PATH, limit=2, page=2)
    assert (
        page["pagination"] | {"total_items": 5, "total_pages": 3, "has_next": True, "has_prev": True}
        == page["pagination"]
    )


def ago(days: float) -> str:
    return timestamps.seconds(int(SystemClock().now() - days * DAY))


@pytest.mark.parametrize(
    ("said", "message", "detail"),
    [
        ({"start_time": 31}, "start_time must be within the last 30 days", ""),
        ({"start_time": -1}, "start_time must be within the last 30 days", ""),
        ({"start_time": 20, "end_time": 5}, "end_time must be within 14 days after start_time", ""),
        ({"start_time": 3, "end_time": 4}, "end_time must be within 14 days after start_time", ""),
        ({"start_time": "yesterday"}, "Invalid parameter", "start_time: must be an instant"),
        ({"event_names": "peer.joined"}, "Invalid parameter", "event_names: unknown event type 'peer.joined'"),
        ({"room_id": "x"}, "Invalid parameter", "room_id: must be 24 hexadecimal digits"),
    ],
)
async def test_windows_and_filters_are_refused_in_the_platforms_words(
    home: Home, said: dict[str, Any], message: str, detail: str
) -> None:
    said = {name: ago(value) if isinstance(value, int) else value for name, value in said.items()}
    listed = await home.rest.get(PATH, 400, **said)
    in_query = (await home.rest.ask("POST", REPLAY, params=said)).json()
    in_body = await home.rest.post(REPLAY, {k: [v] if k == "event_names" else v for k, v in said.items()}, 400)
    for answer in (listed, in_query, in_body):
        assert answer["message"] == message
        assert "".join(answer["details"]).startswith(detail)
    assert await home.rest.deps.database.fetch("open_replays") == []


@pytest.mark.parametrize(
    ("params", "detail"),
    [
        ({"limit": 0}, "limit: must be an integer from 1 to 100"),
        ({"limit": 101}, "limit: must be an integer from 1 to 100"),
        ({"page": 0}, "page: must be"),
        ({"status": "bad"}, "status: must be"),
    ],
)
async def test_limits_of_the_history(home: Home, params: dict[str, Any], detail: str) -> None:
    assert (await home.history(400, **params))["details"][0].startswith(detail)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"limit": 50_001}, "limit: must be an integer from 1 to 50000"),
        ({"offset": -1}, "offset: must be"),
        ({"status": "bad"}, "status: must be"),
        ({"what": 1}, "what: "),
        ({"event_ids": ["x"] * 101}, "event_ids: must be"),
        ({"endpoint_id": "x"}, "endpoint_id: must be 24 hexadecimal digits"),
    ],
)
async def test_limits_of_a_replay(home: Home, body: dict[str, Any], detail: str) -> None:
    assert (await home.rest.post(REPLAY, body, 400))["details"][0].startswith(detail)


async def test_a_replay_of_what_failed_is_started_watched_and_ends(home: Home) -> None:
    answer = await home.rest.post(REPLAY, {"start_time": ago(1), "event_names": ["peer.join.success"]})
    workflow_id = answer["workflow_id"]
    assert re.fullmatch(f"webhook-replay-{home.rest.deps.workspace.id}-[0-9a-f]{{8}}", workflow_id)
    assert answer["status"] == "started"
    assert answer["message"] == "Webhook replay has been queued for processing"
    assert answer["filters"]["event_types"] == ["peer.join.success"]
    assert answer["filters"]["start_time"] == ago(1)[:17] + answer["filters"]["start_time"][17:]
    shown = await home.ended(workflow_id)
    assert shown["status"] == "completed"
    assert shown["progress"] == {"total": 3, "completed": 3, "failed": 0}
    assert shown["result"] == {"total": 3, "completed": 3, "failed": 0, "failed_events": []}
    assert shown["filters"]["limit"] == 50_000
    assert shown["filters"]["offset"] == 0
    assert shown["filters"]["room_id"] == ""
    assert shown["completed_at"] >= shown["started_at"]
    sent = [json.loads(delivery.body) for delivery in home.receiver.deliveries]
    assert sent == [json.loads(event.body) | {"is_replay": True} for event in home.events[2:5]]
    page = await home.history(status="failed")
    assert page["summary"]["total_events"] == 0, "what was replayed is no failure any more"
    listed = await home.rest.get(REPLAY)
    assert listed == {"data": [shown], "last": ""}


async def test_a_failure_is_found_by_when_it_happened_and_by_when_it_was_given_up(home: Home) -> None:
    """Days lie between the two when an endpoint was down."""
    late = home.events[5]
    await home.log(late, 500, "given_up:http_5xx", at=late.committed_at + 3600 * NANOSECONDS)
    answer = await home.rest.post(REPLAY, {"end_time": timestamps.precise(late.committed_at)})
    shown = await home.ended(answer["workflow_id"])
    assert shown["progress"]["total"] == 4


async def test_the_query_says_the_same_as_the_body_and_so_does_the_other_path(home: Home) -> None:
    await home.rest.deps.endpoints.pause(home.endpoint.id)  # so long it runs
    params = {"start_time": ago(1), "limit": "2"}
    first = (await home.rest.ask("POST", REPLAY, params=params)).json()
    again = await home.rest.post(
        "/v2/analytics/events/webhooks/replay", {"start_time": params["start_time"], "limit": 2}
    )
    assert again["workflow_id"] == first["workflow_id"]
    assert (first["status"], again["status"]) == ("started", "already_running")
    running = await home.rest.get(f"{REPLAY}/{first['workflow_id']}")
    assert running["status"] == "Running"
    assert "completed_at" not in running
    assert "result" not in running
    await home.rest.deps.endpoints.resume(home.endpoint.id)
    assert (await home.ended(first["workflow_id"]))["progress"]["total"] == 2


async def test_events_by_their_ids_are_replayed_whatever_became_of_them(home: Home) -> None:
    wanted = [home.events[1].id, home.events[0].id]
    answer = await home.rest.post(REPLAY, {"event_ids": wanted, "endpoint_id": home.endpoint.id})
    await home.ended(answer["workflow_id"])
    assert [delivery.id for delivery in home.receiver.deliveries] == wanted[::-1]
    unknown = await home.rest.post(REPLAY, {"event_ids": ["nobody"]}, 404)
    assert (unknown["message"], unknown["details"]) == ("event not found", ["nobody"])


async def test_a_replay_is_cancelled(home: Home) -> None:
    home.receiver.behaviour = lambda _: Answer(OK.data, delay=4.0)
    workflow_id = (await home.rest.post(REPLAY, {"status": "all"}))["workflow_id"]
    await home.receiver.until(lambda: bool(home.receiver.deliveries))
    cancelled = await home.rest.post(f"{REPLAY}/{workflow_id}/cancel")
    assert cancelled["status"] == "Canceled"
    assert cancelled == await home.rest.get(f"{REPLAY}/{workflow_id}")


async def test_an_unknown_workflow_is_not_found(home: Home) -> None:
    for path in (f"{REPLAY}/nobody", f"{REPLAY}/{'x' * 300}"):
        assert (await home.rest.get(path, 404))["message"] == "workflow not found"
    assert (await home.rest.post(f"{REPLAY}/nobody/cancel", status=404))["message"] == "workflow not found"


async def test_who_asks_too_often_is_told_when_to_come_back(home: Home) -> None:
    refused = await home.rest.ask("POST", REPLAY, data="{}")
    for _ in range(200):
        if refused.status == 429:
            break
        refused = await home.rest.ask("POST", REPLAY, data="{}")
    assert re.fullmatch(r"rate limit exceeded, retry after [0-9]+ seconds", refused.json()["message"])
    assert int(refused.headers["retry-after"]) >= 1


async def test_without_the_service_it_says_so(rest: Any) -> None:
    answer = await rest.post(REPLAY, {}, 503)
    assert answer["message"] == "webhook replay service unavailable"


async def test_a_room_s_own_webhook_is_replayed_to_and_seen_in_the_history_and_the_attempts(home: Home) -> None:
    deps = home.rest.deps
    deps.endpoints.hooks = RoomHooks(deps.database, deps.workspace.secret)
    async with Receiver() as own:
        room = await home.rest.post("/v2/rooms", {"name": "own", "webhook": {"url": own.url, "headers": {"x-p": "s"}}})
        (fact,) = joined("61" * 12, RandomIds(5), SystemClock()).facts
        hooked = replace(fact, room_id=room["id"], hook=room["id"])
        (event,) = await deps.ledger.commit(Changes(facts=(hooked,)))
        said = {"status": "all", "endpoint_id": room["id"]}
        shown = await home.ended((await home.rest.post(REPLAY, said))["workflow_id"])
        assert shown["endpoints"] == [
            {"endpoint_id": room["id"], "state": "done", "total": 1, "completed": 1, "failed": 0, "message": ""}
        ]
        assert [one.id for one in own.accepted] == [event.id]
        (listed,) = (await home.history(room_id=room["id"]))["events"]
        assert (listed["event_id"], listed["payload"]["webhook_url"]) == (event.id, own.url)
    for path in (f"/v2/events/{event.id}/attempts", f"/v2/webhook-endpoints/{room['id']}/attempts"):
        (attempt,) = (await home.rest.get(path))["data"]
        assert (attempt["endpoint_id"], attempt["replay"], attempt["outcome"]) == (room["id"], True, "accepted")
        assert attempt["number"] % 1_000_000 == 1
        assert attempt["request"]["headers"]["x-p"] == "[redacted]"
    assert (await home.rest.get("/v2/webhook-endpoints/rooms/parked-events"))["data"] == []
    everything = await home.ended((await home.rest.post(REPLAY, {"endpoint_id": "rooms"}))["workflow_id"])
    assert [one["endpoint_id"] for one in everything["endpoints"]] == ["rooms"]
