"""`/v2/rooms` (platform.md §3.2)."""

from __future__ import annotations

import re
from typing import Any

import pytest

ABSENT = "5f9edc6ac238215aec2312df"
UPLOAD = {
    "type": "s3",
    "location": "bucket",
    "prefix": "p",
    "options": {"region": "eu-west-1"},
    "credentials": {"key": "AK", "secret": "hunter2"},
}


async def test_a_new_room_is_answered_as_the_platform_shows_rooms(rest: Any) -> None:
    room = await rest.post("/v2/rooms", {"name": "Stand-up", "description": "daily"})
    workspace = rest.deps.workspace
    (default,) = await rest.deps.store.templates(1)
    assert re.fullmatch("[0-9a-f]{24}", room.pop("id"))
    assert re.fullmatch(r"2027-01-15T08:00:\d\dZ", room["created_at"])
    assert room.pop("created_at") == room.pop("updated_at")
    assert room == {
        "name": "Stand-up",
        "enabled": True,
        "description": "daily",
        "customer_id": workspace.id,
        "customer": workspace.id,
        "app_id": workspace.app_id,
        "template_id": default.id,
        "region": "",
        "large_room": False,
        "size": 0,
        "max_duration_seconds": 0,
        "recording_info": None,
        "recording_source_template": True,
        "webhook": None,
        "polls": [],
    }


async def test_a_room_can_be_made_without_a_word(rest: Any) -> None:
    for room in (await rest.post("/v2/rooms"), await rest.post("/v2/rooms", {})):
        assert re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", room["name"])


async def test_a_room_keeps_everything_it_was_given(rest: Any) -> None:
    given = {
        "name": "all",
        "description": "d",
        "enabled": False,
        "region": "eu",
        "size": 3000,
        "large_room": True,
        "max_duration_seconds": 600,
        "webhook": {"url": "https://a.example/hook", "headers": {"X-Key": "k"}},
        "recording_info": {"enabled": True, "upload_info": UPLOAD},
        "polls": [(await rest.post("/v2/polls", {}))["id"]],
    }
    room = await rest.post("/v2/rooms", given)
    masked = {"enabled": True, "upload_info": UPLOAD | {"credentials": {"key": "AK", "secret": "********"}}}
    webhook = {"url": "https://a.example/hook", "headers": {"X-Key": "********"}}
    expected = given | {"recording_info": masked, "recording_source_template": False, "webhook": webhook}
    assert {name: room[name] for name in expected} == expected
    assert await rest.get(f"/v2/rooms/{room['id']}") == room


async def test_creating_a_name_again_changes_that_room(rest: Any) -> None:
    first = await rest.post("/v2/rooms", {"name": "a", "size": 5})
    again = await rest.post("/v2/rooms", {"name": "A", "description": "d"})
    assert (again["id"], again["size"], again["description"]) == (first["id"], 5, "d")


async def test_a_room_is_disabled_and_enabled_by_updating_it(rest: Any) -> None:
    room = await rest.post("/v2/rooms", {"name": "a"})
    path = f"/v2/rooms/{room['id']}"
    assert (await rest.post(path, {"enabled": False}))["enabled"] is False
    assert (await rest.get(path))["enabled"] is False
    assert (await rest.post(path, {"enabled": True}))["enabled"] is True


async def test_a_room_that_was_read_can_be_written_back(rest: Any) -> None:
    made = await rest.post("/v2/rooms", {"name": "a", "recording_info": {"enabled": True, "upload_info": UPLOAD}})
    back = await rest.post(f"/v2/rooms/{made['id']}", made | {"description": "edited"})
    assert back == made | {"description": "edited", "updated_at": back["updated_at"]}
    info = (await rest.deps.store.room(made["id"])).recording_info
    assert info.upload_info.credentials.secret == "hunter2"


