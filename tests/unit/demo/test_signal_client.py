"""The signalling client against a real HTTP and WebSocket server that answers as a test says."""

from __future__ import annotations

import asyncio
import http
import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from callboard.clock import RandomIds, SystemClock
from callboard.demo.http import HttpError, request_json
from callboard.demo.init import init_of
from callboard.demo.signal_client import Refused, SignalClient, SocketLost

Answer = Callable[[dict[str, Any]], dict[str, Any] | None]


class Desk:
    """The server's side: `/init` as `init` says, and each WebSocket frame answered by `answer`."""

    def __init__(self) -> None:
        self.init: tuple[int, Any] = (200, {"config": {"enabledFlags": ["f"]}})
        self.answer: Answer = lambda message: {"id": message["id"], "result": {"ok": True}}
        self.requests: list[Request] = []
        self.frames: list[dict[str, Any]] = []
        self.sockets: list[ServerConnection] = []
        self.close_codes: asyncio.Queue[int | None] = asyncio.Queue()
        self.server: Server | None = None

    @property
    def port(self) -> int:
        assert self.server is not None
        port: int = next(iter(self.server.sockets)).getsockname()[1]
        return port

    def process(self, connection: ServerConnection, request: Request) -> Response | None:
        self.requests.append(request)
        if not request.path.startswith("/init"):
            return None
        status, body = self.init
        if status == 200 and "endpoint" not in body and "config" in body:
            body = {"endpoint": f"ws://127.0.0.1:{self.port}/ws?kept=1&peer=theirs", **body}
        return connection.respond(http.HTTPStatus(status), json.dumps(body))

    async def handle(self, socket: ServerConnection) -> None:
        self.sockets.append(socket)
        async for frame in socket:
            message = json.loads(frame)
            self.frames.append(message)
            if "id" in message and (reply := self.answer(message)) is not None:
                await socket.send(json.dumps(reply))
        await self.close_codes.put(socket.close_code)


class Caller:
    """The client under test, and what it was told."""

    def __init__(self, desk: Desk) -> None:
        self.notified: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()
        self.lost = asyncio.Event()
        self.client = SignalClient(
            f"http://127.0.0.1:{desk.port}/",
            "t.o.k",
            "peer-1",
            clock=SystemClock(),
            ids=RandomIds(1),
            on_notification=lambda method, params: self.notified.put_nowait((method, params)),
            on_lost=self.lost.set,
        )


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    desk = Desk()
    async with serve(desk.handle, "127.0.0.1", 0, process_request=desk.process) as server:
        desk.server = server
        yield desk


@pytest.fixture
async def caller(desk: Desk) -> AsyncIterator[Caller]:
    caller = Caller(desk)
    yield caller
    await caller.client.close()


async def test_it_asks_init_with_its_token_and_dials_the_endpoint_with_the_protocol_s_parameters(
    desk: Desk, caller: Caller
) -> None:
    init = await caller.client.connect()
    assert init.flags == {"f"}
    first, second = desk.requests[:2]
    assert first.path.startswith("/init?peer_id=peer-1&")
    assert first.headers["Authorization"] == "Bearer t.o.k"
    query = parse_qs(urlsplit(second.path).query)
    assert query["peer"] == ["peer-1"]
    assert query["token"] == ["t.o.k"]
    assert query["protocol_version"] == ["2.5"]
    assert query["protocol_spec"] == ["20250115"]
    assert query["kept"] == ["1"]


async def test_a_call_gets_its_own_answer_though_another_came_first(desk: Desk, caller: Caller) -> None:
    held: list[dict[str, Any]] = []

    def answer(message: dict[str, Any]) -> dict[str, Any] | None:
        if message["method"] == "first":
            held.append(message)
            return None
        return {"id": message["id"], "result": {"for": message["method"]}}

    desk.answer = answer
    await caller.client.connect()
    first = asyncio.create_task(caller.client.call("first", {}))
    assert await caller.client.call("second", {}) == {"for": "second"}
    await desk.sockets[0].send(json.dumps({"id": held[0]["id"], "result": {"for": "first"}}))
    assert await first == {"for": "first"}


async def test_an_error_is_raised_with_its_code(desk: Desk, caller: Caller) -> None:
    desk.answer = lambda message: {"id": message["id"], "error": {"code": 403, "message": "no"}}
    await caller.client.connect()
    with pytest.raises(Refused, match="403 no") as refused:
        await caller.client.call("end-room", {})
    assert refused.value.code == 403


