"""Random histories of jobs and workers, with crashes and lost leases at any moment, on a real database.

Several workers share one SQLite file; each has a connection to it that can be cut (the worker "crashes"), and none of
them looks at the clock unless it is told to take jobs or to beat. So a worker that is not told anything for longer
than a lease is one that hangs, and what it does when it is let go on is what must have no effect.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import defaultdict
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from callboard.clock import RandomIds
from callboard.database import Appended, Database, DatabaseStopped, Row, Unit, Value, open_database
from callboard.database.interface import Done
from callboard.jobs import Backoff, Job, JobError, Kind, Result, Run, State, Worker, WorkerSettings
from callboard.testing.jobs import ManualClock, Task, Workshop

T = TypeVar("T")

LEASE = 10.0
DEADLINE = 500.0
STEPS = ("compose", "transcribe", "upload")
SETTINGS = WorkerSettings(cores=3.0, lease=LEASE, grace=0.0)
WORKERS = 3


class Cord:
    """A worker's connection to the database. Once cut, nothing more goes through it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.cut = False

    async def commit(self, unit: Unit, done: Done | None = None) -> Sequence[Appended]:
        self._check()
        places = await self._database.commit(unit, done)
        self._check()
        return places

    async def fetch(self, query: str, /, **parameters: Value) -> list[Row]:
        self._check()
        return await self._database.fetch(query, **parameters)

    def on_notice(self, table: str, heard: Callable[[], None]) -> Callable[[], None]:
        return self._database.on_notice(table, heard)

    def _check(self) -> None:
        if self.cut:
            raise DatabaseStopped("the cord is cut")


