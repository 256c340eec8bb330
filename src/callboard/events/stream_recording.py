"""Stream recording events: a peer's picture and sound in one file.

Always holds: `type` (the seed's samples) and `stream_type` (its tables) are both sent, with one value
(platform.md §11 A7). Source: seed, "Stream Recording Events".
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import force_setattr

from callboard.events.fields import Bytes, PeerId, RecordingId, RoomId, Seconds, SessionId, StreamId, UserId
from callboard.events.payload import Payload


class StreamType(StrEnum):
    """`regular`: camera and microphone. `screen`: a shared screen. `audio`: a peer with a microphone only."""

    REGULAR = "regular"
    SCREEN = "screen"
    AUDIO = "audio"


class StreamRecordingError(StrEnum):
    """Why a stream recording failed: the seed shows one text for every failure of muxer or upload.

    Source: seed, `stream.recording.failure`; platform.md §10.9.
    """

    INTERNAL_ERROR = "INTERNAL_ERROR"


class _Stream(Payload, frozen=True, kw_only=True):
    """Which stream, and its file. Give `type`; `stream_type` follows.

    Raises `ValueError` (on reading: `msgspec.ValidationError`) if both are given and differ.
    """

    THEME: ClassVar[str] = "Stream Recording Events"

    room_id: RoomId
    session_id: SessionId
    peer_id: PeerId
    user_id: UserId
    stream_id: StreamId
    type: Annotated[StreamType, Meta(description="The type of the stream.", examples=[StreamType.REGULAR])]
    stream_type: (
        Annotated[StreamType, Meta(description="The same as `type`.", examples=[StreamType.REGULAR])] | UnsetType
    ) = UNSET
    size: Annotated[Bytes, Meta(description="The size of the file in bytes.", examples=[7340032])]
    duration: Annotated[Seconds, Meta(description="The length of the recording in whole seconds.", examples=[305])]
    recording_id: RecordingId
    recording_path: Annotated[
        str,
        Meta(
            description='Where the file is stored. "" if it never was.',
            examples=["s3://recordings/acme/65a000000000000000000004/20250115/0f2a4c66.mp4"],
        ),
    ]

    def __post_init__(self) -> None:
        if self.stream_type is UNSET:
            force_setattr(self, "stream_type", self.type)
        elif self.stream_type != self.type:
            raise ValueError(f"stream_type {self.stream_type!s} and type {self.type!s} differ")


class StreamRecordingSuccess(_Stream, frozen=True, kw_only=True):
    """A stream's recording is complete and uploaded.

    Source: seed, Stream Recording Events, `stream.recording.success`.
    """

    EVENT: ClassVar[str] = "stream.recording.success"

    recording_presigned_url: Annotated[
        str,
        Meta(
            description="Signed URL to download the file.",
            examples=["https://storage.example/0f2a4c66.mp4?signature=1f2e3d"],
        ),
    ]


class StreamRecordingFailure(_Stream, frozen=True, kw_only=True):
    """A stream's recording could not be put together, or could not be uploaded.

    Source: seed, Stream Recording Events, `stream.recording.failure`.
    """

    EVENT: ClassVar[str] = "stream.recording.failure"

    error_message: Annotated[
        StreamRecordingError,
        Meta(description="Why it failed.", examples=[StreamRecordingError.INTERNAL_ERROR]),
    ]
