"""From what the database knows of a capture to media files: which stretches of which files, made in child processes.

Owns: `prepare` (a session's time line with its files), `parts_of`, `run_render`, `load_capture`.

Always holds: what was made once is used again (by other jobs, after a crash); a segment that cannot be read is left
out, and said so in the log, so that one bad file does not cost the others.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

import callboard
from callboard.clock import NANOSECONDS
from callboard.database import Database
from callboard.jobs.kinds import JobError
from callboard.jobs.process import ProcessFailed, run_process
from callboard.recording.capture import render as program
from callboard.recording.capture.render import Order, Part, Rendered
from callboard.recording.faults import DISK_ERROR, INPUT_ERROR, code_of
from callboard.recording.timeline import (
    Capture,
    CapturedTrack,
    Key,
    Placement,
    Segment,
    Timeline,
    capture_of,
    segment_name,
    segment_of,
    session_timeline,
    track_of,
)

RENDER_SECONDS = 3600.0
"""For one file. A day of video is read in some minutes."""
LATE = 2 * NANOSECONDS
"""What was on its way when a segment ended still belongs to it."""
_OUR_CODE = {"PYTHONPATH": str(Path(callboard.__file__).parents[1])}
"""The child runs the code that we do, also when that is no installed package."""

log = logging.getLogger("callboard.recording")


@dataclass(frozen=True, slots=True)
class Captured:
    """Everything that is known of the capture of one session."""

    capture: Capture
    tracks: Sequence[CapturedTrack]
    segments: Sequence[Segment]

    def of_track(self, key: Key) -> list[Segment]:
        """The segments of one track, in the order of time."""
        return [one for one in self.segments if (one.peer_id, one.track_id) == key]


async def load_capture(database: Database, session_id: str) -> Captured | None:
    """None if the session was not captured. Raises as `Database.fetch`."""
    rows = await database.fetch("capture_of_session", session_id=session_id)
    if not rows:
        return None
    tracks = [track_of(row) for row in await database.fetch("captured_tracks", session_id=session_id)]
    segments = [segment_of(row) for row in await database.fetch("captured_segments", session_id=session_id)]
    return Captured(capture_of(rows[0]), tracks, segments)


async def prepare(database: Database, folder: Path, session_id: str) -> Timeline:
    """The time line of a session whose capture is complete, with a media file for each segment.

    `folder` is the capture folder. To be used as a job's step. Raises `JobError` when the capture is not there, when
    the disk is full or a child process was killed, and as `Database.fetch`.
    """
    captured = await load_capture(database, session_id)
    if captured is None:
        raise JobError(INPUT_ERROR, f"session {session_id} was not captured", final=True)
    placements = {}
    for segment, part in parts_of(folder, captured.segments).items():
        placement = await _placement(folder, segment, part)
        if placement is not None:
            placements[segment_name(segment)] = placement
    peers = await database.fetch("peers_of_session", session_id=session_id)
    return session_timeline(captured.capture, captured.tracks, captured.segments, placements, peers)


def parts_of(folder: Path, segments: Iterable[Segment]) -> Mapping[Segment, Part]:
    """Which stretch of its file each segment is: from where it was opened to where it ended, and what came late, but
    never what belongs to the next one in the same file. Pure."""
    by_file: dict[str, list[Segment]] = {}
    for segment in sorted(segments, key=lambda one: one.started_at):
        by_file.setdefault(segment.file, []).append(segment)
    parts = {}
    for file, ordered in by_file.items():
        for index, segment in enumerate(ordered):
            since = segment.started_at if index else 0
            until = segment.ended_at + LATE if segment.ended_at else 0
            if index + 1 < len(ordered):
                following = ordered[index + 1].started_at
                until = min(until or following, following)
            parts[segment] = Part(str(folder / file), since, until)
    return parts


async def _placement(folder: Path, segment: Segment, part: Part) -> Placement | None:
    derived = folder / "derived" / segment.session_id
    derived.mkdir(parents=True, exist_ok=True)
    note = derived / f"{segment_name(segment)}.json"
    known = _noted(note)
    if known is not None:
        return known
    try:
        rendered = await run_render(Order(str(derived / segment_name(segment)), ((part,),)))
    except JobError as error:
        if error.code != INPUT_ERROR:
            raise
        log.warning("segment %s of track %s is left out: %s", segment.file, segment.track_id, error.message)
        return None
    if rendered is None or rendered.tracks[0] is None:
        return None
    track = rendered.tracks[0]
    placement = Placement(
        file=rendered.file,
        size=rendered.size,
        **{name: getattr(track, name) for name in track.__struct_fields__},
    )
    note.write_bytes(msgspec.json.encode(placement))
    return placement


def _noted(note: Path) -> Placement | None:
    """What an earlier run made, if it is still there as it was."""
    try:
        placement = msgspec.json.decode(note.read_bytes(), type=Placement)
        there = Path(placement.file).stat().st_size == placement.size
    except (OSError, msgspec.MsgspecError):
        return None
    return placement if there else None


async def run_render(order: Order) -> Rendered | None:
    """Make a file in a child process; None if nothing arrived in any of its stretches.

    Raises `JobError`: `INPUT_ERROR` (final) for captures that cannot be read, `DISK_ERROR` when the file cannot be
    written, `MEMORY_ERROR` when the child was killed for want of memory, `PROCESSING_CMD_ERROR` when it was killed
    otherwise or hung.
    """
    command = (sys.executable, "-m", program.__name__, msgspec.json.encode(order).decode())
    try:
        finished = await run_process(command, deadline=RENDER_SECONDS, environment=_OUR_CODE)
    except ProcessFailed as error:
        if error.code == program.UNREADABLE:
            raise JobError(INPUT_ERROR, error.complaints.strip(), final=True) from error
        if error.code == program.NO_SPACE:
            raise JobError(DISK_ERROR, error.complaints.strip()) from error
        raise JobError(code_of(error), str(error)) from error
    return msgspec.json.decode(finished.output, type=Rendered | None)
