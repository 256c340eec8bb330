"""Stream recordings in a template's size: transcoded to H.264 and AAC, whole and in sync, also when FFmpeg is killed.

Captures are made by hand, with truth marks; FFmpeg is real, Janus is not needed.
"""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest

from callboard.recording.timeline import Wanted
from callboard.recording.truth.report import Expected, Published
from callboard.recording.truth.verify import verify_file
from callboard.testing.ffmpegs import kill_ffmpegs
from callboard.testing.studio import Studio

pytestmark = [pytest.mark.faults, pytest.mark.media]

SECONDS = 5.0
SIZED = Wanted(stream=True, stream_width=480, stream_height=270, presign_seconds=600)
SENT = Published(1, picture=((0.0, SECONDS),), sound=((0.0, SECONDS),))


@pytest.mark.parametrize("kills", [0, 1])
async def test_a_stream_in_a_size_is_whole_in_sync_and_told_once_also_if_ffmpeg_is_killed(
    tmp_path: Path, kills: int
) -> None:
    """The picture changes its size and shape in the middle, as a phone's that is turned does."""
    studio = await Studio.open(tmp_path)
    both = [(1, "video", 0.0, SECONDS), (1, "audio", 0.0, SECONDS)]
    session_id = await studio.captured(both, wanted=SIZED, sizes=((320, 180), (180, 320)))  # type: ignore[arg-type]
    worker = studio.worker()
    await worker.start()
    await asyncio.wait_for(kill_ffmpegs(tmp_path, most=kills), 60.0)
    told = await studio.until_told(session_id)
    await worker.stop()
    assert [event.type for event in await studio.ledger.read_stream(session_id, 0, 100)] == ["stream.recording.success"]
    ((attempts, losses),) = [
        (job[11], job[12])
        for job in await studio.database.fetch("jobs_of_subject", subject=str(told["recording_id"]))
        if job[1] == "recording.stream"
    ]
    assert (attempts, losses) == (1 + kills, 0)
    made = studio.workshop.making.made
    assert (round(made.seconds, 1), made.lost) == (SECONDS, 0), "a step that is finished is counted once"
    await studio.close()
    path = tmp_path / "recordings" / str(told["recording_path"]).split("/", 3)[3]
    assert path.suffix == ".mp4"
    assert streams_of(path) == ["h264,480,270", "aac"]
    expected = Expected(starts_at=0.0, duration=SECONDS, published=(SENT,))
    report = await asyncio.to_thread(verify_file, path, expected)
    assert report.failures == [], report.publishers


def streams_of(path: Path) -> list[str]:
    """Codec, width and height of each stream in the file."""
    entries = ("-show_entries", "stream=codec_name,width,height", "-of", "csv=p=0")
    done = subprocess.run(("ffprobe", "-v", "error", *entries, path), capture_output=True, text=True, check=True)
    return done.stdout.split()
