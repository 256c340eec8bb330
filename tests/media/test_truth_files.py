"""The truth harness is right: files with known defects are measured, and what is found is what was done to them.

Real files, made with FFmpeg from the generators. Needs `ffmpeg`, not Janus.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from callboard.recording.truth import decode
from callboard.recording.truth.decode import Unreadable
from callboard.recording.truth.report import Expected, Gates, Picture, Published, Publisher, Report, Sound
from callboard.recording.truth.sound import RATE, synthesize
from callboard.recording.truth.specimen import stamps, write_wav, write_y4m
from callboard.recording.truth.stamp import Stamp
from callboard.recording.truth.verify import verify_file

pytestmark = pytest.mark.media

SECONDS, FPS = 10, 15
WHO = 6
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-b:v", "200k")
AAC = ("-c:a", "aac", "-b:a", "64k")
VP8 = ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "200k")
OPUS = ("-c:a", "libopus", "-b:a", "24k", "-application", "voip")
KINDS = {"mp4": (*H264, *AAC), "webm": (*VP8, *OPUS)}
ALL = ((0.0, float(SECONDS)),)

Sources = Callable[[int], tuple[Path, Path]]


def ffmpeg(*arguments: str | Path) -> None:
    subprocess.run(["ffmpeg", "-nostdin", "-y", "-v", "error", *map(str, arguments)], check=True, timeout=60)


def pictures(path: Path, shown: Sequence[Stamp | None], size: tuple[int, int] = (320, 180)) -> Path:
    write_y4m(path, shown, *size, FPS)
    return path


def sounds(path: Path, publisher: int, seconds: int = SECONDS) -> Path:
    write_wav(path, (synthesize(publisher, n * RATE, RATE).tobytes() for n in range(seconds)))
    return path


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    """Uncompressed picture and sound of a publisher, 10 s."""
    folder = tmp_path_factory.mktemp("sources")
    made: dict[int, tuple[Path, Path]] = {}

    def source(publisher: int) -> tuple[Path, Path]:
        if publisher not in made:
            picture = pictures(folder / f"{publisher}.y4m", stamps(publisher, FPS, SECONDS))
            made[publisher] = picture, sounds(folder / f"{publisher}.wav", publisher)
        return made[publisher]

    return source


def one(report: Report) -> tuple[Publisher, Picture, Sound]:
    """The only publisher of a file that has picture and sound."""
    (publisher,) = report.publishers
    assert publisher.publisher == WHO
    assert publisher.picture is not None
    assert publisher.sound is not None
    return publisher, publisher.picture, publisher.sound


@pytest.mark.parametrize("kind", ["mp4", "webm"])
def test_a_clean_file_passes_all_gates(sources: Sources, tmp_path: Path, kind: str) -> None:
    picture, sound = sources(WHO)
    path = tmp_path / f"clean.{kind}"
    ffmpeg("-i", picture, "-i", sound, *KINDS[kind], path)
    published = Published(WHO, picture=ALL, sound=ALL)
    report = verify_file(path, Expected(starts_at=0.0, published=(published,)))
    publisher, seen, heard = one(report)
    assert report.failures == []
    assert report.passed
    assert (seen.frames, seen.frames_missing, seen.frozen, seen.missing) == (SECONDS * FPS, 0, [], [])
    assert seen.presence > 0.999
    assert heard.presence > 0.995
    assert heard.bursts >= SECONDS - 1
    assert publisher.skew is not None
    assert publisher.skew.max_ms < 10
    assert abs(publisher.drift_ms_per_minute or 0.0) < 2
    for medium in (seen, heard):
        assert medium.start_offset_error_ms is not None
        assert abs(medium.start_offset_error_ms) < 10
    assert report.duration.error == pytest.approx(0, abs=0.05)


def test_mpeg_ts_counts_from_its_first_time_and_the_encoders_delay_is_seen(sources: Sources, tmp_path: Path) -> None:
    picture, sound = sources(WHO)
    path = tmp_path / "clean.ts"
    ffmpeg("-i", picture, "-i", sound, *KINDS["mp4"], path)
    report = verify_file(path, Expected(starts_at=0.0), Gates(start_offset_error_ms=30.0))
    assert report.failures == []
    for medium in one(report)[1:]:
        # FFmpeg moves all by AAC's priming (1024 samples): MPEG-TS has no edit list that hides it.
        assert medium.start_offset_error_ms == pytest.approx(1000 * 1024 / RATE, abs=3)


@pytest.mark.parametrize(("kind", "shift"), [("mp4", 30), ("mp4", 80), ("mp4", -80), ("webm", 30), ("webm", -80)])
def test_shifted_sound_is_measured_to_ten_milliseconds(sources: Sources, tmp_path: Path, kind: str, shift: int) -> None:
    picture, sound = sources(WHO)
    path = tmp_path / f"shifted.{kind}"
    chain = f"adelay={shift}" if shift > 0 else f"atrim=start={-shift / 1000},asetpts=PTS-STARTPTS"
    ffmpeg("-i", picture, "-i", sound, "-af", chain, *KINDS[kind], path)
    report = verify_file(path)
    skew = one(report)[0].skew
    assert skew is not None
    assert skew.p50_ms == pytest.approx(shift, abs=10)
    assert skew.p95_ms == pytest.approx(abs(shift), abs=10)
    assert [failure for failure in report.failures if "of its picture" in failure] == report.failures
    assert report.passed == (abs(shift) < 45)


def test_sound_that_runs_away_is_measured_as_drift(tmp_path: Path) -> None:
    picture = pictures(tmp_path / "p.y4m", stamps(WHO, FPS, 20), (192, 108))
    sound = sounds(tmp_path / "s.wav", WHO, 20)
    path = tmp_path / "drift.mp4"
    slower = f"asetrate={RATE / (1 + 0.050 / 60):.0f},aresample={RATE}"
    ffmpeg("-i", picture, "-i", sound, "-af", slower, *KINDS["mp4"], path)
    publisher, seen, heard = one(verify_file(path))
    assert publisher.drift_ms_per_minute == pytest.approx(50, abs=5)
    assert heard.pace_ms_per_minute == pytest.approx(50, abs=5)
    assert seen.pace_ms_per_minute == pytest.approx(0, abs=5)


def test_a_picture_that_stands_for_two_seconds_is_frozen(sources: Sources, tmp_path: Path) -> None:
    all_of_them = stamps(WHO, FPS, SECONDS)
    held = [all_of_them[60] if 60 <= stamp.counter < 90 else stamp for stamp in all_of_them]
    picture = pictures(tmp_path / "p.y4m", held)
    path = tmp_path / "frozen.webm"
    ffmpeg("-i", picture, "-i", sources(WHO)[1], *KINDS["webm"], path)
    report = verify_file(path)
    _, seen, _ = one(report)
    (frozen,) = seen.frozen
    assert frozen.duration == pytest.approx(2, abs=0.1)
    assert frozen.start == pytest.approx(4, abs=0.15)
    assert seen.frames_missing == 29
    assert seen.presence == pytest.approx(0.8, abs=0.02)
    assert not report.passed


def test_frames_that_were_never_written_freeze_the_picture_too(sources: Sources, tmp_path: Path) -> None:
    picture, sound = sources(WHO)
    path = tmp_path / "hole.mp4"
    chain = "select='not(between(n,60,89))'"
    ffmpeg("-i", picture, "-i", sound, "-vf", chain, "-fps_mode", "vfr", *KINDS["mp4"], path)
    report = verify_file(path)
    _, seen, _ = one(report)
    (frozen,) = seen.frozen
    assert frozen.duration == pytest.approx(2, abs=0.1)
    assert seen.frames_missing == 30
    assert not report.passed


def test_single_dropped_frames_are_counted_exactly(sources: Sources, tmp_path: Path) -> None:
    picture, sound = sources(WHO)
    path = tmp_path / "dropped.webm"
    ffmpeg("-i", picture, "-i", sound, "-vf", "select='mod(n,12)'", "-fps_mode", "vfr", *KINDS["webm"], path)
    _, seen, _ = one(verify_file(path))
    assert seen.frames_missing == SECONDS * FPS // 12  # the first is before the first that is seen, the last is seen
    assert seen.frames == SECONDS * FPS - 13
    assert seen.frozen == []


@pytest.mark.parametrize("kind", ["mp4", "webm"])
@pytest.mark.parametrize("how", ["silenced", "cut out"])
def test_a_second_without_sound_is_a_gap_where_it_is(sources: Sources, tmp_path: Path, kind: str, how: str) -> None:
    picture, sound = sources(WHO)
    path = tmp_path / f"gap.{kind}"
    chain = "volume=0:enable='between(t,4,5)'" if how == "silenced" else "aselect='not(between(t,4,5))'"
    ffmpeg("-i", picture, "-i", sound, "-af", chain, *KINDS[kind], path)
    report = verify_file(path)
    _, _, heard = one(report)
    (gap,) = [stretch for stretch in heard.missing if stretch.duration > 0.05]
    assert gap.duration == pytest.approx(1, abs=0.06)
    assert gap.start == pytest.approx(4, abs=0.06)
    assert heard.presence == pytest.approx(0.9, abs=0.01)
    assert any("sound" in failure and "of what was published" in failure for failure in report.failures)


def test_a_gap_of_sixty_milliseconds_is_found(sources: Sources, tmp_path: Path) -> None:
    picture, sound = sources(WHO)
    path = tmp_path / "gap.webm"
    ffmpeg("-i", picture, "-i", sound, "-af", "volume=0:enable='between(t,4,4.06)'", *KINDS["webm"], path)
    _, _, heard = one(verify_file(path))
    (gap,) = heard.missing
    assert gap.duration == pytest.approx(0.06, abs=0.03)
    assert gap.start == pytest.approx(4, abs=0.03)


def test_a_truncated_webm_is_shorter_than_it_says(sources: Sources, tmp_path: Path) -> None:
    picture, sound = sources(WHO)
    path = tmp_path / "whole.webm"
    ffmpeg("-i", picture, "-i", sound, *KINDS["webm"], path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    report = verify_file(path, Expected(duration=float(SECONDS)))
    assert 4 < report.duration.decoded < 8
    assert any("expected are 10.00 s" in failure for failure in report.failures)
    assert any("the file says that it lasts 10.0" in failure for failure in report.failures)


def test_a_truncated_mp4_cannot_be_read_and_the_reason_is_told(sources: Sources, tmp_path: Path) -> None:
    path = tmp_path / "whole.mp4"
    ffmpeg("-i", sources(WHO)[0], *H264, path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    with pytest.raises(Unreadable, match=r"whole\.mp4: .*(moov|Invalid data)"):
        verify_file(path)


def test_a_wrong_duration_is_measured_with_and_without_knowing_the_right_one(sources: Sources, tmp_path: Path) -> None:
    picture, sound = sources(WHO)
    path = tmp_path / "slow.mp4"
    ffmpeg("-i", picture, "-i", sound, "-vf", "setpts=1.05*PTS", "-af", "atempo=1/1.05", *KINDS["mp4"], path)
    unknowing = verify_file(path)
    knowing = verify_file(path, Expected(duration=12.0))
    assert unknowing.duration.error == pytest.approx(0.5, abs=0.1)
    assert knowing.duration.error == pytest.approx(-1.5, abs=0.1)
    for report in (unknowing, knowing):
        assert any(failure.startswith("Duration: ") for failure in report.failures)
    assert one(unknowing)[1].pace_ms_per_minute == pytest.approx(3000, rel=0.1)


@pytest.mark.parametrize(("columns", "size"), [(2, (640, 360)), (3, (480, 270)), (3, (320, 180))])
def test_four_publishers_in_a_grid_are_told_apart(
    sources: Sources, tmp_path: Path, columns: int, size: tuple[int, int]
) -> None:
    """The third publisher comes 120 ms too late, picture and sound; the fourth's sound 60 ms more."""
    width, height = size[0] // columns, size[1] // columns
    inputs: list[str | Path] = []
    graph = f"color=black:s={size[0]}x{size[1]}:r=25:d={SECONDS}[bg];"
    for index, late in enumerate((0, 0, 120, 0)):
        picture, sound = sources(index)
        inputs += ["-itsoffset", str(late / 1000), "-i", picture, "-i", sound]
        graph += f"[{2 * index}:v]scale={width}:{height}[v{index}];"
        graph += f"[{2 * index + 1}:a]adelay={late + 60 * (index == 3)},volume=0.25[a{index}];"
    below = "[bg]"
    for index in range(4):
        at = f"x={index % columns * width}:y={index // columns * height}"
        graph += f"{below}[v{index}]overlay={at}:eof_action=pass[o{index}];"
        below = f"[o{index}]"
    graph += "[a0][a1][a2][a3]amix=inputs=4:normalize=0[a]"
    path = tmp_path / "grid.mp4"
    ffmpeg(
        *inputs,
        "-filter_complex",
        graph,
        "-map",
        below,
        "-map",
        "[a]",
        "-t",
        str(SECONDS),
        *H264,
        "-b:v",
        "400k",
        *AAC,
        path,
    )
    report = verify_file(path, Expected(starts_at=0.0), Gates(participants_p95_ms=60.0))
    assert [publisher.publisher for publisher in report.publishers] == [0, 1, 2, 3]
    for publisher in report.publishers:
        late = 120 if publisher.publisher == 2 else 0
        assert publisher.picture is not None
        assert publisher.picture.start_offset_error_ms == pytest.approx(late, abs=20)
        assert publisher.picture.presence > 0.99
        assert publisher.sound is not None
        assert publisher.sound.presence > 0.99
        assert publisher.skew is not None
        assert publisher.skew.p50_ms == pytest.approx(60 if publisher.publisher == 3 else 0, abs=20)
    assert report.participants is not None
    assert report.participants.p50_ms == pytest.approx(120, abs=20)
    assert {failure.split(" are ")[0].split(",")[0].split(":")[0] for failure in report.failures} == {
        "Publisher 2",
        "Publisher 3",
        "Participants",
    }


