"""Doing jobs: steps, retries, ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest

from callboard.clock import NANOSECONDS, SystemClock
from callboard.database import Database, QueryFailed, Row, Value, open_database
from callboard.jobs import Backoff, Failure, Job, JobError, Kind, Result, Run, State, Worker, WorkerSettings
from callboard.jobs.job import stored
from callboard.ledger import Changes
from callboard.testing.jobs import ManualClock, Task, Workshop
from callboard.testing.units import session

Ended = Callable[[Worker], Worker]
Started = Callable[[Worker], Awaitable[Worker]]

PLAIN = Backoff(first=10.0, factor=2.0, most=100.0, jitter=0.0)
NEVER_POLLS = WorkerSettings(cores=4.0, poll=1_000.0)


async def idle(worker: Worker) -> None:
    async with asyncio.timeout(60):
        while worker.running:
            await asyncio.sleep(0.005)


async def go(worker: Worker) -> int:
    """Take what is due, and wait until it is over."""
    count = await worker.take()
    await idle(worker)
    return count


class Steps:
    """A handler with three steps; `fail` says what each raises, the next time it is done."""

    def __init__(self, workshop: Workshop) -> None:
        self.workshop = workshop
        self.done: list[str] = []
        self.fail: dict[str, BaseException] = {}
        self.answers: list[object] = []

    async def step(self, name: str) -> dict[str, int]:
        self.done.append(name)
        if error := self.fail.pop(name, None):
            raise error
        return {name: len(self.done)}

    async def perform(self, run: Run, payload: Task) -> Result:
        self.answers = [await run.step(name, self.step, name) for name in ("a", "b", "c")]
        return self.workshop.done(run.job)


async def test_a_job_is_done_as_soon_as_it_is_durable(live: Workshop, started: Started) -> None:
    kind = live.add(Kind("k", Task), Steps(live).perform)
    await started(live.worker(settings=NEVER_POLLS))
    for _ in range(3):
        job = await live.until(await live.enqueue(kind), State.SUCCEEDED)
        assert (job.attempt, job.progress, job.error, job.owner) == (1, 1.0, "", "worker")
        assert job.created_at <= job.started_at <= job.ended_at
        assert await live.told_of(job) == ["done"]


async def test_a_job_that_another_process_enqueued_is_found(live: Workshop, started: Started) -> None:
    kind = live.add(Kind("k", Task), Steps(live).perform)
    await started(live.worker(settings=WorkerSettings(cores=1, poll=0.05), ledger=live.new_ledger()))
    await live.until(await live.enqueue(kind), State.SUCCEEDED)


async def test_a_step_that_finished_is_not_done_again(workshop: Workshop, clock: ManualClock, ended: Ended) -> None:
    steps = Steps(workshop)
    kind = workshop.add(Kind("k", Task, backoff=PLAIN), steps.perform)
    job = await workshop.enqueue(kind)
    worker = ended(workshop.worker())
    steps.fail = {"b": OSError("the disk is full")}
    await go(worker)
    clock.advance(10)
    steps.fail = {"c": JobError("CLOUD_ACCESS_ERROR", "the bucket is closed")}
    await go(worker)
    clock.advance(20)
    await go(worker)
    assert steps.done == ["a", "b", "b", "c", "c"]
    assert steps.answers == [{"a": 1}, {"b": 3}, {"c": 5}]
    assert (await workshop.job(job)).state is State.SUCCEEDED
    assert await workshop.told_of(job) == ["done"]


async def test_a_try_that_failed_is_put_off_longer_each_time_and_says_why(
    workshop: Workshop, clock: ManualClock, ended: Ended
) -> None:
    steps = Steps(workshop)
    job = await workshop.enqueue(workshop.add(Kind("k", Task, backoff=PLAIN), steps.perform))
    worker = ended(workshop.worker())
    for attempt, delay in enumerate((10, 20, 40, 80, 100, 100), start=1):
        steps.fail = {"a": JobError("CODE", "it rains")}
        assert await go(worker) == 1
        found = await workshop.job(job)
        assert (found.state, found.attempt, found.owner) == (State.WAITING, attempt, "")
        assert (found.error_code, found.error) == ("CODE", "it rains")
        assert found.due_at == clock.now() + delay * NANOSECONDS
        clock.advance(delay - 1)
        assert await go(worker) == 0
        clock.advance(1)
    await go(worker)
    done = await workshop.job(job)
    assert (done.state, done.error_code, done.error) == (State.SUCCEEDED, "", "")


async def test_an_error_that_is_final_ends_the_job(workshop: Workshop, ended: Ended) -> None:
    steps = Steps(workshop)
    job = await workshop.enqueue(workshop.add(Kind("k", Task), steps.perform))
    steps.fail = {"b": JobError("INPUT_ERROR", "no such file", final=True)}
    await go(ended(workshop.worker()))
    found = await workshop.job(job)
    assert (found.state, found.error_code, found.error) == (State.FAILED, "INPUT_ERROR", "no such file")
    assert await workshop.told_of(job) == ["final"]


async def test_a_job_is_given_up_after_so_many_tries(workshop: Workshop, clock: ManualClock, ended: Ended) -> None:
    steps = Steps(workshop)
    kind = workshop.add(Kind("k", Task, backoff=PLAIN, most_attempts=2), steps.perform)
    job = await workshop.enqueue(kind)
    worker = ended(workshop.worker())
    for _ in range(2):
        steps.fail = {"a": LookupError("where is it?")}
        await go(worker)
        clock.advance(100)
    found = await workshop.job(job)
    assert (found.state, found.error) == (State.FAILED, "LookupError: where is it?")
    assert await workshop.told_of(job) == ["attempts"]
    assert await go(worker) == 0


async def test_a_job_that_nobody_took_before_its_deadline_is_given_up(
    workshop: Workshop, clock: ManualClock, ended: Ended
) -> None:
    steps = Steps(workshop)
    job = await workshop.enqueue(workshop.add(Kind("k", Task, give_up_after=60), steps.perform), delay=30)
    clock.advance(90)
    await go(ended(workshop.worker()))
    assert (await workshop.job(job)).state is State.FAILED
    assert await workshop.told_of(job) == ["deadline"]
    assert steps.done == []


async def test_a_job_that_keeps_failing_is_given_up_at_its_deadline_with_its_last_error(
    workshop: Workshop, clock: ManualClock, ended: Ended
) -> None:
    failures: list[Failure] = []
    steps = Steps(workshop)

    async def give_up(job: Job, failure: Failure) -> Changes:
        failures.append(failure)
        return workshop.told(job, failure.cause)

    kind = Kind("k", Task, backoff=PLAIN, give_up_after=25)
    workshop.handlers.add(kind, steps.perform, give_up)
    job = await workshop.enqueue(kind)
    worker = ended(workshop.worker())
    for wait in (10, 15):
        steps.fail = {"a": JobError("CLOUD_ACCESS_ERROR", "closed")}
        await go(worker)
        clock.advance(wait)
    await go(worker)
    assert await workshop.told_of(job) == ["deadline"]
    assert failures == [Failure(failures[0].cause, "CLOUD_ACCESS_ERROR", "closed")]


async def test_a_job_that_runs_at_its_deadline_is_cut_off(workshop: Workshop, clock: ManualClock, ended: Ended) -> None:
    begun, cut_off = asyncio.Event(), asyncio.Event()

    async def perform(run: Run, payload: Task) -> Result:
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            cut_off.set()
        raise AssertionError

    job = await workshop.enqueue(workshop.add(Kind("k", Task, give_up_after=60), perform))
    worker = ended(workshop.worker())
    await worker.take()
    await begun.wait()
    clock.advance(59)
    await worker.beat()
    assert worker.running
    clock.advance(1)
    await worker.beat()
    await idle(worker)
    assert cut_off.is_set()
    assert (await workshop.job(job)).state is State.FAILED
    assert await workshop.told_of(job) == ["deadline"]


async def test_a_busy_database_makes_work_late_and_loses_none(database: Database, database_url: str) -> None:
    narrow = open_database(database_url, most_waiting=2)
    await narrow.open()
    outside, inside = Workshop(database, SystemClock()), Workshop(narrow, SystemClock())
    kind = outside.add(Kind("k", Task, weight=0.0, concurrency=20), Steps(inside).perform)
    inside.handlers = outside.handlers
    jobs = [await outside.enqueue(kind) for _ in range(20)]
    worker = inside.worker()
    await go(worker)
    assert [await outside.told_of(job) for job in jobs] == [["done"]] * 20
    await worker.stop()
    await narrow.close()


async def test_a_query_that_fails_is_asked_again(
    live: Workshop, started: Started, caplog: pytest.LogCaptureFixture
) -> None:
    class Unsteady:
        """The database, but the first queries fail."""

        left = 3

        async def fetch(self, query: str, /, **parameters: Value) -> list[Row]:
            if self.left:
                self.left -= 1
                raise QueryFailed("by the test")
            return await live.database.fetch(query, **parameters)

    kind = live.add(Kind("k", Task), Steps(live).perform)
    job = await live.enqueue(kind)
    settings = WorkerSettings(cores=1, poll=0.02)
    await started(live.worker(database=Unsteady(), ledger=live.ledger, settings=settings))  # type: ignore[arg-type]
    await live.until(job, State.SUCCEEDED)
    assert caplog.text.count("jobs cannot be looked for now: by the test") == 3


async def test_rows_of_the_result_are_committed_with_the_end(workshop: Workshop, ended: Ended) -> None:
    async def perform(run: Run, payload: Task) -> Result:
        return Result(Changes(rows=(session("s"),)) + workshop.told(run.job, "done"))

    job = await workshop.enqueue(workshop.add(Kind("k", Task), perform))
    await go(ended(workshop.worker()))
    assert [row[0] for row in await workshop.database.fetch("open_sessions")] == ["s"]
    assert await workshop.told_of(job) == ["done"]


async def test_progress_is_seen_with_the_next_heartbeat(workshop: Workshop, ended: Ended) -> None:
    reported, finish = asyncio.Event(), asyncio.Event()

    async def perform(run: Run, payload: Task) -> Result:
        run.progress(0.4)
        reported.set()
        await finish.wait()
        return workshop.done(run.job)

    job = await workshop.enqueue(workshop.add(Kind("k", Task), perform))
    worker = ended(workshop.worker())
    await worker.take()
    await reported.wait()
    await worker.beat()
    found = await workshop.job(job)
    assert (found.state, found.progress, found.owner, found.fence) == (State.RUNNING, 0.4, "worker", 1)
    finish.set()
    await idle(worker)
    assert (await workshop.job(job)).progress == 1.0


async def test_a_handler_without_a_result_has_failed(workshop: Workshop, clock: ManualClock, ended: Ended) -> None:
    async def perform(run: Run, payload: Task) -> Result:
        return None  # type: ignore[return-value]  # as a careless handler might

    job = await workshop.enqueue(workshop.add(Kind("k", Task, backoff=PLAIN), perform))
    await go(ended(workshop.worker()))
    assert (await workshop.job(job)).error == "TypeError: the handler of k answered NoneType, not Result"
    assert await workshop.told_of(job) == []


async def test_a_handler_that_cancels_itself_has_failed(workshop: Workshop, ended: Ended) -> None:
    async def perform(run: Run, payload: Task) -> Result:
        raise asyncio.CancelledError

    job = await workshop.enqueue(workshop.add(Kind("k", Task, backoff=PLAIN), perform))
    await go(ended(workshop.worker()))
    found = await workshop.job(job)
    assert (found.state, found.attempt) == (State.WAITING, 1)
    assert found.error.startswith("CancelledError")


async def test_a_result_that_cannot_be_stored_is_tried_again(
    workshop: Workshop, clock: ManualClock, ended: Ended, caplog: pytest.LogCaptureFixture
) -> None:
    bad = [True]

    async def perform(run: Run, payload: Task) -> Result:
        return Result(Changes(rows=(session("a\0b" if bad.pop() else "ab"),)) + workshop.told(run.job, "done"))

    job = await workshop.enqueue(workshop.add(Kind("k", Task, backoff=PLAIN), perform))
    worker = ended(workshop.worker())
    with caplog.at_level(logging.ERROR, "callboard.jobs"):
        await go(worker)
    assert "its end could not be written" in caplog.text
    assert (await workshop.job(job)).error == "ValueError: session.id: text must not contain U+0000"
    assert await workshop.told_of(job) == []
    bad.append(False)
    clock.advance(10)
    await go(worker)
    assert await workshop.told_of(job) == ["done"]


async def test_a_job_that_cannot_be_given_up_is_not_forgotten_and_not_tried_on_and_on(
    workshop: Workshop, clock: ManualClock, ended: Ended
) -> None:
    broken = [True]

    async def perform(run: Run, payload: Task) -> Result:
        raise AssertionError("it is too late for that")

    async def give_up(job: Job, failure: Failure) -> Changes:
        if broken:
            broken.pop()
            raise LookupError("no such recording")
        return workshop.told(job, failure.cause)

    kind = Kind("k", Task, backoff=PLAIN, give_up_after=60)
    workshop.handlers.add(kind, perform, give_up)
    job = await workshop.enqueue(kind)
    clock.advance(60)
    worker = ended(workshop.worker())
    await go(worker)
    found = await workshop.job(job)
    assert (found.state, found.error) == (State.WAITING, "LookupError: no such recording")
    assert await go(worker) == 0
    clock.advance(10)
    await go(worker)
    assert await workshop.told_of(job) == ["deadline"]


async def test_a_payload_that_cannot_be_read_ends_the_job(workshop: Workshop, ended: Ended) -> None:
    steps = Steps(workshop)
    kind = workshop.add(Kind("k", Task), steps.perform)
    job = (await workshop.enqueue(kind))._replace(payload=b'{"word":1}', fence=0)
    await workshop.ledger.commit(Changes(rows=(stored(job),)))
    await go(ended(workshop.worker()))
    found = await workshop.job(job)
    assert found.state is State.FAILED
    assert "payload cannot be read" in found.error
    assert await workshop.told_of(job) == ["final"]


async def test_each_try_is_counted_once_by_how_it_ended(workshop: Workshop, clock: ManualClock) -> None:
    steps = Steps(workshop)
    kind = workshop.add(Kind("k", Task, backoff=PLAIN), steps.perform)
    begun = asyncio.Event()

    async def endless(run: Run, payload: Task) -> Result:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    long = workshop.add(Kind("long", Task), endless)
    worker = workshop.worker(settings=WorkerSettings(cores=4.0, grace=0.01))
    job = await workshop.enqueue(kind)
    steps.fail = {"b": OSError("the disk is full")}
    await go(worker)
    clock.advance(10)
    await go(worker)
    await workshop.enqueue(kind)
    steps.fail = {"a": JobError("INPUT_ERROR", "no such file", final=True)}
    await go(worker)
    assert worker.tally.tries == {("k", "retried"): 1, ("k", "done"): 1, ("k", "failed"): 1}
    assert (await workshop.job(job)).attempt == 2
    called_off = await workshop.enqueue(long)
    await worker.take()
    await begun.wait()
    assert [job.kind for job in worker.running] == ["long"]
    assert worker.tally.renewals == 0
    clock.advance(3)
    await worker.beat()
    assert worker.tally.renewals == 1
    assert worker.tally.beat_at == clock.now()
    await workshop.office.cancel(called_off.id, "not wanted")
    await idle(worker)
    begun.clear()
    await workshop.enqueue(long)
    await worker.take()
    await begun.wait()
    assert worker.tally.looked_at == clock.now()
    await worker.stop()
    assert worker.tally.tries == {
        **{("k", "retried"): 1, ("k", "done"): 1, ("k", "failed"): 1},
        **{("long", "lost"): 1, ("long", "released"): 1},
    }


async def test_a_worker_is_alive_while_the_database_answers_it_and_until_it_stops(
    workshop: Workshop, clock: ManualClock
) -> None:
    workshop.add(Kind("k", Task), Steps(workshop).perform)
    worker = workshop.worker(settings=WorkerSettings(cores=1, lease=10.0))
    assert not worker.alive()
    await worker.take()
    await worker.beat()
    assert worker.alive()
    clock.advance(8)
    await worker.take()
    assert worker.alive()
    clock.advance(3)
    assert not worker.alive()  # it looks for jobs, and keeps none that it has
    await worker.beat()
    assert worker.alive()
    await worker.stop()
    assert not worker.alive()
