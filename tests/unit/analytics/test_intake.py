"""The intake: bounded, and true to what happened to tracks, also across a crash."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from callboard.analytics import KEPT_DAYS
from callboard.analytics.intake import CLIENT_BURST, Analytics
from callboard.analytics.reading import Wanted, page, peer_series
from callboard.clock import NANOSECONDS
from callboard.database import Put, Unit
from callboard.database.tables import ANALYTICS_EVENT, PEER_STATS
from callboard.retention import Retention, Rule, before_object_id, before_time_uuid
from callboard.rooms import actions
from callboard.rooms.session import Track
from callboard.testing.house import House, open_house

MIC = Track("mic", "s", "audio", "regular", mute=False, started_at=5 * NANOSECONDS)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as house:
        yield house


def analytics_of(house: House) -> Analytics:
    """An intake beside the house's rooms, which hears what clients say."""
    analytics = Analytics(house.database, house.rooms, house.clock, house.ids, "account")
    house.signaling.service.hear = analytics.hear
    return analytics


async def events(house: House, **wanted: Any) -> list[tuple[str, dict[str, Any]]]:
    """(type, data) of what is kept, oldest first, once all that was submitted is durable."""
    await house.database.commit(Unit())
    found = await page(house.database, Wanted(house.room.id, **wanted), 100, "", house.clock.now())
    return [(one.type, json.loads(bytes(one.data))) for one in found.events]


async def test_tracks_are_added_updated_and_removed(house: House) -> None:
    analytics_of(house)
    ann = await house.join("ann")
    room = house.room.id
    await actions.set_tracks(house.rooms, room, "ann", {"mic": MIC})
    await actions.set_tracks(house.rooms, room, "ann", {"mic": replace(MIC, mute=True)})
    await actions.set_tracks(house.rooms, room, "ann", {"mic": replace(MIC, mute=True, description="x")})
    ann.notify("leave", client_reason="user request")
    await house.happened("session.close.success")
    found = await events(house)
    assert [(kind, data["mute"]) for kind, data in found] == [
        ("track.add.success", False),
        ("track.update.success", True),
        ("track.remove.success", True),
    ]
    added, removed = found[0][1], found[2][1]
    assert (added["peer_id"], added["user_name"], added["role"]) == ("ann", "name of ann", "guest")
    assert (added["type"], added["source"], added["started_at"]) == ("audio", "regular", "1970-01-01T00:00:05Z")
    assert "stopped_at" not in added
    assert removed["stopped_at"] > removed["joined_at"]
    assert await events(house, types=("track.remove.success",)) == [found[2]]


async def test_a_track_that_a_crash_left_open_is_removed_at_the_next_start_once(house: House) -> None:
    analytics_of(house)
    await house.join("ann")
    await actions.set_tracks(house.rooms, house.room.id, "ann", {"mic": MIC})
    await house.crash_and_restart()
    await analytics_of(house).start_up()
    await analytics_of(house).start_up()
    assert [kind for kind, _ in await events(house)] == ["track.add.success", "track.remove.success"]


async def test_what_a_client_reports_is_kept_with_who_it_is(house: House) -> None:
    analytics_of(house)
    ann = await house.join("ann")
    ann.notify("analytics", name="subscribe.failed", info={"error_code": 4006, "peer_id": "ben"}, timestamp=1)
    ann.notify(
        "analytics", name="publisher.stats", info={"audio": [{"track_id": "mic", "samples": [{"timestamp": 1}]}]}
    )
    ann.notify("analytics", name="join.success", info={})
    await ann.call("get-peer", peer_id="ann")
    ((kind, data),) = await events(house, error=True)
    assert (kind, data["peer_id"], data["user_id"], data["error_code"]) == (
        "client.subscribe.failed",
        "ann",
        "user of ann",
        4006,
    )
    session = house.rooms.live(house.room.id)
    assert session is not None
    assert session.session is not None
    found = msgspec.to_builtins(await peer_series(house.database, session.session.id, "ann"))
    assert found["publisher"]["audio"][0]["time_series"]["timestamps"] == [1]


async def test_a_client_that_reports_without_end_is_cut_short_and_others_are_not(house: House) -> None:
    analytics = analytics_of(house)
    ann, ben = await house.join("ann"), await house.join("ben")
    for _ in range(5 * CLIENT_BURST):
        ann.notify("analytics", name="publish.failed", info={})
    await ann.call("get-peer", peer_id="ann")
    ben.notify("analytics", name="publish.failed", info={})
    await ben.call("get-peer", peer_id="ben")
    assert len(await events(house, peer_id="ann")) <= CLIENT_BURST + 5
    assert len(await events(house, peer_id="ben")) == 1
    assert analytics.counters.too_fast >= 4 * CLIENT_BURST - 5


async def test_reports_that_cannot_be_read_are_dropped(house: House) -> None:
    analytics = analytics_of(house)
    ann = await house.join("ann")
    reports: tuple[Any, ...] = ([], 1, None, {"error_message": "x" * 70_000})
    for info in reports:
        ann.notify("analytics", name="publish.failed", info=info)
    ann.notify("analytics", info={})
    await ann.call("get-peer", peer_id="ann")
    assert await events(house) == []
    assert analytics.counters.unusable == 4


async def test_what_is_old_is_deleted_and_what_is_not_stays(house: House) -> None:
    analytics_of(house)
    now = house.clock.now()
    old, new = now - (KEPT_DAYS + 1) * 86_400 * NANOSECONDS, now - (KEPT_DAYS - 1) * 86_400 * NANOSECONDS
    rows = [
        Put(ANALYTICS_EVENT, (house.ids.time_uuid(at), house.room.id, "", "", "", "", "x", False, at, "{}"))
        for at in [old] * 700 + [new]
    ]
    stats = [Put(PEER_STATS, (house.ids.object_id(at), "p", at, house.room.id, "{}")) for at in (old, new)]
    await house.database.commit(Unit((*rows, *stats)))
    rules = (
        Rule(ANALYTICS_EVENT, "old_analytics_events", KEPT_DAYS * 86_400, before_time_uuid),
        Rule(PEER_STATS, "old_peer_stats", KEPT_DAYS * 86_400, before_object_id),
    )
    retention = Retention(house.database, house.clock, rules)
    assert [await retention.apply(rule) for rule in rules] == [700, 1]
    assert [await retention.apply(rule) for rule in rules] == [0, 0]
    assert len(await events(house)) == 1
    assert await retention.sweep() == 0
