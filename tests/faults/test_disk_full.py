"""A disk that is full, really: while a session is captured, and in each step of each job."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from callboard.clock import NANOSECONDS, SystemClock
from callboard.database import Put
from callboard.database.tables import JOB
from callboard.jobs import Job, State
from callboard.jobs.job import job_of
from callboard.recording.timeline import Wanted
from callboard.testing.disks import SmallDisk
from callboard.testing.fuses import Fuse, FusedHandlers
from callboard.testing.jobkills import PATIENT, broken
from callboard.testing.play import play
from callboard.testing.recordings import BOTH, TALKERS, Cast
from callboard.testing.studio import Studio

pytestmark = pytest.mark.faults

MIB = 1024 * 1024
ALL = Wanted(track=True, stream=True, composite=True, stream_width=320, stream_height=240, presign_seconds=600)
STEPS = {
    "render": "DISK_ERROR",
    "mux": "DISK_ERROR",
    "chunk": "DISK_ERROR",
    "join": "DISK_ERROR",
    "chat": "DISK_ERROR",
    "upload": "CLOUD_ACCESS_ERROR",
}
"""What a full disk is called in each step. An upload goes into a folder on another disk."""


@pytest.fixture
def disks(tmp_path: Path) -> Iterator[tuple[SmallDisk, SmallDisk]]:
    """That of the captures, and that of the recordings."""
    with ExitStack() as mounted:
        try:
            captures = mounted.enter_context(SmallDisk(tmp_path / "capture", 24 * MIB))
            recordings = mounted.enter_context(SmallDisk(tmp_path / "recordings", 24 * MIB))
        except OSError as error:
            pytest.skip(f"no file system may be mounted here: {error}")
        yield captures, recordings


class Leaping(SystemClock):
    """Nobody waits for the next try."""

    ahead = 0

    def now(self) -> int:
        return super().now() + self.ahead


async def test_a_disk_that_is_full_in_any_step_costs_time_and_nothing_else(
    tmp_path: Path, disks: tuple[SmallDisk, SmallDisk]
) -> None:
    clock, filled, met = Leaping(), dict[str, tuple[str, SmallDisk]](), dict[str, str]()

    async def began(job: Job, name: str) -> None:
        step = name.split(maxsplit=1)[0]
        if step not in filled and len(filled) == len(met):  # one after the other
            disk = disks[step == "upload"]
            filled[step] = (job.id, disk)
            await asyncio.to_thread(disk.stay_full)

    def written(put: Put) -> None:
        job = job_of(put.row)
        if job.state is State.WAITING and job.error and len(met) < len(filled):
            step, (id_, disk) = list(filled.items())[-1]
            if job.id == id_:  # and not another one that needed space meanwhile
                met[step] = job.error_code
                disk.clear()
                clock.ahead += 3_600 * NANOSECONDS

    handlers = FusedHandlers(Fuse(lambda _: None, armed=False), began)
    studio = await Studio.open(tmp_path, composite=PATIENT, clock=clock, handlers=handlers)
    studio.ledger.watch(JOB, written)
    session_id = await studio.captured([(1, "video", 0.0, 2.5), (1, "audio", 0.0, 2.5)], wanted=ALL)
    worker = studio.worker()
    await worker.start()
    async with asyncio.timeout(100):
        while await studio.database.fetch("open_jobs"):
            await asyncio.sleep(0.05)
    await worker.stop()
    assert met == STEPS
    assert await broken(studio, session_id, tmp_path, []) == []
    await studio.close()


@pytest.mark.media
async def test_a_disk_that_fills_up_while_janus_writes_costs_what_comes_after_and_not_what_was_before(
    tmp_path: Path, disks: tuple[SmallDisk, SmallDisk]
) -> None:
    captures, _ = disks
    settings = {"CALLBOARD_RECORDING__MIN_FREE_BYTES": str(4 * MIB)}
    async with play(tmp_path, settings=settings, roles=TALKERS) as stage:
        await stage.stage.rest.record(stage.stage.template_id, **BOTH)
        cast = Cast(stage, tmp_path)
        ann, sender = stage.peer("Ann", "host"), cast.publisher(1)
        await ann.join()
        track = await ann.publish(sender.sound)
        await stage.told("track.recording.started.success", track_id=track)
        await sender.sends(4.0)  # two seconds are promised, one may be in Janus's hands yet
        await asyncio.to_thread(captures.fill)  # to the last byte: what Janus writes is refused
        await logged(stage.server.log_file, "is not captured any more")
        ben, other = stage.peer("Ben", "host"), cast.publisher(2)
        await ben.join()
        refused = await ben.publish(other.sound)
        await asyncio.sleep(0.5)
        await asyncio.to_thread(captures.clear)
        await logged(stage.server.log_file, "capturing goes on")
        cara, third = stage.peer("Cara", "host"), cast.publisher(3)
        await cara.join()
        again = await cara.publish(third.sound)
        await stage.told("track.recording.started.success", track_id=again)
        await third.sends(2.0)
        for peer in (ann, ben, cara):
            await peer.leave()
        await stage.told("session.close.success")
        before = await cast.film("track.recording.success", track_id=track)
        assert before.data["duration"] >= 2
        await stage.told("track.recording.failure", track_id=refused)
        after = await cast.film("track.recording.success", track_id=again)
        assert after.data["duration"] >= 1
        await stage.settle()
        assert [one.event.type for one in stage.inbox.first_arrivals].count("track.recording.success") == 2


async def logged(file: Path, text: str) -> None:
    """Wait until the log says this."""
    async with asyncio.timeout(60):
        while text not in await asyncio.to_thread(file.read_text):
            await asyncio.sleep(0.05)
