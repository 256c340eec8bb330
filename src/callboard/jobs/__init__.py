"""Durable background work: leased, journalled, fenced.

Owns: the tables `job` and `job_step`. Touches `ledger` and `database`.

Always holds: a job is enqueued in the commit of the change that needs it (`job_row` is a row like any other), and it
ends once: its end, the rows it changes and the event that tells of it are one commit (DESIGN §1.1). A step that
finished is not done again, whoever goes on with the job. Whoever has lost a job can change nothing any more.

How that is made to hold. Every write to an existing job, and every step of its journal, is a unit with a guard: "the
job's fence is still what it was when I got it". The writer judges guards inside the transaction, in the order of the
units, against what the units before have left (`database/guards.py`), so group commit stays: a unit that is refused
is left out, its neighbours are written. The other way would have been to write attempts as rows of their own, keyed by
job and fence, and let readers take the highest; but the end of a job carries events and other rooms' rows, for which
there is no such key, so two workers could have told of two ends. PostgreSQL locks the guarded rows and reads them in
two statements, as one that did both would read from before its lock (perf: 6,340 of 40,000 claimed twice).

Use: a `Kind` (a constant) names its payload type and how its jobs are treated; `Handlers.add(kind, perform, give_up)`
says who does them; `Changes(rows=(job_row(KIND, payload, now=…, ids=…), …))` enqueues one; a `Worker` does them;
`Office` looks them up and calls them off.
"""

from callboard.jobs.job import Job, State
from callboard.jobs.kinds import Backoff, Cause, Failure, Handlers, JobError, Kind, Result, job_row, new_job
from callboard.jobs.office import Office
from callboard.jobs.process import Finished, ProcessFailed, ProcessTimeout, TooMuchOutput
from callboard.jobs.run import Run
from callboard.jobs.worker import Worker, WorkerSettings

__all__ = [
    "Backoff",
    "Cause",
    "Failure",
    "Finished",
    "Handlers",
    "Job",
    "JobError",
    "Kind",
    "Office",
    "ProcessFailed",
    "ProcessTimeout",
    "Result",
    "Run",
    "State",
    "TooMuchOutput",
    "Worker",
    "WorkerSettings",
    "job_row",
    "new_job",
]
