"""Each error type of `recording.failed` from its real cause, and compositions whose FFmpeg or worker is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from pathlib import Path

import apsw
import pytest

from callboard.recording.composite.job import CompositeSettings
from callboard.recording.composite.look import Look
from callboard.recording.timeline import Kind
from callboard.recording.truth.report import Expected, Published
from callboard.recording.truth.verify import verify_file
from callboard.testing.ffmpegs import ffmpegs_in, kill_ffmpegs
from callboard.testing.studio import SMALL, Studio

pytestmark = pytest.mark.faults

SECONDS = 5.0
TWO: list[tuple[int, Kind, float, float]] = [
    (1, "video", 0.5, SECONDS),
    (1, "audio", 0.5, SECONDS),
    (2, "video", 1.5, 4.0),
]
BUCKET = {"type": "s3", "location": "recordings", "credentials": {"key": "key", "secretKey": "secret"}}


@asynccontextmanager
async def working(studio: Studio) -> AsyncIterator[None]:
    worker = studio.worker()
    await worker.start()
    try:
        yield
    finally:
        await worker.stop()
        await studio.close()


async def failed(studio: Studio, session_id: str) -> Mapping[str, object]:
    """The session's only event, which is a failure."""
    async with working(studio):
        event = await studio.until_told(session_id)
    assert event["type"] == "recording.failed"
    assert event["session_id"] == session_id
    return event


async def test_a_session_without_media_is_an_input_error(tmp_path: Path) -> None:
    studio = await Studio.open(tmp_path)
    event = await failed(studio, await studio.captured([]))
    assert (event["error_type"], event["error"]) == (
        "INPUT_ERROR",
        "No input streams available to create recording",
    )


async def test_captures_that_cannot_be_read_are_an_input_error(tmp_path: Path) -> None:
    studio = await Studio.open(tmp_path)
    session_id = await studio.captured(TWO)
    for file in (tmp_path / "capture").rglob("*.mjr"):
        file.write_bytes(b"MJR00002\x00\x10not what it says")
    assert (await failed(studio, session_id))["error_type"] == "INPUT_ERROR"


async def test_a_bucket_that_nobody_answers_for_is_a_cloud_access_error(tmp_path: Path) -> None:
    settings = {"s3_endpoint": "http://127.0.0.1:1", "upload_give_up_seconds": 0.5, "upload_most_delay_seconds": 0.1}
    studio = await Studio.open(tmp_path, settings)
    event = await failed(studio, await studio.captured(TWO[:2], template=BUCKET))
    assert (event["error_type"], event["error"]) == (
        "CLOUD_ACCESS_ERROR",
        "Error accessing cloud bucket. Please make sure upload config is correct",
    )
    assert list((tmp_path / "capture").rglob("composed.mp4")), "what was made must be kept"


async def test_a_font_that_is_not_there_is_a_configuration_error(tmp_path: Path) -> None:
    look = Look(width=320, height=240, font="/nowhere/font.ttf")
    studio = await Studio.open(tmp_path, composite=CompositeSettings(look=look, tries=2, most_delay=0.1))
    session_id = await studio.captured(TWO[:2])
    assert (await failed(studio, session_id))["error_type"] == "CONFIG_ERROR"


async def test_a_prefix_that_is_none_is_a_configuration_error(tmp_path: Path) -> None:
    studio = await Studio.open(tmp_path)
    session_id = await studio.captured(TWO[:2], template={**BUCKET, "prefix": "{nobody}"})
    assert (await failed(studio, session_id))["error_type"] == "CONFIG_ERROR"


async def test_ffmpeg_at_the_limit_of_its_memory_is_a_memory_error(tmp_path: Path) -> None:
    memory = 160 * 1024 * 1024
    settings = CompositeSettings(look=SMALL, memory=memory, tries=2, most_delay=0.1)
    studio = await Studio.open(tmp_path, composite=settings)
    session_id = await studio.captured(TWO[:2])
    assert (await failed(studio, session_id))["error_type"] == "MEMORY_ERROR"


