"""A ledger on each kind of database, and facts to put into it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest

from callboard.database import Database
from callboard.events import SessionOpenSuccess
from callboard.ledger import Fact, Ledger

Facts = Callable[..., Fact]


@pytest.fixture
def ledger(database: Database) -> Ledger:
    return Ledger(database, account_id="account", app_id="app")


@pytest.fixture
def fact() -> Facts:
    """`fact("s1", room_id="r1")`: something that happened in a session."""
    numbers = count(1)

    def make(session_id: str = "s1", *, room_id: str = "r1", stream: str | None = None, at: int = 1_000) -> Fact:
        payload = SessionOpenSuccess(
            room_id=room_id,
            room_name="Algebra 7",
            session_id=session_id,
            template_id="t1",
            session_started_at="2025-01-15T10:00:01Z",
        )
        return Fact(
            id=f"e{next(numbers)}",
            payload=payload,
            stream=session_id if stream is None else stream,
            at=at,
            template_id="t1",
            room_id=room_id,
            session_id=session_id,
            actor="api",
            cause="test",
        )

    return make
