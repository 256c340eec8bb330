"""Composed recordings, decoded and measured: everybody is there, where and when they were, in sync.

Real files with truth marks, real FFmpeg; no Janus. One session of twelve seconds has all that happens in a room.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from callboard.jobs.process import run_process
from callboard.recording.composite.compose import Composed, Composer
from callboard.recording.composite.look import Look
from callboard.recording.composite.plan import Plan, plan_of
from callboard.recording.composite.sound import MOST_INPUTS
from callboard.recording.timeline import Piece
from callboard.recording.truth import decode
from callboard.recording.truth.report import Expected, Publisher, Report
from callboard.recording.truth.verify import verify_file
from callboard.testing.clips import OPUS, Clips, ffmpeg, published, session

pytestmark = pytest.mark.media

LOOK = Look(width=640, height=360, rate=25, chunk=5)
SIZES = [(320, 180), (160, 90), (180, 320), (320, 180)]
ANN, BEN, CAT, DAN, SCREEN, DUO = range(6)


@dataclass
class Made:
    plan: Plan
    composed: Composed
    report: Report

    def publisher(self, who: int) -> Publisher:
        return next(one for one in self.report.publishers if one.publisher == who)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Ann is there for all of it, in changing sizes. Ben comes late, mutes his camera, leaves early. Cat loses her
    connection for two seconds. Dan has no camera, and shares a screen. Eve only listens. Three chunks."""
    clips = Clips(tmp_path_factory.mktemp("session"))
    ann = clips.video(ANN, (0.413, 12.0), sizes=SIZES), clips.audio(ANN, (0.413, 12.0))
    ben = clips.video(BEN, (2.6, 9.0), mutes=((4.0, 6.0),)), clips.audio(BEN, (2.6, 9.0))
    cat = clips.video(CAT, (1.0, 5.2), (7.24, 12.0)), clips.audio(CAT, (1.0, 5.2), (7.24, 12.0))
    dan = (clips.audio(DAN, (3.0, 11.5)),)
    screen = (clips.video(SCREEN, (6.0, 10.0), sizes=((640, 360),), source="screen", peer=DAN),)
    stays = [
        (ANN, "Ann", 0, 12),
        (BEN, "Ben", 2.5, 9.1),
        (CAT, "Cat", 0.9, 12),
        (DAN, "Dan", 2.9, 11.6),
        (9, "Eve", 0, 12),
    ]
    timeline = session([*ann, *ben, *cat, *dan, *screen], stays, 12.0)
    plan = plan_of(timeline, LOOK)
    composed = compose(plan, tmp_path_factory.mktemp("composed"))
    everybody = (
        published(ANN, *ann),
        published(BEN, *ben),
        published(CAT, *cat),
        published(DAN, *dan),
        published(SCREEN, *screen),
    )
    report = verify_file(Path(composed.file), Expected(starts_at=0.0, published=everybody))
    return Made(plan, composed, report)


def compose(plan: Plan, folder: Path) -> Composed:
    return asyncio.run(Composer(plan, folder, run_process).join())


def test_all_gates_are_passed(made: Made) -> None:
    assert made.report.failures == []
    assert made.report.format.endswith("h264 aac")
    assert len(made.plan.chunks) == 3


def test_second_zero_of_the_file_is_second_zero_of_the_session(made: Made) -> None:
    assert made.report.duration.decoded == pytest.approx(12.0, abs=0.05)
    for publisher in made.report.publishers:
        for medium in (publisher.picture, publisher.sound):
            if medium is not None:
                assert medium.start_offset_error_ms == pytest.approx(0, abs=20)
                assert abs(medium.pace_ms_per_minute or 0.0) < 20


def test_picture_and_sound_of_everybody_are_in_sync_also_with_each_other(made: Made) -> None:
    for who in (ANN, BEN, CAT):
        skew = made.publisher(who).skew
        assert skew is not None
        assert skew.max_ms < 45
    assert made.report.participants is not None
    assert made.report.participants.p95_ms < 40


def test_a_track_that_changes_its_size_is_seen_to_its_end(made: Made) -> None:
    seen = made.publisher(ANN).picture
    assert seen is not None
    assert (seen.frames_missing, seen.frames_backwards, seen.frozen) == (0, 0, [])
    assert seen.end == pytest.approx(12.0, abs=0.1)


