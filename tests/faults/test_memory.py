"""The kernel kills for want of memory, really: in a control group that may hold little more than its worker does."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from callboard.jobs.job import job_of
from callboard.recording.timeline import Wanted
from callboard.testing.cgroups import MemoryGroup
from callboard.testing.studio import Studio

pytestmark = pytest.mark.faults

MIB = 1024 * 1024
MORE = 96 * MIB
"""Enough for the program that reads captures; FFmpeg takes several times more for a picture of this size."""
LARGE = Wanted(composite=True, composite_width=1920, composite_height=1080, presign_seconds=600)


async def test_ffmpeg_that_the_kernel_kills_for_want_of_memory_is_a_memory_error_and_its_worker_lives(
    tmp_path: Path,
) -> None:
    studio = await Studio.open(tmp_path)
    try:
        group = MemoryGroup("starved").__enter__()
    except OSError as error:
        await studio.close()
        pytest.skip(f"no control group can be made here: {error}")
    command = (sys.executable, "-m", "callboard.testing.studio", str(tmp_path))
    worker = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        group.add(worker.pid)
        assert worker.stdout is not None
        assert await worker.stdout.readline() == b"ready\n"
        group.limit(group.used + MORE)
        session_id = await studio.captured([(1, "video", 0.0, 2.0), (1, "audio", 0.0, 2.0)], wanted=LARGE)
        told = await studio.until_told(session_id)
        assert (told["type"], told["error_type"]) == ("recording.failed", "MEMORY_ERROR")
        assert group.kills >= 2, "each of the two tries was killed by the kernel"
        jobs = [job_of(row) for row in await studio.database.fetch("job_page", start="g", limit=9, kind="", state="")]
        (composing,) = [job for job in jobs if job.kind == "recording.composite"]
        assert (composing.losses, composing.error_code) == (0, "MEMORY_ERROR")
        assert "ffmpeg was killed by signal 9 for want of memory" in composing.error
        assert worker.returncode is None, "the kernel took the child, not the worker"
    finally:
        group.__exit__()
        await worker.wait()
        await studio.close()
