"""HLS events: the meeting's page as an HTTP live stream, and its recordings.

Always holds: a run reports at most one `hls.started.success`, when the playlist can be played, and exactly
one `hls.stopped.success`; a failed run reports `hls.failure` beside it. Source: seed, "HLS Streaming
Events".
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import UNSET, Meta, UnsetType

from callboard.events.fields import (
    DEPRECATED,
    Bytes,
    ChatRecordingPath,
    ChatRecordingUrl,
    MetadataTimestamp,
    RecordingId,
    Seconds,
    Timestamp,
)
from callboard.events.hls_files import LayerFile, Thumbnail
from callboard.events.runs import BeamStopReason, HlsError, Job, Run

THEME = "HLS Streaming Events"

_VOD_URL = "https://storage.example/hls/Rec-1736935260500.m3u8?signature=1f2e3d"

HlsUrl = Annotated[
    str,
    Meta(description="The URL of the live playlist.", examples=["https://hls.example/6787872c/master.m3u8"]),
]
HlsStartedAt = Annotated[
    Timestamp, Meta(description="When the live stream started.", examples=["2025-01-15T10:01:00.5Z"])
]
HlsStoppedAt = Annotated[
    Timestamp, Meta(description="When the live stream stopped.", examples=["2025-01-15T11:00:02.1Z"])
]
HlsDuration = Annotated[Seconds, Meta(description="Whole seconds that it was running.", examples=[3541])]


class _HlsJob(Job, frozen=True, kw_only=True):
    """What the job puts out."""

    THEME: ClassVar[str] = THEME

    recording_single_file_per_layer_enabled: Annotated[
        bool, Meta(description="Whether each layer is recorded to an mp4 file.", examples=[True])
    ]
    recording_vod_playlist_enabled: Annotated[
        bool, Meta(description="Whether the stream is kept as video on demand.", examples=[True])
    ]


class HlsStartedSuccess(_HlsJob, frozen=True, kw_only=True):
    """The live stream is running: its playlist can be played.

    Source: seed, HLS Streaming Events, `hls.started.success`.
    """

    EVENT: ClassVar[str] = "hls.started.success"

    metadata_timestamp: Annotated[MetadataTimestamp, Meta(examples=["2025-01-15T10:01:00.6Z"])]
    start_delay: Annotated[
        Seconds, Meta(description="Whole seconds from the request to the playable stream.", examples=[12])
    ]
    url: HlsUrl
    started_at: HlsStartedAt


class HlsStoppedSuccess(_HlsJob, frozen=True, kw_only=True):
    """The live stream stopped, for whatever reason, a failure included.

    `url` and `live_transcription_enabled` are in the seed's table only, hence their defaults; they are
    always sent.
    Source: seed, HLS Streaming Events, `hls.stopped.success`.
    """

    EVENT: ClassVar[str] = "hls.stopped.success"

    metadata_timestamp: Annotated[MetadataTimestamp, Meta(examples=["2025-01-15T11:00:02.2Z"])]
    url: HlsUrl = ""
    duration: HlsDuration
    started_at: HlsStartedAt
    stopped_at: HlsStoppedAt
    reason: Annotated[BeamStopReason, Meta(description="Why it stopped.", examples=[BeamStopReason.CLIENT_REQUEST])]
    live_transcription_enabled: Annotated[
        bool, Meta(description="Whether the stream had live captions.", examples=[False])
    ] = False


class HlsFailure(_HlsJob, frozen=True, kw_only=True):
    """The live stream failed, or its recording could not be uploaded.

    Source: seed, HLS Streaming Events, `hls.failure`.
    """

    EVENT: ClassVar[str] = "hls.failure"

    duration: Annotated[
        Seconds, Meta(description="Whole seconds that it was running; 0 if it never was.", examples=[3541])
    ]
    error_type: Annotated[HlsError, Meta(description="What went wrong.", examples=[HlsError.UPLOAD_ERROR])]
    error_message: Annotated[
        str,
        Meta(description="What went wrong, in words.", examples=[HlsError.UPLOAD_ERROR.message()]),
    ]
    error_code: Annotated[
        int, Meta(description="Deprecated: always 1.", examples=[1], extra_json_schema=DEPRECATED)
    ] = 1


class HlsRecordingSuccess(Run, frozen=True, kw_only=True):
    """The live stream's recordings are uploaded.

    What was not asked for is empty: the keys of the video on demand "" and 0, `recording_single_files` []
    (platform.md §11 C4). Source: seed, HLS Streaming Events, `hls.recording.success`.
    """

    THEME: ClassVar[str] = THEME
    EVENT: ClassVar[str] = "hls.recording.success"

    recording_id: RecordingId
    duration: Annotated[Seconds, Meta(description="The length of the recording in whole seconds.", examples=[3541])]
    hls_vod_recording_path: Annotated[
        str,
        Meta(
            description="Where the video on demand is stored: a playlist, or a zip file of it.",
            examples=["s3://recordings/acme/hls/65a000000000000000000004/20250115/Rec-1736935260500.m3u8"],
        ),
    ]
    hls_vod_recording_presigned_url: Annotated[
        str, Meta(description="URL to play or download the video on demand.", examples=[_VOD_URL])
    ]
    hls_vod_recording_size: Annotated[
        Bytes, Meta(description="The size of the video on demand in bytes.", examples=[1324691356])
    ]
    chat_recording_path: ChatRecordingPath
    chat_recording_presigned_url: ChatRecordingUrl
    recording_created_at: Annotated[
        Timestamp, Meta(description="When the recording was created.", examples=["2025-01-15T11:03:59.9Z"])
    ]
    started_at: HlsStartedAt
    stopped_at: HlsStoppedAt
    recording_single_files: Annotated[tuple[LayerFile, ...], Meta(description="A file for each layer, best first.")]
    recording_thumbnails: Annotated[tuple[Thumbnail, ...], Meta(description="Pictures from the video on demand.")]
    recording_hls_vod_playlist_location: (
        Annotated[
            str,
            Meta(
                description="Deprecated, use `hls_vod_recording_presigned_url`.",
                examples=[_VOD_URL],
                extra_json_schema=DEPRECATED,
            ),
        ]
        | UnsetType
    ) = UNSET
