"""What is left of an event whose content was taken out."""

from __future__ import annotations

import json

import pytest

from callboard.events import CATALOGUE, decode, sample
from callboard.events.expunging import KEPT, expunged

NOBODY = ("peer_id", "user_id", "user_name", "user_data", "room_name", "message", "meeting_url", "recording_path")


@pytest.mark.parametrize("event", CATALOGUE)
def test_every_event_is_still_valid_and_says_nothing_of_anybody(event: str) -> None:
    before = sample(event)
    after = json.loads(expunged(json.dumps(before).encode()))
    assert after["is_expunged"] is True
    decode(json.dumps(after).encode())
    assert {name: after[name] for name in ("id", "type", "timestamp", "version")} == {
        name: before[name] for name in ("id", "type", "timestamp", "version")
    }
    for name, value in before["data"].items():
        if name in NOBODY or name.endswith(("_presigned_url", "_path")):
            assert after["data"][name] == "", name
        if name in KEPT or not isinstance(value, str | list):
            assert after["data"][name] == value, name


def test_expunging_twice_is_expunging_once() -> None:
    once = expunged(json.dumps(sample("peer.leave.success")).encode())
    assert expunged(once) == once
