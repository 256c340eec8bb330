"""Track recordings: each published track as a WebM file, without transcoding (seed "Track Recording Events").

Owns: the job `recording.track`, and the events of track recordings.

Always holds: each track of a session whose template wants it ends in one `track.recording.success` or
`track.recording.failure`, however often it was published again: its stretches are one file, with silence or the last
picture where it was not published.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from callboard.events import TrackRecordingError, TrackRecordingFailure, TrackRecordingSuccess, TrackType
from callboard.jobs import Handlers, Kind, Result, Run
from callboard.ledger import Changes
from callboard.recording.assets import Asset, AssetType, asset_row
from callboard.recording.capture.derive import Captured
from callboard.recording.delivery import metadata
from callboard.recording.making import Making, Task, in_key, lost, new_asset, seconds
from callboard.recording.timeline import Capture, CapturedTrack
from callboard.storage import paths

KIND = Kind("recording.track", Task, weight=1.0, concurrency=4, priority=5)


class _About(msgspec.Struct, frozen=True, kw_only=True):
    """An asset's metadata, as REST shows it (platform.md §2.7)."""

    track_id: str
    stream_id: str
    peer_id: str
    track_type: str


class TrackRecordings:
    """Makes them, and tells of them."""

    def __init__(self, making: Making) -> None:
        self._making = making

    def register(self, handlers: Handlers) -> None:
        handlers.add(KIND, self._perform, self._making.give_up, self._making.again)
        self._making.delivery.tell(AssetType.TRACK, self)

    def make(self, captured: Captured, now: int) -> Changes:
        """What is enqueued of a complete capture (`recorder.Maker`)."""
        if not captured.capture.wanted.track:
            return Changes()
        return sum((self._enqueued(captured, track, now) for track in captured.tracks), Changes())

    def _enqueued(self, captured: Captured, track: CapturedTrack, now: int) -> Changes:
        asset = _asset(captured.capture, track, now)
        if not captured.of_track((track.peer_id, track.track_id)):
            failed = lost(asset, track.refused or "nothing was captured of it")
            return Changes(rows=(asset_row(failed),)) + self._failure(failed)
        return self._making.enqueued(KIND, asset, track.peer_id, track.track_id, now)

    async def _perform(self, run: Run, task: Task) -> Result:
        making = self._making
        captured, asset = await making.captured(task.session_id), await making.asset(task)
        segments = captured.of_track((task.peer_id, task.id))
        target = making.folder.derived(task.session_id) / f"track-{asset.id}"
        rendered = await making.render(run, captured, target, [segments])
        place, about = await making.place(captured.capture), _about(asset)
        key = paths.track(place, *in_key(asset.id, about.peer_id, about.stream_id, about.track_id))
        if rendered.file.endswith(".mkv"):
            key = f"{key.removesuffix('.webm')}.mkv"
        return making.handed_over(captured.capture, asset, rendered.file, key, seconds(rendered), rendered.size)

    # Telling.

    async def delivered(self, assets: Sequence[Asset], urls: Sequence[str]) -> Changes:
        asset, about = assets[0], _about(assets[0])
        payload = TrackRecordingSuccess(
            room_id=asset.room_id,
            session_id=asset.session_id,
            peer_id=about.peer_id,
            stream_id=about.stream_id,
            track_id=about.track_id,
            track_type=TrackType(about.track_type),
            size=asset.size,
            duration=int(asset.duration),
            recording_id=asset.id,
            recording_path=asset.path,
            recording_presigned_url=urls[0],
        )
        return self._making.fact(asset, payload, about.peer_id, "track delivered")

    def again(self, captured: Captured, asset: Asset, now: int) -> Changes:
        making, about = self._making, _about(asset)
        return making.enqueued(KIND, making.anew(captured, asset, now), about.peer_id, about.track_id, now)

    async def failed(self, assets: Sequence[Asset]) -> Changes:
        return self._failure(assets[0])

    def _failure(self, asset: Asset) -> Changes:
        about = _about(asset)
        payload = TrackRecordingFailure(
            room_id=asset.room_id,
            session_id=asset.session_id,
            peer_id=about.peer_id,
            stream_id=about.stream_id,
            track_id=about.track_id,
            track_type=TrackType(about.track_type),
            size=asset.size,
            duration=int(asset.duration),
            recording_id=asset.id,
            recording_path=asset.path,
            error_message=TrackRecordingError.INTERNAL_ERROR,
        )
        return self._making.fact(asset, payload, about.peer_id, f"{asset.error_code}: {asset.error}")


def _asset(capture: Capture, track: CapturedTrack, now: int) -> Asset:
    about = {
        "track_id": track.track_id,
        "stream_id": track.stream_id,
        "peer_id": track.peer_id,
        "track_type": track.kind,
    }
    return new_asset(capture, track.recording_id, AssetType.TRACK, metadata(about), now)


def _about(asset: Asset) -> _About:
    return msgspec.json.decode(asset.metadata, type=_About)
