"""Jobs as a backend asks for them: lists, one with its finished steps, calling one off, doing one anew.

Owns: `JobDesk`.

Always holds: what is shown is durable. A job that is called off ends as its kind says, with its one terminal event. A
job is done anew by new jobs: the failed one, and what was told of it, stays as it was.
"""

from __future__ import annotations

from dataclasses import dataclass

from callboard.database import Database, GuardFailed, Put
from callboard.database.tables import JOB
from callboard.errors import Conflict, NotFound
from callboard.jobs.attempt import commit
from callboard.jobs.job import Job, State, fenced, job_of, repeated, stored
from callboard.jobs.kinds import Handler, Handlers
from callboard.jobs.office import Office
from callboard.ledger import Changes, Ledger


@dataclass(frozen=True, slots=True)
class Sought:
    """Which ones a list has; "" is all."""

    kind: str = ""
    state: str = ""
    subject: str = ""


class JobDesk:
    """See the module. All raise as `Database.fetch`, and those that change something as `Ledger.commit`."""

    def __init__(self, database: Database, ledger: Ledger, handlers: Handlers, office: Office) -> None:
        self._database = database
        self._ledger = ledger
        self._handlers = handlers
        self._office = office

    async def page(self, limit: int, start: str, sought: Sought) -> list[Job]:
        """Newest first, below the id `start`."""
        common: dict[str, str | int] = {"start": start, "limit": limit, "kind": sought.kind, "state": sought.state}
        if sought.subject:
            rows = await self._database.fetch("job_page_of_subject", subject=sought.subject, **common)
        else:
            rows = await self._database.fetch("job_page", **common)
        return [job_of(row) for row in rows]

    async def job(self, job_id: str) -> Job:
        """Raises `NotFound`."""
        found = await self._office.job(job_id)
        if found is None:
            raise NotFound("job not found", ("ended jobs are forgotten after 30 days",))
        return found

    async def steps(self, job_id: str) -> list[tuple[str, int]]:
        """Its finished steps and when each finished, in their order."""
        rows = await self._database.fetch("job_steps", job_id=job_id)
        return [(str(name), int(str(at))) for _, name, _, at in rows]

    async def cancel(self, job_id: str, message: str) -> Job:
        """Call it off; return it as it has ended. Raises `NotFound`, and `Conflict` when that cannot be."""
        job = await self.job(job_id)
        if self._handler(job).kind.upkeep:
            raise Conflict("the job cannot be cancelled", (f"{job.kind} tidies up after other jobs",))
        if not job.ended_at:
            job = await self._office.cancel(job_id, message) or job
        if job.state is not State.CANCELLED:
            raise Conflict("the job has ended", (f"the job has {job.state}",))
        return job

    async def retry(self, job_id: str) -> list[Job]:
        """Do a failed or cancelled job's work anew; return the new jobs. Raises `NotFound`, `Conflict`."""
        job = await self.job(job_id)
        again = self._handler(job).again
        if job.state not in {State.FAILED, State.CANCELLED}:
            raise Conflict("only a failed or cancelled job is done anew", (f"the job is {job.state}",))
        if again is None:
            raise Conflict("the job cannot be done anew", (f"jobs of the kind {job.kind} are not",))
        changes = await again(job)
        try:
            await commit(self._ledger, changes + Changes(rows=(stored(repeated(job)),), guards=(fenced(job),)))
        except GuardFailed:
            raise Conflict("somebody else has just asked for the same") from None
        new = [row.row[0] for row in changes.rows if isinstance(row, Put) and row.table is JOB]
        return [await self.job(str(one)) for one in new]

    def _handler(self, job: Job) -> Handler:
        if job.kind not in self._handlers:
            raise Conflict("this server does no such jobs", (f"its kind is {job.kind}",))
        return self._handlers[job.kind]
