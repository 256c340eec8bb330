"""The drill that users can run: `make kill` runs a thousand rounds of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from callboard.drill.drill import drill
from callboard.drill.points import POINTS
from callboard.drill.verdict import RANDOM, Receipt, Round, judged
from callboard.drill.victim import CROWD
from callboard.webhooks.journal import MOST_HELD

pytestmark = pytest.mark.faults

MOST_REPEATED = CROWD + MOST_HELD
"""By one kill in a crowd: what was under way, and what was recorded and not durable."""


@pytest.mark.timeout(600)  # 45 s where nothing else runs beside it
async def test_killed_two_hundred_times_nothing_is_lost_and_each_kill_repeats_one_event_at_most(tmp_path: Path) -> None:
    rounds, verdict = await drill(f"sqlite:///{tmp_path / 'callboard.db'}", tmp_path, 200, 1, 1, lambda *_: None)
    assert verdict.broken == []
    assert verdict.events > 200
    assert {one.point for one in rounds} == {*POINTS, RANDOM}
    assert max(verdict.repeated) <= MOST_REPEATED
    again = {one.point for one, count in zip(rounds, verdict.repeated, strict=True) if one.alone and count}
    assert {"request received", "attempt submitted"} <= again, "the drill did not kill where it says"


@pytest.mark.postgresql
async def test_killed_on_postgresql_too(postgresql_url: str, tmp_path: Path) -> None:
    _, verdict = await drill(postgresql_url, tmp_path, 16, 1, 2, lambda *_: None)
    assert verdict.broken == []


@pytest.mark.postgresql
async def test_of_three_nodes_that_are_killed_one_by_one_the_others_deliver_everything(
    postgresql_url: str, tmp_path: Path
) -> None:
    _, verdict = await drill(postgresql_url, tmp_path, 8, 3, 3, lambda *_: None)
    assert verdict.broken == []
    assert verdict.events > 500
    assert max(verdict.repeated) <= MOST_REPEATED


def test_a_verdict_says_what_was_not_kept() -> None:
    rounds = [Round("event durable", alone=True), Round(RANDOM, alone=False), Round(RANDOM, alone=True)]
    receipts = [
        Receipt("a", "s", 1, 0),
        Receipt("c", "s", 3, 0),
        Receipt("a", "s", 1, 1),
        Receipt("c", "s", 3, 1),
        Receipt("b", "s", 2, 1),
        Receipt("b", "s", 2, 2),
        Receipt("b", "s", 2, 3),
        Receipt("stranger", "t", 1, 3),
        Receipt("stranger", "t", 1, 3),
    ]
    verdict = judged(rounds, ["a", "b", "c", "d"], ["a", "gone"], receipts)
    assert (verdict.lost, verdict.unknown, verdict.forgotten, verdict.disordered) == (1, 1, 1, 2)
    assert verdict.repeated == [2, 1, 1]
    assert verdict.broken == [
        "1 events lost",
        "1 events received that the ledger has not got",
        "1 events gone whose commit had returned",
        "2 events received before an earlier one of their stream",
        "an end in good order made something be repeated",
        "kill 1 (event durable): 2 events received twice, one under way",
    ]


def test_one_event_that_is_repeated_twice_by_one_kill_breaks_the_promise() -> None:
    receipts = [Receipt("a", "s", 1, 0)] * 3
    verdict = judged([Round(RANDOM, alone=False)], ["a"], [], receipts)
    assert verdict.broken == ["1 event received more than twice over one kill"]


def test_what_is_kept_is_not_called_broken() -> None:
    receipts = [Receipt("a", "s", 1, 0), Receipt("a", "s", 1, 1), Receipt("b", "s", 2, 1)]
    verdict = judged([Round("request received", alone=True)], ["a", "b"], ["a", "b"], receipts)
    assert (verdict.broken, verdict.repeated, verdict.most) == ([], [1], 1)