@pytest.mark.parametrize(
    ("size", "chain"),
    [
        ((320, 180), "scale=160:90,pad=240:180:40:45"),
        ((320, 240), "crop=320:180,scale=160:90"),
        ((320, 180), "crop=102:180"),
        ((180, 320), "scale=-2:180,pad=320:180:(ow-iw)/2:(oh-ih)/2"),
        ((320, 180), "scale=320:320"),
    ],
)
def test_letterboxed_cropped_and_stretched_pictures_are_read(tmp_path: Path, size: tuple[int, int], chain: str) -> None:
    picture = pictures(tmp_path / "p.y4m", stamps(WHO, FPS, 3), size)
    path = tmp_path / "tile.mp4"
    ffmpeg("-i", picture, "-vf", chain, *H264, path)
    (publisher,) = verify_file(path).publishers
    assert publisher.picture is not None
    assert (publisher.picture.frames, publisher.picture.frames_missing) == (3 * FPS, 0)


def test_a_stream_that_changes_its_resolution_on_the_way_is_one_picture(sources: Sources, tmp_path: Path) -> None:
    all_of_them = stamps(WHO, FPS, SECONDS)
    parts = []
    for index, size in enumerate([(320, 180), (160, 90), (180, 320), (320, 180)]):
        part = tmp_path / f"{index}.webm"
        shown = all_of_them[index * 37 : index * 37 + 37 if index < 3 else None]
        ffmpeg("-i", pictures(tmp_path / "p.y4m", shown, size), *VP8, part)
        parts.append(f"file '{part}'\n")
    (tmp_path / "list").write_text("".join(parts), encoding="utf-8")
    path = tmp_path / "changing.webm"
    joined = ("-f", "concat", "-safe", "0", "-i", tmp_path / "list")
    ffmpeg(*joined, "-i", sources(WHO)[1], "-c:v", "copy", *OPUS, path)
    report = verify_file(path, Expected(starts_at=0.0, published=(Published(WHO, picture=ALL, sound=ALL),)))
    publisher, seen, _ = one(report)
    assert report.failures == []
    assert (seen.frames, seen.frames_missing, seen.frozen) == (SECONDS * FPS, 0, [])
    assert publisher.skew is not None
    assert publisher.skew.max_ms < 15


