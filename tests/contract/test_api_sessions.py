"""`/v2/sessions` (platform.md §3.5)."""

from __future__ import annotations

from typing import Any

import pytest

from callboard.clock import NANOSECONDS
from callboard.database import Put, Unit
from callboard.database.tables import PEER, SESSION

ROOM = "5f9edc6ac238215aec2312df"
OTHER_ROOM = "5f9edc6ac238215aec2312ee"
TEMPLATE = "66112497abcd52312556c4aa"
START = 1_638_277_129_972_912_470


def session_id(n: int) -> str:
    return f"{START // NANOSECONDS + n:08x}{0:016x}"


def stay(n: int, peer_id: str, joined: int, left: int = 0, role: str = "host") -> Put:
    """A peer's stay in session `n`, from and to seconds after its start."""
    instants = (START + joined * NANOSECONDS, START + left * NANOSECONDS if left else 0)
    values = (ROOM, f"user-{peer_id}", f"Name {peer_id}", "{}", role, "regular", instants[1], "", "")
    return Put(PEER, (session_id(n), peer_id, instants[0], *values))


@pytest.fixture
async def sessions(rest: Any) -> None:
    """A closed session, an open one, and an open one in another room, a second after each other."""
    rows = [
        Put(SESSION, (session_id(0), ROOM, TEMPLATE, START, START + 600 * NANOSECONDS)),
        stay(0, "p1", 0, 600),
        stay(0, "p2", 5, 10, "guest"),
        stay(0, "p2", 20, 30),
        Put(SESSION, (session_id(1), ROOM, TEMPLATE, START + NANOSECONDS, 0)),
        stay(1, "p3", 7),
        stay(1, "p4", 8, 9),
        Put(SESSION, (session_id(2), OTHER_ROOM, TEMPLATE, START + 2 * NANOSECONDS, 0)),
    ]
    await rest.deps.database.commit(Unit(tuple(rows)))


async def found(rest: Any, **params: Any) -> list[str]:
    return [session["id"] for session in (await rest.get("/v2/sessions", **params))["data"]]


async def test_a_closed_session_shows_when_it_was_and_who_was_in_it(rest: Any, sessions: None) -> None:
    workspace = rest.deps.workspace
    assert await rest.get(f"/v2/sessions/{session_id(0)}") == {
        "id": session_id(0),
        "room_id": ROOM,
        "customer_id": workspace.id,
        "app_id": workspace.app_id,
        "active": False,
        "peers": {
            "p1": {
                "id": "p1",
                "session_id": session_id(0),
                "name": "Name p1",
                "role": "host",
                "user_id": "user-p1",
                "joined_at": "2021-11-30T12:58:49.972Z",
                "left_at": "2021-11-30T13:08:49.972Z",
            },
            "p2": {
                "id": "p2",
                "session_id": session_id(0),
                "name": "Name p2",
                "role": "host",
                "user_id": "user-p2",
                "joined_at": "2021-11-30T12:59:09.972Z",
                "left_at": "2021-11-30T12:59:19.972Z",
            },
        },
        "created_at": "2021-11-30T12:58:49.972Z",
        "updated_at": "2021-11-30T13:08:49.972Z",
    }


async def test_an_open_session_has_peers_that_have_not_left(rest: Any, sessions: None) -> None:
    session = await rest.get(f"/v2/sessions/{session_id(1)}")
    assert session["active"] is True
    assert "left_at" not in session["peers"]["p3"]
    assert "left_at" in session["peers"]["p4"]
    assert session["updated_at"] == session["peers"]["p4"]["left_at"]


async def test_sessions_are_listed_newest_first_open_and_closed(rest: Any, sessions: None) -> None:
    page = await rest.get("/v2/sessions")
    assert [session["id"] for session in page["data"]] == [session_id(2), session_id(1), session_id(0)]
    assert (page["limit"], page["last"]) == (10, "")
    assert page["data"][2] == await rest.get(f"/v2/sessions/{session_id(0)}")


async def test_filters_choose_among_sessions(rest: Any, sessions: None) -> None:
    assert await found(rest, active="true") == [session_id(2), session_id(1)]
    assert await found(rest, active="false") == [session_id(0)]
    assert await found(rest, room_id=ROOM) == [session_id(1), session_id(0)]
    assert await found(rest, room_id=ROOM, active="true") == [session_id(1)]
    assert await found(rest, room_id="0" * 24) == []
    # Both bounds include the instant as it is shown.
    assert await found(rest, after="2021-11-30T12:58:51.972Z") == [session_id(2)]
    assert await found(rest, before="2021-11-30T12:58:49.972Z") == [session_id(0)]
    assert await found(rest, room_id=ROOM, after="2021-11-30T12:58:50.972Z") == [session_id(1)]


async def test_many_sessions_come_a_page_at_a_time(rest: Any) -> None:
    rows = [Put(SESSION, (session_id(n), ROOM, TEMPLATE, START + n, START + n + 1)) for n in range(23)]
    await rest.deps.database.commit(Unit(tuple(rows)))
    for params in ({}, {"room_id": ROOM}):
        ids: list[str] = []
        start: dict[str, str] = {}
        for size in (10, 10, 3):
            page = await rest.get("/v2/sessions", **params, **start)
            assert len(page["data"]) == size
            ids += [session["id"] for session in page["data"]]
            start = {"start": page["last"]}
        assert ids == [session_id(n) for n in reversed(range(23))]
        assert start == {"start": ""}


async def test_a_session_that_is_not_there_is_404(rest: Any) -> None:
    for one in (ROOM, "x"):
        assert await rest.get(f"/v2/sessions/{one}", 404) == {
            "code": 404,
            "message": "session not found",
            "details": [],
        }


async def test_a_room_id_that_is_none_is_refused(rest: Any) -> None:
    answer = await rest.get("/v2/sessions", 400, room_id="x")
    assert answer["details"] == ["room_id: must be 24 hexadecimal digits"]


async def test_a_page_of_sessions_and_everybody_in_them_is_one_query(rest: Any, monkeypatch: Any) -> None:
    rows = [Put(SESSION, (session_id(n), ROOM, TEMPLATE, START + n, 0)) for n in range(100)]
    await rest.deps.database.commit(Unit((*rows, *(stay(n, f"p{n}", n) for n in range(100)))))
    asked: list[str] = []
    fetch = rest.deps.database.fetch

    async def counted(query: str, /, **parameters: Any) -> Any:
        asked.append(query)
        return await fetch(query, **parameters)

    monkeypatch.setattr(rest.deps.database, "fetch", counted)
    for params in ({}, {"room_id": ROOM}):
        asked.clear()
        page = await rest.get("/v2/sessions", limit=100, **params)
        assert [list(session["peers"]) for session in page["data"]] == [[f"p{n}"] for n in reversed(range(100))]
        assert len(asked) == 1
