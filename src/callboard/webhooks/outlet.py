"""Delivering to one endpoint: its lanes, its connections, and what becomes of each attempt.

Owns: `Outlet`, `Settings`, `Gauges`.

Always holds: an event of a lane is sent only after the one before it was accepted (2xx) or given up on; every
attempt that ended is recorded. What happens to one event makes no objects but the rows that are written.

After a restart the attempts made before are counted on from the log, and the first new one is made at once;
the age at which an event is given up counts from when it happened, in any case. So a restart neither shortens
nor prolongs the schedule of an event, and repeats no number in the log.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf

from callboard.clock import NANOSECONDS, Clock
from callboard.database import Database, Row
from callboard.ledger import Ledger, Recorded
from callboard.webhooks import retry_after
from callboard.webhooks.answers import header
from callboard.webhooks.attempts import GIVEN_UP, attempts_of_event
from callboard.webhooks.connection import Connection
from callboard.webhooks.endpoint import Endpoint
from callboard.webhooks.failures import Failure, failure_of_status
from callboard.webhooks.journal import Journal, Progress
from callboard.webhooks.lanes import Lane, Lanes
from callboard.webhooks.reach import Resolve, resolve
from callboard.webhooks.record import Recorder
from callboard.webhooks.request import Renderer, head_row, target_of
from callboard.webhooks.retry import Random, RetryPolicy
from callboard.webhooks.sender import Pool, SenderSettings

log = logging.getLogger("callboard.webhooks")


@dataclass(frozen=True, slots=True)
class Settings:
    """How deliveries are made, to every endpoint alike.

    A lane holds `per_lane` events in memory at most, an endpoint `most_held` (and a lane more, at the moment
    of reading); a lane that has to wait longer than `spill_after` seconds holds none. `grace`, in seconds, is
    what attempts under way are given when deliveries stop.
    """

    retry: RetryPolicy = field(default_factory=RetryPolicy)
    sender: SenderSettings = field(default_factory=SenderSettings)
    per_lane: int = 64
    most_held: int = 10_000
    spill_after: float = 15.0
    grace: float = 5.0


@dataclass(frozen=True, slots=True)
class Gauges:
    """An outlet in numbers: totals since it was opened, then what is now.

    `lanes` have undelivered events, `waiting` of them until their next attempt; `pending` events are
    undelivered, `held` of them in memory.
    """

    endpoint_id: str
    delivered: int
    failed_attempts: int
    given_up: int
    expired: int
    """Events that retention took away before they were delivered."""
    lanes: int
    waiting: int
    pending: int
    held: int
    connections: int
    busy: int
    mark: int


class Outlet:
    """See the module. `hungry` is called when there is something for `read_back` to do, `gone` when the endpoint says
    that it is (410).
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        database: Database,
        ledger: Ledger,
        journal: Journal,
        clock: Clock,
        random: Random,
        settings: Settings,
        tls: ssl.SSLContext,
        hungry: Callable[[], None],
        gone: Callable[[], None],
        resolve_and_vet: Resolve = resolve,
    ) -> None:
        self.endpoint = endpoint
        self._id = endpoint.id
        self._database = database
        self._ledger = ledger
        self._journal = journal
        self._now = clock.now
        self._random = random
        self._settings = settings
        self._tls = tls
        self._hungry = hungry
        self._gone = gone
        self._loop = asyncio.get_running_loop()
        self._lanes = Lanes(settings.per_lane, settings.most_held)
        self.progress = Progress(self._id, self._lanes)
        self._renderer = Renderer(endpoint)
        self._recorder = Recorder(endpoint)
        journal.note(head_row(endpoint))
        self._pool: Pool[Lane] = Pool(target_of(endpoint, tls), self, settings.sender, resolve_and_vet)
        self._retry_timer: asyncio.TimerHandle | None = None
        self._retry_due = inf
        self._early: list[Recorded] | None = []
        self._covered: dict[str, int] = {}
        """The last seq of each stream that `open` saw, while events it saw may still be offered."""
        self._delivered = self._failed_attempts = self._given_up = self._expired = 0

    # Opening, changing, closing.

    async def open(self) -> None:
        """Read how far the endpoint has come, and begin there. `offer` may be called from before this is
        awaited.

        Reads the mark, the cursors after it and the streams with events after it, nothing else: lanes read
        their events when it is their turn. Raises what `Database.fetch` raises; it may be called again then.
        """
        marks = await self._database.fetch("delivery_marks")
        mark = next((_integer(row[1]) for row in marks if row[0] == self._id), 0)
        cursors = await self._database.fetch("delivery_cursors", endpoint_id=self._id, position=mark)
        heads = await self._database.fetch("stream_heads", position=mark)
        self._restore(mark, cursors, heads)

    def _restore(self, mark: int, cursors: Sequence[Row], heads: Sequence[Row]) -> None:
        passed = {str(stream): (_integer(seq), _integer(position)) for _, stream, seq, position in cursors}
        self.progress.restore(mark, {stream: position for stream, (_, position) in passed.items()})
        for stream, first_seq, last_seq, first_position in heads:
            done = passed.get(str(stream), (_integer(first_seq) - 1, _integer(first_position) - 1))
            self._covered[str(stream)] = _integer(last_seq)
            if done[0] < _integer(last_seq):
                self._lanes.restore(str(stream), *done, _integer(last_seq))
        early, self._early = self._early or [], None
        self.offer(early)

    def update(self, endpoint: Endpoint) -> None:
        """The endpoint has changed: what is sent from now on goes where it is now, and is signed with its secrets."""
        self.endpoint = endpoint
        self._renderer = Renderer(endpoint)
        self._recorder = Recorder(endpoint)
        self._journal.note(head_row(endpoint))
        self._pool.retarget(target_of(endpoint, self._tls))
        self.wake()

    async def close(self) -> None:
        """Send nothing more; attempts under way have the settings' `grace` to end. What they came to is recorded."""
        if self._retry_timer is not None:
            self._retry_timer.cancel()
            self._retry_timer = None
        await self._pool.stop(self._settings.grace)

    # Events come.

    def offer(self, events: Sequence[Recorded]) -> None:
        """These were committed: the next events of their streams."""
        if self._early is not None:
            self._early += events
            return
        if self._covered:
            events = self._uncovered(events)
        offer = self._lanes.offer
        for event in events:
            offer(event)
        self.wake()

    def _uncovered(self, events: Sequence[Recorded]) -> Sequence[Recorded]:
        """Those of `events` that `open` did not see.

        It saw everything up to some position and nothing after it, so from the first that it did not see
        there are no others.
        """
        for index, event in enumerate(events):
            if event.seq > self._covered.get(event.stream, 0):
                self._covered = {}
                return events[index:]
        return ()

    def wake(self) -> None:
        """Something may be ready to be sent."""
        self._pool.wake()
        if self._lanes.starving:
            self._hungry()

    async def read_back(self) -> bool:
        """Read events for one lane that has none in memory. Returns whether there was one.

        Raises what `Database.fetch` raises.
        """
        lane = self._lanes.hungry()
        if lane is None:
            return False
        try:
            events = await self._ledger.read_stream(lane.stream, lane.done_seq, self._settings.per_lane)
            passed, made = await self._logged(events) if lane.restored else ([], 0)
        except BaseException:
            self._lanes.unfed(lane)
            raise
        if passed:
            self._lanes.skip(lane, passed)
            self.progress.passed(lane)
            return True
        gone = self._lanes.feed(lane, events)
        if lane.restored:
            lane.restored = False
            lane.attempts = made
        if gone:
            self._expired += gone
            log.warning("endpoint %s: %d events of stream %s were removed undelivered", self._id, gone, lane.stream)
        self.wake()
        return True

    async def _logged(self, events: Sequence[Recorded]) -> tuple[list[Recorded], int]:
        """The first of `events`, as far as the log says they were passed, and the attempts made for the next one.

        Cursors may be a second behind the log.
        """
        passed: list[Recorded] = []
        for event in events:
            made = [a for a in await attempts_of_event(self._database, event.id) if a.endpoint_id == self._id]
            if not any(attempt.ended for attempt in made):
                return passed, max((attempt.number for attempt in made), default=0)
            passed.append(event)
        return passed, 0

    # What the pool asks for and tells (`sender.Source`).

    def take(self) -> Lane | None:
        if self._journal.full:
            return None
        lane = self._lanes.take()
        if lane is not None:
            lane.attempts += 1
            lane.started = self._now()
        return lane

    def render(self, work: Lane) -> bytes:
        work.version = self.endpoint.updated_at
        return self._renderer.render(work.events[0], work.header, work.started)

    def finished(self, work: Lane, status: int, error: Failure | None, wire: Connection[Lane]) -> None:
        if error is Failure.STOPPED:  # not known how it would have ended: it is made again when deliveries go on
            return
        event = work.events[0]
        now = self._now()
        started, number, version = work.started, work.attempts, work.version
        said, next_at = "", 0
        if 200 <= status < 300:
            self._delivered += 1
            self._lanes.passed(work)
            self.progress.passed(work)
        else:
            said, next_at = self._failed(
                work, event, error or failure_of_status(status), self._asked(status, wire, now)
            )
        seconds = (now - started) / NANOSECONDS
        row = (event.id, self._id, number, started, status, said, seconds, next_at, version, len(event.body))
        self._journal.attempt(row + self._recorder.columns(wire))
        if self._lanes.starving:
            self._hungry()

    def _asked(self, status: int, wire: Connection[Lane], now: int) -> float:
        """How many seconds the endpoint wants us to wait."""
        asked = header(wire.head, b"retry-after") if status in retry_after.STATUSES else None
        return (retry_after.seconds_asked(asked, now) if asked is not None else None) or 0.0

    def _failed(self, lane: Lane, event: Recorded, failure: Failure, asked: float) -> tuple[str, int]:
        """Try again later, or give up. Returns the error as it is recorded, and when the next attempt is due."""
        self._failed_attempts += 1
        if failure is Failure.HTTP_GONE:
            self._gone()
        now = self._now()
        age = (now - event.at) / NANOSECONDS
        delay = self._settings.retry.next_delay(lane.attempts, age, self._random, asked)
        if delay is None:
            log.warning("endpoint %s: gave up on event %s (%s)", self._id, event.id, failure)
            self._given_up += 1
            self._lanes.passed(lane)
            self.progress.passed(lane)
            return GIVEN_UP + failure.value, 0
        due = self._loop.time() + delay
        self._lanes.wait(lane, due, spill=delay > self._settings.spill_after)
        self._set_retry_timer()
        return failure.value, now + int(delay * NANOSECONDS)

    def _set_retry_timer(self) -> None:
        due = self._lanes.next_due()
        if due is None or due >= self._retry_due:  # what wakes up earlier sets it again
            return
        if self._retry_timer is not None:
            self._retry_timer.cancel()
        self._retry_due = due
        self._retry_timer = self._loop.call_at(due, self._retry)

    def _retry(self) -> None:
        self._retry_timer = None
        self._retry_due = inf
        self._lanes.wake(self._loop.time())
        self._set_retry_timer()
        self.wake()

    def gauges(self) -> Gauges:
        """The outlet in numbers, now."""
        return Gauges(
            endpoint_id=self._id,
            delivered=self._delivered,
            failed_attempts=self._failed_attempts,
            given_up=self._given_up,
            expired=self._expired,
            lanes=len(self._lanes),
            waiting=self._lanes.waiting,
            pending=self._lanes.pending,
            held=self._lanes.held,
            connections=self._pool.open,
            busy=self._pool.busy,
            mark=self.progress.mark,
        )


def _integer(value: object) -> int:
    assert isinstance(value, int)
    return value
