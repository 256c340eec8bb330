"""What the named queries answer, on both back ends."""

from __future__ import annotations

import apsw
import pytest

from callboard.database import Database, Put, Row, Table, Unit, Value, open_database
from callboard.database.sql import queries
from callboard.database.tables import (
    ATTEMPT,
    DELIVERY_CURSOR,
    DELIVERY_MARK,
    ENDPOINT,
    PEER,
    REQUEST_HEAD,
    ROOM,
    TEMPLATE,
    WORKSPACE,
)
from callboard.testing.units import event, session

LATEST = 2**63 - 1


def names(rows: list[Row], column: int = 0) -> list[Value]:
    return [row[column] for row in rows]


async def put(database: Database, table: Table, *rows: tuple[Value, ...]) -> None:
    await database.commit(Unit(tuple(Put(table, row) for row in rows)))


async def test_every_query_runs(database: Database) -> None:
    values: dict[str, Value] = {
        "active": -1,
        "enabled": -1,
        "after": 0,
        "before": 9,
        "limit": 5,
        "position": 0,
        "seq": 0,
        "question": 0,
        "final": -1,
        "error": -1,
        "now": 0,
        "upto": 0,
        "offset": 0,
        "since": 0,
        "until": 0,
        "at": 0,
        "number": 0,
        "accepted": 0,
        "given_up": 0,
        "width": 1,
        "part": 0,
    }
    for query in queries().values():
        rows = await database.fetch(query.name, **{name: values.get(name, "x") for name in query.parameters})
        if query.name in {"delivery_shards", "delivery_marks", "idempotency_gate"}:
            continue  # they are there from the beginning
        assert rows == (
            [(0,)]
            if query.name
            in {"highest_position", "last_attempt_number", "delivery_count", "failed_delivery_count", "replay_gate"}
            else []
        )


async def test_the_workspace_is_the_oldest_one(database: Database) -> None:
    await put(database, WORKSPACE, ("b", "app", "key", "secret", 1), ("a", "app", "key", "secret", 2))
    assert await database.fetch("workspace") == [("b", "app", "key", "secret", 1)]


async def test_templates_are_found_by_id_by_name_and_in_pages_newest_first(database: Database) -> None:
    rows = [(f"{number:024x}", f"T{number}", f"t{number}", "{}", number, number) for number in range(1, 6)]
    await put(database, TEMPLATE, *rows)
    assert await database.fetch("template_by_id", id=rows[2][0]) == [rows[2]]
    assert await database.fetch("template_by_name", name_key="t4") == [rows[3]]
    first = await database.fetch("template_page", start="g", limit=2)
    assert first == [rows[4], rows[3]]
    assert await database.fetch("template_page", start=first[-1][0], limit=2) == [rows[2], rows[1]]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, ["6", "5", "4", "3", "2", "1"]),
        ({"limit": 2}, ["6", "5"]),
        ({"start": "3"}, ["2", "1"]),
        ({"name_key": "room 4"}, ["4"]),
        ({"template_id": "even"}, ["6", "4", "2"]),
        ({"enabled": 1}, ["6", "3"]),
        ({"enabled": 0}, ["5", "4", "2", "1"]),
        ({"after": 20, "before": 50}, ["4", "3"]),
        ({"template_id": "even", "enabled": 1, "limit": 1}, ["6"]),
        ({"name_key": "nobody"}, []),
    ],
)
async def test_a_page_of_rooms_holds_those_that_every_filter_lets_through(
    database: Database, wanted: dict[str, Value], expected: list[str]
) -> None:
    rows: list[tuple[Value, ...]] = [
        (f"{n}", f"Room {n}", f"room {n}", "odd" if n % 2 else "even", n % 3 == 0, "{}", n * 10, 0, "")
        for n in range(1, 7)
    ]
    await put(database, ROOM, *rows)
    everything: dict[str, Value] = {
        "start": "g",
        "limit": 100,
        "name_key": "",
        "template_id": "",
        "enabled": -1,
        "after": 0,
        "before": LATEST,
    }
    page = await database.fetch("room_page", **(everything | wanted))
    assert names(page) == expected
    assert await database.fetch("room_by_id", id="2") == [rows[1][:-1]]
    assert await database.fetch("room_by_name", name_key="room 3") == [rows[2][:-1]]


