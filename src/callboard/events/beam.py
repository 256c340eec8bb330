"""Beam events: RTMP streaming and browser recording, both made by a browser that shows the meeting's page.

Always holds: a run reports at most one `beam.started.success` and exactly one `beam.stopped.success`; a
failed run reports `beam.failure` beside it. Source: seed, "RTMP Streaming & Browser Recording Events";
platform.md §6.1.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from callboard.events.fields import (
    DEPRECATED,
    Bytes,
    ChatRecordingPath,
    ChatRecordingUrl,
    MetadataTimestamp,
    PeerId,
    RecordingId,
    Seconds,
    Timestamp,
)
from callboard.events.runs import BeamError, BeamStopReason, Job, Run

THEME = "RTMP Streaming & Browser Recording Events"

_URL = "https://storage.example/Rec-65a000000000000000000004-1736935260500.mp4?signature=1f2e3d"


class RtmpDestination(msgspec.Struct, frozen=True):
    """A server that the picture is streamed to."""

    url: Annotated[str, Meta(description="The RTMP URL it was started with.", examples=["rtmp://live.example/app/key"])]


Rtmp = Annotated[
    tuple[RtmpDestination, ...],
    Meta(
        description="Where the picture is streamed to. [] if it is only recorded.",
        examples=[[{"url": "rtmp://live.example/app/key"}]],
    ),
]


class _BeamJob(Job, frozen=True, kw_only=True):
    """What the job puts out."""

    THEME: ClassVar[str] = THEME

    recording_enabled: Annotated[bool, Meta(description="Whether the job records.", examples=[True])]
    rtmp: Rtmp


class BeamStartedSuccess(_BeamJob, frozen=True, kw_only=True):
    """RTMP streaming, browser recording or both are running.

    Source: seed, RTMP Streaming & Browser Recording Events, `beam.started.success`.
    """

    EVENT: ClassVar[str] = "beam.started.success"

    metadata_timestamp: Annotated[MetadataTimestamp, Meta(examples=["2025-01-15T10:01:00.6Z"])]
    start_delay: Annotated[
        Seconds, Meta(description="Whole seconds from the request to the running output.", examples=[12])
    ]


class BeamStoppedSuccess(_BeamJob, frozen=True, kw_only=True):
    """RTMP streaming and browser recording stopped, for whatever reason, a failure included.

    Source: seed, RTMP Streaming & Browser Recording Events, `beam.stopped.success`.
    """

    EVENT: ClassVar[str] = "beam.stopped.success"

    metadata_timestamp: Annotated[MetadataTimestamp, Meta(examples=["2025-01-15T11:00:02.2Z"])]
    duration: Annotated[Seconds, Meta(description="Whole seconds that it was running.", examples=[3541])]
    reason: Annotated[BeamStopReason, Meta(description="Why it stopped.", examples=[BeamStopReason.CLIENT_REQUEST])]


class BeamRecordingSuccess(Run, frozen=True, kw_only=True):
    """The browser recording is uploaded.

    Source: seed, RTMP Streaming & Browser Recording Events, `beam.recording.success`.
    """

    THEME: ClassVar[str] = THEME
    EVENT: ClassVar[str] = "beam.recording.success"

    peer_id: Annotated[PeerId, Meta(description='The peer that started the job. "" if the API did.')]
    rtmp: Rtmp
    recording_id: RecordingId
    recording_path: Annotated[
        str,
        Meta(
            description="Where the file is stored.",
            examples=["s3://recordings/acme/beam/65a000000000000000000004/20250115/Rec-1736935260500.mp4"],
        ),
    ]
    recording_presigned_url: Annotated[str, Meta(description="Signed URL to download the file.", examples=[_URL])]
    chat_recording_path: ChatRecordingPath
    chat_recording_presigned_url: ChatRecordingUrl
    size: Annotated[Bytes, Meta(description="The size of the file in bytes.", examples=[912345678])]
    duration: Annotated[
        Seconds,
        Meta(description="The length of the file in whole seconds, pauses not counted.", examples=[3541]),
    ]
    created_at: Annotated[
        Timestamp, Meta(description="When the recording was created.", examples=["2025-01-15T11:03:59.9Z"])
    ]
    started_at: Annotated[
        Timestamp, Meta(description="When the recording started.", examples=["2025-01-15T10:01:00.5Z"])
    ]
    stopped_at: Annotated[
        Timestamp, Meta(description="When the recording stopped.", examples=["2025-01-15T11:00:02.1Z"])
    ]
    location: (
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


class BeamFailure(_BeamJob, frozen=True, kw_only=True):
    """RTMP streaming or browser recording failed, or its recording could not be uploaded.

    Source: seed, RTMP Streaming & Browser Recording Events, `beam.failure`.
    """

    EVENT: ClassVar[str] = "beam.failure"

    duration: Annotated[
        Seconds, Meta(description="Whole seconds that it was running; 0 if it never was.", examples=[0])
    ]
    error_type: Annotated[BeamError, Meta(description="What went wrong.", examples=[BeamError.MAX_RETRIES_REACHED])]
    error_message: Annotated[
        str,
        Meta(
            description="What went wrong, in words.",
            examples=[BeamError.MAX_RETRIES_REACHED.message()],
        ),
    ]
    error_code: Annotated[
        int, Meta(description="Deprecated: always 1.", examples=[1], extra_json_schema=DEPRECATED)
    ] = 1
