"""`/v2/events`: the ledger by cursor."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
import uvicorn

from callboard.api.app import api
from callboard.clock import NANOSECONDS
from callboard.events import SessionCloseSuccess, SessionOpenSuccess, timestamps
from callboard.ledger import Changes, Fact, Recorded
from callboard.process import HttpServer

ROOMS = ("5f9edc6ac238215aec2312d0", "5f9edc6ac238215aec2312d1")
SESSIONS = ("610f81ee870dde099a249940", "610f81ee870dde099a249941")
TEMPLATE = "66112497abcd52312556c4aa"
START = 1_638_277_129_972_912_470


def opened(n: int) -> Fact:
    """Session `n` opened in room `n`."""
    payload = SessionOpenSuccess(
        room_id=ROOMS[n],
        room_name=f"room {n}",
        session_id=SESSIONS[n],
        template_id=TEMPLATE,
        session_started_at=timestamps.precise(START),
    )
    return _fact(f"6c75de35-b778-4fb0-88ae-114c28dc280{n}", payload, n, START)


def closed(n: int) -> Fact:
    """Session `n` closed ten minutes later."""
    payload = SessionCloseSuccess(
        room_id=ROOMS[n],
        room_name=f"room {n}",
        session_id=SESSIONS[n],
        template_id=TEMPLATE,
        session_started_at=timestamps.precise(START),
        session_stopped_at=timestamps.precise(START + 600 * NANOSECONDS),
        session_duration=600,
    )
    return _fact(f"6c75de35-b778-4fb0-88ae-114c28dc281{n}", payload, n, START + 600 * NANOSECONDS)


def _fact(fact_id: str, payload: Any, n: int, at: int) -> Fact:
    return Fact(
        id=fact_id,
        payload=payload,
        stream=SESSIONS[n],
        at=at,
        template_id=TEMPLATE,
        room_id=ROOMS[n],
        session_id=SESSIONS[n],
        actor="api",
        cause="end room",
    )


@pytest.fixture
async def recorded(rest: Any) -> list[Recorded]:
    """Two sessions that opened and then closed."""
    facts = (opened(0), opened(1), closed(0), closed(1))
    return [one for fact in facts for one in await rest.deps.ledger.commit(Changes(facts=(fact,)))]


async def test_an_event_is_shown_as_it_is_delivered_and_with_its_circumstances(
    rest: Any, recorded: list[Recorded]
) -> None:
    page = await rest.get("/v2/events", limit=1)
    (shown,) = page["events"]
    first = recorded[0]
    assert shown == {
        "position": first.position,
        "stream": SESSIONS[0],
        "seq": 1,
        "actor": "api",
        "cause": "end room",
        "committed_at": timestamps.precise(first.committed_at),
        "event": json.loads(first.body),
    }
    assert shown["event"]["type"] == "session.open.success"
    assert shown["event"]["account_id"] == rest.deps.workspace.id
    assert page["next"] == first.position


async def test_reading_on_from_next_gives_every_event_once_and_in_order(rest: Any, recorded: list[Recorded]) -> None:
    seen: list[int] = []
    after = 0
    while (page := await rest.get("/v2/events", after=after, limit=3))["events"]:
        seen += [event["position"] for event in page["events"]]
        after = page["next"]
    assert seen == [one.position for one in recorded]
    assert page == {"events": [], "next": after}
    (late,) = await rest.deps.ledger.commit(
        Changes(facts=(_fact("6c75de35-b778-4fb0-88ae-114c28dc2820", opened(0).payload, 0, START),))
    )
    page = await rest.get("/v2/events", after=after)
    assert [(event["position"], event["seq"]) for event in page["events"]] == [(late.position, 3)]


async def test_whoever_wants_only_what_comes_asks_where_the_end_is(rest: Any, recorded: list[Recorded]) -> None:
    assert await rest.get("/v2/events", after=-1) == {"events": [], "next": recorded[-1].position}


async def test_the_end_of_an_empty_ledger_is_its_beginning(rest: Any) -> None:
    assert await rest.get("/v2/events", after=-1) == {"events": [], "next": 0}


async def test_filters_choose_among_events(rest: Any, recorded: list[Recorded]) -> None:
    async def found(*params: tuple[str, str]) -> list[int]:
        answer = await rest.ask("GET", "/v2/events", params=list(params))
        positions = [event["position"] for event in answer.json()["events"]]
        return [index for index, one in enumerate(recorded) if one.position in positions]

    assert await found() == [0, 1, 2, 3]
    assert await found(("type", "session.open.success")) == [0, 1]
    assert await found(("type", "session.open.success"), ("type", "session.close.success")) == [0, 1, 2, 3]
    assert await found(("type", "peer.join.success")) == []
    assert await found(("type", "session.*")) == [0, 1, 2, 3]
    assert await found(("type", "*.open.*")) == [0, 1]
    assert await found(("type", "peer.*"), ("type", "session.close.success")) == [2, 3]
    assert await found(("peer_id", "nobody")) == []
    assert await found(("since", timestamps.precise(recorded[2].committed_at))) == [2, 3]
    assert await found(("until", timestamps.precise(recorded[2].committed_at))) == [0, 1]
    assert await found(("since", "2020-01-01T00:00:00Z"), ("until", "2020-01-02T00:00:00Z")) == []
    assert await found(("room_id", ROOMS[1])) == [1, 3]
    assert await found(("session_id", SESSIONS[0])) == [0, 2]
    assert await found(("session_id", SESSIONS[0]), ("type", "session.close.success")) == [2]
    assert await found(("session_id", SESSIONS[0]), ("room_id", ROOMS[1])) == []
    assert await found(("room_id", "0" * 24)) == []


@pytest.mark.parametrize(
    ("params", "detail"),
    [
        ({"after": "x"}, "after: must be an integer"),
        ({"after": "-2"}, f"after: must be an integer from -1 to {2**63 - 1}"),
        ({"after": str(2**63)}, f"after: must be an integer from -1 to {2**63 - 1}"),
        ({"after": str(2**80)}, "after: must be"),
        ({"limit": "0"}, "limit: must be an integer from 1 to 1000"),
        ({"limit": "1001"}, "limit: must be an integer from 1 to 1000"),
        ({"room_id": "x"}, "room_id: must be 24 hexadecimal digits"),
        ({"session_id": "a\0"}, "session_id: must be 24 hexadecimal digits"),
        ({"peer_id": "a\0"}, "peer_id: must be at most 200 characters of text"),
        ({"type": "peer.joint.success"}, "type: unknown event type 'peer.joint.success' (did you mean peer.join.succ"),
        ({"type": "pear.*"}, "type: unknown event type 'pear.*'"),
        ({"since": "yesterday"}, "since: must be an instant, RFC 3339 in UTC, such as 2026-01-31T12:00:00Z"),
        ({"until": "1"}, "until: must be an instant"),
        ({"since": "2026-01-02T00:00:00Z", "until": "2026-01-02T00:00:00Z"}, "until: must be later than since"),
    ],
)
async def test_a_wrong_parameter_is_refused_with_what_is_allowed(
    rest: Any, params: dict[str, str], detail: str
) -> None:
    answer = await rest.get("/v2/events", 400, **params)
    (found,) = answer["details"]
    assert found.startswith(detail)


async def test_a_cursor_beyond_the_end_is_refused_with_what_may_have_happened(
    rest: Any, recorded: list[Recorded]
) -> None:
    newest = recorded[-1].position
    assert (await rest.get("/v2/events", after=newest))["events"] == []
    for path in ("/v2/events", "/v2/events/stream", "/v2/events/export"):
        answer = await rest.get(path, 400, after=newest + 1)
        assert answer["details"][0].startswith(f"after: is beyond the end of the ledger, which is {newest}")


async def test_an_event_is_found_by_its_id(rest: Any, recorded: list[Recorded]) -> None:
    assert (await rest.get(f"/v2/events/{recorded[1].id}"))["position"] == recorded[1].position
    for unknown in ("nobody", "x" * 500):
        assert (await rest.get(f"/v2/events/{unknown}", 404))["message"] == "event not found"


async def test_an_export_has_every_event_once_a_line_each(rest: Any, recorded: list[Recorded]) -> None:
    answer = await rest.ask("GET", "/v2/events/export", params={"type": "session.*"})
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.body.splitlines()]
    assert [line["position"] for line in lines] == [one.position for one in recorded]
    assert [line["event"] for line in lines] == [json.loads(one.body) for one in recorded]
    rest_of_it = await rest.ask("GET", "/v2/events/export", params={"after": recorded[2].position})
    assert [json.loads(line)["position"] for line in rest_of_it.body.splitlines()] == [recorded[3].position]
    assert (await rest.ask("GET", "/v2/events/export", params={"type": "peer.*"})).body == b""


class Stream:
    """A reader of server-sent events."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response

    async def event(self) -> dict[str, str]:
        """The next event, comments left out."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(60):
            while line := (await self.response.content.readline()).decode():
                name, _, value = line.rstrip("\n").partition(": ")
                if name:
                    fields[name] = value
                elif fields:
                    return fields
        raise EOFError


@asynccontextmanager
async def streaming(rest: Any, last: str = "", **params: Any) -> AsyncIterator[Stream]:
    headers = {"authorization": f"Bearer {rest.token}"} | ({"last-event-id": last} if last else {})
    async with rest.http.get(rest.url + "/v2/events/stream", params=params, headers=headers) as response:
        assert response.status == 200, await response.read()
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Stream(response)


async def test_a_reader_that_comes_back_goes_on_behind_the_last_event_it_had(
    rest: Any, recorded: list[Recorded]
) -> None:
    async with streaming(rest, after=0) as stream:
        first, second = await stream.event(), await stream.event()
    assert first["id"] == str(recorded[0].position)
    assert first["event"] == "session.open.success"
    assert json.loads(first["data"])["event"] == json.loads(recorded[0].body)
    async with streaming(rest, last=second["id"], after=0) as stream:
        assert [(await stream.event())["id"] for _ in range(2)] == [str(one.position) for one in recorded[2:]]
        new = await rest.deps.ledger.commit(
            Changes(facts=(_fact("6c75de35-b778-4fb0-88ae-114c28dc2830", opened(0).payload, 0, START),))
        )
        assert (await stream.event())["id"] == str(new[0].position)


async def test_a_stream_begins_at_the_end_and_has_only_what_is_wanted(rest: Any, recorded: list[Recorded]) -> None:
    async with streaming(rest, session_id=SESSIONS[1]) as stream:
        assert await stream.response.content.readline() == b": still here\n"
        for n in (0, 1):
            fact = _fact(f"6c75de35-b778-4fb0-88ae-114c28dc284{n}", opened(n).payload, n, START)
            await rest.deps.ledger.commit(Changes(facts=(fact,)))
        assert json.loads((await stream.event())["data"])["stream"] == SESSIONS[1]


async def test_streams_are_counted_live_long_and_end_when_the_server_stops(rest: Any) -> None:
    streams = rest.deps.streams
    streams._most, streams._heartbeat = 1, 0.01
    async with streaming(rest) as stream:
        lines = [await stream.response.content.readline() for _ in range(6)]
        assert lines == [b": still here\n", b"\n"] * 3
        refused = await rest.ask("GET", "/v2/events/stream")
        assert (refused.status, refused.headers["retry-after"]) == (429, "5")
        streams.stop()
        with pytest.raises(EOFError):
            await stream.event()
    assert streams.open == 0


@pytest.mark.parametrize("last", ["x", "-1", "\u0661", "9" * 30])
async def test_a_last_event_id_that_is_none_is_refused(rest: Any, last: str) -> None:
    answer = await rest.ask("GET", "/v2/events/stream", headers={"last-event-id": last.encode().decode("latin-1")})
    assert answer.status == 400
    assert answer.json()["details"][0].startswith("Last-Event-ID: must be the id of the last event")


async def test_a_test_event_is_marked_and_belongs_to_no_room_and_no_session(rest: Any) -> None:
    made = await rest.post(
        "/v2/events/trigger", {"type": "peer.leave.success", "data": {"user_name": "Ada", "duration": 7}}
    )
    assert (made["actor"], made["cause"], made["seq"]) == ("test", "triggered", 1)
    event = made["event"]
    assert event["is_test"] is True
    assert (event["data"]["user_name"], event["data"]["duration"]) == ("Ada", 7)
    room, session = event["data"]["room_id"], event["data"]["session_id"]
    assert (await rest.get("/v2/events", room_id=room))["events"] == []
    assert (await rest.get("/v2/events", session_id=session))["events"] == []
    assert (await rest.get("/v2/events"))["events"] == [made]
    again = await rest.post("/v2/events/trigger", {"type": "peer.leave.success"})
    assert again["stream"] != made["stream"]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"type": "peer.left"}, "type: unknown event type 'peer.left'"),
        ({"type": "peer.leave.success", "data": {"user_nam": "x"}}, "data: peer.leave.success has no field 'user_nam'"),
        ({"type": "peer.leave.success", "data": {"duration": "7"}}, "data: Expected `int`, got `str` - at `duration`"),
        ({"type": "peer.leave.success", "data": {"reason": "bored"}}, "data: Invalid enum value 'bored' - at `reason`"),
        ({}, "type: "),
    ],
)
async def test_a_test_event_that_could_not_be_is_refused(rest: Any, body: dict[str, Any], detail: str) -> None:
    answer = await rest.post("/v2/events/trigger", body, 400)
    assert answer["details"][0].startswith(detail)
    assert (await rest.get("/v2/events"))["events"] == []


async def test_an_expunged_event_stays_where_it_is_and_says_no_more_of_anybody(
    rest: Any, recorded: list[Recorded]
) -> None:
    before = recorded[1]
    async with streaming(rest, after=before.position - 1) as stream:
        await stream.event()  # it is in the tail: what is streamed from there must be the new one, too
    bare = await rest.post(f"/v2/events/{before.id}/expunge")
    assert bare["event"]["is_expunged"] is True
    assert bare["event"]["data"]["room_name"] == ""
    assert bare["event"]["data"]["session_id"] == before.session_id
    assert (bare["position"], bare["seq"]) == (before.position, before.seq)
    assert await rest.post(f"/v2/events/{before.id}/expunge") == bare
    assert await rest.get(f"/v2/events/{before.id}") == bare
    assert (await rest.get("/v2/events"))["events"][1] == bare
    async with streaming(rest, after=before.position - 1) as stream:
        assert json.loads((await stream.event())["data"]) == bare
    assert (await rest.post("/v2/events/nobody/expunge", status=404))["message"] == "event not found"


async def test_a_stream_does_not_keep_the_server_from_stopping(rest: Any) -> None:
    config = uvicorn.Config(api(rest.deps), lifespan="off", log_config=None, loop="none", timeout_graceful_shutdown=60)
    config.load()
    server = HttpServer(config, rest.deps.streams.stop)
    server.lifespan = config.lifespan_class(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        await server.startup(sockets=[listening])
        rest.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        async with streaming(rest) as stream, asyncio.timeout(60):
            await stream.response.content.readline()
            stopping = asyncio.create_task(server.shutdown(sockets=[listening]))
            with pytest.raises(EOFError):
                await stream.event()
            await stopping
