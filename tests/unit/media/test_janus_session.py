"""Our side of Janus's WebSocket API, against a server that does what the test says."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, unix_serve
from websockets.typing import Subprotocol

from callboard.media import janus as janus_module
from callboard.media.admin import substreams_of, transport_of
from callboard.media.connection import Connection, JanusError, JanusGone, JanusTimeout
from callboard.media.janus import JanusSession
from callboard.media.janusconfig import Access
from callboard.media.janusevents import (
    Detached,
    Event,
    Hangup,
    Media,
    PluginEvent,
    SlowLink,
    Trickle,
    WebRtcUp,
    parse_event,
)

Message = dict[str, Any]
Script = Callable[[ServerConnection, Message], Awaitable[None]]


class FakeJanus:
    """Replies as `script` says; remembers what it was sent."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.got: list[Message] = []
        self.sockets: list[ServerConnection] = []

    async def serve(self, socket: ServerConnection) -> None:
        self.sockets.append(socket)
        async for text in socket:
            message = json.loads(text)
            self.got.append(message)
            await self.script(socket, message)


@asynccontextmanager
async def fake_janus(script: Script) -> AsyncIterator[tuple[FakeJanus, Access]]:
    with tempfile.TemporaryDirectory() as folder:
        access = Access(Path(folder), "api", "admin", "key", "room")
        fake = FakeJanus(script)
        protocol = Subprotocol("janus-protocol")
        async with unix_serve(fake.serve, str(access.api_socket), subprotocols=[protocol]):
            yield fake, access


async def reply(socket: ServerConnection, message: Message, **members: object) -> None:
    await socket.send(json.dumps({"janus": "success", "transaction": message["transaction"], **members}))


async def obliging(socket: ServerConnection, message: Message) -> None:
    """Success for everything."""
    await reply(socket, message, data={"id": 100 + len(message)})


async def connect(access: Access, deadline: float = 60) -> Connection:
    return await Connection.open(access.api_socket, "janus-protocol", ("apisecret", "api"), deadline)


async def test_a_request_carries_the_secret_and_gets_its_own_reply() -> None:
    async def script(socket: ServerConnection, message: Message) -> None:
        if message["janus"] == "second":
            await reply(socket, message, which="second")
            await reply(socket, fake.got[0], which="first")

    async with fake_janus(script) as (fake, access):
        connection = await connect(access)
        first = asyncio.create_task(connection.request({"janus": "first"}))
        await asyncio.sleep(0)
        second = await connection.request({"janus": "second"})
        assert (second["which"], (await first)["which"]) == ("second", "first")
        assert all(message["apisecret"] == "api" for message in fake.got)
        await connection.close()


async def test_an_error_has_its_code_and_reason() -> None:
    async def script(socket: ServerConnection, message: Message) -> None:
        await reply(socket, message, janus="error", error={"code": 458, "reason": "No such session"})

    async with fake_janus(script) as (_, access):
        connection = await connect(access)
        with pytest.raises(JanusError, match="No such session") as caught:
            await connection.request({"janus": "keepalive"})
        assert caught.value.code == 458
        await connection.close()


async def test_an_acknowledgement_is_not_the_reply_unless_it_is_enough() -> None:
    async def script(socket: ServerConnection, message: Message) -> None:
        await reply(socket, message, janus="ack")
        if message["janus"] == "message":
            await reply(socket, message, janus="event", plugindata={})

    async with fake_janus(script) as (_, access):
        connection = await connect(access)
        assert (await connection.request({"janus": "message"}))["janus"] == "event"
        assert (await connection.request({"janus": "trickle"}, ack_is_enough=True))["janus"] == "ack"
        await connection.close()


async def test_a_request_without_a_reply_ends_at_its_deadline() -> None:
    async def script(socket: ServerConnection, message: Message) -> None:
        await reply(socket, message, janus="ack")

    async with fake_janus(script) as (_, access):
        connection = await connect(access)
        connection._deadline = 0.05  # for requests: connecting may take its time
        with pytest.raises(JanusTimeout, match="did not reply"):
            await connection.request({"janus": "message"})
        await connection.close()


