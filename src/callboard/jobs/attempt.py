"""One try at a job by this worker: what it holds, and how it is told to end.

Owns: `Attempt`, `Ending`, `commit`.

Always holds: what a try commits is committed under its fence or not at all. Once it is known that the job has changed
hands nothing of this try goes on: whoever asks it to commit waits until he is cancelled.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from callboard.database import DatabaseBusy, GuardFailed
from callboard.jobs.job import Job, fenced
from callboard.ledger import Changes, Ledger, Recorded

BUSY_SECONDS = 0.1
"""Until a commit that the database was too busy to take is offered again."""

log = logging.getLogger("callboard.jobs")


class Ending(StrEnum):
    """Why a try is cut off."""

    LOST = "lost"  # the job has changed hands, or has ended
    RELEASED = "released"  # the worker stops
    LATE = "late"  # the job's deadline has come


class Attempt:
    """See the module. `job` is the job as it was last written."""

    def __init__(self, ledger: Ledger, job: Job) -> None:
        self._ledger = ledger
        self.job = job
        self.progress = job.progress
        self.stopping = False
        """To end, as `RELEASED`, when its next step begins."""
        self.settled = False
        """It writes its end: from here on nobody cuts it off."""
        self.ending: Ending | None = None
        self._work: asyncio.Task[Any] | None = None

    def cut_off(self, ending: Ending) -> None:
        """End the handler's work; a job that is lost is lost, whatever else was said."""
        if self.settled:
            return
        if self.ending is None or ending is Ending.LOST:
            self.ending = ending
        if self._work is not None:
            self._work.cancel()

    def begin(self, work: asyncio.Task[Any]) -> None:
        """`work` is the handler's."""
        self._work = work
        if self.ending is not None:
            work.cancel()

    async def stop_here(self, ending: Ending) -> None:
        """As `cut_off`, by the handler's work itself: does not return, but is cancelled."""
        self.cut_off(ending)
        await asyncio.get_running_loop().create_future()

    async def commit(self, changes: Changes) -> None:
        """Commit what belongs to this try while it runs. If the job has changed hands, the try ends here."""
        try:
            await commit(self._ledger, changes + self.guard)
        except GuardFailed:
            await self.stop_here(Ending.LOST)

    @property
    def guard(self) -> Changes:
        """Holds as long as the job is in these hands."""
        return Changes(guards=(fenced(self.job),))


async def commit(ledger: Ledger, changes: Changes) -> Sequence[Recorded]:
    """As `Ledger.commit`, but waits while the database is busy: work that is done is not thrown away for that."""
    while True:
        try:
            return await ledger.commit(changes)
        except DatabaseBusy:
            await asyncio.sleep(BUSY_SECONDS)
