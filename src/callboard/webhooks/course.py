"""What becomes of an endpoint's events, attempt by attempt: accepted, tried again, parked; and of the endpoint itself.

Owns: `Course`, which decides with an endpoint's lanes, its health and its gaps. No I/O, no clock.

Always holds: no more attempts are under way than the endpoint's health allows, none while it is stopped. An event is
given up only while its endpoint accepts others, and is parked then. While the endpoint as a whole fails every event
waits, in the database but for one lane's. Rows are noted with the attempt that they belong to.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from math import inf

from callboard.clock import NANOSECONDS
from callboard.database import Delete, Put, Row
from callboard.ledger import Recorded
from callboard.webhooks.attempts import GIVEN_UP
from callboard.webhooks.batching import Batch, Batching, disband
from callboard.webhooks.failures import REFUSALS, Failure
from callboard.webhooks.health import Health, Phase, Signal
from callboard.webhooks.lane import Lane
from callboard.webhooks.lanes import Lanes
from callboard.webhooks.logged import Tried
from callboard.webhooks.manner import Bucket
from callboard.webhooks.parking import Gaps, Parked
from callboard.webhooks.retry import Random, RetryPolicy

log = logging.getLogger("callboard.webhooks")


class Course:
    """See the module. `now` is nanoseconds since the epoch (UTC), `ticks` the loop's time in seconds."""

    def __init__(
        self,
        endpoint_id: str,
        lanes: Lanes,
        health: Health,
        retry: RetryPolicy,
        random: Random,
        *,
        spill_after: float,
        note: Callable[[Put | Delete], None],
        tell: Callable[[Signal | Parked, Health], None],
    ) -> None:
        """`note` is given rows to write, `tell` what somebody should hear of."""
        self.health = health
        self.gaps = Gaps(endpoint_id)
        self.stopped = False
        self.in_flight = self.parked = 0
        self._id = endpoint_id
        self._lanes = lanes
        self._retry = retry
        self._random = random
        self._spill_after = spill_after
        self._note = note
        self._tell = tell
        self._probe: Lane | None = None
        self._due = self._refill = inf
        self._bucket: Bucket | None = None
        self._batching = Batching(lanes)

    def restore(self, row: Row, now: int, ticks: float) -> None:
        """Go on as the health's `row` says."""
        self.health.restore(row, now)
        if self.health.phase is Phase.OPEN:
            self._lanes.narrow()
        self._set_due(ticks)

    def arrange(self, *, stopped: bool, most: int, rate: float, batch: Batch | None, ticks: float) -> None:
        """So many attempts at the same time and a second (0: any number), or none at all; events together or not."""
        self.stopped = stopped
        self.health.resize(most)
        self._bucket = Bucket(rate, ticks) if rate else None
        self._refill = inf
        self._batching.wanted = batch

    @property
    def paced(self) -> bool:
        """Whether a rate, or that lanes gather events, may be why `begin` gives nothing, or not all that there is."""
        return self._bucket is not None or self._batching.wanted is not None

    def resume(self) -> None:
        """The endpoint was changed, or somebody says that it works again: see at once, if it is not stopped."""
        self._due = inf
        self.health.resume()

    # An attempt, from its beginning to its end.

    def begin(self, now: int, ticks: float) -> Lane | None:
        """The lane whose first events (`batch` of them) are to be sent now, if any may be."""
        health = self.health
        if self.in_flight >= health.limit or self.stopped:
            return None
        if self._bucket is not None and not self._may(self._bucket, ticks):
            return None
        lane = self._take(ticks)
        if lane is None:
            return None
        self.in_flight += 1
        if health.phase is not Phase.CLOSED:
            health.began()
            self._probe = lane
        lane.attempts += 1
        lane.started = now
        self._batching.begun(lane)
        return lane

    def _take(self, ticks: float) -> Lane | None:
        """The next lane that does not wait for more events."""
        alone = self.health.phase is not Phase.CLOSED
        while (lane := self._lanes.take()) is not None:
            if self._batching.settle(lane, ticks, alone=alone):
                return lane
        if self._bucket is not None:
            self._bucket.give_back()
        return None

    def _may(self, bucket: Bucket, ticks: float) -> bool:
        """Whether the rate allows another one. If not, `next_due` says when."""
        if not self._lanes.ready:
            return False
        if bucket.take(ticks):
            return True
        self._refill = bucket.due()
        return False

    def cut_off(self) -> None:
        """An attempt ended, and nobody knows how."""
        self.in_flight -= 1

    def dropped(self, lane: Lane) -> None:
        """There is nobody any more to send the first event of `lane` to: it was not tried, and never will be."""
        self.in_flight -= 1
        self._lanes.passed(lane)

    def put_back(self, lane: Lane) -> None:
        """It could not be tried: its turn comes again."""
        self.in_flight -= 1
        lane.attempts -= 1
        self._lanes.back(lane)

    def accepted(self, lane: Lane, now: int) -> None:
        """The first events of `lane` were accepted."""
        self.in_flight -= 1
        if self.gaps:
            for row in self.gaps.told(lane.stream):
                self._note(row)
        self._lanes.passed(lane)
        if signal := self.health.succeeded(now):
            self._probe, self._due = None, inf
            self._lanes.widen()
            self._say(signal)

    def failed(
        self, lane: Lane, failure: Failure, status: int, asked: float, now: int, ticks: float
    ) -> tuple[str, int]:
        """The first events of `lane` were not. The endpoint `asked` for so many seconds of peace.

        Returns the error as it is recorded, and when the next attempt is due (0: never).
        """
        self.in_flight -= 1
        health = self.health
        self._count(lane, ticks)
        if (asked or failure is Failure.HTTP_THROTTLED) and health.throttled(now, asked):
            self._note(health.row(self._id))
        probe, self._probe = lane is self._probe, None if lane is self._probe else self._probe
        signal = health.failed(now, self._random, probe=probe, exhausted=self._whole_fails(lane, status), asked=asked)
        if signal is Signal.FAILING:
            self._lanes.narrow()
        if signal or probe:
            self._say(signal)
        self._set_due(ticks)
        if health.phase is not Phase.CLOSED:
            lane.together = False
            self._lanes.back(lane)
            return failure.value, health.due_at
        return self._again_or_park(lane, failure, status, asked, now, ticks)

    def _whole_fails(self, lane: Lane, status: int) -> bool:
        """Whether it is the endpoint that fails, not the event."""
        if self.health.phase is not Phase.CLOSED or lane.tries <= len(self._retry.quick):
            return False
        return not self.health.works_for_others(lane.key, lane.seen, refused=status in REFUSALS)

    def _count(self, lane: Lane, ticks: float) -> None:
        """One more try that failed. What was tried before the endpoint last began to work does not count."""
        health = self.health
        if lane.closings != health.closings:
            lane.closings, lane.since, lane.tries = health.closings, ticks, 0
            lane.seen = health.successes if lane.seen < 0 else lane.seen
        lane.tries += 1

    def counted(self, lane: Lane, made: Sequence[Tried], now: int, ticks: float) -> None:
        """`lane` is as a restart found it: these attempts were made for its first event."""
        if not made:
            return
        lane.attempts = max(attempt.number for attempt in made)
        lane.seen = self.health.successes
        if tries := [attempt.at for attempt in made if attempt.at >= self.health.closed_at]:
            lane.closings, lane.tries = self.health.closings, len(tries)
            lane.since = ticks - max(0.0, (now - min(tries)) / NANOSECONDS)

    def _again_or_park(
        self, lane: Lane, failure: Failure, status: int, asked: float, now: int, ticks: float
    ) -> tuple[str, int]:
        delay = self._retry.next_delay(lane.tries, ticks - lane.since, self._random, asked)
        if lane.batch > 1:
            enough = delay is None or lane.tries > len(self._retry.quick)
            if disband(lane, failure, asked, tried_enough=enough):
                delay = 0.0 if status in REFUSALS else self._retry.next_delay(1, 0.0, self._random, asked) or 0.0
        if delay is None:
            self._park(lane, lane.events[0], failure, status, now)
            return GIVEN_UP + failure.value, 0
        self._lanes.wait(lane, ticks + delay, spill=delay > self._spill_after)
        return failure.value, now + int(delay * NANOSECONDS)

    def _park(self, lane: Lane, event: Recorded, failure: Failure, status: int, now: int) -> None:
        log.warning("endpoint %s: event %s is parked (%s)", self._id, event.id, failure)
        parked = Parked(
            self._id, event.id, event.stream, event.seq, event.type, now, lane.attempts, status, failure.value
        )
        self._note(parked.row())
        if self._lanes.ordered:
            self._note(self.gaps.add(event.stream, event.seq))
        self.parked += 1
        self.health.lone_event_parked()
        self._note(self.health.row(self._id))
        self._tell(parked, self.health)
        self._lanes.passed(lane)

    def _say(self, signal: Signal | None) -> None:
        self._note(self.health.row(self._id))
        if signal:
            self._tell(signal, self.health)

    # Time.

    def next_due(self) -> float:
        """When `wake` has something to do, in the loop's time."""
        return min(self._lanes.next_due() or inf, self._due, self._refill)

    def wake(self, ticks: float) -> None:
        """What was waited for until `ticks` may go on."""
        self._lanes.wake(ticks)
        if self._refill <= ticks:
            self._refill = inf
        if self._due <= ticks:
            self._due = inf
            self.health.come()

    def _set_due(self, ticks: float) -> None:
        """Whenever the health may have said that it waits."""
        if self.health.wait < inf:
            self._due = ticks + self.health.wait
            self.health.wait = inf
