"""Where in the ledger an instant lies: what halving finds, compared with looking at every event."""

from __future__ import annotations

import apsw
import pytest

from callboard.clock import NANOSECONDS
from callboard.database import Database, Unit, open_database
from callboard.ledger import Filter, Ledger
from callboard.ledger.moments import SKEW, last_before
from callboard.testing.units import event


class Steps:
    """A clock that jumps ahead, so that every event has its own second."""

    def __init__(self) -> None:
        self.seconds = 1_000

    def now(self) -> int:
        self.seconds += 7
        return self.seconds * NANOSECONDS


@pytest.fixture
async def stepped(tmp_path: object) -> Database:
    return open_database(f"sqlite:///{tmp_path}/callboard.db", clock=Steps())


async def test_halving_finds_the_last_event_before_any_instant_also_across_gaps(
    stepped: Database, tmp_path: object
) -> None:
    await stepped.open()
    assert await last_before(stepped, 5) == 0
    for n in range(40):
        await stepped.commit(Unit(events=(event(f"e{n}"),)))
    other = apsw.Connection(f"{tmp_path}/callboard.db")
    other.execute("DELETE FROM event WHERE position IN (1, 2, 3, 10, 11, 20, 39)")
    kept = list(other.execute("SELECT position, committed_at FROM event ORDER BY position"))
    other.close()
    for _, committed_at in kept:
        for instant in (committed_at - 1, committed_at, committed_at + 1):
            expected = max([position for position, at in kept if at < instant], default=0)
            assert await last_before(stepped, instant) == expected
    await stepped.close()


async def test_events_of_a_time_are_those_that_were_committed_in_it(stepped: Database) -> None:
    await stepped.open()
    for n in range(60):
        await stepped.commit(Unit(events=(event(f"e{n}"),)))
    ledger = Ledger(stepped, account_id="a", app_id="b")
    everything = await ledger.read(0, 100)
    since, until = everything[20].committed_at, everything[45].committed_at
    assert until - since > 2 * SKEW
    found = await ledger.read(0, 100, Filter(since=since, until=until))
    assert found == everything[20:45]
    assert await ledger.read(found[9].position, 5, Filter(since=since, until=until)) == everything[30:35]
    assert [one for one in everything if Filter(since=since, until=until).accepts(one)] == found
    await stepped.close()