class Gate:
    """A step that a worker is in: it ends when the history says so, and how."""

    def __init__(self, job_id: str, worker: str, step: str) -> None:
        self.job_id = job_id
        self.worker = worker
        self.step = step
        self.passed: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class World:
    """The database, the workers, what they are at, and what was ever seen."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = ManualClock()
        self.jobs: list[Job] = []
        self.gates: list[Gate] = []
        self.ended: dict[str, Job] = {}
        self.answered: dict[tuple[str, str], str] = {}
        self.problems: list[str] = []
        self.started = 0

    async def open(self) -> None:
        self.database = open_database(f"sqlite:///{self.folder}/callboard.db", clock=self.clock)
        await self.database.open()
        self.workshop = Workshop(self.database, self.clock, RandomIds(1))
        backoff = Backoff(first=5, most=60, jitter=0.2)
        kinds = (
            Kind("heavy", Task, weight=2.0, concurrency=2, give_up_after=DEADLINE, backoff=backoff, most_losses=4),
            Kind("light", Task, weight=0.0, concurrency=2, give_up_after=DEADLINE, backoff=backoff, most_attempts=4),
        )
        self.kinds = [self.workshop.add(kind, self.perform) for kind in kinds]
        self.cords: list[Cord] = []
        self.workers: list[Worker] = []
        for _ in range(WORKERS):
            self.hire()

    def hire(self) -> None:
        self.started += 1
        cord = Cord(self.database)
        ledger = self.workshop.new_ledger(cord)  # type: ignore[arg-type]  # as much of a database as jobs need
        name = f"worker{self.started}"
        worker = self.workshop.worker(
            name,
            settings=SETTINGS,
            ledger=ledger,
            database=cord,  # type: ignore[arg-type]
            seed=self.started,
        )
        self.cords.append(cord)
        self.workers.append(worker)

    async def perform(self, run: Run, payload: Task) -> Result:
        for step in STEPS:
            answer = await run.step(step, self.step, run.job, step)
            known = self.answered.setdefault((run.job.id, step), answer)
            if known != answer:
                self.problems.append(f"{step} of {run.job.id} answered {known} and {answer}")
        return self.workshop.done(run.job)

    async def step(self, job: Job, step: str) -> str:
        """Whoever has the job at this moment finds that the step was not done before, or should not be in it."""
        [row] = await self.database.fetch("job_by_id", id=job.id)
        written = {name for _, name, *_ in await self.database.fetch("job_steps", job_id=job.id)}
        if row[9] == job.fence and step in written:
            self.problems.append(f"{step} of {job.id} is done again by {job.owner}")
        gate = Gate(job.id, job.owner, step)
        self.gates.append(gate)
        try:
            await gate.passed
        finally:
            self.gates.remove(gate)
        return f"{step} by {job.owner}, fence {job.fence}"

    # what can happen

    async def settle(self) -> None:
        """Let everybody come as far as they get by themselves."""
        for _ in range(6):
            await self.database.commit(Unit())
            await self.database.fetch("open_jobs")
            for _ in range(5):
                await asyncio.sleep(0)

    async def enqueue(self, kind: int, priority: int, delay: int) -> None:
        job = await self.workshop.enqueue(self.kinds[kind], priority=priority, delay=delay)
        self.jobs.append(job)

    async def take(self, worker: int) -> None:
        await self.workers[worker].take()
        await self.settle()

    async def beat(self, worker: int) -> None:
        await self.workers[worker].beat()
        await self.settle()

    def pass_gate(self, number: int, error: Exception | None) -> Gate | None:
        if not self.gates:
            return None
        gate = sorted(self.gates, key=lambda gate: (gate.job_id, gate.worker))[number % len(self.gates)]
        if not gate.passed.done():
            if error is None:
                gate.passed.set_result(None)
            else:
                gate.passed.set_exception(error)
        return gate

    async def cancel(self, number: int) -> None:
        await self.workshop.office.cancel(self.jobs[number % len(self.jobs)].id, "by the history")
        await self.settle()

    async def crash(self, worker: int, turns: int) -> None:
        """After so many turns of the loop, that is: anywhere between two of its steps."""
        for _ in range(turns):
            await asyncio.sleep(0)
        cord, gone = self.cords.pop(worker), self.workers.pop(worker)
        cord.cut = True
        await gone.abandon()
        self.hire()
        await self.settle()

    async def stop(self, worker: int) -> None:
        self.cords.pop(worker)
        await self.workers.pop(worker).stop()
        self.hire()
        await self.settle()

    # what must hold

    async def check(self) -> None:
        assert not self.problems, self.problems
        held: dict[str, list[Job]] = defaultdict(list)
        for enqueued in self.jobs:
            job = await self.workshop.job(enqueued)
            told = await self.workshop.told_of(job)
            assert len(told) == (job.ended_at > 0), f"{job} was told as {told}"
            if job.ended_at:
                assert self.ended.setdefault(job.id, job) == job, "an ended job never changes again"
                assert (told == ["done"]) == (job.state is State.SUCCEEDED)
                assert (told == ["cancelled"]) == (job.state is State.CANCELLED)
            elif job.state is State.RUNNING:
                held[job.owner].append(job)
        for worker in self.workers:
            heavy = [job for job in worker.running if job.kind == "heavy"]
            assert len(heavy) <= 1, "there are cores for one"
            assert len(worker.running) <= 3

    async def close(self) -> None:
        """However it went: whatever is open ends."""
        for gate in list(self.gates):
            if not gate.passed.done():
                gate.passed.set_result(None)
        await self.settle()
        for _ in range(WORKERS):
            await self.stop(0)
        self.clock.advance(DEADLINE + LEASE + 100)
        for _ in range(200):
            open_jobs = await self.database.fetch("open_jobs")
            if not open_jobs:
                break
            await self.take(0)
        assert not open_jobs, "everything ends"
        await self.check()
        for job in self.jobs:
            assert len(await self.workshop.told_of(job)) == 1
        for worker in self.workers:
            await worker.abandon()
        await self.database.close()


class Histories(RuleBasedStateMachine):
    """A history, in Hypothesis's hands."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="callboard-jobs-")
        self.runner = asyncio.Runner()
        self.world = World(Path(self.folder.name))
        self.run(self.world.open())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        async def bounded() -> T:
            async with asyncio.timeout(60):
                return await work

        return self.runner.run(bounded())

    # No precondition looks at what workers have come to (`gates`): how far they get in `settle` is a matter of threads,
    # and the same choices must always be open in the same history. Without a gate a step is not finished, that is all.

    worker = st.integers(0, WORKERS - 1)
    some = st.integers(0, 50)

    @rule(kind=st.integers(0, 1), priority=st.integers(0, 2), delay=st.sampled_from([0, 0, 0, 15]))
    def enqueue(self, kind: int, priority: int, delay: int) -> None:
        self.run(self.world.enqueue(kind, priority, delay))

    @rule(worker=worker)
    def take(self, worker: int) -> None:
        self.run(self.world.take(worker))

    @rule(workers=st.lists(worker, min_size=2, max_size=3, unique=True))
    def take_at_once(self, workers: list[int]) -> None:
        async def all_of_them() -> None:
            await asyncio.gather(*(self.world.workers[worker].take() for worker in workers))
            await self.world.settle()

        self.run(all_of_them())

    @rule(worker=worker)
    def beat(self, worker: int) -> None:
        self.run(self.world.beat(worker))

    @precondition(lambda self: self.world.jobs)
    @rule(gate=some)
    def finish_a_step(self, gate: int) -> None:
        self.world.pass_gate(gate, None)
        self.run(self.world.settle())

    @precondition(lambda self: self.world.jobs)
    @rule(gate=some, final=st.booleans())
    def fail_a_step(self, gate: int, final: bool) -> None:
        self.world.pass_gate(gate, JobError("CODE", "by the history", final=final))
        self.run(self.world.settle())

    @precondition(lambda self: self.world.jobs)
    @rule(gate=some, turns=st.integers(0, 12))
    def finish_a_step_and_crash(self, gate: int, turns: int) -> None:
        passed = self.world.pass_gate(gate, None)
        owners = {job.owner: n for n, worker in enumerate(self.world.workers) for job in worker.running}
        self.run(self.world.crash(owners.get(passed.worker, 0) if passed else 0, turns))

    @rule(worker=worker)
    def crash(self, worker: int) -> None:
        self.run(self.world.crash(worker, 0))

    @rule(worker=worker)
    def stop(self, worker: int) -> None:
        self.run(self.world.stop(worker))

    @precondition(lambda self: self.world.jobs)
    @rule(job=some)
    def cancel(self, job: int) -> None:
        self.run(self.world.cancel(job))

    @precondition(lambda self: self.world.jobs)
    @rule(gate=some, job=some, turns=st.integers(0, 6))
    def cancel_while_a_step_finishes(self, gate: int, job: int, turns: int) -> None:
        async def both() -> None:
            self.world.pass_gate(gate, None)
            for _ in range(turns):
                await asyncio.sleep(0)
            await self.world.cancel(job)

        self.run(both())

    @rule(seconds=st.sampled_from([1, 4, 11, 11, 70, 300]))
    def wait(self, seconds: int) -> None:
        self.world.clock.advance(seconds)

    @invariant()
    def every_promise_is_kept(self) -> None:
        self.run(self.world.check())

    def teardown(self) -> None:
        try:
            self.run(self.world.close())
        finally:
            with suppress(Exception):
                self.run(self.world.database.close())
            self.runner.close()
            self.folder.cleanup()


TestJobHistories = Histories.TestCase
TestJobHistories.settings = settings(
    max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
