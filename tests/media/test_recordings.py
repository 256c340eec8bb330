"""Track and stream recordings of a real call: delivered, told of, and measured by the marks in picture and sound.

One session is played for all of them: who is there all the time, who comes late and leaves early, who mutes, who shares
a screen, whose picture changes its size, and who speaks only.
"""

from __future__ import annotations

import asyncio
import contextlib
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest

from callboard.recording.truth.report import Gates, Published
from callboard.testing.play import Play, play
from callboard.testing.recordings import BOTH, TALKERS, Cast, Film, act, exit_stage, measured

pytestmark = pytest.mark.media


@dataclass
class Session:
    """What was published, and what came of it."""

    streams: dict[str, Film] = field(default_factory=dict)
    tracks: dict[str, list[Film]] = field(default_factory=dict)
    sent: dict[str, Published] = field(default_factory=dict)
    gates: dict[str, Gates] = field(default_factory=dict)
    kinds: list[str] = field(default_factory=list)
    left: list[Path] = field(default_factory=list)


async def performed(stage: Play, cast: Cast) -> Session:
    """The session."""
    names = ("Ann", "Ben", "Cleo", "Dan")
    ann, ben, cleo, dan = (stage.peer(name, "host") for name in names)
    steady, guest, muting, shape, screen = (cast.publisher(number) for number in range(1, 6))
    await asyncio.gather(ann.join(), cleo.join(), dan.join())
    await asyncio.gather(act(ann, steady), act(cleo, muting), act(dan, shape))
    await asyncio.sleep(1.5)
    await ben.join()
    await ben.publish(guest.sound)
    await cleo.mute("audio")
    await cleo.mute("video")
    shape.width, shape.height = 480, 270
    shared = await dan.publish(screen.picture, "screen")
    await asyncio.sleep(2.5)
    await cleo.unmute("audio")
    await cleo.unmute("video")
    await exit_stage(ben, guest)
    await screen.cut()
    await dan.unpublish(shared)
    await asyncio.sleep(2.0)
    await asyncio.gather(exit_stage(ann, steady), exit_stage(cleo, muting), exit_stage(dan, shape))
    await stage.told("session.close.success")
    found = Session()
    cast_list = {"Ann": (ann, steady), "Ben": (ben, guest), "Cleo": (cleo, muting), "Dan": (dan, shape)}
    for name, (peer, sender) in cast_list.items():
        found.sent[name], found.gates[name] = sender.published(), sender.gates()
        found.streams[name] = await cast.film(
            "stream.recording.success", peer_id=peer.peer_id, type="audio" if name == "Ben" else "regular"
        )
    found.sent["screen"], found.gates["screen"] = screen.published(), screen.gates()
    found.streams["screen"] = await cast.film("stream.recording.success", peer_id=dan.peer_id, type="screen")
    await _tracks_of(
        stage, cast, {ann.peer_id: "Ann", ben.peer_id: "Ben", cleo.peer_id: "Cleo", dan.peer_id: "Dan"}, found
    )
    await stage.settle()
    found.kinds = [one.event.type for one in stage.inbox.first_arrivals]
    return found


async def _tracks_of(stage: Play, cast: Cast, names: dict[str, str], found: Session) -> None:
    started = [one for one in stage.inbox.first_arrivals if one.event.type == "track.recording.started.success"]
    for one in started:
        film = await cast.film("track.recording.success", track_id=one.event.data["track_id"])
        found.tracks.setdefault(names[film.data["peer_id"]], []).append(film)


def left(folder: Path) -> list[Path]:
    """What is in the capture folder, but for its marker."""
    return [path for path in (folder / "capture").rglob("*.*") if path.suffix and path.is_file()]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """The session, played once."""

    async def played() -> Session:
        folder = tmp_path_factory.mktemp("recordings")
        async with play(folder, roles=TALKERS) as stage:
            await stage.stage.rest.record(stage.stage.template_id, **BOTH)
            found = await performed(stage, Cast(stage, folder))
            with contextlib.suppress(TimeoutError):  # it is a job of its own, after the last event
                async with asyncio.timeout(60):
                    while left(folder):
                        await asyncio.sleep(0.05)
        found.left = left(folder)
        return found

    return asyncio.run(played())


