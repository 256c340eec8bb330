"""What was captured of a session, and where it lies on the session's time line. Pure.

Owns: the rows (`Capture`, `CapturedTrack`, `Segment`), their mapping to and from the database, and `session_timeline`,
which places derived media files on the time line. Whoever composes a recording needs nothing but its `Timeline`.

Always holds: the time line begins (second 0.0) when the session opened; instants are nanoseconds since the epoch (UTC),
everything in a `Timeline` is in seconds. A `Placement`'s file has its own zero at its first picture or sound, and its
time runs as the session's does: drift of the publisher's clock is corrected in the file's timestamps, so `drift` is
told for information and nobody has to stretch anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from callboard.clock import NANOSECONDS
from callboard.database import Put, Row
from callboard.database.tables import CAPTURE, CAPTURED_SEGMENT, CAPTURED_TRACK

Kind = Literal["audio", "video"]
State = Literal["recording", "closing", "complete", "released"]
"""`recording`: the session is open. `closing`: it is closed, files may still be written to. `complete`: the files are
final, and the jobs that make something of them are enqueued (in the commit that says so). `released`: the files are
deleted, everything is delivered or given up."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be made of a capture: the template's and room's settings when the session opened (platform.md §2.2).

    `stream_width`, `stream_height`: pixels of stream recordings, 0 for "as published, without transcoding".
    `composite_width`, `composite_height`: those of the composed one, 0 for this server's usual size.
    `presign_seconds`: how long URLs in events are good for. `most_seconds`: so long after the session's start capturing
    ends (0: no such limit).
    """

    track: bool = False
    stream: bool = False
    composite: bool = False
    stream_width: int = 0
    stream_height: int = 0
    composite_width: int = 0
    composite_height: int = 0
    presign_seconds: int = 86_400
    most_seconds: int = 0

    @property
    def anything(self) -> bool:
        return self.track or self.stream or self.composite


@dataclass(frozen=True, slots=True)
class Capture:
    """The capture of one session. `ended_at` is 0 while the session is open.

    `recording_id` is the recording that REST shows for it; `folder` the id of the capture folder that has its files
    (`capture/folder.py`).
    """

    session_id: str
    room_id: str
    template_id: str
    started_at: int
    ended_at: int
    state: State
    wanted: Wanted
    recording_id: str = ""
    folder: str = ""


@dataclass(frozen=True, slots=True)
class CapturedTrack:
    """A track that was published. `source` is the client's word (`regular`, `screen`, …); `recording_id` the id of its
    asset. `refused` says why nothing was captured of it ("": it was, or nobody tried)."""

    session_id: str
    peer_id: str
    track_id: str
    stream_id: str
    user_id: str
    peer_name: str
    kind: Kind
    source: str
    recording_id: str
    started_at: int
    ended_at: int
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a track in one file: what arrived from `started_at` to `ended_at` (0: it goes on).

    `file` is relative to the capture folder (`.mjr`); a file can hold stretches of several tracks, one after the other.
    `mutes` are pairs of instants; the last one's end is 0 while it lasts. `number` counts the track's segments from 1.
    """

    session_id: str
    peer_id: str
    track_id: str
    number: int
    file: str
    started_at: int
    ended_at: int
    mutes: tuple[tuple[int, int], ...] = ()


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """A media file (WebM or Matroska, one track, made of one segment without transcoding) and its real time.

    `file` is an absolute path. `first_at` and `last_at` are instants of its first and just after its last picture or
    sound, on our clock. `width`, `height`: of its largest picture, 0 for sound. `drift_ppm`: how much faster the
    publisher's clock ran than ours, as corrected. `lost`: packets that never came; `units`: pictures, or packets of
    sound, in the file. `size` in bytes.
    """

    file: str
    codec: str
    first_at: int
    last_at: int
    units: int
    size: int
    width: int = 0
    height: int = 0
    drift_ppm: float = 0.0
    lost: int = 0


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """A media file on the time line: it shows from `start` for `duration` seconds.

    For FFmpeg: `-itsoffset {start} -i {file}` (janus: sizes of VP8 change within a file, media-workers.md §5).
    `drift` is 1.0 plus the publisher's drift, already corrected in the file.
    """

    file: str
    codec: str
    start: float
    duration: float
    width: int = 0
    height: int = 0
    drift: float = 1.0


class PlacedTrack(msgspec.Struct, frozen=True, kw_only=True):
    """A track with its pieces in order, none overlapping another, and when it was muted (pairs of seconds)."""

    peer_id: str
    peer_name: str
    user_id: str
    stream_id: str
    track_id: str
    kind: Kind
    source: str
    recording_id: str
    pieces: tuple[Piece, ...]
    mutes: tuple[tuple[float, float], ...] = ()


class Presence(msgspec.Struct, frozen=True, kw_only=True):
    """A peer was in the room from `start` to `end` (seconds)."""

    peer_id: str
    peer_name: str
    user_id: str
    role: str
    start: float
    end: float


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """A session as it was. `duration` in seconds; `started_at` is the instant of second 0.0."""

    session_id: str
    room_id: str
    started_at: int
    duration: float
    tracks: tuple[PlacedTrack, ...]
    presences: tuple[Presence, ...]


