"""Measuring a recording: the file is decoded, the marks in it are read, the numbers judged.

Owns: `verify_file`, what `callboard verify-recording` calls.

Always holds: it reads the file twice (picture, then sound), and holds a few planes and about a second of sound, never
all of it; nothing is written. It blocks: in an event loop, call it through `asyncio.to_thread`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from callboard.recording.truth import decode
from callboard.recording.truth.decode import Container
from callboard.recording.truth.hearing import RATE, Ear, Heard
from callboard.recording.truth.measure import measure
from callboard.recording.truth.placing import Placed
from callboard.recording.truth.report import Duration, Expected, Gates, Report
from callboard.recording.truth.verdict import judge
from callboard.recording.truth.watching import Eye, Seen


def verify_file(
    path: Path, expected: Expected | None = None, gates: Gates | None = None, deadline: float = 3600.0
) -> Report:
    """What is in the file, measured and judged. Takes `deadline` seconds at most.

    Raises `decode.Unreadable` when the file cannot be decoded, or not in time; `FileNotFoundError` without FFmpeg.
    """
    expected, gates = expected or Expected(), gates or Gates()
    until = time.monotonic() + deadline
    container = decode.probe(path, deadline)
    seen, picture_end = _watch(container, until)
    heard, sound_end = _listen(container, until)
    publishers, media, participants = measure(seen, heard, expected)
    decoded = max(picture_end, sound_end)
    report = Report(
        file=path.name,
        format=container.format,
        has_picture=container.has_picture,
        has_sound=container.has_sound,
        duration=Duration(
            container=container.duration,
            decoded=decoded,
            expected=expected.length,
            error=_duration_error(decoded, expected.length, media),
        ),
        publishers=publishers,
        participants=participants,
    )
    return msgspec.structs.replace(report, failures=judge(report, expected, gates))


def _watch(container: Container, until: float) -> tuple[Mapping[int, Seen], float]:
    if not container.has_picture:
        return {}, 0.0
    eye = Eye(*decode.plane_size(container))
    for at, luma in decode.pictures(container, _left(until)):
        eye.feed(at, luma)
    eye.finish()
    return eye.seen, eye.end


def _listen(container: Container, until: float) -> tuple[Mapping[int, Heard], float]:
    if not container.has_sound:
        return {}, 0.0
    ear, end = Ear(), 0.0
    for at, samples in decode.sounds(container, RATE, _left(until)):
        ear.feed(at, samples)
        end = max(end, at + len(samples) / RATE)
    ear.finish()
    return ear.heard, end


def _left(until: float) -> float:
    return max(0.0, until - time.monotonic())


def _duration_error(decoded: float, expected: float | None, media: list[Placed]) -> float | None:
    if expected is not None:
        return decoded - expected
    if not media:
        return None
    in_file = max(placed.end for placed in media) - min(placed.start for placed in media)
    made = max(placed.covered[-1][1] for placed in media) - min(placed.covered[0][0] for placed in media)
    return in_file - made
