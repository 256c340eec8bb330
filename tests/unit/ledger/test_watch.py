"""Watching a table, and changes that are committed on a condition."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from callboard.database import Database, Guard, GuardFailed, Put
from callboard.database.tables import SESSION
from callboard.ledger import Changes, Fact, Ledger, Recorded
from callboard.testing.units import session

Facts = Callable[..., Fact]


async def test_a_watcher_sees_the_rows_of_its_table_before_the_commit_returns(ledger: Ledger, fact: Facts) -> None:
    seen: list[Put] = []
    stop = ledger.watch(SESSION, seen.append)
    await ledger.commit(Changes(rows=(session("s1"), session("s2")), facts=(fact("s1"),)))
    assert seen == [session("s1"), session("s2")]
    await ledger.commit(Changes(facts=(fact("s1"),)))
    stop()
    await ledger.commit(Changes(rows=(session("s3"),)))
    assert seen == [session("s1"), session("s2")]


async def test_a_watcher_that_fails_is_logged_and_harms_nobody(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(_: Put) -> None:
        raise LookupError("by the test")

    seen: list[Put] = []
    ledger.watch(SESSION, fails)
    ledger.watch(SESSION, seen.append)
    with caplog.at_level(logging.ERROR, "callboard.ledger"):
        await ledger.commit(Changes(rows=(session("s1"),)))
    assert seen == [session("s1")]
    assert "a watcher of session failed" in caplog.text


async def test_changes_whose_guard_fails_are_seen_by_nobody(ledger: Ledger, database: Database, fact: Facts) -> None:
    seen: list[object] = []
    ledger.subscribe(seen.extend)
    ledger.watch(SESSION, seen.append)
    overtaken = Changes(guards=(Guard(SESSION, ("s1",), "opened_at", 7),))
    with pytest.raises(GuardFailed):
        await ledger.commit(Changes(rows=(session("s1"),), facts=(fact("s1"),)) + overtaken)
    assert seen == []
    assert await database.fetch("open_sessions") == []

    await ledger.commit(Changes(rows=(session("s1", opened_at=7),)))
    recorded: list[Recorded] = list(await ledger.commit(Changes(facts=(fact("s1"),)) + overtaken))
    assert [event.seq for event in recorded] == [1]
    assert len(seen) == 2
