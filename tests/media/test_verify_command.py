"""`callboard marks` and `callboard verify-recording`: what users measure their own recordings with. Needs FFmpeg."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest
from typer.testing import CliRunner, Result

from callboard.cli import app
from callboard.recording.truth.report import Report
from callboard.testing.clips import ffmpeg

pytestmark = pytest.mark.media

SECONDS = 6


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("marks")
    options = ("--publisher", "3", "--seconds", str(SECONDS), "--width", "160", "--height", "120", "--rate", "15")
    done = run("marks", folder, *options)
    assert done.exit_code == 0
    picture, sound = map(Path, done.stdout.split())
    return picture, sound


def mp4(marked: tuple[Path, Path], path: Path, shift: float = 0.0) -> Path:
    picture, sound = marked
    coded = ("-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac")
    ffmpeg("-i", picture, "-itsoffset", str(shift), "-i", sound, *coded, path)
    return path


def test_a_good_recording_ends_with_zero_and_says_what_was_measured(marked: tuple[Path, Path], tmp_path: Path) -> None:
    done = run("verify-recording", mp4(marked, tmp_path / "good.mp4"))
    assert done.exit_code == 0
    assert done.stdout.startswith("good.mp4: good\n")
    assert "publisher 3" in done.stdout
    assert f"{SECONDS * 15} frames, 0 missing" in done.stdout


def test_sound_that_is_late_ends_with_one_and_is_drawn_in_red(marked: tuple[Path, Path], tmp_path: Path) -> None:
    late = mp4(marked, tmp_path / "late.mp4", 0.15)
    done = run("verify-recording", late, "--json", "--picture", tmp_path / "late.svg")
    assert done.exit_code == 1
    report = msgspec.json.decode(done.stdout, type=Report)
    assert report.publishers[0].skew is not None
    assert report.publishers[0].skew.p50_ms == pytest.approx(150, abs=10)
    assert [one.ms for one in report.publishers[0].skews] == pytest.approx(
        [150] * len(report.publishers[0].skews), abs=10
    )
    drawn = ET.fromstring((tmp_path / "late.svg").read_text(encoding="utf-8"))
    circles = drawn.findall("{http://www.w3.org/2000/svg}circle")
    assert len(circles) == len(report.publishers[0].skews) > 3
    assert {circle.get("fill") for circle in circles} == {"#d43c3c"}


def test_gates_are_what_the_options_say(marked: tuple[Path, Path], tmp_path: Path) -> None:
    late = mp4(marked, tmp_path / "late.mp4", 0.15)
    assert run("verify-recording", late, "--skew", "200").exit_code == 0


def test_what_is_known_beforehand_is_held_against_it(marked: tuple[Path, Path], tmp_path: Path) -> None:
    good = mp4(marked, tmp_path / "good.mp4")
    known = tmp_path / "known.json"
    known.write_text('{"starts_at": 0, "duration": 9.0, "published": [{"publisher": 4, "picture": [[0, 6]]}]}')
    done = run("verify-recording", good, "--expected", known)
    assert done.exit_code == 1
    assert "Publisher 4: published a picture, which is not in the file." in done.stdout
    assert " s too short, allowed are 0.2 s" in done.stdout
    known.write_text('{"starts_at": "soon"}')
    wrong = run("verify-recording", good, "--expected", known)
    assert wrong.exit_code == 2
    assert "starts_at" in wrong.stderr


def test_what_cannot_be_decoded_ends_with_two(tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("no film", encoding="utf-8")
    done = run("verify-recording", text)
    assert done.exit_code == 2
    assert done.stderr.startswith("callboard: text.mp4: ")
    assert run("verify-recording", tmp_path / "nowhere.mp4").exit_code == 2


def test_a_recording_without_marks_ends_with_one(tmp_path: Path) -> None:
    path = tmp_path / "other.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc=d=1:s=320x180", path)
    done = run("verify-recording", path, "--picture", tmp_path / "other.svg")
    assert done.exit_code == 1
    assert "it cannot be judged" in done.stdout
    ET.fromstring((tmp_path / "other.svg").read_text(encoding="utf-8"))


def test_marks_of_an_odd_size_are_refused(tmp_path: Path) -> None:
    done = run("marks", tmp_path / "m", "--width", "161")
    assert done.exit_code == 2
    assert "both must be even" in done.stderr
