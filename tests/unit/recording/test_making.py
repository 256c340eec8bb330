"""From captures that another process left to delivered files: one end for each, whatever is killed or refuses."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from callboard.clock import NANOSECONDS
from callboard.database.tables import JOB_STEP
from callboard.jobs import Finished, State, process
from callboard.recording.assets import AssetStatus, RecordingStatus, load_assets, load_recording
from callboard.recording.capture import derive
from callboard.recording.capture.derive import load_capture
from callboard.storage import DeniedError, NoSuchBucketError, UnreachableError
from callboard.testing.archive import Archive, open_archive


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Archive]:
    async with open_archive(tmp_path) as opened:
        yield opened


async def test_a_capture_that_was_closing_is_completed_at_the_start_and_everything_is_delivered(
    archive: Archive,
) -> None:
    session_id = await archive.captured()
    await archive.recorder.start()
    assets = await load_assets(archive.database, session_id)
    assert sorted(asset.type for asset in assets) == ["stream", "track", "track"]
    assert {asset.status for asset in assets} == {AssetStatus.PROCESSING}
    await archive.work()
    assert archive.told() == ["stream.recording.success", "track.recording.success", "track.recording.success"]
    for asset in await load_assets(archive.database, session_id):
        assert asset.status is AssetStatus.COMPLETED
        assert (archive.storage / asset.key).stat().st_size == asset.size
        assert asset.path == f"local://recordings/{asset.key}"
    captured = await load_capture(archive.database, session_id)
    assert captured is not None
    assert captured.capture.state == "released"
    recording = await load_recording(archive.database, captured.capture.recording_id)
    assert recording is not None
    assert recording.status is RecordingStatus.COMPLETED
    assert archive.left() == []


@pytest.mark.parametrize("steps", range(7))
async def test_a_worker_that_dies_after_any_step_is_followed_by_one_that_repeats_none_of_them(
    archive: Archive, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: list[str] = []
    run = process.run_process

    async def counted(command: Sequence[str], **options: Any) -> Finished:
        rendered.append(json.loads(command[-1])["target"])
        return await run(command, **options)

    monkeypatch.setattr(derive, "run_process", counted)
    await archive.captured()
    await archive.recorder.start()
    seen = 0
    first = archive.worker("first")
    died = asyncio.Event()

    def journalled(_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == steps:
            died.set()

    if not steps:
        died.set()
    archive.ledger.watch(JOB_STEP, journalled)
    await first.take()
    async with asyncio.timeout(60):
        while not died.is_set() and await archive.open_jobs():
            await asyncio.sleep(0.01)
            await first.take()
    await first.abandon()
    journalled_at_death = len(await archive.steps("render"))
    archive.clock.advance(60)
    await archive.work("second")
    assert sorted(archive.told()) == [
        "stream.recording.success",
        "track.recording.success",
        "track.recording.success",
    ]
    assert len(rendered) <= 3 + 3 - journalled_at_death, "a render that was written down is not done again"
    assert len(set(rendered)) == 3
    assert archive.left() == []


async def test_a_storage_that_does_not_answer_is_tried_again_until_it_does(archive: Archive) -> None:
    session_id = await archive.captured()
    archive.storage_fails(UnreachableError("put_file", "s3://b/k", "no answer in time"), times=4)
    await archive.recorder.start()
    await archive.work(seconds=3600)
    assert sorted(archive.told()) == [
        "stream.recording.success",
        "track.recording.success",
        "track.recording.success",
    ]
    assert {asset.status for asset in await load_assets(archive.database, session_id)} == {AssetStatus.COMPLETED}


@pytest.mark.parametrize("error", [DeniedError, NoSuchBucketError, UnreachableError])
async def test_what_is_refused_for_long_is_given_up_with_one_failure_and_the_captures_are_kept(
    archive: Archive, error: type[DeniedError]
) -> None:
    session_id = await archive.captured()
    archive.storage_fails(error("put_file", "s3://b/k", "403 AccessDenied"))
    await archive.recorder.start()
    await archive.work(seconds=86_400, stop=lambda: len(archive.told()) == 3)
    assert archive.told() == ["stream.recording.failure", "track.recording.failure", "track.recording.failure"]
    assets = await load_assets(archive.database, session_id)
    assert {(asset.status, asset.error_code) for asset in assets} == {(AssetStatus.FAILED, "CLOUD_ACCESS_ERROR")}
    assert any("s3://b/k" in asset.error for asset in assets)
    given_up = max(asset.updated_at for asset in assets) - archive.begun
    limit = archive.delivery.settings.give_up if error.retryable else archive.delivery.settings.refused
    assert given_up <= (limit + 1200) * NANOSECONDS
    captured = await load_capture(archive.database, session_id)
    assert captured is not None
    assert captured.capture.state == "complete"
    assert archive.left()
    await archive.work(seconds=8 * 86_400)
    assert archive.left() == [], "a week later they are deleted"


async def test_a_capture_that_cannot_be_read_fails_alone(archive: Archive) -> None:
    session_id = await archive.captured()
    (sound,) = archive.files("audio")
    sound.write_bytes(b"no recording of Janus at all")
    await archive.recorder.start()
    await archive.work(seconds=86_400)
    assert archive.told() == ["stream.recording.failure", "track.recording.failure", "track.recording.success"]
    failed = [asset for asset in await load_assets(archive.database, session_id) if asset.error_code]
    assert {asset.error_code for asset in failed} == {"INPUT_ERROR"}
    assert "is not a recording of Janus" in failed[0].error


async def test_a_file_that_is_gone_is_told_as_a_failure_and_not_waited_for(archive: Archive) -> None:
    await archive.captured()
    for file in archive.files(""):
        file.unlink()
    await archive.recorder.start()
    await archive.work()
    assert archive.told() == ["stream.recording.failure", "track.recording.failure", "track.recording.failure"]


async def test_a_worker_that_does_not_see_the_capture_folder_fails_nothing(archive: Archive) -> None:
    session_id = await archive.captured()
    await archive.recorder.start()
    here = archive.folder.id
    archive.folder.id = "another machine's"
    await archive.work(seconds=60)
    assert archive.told() == []
    archive.folder.id = here
    await archive.work(seconds=3600)
    assert {asset.status for asset in await load_assets(archive.database, session_id)} == {AssetStatus.COMPLETED}


async def test_a_track_of_which_nothing_was_captured_is_told_to_have_failed_with_the_completion(
    archive: Archive,
) -> None:
    session_id = await archive.captured(refused="the disk is full")
    await archive.recorder.start()
    assert archive.told() == ["stream.recording.failure", "track.recording.failure", "track.recording.failure"]
    assets = await load_assets(archive.database, session_id)
    assert {asset.error for asset in assets} == {"the disk is full"}
    await archive.work()
    assert archive.left() == []


async def test_a_job_that_is_called_off_ends_in_one_failure(archive: Archive) -> None:
    await archive.captured()
    await archive.recorder.start()
    jobs = await archive.jobs("recording.track")
    ended = await archive.office.cancel(jobs[0].id, "an operator")
    assert ended is not None
    assert ended.state is State.CANCELLED
    await archive.work()
    assert archive.told() == ["stream.recording.success", "track.recording.failure", "track.recording.success"]


async def test_files_of_clients_with_odd_ids_have_keys_of_their_own(archive: Archive) -> None:
    session_id = await archive.captured(peer_id="../../etc", stream_id="a/b{c}")
    await archive.recorder.start()
    await archive.work()
    keys = [asset.key for asset in await load_assets(archive.database, session_id)]
    assert len(set(keys)) == 3
    for key in keys:
        assert all(segment.strip("._-A") and not segment.startswith(".") for segment in key.split("/"))
        assert not set(key) & set("{}\\")


async def test_an_open_capture_of_a_dead_process_is_closed_and_goes_on(archive: Archive) -> None:
    session_id = await archive.captured(state="recording")
    await archive.recorder.start()
    captured = await load_capture(archive.database, session_id)
    assert captured is not None
    assert captured.capture.state == "recording"
    assert all(segment.ended_at for segment in captured.segments)
    assert all(track.ended_at for track in captured.tracks)
    assert replace(captured.capture, ended_at=0) == captured.capture
