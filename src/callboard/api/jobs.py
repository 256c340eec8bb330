"""Background work: what is waited for, what failed and why, calling it off, doing it anew.

Owns: jobs as REST shows them, and their routes. Not part of the seed platform's API.
"""

from __future__ import annotations

from typing import Annotated, Final

from litestar import Router, get, post
from litestar.params import FromPath, QueryParameter
from msgspec import UNSET, Meta, Struct, UnsetType

from callboard.api import pages
from callboard.api.deps import Deps
from callboard.api.errors import Unavailable, errors
from callboard.api.pages import Limit, Start
from callboard.errors import Invalid
from callboard.events import timestamps
from callboard.jobs import Job, State
from callboard.jobs.desk import JobDesk, Sought

TAG: Final = "Jobs"
CANCELLED: Final = "cancelled over the REST API"


class Step(Struct, frozen=True, kw_only=True):
    """A finished step: it is not done again, whoever goes on with the job."""

    name: str
    finished_at: str


class JobResponse(Struct, frozen=True, kw_only=True):
    """A piece of background work. `error` tells of the last failure, "" if there was none."""

    id: str
    kind: str
    subject: Annotated[str, Meta(description="What it is about: the id of a recording asset, a session, a replay.")]
    status: str
    progress: Annotated[float, Meta(description="0.0 to 1.0")]
    priority: int
    attempts: Annotated[int, Meta(description="Tries so far, the one at work too.")]
    lost_workers: Annotated[int, Meta(description="Tries whose worker was never heard of again.")]
    worker: Annotated[str, Meta(description='Who has it or had it last; "" if nobody.')]
    error_code: str
    error: str
    created_at: str
    started_at: str | None
    due_at: Annotated[str | None, Meta(description="When it is tried next, or its worker is given up; null: ended.")]
    deadline_at: Annotated[str, Meta(description="From then on it is not tried any more.")]
    ended_at: str | None
    steps: list[Step] | UnsetType = UNSET


class JobPage(Struct, frozen=True, kw_only=True):
    limit: int
    data: list[JobResponse]
    last: str


class JobsDoneAnew(Struct, frozen=True, kw_only=True):
    """The new jobs."""

    data: list[JobResponse]


def shown(job: Job, steps: list[tuple[str, int]] | None = None) -> JobResponse:
    """The job; with its steps unless they are None."""
    return JobResponse(
        id=job.id,
        kind=job.kind,
        subject=job.subject,
        status=str(job.state),
        progress=job.progress,
        priority=job.priority,
        attempts=job.attempt,
        lost_workers=job.losses,
        worker=job.owner,
        error_code=job.error_code,
        error=job.error,
        created_at=timestamps.stored(job.created_at),
        started_at=_instant(job.started_at),
        due_at=_instant(job.due_at),
        deadline_at=timestamps.stored(job.deadline_at),
        ended_at=_instant(job.ended_at),
        steps=UNSET if steps is None else [Step(name=one, finished_at=timestamps.stored(at)) for one, at in steps],
    )


Kind = Annotated[str, QueryParameter(description="Only those of this kind, such as `recording.composite`.")]
InState = Annotated[str, QueryParameter(description=f"Only those that are one of: {', '.join(State)}.")]
Subject = Annotated[str, QueryParameter(description="Only those about this: the id of a recording asset, say.")]


def jobs_routes(deps: Deps) -> Router:
    """The routes below `/v2/jobs`."""

    @get("/", operation_id="list_jobs", summary="List jobs", responses=errors())
    async def list_jobs(
        limit: Limit = pages.MIN_LIMIT, start: Start = "", kind: Kind = "", status: InState = "", subject: Subject = ""
    ) -> JobPage:
        """Jobs, newest first. Those that ended are kept for 30 days."""
        if status and status not in set(State):
            raise Invalid("Invalid query parameter", (f"status: must be one of {', '.join(State)}",))
        applied = pages.clamped(limit)
        found = await _desk(deps).page(applied + 1, pages.cursor(start), Sought(kind, status, subject))
        page, more = pages.cut(found, applied)
        return JobPage(limit=applied, data=[shown(one) for one in page], last=page[-1].id if more else "")

    @get("/{job_id:str}", operation_id="get_job", summary="Get a job", responses=errors(404))
    async def get_job(job_id: FromPath[str]) -> JobResponse:
        """The job, with the steps that are finished."""
        desk = _desk(deps)
        return shown(await desk.job(job_id), await desk.steps(job_id))

    @post(
        "/{job_id:str}/cancel",
        status_code=200,
        operation_id="cancel_job",
        summary="Cancel a job",
        responses=errors(404),
    )
    async def cancel_job(job_id: FromPath[str]) -> JobResponse:
        """Call off a job that has not ended. What it was to make fails, and the event of that failure is sent.

        Cancelling a job that is cancelled changes nothing.
        """
        return shown(await _desk(deps).cancel(job_id, CANCELLED))

    @post(
        "/{job_id:str}/retry",
        status_code=200,
        operation_id="retry_job",
        summary="Do a job anew",
        responses=errors(404),
    )
    async def retry_job(job_id: FromPath[str]) -> JobsDoneAnew:
        """Make a recording whose job failed or was cancelled again, from its captures, as long as they are kept.

        The recording asset is a new one; another event tells how it ended.
        """
        return JobsDoneAnew(data=[shown(one) for one in await _desk(deps).retry(job_id)])

    return Router("/jobs", route_handlers=[list_jobs, get_job, cancel_job, retry_job], tags=[TAG])


def _instant(at: int) -> str | None:
    return timestamps.stored(at) if at else None


def _desk(deps: Deps) -> JobDesk:
    if deps.jobs is None:
        raise Unavailable("this server has no jobs")
    return deps.jobs
