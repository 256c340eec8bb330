"""Large rooms: who joins is told of those who publish, and asks for the others page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from callboard.rooms import actions
from callboard.rooms.reports import Person
from callboard.signaling.methods.call import Features
from callboard.testing.house import House, Phone, open_house


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path, large_room=True) as house:
        yield house


def heard(phone: Phone, method: str) -> list[Any]:
    """The parameters of all notifications of a method."""
    return [frame["params"] for frame in phone.heard if frame.get("method") == method]


async def listed(phone: Phone) -> set[str]:
    """The peers on the peer list that the phone was given."""
    return set((await phone.hear("peer-list"))["params"]["peers"])


async def comes_to_listen(house: House, peer_id: str) -> Phone:
    """A peer of a role that receives hosts, with its peer list. (Such a role has media, of which there is none here: it
    is in already when its socket opens.)"""
    person = Person(peer_id, f"user of {peer_id}", peer_id, "", "listener")
    await actions.join(house.rooms, house.room.id, person, with_media=False)
    phone = house.dial(peer_id, "listener")
    await phone.hear("peer-list")
    return phone


async def settled(phone: Phone) -> None:
    """Whatever the phone was to be told by now it has heard."""
    await phone.call("get-metadata", key="nothing")


async def test_who_joins_is_told_of_those_only_who_publish_and_whom_its_role_receives(house: House) -> None:
    await house.join("hilda", "host")
    await house.join("harry", "host")
    await house.join("gus", "guest")
    await house.publish("hilda", "camera")
    await house.publish("gus", "his camera")
    listener = await comes_to_listen(house, "lena")
    assert await listed(listener) == {"hilda"}
    assert (await listener.hear("room-info"))["params"]["large_room_optimization"] is True
    assert (await listener.hear("session-info"))["params"]["peer_count"] == 4
    found = await listener.call("find-peer", limit=2)
    assert [peer["peer_id"] for peer in found["peers"]] == ["hilda", "harry"]
    more = await listener.call("peer-iter-next", iterator=found["iterator"], limit=2)
    assert [peer["peer_id"] for peer in more["peers"]] == ["gus", "lena"]
    assert (found["total"], more["eof"]) == (4, True)


async def test_who_comes_goes_and_speaks_unseen_is_not_told_of(house: House) -> None:
    listener = await comes_to_listen(house, "lena")
    gus = await house.join("gus", "guest")
    await gus.call("peer-update", name="Gustav")
    await gus.call("group-join", name="_handraise")
    gus.notify("leave")
    await house.happened("peer.leave.success", "gus")
    await settled(listener)
    assert not {"on-peer-join", "on-peer-update", "on-peer-leave"} & set(listener.methods())


async def test_a_peer_appears_with_its_first_track_and_is_gone_with_its_last(house: House) -> None:
    listener = await comes_to_listen(house, "lena")
    hilda = await house.join("hilda", "host")
    await house.publish("hilda", "camera")
    joined = await listener.hear("on-peer-update")
    assert (joined["params"]["peer_id"], joined["params"]["realtime"]) == ("hilda", True)
    assert "camera" in (await listener.hear("on-track-add"))["params"]["tracks"]
    await hilda.call("peer-update", name="Hilda")
    await house.publish("hilda")
    await listener.hear("on-track-remove")
    await listener.hear(lambda frame: frame.get("params", {}).get("realtime") is False)
    states = [(update["info"]["name"], update["realtime"]) for update in heard(listener, "on-peer-update")]
    assert states == [("name of hilda", True), ("Hilda", True), ("Hilda", False)]


async def test_who_gets_another_role_sees_those_whom_that_role_receives(house: House) -> None:
    host = await house.join("hilda", "host")
    await house.publish("hilda", "camera")
    guest = await house.join("gus", "guest")
    assert await listed(guest) == set()
    await host.call("role-change-request", requested_for="gus", role="listener", force=True)
    await guest.hear("on-track-add")
    assert [update["peer_id"] for update in heard(guest, "on-peer-join")] == ["hilda"]
    await host.call("role-change-request", requested_for="gus", role="guest", force=True)
    await guest.hear("on-peer-leave")


async def test_ones_own_hand_is_shown_by_being_told_of_it(house: House) -> None:
    guest = await house.join("gus", "guest")
    await guest.call("group-join", name="_handraise")
    assert (await guest.hear("on-peer-update"))["params"]["groups"] == ["_handraise"]


async def test_a_room_that_has_grown_beyond_the_limit_is_large_for_those_who_join_then(tmp_path: Path) -> None:
    async with open_house(tmp_path, features=Features(full_list_peers=2)) as house:
        first = await house.join("a")
        second = await house.join("b")
        third = await comes_to_listen(house, "c")
        assert await listed(second) == {"a"}
        assert await listed(third) == set()
        assert (await first.hear("room-info"))["params"]["large_room_optimization"] is False
        assert (await third.hear("room-info"))["params"]["large_room_optimization"] is True
        await settled(first)
        assert [peer["peer_id"] for peer in heard(first, "on-peer-join")] == ["b", "c"], "who saw all still does"


async def test_a_join_does_not_cost_a_count_for_everybody_each_time(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callboard.signaling.counts.PAUSE", 1.0)  # longer than a join takes on a busy machine
    phones = [await house.join(f"p{n}") for n in range(30)]
    await phones[0].hear(lambda f: f.get("method") == "session-info" and f["params"]["peer_count"] == 30)
    counts = [info["peer_count"] for info in heard(phones[0], "session-info")]
    assert len(counts) < 25
    assert counts == sorted(counts)
