"""Recordings into a real S3 server that refuses, is gone, hangs, and comes back."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
from pathlib import Path

import pytest

from callboard.testing.play import Play, play
from callboard.testing.recordings import TALKERS, Cast
from callboard.testing.s3 import KEY, SECRET, S3Server

pytestmark = [pytest.mark.faults, pytest.mark.media]

BUCKET = "films"


async def asked(stage: Play, secret: str) -> None:
    """Tracks are recorded, into the bucket."""
    upload = {
        "type": "s3",
        "location": BUCKET,
        "prefix": "{room_id}/films",
        "credentials": {"key": KEY, "secretKey": secret},
    }
    rest, template = stage.stage.rest, stage.stage.template_id
    await rest.record(template, trackRecording={"enabled": True})
    await rest.post(f"/v2/templates/{template}/settings", {"recording": {"upload": upload}})


async def sounded(stage: Play, cast: Cast) -> str:
    """A session with one track; its id."""
    ann, sender = stage.peer("Ann", "host"), cast.publisher(1)
    await ann.join()
    track = await ann.publish(sender.sound)
    await sender.sends(1.5)
    await ann.leave()
    await stage.told("session.close.success")
    return track


async def test_a_recording_waits_for_a_bucket_that_refuses_is_gone_and_hangs_and_is_delivered_once(
    tmp_path: Path,
) -> None:
    server = S3Server(tmp_path / "s3")
    await asyncio.to_thread(server.start)
    try:
        await asyncio.to_thread(server.create_bucket, BUCKET)
        settings = {
            "CALLBOARD_RECORDING__S3_ENDPOINT": server.endpoint,
            "CALLBOARD_RECORDING__UPLOAD_MOST_DELAY_SECONDS": "0.5",
        }
        async with play(tmp_path, settings=settings, roles=TALKERS) as stage:
            await asked(stage, "a-wrong-secret-0123")
            track = await sounded(stage, Cast(stage, tmp_path))
            await logged(stage, "SignatureDoesNotMatch")
            await asyncio.to_thread(server.stop)
            await logged(stage, "connection refused")
            await asked(stage, SECRET)  # not before it is gone: a try in between would have been the last one
            await asyncio.to_thread(server.start)
            film = await Cast(stage, tmp_path).film("track.recording.success", within=60.0, track_id=track)
            assert film.data["recording_path"].startswith(f"s3://{BUCKET}/{stage.stage.room_id}/films/")
            await stage.settle()
            told = [one.event.type for one in stage.inbox.first_arrivals]
            assert told.count("track.recording.success") == 1
            assert "track.recording.failure" not in told
            log = stage.server.log_file.read_text()
        assert SECRET not in log
        assert "a-wrong-secret-0123" not in log
        (document,) = (
            sqlite3.connect(tmp_path / "callboard.db")
            .execute("SELECT document FROM template WHERE document LIKE '%films%'")
            .fetchone()
        )
        assert "A256GCM." in document
        assert SECRET not in document
    finally:
        await asyncio.to_thread(server.stop)


async def test_a_server_that_is_killed_while_its_bucket_hangs_delivers_after_its_restart(tmp_path: Path) -> None:
    server = S3Server(tmp_path / "s3")
    await asyncio.to_thread(server.start)
    try:
        await asyncio.to_thread(server.create_bucket, BUCKET)
        settings = {"CALLBOARD_RECORDING__S3_ENDPOINT": server.endpoint, "CALLBOARD_JOBS__LEASE_SECONDS": "1"}
        async with play(tmp_path, settings=settings, roles=TALKERS) as stage:
            await asked(stage, SECRET)
            cast = Cast(stage, tmp_path)
            os.kill(server.pid, signal.SIGSTOP)
            track = await sounded(stage, cast)
            await asyncio.sleep(1.0)
            await stage.server.kill()
            await stage.server.start()
            assert stage.never_told("track.recording.success")
            os.kill(server.pid, signal.SIGCONT)
            await cast.film("track.recording.success", track_id=track)
            await stage.settle()
            assert [one.event.type for one in stage.inbox.first_arrivals].count("track.recording.success") == 1
    finally:
        await asyncio.to_thread(server.stop)


async def logged(stage: Play, text: str) -> None:
    """Wait until the server's log says this."""
    async with asyncio.timeout(60):
        while text not in stage.server.log_file.read_text():
            await asyncio.sleep(0.05)
