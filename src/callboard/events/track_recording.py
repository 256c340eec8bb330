"""Track recording events: one published track, recorded by itself.

Always holds: each `track.recording.started.success` is followed by exactly one success or failure with the
same `track_id`, possibly after the session has closed; a track of which nothing could be captured has a failure only.
Source: seed, "Track Recording Events".
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from msgspec import Meta

from callboard.events.fields import Bytes, PeerId, RecordingId, RoomId, Seconds, SessionId, StreamId
from callboard.events.payload import Payload


class TrackType(StrEnum):
    """What a track carries."""

    VIDEO = "video"
    AUDIO = "audio"


class TrackRecordingError(StrEnum):
    """Why a track recording failed: the seed shows one text for every failure of recorder or upload.

    Source: seed, `track.recording.failure`; platform.md §10.9.
    """

    INTERNAL_ERROR = "INTERNAL_ERROR"


class _Track(Payload, frozen=True, kw_only=True):
    """Which track."""

    THEME: ClassVar[str] = "Track Recording Events"

    room_id: RoomId
    session_id: SessionId
    peer_id: PeerId
    stream_id: StreamId
    track_id: Annotated[
        str,
        Meta(
            description="The id of the WebRTC track: a UUID, chosen by the publishing client.",
            examples=["3c1e5e95-fdd1-49ba-bb08-66a0b7493b5b"],
        ),
    ]
    track_type: Annotated[TrackType, Meta(description="Video or audio.", examples=[TrackType.VIDEO])]


class _TrackFile(_Track, frozen=True, kw_only=True):
    """Its file. The seed's tables say that `size` and `duration` are strings, its samples that they are
    numbers; they are numbers (platform.md §11 A6). `duration` is in the tables only, hence its default; it
    is always sent.
    """

    size: Annotated[Bytes, Meta(description="The size of the file in bytes.", examples=[22989889])]
    duration: Annotated[Seconds, Meta(description="The length of the recording in whole seconds.", examples=[305])] = 0
    recording_id: RecordingId
    recording_path: Annotated[
        str,
        Meta(
            description='Where the file is stored. "" if it never was.',
            examples=["s3://recordings/acme/65a000000000000000000004/20250115/3c1e5e95.webm"],
        ),
    ]


class TrackRecordingStartedSuccess(_Track, frozen=True, kw_only=True):
    """The recording of a published track began.

    Source: seed, Track Recording Events, `track.recording.started.success`.
    """

    EVENT: ClassVar[str] = "track.recording.started.success"


class TrackRecordingSuccess(_TrackFile, frozen=True, kw_only=True):
    """A track's recording is complete and uploaded.

    Source: seed, Track Recording Events, `track.recording.success`.
    """

    EVENT: ClassVar[str] = "track.recording.success"

    recording_presigned_url: Annotated[
        str,
        Meta(
            description="Signed URL to download the file.",
            examples=["https://storage.example/3c1e5e95.webm?signature=1f2e3d"],
        ),
    ]


class TrackRecordingFailure(_TrackFile, frozen=True, kw_only=True):
    """A track's recording was lost, or could not be uploaded.

    The seed's sample prints the type `track.recording.success`, a slip (platform.md §11 A8).
    Source: seed, Track Recording Events, `track.recording.failure`.
    """

    EVENT: ClassVar[str] = "track.recording.failure"

    error_message: Annotated[
        TrackRecordingError,
        Meta(description="Why it failed.", examples=[TrackRecordingError.INTERNAL_ERROR]),
    ]
