"""`/v2/active-rooms` (platform.md §3.4)."""

from __future__ import annotations

from typing import Any

import pytest

from callboard.api.live import PeerView, SessionView, TrackView
from callboard.rooms.models import Room

ABSENT = "5f9edc6ac238215aec2312df"
SESSION = "610f81ee870dde099a249948"
STARTED = 1_638_277_129_972_912_470


def peer(peer_id: str, role: str = "host", **tracks: TrackView) -> PeerView:
    return PeerView(
        id=peer_id,
        user_id=f"user-{peer_id}",
        name=f"Name {peer_id}",
        data='{"isHandRaised":true}',
        role=role,
        joined_at=STARTED + 1,
        tracks={track.id: track for track in tracks.values()},
    )


@pytest.fixture
async def room(rest: Any) -> Room:
    """A room with a host, who has a camera and a shared screen, and two guests."""
    room: Room = await rest.room(name="Stand-up")
    camera = TrackView("t1", "s1", True, "video", "regular", STARTED + 2)
    screen = TrackView("t2", "s2", False, "video", "screen", STARTED + 3)
    peers = (peer("p1", camera=camera, screen=screen), peer("p2", "guest"), peer("p3", "guest"))
    rest.live.sessions[room.id] = SessionView(SESSION, room.id, STARTED, {one.id: one for one in peers})
    return room


async def test_an_active_room_shows_its_session_and_who_is_in_it(rest: Any, room: Room) -> None:
    assert await rest.get(f"/v2/active-rooms/{room.id}") == {
        "id": room.id,
        "name": "Stand-up",
        "customer_id": rest.deps.workspace.id,
        "session": {"id": SESSION, "created_at": "2021-11-30T12:58:49.97291247Z", "peers": ["p1", "p2", "p3"]},
    }


async def test_listed_peers_have_no_tracks(rest: Any, room: Room) -> None:
    peers = (await rest.get(f"/v2/active-rooms/{room.id}/peers"))["peers"]
    assert list(peers) == ["p1", "p2", "p3"]
    assert peers["p1"] == {
        "id": "p1",
        "name": "Name p1",
        "user_id": "user-p1",
        "metadata": '{"isHandRaised":true}',
        "role": "host",
        "joined_at": "2021-11-30T12:58:49.972912471Z",
    }


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"role": "guest"}, ["p2", "p3"]),
        ({"user_id": "user-p2"}, ["p2"]),
        ({"user_id": "user-p2", "role": "host"}, []),
        ({"role": "nobody"}, []),
    ],
)
async def test_peers_are_chosen_by_user_and_role(
    rest: Any, room: Room, params: dict[str, str], expected: list[str]
) -> None:
    assert list((await rest.get(f"/v2/active-rooms/{room.id}/peers", **params))["peers"]) == expected


async def test_a_peer_is_shown_with_its_tracks(rest: Any, room: Room) -> None:
    shown = await rest.get(f"/v2/active-rooms/{room.id}/peers/p1")
    assert shown["tracks"] == {
        "t1": {
            "id": "t1",
            "stream_id": "s1",
            "mute": True,
            "type": "video",
            "source": "regular",
            "started_at": "2021-11-30T12:58:49.972912472Z",
            "description": "",
        },
        "t2": {
            "id": "t2",
            "stream_id": "s2",
            "mute": False,
            "type": "video",
            "source": "screen",
            "started_at": "2021-11-30T12:58:49.972912473Z",
            "description": "",
        },
    }
    assert (await rest.get(f"/v2/active-rooms/{room.id}/peers/p2"))["tracks"] == {}


async def test_a_peer_is_changed_where_the_body_says_so(rest: Any, room: Room) -> None:
    path = f"/v2/active-rooms/{room.id}/peers/p1"
    before = await rest.get(path)
    assert await rest.post(path, {"name": "New"}) == before | {"name": "New"}
    assert await rest.post(path, {"role": "guest", "metadata": ""}) == before | {
        "name": "New",
        "role": "guest",
        "metadata": "",
    }
    assert (await rest.get(path))["role"] == "guest"


async def test_a_message_goes_to_a_peer_or_else_to_a_role_or_else_to_all(rest: Any, room: Room) -> None:
    path = f"/v2/active-rooms/{room.id}/send-message"
    for body in (
        {"message": "a"},
        {"message": "b", "type": "announcement", "role": "guest"},
        {"message": "c", "peer_id": "p1", "role": "guest"},
    ):
        assert await rest.post(path, body) == {"message": "message sent"}
    assert rest.live.said == [
        ("message", room.id, "a", "chat", None, None),
        ("message", room.id, "b", "announcement", None, "guest"),
        ("message", room.id, "c", "chat", "p1", None),
    ]


