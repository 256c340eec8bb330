"""Stream recordings: what a peer published together, picture and sound, in one file (seed "Stream Recording Events").

Owns: the job `recording.stream`, and the events of stream recordings.

Always holds: each stream of a session whose template wants it ends in one `stream.recording.success` or
`stream.recording.failure`. Nothing is transcoded unless the template names a size: VP8 is then in WebM (MP4 has no
place for it), H.264 and sound alone are in MP4. With a size it is always MP4, H.264 and AAC.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from callboard.events import StreamRecordingError, StreamRecordingFailure, StreamRecordingSuccess, StreamType
from callboard.jobs import Handlers, JobError, Kind, ProcessFailed, Result, Run
from callboard.ledger import Changes
from callboard.recording.assets import Asset, AssetType, asset_row
from callboard.recording.capture.derive import Captured
from callboard.recording.capture.folder import new_part
from callboard.recording.capture.render import Rendered
from callboard.recording.delivery import metadata
from callboard.recording.faults import code_of, tried, written_whole
from callboard.recording.making import Making, Task, in_key, lost, new_asset, seconds
from callboard.recording.timeline import CapturedTrack, Segment, Wanted
from callboard.storage import paths

KIND = Kind("recording.stream", Task, weight=1.0, concurrency=2, priority=4)
LEAST_DEADLINE = 300.0


class _About(msgspec.Struct, frozen=True, kw_only=True):
    """An asset's metadata, as REST shows it (platform.md §2.7)."""

    stream_id: str
    peer_id: str
    user_id: str
    stream_type: str


class Muxed(msgspec.Struct, frozen=True, kw_only=True):
    """What the second step answers: the file as it is delivered."""

    file: str
    size: int


@dataclass(frozen=True, slots=True)
class _Stream:
    """The tracks that were published as one stream."""

    tracks: tuple[CapturedTrack, ...]

    @property
    def type(self) -> StreamType:
        if any(track.source == "screen" for track in self.tracks):
            return StreamType.SCREEN
        return StreamType.REGULAR if any(track.kind == "video" for track in self.tracks) else StreamType.AUDIO

    def segments(self, captured: Captured, kind: str) -> list[Segment]:
        """All stretches of this kind, in the order of time: a track that took another's place continues it."""
        found = [
            one
            for track in self.tracks
            if track.kind == kind
            for one in captured.of_track((track.peer_id, track.track_id))
        ]
        return sorted(found, key=lambda one: one.started_at)


