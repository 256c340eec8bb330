"""Live sessions whose capturing is cut off: the disk fills, or the longest duration is reached.

The rooms, the recorder and the database are real; of the media engine there is what the recorder sees of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from callboard.clock import NANOSECONDS
from callboard.recording.capture import recorder as recording
from callboard.recording.capture.derive import Captured, load_capture
from callboard.recording.capture.meter import CapturedNow, Meter
from callboard.recording.capture.recorder import DISK_FULL, TOO_LONG
from callboard.recording.timeline import Segment
from callboard.rooms import actions
from callboard.rooms.models import Recording, TrackRecording
from callboard.rooms.reports import Person
from callboard.rooms.session import Track
from callboard.testing.archive import Archive, open_archive

ANN = Person("ann", role="host")
LONGEST = 60


class Engine:
    """Ann's connection. It is captured if the recorder gives it a path (`Recorder.base`), until it is told to stop."""

    def __init__(self) -> None:
        self.base: str | None = None
        self.stopped = asyncio.Event()

    def captured(self, track_id: str) -> str | None:
        return f"{self.base}-{track_id}.mjr" if self.base else None

    async def stop_capture(self) -> None:
        self.base = None
        self.stopped.set()

    async def close(self) -> None:
        self.base = None


class Session:
    """Ann, alone in the room."""

    def __init__(self, archive: Archive, engine: Engine) -> None:
        self.archive = archive
        self.engine = engine
        self.tracks: dict[str, Track] = {}

    async def connect(self) -> bool:
        """Make a new connection; whether it is captured."""
        self.engine.base = await self.archive.recorder.base(self.archive.room_id)
        return self.engine.base is not None

    async def publish(self, track_id: str) -> None:
        self.tracks[track_id] = Track(track_id, "stream", "audio", "regular", mute=False)
        await actions.set_tracks(self.archive.rooms, self.archive.room_id, ANN.peer_id, dict(self.tracks))

    async def capture(self) -> Captured:
        (row,) = await self.archive.database.fetch("kept_captures")
        found = await load_capture(self.archive.database, str(row[0]))
        assert found is not None
        return found

    async def cut_off(self) -> Segment:
        """The one segment, once it is ended."""
        await asyncio.wait_for(self.engine.stopped.wait(), 60.0)
        async with asyncio.timeout(60.0):
            while not (segment := (await self.capture()).segments[0]).ended_at:
                await asyncio.sleep(0.005)
        return segment

    async def end(self) -> Captured:
        """Leave; what was captured, once it is complete."""
        await actions.leave(self.archive.rooms, self.archive.room_id, ANN)
        async with asyncio.timeout(60.0):
            while (found := await self.capture()).capture.state != "complete":
                await asyncio.sleep(0.005)
        return found


@asynccontextmanager
async def session(path: Path, monkeypatch: pytest.MonkeyPatch, free: list[int]) -> AsyncIterator[Session]:
    """A session that is captured, on a disk with `free[0]` bytes left."""
    monkeypatch.setattr(recording, "WATCH_SECONDS", 0.01)
    engine = Engine()
    wanted = Recording(name="all", role="host", track_recording=TrackRecording(enabled=True), max_duration=LONGEST)
    async with open_archive(path, lambda *_: engine, (wanted,)) as archive:  # type: ignore[arg-type]
        monkeypatch.setattr(archive.folder, "free", lambda: free[0])
        await archive.recorder.start()
        ann = Session(archive, engine)
        assert await actions.join(archive.rooms, archive.room_id, ANN, with_media=False) is None
        yield ann


async def until_low(archive: Archive, low: bool) -> None:
    async with asyncio.timeout(60.0):
        while (await archive.recorder.base(archive.room_id) is None) is not low:
            await asyncio.sleep(0.005)


async def test_a_disk_that_fills_ends_what_is_captured_and_space_lets_new_connections_be_captured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    free = [2**50]
    async with session(tmp_path, monkeypatch, free) as ann:
        assert await ann.connect()
        await ann.publish("before")
        recorder = ann.archive.recorder
        assert (recorder.now(), recorder.low) == (CapturedNow(sessions=1, audio=1, video=0, files=1), False)
        Path(f"{ann.engine.base}-before.mjr").write_bytes(bytes(1_000))
        async with asyncio.timeout(60.0):
            while recorder.counters.bytes < 1_000:
                await asyncio.sleep(0.005)
        free[0] = 0
        await ann.cut_off()
        assert (recorder.now(), recorder.low) == (CapturedNow(sessions=1, audio=0, video=0, files=0), True)
        assert not await ann.connect()
        await ann.publish("meanwhile")
        free[0] = 2**50
        await until_low(ann.archive, low=False)
        assert await ann.connect()
        await ann.publish("after")
        whole = await ann.end()
        refused = {track.track_id: track.refused for track in whole.tracks}
        assert refused == {"before": "", "meanwhile": DISK_FULL, "after": ""}
        assert sorted(one.track_id for one in whole.segments) == ["after", "before"]
        assert all(one.ended_at for one in whole.segments)
        told = [kind for kind in ann.archive.told() if kind.startswith("track.")]
        assert told == ["track.recording.failure", *["track.recording.started.success"] * 2]
        assert len(await ann.archive.jobs("recording.track")) == 2
        assert (recorder.counters.segments, recorder.counters.refused, recorder.counters.completed) == (2, 1, 1)
        assert (recorder.counters.disk_alarms, recorder.counters.bytes) == (1, 1_000)
    assert len([one for one in caplog.records if one.levelname == "CRITICAL"]) == 1


async def test_after_the_longest_duration_nothing_more_is_captured_and_what_was_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with session(tmp_path, monkeypatch, [2**50]) as ann:
        assert await ann.connect()
        await ann.publish("before")
        ann.archive.clock.advance(LONGEST - 1)
        assert await ann.connect()
        ann.archive.clock.advance(1)
        segment = await ann.cut_off()
        assert segment.ended_at - segment.started_at == LONGEST * NANOSECONDS
        assert not await ann.connect()
        await ann.publish("later")
        whole = await ann.end()
        assert {track.track_id: track.refused for track in whole.tracks} == {"before": "", "later": TOO_LONG}
        assert list(whole.segments) == [segment]
        assert len(await ann.archive.jobs("recording.track")) == 1
        told = [kind for kind in ann.archive.told() if kind.startswith("track.")]
        assert told == ["track.recording.failure", "track.recording.started.success"]


def test_files_are_measured_while_they_grow_and_once_more_when_they_have_ended(tmp_path: Path) -> None:
    meter = Meter(tmp_path)
    (tmp_path / "a").write_bytes(bytes(10))
    assert meter.grown(["a", "not there yet"]) == 10
    (tmp_path / "a").write_bytes(bytes(25))
    (tmp_path / "not there yet").write_bytes(bytes(7))
    assert meter.grown(["not there yet"]) == 22
    (tmp_path / "a").write_bytes(bytes(99))
    assert meter.grown([]) == 0, "of what has ended nobody asks again"