def test_who_comes_late_and_leaves_early_is_all_there_and_a_recording_that_lacks_a_part_is_not_good(
    sources: Sources, tmp_path: Path
) -> None:
    """Publisher 1 is there for all 10 s, publisher 2 from 3 to 7 s."""
    (first, first_sound), (second, second_sound) = sources(1), sources(2)
    path = tmp_path / "guests.mp4"
    graph = (
        f"color=black:s=640x180:r=30:d={SECONDS}[bg];"
        "[2:v]trim=3:7[guest];[bg][0:v]overlay=0:0[one];[one][guest]overlay=320:0:eof_action=pass[v];"
        "[3:a]volume=0:enable='lt(t,3)+gt(t,7)'[late];[1:a][late]amix=inputs=2:normalize=0[a]"
    )
    inputs = ("-i", first, "-i", first_sound, "-i", second, "-i", second_sound)
    ffmpeg(*inputs, "-filter_complex", graph, "-map", "[v]", "-map", "[a]", *KINDS["mp4"], path)

    def published(start: float, end: float) -> Expected:
        guest = Published(2, picture=((start, end),), sound=((start, end),))
        return Expected(starts_at=0.0, published=(Published(1, picture=ALL, sound=ALL), guest))

    good = verify_file(path, published(3.0, 7.0))
    assert good.failures == []
    assert good.publishers[1].picture is not None
    assert good.publishers[1].picture.start == pytest.approx(3, abs=0.07)
    assert good.publishers[1].picture.end == pytest.approx(7, abs=0.07)
    lacking = verify_file(path, published(2.0, 7.0))
    assert [failure.split(":")[0] for failure in lacking.failures] == ["Publisher 2, picture", "Publisher 2, sound"]
    assert lacking.publishers[1].sound is not None
    (missing,) = lacking.publishers[1].sound.missing
    assert missing.start == pytest.approx(2, abs=0.05)
    assert missing.duration == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (("-f", "lavfi", "-i", "testsrc=d=3:s=320x180", "-f", "lavfi", "-i", "sine=d=3"), "it cannot be judged"),
        (("-f", "lavfi", "-i", "anoisesrc=d=3"), "it cannot be judged"),
        (("-f", "lavfi", "-i", "mandelbrot=s=320x180", "-t", "3"), "it cannot be judged"),
    ],
)
def test_a_file_without_marks_says_so_and_does_not_pass(tmp_path: Path, source: Sequence[str], says: str) -> None:
    path = tmp_path / "other.mkv"
    ffmpeg(*source, path)
    report = verify_file(path)
    assert not report.passed
    assert says in report.failures[0]