async def test_a_room_that_is_not_there_is_404(rest: Any) -> None:
    for room_id in (ABSENT, "not-an-id"):
        for answer in (
            await rest.get(f"/v2/rooms/{room_id}", 404),
            await rest.post(f"/v2/rooms/{room_id}", {}, 404),
        ):
            assert answer == {"code": 404, "message": "room not found", "details": []}


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"size": 2501}, "Invalid body param: room size greater than 2500, set large_room flag as true"),
        ({"size": 20001}, "Invalid body param: room size greater than 20000"),
        ({"size": "5"}, "size: must be an integer of at least 0"),
        ({"size": -1}, "size: must be an integer of at least 0"),
        ({"enabled": "false"}, "enabled: must be true or false"),
        ({"enable": False}, "enable: there is no such key; did you mean enabled?"),
        ({"region": "mars"}, 'region: must be "auto", "eu", "in" or "us" or ""'),
        ({"name": "a b"}, "name: must be 1 to 255 letters, digits and . _ : -"),
        ({"webhook": {}}, "webhook.url: is required: a text of 1 to 2048 characters"),
        (
            {"webhook": {"url": "x"}},
            "webhook.url: must begin with http:// or https://",
        ),
        (
            {"recording_info": {"enabled": True, "upload_info": {"type": "ftp", "location": "b"}}},
            'recording_info.upload_info.type: must be "azure", "gs", "oss" or "s3"',
        ),
        (
            {"recording_info": {"enabled": True, "upload_info": {"type": "s3"}}},
            "recording_info.upload_info.location: is required: a text of 1 to 255 characters",
        ),
        ({"template_id": ABSENT}, "template_id: no template has this id"),
    ],
)
async def test_a_wrong_room_is_refused_with_its_place_and_what_is_allowed(
    rest: Any, body: dict[str, Any], detail: str
) -> None:
    answer = await rest.post("/v2/rooms", body, 400)
    assert answer["code"] == 400
    assert detail in answer["details"]
    assert (await rest.get("/v2/rooms"))["data"] == []


async def test_the_old_name_of_the_template_is_refused_in_the_platforms_words(rest: Any) -> None:
    answer = await rest.post("/v2/rooms", {"template": "default"}, 400)
    assert answer["message"] == "Invalid body param: template. Use template_id"


async def test_a_room_cannot_take_another_rooms_name(rest: Any) -> None:
    await rest.room(name="a")
    room = await rest.room(name="b")
    answer = await rest.post(f"/v2/rooms/{room.id}", {"name": "A"}, 400)
    assert answer == {"code": 400, "message": "room name already exists", "details": ["name: A is another room's"]}


# --- lists -------------------------------------------------------------------------------------------------


async def test_rooms_are_listed_newest_first_a_page_at_a_time(rest: Any) -> None:
    made = [(await rest.room(name=f"r{n}")).id for n in range(25)]
    ids: list[str] = []
    last = ""
    for _ in range(3):
        page = await rest.get("/v2/rooms", **({"start": last} if last else {}))
        assert page["limit"] == 10
        ids += [room["id"] for room in page["data"]]
        last = page["last"]
    assert ids == made[::-1]
    assert last == ""


async def test_a_page_that_is_full_and_the_last_says_that_nothing_follows(rest: Any) -> None:
    for n in range(10):
        await rest.room(name=f"r{n}")
    page = await rest.get("/v2/rooms")
    assert (len(page["data"]), page["last"]) == (10, "")


async def test_a_listed_room_has_the_names_that_lists_had_before(rest: Any) -> None:
    room = await rest.room(name="A")
    (listed,) = (await rest.get("/v2/rooms"))["data"]
    one = await rest.get(f"/v2/rooms/{room.id}")
    assert listed == one | {"recording": None, "key": f"{rest.deps.workspace.id}:A"}


@pytest.mark.parametrize(("asked", "applied"), [(1, 10), (10, 10), (37, 37), (100, 100), (5000, 100), (-3, 10)])
async def test_a_limit_is_moved_into_what_is_allowed(rest: Any, asked: int, applied: int) -> None:
    assert (await rest.get("/v2/rooms", limit=asked))["limit"] == applied


@pytest.mark.parametrize(
    ("params", "detail"),
    [
        ({"limit": "ten"}, "limit: must be an integer"),
        ({"limit": "1.5"}, "limit: must be an integer"),
        ({"enabled": "maybe"}, "enabled: must be true or false or null"),
        ({"start": "x"}, "start: must be `last` of the page before"),
        ({"after": "yesterday"}, "after: must be an instant, RFC 3339 in UTC, such as 2026-01-31T12:00:00Z"),
        (
            {"before": "2026-13-01T00:00:00Z"},
            "before: must be an instant, RFC 3339 in UTC, such as 2026-01-31T12:00:00Z",
        ),
    ],
)
async def test_a_wrong_parameter_is_refused_with_what_is_allowed(
    rest: Any, params: dict[str, str], detail: str
) -> None:
    answer = await rest.get("/v2/rooms", 400, **params)
    assert (answer["code"], answer["details"]) == (400, [detail])


