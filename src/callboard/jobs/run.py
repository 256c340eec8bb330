"""What a handler has in hand while it does a job.

Owns: `Run`.

Always holds: a step that finished is not done again, by whomever the job is taken up; one that was cut off is. So a
step must bear being repeated: it writes files of its own, or overwrites what it wrote.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import ParamSpec, TypeVar

import msgspec

from callboard.clock import Clock
from callboard.jobs.attempt import Attempt, Ending
from callboard.jobs.job import Job
from callboard.jobs.journal import Journal, answer_type, encoded
from callboard.jobs.process import MOST_OUTPUT, Finished, ReadProgress, run_process
from callboard.ledger import Changes

T = TypeVar("T")
A = ParamSpec("A")


class Run:
    """One try at one job. Used by its handler only."""

    def __init__(self, attempt: Attempt, journal: Journal, clock: Clock) -> None:
        self._attempt = attempt
        self._journal = journal
        self.clock = clock

    @property
    def job(self) -> Job:
        """The job as it was last written."""
        return self._attempt.job

    async def step(self, name: str, function: Callable[A, Awaitable[T]], *args: A.args, **kwargs: A.kwargs) -> T:
        """What `function(*args)` answers; if this step finished in an earlier try, what it answered then.

        Steps are told apart by their position in the job (the first, the second, … call of this method) and their
        name, so a job asks for the same steps in the same order each time. The answer is JSON, of the type that
        `function` declares. Raises what `function` raises (nothing is journalled then), `TypeError` for an answer that
        has no JSON form or no declared type, `ValueError` for one beyond `MOST_ANSWER`.
        """
        kind = answer_type(function)
        position, output = self._journal.next(name)
        if output is None:
            if self._attempt.stopping:
                await self._attempt.stop_here(Ending.RELEASED)
            await self._still_held()
            output = encoded(name, await function(*args, **kwargs))
            rows = self._journal.rows(position, name, output, self.clock.now())
            await self._attempt.commit(Changes(rows=rows))
        answer: T = msgspec.json.decode(output, type=kind)
        return answer

    async def commit(self, changes: Changes) -> None:
        """Commit what belongs to this try while it runs; if the job has changed hands, the try ends here.

        Raises as `Ledger.commit`, but waits while the database is busy.
        """
        await self._attempt.commit(changes)

    async def _still_held(self) -> None:
        """Who has hung for longer than the lease learns here whether another has the job now: what that one has
        finished and tidied up must not be begun anew."""
        if self.clock.now() >= self.job.due_at:
            await self._attempt.commit(Changes())

    async def rest(self) -> None:
        """A place where the job may be given back: if the worker stops, the try ends here."""
        if self._attempt.stopping:
            await self._attempt.stop_here(Ending.RELEASED)

    def progress(self, share: float) -> None:
        """How much of the job is done, 0.0 to 1.0. Others see it with the next heartbeat."""
        self._attempt.progress = min(max(float(share), 0.0), 1.0)

    async def process(
        self,
        command: Sequence[str],
        *,
        deadline: float,
        progress: ReadProgress | None = None,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        niceness: int = 10,
        memory: int = 0,
        most_output: int = MOST_OUTPUT,
    ) -> Finished:
        """Run a program to its end. As `run_process`; what `progress` reads becomes the job's progress."""

        def read(line: str) -> float | None:
            assert progress is not None
            share = progress(line)
            if share is not None:
                self.progress(share)
            return share

        return await run_process(
            command,
            deadline=deadline,
            progress=None if progress is None else read,
            folder=folder,
            environment=environment,
            niceness=niceness,
            memory=memory,
            most_output=most_output,
        )
