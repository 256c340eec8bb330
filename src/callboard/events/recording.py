"""SFU recording events: the whole session, composed into one file from the tracks that the SFU captured.

Always holds: they are version 1.0 of the contract (platform.md §11 A3), and come after the session has
closed.
Source: seed, "SFU Recording Events".
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from msgspec import UNSET, Meta, UnsetType

from callboard.events.fields import (
    DEPRECATED,
    Bytes,
    ChatRecordingPath,
    ChatRecordingUrl,
    Seconds,
    SessionStoppedAt,
)
from callboard.events.groups import InSession

_PATH = "s3://recordings/acme/65a000000000000000000004/20250115/Rec-678786f1000000000000000a.mp4"
_URL = "https://storage.example/Rec-678786f1000000000000000a.mp4?signature=1f2e3d"


class RecordingErrorMessage(StrEnum):
    """The texts that go with `RecordingErrorType`.

    `Upload Failure` is an older text of the seed's table: it is read, not sent.
    Source: seed, `recording.failed`, "Error types" and the example of `error`.
    """

    NO_INPUT = "No input streams available to create recording"
    CLOUD_ACCESS = "Error accessing cloud bucket. Please make sure upload config is correct"
    INTERNAL_ERROR = "INTERNAL_ERROR"
    UPLOAD_FAILURE = "Upload Failure"


class RecordingErrorType(StrEnum):
    """Why there is no recording.

    `INPUT_ERROR`: the session had no media. `CLOUD_ACCESS_ERROR`: the bucket could not be reached or
    refused. The others are internal: settings, memory, the composing program, an API.
    Source: seed, `recording.failed`, "Error types"; platform.md §10.9.
    """

    INPUT_ERROR = "INPUT_ERROR"
    CLOUD_ACCESS_ERROR = "CLOUD_ACCESS_ERROR"
    CONFIG_ERROR = "CONFIG_ERROR"
    MEMORY_ERROR = "MEMORY_ERROR"
    PROCESSING_CMD_ERROR = "PROCESSING_CMD_ERROR"
    API_ERROR = "API_ERROR"

    @property
    def message(self) -> RecordingErrorMessage:
        """The text that the seed pairs with this type."""
        if self is RecordingErrorType.INPUT_ERROR:
            return RecordingErrorMessage.NO_INPUT
        if self is RecordingErrorType.CLOUD_ACCESS_ERROR:
            return RecordingErrorMessage.CLOUD_ACCESS
        return RecordingErrorMessage.INTERNAL_ERROR


class _Recording(InSession, frozen=True, kw_only=True):
    """Of which session."""

    THEME: ClassVar[str] = "SFU Recording Events"
    VERSION: ClassVar[str] = "1.0"

    session_stopped_at: SessionStoppedAt


class RecordingSuccess(_Recording, frozen=True, kw_only=True):
    """The session's recording is composed and uploaded.

    Source: seed, SFU Recording Events, `recording.success`.
    """

    EVENT: ClassVar[str] = "recording.success"

    duration: Annotated[Seconds, Meta(description="The length of the recording in whole seconds.", examples=[3600])]
    size: Annotated[Bytes, Meta(description="The size of the file in bytes.", examples=[912345678])]
    recording_path: Annotated[str, Meta(description="Where the file is stored.", examples=[_PATH])]
    recording_presigned_url: Annotated[
        str, Meta(description="Signed URL to download the file, valid for 24 hours.", examples=[_URL])
    ]
    chat_recording_path: ChatRecordingPath
    chat_recording_presigned_url: ChatRecordingUrl
    location: (
        Annotated[
            str,
            Meta(
                description="Deprecated, use `recording_path`.",
                examples=[_PATH],
                extra_json_schema=DEPRECATED,
            ),
        ]
        | UnsetType
    ) = UNSET
    URL: (
        Annotated[
            str,
            Meta(
                description="Deprecated, use `recording_presigned_url`.",
                examples=[_URL],
                extra_json_schema=DEPRECATED,
            ),
        ]
        | UnsetType
    ) = UNSET


class RecordingFailed(_Recording, frozen=True, kw_only=True):
    """The session's recording could not be composed, or could not be uploaded.

    Source: seed, SFU Recording Events, `recording.failed`.
    """

    EVENT: ClassVar[str] = "recording.failed"

    error: Annotated[
        RecordingErrorMessage,
        Meta(description="What went wrong, in words.", examples=[RecordingErrorMessage.NO_INPUT]),
    ]
    error_type: Annotated[
        RecordingErrorType, Meta(description="What went wrong.", examples=[RecordingErrorType.INPUT_ERROR])
    ]
