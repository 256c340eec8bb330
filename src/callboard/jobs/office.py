"""Jobs as seen from outside: looking them up, calling them off, forgetting the old ones.

Owns: `Office`.

Always holds: a job is called off by taking it over. The commit that ends it has the next fence, so from then on
nothing that its worker still does has any effect; the worker lets go of it at once if it is in this process, with its
next heartbeat if it is in another.
"""

from __future__ import annotations

from contextlib import suppress

from callboard.clock import Clock
from callboard.database import Database, Delete, Guard, GuardFailed
from callboard.database.tables import JOB, JOB_STEP
from callboard.jobs.attempt import commit
from callboard.jobs.job import Job, cancelled, fenced, job_of, stored
from callboard.jobs.kinds import Cause, Failure, Handlers
from callboard.ledger import Changes, Ledger

_MOST_FORGOTTEN = 500
"""Jobs forgotten at a time, at most."""


class Office:
    """See the module. Used on the event loop's thread only."""

    def __init__(self, database: Database, ledger: Ledger, handlers: Handlers, clock: Clock) -> None:
        self._database = database
        self._ledger = ledger
        self._handlers = handlers
        self._clock = clock

    async def job(self, job_id: str) -> Job | None:
        """The job with this id. Raises as `Database.fetch`."""
        rows = await self._database.fetch("job_by_id", id=job_id)
        return job_of(rows[0]) if rows else None

    async def jobs_of(self, subject: str) -> list[Job]:
        """All jobs about a subject that are not forgotten, the oldest first. Raises as `Database.fetch`."""
        return [job_of(row) for row in await self._database.fetch("jobs_of_subject", subject=subject)]

    async def cancel(self, job_id: str, message: str) -> Job | None:
        """Call a job off; return it as it has ended (by this, or before), None if there is no such job.

        Its handler's `give_up` says what is committed with its end; `message` says who wanted it. Raises `KeyError`
        for a kind without a handler here, and as `Database.fetch` and `Ledger.commit`.
        """
        while (job := await self.job(job_id)) is not None and not job.ended_at:
            changes = await self._handlers[job.kind].give_up(job, Failure(Cause.CANCELLED, "", message))
            ended = cancelled(job, self._clock.now(), message)
            try:
                await commit(self._ledger, changes + Changes(rows=(stored(ended),), guards=(fenced(job),)))
            except GuardFailed:
                continue  # it has changed hands meanwhile: look at it again
            return ended
        return job

    async def forget(self, before: int) -> int:
        """Delete jobs that ended before that instant, with their journals, the oldest first. Returns how many."""
        rows = await self._database.fetch("jobs_ended_before", before=before, limit=_MOST_FORGOTTEN)
        for job_id, fence in rows:
            steps = await self._database.fetch("job_steps", job_id=job_id)
            gone = [Delete(JOB_STEP, (job_id, position)) for position, *_ in steps]
            unchanged = Guard(JOB, (job_id,), "fence", fence)
            with suppress(GuardFailed):  # another process has just forgotten it
                await commit(self._ledger, Changes(rows=(*gone, Delete(JOB, (job_id,))), guards=(unchanged,)))
        return len(rows)
