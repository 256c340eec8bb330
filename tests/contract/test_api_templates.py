"""`/v2/templates` (platform.md §3.10)."""

from __future__ import annotations

import json
from typing import Any

import pytest

ABSENT = "5f9edc6ac238215aec2312df"
UPLOAD = {
    "type": "gs",
    "location": "bucket",
    "prefix": "",
    "options": {"region": ""},
    "credentials": {"key": "AK", "secretKey": "hunter2"},
}


async def test_the_default_template_is_shown_as_the_platform_shows_templates(rest: Any) -> None:
    page = await rest.get("/v2/templates")
    assert (page["limit"], page["last"]) == (10, "")
    (template,) = page["data"]
    assert await rest.get(f"/v2/templates/{template['id']}") == template
    workspace = rest.deps.workspace
    assert template["_id"] == template["id"]
    assert (template["customerId"], template["customer"]) == (workspace.id, workspace.id)
    assert template["name"] == "default"
    assert sorted(template["roles"]) == ["guest", "host", "viewer"]
    assert template["roles"]["host"]["publishParams"]["allowed"] == ["audio", "video", "screen"]
    assert template["roles"]["host"]["permissions"]["endRoom"] is True
    assert template["settings"]["roomState"]["messageInterval"] == 10
    assert set(template) == {
        "id",
        "_id",
        "name",
        "customerId",
        "customer",
        "roles",
        "settings",
        "recordings",
        "destinations",
        "plugins",
        "createdAt",
        "updatedAt",
    }


async def test_a_new_template_has_what_it_was_given_and_defaults_for_the_rest(rest: Any) -> None:
    given = {
        "name": "webinar",
        "roles": {"host": {"publishParams": {"allowed": ["audio"]}, "maxPeerCount": 1}},
        "settings": {"region": "eu"},
        "destinations": {"hlsDestinations": {"hls": {"name": "hls", "maxDuration": 3600}}},
        "plugins": {"whiteboard": {"permissions": {"admin": ["host"]}}},
        "recordings": [{"name": "r", "role": "host", "trackRecording": {"enabled": True}}],
    }
    template = await rest.post("/v2/templates", given)
    host = template["roles"]["host"]
    assert (host["publishParams"]["allowed"], host["maxPeerCount"], host["priority"]) == (["audio"], 1, 1)
    assert host["publishParams"]["video"]["bitRate"] == 256
    assert template["settings"]["region"] == "eu"
    assert template["plugins"] == given["plugins"]
    assert list(template["destinations"]) == ["hlsDestinations"]
    assert template["destinations"]["hlsDestinations"]["hls"]["maxDuration"] == 3600
    assert template["recordings"][0]["trackRecording"] == {"enabled": True}
    assert await rest.get(f"/v2/templates/{template['id']}") == template


async def test_creating_a_name_again_changes_that_template(rest: Any) -> None:
    first = await rest.post("/v2/templates", {"name": "t", "roles": {"a": {}}})
    again = await rest.post("/v2/templates", {"name": "t", "roles": {"b": {}}})
    assert (again["id"], list(again["roles"])) == (first["id"], ["b"])


async def test_an_update_replaces_the_template(rest: Any) -> None:
    made = await rest.post("/v2/templates", {"name": "t", "roles": {"a": {}}, "plugins": {"whiteboard": {}}})
    path = f"/v2/templates/{made['id']}"
    new = await rest.post(path, {"name": "u", "roles": {"b": {}}, "settings": {}})
    assert (new["id"], new["name"], list(new["roles"]), new["plugins"]) == (made["id"], "u", ["b"], {})
    assert await rest.get(path) == new


@pytest.mark.parametrize(("body", "missing"), [({"settings": {}}, "roles"), ({"roles": {"a": {}}}, "settings")])
async def test_an_update_needs_roles_and_settings(rest: Any, body: dict[str, Any], missing: str) -> None:
    made = await rest.post("/v2/templates", {"name": "t", "roles": {"a": {}}})
    answer = await rest.post(f"/v2/templates/{made['id']}", body, 400)
    assert answer["details"] == [f"{missing}: is required"]


async def test_a_template_that_was_read_can_be_written_back(rest: Any) -> None:
    settings = {"recording": {"upload": UPLOAD}}
    made = await rest.post("/v2/templates", {"name": "t", "roles": {"a": {}}, "settings": settings})
    assert made["settings"]["recording"]["upload"]["credentials"] == {"key": "AK", "secretKey": "********"}
    back = await rest.post(f"/v2/templates/{made['id']}", made)
    assert back == made | {"updatedAt": back["updatedAt"]}
    stored = (await rest.deps.store.template(made["id"])).settings.recording
    assert stored.upload.credentials.secret_key == "hunter2"


async def test_a_template_cannot_take_anothers_name(rest: Any) -> None:
    made = await rest.post("/v2/templates", {"name": "t", "roles": {"a": {}}})
    answer = await rest.post(f"/v2/templates/{made['id']}", made | {"name": "default"}, 400)
    assert answer["message"] == "template name already exists"


