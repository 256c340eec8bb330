"""`/v2/analytics/events` and `/v2/analytics/peer-stats` (platform.md §3.1 "Cursor C", §3.12)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from callboard.analytics.quality import Kept, Report, Sample, TrackStats, document
from callboard.clock import NANOSECONDS
from callboard.database import Append, Put, Unit
from callboard.database.tables import ANALYTICS_EVENT, PEER, PEER_STATS, SESSION

ROOM, SESSION_ID = "5f9edc6ac238215aec2312df", "61a6200100000000000000aa"
NOW = 1_800_000_000 * NANOSECONDS


def event(n: int, kind: str = "track.add.success", *, room: str = ROOM, peer: str = "p", at: int | None = None) -> Put:
    """An event `n` seconds before the test began, or at an instant."""
    instant = NOW - (1000 - n) * NANOSECONDS if at is None else at
    error = kind.startswith("client.")
    body = json.dumps({"n": n, "room_id": room})
    return Put(ANALYTICS_EVENT, (f"e{n:04}", room, SESSION_ID, peer, f"u{n % 2}", "", kind, error, instant, body))


async def numbers(rest: Any, **params: Any) -> list[int]:
    page = await rest.get("/v2/analytics/events", **{"room_id": ROOM, "limit": 100, **params})
    return [one["data"]["n"] for one in page["events"]]


async def test_events_have_the_envelope_of_all_events_and_come_oldest_first(rest: Any) -> None:
    await rest.deps.database.commit(Unit((event(2), event(1), event(3, room="0" * 24))))
    page = await rest.get("/v2/analytics/events", room_id=ROOM)
    assert (page["limit"], page["total"], page["next"]) == (2, 2, "")
    assert page["events"][0] == {
        "version": "2.0",
        "id": "e0001",
        "timestamp": "2027-01-15T07:43:21Z",
        "type": "track.add.success",
        "data": {"n": 1, "room_id": ROOM},
    }
    assert page["events"][1]["data"]["n"] == 2


async def test_filters_choose_among_events(rest: Any) -> None:
    kinds = ["track.add.success", "track.remove.success", "client.join.failed", "client.disconnected"]
    await rest.deps.database.commit(Unit(tuple(event(n, kind, peer=f"p{n}") for n, kind in enumerate(kinds))))
    assert await numbers(rest) == [0, 1, 2, 3]
    assert await numbers(rest, type="client.join.failed") == [2]
    several = await rest.ask("GET", f"/v2/analytics/events?room_id={ROOM}&type={kinds[0]}&type={kinds[3]}")
    assert [one["data"]["n"] for one in several.json()["events"]] == [0, 3]
    assert await numbers(rest, error="true") == [2, 3]
    assert await numbers(rest, error="false") == [0, 1]
    assert await numbers(rest, peer_id="p1") == [1]
    assert await numbers(rest, user_id="u1") == [1, 3]
    assert await numbers(rest, session_id=SESSION_ID) == [0, 1, 2, 3]
    assert await numbers(rest, session_id=ROOM) == []
    assert await numbers(rest, beam_id="b") == []


async def test_pages_are_of_what_there_was_at_the_first_one(rest: Any) -> None:
    await rest.deps.database.commit(Unit(tuple(event(n) for n in range(5))))
    first = await rest.get("/v2/analytics/events", room_id=ROOM, limit=2)
    await rest.deps.database.commit(Unit((event(99, at=rest.deps.clock.now()),)))
    second = await rest.get("/v2/analytics/events", room_id=ROOM, limit=2, start=first["next"])
    third = await rest.get("/v2/analytics/events", room_id=ROOM, limit=2, start=second["next"])
    found = [one["data"]["n"] for page in (first, second, third) for one in page["events"]]
    assert found == [0, 1, 2, 3, 4]
    assert ([page["total"] for page in (first, second, third)], third["next"]) == ([5, 5, 5], "")
    assert await numbers(rest) == [0, 1, 2, 3, 4, 99]


async def test_a_cursor_is_good_for_a_day_and_one_that_is_none_is_refused(rest: Any) -> None:
    await rest.deps.database.commit(Unit((event(1), event(2))))
    start = (await rest.get("/v2/analytics/events", room_id=ROOM, limit=1))["next"]
    rest.deps.clock.instant += 86_401 * NANOSECONDS
    answer = await rest.get("/v2/analytics/events", 400, room_id=ROOM, start=start)
    assert answer["details"] == ["start: is older than 24 hours: begin again"]
    for wrong in ("x", "e30", "WzEsMiwzXQ", "é", "W10" * 100):
        await rest.get("/v2/analytics/events", 400, room_id=ROOM, start=wrong)


async def test_what_is_older_than_30_days_is_not_shown(rest: Any) -> None:
    await rest.deps.database.commit(Unit((event(1, at=NOW - 31 * 86_400 * NANOSECONDS), event(2))))
    assert await numbers(rest) == [2]


async def test_an_event_of_the_ledger_is_shown_from_there(rest: Any) -> None:
    body = b'{"version":"2.0","id":"e0007","data":{"n":7,"beam_id":"b"}}'
    recorded = Append("e0007", SESSION_ID, "beam.recording.success", ROOM, SESSION_ID, "", NOW, "server", "", body)
    row = (*event(7, "beam.recording.success", at=NOW - 1).row[:5], "b", "beam.recording.success", False, NOW - 1, "")
    await rest.deps.database.commit(Unit((Put(ANALYTICS_EVENT, row),), (recorded,)))
    assert await numbers(rest, type="beam.recording.success", beam_id="b") == [7]


@pytest.mark.parametrize(
    ("params", "detail"),
    [
        ({}, "room_id: is required"),
        ({"room_id": "x"}, "room_id: must be 24 hexadecimal digits"),
        ({"room_id": ROOM, "session_id": "x"}, "session_id: must be 24 hexadecimal digits"),
        ({"room_id": ROOM, "type": "peer.join.success"}, "type: there is no peer.join.success; known are track.add"),
        ({"room_id": ROOM, "limit": "x"}, "limit: must be an integer"),
    ],
)
async def test_wrong_parameters_are_refused(rest: Any, params: dict[str, str], detail: str) -> None:
    answer = await rest.get("/v2/analytics/events", 400, **params)
    assert answer["details"][0].startswith(detail)


async def stay(rest: Any, closed_at: int) -> None:
    """A peer in a session, with one report of it."""
    report = Report(audio=(TrackStats(track_id="mic", samples=(Sample(timestamp=5, avg_bitrate_bps=64_000),)),))
    rows = (
        Put(SESSION, (SESSION_ID, ROOM, ROOM, 1, closed_at)),
        Put(PEER, (SESSION_ID, "p", 2, ROOM, "u", "n", "", "host", "regular", closed_at, "", "")),
        Put(PEER_STATS, (SESSION_ID, "p", 3, ROOM, document(Kept(side="publisher", report=report)))),
    )
    await rest.deps.database.commit(Unit(rows))


async def test_the_quality_of_a_peer_is_shown_when_its_session_is_over(rest: Any) -> None:
    await stay(rest, closed_at=9)
    assert await rest.get("/v2/analytics/peer-stats", session_id=SESSION_ID, peer_id="p") == {
        "peer_id": "p",
        "session_id": SESSION_ID,
        "room_id": ROOM,
        "publisher": {
            "video": [],
            "audio": [
                {
                    "track_id": "mic",
                    "time_series": {
                        "timestamps": [5],
                        "bitrate": [64_000],
                        "packet_loss_percent": [None],
                        "rtt_ms": [None],
                        "jitter_ms": [None],
                    },
                }
            ],
        },
        "subscriber": {"video": [], "audio": []},
    }


async def test_the_quality_of_a_peer_is_not_shown_before_or_of_a_stranger(rest: Any) -> None:
    await stay(rest, closed_at=0)
    answer = await rest.get("/v2/analytics/peer-stats", 404, session_id=SESSION_ID, peer_id="p")
    assert answer["details"] == ["the session is still open: they are there when it is over"]
    await rest.get("/v2/analytics/peer-stats", 404, session_id=SESSION_ID, peer_id="q")
    await rest.get("/v2/analytics/peer-stats", 400, session_id="x", peer_id="p")
    await rest.get("/v2/analytics/peer-stats", 400, session_id=SESSION_ID)
