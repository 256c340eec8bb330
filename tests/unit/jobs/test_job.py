"""The transitions of a job, as data."""

from __future__ import annotations

from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard.clock import NANOSECONDS, RandomIds
from callboard.jobs import Handlers, Kind, State, job_row, new_job
from callboard.jobs.job import (
    Job,
    cancelled,
    claimed,
    failed,
    job_of,
    put_off,
    released,
    renewed,
    stored,
    succeeded,
)
from callboard.jobs.kinds import MOST_PAYLOAD, Backoff, Failure
from callboard.jobs.verdict import Again, failed_try
from callboard.ledger import Changes
from callboard.testing.jobs import Task

KIND = Kind("compose", Task, priority=3, give_up_after=100.0)
NOW = 1_700_000_000 * NANOSECONDS


def fresh(**fields: object) -> Job:
    return new_job(KIND, Task("x"), now=NOW, ids=RandomIds(1))._replace(**fields)  # type: ignore[arg-type]


def test_a_new_job_waits_and_is_due_after_its_delay() -> None:
    job = new_job(KIND, Task("x"), now=NOW, ids=RandomIds(1), subject="s", delay=5)
    assert (job.state, job.due_at, job.deadline_at) == (State.WAITING, NOW + 5 * NANOSECONDS, NOW + 105 * NANOSECONDS)
    assert (job.kind, job.subject, job.priority, job.fence, job.attempt) == ("compose", "s", 3, 0, 0)
    assert KIND.payload_of(job) == Task("x")


def test_a_row_enqueues_the_job_it_holds() -> None:
    put = job_row(KIND, Task("x"), now=NOW, ids=RandomIds(1), priority=9)
    assert job_of(put.row) == new_job(KIND, Task("x"), now=NOW, ids=RandomIds(1), priority=9)


def test_a_payload_that_is_too_large_is_refused() -> None:
    with pytest.raises(ValueError, match="the payload of a compose job has 65547 bytes, 65536 are allowed"):
        job_row(KIND, Task("x" * MOST_PAYLOAD), now=NOW, ids=RandomIds(1))


def test_the_fence_grows_whenever_the_job_changes_hands_and_only_then() -> None:
    job = claimed(fresh(), "w1", NOW, 10)
    assert job.fence == 1
    assert renewed(job, NOW, 10, 0.5).fence == 1
    for after in (
        claimed(job, "w2", NOW, 10),
        released(job, NOW),
        put_off(job, NOW, 1, "", ""),
        succeeded(job, NOW),
        failed(job, NOW, "", ""),
        cancelled(job, NOW, ""),
    ):
        assert after.fence == 2


def test_a_job_taken_from_one_that_was_lost_counts_the_loss() -> None:
    first = claimed(fresh(), "w1", NOW, 10)
    second = claimed(first, "w2", NOW + 11, 10)
    assert (first.attempt, first.losses, first.started_at) == (1, 0, NOW)
    assert (second.attempt, second.losses, second.started_at, second.owner) == (2, 1, NOW, "w2")
    assert second.error == "worker w1 was lost"


def test_tries_whose_workers_were_lost_say_nothing_about_the_job() -> None:
    """Eight workers that were killed, and then one failure, are no eight failures."""
    kind = Kind("compose", Task, most_attempts=2, most_losses=0)
    job = fresh()
    for _ in range(9):
        job = claimed(job, "a", NOW, 10)
    assert (job.attempt, job.losses, job.tries) == (9, 8, 1)
    assert isinstance(failed_try(job, kind, NOW, Random(1), OSError()), Again)
    job = claimed(put_off(job, NOW, 1, "", ""), "a", NOW, 10)
    assert isinstance(failed_try(job, kind, NOW, Random(1), OSError()), Failure)


def test_a_try_that_was_given_back_does_not_count() -> None:
    back = released(claimed(fresh(), "w1", NOW, 10), NOW + 3)
    assert (back.attempt, back.losses, back.due_at, back.state, back.owner) == (0, 0, NOW + 3, State.WAITING, "")


def test_a_job_that_is_put_off_is_looked_at_again_no_later_than_at_its_deadline() -> None:
    job = claimed(fresh(), "w1", NOW, 10)
    assert put_off(job, NOW, 50, "C", "m").due_at == NOW + 50 * NANOSECONDS
    assert put_off(job, NOW, 500, "C", "m").due_at == job.deadline_at
    late = job.deadline_at + 7
    assert put_off(job, late, 5, "C", "m").due_at == late + 5 * NANOSECONDS, "what cannot be given up now waits, too"


def test_a_long_error_is_cut() -> None:
    assert len(put_off(fresh(), NOW, 1, "C", "x" * 9_999).error) == 2_000


@given(st.sampled_from(State), st.integers(0, 9))
def test_a_job_comes_back_from_its_row_as_it_was(state: State, fence: int) -> None:
    job = fresh(state=state, fence=fence)
    row = tuple(str(cell) if isinstance(cell, State) else cell for cell in stored(job).row)
    assert job_of(row) == job
    assert type(job_of(row).state) is State


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_delays_grow_up_to_their_most_and_stay_within_the_jitter(attempt: int, dice: float) -> None:
    class Dice:
        def random(self) -> float:
            return dice

    backoff = Backoff(first=2, factor=2, most=600, jitter=0.2)
    expected = min(600.0, 2.0 * 2.0 ** min(attempt - 1, 20))
    delay = backoff.delay(attempt, Dice())  # type: ignore[arg-type]  # all that is asked of it
    assert expected * 0.8 - 1e-9 <= delay <= expected * 1.2 + 1e-9


def test_a_kind_has_one_handler_and_could_run() -> None:
    handlers = Handlers()

    async def perform(*_: object) -> object:
        raise AssertionError

    async def give_up(*_: object) -> Changes:
        raise AssertionError

    handlers.add(KIND, perform, give_up)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="a handler for compose already"):
        handlers.add(KIND, perform, give_up)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="concurrency is at least 1"):
        handlers.add(Kind("never", Task, concurrency=0), perform, give_up)  # type: ignore[arg-type]
    assert list(handlers) == ["compose"]


def test_a_payload_of_another_version_is_an_error_with_its_place() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"Expected `str`, got `int` - at `\$.word`"):
        KIND.payload_of(fresh(payload=b'{"word":1}'))
