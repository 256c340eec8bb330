"""Who has a job: claims, leases, fences, calling off, giving back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from callboard.clock import NANOSECONDS
from callboard.database import Database
from callboard.jobs import Kind, Result, Run, State, Worker, WorkerSettings
from callboard.testing.jobs import ManualClock, Task, Workshop

Ended = Callable[[Worker], Worker]
Started = Callable[[Worker], Awaitable[Worker]]

LEASE = 10.0
SETTINGS = WorkerSettings(cores=4.0, lease=LEASE, poll=0.05, grace=0.2)


class Gates:
    """A handler with three steps, each of which waits to be let through, by the word of its job's payload."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._events: dict[tuple[str, str], asyncio.Event] = {}
        self.begun: list[str] = []
        self.cut_off = 0
        self.stubborn = False

    def _event(self, kind: str, name: str) -> asyncio.Event:
        return self._events.setdefault((kind, name), asyncio.Event())

    def open(self, *names: str) -> None:
        for name in names:
            self._event("open", name).set()

    async def reached(self, name: str) -> None:
        async with asyncio.timeout(60):
            await self._event("reached", name).wait()
        self._events.pop(("reached", name))

    async def step(self, name: str) -> None:
        self.begun.append(name)
        self._event("reached", name).set()
        while True:
            try:
                await self._event("open", name).wait()
            except asyncio.CancelledError:
                self.cut_off += 1
                if not self.stubborn:
                    raise
            else:
                return

    async def perform(self, run: Run, payload: Task) -> Result:
        for name in ("a", "b", "c"):
            await run.step(name, self.step, name)
        return self._workshop.done(run.job)


@pytest.fixture
def gates(workshop: Workshop) -> Gates:
    return Gates(workshop)


async def idle(worker: Worker) -> None:
    async with asyncio.timeout(60):
        while worker.running:
            await asyncio.sleep(0.005)


async def test_of_workers_that_want_a_job_one_gets_it(workshop: Workshop, ended: Ended, gates: Gates) -> None:
    kind = workshop.add(Kind("k", Task, concurrency=100, weight=0), gates.perform)
    jobs = [await workshop.enqueue(kind) for _ in range(20)]
    workers = [ended(workshop.worker(f"w{n}", ledger=workshop.new_ledger())) for n in range(4)]
    taken = await asyncio.gather(*(worker.take() for worker in workers))
    assert sum(taken) == 20
    assert sorted(job.id for worker in workers for job in worker.running) == sorted(job.id for job in jobs)
    gates.open("a", "b", "c")
    for worker in workers:
        await idle(worker)
    assert [await workshop.told_of(job) for job in jobs] == [["done"]] * 20


async def test_a_job_whose_worker_is_gone_is_taken_when_its_lease_has_run_out(
    workshop: Workshop, clock: ManualClock, ended: Ended, gates: Gates
) -> None:
    job = await workshop.enqueue(workshop.add(Kind("k", Task), gates.perform))
    gone, other = workshop.worker("gone", settings=SETTINGS), ended(workshop.worker("other", settings=SETTINGS))
    gates.open("a")
    await gone.take()
    await gates.reached("b")
    await gone.abandon()
    clock.advance(LEASE - 0.1)
    assert await other.take() == 0
    clock.advance(0.1)
    gates.open("b", "c")
    assert await other.take() == 1
    await idle(other)
    assert gates.begun == ["a", "b", "b", "c"]
    found = await workshop.job(job)
    assert (found.state, found.owner, found.attempt, found.losses) == (State.SUCCEEDED, "other", 2, 1)
    assert await workshop.told_of(job) == ["done"]


async def test_heartbeats_keep_a_job(workshop: Workshop, clock: ManualClock, ended: Ended, gates: Gates) -> None:
    job = await workshop.enqueue(workshop.add(Kind("k", Task), gates.perform))
    holder, other = ended(workshop.worker("holder", settings=SETTINGS)), ended(workshop.worker("other"))
    await holder.take()
    for _ in range(10):
        clock.advance(LEASE - 1)
        await holder.beat()
        assert await other.take() == 0
    assert (await workshop.job(job)).due_at == clock.now() + int(LEASE * NANOSECONDS)
    gates.open("a", "b", "c")
    await idle(holder)
    assert (await workshop.job(job)).attempt == 1


