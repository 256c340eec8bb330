"""Committing changes with their events, and hearing of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from callboard.database import Database, DatabaseStopped
from callboard.events import SessionOpenSuccess, decode
from callboard.ledger import Changes, Fact, Filter, Ledger, Recorded
from callboard.testing.units import session

Facts = Callable[..., Fact]


async def test_rows_and_facts_are_committed_as_one_and_read_back_as_they_were_told(
    ledger: Ledger, database: Database, fact: Facts
) -> None:
    [first, second] = await ledger.commit(
        Changes((session("s1"),), (replace(fact("s1", at=1_700_000_000_000_000_000), hook="r1"), fact("s1")))
    )
    assert (first.id, first.stream, first.seq, first.type) == ("e1", "s1", 1, "session.open.success")
    assert (first.room_id, first.session_id, first.actor, first.cause) == ("r1", "s1", "api", "test")
    assert (first.template_id, first.hook) == ("t1", "r1")
    assert (second.id, second.seq) == ("e2", 2)
    assert first.position < second.position
    assert await ledger.read(0, 10) == [first, second]
    assert await ledger.event("e2") == second
    assert await ledger.event("e3") is None
    assert await ledger.newest() == second.position
    assert [row[0] for row in await database.fetch("open_sessions")] == ["s1"]

    envelope = decode(first.body)
    assert (envelope.id, envelope.account_id, envelope.app_id, envelope.template_id) == ("e1", "account", "app", "t1")
    assert (envelope.type, envelope.timestamp) == ("session.open.success", "2023-11-14T22:13:20Z")
    assert isinstance(envelope.data, SessionOpenSuccess)
    assert envelope.data.room_name == "Algebra 7"


async def test_subscribers_hear_of_each_commit_in_order_before_it_returns(
    ledger: Ledger, database: Database, fact: Facts
) -> None:
    heard: list[Recorded] = []
    end = ledger.subscribe(heard.extend)
    returned: list[Recorded] = []

    async def commit() -> None:
        recorded = await ledger.commit(Changes(facts=(fact(), fact())))
        assert set(recorded) <= set(heard)
        returned.extend(recorded)

    def done(recorded: Sequence[Recorded]) -> None:
        assert set(recorded) <= set(heard)
        returned.extend(recorded)

    tasks = []
    for number in range(100):
        if number % 2:
            ledger.submit(Changes(facts=(fact(),)), done)
        else:
            tasks.append(asyncio.create_task(commit()))
            await asyncio.sleep(0)
    ledger.submit(Changes((session("s1"),)))  # without facts: nothing to hear
    await asyncio.gather(*tasks)
    await ledger.commit(Changes())
    assert heard == returned == await ledger.read(0, 1_000)
    assert [recorded.seq for recorded in heard] == list(range(1, 151))

    end()
    await ledger.commit(Changes(facts=(fact(),)))
    assert len(heard) == 150
    assert await database.fetch("highest_position") == [(151,)]


async def test_a_subscriber_that_fails_is_logged_and_the_others_hear_of_it(
    ledger: Ledger, fact: Facts, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(_: Sequence[Recorded]) -> None:
        raise LookupError("by the test")

    heard: list[Recorded] = []
    ledger.subscribe(fails)
    ledger.subscribe(heard.extend)
    with caplog.at_level(logging.ERROR):
        recorded = await ledger.commit(Changes(facts=(fact(),)))
    assert heard == recorded
    assert "a subscriber failed at position 1" in caplog.text
    assert "by the test" in caplog.text


async def test_subscribers_hear_of_a_commit_whose_awaiter_was_cancelled(ledger: Ledger, fact: Facts) -> None:
    heard: list[Recorded] = []
    ledger.subscribe(heard.extend)
    task = asyncio.create_task(ledger.commit(Changes(facts=(fact(),))))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    [second] = await ledger.commit(Changes(facts=(fact(),)))
    assert [recorded.id for recorded in heard] == ["e1", "e2"]
    assert heard[1] == second


async def test_a_fact_of_a_session_in_another_stream_is_refused(ledger: Ledger, fact: Facts) -> None:
    with pytest.raises(ValueError, match="event e1 of session s1 must be in the session's stream"):
        await ledger.commit(Changes((session("s1"),), (fact("s1", stream="r1"),)))
    [recorded] = await ledger.commit(Changes(facts=(fact("", stream="r1"),)))
    assert (recorded.stream, recorded.session_id, recorded.position) == ("r1", "", 1)


async def test_after_a_failed_commit_nobody_hears_anything_more(ledger: Ledger, fact: Facts) -> None:
    again = fact()
    await ledger.commit(Changes(facts=(again,)))
    heard: list[Recorded] = []
    ledger.subscribe(heard.extend)
    with pytest.raises(DatabaseStopped):
        await ledger.commit(Changes((session("s1"),), (again,)))
    with pytest.raises(DatabaseStopped):
        ledger.submit(Changes(facts=(fact(),)), heard.extend)
    assert heard == []


async def test_reading_holds_to_cursor_limit_and_filter(ledger: Ledger, fact: Facts) -> None:
    for session_id, room_id in (("s1", "r1"), ("s2", "r2"), ("s1", "r1"), ("s3", "r1")):
        await ledger.commit(Changes(facts=(fact(session_id, room_id=room_id),)))
    await ledger.commit(Changes(facts=(fact("", room_id="r1", stream="r1"),)))
    everything = await ledger.read(0, 10)

    for wanted, expected in {
        Filter(): ["e1", "e2", "e3", "e4", "e5"],
        Filter(session_id="s1"): ["e1", "e3"],
        Filter(room_id="r1"): ["e1", "e3", "e4", "e5"],
        Filter(room_id="r2", session_id="s1"): [],
        Filter(types=frozenset({"session.open.success", "peer.join.success"})): ["e1", "e2", "e3", "e4", "e5"],
        Filter(types=frozenset({"peer.join.success"}), room_id="r1"): [],
    }.items():
        assert [recorded.id for recorded in await ledger.read(0, 10, wanted)] == expected
        assert [recorded.id for recorded in everything if wanted.accepts(recorded)] == expected
    assert [recorded.id for recorded in await ledger.read(everything[1].position, 2)] == ["e3", "e4"]
    assert [recorded.seq for recorded in await ledger.read_stream("s1", 1, 10)] == [2]