async def test_sessions_are_found_by_id_when_open_and_in_pages(database: Database) -> None:
    sessions = [
        session(f"{n}", room_id="odd" if n % 2 else "even", opened_at=n * 10, closed_at=n * 100 if n < 4 else 0)
        for n in range(1, 7)
    ]
    await database.commit(Unit(tuple(sessions)))
    await put(database, PEER, ("3", "p", 31, "odd", "u", "n", "", "host", "regular", 35, "", ""))
    alone = (None,) * 6
    assert await database.fetch("session_with_peers", id="3") == [
        ("3", "odd", 30, 300, "p", 31, "u", "n", "host", 35),
    ]
    assert await database.fetch("session_with_peers", id="4") == [("4", "even", 40, 0, *alone)]
    assert names(await database.fetch("open_sessions")) == ["4", "5", "6"]

    page: dict[str, Value] = {"start": "g", "limit": 10, "active": -1, "after": 0, "before": LATEST}
    assert names(await database.fetch("session_page", **page)) == ["6", "5", "4", "3", "2", "1"]
    assert names(await database.fetch("session_page", **page | {"active": 1})) == ["6", "5", "4"]
    assert names(await database.fetch("session_page", **page | {"active": 0, "after": 10})) == ["3", "2"]
    of_room = page | {"room_id": "odd"}
    assert names(await database.fetch("session_page_of_room", **of_room)) == ["5", "3", "1"]
    assert names(await database.fetch("session_page_of_room", **of_room | {"active": 1, "limit": 1})) == ["5"]
    assert names(await database.fetch("session_page_of_room", **of_room | {"start": "5", "before": 30})) == ["1"]


async def test_peers_come_in_the_order_of_joining_once_per_stay(database: Database) -> None:
    def peer(session_id: str, peer_id: str, joined_at: int, left_at: int) -> tuple[Value, ...]:
        return (session_id, peer_id, joined_at, "r", "u", "n", "", "host", "regular", left_at, "", "")

    rows = [peer("s", "b", 1, 5), peer("s", "a", 2, 0), peer("s", "b", 6, 0), peer("other", "a", 1, 0)]
    await put(database, PEER, *rows)
    assert await database.fetch("peers_of_session", session_id="s") == rows[:3]
    assert await database.fetch("present_peers", session_id="s") == rows[1:3]


async def test_events_are_read_by_position_type_session_room_stream_and_id(database: Database) -> None:
    streams = ["s1", "s2", "r1", "s1", "s2", "s1"]
    rooms = {"s1": "r1", "s2": "r2", "r1": "r1"}
    for n, stream in enumerate(streams, start=1):
        append = event(f"e{n}", stream, room_id=rooms[stream], kind="odd.event" if n % 2 else "even_event")
        await database.commit(Unit(events=(append,)))

    async def read(query: str, **wanted: Value) -> list[Value]:
        everything: dict[str, Value] = {"position": 0, "types": "", "limit": 100}
        if query != "events_after":
            everything |= {"upto": LATEST, "peer_id": "", "since": 0, "until": LATEST}
        return names(await database.fetch(query, **(everything | wanted)), 1)

    assert await read("events_after") == ["e1", "e2", "e3", "e4", "e5", "e6"]
    assert await read("events_after", position=4, limit=1) == ["e5"]
    assert await read("events_after", types=",odd.event,") == ["e1", "e3", "e5"]
    assert await read("events_after", types=",odd.event,even_event,", position=1) == ["e2", "e3", "e4", "e5", "e6"]
    assert await read("events_after", types=",odd,event,") == []
    assert await read("events_of_session", session_id="s1", room_id="") == ["e1", "e4", "e6"]
    assert await read("events_of_session", session_id="s1", room_id="r2") == []
    assert await read("events_of_session", session_id="s1", room_id="r1", types=",even_event,", limit=1) == ["e4"]
    assert await read("events_of_room", room_id="r1") == ["e1", "e3", "e4", "e6"]
    assert await read("events_of_room", room_id="r1", position=1, limit=2) == ["e3", "e4"]
    assert await read("events_of_room", room_id="r1", types=",even_event,") == ["e4", "e6"]
    assert await read("events_between") == ["e1", "e2", "e3", "e4", "e5", "e6"]
    for query, place in (("events_between", {}), ("events_of_room", {"room_id": "r1"})):
        assert await read(query, position=1, upto=4, **place) == (["e2", "e3", "e4"] if not place else ["e3", "e4"])
        assert await read(query, peer_id="nobody", **place) == []
        assert await read(query, until=0, **place) == []
        assert await read(query, since=LATEST, **place) == []
    of_stream = await database.fetch("events_of_stream", stream="s1", seq=1, limit=10, part=0, width=1)
    assert [(row[1], row[3]) for row in of_stream] == [("e4", 2), ("e6", 3)]
    assert names(await database.fetch("event_by_id", id="e3"), 1) == ["e3"]
    assert await database.fetch("highest_position") == [(6,)]


