"""Clients that send what they should not, over real WebSockets to a real server with Janus, for some seconds: the
server stays up, a call that goes on in the same room does not notice, and its backend is told the truth.

`CALLBOARD_FUZZ_SECONDS` and `CALLBOARD_FUZZ_SEED` make it longer and another.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection

from callboard.signaling.methods import METHODS
from callboard.testing.play import Play, play

pytestmark = [pytest.mark.media, pytest.mark.timeout(180)]

SECONDS = float(os.environ.get("CALLBOARD_FUZZ_SECONDS", "10"))
SEED = int(os.environ.get("CALLBOARD_FUZZ_SEED", "20261128"))
ATTACKERS = 4
ENOUGH = 13 * SECONDS
"""Frames of each attacker, however slow the machine is."""
MAX_FRAME = 262_144
DEEP = "[" * 20_000
ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    2**63,
    1e308,
    "",
    "\u0000",
    "\ud800",
    "é" * 300,
    "x" * 70_000,
    [],
    {},
    [[]],
    {"a": {}},
)
"""Values that fit nowhere, or only just."""

KEYS = (
    *("name", "data", "offer", "desc", "sdp", "type", "tracks", "role", "requested_for", "requested_by", "force"),
    *("token", "roles", "peer_id", "info", "message", "candidate", "target", "lock", "reason", "value", "mute"),
    *("track_id", "stream_id", "poll_id", "questions", "index", "responses", "iterator", "limit", "key", "query"),
    *("offset", "version", "keys", "groups", "group", "timestamp"),
)

Make = Callable[["Attack"], str | bytes]


class Attack:
    """One attacker's chance and knowledge: what is in the room, and an offer that is good."""

    def __init__(self, chance: random.Random, offer: str, names: dict[str, str]) -> None:
        self.chance = chance
        self.offer = offer
        self.names = names

    def value(self, depth: int = 0) -> Any:
        """Something: often the id of somebody in the room, an SDP, or odd."""
        kind = self.chance.randrange(6 if depth < 2 else 4)
        if kind == 0:
            return self.chance.choice(ODD)
        if kind == 1:
            return self.chance.choice(list(self.names.values()))
        if kind == 2:
            return self.chance.choice(["host", "guest", "closed", "chat", "video", "audio", "regular", "user request"])
        if kind == 3:
            return self.chance.choice([0, 1, 7, 10**6])
        if kind == 4:
            return {"type": self.chance.choice(["offer", "answer", "x"]), "sdp": self.damaged()}
        return {self.key(): self.value(depth + 1) for _ in range(self.chance.randrange(4))}

    def key(self) -> str:
        return self.chance.choice(KEYS)

    def damaged(self) -> str:
        """The good offer, mostly with some lines lost, doubled, stretched or made up."""
        lines = self.offer.splitlines()
        for _ in range(self.chance.randrange(4)):
            at = self.chance.randrange(len(lines))
            lines[at : at + 1] = self.chance.choice(
                [
                    [],
                    [lines[at]] * 2,
                    [lines[at] + "9" * 3000],
                    [lines[at][: len(lines[at]) // 2]],
                    ["m=video 9 UDP/TLS/RTP/SAVPF 96"],
                    ["a=candidate:x", "a=mid:\x00", "a=fingerprint:sha-256 00"],
                    ["a=x"] * self.chance.choice([1, 5000]),
                ]
            )
        return "\r\n".join(lines) + "\r\n"

    def frame(self, method: str, params: Any) -> str:
        call = {"id": uuid.UUID(int=self.chance.getrandbits(128)).hex, "jsonrpc": "2.0"}
        return json.dumps({"method": method, "params": params} | (call if self.chance.random() < 0.8 else {}))


def known_method(attack: Attack) -> str:
    """A method of ours with parameters of its own names and other values."""
    method = attack.chance.choice(sorted(METHODS))
    wanted = [field for field in METHODS[method].params.__struct_encode_fields__ if attack.chance.random() < 0.9]
    return attack.frame(method, {name: attack.value() for name in wanted} | {attack.key(): attack.value()})


def escalation(attack: Attack) -> str:
    """What a guest may not: become a host, remove people, end the room, mute them, speak for them."""
    victim = attack.names["ann"]
    return attack.frame(
        *attack.chance.choice(
            [
                ("role-change-request", {"requested_for": victim, "role": "guest", "force": True}),
                ("role-change-request", {"requested_for": "me", "role": "host", "force": True}),
                ("role-change", {"role": "host", "token": attack.names["token"], "requested_by": victim}),
                ("peer-leave-request", {"requested_for": victim, "reason": "x"}),
                ("end-room", {"lock": True, "reason": "x"}),
                ("change-track-mute-state-request", {"value": True, "roles": ["host"]}),
                ("track-update-request", {"requested_for": victim, "track_id": "x", "stream_id": "x", "mute": True}),
                ("group-add", {"peer_id": victim, "name": "_handraise"}),
                ("poll-info-set", {"poll_id": "p", "title": "x"}),
                ("peer-update", {"peer_id": victim, "name": "x"}),
            ]
        )
    )


def no_frame(attack: Attack) -> str | bytes:
    """What is no frame at all."""
    good = attack.frame("broadcast", {"info": {"message": "x", "type": "chat"}})
    frames: list[str | bytes] = [
        "",
        "{",
        DEEP,
        '{"method":' + '{"a":' * 5000,
        good[: len(good) // 2],
        "[1]",
        '{"method":1}',
        '{"method":"' + "x" * 100 + '"}',
        b"\x00\xff",
        good.replace("broadcast", "x" * (MAX_FRAME - 10)),
        good.replace("x", "y" * MAX_FRAME, 1),
        "\x00" * 1000,
    ]
    return attack.chance.choice(frames)


MAKERS: tuple[Make, ...] = (known_method, known_method, known_method, escalation, no_frame)


async def good_offer() -> str:
    """What the official client offers at first: a data channel."""
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    connection.createDataChannel("ion-sfu")
    await connection.setLocalDescription(await connection.createOffer())
    sdp = str(connection.localDescription.sdp)
    await connection.close()
    return sdp


async def attacker(stage: Play, attack: Attack, deadline: float, number: int) -> int:
    """Connects, mostly joins, sends what it should not, and goes, again and again, until the deadline, and until it was
    `ENOUGH`; how often."""
    sent, chance = 0, attack.chance
    async with aiohttp.ClientSession() as http:
        while time.monotonic() < deadline or sent < ENOUGH:
            token = stage.stage.tokens.mint_app_token(stage.stage.room_id, "guest", f"mallory-{number}")
            attack.names |= {"token": token, "me": f"mallory-{number}-{chance.getrandbits(40)}"}
            peer = chance.choice([attack.names["me"], attack.names["me"], attack.names["ann"], "\x00", "x" * 65])
            params = {"peer": peer, "token": chance.choice([token, token, token, token[:-2], "x.y.z"])}
            try:
                async with (
                    http.ws_connect(f"{stage.server.base_url}/ws", params=params, max_msg_size=0) as socket,
                    cut_off(socket),
                ):
                    if chance.random() < 0.8:
                        offer = {"type": "offer", "sdp": attack.offer if chance.random() < 0.6 else attack.damaged()}
                        await socket.send_str(attack.frame("join", {"name": "m", "data": "", "offer": offer}))
                    for _ in range(chance.randrange(1, 40)):
                        made = chance.choice(MAKERS)(attack)
                        await (socket.send_bytes(made) if isinstance(made, bytes) else socket.send_str(made))
                        sent += 1
                    await heard(socket, 0.3)
            except (aiohttp.ClientError, ConnectionError):
                continue  # it was shown the door
    return sent


@asynccontextmanager
async def cut_off(socket: aiohttp.ClientWebSocketResponse) -> AsyncIterator[None]:
    """In the end, do not wait until what was sent is read: nobody may, and the socket would outlive the loop."""
    try:
        yield
    finally:
        transport = socket._writer.transport
        if transport is not None:
            transport.abort()


async def heard(socket: aiohttp.ClientWebSocketResponse, seconds: float) -> None:
    """Read what comes for so long."""
    try:
        async with asyncio.timeout(seconds):
            while (await socket.receive()).type is aiohttp.WSMsgType.TEXT:
                pass
    except TimeoutError:
        pass


async def test_frames_of_all_kinds_harm_neither_the_server_nor_others_in_the_room(tmp_path: Path) -> None:
    async with play(tmp_path, grace=2.0) as stage:
        ann, ben = stage.peer("Ann", "host"), stage.peer("Ben")
        await ann.join()
        await ann.publish_audio_video()
        await ben.join()
        await ben.publish_audio_video()
        await stage.frames(ann, ben)
        offer, deadline = await good_offer(), time.monotonic() + SECONDS
        attacks = [
            Attack(random.Random(f"{SEED} {number}"), offer, {"ann": ann.peer_id, "ben": ben.peer_id})
            for number in range(ATTACKERS)
        ]
        sent = await asyncio.gather(*(attacker(stage, one, deadline, n) for n, one in enumerate(attacks)))
        assert min(sent) >= ENOUGH

        # Nobody of the call has noticed.
        assert (await stage.stage.rest.get("/readyz"))["status"] == "ok"
        await stage.frames(ann, ben)
        await stage.frames(ben, ann)
        assert (ann.asked_to_leave, ben.asked_to_leave) == (None, None)
        peers = (await stage.stage.rest.get(f"/v2/active-rooms/{stage.stage.room_id}/peers"))["peers"]
        assert (peers[ann.peer_id]["role"], peers[ann.peer_id]["name"]) == ("host", "Ann")
        assert not [one for one in peers.values() if one["role"] == "host" and one["id"] != ann.peer_id]

        # And all that was begun ends, and the backend was told of all of it.
        await ben.leave()
        await ann.leave()
        await stage.told("session.close.success", within=30.0)
        await stage.settle()
        log = stage.server.log_file.read_text()
        assert "Traceback" not in log, log[-3000:]
