"""The truth publisher's tracks: what they send is read again, from a file and after real WebRTC."""

from __future__ import annotations

import asyncio
import itertools
import time
from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiortc import MediaStreamTrack, RTCPeerConnection
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, AudioResampler, VideoFrame

from callboard.clock import NANOSECONDS, SystemClock
from callboard.recording.capture import matroska, opus, vp8
from callboard.recording.truth.hearing import RATE as EAR_RATE
from callboard.recording.truth.hearing import Ear, Heard
from callboard.recording.truth.placing import place_sound
from callboard.recording.truth.report import Expected
from callboard.recording.truth.tracks import MarkedTrack, TruthPublisher
from callboard.recording.truth.verify import verify_file
from callboard.recording.truth.watching import Eye, Seen

pytestmark = pytest.mark.media

DEADLINE = 60.0


def publisher(number: int = 9) -> TruthPublisher:
    clock = SystemClock()
    return TruthPublisher(number, clock, clock.now() - 2 * NANOSECONDS, rate=15)


async def test_its_tracks_in_a_file_pass_all_gates(tmp_path: Path) -> None:
    sender = publisher()
    film = Film(tmp_path / "sent.mkv")
    await asyncio.gather(film.take(sender.picture("v"), 75), film.take(sender.sound("a"), 250))
    film.write()
    published = sender.published()
    starts_at = min(published.picture[0][0], published.sound[0][0])
    report = await asyncio.to_thread(verify_file, film.path, Expected(starts_at=starts_at, published=(published,)))
    assert report.failures == []
    (found,) = report.publishers
    assert found.picture is not None
    assert found.picture.frames == 75
    assert found.skew is not None


async def test_a_mute_is_black_and_silent_and_not_published(tmp_path: Path) -> None:
    sender = publisher()
    picture, sound = sender.picture("v"), sender.sound("a")
    film = Film(tmp_path / "muted.mkv")
    for muted in (False, True, False):
        picture.muted = sound.muted = muted
        await asyncio.gather(film.take(picture, 20), film.take(sound, 65))
    film.write()
    published = sender.published()
    assert [len(spans) for spans in (published.picture, published.sound)] == [2, 2]
    starts_at = min(published.picture[0][0], published.sound[0][0])
    report = await asyncio.to_thread(verify_file, film.path, Expected(starts_at=starts_at, published=(published,)))
    assert report.failures == []
    (found,) = report.publishers
    assert found.picture is not None
    assert (found.picture.frames, found.picture.pictures_hidden) == (40, 20)


async def test_what_is_late_is_sent_late_and_nothing_is_left_out(tmp_path: Path) -> None:
    sender = publisher()
    picture, sound = sender.picture("v"), sender.sound("a")
    film = Film(tmp_path / "late.mkv")
    await asyncio.gather(film.take(picture, 20), film.take(sound, 65))
    assert sender.gates().skew_p95_ms < 55, "it had a moment in which it was not late"
    time.sleep(0.5)
    await asyncio.gather(film.take(picture, 20), film.take(sound, 65))
    film.write()
    (shown,), (heard,) = sender.published().picture, sender.published().sound
    assert shown[1] - shown[0] == pytest.approx(40 / 15)
    assert heard[1] - heard[0] == pytest.approx(130 * 0.02)
    report = await asyncio.to_thread(verify_file, film.path, Expected(published=(sender.published(),)))
    assert report.failures == []


async def test_a_piece_of_which_all_is_late_is_judged_by_how_late_it_was_at_least(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sender, now = publisher(), 2.0
    monkeypatch.setattr(sender, "now", lambda: now)
    sound = sender.sound("a")
    await sound.recv()
    now += 0.3
    sound.muted = True
    await sound.recv()
    sound.muted = False
    for _ in range(3):
        await sound.recv()
    late = sender.gates().start_offset_error_ms - 20
    assert late == pytest.approx(300 - 4 * 20, abs=1)


async def test_after_a_cut_nothing_is_sent_and_nothing_is_missing() -> None:
    sender = publisher()
    track = sender.sound("a")

    async def all_of_it() -> int:
        for count in itertools.count():
            try:
                await track.recv()
            except MediaStreamError:
                return count
        raise AssertionError

    sending = asyncio.create_task(all_of_it())
    await asyncio.sleep(0.3)
    await sender.cut()
    ((start, end),) = sender.published().sound
    assert await sending == round((end - start) / 0.02)
    with pytest.raises(MediaStreamError):
        await track.recv()
    with pytest.raises(MediaStreamError):
        await sender.sound("b").recv()
    sender.resume()
    await sender.sound("c").recv()


async def test_a_whole_picture_is_made_at_first_when_asked_for_and_when_the_size_changes() -> None:
    sender = publisher()
    picture = sender.picture("v")

    async def is_key() -> bool:
        return vp8.is_key(bytes(await picture.recv()))

    assert [await is_key() for _ in range(3)] == [True, False, False]
    picture.key_wanted()
    assert [await is_key() for _ in range(2)] == [True, False]
    sender.width, sender.height = 480, 270
    assert [await is_key() for _ in range(2)] == [True, False]


class Film:
    """What tracks yield, written to a Matroska file as it is."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._units: list[tuple[int, int, bytes]] = []

    async def take(self, track: MarkedTrack, count: int) -> None:
        number = 1 if track.kind == "video" else 2
        for _ in range(count):
            packet = await track.recv()
            assert packet.pts is not None
            self._units.append((round(1000 * packet.pts * packet.time_base), number, bytes(packet)))

    def write(self) -> None:
        tracks = [
            matroska.Track("video", "V_VP8", b"", 320, 180),
            matroska.Track("audio", "A_OPUS", opus.head(), 0, 0),
        ]
        self._units.sort()
        first = self._units[0][0]
        with matroska.Writer(self.path, tracks) as writer:
            for at, number, data in self._units:
                key = number == 2 or vp8.is_key(data)
                writer.write(number - 1, at - first, data, key=key, length=20 if number == 2 else 67)


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