@pytest.mark.parametrize("result", [None, False, 0, "", []])
async def test_a_result_that_is_no_object_is_an_error(desk: Desk, caller: Caller, result: object) -> None:
    desk.answer = lambda message: {"id": message["id"], "result": result}
    await caller.client.connect()
    with pytest.raises(Refused, match="no object"):
        await caller.client.call("join", {})


async def test_a_call_that_is_not_answered_fails_by_its_deadline(desk: Desk, caller: Caller) -> None:
    desk.answer = lambda _: None
    await caller.client.connect()
    with pytest.raises(TimeoutError, match="join was not answered"):
        await caller.client.call("join", {}, deadline=0.01)


async def test_notifications_come_in_order_and_carry_no_id_when_sent(desk: Desk, caller: Caller) -> None:
    await caller.client.connect()
    for number in range(3):
        await desk.sockets[0].send(json.dumps({"method": "on-broadcast", "params": {"n": number}}))
    got = [await asyncio.wait_for(caller.notified.get(), 60) for _ in range(3)]
    assert [params["n"] for _, params in got] == [0, 1, 2]
    await caller.client.notify("leave", {"client_reason": "user request"})
    await caller.client.call("flush", {})
    leave = next(frame for frame in desk.frames if frame["method"] == "leave")
    assert leave.keys() == {"method", "params"}


async def test_it_pings_unasked(desk: Desk, caller: Caller) -> None:
    pinged: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    desk.answer = pinged.put_nowait
    await caller.client.connect()
    ping = await asyncio.wait_for(pinged.get(), 60)
    assert ping["method"] == "ping"
    assert ping["params"]["timestamp"] > 0


async def test_when_the_socket_is_lost_pending_calls_fail_and_the_loss_is_told(desk: Desk, caller: Caller) -> None:
    desk.answer = lambda message: None if message["method"] == "join" else {"id": message["id"], "result": {}}
    await caller.client.connect()
    pending = asyncio.create_task(caller.client.call("join", {}))
    await caller.client.call("flush", {})
    desk.sockets[0].transport.abort()
    with pytest.raises(SocketLost):
        await pending
    await asyncio.wait_for(caller.lost.wait(), 60)
    with pytest.raises(SocketLost):
        await caller.client.notify("leave", {})


async def test_a_frame_that_is_no_message_loses_the_socket(desk: Desk, caller: Caller) -> None:
    await caller.client.connect()
    await desk.sockets[0].send("{")
    await asyncio.wait_for(caller.lost.wait(), 60)


async def test_closing_says_1000_and_is_no_loss(desk: Desk, caller: Caller) -> None:
    await caller.client.connect()
    await caller.client.close()
    assert await asyncio.wait_for(desk.close_codes.get(), 60) == 1000
    assert not caller.lost.is_set()


async def test_aborting_sends_no_close_frame(desk: Desk, caller: Caller) -> None:
    await caller.client.connect()
    closed = asyncio.create_task(desk.sockets[0].wait_closed())
    await caller.client.abort()
    await asyncio.wait_for(closed, 60)
    assert desk.sockets[0].close_code == 1006
    assert not caller.lost.is_set()


async def test_a_refusal_of_init_is_raised_and_no_socket_opened(desk: Desk, caller: Caller) -> None:
    desk.init = (403, {"code": 403, "message": "room is disabled"})
    with pytest.raises(HttpError, match="room is disabled") as refused:
        await caller.client.connect()
    assert refused.value.status == 403
    assert desk.sockets == []


@pytest.mark.parametrize("answer", [None, [], {}, {"endpoint": "ws://x"}, {"endpoint": 1, "config": {}}])
def test_an_init_answer_that_the_official_client_cannot_use_is_an_error(answer: object) -> None:
    with pytest.raises(ValueError, match="/init must answer"):
        init_of(answer)


def test_ice_servers_are_taken_with_their_credentials() -> None:
    answer = {
        "endpoint": "ws://x",
        "config": {},
        "rtcConfiguration": {"ice_servers": [{"urls": ["turn:t"], "username": "u", "credential": "c"}]},
    }
    (server,) = init_of(answer).ice_servers
    assert (server.urls, server.username, server.credential) == (["turn:t"], "u", "c")


async def test_an_http_request_with_another_scheme_is_an_error() -> None:
    with pytest.raises(ValueError, match="http://"):
        await request_json("GET", "file:///etc/passwd")
