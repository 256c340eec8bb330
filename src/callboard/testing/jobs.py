"""Jobs, for tests: a database with a ledger, handlers, workers, and jobs that tell of their end.

Owns: `Workshop`, `ManualClock`, `Task`.

Always holds: a job's end is told by one event in the stream of its subject, whose cause says how it ended: "done", or
the cause of its failure. So the causes in a stream are all that anybody was told of the job.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

import msgspec

from callboard.clock import NANOSECONDS, Clock, Ids, RandomIds
from callboard.database import Database
from callboard.events import PeerJoinSuccess
from callboard.events.schema import sample
from callboard.jobs import Failure, Handlers, Job, Kind, Office, Result, State, Worker, WorkerSettings, new_job
from callboard.jobs.job import stored
from callboard.jobs.kinds import Perform
from callboard.ledger import Changes, Fact, Ledger

_PAYLOAD = msgspec.convert(sample("peer.join.success")["data"], PeerJoinSuccess)
_WAIT_SECONDS = 60.0


class Task(msgspec.Struct):
    """A payload: what to do, for the handler to make something of."""

    word: str = ""


class ManualClock:
    """A clock that stands still until it is told to go on."""

    def __init__(self, now: int = 1_700_000_000 * NANOSECONDS) -> None:
        self._now = now

    def now(self) -> int:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += int(seconds * NANOSECONDS)


class Workshop:
    """See the module. Everything in it is in one process; `worker(…, apart=True)` has a ledger of its own."""

    def __init__(self, database: Database, clock: Clock, ids: Ids | None = None) -> None:
        self.database = database
        self.clock = clock
        self.ids = ids or RandomIds()
        self.ledger = self.new_ledger()
        self.handlers = Handlers()
        self.office = Office(database, self.ledger, self.handlers, clock)

    def new_ledger(self, database: Database | None = None) -> Ledger:
        """What another process on the same database would have."""
        return Ledger(database or self.database, account_id="a" * 24, app_id="b" * 24)

    def add(self, kind: Kind[Task], perform: Perform[Task]) -> Kind[Task]:
        """Jobs of this kind are done by `perform`; that one is given up is told like any end."""
        self.handlers.add(kind, perform, self.give_up)
        return kind

    async def give_up(self, job: Job, failure: Failure) -> Changes:
        """A handler's `give_up`."""
        return self.told(job, failure.cause)

    def done(self, job: Job) -> Result:
        """A handler's result."""
        return Result(self.told(job, "done"))

    def told(self, job: Job, cause: str) -> Changes:
        """The event that tells of a job's end."""
        now = self.clock.now()
        fact = Fact(
            id=self.ids.time_uuid(now),
            payload=_PAYLOAD,
            stream=job.subject,
            at=now,
            template_id="t",
            room_id="r",
            cause=cause,
        )
        return Changes(facts=(fact,))

    def worker(
        self,
        name: str = "worker",
        *,
        settings: WorkerSettings | None = None,
        ledger: Ledger | None = None,
        database: Database | None = None,
        seed: int = 1,
        kinds: frozenset[str] | None = None,
    ) -> Worker:
        """A worker that has not started."""
        return Worker(
            database or self.database,
            ledger or self.ledger,
            self.handlers,
            name=name,
            clock=self.clock,
            random=Random(seed),  # noqa: S311 - jitter
            settings=settings or WorkerSettings(cores=4.0),
            kinds=kinds,
        )

    async def enqueue(
        self, kind: Kind[Task], word: str = "", *, priority: int | None = None, delay: float = 0.0
    ) -> Job:
        """A job, durable. Its subject is its id."""
        job = new_job(kind, Task(word), now=self.clock.now(), ids=self.ids, priority=priority, delay=delay)
        job = job._replace(subject=job.id)
        await self.ledger.commit(Changes(rows=(stored(job),)))
        return job

    async def job(self, job: Job) -> Job:
        """The job as it is stored now."""
        found = await self.office.job(job.id)
        assert found is not None
        return found

    async def told_of(self, job: Job) -> list[str]:
        """What was told of the job's end."""
        return [event.cause for event in await self.ledger.read_stream(job.subject, 0, 100)]

    async def until(self, job: Job, reached: Callable[[Job], bool] | State) -> Job:
        """The job, once it is so. Raises `TimeoutError` if that takes too long."""
        async with asyncio.timeout(_WAIT_SECONDS):
            while True:
                found = await self.job(job)
                if found.state is reached if isinstance(reached, State) else reached(found):
                    return found
                await asyncio.sleep(0.01)
