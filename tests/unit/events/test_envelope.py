"""The envelope: rendered once, read strictly."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from callboard.events import (
    CATALOGUE,
    PeerJoinSuccess,
    PeerType,
    RoleChangeError,
    RoleChangeFailure,
    StreamRecordingSuccess,
    StreamType,
    UnknownEventType,
    decode,
    encode,
    replayed,
    sample,
)

JOIN = PeerJoinSuccess(
    room_id="65a000000000000000000004",
    room_name="algebra-7",
    template_id="65a000000000000000000003",
    session_id="678786f1000000000000000a",
    session_started_at="2025-01-15T10:00:01.25093Z",
    peer_id="6c1f5a52-7a0c-4a5f-9a1e-3f4f8f0d7c10",
    user_id="student-17",
    user_name="Ada",
    user_data="",
    role="guest",
    joined_at="2025-01-15T10:00:04.100000007Z",
    type=PeerType.REGULAR,
)


def body_of(payload: Any = JOIN) -> bytes:
    return encode(payload, id="an-id", account_id="acc", app_id="app", template_id="tpl", at=1_736_935_204_999_999_999)


def changed(path: tuple[str, ...], value: Any) -> bytes:
    """The event of `JOIN` with another value at `path`."""
    envelope = json.loads(body_of())
    inner = envelope
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return json.dumps(envelope).encode()


def test_an_event_is_rendered_with_every_key_of_the_envelope() -> None:
    assert json.loads(body_of()) == {
        "version": "2.0",
        "id": "an-id",
        "account_id": "acc",
        "app_id": "app",
        "template_id": "tpl",
        "timestamp": "2025-01-15T10:00:04Z",
        "type": "peer.join.success",
        "data": {
            "room_id": "65a000000000000000000004",
            "room_name": "algebra-7",
            "template_id": "65a000000000000000000003",
            "session_id": "678786f1000000000000000a",
            "session_started_at": "2025-01-15T10:00:01.25093Z",
            "peer_id": "6c1f5a52-7a0c-4a5f-9a1e-3f4f8f0d7c10",
            "user_id": "student-17",
            "user_name": "Ada",
            "user_data": "",
            "role": "guest",
            "joined_at": "2025-01-15T10:00:04.100000007Z",
            "type": "regular",
        },
    }


def test_an_event_is_the_same_bytes_each_time_it_is_rendered() -> None:
    assert body_of() == body_of()


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])))
@example('"}]}\\')
@example("\x00\u2028\U0001f600")
def test_any_text_a_user_chose_comes_back_as_it_was(text: str) -> None:
    payload = msgspec.structs.replace(JOIN, user_name=text, user_data=text, room_name=text)
    assert decode(body_of(payload)).data == payload


def test_text_that_is_not_unicode_is_an_error_and_not_an_event() -> None:
    with pytest.raises(UnicodeEncodeError):
        body_of(msgspec.structs.replace(JOIN, user_name="\ud800"))


def test_a_payload_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        JOIN.role = "host"  # type: ignore[misc]


def test_a_replay_is_the_same_event_with_a_mark() -> None:
    first, again = decode(body_of()), decode(replayed(body_of()))
    assert first.is_replay is msgspec.UNSET
    assert again.is_replay is True
    assert msgspec.structs.replace(again, is_replay=msgspec.UNSET) == first
    assert json.loads(replayed(body_of())) == {**json.loads(body_of()), "is_replay": True}


def test_keys_that_nobody_knows_are_ignored() -> None:
    body = changed(("data", "region"), {"name": "eu", "since": None})
    assert decode(body).data == JOIN
    assert decode(changed(("trace",), [1])).data == JOIN


def test_an_unknown_type_is_named_and_what_is_near_is_offered() -> None:
    with pytest.raises(
        UnknownEventType, match=r"unknown event type 'peer\.jion\.success'.*peer\.join\.success"
    ) as error:
        decode(changed(("type",), "peer.jion.success"))
    assert error.value.name == "peer.jion.success"
    assert error.value.near[0] == "peer.join.success"


def test_a_long_unknown_type_is_not_repeated_at_length() -> None:
    with pytest.raises(UnknownEventType) as error:
        decode(changed(("type",), "x" * 1_000_000))
    assert len(str(error.value)) < 200


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        (("data", "role"), 7, "$.data.role"),
        (("data", "type"), "robot", "$.data.type"),
        (("data", "joined_at"), "10:00", "$.data.joined_at"),
        (("data",), [], "$.data"),
        (("id",), None, "$.id"),
        (("timestamp",), "2025-01-15", "$.timestamp"),
        (("version",), "1.0", "$.version"),
        (("type",), 1, "$.type"),
        (("is_replay",), "yes", "$.is_replay"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place(path: tuple[str, ...], value: Any, where: str) -> None:
    with pytest.raises(msgspec.ValidationError) as error:
        decode(changed(path, value))
    assert f"`{where}`" in str(error.value)


@pytest.mark.parametrize(
    ("event", "key", "value"),
    [
        ("session.close.success", "session_duration", -1),
        ("session.close.success", "session_duration", 1.5),
        ("session.close.success", "session_duration", "600"),
        ("track.recording.success", "size", "22989889"),
        ("room.end.success", "lock_room", 0),
        ("beam.started.success", "rtmp", [{"uri": "rtmp://a"}]),
        ("hls.recording.success", "recording_single_files", [{"layer": 0}]),
    ],
)
def test_numbers_flags_and_lists_are_not_taken_for_each_other(event: str, key: str, value: Any) -> None:
    envelope = sample(event)
    envelope["data"][key] = value
    with pytest.raises(msgspec.ValidationError, match=rf"\$\.data\.{key}"):
        decode(json.dumps(envelope).encode())


def test_a_role_change_by_the_api_has_no_requester() -> None:
    common = {field: getattr(JOIN, field) for field in JOIN.__struct_fields__ if field != "type"}
    payload = RoleChangeFailure(**common, error_message=RoleChangeError.ROLE_LIMIT_REACHED)
    assert "role_change_requested_by" not in json.loads(body_of(payload))["data"]
    assert decode(body_of(payload)).data == payload


STREAM: dict[str, Any] = {
    "room_id": "r",
    "session_id": "s",
    "peer_id": "p",
    "user_id": "u",
    "stream_id": "st",
    "size": 1,
    "duration": 1,
    "recording_id": "rec",
    "recording_path": "",
    "recording_presigned_url": "",
}


def test_a_stream_recording_says_its_type_under_both_names() -> None:
    data = json.loads(body_of(StreamRecordingSuccess(**STREAM, type=StreamType.SCREEN)))["data"]
    assert data["type"] == data["stream_type"] == "screen"


def test_a_stream_recording_cannot_be_of_two_types() -> None:
    with pytest.raises(ValueError, match="stream_type audio and type screen differ"):
        StreamRecordingSuccess(**STREAM, type=StreamType.SCREEN, stream_type=StreamType.AUDIO)
    envelope = sample("stream.recording.success")
    envelope["data"]["stream_type"] = "audio"
    with pytest.raises(msgspec.ValidationError, match="differ"):
        decode(json.dumps(envelope).encode())


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.binary())
@example(b"")
@example(b"null")
@example(b"\xff")
@example(b'{"type":"a\xed\xa0\x80"}')
@example(b'{"data":' * 100_000)
@example(b'{"z":' + b"[" * 5_000 + b"]" * 5_000 + b',"type":"session.open.success"}')
def test_bytes_that_are_no_event_are_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - which of its subclasses depends on the bytes
        decode(body)


@settings(deadline=None)
@given(st.sampled_from(list(CATALOGUE)), st.data())
def test_an_event_with_anything_in_one_of_its_keys_is_read_or_refused(event: str, data: st.DataObject) -> None:
    envelope = sample(event)
    inner = data.draw(st.sampled_from([envelope, envelope["data"]]))
    key = data.draw(st.sampled_from(list(inner)))
    inner[key] = data.draw(json_values)
    try:
        read = decode(json.dumps(envelope).encode())
    except ValueError:
        return
    assert read.type == envelope["type"]
    assert type(read.data) is CATALOGUE[read.type]
