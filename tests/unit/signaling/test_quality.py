"""Connection quality: who is told which score, when."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from callboard.signaling.quality import Quality
from callboard.testing.house import House, Phone, open_house


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as house:
        yield house


def quality(house: House) -> Quality:
    return house.signaling.service.mediation.quality


def note(house: House, peer_id: str, score: int) -> None:
    """The media engine has measured this peer's link."""
    client = house.registry.find(house.room.id, peer_id)
    assert client is not None
    quality(house).note(client, score)


async def told(phone: Phone, *scores: tuple[str, int]) -> None:
    """The phone is told these scores, in one message."""
    peers = [{"peer_id": peer_id, "downlink_score": score} for peer_id, score in scores]
    await phone.hear(lambda f: f.get("params", {}).get("peers") == peers)


async def test_scores_are_told_to_all_together_and_to_who_comes_later(house: House) -> None:
    a, b = await house.join("a"), await house.join("b")
    note(house, "a", 5)
    note(house, "b", 2)
    for phone in (a, b):
        await told(phone, ("a", 5), ("b", 2))
    note(house, "a", 5)
    note(house, "b", 3)
    await told(a, ("b", 3))
    await told(await house.join("c"), ("a", 5), ("b", 3))


async def test_who_lost_its_socket_scores_nothing_until_it_is_measured_again(house: House) -> None:
    a, b = await house.join("a"), await house.join("b")
    note(house, "b", 4)
    await told(a, ("b", 4))
    await b.hang_up()
    await told(a, ("b", 0))
    again = house.dial("b")
    await again.hear("peer-list")
    note(house, "b", 5)
    await told(a, ("b", 5))


async def test_who_left_is_forgotten(house: House) -> None:
    a, b = await house.join("a"), await house.join("b")
    note(house, "b", 4)
    await told(a, ("b", 4))
    b.notify("leave")
    await a.hear("on-peer-leave")
    c = await house.join("c")
    assert "on-connection-quality-update" not in c.methods()
