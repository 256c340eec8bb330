"""The unmodified official server SDK (npm `@100mslive/server-sdk`) against a real server: all of its methods."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from callboard.events import timestamps
from callboard.testing.play import Play, play

pytestmark = [pytest.mark.browser, pytest.mark.media, pytest.mark.timeout(240)]

NOT_HERE = {
    ("liveStreams", "list"): (),
    ("liveStreams", "retrieve"): ("5f9edc6ac238215aec2312df",),
    ("liveStreams", "start"): ("5f9edc6ac238215aec2312df", {}),
    ("liveStreams", "sendTimedMetadata"): ("5f9edc6ac238215aec2312df", {"payload": "x", "duration": 1}),
    ("liveStreams", "pauseRecording"): ("5f9edc6ac238215aec2312df",),
    ("liveStreams", "resumeRecording"): ("5f9edc6ac238215aec2312df",),
    ("liveStreams", "stop"): ("5f9edc6ac238215aec2312df",),
    ("liveStreams", "stopAll"): ("5f9edc6ac238215aec2312df",),
    ("externalStreams", "list"): (),
    ("externalStreams", "retrieve"): ("5f9edc6ac238215aec2312df",),
    ("externalStreams", "start"): ("5f9edc6ac238215aec2312df", {"rtmp_urls": ["rtmp://x/y"]}),
    ("externalStreams", "stop"): ("5f9edc6ac238215aec2312df",),
    ("externalStreams", "stopAll"): ("5f9edc6ac238215aec2312df",),
    ("recordings", "start"): ("5f9edc6ac238215aec2312df", {}),
    ("recordings", "stop"): ("5f9edc6ac238215aec2312df",),
    ("recordings", "stopAll"): ("5f9edc6ac238215aec2312df",),
}
INNER = {("auth", "generateToken"), ("auth", "isTokenExpired"), ("auth", "signAndGetJwt")} | {
    ("api", name) for name in ("get", "post", "setupAxios", "convertAxiosErrorToHMS")
}


async def test_all_methods_of_the_sdk_do_what_they_say(tmp_path: Path, sdk: Any) -> None:
    async with play(tmp_path) as stage, sdk(stage.server) as hms:
        await rooms_and_codes(hms)
        await tokens(hms, stage)
        await stage.stage.rest.record(stage.stage.template_id, trackRecording={"enabled": True})
        await live(hms, stage)
        await recorded(hms, stage)
        await stage.settle()
        for (group, method), args in NOT_HERE.items():
            with pytest.raises(Exception, match="501 Not Implemented: Not Implemented"):
                await hms.call(group, method, *args)
        offered = {(group, name) for group, names in (await hms.call("methods")).items() for name in names}
        assert not offered - INNER - hms.tried


async def rooms_and_codes(hms: Any) -> None:
    """What is stored."""
    room = await hms.call("rooms", "create", {"name": "Sdk-Room", "description": "first", "size": 20})
    assert (room["name"], room["description"], room["enabled"]) == ("Sdk-Room", "first", True)
    assert room["created_at"].endswith("Z")
    assert await hms.call("rooms", "retrieveById", room["id"]) == room
    assert (await hms.call("rooms", "retrieveByName", "sdk-room"))["id"] == room["id"]
    assert (await hms.call("rooms", "update", room["id"], {"description": "second"}))["description"] == "second"
    made = [(await hms.call("rooms", "create", {"name": f"many-{n}"}))["id"] for n in range(25)]
    listed = [one["id"] for one in await hms.call("rooms", "list", {"limit": 10})]
    assert listed[:26] == [*made[::-1], room["id"]]

    codes = await hms.call("roomCodes", "create", room["id"])
    assert {code["role"] for code in codes} == {"host", "guest", "viewer"}
    another = await hms.call("roomCodes", "createForRole", room["id"], "guest")
    listed = [one["code"] for one in await hms.call("roomCodes", "list", room["id"], {"role": "guest"})]
    assert another["code"] in listed
    assert len(listed) == 2
    switched = await hms.call("roomCodes", "enableOrDisable", another["code"], False)
    assert (switched["code"], switched["enabled"]) == (another["code"], False)
    assert (await hms.call("rooms", "enableOrDisable", room["id"], False))["enabled"] is False
    with pytest.raises(Exception, match="403 Forbidden: room is disabled"):
        await hms.call("roomCodes", "create", room["id"])
    with pytest.raises(Exception, match="404 Not Found: room not found"):
        await hms.call("rooms", "retrieveById", "5f9edc6ac238215aec2312df")


async def tokens(hms: Any, stage: Play) -> None:
    """The tokens that the SDK makes are ours."""
    management = await hms.call("auth", "getManagementToken")
    stage.server.tokens.verify_management_token(management["token"])
    config = {"roomId": stage.stage.room_id, "role": "guest", "userId": "u-1"}
    claims = stage.server.tokens.verify_app_token((await hms.call("auth", "getAuthToken", config))["token"])
    assert (claims.room_id, claims.role, claims.user_id) == (stage.stage.room_id, "guest", "u-1")


async def live(hms: Any, stage: Play) -> None:
    """Who is in a room, and what can be done to them."""
    room_id = stage.stage.room_id
    with pytest.raises(Exception, match="404 Not Found: session not found"):
        await hms.call("activeRooms", "retrieve", room_id)
    ann, ben, cleo = stage.peer("Ann", "host"), stage.peer("Ben", "viewer"), stage.peer("Cleo", "viewer")
    for peer in (ann, ben, cleo):
        await peer.join()
    await ann.publish_audio_video()
    await stage.frames(ben, ann)  # there is something to be recorded
    active = await hms.call("activeRooms", "retrieve", room_id)
    assert set(active["session"]["peers"]) == {ann.peer_id, ben.peer_id, cleo.peer_id}
    peers = await hms.call("activeRooms", "retrieveActivePeers", room_id)
    assert {peer["name"] for peer in peers.values()} == {"Ann", "Ben", "Cleo"}
    shown = await hms.call("activeRooms", "retrievePeerDetails", room_id, ann.peer_id)
    assert {track["type"] for track in shown["tracks"].values()} == {"audio", "video"}

    changes = {"name": "Benny", "metadata": '{"seat":1}', "role": "guest"}
    changed = await hms.call("activeRooms", "updatePeer", room_id, ben.peer_id, changes)
    assert (changed["name"], changed["metadata"], changed["role"]) == ("Benny", '{"seat":1}', "guest")
    await stage.told("role.change.success", peer_id=ben.peer_id, role="guest")
    await hms.call("activeRooms", "sendMessage", room_id, {"message": "hello", "type": "chat"})
    await ann.wait_for(lambda: ann.seen("on-broadcast"), what="the message")

    session = await hms.call("sessions", "retrieveActiveByRoom", room_id)
    assert session["active"] is True
    assert dated(await hms.call("sessions", "retrieveById", session["id"])) == dated(session)
    await hms.call("activeRooms", "removePeer", room_id, {"peer_id": cleo.peer_id, "reason": "enough"})
    left = await stage.told("peer.leave.success", user_name="Cleo")
    assert (left.event.data["reason"], left.event.data["message"]) == ("peer kicked", "enough")
    await hms.call("activeRooms", "end", room_id, {"reason": "over", "lock": False})
    await stage.told("session.close.success")
    closed = await hms.call("sessions", "list", {"room_id": room_id, "active": False})
    assert [one["id"] for one in closed] == [session["id"]]
    assert all(peer["left_at"] for peer in closed[0]["peers"].values())

    wanted = {"room_id": room_id, "type": ["track.add.success", "track.remove.success"]}
    tracks = await hms.call("analytics", "listTrackEvents", wanted)
    assert sorted((one["type"], one["data"]["type"]) for one in tracks) == [
        ("track.add.success", "audio"),
        ("track.add.success", "video"),
        ("track.remove.success", "audio"),
        ("track.remove.success", "video"),
    ]
    recordings = {"room_id": room_id, "type": "beam.recording.success"}
    assert await hms.call("analytics", "listRecordingEvents", recordings) == []


async def recorded(hms: Any, stage: Play) -> None:
    """What was recorded of it: the two tracks of Ann."""
    await stage.told("track.recording.success", within=60.0)
    told = "track.recording.success"
    await stage.inbox.until(
        lambda: sum(one.event.type == told for one in stage.inbox.first_arrivals) == 2, 60.0, "both"
    )
    room = {"room_id": stage.stage.room_id}
    assets = await hms.call("recordingAssets", "list", room)
    assert sorted((one["type"], one["status"], one["metadata"]["track_type"]) for one in assets) == [
        ("track", "completed", "audio"),
        ("track", "completed", "video"),
    ]
    asset = await hms.call("recordingAssets", "retrieve", assets[0]["id"])
    assert (asset["id"], asset["path"]) == (assets[0]["id"], assets[0]["path"])
    link = await hms.call("recordingAssets", "generatePreSignedURL", asset["id"])
    assert (link["id"], link["path"]) == (asset["id"], asset["path"])
    async with aiohttp.ClientSession() as http, http.get(link["url"]) as answer:
        assert (answer.status, len(await answer.read())) == (200, asset["size"])
    jobs = await hms.call("recordings", "list", room)
    assert {job["room_id"] for job in jobs} <= {stage.stage.room_id}
    for job in jobs:
        assert (await hms.call("recordings", "retrieve", job["id"]))["id"] == job["id"]
    with pytest.raises(Exception, match="404 Not Found: recording not found"):
        await hms.call("recordings", "retrieve", "5f9edc6ac238215aec2312df")


def dated(session: dict[str, Any]) -> dict[str, Any]:
    """With instants for their texts: the SDK makes dates of them in one answer, and leaves them in the other."""
    texts = {name: text for name, text in session.items() if name.endswith("_at")}
    return session | {name: timestamps.parse(text) for name, text in texts.items()}
