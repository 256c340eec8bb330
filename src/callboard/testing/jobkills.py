"""Recordings whose jobs are killed at every point that they have, one life after the other, and what came of them.

`python -m callboard.testing.jobkills`: the program that makes the processes that are killed (`drill.nursery`).

Owns: `Orders`, `Killing`, `broken`.

Always holds: a life ends at the first point at which none before it ended, so in the end there has been a kill at each
point that the jobs of the session have. A dead life's leases run out by its successor's clock, which is ahead by more:
nobody waits for them. Each process has the handlers, the worker and the database that a server has.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from callboard.clock import NANOSECONDS, SystemClock
from callboard.database import Put, Row
from callboard.database.tables import JOB
from callboard.drill.nursery import Nursery, Victim, nurse
from callboard.jobs import Job, State, WorkerSettings
from callboard.jobs.job import job_of
from callboard.ledger import Recorded
from callboard.recording.assets import Asset, AssetStatus, AssetType, load_assets
from callboard.recording.composite.job import CompositeSettings
from callboard.testing.fuses import Fuse, FusedHandlers
from callboard.testing.studio import SMALL, Studio

MODULE = "callboard.testing.jobkills"
LEASE, SHORT = 10.0, 1.0
AHEAD = 30.0
"""Seconds by which each life's clock is ahead of the one before: its lease has run out then, and so has a pause."""
LIFE_SECONDS = 120.0
"""A life that did not come to its end by then has not gone on where it should. (Who hangs in a transaction holds others
up for ten seconds: `idle_in_transaction_session_timeout`.)"""
HORIZON = 3_600
"""Seconds. What is due later is not waited for."""
PATIENT = CompositeSettings(look=SMALL, tries=1_000, most_delay=0.1)


class Orders(msgspec.Struct, frozen=True):
    """What one process does: the jobs of the studio in `folder`, until there are none, or until the fuse ends it.

    `log` is the file for what it says; `armed`, `at`, `passed`, `how` and `full` are the fuse's. `ahead` and `lease`
    are in seconds.
    """

    folder: str
    log: str
    database: str
    name: str
    armed: bool
    at: str
    passed: tuple[str, ...]
    how: int
    full: bool
    ahead: float
    lease: float


class _Ahead(SystemClock):
    def __init__(self, seconds: float) -> None:
        self._ahead = int(seconds * NANOSECONDS)

    def now(self) -> int:
        return super().now() + self._ahead


