"""Lanes, by random histories: arrivals, failures, reading back, restarts."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from callboard.ledger import Recorded
from callboard.webhooks.lane import Lane, State, key_of
from callboard.webhooks.lanes import Lanes

PER_LANE = 3
MOST = 7
STREAMS = ["a", "b", "c", "d", "e"]


def recorded(position: int, stream: str, seq: int) -> Recorded:
    return Recorded(position, f"{stream}{seq}", stream, seq, "x", "", "", "", 0, 0, "", "", b"{}")


def wanted(event: Recorded) -> bool:
    """Every third event of a stream is none that the endpoint wants."""
    return event.seq % 3 != 0


class Histories(RuleBasedStateMachine):
    """The ledger, what was passed, and the lanes, which must never disagree with these two. By lane: its `key`."""

    width = 1

    def __init__(self) -> None:
        super().__init__()
        self.log: list[Recorded] = []
        self.unoffered: list[Recorded] = []
        self.passed: dict[str, int] = {}
        self.sending: dict[str, Lane] = {}
        self.reading: dict[str, tuple[Lane, list[Recorded]]] = {}
        self.removed = 0
        self.now = 0.0
        self.mark = 0
        self.lanes = Lanes(PER_LANE, MOST, self.width)

    def key(self, event: Recorded) -> str:
        return key_of(event.stream, event.seq % self.width, self.width)

    def read(self, lane: Lane) -> list[Recorded]:
        return [e for e in self.log if self.key(e) == lane.key and e.seq > lane.done_seq][:PER_LANE]

    # What happens outside.

    @rule(stream=st.sampled_from(STREAMS), offered=st.booleans())
    def commit(self, stream: str, offered: bool) -> None:
        """An event is durable; its offer may come a little later, but in order."""
        seq = sum(event.stream == stream for event in self.log) + 1
        event = recorded(len(self.log) * 2 + 1, stream, seq)
        self.log.append(event)
        self.unoffered.append(event)
        if offered:
            self.offer()

    @rule()
    def offer(self) -> None:
        for event in self.unoffered:
            if wanted(event):
                self.lanes.offer(event)
            else:
                self.lanes.pass_over(event)
        self.unoffered.clear()

    # What a dispatcher does.

    @rule()
    def take(self) -> None:
        lane = self.lanes.take()
        if lane is None:
            return
        assert lane.key not in self.sending, "two attempts at a time in one lane"
        lane.attempts += 1
        self.sending[lane.key] = lane
        assert lane.events[0].seq == self.expected(lane), "out of order"
        assert lane.events[0] in self.log
        assert lane.events[0] not in self.unoffered

    @precondition(lambda self: self.sending)
    @rule(data=st.data())
    def succeed(self, data: st.DataObject) -> None:
        lane = self.sending.pop(data.draw(st.sampled_from(sorted(self.sending))))
        self.passed[lane.key] = lane.events[0].seq
        self.lanes.passed(lane)
        assert lane.attempts == 0
        ((stream, (seq, position)),) = self.lanes.cursors([lane]).items()
        assert stream == lane.stream
        assert all(e.seq > seq and e.position > position for e in self.undone() if e.stream == stream)

    @precondition(lambda self: self.sending)
    @rule(data=st.data(), delay=st.floats(min_value=0, max_value=10), spill=st.booleans())
    def fail(self, data: st.DataObject, delay: float, spill: bool) -> None:
        lane = self.sending.pop(data.draw(st.sampled_from(sorted(self.sending))))
        attempts = lane.attempts
        self.lanes.wait(lane, self.now + delay, spill=spill)
        assert lane.attempts == attempts
        assert not (spill and lane.events)

    @precondition(lambda self: self.sending)
    @rule(data=st.data())
    def fail_and_go_back(self, data: st.DataObject) -> None:
        lane = self.sending.pop(data.draw(st.sampled_from(sorted(self.sending))))
        attempts = lane.attempts
        self.lanes.back(lane)
        assert (lane.attempts, list(lane.events)) == (attempts, [])

    @rule()
    def narrow(self) -> None:
        self.lanes.narrow()
        assert self.lanes.waiting == 0
        assert self.lanes.take() is None
        assert self.lanes.held == len(self.sending)

    @rule()
    def widen(self) -> None:
        self.lanes.widen()

    @rule(seconds=st.floats(min_value=0, max_value=10))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.lanes.wake(self.now)
        due = self.lanes.next_due()
        assert due is None or due > self.now

    @rule()
    def begin_reading(self) -> None:
        starving = self.lanes.starving
        lane = self.lanes.hungry()
        assert (lane is not None) is starving
        if lane is not None:
            self.reading[lane.key] = (lane, self.read(lane))

    @precondition(lambda self: self.reading)
    @rule(data=st.data(), failed=st.booleans())
    def end_reading(self, data: st.DataObject, failed: bool) -> None:
        lane, events = self.reading.pop(data.draw(st.sampled_from(sorted(self.reading))))
        if failed:
            self.lanes.unfed(lane)
        else:
            self.feed(lane, events)

    def feed(self, lane: Lane, events: list[Recorded]) -> None:
        """The log of attempts may know more than the cursor: see `Outlet`."""
        known = [event for event in events if lane.restored > lane.done and event.seq <= self.passed.get(lane.key, 0)]
        if known:
            self.lanes.skip(lane, known)
        else:
            assert self.lanes.feed(lane, events, wanted) == 0

    @rule(late=st.integers(min_value=0, max_value=3))
    def restart(self, late: int) -> None:
        """Memory is lost; the ledger and the cursors, which may be late, are read again."""
        self.lanes = Lanes(PER_LANE, MOST, self.width)
        self.sending.clear()
        self.reading.clear()
        self.unoffered.clear()
        for stream in STREAMS:
            events = [event for event in self.log if event.stream == stream]
            left = [event.seq for event in events if event.seq > self.passed.get(self.key(event), 0)]
            done = max(0, min(left, default=len(events) + 1) - 1 - late)
            if done < len(events):
                position = events[done - 1].position if done else events[0].position - 1
                self.lanes.restore(stream, done, position, len(events))

    # What must hold.

    def expected(self, lane: Lane) -> int:
        """The next seq of this lane that is to be sent."""
        return min(e.seq for e in self.log if self.key(e) == lane.key and wanted(e) and e.seq > self.done(e))

    def done(self, event: Recorded) -> int:
        return self.passed.get(self.key(event), 0)

    def undone(self) -> list[Recorded]:
        """The wanted events that were offered and not passed."""
        offered = [e for e in self.log if e not in self.unoffered and wanted(e)]
        return [e for e in offered if e.seq > self.done(e)]

    @invariant()
    def nothing_is_forgotten(self) -> None:
        undone = self.undone()
        assert self.lanes.pending >= len(undone), "events that may be unwanted are counted until they are read"
        assert len(self.lanes) >= len({self.key(event) for event in undone})

    @invariant()
    def a_lane_that_is_sent_counts_as_held(self) -> None:
        assert all(lane.events for lane in self.sending.values())

    @invariant()
    def memory_is_bounded(self) -> None:
        assert self.lanes.held <= MOST + PER_LANE * max(1, len(self.reading))

    @invariant()
    def the_mark_is_below_all_that_is_not_passed(self) -> None:
        mark = self.lanes.mark()
        assert all(event.position > mark for event in self.undone())
        assert all(event.position > mark for event in self.unoffered)

    def teardown(self) -> None:
        """Once everything succeeds, everything is passed, in order, and the mark is at the end."""
        self.offer()
        for key in sorted(self.reading):
            self.feed(*self.reading[key])
        self.lanes.widen()
        for lane in self.sending.values():
            self.passed[lane.key] = lane.events[0].seq
            self.lanes.passed(lane)
        for _ in range(20 * len(self.log) + 20):
            self.lanes.wake(self.now + 100)
            hungry = self.lanes.hungry()
            if hungry is not None:
                self.feed(hungry, self.read(hungry))
            ready = self.lanes.take()
            if ready is not None:
                assert ready.events[0].seq == self.expected(ready)
                self.passed[ready.key] = ready.events[0].seq
                self.lanes.passed(ready)
        assert len(self.lanes) == self.lanes.held == self.lanes.pending == self.lanes.waiting == 0
        assert self.undone() == []


Histories.TestCase.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
TestHistories = Histories.TestCase


class Unordered(Histories):
    """As `Histories`, for an endpoint that wants no order: each stream goes in two lanes."""

    width = 2


Unordered.TestCase.settings = Histories.TestCase.settings
TestUnorderedHistories = Unordered.TestCase


def taken(lanes: Lanes) -> Lane:
    lane = lanes.take()
    assert lane is not None
    return lane


def fed(lanes: Lanes, events: list[Recorded]) -> int:
    lane = lanes.hungry()
    assert lane is not None
    return lanes.feed(lane, events)


def test_lanes_take_turns() -> None:
    lanes = Lanes(64, 1000)
    for position, (stream, seq) in enumerate([("a", 1), ("a", 2), ("b", 1), ("c", 1)], start=1):
        lanes.offer(recorded(position, stream, seq))
    order = []
    while (lane := lanes.take()) is not None:
        order.append(lane.events[0].id)
        lanes.passed(lane)
    assert order == ["a1", "b1", "c1", "a2"]
    assert lanes.mark() == 4


def test_the_mark_stays_before_the_event_that_waits() -> None:
    lanes = Lanes(64, 1000)
    for position, stream in ((10, "a"), (11, "b"), (12, "c")):
        lanes.offer(recorded(position, stream, 1))
    lanes.passed(taken(lanes))
    waiting = taken(lanes)
    lanes.wait(waiting, 5.0, spill=False)
    lanes.passed(taken(lanes))
    assert lanes.mark() == 10
    lanes.wake(5.0)
    lanes.passed(taken(lanes))
    assert lanes.mark() == 12


def test_a_lane_that_is_full_reads_the_rest_back_later() -> None:
    lanes = Lanes(2, 1000)
    events = [recorded(seq, "a", seq) for seq in range(1, 6)]
    for event in events:
        lanes.offer(event)
    assert (lanes.held, lanes.pending) == (2, 5)
    lanes.passed(taken(lanes))
    lanes.passed(taken(lanes))
    assert lanes.take() is None
    assert fed(lanes, events[2:4]) == 0
    assert taken(lanes).events[0].seq == 3


def test_events_that_retention_removed_are_counted_and_passed_over() -> None:
    lanes = Lanes(64, 1000)
    lanes.restore("a", 2, 20, 9)
    lane = lanes.hungry()
    assert lane is not None
    lane.attempts = 4
    assert lanes.feed(lane, [recorded(60, "a", 6)]) == 3
    assert lane.attempts == 0, "the attempts were made for an event that is gone"
    assert lanes.pending == 4
    lanes.passed(taken(lanes))
    assert fed(lanes, []) == 3
    assert (len(lanes), lanes.pending) == (0, 0)


def test_an_event_that_came_while_nothing_was_found_is_asked_for_again() -> None:
    lanes = Lanes(64, 1000)
    lanes.restore("a", 2, 20, 3)
    lane = lanes.hungry()
    assert lane is not None
    lanes.offer(recorded(40, "a", 4))
    assert lanes.feed(lane, []) == 1
    assert lane.state is State.HUNGRY
    assert fed(lanes, [recorded(40, "a", 4)]) == 0
    assert taken(lanes).events[0].seq == 4


def test_an_event_that_was_read_before_it_was_offered_is_sent_once() -> None:
    lanes = Lanes(64, 1000)
    lanes.restore("a", 0, 9, 1)
    events = [recorded(10, "a", 1), recorded(11, "a", 2)]
    assert fed(lanes, events) == 0
    lanes.offer(events[1])
    lanes.passed(taken(lanes))
    lanes.passed(taken(lanes))
    assert lanes.take() is None


@pytest.mark.parametrize("spill", [False, True])
def test_a_lane_that_waits_is_not_taken_before_its_time(spill: bool) -> None:
    lanes = Lanes(64, 1000)
    lanes.offer(recorded(1, "a", 1))
    lanes.wait(taken(lanes), 5.0, spill=spill)
    lanes.wake(4.9)
    assert lanes.take() is None
    assert lanes.hungry() is None
    assert lanes.held == (0 if spill else 1)
    lanes.wake(5.0)
    if spill:
        fed(lanes, [recorded(1, "a", 1)])
    assert taken(lanes).attempts == 0


@pytest.mark.parametrize("spill", [False, True])
def test_an_event_behind_one_that_is_not_wanted_keeps_its_count_when_it_is_read_back(spill: bool) -> None:
    lanes = Lanes(64, 1000)
    events = [recorded(seq, "a", seq) for seq in (1, 2, 3, 4)]
    lanes.offer(events[0])
    lane = taken(lanes)
    lanes.offer(events[1])
    lanes.pass_over(events[2])
    lanes.offer(events[3])
    lanes.passed(lane)
    lanes.passed(taken(lanes))
    lane.attempts = 4
    assert taken(lanes).events == [events[3]]
    if spill:
        lanes.wait(lane, 5.0, spill=True)
    else:
        lanes.back(lane)
    lanes.wake(5.0)
    assert lanes.hungry() is lane
    assert lanes.feed(lane, [event for event in events if event.seq > lane.done_seq], wanted) == 0
    assert taken(lanes).attempts == 4
    assert (lanes.held, lanes.pending) == (1, 1)


def test_an_event_that_was_expunged_is_sent_as_it_is_now() -> None:
    lanes = Lanes(PER_LANE, MOST)
    for seq in (1, 2, 3):
        lanes.offer(recorded(seq, "a", seq))
    bare = replace(recorded(2, "a", 2), body=b"bare")
    lanes.replace(bare)
    lanes.replace(recorded(9, "b", 1))
    lane = taken(lanes)
    assert [event.body for event in lane.events] == [b"{}", b"bare", b"{}"]