async def test_when_the_connection_ends_everything_that_waits_fails() -> None:
    async def script(socket: ServerConnection, message: Message) -> None:
        if message["janus"] == "third":
            socket.transport.abort()

    async with fake_janus(script) as (_, access):
        connection = await connect(access)
        waiting = [asyncio.create_task(connection.request({"janus": name})) for name in ("a", "b", "third")]
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(result) for result in results] == [JanusGone] * 3
        with pytest.raises(JanusGone):
            await connection.request({"janus": "late"})
        await connection.close()


async def test_nonsense_from_the_server_ends_the_connection_only() -> None:
    async def script(socket: ServerConnection, message: Message) -> None:
        await socket.send("{ not json")

    async with fake_janus(script) as (_, access):
        connection = await connect(access)
        with pytest.raises(JanusGone):
            await connection.request({"janus": "info"})
        await connection.close()


async def test_nobody_to_connect_to_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(JanusGone, match="cannot connect"):
        await Connection.open(tmp_path / "no.sock", "janus-protocol", ("apisecret", "x"), 1)


# The session


async def test_events_go_to_the_handle_they_are_about() -> None:
    async with fake_janus(obliging) as (fake, access):
        session = await JanusSession.open(access, 60)
        events: list[Event] = []
        arrived = asyncio.Event()

        def on_event(event: Event) -> None:
            events.append(event)
            arrived.set()

        handle = await session.attach(on_event, "x")
        for sender in (1, handle.id):
            await fake.sockets[0].send(json.dumps({"janus": "webrtcup", "sender": sender}))
        await asyncio.wait_for(arrived.wait(), 60)
        assert events == [WebRtcUp()]
        await session.close()


async def test_a_dropped_socket_is_replaced_and_the_session_claimed() -> None:
    async with fake_janus(obliging) as (fake, access):
        claimed = asyncio.Event()
        session = await JanusSession.open(access, 60, claimed.set)
        handle = await session.attach(lambda _: None, "x")
        fake.sockets[0].transport.abort()
        await asyncio.wait_for(claimed.wait(), 60)
        assert [m["session_id"] for m in fake.got if m["janus"] == "claim"] == [session.id]
        assert (await handle.message({"request": "still there"})).data == {}
        assert await session.settled()
        await session.close()


async def test_requests_made_while_the_socket_is_replaced_wait_for_it() -> None:
    async with fake_janus(obliging) as (fake, access):
        session = await JanusSession.open(access, 60)
        fake.sockets[0].transport.abort()
        while await_connected(session):
            await asyncio.sleep(0)
        assert (await session.request({"janus": "message"}))["janus"] == "success"
        await session.close()


def await_connected(session: JanusSession) -> bool:
    return session._connected.is_set()


async def test_a_session_that_cannot_be_claimed_is_lost_and_says_why() -> None:
    async def script(socket: ServerConnection, message: Message) -> None:
        if message["janus"] == "claim":
            await reply(socket, message, janus="error", error={"code": 458, "reason": "No such session"})
        else:
            await obliging(socket, message)

    async with fake_janus(script) as (fake, access):
        session = await JanusSession.open(access, 60)
        fake.sockets[0].transport.abort()
        assert "No such session" in await asyncio.wait_for(session.lost(), 60)
        assert not await session.settled()
        with pytest.raises(JanusGone):
            await session.request({"janus": "message"})
        await session.close()


async def test_a_session_that_janus_times_out_is_lost() -> None:
    async with fake_janus(obliging) as (fake, access):
        session = await JanusSession.open(access, 60)
        await fake.sockets[0].send(json.dumps({"janus": "timeout", "session_id": session.id}))
        assert "timed our session out" in await asyncio.wait_for(session.lost(), 60)
        await session.close()


