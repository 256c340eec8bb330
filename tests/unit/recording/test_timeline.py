"""Placing what was captured on the session's time line, and the rows it is stored as."""

from __future__ import annotations

from pathlib import Path

import pytest

from callboard.clock import NANOSECONDS
from callboard.database import Row, Unit, open_database
from callboard.recording.timeline import (
    Capture,
    CapturedTrack,
    Placement,
    Segment,
    Timeline,
    Wanted,
    capture_of,
    capture_row,
    segment_name,
    segment_of,
    segment_row,
    session_timeline,
    track_of,
    track_row,
)

OPENED = 1_700_000_000 * NANOSECONDS
CAPTURE = Capture("s", "r", "t", OPENED, OPENED + 20 * NANOSECONDS, "complete", Wanted(track=True, stream_width=640))
TRACK = CapturedTrack("s", "p", "v1", "st", "u", "Ann", "video", "regular", "rec", OPENED + NANOSECONDS, 0)


def at(seconds: float) -> int:
    return OPENED + round(seconds * NANOSECONDS)


def segment(number: int, start: float, end: float, *mutes: tuple[float, float]) -> Segment:
    instants = tuple((at(begin), at(over) if over else 0) for begin, over in mutes)
    return Segment("s", "p", "v1", number, f"r/{number}-video-1.mjr", at(start), at(end), instants)


def placement(start: float, end: float) -> Placement:
    return Placement(
        file="/x.webm", codec="vp8", first_at=at(start), last_at=at(end), units=9, size=9, width=640, height=360
    )


def peer(name: str, joined: float, left: float) -> Row:
    return ("s", name, at(joined), "r", f"user {name}", name.title(), "", "host", "regular", at(left), "", "")


def placed(segments: list[Segment], placements: list[Placement | None]) -> Timeline:
    known = {segment_name(one): place for one, place in zip(segments, placements, strict=True) if place is not None}
    return session_timeline(CAPTURE, [TRACK], segments, known, [peer("ben", 3, 20), peer("ann", 0, 12.5)])


def test_a_piece_lies_where_its_media_begin_not_where_its_segment_was_opened() -> None:
    (track,) = placed([segment(1, 1.0, 9.0)], [placement(1.25, 9.0)]).tracks
    (piece,) = track.pieces
    assert (piece.start, piece.duration) == pytest.approx((1.25, 7.75))
    assert piece.width == 640


def test_segments_across_a_reconnect_are_pieces_of_one_track_in_order_and_do_not_overlap() -> None:
    segments = [segment(2, 9.0, 15.0), segment(1, 1.0, 8.0)]
    (track,) = placed(segments, [placement(7.9, 15.0), placement(1.0, 8.0)]).tracks
    assert [piece.start for piece in track.pieces] == [pytest.approx(1.0), pytest.approx(8.0)]


def test_a_segment_in_which_nothing_arrived_has_no_piece() -> None:
    (track,) = placed([segment(1, 1.0, 2.0), segment(2, 3.0, 5.0)], [None, placement(3.0, 5.0)]).tracks
    assert [piece.start for piece in track.pieces] == [pytest.approx(3.0)]


def test_a_mute_that_never_ended_ends_with_its_segment() -> None:
    (track,) = placed([segment(1, 1.0, 9.0, (2.0, 3.0), (7.0, 0))], [placement(1.0, 9.0)]).tracks
    assert [tuple(map(round, mute)) for mute in track.mutes] == [(2, 3), (7, 9)]


def test_presences_are_those_of_the_peers_in_the_order_they_came() -> None:
    timeline = placed([], [])
    assert [(one.peer_name, one.start, one.end) for one in timeline.presences] == [("Ann", 0.0, 12.5), ("Ben", 3, 20)]
    assert timeline.duration == 20.0


async def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'x.db'}")
    await database.open()
    one = segment(1, 1.0, 9.0, (2.0, 0))
    await database.commit(Unit((capture_row(CAPTURE), track_row(TRACK), segment_row(one))))
    assert [capture_of(row) for row in await database.fetch("capture_of_session", session_id="s")] == [CAPTURE]
    assert [track_of(row) for row in await database.fetch("captured_tracks", session_id="s")] == [TRACK]
    assert [segment_of(row) for row in await database.fetch("captured_segments", session_id="s")] == [one]
    assert [capture_of(row) for row in await database.fetch("kept_captures")] == [CAPTURE]
    await database.close()
