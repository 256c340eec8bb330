"""`callboard verify-recording`: decode a recording, read the truth marks in it, measure, judge; and `callboard marks`,
which makes the picture and the sound that carry them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from callboard.recording.truth.decode import Unreadable
from callboard.recording.truth.report import Expected, Gates
from callboard.recording.truth.sound import RATE, synthesize
from callboard.recording.truth.specimen import stamps, write_wav, write_y4m
from callboard.recording.truth.strip import as_svg
from callboard.recording.truth.text import as_text
from callboard.recording.truth.verify import verify_file

GATES_MISSED, UNREADABLE = 1, 2
"""Exit codes. 0: the recording is good."""

File = Annotated[Path, typer.Argument(metavar="FILE", help="The recording.", exists=True, dir_okay=False)]


def verify_recording(
    file: File,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Everything that was measured, as one JSON object.")] = False,
    picture: Annotated[
        Path | None, typer.Option(help="Draw it, too: an SVG with presence, gaps and skew over time.")
    ] = None,
    expected: Annotated[
        Path | None,
        typer.Option(
            help="What is known of it: JSON with starts_at, duration (seconds) and published "
            "(a list of publisher, picture and sound: pairs of seconds).",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    skew: Annotated[float, typer.Option(min=0, help="Gate: milliseconds between sound and picture (p95).")] = 45.0,
    presence: Annotated[float, typer.Option(min=0, max=1, help="Gate: least share of what was published.")] = 0.99,
    duration_error: Annotated[float, typer.Option(min=0, help="Gate: seconds too long or too short.")] = 0.2,
    start_error: Annotated[float, typer.Option(min=0, help="Gate: milliseconds too early or too late.")] = 20.0,
    participants: Annotated[
        float | None, typer.Option(min=0, help="Gate: milliseconds between participants (p95); not asked for without.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds that it may take.")] = 3600.0,
) -> None:
    """Measure a recording of publishers whose picture and sound carry truth marks (`callboard marks` makes them).

    Exit code 0: all gates are passed; 1: some are missed, or there are no marks; 2: the file cannot be decoded.
    """
    gates = Gates(
        skew_p95_ms=skew,
        presence=presence,
        duration_error=duration_error,
        start_offset_error_ms=start_error,
        participants_p95_ms=participants,
    )
    known = _expected(expected)
    try:
        report = verify_file(file, known, gates, timeout)
    except Unreadable as error:
        sys.stderr.write(f"callboard: {error}\n")
        raise typer.Exit(UNREADABLE) from None
    sys.stdout.write(report.json().decode() + "\n" if as_json else as_text(report))
    if picture is not None:
        picture.write_text(as_svg(report, gates), encoding="utf-8")
    raise typer.Exit(0 if report.passed else GATES_MISSED)


def marks(
    folder: Annotated[Path, typer.Argument(help="Where picture.y4m and sound.wav are written.", file_okay=False)],
    publisher: Annotated[int, typer.Option(min=0, max=15, help="Each publisher in a room has its own.")] = 0,
    seconds: Annotated[int, typer.Option(min=1, max=3600, help="How long they are.")] = 60,
    width: Annotated[int, typer.Option(min=60, max=1920, help="Pixels, even.")] = 640,
    height: Annotated[int, typer.Option(min=60, max=1920, help="Pixels, even.")] = 360,
    rate: Annotated[int, typer.Option(min=1, max=60, help="Pictures a second.")] = 30,
) -> None:
    """Make the picture and the sound of a publisher with truth marks, to be published and recorded.

    Chromium takes them for its camera and microphone: --use-fake-device-for-media-stream
    --use-file-for-fake-video-capture=picture.y4m --use-file-for-fake-audio-capture=sound.wav
    """
    if width % 2 or height % 2:
        raise typer.BadParameter(f"{width}×{height}: both must be even", param_hint="--width, --height")
    folder.mkdir(parents=True, exist_ok=True)
    write_y4m(folder / "picture.y4m", stamps(publisher, rate, seconds), width, height, rate)
    write_wav(folder / "sound.wav", (synthesize(publisher, n * RATE, RATE).tobytes() for n in range(seconds)))
    sys.stdout.write(f"{folder / 'picture.y4m'}\n{folder / 'sound.wav'}\n")


def _expected(file: Path | None) -> Expected:
    if file is None:
        return Expected()
    try:
        return msgspec.json.decode(file.read_bytes(), type=Expected)
    except msgspec.MsgspecError as error:
        raise typer.BadParameter(f"{file}: {error}", param_hint="--expected") from None