@pytest.mark.parametrize("where", ["a", "c"])
async def test_who_has_lost_a_job_can_change_nothing_any_more(
    workshop: Workshop, clock: ManualClock, ended: Ended, gates: Gates, where: str
) -> None:
    """A worker that hung for longer than its lease goes on as if nothing had been."""
    job = await workshop.enqueue(workshop.add(Kind("k", Task), gates.perform))
    late = ended(workshop.worker("late", settings=SETTINGS, ledger=workshop.new_ledger()))
    other = ended(workshop.worker("other", settings=SETTINGS))
    gates.open(*"abc".partition(where)[0])
    await late.take()
    await gates.reached(where)
    clock.advance(LEASE)
    await other.take()
    await gates.reached(where)
    taken = await workshop.job(job)
    steps = await workshop.database.fetch("job_steps", job_id=job.id)

    # Both are let through at once: whoever writes first, only the holder's word counts.
    gates.open("a", "b", "c")
    await idle(late)
    await idle(other)
    found = await workshop.job(job)
    assert (taken.owner, found.owner, found.state) == ("other", "other", State.SUCCEEDED)
    assert await workshop.told_of(job) == ["done"]
    after = await workshop.database.fetch("job_steps", job_id=job.id)
    assert after[: len(steps)] == steps
    assert [row[1] for row in after] == ["a", "b", "c"]


async def test_who_hung_between_two_steps_does_not_begin_what_another_has_finished(
    workshop: Workshop, clock: ManualClock, ended: Ended
) -> None:
    """Its files are tidied up already: what it made of them anew would stay for ever."""
    hangs, goes_on, begun = asyncio.Event(), asyncio.Event(), list[str]()

    async def step(name: str, owner: str) -> None:
        begun.append(f"{name} by {owner}")

    async def perform(run: Run, _: Task) -> Result:
        await run.step("a", step, "a", run.job.owner)
        if run.job.owner == "late":
            hangs.set()
            await goes_on.wait()
        await run.step("b", step, "b", run.job.owner)
        return workshop.done(run.job)

    job = await workshop.enqueue(workshop.add(Kind("k", Task), perform))
    late = ended(workshop.worker("late", settings=SETTINGS, ledger=workshop.new_ledger()))
    other = ended(workshop.worker("other", settings=SETTINGS))
    await late.take()
    await hangs.wait()
    clock.advance(LEASE)
    await other.take()
    await idle(other)
    goes_on.set()
    await idle(late)
    assert begun == ["a by late", "b by other"]
    assert await workshop.told_of(job) == ["done"]


async def test_a_late_heartbeat_does_not_take_a_job_back_and_ends_the_work(
    workshop: Workshop, clock: ManualClock, ended: Ended, gates: Gates
) -> None:
    job = await workshop.enqueue(workshop.add(Kind("k", Task), gates.perform))
    late = ended(workshop.worker("late", settings=SETTINGS, ledger=workshop.new_ledger()))
    other = ended(workshop.worker("other", settings=SETTINGS))
    await late.take()
    await gates.reached("a")
    clock.advance(LEASE)
    await other.take()
    await late.beat()
    await idle(late)
    assert gates.cut_off == 1
    assert (await workshop.job(job)).owner == "other"
    gates.open("a", "b", "c")
    await idle(other)
    assert await workshop.told_of(job) == ["done"]


async def test_a_handler_that_does_not_let_go_is_without_effect(
    workshop: Workshop, clock: ManualClock, ended: Ended, gates: Gates
) -> None:
    job = await workshop.enqueue(workshop.add(Kind("k", Task), gates.perform))
    late = ended(workshop.worker("late", settings=SETTINGS, ledger=workshop.new_ledger()))
    await late.take()
    await gates.reached("a")
    gates.stubborn = True
    await workshop.office.cancel(job.id, "by the test")
    await late.beat()
    await gates_cut_off(gates)
    assert late.running, "it still counts against what the worker may do"
    gates.open("a", "b", "c")
    await idle(late)
    assert (await workshop.job(job)).state is State.CANCELLED
    assert await workshop.told_of(job) == ["cancelled"]
    assert await workshop.database.fetch("job_steps", job_id=job.id) == []


async def gates_cut_off(gates: Gates) -> None:
    async with asyncio.timeout(60):
        while not gates.cut_off:
            await asyncio.sleep(0.005)


async def test_a_waiting_job_can_be_called_off(workshop: Workshop, ended: Ended, gates: Gates) -> None:
    job = await workshop.enqueue(workshop.add(Kind("k", Task), gates.perform))
    called_off = await workshop.office.cancel(job.id, "by the test")
    assert called_off == await workshop.job(job)
    assert called_off is not None
    assert (called_off.state, called_off.error) == (State.CANCELLED, "by the test")
    assert await ended(workshop.worker()).take() == 0
    assert await workshop.told_of(job) == ["cancelled"]