async def test_an_unanswered_keepalive_drops_the_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(janus_module, "KEEPALIVE", 0.01)
    answering = [True]

    async def script(socket: ServerConnection, message: Message) -> None:
        if message["janus"] != "keepalive" or answering[0]:
            await obliging(socket, message)

    async with fake_janus(script) as (fake, access):
        claimed = asyncio.Event()
        session = await JanusSession.open(access, 60, claimed.set)
        answering[0] = False
        assert session._connection is not None
        session._connection._deadline = 0.1  # of this socket: the next one may take its time
        await asyncio.wait_for(claimed.wait(), 60)
        assert len(fake.sockets) >= 2
        await session.close()


async def test_a_handle_whose_maker_was_cancelled_is_given_back() -> None:
    asked = asyncio.Event()
    may_reply = asyncio.Event()

    async def script(socket: ServerConnection, message: Message) -> None:
        if message["janus"] == "attach":
            asked.set()
            await may_reply.wait()
        await obliging(socket, message)

    async with fake_janus(script) as (fake, access):
        session = await JanusSession.open(access, 60)
        attaching = asyncio.create_task(session.attach(lambda _: None, "x"))
        await asked.wait()
        attaching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attaching
        may_reply.set()
        async with asyncio.timeout(60):
            while not any(message["janus"] == "detach" for message in fake.got):
                await asyncio.sleep(0.01)
        await session.close()


async def test_a_plugin_error_is_an_error_like_any_other() -> None:
    async def script(socket: ServerConnection, message: Message) -> None:
        if message["janus"] == "message":
            data = {"error_code": 428, "error": "No such feed (4)"}
            await reply(socket, message, janus="event", plugindata={"data": data})
        else:
            await obliging(socket, message)

    async with fake_janus(script) as (_, access):
        session = await JanusSession.open(access, 60)
        handle = await session.attach(lambda _: None, "x")
        with pytest.raises(JanusError, match="No such feed") as caught:
            await handle.message({"request": "join"})
        assert caught.value.code == 428
        await session.close()


# What Janus says


@pytest.mark.parametrize(
    ("message", "event"),
    [
        ({"janus": "webrtcup", "sender": 1}, WebRtcUp()),
        ({"janus": "hangup", "reason": "ICE failed"}, Hangup("ICE failed")),
        ({"janus": "media", "mid": "1", "receiving": False}, Media("1", False)),
        (
            {"janus": "trickle", "candidate": {"candidate": "x", "sdpMid": "0"}},
            Trickle({"candidate": "x", "sdpMid": "0"}),
        ),
        ({"janus": "trickle", "candidate": {"completed": True}}, None),
        ({"janus": "detached"}, Detached()),
        ({"janus": "event", "plugindata": {"data": {"videoroom": "event"}}}, PluginEvent({"videoroom": "event"})),
        ({"janus": "event"}, None),
        ({"janus": "slowlink", "mid": "0", "lost": 9}, SlowLink("0")),
        ({"janus": "timeout"}, None),
        ({}, None),
    ],
)
def test_events_are_typed_and_others_ignored(message: Message, event: Event | None) -> None:
    assert parse_event(message) == event


def info(ice: str, dtls: str, **flags: bool) -> Message:
    media = {"0": {"stats": {"in": {"bytes": 5}}}, "1": {"stats": {"in": {"bytes": 7}}}, "2": {}}
    return {"flags": flags, "webrtc": {"ice": {"state": ice}, "dtls": {"dtls-state": dtls}, "media": media}}


def test_a_connection_is_up_when_ice_and_dtls_are() -> None:
    assert transport_of(info("ready", "connected")).up
    assert transport_of(info("ready", "connected")).received == 12
    assert not transport_of(info("connected", "trying")).up
    assert not transport_of(info("failed", "connected")).up
    assert not transport_of(info("failed", "connected")).ended


def test_a_connection_that_janus_closed_has_ended() -> None:
    assert transport_of({"flags": {}}).ended
    assert transport_of(info("ready", "connected", alert=True)).ended


def test_the_layers_that_exist_are_those_whose_sources_janus_met() -> None:
    ssrc = {"ssrc-peer": 1, "ssrc-peer-sim-1": 2, "ssrc-peer-rtx": 3}
    assert substreams_of({"webrtc": {"media": {"1": {"ssrc": ssrc}}}}, "1") == {0, 1}
    assert substreams_of({}, "1") == frozenset()
