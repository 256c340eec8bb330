"""Delivering to one endpoint: its lanes, its connections, and the record of each attempt.

Owns: `Outlet`.

Always holds: an event of a lane is sent only after the one before it was accepted (2xx) or parked; a session has one
lane, unless the endpoint wants no order (`width`, which an outlet keeps for as long as it is open). Every
attempt that ended is recorded. What happens to one event makes no objects but the rows that are written.

After a restart the attempts made before are counted on from the log, and the first new one is made at once, unless the
endpoint was paused: then it stays so until its next probe is due. The time after which an event is given up counts from
its first attempt, in any case. So a restart neither shortens nor prolongs the schedule of an event, and repeats no
number in the log.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Sequence
from math import inf

from callboard.clock import NANOSECONDS, Clock
from callboard.database import Database, Value
from callboard.ledger import Ledger, Recorded
from callboard.measures import Histogram
from callboard.webhooks import retry_after
from callboard.webhooks.answers import header
from callboard.webhooks.batching import size_of
from callboard.webhooks.connection import Connection
from callboard.webhooks.course import Course
from callboard.webhooks.endpoint import Endpoint
from callboard.webhooks.failures import Failure, failure_of_status
from callboard.webhooks.gauges import Gauges, Settings
from callboard.webhooks.health import Health, Signal
from callboard.webhooks.horizon import Horizon
from callboard.webhooks.journal import Journal, Progress
from callboard.webhooks.lane import Lane
from callboard.webhooks.lanes import Lanes
from callboard.webhooks.logged import Logged
from callboard.webhooks.parking import MOST_HELD, Parked
from callboard.webhooks.reach import Resolve, resolve
from callboard.webhooks.record import Recorder
from callboard.webhooks.request import Renderer, head_row, target_of
from callboard.webhooks.retry import Random
from callboard.webhooks.sender import Pool, Sending
from callboard.webhooks.shard_progress import ShardProgress
from callboard.webhooks.shards import WHOLE, Tenure
from callboard.webhooks.standing import standing_of

MOST_LOOKED_AT = 8
"""Lanes, in search of the event that has waited longest."""

log = logging.getLogger("callboard.webhooks")


class Outlet:
    """See the module. `hungry` is called when there is something for `read_back` to do, `gone` when the endpoint says
    that it is (410), `tell` when it is paused, works again, has failed for too long, or an event is
    parked.
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
        tell: Callable[[Signal | Parked, Health], None],
        receipts: Histogram,
        resolve_and_vet: Resolve = resolve,
        tenure: Tenure = WHOLE,
        reached: Callable[[], int] = int,
    ) -> None:
        self.endpoint = endpoint
        self.tenure = tenure
        self._id = endpoint.id
        self._database = database
        self._ledger = ledger
        self._journal = journal
        self._now = clock.now
        self._settings = settings
        self._tls = tls
        self._hungry = hungry
        self._gone = gone
        self._receipts = receipts
        self._loop = asyncio.get_running_loop()
        self._lanes = Lanes(settings.per_lane, settings.most_held, endpoint.delivery.width)
        self._horizon = Horizon(database, tenure, self._lanes, settings.most_lanes, settings.window)
        self._offered = reached
        self.progress = (
            Progress(self._id, self._lanes)
            if tenure.whole
            else ShardProgress(self._id, self._lanes, tenure, self._reached)
        )
        self._aim()
        self._course = Course(
            endpoint.id,
            self._lanes,
            self._new_health(),
            settings.retry,
            random,
            spill_after=settings.spill_after,
            note=journal.state,
            tell=tell,
        )
        self._pool = self._new_pool(resolve_and_vet)
        self._arrange()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = inf
        self._early: list[Recorded] | None = []
        self._delivered = self._expired = 0
        self._failures: dict[str, int] = {}

    @property
    def width(self) -> int:
        """In how many lanes a stream goes."""
        return self._lanes.width

    # What a kind of outlet may do otherwise (`hook_outlet.py`).

    def _aim(self) -> None:
        """What is sent, and what is recorded of it, is as the endpoint is now."""
        self._renderer = Renderer(self.endpoint)
        self._recorder = Recorder(self.endpoint)
        self._journal.note(head_row(self.endpoint))

    def _retarget(self) -> None:
        """Send to where the endpoint is now."""
        assert isinstance(self._pool, Pool)
        self._pool.retarget(target_of(self.endpoint, self._tls))

    def _new_health(self) -> Health:
        return Health(self._settings.health, self._settings.sender.connections)

    def _new_pool(self, resolve_and_vet: Resolve) -> Sending:
        return Pool(target_of(self.endpoint, self._tls), self, self._settings.sender, resolve_and_vet)

    def _logged_as(self, _: Recorded) -> str:
        """In the place of the endpoint's id in the log of attempts to deliver this event."""
        return self._id

    def _columns(self, _: Recorded, wire: Connection[Lane]) -> tuple[Value, ...]:
        """What the log keeps of an attempt to deliver this event."""
        return self._recorder.columns(wire)

    # Opening, changing, closing.

    async def open(self) -> None:
        """Read how far the endpoint has come, and begin there. `offer` may be called from before this is awaited.

        Reads the endpoint's health, what was left out, its standing and a window of what there is to be sent: lanes
        read their events when it is their turn. Raises what `Database.fetch` raises; it may be called again then.
        """
        health = await self._database.fetch("endpoint_health", endpoint_id=self._id)
        gaps = await self._database.fetch("delivery_gaps", endpoint_id=self._id, limit=MOST_HELD)
        for row in health:
            self._course.restore(row, self._now(), self._loop.time())
        for stream, seq in gaps:
            if self._lanes.ordered and self.tenure.holds(str(stream)):
                self._course.gaps.add(str(stream), _integer(seq))
        standing = await standing_of(self._database, self._id, self.tenure)
        self.progress.restore(standing)
        await self._horizon.begin(standing.marks, self.progress.place)
        early, self._early = self._early or [], None
        self.offer(early)
        self._set_timer()

    def update(self, endpoint: Endpoint) -> None:
        """The endpoint has changed: what is sent from now on goes where it is now, and is signed with its secrets."""
        self.endpoint = endpoint
        self._aim()
        self._retarget()
        self._arrange()
        self._course.resume()
        self.wake()

    def _arrange(self) -> None:
        """As many attempts at a time, as fast and as long as the endpoint wants them."""
        sender, wanted = self._settings.sender, self.endpoint.delivery
        assert isinstance(self._pool, Pool)
        self._pool.limit(wanted.timeout(sender.timeout))
        self._course.arrange(
            stopped=self.endpoint.paused,
            most=wanted.most(sender.connections),
            rate=wanted.rate_per_second,
            batch=wanted.batch,
            ticks=self._loop.time(),
        )

    async def close(self) -> None:
        """Send nothing more; attempts under way have the settings' `grace` to end. What they came to is recorded."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        await self._pool.stop(self._settings.grace)

    # Events come.

    def offer(self, events: Sequence[Recorded]) -> None:
        """These were committed: the next events of their streams."""
        if self._early is not None:
            self._early += events
            return
        offer, wants = self._lanes.offer, self.endpoint.selection.wants
        for event in self._horizon.seen(events):
            if wants(event):
                offer(event)
            else:
                self._lanes.pass_over(event)
        self._journal.moved()
        self.wake()

    def _reached(self) -> int:
        """The position up to which the lanes know everything, where other nodes' events lie between."""
        return self._horizon.known if self._horizon.beyond else self._offered()

    def replace(self, event: Recorded) -> None:
        """The event is this one now: it was expunged."""
        self._lanes.replace(event)

    def wake(self) -> None:
        """Something may be ready to be sent."""
        self._pool.wake()
        self._ask()

    def _ask(self) -> None:
        """Be read for, if there is something to read."""
        if self._lanes.starving or self._horizon.near:
            self._hungry()

    async def read_back(self) -> bool:
        """Read events for one lane that has none in memory, or what lies ahead. Returns whether there was anything.

        Raises what `Database.fetch` raises.
        """
        lane = self._lanes.hungry()
        if lane is not None:
            await self._read_for(lane)
        elif self._horizon.near:
            await self._horizon.look_ahead()
            self._journal.moved()
        else:
            return False
        self.wake()
        return True

    async def _read_for(self, lane: Lane) -> None:
        try:
            events = await self._ledger.read_stream(
                lane.stream, lane.done_seq, self._settings.per_lane, lane.part, lane.width
            )
            events = [event for event in events if lane.place(event) <= lane.asked]  # the log may know more of them
            wants = self.endpoint.wants
            told = None
            if lane.restored > lane.done:
                told = await Logged(self._database, wants, self._logged_as).of(lane, events)
        except BaseException:
            self._lanes.unfed(lane)
            raise
        if told is None:
            gone = self._lanes.feed(lane, events, wants)
        elif told.passed:
            self._lanes.skip(lane, told.passed)
            self.progress.passed(lane)
            return
        else:
            over = told.over
            gone = self._lanes.feed(lane, told.following, lambda event: event.id not in over and wants(event))
            lane.stretch, lane.shared = told.stretch, told.shared
            self._course.counted(lane, told.made, self._now(), self._loop.time())
        if gone:
            self._expired += gone
            log.warning("endpoint %s: %d events of stream %s were removed undelivered", self._id, gone, lane.stream)

    # What the pool asks for and tells (`sender.Source`).

    def take(self) -> Lane | None:
        journal = self._journal
        ticks = self._loop.time()
        if journal.full or ticks > journal.until:
            return None
        lane = self._course.begin(self._now(), ticks)
        if self._course.paced:
            self._set_timer()
        return lane

    def render(self, work: Lane) -> bytes:
        work.version = self.endpoint.updated_at
        gaps = self._course.gaps
        more = gaps.header(work.stream) if gaps else b""
        if work.batch > 1:
            return self._renderer.render_batch(work.events[: work.batch], work.stream.encode(), work.started, more)
        return self._renderer.render(work.events[0], work.stream.encode(), work.started, more)

    def finished(self, work: Lane, status: int, error: Failure | None, wire: Connection[Lane]) -> None:
        if error is Failure.STOPPED:  # not known how it would have ended: it is made again when deliveries go on
            self._course.cut_off()
            return
        events = work.events[: work.batch]
        now = self._now()
        started, number, version = work.started, work.attempts, work.version
        said, next_at = "", 0
        if 200 <= status < 300:
            self._delivered += len(events)
            for event in events:
                self._receipts.add((now - event.committed_at) / NANOSECONDS)
            self._course.accepted(work, now)
            self.progress.passed(work)
        else:
            said, next_at = self._failed(work, status, error or failure_of_status(status), wire, now)
        seconds = (now - started) / NANOSECONDS
        size, columns = size_of(events), self._columns(events[0], wire)
        for event in events:
            logged_as = self._logged_as(event)
            self._journal.attempt(
                (event.id, logged_as, number, started, status, said, seconds, next_at, version, size, *columns)
            )
        self._ask()

    def _failed(self, lane: Lane, status: int, failure: Failure, wire: Connection[Lane], now: int) -> tuple[str, int]:
        """What is recorded, and when the next attempt is due."""
        self._failures[failure] = self._failures.get(failure, 0) + 1
        asked = header(wire.head, b"retry-after") if status in retry_after.STATUSES else None
        seconds = (retry_after.seconds_asked(asked, now) if asked is not None else None) or 0.0
        said, next_at = self._course.failed(lane, failure, status, seconds, now, self._loop.time())
        if not next_at:
            self.progress.passed(lane)
        self._set_timer()
        if failure is Failure.HTTP_GONE:
            self._gone()
        return said, next_at

    def _set_timer(self) -> None:
        due = self._course.next_due()
        if due >= self._timer_due:  # what wakes up earlier sets it again
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due = due
        self._timer = self._loop.call_at(due, self._come)

    def _come(self) -> None:
        self._timer = None
        self._timer_due = inf
        self._course.wake(self._loop.time())
        self._set_timer()
        self.wake()

    async def oldest(self) -> int:
        """When the event that has waited longest was committed (nanoseconds, UTC); 0 if none waits.

        Looks at a few events at most. Raises what `Database.fetch` raises.
        """
        times = []
        for lane in self._lanes.oldest(MOST_LOOKED_AT):
            first = lane.events[:1] or await self._ledger.read_stream(
                lane.stream, lane.done_seq, 1, lane.part, lane.width
            )
            times += [event.committed_at for event in first]
        return min(times, default=0)

    def gauges(self) -> Gauges:
        """The outlet in numbers, now."""
        health = self._course.health
        return Gauges(
            endpoint_id=self._id,
            delivered=self._delivered,
            failed_attempts=sum(self._failures.values()),
            failures=dict(self._failures),
            parked=self._course.parked,
            expired=self._expired,
            lanes=len(self._lanes),
            waiting=self._lanes.waiting,
            pending=self._horizon.pending(self.progress.mark),
            held=self._lanes.held,
            connections=self._pool.open,
            busy=self._pool.busy,
            mark=self.progress.mark,
            phase=health.phase,
            paused=self._course.stopped,
            limit=health.limit,
            failing_since=health.failing_since,
            due_at=health.due_at,
        )


def _integer(value: object) -> int:
    assert isinstance(value, int)
    return value
