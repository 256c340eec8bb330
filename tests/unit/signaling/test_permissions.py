"""What the table of methods says of permissions is what the server enforces, whatever a client sends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from callboard.signaling.methods import METHODS
from callboard.signaling.methods.later import NOT_HERE
from callboard.testing.house import House, Refused, open_house

QUESTION = {"question": {"index": 1, "text": "?", "type": "single-choice"}, "options": [{"index": 1, "text": "a"}]}
PARAMS: dict[str, dict[str, Any]] = {
    "peer-leave-request": {"requested_for": "host"},
    "track-update-request": {"requested_for": "host", "track_id": "camera", "mute": True},
    "change-track-mute-state-request": {"value": False},
    "role-change-request": {"requested_for": "me", "role": "host", "force": True},
    "role-change": {"role": "host", "token": "made up"},
    "get-peer": {"peer_id": "host"},
    "peer-iter-next": {"iterator": "made up"},
    "peer-name-search": {"query": ""},
    "group-join": {"name": "g"},
    "group-leave": {"name": "g"},
    "group-add": {"name": "g", "peer_id": "host"},
    "group-remove": {"name": "g", "peer_id": "host"},
    "broadcast": {"info": {"message": "hello"}},
    "set-metadata": {"key": "k", "data": 1},
    "get-metadata": {"key": "k"},
    "listen-metadata-change": {"keys": ["k"]},
    "poll-info-set": {"poll_id": "mine", "title": "t"},
    "poll-questions-set": {"poll_id": "p", "questions": [QUESTION]},
    "poll-response": {"poll_id": "p", "responses": [{"question": 1, "type": "single-choice", "option": 1}]},
}
MEDIA_AND_NOTIFIES = {"offer", "answer", "trickle", "track-update", "analytics"}
CALLS = sorted(set(METHODS) - MEDIA_AND_NOTIFIES - {"join", "leave", *NOT_HERE})
LISTS_WHAT_THE_ROLE_MAY_SEE = {"poll-list"}
"""Not refused without the permission: nothing is listed."""


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as house:
        host = await house.join("host", "host")
        await house.publish("host", "camera")
        await host.call("poll-info-set", poll_id="p", title="t", type="poll")
        await host.call("poll-questions-set", poll_id="p", questions=[QUESTION])
        await host.call("poll-start", poll_id="p")
        yield house


async def test_what_needs_a_permission_is_refused_without_it_and_nothing_else_is(house: House) -> None:
    me = await house.join("me", "speaker")
    refused = set()
    for name in CALLS:
        try:
            await me.call(name, **PARAMS.get(name, {"poll_id": "p"} if name.startswith("poll-") else {}))
        except Refused as answer:
            if answer.code == 403:
                refused.add(name)
    needing = {name for name in CALLS if METHODS[name].needs}
    assert refused == needing - LISTS_WHAT_THE_ROLE_MAY_SEE
    assert [kind for kind, _ in house.events() if kind.startswith("role.change")] == []
    session = house.signaling.service.rooms.live(house.room.id)
    assert session is not None
    assert session.told is not None
    assert {peer.id: peer.role for peer in session.told.peers.values()} == {"host": "host", "me": "speaker"}


async def test_no_call_of_who_has_not_joined_does_anything(house: House) -> None:
    me = house.dial("outside", "host")
    await me.hear("on-policy-change")
    before = house.events()
    for name in CALLS:
        with pytest.raises(Refused) as answer:
            await me.call(name, **PARAMS.get(name, {"poll_id": "p"} if name.startswith("poll-") else {}))
        assert answer.value.code in {400, 403, 404, 410}, name
    assert [kind for kind, _ in house.events()[len(before) :] if kind != "room.end.failure"] == []
