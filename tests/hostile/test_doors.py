"""The doors of a real server: who comes in with what, and that nobody reaches into a room they are not in."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest

from callboard.clock import RandomIds, SystemClock
from callboard.demo.http import HttpError
from callboard.demo.peer import Peer
from callboard.demo.signal_client import Refused
from callboard.testing.play import Play, play

pytestmark = [pytest.mark.media, pytest.mark.timeout(120)]

ABSENT = "5f9edc6ac238215aec2312df"


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Play]:
    async with play(tmp_path) as stage:
        yield stage


def claims(stage: Play, **changes: Any) -> dict[str, Any]:
    """Those of a good app token, with changes."""
    now = int(time.time())
    return {
        "access_key": stage.server.access_key,
        "type": "app",
        "version": 2,
        "room_id": stage.stage.room_id,
        "role": "guest",
        "user_id": "u",
        "jti": "j",
        "iat": now,
        "nbf": now,
        "exp": now + 600,
        **changes,
    }


def signed(stage: Play, algorithm: str = "HS256", key: str = "", **changes: Any) -> str:
    return jwt.encode(claims(stage, **changes), key or stage.server.secret, algorithm=algorithm)


def unsigned(stage: Play, algorithm: str) -> str:
    """A token that says it need not be signed, or that the key is in it."""
    parts = ({"alg": algorithm, "typ": "JWT"}, claims(stage))
    return ".".join(base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=").decode() for one in parts) + "."


BAD: dict[str, tuple[Callable[[Play], str], int]] = {
    "none": (lambda stage: unsigned(stage, "none"), 401),
    "None": (lambda stage: unsigned(stage, "None"), 401),
    "no signature": (lambda stage: unsigned(stage, "HS256"), 401),
    "HS384": (lambda stage: signed(stage, "HS384"), 401),
    "another secret": (lambda stage: signed(stage, key="x" * 48), 401),
    "expired": (lambda stage: signed(stage, iat=1_700_000_000, nbf=1_700_000_000, exp=1_700_000_100), 401),
    "too long": (lambda stage: signed(stage, exp=int(time.time()) + 91 * 86_400), 401),
    "from the future": (lambda stage: signed(stage, nbf=int(time.time()) + 600), 401),
    "management": (lambda stage: stage.server.management_token(), 401),
    "another workspace": (lambda stage: signed(stage, access_key="other"), 401),
    "another workspace's room": (lambda stage: signed(stage, room_id=ABSENT), 403),
    "no room": (lambda stage: signed(stage, room_id="../../etc"), 401),
    "nothing": (lambda stage: "", 401),
}


async def told_at_the_socket(http: aiohttp.ClientSession, stage: Play, token: str) -> dict[str, Any]:
    """What a client with this token is told first: the upgrade is always taken (signal.md §2.4)."""
    params = {"peer": "p", "token": token}
    async with http.ws_connect(f"{stage.server.base_url}/ws", params=params) as socket:
        return dict(json.loads((await socket.receive()).data))


async def test_a_bad_token_opens_no_door(stage: Play) -> None:
    url = stage.server.base_url
    async with aiohttp.ClientSession() as http:
        for name, (make, status) in BAD.items():
            token = make(stage)
            bearer = {"authorization": f"Bearer {token}"}
            async with http.get(f"{url}/init?peer_id=p", headers=bearer) as answer:
                assert answer.status == status, name
            told = await told_at_the_socket(http, stage, token)
            assert (told["method"], told["params"]["code"]) == ("on-error", status), name
            for method, path in (("GET", "/v2/layouts/ui"), ("POST", "/v2/client/report")):
                async with http.request(method, url + path, headers=bearer, data='{"event":"x"}') as answer:
                    assert answer.status in {401, 403, 404}, (name, path)
            if name != "management":
                async with http.get(f"{url}/v2/rooms", headers=bearer) as answer:
                    assert answer.status == 401, name
        assert (await told_at_the_socket(http, stage, signed(stage)))["method"] == "on-policy-change"


async def test_a_role_that_there_is_not_and_a_room_that_is_disabled_let_nobody_in(stage: Play) -> None:
    async with aiohttp.ClientSession() as http:
        told = await told_at_the_socket(http, stage, signed(stage, role="emperor"))
        assert told["method"] == "on-error"
        await stage.stage.rest.post(f"/v2/rooms/{stage.stage.room_id}", {"enabled": False})
        told = await told_at_the_socket(http, stage, signed(stage))
        assert (told["method"], told["params"]["code"]) == ("on-error", 403)


async def test_nobody_reaches_into_a_room_that_they_are_not_in(stage: Play) -> None:
    rest = stage.stage.rest
    other = await rest.create_room("other-room", stage.stage.template_id)
    eve = Peer(
        stage.server.base_url,
        stage.stage.tokens.mint_app_token(other, "host", "eve"),
        "Eve",
        clock=SystemClock(),
        ids=RandomIds(),
    )
    ann = stage.peer("Ann", "host")
    await ann.join()
    await eve.join()
    try:
        # By signalling: Eve is a host, in her own room.
        victim = ann.peer_id
        for method, params in (
            ("get-peer", {"peer_id": victim}),
            ("peer-leave-request", {"requested_for": victim, "reason": "x"}),
            ("role-change-request", {"requested_for": victim, "role": "viewer", "force": True}),
            ("broadcast", {"info": {"message": "psst", "type": "chat"}, "peer_id": victim}),
        ):
            with pytest.raises(Refused, match="40"):
                await eve._client.call(method, params)
        await eve._client.call("broadcast", {"info": {"message": "to all", "type": "chat"}})

        # By REST: a peer is under its own room only.
        path = f"/v2/active-rooms/{other}"
        for ask in (
            rest.get(f"{path}/peers/{victim}"),
            rest.post(f"{path}/peers/{victim}", {"name": "x"}),
            rest.post(f"{path}/remove-peers", {"peer_id": victim}),
            rest.post(f"{path}/send-message", {"message": "x", "peer_id": victim}),
        ):
            with pytest.raises(HttpError, match="404"):
                await ask
        assert set((await rest.get(f"{path}/peers"))["peers"]) == {eve.peer_id}
        await rest.post(f"{path}/end-room", {"lock": True})
        await eve.wait_for(lambda: eve.asked_to_leave is not None, what="the end of Eve's room")

        peers = (await rest.get(f"/v2/active-rooms/{stage.stage.room_id}/peers"))["peers"]
        assert (list(peers), peers[victim]["role"], peers[victim]["name"]) == ([victim], "host", "Ann")
        assert not ann.seen("on-broadcast")
        assert ann.asked_to_leave is None
    finally:
        await eve.close()


async def test_what_a_client_reports_without_a_socket_is_kept_with_who_its_token_says(stage: Play) -> None:
    ann = stage.peer("Ann", "host")
    await ann.join()
    room_id, url = stage.stage.room_id, f"{stage.server.base_url}/v2/client/report"
    report = {
        "event": "connect.failed",
        "event_id": "1",
        "timestamp": 1,
        "peer": {"peer_id": "mallory-1", "room_id": ABSENT, "user_name": "Mallory", "role": "host"},
        "payload": {"error_code": 1003, "error_name": "WebSocketConnectionLost", "is_terminal": True},
    }
    headers = {"authorization": f"Bearer {signed(stage, user_id='mallory')}", "user_agent_v2": "os:web,sdk:web"}
    async with aiohttp.ClientSession() as http:
        for body in (report, report | {"peer": {"peer_id": ann.peer_id}}):
            async with http.post(url, headers=headers, data=json.dumps(body)) as answer:
                assert answer.status == 200
        async with http.post(url, headers=headers, data="[]") as answer:
            assert answer.status == 400
        statuses = []
        for _ in range(150):
            async with http.post(url, headers=headers, data=json.dumps(report)) as answer:
                statuses.append(answer.status)
    assert set(statuses) == {200, 429}, "too many are refused"
    kept = (await stage.stage.rest.get(f"/v2/analytics/events?room_id={room_id}&type=client.connect.failed"))["events"]
    first, second = kept[0]["data"], kept[1]["data"]
    assert (first["peer_id"], first["user_id"], first["role"], first["room_id"]) == (
        "mallory-1",
        "mallory",
        "guest",
        room_id,
    )
    assert (first["error_code"], first["is_terminal"], first["agent"]["sdk"]) == (1003, True, "web")
    assert second["peer_id"] == "", "nobody speaks for another user's peer"
