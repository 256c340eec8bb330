"""From a claimed job to what is written of it.

Owns: `Conductor`: one try at one job, from its claim to its end.

Always holds: the end of a job, its changes and its terminal event are one commit under the try's fence. So there is
exactly one terminal event, whoever else thought to have the job.
"""

from __future__ import annotations

import asyncio
import logging
from random import Random

import msgspec

from callboard.clock import Clock
from callboard.database import Database, DatabaseStopped, GuardFailed
from callboard.jobs import verdict
from callboard.jobs.attempt import Attempt, commit
from callboard.jobs.job import failed, put_off, released, stored, succeeded
from callboard.jobs.journal import Journal
from callboard.jobs.kinds import Failure, Handler, Handlers, JobError, Result
from callboard.jobs.run import Run
from callboard.jobs.tally import Outcome, Tally, outcome_of
from callboard.jobs.verdict import Again, Lost, Release, Verdict
from callboard.ledger import Changes, Ledger

_CANCEL_SECONDS = 10.0

log = logging.getLogger("callboard.jobs")


class Conductor:
    """Conducts tries, any number at the same time."""

    def __init__(
        self, database: Database, ledger: Ledger, handlers: Handlers, clock: Clock, random: Random, tally: Tally
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._handlers = handlers
        self._clock = clock
        self._random = random
        self._tally = tally

    async def conduct(self, attempt: Attempt) -> None:
        """Do the job, or give it up, and write what became of it. Raises `DatabaseStopped`."""
        handler = self._handlers[attempt.job.kind]
        reached: Verdict | None = verdict.before(attempt.job, handler.kind, self._clock.now())
        if reached is None:
            outcome = await self._outcome(attempt, handler)
            now = self._clock.now()
            reached = verdict.after(attempt.job, handler.kind, now, self._random, outcome, attempt.ending)
        attempt.settled = True
        try:
            await self._write(attempt, handler, reached)
        except GuardFailed:
            log.info("job %s (%s) went on in other hands", attempt.job.id, attempt.job.kind)
            self._tally.tries[attempt.job.kind, Outcome.LOST] += 1

    async def _outcome(self, attempt: Attempt, handler: Handler) -> Result | BaseException:
        work = asyncio.create_task(self._work(attempt, handler))
        attempt.begin(work)
        try:
            await asyncio.wait({work})
        finally:
            if not work.done():
                work.cancel()
                await asyncio.wait({work}, timeout=_CANCEL_SECONDS)
        error = asyncio.CancelledError("cancelled by itself") if work.cancelled() else work.exception()
        if error is None:
            return work.result()
        if attempt.ending is None:
            log.warning("job %s (%s): try %d failed", *attempt.job[:2], attempt.job.attempt, exc_info=error)
        return error

    async def _work(self, attempt: Attempt, handler: Handler) -> Result:
        job = attempt.job
        try:
            payload = handler.kind.payload_of(job)
        except msgspec.MsgspecError as error:
            raise JobError("", f"the payload cannot be read: {error}", final=True) from error
        # A job that nobody held before has no journal.
        rows = await self._database.fetch("job_steps", job_id=job.id) if job.fence > 1 else []
        result = await handler.perform(Run(attempt, Journal(job.id, rows), self._clock), payload)
        if not isinstance(result, Result):
            raise TypeError(f"the handler of {job.kind} answered {type(result).__name__}, not Result")
        return result

    async def _write(self, attempt: Attempt, handler: Handler, reached: Verdict) -> None:
        """Raises `GuardFailed`, `DatabaseStopped`."""
        try:
            await self._commit(attempt, handler, reached)
        except (GuardFailed, DatabaseStopped):
            raise
        except Exception as error:  # what the handler answered cannot be stored, or it failed to give the job up
            log.exception("job %s (%s): its end could not be written", *attempt.job[:2])
            delay = handler.kind.backoff.delay(attempt.job.tries, self._random)
            await self._commit(attempt, handler, Again(delay, *verdict.told(error)))

    async def _commit(self, attempt: Attempt, handler: Handler, reached: Verdict) -> None:
        changes = Changes()
        if isinstance(reached, Failure):
            log.warning("job %s (%s) is given up: %s %s", *attempt.job[:2], reached.cause, reached.message)
            changes = await handler.give_up(attempt.job, reached)
        job, now = attempt.job, self._clock.now()
        match reached:
            case Result(changes=done):
                after, changes = succeeded(job, now), done
            case Failure(code=code, message=message):
                after = failed(job, now, code, message)
            case Again(delay=delay, code=code, message=message):
                after = put_off(job, now, delay, code, message)
            case Release():
                after = released(job, now)
            case Lost():
                raise GuardFailed("the job has changed hands")
        await commit(self._ledger, changes + Changes(rows=(stored(after),)) + attempt.guard)
        self._tally.tries[job.kind, outcome_of(reached)] += 1
