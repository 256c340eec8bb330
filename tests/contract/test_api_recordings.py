"""Recordings over REST and on the command line: lists, one, its files, links, composing again (platform.md §3.6)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from callboard.cli import app
from callboard.recording.setup import new_desk
from callboard.testing.studio import Studio

Rest = Any
COMPOSED, CHAT = "room-composite-legacy", "chat"


@dataclass
class House:
    """The API over a studio in which one session was composed, and one failed for want of media."""

    rest: Rest
    studio: Studio
    good: str
    bad: str


@pytest.fixture
async def house(rest: Rest, served: Any, tmp_path: Path) -> AsyncIterator[House]:
    studio = await Studio.open(tmp_path / "studio")
    good = await studio.captured([(1, "video", 0.0, 1.0), (1, "audio", 0.0, 1.0)])
    bad = await studio.captured([])
    worker = studio.worker()
    await worker.start()
    for session_id in (good, bad):
        await studio.until_told(session_id)
    deps = replace(
        rest.deps,
        database=studio.database,
        store=studio.store,
        ledger=studio.ledger,
        recordings=new_desk(studio, studio.workshop),
    )
    async with served(deps, rest.live, rest.ready) as other:
        yield House(other, studio, good, bad)
    await worker.stop()
    await studio.close()


async def until_ended(house: House, recording_id: str) -> Any:
    """The recording, once the release job has told that it is over."""
    async with asyncio.timeout(60.0):
        while True:
            found = await house.rest.get(f"/v2/recordings/{recording_id}")
            if found["status"] in {"completed", "failed"}:
                return found
            await asyncio.sleep(0.05)


async def test_recordings_are_listed_newest_first_and_by_room_session_and_state(house: House) -> None:
    page = await house.rest.get("/v2/recordings")
    assert page["limit"] == 10
    assert page["last"] == ""
    assert [one["session_id"] for one in page["data"]] == [house.bad, house.good]
    assert "recording_assets" not in page["data"][0]
    newest = page["data"][0]
    for name in ("room_id", "session_id"):
        found = await house.rest.get("/v2/recordings", **{name: newest[name]})
        assert [one["id"] for one in found["data"]] == [newest["id"]]
    mixed = {"room_id": page["data"][1]["room_id"], "session_id": newest["session_id"]}
    assert (await house.rest.get("/v2/recordings", **mixed))["data"] == []
    running = await house.rest.ask("GET", "/v2/recordings", params={"status": "running"})
    assert running.json()["data"] == []
    wrong = await house.rest.get("/v2/recordings", status=400, room_id="here")
    assert wrong["details"] == ["room_id: must be 24 hexadecimal digits"]


async def test_a_recording_has_its_files_and_says_why_one_is_not_there(house: House) -> None:
    bad, good = (await house.rest.get("/v2/recordings"))["data"]
    whole = await until_ended(house, good["id"])
    assert (whole["status"], whole["asset_types"]) == ("completed", [COMPOSED, CHAT])
    assert (whole["meeting_url"], whole["destination"], whole["started_by"]) == ("", "", "")
    composed, chat = whole["recording_assets"]
    assert (composed["type"], composed["status"], composed["duration"], composed["metadata"]) == (
        COMPOSED,
        "completed",
        1,
        {},
    )
    assert composed["thumbnails"] is None
    assert composed["path"].startswith("local://recordings/")
    assert (chat["duration"], chat["path"].endswith(".csv")) == (0, True)
    assert "error" not in composed
    lacking = await until_ended(house, bad["id"])
    assert lacking["status"] == "failed"
    assert lacking["recording_assets"][0]["error"].startswith("INPUT_ERROR: nothing was captured in this session")
    assert (await house.rest.get(f"/v2/recordings/{composed['id']}"))["id"] == good["id"]
    assert (await house.rest.get("/v2/recordings/" + "0" * 24, 404))["message"] == "recording not found"


async def test_assets_are_listed_by_type_and_state_and_shown_with_whose_they_are(house: House) -> None:
    page = await house.rest.get("/v2/recording-assets")
    assert len(page["data"]) == 4
    assert [one["id"] for one in page["data"]] == sorted((one["id"] for one in page["data"]), reverse=True)
    chats = await house.rest.get("/v2/recording-assets", type=CHAT)
    assert {one["type"] for one in chats["data"]} == {CHAT}
    (composed,) = (await house.rest.get("/v2/recording-assets", session_id=house.good, type=COMPOSED))["data"]
    assert composed["session_id"] == house.good
    one = await house.rest.get(f"/v2/recording-assets/{composed['id']}")
    assert one == composed
    assert (await house.rest.get(f"/v2/recording-assets/{one['job_id']}"))["id"] == one["id"]
    answer = await house.rest.ask("GET", "/v2/recording-assets", params={"type": "film"})
    assert answer.status == 400
    assert answer.json()["details"] == ["type: must be one of track, stream, room-composite-legacy, chat"]


async def test_a_link_leads_to_a_file_that_is_there_for_as_long_as_was_asked(house: House) -> None:
    (composed,) = (await house.rest.get("/v2/recording-assets", session_id=house.good, type=COMPOSED))["data"]
    path = f"/v2/recording-assets/{composed['id']}/presigned-url"
    link = await house.rest.get(path)
    assert (link["id"], link["path"], link["expiry"]) == (composed["id"], composed["path"], 259_200)
    assert "signature=" in link["url"]
    assert (await house.rest.get(path, presign_duration=60))["expiry"] == 60
    wrong = await house.rest.get(path, 400, presign_duration=700_000)
    assert wrong["details"] == ["presign_duration: must be 1 to 604800 seconds"]
    (lacking,) = (await house.rest.get("/v2/recording-assets", session_id=house.bad, type=COMPOSED))["data"]
    refused = await house.rest.get(f"/v2/recording-assets/{lacking['id']}/presigned-url", 400)
    assert refused["details"] == ["the asset is failed"]


async def test_composing_again_makes_new_files_and_tells_again(house: House) -> None:
    bad, good = (await house.rest.get("/v2/recordings"))["data"]
    await until_ended(house, bad["id"])
    again = await house.rest.post(f"/v2/recordings/{bad['id']}/compose")
    states = [one["status"] for one in again["recording_assets"]]
    assert len(states) == 4
    # (The worker is at work: it may have been quicker than the answer.)
    assert states[-2:] == ["processing", "processing"] or len(await house.studio.told(house.bad)) == 2
    async with asyncio.timeout(60.0):
        while len(told := await house.studio.told(house.bad)) < 2:
            await asyncio.sleep(0.05)
    assert [one["type"] for one in told] == ["recording.failed", "recording.failed"]
    async with asyncio.timeout(60.0):  # delivered: its captures are released
        while (await house.rest.ask("POST", f"/v2/recordings/{good['id']}/compose")).status != 400:
            await asyncio.sleep(0.05)
    refused = await house.rest.post(f"/v2/recordings/{good['id']}/compose", status=400)
    assert "captures of this session are not here any more" in refused["message"]


async def test_the_command_line_lists_shows_and_composes_again(house: House) -> None:
    def run(*arguments: str) -> Result:
        options = ("--server", house.rest.url, "--token", house.rest.token)
        return CliRunner().invoke(app, ["recordings", *arguments, *options], env={"COLUMNS": "200"})

    bad, good = (await house.rest.get("/v2/recordings"))["data"]
    listed = await asyncio.to_thread(run, "list")
    assert listed.exit_code == 0
    assert listed.stdout.index(bad["id"]) < listed.stdout.index(good["id"])
    shown = await asyncio.to_thread(run, "show", good["id"], "--links")
    assert "completed" in shown.stdout
    assert "signature=" in shown.stdout
    as_json = await asyncio.to_thread(run, "show", bad["id"], "--json")
    assert json.loads(as_json.stdout)["recording_assets"][0]["error"].startswith("INPUT_ERROR")
    await until_ended(house, bad["id"])
    again = await asyncio.to_thread(run, "compose", bad["id"])
    assert again.exit_code == 0
    assert "processing" in again.stdout
    unknown = await asyncio.to_thread(run, "show", "0" * 24)
    assert unknown.exit_code == 1
    assert "recording not found" in unknown.stderr