async def test_filters_choose_among_rooms(rest: Any) -> None:
    one = await rest.room(name="One")
    two = await rest.room(name="two", enabled=False)
    shown = {room.id: (await rest.get(f"/v2/rooms/{room.id}"))["created_at"] for room in (one, two)}

    async def found(**params: Any) -> list[str]:
        return [room["id"] for room in (await rest.get("/v2/rooms", **params))["data"]]

    assert await found() == [two.id, one.id]
    assert await found(name="ONE") == [one.id]
    assert await found(name="three") == []
    assert await found(enabled="true") == [one.id]
    assert await found(enabled="false") == [two.id]
    assert await found(template_id=one.template_id) == [two.id, one.id]
    assert await found(template_id=ABSENT) == []
    # Both bounds include the instant as it is shown.
    assert await found(after=shown[two.id]) == [two.id]
    assert await found(before=shown[one.id]) == [one.id]
    assert await found(after=shown[one.id], before=shown[two.id]) == [two.id, one.id]
    assert await found(after="0001-01-01T00:00:00Z", before="9999-12-31T23:59:59Z") == [two.id, one.id]


async def test_a_room_names_polls_that_there_are(rest: Any) -> None:
    poll = (await rest.post("/v2/polls", {"title": "Tea?"}))["id"]
    room = await rest.post("/v2/rooms", {"polls": [poll]})
    assert room["polls"] == [poll]
    for path in ("/v2/rooms", f"/v2/rooms/{room['id']}"):
        answer = await rest.post(path, {"polls": [poll, "5f9edc6ac238215aec2312df", "\u0000"]}, 400)
        assert answer["details"] == ["polls[1]: there is no such poll", "polls[2]: there is no such poll"]
    assert (await rest.get(f"/v2/rooms/{room['id']}"))["polls"] == [poll]


async def test_a_header_of_a_room_s_webhook_is_never_shown_and_its_mask_leaves_it_as_it_is(rest: Any) -> None:
    webhook = {"url": "https://a.example/", "headers": {"X-Key": "hunter2", "X-Other": "b"}}
    made = await rest.post("/v2/rooms", {"name": "secretive", "webhook": webhook})
    path = f"/v2/rooms/{made['id']}"
    changed = await rest.post(path, made | {"webhook": made["webhook"] | {"url": "https://b.example/"}})
    listed = (await rest.get("/v2/rooms", name="secretive"))["data"][0]
    for shown in (made, changed, listed, await rest.get(path)):
        assert shown["webhook"]["headers"] == {"X-Key": "********", "X-Other": "********"}
    await rest.post(path, {"webhook": webhook | {"headers": {"X-Key": "********", "X-New": "n"}}})
    kept = (await rest.deps.store.room(made["id"])).webhook
    assert (kept.url, kept.headers) == ("https://a.example/", {"X-Key": "hunter2", "X-New": "n"})
    for value, problem in (("********", "******** stands for"), (f"A256GCM.{'0' * 16}.AAAA", "must not look like")):
        answer = await rest.post(path, {"webhook": webhook | {"headers": {"X-Unknown": value}}}, 400)
        assert answer["details"][0].startswith(f"webhook.headers.'X-Unknown': {problem}")


@pytest.mark.parametrize(
    ("webhook", "place"),
    [
        ({"url": "ftp://a.example"}, "webhook.url: must begin with http:// or https://"),
        ({"url": "https://u:p@a.example"}, "webhook.url: must not hold credentials"),
        ({"url": "https://a.example", "headers": {"Host": "b"}}, "webhook.headers.'Host': this header is set by the"),
        ({"url": "https://a.example", "headers": {"webhook-id": "b"}}, "webhook.headers.'webhook-id': this header is"),
        ({"url": "https://a.example", "headers": {"X": "a\r\nb"}}, "webhook.headers.'X': a value must be printable"),
        (
            {"url": "https://a.example", "headers": {f"X-{n}": "" for n in range(40)}},
            "webhook.headers: must be at most",
        ),
    ],
)
async def test_a_webhook_that_nothing_could_be_sent_to_is_refused(rest: Any, webhook: Any, place: str) -> None:
    made = await rest.post("/v2/rooms", {"name": "with-webhook", "webhook": {"url": "https://a.example/"}})
    for path in ("/v2/rooms", f"/v2/rooms/{made['id']}"):
        answer = await rest.post(path, {"webhook": webhook}, 400)
        assert answer["details"][0].startswith(place), answer
    assert (await rest.get(f"/v2/rooms/{made['id']}"))["webhook"] == {"url": "https://a.example/", "headers": {}}
