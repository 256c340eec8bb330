"""`/v2/webhook-endpoints`: where events go."""

from __future__ import annotations

from typing import Any

import pytest

ABSENT = "5f9edc6ac238215aec2312df"
GIVEN = {
    "url": "https://a.example/hook?x=1",
    "headers": {"X-Key": "hunter2"},
    "description": "billing",
    "enabled": False,
}


async def test_a_new_endpoint_shows_its_secret_and_never_again(rest: Any) -> None:
    made = await rest.post("/v2/webhook-endpoints", GIVEN)
    (secret,) = made.pop("secrets")
    assert secret.startswith("whsec_")
    assert made == {
        "id": made["id"],
        "url": "https://a.example/hook?x=1",
        "headers": {"X-Key": "********"},
        "enabled": False,
        "paused": False,
        "delivery": {},
        "description": "billing",
        "template_id": "",
        "room_id": "",
        "events": [],
        "tls": {"authorities": "", "certificate": ""},
        "signing_keys": [{"scheme": "v1", "created_at": made["created_at"]}],
        "created_at": made["created_at"],
        "updated_at": made["created_at"],
    }
    path = f"/v2/webhook-endpoints/{made['id']}"
    assert await rest.get(path) == made
    assert await rest.get("/v2/webhook-endpoints") == {"data": [made]}
    assert "secrets" not in await rest.post(path, {"enabled": True})


async def test_endpoints_are_listed_oldest_first(rest: Any) -> None:
    made = [await rest.post("/v2/webhook-endpoints", {"url": f"https://a.example/{n}"}) for n in range(3)]
    listed = (await rest.get("/v2/webhook-endpoints"))["data"]
    assert [endpoint["id"] for endpoint in listed] == [endpoint["id"] for endpoint in made]


async def test_an_update_changes_what_it_says(rest: Any) -> None:
    made = await rest.post("/v2/webhook-endpoints", GIVEN)
    del made["secrets"]
    new = await rest.post(f"/v2/webhook-endpoints/{made['id']}", {"url": "https://b.example/"})
    assert new == made | {"url": "https://b.example/", "updated_at": new["updated_at"]}


async def test_an_endpoint_can_be_for_a_room_a_template_and_some_events(rest: Any) -> None:
    room = await rest.post("/v2/rooms", {"name": "algebra"})
    chosen = {"room_id": room["id"], "events": ["peer.*", "!*.failure"]}
    made = await rest.post("/v2/webhook-endpoints", {"url": "https://a.example/", **chosen})
    path = f"/v2/webhook-endpoints/{made['id']}"
    assert {name: made[name] for name in chosen} == chosen
    changed = await rest.post(path, {"template_id": room["template_id"]})
    assert (changed["room_id"], changed["template_id"], changed["events"]) == (
        "",
        room["template_id"],
        chosen["events"],
    )
    for name in ("room_id", "template_id"):
        answer = await rest.post(path, {name: ABSENT}, 400)
        assert answer["details"] == [f"{name}: there is no {name[:-3]} with this id"]
    changed = await rest.post(path, {"template_id": "", "events": []})
    assert (changed["room_id"], changed["template_id"], changed["events"]) == ("", "", [])
    del changed["updated_at"], made["updated_at"], made["secrets"]
    assert changed == made | {"room_id": "", "events": []}


async def test_a_mask_in_place_of_a_header_value_leaves_it(rest: Any) -> None:
    made = await rest.post("/v2/webhook-endpoints", GIVEN)
    path = f"/v2/webhook-endpoints/{made['id']}"
    headers = (await rest.get(path))["headers"]
    await rest.post(path, {"headers": headers | {"X-New": "new"}})
    assert rest.deps.endpoints.get(made["id"]).headers == {"X-Key": "hunter2", "X-New": "new"}


async def test_an_endpoint_that_was_deleted_is_gone(rest: Any) -> None:
    made = await rest.post("/v2/webhook-endpoints", GIVEN)
    path = f"/v2/webhook-endpoints/{made['id']}"
    answer = await rest.ask("DELETE", path)
    assert (answer.status, answer.body) == (204, b"")
    assert (await rest.get(path, 404))["message"] == "endpoint not found"
    assert (await rest.ask("DELETE", path)).status == 404


async def test_an_endpoint_that_is_not_there_is_404(rest: Any) -> None:
    for one in (ABSENT, "x"):
        path = f"/v2/webhook-endpoints/{one}"
        expected = {"code": 404, "message": "endpoint not found", "details": []}
        assert await rest.get(path, 404) == expected
        assert await rest.post(path, {"enabled": True}, 404) == expected


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, "url: "),
        ({"url": 7}, "url: "),
        ({"url": "ftp://a.example"}, "url: "),
        ({"url": "https://a.example", "headers": {"X": "a\r\nb"}}, "headers"),
        ({"url": "https://a.example", "headers": {"X": 1}}, "headers.X: must be a text"),
        ({"url": "https://a.example", "delivery": {"concurrency": -1}}, "delivery.concurrency: must be"),
        ({"url": "https://a.example", "delivery": {"speed": 1}}, "delivery.speed: there is no such key"),
        ({"url": "https://a.example", "enable": True}, "enable: there is no such key; did you mean enabled?"),
        ({"url": "https://a.example", "secrets": ["short"]}, "secrets"),
        ({"url": "https://a.example", "events": ["peer.jion.*"]}, "events[0]: unknown event type 'peer.jion.*'"),
        ({"url": "https://a.example", "events": "peer.*"}, "events: must be a list"),
        ({"url": "https://a.example", "room_id": "x"}, "room_id: must be 24 hexadecimal digits"),
        ({"url": "https://a.example", "room_id": ABSENT}, "room_id: there is no room with this id"),
        ({"url": "https://a.example", "template_id": ABSENT}, "template_id: there is no template with this id"),
    ],
)
async def test_a_wrong_endpoint_is_refused_with_its_place(rest: Any, body: dict[str, Any], place: str) -> None:
    answer = await rest.post("/v2/webhook-endpoints", body, 400)
    assert any(detail.startswith(place) for detail in answer["details"]), answer
    assert (await rest.get("/v2/webhook-endpoints"))["data"] == []


async def test_an_endpoint_is_paused_and_resumed(rest: Any) -> None:
    made = await rest.post("/v2/webhook-endpoints", {"url": "https://a.example/"})
    path = f"/v2/webhook-endpoints/{made['id']}"
    paused = await rest.post(f"{path}/pause", None)
    assert (paused["paused"], paused["enabled"], (await rest.get(path))["paused"]) == (True, True, True)
    assert (await rest.post(f"{path}/resume", None))["paused"] is False
    await rest.post(path, {"enabled": False})
    refused = await rest.post(f"{path}/resume", None, 400)
    assert refused["details"] == ["enabled: enable it, and its events are sent"]
    for action in ("pause", "resume"):
        assert (await rest.post(f"/v2/webhook-endpoints/{ABSENT}/{action}", None, 404))["message"] == (
            "endpoint not found"
        )
