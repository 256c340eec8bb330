"""What somebody hears who looks at the preview and has not joined."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from callboard.testing.house import House, Phone, open_house


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as house:
        yield house


def told(phone: Phone, method: str) -> list[int]:
    """The numbers of peers that the phone was told by this method, each once in a row."""
    counts = [one["params"]["peer_count"] for one in phone.heard if one.get("method") == method]
    return [count for i, count in enumerate(counts) if i == 0 or counts[i - 1] != count]


async def hears_counts(phone: Phone, *counts: int) -> None:
    """The phone is told these numbers, one after the other, by both messages."""
    async with asyncio.timeout(60):
        while [told(phone, method) for method in ("session-info", "room-state")] != [list(counts)] * 2:
            await asyncio.sleep(0.01)


async def test_the_number_of_peers_is_told_at_once_and_again_when_it_changes(house: House) -> None:
    phone = house.dial("looks")
    await hears_counts(phone, 0)
    a = await house.join("a")
    await hears_counts(phone, 0, 1)
    await house.join("b")
    await hears_counts(phone, 0, 1, 2)
    a.notify("leave")
    await hears_counts(phone, 0, 1, 2, 1)


async def test_who_comes_later_hears_the_number_with_the_policy_and_nobody_by_name(house: House) -> None:
    await house.join("a")
    phone = house.dial("looks")
    await hears_counts(phone, 1)
    assert phone.methods()[:4] == ["on-policy-change", "room-info", "session-info", "room-state"]
    state = await phone.hear("room-state")
    assert "peers" not in state["params"]


async def test_an_empty_room_is_told_as_such_when_the_last_one_leaves(house: House) -> None:
    a = await house.join("a")
    phone = house.dial("looks")
    await hears_counts(phone, 1)
    a.notify("leave")
    await hears_counts(phone, 1, 0)
