"""A job as data, and what can become of it. Pure.

Owns: `Job`, its states, the transitions between them, and the rows they are stored as.

Always holds: `fence` grows whenever the job changes hands (it is claimed, given back, put off, ended), so whoever read
a fence can tell by it alone whether the job is still as it was: every write to an existing job is guarded by it
(`fenced`). An ended job never changes again, but that its fence grows when its work is done anew (`repeated`). Whoever
holds a running job holds it until `due_at`, its lease's end.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from callboard.clock import NANOSECONDS
from callboard.database import Guard, Put, Row
from callboard.database.tables import JOB

MOST_ERROR = 2_000
"""Characters of an error that are kept."""


class State(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Job(NamedTuple):
    """One piece of background work. The fields are the columns of the table `job`, in their order.

    `subject` is what it is about (a recording's id, say), to find it by. `payload` is JSON, of the kind's type.
    Jobs of higher `priority` go first. From `deadline_at` on it is not tried any more. `due_at`: a waiting job is to
    be taken from then on, a running one when nobody has renewed its lease until then; both alike are "due".
    `attempt` counts the tries (1 is the first; one that was given back does not count), `losses` those whose worker
    was never heard of again. `progress` is 0.0 to 1.0. `error_code` and `error` tell of the last failure, '' if there
    was none. `owner` is the worker that has it or, when it has ended, had it. `started_at` is the first try's start;
    it and `ended_at` are 0 before that. Instants are nanoseconds since the epoch (UTC).
    """

    id: str
    kind: str
    subject: str
    payload: bytes
    priority: int
    created_at: int
    deadline_at: int
    state: State
    due_at: int
    fence: int
    owner: str
    attempt: int
    losses: int
    progress: float
    error_code: str
    error: str
    started_at: int
    ended_at: int

    @property
    def tries(self) -> int:
        """Those that came to an end, and the present one: a worker that was killed says nothing about the job."""
        return self.attempt - self.losses


def job_of(row: Row) -> Job:
    """The job in a row of the table."""
    job = Job(*row)  # type: ignore[arg-type]  # the schema's types, which the database's tests check
    return job._replace(state=State(job.state))


def stored(job: Job) -> Put:
    """The row that the job is stored as."""
    return Put(JOB, job)


def fenced(job: Job) -> Guard:
    """Holds as long as `job` has not changed hands."""
    return Guard(JOB, (job.id,), "fence", job.fence)


def claimed(job: Job, owner: str, now: int, lease: float) -> Job:
    """A due job in the hands of `owner`, for `lease` seconds."""
    lost = job.state is State.RUNNING
    return job._replace(
        state=State.RUNNING,
        owner=owner,
        due_at=now + int(lease * NANOSECONDS),
        fence=job.fence + 1,
        attempt=job.attempt + 1,
        losses=job.losses + lost,
        error_code="" if lost else job.error_code,
        error=f"worker {job.owner} was lost" if lost else job.error,
        started_at=job.started_at or now,
    )


def renewed(job: Job, now: int, lease: float, progress: float) -> Job:
    """A running job, in the same hands for another `lease` seconds from now."""
    return job._replace(due_at=now + int(lease * NANOSECONDS), progress=progress)


def released(job: Job, now: int) -> Job:
    """A running job given back unfinished by a worker that stops: anybody may take it at once."""
    return job._replace(state=State.WAITING, owner="", due_at=now, fence=job.fence + 1, attempt=job.attempt - 1)


def put_off(job: Job, now: int, delay: float, error_code: str, error: str) -> Job:
    """A running job whose try failed, to be looked at again after `delay` seconds, or when its deadline comes."""
    due_at = now + int(delay * NANOSECONDS)
    return job._replace(
        state=State.WAITING,
        owner="",
        due_at=min(due_at, job.deadline_at) if now < job.deadline_at else due_at,
        fence=job.fence + 1,
        error_code=error_code,
        error=error[:MOST_ERROR],
    )


def succeeded(job: Job, now: int) -> Job:
    """A job that is done."""
    return _ended(job, now, State.SUCCEEDED)._replace(progress=1.0, error_code="", error="")


def failed(job: Job, now: int, error_code: str, error: str) -> Job:
    """A job that will not be done."""
    return _ended(job, now, State.FAILED)._replace(error_code=error_code, error=error[:MOST_ERROR])


def cancelled(job: Job, now: int, error: str) -> Job:
    """A job that is not wanted any more."""
    return _ended(job, now, State.CANCELLED)._replace(error_code="", error=error[:MOST_ERROR])


def repeated(job: Job) -> Job:
    """An ended job whose work new jobs do: of two who want that at the same time one has its way."""
    return job._replace(fence=job.fence + 1)


def _ended(job: Job, now: int, state: State) -> Job:
    return job._replace(state=state, due_at=0, fence=job.fence + 1, ended_at=now)
