"""The lanes of one endpoint: which event of which stream is to be sent next. A data structure: no I/O, no
clock.

Owns: `Lanes`.

Always holds: a lane is in exactly one `State`, and only its first event (or the first few together, its `batch`) may
be under way; the next one's turn comes when that one is `passed`. There is a lane for each stream that has events
which are not passed, and for no other; where `width` is above 1, for each such part of a stream. At most `per_lane`
events of a lane are held in memory, and no more are taken in while `most` are held in all (while they are `narrow`, one
lane's); of the others a lane knows that they exist (up to `last`), and asks for them when it has none left (`HUNGRY`).
Events that the endpoint does not want are passed where they stand.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import heappop, heappush, nsmallest
from itertools import count

from callboard.ledger import Recorded
from callboard.webhooks.lane import Lane, State, key_of

# Looking a member up in its class takes longer than all the rest of `take`.
_READY, _SENDING, _GATHERING, _WAITING, _HUNGRY, _READING = State

Wants = Callable[[Recorded], bool]


class Lanes:
    """See the module. Every method takes constant time, but `mark` and `narrow`, which look at all lanes."""

    def __init__(self, per_lane: int, most: int, width: int = 1) -> None:
        self.per_lane = per_lane
        self.width = width
        self._widest = self._most = most
        self._lanes: dict[str, Lane] = {}
        self._ready: deque[Lane] = deque()
        self._hungry: deque[Lane] = deque()
        self._waiting: list[tuple[float, int, Lane]] = []
        self._gathering: list[tuple[float, int, Lane]] = []
        self._order = count()
        self._highest = 0
        self._bound: int | None = None
        self.held = 0
        """How many events are in memory."""
        self.pending = 0
        """How many events are not passed, held or not."""

    @property
    def ordered(self) -> bool:
        """Whether a stream's events go one after the other. Where they do not, one that is left out leaves no gap."""
        return self.width == 1

    def __len__(self) -> int:
        return len(self._lanes)

    @property
    def waiting(self) -> int:
        """How many lanes wait for their time to try again."""
        return len(self._waiting)

    @property
    def ready(self) -> bool:
        """Whether `take` has something to give."""
        return bool(self._ready)

    @property
    def starving(self) -> bool:
        """Whether `hungry` has something to give."""
        return bool(self._hungry) and self.held < self._most

    # Events come.

    def offer(self, event: Recorded) -> None:
        """The next event of its stream was committed."""
        self._highest = event.position
        self.pending += 1
        lane = self._lane_of(event)
        if lane is None:
            width = self.width
            place = event.seq // width
            lane = Lane(event.stream, event.seq % width, width, place - 1, event.position - 1)
            lane.last = place
            self._lanes[lane.key] = lane
            if self.held < self._most:
                self._hold(lane, event)
                self._make_ready(lane)
            else:
                self._hungry.append(lane)
            return
        # Behind a gap nothing is held: what a lane holds is what comes next.
        held = self.grows(lane)
        lane.last = lane.place(event)
        if held:
            self._hold(lane, event)
            if lane.state is _GATHERING:
                self._make_ready(lane)

    def pass_over(self, event: Recorded) -> None:
        """The next event of its stream was committed, and is not wanted: as if it were passed, in its turn."""
        self._highest = event.position
        lane = self._lane_of(event)
        if lane is None:
            return
        place = lane.place(event)
        if lane.held == lane.last:
            lane.held = place
            lane.held_position = event.position
        else:
            self.pending += 1  # not known when it is read back that it was seen before
        lane.last = place

    def restore(self, stream: str, done_seq: int, done_position: int, last_seq: int) -> None:
        """There are events of `stream` after `done_seq`, up to `last_seq`, that are not passed.

        A lane that exists already is extended to `last_seq`.
        """
        for part in range(self.width):
            done, last = (done_seq - part) // self.width, (last_seq - part) // self.width
            lane = self._lanes.get(key_of(stream, part, self.width))
            if lane is None and last > done:
                lane = Lane(stream, part, self.width, done, done_position)
                lane.restored = last
                self._lanes[lane.key] = lane
                self._hungry.append(lane)
            if lane is not None:
                self.pending += max(0, last - lane.last)
                lane.last = max(last, lane.last)

    def replace(self, event: Recorded) -> None:
        """This event, if it is held, is this one now (it was expunged)."""
        lane = self._lane_of(event)
        for place, held in enumerate(lane.events if lane is not None else []):
            if held.seq == event.seq:
                assert lane is not None
                lane.events[place] = event

    def grows(self, lane: Lane) -> bool:
        """Whether the next event of its stream will be held."""
        return lane.held == lane.last and len(lane.events) < self.per_lane and self.held < self._most

    def _lane_of(self, event: Recorded) -> Lane | None:
        if self.width == 1:
            return self._lanes.get(event.stream)
        return self._lanes.get(key_of(event.stream, event.seq % self.width, self.width))

    def _make_ready(self, lane: Lane) -> None:
        lane.state = _READY
        self._ready.append(lane)

    def _hold(self, lane: Lane, event: Recorded) -> None:
        lane.events.append(event)
        lane.held = lane.place(event)
        lane.held_position = event.position
        self.held += 1

    # Less memory.

    def narrow(self) -> None:
        """Hold one lane's events at a time from now on. No lane waits: each asks for its events when it is its turn."""
        self._most = 1
        for lanes in (self._ready, self._waiting, self._gathering):
            lanes.clear()
        for lane in self._lanes.values():
            if lane.state is _SENDING:
                self._drop(lane, lane.batch)
            elif lane.state in (_READY, _WAITING, _GATHERING):
                self.back(lane)

    def widen(self) -> None:
        """Hold as many as may be held, again."""
        self._most = self._widest

    def back(self, lane: Lane) -> None:
        """The attempt for the first event of `lane` failed: its turn comes again after that of all others."""
        self._drop(lane, 0)
        lane.due = 0.0
        lane.state = _HUNGRY
        self._hungry.append(lane)

    def _drop(self, lane: Lane, keep: int) -> None:
        """Hold but the first so many events."""
        events = lane.events
        if events and not keep:  # what lies before the first, and was passed over, is not read again
            lane.done = lane.place(events[0]) - 1
            lane.done_position = events[0].position - 1
        dropped = max(0, len(events) - keep)
        del events[keep:]
        place = lane.place(events[-1]) if events else lane.done
        self.held -= dropped
        self.pending += lane.held - place - dropped  # those between that were passed over: they will be read again
        lane.held = place

    # Events go.

    def take(self) -> Lane | None:
        """The lane whose turn it is; its first event is now under way. None if no lane is ready."""
        if not self._ready:
            return None
        lane = self._ready.popleft()
        lane.state = _SENDING
        return lane

    def passed(self, lane: Lane) -> None:
        """The first events of `lane`, which were under way, were accepted or given up on."""
        event = lane.events[lane.batch - 1]
        del lane.events[: lane.batch]
        self.held -= lane.batch
        self.pending -= lane.batch
        lane.batch = 1
        lane.together = False
        lane.done = lane.place(event)
        lane.done_position = event.position
        if lane.closings >= 0:
            lane.forget()
        lane.attempts = 0
        if lane.events:
            self._make_ready(lane)
        else:
            self._feed_or_end(lane)

    def wait(self, lane: Lane, due: float, *, spill: bool) -> None:
        """The attempt for the first event of `lane` failed: try again at `due`, in the time that `wake` is
        told.

        With `spill` the lane holds nothing meanwhile, and is read back from the database then.
        """
        lane.state = _WAITING
        if spill:
            self._drop(lane, 0)
        heappush(self._waiting, (due, next(self._order), lane))

    def gather(self, lane: Lane, due: float) -> None:
        """`lane`, which was taken, is ready again when it holds more, or at `due`."""
        lane.state = _GATHERING
        if lane.due != due:
            lane.due = due
            heappush(self._gathering, (due, next(self._order), lane))

    def wake(self, now: float) -> None:
        """The lanes whose time has come may try again."""
        while self._waiting and self._waiting[0][0] <= now:
            lane = heappop(self._waiting)[2]
            if lane.events:
                self._make_ready(lane)
            else:
                lane.state = _HUNGRY
                self._hungry.append(lane)
        while self._gathering and self._gathering[0][0] <= now:
            due, _, lane = heappop(self._gathering)
            if lane.state is _GATHERING and lane.due == due:
                self._make_ready(lane)

    def next_due(self) -> float | None:
        """When `wake` may have something to do, if any lane is waiting."""
        return min([heap[0][0] for heap in (self._waiting, self._gathering) if heap], default=None)

    # Events are read back.

    def hungry(self) -> Lane | None:
        """A lane to `feed` with its events after `done_seq`, at most `per_lane`; None while memory is full."""
        if not self._hungry or self.held >= self._most:
            return None
        lane = self._hungry.popleft()
        lane.state = _READING
        lane.asked = lane.last
        return lane

    def feed(self, lane: Lane, events: Sequence[Recorded], wants: Wants | None = None) -> int:
        """The events that `lane` asked for, in order. Returns how many that it knew of are no longer there.

        Retention may have taken some away. What is newer than the last event that was offered is left out: it
        will be offered in a moment. Those that nobody `wants` are passed.
        """
        known = [event for event in events if lane.place(event) <= lane.last]
        following = lane.place(known[0]) if known else lane.asked + 1
        gone = following - lane.done - 1
        self.pending -= gone
        if gone:
            lane.done = lane.held = following - 1
            lane.forget()
        if known:
            self._feed(lane, known, known if wants is None else [event for event in known if wants(event)])
        else:
            self._feed_or_end(lane)
        return gone

    def _feed(self, lane: Lane, known: Sequence[Recorded], wanted: Sequence[Recorded]) -> None:
        self.pending -= len(known) - len(wanted)
        lane.events.extend(wanted)
        self.held += len(wanted)
        lane.held = lane.place(known[-1])
        lane.held_position = known[-1].position
        if not wanted or wanted[0] is not known[0]:
            lane.forget()
        if wanted:
            self._make_ready(lane)
        else:
            self._feed_or_end(lane)

    def skip(self, lane: Lane, events: Sequence[Recorded]) -> None:
        """The first events that `lane` asked for, `events`, were passed before a restart: it asks for the next ones."""
        last = events[-1]
        place = lane.place(last)
        self.pending -= place - lane.done
        lane.done = lane.held = place
        lane.done_position = lane.held_position = last.position
        self._feed_or_end(lane)

    def unfed(self, lane: Lane) -> None:
        """The events that `lane` asked for could not be read: it asks again."""
        lane.state = _HUNGRY
        self._hungry.append(lane)

    def _feed_or_end(self, lane: Lane) -> None:
        """It holds nothing: ask for more, if there is more."""
        if lane.held > lane.done:  # the last ones were passed over
            lane.done = lane.held
            lane.done_position = lane.held_position
        if lane.last > lane.done:
            lane.state = _HUNGRY
            self._hungry.append(lane)
        else:
            del self._lanes[lane.key]
            self._highest = max(self._highest, lane.done_position)

    # How far all of them have come.

    def reached(self) -> Iterator[tuple[str, int]]:
        """Each lane's stream, and the position up to which its events are passed."""
        for lane in self._lanes.values():
            yield lane.stream, lane.events[0].position - 1 if lane.events else lane.done_position

    def cursors(self, moved: Iterable[Lane]) -> dict[str, tuple[int, int]]:
        """By stream: seq and position up to which it is passed, of the streams whose lanes have `moved`."""
        if self.width == 1:
            return {lane.stream: (lane.done, lane.done_position) for lane in moved}
        cursors: dict[str, tuple[int, int]] = {}
        for lane in moved:
            cursor = self._cursor(lane)
            cursors[lane.stream] = max(cursor, cursors.get(lane.stream, cursor))
        return cursors

    def touched(self, stream: str, lanes: Mapping[str, Lane]) -> list[Lane]:
        """Those of `lanes`, by key, that are of this stream."""
        keys = [key_of(stream, part, self.width) for part in range(self.width)]
        return [lanes[key] for key in keys if key in lanes]

    def _cursor(self, lane: Lane) -> tuple[int, int]:
        """What holds for all parts of the stream: of those that have come to their end nothing is left."""
        parts = [self._lanes.get(key_of(lane.stream, part, self.width)) for part in range(self.width)]
        left = [(each.next_seq - 1, each.done_position) for each in parts if each is not None]
        return min(left, default=(lane.done_seq, lane.done_position))

    def reach(self, position: int, *, bounded: bool) -> None:
        """Of all up to this position the lanes know. If that is not all there is (`bounded`), the mark stays there."""
        self._highest = max(self._highest, position)
        self._bound = position if bounded else None

    def mark(self) -> int:
        """The position up to which every event is passed; 0 if nothing is known yet. Never goes back."""
        firsts = [lane.events[0].position - 1 if lane.events else lane.done_position for lane in self._lanes.values()]
        return min(firsts or [self._highest]) if self._bound is None else min([*firsts, self._bound])

    def oldest(self, most: int) -> list[Lane]:
        """The lanes among which is the one whose first event has waited longest; at most `most`.

        Where a lane's first event is in memory its position is known, of the others only what it is beyond. In the
        order of these positions, and none after the first that holds its event.
        """
        found: list[Lane] = []
        for lane in nsmallest(most, self._lanes.values(), key=_next_position):
            found.append(lane)
            if lane.events:
                break
        return found


def _next_position(lane: Lane) -> int:
    return lane.events[0].position if lane.events else lane.done_position + 1