async def live(orders: Orders) -> None:
    """Until the end that the orders foresee. What is logged, a great deal, is in a file beside the log."""
    logging.basicConfig(filename=f"{orders.log}.warnings", level=logging.WARNING)
    file = os.open(orders.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def say(line: str) -> None:
        os.write(file, f"{line}\n".encode())

    async def began(job: Job, step: str) -> None:
        rows = await studio.database.fetch("job_steps", job_id=job.id)
        (now,) = await studio.database.fetch("job_by_id", id=job.id)
        if job_of(now).fence != job.fence:
            say(f"lost {job.kind} {step}")  # it hung, and does not know yet that another one has the job
        else:
            finished = {name for _, name, *_ in rows}
            say(f"{'repeated' if step in finished else 'began'} {job.kind} {step}")

    fuse = Fuse(
        say,
        at=orders.at,
        passed=frozenset(orders.passed),
        how=signal.Signals(orders.how),
        armed=orders.armed,
        full=orders.full,
    )
    studio = await Studio.open(
        Path(orders.folder),
        composite=PATIENT,
        database=orders.database,
        clock=_Ahead(orders.ahead),
        handlers=FusedHandlers(fuse, began),
    )
    over = asyncio.Event()

    def written(put: Put) -> None:
        fuse.written(put)
        over.set()

    studio.ledger.watch(JOB, written)
    settings = WorkerSettings(cores=1.0, lease=orders.lease, poll=0.02)
    worker = studio.worker(orders.name, settings=settings)
    await worker.start()
    while await _soon(studio):
        over.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(0.5):  # it may be another process that ends the last one
                await over.wait()
    await worker.stop()
    await studio.close()
    say("quiet")


async def _soon(studio: Studio) -> bool:
    """Whether there is a job that is not put off for days (captures are kept so long after a failure)."""
    until = studio.clock.now() + HORIZON * NANOSECONDS
    # All in one look: between two, one that ends could put another one where was looked already.
    rows = await studio.database.fetch("job_page", start="g", limit=1_000, kind="", state="")
    return any(not job.ended_at and job.due_at <= until for job in map(job_of, rows))


@dataclass(slots=True)
class Killing:
    """Kills in the jobs of one folder. `passed` are the points at which a life ended, in their order."""

    nursery: Nursery
    folder: Path
    full: bool = False
    database: str = ""
    passed: list[str] = field(default_factory=list)
    lives: int = 0

    async def life(self) -> str:
        """One life; the point at which it ended, "" if it did all that there was to do.

        Raises `TimeoutError`, `AssertionError` when it ended in another way.
        """
        said = len(self.said())
        victim = await self.start()
        await victim.ended(LIFE_SECONDS)
        last = [line for line in self.said()[said:] if line.startswith(("ended ", "quiet"))]
        if not last:
            raise AssertionError(f"life {self.lives} ended otherwise than by its fuse")
        point = last[-1].removeprefix("ended ") if last[-1] != "quiet" else ""
        self.passed += [point] if point else []
        return point

    async def taken_over(self, point: str, how: signal.Signals) -> None:
        """A worker ends at this point, or hangs there; another one does what is left, when the first one's lease has
        run out. One that hangs goes on when all is done. Clocks are right. Raises `TimeoutError`."""
        first = await self.start(at=point, how=how, lease=SHORT, ahead=False)
        async with asyncio.timeout(LIFE_SECONDS):
            while f"ended {point}" not in self.said():  # noqa: ASYNC110 - it is another process that says so
                await asyncio.sleep(0.01)
        second = await self.start(armed=False, lease=SHORT, ahead=False)
        try:
            await second.ended(LIFE_SECONDS)
        except TimeoutError as error:
            error.add_note(f"after {point}, {how.name}: {self.said()[-5:]}; {self.log}.warnings says more")
            raise
        first.send(signal.SIGCONT)
        await first.ended(LIFE_SECONDS)

    async def start(
        self,
        *,
        armed: bool = True,
        at: str = "",
        how: signal.Signals = signal.SIGKILL,
        lease: float = LEASE,
        ahead: bool = True,
    ) -> Victim:
        """A process that does the jobs."""
        self.lives += 1
        orders = Orders(
            folder=str(self.folder),
            log=str(self.log),
            database=self.database,
            name=f"worker {self.lives}",
            armed=armed,
            at=at,
            passed=tuple(self.passed),
            how=how,
            full=self.full,
            ahead=AHEAD * self.lives if ahead else 0.0,
            lease=lease,
        )
        return await self.nursery.start(orders)

    @property
    def log(self) -> Path:
        return self.folder / "lives.log"

    def warnings(self) -> str:
        """What the lives have logged."""
        file = Path(f"{self.log}.warnings")
        return file.read_text(encoding="utf-8") if file.exists() else ""

    def said(self) -> list[str]:
        """What the lives have said."""
        return self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []


def delivered(asset: Asset, folder: Path) -> Path:
    """Where the studio's storage has the file."""
    return folder / "recordings" / asset.key


async def broken(studio: Studio, session_id: str, folder: Path, said: Sequence[str], *, good: bool = True) -> list[str]:
    """What was not kept, when all jobs of the session have ended; `good`: as they should, by their nature.

    No finished step was done again. Each asset was made, delivered and told of once, or told once to have failed (but
    for the chat, which is delivered always). No job is left, nor is anything of what was made on the way.
    """
    assets = await load_assets(studio.database, session_id)
    found = [line for line in said if line.startswith("repeated ")]
    found += _told(await studio.ledger.read_stream(session_id, 0, 100), assets, good=good)
    found += _jobs(await studio.database.fetch("job_page", start="g", limit=1_000, kind="", state=""), good=good)
    if not good:
        wrong = [one for one in assets if (one.status is AssetStatus.FAILED) is (one.type == AssetType.CHAT)]
        return found + [f"{one.type} {one.id} is {one.status}" for one in wrong]
    for asset in assets:
        file = delivered(asset, folder)
        if asset.status is not AssetStatus.COMPLETED or not file.exists() or file.stat().st_size != asset.size:
            found.append(f"{asset.type} {asset.id} is {asset.status}, its file is not whole: {asset.error}")
    keys = {asset.key for asset in assets}
    there = {str(one.relative_to(folder / "recordings")) for one in _files(folder / "recordings", session_id)}
    found += [f"{name} was delivered, and nobody knows of it" for name in sorted(there - keys)]
    found += [f"{one.name} is left in the capture folder" for one in _files(folder / "capture", "mjr", session_id)]
    if await studio.database.fetch("chat_page", session_id=session_id, after=0, id="", limit=1):
        found.append("the chat was not forgotten")
    return found


_EVENTS = {AssetType.TRACK: "track.recording", AssetType.STREAM: "stream.recording"}


def _told(events: Sequence[Recorded], assets: Sequence[Asset], *, good: bool) -> list[str]:
    told = Counter((event.type, msgspec.json.decode(event.body)["data"].get("recording_id", "")) for event in events)
    wanted: Counter[tuple[str, str]] = Counter()
    for asset in assets:
        if asset.type == AssetType.COMPOSITE:
            wanted["recording.success" if good else "recording.failed", ""] += 1
        elif asset.type != AssetType.CHAT:
            wanted[f"{_EVENTS[AssetType(asset.type)]}.{'success' if good else 'failure'}", asset.id] += 1
    return [] if told == wanted else [f"told was {dict(told)}, not {dict(wanted)}"]


def _jobs(rows: Sequence[Row], *, good: bool) -> list[str]:
    jobs = [job_of(row) for row in rows]
    ends = {State.SUCCEEDED} if good else {State.SUCCEEDED, State.FAILED, State.WAITING}
    return [f"{job.kind} {job.id} is {job.state}: {job.error}" for job in jobs if job.state not in ends]


def _files(folder: Path, *words: str) -> list[Path]:
    """The files below it whose paths have one of these words."""
    return [one for one in folder.rglob("*") if one.is_file() and any(word in str(one) for word in words)]


if __name__ == "__main__":
    nurse(Orders, live)
