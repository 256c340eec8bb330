"""What is captured of a session while it is open, and what each change of the session means for it. Pure.

Owns: `SessionCapture` and `follow`: from outcomes of a step (`rooms.transitions`) to rows.

Always holds: a track is there once, however often it is published again; each stretch of it in a file is a segment of
its own, and at most one of them is open. Whoever has left or closed has none. What changes is returned as rows, to be
committed with the step that it follows from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from callboard.database import Put
from callboard.recording.timeline import (
    Capture,
    CapturedTrack,
    Key,
    Segment,
    capture_row,
    segment_row,
    track_row,
)
from callboard.rooms.session import Peer, Track
from callboard.rooms.transitions import Closed, Left, Outcome, Updated

NO_FILE = "the media engine did not capture it"
MOST_MUTES = 1_000
"""Of one segment that are noted: a client that mutes and unmutes for hours does not make each commit larger."""


@dataclass(frozen=True, slots=True)
class File:
    """Where a track is written to: relative to the capture folder, or why it is not."""

    name: str = ""
    refused: str = ""


FileOf = Callable[[str, str], File]
"""By peer id and track id, where the media engine writes the track to now."""


@dataclass(frozen=True, slots=True)
class SessionCapture:
    """`open` are the segments that are being written, `counts` how many segments each track has had."""

    capture: Capture
    tracks: Mapping[Key, CapturedTrack] = field(default_factory=dict)
    open: Mapping[Key, Segment] = field(default_factory=dict)
    counts: Mapping[Key, int] = field(default_factory=dict)


@dataclass(slots=True)
class Change:
    """What came of a step: the state afterwards, rows, and tracks of which capturing began for the first time."""

    state: SessionCapture
    rows: list[Put] = field(default_factory=list)
    started: list[CapturedTrack] = field(default_factory=list)


def recovered(
    capture: Capture, tracks: Iterable[CapturedTrack], segments: Iterable[Segment], now: int
) -> tuple[SessionCapture, list[Put]]:
    """The capture of a session that another process left: nobody writes any more, so nothing is open."""
    counts: dict[Key, int] = {}
    rows: list[Put] = []
    for segment in segments:
        key = (segment.peer_id, segment.track_id)
        counts[key] = max(counts.get(key, 0), segment.number)
        if not segment.ended_at:
            rows.append(segment_row(_ended(segment, now)))
    known: dict[Key, CapturedTrack] = {}
    for track in tracks:
        ended = track if track.ended_at else replace(track, ended_at=now)
        known[track.peer_id, track.track_id] = ended
        if ended is not track:
            rows.append(track_row(ended))
    return SessionCapture(capture, known, {}, counts), rows


def follow(
    state: SessionCapture, outcomes: Sequence[Outcome], now: int, file_of: FileOf, new_id: Callable[[], str]
) -> Change:
    """What these outcomes mean for the capture of their session."""
    change = Change(state)
    for outcome in outcomes:
        match outcome:
            case Updated(before, after):
                _updated(change, before, after, now, file_of, new_id)
            case Left(peer):
                _ended_all(change, (key for key in change.state.open if key[0] == peer.id), now)
            case Closed():
                _ended_all(change, change.state.open, now)
                closing = replace(change.state.capture, state="closing", ended_at=now)
                change.state = replace(change.state, capture=closing)
                change.rows.append(capture_row(closing))
            case _:
                pass
    return change


def cut(state: SessionCapture, now: int) -> Change:
    """Nothing more is captured of what is being captured now; what is published later may be."""
    change = Change(state)
    _ended_all(change, state.open, now)
    return change


def _updated(change: Change, before: Peer, after: Peer, now: int, file_of: FileOf, new_id: Callable[[], str]) -> None:
    gone = [(after.id, track_id) for track_id in before.tracks if track_id not in after.tracks]
    _ended_all(change, [key for key in gone if key in change.state.open], now)
    for track_id, track in after.tracks.items():
        known = before.tracks.get(track_id)
        if known is None:
            _published(change, after, track, now, file_of(after.id, track_id), new_id)
        elif known.mute != track.mute:
            _muted(change, (after.id, track_id), track.mute, now)


def _published(change: Change, peer: Peer, track: Track, now: int, file: File, new_id: Callable[[], str]) -> None:
    state, key = change.state, (peer.id, track.id)
    known = state.tracks.get(key)
    captured = CapturedTrack(
        session_id=state.capture.session_id,
        peer_id=peer.id,
        track_id=track.id,
        stream_id=track.stream_id,
        user_id=peer.user_id,
        peer_name=peer.name,
        kind=track.kind,
        source=track.source,
        recording_id=known.recording_id if known else new_id(),
        started_at=known.started_at if known else now,
        ended_at=0,
        refused="" if file.name else file.refused or NO_FILE,
    )
    number = state.counts.get(key, 0)
    change.rows.append(track_row(captured))
    opened = dict(state.open)
    if file.name:
        if not number:
            change.started.append(captured)
        number += 1
        mutes = ((now, 0),) if track.mute else ()
        segment = Segment(state.capture.session_id, peer.id, track.id, number, file.name, now, 0, mutes)
        opened[key] = segment
        change.rows.append(segment_row(segment))
    change.state = replace(
        state, tracks={**state.tracks, key: captured}, open=opened, counts={**state.counts, key: number}
    )


def _muted(change: Change, key: Key, muted: bool, now: int) -> None:
    segment = change.state.open.get(key)
    if segment is None:
        return
    mutes = segment.mutes
    if muted and len(mutes) >= MOST_MUTES:
        return
    mutes = (*mutes, (now, 0)) if muted else _unmuted(mutes, now)
    after = replace(segment, mutes=mutes)
    change.rows.append(segment_row(after))
    change.state = replace(change.state, open={**change.state.open, key: after})


def _ended_all(change: Change, keys: Iterable[Key], now: int) -> None:
    opened, tracks = dict(change.state.open), dict(change.state.tracks)
    for key in list(keys):
        change.rows.append(segment_row(_ended(opened.pop(key), now)))
        tracks[key] = replace(tracks[key], ended_at=now)
        change.rows.append(track_row(tracks[key]))
    change.state = replace(change.state, open=opened, tracks=tracks)


def _ended(segment: Segment, now: int) -> Segment:
    return replace(segment, ended_at=now, mutes=_unmuted(segment.mutes, now))


def _unmuted(mutes: tuple[tuple[int, int], ...], now: int) -> tuple[tuple[int, int], ...]:
    """The last mute ends now, if it had not."""
    return (*mutes[:-1], (mutes[-1][0], now)) if mutes and not mutes[-1][1] else mutes
