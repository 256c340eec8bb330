"""`/v2/webhook-endpoints/{id}/parked-events` and `/v2/operational-events`."""

from __future__ import annotations

from typing import Any

from callboard.clock import NANOSECONDS, RandomIds
from callboard.database import Unit
from callboard.webhooks.operational import EndpointDisabled, operational, rows
from callboard.webhooks.parking import Parked

AT = 1_800_000_000 * NANOSECONDS


async def test_parked_events_are_listed_page_by_page(rest: Any) -> None:
    made = await rest.post("/v2/webhook-endpoints", {"url": "https://a.example/"})
    path = f"/v2/webhook-endpoints/{made['id']}/parked-events"
    assert await rest.get(path) == {"limit": 10, "data": [], "last": ""}
    for number in range(15):
        at = AT + number // 2 * NANOSECONDS
        parked = Parked(made["id"], f"e{number:02}", "s1", number, "peer.join.success", at, 4, 422, "http_4xx")
        await rest.deps.database.commit(Unit((parked.row(),)))
    first = await rest.get(path)
    assert first["data"][0] == {
        "event_id": "e00",
        "type": "peer.join.success",
        "stream": "s1",
        "seq": 0,
        "parked_at": first["data"][0]["parked_at"],
        "attempts": 4,
        "status": 422,
        "error": "http_4xx",
    }
    second = await rest.get(f"{path}?start={first['last']}")
    assert [one["event_id"] for one in first["data"] + second["data"]] == [f"e{number:02}" for number in range(15)]
    assert second["last"] == ""
    refused = await rest.get(f"{path}?start=x", 400)
    assert refused["details"] == ["start: must be `last` of the page before"]
    assert (await rest.get("/v2/webhook-endpoints/5f9edc6ac238215aec2312df/parked-events", 404))["code"] == 404


async def test_operational_events_are_read_on_from_the_last_one(rest: Any) -> None:
    assert await rest.get("/v2/operational-events") == {"limit": 10, "data": [], "last": ""}
    ids, made = RandomIds(1), []
    for number in range(12):
        event = operational(EndpointDisabled(endpoint_id=f"e{number}", reason="gone"), ids, AT + number * NANOSECONDS)
        await rest.deps.database.commit(Unit(rows(event, ())))
        made.append(event)
    first = await rest.get("/v2/operational-events")
    second = await rest.get(f"/v2/operational-events?start={first['last']}")
    told = first["data"] + second["data"]
    assert [one["id"] for one in told] == [event.id for event in made]
    assert told[0]["type"] == "endpoint.disabled"
    assert told[0]["data"] == {"endpoint_id": "e0", "reason": "gone"}
    assert await rest.get(f"/v2/operational-events?start={second['last']}") == {
        "limit": 10,
        "data": [],
        "last": second["last"],
    }
    assert (await rest.get("/v2/operational-events?start=1", 400))["code"] == 400
