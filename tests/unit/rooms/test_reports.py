"""The circumstances of what is reported."""

from __future__ import annotations

import pytest

from callboard.clock import RandomIds
from callboard.events import JoinFailure
from callboard.rooms import reports
from callboard.rooms.models import Room, RoomWebhook
from callboard.rooms.reports import Moment, Person


@pytest.mark.parametrize(
    ("webhook", "hook"), [(None, ""), (RoomWebhook(url="https://a.example/"), "r" * 24)], ids=["none", "one of its own"]
)
def test_a_fact_says_whether_its_room_has_a_webhook_of_its_own(webhook: RoomWebhook | None, hook: str) -> None:
    room = Room(id="r" * 24, name="algebra", template_id="t", webhook=webhook, created_at=1, updated_at=1)
    failed = reports.join_failed(room, None, Person("p1"), next(iter(JoinFailure)), Moment(1, RandomIds(1)))
    assert (failed.hook, failed.room_id, failed.stream) == (hook, room.id, room.id)