class StreamRecordings:
    """Makes them, and tells of them."""

    def __init__(self, making: Making) -> None:
        self._making = making

    def register(self, handlers: Handlers) -> None:
        handlers.add(KIND, self._perform, self._making.give_up, self._making.again)
        self._making.delivery.tell(AssetType.STREAM, self)

    def make(self, captured: Captured, now: int) -> Changes:
        """What is enqueued of a complete capture (`recorder.Maker`)."""
        if not captured.capture.wanted.stream:
            return Changes()
        return sum((self._enqueued(captured, stream, now) for stream in _streams(captured).values()), Changes())

    def _enqueued(self, captured: Captured, stream: _Stream, now: int) -> Changes:
        making, first = self._making, stream.tracks[0]
        about = {
            "stream_id": first.stream_id,
            "peer_id": first.peer_id,
            "user_id": first.user_id,
            "stream_type": str(stream.type),
        }
        asset = new_asset(captured.capture, making.ids.object_id(now), AssetType.STREAM, metadata(about), now)
        if not stream.segments(captured, "audio") and not stream.segments(captured, "video"):
            failed = lost(asset, first.refused or "nothing was captured of it")
            return Changes(rows=(asset_row(failed),)) + self._failure(failed)
        return making.enqueued(KIND, asset, first.peer_id, first.stream_id, now)

    async def _perform(self, run: Run, task: Task) -> Result:
        making = self._making
        captured, asset = await making.captured(task.session_id), await making.asset(task)
        stream = _streams(captured).get((task.peer_id, task.id))
        if stream is None:
            raise JobError("INPUT_ERROR", f"no track of stream {task.id} was captured", final=True)
        wanted = captured.capture.wanted
        target = making.folder.derived(task.session_id) / f"stream-{asset.id}"
        kinds = [segments for kind in ("video", "audio") if (segments := stream.segments(captured, kind))]
        rendered = await making.render(run, captured, target, kinds)
        with tried(run):
            muxed = await run.step("mux", self._mux, run, rendered, wanted)
        place = await making.place(captured.capture)
        key = paths.stream(place, *in_key(asset.id, task.peer_id, task.id))
        key = key.removesuffix(".mp4") + Path(muxed.file).suffix
        return making.handed_over(captured.capture, asset, muxed.file, key, seconds(rendered), muxed.size)

    async def _mux(self, run: Run, rendered: Rendered, wanted: Wanted) -> Muxed:
        codecs = {track.codec for track in rendered.tracks if track is not None}
        sized = wanted.stream_width > 0 and wanted.stream_height > 0 and codecs != {"opus"}
        if "vp8" in codecs and not sized:
            return Muxed(file=rendered.file, size=rendered.size)
        target = f"{rendered.file.rpartition('.')[0]}.mp4"
        made = await asyncio.to_thread(_there, target)
        if made is not None:  # whole; whoever made it was killed before that was written down
            return made
        coding = _sized(wanted) if sized else ("-c", "copy")
        command = ("ffmpeg", "-nostdin", "-v", "error", "-y", "-i", rendered.file, "-map", "0", *coding)
        part = await asyncio.to_thread(new_part, Path(target))
        output = ("-movflags", "+faststart", "-f", "mp4", str(part))
        try:
            deadline = max(LEAST_DEADLINE, 20 * seconds(rendered))
            written_whole(await run.process((*command, *output), deadline=deadline))
            return await asyncio.to_thread(_take_place, part, target, rendered.file)
        except ProcessFailed as error:
            raise JobError(code_of(error), str(error)) from error
        finally:
            part.unlink(missing_ok=True)  # also when the disk is full: that is how it would stay so

    # Telling.

    async def delivered(self, assets: Sequence[Asset], urls: Sequence[str]) -> Changes:
        asset, about = assets[0], _about(assets[0])
        payload = StreamRecordingSuccess(
            room_id=asset.room_id,
            session_id=asset.session_id,
            peer_id=about.peer_id,
            user_id=about.user_id,
            stream_id=about.stream_id,
            type=StreamType(about.stream_type),
            size=asset.size,
            duration=int(asset.duration),
            recording_id=asset.id,
            recording_path=asset.path,
            recording_presigned_url=urls[0],
        )
        return self._making.fact(asset, payload, about.peer_id, "stream delivered")

    def again(self, captured: Captured, asset: Asset, now: int) -> Changes:
        making, about = self._making, _about(asset)
        return making.enqueued(KIND, making.anew(captured, asset, now), about.peer_id, about.stream_id, now)

    async def failed(self, assets: Sequence[Asset]) -> Changes:
        return self._failure(assets[0])

    def _failure(self, asset: Asset) -> Changes:
        about = _about(asset)
        payload = StreamRecordingFailure(
            room_id=asset.room_id,
            session_id=asset.session_id,
            peer_id=about.peer_id,
            user_id=about.user_id,
            stream_id=about.stream_id,
            type=StreamType(about.stream_type),
            size=asset.size,
            duration=int(asset.duration),
            recording_id=asset.id,
            recording_path=asset.path,
            error_message=StreamRecordingError.INTERNAL_ERROR,
        )
        return self._making.fact(asset, payload, about.peer_id, f"{asset.error_code}: {asset.error}")


def _streams(captured: Captured) -> dict[tuple[str, str], _Stream]:
    """By peer and stream id, in the order of their beginning."""
    found: dict[tuple[str, str], tuple[CapturedTrack, ...]] = {}
    for track in captured.tracks:
        key = (track.peer_id, track.stream_id)
        found[key] = (*found.get(key, ()), track)
    return {key: _Stream(tracks) for key, tracks in found.items()}


def _there(target: str) -> Muxed | None:
    path = Path(target)
    return Muxed(file=target, size=path.stat().st_size) if path.exists() else None


def _take_place(part: Path, target: str, before: str) -> Muxed:
    """The finished file gets its name; what it was made of is not needed any more."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(target)
    Path(before).unlink(missing_ok=True)
    return Muxed(file=target, size=Path(target).stat().st_size)


def _sized(wanted: Wanted) -> tuple[str, ...]:
    """Into the template's size, with bars where the shape differs; sizes change within VP8 (media-workers.md §5)."""
    width, height = wanted.stream_width // 2 * 2, wanted.stream_height // 2 * 2
    scaled = f"scale={width}:{height}:force_original_aspect_ratio=decrease"
    padded = f"pad={width}:{height}:(ow-iw)/2:(oh-ih)/2:eval=frame,format=yuv420p"
    picture = ("-vf", f"{scaled},{padded}", "-c:v", "libx264", "-preset", "veryfast", "-fps_mode", "vfr")
    return (*picture, "-c:a", "aac", "-b:a", "128k", "-af", "aresample=async=1000")


def _about(asset: Asset) -> _About:
    return msgspec.json.decode(asset.metadata, type=_About)
