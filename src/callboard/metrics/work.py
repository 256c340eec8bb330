"""The numbers of background work: what there is of it in the database, and what one worker does.

Owns: `stored_jobs`, `done_by`, `WorkerCollector`: the page of a process that does jobs and nothing else.

Always holds: a number has the same name and the same meaning on a server's page and on a worker's.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import Final

from callboard import __version__
from callboard.clock import NANOSECONDS, Clock
from callboard.database import Database, DatabaseStopped
from callboard.database.interface import QueryFailed
from callboard.jobs import Worker
from callboard.jobs.tally import Outcome
from callboard.ledger import Ledger
from callboard.metrics.exposition import Samples
from callboard.metrics.machine import process
from callboard.recording.making import Made

_HOUR: Final = 3_600 * NANOSECONDS
UNKNOWN: Final = "other"
"""An error that has no code: nobody foresaw it."""

log = logging.getLogger("callboard.metrics")


async def stored_jobs(samples: Samples, database: Database, now: int) -> None:
    """What the database says of jobs: of all nodes and workers. Raises what `Database.fetch` raises."""
    for kind, state, count, created_at in await database.fetch("open_jobs"):
        assert isinstance(count, int)
        assert isinstance(created_at, int)
        age = max(0, now - created_at) / NANOSECONDS
        samples.set("callboard_jobs", count, str(kind), str(state))
        samples.set("callboard_jobs_oldest_age_seconds", age, str(kind), str(state))
    for kind, code, count in await database.fetch("jobs_put_off"):
        samples.set("callboard_jobs_put_off", float(count or 0), str(kind), str(code) or UNKNOWN)
    for kind, code, count in await database.fetch("jobs_failed_since", since=now - _HOUR):
        samples.set("callboard_jobs_failed_last_hour", float(count or 0), str(kind), str(code) or UNKNOWN)


def done_by(samples: Samples, worker: Worker) -> None:
    """What this worker does and has done. Every kind that it takes has a series from the start, so a rise is seen."""
    tally, running = worker.tally, Counter(job.kind for job in worker.running)
    for kind in worker.kinds:
        samples.set("callboard_worker_running", running[kind], kind)
        for outcome in Outcome:
            samples.set("callboard_worker_tries_total", tally.tries[kind, outcome], kind, outcome)
    samples.set("callboard_worker_renewals_total", tally.renewals)
    samples.set("callboard_worker_last_look_time_seconds", tally.looked_at / NANOSECONDS)
    samples.set("callboard_worker_last_heartbeat_time_seconds", tally.beat_at / NANOSECONDS)


def recorded(samples: Samples, made: Made) -> None:
    """What was made of captures by this process."""
    samples.set("callboard_recording_seconds_total", made.seconds)
    samples.set("callboard_recording_lost_packets_total", made.lost)


def committed(samples: Samples, database: Database) -> None:
    """How commits go."""
    samples.histogram("callboard_database_commit_seconds", database.commits)
    samples.set("callboard_database_waiting_units", database.waiting)


class WorkerCollector:
    """See the module. Used on the event loop's thread only."""

    def __init__(self, database: Database, ledger: Ledger, worker: Worker, made: Made, clock: Clock) -> None:
        self._database = database
        self._ledger = ledger
        self._worker = worker
        self._made = made
        self._clock = clock

    async def text(self) -> str:
        """Everything, as Prometheus reads it."""
        samples = Samples()
        samples.set("callboard_info", 1, __version__)
        committed(samples, self._database)
        done_by(samples, self._worker)
        recorded(samples, self._made)
        try:
            samples.set("callboard_ledger_position", await self._ledger.newest())
            await stored_jobs(samples, self._database, self._clock.now())
        except (QueryFailed, TimeoutError, DatabaseStopped):
            log.warning("the database does not answer: some metrics are left out", exc_info=True)
        await asyncio.to_thread(process, samples)
        return samples.text()