def test_marks_in_the_picture_only_are_not_enough_for_a_file_with_sound(sources: Sources, tmp_path: Path) -> None:
    path = tmp_path / "half.mp4"
    ffmpeg("-i", sources(WHO)[0], "-f", "lavfi", "-i", "sine=d=10", *KINDS["mp4"], path)
    assert verify_file(path).failures == ["The file has sound, but no truth marks were found in it."]


def test_a_file_of_one_medium_passes_by_itself(sources: Sources, tmp_path: Path) -> None:
    picture, sound = sources(WHO)
    ffmpeg("-i", picture, *VP8, tmp_path / "picture.webm")
    ffmpeg("-i", sound, *OPUS, tmp_path / "sound.webm")
    assert verify_file(tmp_path / "picture.webm").passed
    report = verify_file(tmp_path / "sound.webm", Expected(starts_at=0.0, published=(Published(WHO, sound=ALL),)))
    assert report.failures == []


def test_what_is_no_media_file_is_told_and_not_raised_as_something_else(tmp_path: Path) -> None:
    path = tmp_path / "text.mp4"
    path.write_text("no film", encoding="utf-8")
    with pytest.raises(Unreadable, match=r"^text\.mp4: (?!file:)"):
        verify_file(path)
    with pytest.raises(Unreadable, match=r"nowhere\.mp4: .*No such file"):
        verify_file(tmp_path / "nowhere.mp4")


def test_decoding_ends_at_the_deadline(sources: Sources) -> None:
    container = decode.probe(sources(WHO)[0], 30.0)
    with pytest.raises(Unreadable, match=r"not decoded within 0\.01 s"):
        list(decode.pictures(container, 0.01))


def test_who_stops_reading_leaves_no_child_behind(sources: Sources) -> None:
    container = decode.probe(sources(WHO)[0], 30.0)
    others = children()  # what fixtures of other tests have started
    reading = decode.pictures(container, 30.0)
    next(reading)
    assert len(children() - others) == 1
    reading.close()
    assert children() <= others


def children() -> set[str]:
    tasks = Path(f"/proc/{os.getpid()}/task").iterdir()
    return {child for task in tasks for child in (task / "children").read_text(encoding="ascii").split()}