@pytest.mark.parametrize("name", ["Ann", "Ben", "Cleo", "Dan", "screen"])
def test_a_stream_is_recorded_whole_in_sync_and_as_long_as_it_was(session: Session, name: str) -> None:
    report = measured(session.streams[name], session.sent[name], session.gates[name])
    assert report.failures == [], (report.publishers, session.sent[name])


def test_a_mute_is_silent_and_dark_in_the_recording_and_what_follows_is_in_its_place(session: Session) -> None:
    (report,) = measured(session.streams["Cleo"], session.sent["Cleo"]).publishers
    assert report.picture is not None
    assert report.picture.pictures_hidden > 20
    sound = session.sent["Cleo"].sound
    assert max(after[0] - before[1] for before, after in pairwise(sound)) > 2.0


def test_each_published_track_has_one_file_of_its_own_that_is_as_long_as_it_was(session: Session) -> None:
    assert {name: len(films) for name, films in session.tracks.items()} == {"Ann": 2, "Ben": 1, "Cleo": 2, "Dan": 3}
    for name in ("Ann", "Ben"):
        for film in session.tracks[name]:
            sent = session.sent[name]
            kind = film.data["track_type"]
            alone = Published(
                sent.publisher, sent.picture if kind == "video" else (), sent.sound if kind == "audio" else ()
            )
            assert measured(film, alone, session.gates[name]).failures == [], (name, kind)


def test_each_track_is_told_to_have_started_once_and_to_have_ended_once(session: Session) -> None:
    assert session.kinds.count("track.recording.started.success") == 8
    assert session.kinds.count("track.recording.success") == 8
    assert session.kinds.count("stream.recording.success") == 5
    assert not [kind for kind in session.kinds if kind.endswith("failure")]


def test_streams_are_told_with_their_type_and_the_file_that_their_codecs_allow(session: Session) -> None:
    about = {name: (film.data["stream_type"], film.path.suffix) for name, film in session.streams.items()}
    assert about["Ann"] == ("regular", ".webm")
    assert about["Ben"] == ("audio", ".mp4")
    assert about["screen"] == ("screen", ".webm")


def test_what_was_captured_is_deleted_once_everything_is_delivered(session: Session) -> None:
    assert session.left == []


async def test_below_the_floor_of_free_disk_space_nothing_is_captured_and_that_is_told_once(tmp_path: Path) -> None:
    settings = {"CALLBOARD_RECORDING__MIN_FREE_BYTES": str(2**60)}
    async with play(tmp_path, settings=settings, roles=TALKERS) as stage:
        await stage.stage.rest.record(stage.stage.template_id, **BOTH)
        cast = Cast(stage, tmp_path)
        ann, sender = stage.peer("Ann", "host"), cast.publisher(1)
        await ann.join()
        track = await ann.publish(sender.sound)
        await ann.leave()
        await stage.told("session.close.success")
        failed = await stage.told("track.recording.failure", track_id=track)
        assert failed.event.data["error_message"] == "INTERNAL_ERROR"
        await stage.told("stream.recording.failure", peer_id=ann.peer_id)
        await stage.settle()
        assert stage.never_told("track.recording.started.success")
        assert "recording.min_free_bytes" in stage.server.log_file.read_text()
        assert not list((tmp_path / "capture").rglob("*.mjr"))


async def test_a_link_to_a_recording_that_was_changed_or_is_too_old_opens_nothing(tmp_path: Path) -> None:
    async with play(tmp_path, roles=TALKERS) as stage:
        await stage.stage.rest.record(stage.stage.template_id, trackRecording={"enabled": True})
        cast = Cast(stage, tmp_path)
        ann, sender = stage.peer("Ann", "host"), cast.publisher(1)
        await ann.join()
        track = await ann.publish(sender.sound)
        await sender.sends(1.0)
        await ann.leave()
        film = await cast.film("track.recording.success", track_id=track)
        link = film.data["recording_presigned_url"]
        assert (await asyncio.to_thread(fetched, link, "bytes=0-3")) == (206, b"\x1a\x45\xdf\xa3")
        for wrong in (link.replace("expires=", "expires=9"), link[:-3] + "AAA", link.split("?")[0]):
            assert (await asyncio.to_thread(fetched, wrong))[0] == 403
        await stage.settle()


def fetched(url: str, wanted: str = "") -> tuple[int, bytes]:
    """The status and the body that a GET is answered with."""
    request = urllib.request.Request(url, headers={"Range": wanted} if wanted else {})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, b""
