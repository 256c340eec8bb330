"""Calls that are made again after the socket was lost are carried out once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from callboard.testing.house import House, Phone, Refused, open_house


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as house:
        yield house


def messages(phone: Phone) -> list[str]:
    return [f["params"]["info"]["message"] for f in phone.heard if f.get("method") == "on-broadcast"]


async def back(house: House, peer_id: str, phone: Phone) -> Phone:
    """The peer's next socket, after the one that it had was lost."""
    await phone.hang_up()
    again = house.dial(peer_id)
    await again.hear("peer-list")
    return again


async def test_a_message_that_was_sent_again_on_a_new_socket_arrives_once(house: House) -> None:
    a, b = await house.join("a"), await house.join("b")
    first = await a.call("broadcast", info={"message": "hello", "type": "chat"})
    a = await back(house, "a", a)
    second = await a.call("broadcast", info={"message": "hello", "type": "chat"})
    assert second == first
    await a.call("broadcast", info={"message": "bye", "type": "chat"})
    await b.hear(lambda f: f.get("params", {}).get("info", {}).get("message") == "bye")
    assert messages(b) == ["hello", "bye"]


async def test_who_says_the_same_twice_on_one_socket_means_it_twice(house: House) -> None:
    a, b = await house.join("a"), await house.join("b")
    for _ in range(2):
        await a.call("broadcast", info={"message": "hello", "type": "chat"})
    await a.call("broadcast", info={"message": "bye", "type": "chat"})
    await b.hear(lambda f: f.get("params", {}).get("info", {}).get("message") == "bye")
    assert messages(b) == ["hello", "hello", "bye"]


async def test_what_was_refused_is_tried_again(house: House) -> None:
    a = await house.join("a")
    with pytest.raises(Refused, match="peer not found"):
        await a.call("broadcast", info={"message": "psst", "type": "chat"}, peer_id="b")
    b = await house.join("b")
    a = await back(house, "a", a)
    await a.call("broadcast", info={"message": "psst", "type": "chat"}, peer_id="b")
    await b.hear("on-broadcast")
    assert messages(b) == ["psst"]


async def test_a_role_change_that_was_accepted_twice_is_one(house: House) -> None:
    host, a = await house.join("host", "host"), await house.join("a")
    await host.call("role-change-request", requested_for="a", role="listener", force=False)
    asked = (await a.hear("on-role-change-request"))["params"]
    await a.call("role-change", **asked)
    a = await back(house, "a", a)
    await a.call("role-change", **asked)
    assert [kind for kind, _ in house.events()].count("role.change.success") == 1
