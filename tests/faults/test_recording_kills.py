"""SIGKILL while a session is captured and while its recordings are made: hardly anything is lost, all of it is told."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from callboard.demo.seen import Delivered
from callboard.recording.truth.report import Expected
from callboard.recording.truth.tracks import TruthPublisher
from callboard.recording.truth.verify import verify_file
from callboard.testing.matrix import CAPTURE_KILLS
from callboard.testing.play import Play, play
from callboard.testing.recordings import BOTH, TALKERS, Cast, Film, act

pytestmark = [pytest.mark.faults, pytest.mark.media]

MOST_LOST = 2.0
"""Seconds of media that a SIGKILL may cost."""
MOMENTS = [4.0, *(round(3.0 + number % 7 * 0.37, 2) for number in range(1, int(os.environ.get(CAPTURE_KILLS, "1"))))]
"""Seconds after the start. `make recordings` asks for more than one."""
SETTINGS = {"CALLBOARD_JOBS__LEASE_SECONDS": "1"}


def descendants(pid: int) -> dict[int, str]:
    """The command lines of all processes below this one."""
    found: dict[int, str] = {}
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        try:
            line = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            found |= {int(child): line} | descendants(int(child))
        except FileNotFoundError:
            continue
    return found


async def child_of(server: int, wanted: str) -> int:
    """The first process below the server whose command line has this. Raises `TimeoutError`."""
    async with asyncio.timeout(60):
        while True:
            for pid, line in descendants(server).items():
                if wanted in line:
                    return pid
            await asyncio.sleep(0.001)


async def kill_child(server: int, wanted: str) -> None:
    """Kill such a process as soon as there is one."""
    os.kill(await child_of(server, wanted), signal.SIGKILL)


def last_mark(film: Film, sender: TruthPublisher, first: float) -> float:
    """The source time of the last thing in the recording that began at the source time `first`."""
    report = verify_file(film.path, Expected(starts_at=first))
    (publisher,) = report.publishers
    assert publisher.publisher == sender.publisher
    assert publisher.skew is not None
    assert publisher.skew.p95_ms <= sender.gates().skew_p95_ms
    assert publisher.picture is not None
    assert publisher.sound is not None
    assert min(publisher.picture.presence, publisher.sound.presence) >= 0.99
    return first + min(publisher.picture.end, publisher.sound.end)


async def recorded(stage: Play, folder: Path, moment: float, kill: Callable[[], object]) -> None:
    """A session in which `kill` is called when so many seconds were sent: what was captured before it is there, and
    what came after it too."""
    await stage.stage.rest.record(stage.stage.template_id, **BOTH)
    cast = Cast(stage, folder)
    ann, sender = stage.peer("Ann", "host"), cast.publisher(1)
    await ann.join()
    tracks = await act(ann, sender)
    await sender.sends(moment)
    sent = min(sender.sent_until("video"), sender.sent_until("audio"))
    await kill()  # type: ignore[misc]
    await ann.wait_for(lambda: bool(ann.published) and not set(ann.published) & set(tracks), 60.0, "published anew")
    again = tuple(ann.published)
    for track in again:
        await stage.told("track.recording.started.success", track_id=track)
    await sender.sends(2.5)
    await ann.leave()
    await stage.told("session.close.success")
    for track in (*tracks, *again):
        await stage.told("track.recording.success", track_id=track)
    await stage.inbox.until(lambda: len(told_of(stage, "stream.recording.success")) == 2, 60.0, "both streams")
    films = [await cast.download(one) for one in told_of(stage, "stream.recording.success")]
    await stage.settle()
    before, after = sorted(films, key=lambda film: film.data["recording_id"])
    (first, _) = sender.published().picture[0]
    sound = sender.published().sound[0][0]
    assert sent - await asyncio.to_thread(last_mark, before, sender, min(first, sound)) <= MOST_LOST
    assert before.data["duration"] >= int(moment - MOST_LOST)
    assert after.data["duration"] >= 2
    assert len(told_of(stage, "track.recording.success")) == 4


def told_of(stage: Play, kind: str) -> list[Delivered]:
    """A server that is killed may send again what it had under way: each event once."""
    return [one for one in stage.inbox.first_arrivals if one.event.type == kind]


@pytest.mark.parametrize("moment", MOMENTS)
async def test_janus_is_killed_while_it_captures(tmp_path: Path, moment: float) -> None:
    async with play(tmp_path, settings=SETTINGS, roles=TALKERS) as stage:

        async def kill() -> None:
            os.kill(await child_of(stage.server.pid, "janus"), signal.SIGKILL)

        await recorded(stage, tmp_path, moment, kill)


@pytest.mark.parametrize("moment", MOMENTS)
async def test_the_server_is_killed_while_it_captures(tmp_path: Path, moment: float) -> None:
    async with play(tmp_path, settings=SETTINGS, roles=TALKERS) as stage:

        async def kill() -> None:
            await stage.server.kill()
            await stage.server.start()
            for peer in stage.stage._peers:
                await peer.reconnect()

        await recorded(stage, tmp_path, moment, kill)


async def test_the_server_is_killed_again_and_again_while_recordings_are_made(tmp_path: Path) -> None:
    async with play(tmp_path, settings=SETTINGS, roles=TALKERS) as stage:
        await stage.stage.rest.record(stage.stage.template_id, **BOTH)
        cast = Cast(stage, tmp_path)
        ann, sender = stage.peer("Ann", "host"), cast.publisher(1)
        await ann.join()
        tracks = await act(ann, sender)
        await sender.sends(3.0)
        await ann.leave()
        await stage.told("session.close.success")
        for delay in (0.0, 0.1, 0.3, 0.6):
            await asyncio.sleep(delay)
            await stage.server.kill()
            await stage.server.start()
        for track in tracks:
            await stage.told("track.recording.success", track_id=track)
        film = await cast.film("stream.recording.success", peer_id=ann.peer_id)
        assert film.data["duration"] >= 2
        await stage.settle()
        assert len(told_of(stage, "track.recording.success")) == 2
        assert len(told_of(stage, "stream.recording.success")) == 1


async def test_the_program_that_makes_a_file_is_killed_and_the_file_is_made_again(tmp_path: Path) -> None:
    async with play(tmp_path, settings=SETTINGS, roles=TALKERS) as stage:
        await stage.stage.rest.record(stage.stage.template_id, trackRecording={"enabled": True})
        cast = Cast(stage, tmp_path)
        ann, sender = stage.peer("Ann", "host"), cast.publisher(1)
        await ann.join()
        track = await ann.publish(sender.picture)
        await sender.sends(2.0)
        killing = asyncio.create_task(kill_child(stage.server.pid, "capture.render"))  # it may come before she is gone
        await ann.leave()
        await killing
        film = await cast.film("track.recording.success", track_id=track)
        assert film.data["duration"] >= 1
        assert "was killed by signal 9" in stage.server.log_file.read_text()
        await stage.settle()
