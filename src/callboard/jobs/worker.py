"""Taking jobs and doing them.

Owns: `Worker`, its loops, what it runs at the moment.

Always holds: a job is taken by one commit that is guarded by its fence, so of several workers that want it one has
it. A worker renews the leases of what it runs three times in a lease's length; jobs of one that is gone are due when
their leases have run out, and taken like any others. Workers of one database compare its instants with their own
clocks: a clock that is wrong by more than a lease makes jobs change hands too early, which costs repeated work and
nothing else.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from callboard.clock import NANOSECONDS, Clock
from callboard.database import Database, DatabaseStopped, GuardFailed, Put, QueryFailed
from callboard.database.tables import JOB
from callboard.jobs.admission import admit, room_for
from callboard.jobs.attempt import Attempt, Ending, commit
from callboard.jobs.conduct import Conductor
from callboard.jobs.job import Job, State, claimed, fenced, job_of, renewed, stored
from callboard.jobs.kinds import Handlers
from callboard.jobs.office import Office
from callboard.jobs.tally import Tally
from callboard.ledger import Changes, Ledger

log = logging.getLogger("callboard.jobs")

_RELEASE_SECONDS = 15.0
"""How long `stop` waits, beyond the grace, for children to die and leases to be given back."""
_FORGET_EVERY_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """`cores` is how much work (`Kind.weight`) runs at the same time. The rest are seconds.

    `lease`: how long after a worker's end its jobs are taken up by others. `poll`: how often to look for jobs that
    nobody announced (another process's, retries, dead workers'). `grace`: what running steps get when the worker
    stops. `keep`: how long ended jobs are remembered.
    """

    cores: float
    lease: float = 10.0
    poll: float = 1.0
    grace: float = 5.0
    keep: float = 30 * 86_400.0


class Worker:
    """A worker for the given kinds (all that there are handlers for, unless told otherwise).

    `name` is its own among all workers of the database, and new with each start. Call `start` and `stop`; or, to
    decide when time passes, `take` and `beat` instead of `start`. Used on the event loop's thread only.
    """

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        handlers: Handlers,
        *,
        name: str,
        clock: Clock,
        random: Random,
        settings: WorkerSettings,
        kinds: frozenset[str] | None = None,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._handlers = handlers
        self._name = name
        self._clock = clock
        self._settings = settings
        self._kinds = tuple(sorted(handlers)) if kinds is None else tuple(sorted(kinds))
        if unknown := [kind for kind in self._kinds if kind not in handlers]:
            raise ValueError(f"there is no handler for {', '.join(unknown)}")
        self.tally = Tally()
        self._conductor = Conductor(database, ledger, handlers, clock, random, self.tally)
        self._office = Office(database, ledger, handlers, clock)
        self._attempts: dict[str, Attempt] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loops: list[asyncio.Task[None]] = []
        self._news = asyncio.Event()
        self._stopping = asyncio.Event()
        self._unwatch = ledger.watch(JOB, self._written)

    @property
    def running(self) -> list[Job]:
        """The jobs this worker has in hand, as they were last written."""
        return [attempt.job for attempt in self._attempts.values()]

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of jobs it takes."""
        return self._kinds

    def alive(self) -> bool:
        """Whether it takes jobs and keeps those it has: it did both, with the database's answer, within a lease."""
        oldest = min(self.tally.looked_at, self.tally.beat_at)
        return not self._stopping.is_set() and self._clock.now() - oldest <= self._settings.lease * NANOSECONDS

    async def start(self) -> None:
        """Begin to take jobs."""
        self.tally.beat_at = self._clock.now()  # there is nothing to renew yet
        self._loops = [
            asyncio.create_task(self._take_always(), name="callboard-jobs-take"),
            asyncio.create_task(self._beat_always(), name="callboard-jobs-beat"),
        ]

    async def stop(self) -> None:
        """Take nothing more; let running steps end within the grace, cut off the others; give the jobs back."""
        self._stopping.set()
        self._news.set()
        if self._loops:
            # Not cancelled: a claim that is being committed is then known to be ours, and given back.
            await asyncio.wait(self._loops, timeout=_RELEASE_SECONDS)
        for attempt in self._attempts.values():
            attempt.stopping = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._settings.grace)
        for attempt in list(self._attempts.values()):
            attempt.cut_off(Ending.RELEASED)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_RELEASE_SECONDS)
        await self.abandon()

    async def abandon(self) -> None:
        """End at once, without a word to the database: the jobs are taken up when their leases have run out."""
        self._stopping.set()
        self._unwatch()
        left = [*self._loops, *self._tasks]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def take(self) -> int:
        """Claim the due jobs that there is room for, and begin them. Returns how many. Raises as `Database.fetch`."""
        room = room_for(self._handlers, self._kinds, self.running)
        now = self._clock.now()
        due: list[Job] = []
        for kind, free in room.items():
            due += [job_of(row) for row in await self._database.fetch("jobs_due", kind=kind, now=now, limit=free)]
        self.tally.looked_at = now
        # What this worker has in hand is not for it to take, however late it is with its heartbeat.
        due = [job for job in due if job.id not in self._attempts]
        chosen = admit(self._handlers, due, self.running, self._settings.cores)
        return sum(await asyncio.gather(*(self._claim(job) for job in chosen)))

    async def beat(self) -> None:
        """Renew the leases of what runs, and end what has reached its deadline or has changed hands."""
        now = self._clock.now()
        for attempt in list(self._attempts.values()):
            if now >= attempt.job.deadline_at:
                attempt.cut_off(Ending.LATE)
        await asyncio.gather(*(self._renew(attempt, now) for attempt in list(self._attempts.values())))
        self.tally.beat_at = now

    async def _claim(self, job: Job) -> bool:
        mine = claimed(job, self._name, self._clock.now(), self._settings.lease)
        try:
            await commit(self._ledger, Changes(rows=(stored(mine),), guards=(fenced(job),)))
        except GuardFailed:
            return False  # another worker was faster
        attempt = self._attempts[job.id] = Attempt(self._ledger, mine)
        task = asyncio.create_task(self._conduct(attempt), name=f"callboard-job-{job.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def _conduct(self, attempt: Attempt) -> None:
        try:
            await self._conductor.conduct(attempt)
        except DatabaseStopped:
            log.critical("job %s is left as it is: the database has stopped", attempt.job.id)
        except Exception:
            log.exception("job %s is left as it is, until its lease runs out", attempt.job.id)
        finally:
            del self._attempts[attempt.job.id]
            self._news.set()

    async def _renew(self, attempt: Attempt, now: int) -> None:
        if attempt.ending is not None:
            return
        job = renewed(attempt.job, now, self._settings.lease, attempt.progress)
        try:
            await commit(self._ledger, Changes(rows=(stored(job),)) + attempt.guard)
        except GuardFailed:
            attempt.cut_off(Ending.LOST)
        else:
            attempt.job = job
            self.tally.renewals += 1

    def _written(self, put: Put) -> None:
        """A job was written by this process: take it soon, or, if it was taken from us, let go of it."""
        job = job_of(put.row)
        attempt = self._attempts.get(job.id)
        if attempt is not None and job.fence > attempt.job.fence:
            attempt.cut_off(Ending.LOST)
        elif job.state is State.WAITING and job.due_at <= self._clock.now():
            self._news.set()

    async def _take_always(self) -> None:
        while not self._stopping.is_set():
            self._news.clear()
            try:
                await self.take()
            except (QueryFailed, TimeoutError) as error:
                log.warning("jobs cannot be looked for now: %s", error)
            except DatabaseStopped:
                log.critical("no more jobs are taken: the database has stopped")
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(self._settings.poll):
                    await self._news.wait()

    async def _beat_always(self) -> None:
        forget_at = 0
        while not self._stopping.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(self._settings.lease / 3):
                    await self._stopping.wait()
            try:
                await self.beat()
                now = self._clock.now()
                if now >= forget_at:
                    await self._office.forget(now - int(self._settings.keep * NANOSECONDS))
                    forget_at = now + int(_FORGET_EVERY_SECONDS * NANOSECONDS)
            except (QueryFailed, TimeoutError) as error:
                log.warning("old jobs cannot be forgotten now: %s", error)
            except DatabaseStopped:
                log.critical("leases are not renewed: the database has stopped")
                return
