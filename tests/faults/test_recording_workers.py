"""Workers of their own on PostgreSQL: what a dead one had is taken over, and each recording is told of once."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from callboard.demo.server import die_with_parent
from callboard.testing.play import play
from callboard.testing.recordings import BOTH, TALKERS, Cast, act

pytestmark = [pytest.mark.faults, pytest.mark.media, pytest.mark.postgresql]


async def started(folder: Path, settings: dict[str, str]) -> asyncio.subprocess.Process:
    """A worker that is ready."""
    folder.mkdir()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "callboard", "worker"),
        env={**os.environ, "CALLBOARD_DATA_DIR": str(folder), **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        preexec_fn=die_with_parent,
    )
    assert process.stdout is not None
    async with asyncio.timeout(60):
        assert b"ready" in await process.stdout.readline()
    return process


async def test_another_worker_takes_over_what_a_killed_one_had(tmp_path: Path, postgresql_url: str) -> None:
    master = "A" * 43 + "="
    shared = {
        "CALLBOARD_DATABASE__URL": postgresql_url,
        "CALLBOARD_WEBHOOKS__MASTER_KEY": master,
        "CALLBOARD_JOBS__LEASE_SECONDS": "1",
        "CALLBOARD_RECORDING__CAPTURE_DIR": str(tmp_path / "capture"),
        "CALLBOARD_RECORDING__FOLDER": str(tmp_path / "recordings"),
    }
    server_only = {**shared, "CALLBOARD_JOBS__WORKER": "false"}
    async with play(tmp_path, settings=server_only, roles=TALKERS) as stage:
        theirs = {**shared, "CALLBOARD_SERVER__PUBLIC_URL": stage.server.base_url}
        first = await started(tmp_path / "first", theirs)
        await stage.stage.rest.record(stage.stage.template_id, **BOTH)
        cast = Cast(stage, tmp_path)
        ann, sender = stage.peer("Ann", "host"), cast.publisher(1)
        await ann.join()
        tracks = await act(ann, sender)
        await sender.sends(2.0)
        os.kill(first.pid, signal.SIGSTOP)  # it takes no job any more, or holds those that it has
        await ann.leave()
        await stage.told("session.close.success")
        os.kill(first.pid, signal.SIGCONT)
        await asyncio.sleep(0.2)
        first.kill()
        await first.wait()
        second = await started(tmp_path / "second", theirs)
        for track in tracks:
            await stage.told("track.recording.success", track_id=track)
        film = await cast.film("stream.recording.success", peer_id=ann.peer_id)
        assert film.data["duration"] >= 1
        await stage.settle()
        kinds = [one.event.type for one in stage.inbox.first_arrivals]
        assert kinds.count("track.recording.success") == 2
        assert kinds.count("stream.recording.success") == 1
        second.terminate()
        assert await asyncio.wait_for(second.wait(), 60) == 0


async def test_a_worker_says_what_it_lacks(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "callboard", "worker"),
        env={**os.environ, "CALLBOARD_DATA_DIR": str(tmp_path)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1
    assert b"SQLite database is for one process" in said