Key = tuple[str, str]
"""Of a track in its session: peer id, track id."""


def session_timeline(
    capture: Capture,
    tracks: Iterable[CapturedTrack],
    segments: Iterable[Segment],
    placements: Mapping[str, Placement],
    peers: Sequence[Row],
) -> Timeline:
    """Everything of an ended capture in its place.

    `placements` are by segment (`segment_name`); segments without one had nothing in them. `peers` are rows of the
    table `peer` of this session. Tracks and presences are in the order of their beginning.
    """
    by_track: dict[Key, list[Segment]] = {}
    for segment in sorted(segments, key=lambda one: one.number):
        by_track.setdefault((segment.peer_id, segment.track_id), []).append(segment)
    placed = [
        _placed(capture, track, by_track.get((track.peer_id, track.track_id), ()), placements)
        for track in sorted(tracks, key=lambda one: (one.started_at, one.track_id))
    ]
    return Timeline(
        session_id=capture.session_id,
        room_id=capture.room_id,
        started_at=capture.started_at,
        duration=seconds_of(capture, capture.ended_at),
        tracks=tuple(placed),
        presences=tuple(sorted((_presence(capture, row) for row in peers), key=lambda one: (one.start, one.peer_id))),
    )


def segment_name(segment: Segment) -> str:
    """What a segment's placement and derived file go by: unique in the session, and safe as a file name."""
    return f"{segment.file.removesuffix('.mjr').replace('/', '-')}-{segment.started_at}"


def seconds_of(capture: Capture, instant: int) -> float:
    """An instant on the session's time line; what lies before its beginning is at 0.0."""
    return max(0, instant - capture.started_at) / NANOSECONDS


def _placed(
    capture: Capture, track: CapturedTrack, segments: Sequence[Segment], placements: Mapping[str, Placement]
) -> PlacedTrack:
    pieces: list[Piece] = []
    for segment in segments:
        placement = placements.get(segment_name(segment))
        if placement is not None:
            pieces.append(_piece(capture, placement, pieces[-1] if pieces else None))
    mutes = [
        (seconds_of(capture, start), seconds_of(capture, end or segment.ended_at or capture.ended_at))
        for segment in segments
        for start, end in segment.mutes
    ]
    return PlacedTrack(
        peer_id=track.peer_id,
        peer_name=track.peer_name,
        user_id=track.user_id,
        stream_id=track.stream_id,
        track_id=track.track_id,
        kind=track.kind,
        source=track.source,
        recording_id=track.recording_id,
        pieces=tuple(pieces),
        mutes=tuple(mutes),
    )


def _piece(capture: Capture, placement: Placement, before: Piece | None) -> Piece:
    start = seconds_of(capture, placement.first_at)
    if before is not None:
        start = max(start, before.start + before.duration)
    return Piece(
        file=placement.file,
        codec=placement.codec,
        start=start,
        duration=(placement.last_at - placement.first_at) / NANOSECONDS,
        width=placement.width,
        height=placement.height,
        drift=1.0 + placement.drift_ppm / 1e6,
    )


def _presence(capture: Capture, row: Row) -> Presence:
    _, peer_id, joined_at, _, user_id, name, _, role, _, left_at, *_ = row
    assert isinstance(joined_at, int)
    assert isinstance(left_at, int)
    return Presence(
        peer_id=str(peer_id),
        peer_name=str(name),
        user_id=str(user_id),
        role=str(role),
        start=seconds_of(capture, joined_at),
        end=seconds_of(capture, left_at or capture.ended_at),
    )


# --- rows -------------------------------------------------------------------------------------------------


def capture_row(capture: Capture) -> Put:
    wanted = msgspec.json.encode(capture.wanted).decode()
    head = (capture.session_id, capture.room_id, capture.template_id)
    times = (capture.started_at, capture.ended_at)
    return Put(CAPTURE, (*head, *times, capture.state, wanted, capture.recording_id, capture.folder))


def capture_of(row: Row) -> Capture:
    """The capture in a row of the table."""
    *head, wanted, recording_id, folder = row
    assert isinstance(wanted, str)
    decoded = msgspec.json.decode(wanted, type=Wanted)
    return Capture(*head, decoded, str(recording_id), str(folder))  # type: ignore[call-arg,arg-type]  # the schema's


def track_row(track: CapturedTrack) -> Put:
    return Put(CAPTURED_TRACK, tuple(getattr(track, column.name) for column in CAPTURED_TRACK.columns))


def track_of(row: Row) -> CapturedTrack:
    """The track in a row of the table."""
    return CapturedTrack(*row)  # type: ignore[arg-type]  # the schema's types


def segment_row(segment: Segment) -> Put:
    cells = [getattr(segment, column.name) for column in CAPTURED_SEGMENT.columns[:-1]]
    return Put(CAPTURED_SEGMENT, (*cells, msgspec.json.encode(segment.mutes).decode()))


def segment_of(row: Row) -> Segment:
    """The segment in a row of the table."""
    mutes = row[-1]
    assert isinstance(mutes, str)
    pairs = msgspec.json.decode(mutes, type=tuple[tuple[int, int], ...])
    return Segment(*row[:-1], pairs)  # type: ignore[call-arg,arg-type]