async def test_ffmpeg_that_is_killed_each_time_is_a_processing_error(tmp_path: Path) -> None:
    studio = await Studio.open(tmp_path)
    session_id = await studio.captured(TWO)
    killing = asyncio.create_task(kill_ffmpegs(tmp_path))
    event = await failed(studio, session_id)
    killing.cancel()
    assert (event["error_type"], event["error"]) == ("PROCESSING_CMD_ERROR", "INTERNAL_ERROR")


async def test_a_database_that_refuses_is_an_api_error(tmp_path: Path) -> None:
    studio = await Studio.open(tmp_path)
    session_id = await studio.captured(TWO[:2])
    with closing(apsw.Connection(str(tmp_path / "studio.db"))) as connection:
        connection.execute("ALTER TABLE chat_message RENAME TO gone")
    assert (await failed(studio, session_id))["error_type"] == "API_ERROR"


async def test_an_ffmpeg_that_is_killed_once_costs_nothing_but_time(tmp_path: Path) -> None:
    studio = await Studio.open(tmp_path)
    session_id = await studio.captured(TWO)
    async with working(studio):
        await kill_ffmpegs(tmp_path, most=1)
        event = await studio.until_told(session_id)
    assert event["type"] == "recording.success"


async def test_a_worker_killed_in_every_step_repeats_no_finished_one_and_tells_once(tmp_path: Path) -> None:
    """Three chunks, the joining, the chat: a worker is killed once each of them is written down, and once in each."""
    studio = await Studio.open(tmp_path)
    session_id = await studio.captured(TWO)
    made: dict[str, tuple[int, int]] = {}
    for step in range(6):
        command = [sys.executable, "-m", "callboard.testing.studio", str(tmp_path), "1.0"]
        child = subprocess.Popen(command, env=os.environ)
        try:
            async with asyncio.timeout(60.0):
                while not await told_or_reached(studio, session_id, step, tmp_path):
                    await asyncio.sleep(0.01)
        finally:
            child.send_signal(signal.SIGKILL)
            child.wait()
        for file in (tmp_path / "capture").rglob("picture-*.mp4"):
            found = file.stat()
            assert made.setdefault(file.name, (found.st_ino, found.st_mtime_ns)) == (found.st_ino, found.st_mtime_ns)
    assert len(made) >= 3
    async with working(studio):
        event = await studio.until_told(session_id)
    assert event["type"] == "recording.success"
    path = tmp_path / "recordings" / str(event["recording_path"]).split("/", 3)[3]
    everybody = (
        Published(1, picture=((0.5, SECONDS),), sound=((0.5, SECONDS),)),
        Published(2, picture=((1.5, 4.0),)),
    )
    report = await asyncio.to_thread(verify_file, path, Expected(starts_at=0.0, published=everybody))
    assert report.failures == []
    chat = tmp_path / "recordings" / str(event["chat_recording_path"]).split("/", 3)[3]
    assert chat.read_text(encoding="utf-8") == "SenderPeerID,SenderName,SenderUserID,Roles,SentAt,Type,Message\n"
    assert not list((tmp_path / "capture").rglob("picture-*.mp4"))


async def told_or_reached(studio: Studio, session_id: str, steps: int, folder: Path) -> bool:
    """Whether so many steps of the composition are written down, and the next one has begun (or all is over)."""
    if await studio.told(session_id):
        return True
    captured = await studio.database.fetch("recording_assets_of_session", session_id=session_id)
    jobs = [row for asset in captured for row in await studio.database.fetch("jobs_of_subject", subject=str(asset[0]))]
    done = sum([len(await studio.database.fetch("job_steps", job_id=str(job[0]))) for job in jobs])
    return done >= steps and (steps != 0 or bool(ffmpegs_in(folder)))
