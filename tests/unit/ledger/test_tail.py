"""The newest events in memory: whatever is read from the tail, nothing is missing before it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from callboard.ledger import Recorded
from callboard.ledger.tail import MOST_EVENTS, Tail


def recorded(position: int) -> Recorded:
    return Recorded(position, f"e{position}", "s", position, "t", "r", "s", "", 0, 0, "server", "", b"{}")


@given(st.lists(st.integers(1, 3), max_size=30), st.integers(0, 60))
def test_what_follows_a_position_is_whole_or_left_to_the_database(steps: list[int], after: int) -> None:
    tail = Tail()
    positions: list[int] = []
    for step in steps:  # a step of more than one: another node's events lie between
        positions.append((positions[-1] if positions else 0) + step)
        tail.extend([recorded(positions[-1])])
    found = [event.position for event in tail.after(after)]
    if found:
        assert found == list(range(after + 1, positions[-1] + 1))
        assert set(found) <= set(positions)
    elif positions and after < positions[-1]:
        assert set(range(after + 1, positions[-1] + 1)) - set(positions)


def test_it_keeps_no_more_than_it_may() -> None:
    tail = Tail()
    tail.extend(recorded(position) for position in range(1, MOST_EVENTS + 11))
    assert tail.after(9) == []
    assert len(tail.after(10)) == MOST_EVENTS
    assert [event.position for event in tail.after(MOST_EVENTS + 8)] == [MOST_EVENTS + 9, MOST_EVENTS + 10]
    assert tail.after(MOST_EVENTS + 10) == []
    assert tail.after(MOST_EVENTS + 99) == []
