"""Rooms: from a request to something valid, and to its row and back."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from callboard.errors import Invalid
from callboard.rooms.models import RecordingInfo, Room, RoomWebhook
from callboard.rooms.rooms import RoomRequest, changed_room, masked, new_room, room_key, room_of, room_row
from callboard.rooms.templates import MASK

ID = "5f9edc6ac238215aec2312df"
TEMPLATE = "66112497abcd52312556c4aa"
NOW = 1_800_000_000_123_456_789
UPLOAD = {"type": "s3", "location": "bucket", "credentials": {"key": "AK", "secret": "hunter2"}}


def asked(**body: Any) -> RoomRequest:
    """The request with this JSON body."""
    return msgspec.convert(body, RoomRequest)


def made(**body: Any) -> Room:
    return new_room(asked(**body), ID, "a-random-name", TEMPLATE, NOW)


def secret_of(info: RecordingInfo | None) -> str:
    assert info is not None
    assert info.upload_info is not None
    return info.upload_info.credentials.secret


def test_a_new_room_lets_people_in_and_has_the_name_it_was_given() -> None:
    assert made() == Room(id=ID, name="a-random-name", template_id=TEMPLATE, created_at=NOW, updated_at=NOW)
    assert made(name="Stand-up").name == "Stand-up"


def test_changing_leaves_what_is_not_said() -> None:
    old = made(name="a", description="b", size=5, webhook={"url": "https://a.example/h", "headers": {"X-Key": "k"}})
    new = changed_room(old, asked(enabled=False), NOW + 1)
    assert new == msgspec.structs.replace(old, enabled=False, updated_at=NOW + 1)


def test_null_removes_the_rooms_own_webhook_and_recording_settings() -> None:
    old = made(webhook={"url": "https://a.example/h"}, recording_info={"enabled": True})
    new = changed_room(old, asked(webhook=None, recording_info=None), NOW)
    assert (new.webhook, new.recording_info) == (None, None)


def test_the_old_name_of_the_template_is_refused_in_the_platforms_words() -> None:
    with pytest.raises(Invalid, match=r"Invalid body param: template\. Use template_id"):
        made(template="default")


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"size": 2501}, "Invalid body param: room size greater than 2500, set large_room flag as true"),
        ({"size": 20001, "large_room": True}, "Invalid body param: room size greater than 20000"),
        ({"max_duration_seconds": 119}, "max_duration_seconds: must be an integer from 120 to 43200"),
        ({"max_duration_seconds": 43201}, "max_duration_seconds: must be an integer from 120 to 43200"),
        ({"webhook": {"url": "ftp://a.example"}}, "webhook.url: must be an absolute http or https URL"),
        ({"webhook": {"url": "https://"}}, "webhook.url: must be"),
        ({"webhook": {"url": "https://u:p@a.example"}}, "webhook.url: must be"),
        ({"webhook": {"url": "https://a.example:x"}}, "webhook.url: must be"),
        ({"webhook": {"url": "https://a.example/ b"}}, "webhook.url: must be"),
        ({"webhook": {"url": "//a.example"}}, "webhook.url: must be"),
        ({"webhook": {"url": "https://a.example", "headers": {"X Y": "1"}}}, "webhook.headers: a name must be"),
        ({"webhook": {"url": "https://a.example", "headers": {"": "1"}}}, "webhook.headers: a name must be"),
        ({"webhook": {"url": "https://a.example", "headers": {"X": "a\r\nY: b"}}}, "webhook.headers: a value must be"),
        ({"webhook": {"url": "https://a.example", "headers": {f"X{i}": "" for i in range(51)}}}, "at most 50"),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(body: dict[str, Any], detail: str) -> None:
    with pytest.raises(Invalid) as caught:
        made(**body)
    assert any(detail in found for found in caught.value.details)


@pytest.mark.parametrize(
    "body",
    [
        {"size": 2500},
        {"size": 20000, "large_room": True},
        {"max_duration_seconds": 0},
        {"max_duration_seconds": 120},
        {"max_duration_seconds": 43200},
        {"webhook": {"url": "http://127.0.0.1:8080/hook?x=1", "headers": {"X-Key": "a b\tc"}}},
        {"region": ""},
    ],
)
def test_what_is_allowed_at_the_edge_is_taken(body: dict[str, Any]) -> None:
    assert made(**body).id == ID


def test_a_size_that_was_allowed_is_not_after_the_room_is_no_large_one_any_more() -> None:
    old = made(size=5000, large_room=True)
    with pytest.raises(Invalid, match="greater than 2500"):
        changed_room(old, asked(large_room=False), NOW)


@pytest.mark.parametrize("name", ["a b", "", "a/b", "ä", "a\n", "x" * 256])
def test_a_name_with_other_characters_is_refused(name: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        asked(name=name)


def test_names_that_differ_in_case_are_the_same() -> None:
    assert room_key("Stand-UP") == room_key("stand-up")


def test_a_secret_is_masked_when_shown_and_kept_when_the_mask_comes_back() -> None:
    old = made(recording_info={"enabled": True, "upload_info": UPLOAD})
    shown = masked(old.recording_info)
    assert secret_of(shown) == MASK
    assert "hunter2" not in repr(old)
    new = changed_room(old, asked(recording_info=msgspec.to_builtins(shown)), NOW)
    assert secret_of(new.recording_info) == "hunter2"


def test_a_secret_may_be_spelled_as_templates_spell_it() -> None:
    upload = UPLOAD | {"credentials": {"key": "AK", "secretKey": "hunter2"}}
    room = made(recording_info={"enabled": True, "upload_info": upload})
    assert secret_of(room.recording_info) == "hunter2"
    assert b"secretKey" not in msgspec.json.encode(room)


def test_the_values_of_webhook_headers_are_not_in_a_repr() -> None:
    assert "hunter2" not in repr(RoomWebhook(url="https://a.example", headers={"X-Key": "hunter2"}))


def test_a_row_is_read_back_as_the_same_room() -> None:
    room = made(
        name="Stand-up",
        description="every day \0 at 9 😀",
        enabled=False,
        region="eu",
        size=3000,
        large_room=True,
        max_duration_seconds=600,
        webhook={"url": "https://a.example/h", "headers": {"X-Key": "k"}},
        recording_info={"enabled": True, "upload_info": UPLOAD},
        polls=["5f9edc6ac238215aec2312aa"],
    )
    row = room_row(room).row
    assert room_of(row[:-1]) == room
    # A database without booleans of its own gives 0 and 1.
    assert room_of(tuple(int(value) if isinstance(value, bool) else value for value in row[:-1])) == room


def test_what_answers_have_besides_may_come_back_in_a_request() -> None:
    extra = ("id", "customer_id", "customer", "app_id", "recording", "key", "created_at", "updated_at")
    assert made(**dict.fromkeys(extra, 1)).id == ID