def test_who_comes_late_and_leaves_early_is_seen_and_heard_for_just_that_time(made: Made) -> None:
    ben = made.publisher(BEN)
    assert ben.picture is not None
    assert ben.sound is not None
    assert ben.picture.start == pytest.approx(2.6, abs=0.06)
    assert ben.picture.end == pytest.approx(9.0, abs=0.1)
    assert ben.sound.presence > 0.99


def test_a_gap_of_a_reconnect_is_a_gap_of_that_length(made: Made) -> None:
    cat = made.publisher(CAT)
    assert cat.picture is not None
    assert cat.sound is not None
    assert cat.picture.presence > 0.99
    assert cat.sound.presence > 0.99
    assert cat.picture.end == pytest.approx(12.0, abs=0.1)


def test_nothing_clips_though_four_speak_at_once(made: Made) -> None:
    container = decode.probe(Path(made.composed.file), 30.0)
    loudest = max(abs(sample) for _, samples in decode.sounds(container, 48_000, 60.0) for sample in samples)
    assert 5_000 < loudest < 32_000


def test_a_muted_camera_and_somebody_without_one_are_tiles_with_their_names(made: Made, tmp_path: Path) -> None:
    """Ben's place is dark, but for his name, while he is muted; it is bright before and after."""
    file = made.composed.file
    scene = next(scene for chunk in made.plan.chunks for scene in chunk.scenes if scene.first <= 5 * 25 < scene.last)
    assert [tile.name for tile in scene.tiles] == ["Ann", "Cat", "Ben", "Dan"]
    ben, dan = scene.tiles[2].box, scene.tiles[3].box
    for box, instant, bright in ((ben, 3.5, True), (ben, 5.1, False), (dan, 5.1, False)):
        luma = region(file, instant, box, tmp_path)
        share = sum(value > 100 for value in luma) / len(luma)
        assert (share > 0.7) if bright else (0.001 < share < 0.1)


def test_a_shared_screen_takes_most_of_the_picture_and_the_others_are_beside_it(made: Made) -> None:
    scene = next(scene for chunk in made.plan.chunks for scene in chunk.scenes if scene.first <= 8 * 25 < scene.last)
    names: Mapping[str, int] = {tile.name: tile.box.width for tile in scene.tiles}
    assert names["Screen: Dan"] > 3 * names["Ann"]
    assert list(names) == ["Screen: Dan", "Ann", "Cat", "Ben", "Dan"]


def test_a_player_can_start_before_it_has_all_and_can_seek(made: Made) -> None:
    data = Path(made.composed.file).read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")


def region(file: str, instant: float, box: tuple[int, int, int, int], folder: Path) -> bytes:
    """The luma of a part of the picture shown at that instant."""
    raw = folder / "region.raw"
    x, y, width, height = box
    crop = f"crop={width}:{height}:{x}:{y},format=yuv420p,extractplanes=y"
    ffmpeg("-ss", str(instant), "-i", file, "-frames:v", "1", "-vf", crop, "-f", "rawvideo", raw)
    return raw.read_bytes()


def test_more_people_than_files_that_are_open_at_once_are_all_heard(tmp_path: Path) -> None:
    """Two who speak among thirty: their sound is mixed in parts, and is where it would be otherwise."""
    clips = Clips(tmp_path)
    spoken = {who: clips.audio(who, (0.5, 4.0)) for who in (1, 2)}
    silence = tmp_path / "silence.webm"
    ffmpeg("-f", "lavfi", "-i", "anullsrc=d=4:r=48000:cl=mono", *OPUS, silence)
    piece = Piece(file=str(silence), codec="opus", start=0.0, duration=4.0)
    quiet = [msgspec.structs.replace(spoken[1], peer_id=f"q{n}", pieces=(piece,)) for n in range(28)]
    plan = plan_of(session([spoken[1], *quiet, spoken[2]], [], 4.0), LOOK)
    assert len(plan.chunks[0].mix.clips) > MOST_INPUTS
    composed = compose(plan, tmp_path)
    everybody = (published(1, spoken[1]), published(2, spoken[2]))
    report = verify_file(Path(composed.file), Expected(starts_at=0.0, published=everybody))
    assert [failure for failure in report.failures if "has a picture" not in failure] == []
    assert not list(Path(composed.file).parent.glob("part-*"))