async def test_a_job_that_runs_here_is_cut_off_as_soon_as_it_is_called_off(
    workshop: Workshop, ended: Ended, gates: Gates
) -> None:
    job = await workshop.enqueue(workshop.add(Kind("k", Task), gates.perform))
    worker = ended(workshop.worker())
    await worker.take()
    await gates.reached("a")
    await workshop.office.cancel(job.id, "by the test")
    await idle(worker)  # without a heartbeat
    assert gates.cut_off == 1
    assert await workshop.told_of(job) == ["cancelled"]
    assert (await workshop.job(job)).state is State.CANCELLED


async def test_a_job_that_runs_elsewhere_is_cut_off_with_the_next_heartbeat(
    workshop: Workshop, ended: Ended, gates: Gates
) -> None:
    job = await workshop.enqueue(workshop.add(Kind("k", Task), gates.perform))
    worker = ended(workshop.worker(ledger=workshop.new_ledger()))
    await worker.take()
    await gates.reached("a")
    await workshop.office.cancel(job.id, "by the test")
    assert gates.cut_off == 0
    await worker.beat()
    await idle(worker)
    assert gates.cut_off == 1
    assert await workshop.told_of(job) == ["cancelled"]


async def test_what_has_ended_cannot_be_called_off(workshop: Workshop, ended: Ended, gates: Gates) -> None:
    job = await workshop.enqueue(workshop.add(Kind("k", Task), gates.perform))
    gates.open("a", "b", "c")
    worker = ended(workshop.worker())
    await worker.take()
    await idle(worker)
    found = await workshop.office.cancel(job.id, "too late")
    assert found is not None
    assert found.state is State.SUCCEEDED
    assert await workshop.told_of(job) == ["done"]
    assert await workshop.office.cancel("nothing", "by the test") is None


async def test_calling_off_and_ending_at_the_same_time_have_one_outcome(
    workshop: Workshop, ended: Ended, gates: Gates
) -> None:
    kind = workshop.add(Kind("k", Task, concurrency=100, weight=0), gates.perform)
    jobs = [await workshop.enqueue(kind) for _ in range(30)]
    worker = ended(workshop.worker(ledger=workshop.new_ledger()))
    await worker.take()
    await gates.reached("a")
    gates.open("a", "b", "c")
    await asyncio.gather(*(workshop.office.cancel(job.id, "by the test") for job in jobs))
    await idle(worker)
    for job in jobs:
        found = await workshop.job(job)
        expected = "done" if found.state is State.SUCCEEDED else "cancelled"
        assert await workshop.told_of(job) == [expected]


async def test_calling_off_kills_the_child_process(live: Workshop, started: Started, tmp_path: Path) -> None:
    async def perform(run: Run, payload: Task) -> Result:
        await run.process(["sh", "-c", "echo $$ > pid; exec sleep 1000"], deadline=60, folder=tmp_path)
        return live.done(run.job)

    kind = live.add(Kind("k", Task), perform)
    worker = await started(live.worker(settings=SETTINGS))
    job = await live.enqueue(kind)
    async with asyncio.timeout(60):
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().endswith("\n"):
            await asyncio.sleep(0.01)
    child = Path("/proc") / (tmp_path / "pid").read_text().strip()
    assert child.exists()
    await live.office.cancel(job.id, "by the test")
    await idle(worker)
    assert not child.exists()
    assert await live.told_of(job) == ["cancelled"]


async def test_progress_of_a_program_is_that_of_the_job(workshop: Workshop, ended: Ended, tmp_path: Path) -> None:
    async def perform(run: Run, payload: Task) -> Result:
        script = "echo half; while ! test -e go; do sleep 0.02; done"
        await run.process(
            ["sh", "-c", script],
            deadline=60,
            folder=tmp_path,
            progress=lambda line: 0.5 if line == "half" else None,
        )
        return workshop.done(run.job)

    job = await workshop.enqueue(workshop.add(Kind("k", Task), perform))
    worker = ended(workshop.worker())
    await worker.take()
    async with asyncio.timeout(60):
        while (await workshop.job(job)).progress != 0.5:
            await worker.beat()
            await asyncio.sleep(0.02)
    (tmp_path / "go").touch()
    await idle(worker)
    assert await workshop.told_of(job) == ["done"]