async def test_peers_are_removed_by_id_or_else_by_role(rest: Any, room: Room) -> None:
    path = f"/v2/active-rooms/{room.id}/remove-peers"
    acknowledged = {"message": "peer remove request submitted"}
    assert await rest.post(path, {"peer_id": "p1", "role": "guest", "reason": "late"}) == acknowledged
    assert list((await rest.get(f"/v2/active-rooms/{room.id}/peers"))["peers"]) == ["p2", "p3"]
    assert await rest.post(path, {"role": "guest"}) == acknowledged
    assert rest.live.said == [
        ("remove", room.id, "p1", None, "late"),
        ("remove", room.id, None, "guest", ""),
    ]


async def test_a_room_is_ended_with_and_without_a_word(rest: Any, room: Room) -> None:
    session = rest.live.sessions[room.id]
    path = f"/v2/active-rooms/{room.id}/end-room"
    assert await rest.post(path, {"reason": "time", "lock": True}) == {"message": "session is ending"}
    rest.live.sessions[room.id] = session
    assert await rest.post(path) == {"message": "session is ending"}
    assert rest.live.said == [("end", room.id, "time", True), ("end", room.id, "", False)]


REQUESTS: list[tuple[str, str, Any]] = [
    ("GET", "", None),
    ("GET", "/peers", None),
    ("GET", "/peers/p1", None),
    ("POST", "/peers/p1", {"name": "x"}),
    ("POST", "/send-message", {"message": "x"}),
    ("POST", "/remove-peers", {"peer_id": "p1"}),
    ("POST", "/end-room", {}),
]


@pytest.mark.parametrize(("method", "path", "body"), REQUESTS)
async def test_a_room_with_nobody_in_it_is_404(rest: Any, method: str, path: str, body: Any) -> None:
    room = await rest.room(name="empty")
    for room_id, message in ((room.id, "session not found"), (ABSENT, "room not found"), ("x", "room not found")):
        url = f"/v2/active-rooms/{room_id}{path}"
        answer = await (rest.get(url, 404) if method == "GET" else rest.post(url, body, 404))
        assert (answer["code"], answer["message"]) == (404, message)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/peers/p9", None),
        ("POST", "/peers/p9", {"name": "x"}),
        ("POST", "/remove-peers", {"peer_id": "p9"}),
    ],
)
async def test_a_peer_that_is_not_there_is_404(rest: Any, room: Room, method: str, path: str, body: Any) -> None:
    url = f"/v2/active-rooms/{room.id}{path}"
    answer = await (rest.get(url, 404) if method == "GET" else rest.post(url, body, 404))
    assert answer == {"code": 404, "message": "peer not found", "details": []}


@pytest.mark.parametrize(
    ("path", "body", "detail"),
    [
        ("/remove-peers", {}, "peer_id: is required, or role"),
        ("/remove-peers", {"peer_id": "", "role": ""}, "peer_id: is required, or role"),
        ("/remove-peers", {"role": 7}, "role: must be a text or null"),
        ("/send-message", {}, "message: is required: a text"),
        ("/send-message", {"message": "é" * 2049}, "message: must be at most 4096 bytes of UTF-8"),
        ("/send-message", {"message": "x", "type": ""}, "type: must be a text of 1 to 128 characters"),
        ("/end-room", {"lock": "yes"}, "lock: must be true or false"),
        ("/end-room", {"locked": True}, "locked: there is no such key; did you mean lock?"),
        ("/end-room", {"reason": "a\0b"}, "reason: must be at most 1024 characters, no NUL"),
        ("/peers/p1", {"metadata": {"a": 1}}, "metadata: must be at most 8192 characters, no NUL or null"),
        ("/peers/p1", {"name": "a\0"}, "name: must be at most 256 characters, no NUL or null"),
    ],
)
async def test_a_wrong_body_is_refused_and_does_nothing(
    rest: Any, room: Room, path: str, body: dict[str, Any], detail: str
) -> None:
    session = rest.live.sessions[room.id]
    answer = await rest.post(f"/v2/active-rooms/{room.id}{path}", body, 400)
    assert answer == {"code": 400, "message": "Invalid body param", "details": [detail]}
    assert rest.live.said == []
    assert rest.live.sessions[room.id] == session