async def test_stream_heads_say_what_each_stream_has_after_a_position(database: Database) -> None:
    for n, stream in enumerate(["a", "b", "a", "c", "b", "a"], start=1):
        await database.commit(Unit(events=(event(f"e{n}", stream),)))
    assert await database.fetch("stream_heads", position=2, upto=5) == [
        ("a", 2, 2, 3, 3, 3),
        ("c", 1, 1, 4, 4, 1),
        ("b", 2, 2, 5, 5, 2),
    ]
    assert await database.fetch("stream_heads", position=3, upto=9) == [
        ("c", 1, 1, 4, 4, 1),
        ("b", 2, 2, 5, 5, 2),
        ("a", 3, 3, 6, 6, 3),
    ]
    assert await database.fetch("stream_head_after", stream="a", position=3) == [(3, 6)]
    assert await database.fetch("stream_heads", position=6, upto=9) == []


async def test_endpoints_and_how_far_each_has_come(database: Database) -> None:
    await put(database, ENDPOINT, ("p2", "{}", 1, 2), ("p1", '{"a":1}', 3, 4))
    await put(database, DELIVERY_MARK, ("p1", 7), ("p2", 9))
    await put(
        database, DELIVERY_CURSOR, ("p1", "s1", 4, 12), ("p1", "s2", 3, 8), ("p1", "s3", 2, 7), ("p2", "s1", 9, 99)
    )
    assert await database.fetch("endpoints") == [("p1", '{"a":1}', 3, 4), ("p2", "{}", 1, 2)]
    assert await database.fetch("delivery_marks") == [("p1", 7), ("p2", 9), ("rooms", 0)]
    assert await database.fetch("delivery_cursors", endpoint_id="p1", position=7) == [
        ("p1", "s2", 3, 8),
        ("p1", "s1", 4, 12),
    ]


async def test_attempts_are_listed_by_event_and_by_endpoint_newest_first(database: Database) -> None:
    def more(version: int) -> tuple[Value, ...]:
        return (20, version, 99, "192.0.2.1", 0.001, 0.002, 0.003, 0.004, "{}")

    attempts: list[tuple[Value, ...]] = [
        ("e1", "p1", 1, 10, 500, "", 0.5, *more(1)),
        ("e1", "p1", 2, 20, 200, "", 0.25, *more(2)),
        ("e2", "p1", 1, 15, 0, "timeout_dns", 15.0, *more(1)),
        ("e1", "p2", 1, 12, 200, "", 0.1, *more(2)),
    ]
    await put(database, ATTEMPT, *attempts)
    await put(database, REQUEST_HEAD, ("p1", 2, "what was sent"))
    rows = [(*row, "what was sent" if (row[1], row[8]) == ("p1", 2) else "") for row in attempts]
    assert await database.fetch("attempts_of_event", event_id="e1") == [rows[0], rows[1], rows[3]]
    page: dict[str, Value] = {"endpoint_id": "p1", "before": LATEST, "limit": 2}
    assert await database.fetch("attempts_of_endpoint", **page) == [rows[1], rows[2]]
    assert await database.fetch("attempts_of_endpoint", **page | {"before": 15}) == [rows[0]]


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("open_sessions", "session_open"),
        ("session_page_of_room", "session_room"),
        ("present_peers", "peer_present"),
        ("events_of_session", "event_stream"),
        ("events_of_room", "stream_room"),
        ("events_of_room", "event_stream"),
        ("event_by_id", "event_id"),
        ("delivery_cursors", "delivery_cursor_position"),
        ("attempts_of_endpoint", "attempt_endpoint"),
        ("failed_for_endpoint", "attempt_failed"),
        ("failed_for_endpoint", "event_id"),
        ("accepted_by_endpoint", "attempt_endpoint"),
        ("parked_for_endpoint", "parked_event_at"),
        ("delivery_page", "attempt_endpoint"),
        ("delivery_count", "attempt_endpoint"),
        ("failed_delivery_page", "attempt_failed"),
        ("failed_delivery_count", "attempt_failed"),
        ("open_replays", "replay_part_open"),
        ("attempts_begun_before", "attempt_endpoint"),
        ("hooked_rooms", "stream_hook"),
        ("hooked_room", "stream_hook"),
        ("sealed_room", "room_sealed"),
        ("rooms_sealed_otherwise", "room_sealed"),
    ],
)
async def test_a_query_uses_the_index_that_was_made_for_it(sqlite_url: str, query: str, index: str) -> None:
    """On SQLite, whose planner does not wait for a table to be large."""
    database = open_database(sqlite_url)
    await database.open()
    await database.close()
    connection = apsw.Connection(sqlite_url.removeprefix("sqlite:///"))
    try:
        parameters = dict.fromkeys(queries()[query].parameters, 1)
        plan = [str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {queries()[query].text}", parameters)]
    finally:
        connection.close()
    assert any(f"INDEX {index}" in step for step in plan), plan
    assert not any(step.startswith("SCAN event") for step in plan), plan
