"""The truth publisher's tracks: what they send is read again, from a file and after real WebRTC."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiortc import MediaStreamTrack, RTCPeerConnection
from aiortc.contrib.media import MediaRecorder
from av import AudioFrame, AudioResampler, VideoFrame

from callboard.clock import NANOSECONDS, SystemClock
from callboard.recording.truth.hearing import RATE as EAR_RATE
from callboard.recording.truth.hearing import Ear, Heard
from callboard.recording.truth.placing import place_picture, place_sound
from callboard.recording.truth.report import Expected, Gates
from callboard.recording.truth.spans import length
from callboard.recording.truth.tracks import TruthPublisher
from callboard.recording.truth.verify import verify_file
from callboard.recording.truth.watching import Eye, Seen

pytestmark = pytest.mark.media

DEADLINE = 20.0


def publisher(number: int = 9) -> TruthPublisher:
    clock = SystemClock()
    return TruthPublisher(number, clock, clock.now() - 2 * NANOSECONDS, rate=15)


async def test_its_tracks_written_to_a_file_pass_all_gates(tmp_path: Path) -> None:
    sender = publisher()
    picture, sound = sender.picture("v"), sender.sound("a")
    path = tmp_path / "sent.mp4"
    recorder = MediaRecorder(str(path))
    recorder.addTrack(picture)
    recorder.addTrack(sound)
    await recorder.start()
    async with asyncio.timeout(DEADLINE):
        while sender.counter < 75:
            await asyncio.sleep(0.1)
    await recorder.stop()
    published = sender.published()
    starts_at = published.picture[0][0]
    # The recorder puts both first frames at zero, though a busy machine may take them at different times.
    gates = Gates(start_offset_error_ms=45.0)
    expected = Expected(starts_at=starts_at, published=(published,))  # a busy machine stalls the tracks: not published
    report = await asyncio.to_thread(verify_file, path, expected, gates)
    assert report.failures == []
    (found,) = report.publishers
    assert found.picture is not None
    assert found.picture.frames >= 70
    assert found.skew is not None


async def test_a_mute_is_black_and_silent_and_not_published() -> None:
    sender = publisher()
    picture, sound = sender.picture("v"), sender.sound("a")
    eye, ear = Eye(320, 180), Ear()
    for muted in (False, True, False):
        picture.muted = sound.muted = muted
        await asyncio.gather(watch(picture, eye, 20), listen(sound, ear, 60))
    eye.finish()
    ear.finish()
    published = sender.published()
    assert list(eye.seen[9].counter) == list(range(40))
    assert eye.seen[9].hidden == 20
    seen, heard = place_picture(eye.seen[9]), place_sound(9, ear.heard[9], None)
    assert seen is not None
    assert heard is not None
    for medium, sent in ((seen, published.picture), (heard, published.sound)):
        assert len(sent) >= 2
        assert length(medium.covered) == pytest.approx(length(sent), abs=0.2)
        assert medium.covered[0][0] == pytest.approx(sent[0][0], abs=0.03)
        assert medium.covered[-1][1] == pytest.approx(sent[-1][1], abs=0.03)


async def test_marks_survive_vp8_opus_and_rtp() -> None:
    sender = publisher()
    async with connected(sender) as (picture, sound):
        eye, ear = Eye(320, 180), Ear()
        async with asyncio.timeout(DEADLINE):
            await asyncio.gather(watch(picture, eye, 45), listen(sound, ear, 150))
        eye.finish()
        ear.finish()
    published = sender.published()
    seen, heard = eye.seen[9], ear.heard[9]
    assert list(eye.seen) == [9]
    assert_increasing(seen)
    assert_in_published_time(seen, heard, published.picture[0][0], published.picture[-1][1])


def assert_increasing(seen: Seen) -> None:
    counters = list(seen.counter)
    assert counters == sorted(set(counters))
    assert len(counters) >= 30
    missing = counters[-1] - counters[0] + 1 - len(counters)
    assert missing <= 3  # nothing is lost on loopback, but a busy machine may be late


def assert_in_published_time(seen: Seen, heard: Heard, start: float, end: float) -> None:
    assert start - 0.001 <= seen.clock[0] < seen.clock[-1] <= end
    placed = place_sound(9, heard, None)
    assert placed is not None
    assert len(placed.offsets.at) >= 2


@asynccontextmanager
async def connected(sender: TruthPublisher) -> AsyncIterator[tuple[MediaStreamTrack, MediaStreamTrack]]:
    """Two aiortc peers on loopback; yields the received picture and sound."""
    here, there = RTCPeerConnection(), RTCPeerConnection()
    received: dict[str, MediaStreamTrack] = {}
    there.on("track", lambda track: received.__setitem__(track.kind, track))
    try:
        here.addTrack(sender.picture("v"))
        here.addTrack(sender.sound("a"))
        await here.setLocalDescription(await here.createOffer())
        await there.setRemoteDescription(here.localDescription)
        await there.setLocalDescription(await there.createAnswer())
        await here.setRemoteDescription(there.localDescription)
        yield received["video"], received["audio"]
    finally:
        await here.close()
        await there.close()


async def watch(track: MediaStreamTrack, eye: Eye, count: int) -> None:
    for _ in range(count):
        frame = await track.recv()
        assert isinstance(frame, VideoFrame)
        assert frame.pts is not None
        eye.feed(frame.pts / 90_000, luma(frame))


async def listen(track: MediaStreamTrack, ear: Ear, count: int) -> None:
    resampler = AudioResampler(format="s16", layout="mono", rate=EAR_RATE)
    for _ in range(count):
        frame = await track.recv()
        assert isinstance(frame, AudioFrame)
        for piece in resampler.resample(frame):
            assert piece.time is not None
            ear.feed(piece.time, array("h", bytes(piece.planes[0])[: 2 * piece.samples]))


def luma(frame: VideoFrame) -> bytes:
    """The luma plane without padding."""
    plane = frame.reformat(320, 180, "yuv420p").planes[0]
    data = bytes(plane)
    return b"".join(data[start : start + 320] for start in range(0, 180 * plane.line_size, plane.line_size))