async def test_a_worker_that_stops_gives_its_jobs_back_and_another_goes_on(
    workshop: Workshop, ended: Ended, gates: Gates
) -> None:
    job = await workshop.enqueue(workshop.add(Kind("k", Task), gates.perform))
    stopping, other = workshop.worker("stopping", settings=SETTINGS), ended(workshop.worker("other"))
    gates.open("a")
    await stopping.take()
    await gates.reached("b")
    await stopping.stop()
    found = await workshop.job(job)
    assert (found.state, found.owner, found.attempt, found.losses) == (State.WAITING, "", 0, 0)
    assert gates.cut_off == 1
    gates.open("b", "c")
    assert await other.take() == 1
    await idle(other)
    assert gates.begun == ["a", "b", "b", "c"]
    assert await workshop.told_of(job) == ["done"]


async def test_a_step_that_runs_when_the_worker_stops_may_finish_and_no_other_begins(
    workshop: Workshop, gates: Gates
) -> None:
    job = await workshop.enqueue(workshop.add(Kind("k", Task), gates.perform))
    worker = workshop.worker(settings=WorkerSettings(cores=1, grace=30))
    await worker.take()
    await gates.reached("a")
    stopping = asyncio.create_task(worker.stop())
    await asyncio.sleep(0)
    gates.open("a", "b", "c")
    await stopping
    assert gates.begun == ["a"]
    assert [row[1] for row in await workshop.database.fetch("job_steps", job_id=job.id)] == ["a"]
    assert (await workshop.job(job)).state is State.WAITING


async def test_a_job_that_ends_while_the_worker_stops_has_ended(workshop: Workshop, gates: Gates) -> None:
    job = await workshop.enqueue(workshop.add(Kind("k", Task), gates.perform))
    worker = workshop.worker(settings=WorkerSettings(cores=1, grace=30))
    gates.open("a", "b")
    await worker.take()
    await gates.reached("c")
    stopping = asyncio.create_task(worker.stop())
    await asyncio.sleep(0)
    gates.open("c")
    await stopping
    assert (await workshop.job(job)).state is State.SUCCEEDED
    assert await workshop.told_of(job) == ["done"]


async def test_a_worker_does_only_its_kinds(workshop: Workshop, ended: Ended, gates: Gates) -> None:
    mine = workshop.add(Kind("mine", Task), gates.perform)
    others = workshop.add(Kind("others", Task), gates.perform)
    job = await workshop.enqueue(mine)
    await workshop.enqueue(others)
    worker = ended(workshop.worker(kinds=frozenset({"mine"})))
    assert await worker.take() == 1
    assert [one.id for one in worker.running] == [job.id]
    with pytest.raises(ValueError, match="there is no handler for nobodys"):
        workshop.worker(kinds=frozenset({"mine", "nobodys"}))


async def test_what_does_not_fit_waits_and_the_most_urgent_goes_first(
    workshop: Workshop, ended: Ended, gates: Gates
) -> None:
    kind = workshop.add(Kind("k", Task, weight=2.0, concurrency=10), gates.perform)
    jobs = [await workshop.enqueue(kind, priority=priority) for priority in (0, 5, 1, 0)]
    worker = ended(workshop.worker(settings=WorkerSettings(cores=4.0)))
    assert await worker.take() == 2
    assert {job.id for job in worker.running} == {jobs[1].id, jobs[2].id}
    assert await worker.take() == 0
    gates.open("a", "b", "c")
    await idle(worker)
    assert await worker.take() == 2
    await idle(worker)
    assert [await workshop.told_of(job) for job in jobs] == [["done"]] * 4


async def test_jobs_that_ended_long_ago_are_forgotten_with_their_journals(
    workshop: Workshop, database: Database, clock: ManualClock, ended: Ended, gates: Gates
) -> None:
    kind = workshop.add(Kind("k", Task), gates.perform)
    old = await workshop.enqueue(kind)
    worker = ended(workshop.worker())
    gates.open("a", "b", "c")
    await worker.take()
    await idle(worker)
    clock.advance(100)
    recent, waiting = await workshop.enqueue(kind), await workshop.enqueue(kind, delay=1)
    await worker.take()
    await idle(worker)
    assert await workshop.office.forget(clock.now() - 50 * NANOSECONDS) == 1
    assert await workshop.office.job(old.id) is None
    assert await database.fetch("job_steps", job_id=old.id) == []
    assert len(await database.fetch("job_steps", job_id=recent.id)) == 3
    assert [job.id for job in await workshop.office.jobs_of(recent.subject)] == [recent.id]
    assert (await workshop.job(waiting)).state is State.WAITING
    assert await workshop.office.forget(clock.now() - 50 * NANOSECONDS) == 0
    assert await database.fetch("open_jobs") == [("k", "waiting", 1, waiting.created_at)]