async def test_a_template_that_is_not_there_is_404(rest: Any) -> None:
    for template_id in (ABSENT, "default"):
        for answer in (
            await rest.get(f"/v2/templates/{template_id}", 404),
            await rest.post(f"/v2/templates/{template_id}", {"roles": {"a": {}}, "settings": {}}, 404),
        ):
            assert answer == {"code": 404, "message": "template not found", "details": []}


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({}, "roles: is required"),
        ({"name": "t"}, "roles: is required"),
        ({"name": "t", "roles": {}}, "roles: must be an object of 1 to 100 entries, each an object with"),
        ({"name": "t/", "roles": {"a": {}}}, "name: must be 1 to 255 letters, digits, spaces and . _ : -"),
        (
            {"name": "t", "roles": {"a/b": {}}},
            "roles.a/b: the name must be 1 to 100 letters, digits, spaces and . _ : -",
        ),
        ({"name": "t", "roles": {"a": {"priority": 6}}}, "roles.a.priority: must be an integer from 1 to 5"),
        (
            {"name": "t", "roles": {"a": {"publishParams": {"video": {"frameRate": 31}}}}},
            "roles.a.publishParams.video.frameRate: must be an integer from 1 to 30",
        ),
        (
            {"name": "t", "roles": {"a": {"publishParams": {"allowed": ["audio", "smell"]}}}},
            'roles.a.publishParams.allowed[1]: must be "audio", "screen", "simulcast" or "video"',
        ),
        (
            {"name": "t", "roles": {"a": {"permission": {}}}},
            "roles.a.permission: there is no such key; did you mean permissions?",
        ),
        (
            {"name": "t", "roles": {"a": {"subscribeParams": {"subscribeDegradation": {"packetLossThreshold": 0}}}}},
            "roles.a.subscribeParams.subscribeDegradation.packetLossThreshold: must be an integer from 1 to 100",
        ),
        (
            {"name": "t", "roles": {"a": {}}, "settings": {"roomState": {"messageInterval": 7}}},
            "settings.roomState.messageInterval: must be an integer from 5 to 3600, a multiple of 5",
        ),
        (
            {"name": "t", "roles": {"a": {}}, "destinations": {"hls": {}}},
            "destinations.hls: there is no such key; known are browserRecordings, rtmpDestinations, hlsDestinations,",
        ),
        ({"name": "t", "roles": {"a": {}}, "recordings": [{}, {}]}, "recordings: must be a list of at most 1 items"),
    ],
)
async def test_a_wrong_template_is_refused_with_its_place_and_what_is_allowed(
    rest: Any, body: dict[str, Any], detail: str
) -> None:
    answer = await rest.post("/v2/templates", body, 400)
    assert (answer["code"], answer["message"]) == (400, "Invalid body param")
    assert any(found.startswith(detail) for found in answer["details"]), answer
    assert len((await rest.get("/v2/templates"))["data"]) == 1


@pytest.mark.parametrize(("name", "place"), [("plugins", "plugins"), ("settings", "retry")])
async def test_what_is_free_in_form_is_not_nested_for_ever(rest: Any, name: str, place: str) -> None:
    key = {"plugins": "whiteboard", "settings": "retry"}[name]
    levels = 31 if name == "settings" else 30
    allowed = json.loads('{"a":' * levels + "[]" + "}" * levels)
    body = {"name": "t", "roles": {"a": {}}}
    made = await rest.post("/v2/templates", body | {name: {key: allowed}})
    assert made[name][key] == allowed
    for deep in (32, 400):
        nested = '{"a":' * deep + "{}" + "}" * deep
        text = json.dumps(body | {name: {key: "NESTED"}}).replace('"NESTED"', nested)
        answer = await rest.ask("POST", "/v2/templates", data=text)
        assert answer.status == 400, answer.body
        assert answer.json()["details"] == [f"{place}: must not be nested more than 32 deep"]
    assert len((await rest.get("/v2/templates"))["data"]) == 2


async def test_everything_that_is_wrong_is_said_at_once(rest: Any) -> None:
    body = {"name": "", "roles": {"a": {"priority": 0}, "b": {"maxPeerCount": -2}}}
    assert len((await rest.post("/v2/templates", body, 400))["details"]) == 3


async def test_a_thousand_mistakes_are_not_all_told(rest: Any) -> None:
    body = {"name": "t", "roles": {"a": {"publishParams": {"allowed": ["x"] * 1000}}}}
    assert len((await rest.post("/v2/templates", body, 400))["details"]) == 20


async def test_templates_are_listed_newest_first_a_page_at_a_time(rest: Any) -> None:
    made = [(await rest.post("/v2/templates", {"name": f"t{n}", "roles": {"a": {}}}))["id"] for n in range(11)]
    first = await rest.get("/v2/templates")
    second = await rest.get("/v2/templates", start=first["last"])
    ids = [template["id"] for page in (first, second) for template in page["data"]]
    assert ids[:-1] == made[::-1]
    assert (len(ids), second["last"]) == (12, "")
