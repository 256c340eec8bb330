"""Jobs over REST and on the command line: lists, one, calling it off, doing its work anew."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner, Result

from callboard.cli import app
from callboard.events import timestamps
from callboard.jobs import Office
from callboard.jobs.desk import JobDesk
from callboard.recording.assets import load_asset
from callboard.recording.capture.derive import load_capture
from callboard.testing.studio import Studio

Rest = Any
KINDS = ["recording.composite", "recording.stream", "recording.stream", "recording.track", "recording.track"]


@dataclass
class House:
    """The API over a studio with one captured session, of which all three recordings are enqueued. Nobody works yet."""

    rest: Rest
    studio: Studio
    session_id: str

    async def jobs(self, **query: str) -> list[Any]:
        return [*(await self.rest.get("/v2/jobs", **query))["data"]]

    async def job(self, kind: str) -> Any:
        """The newest of this kind."""
        return (await self.jobs(kind=kind))[0]

    async def told(self) -> list[str]:
        """The types of all events of the session."""
        return [event.type for event in await self.studio.ledger.read_stream(self.session_id, 0, 100)]

    @asynccontextmanager
    async def work(self, kinds: frozenset[str] | None = None) -> AsyncIterator[None]:
        worker = self.studio.worker(kinds=kinds)
        await worker.start()
        yield
        await worker.stop()

    async def until_told(self, count: int) -> list[str]:
        async with asyncio.timeout(60.0):
            while len(told := await self.told()) < count:
                await asyncio.sleep(0.05)
        return told


@pytest.fixture
async def house(rest: Rest, served: Any, tmp_path: Path) -> AsyncIterator[House]:
    studio = await Studio.open(tmp_path / "studio")
    session_id = await studio.captured([(1, "video", 0.0, 1.0), (2, "audio", 0.0, 1.0)])
    captured = await load_capture(studio.database, session_id)
    assert captured is not None
    wanted = msgspec.structs.replace(captured.capture.wanted, track=True, stream=True)
    all_wanted = replace(captured, capture=replace(captured.capture, wanted=wanted))
    for make in (studio.workshop.streams.make, studio.workshop.tracks.make):
        await studio.ledger.commit(make(all_wanted, studio.clock.now()))
    office = Office(studio.database, studio.ledger, studio.handlers, studio.clock)
    jobs = JobDesk(studio.database, studio.ledger, studio.handlers, office)
    deps = replace(rest.deps, database=studio.database, store=studio.store, ledger=studio.ledger, jobs=jobs)
    async with served(deps, rest.live, rest.ready) as other:
        yield House(other, studio, session_id)
    await studio.close()


async def test_jobs_are_listed_newest_first_and_by_kind_state_and_subject(house: House) -> None:
    page = await house.rest.get("/v2/jobs")
    assert (page["limit"], page["last"]) == (10, "")
    assert sorted(one["kind"] for one in page["data"]) == KINDS
    assert [one["id"] for one in page["data"]] == sorted((one["id"] for one in page["data"]), reverse=True)
    first = page["data"][0]
    assert (first["status"], first["attempts"], first["started_at"], first["error"]) == ("waiting", 0, None, "")
    assert "steps" not in first
    assert await house.jobs(subject=first["subject"]) == [first]
    assert [one["kind"] for one in await house.jobs(kind="recording.stream")] == ["recording.stream"] * 2
    failed = await house.rest.ask("GET", "/v2/jobs", params={"status": "failed"})
    assert (failed.status, failed.json()["data"]) == (200, [])
    assert await house.jobs(start=page["data"][1]["id"]) == page["data"][2:]
    wrong = await house.rest.ask("GET", "/v2/jobs", params={"status": "broken"})
    assert wrong.json()["details"] == ["status: must be one of waiting, running, succeeded, failed, cancelled"]
    assert (await house.rest.get("/v2/jobs", 400, start="x"))["details"] == ["start: must be `last` of the page before"]


async def test_a_page_names_the_one_that_follows(house: House) -> None:
    for _ in range(8):
        await house.studio.compose(house.session_id)
    page = await house.rest.get("/v2/jobs")
    assert len(page["data"]) == 10
    following = await house.rest.get("/v2/jobs", start=page["last"])
    assert (len(following["data"]), following["last"]) == (3, "")
    assert page["data"][-1]["id"] > following["data"][0]["id"]


async def test_a_job_shows_the_steps_that_are_finished(house: House) -> None:
    async with house.work():
        await house.until_told(5)
    found = await house.rest.get(f"/v2/jobs/{(await house.job('recording.stream'))['id']}")
    assert (found["status"], found["progress"], found["due_at"]) == ("succeeded", 1.0, None)
    assert [one["name"] for one in found["steps"]] == ["render", "mux"]
    instants = [found["started_at"], *(one["finished_at"] for one in found["steps"]), found["ended_at"]]
    assert [*map(timestamps.parse, instants)] == sorted(map(timestamps.parse, instants))
    assert (await house.rest.get("/v2/jobs/" + "0" * 24, 404))["message"] == "job not found"


async def test_a_composition_that_is_cancelled_fails_with_one_event_and_is_not_made(house: House) -> None:
    job = await house.job("recording.composite")
    ended = await house.rest.post(f"/v2/jobs/{job['id']}/cancel")
    assert (ended["status"], ended["error"]) == ("cancelled", "cancelled over the REST API")
    assert await house.rest.post(f"/v2/jobs/{job['id']}/cancel") == ended
    async with house.work():
        told = await house.until_told(5)
    assert (told.count("recording.failed"), told.count("recording.success")) == (1, 0)
    asset = await load_asset(house.studio.database, job["subject"])
    assert asset is not None
    assert asset.error == "cancelled over the REST API (given up: cancelled)"
    done = await house.job("recording.track")
    refused = await house.rest.post(f"/v2/jobs/{done['id']}/cancel", status=400)
    assert (refused["message"], refused["details"]) == ("the job has ended", ["the job has succeeded"])
    tidying = await house.job("recording.release")
    refused = await house.rest.post(f"/v2/jobs/{tidying['id']}/cancel", status=400)
    assert refused["details"] == ["recording.release tidies up after other jobs"]
    assert (await house.rest.post("/v2/jobs/none/cancel", status=404))["message"] == "job not found"


@pytest.mark.parametrize(
    ("kind", "success"),
    [
        ("recording.track", "track.recording.success"),
        ("recording.stream", "stream.recording.success"),
        ("recording.composite", "recording.success"),
    ],
)
async def test_a_recording_that_failed_is_made_again_from_its_captures(house: House, kind: str, success: str) -> None:
    job = await house.job(kind)
    path = f"/v2/jobs/{job['id']}/retry"
    refused = await house.rest.post(path, status=400)
    assert refused["details"] == ["the job is waiting"]
    for one in await house.jobs():
        await house.rest.post(f"/v2/jobs/{one['id']}/cancel")
    assert len(await house.told()) == 5
    first, second = await asyncio.gather(*(house.rest.ask("POST", path) for _ in range(2)))
    assert sorted((first.status, second.status)) == [200, 400]
    (anew,) = (first if first.status == 200 else second).json()["data"]
    assert (anew["kind"], anew["status"]) == (kind, "waiting")
    assert anew["subject"] != job["subject"]
    async with house.work():
        assert (await house.until_told(6))[-1] == success
    refused = await house.rest.post(path, status=400)
    assert refused["message"] == "the recording is made again already"
    refused = await house.rest.post(f"/v2/jobs/{anew['id']}/retry", status=400)
    assert refused["details"] == ["the job is succeeded"]


async def test_a_recording_whose_upload_was_cancelled_is_made_again(house: House) -> None:
    async with house.work(frozenset({"recording.track"})):
        async with asyncio.timeout(60.0):
            while len(uploads := await house.jobs(kind="recording.deliver")) < 2:
                await asyncio.sleep(0.05)
    await house.rest.post(f"/v2/jobs/{uploads[0]['id']}/cancel")
    assert await house.told() == ["track.recording.failure"]
    (anew,) = (await house.rest.post(f"/v2/jobs/{uploads[0]['id']}/retry"))["data"]
    assert anew["kind"] == "recording.track"
    async with house.work(frozenset({"recording.track", "recording.deliver"})):
        assert await house.until_told(3) == ["track.recording.failure", *["track.recording.success"] * 2]
    tidying = await house.job("recording.release")
    refused = await house.rest.post(f"/v2/jobs/{tidying['id']}/retry", status=400)
    assert refused["message"] == "only a failed or cancelled job is done anew"


async def test_the_command_line_lists_shows_cancels_and_does_anew(house: House) -> None:
    def run(*arguments: str) -> Result:
        options = ("--server", house.rest.url, "--token", house.rest.token)
        return CliRunner().invoke(app, ["jobs", *arguments, *options], env={"COLUMNS": "200"})

    job = await house.job("recording.composite")
    listed = await asyncio.to_thread(run, "list", "--kind", "recording.composite")
    assert listed.exit_code == 0
    assert job["id"] in listed.stdout
    called_off = await asyncio.to_thread(run, "cancel", job["id"], "--json")
    assert json.loads(called_off.stdout)["status"] == "cancelled"
    shown = await asyncio.to_thread(run, "show", job["id"])
    assert "cancelled over the REST API" in shown.stdout
    again = await asyncio.to_thread(run, "retry", job["id"])
    assert again.exit_code == 0
    assert "recording.composite" in again.stdout
    refused = await asyncio.to_thread(run, "retry", job["id"])
    assert refused.exit_code == 1
    assert "the recording is made again already" in refused.stderr
    nothing = await asyncio.to_thread(run, "list", "--status", "running")
    assert (nothing.exit_code, nothing.stdout) == (0, "")
    assert "There is no such job" in nothing.stderr
    unknown = await asyncio.to_thread(run, "show", "../rooms")
    assert unknown.exit_code == 1
