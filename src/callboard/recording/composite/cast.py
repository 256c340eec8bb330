"""Who and what is to be seen in a session: people with their cameras, and shared screens. Pure.

Owns: `Clip`, `Figure`, `figures_of`, `sounds_of`, `end_of`.

Always holds: somebody is a figure who published anything at all in the session (a thousand silent listeners are none),
for as long as they were in the room and whenever their camera was captured. Times are seconds of the session.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from callboard.recording.timeline import PlacedTrack, Timeline
from callboard.recording.truth.spans import Span, lacking, union

BRIDGED = 5.0
"""Seconds: a shared screen that is away for less keeps its place (its owner's connection was made anew)."""
_CAMERA = "regular"


class Clip(msgspec.Struct, frozen=True):
    """A media file that runs from `start` to `end`."""

    file: str
    start: float
    end: float


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody, or a screen. `spans`: when there; `seen`: when there is a picture to show, and it is not muted;
    `heard`: when there is sound that is not muted."""

    key: str
    name: str
    kind: Literal["person", "screen"]
    spans: tuple[Span, ...]
    clips: tuple[Clip, ...]
    seen: tuple[Span, ...]
    heard: tuple[Span, ...] = ()


def end_of(timeline: Timeline) -> float:
    """When the last picture or sound of the session ends: what is recorded ends there. 0.0 if nothing was captured."""
    return max((clip.end for track in timeline.tracks for clip in clips_of(track)), default=0.0)


def figures_of(timeline: Timeline) -> list[Figure]:
    """People in the order of their coming, then screens in the order of their being shared."""
    by_peer: dict[str, list[PlacedTrack]] = {}
    for track in timeline.tracks:
        by_peer.setdefault(track.peer_id, []).append(track)
    people = [_person(timeline, peer_id, tracks) for peer_id, tracks in by_peer.items()]
    people = sorted((one for one in people if one.spans), key=lambda one: (one.spans[0], one.key))
    names = {one.key: one.name for one in people}
    screens = [
        _screen(track, names.get(track.peer_id, track.peer_name))
        for track in timeline.tracks
        if track.kind == "video" and track.source != _CAMERA and track.pieces
    ]
    return [*people, *sorted(screens, key=lambda one: (one.spans[0], one.key))]


def sounds_of(timeline: Timeline) -> list[Clip]:
    """All that is to be heard, in the order of its beginning."""
    clips = [clip for track in timeline.tracks if track.kind == "audio" for clip in clips_of(track)]
    return sorted(clips, key=lambda clip: (clip.start, clip.file))


def clips_of(track: PlacedTrack) -> list[Clip]:
    """The pieces of a track."""
    return [Clip(piece.file, piece.start, piece.start + piece.duration) for piece in track.pieces]


def _person(timeline: Timeline, peer_id: str, tracks: Sequence[PlacedTrack]) -> Figure:
    stays = [one for one in timeline.presences if one.peer_id == peer_id]
    names = [*(one.peer_name for one in stays), *(one.peer_name for one in tracks), *(one.user_id for one in stays)]
    cameras = [track for track in tracks if track.kind == "video" and track.source == _CAMERA]
    clips = [clip for track in cameras for clip in clips_of(track)]
    there = [(one.start, one.end) for one in stays] or [_span(clip) for track in tracks for clip in clips_of(track)]
    return Figure(
        key=peer_id,
        name=next((name for name in names if name.strip()), "Guest"),
        kind="person",
        spans=tuple(union([*there, *map(_span, clips)])),
        clips=tuple(sorted(clips, key=lambda clip: (clip.start, clip.file))),
        seen=_active(cameras),
        heard=_active(track for track in tracks if track.kind == "audio"),
    )


def _screen(track: PlacedTrack, name: str) -> Figure:
    clips = clips_of(track)
    bridged = union((start, end + BRIDGED) for start, end in map(_span, clips))
    return Figure(
        key=f"{track.peer_id} {track.track_id}",
        name=f"{track.source.capitalize()}: {name or 'Guest'}",
        kind="screen",
        spans=tuple((start, end - BRIDGED) for start, end in bridged),
        clips=tuple(clips),
        seen=_active([track]),
    )


def _active(tracks: Iterable[PlacedTrack]) -> tuple[Span, ...]:
    """When any of these tracks has something in it, and is not muted."""
    return tuple(union(span for one in tracks for span in lacking(map(_span, clips_of(one)), union(one.mutes))))


def _span(clip: Clip) -> Span:
    return clip.start, clip.end
