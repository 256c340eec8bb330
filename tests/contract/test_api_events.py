"""`/v2/events`: the ledger by cursor."""

from __future__ import annotations

import json
from typing import Any

import pytest

from callboard.clock import NANOSECONDS
from callboard.events import SessionCloseSuccess, SessionOpenSuccess, timestamps
from callboard.ledger import Changes, Fact, Recorded

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
    ],
)
async def test_a_wrong_parameter_is_refused_with_what_is_allowed(
    rest: Any, params: dict[str, str], detail: str
) -> None:
    answer = await rest.get("/v2/events", 400, **params)
    (found,) = answer["details"]
    assert found.startswith(detail)
